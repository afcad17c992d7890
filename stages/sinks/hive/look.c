/* Checks that a transaction's table and partition are still the same. Dropping or altering them needs an exclusive lock, so after the
 * transaction has its own lock they cannot change until its commit. The transaction is committed after a look that
 * began when the transaction had the lock. One look is enough for the transactions of all partitions, and for those
 * that follow them without a gap between the locks (commit.c). */
#include "stages/sinks/hive/internal.h"

#include <stdlib.h>
#include <string.h>

/* A plain table has no locks. If the last look began longer ago than this, another one is needed before events are
 * written, so that no events are written to the old directory after "drop table". */
#define FRESH_NS PS_NS_PER_S
#define LOOK_NS (60 * PS_NS_PER_S) /* interval of looks without events */
/* limit of the wait for the answer; then events are written without it */
#define LOOK_WAIT_NS (2 * PS_NS_PER_S)

static bool waits(const struct ps_hive_sink *sink, const struct ps_hive_txn *txn)
{
    return txn->is_locked && txn->look > sink->look.done;
}

/* Reports that the table has changed: the engine takes the leases back, and opens the sink again, which then reads the table. */
static void change(struct ps_hive_sink *sink, const char *what)
{
    struct ps_err err = {.length = 0};
    sink->look.is_changed = true;
    ps_err_set(&err, "the table %s.%s %s: %s", sink->settings->database, sink->settings->table, what,
               sink->settings->is_plain
                   ? "the sink completes its files, and reads the table's definition again"
                   : "the sink aborts open transactions, and writes their events again");
    ps_port_failed(sink->port, &err);
}

/* Begins to check whether the table is still the same. If not, `looked` reports to the engine that the sink has failed. */
static void begin_look(struct ps_hive_sink *sink);

/* Commits transactions that waited for this look, because the table is the same. */
static void go_on(struct ps_hive_sink *sink)
{
    struct ps_hive_partition *partition;
    struct ps_hive_txn *txn;
    bool others_wait = false;
    TAILQ_FOREACH(partition, &sink->recent, recent)
    {
        TAILQ_FOREACH(txn, &partition->txns, list)
        {
            others_wait |= waits(sink, txn); /* the transaction got its lock after this look began */
            ps_hive_txn_commit_if_complete(txn);
        }
    }
    if (others_wait)
        begin_look(sink);
}

static void looked(void *sink_, const struct ps_hive_answer *answer)
{
    struct ps_hive_sink *sink = sink_;
    struct ps_err err = {.length = 0};
    sink->look.under_way = false;
    sink->goes_on = true;
    if (answer->error == PS_HIVE_OK) {
        sink->look.done = sink->look.begun;
        sink->look.failures = 0;
        sink->look.next_ns = sink->now.mono_ns + LOOK_NS;
        if (ps_hive_target_is_same(&sink->table, &answer->table))
            go_on(sink);
        else
            change(sink, "was altered, or dropped and created again");
        return;
    }
    if (answer->error == PS_HIVE_MISSING) {
        change(sink, "no longer exists");
        return;
    }
    ps_hive_count_failure(sink, answer);
    sink->look.is_wanted = true;
    sink->look.next_ns = sink->now.mono_ns + ps_port_rest_ns(sink->port, ++sink->look.failures);
    ps_err_set(&err, "%s", answer->reason);
    ps_port_troubled_in_part(sink->port, &err);
}

static void begin_look(struct ps_hive_sink *sink)
{
    const struct ps_hive_request request = ps_hive_request_of(sink);
    bool rests = sink->look.failures > 0 && sink->now.mono_ns < sink->look.next_ns;
    sink->look.is_wanted = rests && !sink->look.is_changed;
    if (rests || sink->look.under_way || sink->look.is_changed)
        return; /* `looked` begins the next one */
    sink->look.under_way = true;
    sink->look.begun++;
    sink->look.began_ns = sink->now.mono_ns;
    ps_metastore_call(sink->metastore, PS_HIVE_GET_TABLE, &request, looked, sink);
}

bool ps_hive_look_is_fresh(struct ps_hive_sink *sink)
{
    uint64_t now_ns = sink->now.mono_ns;
    if (sink->look.is_changed)
        return false;
    if (sink->look.under_way)
        return sink->look.failures > 0 || now_ns >= sink->look.began_ns + LOOK_WAIT_NS;
    if (sink->look.failures > 0 || now_ns < sink->look.began_ns + FRESH_NS)
        return true;
    begin_look(sink);
    return false;
}

uint64_t ps_hive_look_due(struct ps_hive_sink *sink)
{
    bool is_regular = sink->settings->is_plain && sink->asking.state == PS_HIVE_TABLE_KNOWN &&
                      !sink->look.under_way && !sink->look.is_changed;
    if (sink->look.under_way && sink->refused && sink->now.mono_ns < sink->look.began_ns + LOOK_WAIT_NS)
        return sink->look.began_ns + LOOK_WAIT_NS;
    if (!sink->look.is_wanted && !is_regular)
        return PS_NEVER;
    if (sink->look.next_ns == 0)
        sink->look.next_ns = sink->now.mono_ns + LOOK_NS;
    if (sink->now.mono_ns < sink->look.next_ns)
        return sink->look.next_ns;
    begin_look(sink);
    return PS_NEVER;
}

void ps_hive_txn_look(struct ps_hive_txn *txn)
{
    txn->look = txn->sink->look.begun + 1;
    begin_look(txn->sink);
}

bool ps_hive_txn_is_seen(const struct ps_hive_txn *txn)
{
    return txn->is_locked && !txn->follows && !waits(txn->sink, txn) && !txn->sink->look.is_changed;
}
