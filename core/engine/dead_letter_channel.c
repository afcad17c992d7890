#include "core/engine/dead_letter_channel.h"

#include <stdlib.h>

#include "core/deadletter/copy.h"
#include "core/engine/worker.h"
#include "core/quantity.h"

/* Interval between tries at a full channel, or for the memory of a batch: nobody wakes the worker for these. */
#define LOOK_NS (10 * PS_NS_PER_MS)
/* Share of the memory budget that a letter needs besides its body: rows, headers, the rest of its blocks. */
#define SPARE_BYTES (UINT64_C(8) * PS_BLOCK_BYTES)

struct ps_dead_letter_channel {
    struct ps_dead_letter_queue queue; /* first member; the stages use it */
    struct ps_runner *runner;
    const char *agent;
    struct ps_channel_plan *channel;
    unsigned number, producer; /* number of the channel in the plan, and of this runner among its producers */
    uint32_t batch_events_max;
    uint64_t written;                          /* number of the last letter that the channel has promised */
    struct ps_dead_letter_copy *first, **last; /* letters that are not put yet */
    uint32_t batched; /* number of these letters, the oldest ones, that are in `batch` */
    uint64_t waiting_bytes;
    struct ps_bump bump;
    struct ps_window *window; /* NULL: closed */
    struct ps_batch *batch;   /* the batch that is closed and not put yet; or NULL */
    struct ps_lease *pending; /* lease of that batch; NULL: no memory yet */
    struct ps_carved mark;    /* of the lease that was put last */
    bool tried;               /* `pending` found no room before */
};

static const struct ps_channel_ops *ops_of(const struct ps_dead_letter_channel *letters)
{
    return letters->channel->spec->stage.ops->channel;
}

static void *plan_of(const struct ps_dead_letter_channel *letters)
{
    return letters->channel->spec->stage.plan;
}

/* ---- what the stages use ---- */

/* The queue is the first member. */
static struct ps_dead_letter_channel *letters_of(const struct ps_dead_letter_queue *queue)
{
    return (struct ps_dead_letter_channel *)(uintptr_t)queue;
}

/* The event and its letter are in memory at the same time: a body beyond half of the budget would wait for ever. */
static uint32_t body_max(const struct ps_dead_letter_channel *letters)
{
    uint64_t bytes = ps_depot_budget_bytes(letters->runner->port.blocks->depot);
    bytes = bytes > 2 * SPARE_BYTES ? (bytes - SPARE_BYTES) / 2 : SPARE_BYTES / 2;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static uint64_t queue_put(struct ps_dead_letter_queue *queue, const struct ps_dead_letter *letter)
{
    struct ps_dead_letter_channel *letters = letters_of(queue);
    struct ps_dead_letter full = *letter;
    full.agent = letters->agent;
    full.time_ms = ps_worker_now(letters->runner->worker)->wall_ms;
    struct ps_dead_letter_copy *copy = ps_dead_letter_copy_make(&full, body_max(letters));
    if (copy == NULL)
        return 0;
    letters->waiting_bytes += copy->bytes;
    *letters->last = copy;
    letters->last = &copy->next;
    return ++queue->sent;
}

static bool queue_has_room(const struct ps_dead_letter_queue *queue)
{
    return letters_of(queue)->waiting_bytes < PS_DEAD_LETTER_CHANNEL_BYTES_MAX;
}

static uint64_t queue_written(const struct ps_dead_letter_queue *queue)
{
    return letters_of(queue)->written;
}

static void queue_close(struct ps_dead_letter_queue *)
{
}

static const struct ps_dead_letter_queue_ops queue_ops = {.put = queue_put,
                                                          .has_room = queue_has_room,
                                                          .written = queue_written,
                                                          .close = queue_close,
                                                          .counts = true};

struct ps_dead_letter_queue *ps_dead_letter_channel_queue(struct ps_dead_letter_channel *letters)
{
    return &letters->queue;
}

/* ---- batches of letters ---- */

/* Called when the channel has promised the batch and those before it, or the batch was withdrawn. */
static void report(void *argument, struct ps_batch *batch)
{
    struct ps_dead_letter_channel *letters = argument;
    if (ps_batch_home(batch)->lost)
        return;
    letters->written += batch->count;
    ps_count(letters->runner->counters, PS_COUNTER_deadletter, batch->count);
}

static void first_free(struct ps_dead_letter_channel *letters)
{
    struct ps_dead_letter_copy *copy = letters->first;
    letters->waiting_bytes -= copy->bytes;
    letters->first = copy->next;
    if (letters->first == NULL)
        letters->last = &letters->first;
    free(copy);
}

/* Makes a batch of the waiting letters. Returns false when there are none, or no memory. */
static bool batch_make(struct ps_dead_letter_channel *letters, const struct ps_now *now)
{
    if (letters->batch != NULL)
        return true;
    if (letters->first == NULL)
        return false;
    struct ps_batch *batch = ps_batch_take(&letters->bump, *now);
    if (batch == NULL)
        return false;
    for (const struct ps_dead_letter_copy *copy = letters->first;
         copy != NULL && batch->count < letters->batch_events_max && ps_dead_letter_copy_add(copy, batch);)
        copy = copy->next;
    if (batch->count == 0) {
        ps_batch_give(batch);
        return false;
    }
    ps_batch_close(batch);
    ps_batch_home(batch)->is_copy = letters->runner->spec->ops->kind == PS_KIND_SINK;
    ps_window_enter(letters->window, batch);
    letters->batch = batch;
    letters->batched = batch->count;
    return true;
}

static bool lease_make(struct ps_dead_letter_channel *letters)
{
    if (letters->pending != NULL)
        return true;
    struct ps_lease *lease = ps_lease_split(ps_batch_chain(letters->batch), NULL, letters->batch->count);
    if (lease == NULL)
        return false;
    struct ps_lease_home *home = ps_lease_home(lease);
    home->channel = (uint16_t)letters->number;
    home->owed = ps_channel_is_durable(ops_of(letters));
    lease->required = true;
    ps_window_hold(letters->batch, home->owed);
    ps_batch_charge(lease, &letters->mark);
    letters->pending = lease;
    letters->tried = false;
    return true;
}

/* Called when the batch is put, or left to control. Returns the lease of the batch's chain, and frees the letters. */
static void batch_leave(struct ps_dead_letter_channel *letters)
{
    for (; letters->batched > 0; letters->batched--)
        first_free(letters);
    struct ps_lease *chain = ps_batch_chain(letters->batch);
    ps_batch_mark(chain, &letters->mark);
    letters->batch = NULL;
    letters->pending = NULL;
    ps_window_release(chain);
}

static bool batch_put(struct ps_dead_letter_channel *letters, const struct ps_now *now)
{
    struct ps_counters *counters = &letters->channel->counters[letters->producer];
    uint32_t count = letters->batch->count;
    if (!letters->tried)
        ps_count(counters, PS_COUNTER_EventPutAttemptCount, count);
    letters->tried = true;
    struct ps_lease *lease = letters->pending;
    enum ps_put put = ops_of(letters)->put(plan_of(letters), letters->producer, &letters->pending, now);
    if (put == PS_PUT_FULL)
        return false;
    ps_count(counters, PS_COUNTER_EventPutSuccessCount, count);
    ps_channel_took(letters->runner->worker, letters->channel, lease, put);
    batch_leave(letters);
    return true;
}

bool ps_dead_letter_channel_cycle(struct ps_dead_letter_channel *letters, bool may_put, uint64_t *due_ns,
                                  const struct ps_now *now)
{
    bool moved = false;
    if (PS_LIKELY(letters == NULL) || letters->window == NULL)
        return false;
    while (may_put && batch_make(letters, now) && lease_make(letters) && batch_put(letters, now))
        moved = true;
    if (letters->first != NULL && *due_ns > now->mono_ns + LOOK_NS)
        *due_ns = now->mono_ns + LOOK_NS;
    if (ops_of(letters)->tick != NULL) {
        uint64_t next_ns =
            ops_of(letters)->tick(plan_of(letters), letters->producer, &letters->runner->port, now);
        *due_ns = next_ns < *due_ns ? next_ns : *due_ns;
    }
    return moved;
}

void ps_dead_letter_channel_hold_back(struct ps_dead_letter_channel *letters, bool stops)
{
    if (PS_UNLIKELY(letters != NULL))
        ps_hold_back(letters->runner->worker, letters->channel, letters->producer,
                     stops && letters->pending != NULL);
}

/* Gives up the batch that is not put; its letters stay. `failed` keeps it from counting as written. */
static void batch_drop(struct ps_dead_letter_channel *letters)
{
    if (letters->batch == NULL)
        return;
    ps_batch_chain(letters->batch)->failed = true;
    if (letters->pending != NULL) {
        letters->pending->failed = true;
        ps_window_release(letters->pending);
    }
    letters->batched = 0;
    batch_leave(letters);
}

void ps_dead_letter_channel_withdraw(struct ps_dead_letter_channel *letters)
{
    if (PS_LIKELY(letters == NULL))
        return;
    batch_drop(letters);
    while (letters->first != NULL) {
        first_free(letters);
        letters->queue.sent--;
    }
}

const struct ps_channel_plan *ps_dead_letter_channel_target(const struct ps_dead_letter_channel *letters)
{
    return letters != NULL ? letters->channel : NULL;
}

bool ps_dead_letter_channel_is_home(const struct ps_dead_letter_channel *letters)
{
    return PS_LIKELY(letters == NULL) || letters->window == NULL ||
           (letters->first == NULL && ps_window_outstanding(letters->window) == 0);
}

bool ps_dead_letter_channel_may_leave(const struct ps_dead_letter_channel *letters)
{
    return PS_LIKELY(letters == NULL) || ps_channel_is_durable(ops_of(letters));
}

bool ps_dead_letter_channel_is_drained(const struct ps_dead_letter_channel *letters,
                                       const struct ps_plan *next)
{
    if (PS_LIKELY(letters == NULL))
        return true;
    bool stays = ps_plan_keeps_channel(next, letters->channel) || ps_plan_strands(next, letters->channel);
    return stays ? letters->written == letters->queue.sent : ps_dead_letter_channel_is_home(letters);
}

/* ---- making, adopting, closing ---- */

static void set_target(struct ps_dead_letter_channel *letters, struct ps_plan *plan,
                       const struct ps_dead_letter_target *target)
{
    struct ps_fill fill;
    letters->agent = plan->spec->name;
    letters->number = target->channel;
    letters->producer = target->producer;
    letters->channel = &plan->channels[target->channel];
    ops_of(letters)->fill(plan_of(letters), &fill);
    letters->batch_events_max =
        ps_batch_events_limit(fill.capacity, (uint64_t)plan->spec->options.batch_events);
}

struct ps_dead_letter_channel *ps_dead_letter_channel_create(struct ps_runner *runner, struct ps_plan *plan,
                                                             const struct ps_dead_letter_target *target)
{
    if (!target->is_channel)
        return NULL;
    struct ps_dead_letter_channel *letters = ps_must_alloc(1, sizeof *letters, runner->spec->component);
    letters->queue.ops = &queue_ops;
    letters->runner = runner;
    letters->last = &letters->first;
    set_target(letters, plan, target);
    ps_bump_init(&letters->bump, ps_worker_pool(runner->worker));
    letters->window = ps_window_create(false, report, letters);
    return letters;
}

/* Makes the lease that waits again, because the next plan's channel of the same name may promise something else. */
void ps_dead_letter_channel_adopt(struct ps_dead_letter_channel *letters, struct ps_plan *plan,
                                  const struct ps_dead_letter_target *target)
{
    if (letters == NULL)
        return;
    PS_ASSERT(target->is_channel);
    set_target(letters, plan, target);
    if (letters->pending != NULL)
        ps_window_release(letters->pending);
    letters->pending = NULL;
}

void ps_dead_letter_channel_inherit(struct ps_dead_letter_channel *letters,
                                    struct ps_dead_letter_channel *closed)
{
    if (letters == NULL || closed == NULL || closed->first == NULL)
        return;
    for (const struct ps_dead_letter_copy *copy = closed->first; copy != NULL; copy = copy->next)
        letters->queue.sent++;
    *letters->last = closed->first;
    letters->last = closed->last;
    letters->waiting_bytes += closed->waiting_bytes;
    closed->first = NULL;
    closed->last = &closed->first;
    closed->waiting_bytes = 0;
}

/* Makes leases of the letters that are not put, for control (ps_dead_letter_channel_close). */
static void leave_leases(struct ps_dead_letter_channel *letters, struct ps_lease **left,
                         const struct ps_now *now)
{
    while (*left != NULL)
        left = &(*left)->next;
    while (batch_make(letters, now) && lease_make(letters)) {
        *left = letters->pending;
        left = &(*left)->next;
        *left = NULL;
        batch_leave(letters);
    }
    if (letters->first != NULL)
        ps_log(PS_LOG_ERROR, letters->runner->spec->component,
               "there is no memory for its last dead letters: they are lost");
}

void ps_dead_letter_channel_close(struct ps_dead_letter_channel *letters, const struct ps_plan *next,
                                  struct ps_lease **left, const struct ps_now *now)
{
    if (PS_LIKELY(letters == NULL) || letters->window == NULL) /* closed before */
        return;
    bool stays = ps_plan_keeps_channel(next, letters->channel);
    ps_dead_letter_channel_hold_back(letters, false);
    if (left != NULL && !stays)
        leave_leases(letters, left, now);
    if (left != NULL && stays)
        batch_drop(letters);
    else
        ps_dead_letter_channel_withdraw(letters);
    ps_window_detach(letters->window);
    letters->window = NULL;
    ps_bump_fini(&letters->bump);
}

void ps_dead_letter_channel_destroy(struct ps_dead_letter_channel *letters)
{
    if (letters == NULL)
        return;
    PS_ASSERT(letters->window == NULL && letters->first == NULL);
    free(letters);
}
