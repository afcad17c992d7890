/* The queue of the packets of a block: which packet is sent next after packets were removed. */
#include "stages/lib/hadoop/transfer/pipeline.h"

#include "tests/support/support.h"

static struct ps_packet_pool pool;

static struct ps_packet *add(struct ps_packet_queue *queue, int64_t number)
{
    struct ps_packet *packet = ps_packet_begin(&pool, 0, number, 100);
    assert_non_null(packet);
    ps_packet_seal(&pool, packet);
    ps_packet_queue_add(queue, packet);
    return packet;
}

static void remove_first(struct ps_packet_queue *queue, const struct ps_packet *expected)
{
    struct ps_packet *packet = ps_packet_queue_remove(queue);
    assert_ptr_equal(packet, expected);
    ps_packet_free(&pool, packet);
}

/* This number of three packets is sent before they are removed. */
static void test_what_is_removed_is_not_sent(void **state)
{
    for (unsigned sent = 0; sent <= 3; sent++) {
        struct ps_packet_queue queue = {.first = NULL};
        struct ps_packet *packets[4] = {NULL};
        assert_true(ps_packet_pool_init(&pool, PS_CHECKSUM_CRC32C, 512, 65536));
        for (unsigned i = 0; i < 3; i++)
            packets[i] = add(&queue, i);
        assert_ptr_equal(queue.unsent, packets[0]);
        queue.unsent = packets[sent];
        for (unsigned i = 0; i < 3; i++) {
            remove_first(&queue, packets[i]);
            assert_ptr_equal(queue.first, packets[i + 1]);
            assert_ptr_equal(queue.unsent, packets[i + 1 > sent ? i + 1 : sent]);
        }
        const struct ps_packet *next = add(&queue, 3);
        assert_ptr_equal(queue.first, next);
        assert_ptr_equal(queue.unsent, next);
        remove_first(&queue, next);
        ps_packet_pool_clear(&pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_removed_is_not_sent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
