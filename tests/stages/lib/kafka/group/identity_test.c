/* The membership that a consumer reads: librdkafka's own text of the group's metadata, and texts of other forms. */
#include "stages/lib/kafka/group/identity.h"
#include "tests/support/support.h"

#include <stdlib.h>

/* As the library writes it. */
static void *written(const char *member, int assignment, const char *instance, size_t *length)
{
    void *bytes;
    rd_kafka_consumer_group_metadata_t *metadata =
        rd_kafka_consumer_group_metadata_new_with_genid("the group", assignment, member, instance);
    assert_non_null(metadata);
    assert_null(rd_kafka_consumer_group_metadata_write(metadata, &bytes, length));
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return bytes;
}

static void assert_slice(struct ps_slice slice, const char *text)
{
    assert_int_equal(slice.length, strlen(text));
    assert_memory_equal(slice.data, text, slice.length);
}

static void test_the_librarys(void **state)
{
    struct ps_kafka_membership membership = {0};
    size_t length;
    void *bytes = written("member-1", 7, NULL, &length);
    assert_true(ps_kafka_membership_parse(&membership, bytes, length));
    assert_slice(membership.member, "member-1");
    assert_slice(membership.instance, "");
    assert_int_equal(membership.assignment, 7);
    rd_kafka_mem_free(NULL, bytes);
    bytes = written("m", INT32_MAX, "host 1", &length);
    assert_true(ps_kafka_membership_parse(&membership, bytes, length));
    assert_slice(membership.member, "m");
    assert_slice(membership.instance, "host 1");
    assert_int_equal(membership.assignment, INT32_MAX);
    rd_kafka_mem_free(NULL, bytes);
}

/* Metadata that are cut, too long, of another version or without a member give no membership. */
static void test_others(void **state)
{
    struct ps_kafka_membership membership = {0};
    size_t length;
    char *bytes = written("member-1", 7, "instance", &length);
    for (size_t cut = 0; cut < length; cut++) {
        char *part = ps_test_exact_copy(bytes, cut);
        assert_false(ps_kafka_membership_parse(&membership, part, cut));
        assert_int_equal(membership.assignment, -1);
        assert_int_equal(membership.member.length, 0);
        free(part);
    }
    char *longer = calloc(1, length + 1);
    assert_non_null(longer);
    memcpy(longer, bytes, length);
    assert_false(ps_kafka_membership_parse(&membership, longer, length + 1));
    free(longer);
    bytes[5]++;
    assert_false(ps_kafka_membership_parse(&membership, bytes, length));
    rd_kafka_mem_free(NULL, bytes);
    bytes = written("", 7, NULL, &length);
    assert_false(ps_kafka_membership_parse(&membership, bytes, length));
    rd_kafka_mem_free(NULL, bytes);
    bytes = written("member-1", -1, NULL, &length); /* not in the group */
    assert_false(ps_kafka_membership_parse(&membership, bytes, length));
    rd_kafka_mem_free(NULL, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_librarys),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
