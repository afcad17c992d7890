/* A producer that implements stages/lib/kafka/produce/seam.h, and its broker, controlled by a test: they
 * refuse records or requests for as long as the test says, and keep what was delivered. Also a
 * sender that uses them, under the fake clock, and numbered events. One file of a program includes it.
 * Thread: the test's; `create` runs on the client factory's thread, while the sender has no producer. */
#pragma once

#include "stages/lib/kafka/produce/sender.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <unistd.h>

#define NUMBERS_MAX 16384U
#define RECORD_BYTES_MAX 50000U
#define REQUEST_BYTES_MAX 100000U
#define NEVER_REFUSED UINT32_MAX

enum { TOO_LARGE = 10, INVALID_RECORD = 87, FATAL = -150 }; /* codes of kafka/errors.c */

struct record {
    void *token;
    unsigned number;
    uint32_t bytes;
    bool sent; /* in the request that is on its way */
};

static struct {
    /* the broker */
    uint32_t poison;      /* the record with this number is refused with `code` */
    uint64_t bytes_limit; /* a larger request is refused with `code`; 0: none */
    int code;
    bool known_already; /* it answers that it has the records */
    unsigned log[NUMBERS_MAX], log_count;
    unsigned refusal_count;
    /* the producer */
    struct record queue[NUMBERS_MAX];
    unsigned count;
    uint32_t records_max;   /* in a request */
    uint32_t report_max;    /* tokens in a report */
    int rest_code;          /* error of the other records after a refusal; 0: they are kept until a purge */
    bool fatal, purged;     /* it can no longer be used */
    bool purge_sent, purge; /* purge reports are due, even of sent records */
    uint64_t request_bytes_max;
    unsigned made_count, submit_max;
    /* this many calls of `submit` find no memory after this many records */
    unsigned submits_fail, fails_after;
    int submit_code; /* the error of these calls; 0: no memory */
} fake;

/* ---- the engine ---- */

static struct ps_kafka_producer *fake_create(const struct ps_kafka_producer_config *config,
                                             struct ps_err *err)
{
    assert_int_equal(fake.count, 0); /* every record of the last one was reported */
    fake.fatal = fake.purged = fake.purge = fake.purge_sent = false;
    fake.request_bytes_max = config->request_bytes_max != 0 ? config->request_bytes_max : REQUEST_BYTES_MAX;
    fake.made_count++;
    return (struct ps_kafka_producer *)&fake;
}

static void fake_destroy(struct ps_kafka_producer *producer)
{
}

static struct ps_kafka_topic *fake_topic(struct ps_kafka_producer *producer, const char *name,
                                         uint32_t length)
{
    return (struct ps_kafka_topic *)producer;
}

static uint32_t fake_submit(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                            const struct ps_kafka_record *records, uint32_t count, int *error)
{
    assert_false(fake.purged); /* an idempotent producer has a gap after that */
    *error = fake.fatal ? FATAL : 0;
    for (uint32_t i = 0; i < count && !fake.fatal; i++) {
        if (fake.submits_fail > 0 && i == fake.fails_after) {
            fake.submits_fail--;
            *error = fake.submit_code != 0 ? fake.submit_code : PS_KAFKA_NO_MEMORY;
            return i;
        }
        assert_true(fake.count < NUMBERS_MAX);
        fake.queue[fake.count++] = (struct record){.token = records[i].token,
                                                   .number = (unsigned)strtoul(records[i].value, NULL, 10),
                                                   .bytes = records[i].value_length};
    }
    if (count > fake.submit_max)
        fake.submit_max = count;
    return fake.fatal ? 0 : count;
}

/* Reports these records and removes them from the queue. */
static uint32_t report(const struct ps_kafka_listener *listener, const bool *which, int error)
{
    static void *tokens[NUMBERS_MAX];
    uint32_t count = 0, left = 0, done = 0;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < fake.count; i++) {
        if (which[i]) {
            bytes += fake.queue[i].bytes;
            tokens[count++] = fake.queue[i].token;
        } else {
            fake.queue[left++] = fake.queue[i];
        }
    }
    fake.count = left;
    while (done < count) {
        uint32_t part = count - done < fake.report_max ? count - done : fake.report_max;
        listener->report(listener->argument,
                         &(struct ps_kafka_report){.error = error,
                                                   .count = part,
                                                   .group_count = count,
                                                   .group_bytes = part == count ? bytes : 0,
                                                   .topic = "t",
                                                   .tokens = tokens + done});
        done += part;
    }
    return count;
}

static uint32_t report_purged(const struct ps_kafka_listener *listener)
{
    bool which[NUMBERS_MAX];
    for (unsigned i = 0; i < fake.count; i++)
        which[i] = fake.purge_sent || !fake.queue[i].sent;
    fake.purge = false;
    return report(listener, which, -152);
}

/* Makes the next request. Returns the number of records. */
static unsigned make_request(bool *which, uint64_t *bytes, bool *has_poison)
{
    unsigned count = 0;
    *bytes = 0;
    *has_poison = false;
    for (unsigned i = 0; i < fake.count; i++) {
        struct record *record = &fake.queue[i];
        which[i] =
            count < fake.records_max && (count == 0 || *bytes + record->bytes <= fake.request_bytes_max);
        if (!which[i])
            continue;
        record->sent = true;
        *bytes += record->bytes;
        *has_poison |= record->number == fake.poison;
        count++;
    }
    return count;
}

static uint32_t answer(const struct ps_kafka_listener *listener)
{
    bool which[NUMBERS_MAX], has_poison;
    uint64_t bytes;
    if (fake.count == 0)
        return 0;
    (void)make_request(which, &bytes, &has_poison);
    if (has_poison || (fake.bytes_limit != 0 && bytes > fake.bytes_limit)) {
        fake.refusal_count++;
        fake.fatal = true; /* gapless */
        uint32_t count = report(listener, which, fake.code);
        const struct ps_kafka_notice notice = {PS_KAFKA_NOTICE_FATAL, -148, "a gap"};
        listener->notice(listener->argument, &notice);
        return count;
    }
    for (unsigned i = 0; i < fake.count; i++) {
        if (which[i])
            fake.log[fake.log_count++] = fake.queue[i].number;
    }
    return report(listener, which, fake.known_already ? 46 : 0);
}

static uint32_t fake_poll(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                          uint32_t budget)
{
    if (fake.purge)
        return report_purged(listener);
    if (!fake.fatal)
        return answer(listener);
    bool all[NUMBERS_MAX];
    memset(all, true, sizeof all);
    return fake.rest_code != 0 ? report(listener, all, fake.rest_code) : 0;
}

static void fake_purge(struct ps_kafka_producer *producer, bool in_flight)
{
    fake.purge = fake.purged = true;
    fake.purge_sent = in_flight;
}

static const struct ps_kafka_engine engine = {
    .create = fake_create,
    .destroy = fake_destroy,
    .topic = fake_topic,
    .submit = fake_submit,
    .poll = fake_poll,
    .purge = fake_purge,
};

static const struct ps_kafka_sender_plan plan = {
    .engine = &engine,
    .mapping = {.topic = "t", .topic_length = 1, .default_partition = PS_KAFKA_PARTITION_ANY},
    .record_bytes_max = RECORD_BYTES_MAX,
    .request_bytes_max = REQUEST_BYTES_MAX,
};

/* ---- the sink ---- */

static struct ps_test_stage stage;
static struct ps_kafka_sender *sender;
static struct ps_lease *leases[64]; /* in order */
static size_t lease_count, offered_count;
static unsigned sent_count; /* events; their bodies are "0", "1", .. and blanks */

static inline void start(void)
{
    struct ps_err err = {0};
    memset(&fake, 0, sizeof fake);
    fake.poison = NEVER_REFUSED;
    fake.report_max = NUMBERS_MAX;
    fake.records_max = NUMBERS_MAX;
    lease_count = offered_count = sent_count = 0;
    ps_test_stage_init(&stage, &ps_sink_kafka);
    sender = calloc(1, sizeof *sender);
    assert_non_null(sender);
    assert_int_equal(ps_kafka_sender_open(sender, &plan, &stage.port, &err), PS_OK);
}

static inline void stop(void)
{
    ps_kafka_sender_close(sender);
    free(sender);
    ps_test_stage_fini(&stage);
}

static inline void add_leases(unsigned count, unsigned events, uint32_t length)
{
    static struct ps_test_event list[PS_BATCH_EVENTS_MAX];
    while (count-- > 0) {
        for (unsigned i = 0; i < events; i++) {
            char *body = ps_arena_alloc(stage.arena, length + 1);
            snprintf(body, length + 1, "%-*u", (int)length, sent_count++);
            list[i] = (struct ps_test_event){.body = body, .length = length};
        }
        assert_true(lease_count < PS_COUNT_OF(leases));
        leases[lease_count++] = ps_test_lease(&stage, list, events);
    }
}

/* Runs one cycle, 10 ms long: offers the next lease, ticks. */
static inline void turn(void)
{
    if (offered_count < lease_count) {
        struct ps_lease *lease = leases[offered_count];
        offered_count += ps_kafka_sender_take(sender, &lease, &stage.now) == PS_TAKEN;
    }
    ps_kafka_sender_tick(sender, &stage.now);
    for (unsigned i = 0; i < 100000 && sender->phase == PS_KAFKA_RENEWING && sender->producer == NULL; i++) {
        usleep(50); /* the client factory's thread makes a producer; the sender's clock does not move */
        ps_kafka_sender_tick(sender, &stage.now);
    }
    ps_test_stage_pass_ms(&stage, 10);
}

static inline void pass_s(unsigned seconds)
{
    for (unsigned i = 0; i < 100 * seconds; i++)
        turn();
}

static inline uint64_t counted(enum ps_counter counter)
{
    return ps_test_stage_counter(&stage, counter);
}

static inline void wait_done(void)
{
    for (unsigned i = 0; i < 10000 && stage.done_count < lease_count; i++)
        turn();
    assert_int_equal(stage.done_count, lease_count);
    for (size_t i = 0; i < lease_count; i++)
        assert_ptr_equal(stage.done[i], leases[i]);
}

/* Asserts that the log has the numbers below `end`, once and in order. */
static inline void assert_log(unsigned end)
{
    assert_int_equal(fake.log_count, end);
    for (unsigned i = 0; i < end; i++)
        assert_int_equal(fake.log[i], i);
}

static inline void assert_all(void)
{
    assert_log(sent_count);
}
