#include "stages/lib/kafka/produce/transaction.h"

#include "core/fnv.h"
#include "core/quantity.h"
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/produce/partition.h"
#include "stages/lib/kafka/produce/sender.h"
#include "stages/lib/kafka/wire/slice.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUIET_NS (50 * PS_NS_PER_MS) /* after this time without a lease the present ones are committed */
#define DELAY_NS (10 * PS_NS_PER_S)  /* from the beginning of a commit to the first warning */
#define DELAY_AGAIN_NS (60 * PS_NS_PER_S)
#define LOOK_NS (20 * PS_NS_PER_MS)
/* Memory that is held for a long time is no longer in the CPU's caches when it is used again, and its pages
 * may have been returned to the kernel. So a transaction has little memory, unless commits take a large share
 * of the time because brokers are far away: twice as much if each of the last FIT_COMMITS commits took more
 * than 1/PAUSE_SHARE_MAX of the time in which its transaction was filled and written, half if each took less
 * than 1/PAUSE_SHARE_MIN. One slow commit does not count: a broker may have paused. */
#define FULL_BYTES_MIN (16U << 20)
#define PAUSE_SHARE_MAX 8U
#define PAUSE_SHARE_MIN 32U
#define FIT_COMMITS 8U
/* A transaction that fails at this share of its timeout is too large; one that takes less than the other share may be
 * twice as large. */
#define TIMEOUT_SHARE_OLD 2U
#define TIMEOUT_SHARE_LITTLE 4U
#define LEASES_MAX (PS_KAFKA_WINDOW_LEASES_MAX / 4 * 3)
#define FIRST_POSITIONS 64U
#define ID_MORE_BYTES 32U /* bytes of the instance's number, or of the owner's kind and number */

static bool keeps(const struct ps_kafka_sender *sender)
{
    return sender->plan->transaction.positions_topic != NULL;
}

/* Sets the transactional id. With a place it is that of the last sink of this place, whose open transaction ends as soon as
 * this one has a producer. Without one it is random, unless it is configured. */
static void name_transactions(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_transaction_plan *plan = &sender->plan->transaction;
    struct ps_kafka_transaction *transaction = &sender->transaction;
    if (plan->place_id != NULL)
        ps_kafka_place_open(&transaction->place, &plan->place, sender->port->instance,
                            sender->port->component);
    if (transaction->place.is_open)
        snprintf(transaction->id, sizeof transaction->id, "%s-%s", plan->place_id, transaction->place.number);
    else
        snprintf(transaction->id, sizeof transaction->id, "%s-%u", plan->id, sender->port->instance);
}

enum ps_status ps_kafka_transaction_open(struct ps_kafka_sender *sender, struct ps_err *err)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    const char *id = sender->plan->transaction.id;
    sender->config.transactional_id = transaction->id;
    if (strlen(id) + ID_MORE_BYTES > sizeof transaction->id)
        return ps_err_set(err, "penstock.transaction.id is too long");
    transaction->keeping.room_ns = PS_NEVER;
    transaction->full_bytes = FULL_BYTES_MIN;
    if (keeps(sender))
        return ps_kafka_positions_open(sender, err);
    name_transactions(sender);
    return PS_OK;
}

void ps_kafka_transaction_close(struct ps_kafka_sender *sender)
{
    ps_kafka_positions_close(sender);
    ps_kafka_place_close(&sender->transaction.place);
    free(sender->transaction.positions);
    free(sender->transaction.index);
    sender->transaction.positions = NULL;
    sender->transaction.index = NULL;
}

static void count_end(const struct ps_kafka_sender *sender, enum ps_kafka_gauge which)
{
    ps_count(sender->port->counters, (enum ps_counter)(PS_COUNTER_extra + which), 1);
}

/* ---- positions ---- */

static bool same_stream(const struct ps_stream_name *one, const struct ps_stream_name *other)
{
    return one->part == other->part && one->generation == other->generation &&
           ps_slice_same(one->name, other->name) && ps_slice_same(one->member, other->member) &&
           ps_slice_same(one->group, other->group);
}

static uint32_t hash_of(const struct ps_stream_name *name)
{
    return (uint32_t)ps_kafka_murmur2(name->name.data, name->name.length) ^
           (uint32_t)name->part * 2654435761U ^ (uint32_t)name->generation * 40503U;
}

/* Makes a new index with twice the places. Returns false without memory. */
static bool grow(struct ps_kafka_transaction *transaction)
{
    uint32_t room = transaction->room > 0 ? transaction->room * 2 : FIRST_POSITIONS;
    uint32_t *index = calloc(room * 2U, sizeof *index);
    struct ps_kafka_position *positions =
        index != NULL ? reallocarray(transaction->positions, room, sizeof *positions) : NULL;
    if (positions == NULL) {
        free(index);
        return false;
    }
    transaction->positions = positions;
    transaction->room = room;
    free(transaction->index);
    transaction->index = index;
    transaction->index_size = room * 2;
    for (uint32_t i = 0; i < transaction->count; i++) {
        uint32_t at = hash_of(positions[i].name) & (transaction->index_size - 1);
        while (index[at] != 0)
            at = (at + 1) & (transaction->index_size - 1);
        index[at] = i + 1;
    }
    return true;
}

/* Adds the span to the positions. With `kept` (positions are records) the last span of a stream counts even if its
 * position is lower, because a file may start again from 0. Returns false without memory. */
static bool add(struct ps_kafka_transaction *transaction, const struct ps_span *span, bool kept)
{
    if (transaction->count == transaction->room && !grow(transaction))
        return false;
    uint32_t at = hash_of(span->name) & (transaction->index_size - 1);
    for (; transaction->index[at] != 0; at = (at + 1) & (transaction->index_size - 1)) {
        struct ps_kafka_position *position = &transaction->positions[transaction->index[at] - 1];
        if (!same_stream(position->name, span->name))
            continue;
        if (kept)
            *position = (struct ps_kafka_position){.name = span->name, .next = span->position, .epoch = -1};
        else if (span->position >= position->next)
            *position = (struct ps_kafka_position){
                .name = position->name, .next = span->position + 1, .epoch = span->epoch};
        return true;
    }
    transaction->positions[transaction->count++] = (struct ps_kafka_position){
        .name = span->name, .next = span->position + !kept, .epoch = kept ? -1 : span->epoch};
    transaction->index[at] = transaction->count;
    return true;
}

static int compare_positions(const void *one_, const void *other_)
{
    const struct ps_stream_name *one = ((const struct ps_kafka_position *)one_)->name,
                                *other = ((const struct ps_kafka_position *)other_)->name;
    int order = ps_slice_compare(one->group, other->group);
    if (order == 0)
        order = ps_slice_compare(one->member, other->member);
    if (order == 0)
        order = (one->generation > other->generation) - (one->generation < other->generation);
    if (order == 0)
        order = ps_slice_compare(one->name, other->name);
    return order != 0 ? order : (one->part > other->part) - (one->part < other->part);
}

static struct ps_kafka_lost lost_of(const struct ps_stream_name *name)
{
    return (struct ps_kafka_lost){.generation = name->generation,
                                  .member = ps_fnv64(PS_FNV64, name->member.data, name->member.length)};
}

static struct ps_kafka_lost *find_lost(struct ps_kafka_transaction *transaction, uint64_t member)
{
    for (uint32_t i = 0; i < transaction->lost_count && i < PS_KAFKA_LOST_MAX; i++)
        if (transaction->lost[i].member == member)
            return &transaction->lost[i];
    return NULL;
}

static bool is_lost(struct ps_kafka_transaction *transaction, const struct ps_stream_name *name)
{
    if (name == NULL || name->member.length == 0 || transaction->lost_count == 0)
        return false;
    const struct ps_kafka_lost *lost = find_lost(transaction, lost_of(name).member);
    return lost != NULL && name->generation <= lost->generation;
}

/* Notes that the member has lost the partitions of this generation, and so those of all earlier ones: a group's
 * generations only increase. */
static void note_lost(struct ps_kafka_transaction *transaction, const struct ps_stream_name *name)
{
    struct ps_kafka_lost lost = lost_of(name), *known = find_lost(transaction, lost.member);
    if (known == NULL)
        transaction->lost[transaction->lost_count++ % PS_KAFKA_LOST_MAX] = lost;
    else if (known->generation < lost.generation)
        known->generation = lost.generation;
}

static bool counts(const struct ps_span *span, bool kept)
{
    return span->name != NULL &&
           (kept ? span->name->detail.length > 0 || span->position < 0 : span->name->member.length > 0);
}

/* Collects the positions of the transaction's leases, except those of leases without a member, read before a reload by a source
 * that commits its positions itself, and those of committed leases, whose positions the topic has. Returns false
 * without memory. */
static bool collect_positions(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    transaction->count = 0;
    bool kept = keeps(sender);
    if (transaction->index != NULL)
        memset(transaction->index, 0, transaction->index_size * sizeof *transaction->index);
    for (const struct ps_lease *lease = sender->window.held.first; lease != transaction->end;
         lease = lease->next) {
        if (kept && ps_kafka_positions_has(sender, lease))
            continue;
        for (uint32_t i = 0; i < lease->batch->span_count; i++) {
            const struct ps_span *span = &lease->batch->spans[i];
            if (counts(span, kept) && !is_lost(transaction, span->name) && !add(transaction, span, kept))
                return false;
        }
    }
    if (transaction->count > 0 && !kept)
        qsort(transaction->positions, transaction->count, sizeof *transaction->positions, compare_positions);
    return true;
}

/* ---- leases ---- */

static uint32_t leases_max(const struct ps_kafka_sender *sender)
{
    uint32_t most = sender->transaction.leases_max;
    return most != 0 ? most : LEASES_MAX;
}

static uint32_t count_leases(const struct ps_kafka_sender *sender)
{
    uint32_t count = 0;
    for (const struct ps_lease *lease = sender->window.held.first; lease != sender->transaction.end;
         lease = lease->next)
        count++;
    return count;
}

struct ps_lease *ps_kafka_transaction_first(const struct ps_kafka_sender *sender)
{
    struct ps_lease *lease = sender->window.held.first;
    for (uint32_t i = 0; i < sender->transaction.released; i++)
        lease = lease->next;
    return lease;
}

/* Chooses the leases of the next transaction: the oldest ones that are not committed, up to the suspect. If the suspect is the oldest, it
 * gets a transaction of its own, and stops being the suspect. */
static void choose_leases(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    struct ps_lease *lease = ps_kafka_transaction_first(sender);
    uint32_t count = 0, most = leases_max(sender);
    if (lease == transaction->suspect) {
        most = 1;
        transaction->suspect = NULL;
    }
    for (; lease != NULL && lease != transaction->suspect && count < most; count++)
        lease = lease->next;
    transaction->end = lease;
}

bool ps_kafka_transaction_takes(struct ps_kafka_sender *sender, const struct ps_lease *lease)
{
    return sender->transaction.phase == PS_KAFKA_TRANSACTION_FILLING &&
           sender->window.held.count < leases_max(sender) &&
           (!keeps(sender) || ps_kafka_positions_fits(sender, lease));
}

/* Returns whether the lease's partitions are lost. A batch has one member and one generation (kafka/fetch/record.c). */
static bool lease_is_lost(struct ps_kafka_transaction *transaction, const struct ps_lease *lease)
{
    return lease->batch->span_count > 0 && is_lost(transaction, lease->batch->spans[0].name);
}

/* Settles the leases of a member that has lost its partitions: only their next owner, which reads the records again, may deliver
 * them. */
static void leave_to_others(struct ps_kafka_sender *sender, const struct ps_stream_name *name)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    uint64_t events = 0;
    note_lost(transaction, name);
    for (struct ps_lease *lease = sender->window.held.first; lease != NULL; lease = lease->next) {
        if (!lease_is_lost(transaction, lease) || lease->settled == lease->count)
            continue;
        events += lease->count - lease->settled;
        ps_lease_settle_all(lease);
    }
    if (sender->search.fence != NULL &&
        lease_is_lost(transaction, ps_kafka_token_lease(sender->search.fence)))
        sender->search.fence = sender->search.blamed = sender->search.doubted =
            NULL; /* it is not sent any more */
    ps_log(events > 0 ? PS_LOG_WARN : PS_LOG_DEBUG, sender->port->component,
           "the group %.*s assigned partitions of this agent to other members before %s events of these "
           "partitions were committed: the other members read these events again",
           (int)name->group.length, name->group.data, ps_quantity_print_count(events).text);
}

void ps_kafka_transaction_took(struct ps_kafka_sender *sender, struct ps_lease *lease)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    transaction->taken_ns = sender->now.mono_ns;
    if (sender->window.held.count == 1) {
        transaction->begun_ns = sender->now.mono_ns;
        transaction->memory_bytes = 0;
    }
    transaction->memory_bytes += lease->memory_bytes;
    if (PS_UNLIKELY(lease_is_lost(transaction, lease)) ||
        (keeps(sender) && ps_kafka_positions_took(sender, lease)))
        ps_lease_settle_all(lease);
}

void ps_kafka_transaction_delivered(struct ps_kafka_sender *sender, const struct ps_kafka_report *report)
{
    for (uint32_t i = 0; i < report->count && sender->search.fence != NULL; i++) {
        if (report->tokens[i] == sender->search.fence)
            sender->search.fence = sender->search.blamed = sender->search.doubted = NULL;
    }
}

/* Settles the leases of the transaction, which is committed. The next one begins with the lease after them. */
static void settle_leases(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    transaction->released = count_leases(sender);
    for (struct ps_lease *lease = sender->window.held.first; lease != transaction->end; lease = lease->next)
        ps_lease_settle_all(lease);
    sender->window.held.next = transaction->end;
    sender->window.held.position = 0;
    transaction->memory_bytes = 0;
    for (const struct ps_lease *lease = transaction->end; lease != NULL; lease = lease->next)
        transaction->memory_bytes += lease->memory_bytes;
    choose_leases(sender);
}

/* ---- the end ---- */

/* Called at each commit. Sets the memory of the next transaction, by the share of time that the last commits
 * took. While a transaction closes, the brokers still write what was sent; only the commit is a pause. */
static void fit_memory(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    uint64_t busy_ns = transaction->ending_ns - transaction->begun_ns,
             pause_ns = sender->now.mono_ns - transaction->ending_ns, full = transaction->full_bytes,
             most = sender->plan->transaction.bytes_max;
    if (!transaction->was_full)
        return;
    bool slow = pause_ns > busy_ns / PAUSE_SHARE_MAX, fast = pause_ns < busy_ns / PAUSE_SHARE_MIN;
    transaction->slow_count = slow ? transaction->slow_count + 1 : 0;
    transaction->fast_count = fast ? transaction->fast_count + 1 : 0;
    if (transaction->slow_count == FIT_COMMITS)
        transaction->full_bytes = ps_least(2 * full, most);
    else if (transaction->fast_count == FIT_COMMITS && full / 2 >= FULL_BYTES_MIN)
        transaction->full_bytes = full / 2;
    transaction->slow_count %= FIT_COMMITS;
    transaction->fast_count %= FIT_COMMITS;
}

/* Called at each commit. While transactions have few leases, and take little of the timeout, the next one may have
 * twice as many: it then takes half of the timeout. */
static void fit_leases(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    uint64_t age_ns = sender->now.mono_ns - transaction->begun_ns;
    if (transaction->leases_max == 0 || count_leases(sender) < transaction->leases_max ||
        age_ns >= sender->plan->transaction.timeout_ns / TIMEOUT_SHARE_LITTLE)
        return;
    transaction->leases_max = transaction->leases_max < LEASES_MAX / 2 ? 2 * transaction->leases_max : 0;
}

/* Returns whether the cluster has aborted the transaction: it was too old, or another producer has its id. */
static bool is_aborted(int code)
{
    return code == PS_KAFKA_ERROR_INVALID_PRODUCER_EPOCH || code == PS_KAFKA_ERROR_INVALID_TXN_STATE ||
           code == PS_KAFKA_ERROR_PRODUCER_FENCED || code == PS_KAFKA_ERROR_TRANSACTION_ABORTABLE;
}

/* The cluster aborts a transaction that is too large for a slow line or a producer's quota, and would do so each time;
 * or its records wait for longer than delivery.timeout.ms. So after one that became old, and failed for such a reason,
 * the next one has half as many leases. */
void ps_kafka_transaction_failed(struct ps_kafka_sender *sender, int code)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    uint64_t timeout_ns = sender->plan->transaction.timeout_ns,
             age_ns = sender->now.mono_ns - transaction->begun_ns;
    uint32_t count = count_leases(sender);
    if (timeout_ns == 0 || count < 2 || age_ns < timeout_ns / TIMEOUT_SHARE_OLD ||
        (!is_aborted(code) && code != PS_KAFKA_LIBRARY_MSG_TIMED_OUT))
        return;
    transaction->leases_max = count / 2;
    ps_log(
        PS_LOG_WARN, sender->port->component,
        "the transaction %s failed after %s, and penstock.transaction.timeout is %s: the next one is half as "
        "large%s",
        transaction->id, ps_quantity_print_ns(age_ns).text, ps_quantity_print_ns(timeout_ns).text,
        is_aborted(code) ? ". Raise that key if the line to the brokers or a quota is slow" : "");
}

/* Logs which positions the engine has left out of the transaction. */
static void report_left_out(const struct ps_kafka_sender *sender)
{
    const struct ps_kafka_transaction *transaction = &sender->transaction;
    for (uint32_t i = 0; i < transaction->count; i++) {
        const struct ps_kafka_position *position = &transaction->positions[i];
        if (position->left_out)
            ps_log(PS_LOG_WARN, sender->port->component,
                   "topic %.*s, partition %lld: offset %lld is not committed: the topic was deleted",
                   (int)position->name->name.length, position->name->name.data,
                   (long long)position->name->part, (long long)position->next);
    }
}

void ps_kafka_transaction_ended(void *argument, const struct ps_kafka_end *end)
{
    struct ps_kafka_sender *sender = argument;
    struct ps_kafka_transaction *transaction = &sender->transaction;
    transaction->asked = false;
    ps_kafka_positions_ended(sender, end->ending == PS_KAFKA_END_COMMITTED);
    if (end->ending == PS_KAFKA_END_UNKNOWN) {
        transaction->phase = PS_KAFKA_TRANSACTION_RESOLVING;
        return;
    }
    if (end->ending == PS_KAFKA_END_COMMITTED) {
        fit_memory(sender);
        fit_leases(sender);
    } else if (end->ending == PS_KAFKA_END_ABORTED && transaction->phase == PS_KAFKA_TRANSACTION_COMMITTING) {
        ps_kafka_transaction_failed(sender, end->code);
    }
    transaction->phase = PS_KAFKA_TRANSACTION_FILLING;
    transaction->begun_ns = transaction->taken_ns = sender->now.mono_ns;
    if (end->ending == PS_KAFKA_END_COMMITTED) {
        transaction->open = false;
        report_left_out(sender);
        settle_leases(sender);
        sender->letters.failures = 0;
        count_end(sender, PS_KAFKA_GAUGE_transactions_committed);
        sender->rest_count = 0;
        sender->progress_ns = sender->warned_ns = sender->now.mono_ns;
        return;
    }
    count_end(sender, PS_KAFKA_GAUGE_transactions_aborted);
    if (end->ending != PS_KAFKA_END_STALE)
        return;
    transaction->renews = true;
    leave_to_others(sender, end->stale);
}

/* Settles the leases that are committed by the positions from the topic. If all leases of the last transaction are
 * committed, it was committed. */
static void compare_with_positions(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_end end = {.ending = PS_KAFKA_END_COMMITTED, .text = ""};
    bool all = sender->window.held.first != NULL, in_last = true;
    uint64_t events = 0;
    for (struct ps_lease *lease = sender->window.held.first; lease != NULL; lease = lease->next) {
        in_last &= lease != sender->transaction.end;
        if (!ps_kafka_positions_has(sender, lease)) {
            all &= !in_last;
            continue;
        }
        events += lease->count - lease->settled;
        (void)ps_kafka_positions_took(sender, lease);
        ps_lease_settle_all(lease);
    }
    ps_kafka_sender_check_fence(sender);
    ps_kafka_positions_answer(sender);
    ps_log(events > 0 ? PS_LOG_INFO : PS_LOG_DEBUG, sender->port->component,
           "%s events are not written again: their transaction was committed",
           ps_quantity_print_count(events).text);
    if (all && sender->transaction.phase == PS_KAFKA_TRANSACTION_RESOLVING)
        ps_kafka_transaction_ended(sender, &end);
    else if (sender->transaction.phase == PS_KAFKA_TRANSACTION_RESOLVING)
        count_end(sender, PS_KAFKA_GAUGE_transactions_aborted);
}

bool ps_kafka_transaction_restarts(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    if (keeps(sender)) {
        if (!ps_kafka_positions_are_known(sender))
            return false;
        ps_kafka_positions_ended(sender, false);
        compare_with_positions(sender);
    }
    if (!keeps(sender) && transaction->phase == PS_KAFKA_TRANSACTION_RESOLVING && transaction->count > 0) {
        if (!transaction->asked)
            ps_kafka_native_resolve(sender->producer, transaction->positions, transaction->count);
        transaction->asked = true;
        return false;
    }
    choose_leases(sender);
    transaction->phase = PS_KAFKA_TRANSACTION_FILLING;
    transaction->begun_ns = transaction->taken_ns = sender->now.mono_ns;
    return true;
}

static bool is_all_delivered(const struct ps_kafka_sender *sender)
{
    return sender->phase == PS_KAFKA_SENDING && sender->window.held.next == sender->transaction.end &&
           sender->window.held.in_flight == 0 && sender->cause.error == NULL && !sender->fatal;
}

/* Commits if all events are delivered. Without memory for the positions, the next tick tries again. If there is a
 * fence, it is behind the transaction's leases. */
static void commit(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    bool stops_stepping = sender->search.stepping && sender->search.fence == NULL;
    if (!is_all_delivered(sender) || stops_stepping || !collect_positions(sender))
        return;
    PS_ASSERT(transaction->released == 0);
    PS_ASSERT(transaction->end == NULL || sender->window.held.position == 0); /* nothing of it is sent */
    if (keeps(sender) && !ps_kafka_positions_write(sender))
        return;
    transaction->phase = PS_KAFKA_TRANSACTION_COMMITTING;
    transaction->ending_ns = transaction->warned_ns = sender->now.mono_ns;
    /* If positions are records, they are written already, and no group has offsets to commit. */
    ps_kafka_native_commit(sender->producer, transaction->positions, keeps(sender) ? 0 : transaction->count);
}

static bool is_full(const struct ps_kafka_sender *sender)
{
    return sender->transaction.memory_bytes >=
           ps_least(sender->transaction.full_bytes, sender->plan->transaction.bytes_max);
}

static uint64_t close_ns(const struct ps_kafka_sender *sender)
{
    const struct ps_kafka_transaction *transaction = &sender->transaction;
    bool full = is_full(sender) || transaction->end != NULL ||
                sender->window.held.count >= leases_max(sender) ||
                (keeps(sender) && transaction->keeping.full);
    return full || transaction->hurry
               ? 0
               : ps_least(transaction->begun_ns + sender->plan->transaction.interval_ns,
                          transaction->taken_ns + QUIET_NS);
}

/* Logs that a commit takes long. Returns the time of the next such line. silence.c logs nothing then, because
 * no record is in flight. */
static uint64_t warn_of_delay(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    bool first = transaction->warned_ns == transaction->ending_ns;
    uint64_t due_ns = transaction->warned_ns + (first ? DELAY_NS : DELAY_AGAIN_NS);
    if (sender->now.mono_ns < due_ns)
        return due_ns;
    transaction->warned_ns = sender->now.mono_ns;
    struct ps_err err = {0};
    ps_err_set(&err, "the commit of transaction %s has taken %s so far: %s", transaction->id,
               ps_quantity_print_ns(sender->now.mono_ns - transaction->ending_ns).text,
               sender->last_error[0] != '\0'
                   ? sender->last_error
                   : "the coordinator of the transaction or of the group does not answer, or is not ready");
    ps_log(ps_port_outage_level(sender->port, PS_LOG_WARN), sender->port->component, "%s", err.text);
    ps_port_troubled(sender->port, &err);
    return sender->now.mono_ns + DELAY_AGAIN_NS;
}

uint64_t ps_kafka_transaction_tick(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    if (transaction->phase >= PS_KAFKA_TRANSACTION_COMMITTING)
        return warn_of_delay(sender);
    if (sender->window.held.count == 0) {
        transaction->phase = PS_KAFKA_TRANSACTION_FILLING;
        /* If room_ns is in the past, another sink has taken the lease that waited for room. */
        bool waits = keeps(sender) && transaction->keeping.room_ns > sender->now.mono_ns;
        return waits ? transaction->keeping.room_ns : PS_NEVER;
    }
    if (transaction->phase == PS_KAFKA_TRANSACTION_FILLING) {
        uint64_t due_ns = close_ns(sender);
        if (sender->now.mono_ns < due_ns)
            return due_ns;
        transaction->phase = PS_KAFKA_TRANSACTION_CLOSING;
        transaction->was_full = is_full(sender) && transaction->end == NULL;
    }
    commit(sender);
    return transaction->phase == PS_KAFKA_TRANSACTION_COMMITTING
               ? sender->now.mono_ns /* the engine begins the commit in the next tick */
               : sender->now.mono_ns + LOOK_NS;
}
