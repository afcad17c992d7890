/* The limit of open files, and their list by news: random openings, failures and ends, compared with a model, the limit at each error, with a success in
 * between, and which files make room. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#define LOGS 24U
#define LEAST 16U /* the limit is not lowered below this */

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters};
static struct ps_tail_log logs[LOGS], *numbered[LOGS];

static struct ps_tailer *tailer_new(void)
{
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    memset(logs, 0, sizeof logs);
    for (uint32_t i = 0; i < LOGS; i++) {
        logs[i] =
            (struct ps_tail_log){.number = i, .path = (char *)(uintptr_t) "/x", .state = PS_TAIL_LOG_CLOSED};
        numbered[i] = &logs[i];
    }
    tailer->port = &port;
    tailer->table.logs = numbered;
    ps_tail_slots_grow(&tailer->open.deferred, 32);
    return tailer;
}

static void tailer_free(struct ps_tailer *tailer)
{
    ps_tail_slots_free(&tailer->open.deferred);
    free(tailer);
}

/* ---- the limit ---- */

static void expect_shown(const struct ps_tailer *tailer)
{
    assert_int_equal(ps_counter_read(&counters, (enum ps_counter)PS_TAIL_COUNTER_open_files),
                     tailer->open.count);
}

/* Only a process without descriptors lowers the limit, for a file that is not open, and not below the least. */
static void test_errors(void **unused)
{
    static const struct {
        int error;
        bool is_open;
        uint32_t count,
            max; /* files that are open; the limit afterwards, from 1000 on: 0: the file is not deferred */
    } rows[] = {
        {EMFILE, false, 800, 700},     {ENFILE, false, 800, 700},
        {EACCES, false, 800, 0},       {EIO, false, 800, 0},
        {ENOENT, false, 800, 0},       {ENOMEM, false, 800, 0},
        {EMFILE, true, 800, 0},        {EMFILE, false, LEAST + 2, LEAST},
        {EMFILE, false, LEAST + 1, 0}, {EMFILE, false, LEAST, 0},
        {EMFILE, false, 0, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_tailer *tailer = tailer_new();
        tailer->open.max = 1000;
        tailer->open.count = rows[i].count;
        logs[3].state = rows[i].is_open ? PS_TAIL_LOG_OPEN : PS_TAIL_LOG_CLOSED;
        bool fewer = ps_tail_fewer_open(tailer, &logs[3], rows[i].error);
        if (fewer != (rows[i].max > 0) || tailer->open.max != (fewer ? rows[i].max : 1000))
            fail_msg("row %zu: %u", i, tailer->open.max);
        assert_int_equal(tailer->open.failing, fewer);
        assert_int_equal(tailer->open.lowered, fewer);
        assert_int_equal(logs[3].deferred, fewer);
        assert_int_equal(tailer->open.deferred.count, fewer);
        if (fewer)
            assert_int_equal(ps_tail_slots_take(&tailer->open.deferred), 3);
        tailer_free(tailer);
    }
}

/* Openings under way end in a random order. The limit becomes seven eighths of the number of open files, and from the second time on of the limit
 * itself: after the first failure that follows a success, and when the last opening under way fails. */
static void test_drawn(void **unused)
{
    for (unsigned round = 0; round < 300; round++) {
        struct ps_tailer *tailer = tailer_new();
        struct ps_tail_open_files *open = &tailer->open;
        uint32_t count = open->count = 50 + (uint32_t)draw(100), max = open->max = count + (uint32_t)draw(50),
                 opening = 0;
        bool failing = false, lowered = false;
        for (unsigned step = 0; step < 60; step++) {
            bool may = opening < 1024 && !(failing && opening > 0) && count + opening < max;
            switch (draw(4)) {
            case 0:
                assert_int_equal(ps_tail_room_make(tailer), may);
                opening = open->opening += may;
                break;
            case 1:
                if (opening == 0)
                    break;
                open->opening = --opening;
                ps_tail_opened(tailer);
                count++;
                failing = false;
                break;
            case 2: {
                if (opening == 0)
                    break;
                open->opening = --opening;
                uint32_t most = lowered ? max : count, fewer = most - most / 8;
                assert_int_equal(ps_tail_fewer_open(tailer, &logs[step % LOGS], EMFILE), fewer >= LEAST);
                if (fewer < LEAST)
                    break;
                if (!failing || opening == 0)
                    max = fewer;
                failing = lowered = true;
                break;
            }
            default:
                if (count == 0)
                    break;
                ps_tail_closed(tailer);
                count--;
                break;
            }
            if (open->count != count || open->max != max || open->failing != failing ||
                open->lowered != lowered)
                fail_msg("step %u: %u files, at most %u, failing %d, and not %u, %u, %d", step, open->count,
                         open->max, open->failing, count, max, failing);
            if (step > 0 && open->count > 0 && count != 0 && draw(3) == 0) {
                ps_tail_opened(tailer);
                ps_tail_closed(tailer);
                failing = false;
                expect_shown(tailer);
            }
        }
        tailer_free(tailer);
    }
}

/* Fails to open a file. Returns the limit after that. */
static uint32_t limit_after_failure(struct ps_tailer *tailer)
{
    assert_true(ps_tail_fewer_open(tailer, &logs[0], EMFILE));
    tailer->open.failing = false; /* another file was opened */
    return tailer->open.max;
}

static uint32_t limit_at(struct ps_tailer *tailer, uint64_t now_ns)
{
    tailer->now_ns = now_ns;
    (void)ps_tail_room_make(tailer);
    return tailer->open.max;
}

/* The process had no descriptor left for a moment: a minute without a failure raises the limit by an eighth, until it is what it was at
 * first. */
static void test_limit_rises_again(void **unused)
{
    struct ps_tailer *tailer = tailer_new();
    uint64_t now_ns = 1000 * PS_NS_PER_S;
    const uint32_t full = tailer->open.max = ps_tail_open_files_max();
    tailer->now_ns = now_ns;
    tailer->open.count = LEAST + 2;
    assert_int_equal(limit_after_failure(tailer), LEAST);
    tailer->open.count = LEAST - 1;
    assert_int_equal(limit_at(tailer, now_ns + 60 * PS_NS_PER_S - 1), LEAST);
    unsigned raised = 0;
    for (uint32_t limit = LEAST; limit < full; raised++) {
        now_ns += 60 * PS_NS_PER_S;
        uint32_t more = limit + limit / 8 < full ? limit + limit / 8 : full;
        assert_int_equal(limit_at(tailer, now_ns), more);
        assert_int_equal(limit_at(tailer, now_ns + 60 * PS_NS_PER_S - 1), more);
        limit = more;
    }
    assert_true(raised > 5);
    assert_false(tailer->open.lowered);
    assert_int_equal(limit_at(tailer, now_ns + 60 * PS_NS_PER_S), full);
    tailer_free(tailer);
}

/* The process has no more descriptors: the tries get rarer, up to one an hour, and are as frequent as before when one succeeds. */
static void test_limit_rises_rarely(void **unused)
{
    static const uint64_t minutes[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct ps_tailer *tailer = tailer_new();
    uint64_t now_ns = 1000 * PS_NS_PER_S;
    tailer->now_ns = now_ns;
    tailer->open.max = 1000;
    tailer->open.count = 20;
    assert_int_equal(limit_after_failure(tailer), 18);
    assert_int_equal(limit_after_failure(tailer), 16); /* of the same moment */
    tailer->open.count = 10;
    for (size_t i = 0; i < PS_COUNT_OF(minutes); i++) {
        now_ns += minutes[i] * 60 * PS_NS_PER_S;
        assert_int_equal(limit_at(tailer, now_ns - 1), 16);
        assert_int_equal(limit_at(tailer, now_ns), 18);
        assert_int_equal(limit_after_failure(tailer), 16);
    }
    now_ns += 60 * 60 * PS_NS_PER_S;
    assert_int_equal(limit_at(tailer, now_ns), 18);
    now_ns += 60 * 60 * PS_NS_PER_S;
    assert_int_equal(limit_at(tailer, now_ns - 1), 18);
    assert_int_equal(limit_at(tailer, now_ns), 20);
    now_ns += 60 * PS_NS_PER_S;
    assert_int_equal(limit_at(tailer, now_ns - 1), 20);
    assert_int_equal(limit_at(tailer, now_ns), 22);
    tailer_free(tailer);
}

/* As many openings at the same time as there may be, and one more. */
static void test_most_openings(void **unused)
{
    struct ps_tailer *tailer = tailer_new();
    tailer->open.max = 5000;
    tailer->open.opening = 1023;
    assert_true(ps_tail_room_make(tailer));
    tailer->open.opening = 1024;
    assert_false(ps_tail_room_make(tailer));
    tailer->open.opening = 1;
    tailer->open.count = 4998;
    assert_true(ps_tail_room_make(tailer));
    tailer->open.count = 4999;
    assert_false(ps_tail_room_make(tailer));
    assert_true(tailer->open.crowded);
    tailer->open.count = 4998; /* one was closed */
    assert_true(ps_tail_room_make(tailer));
    assert_false(tailer->open.crowded);
    tailer_free(tailer);
}

/* When no more files may be open, those with the oldest news are closed, if they may be: as many as are too many, a quarter of the limit, and one.
 * Where that was not enough, and files wait for room already, nothing is tried again until a file was closed. */
static void test_room(void **unused)
{
    struct ps_tail_thread thread;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_tail_thread_start(&thread, "t-room", -1, NULL, &err), PS_OK);
    for (unsigned round = 0; round < 400; round++) {
        struct ps_tailer *tailer = tailer_new();
        struct ps_tail_open_files *open_files = &tailer->open;
        const uint32_t files = (uint32_t)draw(LOGS + 1), opening = (uint32_t)draw(3);
        uint32_t max = open_files->max = 1 + (uint32_t)draw(LOGS), closed = 0, want = 0;
        bool crowded = open_files->crowded = draw(2) == 0, deferred = draw(2) == 0, expected[LOGS] = {false};
        tailer->reader.thread = &thread;
        open_files->opening = opening;
        if (deferred)
            ps_tail_slots_put(&open_files->deferred, 0);
        if (files + opening >= max && !(crowded && deferred))
            want = files + opening - max + max / 4 + 1;
        for (uint32_t i = 0; i < files; i++) {
            logs[i].state = PS_TAIL_LOG_OPEN;
            logs[i].named = true;
            logs[i].queued = draw(3) == 0;
            ps_tail_file_set(&logs[i].file, open("/dev/null", O_RDONLY | O_CLOEXEC), PS_TAIL_CACHE);
            ps_tail_log_active(open_files, &logs[i], i + 1);
            ps_tail_opened(tailer);
            expected[i] = !logs[i].queued && closed < want;
            closed += expected[i];
        }
        bool room = ps_tail_room_make(tailer);
        for (uint32_t i = 0; i < files; i++)
            if ((logs[i].state == PS_TAIL_LOG_CLOSED) != expected[i])
                fail_msg("round %u: %u files of at most %u: %u is %sclosed", round, files + opening, max, i,
                         expected[i] ? "not " : "");
        assert_int_equal(room, files + opening - closed < max);
        assert_int_equal(open_files->crowded, !room);
        assert_int_equal(open_files->count, files - closed);
        for (uint32_t i = 0; i < files; i++)
            ps_tail_log_close(tailer, &logs[i]);
        while (!ps_tail_thread_is_idle(&thread))
            (void)ps_tail_thread_wait(&thread, 100);
        tailer_free(tailer);
    }
    ps_tail_thread_stop(&thread, PS_TEST_PATIENCE_MS);
}

/* A file is closed only where nothing is lost. */
static void test_may_close(void **unused)
{
    static const struct {
        const char *what;
        struct ps_tail_log log;
        bool may;
    } rows[] = {
        {"it was read", {.state = PS_TAIL_LOG_OPEN, .named = true}, true},
        {"queued", {.state = PS_TAIL_LOG_OPEN, .named = true, .queued = true}, false},
        {"it waits for the thread", {.state = PS_TAIL_LOG_OPEN, .named = true, .waits = true}, false},
        {"a line without an end", {.state = PS_TAIL_LOG_OPEN, .named = true, .partial = true}, false},
        {"deleted", {.state = PS_TAIL_LOG_OPEN}, false},
        {"unreadable, and perhaps deleted",
         {.state = PS_TAIL_LOG_OPEN, .named = true, .unreadable = true},
         false},
        {"cut, and perhaps deleted", {.state = PS_TAIL_LOG_OPEN, .named = true, .cut_waits = true}, false},
        {"closed", {.state = PS_TAIL_LOG_CLOSED, .named = true}, false},
        {"a job has it", {.state = PS_TAIL_LOG_OPENING, .named = true}, false},
        {"a copy", {.state = PS_TAIL_LOG_COPY, .named = true}, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        if (ps_tail_log_may_close(&rows[i].log) != rows[i].may)
            fail_msg("%s: it may%s be closed", rows[i].what, rows[i].may ? " not" : "");
}

/* Half of the process's limit, and at most 100,000. */
static void test_process_limit(void **unused)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    static const rlim_t limits[] = {64, 65, 1000, 1024};
    for (size_t i = 0; i < PS_COUNT_OF(limits) && limits[i] <= before.rlim_cur; i++) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){limits[i], before.rlim_max}), 0);
        assert_int_equal(ps_tail_open_files_max(), limits[i] / 2 + 1);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(ps_tail_open_files_max() <= 100001);
}

/* ---- the list ---- */

/* The order of the model: the file with the oldest news first. */
static void test_list(void **unused)
{
    struct ps_tail_open_files open = {.count = 0};
    uint32_t order[LOGS], count = 0;
    memset(logs, 0, sizeof logs);
    for (unsigned step = 1; step < 4000; step++) {
        uint32_t which = (uint32_t)draw(LOGS), at = 0;
        while (at < count && order[at] != which)
            at++;
        bool listed = at < count;
        assert_int_equal(ps_tail_log_is_active(&open, &logs[which]), listed);
        if (listed)
            memmove(order + at, order + at + 1, (--count - at) * sizeof *order);
        if (draw(3) == 0) {
            ps_tail_log_inactive(&open, &logs[which]);
        } else {
            ps_tail_log_active(&open, &logs[which], step);
            assert_int_equal(logs[which].active_ns, step);
            order[count++] = which;
        }
        const struct ps_tail_log *log = open.oldest, *older = NULL;
        for (uint32_t i = 0; i < count; i++, older = log, log = log->newer) {
            assert_ptr_equal(log, &logs[order[i]]);
            assert_ptr_equal(log->older, older);
        }
        assert_null(log);
        assert_ptr_equal(open.newest, older);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors),
                                              cmocka_unit_test(test_drawn),
                                              cmocka_unit_test(test_most_openings),
                                              cmocka_unit_test(test_room),
                                              cmocka_unit_test(test_may_close),
                                              cmocka_unit_test(test_process_limit),
                                              cmocka_unit_test(test_list),
                                              cmocka_unit_test(test_limit_rises_again),
                                              cmocka_unit_test(test_limit_rises_rarely)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
