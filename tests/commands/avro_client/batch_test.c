/* A batch of penstock avro-client has the bodies that were added since its begin, in order, whatever their lengths. */
#include "commands/avro_client/avro_client.h"
#include "tests/support/support.h"

#include <string.h>

#define EVENTS_MAX 8U
#define BODY_BYTES_MAX 5000U

/* The byte at `at` of the body `number` of a round. */
static char byte_of(size_t round, size_t number, size_t at)
{
    return (char)(round * 31 + number * 7 + at * 13 + at / 251);
}

static void expect_bodies(struct ps_rpc_batch *batch, size_t round, const size_t *lengths, size_t count)
{
    const struct penstock_client_event *events = ps_rpc_batch_events(batch);
    assert_int_equal(batch->count, count);
    for (size_t i = 0; i < count; i++) {
        const char *body = events[i].body;
        assert_int_equal(events[i].body_length, lengths[i]);
        for (size_t at = 0; at < lengths[i]; at++)
            assert_int_equal(body[at], byte_of(round, i, at));
        assert_ptr_equal(events[i].headers, batch->headers);
        assert_int_equal(events[i].header_count, batch->header_count);
    }
}

/* Adds bodies of these lengths one by one, and asks for all of them after each. */
static void fill(struct ps_rpc_batch *batch, size_t round, const size_t *lengths, size_t count)
{
    static char bytes[BODY_BYTES_MAX];
    ps_rpc_batch_begin(batch);
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < lengths[i]; at++)
            bytes[at] = byte_of(round, i, at);
        const struct ps_slice body = {.data = lengths[i] > 0 ? bytes : NULL, .length = (uint32_t)lengths[i]};
        ps_rpc_batch_add(batch, &body);
        memset(bytes, 0, sizeof bytes); /* the caller's bytes are gone after the call */
        expect_bodies(batch, round, lengths, i + 1);
    }
}

static const struct penstock_client_header headers[] = {{.name = "a", .value = "b"},
                                                        {.name = "c", .value = ""}};

static void test_bodies(void **state)
{
    static const size_t rounds[][EVENTS_MAX] = {
        {100, 100, 100, 100, 100, 100, 100, 100}, /* the same */
        {1, 2, 4, 8, 16, 32, 64, 128},            /* growing */
        {5000, 500, 50, 5, 1, 1, 1, 1},           /* shrinking: a long body, then ends of lines */
        {1000, 1001, 10, 1000, 1, 5000, 1, 1},    /* a short one that has no room behind long ones */
        {0, 0, 0, 1, 0, 2, 0, 0},                 /* empty lines */
        {0, 0, 0, 0, 0, 0, 0, 0},
    };
    for (size_t header_count = 0; header_count <= PS_COUNT_OF(headers); header_count += 2)
        for (size_t first = 0; first < PS_COUNT_OF(rounds); first++) {
            struct ps_rpc_batch batch;
            ps_rpc_batch_init(&batch, header_count > 0 ? headers : NULL, header_count, EVENTS_MAX);
            for (size_t i = 0; i < PS_COUNT_OF(rounds); i++) /* the buffer is that of the rounds before */
                fill(&batch, i, rounds[(first + i) % PS_COUNT_OF(rounds)], EVENTS_MAX - i % 2);
            ps_rpc_batch_fini(&batch);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bodies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
