/* Topic handles by name: found again, bounded, the least recently used one is removed. */
#include "stages/lib/kafka/librdkafka/topic_cache.h"
#include "tests/support/hash_tables.h"
#include "tests/support/support.h"

#include <stdio.h>

static rd_kafka_t *client;
static struct ps_kafka_topic_cache cache;

static int setup(void **state)
{
    char reason[128];
    client = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, reason, sizeof reason);
    assert_non_null(client);
    ps_kafka_topic_cache_init(&cache, client);
    return 0;
}

static int teardown(void **state)
{
    ps_kafka_topic_cache_fini(&cache);
    rd_kafka_destroy(client);
    return 0;
}

static struct ps_kafka_topic *get(unsigned number)
{
    char name[32];
    int length = snprintf(name, sizeof name, "topic-%u", number);
    return ps_kafka_topic_cache_get(&cache, name, (uint32_t)length);
}

static void test_bounded(void **state)
{
    struct ps_kafka_topic *first = get(0);
    rd_kafka_topic_t *handle = first->handle;
    for (unsigned i = 1; i < PS_KAFKA_TOPICS_MAX; i++)
        assert_non_null(get(i));
    assert_int_equal(cache.count, PS_KAFKA_TOPICS_MAX);
    assert_ptr_equal(get(0), first);
    assert_ptr_equal(get(0)->handle, handle);
    assert_ptr_equal(get(PS_KAFKA_TOPICS_MAX), first); /* instead of the first one */
    assert_int_equal(cache.count, PS_KAFKA_TOPICS_MAX);
    get(PS_KAFKA_TOPICS_MAX)->turn = 4711; /* lost when it is removed and made again */
    get(PS_KAFKA_TOPICS_MAX + 1);
    get(PS_KAFKA_TOPICS_MAX + 2);
    assert_int_equal(get(PS_KAFKA_TOPICS_MAX)->turn, 4711);
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < 20000; i++) {
        unsigned number = (unsigned)(ps_test_random(&seed) % (3 * PS_KAFKA_TOPICS_MAX));
        char name[32];
        snprintf(name, sizeof name, "topic-%u", number);
        assert_string_equal(rd_kafka_topic_name(get(number)->handle), name);
    }
}

/* Topics whose names a client has chosen to have one hash are in many chains. */
static void test_names_of_one_hash(void **state)
{
    for (unsigned i = 0; i < PS_KAFKA_TOPICS_MAX; i++) {
        char name[PS_TEST_COLLIDING_ROOM];
        uint32_t length = (uint32_t)ps_test_colliding_name(name, "", i);
        assert_non_null(ps_kafka_topic_cache_get(&cache, name, length));
    }
    assert_in_range(PS_TEST_CHAINS_IN_USE(cache.buckets, PS_COUNT_OF(cache.buckets)), PS_KAFKA_TOPICS_MAX / 2,
                    PS_KAFKA_TOPICS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_one_hash, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
