#include "tests/support/fake_lane.h"

#include "core/clock.h"

#include <poll.h>
#include <stdio.h>

/* The target owns the pointers inside ps_load_block; this list has a pointer of its own. */
struct ps_test_block {
    struct ps_load_block block; /* first */
    struct ps_test_block *later;
};

static void block_free(struct ps_test_block *block)
{
    free(block->block.bytes);
    free(block);
}

/* ---- the functions of a lane that a target calls ---- */

/* Asserts the contract: events complete in the order they were given, unless the lane is `unordered`. */
static void settle(struct ps_lane *lane, struct ps_load_block *block, uint32_t count)
{
    struct ps_test_block **place = &lane->blocks;
    while (lane->unordered && *place != NULL && &(*place)->block != block)
        place = &(*place)->later;
    struct ps_test_block *mine = *place;
    assert_ptr_equal(block, mine);
    assert_true(count > 0);
    assert_true(block->completed + count <= block->count);
    block->completed += count;
    if (block->completed < block->count)
        return;
    *place = mine->later;
    lane->outstanding--;
    /* The peer finds foreign bytes if the target still sends from this block. */
    memset(block->bytes, '!', block->ends[block->count - 1]);
    block_free(mine);
}

void ps_lane_completed(struct ps_lane *lane, struct ps_load_block *block, uint32_t count, uint64_t now_ns)
{
    lane->completed += count;
    settle(lane, block, count);
}

void ps_lane_failed(struct ps_lane *lane, struct ps_load_block *block, uint32_t count, const char *reason)
{
    for (uint32_t i = 0; i < count && lane->failed_count < PS_TEST_FAILED_MAX; i++)
        lane->failed_list[lane->failed_count++] = block->first_sequence + block->completed + i;
    lane->failed += count;
    snprintf(lane->failure, sizeof lane->failure, "%s", reason);
    settle(lane, block, count);
}

void ps_lane_down(struct ps_lane *lane, uint64_t now_ns, const char *reason)
{
    lane->downs++;
    lane->down = true;
    lane->up = false;
    snprintf(lane->reason, sizeof lane->reason, "%s", reason);
}

void ps_lane_up(struct ps_lane *lane, uint64_t now_ns)
{
    lane->ups++;
    lane->up = true;
    lane->down = false;
}

uint64_t ps_lane_retry_at(struct ps_lane *lane, unsigned failures, uint64_t now_ns)
{
    if (failures + 1 > lane->failures_max)
        lane->failures_max = failures + 1;
    return now_ns + lane->back_off_ns;
}

uint32_t ps_lane_number(const struct ps_lane *lane)
{
    return lane->number;
}

uint64_t ps_lane_now(const struct ps_lane *lane)
{
    return ps_clock_now().mono_ns;
}

void ps_lane_descriptor_changed(struct ps_lane *lane)
{
}

/* ---- the sender ---- */

enum ps_status ps_test_lane_plan(const struct ps_target_ops *ops, const char *text, struct ps_err *err)
{
    struct ps_url url;
    void *plan = NULL;
    enum ps_framing framing = ops->framing;
    if (ps_url_parse(&url, text, err) != PS_OK)
        return PS_FAIL;
    enum ps_status status = ps_target_plan(ops, &url, &framing, &plan, err);
    if (status == PS_OK)
        status = ps_url_check(&url, err);
    ps_target_unplan(ops, plan);
    ps_url_fini(&url);
    return status;
}

void ps_test_lane_refused(const struct ps_target_ops *ops, const char *url, const char *part)
{
    struct ps_err err = {0};
    if (ps_test_lane_plan(ops, url, &err) == PS_OK)
        fail_msg("%s was accepted", url);
    if (strstr(err.text, part) == NULL)
        fail_msg("%s: \"%s\" does not contain \"%s\"", url, err.text, part);
}

void ps_test_lane_open(struct ps_lane *lane, const struct ps_target_ops *ops, const char *text)
{
    struct ps_err err = {0};
    uint32_t number = lane->number;
    bool unordered = lane->unordered;
    *lane = (struct ps_lane){.ops = ops, .framing = ops->framing, .number = number, .unordered = unordered};
    lane->back_off_ns = 5 * PS_NS_PER_MS;
    enum ps_status status = ps_url_parse(&lane->url, text, &err);
    if (status == PS_OK)
        status = ps_target_plan(ops, &lane->url, &lane->framing, &lane->plan, &err);
    if (status == PS_OK)
        status = ps_url_check(&lane->url, &err);
    if (status == PS_OK)
        status = ps_target_open(ops, lane->plan, lane, &lane->state, &err);
    if (status != PS_OK)
        fail_msg("%s: %s", text, err.text);
}

void ps_test_lane_close(struct ps_lane *lane)
{
    ps_target_close(lane->ops, lane->state);
    ps_target_unplan(lane->ops, lane->plan);
    ps_url_fini(&lane->url);
    while (lane->blocks != NULL) {
        struct ps_test_block *block = lane->blocks;
        lane->blocks = block->later;
        block_free(block);
    }
}

bool ps_test_lane_has_room(const struct ps_lane *lane)
{
    return lane->outstanding < lane->ops->blocks_max;
}

void ps_test_lane_give(struct ps_lane *lane, uint32_t count, struct ps_test_event_size size)
{
    assert_true(ps_test_lane_has_room(lane) && count > 0 && count <= PS_LOAD_BLOCK_EVENTS);
    struct ps_test_block *mine = calloc(1, sizeof *mine);
    assert_non_null(mine);
    struct ps_load_block *block = &mine->block;
    block->bytes = malloc((size_t)count * (size.high + 32));
    assert_non_null(block->bytes);
    block->count = count;
    block->first_sequence = lane->given;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        at += ps_test_lane_event(lane->given + i, size, lane->framing, block->bytes + at);
        if (lane->framing == PS_FRAMING_NEWLINE)
            block->bytes[at++] = '\n';
        block->ends[i] = at;
    }
    block->bytes = realloc(block->bytes, at); /* exact size: a sanitizer detects reads past the end */
    assert_non_null(block->bytes);
    lane->given += count;
    lane->outstanding++;
    struct ps_test_block **end = &lane->blocks;
    while (*end != NULL)
        end = &(*end)->later;
    *end = mine;
    lane->ops->give(lane->state, block);
}

void ps_test_lane_turn(struct ps_lane *lane, int timeout_ms)
{
    uint64_t now = ps_clock_now().mono_ns;
    uint64_t again = lane->ops->work(lane->state, now);
    short events = 0;
    struct pollfd poll_fd = {.fd = lane->ops->descriptor(lane->state, &events)};
    poll_fd.events = events;
    now = ps_clock_now().mono_ns;
    if (again != PS_NEVER) {
        uint64_t left = again > now ? (again - now) / PS_NS_PER_MS : 0;
        if (left < (uint64_t)timeout_ms)
            timeout_ms = (int)left;
    }
    poll(&poll_fd, poll_fd.fd >= 0 ? 1 : 0, timeout_ms);
}

bool ps_test_lane_run(struct ps_lane *lane, unsigned patience_ms, bool (*done)(void *argument),
                      void *argument)
{
    uint64_t deadline = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    for (;;) {
        if (done != NULL ? done(argument) : lane->outstanding == 0)
            return true;
        if (ps_test_wait_ns(patience_ms) >= deadline)
            return false;
        ps_test_lane_turn(lane, 5);
    }
}

bool ps_test_lane_send(struct ps_lane *lane, uint64_t events, uint32_t per_block,
                       struct ps_test_event_size size, unsigned patience_ms)
{
    uint64_t deadline = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    uint64_t end = lane->given + events;
    while (lane->given < end || lane->outstanding > 0) {
        while (lane->given < end && ps_test_lane_has_room(lane)) {
            uint64_t left = end - lane->given;
            ps_test_lane_give(lane, left < per_block ? (uint32_t)left : per_block, size);
        }
        if (ps_test_wait_ns(patience_ms) >= deadline)
            return false;
        ps_test_lane_turn(lane, 5);
    }
    return true;
}

bool ps_test_lane_finish(struct ps_lane *lane, unsigned patience_ms)
{
    uint64_t deadline = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    while (!lane->ops->finish(lane->state, ps_clock_now().mono_ns)) {
        if (ps_test_wait_ns(patience_ms) >= deadline)
            return false;
        ps_test_lane_turn(lane, 5);
    }
    return true;
}
