/* A member of a group whose agent was killed: the next life makes it leave, so that nobody waits for its session to end. */
#include "tests/support/folder.h"
#include "tests/support/kafka/fetch_run.h"

static struct run run;
static struct ps_kafka_place remembered;

static void open_place(void)
{
    const struct ps_kafka_place_plan plan = {ps_test_folder(), "source-r1"};
    ps_kafka_place_open(&remembered, &plan, 0, "test t1");
    assert_true(remembered.is_open);
    place = &remembered;
}

static void close_place(void)
{
    ps_kafka_place_close(&remembered);
    place = NULL;
}

/* Notes members, as a life that was killed did. */
static void leave_behind(const char *group, const char *members)
{
    open_place();
    ps_kafka_place_note(&remembered, group, members);
    close_place();
}

static void begin_life(unsigned dead)
{
    open_place();
    begin(&run, 1, NULL, 0);
    run.group.dead = dead;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run.group, i, 5);
}

static void end_life(void)
{
    end(&run);
    close_place();
}

/* One member that was killed, or several, because lives were killed before they made the last one leave. */
static void test_members_that_were_killed(void **state)
{
    static const char *const lists[] = {"dead-1\t", "dead-1\tdead-2\tdead-3\t"};
    for (unsigned i = 0; i < PS_COUNT_OF(lists); i++) {
        leave_behind("g", lists[i]);
        begin_life(1 + 2 * i);
        read_all(&run);
        assert_int_equal(run.group.dead, 0);
        assert_int_equal(run.group.asked[PS_TEST_KEY_LEAVE], 1 + 2 * i);
        assert_string_equal(remembered.members, PS_TEST_GROUP_MEMBER "\t"); /* this one is next */
        end_life();
    }
}

/* A coordinator that cannot answer yet is asked again. */
static void test_refusal(void **state)
{
    static const int16_t errors[] = {14, 15, 16};
    for (unsigned i = 0; i < PS_COUNT_OF(errors); i++) {
        leave_behind("g", "dead-1\t");
        begin_life(1);
        run.group.fail_key = PS_TEST_KEY_LEAVE;
        run.group.fail_at = run.group.fail_last = 1;
        run.group.fail_error = errors[i];
        read_all(&run);
        assert_int_equal(run.group.dead, 0);
        end_life();
    }
}

/* A life that is killed before the group has taken it in leaves both names behind; one that stops leaves none. */
static void test_what_a_life_leaves(void **state)
{
    leave_behind("g", "dead-1\t");
    begin_life(2); /* the other one is not known: it goes on waiting */
    while (!run.group.waits)
        turn(&run);
    end_life();
    open_place();
    assert_string_equal(remembered.members, PS_TEST_GROUP_MEMBER "\tdead-1\t");
    ps_kafka_place_note(&remembered, "g", "");
    close_place();
    begin_life(0);
    read_all(&run);
    stop(&run);
    assert_string_equal(remembered.members, "");
    end_life();
}

/* Members of another group are not the matter of this one. */
static void test_nobody_leaves(void **state)
{
    leave_behind("other", "dead-1\t");
    begin_life(0);
    read_all(&run);
    assert_int_equal(run.group.asked[PS_TEST_KEY_LEAVE], 0);
    end_life();
}

int main(void)
{
#define TEST(function)                                                                                       \
    cmocka_unit_test_setup_teardown(function, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_members_that_were_killed), TEST(test_refusal),
                                       TEST(test_what_a_life_leaves), TEST(test_nobody_leaves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
