#include "rings/alarm.h"

#include <ck_pr.h>
#include <unistd.h>

void ps_alarm_set(struct ps_alarm *alarm, int event_fd)
{
    __atomic_store_n(&alarm->fd, event_fd, __ATOMIC_RELAXED);
    __atomic_store_n(&alarm->is_set, 1, __ATOMIC_RELEASE); /* publishes the descriptor, too */
    ck_pr_fence_memory();
}

bool ps_alarm_ring(struct ps_alarm *alarm)
{
    const uint64_t one = 1;
    ck_pr_fence_memory();
    if (__atomic_load_n(&alarm->is_set, __ATOMIC_RELAXED) == 0 ||
        __atomic_exchange_n(&alarm->is_set, 0, __ATOMIC_ACQUIRE) == 0)
        return false;
    int event_fd = __atomic_load_n(&alarm->fd, __ATOMIC_RELAXED);
    if (event_fd >= 0)
        (void)!write(event_fd, &one, sizeof one);
    return true;
}
