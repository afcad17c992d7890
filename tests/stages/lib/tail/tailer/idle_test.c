/* Idle files leave the list of open files without a delay: at most 1,024 in a tick, and the next tick follows
 * immediately. Files that become idle a nanosecond later stay. And which idle files are forgotten, what is told of their unread bytes, and the
 * last line of a file that rests. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_MAX 1024U /* files of one tick */
#define IDLE_NS (10 * PS_NS_PER_S)
#define NOW_NS (100 * PS_NS_PER_S)
#define MOST 2500U

static struct ps_tail_log logs[MOST], *numbered[MOST];

/* Makes files: `idle` of them have been idle for exactly the idle time, the others for a nanosecond less. They are in the queue, so that they stay open. */
static struct ps_tailer *tailer_with(const struct ps_tail_settings *settings, uint32_t idle, uint32_t others)
{
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    memset(logs, 0, sizeof logs);
    tailer->settings = settings;
    tailer->now_ns = NOW_NS;
    tailer->table.logs = numbered;
    tailer->table.count = idle + others;
    ps_tail_slots_grow(&tailer->loose, 4096);
    for (uint32_t i = 0; i < idle + others; i++) {
        logs[i] = (struct ps_tail_log){
            .number = i, .named = true, .matches = true, .queued = true, .state = PS_TAIL_LOG_OPEN};
        numbered[i] = &logs[i];
        ps_tail_log_active(&tailer->open, &logs[i], NOW_NS - IDLE_NS + (i >= idle));
    }
    return tailer;
}

static uint32_t count_listed(const struct ps_tailer *tailer)
{
    uint32_t count = 0;
    for (const struct ps_tail_log *log = tailer->open.oldest; log != NULL; log = log->newer)
        count++;
    return count;
}

static void test_ticks(void **unused)
{
    static const uint32_t counts[] = {
        0, 1, TICK_MAX - 1, TICK_MAX, TICK_MAX + 1, 2 * TICK_MAX, 2 * TICK_MAX + 1, MOST - 7};
    const struct ps_tail_settings settings = {.idle_ns = IDLE_NS};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        for (uint32_t others = 0; others <= 7; others += 7) {
            struct ps_tailer *tailer = tailer_with(&settings, counts[i], others);
            uint32_t left = counts[i];
            for (;;) {
                uint64_t next_ns = ps_tail_rests_tick(tailer);
                bool more = left > TICK_MAX;
                left -= more ? TICK_MAX : left;
                assert_int_equal(count_listed(tailer), left + others);
                assert_int_equal(tailer->loose.count, counts[i] - left);
                if (!more) {
                    uint64_t look_ns =
                        NOW_NS + PS_NS_PER_S;            /* a quarter of the idle time, at most a second */
                    bool looks = tailer->loose_left > 0; /* at those that left the list */
                    assert_int_equal(tailer->idle_look_ns, look_ns);
                    assert_int_equal(looks, counts[i] > TICK_MAX);
                    assert_true(next_ns == (looks ? NOW_NS : counts[i] + others > 0 ? look_ns : PS_NEVER));
                    break;
                }
                assert_int_equal(next_ns, NOW_NS); /* at once */
            }
            ps_tail_slots_free(&tailer->loose);
            free(tailer);
        }
    }
}

/* The time between two looks. */
static void test_steps(void **unused)
{
    static const struct {
        uint64_t idle_ns, step_ns;
    } rows[] = {{0, PS_NS_PER_MS},
                {4 * PS_NS_PER_MS, 2 * PS_NS_PER_MS},
                {4 * PS_NS_PER_S - 4, PS_NS_PER_S - 1 + PS_NS_PER_MS},
                {4 * PS_NS_PER_S, PS_NS_PER_S},
                {120 * PS_NS_PER_S, PS_NS_PER_S}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_tail_settings settings = {.idle_ns = rows[i].idle_ns};
        struct ps_tailer *tailer = tailer_with(&settings, 1, 0);
        assert_int_equal(ps_tail_rests_tick(tailer), NOW_NS + rows[i].step_ns);
        for (unsigned again = 0; again < 2; again++) { /* it waits until then */
            tailer->now_ns = NOW_NS + rows[i].step_ns - 1;
            assert_int_equal(ps_tail_rests_tick(tailer), NOW_NS + rows[i].step_ns);
        }
        tailer->now_ns = NOW_NS + rows[i].step_ns;
        assert_int_equal(ps_tail_rests_tick(tailer), NOW_NS + 2 * rows[i].step_ns);
        ps_tail_slots_free(&tailer->loose);
        free(tailer);
    }
}

/* ---- files that are forgotten ---- */

#define LATE_NS (10000 * PS_NS_PER_S)
#define GRACE_NS (10 * PS_NS_PER_S) /* for a file without a name */

static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters};
static const struct ps_tail_settings idle_settings = {.idle_ns = IDLE_NS};
static struct ps_tail_place place;

static int match_none(void *argument, const char *name, size_t length)
{
    return -1;
}

/* Makes a source with one file, app.log of the test's folder. Nothing is opened or queued. */
static struct ps_tailer *tailer_with_file(struct ps_tail_log **log)
{
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    const struct ps_tail_filter filter = {.match = match_none};
    struct stat status;
    ps_test_folder_append("app.log", "x", 1);
    assert_int_equal(stat(ps_test_folder_path("app.log"), &status), 0);
    counters = (struct ps_counters){{0}};
    place = (struct ps_tail_place){.path = (char *)(uintptr_t)ps_test_folder(),
                                   .directory = ps_tail_directory_create(ps_test_folder(), &filter, true)};
    ps_tail_directory_follow(place.directory, status.st_ino);
    tailer->settings = &idle_settings;
    tailer->port = &port;
    tailer->places = &place;
    tailer->place_count = 1;
    tailer->draining = true;
    tailer->now_ns = LATE_NS;
    *log = ps_tail_log_add(tailer, 0,
                           &(struct ps_tail_change){.group = 0,
                                                    .device = status.st_dev,
                                                    .inode = status.st_ino,
                                                    .name = (char *)(uintptr_t) "app.log"});
    (*log)->resolved = true;
    return tailer;
}

static void tailer_end(struct ps_tailer *tailer)
{
    ps_tail_logs_free(tailer);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    ps_tail_directory_destroy(place.directory);
    free(tailer);
}

struct situation {
    const char *what;
    bool forgotten;
    bool named, unresolved, undelivered, looking, copy, cut_waits, deferred, unreadable, queued, waits;
    uint64_t gone_ns, active_ns; /* before now; 0: long before */
};

static const struct situation situations[] = {
    {"it is gone", true, .gone_ns = GRACE_NS},
    {"it is gone for less than 10 s", false, .gone_ns = GRACE_NS - 1},
    {"its lines are not delivered", false, .undelivered = true},
    {"its directory is looked at", false, .looking = true},
    {"it is a copy that waits", false, .copy = true},
    {"it was cut", false, .cut_waits = true},
    {"it is to be opened", false, .deferred = true},
    {"it is queued", false, .queued = true},
    {"it waits for the thread", false, .waits = true},
    {"it cannot be read, and has no name", true, .unreadable = true},
    {"it is idle", true, .active_ns = IDLE_NS},
    {"it is not idle yet", false, .active_ns = IDLE_NS - 1},
    {"it has another name", true, .named = true},
    {"it has another name, and was not identified", false, .named = true, .unresolved = true},
    {"it has another name, and cannot be read", false, .named = true, .unreadable = true},
    {"it was not identified, and is gone", true, .unresolved = true},
};

static void test_forgotten(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(situations); i++) {
        const struct situation *row = &situations[i];
        struct ps_tail_log *log;
        struct ps_tailer *tailer = tailer_with_file(&log);
        struct ps_tail_changes changes = {.count = 0};
        uint32_t number = log->number;
        ps_tail_directory_look(place.directory, true, &changes);
        assert_int_equal(changes.count, 1);
        ps_tail_log_rename(tailer, log, row->named ? "app.log" : NULL, false);
        ps_tail_log_move(tailer, log, 9, row->undelivered ? 8 : 9);
        log->resolved = !row->unresolved;
        log->state = row->copy ? PS_TAIL_LOG_COPY : PS_TAIL_LOG_CLOSED;
        log->cut_waits = row->cut_waits;
        log->deferred = row->deferred;
        log->unreadable = row->unreadable;
        log->queued = row->queued;
        log->waits = row->waits;
        log->gone_ns = row->gone_ns > 0 ? LATE_NS - row->gone_ns : 0;
        log->active_ns = row->active_ns > 0 ? LATE_NS - row->active_ns : 0;
        place.looking = row->looking;
        (void)ps_tail_rests_tick(tailer);
        if ((tailer->table.logs[number] == NULL) != row->forgotten)
            fail_msg("%s: the file is %sforgotten", row->what, row->forgotten ? "not " : "");
        assert_int_equal(tailer->loose.has[number], !row->forgotten); /* it is looked at again */
        assert_int_equal(tailer->table.count, !row->forgotten);
        assert_int_equal(ps_counter_read(&counters, (enum ps_counter)PS_TAIL_COUNTER_files), !row->forgotten);
        if (!row->forgotten)
            log->queued = log->waits = false;
        /* A file with another name is not reported any more. */
        ps_test_folder_append("app.log", "x", 1);
        ps_tail_directory_look(place.directory, true, &changes);
        assert_int_equal(changes.count, !(row->forgotten && row->named));
        ps_tail_changes_free(&changes);
        tailer_end(tailer);
    }
}

/* A file whose name matches stays, whatever its state. */
static void test_with_its_name(void **unused)
{
    struct ps_tail_log *log;
    struct ps_tailer *tailer = tailer_with_file(&log);
    ps_tail_slots_put(&tailer->loose, log->number);
    (void)ps_tail_rests_tick(tailer);
    assert_ptr_equal(tailer->table.logs[log->number], log);
    assert_int_equal(tailer->loose.count, 0);
    tailer_end(tailer);
}

/* ---- bytes that are lost ---- */

static void test_lost_bytes(void **unused)
{
    static const struct {
        int64_t size, read;
        bool unresolved;
        const char *expected; /* NULL: nothing is told */
        uint64_t lost;
    } lost[] = {
        {10, 9, .expected = "has not read its last 1 bytes", .lost = 1},
        {10, 0, .expected = "has not read its last 10 bytes", .lost = 10},
        {9, 9, .expected = NULL},
        {8, 9, .expected = NULL},
        {10, 9, .unresolved = true, .expected = NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(lost); i++) {
        struct ps_tail_log *log;
        struct ps_tailer *tailer = tailer_with_file(&log);
        char file[16];
        snprintf(file, sizeof file, "log%zu", i);
        assert_int_equal(ps_log_open(ps_test_folder_path(file), NULL), PS_OK);
        ps_tail_log_rename(tailer, log, NULL, false);
        ps_tail_log_move(tailer, log, lost[i].read, lost[i].read);
        log->size = lost[i].size;
        log->resolved = !lost[i].unresolved;
        (void)ps_tail_rests_tick(tailer);
        assert_int_equal(tailer->table.count, 0);
        ps_log_flush();
        const char *told = ps_test_folder_read(file);
        assert_non_null(told);
        bool is_told = lost[i].expected != NULL ? strstr(told, lost[i].expected) != NULL
                                                : strstr(told, "no longer followed") == NULL;
        if (!is_told)
            fail_msg("row %zu: %s", i, told);
        assert_int_equal(ps_counter_read(&counters, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes),
                         lost[i].lost);
        tailer_end(tailer);
    }
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
}

/* ---- the last line of an open file ---- */

/* After its first rest the last line counts without a newline; after the next one the file is closed. Without such a line it is closed at once. */
static void test_last_line(void **unused)
{
    for (unsigned partial = 0; partial < 2; partial++) {
        struct ps_tail_log *log;
        struct ps_tailer *tailer = tailer_with_file(&log);
        struct ps_err err = {.length = 0};
        assert_int_equal(ps_tail_thread_start(&tailer->thread, "t-idle", -1, tailer, &err), PS_OK);
        ps_tail_reader_init(&tailer->reader, &tailer->thread);
        ps_tail_file_set(&log->file, open("/dev/null", O_RDONLY | O_CLOEXEC), PS_TAIL_CACHE);
        log->state = PS_TAIL_LOG_OPEN;
        log->partial = partial > 0;
        ps_tail_log_active(&tailer->open, log, LATE_NS - IDLE_NS);
        ps_tail_opened(tailer);
        tailer->draining = false;
        if (partial > 0) {
            (void)ps_tail_rests_tick(tailer);
            assert_true(log->rest && log->queued && log->state == PS_TAIL_LOG_OPEN);
            ps_tail_log_unqueue_first(tailer); /* it had its turn */
            assert_false(ps_tail_log_is_active(&tailer->open, log));
            assert_true(tailer->loose.has[log->number]);
            tailer->now_ns += PS_NS_PER_S;
        }
        (void)ps_tail_rests_tick(tailer);
        assert_true(log->state == PS_TAIL_LOG_CLOSED && log->file.fd == -1);
        assert_false(log->rest);
        assert_int_equal(tailer->open.count, 0);
        assert_true(tailer->saves.changed.has[log->number]);
        while (!ps_tail_thread_is_idle(&tailer->thread))
            (void)ps_tail_thread_wait(&tailer->thread, 100);
        ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
        tailer_end(tailer);
    }
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, ps_test_folder_setup, ps_test_folder_teardown)
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_ticks), cmocka_unit_test(test_steps),
                                              IN_FOLDER(test_forgotten),    IN_FOLDER(test_with_its_name),
                                              IN_FOLDER(test_lost_bytes),   IN_FOLDER(test_last_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
