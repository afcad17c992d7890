/* operation.c: messages of data transfer, byte by byte. */
#include "stages/lib/hadoop/transfer/operation.h"

#include "tests/support/support.h"

static struct ps_slice slice(const void *bytes, size_t length)
{
    return (struct ps_slice){.data = bytes, .length = (uint32_t)length};
}

static void test_an_operation_begins_with_version_code_and_length(void **state)
{
    PsHadoop__ClientReadStatus message = PS_HADOOP__CLIENT_READ_STATUS__INIT;
    size_t length;
    message.status = 6;
    char *bytes = ps_operation_encode(PS_OPERATION_WRITE_BLOCK, &message.base, &length);
    assert_int_equal(length, 6);
    assert_memory_equal(bytes, "\x00\x1c\x50\x02\x08\x06", 6);
    free(bytes);
    bytes = ps_message_encode(&message.base, &length);
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "\x02\x08\x06", 3);
    free(bytes);
}

static void test_a_message_is_found_when_it_is_whole(void **state)
{
    char bytes[300] = {(char)0xac, 0x02}; /* 300 as a varint: more than is there */
    struct ps_slice message;
    size_t consumed;
    assert_int_equal(ps_message_find(bytes, 0, &message, &consumed), PS_MESSAGE_MORE);
    assert_int_equal(ps_message_find(bytes, 1, &message, &consumed), PS_MESSAGE_MORE);
    assert_int_equal(ps_message_find(bytes, 300, &message, &consumed), PS_MESSAGE_MORE);
    assert_int_equal(ps_message_find("\x81\x80\x04", 3, &message, &consumed), PS_MESSAGE_BAD); /* 65,537 */
    bytes[0] = 3;
    assert_int_equal(ps_message_find(bytes, 4, &message, &consumed), PS_MESSAGE_WHOLE);
    assert_int_equal(consumed, 4);
    assert_int_equal(message.length, 3);
    assert_ptr_equal(message.data, bytes + 1);
    assert_int_equal(ps_message_find("\x00", 1, &message, &consumed), PS_MESSAGE_WHOLE);
    assert_int_equal(message.length, 0);
    assert_int_equal(ps_message_find("\xff\xff\xff\xff\xff\x01", 6, &message, &consumed), PS_MESSAGE_BAD);
}

static void test_a_response_names_the_bad_link(void **state)
{
    struct ps_block_response response;
    struct ps_slice message = slice("\x08\x01\x12\x0e"
                                    "127.0.0.1:9866"
                                    "\x2a\x02no",
                                    22);
    assert_true(ps_block_response_parse(&message, &response));
    assert_int_equal(response.status, PS_TRANSFER_ERROR);
    assert_string_equal(response.first_bad_link, "127.0.0.1:9866");
    assert_string_equal(response.message, "no");
    assert_false(response.has_checksum);
    message = slice("\x08\x00\x22\x09\x0a\x05\x08\x02\x10\x80\x04\x10\x00", 13); /* CRC32C of 512, from 0 */
    assert_true(ps_block_response_parse(&message, &response));
    assert_true(response.has_checksum);
    assert_int_equal(response.checksum_type, 2);
    assert_int_equal(response.chunk_bytes, 512);
    message = slice("", 0); /* the status is missing, which is required */
    assert_false(ps_block_response_parse(&message, &response));
}

static void test_an_acknowledgement_has_a_status_of_each_datanode(void **state)
{
    struct ps_pipeline_ack ack;
    struct ps_slice message =
        slice("\x08\x0e\x10\x00\x10\x01\x10\x08", 8); /* number 7: zigzag; without flags */
    assert_true(ps_pipeline_ack_parse(&message, &ack));
    assert_int_equal(ack.number, 7);
    assert_int_equal(ack.count, 3);
    assert_int_equal(ack.nodes[0].status, PS_TRANSFER_SUCCESS);
    assert_int_equal(ack.nodes[1].status, PS_TRANSFER_ERROR);
    assert_int_equal(ack.nodes[2].status, PS_TRANSFER_OOB_RESTART);
    /* A heartbeat's; flags: congested (3 << 5), and slow (1 << 7) with an error. The flags decide, not the statuses. */
    message = slice("\x08\x01\x10\x00\x10\x00\x22\x03\x60\x81\x01", 11);
    assert_true(ps_pipeline_ack_parse(&message, &ack));
    assert_int_equal(ack.number, -1);
    assert_int_equal(ack.nodes[0].congestion, PS_ACK_CONGESTED);
    assert_int_equal(ack.nodes[0].status, PS_TRANSFER_SUCCESS);
    assert_true(ack.nodes[1].slow);
    assert_int_equal(ack.nodes[1].status, PS_TRANSFER_ERROR);
    message = slice("\x08\x01\x10\x00\x10\x00\x22\x01\x60", 9); /* two replies, one flag */
    assert_false(ps_pipeline_ack_parse(&message, &ack));
    char many[2 + 2 * (PS_PIPELINE_NODES_MAX + 1)] = {0x08, 0x02};
    for (unsigned i = 0; i <= PS_PIPELINE_NODES_MAX; i++)
        many[2 + 2 * i] = 0x10;
    message = slice(many, sizeof many);
    assert_false(ps_pipeline_ack_parse(&message, &ack));
    message = slice(many, sizeof many - 2);
    assert_true(ps_pipeline_ack_parse(&message, &ack));
    assert_int_equal(ack.count, PS_PIPELINE_NODES_MAX);
}

static void test_a_packet_header_is_within_its_limits(void **state)
{
    char bytes[] = "\x09\x00\x02\0\0\0\0\0\0\x11\x07\0\0\0\0\0\0\0\x18\x01\x25\x03\0\0\0";
    struct ps_slice message = slice(bytes, sizeof bytes - 1);
    uint64_t offset;
    uint32_t length;
    bool last;
    assert_true(ps_packet_header_parse(&message, 3, &offset, &length, &last));
    assert_int_equal(offset, 512);
    assert_int_equal(length, 3);
    assert_true(last);
    assert_false(ps_packet_header_parse(&message, 2, &offset, &length, &last));
    bytes[8] = (char)0x80; /* a negative offset */
    assert_false(ps_packet_header_parse(&message, 3, &offset, &length, &last));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_operation_begins_with_version_code_and_length),
        cmocka_unit_test(test_a_message_is_found_when_it_is_whole),
        cmocka_unit_test(test_a_response_names_the_bad_link),
        cmocka_unit_test(test_an_acknowledgement_has_a_status_of_each_datanode),
        cmocka_unit_test(test_a_packet_header_is_within_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
