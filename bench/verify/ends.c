/* Applies the rules of ends.h. */
#include "bench/verify/ends.h"
#include "bench/verify/verify.h"
#include "core/clock.h"

#include <string.h>

#define SETTLE_NS PS_NS_PER_S
#define RUNNING_S 30 /* load writes its manifest anew every 10 s at least, as long as it goes on */
#define SETTLE_NS_MAX (10 * PS_NS_PER_S)

const char *ps_end_name(enum ps_end end)
{
    static const char *const names[] = {
        [PS_END_NOT] = "not yet",          [PS_END_ALL] = "all there",     [PS_END_IDLE] = "idle",
        [PS_END_NOTHING] = "nothing came", [PS_END_DURATION] = "duration", [PS_END_FAR] = "read to the end",
        [PS_END_SIGNAL] = "signal",        [PS_END_FAILED] = "failed",
    };
    return names[end];
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t since(uint64_t now_ns, uint64_t then_ns)
{
    return now_ns > then_ns ? now_ns - then_ns : 0;
}

static bool all_there(struct ps_ends *ends, const struct ps_ends_state *state)
{
    if (!state->known || state->received < state->sent || state->sent == 0) {
        ends->all_ns = 0;
        return false;
    }
    if (ends->all_ns == 0)
        ends->all_ns = state->now_ns;
    uint64_t settle_ns = ends->idle_ns < SETTLE_NS ? ends->idle_ns : SETTLE_NS;
    return since(state->now_ns, larger(state->active_ns, ends->all_ns)) >= settle_ns ||
           since(state->now_ns, ends->all_ns) >= SETTLE_NS_MAX;
}

enum ps_end ps_ends_check(struct ps_ends *ends, const struct ps_ends_state *state)
{
    if (state->failed)
        return PS_END_FAILED;
    if (state->interrupted)
        return PS_END_SIGNAL;
    if (state->far_over)
        return PS_END_FAR;
    if (ends->duration_ns > 0 && since(state->now_ns, ends->start_ns) >= ends->duration_ns)
        return PS_END_DURATION;
    if (all_there(ends, state))
        return PS_END_ALL;
    if (state->active_ns == 0) {
        uint64_t first_ns = larger(ends->idle_ns, PS_VERIFY_FIRST_NS);
        return ends->duration_ns == 0 && since(state->now_ns, ends->start_ns) >= first_ns ? PS_END_NOTHING
                                                                                          : PS_END_NOT;
    }
    uint64_t idle_ns = state->manifest_missing ? larger(ends->idle_ns, PS_VERIFY_MANIFEST_NS) : ends->idle_ns;
    return since(state->now_ns, state->active_ns) >= idle_ns ? PS_END_IDLE : PS_END_NOT;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool ps_ends_running(const struct ps_manifest_file *files, unsigned count, const struct ps_expected *expected,
                     int64_t now_s)
{
    for (unsigned i = 0; expected->manifest_running > 0 && i < count; i++)
        if (files[i].read && now_s - files[i].facts.st_mtim.tv_sec < RUNNING_S)
            return true;
    return false;
}

enum ps_status ps_ends_manifests(struct ps_manifest_file *files, const char *const *paths, unsigned count,
                                 struct ps_expected *expected, struct ps_err *err)
{
    bool changed = false;
    for (unsigned i = 0; i < count; i++) {
        struct stat facts;
        changed |= stat(paths[i], &facts) == 0 && !(files[i].read && same(&facts, &files[i].facts));
    }
    if (!changed) {
        expected->manifest_missing = count - expected->manifest_count;
        return PS_OK;
    }
    expected->manifest_running = 0;
    for (unsigned i = 0; i < expected->manifest_count; i++)
        ps_manifest_fini(&expected->manifests[i]);
    expected->manifest_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct ps_manifest *manifest = &expected->manifests[expected->manifest_count];
        bool found;
        files[i].read = stat(paths[i], &files[i].facts) == 0;
        if (ps_manifest_read(manifest, paths[i], &found, err) != PS_OK)
            return PS_FAIL;
        for (unsigned k = 0; found && k < expected->manifest_count; k++) {
            if (expected->manifests[k].run == manifest->run) {
                ps_manifest_fini(manifest);
                return ps_err_set(
                    err,
                    "--manifest %s: another manifest names the same run; each load needs a run of its own",
                    paths[i]);
            }
        }
        expected->manifest_count += found;
        expected->manifest_running += found && manifest->running;
    }
    expected->manifest_missing = count - expected->manifest_count;
    return PS_OK;
}
