/* Makes and destroys Kafka producers on a thread of its own, since both may take a while and a worker must
 * not wait. One request at a time; requests and replies go through pipes, so that neither side ever blocks
 * the other and no memory is shared but what a message hands over.
 *
 * The thread is started by `open`, before the worker is pinned: the library's threads inherit from it that
 * they may run anywhere. Thread: the sink's worker calls these functions. */
#pragma once

#include "stages/kafka/seam.h"

struct ps_kafka_maker;

/* `wake_fd` is written to when a reply is there (-1: none). NULL: no thread or pipe. */
struct ps_kafka_maker *ps_kafka_maker_create(const struct ps_kafka_engine *engine, const char *component,
                                             int wake_fd, struct ps_err *err);

/* Has `old` destroyed (NULL: none) and the thread ended. Waits a second for it at most; a producer that takes
 * longer (a name server that does not answer) is left to the thread. */
void ps_kafka_maker_destroy(struct ps_kafka_maker *maker, struct ps_kafka_producer *old);

/* Asks for a producer; `old` (or NULL) is destroyed once the new one is there. `config` must stay valid and
 * unchanged until the reply. */
void ps_kafka_maker_ask(struct ps_kafka_maker *maker, const struct ps_kafka_producer_config *config,
                        struct ps_kafka_producer *old);

/* True when the reply is there: *producer, or NULL and the reason in `err`. Does not wait. */
bool ps_kafka_maker_reply(struct ps_kafka_maker *maker, struct ps_kafka_producer **producer,
                          struct ps_err *err);
