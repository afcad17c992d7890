#include "bench/load/lane/lane.h"

#include <stdio.h>
#include <string.h>

#include "core/backoff.h"

#define RETRY_FIRST_NS (100 * PS_NS_PER_MS)
#define RETRY_MAX_NS (5 * PS_NS_PER_S)

void ps_lane_init(struct ps_lane *lane, struct ps_sender *sender, uint32_t index)
{
    const struct ps_sender_config *config = &sender->config;
    uint32_t number = config->lane_first + index * config->lane_step;
    *lane = (struct ps_lane){.sender = sender, .number = number, .index = index, .polled_fd = -1};
    struct ps_schedule_config schedule = {
        .shape = config->shape,
        .lane = number,
        .lane_count = config->lane_total,
        .event_max = config->event_max,
        .end_ns = config->duration_ns,
        .seed = config->seed,
    };
    ps_schedule_init(&lane->schedule, &schedule);
    lane->random = lane->schedule.random;
}

uint32_t ps_lane_number(const struct ps_lane *lane)
{
    return lane->number;
}

uint64_t ps_lane_now(const struct ps_lane *lane)
{
    const struct ps_sender_config *config = &lane->sender->config;
    return config->clock != NULL ? config->clock(config->clock_argument) : ps_pacer_now();
}

/* ---- giving blocks to the target ---- */

/* Adds up equal values before they are recorded: neighbours in a block are mostly equal. Values decrease
 * within a block, so the first of a run is the highest. */
struct tally {
    struct ps_histogram *histogram;
    uint64_t value;
    uint32_t bucket, count;
};

static inline void tally_flush(const struct tally *tally)
{
    if (tally->count > 0)
        ps_histogram_record(tally->histogram, tally->value, tally->count);
}

static inline void tally_add(struct tally *tally, uint64_t value)
{
    uint32_t bucket = ps_histogram_bucket(value);
    if (bucket == tally->bucket && tally->count > 0) {
        tally->count++;
        return;
    }
    tally_flush(tally);
    tally->value = value;
    tally->bucket = bucket;
    tally->count = 1;
}

/* Records how late the events of a block were handed to the target, without the time in which the target
 * accepted no block. */
static void errors_record(struct ps_lane *lane, const struct ps_load_block *block, uint64_t handed_ns)
{
    struct ps_sender *sender = lane->sender;
    struct tally raw = {.histogram = &sender->statistics.schedule_error_ns};
    struct tally net = {.histogram = &sender->statistics.schedule_error_net_ns};
    struct ps_pacer_overlap gaps;
    uint64_t freed_ns = lane->freed_ns;
    if (handed_ns - block->due_ns[0] > PS_PACER_GAP_NS && sender->config.clock == NULL)
        ps_pacer_worked(&sender->pacer, handed_ns);
    ps_pacer_overlap_begin(&gaps, &sender->pacer, block->due_ns[0] > freed_ns ? block->due_ns[0] : freed_ns,
                           handed_ns);
    for (uint32_t i = 0; i < block->count; i++) {
        uint64_t from_ns = block->due_ns[i] > freed_ns ? block->due_ns[i] : freed_ns;
        uint64_t error_ns = handed_ns > from_ns ? handed_ns - from_ns : 0;
        tally_add(&raw, error_ns);
        tally_add(&net, error_ns - ps_pacer_overlap(&gaps, from_ns));
    }
    tally_flush(&raw);
    tally_flush(&net);
}

/* Takes due events and renders them. When the block has no room for all of them, the schedule is restored and
 * only the events that fit are taken. */
static void block_fill(struct ps_lane *lane, struct ps_load_block *block, uint64_t now_ns)
{
    struct ps_sender *sender = lane->sender;
    struct ps_schedule before = lane->schedule;
    uint64_t since_ns = now_ns - sender->start_ns;
    uint32_t count = ps_schedule_take(&lane->schedule, since_ns, PS_LOAD_BLOCK_EVENTS, block->due_ns);
    for (uint32_t i = 0; i < count; i++) {
        sender->wall_ns[i] = block->due_ns[i] + sender->start_wall_ns;
        block->due_ns[i] += sender->start_ns;
    }
    struct ps_content_order order = {
        .source = sender->config.source_first + lane->number,
        .first_sequence = lane->sequence,
        .last_sequence = ps_lane_given(lane) ? lane->sequence + count - 1 : UINT64_MAX,
        .due_wall_ns = sender->wall_ns,
        .count = count,
    };
    block->count = 0;
    if (count > 0)
        block->count =
            ps_content_render(sender->writer, &order, block->bytes, sender->config.block_bytes, block->ends);
    PS_ASSERT(block->count <= count && (count == 0 || block->count > 0));
    if (block->count < count) {
        lane->schedule = before;
        uint64_t again[PS_LOAD_BLOCK_EVENTS];
        ps_schedule_take(&lane->schedule, since_ns, block->count, again);
    }
    block->completed = block->cursor = 0;
    block->first_sequence = lane->sequence;
    block->lane = lane->index;
    block->target = block->next = NULL;
    ps_statistics_add(&lane->sequence, block->count);
    if (block->count > 0)
        lane->last_due_ns = block->due_ns[block->count - 1] - sender->start_ns;
}

bool ps_lane_feed(struct ps_lane *lane, uint64_t now_ns)
{
    struct ps_sender *sender = lane->sender;
    struct ps_load_block *block = sender->free;
    if (lane->outstanding == sender->blocks_per_lane) {
        lane->starved = true;
        return false;
    }
    PS_ASSERT(block != NULL);
    struct ps_load_block *next = block->next;
    block_fill(lane, block, now_ns);
    if (block->count == 0) { /* a closed shape's time is over */
        block->next = next;
        return true;
    }
    sender->free = next;
    if (!sender->config.shape->closed)
        errors_record(lane, block, ps_lane_now(lane));
    ps_statistics_add(&sender->statistics.sent, block->count);
    lane->outstanding++;
    sender->config.ops->give(lane->state, block);
    return true;
}

/* ---- work ---- */

static void poll_update(struct ps_lane *lane)
{
    struct ps_sender *sender = lane->sender;
    short events = 0;
    if (sender->pacer.epoll < 0)
        return;
    int fd = sender->config.ops->descriptor(lane->state, &events);
    if (events == 0)
        fd = -1;
    if (fd < 0)
        events = 0;
    if (fd == lane->polled_fd && events == lane->polled_events)
        return;
    struct epoll_event event = {.events = (uint32_t)events, .data.u32 = lane->index};
    if (lane->polled_fd >= 0 && lane->polled_fd != fd)
        epoll_ctl(sender->pacer.epoll, EPOLL_CTL_DEL, lane->polled_fd, NULL);
    lane->polled_fd = -1;
    lane->polled_events = 0;
    if (fd < 0)
        return;
    if (epoll_ctl(sender->pacer.epoll, EPOLL_CTL_MOD, fd, &event) != 0 &&
        epoll_ctl(sender->pacer.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return;
    lane->polled_fd = fd;
    lane->polled_events = events;
}

void ps_lane_work(struct ps_lane *lane, uint64_t now_ns)
{
    struct ps_sender *sender = lane->sender;
    sender->work_ns[lane->index] = PS_NEVER; /* blocks returned by the target may change it */
    uint64_t again_ns = sender->config.ops->work(lane->state, now_ns);
    if (again_ns < sender->work_ns[lane->index])
        sender->work_ns[lane->index] = again_ns;
    poll_update(lane);
}

void ps_lane_descriptor_changed(struct ps_lane *lane)
{
    lane->polled_fd = -1;
    lane->polled_events = 0;
}

/* ---- what targets report ---- */

/* Counts completed or failed events; when the whole block is done it goes back to the sender. */
static void block_advance(struct ps_lane *lane, struct ps_load_block *block, uint32_t count)
{
    struct ps_sender *sender = lane->sender;
    block->completed += count;
    if (block->completed < block->count)
        return;
    PS_ASSERT(lane->outstanding > 0);
    lane->outstanding--;
    block->next = sender->free;
    sender->free = block;
    if (lane->starved) {
        lane->starved = false;
        lane->freed_ns = ps_lane_now(lane);
        sender->due_ns[lane->index] =
            ps_lane_given(lane) ? PS_NEVER : sender->start_ns + lane->schedule.next_ns;
    }
}

void ps_lane_completed(struct ps_lane *lane, struct ps_load_block *block, uint32_t count, uint64_t now_ns)
{
    struct ps_statistics *statistics = &lane->sender->statistics;
    uint32_t first = block->completed, end = first + count;
    PS_ASSERT(end <= block->count);
    if (count == 0)
        return;
    struct tally latency = {.histogram = &statistics->latency_ns};
    for (uint32_t i = first; i < end; i++)
        tally_add(&latency, now_ns > block->due_ns[i] ? now_ns - block->due_ns[i] : 0);
    tally_flush(&latency);
    ps_statistics_add(&statistics->bytes, block->ends[end - 1] - (first > 0 ? block->ends[first - 1] : 0));
    ps_statistics_add(&statistics->completed, count);
    ps_statistics_add(&lane->completed, count);
    lane->last_completed_ns = now_ns;
    block_advance(lane, block, count);
}

static void reason_show(struct ps_sender *sender, const char *reason)
{
    pthread_mutex_lock(&sender->lock);
    snprintf(sender->last_reason, sizeof sender->last_reason, "%s", reason);
    pthread_mutex_unlock(&sender->lock);
}

/* Stores the reason of any error. */
static void reason_note(struct ps_sender *sender, const char *reason)
{
    reason_show(sender, reason);
    ps_statistics_add(&sender->statistics.reasons, 1);
}

void ps_lane_failed(struct ps_lane *lane, struct ps_load_block *block, uint32_t count, const char *reason)
{
    struct ps_sender *sender = lane->sender;
    PS_ASSERT(block->completed + count <= block->count);
    if (count == 0)
        return;
    for (size_t i = 0; i < PS_SENDER_REASONS; i++) {
        struct ps_sender_reason *kind = &sender->reasons[i];
        bool fresh = kind->count == 0;
        if (fresh) {
            snprintf(kind->text, sizeof kind->text, "%s", reason);
            reason_show(sender, reason);
        }
        if (fresh || strncmp(kind->text, reason, sizeof kind->text - 1) == 0 || i + 1 == PS_SENDER_REASONS) {
            kind->count += count;
            break;
        }
    }
    ps_statistics_add(&lane->failed, count);
    ps_statistics_add(&sender->statistics.reasons, 1);
    ps_statistics_add(&sender->statistics.failed, count);
    block_advance(lane, block, count);
}

/* An outage lasts while at least one lane with work to do is down. */
static void outage_begin(struct ps_sender *sender, uint64_t now_ns, const char *reason)
{
    sender->down_since_ns = now_ns;
    if (sender->outage_count < PS_SENDER_OUTAGES) {
        struct ps_outage *outage = &sender->outages[sender->outage_count];
        outage->from_ns = now_ns;
        outage->to_ns = 0;
        snprintf(outage->reason, sizeof outage->reason, "%s", reason);
    }
    sender->outage_count++;
}

void ps_lane_down(struct ps_lane *lane, uint64_t now_ns, const char *reason)
{
    struct ps_sender *sender = lane->sender;
    ps_lane_descriptor_changed(lane);
    reason_note(sender, reason);
    if (lane->up)
        ps_statistics_add(&sender->statistics.memory_up, UINT64_MAX); /* minus one */
    lane->up = false;
    if (lane->down || (ps_lane_given(lane) && lane->outstanding == 0))
        return;
    lane->down = true;
    ps_statistics_add(&sender->statistics.downs, 1);
    ps_statistics_add(&sender->statistics.memory_down, 1);
    if (sender->down_count++ == 0 && sender->start_ns != 0)
        outage_begin(sender, now_ns, reason);
}

void ps_lane_up(struct ps_lane *lane, uint64_t now_ns)
{
    struct ps_sender *sender = lane->sender;
    ps_lane_descriptor_changed(lane);
    if (!lane->up)
        ps_statistics_add(&sender->statistics.memory_up, 1);
    lane->up = lane->seen_up = true;
    if (!lane->down)
        return;
    lane->down = false;
    ps_statistics_add(&sender->statistics.memory_down, UINT64_MAX);
    if (--sender->down_count > 0 || sender->down_since_ns == 0)
        return;
    sender->down_since_ns = 0;
    if (sender->outage_count <= PS_SENDER_OUTAGES)
        sender->outages[sender->outage_count - 1].to_ns = now_ns;
}

void ps_lane_target_gone(struct ps_lane *lane)
{
    __atomic_store_n(&lane->sender->target_gone, 1, __ATOMIC_RELAXED);
}

uint64_t ps_lane_retry_at(struct ps_lane *lane, unsigned failures, uint64_t now_ns)
{
    uint64_t wait_ns = ps_backoff_doubled(RETRY_FIRST_NS, RETRY_MAX_NS, failures);
    return now_ns + ps_backoff_spread(wait_ns, 4, ps_random_next(&lane->random));
}
