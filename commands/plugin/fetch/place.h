/* The folder plugins.d/NAME: made beside its place and renamed, so that it is there whole or not at all. Used by
 * commands/plugin/fetch only. Thread: main; the calls block. */
#pragma once

#include "core/arena.h"
#include "core/status.h"

struct ps_fetch_place {
    struct ps_arena *arena;
    const char *plugins; /* plugins.d, an absolute path */
    const char *folder;  /* plugins.d/NAME */
    const char
        *work; /* plugins.d/.NAME.fetch, which a class path leaves out: the lock, and what is being made */
    int lock;  /* a descriptor; -1: not open */
};

/* Makes plugins.d and the folder `work`, empty, and takes its lock. Fails when another process has it. The caller calls
 * ps_fetch_place_end in any case. */
enum ps_status ps_fetch_place_begin(struct ps_fetch_place *place, const char *plugins, const char *name,
                                    struct ps_err *err);

/* Puts the folder `made` of `work` in the place of `folder`. What was there goes at once, after it. */
enum ps_status ps_fetch_place_put(const struct ps_fetch_place *place, const char *made, struct ps_err *err);

/* Removes `work` and all in it. */
void ps_fetch_place_end(struct ps_fetch_place *place);
