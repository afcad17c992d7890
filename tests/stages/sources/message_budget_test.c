/* Sources whose messages begin with their length: with a small memory budget each accepts a message of up to a
 * sixteenth of it, whatever its own limit is, and refuses a longer one by its head, before its body comes. */
#include "tests/support/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#define BUDGET_BYTES (8U << 20)
#define LONGEST (BUDGET_BYTES / 16U)
#define QUIET_MS 50U

extern const struct ps_stage_ops ps_source_avro, ps_source_avrolegacy, ps_source_http, ps_source_scribe,
    ps_source_thrift;

static struct ps_test_stage stage;

/* Each function makes the head of a message of `bytes` bytes in all, and returns the head's length. */

static size_t make_avro(uint8_t *to, uint32_t bytes)
{
    const uint32_t words[] = {htonl(1), htonl(1),
                              htonl(bytes - 12)}; /* serial, number of pieces, length of the first piece */
    memcpy(to, words, sizeof words);
    return sizeof words;
}

static size_t make_thrift(uint8_t *to, uint32_t bytes)
{
    const uint32_t word = htonl(bytes - 4);
    memcpy(to, &word, sizeof word);
    return sizeof word;
}

/* Here `bytes` is the length of the body alone. */
static size_t make_http(uint8_t *to, uint32_t bytes)
{
    return (size_t)snprintf((char *)to, 256, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n",
                            bytes);
}

static const struct {
    const struct ps_stage_ops *source;
    const char *keys[7];
    size_t (*make)(uint8_t *to, uint32_t bytes);
} sources[] = {
    {&ps_source_avro, {"bind", "127.0.0.1", "port", "0"}, make_avro},
    {&ps_source_avro, {"bind", "127.0.0.1", "port", "0", "penstock.message.max", "67108864"}, make_avro},
    {&ps_source_thrift, {"bind", "127.0.0.1", "port", "0"}, make_thrift},
    {&ps_source_thrift, {"bind", "127.0.0.1", "port", "0", "penstock.message.max", "67108864"}, make_thrift},
    {&ps_source_scribe, {"port", "0"}, make_thrift},
    {&ps_source_http, {"bind", "127.0.0.1", "port", "0"}, make_http},
    {&ps_source_http, {"bind", "127.0.0.1", "port", "0", "penstock.body.max", "67108864"}, make_http},
    {&ps_source_avrolegacy, {"host", "127.0.0.1", "port", "0"}, make_http},
};

static bool refuses(unsigned which, uint32_t bytes)
{
    uint8_t head[256];
    bool closed;
    size_t length = sources[which].make(head, bytes);
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send(fd, head, length);
    const char *got = ps_test_receive(&stage, fd, 12, QUIET_MS, &closed);
    if (strncmp(got, "HTTP", 4) == 0)
        assert_string_equal(got, "HTTP/1.1 413");
    close(fd);
    return closed || got[0] != '\0';
}

static void test_the_longest_message(void **unused)
{
    for (unsigned i = 0; i < PS_COUNT_OF(sources); i++) {
        ps_test_stage_init_sized(&stage, sources[i].source, BUDGET_BYTES);
        assert_int_equal(ps_test_stage_bind(&stage, sources[i].keys), PS_OK);
        assert_int_equal(ps_test_stage_build(&stage), PS_OK);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        for (unsigned round = 0; round < 2; round++) {
            if (refuses(i, LONGEST))
                fail_msg("source %s refuses a message of %u bytes (%u)", sources[i].source->name, LONGEST, i);
            if (!refuses(i, LONGEST + 1))
                fail_msg("source %s would take a message of %u bytes (%u)", sources[i].source->name,
                         LONGEST + 1, i);
        }
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_longest_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
