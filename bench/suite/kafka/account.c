#include "bench/suite/kafka/account.h"

#include "bench/suite/kafka/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PER_CALL 1024
#define WAIT_MS 10000
#define BATCH_WAIT_MS 100

void ps_kafka_account_number(char *body, uint64_t number)
{
    body[PS_KAFKA_NUMBER_BYTES - 1] = ' ';
    for (unsigned i = PS_KAFKA_NUMBER_BYTES - 1; i > 0; i--) {
        body[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}

static rd_kafka_t *client_new(const struct ps_kafka_mark *mark)
{
    const char *const settings[][2] = {
        {"bootstrap.servers", mark->brokers},  {"group.id", "bench-account"},
        {"enable.auto.commit", "false"},       {"enable.partition.eof", "true"},
        {"isolation.level", "read_committed"}, {NULL, NULL},
    };
    return ps_kafka_loop_client(RD_KAFKA_CONSUMER, settings);
}

static int64_t end_of(rd_kafka_t *client, const struct ps_kafka_mark *mark, int32_t partition)
{
    int64_t low = 0, high = 0;
    unsigned tries =
        0; /* a new topic has no leaders yet; a thousand partitions take a busy broker a minute */
    while (rd_kafka_query_watermark_offsets(client, mark->topic, partition, &low, &high, WAIT_MS) !=
           RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (++tries == 3000)
            ps_bench_fatal("a partition does not answer");
        usleep(100000);
    }
    return high;
}

void ps_kafka_mark_init(struct ps_kafka_mark *mark, const char *brokers, const char *topic, int partitions)
{
    *mark = (struct ps_kafka_mark){.brokers = brokers, .topic = topic, .partitions = partitions};
    mark->ends = ps_must_alloc((size_t)partitions, sizeof *mark->ends, "offsets");
    rd_kafka_t *client = client_new(mark);
    for (int32_t i = 0; i < partitions; i++)
        mark->ends[i] = end_of(client, mark, i);
    rd_kafka_destroy(client);
}

void ps_kafka_mark_fini(struct ps_kafka_mark *mark)
{
    free(mark->ends);
}

void ps_kafka_account_count(struct ps_kafka_mark *mark, uint64_t events, struct ps_kafka_account *account)
{
    *account = (struct ps_kafka_account){.events = events};
    rd_kafka_t *client = client_new(mark);
    for (int32_t i = 0; i < mark->partitions; i++) {
        int64_t end = end_of(client, mark, i);
        account->records += (uint64_t)(end - mark->ends[i]);
        mark->ends[i] = end;
    }
    rd_kafka_destroy(client);
    account->lost = account->records < events ? events - account->records : 0;
    account->duplicated = account->records > events ? account->records - events : 0;
}

/* ---- reading ---- */

struct reading {
    struct ps_kafka_account *account;
    unsigned streams, turn;
    uint8_t *seen;  /* by number */
    uint64_t *last; /* by partition and stream: the last number, plus one */
    int open;       /* partitions that are not at their end */
};

static uint64_t number_in(const rd_kafka_message_t *message)
{
    const char *body = message->payload;
    uint64_t number = 0;
    if (message->len < PS_KAFKA_NUMBER_BYTES)
        ps_bench_fatal("a body has no number");
    for (unsigned i = 0; i + 1 < PS_KAFKA_NUMBER_BYTES; i++) {
        if (body[i] < '0' || body[i] > '9')
            ps_bench_fatal("a body has no number");
        number = 10 * number + (uint64_t)(body[i] - '0');
    }
    return number;
}

static void see(struct reading *reading, const rd_kafka_message_t *message)
{
    struct ps_kafka_account *account = reading->account;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        reading->open--;
        return;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_bench_fatal("%s", rd_kafka_message_errstr(message));
    uint64_t number = number_in(message);
    if (number >= account->events)
        ps_bench_fatal("a body has a number that was never sent");
    uint64_t *last = &reading->last[(uint64_t)message->partition * reading->streams +
                                    number / reading->turn % reading->streams];
    account->records++;
    if (reading->seen[number] != 0)
        account->duplicated++;
    else if (number + 1 < *last)
        account->reordered++;
    reading->seen[number] = 1;
    *last = number + 1 > *last ? number + 1 : *last;
}

static void assign(rd_kafka_t *client, const struct ps_kafka_mark *mark)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(mark->partitions);
    for (int32_t i = 0; i < mark->partitions; i++)
        rd_kafka_topic_partition_list_add(list, mark->topic, i)->offset = mark->ends[i];
    rd_kafka_poll_set_consumer(client);
    if (rd_kafka_assign(client, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_bench_fatal("the far end cannot be read");
    rd_kafka_topic_partition_list_destroy(list);
}

void ps_kafka_account_read(struct ps_kafka_mark *mark, uint64_t events, unsigned streams, unsigned turn,
                           struct ps_kafka_account *account)
{
    static rd_kafka_message_t *taken[PER_CALL];
    *account = (struct ps_kafka_account){.events = events};
    struct reading reading = {
        .account = account,
        .streams = streams,
        .turn = turn,
        .seen = ps_must_alloc(events, 1, "the account"),
        .last = ps_must_alloc((size_t)mark->partitions * streams, sizeof(uint64_t), "the account"),
        .open = mark->partitions,
    };
    rd_kafka_t *client = client_new(mark);
    assign(client, mark);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
    /* A call waits for its whole time unless it gets PER_CALL messages, so the time is short. */
    for (int waited_ms = 0; reading.open > 0;) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, BATCH_WAIT_MS, taken, PER_CALL);
        waited_ms = count == 0 ? waited_ms + BATCH_WAIT_MS : 0;
        if (count < 0 || waited_ms >= WAIT_MS)
            ps_bench_fatal("the far end does not answer");
        for (ssize_t i = 0; i < count; i++) {
            see(&reading, taken[i]);
            rd_kafka_message_destroy(taken[i]);
        }
    }
    for (int32_t i = 0; i < mark->partitions; i++)
        mark->ends[i] = end_of(client, mark, i);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    for (uint64_t i = 0; i < events; i++)
        account->lost += reading.seen[i] == 0;
    free(reading.seen);
    free(reading.last);
}

void ps_kafka_account_add(struct ps_kafka_account *sum, const struct ps_kafka_account *one)
{
    sum->events += one->events;
    sum->records += one->records;
    sum->lost += one->lost;
    sum->duplicated += one->duplicated;
    sum->reordered += one->reordered;
}
