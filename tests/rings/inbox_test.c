/* The inbox on one thread: a take returns every node once, newest first, and leaves nothing. tests/stress/inbox_test.c
 * tests it with threads. */
#include "rings/inbox.h"

#include "tests/support/support.h"

static unsigned length(const struct ps_inbox_node *node)
{
    unsigned count = 0;
    for (; node != NULL; node = node->next)
        count++;
    return count;
}

static void test_inbox(void **state)
{
    struct ps_inbox inbox = {0};
    struct ps_inbox_node nodes[10];
    assert_null(ps_inbox_take(&inbox));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned count = 0; count <= 10; count++) {
            for (unsigned i = 0; i < count; i++)
                ps_inbox_put(&inbox, &nodes[i]);
            const struct ps_inbox_node *node = ps_inbox_take(&inbox);
            assert_int_equal(length(node), count);
            for (unsigned i = count; i-- > 0; node = node->next)
                assert_ptr_equal(node, &nodes[i]);
            assert_null(ps_inbox_take(&inbox));
        }
    }
}

/* Taken items belong to the owner: later puts do not change them. */
static void test_taken_list_is_private(void **state)
{
    struct ps_inbox inbox = {0};
    struct ps_inbox_node nodes[4];
    ps_inbox_put(&inbox, &nodes[0]);
    ps_inbox_put(&inbox, &nodes[1]);
    const struct ps_inbox_node *taken = ps_inbox_take(&inbox);
    ps_inbox_put(&inbox, &nodes[2]);
    ps_inbox_put(&inbox, &nodes[3]);
    assert_int_equal(length(taken), 2);
    assert_ptr_equal(taken, &nodes[1]);
    assert_int_equal(length(ps_inbox_take(&inbox)), 2);
}

/* The head of an inbox has its own cache lines, even in an array of inboxes. */
static void test_lines(void **state)
{
    assert_int_equal(sizeof(struct ps_inbox), PS_CACHE_GAP);
    assert_int_equal(_Alignof(struct ps_inbox), PS_CACHE_GAP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inbox),
        cmocka_unit_test(test_taken_list_is_private),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
