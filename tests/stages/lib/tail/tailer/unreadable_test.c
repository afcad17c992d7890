/* The intervals at which taildir tries unreadable files again: twice as long each time, up to 5 s, and the first interval
 * again when all of the directory's files could be read in between. And the path that the log names. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const uint64_t waits_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};

static void test_waits(void **unused)
{
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place place = {.path = (char *)(uintptr_t) "/", .look_ns = PS_NEVER};
    struct ps_tail_log log = {.name = (char *)(uintptr_t) "x", .state = PS_TAIL_LOG_CLOSED, .queued = true};
    struct ps_tail_log *logs[] = {&log};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->port = &port;
    tailer->places = &place;
    tailer->table.logs = logs;
    ps_tail_slots_grow(&tailer->unreadable, 4);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < PS_COUNT_OF(waits_ms); i++) {
            place.look_ns = PS_NEVER;
            ps_tail_log_unreadable(tailer, &log, EIO);
            ps_tail_log_unreadable(tailer, &log, EIO); /* again in the same look: the wait stays */
            assert_int_equal(place.retry_ns, waits_ms[i] * PS_NS_PER_MS);
            assert_int_equal(place.look_ns, tailer->now_ns + place.retry_ns);
            assert_int_equal(tailer->unreadable.count, 1);
            tailer->now_ns += place.retry_ns;
            ps_tail_unreadable_queue(tailer, 0); /* the look tries the file again */
            assert_false(place.unreadable);
        }
        log.unreadable = false; /* the file was read */
        ps_tail_unreadable_queue(tailer, 0);
        assert_int_equal(place.retry_ns, 0);
        assert_int_equal(ps_counter_read(&counters, PS_COUNTER_EventReadFail), round + 1);
        while (tailer->unreadable.count > 0)
            (void)ps_tail_slots_take(&tailer->unreadable);
    }
    ps_tail_slots_free(&tailer->unreadable);
    free(tailer);
}

/* A file that was renamed to a name that does not match keeps the path of its last name that did, for headers and the position file; another
 * file may have that name by now. The log names the file that cannot be read. */
static void test_path(void **unused)
{
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place places[] = {{.path = (char *)(uintptr_t) "/logs", .look_ns = PS_NEVER},
                                     {.path = (char *)(uintptr_t) "/", .look_ns = PS_NEVER}};
    static const struct {
        unsigned place;
        const char *name, *path, *named;
    } cases[] = {{0, "app", "/logs/app", " /logs/app cannot be read"},
                 {0, "old.1", "/logs/app", " /logs/old.1 cannot be read"},
                 {1, "old.1", "/logs/app", " /old.1 cannot be read"}};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->port = &port;
    tailer->places = places;
    ps_tail_slots_grow(&tailer->unreadable, 4);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_tail_log log = {.directory = cases[i].place,
                                  .name = (char *)(uintptr_t)cases[i].name,
                                  .path = (char *)(uintptr_t)cases[i].path,
                                  .state = PS_TAIL_LOG_CLOSED};
        char file[16];
        snprintf(file, sizeof file, "log%zu", i);
        assert_int_equal(ps_log_open(ps_test_folder_path(file), NULL), PS_OK);
        ps_tail_log_unreadable(tailer, &log, EACCES);
        ps_log_flush();
        const char *text = ps_test_folder_read(file);
        assert_non_null(text);
        if (strstr(text, cases[i].named) == NULL)
            fail_msg("the log does not have \"%s\", but: %s", cases[i].named, text);
    }
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    ps_tail_slots_free(&tailer->unreadable);
    free(tailer);
}

/* A look at one directory tries its own files again, and does not forget those of another one. */
static void test_two_directories(void **unused)
{
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place places[] = {{.path = (char *)(uintptr_t) "/a", .look_ns = PS_NEVER},
                                     {.path = (char *)(uintptr_t) "/b", .look_ns = PS_NEVER}};
    struct ps_tail_log files[4], *logs[PS_COUNT_OF(files)];
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->port = &port;
    tailer->places = places;
    tailer->table.logs = logs;
    ps_tail_slots_grow(&tailer->unreadable, 4);
    for (uint32_t i = 0; i < PS_COUNT_OF(files); i++) {
        files[i] = (struct ps_tail_log){
            .number = i, .directory = i % 2, .name = (char *)(uintptr_t) "x", .state = PS_TAIL_LOG_OPENING};
        logs[i] = &files[i];
        ps_tail_log_unreadable(tailer, logs[i], EACCES);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned place = 0; place < PS_COUNT_OF(places); place++) {
            places[place].unreadable = true;
            ps_tail_unreadable_queue(tailer, place);
            assert_int_equal(tailer->unreadable.count, PS_COUNT_OF(files));
            for (size_t i = 0; i < PS_COUNT_OF(files); i++) {
                assert_int_equal(files[i].again, files[i].directory == place); /* queued again */
                files[i].again = false;
            }
        }
    }
    ps_tail_slots_free(&tailer->unreadable);
    free(tailer);
}

/* A file is closed, to be opened again by its name, only if a look that began after the failure has found that name: a deleted one
 * could not be opened. */
static void test_opened_again(void **unused)
{
    static const struct {
        const char *what;
        bool looking, unnamed;
        unsigned failures;
        int error;              /* of the look at the directory */
        bool crowded, deferred; /* too many files are open; others wait for room */
        uint64_t later_ns;
        bool closed;
    } rows[] = {
        {"a log, once", .failures = 1},
        {"a log, twice", .failures = 2, .closed = true},
        {"a log, twice, others wait", .failures = 2, .crowded = true, .deferred = true, .closed = true},
        {"a look began before", .failures = 2, .looking = true},
        {"the look failed", .failures = 2, .error = EIO},
        {"the look failed, others wait, long", .failures = 2, .error = EIO, .crowded = true, .deferred = true,
         .later_ns = PS_TAIL_GRACE_NS, .closed = true},
        {"the look failed, others wait", .failures = 2, .error = EIO, .crowded = true, .deferred = true,
         .later_ns = PS_TAIL_GRACE_NS - 1},
        {"the look failed, others wait for something else, long", .failures = 2, .error = EIO,
         .deferred = true, .later_ns = PS_TAIL_GRACE_NS},
        {"the look failed, no others wait, long", .failures = 2, .error = EIO, .crowded = true,
         .later_ns = PS_TAIL_GRACE_NS},
        {"deleted, others wait, long", .failures = 2, .unnamed = true, .error = EIO, .crowded = true,
         .deferred = true, .later_ns = PS_TAIL_GRACE_NS},
        {"deleted", .failures = 2, .unnamed = true},
    };
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_tail_place place = {
            .path = (char *)(uintptr_t) "/", .look_ns = PS_NEVER, .looking = rows[i].looking};
        struct ps_tail_log log = {
            .name = (char *)(uintptr_t) "x", .state = PS_TAIL_LOG_OPEN, .named = !rows[i].unnamed};
        struct ps_tail_log *logs[] = {&log};
        struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
        tailer->port = &port;
        tailer->places = &place;
        tailer->table.logs = logs;
        tailer->draining = true; /* no file is queued */
        tailer->reader.thread = &tailer->thread;
        assert_int_equal(ps_tail_thread_start(&tailer->thread, "tail", -1, tailer, NULL), PS_OK);
        ps_tail_slots_grow(&tailer->unreadable, 4);
        ps_tail_file_set(&log.file, open("/dev/null", O_RDONLY | O_CLOEXEC), PS_TAIL_THREAD);
        ps_tail_opened(tailer);
        for (unsigned failures = rows[i].failures; failures > 0; failures--)
            ps_tail_log_unreadable(tailer, &log, EIO);
        tailer->open.crowded = rows[i].crowded;
        ps_tail_slots_grow(&tailer->open.deferred, 4);
        if (rows[i].deferred)
            ps_tail_slots_put(&tailer->open.deferred, 1);
        tailer->now_ns += rows[i].later_ns;
        place.looking = false; /* the look was answered */
        place.look_ns = PS_NEVER;
        place.error = rows[i].error;
        ps_tail_unreadable_queue(tailer, 0);
        if ((log.state == PS_TAIL_LOG_CLOSED) != rows[i].closed)
            fail_msg("%s: it is%s closed", rows[i].what, rows[i].closed ? " not" : "");
        if (log.deferred != (rows[i].closed && rows[i].deferred))
            fail_msg("%s: it %s behind the others", rows[i].what, log.deferred ? "waits" : "does not wait");
        if (rows[i].looking) { /* the next look comes soon, and closes it */
            assert_true(place.look_ns <= place.retry_ns);
            ps_tail_unreadable_queue(tailer, 0);
            assert_int_equal(log.state, PS_TAIL_LOG_CLOSED);
        }
        if (log.state != PS_TAIL_LOG_CLOSED)
            close(log.file.fd);
        ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
        ps_tail_slots_free(&tailer->open.deferred);
        ps_tail_slots_free(&tailer->unreadable);
        free(tailer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_two_directories),
        cmocka_unit_test(test_opened_again),
        cmocka_unit_test_setup_teardown(test_path, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
