#include "bench/load/lane/kafka_flow.h"

#include "core/clock.h"
#include "stages/lib/kafka/errors.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RESULT_DELIVERED INT16_MAX
/* the event is longer than message.max.bytes: it is never submitted */
#define RESULT_TOO_LONG (INT16_MAX - 1)

#define POLL_MAX 8192U /* reports handled in one call */
#define SUBMIT_MAX 8U  /* blocks submitted in one call */
#define WAVE_BYTES (UINT64_C(1) << 20)
#define SILENCE_NS PS_NS_PER_S /* after this time beyond linger without a report an outage begins */
/* interval of checks until a broker has answered for the first time */
#define ANSWER_LOOK_NS (20 * PS_NS_PER_MS)
#define PURGE_NS (100 * PS_NS_PER_MS)
#define CLOSE_POLLS 200
#define CLOSE_POLL_NS 5000000L

/* A token is a block's address and an event's index in it. */
#define TOKEN_BITS 10U
_Static_assert(PS_LOAD_BLOCK_EVENTS <= 1U << TOKEN_BITS, "an event's number fits a token");

static void *token_make(const struct ps_load_block *block, uint32_t event)
{
    uintptr_t address = (uintptr_t)block;
    PS_ASSERT(address >> 48 == 0);
    return (void *)(address << TOKEN_BITS | event);
}

/* ---- open ---- */

/* The library's threads inherit the CPU mask of this thread, and a sender is often pinned to one CPU. */
struct affinity {
    bool known;
    cpu_set_t cpus;
};

static struct affinity unpin(void)
{
    struct affinity mine;
    cpu_set_t all;
    mine.known = sched_getaffinity(0, sizeof mine.cpus, &mine.cpus) == 0;
    memset(&all, 0xff, sizeof all); /* the kernel removes the CPUs that the process may not use */
    mine.known = mine.known && sched_setaffinity(0, sizeof all, &all) == 0;
    return mine;
}

static void pin_again(const struct affinity *mine)
{
    if (mine->known)
        sched_setaffinity(0, sizeof mine->cpus, &mine->cpus);
}

static enum ps_status make_producer(struct ps_kafka_flow *flow, struct ps_err *err)
{
    struct affinity mine = unpin();
    flow->producer = flow->plan->engine->create(&flow->config, err);
    pin_again(&mine);
    return flow->producer != NULL ? PS_OK : PS_FAIL;
}

static int32_t partition_of(const struct ps_kafka_flow_plan *plan, uint32_t number)
{
    return plan->by_source ? (int32_t)(number % (uint32_t)plan->partition_count) : plan->partition;
}

enum ps_status ps_kafka_flow_open(void *state, const void *plan_, struct ps_lane *lane, struct ps_err *err)
{
    struct ps_kafka_flow *flow = state;
    const struct ps_kafka_flow_plan *plan = flow->plan = plan_;
    flow->lane = lane;
    flow->partition = partition_of(plan, ps_lane_number(lane));
    for (size_t i = 0; i < PS_KAFKA_FLOW_BLOCKS_MAX; i++) {
        flow->slots[i].free = flow->free;
        flow->free = &flow->slots[i];
    }
    flow->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (flow->wake_fd < 0)
        return ps_err_set(err, "cannot create an eventfd: %s", strerror(errno));
    flow->config = (struct ps_kafka_producer_config){
        .settings = &plan->settings,
        .wake_fd = flow->wake_fd,
    };
    if (make_producer(flow, err) == PS_OK)
        return PS_OK;
    close(flow->wake_fd);
    return PS_FAIL;
}

void ps_kafka_flow_give(void *state, struct ps_load_block *block)
{
    struct ps_kafka_flow *flow = state;
    struct ps_kafka_slot *slot = flow->free;
    PS_ASSERT(slot != NULL && block->count > 0);
    flow->free = slot->free;
    slot->settled = slot->failed = 0;
    slot->wave = 0;
    memset(slot->results, 0, block->count * sizeof *slot->results);
    block->target = slot;
    block->next = NULL;
    slot->before = flow->tail;
    if (flow->tail != NULL)
        flow->tail->next = block;
    else
        flow->head = block;
    flow->tail = block;
    if (flow->next == NULL) {
        flow->next = block;
        flow->next_event = 0;
    }
}

/* ---- outages ---- */

static void note_down(struct ps_kafka_flow *flow, const char *reason)
{
    flow->up = false;
    ps_lane_down(flow->lane, flow->now_ns, reason);
}

static void note_up(struct ps_kafka_flow *flow)
{
    flow->progress_ns = flow->now_ns;
    flow->failures = 0;
    if (flow->up)
        return;
    flow->up = true;
    ps_lane_up(flow->lane, flow->now_ns);
}

/* Stops submitting, purges the waiting records, and begins to collect every report. */
static void collect(struct ps_kafka_flow *flow, const char *reason)
{
    if (flow->phase != PS_KAFKA_FLOW_SENDING)
        return;
    flow->phase = PS_KAFKA_FLOW_COLLECTING;
    flow->plan->engine->purge(flow->producer, true);
    flow->purge_ns = flow->now_ns + PURGE_NS;
    note_down(flow, reason);
}

/* Marks all events without a result to be submitted again, from the first block on. */
static void rewind_all(struct ps_kafka_flow *flow)
{
    for (struct ps_load_block *block = flow->head; block != NULL; block = block->next)
        ((struct ps_kafka_slot *)block->target)->wave = 0;
    flow->next = flow->head;
    flow->next_event = flow->head != NULL ? flow->head->completed : 0;
    flow->full = false;
}

static void renew(struct ps_kafka_flow *flow)
{
    struct ps_err err = {0};
    if (flow->producer != NULL)
        flow->plan->engine->destroy(flow->producer);
    if (make_producer(flow, &err) != PS_OK) {
        flow->resume_ns = ps_lane_retry_at(flow->lane, flow->failures++, flow->now_ns);
        note_down(flow, err.text);
        return;
    }
    flow->phase = PS_KAFKA_FLOW_SENDING;
    flow->progress_ns = flow->now_ns;
    rewind_all(flow);
}

/* ---- reports ---- */

static void settle(struct ps_load_block *block, uint32_t event, int16_t result)
{
    struct ps_kafka_slot *slot = block->target;
    PS_ASSERT(slot->results[event] == 0);
    slot->results[event] = result;
    slot->settled++;
    slot->failed += result != RESULT_DELIVERED;
}

/* Returns whether events with this code are refused for good. */
static bool is_final(int code)
{
    enum ps_kafka_outcome outcome = ps_kafka_error_find(code)->outcome;
    return code == PS_KAFKA_LIBRARY_MSG_TIMED_OUT || outcome == PS_KAFKA_SPLIT || outcome == PS_KAFKA_BLAME;
}

static const char *reason_of(int16_t result, char *text, size_t room)
{
    if (result == RESULT_TOO_LONG)
        return "the record is larger than kafka.message.max.bytes";
    const struct ps_kafka_error *error = ps_kafka_error_find(result);
    snprintf(text, room, "%s: %s", error->name,
             result == PS_KAFKA_LIBRARY_MSG_TIMED_OUT ? "not delivered within kafka.message.timeout.ms"
                                                      : error->meaning);
    return text;
}

/* Counts the events at the front of the block that have the same result. */
static uint32_t front_length(const struct ps_load_block *block, const struct ps_kafka_slot *slot)
{
    uint32_t from = block->completed, count = 0;
    if (slot->settled == block->count && slot->failed == 0)
        return block->count - from;
    while (from + count < block->count && slot->results[from + count] == slot->results[from])
        count++;
    return slot->results[from] != 0 ? count : 0;
}

/* Removes the block from the list before it goes back to the lane. */
static void block_unlink(struct ps_kafka_flow *flow, struct ps_load_block *block)
{
    struct ps_kafka_slot *slot = block->target;
    if (flow->next == block) { /* its remaining events already had results */
        flow->next = block->next;
        flow->next_event = block->next != NULL ? block->next->completed : 0;
    }
    if (slot->before != NULL)
        slot->before->next = block->next;
    else
        flow->head = block->next;
    if (block->next != NULL)
        ((struct ps_kafka_slot *)block->next->target)->before = slot->before;
    else
        flow->tail = slot->before;
    slot->free = flow->free;
    flow->free = slot;
}

/* Completes the events at the block's front that have results. */
static void complete(struct ps_kafka_flow *flow, struct ps_load_block *block)
{
    struct ps_kafka_slot *slot = block->target;
    char text[256];
    for (bool more = true; more;) {
        uint32_t count = slot->settled > block->completed ? front_length(block, slot) : 0;
        if (count == 0)
            return;
        int16_t result = slot->results[block->completed];
        more = block->completed + count < block->count;
        if (!more)
            block_unlink(flow, block);
        if (result == RESULT_DELIVERED)
            ps_lane_completed(flow->lane, block, count, flow->now_ns);
        else
            ps_lane_failed(flow->lane, block, count, reason_of(result, text, sizeof text));
    }
}

static void on_report(void *argument, const struct ps_kafka_report *report)
{
    struct ps_kafka_flow *flow = argument;
    flow->now_ns = ps_lane_now(flow->lane);
    PS_ASSERT(flow->in_flight >= report->count);
    flow->in_flight -= report->count;
    flow->full = false;
    if (report->error != PS_KAFKA_OK && !is_final(report->error)) {
        if (ps_kafka_error_find(report->error)->outcome != PS_KAFKA_PURGED)
            collect(flow, ps_kafka_error_find(report->error)->meaning);
        return;
    }
    int16_t result = report->error == PS_KAFKA_OK ? RESULT_DELIVERED : (int16_t)report->error;
    struct ps_load_block *block = NULL;
    for (uint32_t i = 0; i < report->count; i++) {
        uintptr_t token = (uintptr_t)report->tokens[i];
        struct ps_load_block *of = (struct ps_load_block *)(token >> TOKEN_BITS);
        if (of != block && block != NULL)
            complete(flow, block);
        block = of;
        settle(block, token & ((1U << TOKEN_BITS) - 1), result);
    }
    if (block != NULL)
        complete(flow, block);
    if (flow->phase == PS_KAFKA_FLOW_SENDING)
        note_up(flow);
}

static void on_notice(void *argument, const struct ps_kafka_notice *notice)
{
    struct ps_kafka_flow *flow = argument;
    if (notice->kind != PS_KAFKA_NOTICE_ERROR && notice->kind != PS_KAFKA_NOTICE_FATAL)
        return;
    /* ALL_BROKERS_DOWN follows from an earlier error, which gives the cause */
    if (notice->code != PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN || flow->reason[0] == '\0')
        snprintf(flow->reason, sizeof flow->reason, "%s", notice->text);
    if (notice->kind == PS_KAFKA_NOTICE_FATAL)
        collect(flow, notice->text);
    else if (notice->code == PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN)
        note_down(flow, flow->reason);
}

/* ---- submitting ---- */

static bool wave_is_over(const struct ps_kafka_flow *flow)
{
    return flow->in_flight == 0 || flow->wave_bytes >= WAVE_BYTES ||
           flow->now_ns >= flow->wave_ns + flow->plan->linger_ns;
}

/* Returns whether the next block may be submitted now; assigns it to a wave. */
static bool may_submit(struct ps_kafka_flow *flow)
{
    struct ps_kafka_slot *slot = flow->next->target;
    const struct ps_kafka_slot *oldest = flow->head->target;
    if (slot->wave != 0)
        return true;
    if (wave_is_over(flow)) {
        if (flow->plan->waves_max > 0 && flow->plan->linger_ns > 0 && flow->in_flight > 0 &&
            oldest->wave != 0 && flow->wave - oldest->wave + 1 >= flow->plan->waves_max)
            return false;
        flow->wave++;
        flow->wave_ns = flow->now_ns;
        flow->wave_bytes = 0;
    }
    slot->wave = flow->wave;
    flow->wave_bytes += flow->next->ends[flow->next->count - 1];
    return true;
}

static void key_set(struct ps_kafka_flow *flow, struct ps_kafka_record *record, uint32_t index,
                    uint64_t sequence)
{
    if (flow->plan->key == PS_KAFKA_KEY_NONE)
        return;
    uint64_t number = flow->plan->key == PS_KAFKA_KEY_SOURCE ? ps_lane_number(flow->lane) : sequence;
    record->key = flow->keys[index];
    record->key_length = (uint32_t)snprintf(flow->keys[index], PS_KAFKA_FLOW_KEY_BYTES, "%" PRIu64, number);
}

/* Makes records of the next block from `*at` on, without events that have a result; sets *at to the index
 * after the last event examined. */
static uint32_t records_make(struct ps_kafka_flow *flow, uint32_t *at)
{
    struct ps_load_block *block = flow->next;
    struct ps_kafka_slot *slot = block->target;
    uint32_t count = 0, begin = *at > 0 ? block->ends[*at - 1] : 0;
    for (; *at < block->count && count < PS_KAFKA_FLOW_RUN_MAX; begin = block->ends[*at], (*at)++) {
        uint32_t length = block->ends[*at] - begin;
        if (PS_UNLIKELY(slot->results[*at] != 0))
            continue;
        if (PS_UNLIKELY(length > flow->plan->value_bytes_max)) {
            settle(block, *at, RESULT_TOO_LONG);
            continue;
        }
        flow->records[count] = (struct ps_kafka_record){
            .value = block->bytes + begin,
            .value_length = length,
            .partition = flow->partition,
            .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
            .token = token_make(block, *at),
        };
        key_set(flow, &flow->records[count], count, block->first_sequence + *at);
        count++;
    }
    return count;
}

/* Handles a record that the library does not accept. */
static void refused(struct ps_kafka_flow *flow, void *token, int error)
{
    uintptr_t number = (uintptr_t)token & ((1U << TOKEN_BITS) - 1);
    flow->next_event = (uint32_t)number;
    if (error == PS_KAFKA_FULL) {
        flow->full = true;
    } else if (is_final(error)) {
        settle(flow->next, (uint32_t)number, (int16_t)error);
        flow->next_event++;
    } else {
        collect(flow, ps_kafka_error_find(error)->meaning);
    }
}

/* Submits some events of the next block. */
static void submit_some(struct ps_kafka_flow *flow, struct ps_kafka_topic *topic)
{
    struct ps_load_block *block = flow->next;
    uint32_t end = flow->next_event;
    int error = 0;
    uint32_t count = records_make(flow, &end);
    uint32_t taken = 0;
    if (count > 0)
        taken = flow->plan->engine->submit(flow->producer, topic, flow->records, count, &error);
    flow->in_flight += taken;
    if (taken < count)
        refused(flow, flow->records[taken].token, error);
    else
        flow->next_event = end;
    /* The library accepted these records but takes no more for now: the topic's partitions are not known yet. */
    if (taken == count && error == PS_KAFKA_FULL)
        flow->full = true;
    if (flow->next_event == flow->next->count) {
        flow->next = flow->next->next;
        flow->next_event = flow->next != NULL ? flow->next->completed : 0;
    }
    complete(flow, block); /* events that were refused immediately */
}

/* Returns true when more could be submitted now. */
static bool submit(struct ps_kafka_flow *flow)
{
    const struct ps_kafka_flow_plan *plan = flow->plan;
    unsigned blocks = 0;
    if (flow->next == NULL || flow->full)
        return false;
    struct ps_kafka_topic *topic =
        plan->engine->topic(flow->producer, plan->topic, (uint32_t)strlen(plan->topic));
    PS_ASSERT(topic != NULL);
    while (flow->next != NULL && !flow->full && flow->phase == PS_KAFKA_FLOW_SENDING) {
        const struct ps_load_block *block = flow->next;
        if (!may_submit(flow))
            return false;
        if (flow->in_flight == 0)
            flow->progress_ns = flow->now_ns;
        submit_some(flow, topic);
        if (flow->next != block && ++blocks == SUBMIT_MAX)
            return flow->next != NULL;
    }
    return false;
}

/* ---- the cycle ---- */

static bool poll_reports(struct ps_kafka_flow *flow)
{
    const struct ps_kafka_listener listener = {.report = on_report, .notice = on_notice, .argument = flow};
    bool more = flow->plan->engine->poll(flow->producer, &listener, POLL_MAX) >= POLL_MAX;
    return more;
}

/* Begins an outage when no delivery report came for a while: the connection to a broker that hangs does not break.
 * Returns when to check again. */
static uint64_t check_stall(struct ps_kafka_flow *flow)
{
    uint64_t deadline = flow->progress_ns + flow->plan->linger_ns + SILENCE_NS;
    if (flow->in_flight == 0)
        return PS_NEVER;
    if (flow->now_ns < deadline)
        return deadline;
    if (flow->up)
        note_down(flow,
                  flow->reason[0] != '\0' ? flow->reason : "no delivery report has arrived for a second");
    return PS_NEVER;
}

static uint64_t go_on_collecting(struct ps_kafka_flow *flow)
{
    if (flow->in_flight > 0) {
        /* purges again: the first purge leaves records that the library was retrying */
        if (flow->now_ns >= flow->purge_ns) {
            flow->plan->engine->purge(flow->producer, true);
            flow->purge_ns = flow->now_ns + PURGE_NS;
        }
        return flow->purge_ns;
    }
    flow->phase = PS_KAFKA_FLOW_RESTING;
    flow->resume_ns = ps_lane_retry_at(flow->lane, flow->failures++, flow->now_ns);
    return flow->resume_ns;
}

static void wake_take(struct ps_kafka_flow *flow)
{
    uint64_t count;
    (void)!read(flow->wake_fd, &count, sizeof count);
}

/* Returns whether a broker has answered. Until then errors are shown as the reason why the run does not begin. */
static bool begin(struct ps_kafka_flow *flow)
{
    const struct ps_kafka_flow_plan *plan = flow->plan;
    PS_ASSERT(plan->engine->topic(flow->producer, plan->topic, (uint32_t)strlen(plan->topic)) != NULL);
    (void)poll_reports(flow);
    if (flow->phase != PS_KAFKA_FLOW_SENDING) /* a fatal error: another producer will be made */
        return true;
    flow->begun = plan->engine->answered(flow->producer);
    if (flow->begun)
        note_up(flow);
    else if (flow->reason[0] != '\0')
        note_down(flow, flow->reason);
    flow->reason[0] = '\0';
    return flow->begun;
}

uint64_t ps_kafka_flow_work(void *state, uint64_t now_ns)
{
    struct ps_kafka_flow *flow = state;
    flow->now_ns = now_ns;
    if (!flow->begun && flow->phase == PS_KAFKA_FLOW_SENDING && !begin(flow)) {
        wake_take(flow);
        return now_ns + ANSWER_LOOK_NS;
    }
    wake_take(flow);
    if (flow->phase == PS_KAFKA_FLOW_RESTING && now_ns >= flow->resume_ns)
        renew(flow);
    bool more = flow->producer != NULL && poll_reports(flow);
    if (flow->phase == PS_KAFKA_FLOW_COLLECTING)
        return more ? now_ns : go_on_collecting(flow);
    if (flow->phase == PS_KAFKA_FLOW_RESTING)
        return flow->resume_ns;
    more = submit(flow) || more;
    if (more)
        return now_ns;
    return flow->phase == PS_KAFKA_FLOW_SENDING ? check_stall(flow) : now_ns;
}

void ps_kafka_flow_close(void *state)
{
    struct ps_kafka_flow *flow = state;
    const struct ps_kafka_listener listener = {.report = on_report, .notice = on_notice, .argument = flow};
    if (flow->producer != NULL) {
        flow->phase = PS_KAFKA_FLOW_COLLECTING;
        if (flow->in_flight > 0)
            flow->plan->engine->purge(flow->producer, true);
        for (unsigned i = 0; i < CLOSE_POLLS && flow->in_flight > 0; i++) {
            flow->plan->engine->poll(flow->producer, &listener, POLL_MAX);
            nanosleep(&(struct timespec){.tv_nsec = CLOSE_POLL_NS}, NULL);
        }
        flow->plan->engine->destroy(flow->producer);
    }
    close(flow->wake_fd);
}
