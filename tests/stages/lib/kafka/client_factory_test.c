/* The thread that makes and destroys producers: its owner ends it at any time, and waits only for a client that is being
 * made. */
#include "stages/lib/kafka/client_factory.h"

#include "core/clock.h"
#include "core/helper/helper.h"
#include "tests/support/conformance.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PATIENT_MS 60000U

struct config {
    struct ps_kafka_producer_config config;
    bool hangs; /* its client is made only after `go_on` */
    atomic_bool valid;
};

static sem_t begun, go_on;
static atomic_uint made_count, destroyed_count;
static atomic_bool destroys_hang;  /* until `go_on` */
static atomic_bool read_after_end; /* set if a config is read whose owner no longer waits */

static void wait_for(sem_t *what)
{
    while (sem_wait(what) != 0)
        assert_int_equal(errno, EINTR);
}

static struct ps_kafka_producer *make(const struct ps_kafka_producer_config *config_, struct ps_err *)
{
    const struct config *config = (const struct config *)(const void *)config_;
    struct ps_kafka_producer *client = malloc(1);
    if (config->hangs) {
        sem_post(&begun);
        wait_for(&go_on);
    }
    read_after_end |= !config->valid;
    made_count++;
    return client;
}

static void destroy(struct ps_kafka_producer *client)
{
    if (destroys_hang) {
        sem_post(&begun);
        wait_for(&go_on);
    }
    free(client);
    destroyed_count++;
}

static const struct ps_kafka_engine engine = {.create = make, .destroy = destroy};

static struct ps_kafka_client_factory *start(void)
{
    struct ps_err err = {0};
    made_count = destroyed_count = 0;
    destroys_hang = read_after_end = false;
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    struct ps_kafka_client_factory *factory = ps_kafka_client_factory_create(&engine, -1, &err);
    if (factory == NULL)
        fail_msg("%s", err.text);
    return factory;
}

static struct ps_kafka_producer *reply(struct ps_kafka_client_factory *factory)
{
    struct ps_err err = {0};
    struct ps_kafka_producer *client = NULL;
    for (uint64_t until_ns = ps_test_patience_end_ns();
         !ps_kafka_client_factory_reply(factory, &client, &err);) {
        assert_true(ps_test_patient_ns() < until_ns);
        poll(NULL, 0, 1);
    }
    assert_non_null(client);
    return client;
}

static void await_destroyed(unsigned count)
{
    for (uint64_t until_ns = ps_test_patience_end_ns(); destroyed_count < count;) {
        assert_true(ps_test_patient_ns() < until_ns);
        poll(NULL, 0, 1);
    }
}

/* The end of a factory on a thread of its own, as it may hang. */
static void end_aside(void *, void *factory)
{
    ps_kafka_client_factory_destroy(factory, NULL);
}

static struct ps_helper *begin_end(struct ps_kafka_client_factory *factory)
{
    const struct ps_helper_settings settings = {.name = "ends", .room = 1, .wake_fd = -1, .run = end_aside};
    struct ps_err err = {0};
    struct ps_helper *ending = ps_helper_create(&settings, &err);
    assert_non_null(ending);
    assert_true(ps_helper_ask(ending, factory));
    return ending;
}

static void test_make_and_destroy(void **)
{
    struct config config = {.valid = true};
    struct ps_kafka_client_factory *factory = start();
    ps_kafka_client_factory_ask(factory, &config.config, NULL);
    struct ps_kafka_producer *first = reply(factory);
    ps_kafka_client_factory_ask(factory, &config.config, first);
    struct ps_kafka_producer *second = reply(factory);
    ps_kafka_client_factory_destroy(factory, second);
    await_destroyed(2);
    assert_int_equal(made_count, 2);
}

/* The request waits behind a client whose end hangs: it is not carried out, and its owner does not wait for it. */
static void test_request_behind_an_end_that_hangs(void **)
{
    struct config config = {.valid = true};
    struct ps_kafka_client_factory *factory = start();
    ps_kafka_client_factory_ask(factory, &config.config, NULL);
    struct ps_kafka_producer *first = reply(factory);
    destroys_hang = true;
    ps_kafka_client_factory_ask(factory, &config.config, first);
    struct ps_kafka_producer *second = reply(factory);
    wait_for(&begun);
    free(second);
    ps_kafka_client_factory_ask(factory, &config.config, NULL);
    struct ps_helper *ending = begin_end(factory);
    bool ended = ps_helper_wait(ending, PATIENT_MS) != NULL;
    destroys_hang = false;
    sem_post(&go_on);
    assert_true(ps_helper_destroy(ending, PATIENT_MS));
    config.valid = false;
    assert_true(ended);
    await_destroyed(1);
    assert_false(read_after_end);
    assert_int_equal(made_count, 2);
}

/* A client that is being made reads its owner's config: the owner waits for it, and the client is destroyed. */
static void test_end_while_a_client_is_made(void **)
{
    struct config config = {.valid = true, .hangs = true};
    struct ps_kafka_client_factory *factory = start();
    ps_kafka_client_factory_ask(factory, &config.config, NULL);
    wait_for(&begun);
    struct ps_helper *ending = begin_end(factory);
    assert_null(ps_helper_wait(ending, 100));
    sem_post(&go_on);
    assert_non_null(ps_helper_wait(ending, PATIENT_MS));
    config.valid = false;
    assert_true(ps_helper_destroy(ending, PATIENT_MS));
    await_destroyed(1);
    assert_false(read_after_end);
    assert_int_equal(made_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_and_destroy),
        cmocka_unit_test(test_request_behind_an_end_that_hangs),
        cmocka_unit_test(test_end_while_a_client_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
