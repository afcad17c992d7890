/* Accounts for a run at the far end: reads the records that were written to a topic since a mark.
 *
 * Numbered bodies begin with ps_kafka_account_number's text. Their numbers go in turn, `turn` at a time, to `streams`
 * streams (the partitions of an input topic, or one file), and the events of a stream must be in order in each
 * partition of the topic. Other bodies can only be counted. Errors end the program.
 *
 * Thread: the bench's main one. */
#pragma once

#include "core/base.h"

#define PS_KAFKA_NUMBER_BYTES 13U /* twelve digits and a space */

struct ps_kafka_mark {
    const char *brokers, *topic;
    int partitions;
    int64_t *ends; /* by partition */
};

struct ps_kafka_account {
    uint64_t events; /* expected */
    uint64_t records, lost, duplicated, reordered;
};

/* Writes the number, without a NUL. */
void ps_kafka_account_number(char *body, uint64_t number);

/* Waits until every partition of the topic has a leader. The names must outlive the mark. */
void ps_kafka_mark_init(struct ps_kafka_mark *mark, const char *brokers, const char *topic, int partitions);
void ps_kafka_mark_fini(struct ps_kafka_mark *mark);

/* Counts the records that came since the mark, and moves the mark to the end of the topic. */
void ps_kafka_account_count(struct ps_kafka_mark *mark, uint64_t events, struct ps_kafka_account *account);
/* Reads the records that were committed since the mark. Their bodies are numbered from 0 to events - 1. The mark moves
 * to the end. */
void ps_kafka_account_read(struct ps_kafka_mark *mark, uint64_t events, unsigned streams, unsigned turn,
                           struct ps_kafka_account *account);

/* Adds what another run lost, doubled or reordered. */
void ps_kafka_account_add(struct ps_kafka_account *sum, const struct ps_kafka_account *one);
