/* The part of tests/support/stage.h that runs a source. */
#include "core/flow/identity.h"
#include "tests/support/stage.h"

#include <sys/epoll.h>
#include <unistd.h>

struct ps_batch *ps_test_stage_take_batch(struct ps_test_stage *stage)
{
    struct ps_batch *batch = ps_batch_take(&stage->bump, stage->now);
    if (batch != NULL)
        stage->batches[stage->batch_count++] = batch;
    return batch;
}

/* Opens the batch that `work` fills, unless one is open. */
static void open_batch(struct ps_test_stage *stage)
{
    if (stage->batch == NULL)
        stage->batch = ps_test_stage_take_batch(stage);
    assert_non_null(stage->batch);
}

enum ps_result ps_test_source_work(struct ps_test_stage *stage)
{
    if (stage->ops->source->tick != NULL)
        stage->ops->source->tick(stage->plan, stage->state, &stage->now);
    open_batch(stage);
    enum ps_result result = stage->ops->source->work(stage->plan, stage->state, stage->batch, &stage->now);
    if (stage->batch->full || stage->batch->flush)
        ps_test_source_close_batch(stage);
    return result;
}

void ps_test_source_cycle(struct ps_test_stage *stage)
{
    (void)ps_test_source_work(stage);
    if (stage->batch != NULL && stage->batch->count > 0)
        ps_test_source_close_batch(stage);
    if (stage->batch == NULL)
        ps_test_stage_recycle(stage);
}

void ps_test_source_read(struct ps_test_stage *stage)
{
    open_batch(stage);
    (void)stage->ops->source->work(stage->plan, stage->state, stage->batch, &stage->now);
}

void ps_test_source_fill(struct ps_test_stage *stage, uint32_t events)
{
    open_batch(stage);
    for (unsigned i = 0; stage->batch->count < events; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        ps_test_source_read(stage);
        usleep(1000);
    }
}

/* A name is as interceptors, selectors and sinks look for it: by its hash, after a look at the masks of the batch and the event. */
static void expect_name(const struct ps_name *name, uint64_t mask_of_event, uint64_t mask_of_batch)
{
    uint32_t hash = ps_name_hash(name->text, name->length);
    if (name->hash != hash || name->mask != ps_name_mask(hash) || (name->mask & ~mask_of_event) != 0 ||
        (name->mask & ~mask_of_batch) != 0)
        fail_msg("nobody finds the header %s: hash %u, not %u, or its bit is missing in a mask", name->text,
                 name->hash, hash);
}

/* Asserts what the engine and the stages behind a source take for granted of its batches: headers can be found, and each row owes at
 * most one answer, tickets in order. */
static void expect_sound(const struct ps_batch *batch)
{
    for (uint32_t row = 0; row < batch->count; row++) {
        const struct ps_event *event = &batch->events[row];
        for (const struct ps_header *header = event->headers; header != NULL; header = header->next)
            expect_name(header->name, event->mask, batch->own_mask);
    }
    for (const struct ps_header *header = batch->shared; header != NULL; header = header->next)
        expect_name(header->name, batch->shared_mask, batch->shared_mask);
    uint32_t end = 0;
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next) {
        if (ticket->events_end > batch->count || ticket->events_end < end ||
            ticket->events > ticket->events_end - end)
            fail_msg("a ticket of %u events up to row %u, behind one up to row %u, in a batch of %u",
                     ticket->events, ticket->events_end, end, batch->count);
        end = ticket->events_end;
    }
}

static const char *identity_text(struct ps_test_stage *stage, struct ps_batch *batch, uint32_t row)
{
    const struct ps_lease all = {.batch = batch};
    char text[PS_IDENTITY_TEXT_BYTES];
    struct ps_identity identity;
    return ps_event_identity(&all, row, &identity)
               ? ps_arena_copy(stage->arena, text, ps_identity_text(&identity, text))
               : "";
}

struct ps_batch *ps_test_source_put_batch(struct ps_test_stage *stage)
{
    struct ps_batch *batch = stage->batch;
    if (batch == NULL)
        return NULL;
    stage->batch = NULL;
    expect_sound(batch);
    ps_batch_close(batch);
    for (uint32_t row = 0; row < batch->count; row++) {
        if (stage->event_count == stage->event_room) {
            stage->event_room = stage->event_room == 0 ? 1024 : 2 * stage->event_room;
            stage->events = realloc(stage->events, stage->event_room * sizeof *stage->events);
            assert_non_null(stage->events);
        }
        stage->events[stage->event_count] = ps_test_event_copy(stage, batch, &batch->events[row]);
        stage->events[stage->event_count++].identity = identity_text(stage, batch, row);
    }
    if (stage->ops->source->accepted != NULL)
        stage->ops->source->accepted(stage->plan, stage->state, batch, &stage->now);
    return batch;
}

void ps_test_source_deliver_batch(struct ps_test_stage *stage, struct ps_batch *batch)
{
    if (stage->ops->source->delivered != NULL && stage->ops->source->needs >= PS_LEVEL_DURABLE)
        stage->ops->source->delivered(stage->plan, stage->state, batch, &stage->now);
    size_t at = stage->batch_count;
    while (at-- > 0 && stage->batches[at] != batch)
        ;
    assert_true(at < stage->batch_count);
    memmove(&stage->batches[at], &stage->batches[at + 1],
            (--stage->batch_count - at) * sizeof stage->batches[0]);
    ps_batch_give(batch);
}

void ps_test_source_close_batch(struct ps_test_stage *stage)
{
    struct ps_batch *batch = ps_test_source_put_batch(stage);
    if (batch != NULL)
        ps_test_source_deliver_batch(stage, batch);
}

void ps_test_source_refuse_batch(struct ps_test_stage *stage, const char *reason)
{
    struct ps_batch *batch = stage->batch;
    if (batch == NULL)
        return;
    stage->batch = NULL;
    ps_batch_close(batch);
    if (stage->ops->source->refused != NULL)
        stage->ops->source->refused(stage->plan, stage->state, batch, reason, &stage->now);
    stage->batch_count--;
    ps_batch_give(batch);
}

/* Waits up to 10 ms for something to read, and moves the fake clock by the time that passed. */
static void rest(struct ps_test_stage *stage)
{
    struct ps_now before = ps_clock_now();
    struct epoll_event event;
    (void)epoll_wait(stage->port.epoll_fd, &event, 1, 10);
    struct ps_now after = ps_clock_now();
    stage->now.mono_ns += after.mono_ns - before.mono_ns;
    stage->now.wall_ms += (int64_t)((after.mono_ns - before.mono_ns) / PS_NS_PER_MS);
}

static void work_and_close(struct ps_test_stage *stage)
{
    enum ps_result result = ps_test_source_work(stage);
    if (stage->batch != NULL && stage->batch->count > 0)
        ps_test_source_close_batch(stage);
    if (result != PS_DONE)
        rest(stage);
}

void ps_test_source_wait(struct ps_test_stage *stage, size_t count, unsigned patience_ms)
{
    uint64_t until = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    while (stage->event_count < count) {
        work_and_close(stage);
        if (stage->event_count < count && ps_test_wait_ns(patience_ms) > until)
            fail_msg("%zu events arrived in %u ms, expected %zu", stage->event_count, patience_ms, count);
    }
}

void ps_test_source_settle(struct ps_test_stage *stage, size_t count, unsigned quiet_ms)
{
    uint64_t until = ps_clock_now().mono_ns + quiet_ms * PS_NS_PER_MS;
    do /* at least once, however late this thread is */
        work_and_close(stage);
    while (ps_clock_now().mono_ns < until);
    assert_int_equal(stage->event_count, count);
}

void ps_test_source_clear(struct ps_test_stage *stage)
{
    stage->event_count = 0;
}
