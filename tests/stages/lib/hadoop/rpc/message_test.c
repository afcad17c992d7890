#include "stages/lib/hadoop/rpc/message.h"

#include "tests/support/fake_namenode.h"
#include "tests/support/support.h"

/* Byte for byte what org.apache.hadoop.ipc.Client sends for these values. */
static void test_requests(void **state)
{
    static const uint8_t id[PS_HADOOP_RPC_CLIENT_ID_BYTES] = "0123456789abcdef";
    static const uint8_t call[] = "\x00\x00\x00\x1e"                     /* 30 bytes follow */
                                  "\x1a\x08\x02\x10\x00\x18\x0a\x22\x10" /* kind 2, final packet, call id 5 */
                                  "0123456789abcdef\x28\x02"             /* retry count 1 */
                                  "\x02xy";
    static const uint8_t ping[] = "\x00\x00\x00\x1b"
                                  "\x1a\x08\x02\x10\x00\x18\x07\x22\x10"
                                  "0123456789abcdef\x28\x01";
    static const uint8_t context[] = "\x00\x00\x00\x2b"
                                     "\x1a\x08\x02\x10\x00\x18\x05\x22\x10"
                                     "0123456789abcdef\x28\x01"
                                     "\x0f\x12\x0a\x0a\x05"
                                     "alice\x12\x01r\x1a\x01p";
    struct ps_byte_buffer buffer = {0};
    assert_true(ps_hadoop_rpc_put_request(&buffer, 5, 1, id, (const uint8_t *)"\x02xy", 3));
    assert_int_equal(buffer.length, sizeof call - 1);
    assert_memory_equal(buffer.data, call, sizeof call - 1);
    buffer.length = 0;
    assert_true(ps_hadoop_rpc_put_request(&buffer, PS_HADOOP_RPC_CALL_PING, -1, id, NULL, 0));
    assert_int_equal(buffer.length, sizeof ping - 1);
    assert_memory_equal(buffer.data, ping, sizeof ping - 1);
    buffer.length = 0;
    assert_true(ps_hadoop_rpc_put_context(&buffer, id, "p", "alice", "r"));
    assert_int_equal(buffer.length, sizeof context - 1);
    assert_memory_equal(buffer.data, context, sizeof context - 1);
    ps_byte_buffer_clear(&buffer, 0);
    assert_memory_equal(ps_hadoop_rpc_greeting, "hrpc\x09\x00\x00", PS_HADOOP_RPC_GREETING_BYTES);
}

static void test_success(void **state)
{
    PsHadoop__RpcUser user = PS_HADOOP__RPC_USER__INIT;
    struct ps_hadoop_rpc_response response;
    const char *reason = NULL;
    size_t length;
    user.effective_user = "somebody";
    struct ps_byte_buffer bytes = ps_test_namenode_success(300, &user.base);
    for (size_t part = 0; part < bytes.length; part++) {
        assert_int_equal(
            ps_hadoop_rpc_parse_response((uint8_t *)bytes.data, part, 1 << 20, &response, &length, &reason),
            PS_HADOOP_RPC_PARSE_MORE);
        assert_int_equal(length, part < 4 ? 0 : bytes.length);
    }
    assert_int_equal(ps_hadoop_rpc_parse_response((uint8_t *)bytes.data, bytes.length, 1 << 20, &response,
                                                  &length, &reason),
                     PS_HADOOP_RPC_PARSE_WHOLE);
    assert_int_equal(length, bytes.length);
    assert_int_equal(response.call_id, 300);
    assert_int_equal(response.status, 0);
    assert_int_equal(response.body_length, protobuf_c_message_get_packed_size(&user.base));
    assert_int_equal(ps_hadoop_rpc_parse_response((uint8_t *)bytes.data, bytes.length, bytes.length - 4,
                                                  &response, &length, &reason),
                     PS_HADOOP_RPC_PARSE_WHOLE); /* the limit counts the bytes after the length */
    assert_int_equal(ps_hadoop_rpc_parse_response((uint8_t *)bytes.data, bytes.length, bytes.length - 5,
                                                  &response, &length, &reason),
                     PS_HADOOP_RPC_PARSE_INVALID);
    bytes.data[3]++; /* the length names one byte more than the message has */
    assert_true(ps_byte_buffer_reserve(&bytes, 1));
    bytes.data[bytes.length] = 0;
    assert_int_equal(ps_hadoop_rpc_parse_response((uint8_t *)bytes.data, bytes.length + 1, 1 << 20, &response,
                                                  &length, &reason),
                     PS_HADOOP_RPC_PARSE_INVALID);
    bytes.data[3] = (char)(bytes.data[3] - 2); /* one byte less */
    assert_int_equal(ps_hadoop_rpc_parse_response((uint8_t *)bytes.data, bytes.length, 1 << 20, &response,
                                                  &length, &reason),
                     PS_HADOOP_RPC_PARSE_INVALID);
    ps_byte_buffer_clear(&bytes, 0);
}

static void test_errors(void **state)
{
    char long_class[1024], long_message[4096];
    struct ps_hadoop_rpc_response response;
    const char *reason = NULL;
    size_t length;
    struct ps_byte_buffer bytes =
        ps_test_namenode_error(-33, 2, 15, "java.io.IOException", "a\tb\nat x\nat y");
    assert_int_equal(ps_hadoop_rpc_parse_response((uint8_t *)bytes.data, bytes.length, 1 << 20, &response,
                                                  &length, &reason),
                     PS_HADOOP_RPC_PARSE_WHOLE);
    assert_int_equal(response.call_id, -33);
    assert_int_equal(response.status, 2);
    assert_int_equal(response.detail, 15);
    assert_string_equal(response.exception, "java.io.IOException");
    assert_string_equal(response.message, "a b");
    ps_byte_buffer_clear(&bytes, 0);
    memset(long_class, 'c', sizeof long_class - 1);
    memset(long_message, 'm', sizeof long_message - 1);
    long_class[sizeof long_class - 1] = long_message[sizeof long_message - 1] = '\0';
    bytes = ps_test_namenode_error(1, 1, 0, long_class, long_message);
    assert_int_equal(ps_hadoop_rpc_parse_response((uint8_t *)bytes.data, bytes.length, 1 << 20, &response,
                                                  &length, &reason),
                     PS_HADOOP_RPC_PARSE_WHOLE);
    assert_int_equal(strlen(response.exception), sizeof response.exception - 1);
    assert_int_equal(strlen(response.message), sizeof response.message - 1);
    ps_byte_buffer_clear(&bytes, 0);
}

/* Any byte of a response is changed: the parser reads only bytes that exist (AddressSanitizer checks). */
static void test_flipped_bytes(void **state)
{
    struct ps_hadoop_rpc_response response;
    const char *reason = NULL;
    size_t length;
    struct ps_byte_buffer bytes = ps_test_namenode_error(7, 1, 1, "java.io.IOException", "message");
    for (size_t i = 0; i < bytes.length; i++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t *copy = malloc(bytes.length);
            assert_non_null(copy);
            memcpy(copy, bytes.data, bytes.length);
            copy[i] = (uint8_t)value;
            reason = NULL;
            enum ps_hadoop_rpc_parse parse =
                ps_hadoop_rpc_parse_response(copy, bytes.length, 4096, &response, &length, &reason);
            assert_true(parse != PS_HADOOP_RPC_PARSE_INVALID || reason != NULL);
            assert_true(parse != PS_HADOOP_RPC_PARSE_WHOLE || length <= bytes.length);
            free(copy);
        }
    }
    ps_byte_buffer_clear(&bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
