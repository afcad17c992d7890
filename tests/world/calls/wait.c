/* What waits on descriptors: poll and epoll; and the descriptors that exist to be waited for: eventfd, signalfd. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/world/child.h"
#include "tests/world/clock.h"
#include "tests/world/descriptor.h"
#include "tests/world/fault.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

/* ---- poll ---- */

static int look(struct pollfd *polled, nfds_t count)
{
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        polled[i].revents = 0;
        if (polled[i].fd < 0)
            continue;
        struct description *open = descriptor_get(polled[i].fd);
        polled[i].revents = open == NULL
                                ? POLLNVAL
                                : (short)(open->kind->ready(open) & (polled[i].events | POLLERR | POLLHUP));
        ready += polled[i].revents != 0;
    }
    return ready;
}

static int poll_until(struct pollfd *polled, nfds_t count, uint64_t deadline_ns)
{
    call_enter("poll", count, 0);
    int ready, error = fault_strikes(FAULT_WAIT, NULL);
    if (error != 0)
        return (int)descriptor_result(call_leave(-error));
    while ((ready = look(polled, count)) == 0 && world->now_ns < deadline_ns)
        turn_wait(&turn_io, deadline_ns);
    return (int)call_leave(ready);
}

int poll(struct pollfd *polled, nfds_t count, int span_ms)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_poll, (long)polled, (long)count, span_ms, 0, 0, 0));
    return poll_until(polled, count, clock_after_ms(span_ms));
}

int __poll_chk(struct pollfd *polled, nfds_t count, int span_ms, size_t room);
int __poll_chk(struct pollfd *polled, nfds_t count, int span_ms, size_t room)
{
    (void)room;
    return poll(polled, count, span_ms);
}

int ppoll(struct pollfd *polled, nfds_t count, const struct timespec *span, const sigset_t *signals)
{
    (void)signals;
    return poll_until(polled, count, clock_after(span));
}

int __ppoll_chk(struct pollfd *polled, nfds_t count, const struct timespec *span, const sigset_t *signals,
                size_t room);
int __ppoll_chk(struct pollfd *polled, nfds_t count, const struct timespec *span, const sigset_t *signals,
                size_t room)
{
    (void)room;
    return ppoll(polled, count, span, signals);
}

int select(int count, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict errors,
           struct timeval *restrict span)
{
    struct pollfd polled[FD_SETSIZE];
    nfds_t used = 0;
    for (int fd = 0; fd < count; fd++) {
        short events = (short)((reads != NULL && FD_ISSET(fd, reads) ? POLLIN : 0) |
                               (writes != NULL && FD_ISSET(fd, writes) ? POLLOUT : 0));
        if (events != 0)
            polled[used++] = (struct pollfd){fd, events, 0};
    }
    struct timespec time =
        span == NULL ? (struct timespec){0} : (struct timespec){span->tv_sec, span->tv_usec * 1000};
    int ready = poll_until(polled, used, span == NULL ? WORLD_NEVER : clock_after(&time)), bits = 0;
    if (errors != NULL)
        FD_ZERO(errors);
    for (nfds_t i = 0; i < used && ready >= 0; i++) {
        if (reads != NULL && FD_ISSET(polled[i].fd, reads) &&
            (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0)
            FD_CLR(polled[i].fd, reads);
        if (writes != NULL && FD_ISSET(polled[i].fd, writes) &&
            (polled[i].revents & (POLLOUT | POLLERR)) == 0)
            FD_CLR(polled[i].fd, writes);
        bits += polled[i].revents != 0;
    }
    return bits;
}

/* ---- epoll ---- */

struct item {
    struct item *next;
    int fd;
    struct description *open;
    struct epoll_event event;
    bool disarmed;     /* EPOLLONESHOT */
    uint64_t reported; /* open->edges when it was reported last, plus 1 */
};

struct epoll {
    struct epoll *next;
    struct item *items;
};

static struct epoll *epolls;

void descriptor_forget(struct description *open)
{
    for (struct epoll *epoll = epolls; epoll != NULL; epoll = epoll->next)
        for (struct item **at = &epoll->items; *at != NULL;) {
            struct item *item = *at;
            if (item->open != open) {
                at = &item->next;
                continue;
            }
            *at = item->next;
            free(item);
        }
}

static uint32_t item_ready(const struct item *item)
{
    if (item->disarmed)
        return 0;
    uint32_t ready =
        (uint32_t)item->open->kind->ready(item->open) & (item->event.events | EPOLLERR | EPOLLHUP) & 0xffff;
    if ((item->event.events & EPOLLET) != 0 && item->reported == item->open->edges + 1)
        return 0;
    return ready;
}

static short epoll_is_ready(struct description *open)
{
    struct epoll *epoll = open->state;
    for (struct item *item = epoll->items; item != NULL; item = item->next)
        if (item_ready(item) != 0)
            return POLLIN;
    return 0;
}

static void epoll_close(struct description *open)
{
    struct epoll *epoll = open->state, **at = &epolls;
    while (*at != epoll)
        at = &(*at)->next;
    *at = epoll->next;
    for (struct item *item = epoll->items, *next; item != NULL; item = next) {
        next = item->next;
        free(item);
    }
    free(epoll);
}

static const struct description_kind kind_epoll = {"epoll", NULL, NULL, epoll_is_ready, epoll_close, 0600};

int epoll_create1(int flags)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_epoll_create1, flags, 0, 0, 0, 0, 0));
    call_enter("epoll_create1", 0, 0);
    struct epoll *epoll = calloc(1, sizeof *epoll);
    epoll->next = epolls;
    epolls = epoll;
    return (int)descriptor_result(
        call_leave(descriptor_open(&kind_epoll, epoll, O_RDWR, (flags & EPOLL_CLOEXEC) != 0, NULL)));
}

int epoll_create(int size)
{
    (void)size;
    return epoll_create1(0);
}

static int control(struct epoll *epoll, int operation, int fd, struct epoll_event *event)
{
    struct description *open = descriptor_get(fd);
    if (open == NULL)
        return -EBADF;
    if (open->inode != NULL)
        return -EPERM;
    struct item **at = &epoll->items;
    while (*at != NULL && ((*at)->fd != fd || (*at)->open != open))
        at = &(*at)->next;
    struct item *item = *at;
    if (operation == EPOLL_CTL_ADD && item != NULL)
        return -EEXIST;
    if (operation != EPOLL_CTL_ADD && item == NULL)
        return -ENOENT;
    if (operation == EPOLL_CTL_DEL) {
        *at = item->next;
        free(item);
        return 0;
    }
    int error = item == NULL ? fault_strikes(FAULT_WATCH, NULL) : 0;
    if (error != 0)
        return -error;
    if (item == NULL) {
        item = calloc(1, sizeof *item);
        item->fd = fd;
        item->open = open;
        *at = item;
    }
    item->event = *event;
    item->disarmed = false;
    item->reported = 0;
    turn_wake(&turn_io, TURN_THREADS_MAX);
    return 0;
}

int epoll_ctl(int fd, int operation, int other, struct epoll_event *event)
{
    call_enter("epoll_ctl", (uint64_t)other, (uint64_t)operation);
    struct description *open = descriptor_get(fd);
    return (int)descriptor_result(call_leave(
        open == NULL || open->kind != &kind_epoll ? -EBADF : control(open->state, operation, other, event)));
}

/* Reports what is ready, the items after the last reported one first, so that none starves. */
static int collect(struct epoll *epoll, struct epoll_event *events, int room)
{
    int count = 0;
    struct item *last = NULL;
    for (struct item *item = epoll->items; item != NULL && count < room; item = item->next) {
        uint32_t ready = item_ready(item);
        if (ready == 0)
            continue;
        events[count++] = (struct epoll_event){ready, item->event.data};
        item->reported = item->open->edges + 1;
        item->disarmed = (item->event.events & EPOLLONESHOT) != 0;
        last = item;
    }
    if (last != NULL && last->next != NULL && count == room) { /* turn the list */
        struct item *first = epoll->items, *end = last->next;
        epoll->items = last->next;
        last->next = NULL;
        while (end->next != NULL)
            end = end->next;
        end->next = first;
    }
    return count;
}

/* A worker with no deadline looks again after a second (PARK_MAX_NS in core/engine/worker.c), which heals a wake-up that was lost. */
#define PARK_S 1
#define LONG_PARK_S 1000

static int epoll_until(int fd, struct epoll_event *events, int room, uint64_t deadline_ns)
{
    call_enter("epoll_wait", (uint64_t)fd, 0);
    struct description *open = descriptor_get(fd);
    if (open == NULL || open->kind != &kind_epoll)
        return (int)descriptor_result(call_leave(-EBADF));
    int count, error = fault_strikes(FAULT_WAIT, NULL);
    if (error != 0)
        return (int)descriptor_result(call_leave(-error));
    while ((count = collect(open->state, events, room)) == 0 && world->now_ns < deadline_ns)
        turn_wait(&turn_io, deadline_ns);
    return (int)call_leave(count);
}

int epoll_wait(int fd, struct epoll_event *events, int room, int span_ms)
{
    return epoll_until(fd, events, room, clock_after_ms(span_ms));
}

int epoll_pwait(int fd, struct epoll_event *events, int room, int span_ms, const sigset_t *signals)
{
    (void)signals;
    return epoll_until(fd, events, room, clock_after_ms(span_ms));
}

int epoll_pwait2(int fd, struct epoll_event *events, int room, const struct timespec *span,
                 const sigset_t *signals)
{
    (void)signals;
    struct timespec until = *(span != NULL ? span : &(struct timespec){.tv_sec = -1});
    if (world->long_parks && until.tv_sec == PARK_S && until.tv_nsec == 0)
        until.tv_sec = LONG_PARK_S;
    return epoll_until(fd, events, room, clock_after(span != NULL ? &until : NULL));
}

/* ---- eventfd ---- */

struct event {
    uint64_t count;
    bool semaphore;
};

static ssize_t event_read(struct description *open, void *to, size_t length)
{
    struct event *event = open->state;
    if (length < sizeof event->count)
        return -EINVAL;
    if (event->count == 0)
        return -EAGAIN;
    uint64_t got = event->semaphore ? 1 : event->count;
    event->count -= got;
    memcpy(to, &got, sizeof got);
    descriptor_changed(open);
    return sizeof got;
}

static ssize_t event_write(struct description *open, const void *from, size_t length)
{
    struct event *event = open->state;
    uint64_t add;
    if (length < sizeof add)
        return -EINVAL;
    memcpy(&add, from, sizeof add);
    if (event->count + add < event->count || event->count + add == UINT64_MAX)
        return -EAGAIN;
    event->count += add;
    descriptor_changed(open);
    return sizeof add;
}

static short event_ready(struct description *open)
{
    const struct event *event = open->state;
    return (short)((event->count > 0 ? POLLIN : 0) | POLLOUT);
}

static void free_state(struct description *open)
{
    free(open->state);
}

static const struct description_kind kind_event = {"event",     event_read, event_write,
                                                   event_ready, free_state, 0600};

int eventfd(unsigned value, int flags)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_eventfd2, value, flags, 0, 0, 0, 0));
    call_enter("eventfd", value, (uint64_t)flags);
    struct event *event = malloc(sizeof *event);
    *event = (struct event){value, (flags & EFD_SEMAPHORE) != 0};
    int mode = O_RDWR | ((flags & EFD_NONBLOCK) != 0 ? O_NONBLOCK : 0);
    return (int)descriptor_result(
        call_leave(descriptor_open(&kind_event, event, mode, (flags & EFD_CLOEXEC) != 0, NULL)));
}

int eventfd_write(int fd, eventfd_t value)
{
    return write(fd, &value, sizeof value) == sizeof value ? 0 : -1;
}

int eventfd_read(int fd, eventfd_t *value)
{
    return read(fd, value, sizeof *value) == sizeof *value ? 0 : -1;
}

/* ---- signals ---- */

static uint64_t bit(int number)
{
    return UINT64_C(1) << number;
}

static uint64_t bits_of(const sigset_t *signals)
{
    uint64_t bits = 0;
    for (int number = 1; number < 64; number++)
        if (sigismember(signals, number) == 1)
            bits |= bit(number);
    return bits;
}

static ssize_t signal_read(struct description *open, void *to, size_t length)
{
    uint64_t *mask = open->state, pending = world->pending_signals & *mask;
    if (length < sizeof(struct signalfd_siginfo))
        return -EINVAL;
    if (pending == 0)
        return -EAGAIN;
    int number = __builtin_ctzll(pending);
    world->pending_signals &= ~bit(number);
    memset(to, 0, sizeof(struct signalfd_siginfo));
    ((struct signalfd_siginfo *)to)->ssi_signo = (uint32_t)number;
    return sizeof(struct signalfd_siginfo);
}

static short signal_ready(struct description *open)
{
    const uint64_t *mask = open->state;
    return (world->pending_signals & *mask) != 0 ? POLLIN : 0;
}

static const struct description_kind kind_signal = {"signal",     signal_read, NULL,
                                                    signal_ready, free_state,  0600};

int signalfd(int fd, const sigset_t *signals, int flags)
{
    call_enter("signalfd", (uint64_t)fd, 0);
    if (fd >= 0) {
        struct description *open = descriptor_get(fd);
        if (open == NULL || open->kind != &kind_signal)
            return (int)descriptor_result(call_leave(-EINVAL));
        *(uint64_t *)open->state = bits_of(signals);
        return fd;
    }
    uint64_t *mask = malloc(sizeof *mask);
    *mask = bits_of(signals);
    int mode = O_RDWR | ((flags & SFD_NONBLOCK) != 0 ? O_NONBLOCK : 0);
    return (int)descriptor_result(
        call_leave(descriptor_open(&kind_signal, mask, mode, (flags & SFD_CLOEXEC) != 0, NULL)));
}

int kill(pid_t pid, int number)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_kill, pid, number, 0, 0, 0, 0));
    call_enter("kill", (uint64_t)pid, (uint64_t)number);
    if (pid != getpid())
        return (int)descriptor_result(call_leave(child_kill(pid, number) ? 0 : -ESRCH));
    if (number > 0)
        world->pending_signals |= bit(number);
    turn_wake(&turn_io, TURN_THREADS_MAX);
    return (int)call_leave(0);
}

/* The guard's signal is never blocked. */
static int change_mask(int how, const sigset_t *signals, sigset_t *before)
{
    REAL(pthread_sigmask);
    sigset_t own;
    if (signals != NULL) {
        own = *signals;
        if (how != SIG_UNBLOCK)
            sigdelset(&own, SIGSYS);
    }
    return real_pthread_sigmask(how, signals == NULL ? NULL : &own, before);
}

int pthread_sigmask(int how, const sigset_t *restrict signals, sigset_t *restrict before)
{
    return change_mask(how, signals, before);
}

int sigprocmask(int how, const sigset_t *restrict signals, sigset_t *restrict before)
{
    return (int)descriptor_result(-change_mask(how, signals, before));
}

int sigpending(sigset_t *signals)
{
    sigemptyset(signals);
    for (int number = 1; number < 64; number++)
        if ((world->pending_signals & bit(number)) != 0)
            sigaddset(signals, number);
    return 0;
}

int sigtimedwait(const sigset_t *restrict signals, siginfo_t *restrict info,
                 const struct timespec *restrict span)
{
    uint64_t mask = bits_of(signals), deadline_ns = clock_after(span);
    call_enter("sigtimedwait", mask, 0);
    while ((world->pending_signals & mask) == 0) {
        if (deadline_ns <= world->now_ns)
            return (int)descriptor_result(call_leave(-EAGAIN));
        turn_wait(&turn_io, deadline_ns);
    }
    int number = __builtin_ctzll(world->pending_signals & mask);
    world->pending_signals &= ~bit(number);
    if (info != NULL)
        *info = (siginfo_t){.si_signo = number};
    return number;
}

int sigwait(const sigset_t *restrict signals, int *restrict number)
{
    *number = sigtimedwait(signals, NULL, NULL);
    return 0;
}
