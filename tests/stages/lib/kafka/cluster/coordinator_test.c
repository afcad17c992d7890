/* When the native client's next step for a coordinator is due, for each state of the coordinator's broker and of the other
 * brokers. If it is due too late, a member of a group is silent; if it is due too early, the worker spins. */
#include "stages/lib/kafka/cluster/native_internal.h"

#include "tests/support/support.h"

#define AT_NS(s) ((s)*PS_NS_PER_S)
#define LOGIN_NS AT_NS(500) /* of a broker that is up: not due yet */

/* The state of a broker in the rows below; `phase` as in the native client. */
struct state {
    enum ps_kafka_native_phase phase;
    uint64_t rest_ns;
    uint32_t failures;
    bool gone, login;
};

static const struct row {
    const char *what;
    bool known; /* the first broker is the coordinator */
    bool asked;
    uint32_t failures; /* the broker's failures when it was named coordinator */
    uint64_t rest_ns;  /* time before which no request for the coordinator is sent */
    struct state first, second;
    uint64_t due_ns;
} rows[] = {
    {"it is up", true, false, 0, 0, {.phase = PS_KAFKA_NATIVE_UP}, {.phase = PS_KAFKA_NATIVE_DOWN}, 0},
    {"it logs in again", true, false, 0, 0, {.phase = PS_KAFKA_NATIVE_UP, .login = true}, {0}, PS_NEVER},
    {"it connects",
     true,
     false,
     0,
     0,
     {.phase = PS_KAFKA_NATIVE_CONNECTING},
     {.phase = PS_KAFKA_NATIVE_UP},
     PS_NEVER},
    {"it is down since it was named",
     true,
     false,
     3,
     AT_NS(9),
     {.rest_ns = AT_NS(7), .failures = 3},
     {.phase = PS_KAFKA_NATIVE_UP},
     AT_NS(7)},
    {"it is down, and never failed",
     true,
     false,
     0,
     AT_NS(9),
     {.rest_ns = AT_NS(4)},
     {.phase = PS_KAFKA_NATIVE_UP},
     AT_NS(4)},
    {"it failed: another one is asked",
     true,
     false,
     3,
     AT_NS(9),
     {.rest_ns = AT_NS(7), .failures = 4},
     {.phase = PS_KAFKA_NATIVE_UP},
     AT_NS(9)},
    {"it failed, and the other one is asked already",
     true,
     true,
     3,
     AT_NS(9),
     {.rest_ns = AT_NS(7), .failures = 4},
     {.phase = PS_KAFKA_NATIVE_UP},
     PS_NEVER},
    {"it failed, and the other one logs in again",
     true,
     false,
     3,
     AT_NS(9),
     {.rest_ns = AT_NS(7), .failures = 4},
     {.phase = PS_KAFKA_NATIVE_UP, .login = true},
     PS_NEVER},
    {"nobody is known: one is up",
     false,
     false,
     0,
     AT_NS(9),
     {.rest_ns = AT_NS(7)},
     {.phase = PS_KAFKA_NATIVE_UP},
     AT_NS(9)},
    {"nobody is known: one connects",
     false,
     false,
     0,
     AT_NS(9),
     {.rest_ns = AT_NS(7)},
     {.phase = PS_KAFKA_NATIVE_RESOLVING},
     PS_NEVER},
    {"all are down: the first that may be tried",
     false,
     false,
     0,
     0,
     {.rest_ns = AT_NS(7)},
     {.rest_ns = AT_NS(5)},
     AT_NS(5)},
    {"all are down: the other way round",
     false,
     false,
     0,
     0,
     {.rest_ns = AT_NS(5)},
     {.rest_ns = AT_NS(7)},
     AT_NS(5)},
    {"all are down, and the question rests longer",
     false,
     false,
     0,
     AT_NS(9),
     {.rest_ns = AT_NS(7)},
     {.rest_ns = AT_NS(5)},
     AT_NS(9)},
    {"one that is gone is not tried",
     false,
     false,
     0,
     0,
     {.rest_ns = AT_NS(5), .gone = true},
     {.rest_ns = AT_NS(7)},
     AT_NS(7)},
    {"one that is gone is not asked",
     false,
     false,
     0,
     0,
     {.phase = PS_KAFKA_NATIVE_UP, .gone = true},
     {.rest_ns = AT_NS(7)},
     AT_NS(7)},
};

static struct ps_kafka_native_broker broker_of(struct ps_kafka_native *client, int32_t node,
                                               const struct state *state)
{
    return (struct ps_kafka_native_broker){.client = client,
                                           .node = node,
                                           .phase = state->phase,
                                           .rest_ns = state->rest_ns,
                                           .failures = state->failures,
                                           .gone = state->gone,
                                           .login.again_ns = state->login ? client->now.mono_ns : LOGIN_NS};
}

static void test_due(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct ps_kafka_native client = {.now = {.mono_ns = AT_NS(1)}};
        struct ps_kafka_native_broker second = broker_of(&client, 8, &row->second);
        struct ps_kafka_native_broker first = broker_of(&client, 7, &row->first);
        const struct ps_kafka_native_coordinator coordinator = {.node = row->known ? 7 : -1,
                                                                .asked = row->asked,
                                                                .failures = row->failures,
                                                                .rest_ns = row->rest_ns};
        first.next = &second;
        client.brokers = &first;
        uint64_t due_ns = ps_kafka_native_coordinator_due_ns(&client, &coordinator);
        if (due_ns != row->due_ns)
            fail_msg("%s: due at %llu, not %llu", row->what, (unsigned long long)due_ns,
                     (unsigned long long)row->due_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
