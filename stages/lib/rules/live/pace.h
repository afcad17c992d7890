/* Decides when a live rule set reads its files: a change is loaded once the files were left alone for
 * settle_ns; files that change all the time are loaded PS_RULES_SETTLES_MAX times settle_ns after the first
 * change that is not loaded yet. So changed rules are in use at the latest after that time and two
 * compilations, and loads that nobody requested begin at least settle_ns apart. The caller passes the time.
 * Thread: the rules thread, or the idle thread while the rules thread waits for it. */
#pragma once

#include "core/clock.h"

#define PS_RULES_SETTLES_MAX 5U
/* Maximum number of loads in a row that begin immediately because the files changed during the load before. After that,
 * only an event or the next look (ps_rules_pace_looks) causes a load, because some files differ at each reading. */
#define PS_RULES_UNSETTLED_MAX 3U

struct ps_rules_pace {
    uint64_t settle_ns;
    bool wanted;  /* somebody asked for a load (SIGHUP) */
    bool dirty;   /* a file changed since the last load began */
    bool patient; /* changes and requests do not end the running load */
    /* a request or a change ended the last load: the next load must not be ended */
    bool overtaken;
    bool restless;                /* the running load began although the files were not left alone */
    uint64_t first_ns, latest_ns; /* first and latest change since the last load began */
    unsigned unsettled;           /* number of loads in a row after which the files had changed again */
};

/* Notes that the files may have changed. */
void ps_rules_pace_change(struct ps_rules_pace *pace, uint64_t mono_ns);
/* Returns the time at which a load must begin; PS_NEVER: there is nothing to load. */
uint64_t ps_rules_pace_due_ns(const struct ps_rules_pace *pace);
/* Notes that a load begins. Returns whether it was requested. */
bool ps_rules_pace_begin(struct ps_rules_pace *pace, uint64_t mono_ns);
/* Returns whether the running load should end, because a newer one is due. */
bool ps_rules_pace_is_overtaken(const struct ps_rules_pace *pace);
/* Called when the load was ended because a newer one is due. */
void ps_rules_pace_cancelled(struct ps_rules_pace *pace, uint64_t mono_ns);
/* Notes that the load is done. `current`: the files still have what the load read. */
void ps_rules_pace_done(struct ps_rules_pace *pace, bool current, uint64_t mono_ns);
/* Returns whether a look at the files must compare their contents with those read last, because the files had
 * changed after the last load, and perhaps no event follows. */
bool ps_rules_pace_looks(const struct ps_rules_pace *pace);
