/* Copies that wait for their original: what is decided about each at the limits of its times and for each state of the original, what a copy takes
 * over, and the list of the copies of one file. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/support.h"

#include <stdio.h>

#define NOW_NS (1000 * PS_NS_PER_S)
#define TICK_MAX 1024U /* copies of one tick */
#define TICK_NS (20 * PS_NS_PER_MS)

static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters};
static struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs"};
static struct ps_tail_settings settings;
static struct ps_tailer *tailer;
static unsigned made;

static int setup(void **unused)
{
    settings = (struct ps_tail_settings){.skip_to_end = false};
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &settings;
    tailer->port = &port;
    tailer->places = &place;
    tailer->place_count = 1;
    tailer->now_ns = NOW_NS;
    tailer->draining = true; /* no file is opened to be read; the limit of open files, 0, defers a check */
    made = 0;
    return 0;
}

static int teardown(void **unused)
{
    ps_tail_logs_free(tailer);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
    return 0;
}

static struct ps_tail_log *log_new(void)
{
    char name[32];
    snprintf(name, sizeof name, "app.%u", made);
    return ps_tail_log_add(
        tailer, 0, &(struct ps_tail_change){.group = 0, .device = 1, .inode = 1000 + made++, .name = name});
}

static struct ps_tail_mark mark_at(int64_t offset)
{
    return (struct ps_tail_mark){.offset = offset, .hash = (uint64_t)offset * 7, .length = 64};
}

/* ---- the list of copies ---- */

static void expect_copies(const struct ps_tail_log *original, const struct ps_tail_log *const *copies,
                          size_t count)
{
    const struct ps_tail_log *at = original->copies;
    for (size_t i = 0; i < count; i++, at = at->copy.next) {
        assert_ptr_equal(at, copies[i]);
        assert_ptr_equal(at->copy.original, original);
    }
    assert_null(at);
    assert_int_equal(ps_tail_copy_is_there(original), count > 0);
}

/* A copy leaves the list from its beginning, its middle and its end, and waits for another file. */
static void test_list(void **unused)
{
    struct ps_tail_log *original = log_new(), *other = log_new(), *logs[4];
    const struct ps_tail_mark mark = mark_at(5);
    for (size_t i = 0; i < PS_COUNT_OF(logs); i++) {
        logs[i] = log_new();
        ps_tail_copy_wait(tailer, logs[i], original, &mark);
        assert_int_equal(logs[i]->state, PS_TAIL_LOG_COPY);
        assert_int_equal(logs[i]->copy.mark.offset, 5);
        assert_true(logs[i]->copy.since_ns == NOW_NS && logs[i]->copy.matched_ns == NOW_NS &&
                    logs[i]->copy.until_ns == NOW_NS + PS_TAIL_GRACE_NS);
    }
    expect_copies(original, (const struct ps_tail_log *[]){logs[3], logs[2], logs[1], logs[0]}, 4);
    logs[2]->copy.grew = logs[2]->copy.pends = true;
    ps_tail_copy_end(logs[2]);
    assert_true(logs[2]->copy.original == NULL && logs[2]->copy.next == NULL);
    assert_false(logs[2]->copy.grew || logs[2]->copy.pends);
    expect_copies(original, (const struct ps_tail_log *[]){logs[3], logs[1], logs[0]}, 3);
    ps_tail_copy_end(logs[2]); /* again: nothing is left to do */
    ps_tail_copy_end(logs[0]);
    expect_copies(original, (const struct ps_tail_log *[]){logs[3], logs[1]}, 2);
    tailer->now_ns += PS_NS_PER_S;
    ps_tail_copy_wait(tailer, logs[3], other, &mark); /* compared again: the first wait counts on */
    assert_true(logs[3]->copy.since_ns == NOW_NS && logs[3]->copy.matched_ns == tailer->now_ns &&
                logs[3]->copy.until_ns == tailer->now_ns + PS_TAIL_GRACE_NS);
    expect_copies(original, (const struct ps_tail_log *[]){logs[1]}, 1);
    expect_copies(other, (const struct ps_tail_log *[]){logs[3]}, 1);
    ps_tail_copy_end(logs[1]);
    expect_copies(original, NULL, 0);
}

/* A copy that is shorter than its deleted original is compared at least twice, and waits while it grows, 2 s at most. */
static void test_pends(void **unused)
{
    struct ps_tail_log *original = log_new(), *log = log_new();
    const struct ps_tail_mark mark = mark_at(5);
    ps_tail_copy_wait(tailer, log, original, &mark);
    log->copy.since_ns = 0; /* as if it had not waited */
    assert_true(ps_tail_copy_pends(tailer, log, 10));
    assert_int_equal(log->state, PS_TAIL_LOG_COPY);
    assert_true(log->copy.pends && log->copy.original == NULL && original->copies == NULL);
    assert_true(log->copy.since_ns == NOW_NS && log->copy.until_ns == NOW_NS + PS_TAIL_GRACE_NS);
    tailer->now_ns++;
    assert_true(ps_tail_copy_pends(tailer, log, 11));
    assert_false(ps_tail_copy_pends(tailer, log, 11));
    assert_false(ps_tail_copy_pends(tailer, log, 9));
    assert_true(ps_tail_copy_pends(tailer, log, 10)); /* it grew since the last size that was noted */
    tailer->now_ns = NOW_NS + PS_TAIL_SETTLE_NS - 1;
    assert_true(ps_tail_copy_pends(tailer, log, 12));
    tailer->now_ns++;
    assert_false(ps_tail_copy_pends(tailer, log, 13));
    assert_int_equal(log->copy.since_ns, NOW_NS);
}

/* ---- decisions ---- */

enum outcome { WAITS, AGAIN, FREE, OVER };

struct situation {
    const char *what;
    enum outcome outcome;
    /* of the copy: before now, and after now */
    uint64_t since_ns, matched_ns;
    int64_t left_ns;
    int64_t mark;
    bool grew, pends, alone;
    /* of the original, which was read to 100 */
    bool gone, queued, waits, cut_waits, deferred, unreadable, opening, partial, undelivered, unchecked;
    bool asks; /* the original is to be opened */
};

#define S PS_NS_PER_S
#define MS PS_NS_PER_MS
#define USUAL .since_ns = 10 * S, .matched_ns = 10 * S, .mark = 100

static const struct situation situations[] = {
    {"the time is over", FREE, USUAL},
    {"a nanosecond is left", WAITS, USUAL, .left_ns = 1},
    {"the original was not checked since", WAITS, USUAL, .unchecked = true, .asks = true},
    {"the original is queued", WAITS, USUAL, .unchecked = true, .queued = true},
    {"the original waits", WAITS, USUAL, .unchecked = true, .waits = true},
    {"the original was cut", WAITS, USUAL, .unchecked = true, .cut_waits = true},
    {"the original is deferred", WAITS, USUAL, .unchecked = true, .deferred = true},
    {"the original is unreadable", WAITS, USUAL, .unchecked = true, .unreadable = true},
    {"the original is opened", WAITS, USUAL, .unchecked = true, .opening = true},
    {"the original was checked, and is queued", FREE, USUAL, .queued = true},
    {"the original has lines to be delivered", FREE, USUAL, .undelivered = true},
    {"those of an original that was cut", WAITS, USUAL, .undelivered = true, .cut_waits = true},
    {"those of an original that is gone", WAITS, USUAL, .undelivered = true, .gone = true},
    {"the original is gone", OVER, USUAL, .left_ns = 1, .gone = true},
    {"gone, and queued", WAITS, USUAL, .left_ns = 1, .gone = true, .queued = true},
    {"gone, and waits", WAITS, USUAL, .left_ns = 1, .gone = true, .waits = true},
    {"gone, and is opened", WAITS, USUAL, .left_ns = 1, .gone = true, .opening = true},
    {"gone, and was read further", WAITS, .since_ns = 2 * S - 1, .mark = 99, .left_ns = 1, .gone = true},
    {"the same 2 s later", OVER, .since_ns = 2 * S, .mark = 99, .left_ns = 1, .gone = true},
    {"gone, with a part of a line", OVER, USUAL, .left_ns = 1, .gone = true, .partial = true},
    {"without an original", FREE, USUAL, .left_ns = 1, .alone = true},
    {"a copy that grew", AGAIN, .since_ns = 250 * MS, .matched_ns = 250 * MS, .mark = 100, .grew = true,
     .left_ns = 1},
    {"a copy that grew just now", WAITS, .since_ns = 250 * MS, .matched_ns = 250 * MS - 1, .mark = 100,
     .grew = true, .left_ns = 1},
    {"a copy that has grown for long", AGAIN, .since_ns = 60 * S - 1, .matched_ns = 250 * MS, .mark = 100,
     .grew = true, .left_ns = 1},
    {"a copy that has grown for too long", WAITS, .since_ns = 60 * S, .matched_ns = 250 * MS, .mark = 100,
     .grew = true, .left_ns = 1},
    {"a copy that pends", AGAIN, .since_ns = 60 * S, .matched_ns = 250 * MS, .pends = true, .alone = true},
    {"a copy that pends just now", WAITS, .since_ns = 60 * S, .matched_ns = 250 * MS - 1, .pends = true,
     .alone = true},
};

static void decide(const struct situation *now)
{
    struct ps_tail_log *original = log_new(), *log = log_new();
    const struct ps_tail_mark mark = mark_at(now->mark);
    ps_tail_log_move(tailer, original, 100, now->undelivered ? 90 : 100);
    original->resolved = true;
    ps_tail_copy_wait(tailer, log, original, &mark);
    if (now->alone)
        ps_tail_copy_end(log);
    log->copy.since_ns = NOW_NS - now->since_ns;
    log->copy.matched_ns = NOW_NS - now->matched_ns;
    log->copy.until_ns = (uint64_t)((int64_t)NOW_NS + now->left_ns);
    log->copy.grew = now->grew;
    log->copy.pends = now->pends;
    log->resolved = true;
    if (now->gone)
        ps_tail_log_rename(tailer, original, NULL, false);
    original->queued = now->queued;
    original->waits = now->waits;
    original->cut_waits = now->cut_waits;
    original->deferred = now->deferred;
    original->unreadable = now->unreadable;
    original->partial = now->partial;
    original->state = now->opening ? PS_TAIL_LOG_OPENING : PS_TAIL_LOG_CLOSED;
    original->checked_ns = log->copy.until_ns - now->unchecked;
    assert_int_equal(ps_tail_copies_tick(tailer), now->outcome == WAITS ? NOW_NS + TICK_NS : PS_NEVER);
    enum outcome outcome = log->state == PS_TAIL_LOG_COPY ? WAITS
                           : !log->resolved               ? AGAIN
                           : log->before[0].pass == 0     ? FREE
                                                          : OVER;
    if (outcome != now->outcome)
        fail_msg("%s: outcome %d, and not %d", now->what, (int)outcome, (int)now->outcome);
    assert_int_equal(tailer->copies.count, outcome == WAITS);
    assert_int_equal(log->copy.original != NULL, outcome == WAITS && !now->alone);
    assert_int_equal(original->copies != NULL, log->copy.original != NULL);
    assert_int_equal(log->read_offset, outcome == OVER ? now->mark : 0);
    assert_int_equal(tailer->open.deferred.count, now->asks);
    assert_int_equal(original->deferred, now->asks || now->deferred);
    original->queued = original->waits = false;
}

static void test_decisions(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(situations); i++) {
        if (i > 0) {
            teardown(NULL);
            setup(NULL);
        }
        decide(&situations[i]);
    }
}

/* With skipToEnd a copy that was there at the start, and becomes a file of its own, is read from where it was compared to. */
static void test_set_free(void **unused)
{
    for (unsigned set = 0; set < 4; set++) {
        struct ps_tail_log *original = log_new(), *log = log_new();
        const struct ps_tail_mark mark = mark_at(70);
        bool skips = set == 3;
        settings.skip_to_end = (set & 1) != 0;
        log->found_at_start = (set & 2) != 0;
        ps_tail_copy_wait(tailer, log, original, &mark);
        log->copy.until_ns = original->checked_ns = tailer->now_ns = NOW_NS + set * PS_NS_PER_S;
        assert_int_equal(ps_tail_copies_tick(tailer), PS_NEVER);
        assert_true(log->state == PS_TAIL_LOG_CLOSED && log->resolved);
        assert_int_equal(log->read_offset, skips ? 70 : 0);
        assert_int_equal(log->delivered_offset, skips ? 70 : 0);
        assert_int_equal(log->marks.count, skips);
        assert_int_equal(ps_tail_marks_at(&log->marks, 70).hash, skips ? mark.hash : 0);
    }
    assert_int_equal(tailer->outstanding, 0);
}

/* A tick decides about 1,024 copies at most; the others have their turn in the next one, 20 ms later. */
static void test_many(void **unused)
{
    enum { MANY = TICK_MAX + 6 };
    struct ps_tail_log *original = log_new();
    const struct ps_tail_mark mark = mark_at(70);
    for (unsigned i = 0; i < MANY; i++) {
        struct ps_tail_log *log = log_new();
        ps_tail_copy_wait(tailer, log, original, &mark);
        log->copy.until_ns = original->checked_ns = NOW_NS;
    }
    assert_int_equal(ps_tail_copies_tick(tailer), NOW_NS + TICK_NS);
    assert_int_equal(tailer->copies.count, MANY - TICK_MAX);
    tailer->now_ns = NOW_NS + TICK_NS - 1;
    assert_int_equal(ps_tail_copies_tick(tailer), NOW_NS + TICK_NS);
    assert_int_equal(tailer->copies.count, MANY - TICK_MAX);
    tailer->now_ns++;
    assert_int_equal(ps_tail_copies_tick(tailer), PS_NEVER);
    assert_int_equal(tailer->copies.count, 0);
    assert_null(original->copies);
}

/* ---- what a copy takes over ---- */

static void expect_life(const struct ps_tail_life *life, uint32_t number, uint32_t pass, int64_t end)
{
    assert_int_equal(life->number, number);
    assert_int_equal(life->pass, pass);
    if (pass != 0)
        assert_int_equal(life->end, end);
}

/* The original was read to 200 and delivered to 150. Its copies are shorter, longer, and one has grown since it was compared. */
static void test_takes_over(void **unused)
{
    struct ps_tail_log *original = log_new(), *first = log_new(), *second = log_new(), *third = log_new();
    const struct ps_tail_mark marks[] = {mark_at(50), mark_at(100), mark_at(200), mark_at(300)};
    for (size_t i = 0; i < 3; i++)
        ps_tail_marks_add(&original->marks, &marks[i], 0);
    original->identity.head = 77;
    original->identity.head_length = 10;
    original->before[0] = (struct ps_tail_life){.number = 70, .pass = 3, .end = 40};
    original->before[1] = (struct ps_tail_life){.number = 71, .pass = 2, .end = 180};
    original->serial.own = 4711;
    ps_tail_log_index(tailer, original);
    ps_tail_log_move(tailer, original, 200, 150);
    ps_tail_copy_wait(tailer, third, original, &marks[1]);
    ps_tail_copy_changed(third);
    ps_tail_copy_takes_over(tailer, original);
    assert_true(third->state == PS_TAIL_LOG_CLOSED && !third->resolved && original->copies == NULL);
    assert_int_equal(original->identity.head_length, 10); /* no copy goes on in its place */
    assert_false(original->copied);
    ps_tail_copy_wait(tailer, first, original, &marks[1]);
    ps_tail_copy_wait(tailer, third, original, &marks[1]);
    ps_tail_copy_changed(third);
    ps_tail_copy_wait(tailer, second, original, &marks[3]);
    ps_tail_copy_takes_over(tailer, original);
    assert_true(third->state == PS_TAIL_LOG_CLOSED && !third->resolved && original->copies == NULL);
    assert_true(original->copied);
    assert_int_equal(original->identity.head_length, 0);
    const struct ps_tail_log *const logs[] = {first, second};
    static const int64_t offsets[] = {100, 200}, delivered[] = {100, 150};
    for (size_t i = 0; i < PS_COUNT_OF(logs); i++) {
        const struct ps_tail_log *log = logs[i];
        assert_true(log->resolved && log->state == PS_TAIL_LOG_CLOSED);
        assert_int_equal(log->read_offset, offsets[i]);
        assert_int_equal(log->delivered_offset, delivered[i]);
        assert_int_equal(log->marks.count, 2 + i);
        assert_int_equal(ps_tail_marks_at(&log->marks, offsets[i]).hash, offsets[i] * 7);
        assert_int_equal(log->identity.head, 77);
        expect_life(&log->before[0], original->number, original->pass, offsets[i]);
        expect_life(&log->before[1], 70, 3, 40);
        expect_life(&log->before[2], 71, 2, offsets[i] < 180 ? offsets[i] : 180);
        expect_life(&log->before[3], 0, 0, 0);
    }
    /* The one that has all of it has the number of the lines that follow, the other one only that of the lines before. */
    assert_int_equal(ps_tail_serial_at(&second->serial, 200), 4711);
    assert_int_equal(ps_tail_serial_at(&first->serial, 99), 4711);
    assert_int_not_equal(ps_tail_serial_at(&first->serial, 100), 4711);
    assert_int_not_equal(ps_tail_serial_at(&original->serial, 200), 4711);
    assert_int_equal(tailer->outstanding, 2); /* the original, and the second copy */
}

/* When the source ends, the copies that wait because they may grow are compared once more, a limited number in each call. */
static void test_at_end(void **unused)
{
    enum { FILES = TICK_MAX + 2 };
    static struct ps_tail_log *logs[FILES];
    struct ps_tail_log *original = log_new(), *waits = log_new();
    const struct ps_tail_mark mark = mark_at(5);
    ps_tail_copy_wait(tailer, waits, original, &mark);
    for (unsigned i = 0; i < FILES; i++) {
        logs[i] = log_new();
        assert_true(ps_tail_copy_pends(tailer, logs[i], 10));
    }
    assert_int_equal(ps_tail_copies_at_end(tailer, FILES + 1), 3);
    assert_int_equal(tailer->copies.count, 4); /* the one that waits for its original, too */
    assert_int_equal(ps_tail_copies_at_end(tailer, 3), 0);
    assert_int_equal(tailer->copies.count, 1);
    for (unsigned i = 0; i < FILES; i++) {
        assert_true(logs[i]->deferred); /* it would be opened */
        assert_int_equal(logs[i]->copy.since_ns, 0);
        assert_false(logs[i]->resolved || logs[i]->copy.pends);
    }
    assert_int_equal(waits->state, PS_TAIL_LOG_COPY);
    assert_false(waits->deferred);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(list), TEST(pends),      TEST(decisions), TEST(set_free),
                                       TEST(many), TEST(takes_over), TEST(at_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
