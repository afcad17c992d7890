/* Records that a consumer of the Kafka channel gives up: they become dead letters of the sink that takes from
 * the channel (penstock.deadletter of the sink). A batch with such records is handed to the sink only when the
 * letters are written, so the offsets of these records are not committed before. The records are copied,
 * because letters that are not written yet are withdrawn when the sink gives back its leases; they must then be
 * put again into the dead_letter_queue of the sink that takes the batch next.
 *
 * Thread: the consumer's worker. */
#pragma once

#include "core/stage.h"

struct ps_kafka_dead_letter;

/* The dead letters of one batch. */
struct ps_kafka_dead_letters {
    struct ps_kafka_dead_letter *first, *last;
    struct ps_kafka_dead_letter *next; /* the next letter to put; earlier ones are in the queue of `port` */
    const struct ps_port *port;        /* NULL: no letter was put */
    uint64_t number;                   /* number of the last letter that was put */
};

/* Copies the record for a letter; `reason` is static. Returns NULL if there is no memory. */
struct ps_kafka_dead_letter *ps_kafka_dead_letter_make(const char *reason, const char *text,
                                                       const char *bytes, uint32_t length);
/* Frees a record that was not added. NULL is allowed. */
void ps_kafka_dead_letter_free(struct ps_kafka_dead_letter *letter);
void ps_kafka_dead_letters_add(struct ps_kafka_dead_letters *dead_letters,
                               struct ps_kafka_dead_letter *letter);

static inline bool ps_kafka_dead_letters_any(const struct ps_kafka_dead_letters *dead_letters)
{
    return dead_letters->first != NULL;
}

/* Puts letters while there is room. Returns true if all are written, or if the sink of this port no longer has
 * penstock.deadletter: then the records are only counted. */
bool ps_kafka_dead_letters_are_written(struct ps_kafka_dead_letters *dead_letters, struct ps_port *port);

/* Called at every cycle of a sink: if the sink's letters were withdrawn, makes `are_written` put them again. */
void ps_kafka_dead_letters_look(struct ps_kafka_dead_letters *dead_letters, const struct ps_port *port);

/* Forgets the dead letters: they are written, or their records will be read again. */
void ps_kafka_dead_letters_clear(struct ps_kafka_dead_letters *dead_letters);
