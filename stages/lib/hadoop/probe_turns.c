#include "stages/lib/hadoop/probe_turns.h"

#include "core/clock.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAIT_MS 50           /* a helper thread may finish without an event on a socket */
#define GRACE_NS PS_NS_PER_S /* calls have time-outs of their own */

bool ps_probe_port_open(struct ps_port *port, const struct ps_probe *probe)
{
    struct epoll_event wake = {.events = EPOLLIN};
    *port = (struct ps_port){.component = probe->component, .name = probe->component};
    port->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    port->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (port->epoll_fd >= 0 && port->wake_fd >= 0 &&
        epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, port->wake_fd, &wake) == 0)
        return true;
    ps_probe_skipped(probe, probe->component, "no descriptor is left");
    ps_probe_port_close(port);
    return false;
}

void ps_probe_port_close(struct ps_port *port)
{
    if (port->epoll_fd >= 0)
        close(port->epoll_fd);
    if (port->wake_fd >= 0)
        close(port->wake_fd);
}

void ps_probe_turns(const struct ps_probe *probe, int epoll_fd,
                    uint64_t (*turn)(void *client, const struct ps_now *now), void *client, const bool *done)
{
    struct epoll_event event;
    uint64_t until_ns = ps_clock_now().mono_ns + ps_probe_left_ms(probe) * PS_NS_PER_MS + GRACE_NS;
    while (!*done) {
        const struct ps_now now = ps_clock_now();
        uint64_t due_ns = turn(client, &now);
        if (*done || now.mono_ns >= until_ns)
            return;
        if (due_ns > now.mono_ns)
            (void)epoll_wait(epoll_fd, &event, 1, WAIT_MS);
    }
}
