/* The native fetch client against brokers of Kafka 0.10.0, the oldest ones that name the versions of their requests: errors, and
 * answers that end after each byte. tests/real/kafka_0_10_test.sh has real ones, and messages of the old formats. */
#include "core/log/log.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "tests/support/kafka/fetch_run.h"

static struct run run;

static const int16_t keys[] = {PS_TEST_KEY_FETCH,  PS_TEST_KEY_METADATA,     PS_TEST_KEY_JOIN,
                               PS_TEST_KEY_SYNC,   PS_TEST_KEY_HEARTBEAT,    PS_TEST_KEY_OFFSETS,
                               PS_TEST_KEY_COMMIT, PS_TEST_KEY_LIST_OFFSETS, PS_TEST_KEY_COORDINATOR,
                               PS_TEST_KEY_LEAVE};

static void append(void)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run.group, i, 3);
}

static void wait_for_heartbeat(void)
{
    unsigned before = run.group.asked[PS_TEST_KEY_HEARTBEAT];
    for (unsigned turns = 0; run.group.asked[PS_TEST_KEY_HEARTBEAT] == before && !run.dead; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
}

static void begin_oldest(void)
{
    begin(&run, 1, NULL, 0);
    run.group.oldest = true;
}

/* Leaders and the coordinator move, and the member becomes the group's leader. */
static void tell(void)
{
    append();
    read_all(&run);
    wait_for_heartbeat();
    ps_test_group_move_leader(&run.group, 0);
    run.group.coordinator = (run.group.coordinator + 1) % PS_TEST_GROUP_NODES;
    run.group.leads = run.group.rebalances = true;
    append();
    read_all(&run);
    stop(&run);
    check_committed(&run);
}

static void test_reads(void **state)
{
    for (unsigned step = 0; step < 2; step++) {
        begin_oldest();
        for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++)
            run.group.nodes[i].step = step;
        tell();
        assert_false(run.dead);
        assert_int_equal(run.again, 0);
        end(&run);
    }
}

/* The errors of these brokers. */
static void test_errors(void **state)
{
    static const int16_t errors[] = {-1, 1, 3, 5, 6, 7, 14, 15, 16, 22, 25, 27, 29, 30};
    for (size_t k = 0; k < PS_COUNT_OF(keys); k++) {
        for (size_t e = 0; e < PS_COUNT_OF(errors); e++) {
            for (unsigned top = 0; top < 1U + (keys[k] == PS_TEST_KEY_OFFSETS); top++) {
                begin_oldest();
                run.group.fail_key = keys[k];
                run.group.fail_error = errors[e];
                run.group.fail_at = 1;
                run.group.fail_last = 2;
                run.group.fail_top = top != 0;
                tell();
                if (run.dead)
                    fail_msg("request %d, error %d: %s", keys[k], errors[e], run.reason.text);
                end(&run);
            }
        }
    }
}

static void test_torn(void **state)
{
    for (size_t k = 0; k < PS_COUNT_OF(keys); k++) {
        uint32_t bytes = 1;
        for (uint32_t cut = 0; cut < bytes && cut < 120; cut++) {
            for (unsigned inside = 0; inside < 2; inside++) {
                begin_oldest();
                run.group.fail_key = keys[k];
                run.group.fail_at = run.group.fail_last = 1;
                run.group.cut_at = cut;
                run.group.cut_inside = inside != 0;
                tell();
                if (run.dead || run.group.counts.breaks == 0)
                    fail_msg("request %d, byte %u: %s", keys[k], cut, run.reason.text);
                bytes = run.group.cut_bytes;
                end(&run);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_torn),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
