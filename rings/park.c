#include "rings/park.h"

#include <ck_pr.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool ps_park_init(struct ps_park *park)
{
    park->parked = 0;
    park->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return park->event_fd >= 0;
}

void ps_park_fini(struct ps_park *park)
{
    if (park->event_fd >= 0)
        close(park->event_fd);
    park->event_fd = -1;
}

void ps_park_announce(struct ps_park *park)
{
    ck_pr_store_32(&park->parked, 1);
    ck_pr_fence_memory();
}

void ps_park_cancel(struct ps_park *park)
{
    uint64_t ignored;
    ck_pr_store_32(&park->parked, 0);
    while (read(park->event_fd, &ignored, sizeof ignored) > 0) {
    }
}

bool ps_park_is_parked(const struct ps_park *park)
{
    return ck_pr_load_32(&park->parked) != 0;
}

bool ps_park_wake(struct ps_park *park)
{
    ck_pr_fence_memory();
    if (ck_pr_load_32(&park->parked) == 0 || ck_pr_fas_32(&park->parked, 0) == 0)
        return false;
    uint64_t one = 1;
    return write(park->event_fd, &one, sizeof one) == sizeof one;
}
