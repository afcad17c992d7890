#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/world/clock.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

/* A machine that was started a while before the agent. */
#define UPTIME_NS (UINT64_C(5000) * WORLD_NS_PER_S)

uint64_t clock_read(clockid_t clock)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        return WORLD_WALL_START_S * WORLD_NS_PER_S + world->now_ns;
    default:
        return UPTIME_NS + world->now_ns;
    }
}

static uint64_t ns_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * WORLD_NS_PER_S + (uint64_t)time->tv_nsec;
}

uint64_t clock_deadline(clockid_t clock, const struct timespec *until)
{
    uint64_t shown = clock_read(clock), ns = ns_of(until);
    return ns <= shown ? world->now_ns : world->now_ns + (ns - shown);
}

uint64_t clock_after(const struct timespec *span)
{
    return span == NULL ? WORLD_NEVER : world->now_ns + ns_of(span);
}

uint64_t clock_after_ms(int span_ms)
{
    return span_ms < 0 ? WORLD_NEVER : world->now_ns + (uint64_t)span_ms * (WORLD_NS_PER_S / 1000);
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / WORLD_NS_PER_S), (long)(ns % WORLD_NS_PER_S)};
}

int clock_gettime(clockid_t clock, struct timespec *to)
{
    if (!turn_is_ours()) {
        real_call(SYS_clock_gettime, clock, (long)to, 0, 0, 0, 0);
        return 0;
    }
    call_enter("clock_gettime", (uint64_t)clock, 0);
    *to = timespec_of(clock_read(clock));
    return 0;
}

int clock_getres(clockid_t clock, struct timespec *to)
{
    (void)clock;
    if (to != NULL)
        *to = (struct timespec){0, 1};
    return 0;
}

time_t time(time_t *to)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *to = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

/* librdkafka reckons its deadlines with it. */
int timespec_get(struct timespec *to, int base)
{
    if (base != TIME_UTC)
        return 0;
    clock_gettime(CLOCK_REALTIME, to);
    return base;
}

static void sleep_until(const char *name, uint64_t deadline_ns)
{
    static const char nothing;
    call_enter(name, deadline_ns, 0);
    while (world->now_ns < deadline_ns)
        turn_wait(&nothing, deadline_ns);
}

int nanosleep(const struct timespec *span, struct timespec *left)
{
    if (!turn_is_ours())
        return (int)real_call(SYS_nanosleep, (long)span, (long)left, 0, 0, 0, 0);
    sleep_until("nanosleep", clock_after(span));
    return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *span, struct timespec *left)
{
    (void)left;
    sleep_until("clock_nanosleep",
                (flags & TIMER_ABSTIME) != 0 ? clock_deadline(clock, span) : clock_after(span));
    return 0;
}

int usleep(useconds_t span_us)
{
    struct timespec span = {(time_t)(span_us / 1000000), (long)(span_us % 1000000) * 1000};
    return nanosleep(&span, NULL);
}

unsigned sleep(unsigned span_s)
{
    nanosleep(&(struct timespec){(time_t)span_s, 0}, NULL);
    return 0;
}

int thrd_sleep(const struct timespec *span, struct timespec *left)
{
    return nanosleep(span, left);
}

int sched_yield(void)
{
    if (turn_is_ours())
        sleep_until("sched_yield", world->now_ns + 1000);
    return 0;
}
