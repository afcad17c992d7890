/* murmur2 against the values of Java's Utils.murmur2 (org.apache.kafka.common.utils.UtilsTest and
 * librdkafka's test vectors), and against librdkafka's own partitioner. */
#include "stages/lib/kafka/produce/partition.h"
#include "tests/support/support.h"

#include <librdkafka/rdkafka.h>

static void test_vectors(void **state)
{
    static const struct {
        const char *key;
        uint32_t hash;
    } vectors[] = {
        {"21", (uint32_t)-973932308},
        {"foobar", (uint32_t)-790332482},
        {"a-little-bit-long-string", (uint32_t)-985981536},
        {"a-little-bit-longer-string", (uint32_t)-1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", (uint32_t)-58897971},
        {"kafka", 0xd067cf64U},
        {"giberish123456789", 0x8f552b0cU},
        {"1234", 0x9fc97b14U},
        {"234", 0xe7c009caU},
        {"34", 0x873930daU},
        {"4", 0x5a4b5ca1U},
        {"PreAmbleWillBeRemoved,ThePrePartThatIs", 0x78424f1cU},
        {"", 0x106e08d9U},
    };
    for (size_t i = 0; i < PS_COUNT_OF(vectors); i++) {
        char shifted[64]; /* at every alignment */
        for (size_t shift = 0; shift < 8; shift++) {
            size_t length = strlen(vectors[i].key);
            memcpy(shifted + shift, vectors[i].key, length);
            assert_int_equal(ps_kafka_murmur2(shifted + shift, length), vectors[i].hash);
        }
    }
}

static void test_as_librdkafka(void **state)
{
    uint64_t seed = ps_test_seed();
    char key[64];
    for (int i = 0; i < 20000; i++) {
        size_t length = ps_test_random(&seed) % sizeof key;
        for (size_t k = 0; k < length; k++)
            key[k] = (char)ps_test_random(&seed);
        int32_t count = (int32_t)(1 + ps_test_random(&seed) % 1000);
        assert_int_equal(ps_kafka_partition_of_key(key, length, count),
                         rd_kafka_msg_partitioner_murmur2(NULL, key, length, count, NULL, NULL));
    }
}

static void test_topic_names(void **state)
{
    char name[260];
    memset(name, 'a', sizeof name);
    assert_true(ps_kafka_topic_name_is_legal("a.B_9-z", 7));
    assert_true(ps_kafka_topic_name_is_legal("...", 3));
    assert_true(ps_kafka_topic_name_is_legal(name, 249));
    assert_false(ps_kafka_topic_name_is_legal(name, 250));
    assert_false(ps_kafka_topic_name_is_legal("", 0));
    assert_false(ps_kafka_topic_name_is_legal(".", 1));
    assert_false(ps_kafka_topic_name_is_legal("..", 2));
    assert_false(ps_kafka_topic_name_is_legal("a b", 3));
    assert_false(ps_kafka_topic_name_is_legal("a/b", 3));
    assert_false(ps_kafka_topic_name_is_legal("a\0b", 3));
    assert_false(ps_kafka_topic_name_is_legal("\xc3\xa4", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_as_librdkafka),
        cmocka_unit_test(test_topic_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
