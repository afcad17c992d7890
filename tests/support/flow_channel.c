/* The stage of the simulator's durable channel. */
#include "tests/support/flow_channel_internal.h"

#include "core/flow/engine_channel.h"
#include "core/arena.h"

#include <stdio.h>

#define HUNGRY_LEASES 2U

void *flow_channel_plan(struct flow *flow, struct ps_arena *arena, unsigned number)
{
    struct flow_channel *channel = ps_arena_alloc(arena, sizeof *channel);
    *channel = (struct flow_channel){
        .store = flow->stores[number],
        .capacity = strtoull(flow->capacity, NULL, 10),
        .keep_alive_ns = strtoull(flow->keep_alive_s, NULL, 10) * PS_NS_PER_S,
    };
    return channel;
}

static enum ps_status channel_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    struct flow_channel *channel = plan;
    channel->producer_count = context->producers;
    channel->consumer_count = context->consumers;
    channel->quota_bytes = context->channel_quota_bytes;
    assert_true(channel->producer_count <= 64);
    channel->producers = calloc(channel->producer_count + 1, sizeof *channel->producers);
    channel->consumers = calloc(channel->consumer_count + 1, sizeof *channel->consumers);
    assert_true(channel->producers != NULL && channel->consumers != NULL);
    for (unsigned i = 0; i < channel->producer_count; i++)
        channel->producers[i].promised_end = &channel->producers[i].promised;
    for (unsigned i = 0; i < channel->consumer_count; i++)
        channel->consumers[i].store = channel->store;
    channel->end = &channel->first;
    return PS_OK;
}

static void channel_teardown(void *plan)
{
    struct flow_channel *channel = plan;
    assert_ptr_not_equal(channel->store->channel, channel);
    free(channel->producers);
    free(channel->consumers);
}

static void queue(struct flow_channel *channel, unsigned producer, struct ps_lease *lease)
{
    struct flow_store *store = channel->store;
    struct flow_entry *entry = calloc(1, sizeof *entry);
    assert_non_null(entry);
    uint64_t late_ns = ps_test_random(&store->random) % 4 == 0 ? PS_NS_PER_S : 3 * PS_NS_PER_MS;
    *entry = (struct flow_entry){
        .lease = lease,
        .producer = producer,
        .since_ns = channel->store->now_ns,
        .due_ns = channel->store->now_ns + ps_test_random(&store->random) % late_ns,
    };
    *channel->end = entry;
    channel->end = &entry->next;
    channel->producers[producer].queued++;
    channel->producers[producer].memory_bytes += lease->memory_bytes;
    channel->queued += lease->count;
}

/* Feeds the events in the store again, in the same order: sinks see them once more. */
static void channel_start(void *plan)
{
    struct flow_channel *channel = plan;
    struct flow_store *store = channel->store;
    struct flow *flow = store->flow;
    assert_null(store->channel);
    assert_false(flow->channels_kept >> store->number & 1);
    store->channel = channel;
    store->waiting = 0;
    for (struct flow_frame *frame = store->frames; frame != NULL; frame = frame->next) {
        assert_null(frame->with);
        store->waiting += frame->count;
    }
    for (unsigned i = 0; i < flow->sink_count; i++) {
        if (flow->sinks[i].channel == store->number) {
            memset(flow->sinks[i].last, 0, sizeof flow->sinks[i].last);
            memset(flow->sinks[i].generation, 0, sizeof flow->sinks[i].generation);
        }
    }
    while (channel->restored != NULL) {
        struct ps_lease *lease = channel->restored;
        channel->restored = lease->next;
        lease->next = NULL;
        queue(channel, 0, lease);
    }
}

static void channel_fill(const void *plan, struct ps_fill *fill)
{
    const struct flow_channel *channel = plan;
    const struct flow_store *store = channel->store;
    *fill = (struct ps_fill){.size = channel->queued + channel->returned + store->waiting,
                             .capacity = channel->capacity};
}

static enum ps_put channel_put(void *plan, unsigned producer, struct ps_lease **lease,
                               const struct ps_now *now)
{
    struct flow_channel *channel = plan;
    struct flow_producer *mine = &channel->producers[producer];
    uint64_t share = channel->quota_bytes / channel->producer_count;
    struct ps_fill fill;
    assert_ptr_equal(channel->store->channel, channel);
    assert_true(producer < channel->producer_count && (*lease)->count > 0);
    channel_fill(channel, &fill);
    if (flow_store_is_broken(channel->store) || fill.size >= fill.capacity ||
        (mine->memory_bytes > 0 && mine->memory_bytes + (*lease)->memory_bytes > share))
        return PS_PUT_FULL;
    channel->store->now_ns = now->mono_ns;
    queue(channel, producer, *lease);
    *lease = NULL;
    return PS_PUT_OK;
}

/* Returns when a channel without a thread must be called again. */
static uint64_t next_sync_ns(const struct flow_channel *channel)
{
    const struct flow_store *store = channel->store;
    uint64_t due_ns = PS_NEVER;
    if (!flow_store_is_broken(store))
        return channel->first != NULL ? channel->first->due_ns : PS_NEVER;
    due_ns = store->broken_until_ns;
    for (const struct flow_entry *entry = channel->first; entry != NULL; entry = entry->next) {
        uint64_t until_ns = entry->since_ns + channel->keep_alive_ns;
        if (entry->lease->refusable && until_ns > channel->store->now_ns && until_ns < due_ns)
            due_ns = until_ns;
    }
    return due_ns;
}

static uint64_t channel_tick(void *plan, unsigned producer, struct ps_port *port, const struct ps_now *now)
{
    struct flow_channel *channel = plan;
    struct flow_store *store = channel->store;
    assert_ptr_equal(store->channel, channel); /* between `start` and `strip` */
    struct flow_producer *mine = &channel->producers[producer];
    mine->worker = UINT64_C(1) << ps_worker_id(port->runner->worker);
    if (store->timed)
        flow_store_turn(store, now);
    while (mine->promised != NULL) {
        struct ps_lease *lease = mine->promised;
        mine->promised = lease->next;
        lease->next = NULL;
        mine->memory_bytes -= lease->memory_bytes;
        ps_port_home(port, &lease);
        assert_null(lease);
    }
    mine->promised_end = &mine->promised;
    return store->timed ? next_sync_ns(channel) : PS_NEVER;
}

/* ---- its consumers ---- */

static void frame_delivered(void *argument, struct ps_batch *batch)
{
    struct flow_consumer *consumer = argument;
    struct flow_frame *frame = (struct flow_frame *)(uintptr_t)batch->tickets->origin;
    assert_false(ps_batch_home(batch)->lost);
    assert_ptr_equal(frame->with, consumer);
    frame->with = NULL;
    if (consumer->store->flow->crashed)
        return; /* it was never recorded: the next agent feeds it again */
    flow_store_remove(consumer->store, frame);
}

/* Adds one event with its headers. `added`: a row was added, with or without them. */
static bool add_event(struct ps_batch *batch, const struct flow_body *body, char *scratch, bool *added)
{
    char text[32];
    memset(scratch, (int)(body->number & 0xFF), body->length);
    memcpy(scratch, body, sizeof *body);
    struct ps_event *event = ps_batch_add_copy(batch, scratch, body->length);
    *added = event != NULL;
    if (event == NULL)
        return false;
    uint32_t length = (uint32_t)snprintf(text, sizeof text, "%llu", (unsigned long long)body->number);
    char *value = ps_batch_alloc(batch, length);
    if (value == NULL)
        return false;
    memcpy(value, text, length);
    return ps_batch_header_add(batch, event, ps_name_intern("number"), value, length);
}

/* Returns how many events of the frame the batch has; 0: there was no memory. */
static uint32_t load(struct ps_batch *batch, const struct flow_frame *frame)
{
    static char scratch[2 * PS_BLOCK_BYTES];
    uint32_t count = 0;
    bool added = false;
    if (!ps_batch_shared_set(batch, ps_name_intern("agent"), "a1", 2, true))
        return 0;
    while (count < frame->count && add_event(batch, &frame->records[count].body, scratch, &added))
        count++;
    if (count < frame->count && added)
        return 0; /* a row without headers is in it */
    return count > 0 && ps_batch_ticket(batch, (uint64_t)(uintptr_t)frame, count) ? count : 0;
}

static struct ps_lease *read_frame(struct flow_consumer *consumer, struct flow_frame *frame,
                                   const struct ps_now *now)
{
    struct ps_batch *batch = NULL;
    uint32_t count = 0;
    for (unsigned try = 0; try < 2 && count == 0; try++) { /* the first try may find only a block's end */
        batch = ps_readback_batch(consumer->readback, *now);
        if (batch == NULL)
            return NULL;
        count = load(batch, frame);
        if (count == 0)
            ps_readback_drop(batch);
    }
    if (count == 0)
        return NULL;
    if (count < frame->count)
        flow_frame_split(frame, count);
    frame->with = consumer;
    consumer->store->waiting -= count;
    return ps_readback_lease(consumer->readback, batch);
}

static struct ps_lease *channel_take(void *plan, unsigned number, struct ps_port *port,
                                     const struct ps_now *now)
{
    struct flow_channel *channel = plan;
    struct flow_store *store = channel->store;
    struct flow_consumer *consumer = &channel->consumers[number];
    struct ps_lease *lease = consumer->given_back;
    assert_ptr_equal(store->channel, channel);
    consumer->is_short = false;
    if (consumer->readback == NULL)
        consumer->readback = ps_readback_open(port->pool, PS_READBACK_ANY_ORDER, frame_delivered, consumer);
    if (lease != NULL) {
        consumer->given_back = lease->next;
        lease->next = NULL;
        channel->returned -= lease->count;
        return lease;
    }
    struct flow_frame *frame = store->frames;
    while (frame != NULL && (frame->with != NULL || store->waiting == 0))
        frame = frame->next;
    if (frame == NULL) {
        consumer->waits = UINT64_C(1) << ps_worker_id(port->runner->worker);
        return NULL;
    }
    if (frame->count > 1 && ps_test_random(&store->random) % 8 == 0)
        flow_frame_split(frame, 1 + (uint32_t)(ps_test_random(&store->random) % (frame->count - 1)));
    lease = read_frame(consumer, frame, now);
    consumer->is_short = lease == NULL;
    return lease;
}

static void channel_done(void *plan, unsigned number, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

static void channel_untake(void *plan, unsigned number, struct ps_lease **lease)
{
    struct flow_channel *channel = plan;
    struct flow_consumer *consumer = &channel->consumers[number];
    channel->returned += (*lease)->count;
    (*lease)->next = consumer->given_back;
    consumer->given_back = *lease;
    *lease = NULL;
}

static void channel_leave(void *plan, unsigned number, struct ps_port *port)
{
    struct flow_channel *channel = plan;
    struct flow_store *store = channel->store;
    struct flow_consumer *consumer = &channel->consumers[number];
    if (consumer->readback == NULL)
        return;
    ps_readback_close(consumer->readback);
    consumer->readback = NULL;
    consumer->waits = 0;
    while (consumer->given_back != NULL) {
        struct ps_lease *lease = consumer->given_back;
        consumer->given_back = lease->next;
        channel->returned -= lease->count;
        ps_port_home(port, &lease);
    }
    for (struct flow_frame *frame = store->frames; frame != NULL; frame = frame->next) {
        if (frame->with == consumer) {
            frame->with = NULL;
            store->waiting += frame->count;
        }
    }
}

static bool channel_hungry(const void *plan, unsigned producer)
{
    return ((const struct flow_channel *)plan)->producers[producer].queued < HUNGRY_LEASES;
}

static void channel_ring(const void *plan, unsigned producer, struct ps_fill *fill)
{
    *fill = (struct ps_fill){.size = ((const struct flow_channel *)plan)->producers[producer].queued,
                             .capacity = 1024};
}

static uint64_t channel_keep_alive_ms(const void *plan)
{
    return ((const struct flow_channel *)plan)->keep_alive_ns / PS_NS_PER_MS;
}

static struct ps_lease *channel_strip(void *plan)
{
    struct flow_channel *channel = plan;
    struct ps_lease *first = NULL, **end = &first;
    assert_ptr_equal(channel->store->channel, channel);
    channel->store->channel = NULL;
    for (unsigned i = 0; i < channel->consumer_count; i++)
        assert_true(channel->consumers[i].readback == NULL && channel->consumers[i].given_back == NULL);
    assert_int_equal(channel->returned, 0);
    for (unsigned i = 0; i < channel->producer_count; i++) {
        *end = channel->producers[i].promised;
        for (; *end != NULL; end = &(*end)->next) {
            if (!(*end)->failed)
                ps_lease_settle_all(*end);
        }
        channel->producers[i].promised = NULL;
        channel->producers[i].promised_end = &channel->producers[i].promised;
    }
    while (channel->first != NULL) {
        struct flow_entry *entry = channel->first;
        channel->first = entry->next;
        channel->queued -= entry->lease->count;
        *end = entry->lease;
        end = &entry->lease->next;
        *end = NULL;
        free(entry);
    }
    channel->end = &channel->first;
    assert_int_equal(channel->queued, 0);
    return first;
}

static void channel_restore(void *plan, struct ps_lease *list)
{
    struct flow_channel *channel = plan;
    assert_null(channel->restored);
    assert_ptr_not_equal(channel->store->channel, channel);
    channel->restored = list;
}

static void channel_set_quota(void *plan, uint64_t channel_quota_bytes)
{
    ((struct flow_channel *)plan)->quota_bytes = channel_quota_bytes;
}

static const struct ps_channel_ops channel_ops = {
    .promises = PS_LEVEL_DURABLE,
    .start = channel_start,
    .tick = channel_tick,
    .put = channel_put,
    .take = channel_take,
    .done = channel_done,
    .untake = channel_untake,
    .leave = channel_leave,
    .hungry = channel_hungry,
    .fill = channel_fill,
    .keep_alive_ms = channel_keep_alive_ms,
    .engine =
        &(const struct ps_engine_channel_ops){
            .ring = channel_ring,
            .strip = channel_strip,
            .restore = channel_restore,
            .set_quota = channel_set_quota,
        },
};

const struct ps_stage_ops flow_channel_stage = {
    PS_STAGE(PS_KIND_CHANNEL), .name = "flow-durable",
    .summary = "a test stage", .plan_size = sizeof(struct flow_channel),
    .build = channel_build,    .teardown = channel_teardown,
    .channel = &channel_ops,
};
