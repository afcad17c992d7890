#include "bench/suite/drain.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void ps_cpu_ends(int *first, int *last)
{
    cpu_set_t set;
    PS_ASSERT(sched_getaffinity(0, sizeof set, &set) == 0);
    *first = *last = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &set))
            continue;
        if (*first < 0)
            *first = cpu;
        *last = cpu;
    }
}

void ps_cpu_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static _Noreturn void drain(int listener)
{
    struct pollfd lanes[1 + PS_DRAIN_CONNECTIONS_MAX] = {{.fd = listener, .events = POLLIN}};
    for (int i = 1; i <= PS_DRAIN_CONNECTIONS_MAX; i++)
        lanes[i].fd = -1;
    for (;;) {
        poll(lanes, 1 + PS_DRAIN_CONNECTIONS_MAX, -1);
        for (int i = 1; i <= PS_DRAIN_CONNECTIONS_MAX; i++) {
            if (lanes[i].fd >= 0 && lanes[i].revents != 0 &&
                recv(lanes[i].fd, NULL, 4 << 20, MSG_DONTWAIT | MSG_TRUNC) == 0) {
                close(lanes[i].fd);
                lanes[i].fd = -1;
            }
        }
        for (int i = 1; i <= PS_DRAIN_CONNECTIONS_MAX && lanes[0].revents != 0; i++) {
            if (lanes[i].fd < 0) {
                lanes[i] = (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
                break;
            }
        }
    }
}

pid_t ps_drain_start(int cpu, unsigned *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PS_ASSERT(listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0 &&
              listen(listener, 16) == 0 && getsockname(listener, (struct sockaddr *)&at, &length) == 0);
    *port = ntohs(at.sin_port);
    pid_t child = fork();
    PS_ASSERT(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        ps_cpu_pin(cpu);
        drain(listener);
    }
    close(listener);
    return child;
}

void ps_drain_stop(pid_t drain)
{
    kill(drain, SIGKILL);
    waitpid(drain, NULL, 0);
}
