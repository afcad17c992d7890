/* Bytes of Avro calls, and answers read back. (A real Flume: tests/real/load_avro_test.sh.) */
#include "stages/lib/avro/rpc.h"
#include "core/big_endian.h"
#include "tests/support/support.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static void test_the_protocols_name_is_its_md5(void **state)
{
    uint8_t md5[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    assert_int_equal(EVP_Digest(ps_avro_protocol, strlen(ps_avro_protocol), md5, &length, EVP_md5(), NULL),
                     1);
    assert_int_equal(length, sizeof ps_avro_protocol_md5);
    assert_memory_equal(md5, ps_avro_protocol_md5, length);
}

static void test_bytes_of_a_call(void **state)
{
    uint8_t bytes[PS_AVRO_HANDSHAKE_BYTES + 64];
    assert_int_equal(ps_avro_put_handshake(bytes), PS_AVRO_HANDSHAKE_BYTES);
    assert_memory_equal(bytes, ps_avro_protocol_md5, 16);
    assert_int_equal(bytes[16], 2); /* the second branch: a string */
    assert_memory_equal(bytes + 19, ps_avro_protocol, strlen(ps_avro_protocol));
    assert_memory_equal(bytes + PS_AVRO_HANDSHAKE_BYTES - 17, ps_avro_protocol_md5, 16);
    assert_int_equal(bytes[PS_AVRO_HANDSHAKE_BYTES - 1], 0);
    assert_int_equal(ps_avro_put_call(bytes), PS_AVRO_CALL_BYTES);
    assert_memory_equal(bytes,
                        "\0\x16"
                        "appendBatch",
                        13);
    assert_int_equal(ps_avro_put_count(bytes, 1000), 2);
    assert_memory_equal(bytes, "\xd0\x0f", 2);
    assert_int_equal(ps_avro_put_event(bytes, "body", 4), 6);
    assert_memory_equal(bytes,
                        "\0\x08"
                        "body",
                        6);
    char *large = calloc(1, 70000);
    uint8_t *to = malloc(70000 + PS_AVRO_EVENT_BYTES);
    assert_int_equal(ps_avro_put_event(to, large, 70000), 70004);
    free(large);
    free(to);
    assert_int_equal(ps_avro_put_int32(bytes, 0x01020304), 4);
    assert_memory_equal(bytes, "\1\2\3\4", 4);
}

/* Answers in the form that Flume 1.11 gives them, shortened (tests/fuzz/corpus/avro_answer has complete ones). */
static void test_answers(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t length;
        bool handshake;
        enum ps_avro_reading reading;
        struct ps_avro_answer answer;
    } cases[] = {
#define BYTES(text) .bytes = text, .length = sizeof text - 1
        {"OK in three pieces",
         BYTES("\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\1\0\0\0\0\2\0\0"),
         false,
         PS_AVRO_ANSWER,
         {.serial = 2}},
        {"FAILED",
         BYTES("\0\0\1\0\0\0\0\1\0\0\0\3\0\0\2"),
         false,
         PS_AVRO_ANSWER,
         {.serial = 256, .status = PS_AVRO_FAILED}},
        {"UNKNOWN",
         BYTES("\0\0\1\0\0\0\0\1\0\0\0\3\0\0\4"),
         false,
         PS_AVRO_ANSWER,
         {.serial = 256, .status = PS_AVRO_UNKNOWN}},
        {"an error",
         BYTES("\0\0\0\7\0\0\0\1\0\0\0\x08\0\1\0\x08oops"),
         false,
         PS_AVRO_ANSWER,
         {.serial = 7, .failed = true, .error = "oops"}},
        {"match BOTH, nothing else",
         BYTES("\0\0\0\1\0\0\0\1\0\0\0\7\0\0\0\0\0\0\0"),
         true,
         PS_AVRO_ANSWER,
         {.serial = 1}},
        {"match NONE",
         BYTES("\0\0\0\1\0\0\0\1\0\0\0\4\4\0\0\0"),
         true,
         PS_AVRO_ANSWER,
         {.serial = 1, .no_match = true}},
        {"metadata of a negative count",
         BYTES("\0\0\0\1\0\0\0\1\0\0\0\x08\1\x0c\2k\2v\0\0\0"),
         false,
         PS_AVRO_NONSENSE,
         {.serial = 1}},
        {"metadata with a size",
         BYTES("\0\0\0\1\0\0\0\1\0\0\0\x09\1\x08\2k\2v\0\0\0"),
         false,
         PS_AVRO_ANSWER,
         {.serial = 1}},
        {"half an answer",
         BYTES("\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\1\0\0\0"),
         false,
         PS_AVRO_MORE,
         {.serial = 2}},
        {"a status there is not",
         BYTES("\0\0\0\1\0\0\0\1\0\0\0\3\0\0\6"),
         false,
         PS_AVRO_NONSENSE,
         {.serial = 1, .status = PS_AVRO_UNKNOWN}},
        {"too many pieces", BYTES("\0\0\0\1\0\1\0\0"), false, PS_AVRO_NONSENSE, {.serial = 1}},
        {"too long", BYTES("\0\0\0\1\0\0\0\1\0\2\0\0"), false, PS_AVRO_NONSENSE, {.serial = 1}},
        {"HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), true, PS_AVRO_NONSENSE, {.serial = 0x48545450}},
        {"bytes behind the status",
         BYTES("\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\0"),
         false,
         PS_AVRO_NONSENSE,
         {.serial = 1}},
    };
    static uint8_t scratch[PS_AVRO_ANSWER_BYTES_MAX];
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_avro_answer answer;
        size_t taken = 0;
        enum ps_avro_reading reading = ps_avro_read_answer((const uint8_t *)cases[i].bytes, cases[i].length,
                                                           cases[i].handshake, scratch, &answer, &taken);
        const struct ps_avro_answer *wanted = &cases[i].answer;
        if (reading != cases[i].reading || answer.serial != wanted->serial ||
            (reading == PS_AVRO_ANSWER &&
             (answer.status != wanted->status || answer.failed != wanted->failed ||
              taken != cases[i].length || answer.no_match != wanted->no_match ||
              strcmp(answer.error, wanted->error) != 0)))
            fail_msg("%s: %d, serial %u, status %d, error %d \"%s\", %zu bytes", cases[i].name, (int)reading,
                     answer.serial, (int)answer.status, answer.failed, answer.error, taken);
    }
}

/* An answer may be in as many pieces as the limit, of which only the last one has bytes here. */
static void test_most_pieces(void **state)
{
    enum { HEAD = 8, PIECE = 4, STATUS = 3 };
    static uint8_t bytes[HEAD + PIECE * (PS_AVRO_PIECES_MAX + 1) + STATUS], scratch[PS_AVRO_ANSWER_BYTES_MAX];
    for (uint32_t pieces = PS_AVRO_PIECES_MAX - 1; pieces <= PS_AVRO_PIECES_MAX + 1; pieces++) {
        struct ps_avro_answer answer;
        size_t taken = 0, length = HEAD + PIECE * pieces + STATUS;
        memset(bytes, 0, sizeof bytes);
        ps_big_endian_put_32(bytes + 4, pieces);
        ps_big_endian_put_32(bytes + HEAD + PIECE * (pieces - 1), STATUS);
        bool fits = pieces <= PS_AVRO_PIECES_MAX;
        assert_int_equal(ps_avro_read_answer(bytes, length, false, scratch, &answer, &taken),
                         fits ? PS_AVRO_ANSWER : PS_AVRO_NONSENSE);
        assert_int_equal(taken, fits ? length : 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_protocols_name_is_its_md5),
        cmocka_unit_test(test_bytes_of_a_call),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_most_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
