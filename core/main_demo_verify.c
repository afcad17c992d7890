/* The demo's verifier: reads both topics to the end and accounts for every event. Each event is known by
 * connection, group and number: a bit each tells what was seen. Within a partition the numbers of one
 * connection and group must rise. Offsets must have no gaps: a gap is what the broker threw away before it
 * was read. */
#include "core/main_demo.h"
#include "core/clock.h"
#include "stages/kafka_reader.h"

#include <stdio.h>
#include <stdlib.h>

struct stream {
    uint64_t *seen;                 /* a bit for each number */
    uint64_t next[DEMO_PARTITIONS]; /* one more than the highest number in this partition */
};

struct verifier {
    struct demo *demo;
    struct stream streams[DEMO_CONNECTIONS_MAX][DEMO_GROUPS];
    int64_t offsets[DEMO_GROUPS][DEMO_PARTITIONS]; /* expected next */
    uint64_t now_ns;                               /* when the records of this read came; 0: not looked yet */
};

static void on_record(void *argument, const struct ps_kafka_record *record)
{
    struct verifier *verifier = argument;
    struct demo *demo = verifier->demo;
    struct demo_stamp stamp;
    unsigned partition = (unsigned)record->partition;
    if (partition >= DEMO_PARTITIONS || !demo_stamp_read(demo, record->value, record->length, &stamp) ||
        stamp.group != record->topic) {
        demo_add(&demo->foreign, 1);
        return;
    }
    int64_t *offset = &verifier->offsets[record->topic][partition];
    if (record->offset > *offset)
        demo_add(&demo->discarded, (uint64_t)(record->offset - *offset));
    *offset = record->offset + 1;
    if (stamp.number >= demo->planned)
        return; /* while held open: no longer checked */
    struct stream *stream = &verifier->streams[stamp.connection][stamp.group];
    uint64_t *word = &stream->seen[stamp.number / 64], bit = UINT64_C(1) << stamp.number % 64;
    if (*word & bit) {
        demo_add(&demo->duplicated, 1);
        return;
    }
    *word |= bit;
    if (stamp.number < stream->next[partition])
        demo_add(&demo->reordered, 1);
    else
        stream->next[partition] = stamp.number + 1;
    if (verifier->now_ns == 0)
        verifier->now_ns = ps_clock_now().mono_ns;
    ps_histogram_record(&demo->latency_ns,
                        verifier->now_ns > stamp.due_ns ? verifier->now_ns - stamp.due_ns : 0, 1);
    demo_add(&demo->delivered, 1);
}

int demo_verify(struct demo *demo)
{
    static struct verifier verifier;
    struct ps_err err;
    verifier.demo = demo;
    for (unsigned i = 0; i < demo->connections; i++) {
        for (unsigned group = 0; group < DEMO_GROUPS; group++) {
            verifier.streams[i][group].seen = calloc(demo->planned / 64 + 1, sizeof(uint64_t));
            PS_ASSERT(verifier.streams[i][group].seen != NULL);
        }
    }
    struct ps_kafka_reader *reader = ps_kafka_reader_open(demo->brokers, demo_topics, DEMO_GROUPS, &err);
    if (reader == NULL) {
        fprintf(stderr, "penstock demo: verifier: %s\n", err.text);
        ps_flag_set(&demo->verifier_failed, true);
        return 1;
    }
    ps_flag_set(&demo->verifier_ready, true);
    while (!ps_flag_get(&demo->finish)) {
        verifier.now_ns = 0;
        ps_kafka_reader_read(reader, 1, on_record, &verifier);
    }
    ps_kafka_reader_close(reader);
    return 0;
}
