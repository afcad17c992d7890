/* The decoding of Fetch requests. */
#include "tests/support/kafka/group_broker.h"

#include "tests/support/support.h"

#define VERSION_OF_IDS 13

static uint32_t read_count(struct ps_wire_in *in, int16_t version, size_t bytes)
{
    return version >= VERSION_OF_IDS ? ps_wire_get_compact_count(in, bytes) : ps_wire_get_count(in, bytes);
}

static void end_fields(struct ps_wire_in *in, int16_t version)
{
    if (version >= VERSION_OF_IDS)
        ps_wire_skip_tags(in);
}

/* Reads one partition; others of the same topic are topics of their own. */
static struct ps_test_group_wanted read_part(struct ps_wire_in *in, int16_t version)
{
    struct ps_test_group_wanted part = {0};
    uint32_t length;
    if (version >= VERSION_OF_IDS) {
        assert_int_equal(ps_wire_get_int64(in), 7);
        part.topic = ps_wire_get_int64(in);
    } else {
        const char *name = ps_wire_get_string(in, &length);
        assert_true(length == 1 && *name == 't');
    }
    assert_int_equal(read_count(in, version, 4), 1);
    part.partition = ps_wire_get_int32(in);
    assert_in_range(part.partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
    part.epoch = version >= 9 ? ps_wire_get_int32(in) : -1;
    part.offset = ps_wire_get_int64(in);
    if (version >= 12)
        assert_int_equal(ps_wire_get_int32(in), -1); /* the epoch of the last record */
    if (version >= 5)
        (void)ps_wire_get_int64(in);
    (void)ps_wire_get_int32(in);
    end_fields(in, version);
    end_fields(in, version); /* of the topic */
    return part;
}

void ps_test_group_read_fetch(struct ps_test_request *request, struct ps_test_group_fetching *fetching)
{
    struct ps_wire_in *in = &request->body;
    int16_t version = request->version;
    uint32_t length = 0;
    assert_true(version != 12); /* a consumer has no use for what version 12 adds */
    *fetching = (struct ps_test_group_fetching){.epoch = -1, .by_ids = version >= VERSION_OF_IDS};
    end_fields(in, version); /* of the header */
    assert_int_equal(ps_wire_get_int32(in), -1);
    fetching->wait_ms = ps_wire_get_int32(in);
    (void)ps_wire_get_int32(in);
    if (version >= 3)
        (void)ps_wire_get_int32(in);
    fetching->committed_only = version >= 4 && ps_wire_get_int8(in) == 1;
    if (version >= 7) {
        fetching->session = ps_wire_get_int32(in);
        fetching->epoch = ps_wire_get_int32(in);
    }
    fetching->count = read_count(in, version, 6);
    assert_in_range(fetching->count, fetching->epoch <= 0, PS_TEST_GROUP_PARTITIONS);
    for (uint32_t t = 0; t < fetching->count; t++)
        fetching->parts[t] = read_part(in, version);
    if (version >= 7)
        assert_int_equal(read_count(in, version, 10), 0); /* partitions leave no session */
    if (version >= 11)
        (void)(version >= VERSION_OF_IDS ? ps_wire_get_compact_string(in, &length)
                                         : ps_wire_get_string(in, &length));
    fetching->has_rack = length > 0;
    end_fields(in, version);
    assert_true(!in->failed && in->at == in->end);
}
