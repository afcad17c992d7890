/* The memory that the agent shares with one run of its Java host: a memfd whose size is sealed, so that nobody
 * can cut it short under a mapping. It is large and empty: a part that is never used takes no memory.
 *
 * An area is a part of the region that one component uses. The agent maps it, and the host maps it too, by its
 * offset. Thread: any (the region has a lock); an area belongs to the worker that took it. */
#pragma once

#include "core/status.h"

#define PS_JAVA_AREA_BYTES_MAX (UINT64_C(1) << 30)

struct ps_java_region;

struct ps_java_area {
    struct ps_java_region *region; /* NULL: no area is taken */
    char *memory;
    uint64_t offset;
    uint32_t size;
};

/* Returns a region with one holder, or NULL. */
struct ps_java_region *ps_java_region_create(struct ps_err *err);
int ps_java_region_fd(const struct ps_java_region *region);

/* Add a holder, and take one away. A region without holders and areas is freed. */
void ps_java_region_hold(struct ps_java_region *region);
void ps_java_region_release(struct ps_java_region *region);

/* Takes an area of at least `bytes`, which holds the region. Returns false if there is no such area, or no
 * memory; `why` then has the reason and the cure. */
bool ps_java_area_take(struct ps_java_region *region, uint64_t bytes, struct ps_java_area *area,
                       struct ps_err *why);
/* Gives the area back to the region, and its memory to the system; does nothing if no area is taken. */
void ps_java_area_give(struct ps_java_area *area);
/* Gives up an area that the host may still use: its place is not used again as long as this host runs. */
void ps_java_area_abandon(struct ps_java_area *area);
