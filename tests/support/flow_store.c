/* The store and the disk of the simulator's durable channel. */
#include "tests/support/flow_channel_internal.h"

/* The longest frame of several events, so that it fits in a batch. */
#define FRAME_BYTES_MAX (PS_BLOCK_BYTES / 2)

struct flow_store *flow_store_create(struct flow *flow, unsigned number)
{
    struct flow_store *store = calloc(1, sizeof *store);
    assert_non_null(store);
    *store = (struct flow_store){
        .flow = flow,
        .number = number,
        .random = (flow->seed + number * 7919) * UINT64_C(0xD1342543DE82EF95) | 1,
    };
    store->timed = ps_test_random(&store->random) % 3 == 0;
    return store;
}

void flow_store_destroy(struct flow_store *store)
{
    while (store != NULL && store->frames != NULL) {
        struct flow_frame *frame = store->frames;
        store->frames = frame->next;
        free(frame);
    }
    free(store);
}

void flow_store_calm(struct flow_store *store)
{
    store->calm = true;
}

bool flow_store_is_broken(const struct flow_store *store)
{
    return store->broken_until_ns > 0;
}

bool flow_store_is_empty(const struct flow_store *store)
{
    return store->frames == NULL && (store->channel == NULL || store->channel->first == NULL);
}

bool flow_store_has_frames(const struct flow_store *store)
{
    return store->waiting > 0;
}

bool flow_store_is_short(const struct flow_store *store, unsigned consumer)
{
    return store->channel != NULL && store->channel->consumers[consumer].is_short;
}

/* Returns whether the oldest lease is this producer's and due: without a thread the producer's worker must then run
 * the sync. */
static bool sync_is_due(const struct flow_store *store, const struct flow_producer *producer, uint64_t now_ns)
{
    const struct flow_entry *first = store->channel->first;
    return store->timed && !flow_store_is_broken(store) && first != NULL && first->due_ns <= now_ns &&
           &store->channel->producers[first->producer] == producer;
}

bool flow_store_has_news(const struct flow_store *store, unsigned worker, uint64_t now_ns)
{
    for (unsigned i = 0; store->channel != NULL && i < store->channel->producer_count; i++) {
        const struct flow_producer *producer = &store->channel->producers[i];
        if ((producer->promised != NULL || sync_is_due(store, producer, now_ns)) &&
            (producer->worker >> worker & 1))
            return true;
    }
    return false;
}

struct flow_frame *flow_frame_create(uint32_t room)
{
    struct flow_frame *frame = calloc(1, sizeof *frame + room * sizeof frame->records[0]);
    assert_non_null(frame);
    return frame;
}

void flow_frame_split(struct flow_frame *frame, uint32_t count)
{
    struct flow_frame *rest = flow_frame_create(frame->count - count);
    for (uint32_t i = count; i < frame->count; i++) {
        rest->records[rest->count++] = frame->records[i];
        rest->bytes += frame->records[i].body.length;
    }
    frame->count = count;
    frame->bytes -= rest->bytes;
    rest->next = frame->next;
    frame->next = rest;
}

/* Writes the events of a lease, in frames. None of them may be settled. */
static void store_write(struct flow_store *store, const struct ps_lease *lease)
{
    struct flow_frame **end = &store->frames, *frame = NULL;
    while (*end != NULL)
        end = &(*end)->next;
    assert_int_equal(lease->settled, 0);
    for (uint32_t i = 0; i < lease->count; i++) {
        struct flow_body body;
        if (!flow_body_of(store->flow, store->number, lease, i, &body))
            continue;
        if (frame == NULL || frame->bytes + body.length > FRAME_BYTES_MAX ||
            ps_test_random(&store->random) % 50 == 0) {
            frame = *end = flow_frame_create(lease->count);
            end = &frame->next;
        }
        frame->records[frame->count++].body = body;
        frame->bytes += body.length;
        store->waiting++;
        store->flow->promised++;
        store->flow->kept[store->number][body.origin][body.number] = 1;
    }
}

void flow_store_remove(struct flow_store *store, struct flow_frame *frame)
{
    struct flow_frame **at = &store->frames;
    while (*at != frame) {
        assert_non_null(*at);
        at = &(*at)->next;
    }
    *at = frame->next;
    free(frame);
}

/* ---- the disk ---- */

static void alarm_consumers(struct flow_channel *channel)
{
    for (unsigned i = 0; i < channel->consumer_count; i++) {
        channel->store->flow->alarms |= channel->consumers[i].waits;
        channel->consumers[i].waits = 0;
    }
}

static void alarm_producers(const struct flow_channel *channel)
{
    for (unsigned i = 0; i < channel->producer_count; i++)
        channel->store->flow->alarms |= channel->producers[i].worker;
}

/* Ends the entry: the worker of its producer must return the lease. */
static void entry_end(struct flow_channel *channel, struct flow_entry **at)
{
    struct flow_entry *entry = *at;
    struct flow_producer *producer = &channel->producers[entry->producer];
    *at = entry->next;
    if (channel->end == &entry->next)
        channel->end = at;
    producer->queued--;
    channel->queued -= entry->lease->count;
    entry->lease->next = NULL;
    *producer->promised_end = entry->lease;
    producer->promised_end = &entry->lease->next;
    channel->store->flow->alarms |= producer->worker;
    free(entry);
}

/* Gives up leases in the order of each producer: none after one that is kept. */
static void give_up_old(struct flow_channel *channel)
{
    uint64_t blocked = 0;
    for (struct flow_entry **at = &channel->first; *at != NULL;) {
        struct flow_entry *entry = *at;
        if (entry->lease->refusable && channel->store->now_ns >= entry->since_ns + channel->keep_alive_ns &&
            !(blocked >> entry->producer & 1)) {
            entry->lease->failed = true;
            entry_end(channel, at);
        } else {
            blocked |= UINT64_C(1) << entry->producer;
            at = &entry->next;
        }
    }
}

static void disk_sync(struct flow_channel *channel)
{
    struct flow_store *store = channel->store;
    if (flow_store_is_broken(store)) {
        give_up_old(channel);
        return;
    }
    while (channel->first != NULL && channel->first->due_ns <= channel->store->now_ns) {
        if (!store->flow->crashed)
            store_write(store, channel->first->lease);
        entry_end(channel, &channel->first);
    }
    if (store->waiting > 0)
        alarm_consumers(channel);
}

void flow_store_turn(struct flow_store *store, const struct ps_now *now)
{
    struct flow *flow = store->flow;
    if (store->channel == NULL)
        return;
    store->now_ns = now->mono_ns;
    if (flow_store_is_broken(store)) {
        if (now->mono_ns >= store->broken_until_ns || store->calm) {
            store->broken_until_ns = 0;
            alarm_producers(store->channel);
        }
    } else if (!store->calm && flow_chance(&store->random, flow->chances.disk_breaks)) {
        store->broken_until_ns = now->mono_ns + 1 + ps_test_random(&store->random) % (6 * PS_NS_PER_S);
        alarm_producers(store->channel); /* producers that wait for a timed sync must learn of it */
    }
    disk_sync(store->channel);
}

void flow_store_run(struct flow_store *store, const struct ps_now *now)
{
    if (store != NULL && !store->timed)
        flow_store_turn(store, now);
}
