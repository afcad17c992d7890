/* The lock and the commit of a transaction. */
#include "core/backoff.h"
#include "core/text/printable.h"
#include "stages/sinks/hive/internal.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define LOOK_NS (100 * PS_NS_PER_MS) /* first wait before a lock is checked again; doubles each time */
#define LOOK_MAX_NS (5 * PS_NS_PER_S)
#define HOLDER_BYTES 256U
/* commits of one transaction that are answered with an error before the sink tries to abort it, which tells whether it
 * was committed */
#define COMMIT_ERRORS_MAX 5U

static struct ps_hive_txn *txn_of(struct ps_hadoop_timer *timer)
{
    return (struct ps_hive_txn *)(void *)((char *)timer - offsetof(struct ps_hive_txn, timer));
}

static struct ps_hive_request request_of(const struct ps_hive_txn *txn)
{
    struct ps_hive_request request = ps_hive_request_of(txn->sink);
    request.txn = txn->id;
    request.write_id = txn->write_id;
    request.lock = txn->lock;
    request.partition = txn->partition->name;
    return request;
}

static void ask(struct ps_hive_txn *txn, enum ps_hive_call call, const struct ps_hive_request *request,
                ps_metastore_done *done)
{
    txn->pending++;
    ps_metastore_call(txn->sink->metastore, call, request, done, txn);
}

/* Returns whether the transaction has ended in Hive as well. */
static bool is_gone(const struct ps_hive_answer *answer)
{
    return answer->error == PS_HIVE_TXN_GONE;
}

static void fail(struct ps_hive_txn *txn, const char *what, const struct ps_hive_answer *answer)
{
    ps_hive_count_failure(txn->sink, answer);
    ps_hive_txn_fail(txn, !is_gone(answer), what, answer->reason);
}

/* ---- the lock ---- */

/* Handles the check of the partition: if it was dropped, or created at another location, the files would belong to no table. */
static void found(void *txn_, const struct ps_hive_answer *answer)
{
    struct ps_hive_txn *txn = txn_;
    if (ps_hive_txn_answered(txn))
        return;
    bool is_missing = answer->error == PS_HIVE_MISSING;
    if (!is_missing && answer->error != PS_HIVE_OK) {
        fail(txn, "the partition cannot be found", answer);
    } else if (is_missing || !ps_hive_txn_is_in(txn, answer->table.location)) {
        txn->partition->is_found = false;
        ps_hive_txn_fail(txn, true, "the partition was dropped, or has another location now", answer->reason);
    } else {
        ps_hive_txn_commit_if_complete(txn);
    }
}

/* Returns whether the transaction needs no check of its own (a look, look.c). Under load, a transaction of a
 * partition gets its lock before the previous one is committed. Since the look after the first lock, no other client
 * can have had the exclusive lock, so the table cannot have changed. The commit of the previous transaction shows
 * whether it kept its lock, because the metastore gets calls in the order of requests. */
static bool may_follow(const struct ps_hive_txn *txn)
{
    const struct ps_hive_txn *before = TAILQ_PREV(txn, ps_hive_txns, list);
    return before != NULL && before->is_locked &&
           (before->commit_asked == 0 || before->commit_asked > txn->lock_asked);
}

/* Called when the transaction has its lock: table and partition cannot change from then on (look.c). */
static void see(struct ps_hive_txn *txn)
{
    txn->follows = may_follow(txn);
    if (txn->follows)
        return;
    const struct ps_hive_request request = ps_hive_partition_request_of(txn->partition);
    if (request.partition != NULL)
        ask(txn, PS_HIVE_GET_PARTITION, &request, found);
    ps_hive_txn_look(txn);
    ps_hive_txn_commit_if_complete(txn);
}

void ps_hive_txn_stop_following(struct ps_hive_txn *txn)
{
    if (txn != NULL && txn->follows)
        see(txn);
}

static void look_again(struct ps_hadoop_timer *timer);

/* Prints "hive@host1 (query 17, transaction 4)". */
static void print_holder(const struct ps_hive_lock_holder *holder, char text[HOLDER_BYTES])
{
    char all[HOLDER_BYTES];
    int length = snprintf(all, sizeof all, "%.*s@%.*s (%.*s, transaction %" PRId64 ")",
                          (int)holder->user.length, holder->user.data, (int)holder->host.length,
                          holder->host.data, (int)holder->agent.length, holder->agent.data, holder->txn);
    (void)ps_printable_copy(text, HOLDER_BYTES, all, ps_least((uint64_t)length, sizeof all - 1));
}

/* Logs who holds the lock that the transaction waits for, and how that wait can be ended. */
static void shown(void *txn_, const struct ps_hive_answer *answer)
{
    struct ps_hive_txn *txn = txn_;
    char exclusive[HOLDER_BYTES], shared[HOLDER_BYTES];
    struct ps_err err = {.length = 0};
    if (ps_hive_txn_answered(txn))
        return;
    print_holder(&answer->exclusive, exclusive);
    print_holder(&answer->shared, shared);
    if (answer->error != PS_HIVE_OK || !answer->exclusive.is_there)
        ps_err_set(&err, "a statement holds the exclusive lock of the table or partition, or waits for it");
    else if (answer->exclusive.is_acquired || !answer->shared.is_there)
        ps_err_set(&err, "%s holds the exclusive lock of the table or partition", exclusive);
    else
        ps_err_set(&err,
                   "%s waits for the exclusive lock, and the oldest lock before it is held by %s; if an "
                   "agent that was killed began that transaction, Hive aborts it after hive.txn.timeout "
                   "(abort transactions %" PRId64 " does it now)",
                   exclusive, shared, answer->shared.txn);
    ps_log(ps_port_outage_level(txn->sink->port, PS_LOG_WARN), txn->sink->port->component,
           "%s.%s: transaction %" PRId64 " waits for its lock: %s", txn->sink->settings->database,
           txn->sink->settings->table, txn->id, ps_err_join(&err));
    ps_port_troubled_in_part(txn->sink->port, &err);
    ps_hive_txn_commit_if_complete(txn);
}

static void locked(void *txn_, const struct ps_hive_answer *answer)
{
    struct ps_hive_txn *txn = txn_;
    if (ps_hive_txn_answered(txn))
        return;
    if (answer->error != PS_HIVE_OK) {
        fail(txn, "no lock", answer);
        return;
    }
    txn->lock = answer->lock;
    if (answer->lock_state == PS_HIVE_LOCK_ACQUIRED) {
        txn->tries = 0;
        if (ps_hive_txn_locked(txn))
            see(txn);
        return;
    }
    if (answer->lock_state != PS_HIVE_LOCK_WAITING) {
        ps_hive_txn_fail(txn, true, "cannot get the lock", "Hive does not grant it");
        return;
    }
    uint64_t wait_ns = ps_backoff_doubled(LOOK_NS, LOOK_MAX_NS, txn->tries);
    if (txn->tries++ == 5 && txn == TAILQ_FIRST(&txn->partition->txns)) {
        const struct ps_hive_request request = request_of(txn);
        ask(txn, PS_HIVE_SHOW_LOCKS, &request, shown);
    }
    txn->timer.fire = look_again;
    ps_hadoop_loop_set(txn->sink->loop, &txn->timer, txn->sink->now.mono_ns + wait_ns);
}

static void look_again(struct ps_hadoop_timer *timer)
{
    struct ps_hive_txn *txn = txn_of(timer);
    struct ps_hive_request request = request_of(txn);
    request.elapsed_ms = (int64_t)((txn->sink->now.mono_ns - txn->asked_ns) / PS_NS_PER_MS);
    txn->lock_asked = ++txn->sink->asks;
    ask(txn, PS_HIVE_CHECK_LOCK, &request, locked);
}

static void added(void *txn_, const struct ps_hive_answer *answer)
{
    struct ps_hive_txn *txn = txn_;
    if (!ps_hive_txn_answered(txn) && answer->error != PS_HIVE_OK)
        fail(txn, "the partition cannot be added to the transaction", answer);
}

void ps_hive_txn_lock(struct ps_hive_txn *txn)
{
    struct ps_hive_request request = request_of(txn);
    txn->asked_ns = txn->sink->now.mono_ns;
    if (request.partition != NULL)
        ask(txn, PS_HIVE_ADD_DYNAMIC_PARTITIONS, &request, added);
    txn->lock_asked = ++txn->sink->asks;
    ask(txn, PS_HIVE_LOCK, &request, locked);
}

/* ---- the commit ---- */

static void settle(struct ps_hive_txn *txn)
{
    struct ps_hive_sink *sink = txn->sink;
    struct ps_hive_partition *partition = txn->partition;
    struct ps_hive_txn *next = TAILQ_NEXT(txn, list);
    ps_held_group_commit(&sink->pool, &sink->held, &txn->written, txn->written.count);
    partition->failures = 0;
    partition->trouble = (struct ps_log_backoff){.tries = 0};
    ps_count(sink->port->counters, (enum ps_counter)PS_HIVE_TXNS_COMMITTED, 1);
    ps_hive_txn_forget(txn, false);
    if (next != NULL && next->follows) {
        next->follows = false;
        ps_hive_txn_commit_if_complete(next);
    }
}

static void commit_again(struct ps_hadoop_timer *timer);

/* Returns whether the answer to a commit or an abort leaves open whether it was carried out: there is none, or it is an error that the
 * call does not declare. The metastore may have lost its database, or one of its listeners may have failed, afterwards. */
static bool is_unsure(const struct ps_hive_answer *answer)
{
    return answer->error == PS_HIVE_REFUSED || answer->error == PS_HIVE_UNREACHABLE ||
           answer->error == PS_HIVE_TIMEOUT || answer->error == PS_HIVE_GARBAGE;
}

/* Asks for the commit again after a while. */
static void rest(struct ps_hive_txn *txn, const struct ps_hive_answer *answer)
{
    struct ps_err err = {.length = 0};
    ps_hive_count_failure(txn->sink, answer);
    ps_log(ps_port_outage_level(txn->sink->port, PS_LOG_WARN), txn->sink->port->component,
           "asking again whether transaction %" PRId64 " was committed: %s", txn->id, answer->reason);
    ps_err_set(&err, "%s", answer->reason);
    txn->timer.fire = commit_again;
    ps_hadoop_loop_set(txn->sink->loop, &txn->timer,
                       txn->sink->now.mono_ns + ps_port_rest_ns(txn->sink->port, ++txn->tries));
    ps_port_troubled_in_part(txn->sink->port, &err);
}

/* Handles the answer to the abort of a transaction whose commits were answered with errors. A transaction that is open was not committed,
 * and is aborted now; one that was committed stays so, and the metastore says it. */
static void aborted(void *txn_, const struct ps_hive_answer *answer)
{
    struct ps_hive_txn *txn = txn_;
    if (ps_hive_txn_answered(txn))
        return;
    if (answer->error == PS_HIVE_TXN_COMMITTED) {
        settle(txn);
    } else if (is_unsure(answer)) {
        rest(txn, answer);
    } else {
        ps_hive_count_failure(txn->sink, answer);
        ps_hive_txn_fail(txn, answer->error == PS_HIVE_NO_CALL,
                         "the commit failed, and the transaction is aborted", answer->reason);
    }
}

/* Handles the answer to a commit. If the answer does not say whether the transaction was committed, the commit is
 * requested again; Hive gives a second commit the same answer as the first. If that is an error each time, the commit and an abort are
 * requested in turn: what has happened to the transaction shows in one of the answers. */
static void committed(void *txn_, const struct ps_hive_answer *answer)
{
    struct ps_hive_txn *txn = txn_;
    if (ps_hive_txn_answered(txn))
        return;
    if (answer->error == PS_HIVE_OK) {
        settle(txn);
    } else if (answer->error == PS_HIVE_REFUSED && ++txn->commit_errors > COMMIT_ERRORS_MAX) {
        const struct ps_hive_request request = request_of(txn);
        ask(txn, PS_HIVE_ABORT_TXN, &request, aborted);
    } else if (is_unsure(answer)) {
        rest(txn, answer);
    } else {
        fail(txn, "the commit failed", answer);
    }
}

static void commit(struct ps_hive_txn *txn)
{
    struct ps_hive_request request = request_of(txn);
    txn->sink->asks++;
    if (txn->commit_asked == 0)
        txn->commit_asked = txn->sink->asks;
    ask(txn, PS_HIVE_COMMIT_TXN, &request, committed);
}

static void commit_again(struct ps_hadoop_timer *timer)
{
    commit(txn_of(timer));
}

void ps_hive_txn_commit_if_complete(struct ps_hive_txn *txn)
{
    if (txn->state != PS_HIVE_TXN_ENDS || !ps_hive_txn_is_seen(txn) || txn->pending > 0)
        return;
    txn->state = PS_HIVE_TXN_COMMITS;
    commit(txn);
}
