/* The native client's table of topics. */
#include "stages/lib/kafka/cluster/native_internal.h"
#include "stages/lib/kafka/produce/partition.h"
#include "tests/support/hash_tables.h"
#include "tests/support/support.h"

#include <stdio.h>

/* Topics whose names a client has chosen by Kafka's own hash, so that all would be in one chain, are in many chains. */
static void test_names_of_one_hash(void **state)
{
    static struct ps_kafka_native client;
    for (unsigned number = 0; client.topic_count < PS_KAFKA_NATIVE_TOPICS_MAX; number++) {
        char name[32];
        int length = snprintf(name, sizeof name, "topic-%u", number);
        if (ps_kafka_murmur2(name, (size_t)length) % PS_COUNT_OF(client.buckets) == 0)
            assert_non_null(ps_kafka_native_topic_get(&client, name, (uint32_t)length));
    }
    assert_in_range(PS_TEST_CHAINS_IN_USE(client.buckets, PS_COUNT_OF(client.buckets)),
                    PS_KAFKA_NATIVE_TOPICS_MAX / 2, PS_KAFKA_NATIVE_TOPICS_MAX);
    ps_kafka_native_topics_free(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_of_one_hash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
