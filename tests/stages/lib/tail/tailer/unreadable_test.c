/* The intervals at which taildir tries unreadable files again: twice as long each time, up to 5 s, and the first interval
 * again when all of the directory's files could be read in between. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>

static const uint64_t waits_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};

static void test_waits(void **unused)
{
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place place = {.look_ns = PS_NEVER};
    struct ps_tail_log log = {.path = (char *)(uintptr_t) "/x", .state = PS_TAIL_LOG_CLOSED, .queued = true};
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_waits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
