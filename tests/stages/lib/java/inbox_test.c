/* The inbox of a component: messages come out in order, and an honest host never fills it. */
#include "stages/lib/java/inbox.h"

#include "stages/lib/java/exchange/events.h"
#include "tests/support/support.h"

/* What a sink has in the host at most (stages/sinks/java.c): 8 slots, each of which may have twice its ordinary 512 KiB, full of events without
 * headers and body. */
#define EVENTS (UINT64_C(8) * (UINT64_C(1) << 20) / sizeof(struct ps_java_event))

static struct ps_java_inbox inbox;
static struct ps_java_message message;

static bool put(uint64_t number)
{
    char bytes[PS_JAVA_MESSAGE_BYTES_MAX];
    const uint64_t numbers[] = {1, number, number + 1};
    const struct ps_java_head head = {.type = PS_JAVA_COMMIT, .link = 1, .number_count = 3};
    return ps_java_inbox_put(&inbox, bytes, ps_java_message_write(bytes, &head, numbers, NULL));
}

static void take(uint64_t number)
{
    assert_true(ps_java_inbox_take(&inbox, &message));
    assert_int_equal(message.type, PS_JAVA_COMMIT);
    assert_int_equal(message.numbers[1], number);
}

/* The worker looks at last when the class has committed each of its events alone. */
static void test_commits_of_all_events(void **state)
{
    ps_java_inbox_init(&inbox);
    for (uint64_t i = 0; i < EVENTS; i++)
        if (!put(i))
            fail_msg("there is no room for commit %llu of %llu", (unsigned long long)i,
                     (unsigned long long)EVENTS);
    for (uint64_t i = 0; i < EVENTS; i++)
        take(i);
    assert_true(ps_java_inbox_is_empty(&inbox));
    assert_false(ps_java_inbox_take(&inbox, &message));
    assert_ptr_equal(inbox.bytes, inbox.first); /* the memory is given back */
}

static void test_a_flood_ends(void **state)
{
    uint64_t count = 0;
    ps_java_inbox_init(&inbox);
    while (count < 10 * EVENTS && put(count))
        count++;
    assert_true(count >= EVENTS && count < 2 * EVENTS);
    take(0); /* what has come before is still there */
    assert_true(put(count));
    for (uint64_t i = 1; i <= count; i++)
        take(i);
    assert_true(ps_java_inbox_is_empty(&inbox));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_commits_of_all_events),
                                       cmocka_unit_test(test_a_flood_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
