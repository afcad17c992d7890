#include "core/clock.h"

uint64_t ps_clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * PS_NS_PER_S + (uint64_t)now.tv_nsec;
}

struct ps_now ps_clock_now(void)
{
    uint64_t mono_ns = ps_clock_ns(CLOCK_MONOTONIC);
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct ps_now){.mono_ns = mono_ns,
                           .wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000};
}

size_t ps_utc_print(char *to, size_t room, const char *format, int64_t wall_s)
{
    time_t second = (time_t)wall_s;
    struct tm fields;
    return gmtime_r(&second, &fields) != NULL ? strftime(to, room, format, &fields) : 0;
}
