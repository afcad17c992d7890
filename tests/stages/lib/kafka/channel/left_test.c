/* How many records stay in the topic of a Kafka channel: the agent does not wait for a name server that is silent. */
#include "stages/lib/kafka/channel/left.h"

#include "core/helper/helper.h"
#include "tests/support/conformance.h"

#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>

#define PATIENT_MS 60000U

static sem_t asked, go_on;
static atomic_uint waiting;

static void wait_for(sem_t *what)
{
    while (sem_wait(what) != 0)
        assert_int_equal(errno, EINTR);
}

/* Replaces the function of libc, also for librdkafka: a name server that is silent until `go_on`. */
int getaddrinfo(const char *restrict, const char *restrict, const struct addrinfo *restrict,
                struct addrinfo **restrict found)
{
    *found = NULL;
    waiting++;
    sem_post(&asked);
    wait_for(&go_on);
    waiting--;
    return EAI_AGAIN;
}

static void say_left(void *, void *settings)
{
    ps_kafka_channel_say_left(settings, "channel c1", "events", "group");
}

static void test_silent_name_server(void **)
{
    struct ps_kafka_settings settings = {0};
    struct ps_err err = {0};
    const struct ps_helper_settings aside = {.name = "control", .room = 1, .wake_fd = -1, .run = say_left};
    sem_init(&asked, 0, 0);
    sem_init(&go_on, 0, 0);
    ps_kafka_settings_set(&settings, "bootstrap.servers", "broker.example:9092");
    ps_kafka_settings_set(&settings, "group.id", "group");
    struct ps_helper *control = ps_helper_create(&aside, &err);
    assert_non_null(control);
    assert_true(ps_helper_ask(control, &settings));
    wait_for(&asked);
    bool over = ps_helper_wait(control, PATIENT_MS) != NULL;
    bool silent = waiting > 0;
    for (unsigned i = 0; i < 100; i++) /* lets the client end, whatever else it asks for */
        sem_post(&go_on);
    assert_true(ps_helper_destroy(control, PATIENT_MS));
    assert_true(over);
    assert_true(silent);
    ps_kafka_settings_fini(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_name_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
