/* A member of a group whose agent was killed: the next life makes it leave, so that nobody waits for its session to end. */
#include "core/log/log.h"
#include "tests/support/folder.h"
#include "tests/support/kafka/fetch_run.h"

#include <stdio.h>
#include <unistd.h>

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

/* Opens a consumer beside a member that the last one has left behind, until it has left. Returns whether the log calls it an earlier life. */
static bool names_a_life(void)
{
    char line[1024];
    FILE *log = tmpfile();
    int was = dup(2);
    bool names = false;
    assert_non_null(log);
    dup2(fileno(log), 2);
    ps_log_set_level(PS_LOG_INFO);
    begin_life(1);
    read_all(&run);
    ps_log_set_level(PS_LOG_OFF);
    dup2(was, 2);
    close(was);
    assert_int_equal(run.group.dead, 0);
    rewind(log);
    while (fgets(line, sizeof line, log) != NULL)
        names |= strstr(line, "earlier life") != NULL;
    fclose(log);
    end_life();
    return names;
}

/* Without an offset, auto.offset.reset = none (error, for the client) ends the consumer, and the next one makes its member leave. No life of the agent has ended
 * then, and the log does not say so; it does after a kill. */
static void test_a_consumer_that_fails(void **state)
{
    static const struct ps_pair none = {.key = "auto.offset.reset", .value = "error"};
    char members[PS_KAFKA_PLACE_MEMBERS_BYTES];
    open_place();
    begin(&run, 1, &none, 1);
    for (unsigned turns = 0; !run.dead; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    end_life();
    open_place();
    const char *own = strstr(remembered.members, PS_TEST_GROUP_MEMBER);
    assert_non_null(own);
    /* as if the broker had given it another name than it gives to the next one */
    snprintf(members, sizeof members, "%.*sdead-1\t", (int)(own - remembered.members), remembered.members);
    close_place();
    leave_behind("g", members);
    assert_false(names_a_life());
    leave_behind("g", "dead-1\t");
    assert_true(names_a_life());
}

int main(void)
{
#define TEST(function)                                                                                       \
    cmocka_unit_test_setup_teardown(function, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_members_that_were_killed), TEST(test_refusal),
                                       TEST(test_what_a_life_leaves), TEST(test_nobody_leaves),
                                       TEST(test_a_consumer_that_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
