/* A sink processor decides which sink of a group gets the next lease, and learns the outcome: Flume's
 * FailoverSinkProcessor and LoadBalancingSinkProcessor, with their penalties and back-off to the millisecond. It
 * knows members by number only, and reads no clock: core/engine/sink/group.c calls it. Thread: the group's worker. */
#pragma once

#include "core/option.h"

enum ps_processor_type { PS_PROCESSOR_FAILOVER, PS_PROCESSOR_LOAD_BALANCE };

/* Keys `processor.*` of a sink group; ps_processor_rows has them. */
struct ps_processor_options {
    const char *type;     /* as written; NULL: absent */
    const char *selector; /* as written */
    bool backoff;
    int64_t max_penalty_ms; /* failover */
    int64_t max_timeout_ms; /* load_balance; 0: the default */
    struct ps_pairs priorities;
};
extern const struct ps_option ps_processor_rows[];

/* The settings of a processor. */
struct ps_processor_settings {
    enum ps_processor_type type;
    bool random;  /* load_balance: a random order for each lease; else in turn */
    bool backoff; /* load_balance: a failed sink is left out for a while */
    int64_t max_ms;
    unsigned count;            /* number of sinks */
    const int32_t *priorities; /* failover: priority of each sink, all different; the highest is preferred */
};

#define PS_PROCESSOR_NOBODY UINT32_MAX

struct ps_processor;

/* Makes a processor; `seed` starts the random order. It copies the settings, except the priorities. */
struct ps_processor *ps_processor_create(const struct ps_processor_settings *settings, uint64_t seed);
void ps_processor_destroy(struct ps_processor *processor);

/* Returns the member that gets the next lease, or PS_PROCESSOR_NOBODY. `busy`: members that have no room now;
 * load_balance passes them over, failover waits for them. The answer stays the same until one of the functions below is
 * called, or time passes, or `busy` changes. `now_ms`: monotonic; so are all times below. */
unsigned ps_processor_next(struct ps_processor *processor, const bool *busy, uint64_t now_ms);
/* Called when the member has taken a lease, or will take it as soon as it has room. A new order of members begins for
 * the next lease. */
void ps_processor_taken(struct ps_processor *processor, unsigned member);
/* Called when the member has delivered a lease. */
void ps_processor_delivered(struct ps_processor *processor, unsigned member);
/* Called when the member failed with a lease, which may be an earlier one. The next member in the order must get that
 * lease. */
void ps_processor_failed(struct ps_processor *processor, unsigned member, uint64_t now_ms);
/* Called with failover when a member that failed has given back all its leases: its penalty begins at `now_ms`. A
 * sink of Flume also fails only after it has waited for its server. */
void ps_processor_rests_from(struct ps_processor *processor, unsigned member, uint64_t now_ms);
/* Returns when ps_processor_next must be called again even if nothing happens; UINT64_MAX: ps_processor_next has
 * returned a member, or it has returned NOBODY only because members are busy. */
uint64_t ps_processor_wake_ms(const struct ps_processor *processor, uint64_t now_ms);

/* Returns the time until which the member is left out; 0: it is in use. */
uint64_t ps_processor_penalised_until_ms(const struct ps_processor *processor, unsigned member,
                                         uint64_t now_ms);
/* Returns how often the member failed in a row. With failover a delivery sets this number to 0; with load_balance the
 * number expires by time. */
unsigned ps_processor_failures(const struct ps_processor *processor, unsigned member);
/* Returns whether leases go to this member while nothing fails: with failover, to the live one of the highest
 * priority. */
bool ps_processor_is_active(const struct ps_processor *processor, unsigned member, uint64_t now_ms);
