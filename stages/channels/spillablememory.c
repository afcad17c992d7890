/* The spillable memory channel (Flume: org.apache.flume.channel.SpillableMemoryChannel): a queue of leases in
 * memory between workers (stages/lib/queue/memory.h), and a log on disk (stages/lib/queue/queue.h) for events
 * that do not fit into memory.
 *
 * The events of each producer stay in order across both, without a queue that all threads share:
 *
 *   put    to memory only if everything that went to disk was delivered, so memory never has anything newer
 *          than the disk; else to disk
 *   take   from memory first. A frame is claimed from the disk only when the memory queue was empty, and taken
 *          only if the memory queue is still empty after that: everything that the frame's producer put into
 *          memory before the frame is visible at that moment
 *
 * A put into memory is the promise; a put to disk is promised when it is synced, as in the file channel. */
#include <stdlib.h>

#include "core/flow/engine_channel.h"
#include "core/flow/channel.h"
#include "core/quantity.h"
#include "stages/lib/queue/plan.h"
#include "stages/lib/queue/memory.h"
#include "stages/lib/least.h"
#include "stages/lib/seconds.h"

#define OVERFLOW_EVENTS_DEFAULT "100000000"
/* Wait of a source that can refuse its clients for a slow disk, after overflowTimeout. */
#define DISK_WAIT_MS UINT64_C(3000)
/* While the sink keeps up with the disk, some batch is always on its way through the disk. Puts then pause, so that the
 * disk becomes empty and memory is used again: for at most PAUSE_NS, at most once every PAUSE_EVERY_NS. */
#define PAUSE_NS (50 * PS_NS_PER_MS)
#define PAUSE_EVERY_NS PS_NS_PER_S
#define PAUSE_LOOK_NS PS_NS_PER_MS
#define QUEUE_QUOTA_DIVISOR 4 /* the durable queue's part of the channel's share of the memory budget */

/* State of one producer, used by its worker. */
struct spill_producer {
    uint64_t full_since_ns; /* when memory became full; 0: it has room */
    bool spilled;           /* the producer's last lease went to disk */
    bool active;            /* Flume's overflowActivated: the next put to disk does not wait for memory */
} PS_ALIGNED_GAP;

struct spill {
    struct ps_queue_plan log;
    int64_t memory_capacity, overflow_capacity, overflow_timeout_s, deactivation_percent;
    int64_t byte_capacity, byte_buffer_percent, average_event_bytes, capacity, keep_alive_s;
    unsigned producer_count;
    struct spill_producer *producers;
    struct ps_memory_queue *memory;         /* NULL until `build` */
    struct ps_queue *queue;                 /* NULL: no overflow */
    struct ps_lease *unsaved;               /* leases that `save` took out of the memory queue */
    uint64_t pause_until_ns, next_pause_ns; /* atomic */
};

static const struct ps_option options[] = {
    PS_OPTION_ROW("memoryCapacity", INT, offsetof(struct spill, memory_capacity),
                  "maximum number of events in memory; 0: all events go to disk", .fallback = "10000",
                  .min = 0, .max = INT32_MAX, .unit = "events", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW("overflowCapacity", INT, offsetof(struct spill, overflow_capacity),
                  "maximum number of events on disk; 0 or less: none, the channel is a memory channel",
                  .fallback = OVERFLOW_EVENTS_DEFAULT, .min = INT32_MIN, .max = INT64_MAX, .unit = "events",
                  .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "overflowTimeout", INT, offsetof(struct spill, overflow_timeout_s),
        "how long a source waits for room in memory before its events go to disk; below 0 counts as 0",
        .fallback = "3", .min = INT32_MIN, .max = INT32_MAX, .unit = "s", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW("overflowDeactivationThreshold", INT, offsetof(struct spill, deactivation_percent),
                  "part of memoryCapacity that must be free for an overflow to end", .fallback = "5",
                  .min = 0, .max = 100, .unit = "%", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "byteCapacity", INT, offsetof(struct spill, byte_capacity),
        "maximum number of bytes of bodies in memory; 0 = unlimited (the memory budget still applies); "
        "unset: 40 % of "
        "the memory budget",
        .fallback = "-1", .min = -1, .max = INT64_MAX, .unit = "bytes", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW("byteCapacityBufferPercentage", INT, offsetof(struct spill, byte_buffer_percent),
                  "part of byteCapacity reserved for headers", .fallback = "20", .min = 0, .max = 100,
                  .unit = "%", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW("avgEventSize", INT, offsetof(struct spill, average_event_bytes),
                  "the bytes of events are counted, not estimated", .fallback = "500", .unit = "bytes",
                  .flags = PS_OPTION_NO_EFFECT | PS_OPTION_LENIENT),
    PS_OPTION_ROW("capacity", INT, offsetof(struct spill, capacity),
                  "memoryCapacity and overflowCapacity are used instead, as in Flume", .unit = "events",
                  .flags = PS_OPTION_NO_EFFECT | PS_OPTION_LENIENT),
    PS_OPTION_ROW("keep-alive", INT, offsetof(struct spill, keep_alive_s),
                  "overflowTimeout is used instead, as in Flume", .unit = "s",
                  .flags = PS_OPTION_NO_EFFECT | PS_OPTION_LENIENT),
    PS_QUEUE_OPTION_ROWS(struct spill, log),
    PS_OPTION_END,
};

/* Returns whether neither capacity leaves room for an event. Flume uses the default then. */
static bool has_no_room(const struct spill *spill)
{
    return spill->memory_capacity == 0 && spill->overflow_capacity <= 0;
}

static int64_t overflow_events(const struct spill *spill)
{
    if (has_no_room(spill))
        return strtoll(OVERFLOW_EVENTS_DEFAULT, NULL, 10);
    return spill->overflow_capacity > 0 ? spill->overflow_capacity : 0;
}

static enum ps_status spill_check(const void *plan, const struct ps_context *context)
{
    const struct spill *spill = plan;
    if (has_no_room(spill))
        ps_report(context, PS_LOG_WARN, "overflowCapacity",
                  "memoryCapacity and overflowCapacity leave no room: overflowCapacity counts "
                  "as " OVERFLOW_EVENTS_DEFAULT ", as in Flume; set one of them");
    if (overflow_events(spill) == 0)
        return PS_OK;
    return ps_queue_plan_check(&spill->log, context, "overflowCapacity", overflow_events(spill));
}

/* ---- build ---- */

static uint64_t spill_keep_alive_ms(const void *plan)
{
    const struct spill *spill = plan;
    return ps_ms_of_seconds(spill->overflow_timeout_s) + (overflow_events(spill) > 0 ? DISK_WAIT_MS : 0);
}

static enum ps_status build_overflow(struct spill *spill, struct ps_context *context, uint64_t quota_bytes,
                                     struct ps_err *err)
{
    struct ps_queue_settings settings;
    if (ps_queue_plan_settings(&spill->log, context, &settings, err) != PS_OK)
        return PS_FAIL;
    settings.capacity = (uint64_t)overflow_events(spill);
    settings.keep_alive_ms = spill_keep_alive_ms(spill);
    settings.quota_bytes = quota_bytes;
    spill->queue = ps_queue_create(&settings);
    return PS_OK;
}

/* Returns the durable queue's part of the channel's share of the memory budget. */
static uint64_t quota_of_queue(const struct spill *spill, uint64_t quota_bytes)
{
    if (overflow_events(spill) == 0)
        return 0;
    return spill->memory_capacity > 0 ? quota_bytes / QUEUE_QUOTA_DIVISOR : quota_bytes;
}

static enum ps_status spill_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    struct spill *spill = plan;
    uint64_t quota = context->channel_quota_bytes, of_queue = quota_of_queue(spill, quota);
    if (overflow_events(spill) == 0)
        ps_queue_plan_warn_of_rest(&spill->log, context, "overflowCapacity", "0");
    else if (build_overflow(spill, context, of_queue, err) != PS_OK)
        return PS_FAIL;
    spill->producer_count = context->producers;
    spill->producers =
        ps_must_alloc_aligned((context->producers + 1) * sizeof *spill->producers, "a channel");
    spill->memory = ps_memory_queue_create(&(struct ps_memory_queue_settings){
        .capacity = (uint64_t)spill->memory_capacity,
        .bytes_max = ps_memory_queue_bytes_max(spill->byte_capacity, spill->byte_buffer_percent,
                                               context->memory_budget_bytes),
        .quota_bytes = quota - of_queue,
        .producers = context->producers,
        .consumers = context->consumers,
    });
    return PS_OK;
}

static void spill_teardown(void *plan)
{
    struct spill *spill = plan;
    ps_memory_queue_destroy(spill->memory);
    ps_queue_destroy(spill->queue);
    free(spill->producers);
    spill->memory = NULL;
    spill->queue = NULL;
    spill->producers = NULL;
}

static void spill_outline(const void *plan, const struct ps_context *, FILE *out)
{
    const struct spill *spill = plan;
    if (overflow_events(spill) == 0) {
        fputs("in memory only: they are lost when the process dies", out);
        return;
    }
    /* The text before this one is the capacity of the memory until `build`, and of memory and disk afterwards. */
    struct ps_quantity_text disk = ps_quantity_print_count((uint64_t)overflow_events(spill));
    if (spill->memory == NULL)
        fprintf(out, "in memory, which are lost when the process dies, and up to %s on disk in ", disk.text);
    else
        fprintf(out, "(%s in memory, which are lost when the process dies, and %s on disk) in ",
                ps_quantity_print_count((uint64_t)spill->memory_capacity).text, disk.text);
    ps_queue_plan_outline(&spill->log, out);
}

static void spill_files(const void *plan, void (*add)(void *argument, const char *path), void *argument)
{
    ps_queue_plan_files(&((const struct spill *)plan)->log, add, argument);
}

static void spill_claims(const void *plan, const struct ps_context *context,
                         void (*add)(void *argument, const struct ps_claim *claim), void *argument)
{
    const struct spill *spill = plan;
    if (overflow_events(spill) > 0)
        ps_queue_plan_claims(&spill->log, context, add, argument);
}

static void spill_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    const struct spill *spill = plan;
    if (overflow_events(spill) > 0)
        ps_queue_plan_probe(&spill->log, context, probe);
    else
        ps_queue_plan_probe_rest(&spill->log, context, probe, "overflowCapacity", "0");
}

static void spill_start(void *plan)
{
    struct spill *spill = plan;
    if (spill->queue != NULL)
        ps_queue_start(spill->queue);
}

/* ---- put ---- */

static enum ps_put put_on_disk(struct spill *spill, unsigned producer, struct ps_lease **lease)
{
    struct spill_producer *mine = &spill->producers[producer];
    if (ps_queue_put(spill->queue, producer, lease) != PS_PUT_OK)
        return PS_PUT_FULL;
    mine->full_since_ns = 0;
    mine->spilled = mine->active = true;
    return PS_PUT_LATER;
}

/* Returns whether the overflow ends, as in Flume: when enough of the memory is free. */
static bool enough_is_free(const struct spill *spill, uint64_t used_events)
{
    uint64_t capacity = (uint64_t)spill->memory_capacity;
    uint64_t free_events = capacity > used_events ? capacity - used_events : 0;
    return free_events * 100 >= (uint64_t)spill->deactivation_percent * capacity;
}

/* Returns when the producer's wait for room in the full memory ends (overflowTimeout). */
static uint64_t wait_ends_ns(const struct spill *spill, const struct spill_producer *mine)
{
    return mine->full_since_ns + ps_ms_of_seconds(spill->overflow_timeout_s) * PS_NS_PER_MS;
}

/* Returns whether this lease has to wait for room in the full memory. An optional lease would be dropped instead. */
static bool must_wait(const struct spill *spill, struct spill_producer *mine, const struct ps_lease *lease,
                      const struct ps_now *now)
{
    if (spill->memory_capacity == 0 || mine->active || !lease->required)
        return false;
    if (mine->full_since_ns == 0)
        mine->full_since_ns = now->mono_ns;
    return now->mono_ns < wait_ends_ns(spill, mine);
}

static enum ps_put put_in_memory(struct spill *spill, unsigned producer, struct ps_lease **lease,
                                 const struct ps_now *now)
{
    struct spill_producer *mine = &spill->producers[producer];
    struct ps_fill fill;
    if (mine->active) {
        ps_memory_queue_fill(spill->memory, &fill);
        mine->active = !enough_is_free(spill, fill.size);
    }
    if (ps_memory_queue_put(spill->memory, producer, lease) == PS_PUT_OK) {
        mine->full_since_ns = 0;
        mine->spilled = false;
        return PS_PUT_OK;
    }
    if (spill->queue == NULL || must_wait(spill, mine, *lease, now))
        return PS_PUT_FULL;
    return put_on_disk(spill, producer, lease);
}

/* Returns whether puts pause, because the events on disk are few enough for memory. */
static bool pauses(struct spill *spill, const struct ps_lease *lease, const struct ps_now *now)
{
    struct ps_fill fill;
    if (spill->memory_capacity == 0 || !lease->required)
        return false;
    if (now->mono_ns < __atomic_load_n(&spill->pause_until_ns, __ATOMIC_RELAXED))
        return true;
    if (now->mono_ns < __atomic_load_n(&spill->next_pause_ns, __ATOMIC_RELAXED))
        return false;
    uint64_t left_events = ps_queue_undelivered(spill->queue);
    ps_memory_queue_fill(spill->memory, &fill);
    if (left_events == 0 || fill.size > 0 || !enough_is_free(spill, left_events))
        return false;
    __atomic_store_n(&spill->next_pause_ns, now->mono_ns + PAUSE_EVERY_NS, __ATOMIC_RELAXED);
    __atomic_store_n(&spill->pause_until_ns, now->mono_ns + PAUSE_NS, __ATOMIC_RELAXED);
    return true;
}

static enum ps_put spill_put(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *now)
{
    struct spill *spill = plan;
    if (spill->queue != NULL && !ps_queue_is_open(spill->queue))
        /* the log's contents are not known yet; ps_queue_is_clear counts only after it opened */
        return PS_PUT_FULL;
    if (spill->queue == NULL || ps_queue_is_clear(spill->queue))
        return put_in_memory(spill, producer, lease, now);
    if (pauses(spill, *lease, now))
        return PS_PUT_FULL;
    return put_on_disk(spill, producer, lease);
}

static uint64_t spill_tick(void *plan, unsigned producer, struct ps_port *port, const struct ps_now *now)
{
    struct spill *spill = plan;
    const struct spill_producer *mine = &spill->producers[producer];
    if (spill->queue == NULL)
        return PS_NEVER;
    uint64_t due_ns = ps_queue_tick(spill->queue, producer, port);
    if (mine->full_since_ns > 0 && now->mono_ns < wait_ends_ns(spill, mine))
        due_ns = wait_ends_ns(spill, mine);
    if (now->mono_ns < __atomic_load_n(&spill->pause_until_ns, __ATOMIC_RELAXED))
        due_ns = now->mono_ns + PAUSE_LOOK_NS;
    return due_ns;
}

static bool spill_hungry(const void *plan, unsigned producer)
{
    const struct spill *spill = plan;
    return spill->producers[producer].spilled ? ps_queue_hungry(spill->queue, producer)
                                              : ps_memory_queue_hungry(spill->memory, producer);
}

/* ---- take ---- */

static struct ps_lease *take_from_disk(struct spill *spill, unsigned consumer, struct ps_port *port,
                                       const struct ps_now *now)
{
    if (!ps_queue_claim(spill->queue, consumer, port))
        return NULL;
    struct ps_lease *older = ps_memory_queue_take(spill->memory, consumer);
    return older != NULL ? older : ps_queue_take(spill->queue, consumer, port, now);
}

static struct ps_lease *spill_take(void *plan, unsigned consumer, struct ps_port *port,
                                   const struct ps_now *now)
{
    struct spill *spill = plan;
    struct ps_lease *lease = ps_memory_queue_take_back(spill->memory, consumer);
    if (lease == NULL && spill->queue != NULL)
        lease = ps_queue_take_back(spill->queue, consumer);
    if (lease == NULL)
        lease = ps_memory_queue_take(spill->memory, consumer);
    if (lease == NULL && spill->queue != NULL)
        lease = take_from_disk(spill, consumer, port, now);
    return lease;
}

static uint64_t spill_consumer_tick(void *plan, unsigned consumer, struct ps_port *, const struct ps_now *now)
{
    const struct spill *spill = plan;
    uint64_t memory_ns = ps_memory_queue_consumer_tick(spill->memory, consumer, now);
    uint64_t queue_ns = spill->queue != NULL ? ps_queue_given_back_ns(spill->queue, consumer, now) : PS_NEVER;
    return ps_least(memory_ns, queue_ns);
}

static void spill_done(void *, unsigned, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

static void spill_untake(void *plan, unsigned consumer, struct ps_lease **lease)
{
    struct spill *spill = plan;
    if (spill->queue != NULL && ps_queue_made(spill->queue, *lease))
        ps_queue_untake(spill->queue, consumer, lease);
    else
        ps_memory_queue_untake(spill->memory, consumer, lease);
    if (spill->queue != NULL)
        ps_queue_unclaim(spill->queue, consumer);
}

static void spill_leave(void *plan, unsigned consumer, struct ps_port *port)
{
    struct spill *spill = plan;
    if (spill->queue != NULL)
        ps_queue_leave(spill->queue, consumer, port);
}

/* ---- content ---- */

/* Also called before `build`: the engine's plan needs the capacity, which limits the size of a batch. */
static void spill_fill(const void *plan, struct ps_fill *fill)
{
    const struct spill *spill = plan;
    struct ps_fill disk = {0};
    if (spill->memory == NULL) {
        int64_t capacity = spill->memory_capacity > 0 ? spill->memory_capacity : overflow_events(spill);
        *fill = (struct ps_fill){.capacity = (uint64_t)capacity};
        return;
    }
    ps_memory_queue_fill(spill->memory, fill);
    if (spill->queue == NULL)
        return;
    ps_queue_fill(spill->queue, &disk);
    fill->size += disk.size;
    fill->capacity += disk.capacity;
    fill->bytes += disk.bytes;
    fill->bytes_capacity = 0; /* the limit applies only to memory */
}

static void spill_ring(const void *plan, unsigned producer, struct ps_fill *fill)
{
    ps_memory_queue_ring(((const struct spill *)plan)->memory, producer, fill);
}

static uint64_t spill_at_risk(const void *plan)
{
    struct ps_fill fill;
    ps_memory_queue_fill(((const struct spill *)plan)->memory, &fill);
    return fill.size;
}

static void spill_save(void *plan)
{
    struct spill *spill = plan;
    struct ps_lease *list = ps_memory_queue_strip(spill->memory), *saved = NULL;
    struct ps_lease **end = &saved, **rest_end = &spill->unsaved;
    while (*rest_end != NULL) /* of an earlier call */
        rest_end = &(*rest_end)->next;
    for (struct ps_lease *next; list != NULL; list = next) {
        struct ps_lease ***to = ps_batch_will_be_replayed(list->batch) ? &rest_end : &end;
        next = list->next;
        list->next = NULL;
        **to = list;
        *to = &list->next;
    }
    if (saved != NULL && (spill->queue == NULL || !ps_queue_add_last(spill->queue, saved)))
        *rest_end = saved;
}

static bool spill_halt(void *plan)
{
    struct spill *spill = plan;
    return spill->queue == NULL || ps_queue_halt(spill->queue);
}

static struct ps_lease *spill_strip(void *plan)
{
    struct spill *spill = plan;
    struct ps_lease *list = spill->unsaved, **end = &list;
    spill->unsaved = NULL;
    while (*end != NULL)
        end = &(*end)->next;
    *end = ps_memory_queue_strip(spill->memory);
    while (*end != NULL)
        end = &(*end)->next;
    if (spill->queue != NULL)
        *end = ps_queue_strip(spill->queue);
    return list;
}

static void spill_restore(void *plan, struct ps_lease *list)
{
    ps_memory_queue_restore(((struct spill *)plan)->memory, list);
}

static void spill_set_quota(void *plan, uint64_t channel_quota_bytes)
{
    struct spill *spill = plan;
    uint64_t of_queue = quota_of_queue(spill, channel_quota_bytes);
    ps_memory_queue_set_quota(spill->memory, channel_quota_bytes - of_queue);
    if (spill->queue != NULL)
        ps_queue_set_quota(spill->queue, of_queue);
}

/* Withdraws leases from memory only; the others are being written to disk. */
static struct ps_lease *spill_withdraw(void *plan, bool (*is_wanted)(const struct ps_lease *lease))
{
    return ps_memory_queue_withdraw(((struct spill *)plan)->memory, is_wanted);
}

static bool spill_trouble(const void *plan, char *text, size_t room)
{
    const struct spill *spill = plan;
    return spill->queue != NULL && ps_queue_trouble(spill->queue, text, room);
}

static bool spill_has_place(const void *plan)
{
    return overflow_events(plan) > 0;
}

static void spill_series(const void *plan, void (*add)(void *argument, const struct ps_series *series),
                         void *argument)
{
    ps_queue_plan_series(&((const struct spill *)plan)->log, add, argument);
}

const struct ps_stage_ops ps_channel_spillablememory = {
    PS_STAGE(PS_KIND_CHANNEL),
    .name = "spillablememory",
    .aliases = PS_WORDS("org.apache.flume.channel.SpillableMemoryChannel"),
    .summary =
        "events in memory, and in a log on disk when memory is full; those in memory are lost when the "
        "process dies",
    .options = options,
    .plan_size = sizeof(struct spill),
    .check = spill_check,
    .build = spill_build,
    .teardown = spill_teardown,
    .outline = spill_outline,
    .series = spill_series,
    .files = spill_files,
    .probe = spill_probe,
    .claims = spill_claims,
    .channel =
        &(const struct ps_channel_ops){
            .promises = PS_LEVEL_ACCEPTED,
            .start = spill_start,
            .put = spill_put,
            .tick = spill_tick,
            .consumer_tick = spill_consumer_tick,
            .take = spill_take,
            .done = spill_done,
            .untake = spill_untake,
            .leave = spill_leave,
            .hungry = spill_hungry,
            .fill = spill_fill,
            .keep_alive_ms = spill_keep_alive_ms,
            .trouble = spill_trouble,
            .engine =
                &(const struct ps_engine_channel_ops){
                    .shares_given_back = true,
                    .ring = spill_ring,
                    .at_risk = spill_at_risk,
                    .save = spill_save,
                    .halt = spill_halt,
                    .strip = spill_strip,
                    .restore = spill_restore,
                    .set_quota = spill_set_quota,
                    .withdraw = spill_withdraw,
                    .has_place = spill_has_place,
                },
        },
};
