/* Target avro: its bytes, what answers mean, windows, answers that are none. (What all targets have in
 * common: conformance_target_test.c; a real Flume: tests/real/load_avro_test.sh.) */
#include "bench/load/avro_wire.h"
#include "bench/load/targets.h"
#include "tests/support/peer.h"

#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>

static const struct ps_test_event_size size = {60, 300};
static struct ps_test_peer peer;
static struct ps_lane lane;

/* ---- bytes ---- */

static void test_the_protocols_name_is_its_md5(void **state)
{
    (void)state;
    uint8_t md5[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    assert_int_equal(EVP_Digest(ps_avro_protocol, strlen(ps_avro_protocol), md5, &length, EVP_md5(), NULL),
                     1);
    assert_int_equal(length, sizeof ps_avro_protocol_md5);
    assert_memory_equal(md5, ps_avro_protocol_md5, length);
}

static void test_bytes_of_a_call(void **state)
{
    (void)state;
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

/* What Flume 1.11 answered (tests/fuzz/corpus/avro_answer has whole answers of it). */
static void test_answers(void **state)
{
    (void)state;
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

/* ---- against a server ---- */

static void begin(const char *keys, ps_test_protocol *protocol,
                  int (*verdict)(struct ps_test_peer *, uint64_t, uint32_t))
{
    char text[256];
    peer = (struct ps_test_peer){.protocol = protocol, .size = size, .verdict = verdict};
    ps_test_peer_start(&peer);
    lane = (struct ps_lane){0};
    snprintf(text, sizeof text, "avro://127.0.0.1:%u?%s", peer.port, keys);
    ps_test_lane_open(&lane, &ps_target_avro, text);
}

static void end(void)
{
    ps_test_lane_close(&lane);
    ps_test_peer_stop(&peer);
}

static int every_third_failed(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    (void)sequence;
    (void)count;
    return from->verdicts++ % 3 == 1;
}

static void test_failed_comes_again_in_order(void **state)
{
    (void)state;
    begin("batch=60", ps_test_protocol_avro, every_third_failed);
    assert_true(ps_test_lane_send(&lane, 2000, 77, size, 10000));
    assert_int_equal(lane.completed, 2000);
    assert_int_equal(lane.downs, 0);
    assert_int_equal(peer.accepted, 1);
    ps_test_peer_check(&peer, &lane, 2000, true);
    end();
}

static void test_failed_within_a_window(void **state)
{
    (void)state;
    static uint8_t seen[2000];
    memset(seen, 0, sizeof seen);
    begin("batch=20&window=8", ps_test_protocol_avro, every_third_failed);
    assert_true(ps_test_lane_send(&lane, 2000, 77, size, 20000));
    assert_int_equal(lane.completed, 2000);
    assert_int_equal(ps_test_peer_count(&peer), 2000);
    for (size_t i = 0; i < peer.count; i++) {
        assert_int_equal(seen[peer.sequences[i]], 0);
        seen[peer.sequences[i]] = 1;
    }
    end();
}

static int full_until_told(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    (void)sequence;
    (void)count;
    return from->verdicts == 0;
}

static bool lane_is_down(void *argument)
{
    (void)argument;
    return lane.downs > 0 && !lane.up;
}

static void test_failed_that_lasts_is_an_outage(void **state)
{
    (void)state;
    begin("", ps_test_protocol_avro, full_until_told);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, 10000, lane_is_down, NULL));
    assert_non_null(strstr(lane.reason, "FAILED"));
    peer.verdicts = 1;
    assert_true(ps_test_lane_run(&lane, 10000, NULL, NULL));
    assert_true(lane.up);
    ps_test_peer_check(&peer, &lane, 10, true);
    end();
}

static int one_error(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    (void)sequence;
    (void)count;
    return from->verdicts++ == 3 ? -1 : 0;
}

static void test_an_error_gives_the_connection_up(void **state)
{
    (void)state;
    begin("batch=50", ps_test_protocol_avro, one_error);
    assert_true(ps_test_lane_send(&lane, 500, 50, size, 10000));
    assert_int_equal(lane.downs, 1);
    assert_non_null(strstr(lane.reason, "bang"));
    assert_int_equal(peer.accepted, 2);
    ps_test_peer_check(&peer, &lane, 500, true);
    end();
}

static size_t nonsense(struct ps_test_link *link)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    return ps_test_link_send(link, answer, sizeof answer - 1) ? link->length : SIZE_MAX;
}

static void test_a_server_of_another_kind(void **state)
{
    (void)state;
    begin("", nonsense, NULL);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, 5000, lane_is_down, NULL));
    assert_non_null(strstr(lane.reason, "no answer of Avro's"));
    end();
    begin("compression=zlib", nonsense, NULL);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, 5000, lane_is_down, NULL));
    assert_non_null(strstr(lane.reason, "not compressed"));
    end();
}

static size_t silence(struct ps_test_link *link)
{
    return link->length;
}

static void test_no_answer(void **state)
{
    (void)state;
    begin("timeout=100ms", silence, NULL);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, 5000, lane_is_down, NULL));
    assert_non_null(strstr(lane.reason, "no answer in time"));
    end();
}

static void test_urls_that_cannot_be(void **state)
{
    (void)state;
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1", "port");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?batch=0", "batch");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?window=33", "window");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?compression=gzip", "zlib");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?compression=zlib&level=10", "level");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?compression=zlib&tls=true", "not both");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?timeout=later", "timeout");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?bacth=10", "batch");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program */
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_protocols_name_is_its_md5),
        cmocka_unit_test(test_bytes_of_a_call),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_failed_comes_again_in_order),
        cmocka_unit_test(test_failed_within_a_window),
        cmocka_unit_test(test_failed_that_lasts_is_an_outage),
        cmocka_unit_test(test_an_error_gives_the_connection_up),
        cmocka_unit_test(test_a_server_of_another_kind),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_urls_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
