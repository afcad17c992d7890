/* What is saved of a file, and when: the marks of a position, files that were made a moment ago, the result of a save, and its
 * times. */
#include "stages/lib/tail/tailer/internal.h"
#include "stages/lib/tail/trouble.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW_NS (1000 * PS_NS_PER_S)
#define SAVE_NS (3 * PS_NS_PER_S)
#define STEP_MAX 1000U /* positions that are taken in one tick */

static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters};
static struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs"};
static struct ps_tail_settings settings;
static char path[512];
static struct ps_tailer *tailer;

static int setup(void **state)
{
    struct ps_err err = {.length = 0};
    ps_test_folder_setup(state);
    snprintf(path, sizeof path, "%s", ps_test_folder_path("positions.json"));
    settings = (struct ps_tail_settings){
        .position_path = path, .trouble = ps_tail_trouble_create(), .save_ns = SAVE_NS};
    counters = (struct ps_counters){{0}};
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &settings;
    tailer->port = &port;
    tailer->places = &place;
    tailer->draining = true;
    tailer->now_ns = NOW_NS;
    tailer->remembered.loaded = true;
    tailer->saves.position_file = ps_tail_position_file_create();
    assert_int_equal(ps_tail_thread_start(&tailer->thread, "t-save", -1, tailer, &err), PS_OK);
    return 0;
}

static int teardown(void **state)
{
    ps_tail_logs_free(tailer);
    ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
    ps_tail_remembered_free(&tailer->remembered);
    ps_tail_notes_free(&tailer->saves.notes);
    ps_tail_position_file_drop(tailer->saves.position_file);
    free(tailer);
    ps_tail_trouble_destroy(settings.trouble);
    return ps_test_folder_teardown(state);
}

static struct ps_tail_log *log_new(unsigned number)
{
    char name[32];
    snprintf(name, sizeof name, "app.%u", number);
    struct ps_tail_log *log = ps_tail_log_add(
        tailer, 0, &(struct ps_tail_change){.group = 0, .device = 3, .inode = 1000 + number, .name = name});
    log->resolved = true;
    log->identity.head_length = 9;
    log->identity.head = number;
    ps_tail_log_changed(tailer, log);
    return log;
}

/* Waits for the answer of the save that is under way. */
static void await_answer(void)
{
    assert_true(tailer->saves.saving);
    assert_int_equal(ps_tail_thread_wait(&tailer->thread, PS_TEST_PATIENCE_MS), 1);
    assert_false(tailer->saves.saving);
    assert_true(ps_tail_thread_is_idle(&tailer->thread));
}

static void save(struct ps_tail_positions *positions)
{
    struct ps_err err = {.length = 0};
    ps_tail_save_at_end(tailer);
    assert_int_equal(tailer->saves.changed.count, 0);
    await_answer();
    assert_false(tailer->saves.failed);
    assert_int_equal(ps_tail_positions_load(path, positions, &err), PS_OK);
}

static const struct ps_tail_position *position_of(const struct ps_tail_positions *positions,
                                                  const struct ps_tail_log *log)
{
    return ps_tail_positions_find(positions, log->identity.inode);
}

/* ---- marks ---- */

/* The last 16 marks up to the delivered position; a minute after the last line only those of the last lines. */
static void test_marks(void **unused)
{
    static const struct {
        int64_t delivered;
        uint64_t idle_ns;
        uint32_t count;
        int64_t last;
    } rows[] = {
        {2000, 0, 16, 2000},
        {1999, 0, 16, 1900},
        {1700, 0, 16, 1700},
        {1650, 0, 16, 1600},
        {1500, 0, 15, 1500},
        {100, 0, 1, 100},
        {99, 0, 0, 0},
        {2000, PS_TAIL_EARLIER_NS - 1, 16, 2000},
        {2000, PS_TAIL_EARLIER_NS, 5, 2000},
        {1750, PS_TAIL_EARLIER_NS, 5, 1700},
        {250, PS_TAIL_EARLIER_NS, 2, 200},
        {99, PS_TAIL_EARLIER_NS, 0, 0},
    };
    struct ps_tail_log *logs[PS_COUNT_OF(rows)];
    struct ps_tail_positions positions;
    for (unsigned i = 0; i < PS_COUNT_OF(rows); i++) {
        logs[i] = log_new(i);
        for (int64_t k = 1; k <= 20; k++) {
            const struct ps_tail_mark mark = {.offset = 100 * k, .hash = 7 * (uint64_t)k, .length = 64};
            ps_tail_marks_add(&logs[i]->marks, &mark, 0);
        }
        ps_tail_log_move(tailer, logs[i], 2000, rows[i].delivered);
        logs[i]->active_ns = NOW_NS - rows[i].idle_ns;
    }
    save(&positions);
    assert_int_equal(positions.count, PS_COUNT_OF(rows));
    for (unsigned i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_tail_position *position = position_of(&positions, logs[i]);
        assert_int_equal(position->offset, rows[i].delivered);
        if (position->marks.count != rows[i].count)
            fail_msg("row %u: %u marks, and not %u", i, position->marks.count, rows[i].count);
        for (uint32_t k = 0; k < rows[i].count; k++)
            assert_int_equal(position->marks.items[k].offset, rows[i].last - 100 * (rows[i].count - 1 - k));
        assert_int_equal(logs[i]->marks.count, 20); /* the file keeps its own */
    }
    ps_tail_positions_free(&positions);
}

/* ---- files without a byte that was read ---- */

enum saved { NOTHING, EMPTY, POSITION };

struct situation {
    bool skips, named, matches, at_start, had_bytes, young, resolved, copy;
    unsigned remembered; /* a position of an earlier process: 0: none, 1: there is one, 2: it was taken */
};

/* With skipToEnd a file is named that came while the agent ran, or just before: the next process must not skip it. */
static enum saved saved_of(const struct situation *now)
{
    bool unread = !now->resolved || now->copy;
    bool came = !now->at_start || !now->had_bytes || now->young;
    if (now->skips && now->named && now->matches && came && unread && now->remembered != 1)
        return EMPTY;
    return unread ? NOTHING : POSITION;
}

static void test_new_files(void **unused)
{
    enum { SETS = 3 << 7 };
    struct ps_tail_positions positions;
    struct ps_tail_log *logs[SETS];
    for (unsigned skips = 0; skips < 2; skips++) {
        if (skips > 0) {
            teardown(NULL);
            setup(NULL);
        }
        settings.skip_to_end = skips > 0;
        for (unsigned set = 0; set < SETS; set++) {
            struct ps_tail_log *log = logs[set] = log_new(set);
            if (set >> 7 > 0)
                ps_tail_positions_add(
                    &tailer->remembered.positions,
                    &(struct ps_tail_position){.inode = log->identity.inode,
                                               .path = (char *)(uintptr_t)(set >> 7 == 1 ? "/x" : "")});
            ps_tail_log_move(tailer, log, 40, 40);
            if ((set & 1) == 0)
                ps_tail_log_rename(tailer, log, NULL, false);
            log->matches = (set & 2) != 0;
            log->found_at_start = (set & 4) != 0;
            log->start_bytes = (set & 8) != 0 ? 1 : 0;
            log->is_young = (set & 16) != 0;
            log->resolved = (set & 32) != 0;
            log->state = (set & 64) != 0 ? PS_TAIL_LOG_COPY : PS_TAIL_LOG_CLOSED;
        }
        save(&positions);
        for (unsigned set = 0; set < SETS; set++) {
            const struct situation now = {.skips = skips > 0,
                                          .named = (set & 1) != 0,
                                          .matches = (set & 2) != 0,
                                          .at_start = (set & 4) != 0,
                                          .had_bytes = (set & 8) != 0,
                                          .young = (set & 16) != 0,
                                          .resolved = (set & 32) != 0,
                                          .copy = (set & 64) != 0,
                                          .remembered = set >> 7};
            const struct ps_tail_position *position = position_of(&positions, logs[set]);
            enum saved saved = position == NULL ? NOTHING : position->offset == 0 ? EMPTY : POSITION;
            if (saved != saved_of(&now))
                fail_msg("set %u, skips %u: %d is saved, and not %d", set, skips, (int)saved,
                         (int)saved_of(&now));
            if (saved != NOTHING) {
                assert_string_equal(position->path, logs[set]->path);
                assert_int_equal(position->identity.device, 3);
                assert_int_equal(position->identity.head_length, saved == EMPTY ? 0 : 9);
            }
        }
        ps_tail_positions_free(&positions);
    }
}

/* A file that was removed loses its position; a number can be used once the position file has it. */
static void test_gone_and_numbers(void **unused)
{
    struct ps_tail_positions positions;
    struct ps_tail_log *first = log_new(0), *second = log_new(1), *empty = log_new(2);
    first->serial.own = second->serial.own = empty->serial.own = 77;
    empty->identity.head_length = 0;
    save(&positions);
    assert_int_equal(positions.count, 3);
    assert_int_equal(position_of(&positions, second)->serial.own, 77);
    assert_true(first->serial_saved && second->serial_saved);
    assert_false(empty->serial_saved); /* the next process cannot find it by its beginning */
    ps_tail_positions_free(&positions);
    uint64_t inode = first->identity.inode;
    ps_tail_log_remove(tailer, first);
    save(&positions);
    assert_int_equal(positions.count, 2);
    assert_null(ps_tail_positions_find(&positions, inode));
    ps_tail_positions_free(&positions);
}

/* ---- the result ---- */

static void expect_trouble(const char *expected)
{
    char text[1024] = "";
    assert_int_equal(ps_tail_trouble_get(settings.trouble, text, sizeof text), expected != NULL);
    if (expected != NULL)
        assert_non_null(strstr(text, expected));
}

/* A save that failed is tried again and reported until one succeeds. While a save is under way, no other one begins. */
static void test_results(void **unused)
{
    struct ps_tail_log *log = log_new(0);
    settings.position_path = "/nowhere/penstock/positions.json";
    for (unsigned i = 1; i <= 3; i++) {
        ps_tail_save_at_end(tailer);
        assert_true(tailer->saves.saving && !tailer->saves.dirty);
        ps_tail_log_changed(tailer, log);
        ps_tail_save_at_end(tailer);
        assert_int_equal(tailer->saves.changed.count, 1); /* for the next one */
        await_answer();
        assert_true(tailer->saves.failed && tailer->saves.dirty);
        assert_int_equal(tailer->saves.tries, 2 * i);
        assert_int_equal(ps_counter_read(&counters, PS_COUNTER_GenericProcessingFail), i);
        expect_trouble("cannot be written");
    }
    assert_false(ps_tail_saves_again(&tailer->saves)); /* too many tries */
    settings.position_path = path;
    ps_tail_save_at_end(tailer);
    await_answer();
    assert_false(tailer->saves.failed || tailer->saves.dirty);
    assert_int_equal(tailer->saves.tries, 0);
    assert_int_equal(ps_counter_read(&counters, PS_COUNTER_GenericProcessingFail), 3);
    expect_trouble(NULL);
    tailer->saves.dirty = true;
    assert_true(ps_tail_saves_again(&tailer->saves));
    tailer->saves.tries = 5;
    assert_true(ps_tail_saves_again(&tailer->saves));
    tailer->saves.tries = 6;
    assert_false(ps_tail_saves_again(&tailer->saves));
    tailer->remembered.loaded = false; /* the positions of the earlier process are not known yet */
    ps_tail_save_at_end(tailer);
    assert_false(tailer->saves.saving);
}

/* ---- the times ---- */

static void expect_not_before(uint64_t due_ns)
{
    tailer->now_ns = due_ns - 1;
    assert_int_equal(ps_tail_saves_tick(tailer), due_ns);
    assert_false(tailer->saves.saving);
    tailer->now_ns = due_ns;
}

/* A copy waits because it may grow, and its original may have begun anew: the save waits for it, up to a second. */
static void test_copy_that_pends(void **unused)
{
    struct ps_tail_log *log = log_new(0);
    tailer->draining = false;
    tailer->saves.due_ns = tailer->now_ns;
    tailer->copies_pend_ns = tailer->now_ns + 300 * PS_NS_PER_MS;
    ps_tail_log_changed(tailer, log);
    expect_not_before(tailer->copies_pend_ns);
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER);
    assert_true(tailer->saves.saving);
    await_answer();
    tailer->saves.due_ns = tailer->now_ns;
    tailer->copies_pend_ns = UINT64_MAX; /* one copy after the other comes */
    ps_tail_log_changed(tailer, log);
    tailer->now_ns += PS_NS_PER_S - 1;
    assert_int_equal(ps_tail_saves_tick(tailer), UINT64_MAX);
    assert_false(tailer->saves.saving);
    tailer->now_ns++;
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER);
    assert_true(tailer->saves.saving);
    await_answer();
}

static void test_times(void **unused)
{
    struct ps_tail_log *log = log_new(0);
    tailer->draining = false;
    tailer->saves.dirty = false;
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER); /* nothing has changed */
    ps_tail_log_changed(tailer, log);
    assert_int_equal(ps_tail_saves_tick(tailer), NOW_NS + SAVE_NS);
    expect_not_before(NOW_NS + SAVE_NS);
    tailer->open.opening = 1; /* it may change more positions: it has a second */
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER);
    tailer->now_ns += PS_NS_PER_S - 1;
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER);
    assert_false(tailer->saves.saving);
    tailer->now_ns++;
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER);
    uint64_t next_ns = tailer->now_ns + SAVE_NS;
    ps_tail_log_changed(tailer, log);
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER); /* a save is under way */
    await_answer();
    tailer->open.opening = 0;
    if (tailer->saves.rest_ns < next_ns) /* as long as the disk was not slow */
        expect_not_before(next_ns);
    tailer->saves.due_ns = tailer->now_ns + SAVE_NS;
    tailer->saves.rest_ns = tailer->now_ns + 5;
    ps_tail_slots_put(&tailer->unnumbered, log->number); /* a file waits for its number */
    expect_not_before(tailer->now_ns + 5);
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER);
    await_answer();
    /* While the source ends, and all is delivered, the drain saves. */
    tailer->draining = true;
    tailer->saves.again_ns = 4711;
    ps_tail_log_changed(tailer, log);
    assert_int_equal(ps_tail_saves_tick(tailer), 4711);
    tailer->saves.tries = 6;
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER);
    tailer->outstanding = 1;
    tailer->saves.due_ns = tailer->now_ns + 7;
    assert_int_equal(ps_tail_saves_tick(tailer), tailer->now_ns + 7);
    tailer->outstanding = 0;
}

/* The save at the end waits for files that are compared, for a second at most: the worker is woken when they are, or then. */
static void test_drain(void **unused)
{
    struct ps_now now = {.mono_ns = NOW_NS};
    struct ps_tail_log *log = log_new(0);
    tailer->draining = false;
    tailer->notify_fd = -1;
    tailer->open.opening = 1;
    assert_false(ps_tailer_drain(tailer, &now));
    assert_true(tailer->draining);
    assert_int_equal(ps_tailer_tick(tailer, &now), NOW_NS + PS_NS_PER_S);
    now.mono_ns += PS_NS_PER_S - 1;
    assert_false(ps_tailer_drain(tailer, &now));
    assert_false(tailer->saves.saving);
    now.mono_ns++;
    assert_false(ps_tailer_drain(tailer, &now));
    await_answer();
    assert_true(ps_tailer_drain(tailer, &now));
    now.mono_ns--; /* within the second, but nothing is compared */
    tailer->open.opening = 0;
    ps_tail_log_changed(tailer, log);
    assert_false(ps_tailer_drain(tailer, &now));
    await_answer();
    assert_true(ps_tailer_drain(tailer, &now));
    tailer->copies_left = 5; /* they are handled before the save, and wake the worker at once */
    assert_int_equal(ps_tailer_tick(tailer, &now), now.mono_ns);
    tailer->copies_left = 0;
    assert_int_equal(ps_tailer_tick(tailer, &now), PS_NEVER);
}

/* More changed positions than one tick takes: the next tick goes on at once, and the save has all of them. */
static void test_steps(void **unused)
{
    enum { FILES = 2 * STEP_MAX + 1 };
    struct ps_tail_positions positions;
    struct ps_err err = {.length = 0};
    for (unsigned i = 0; i < FILES; i++)
        log_new(i);
    tailer->draining = false;
    tailer->saves.due_ns = tailer->now_ns;
    assert_int_equal(ps_tail_saves_tick(tailer), tailer->now_ns);
    assert_false(tailer->saves.saving);
    assert_int_equal(tailer->saves.changed.count, FILES - STEP_MAX);
    assert_int_equal(ps_tail_saves_tick(tailer), PS_NEVER);
    assert_int_equal(tailer->saves.changed.count, 0);
    await_answer();
    assert_int_equal(ps_tail_positions_load(path, &positions, &err), PS_OK);
    assert_int_equal(positions.count, FILES);
    ps_tail_positions_free(&positions);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(marks),   TEST(new_files), TEST(gone_and_numbers),
                                       TEST(results), TEST(times),     TEST(copy_that_pends),
                                       TEST(drain),   TEST(steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
