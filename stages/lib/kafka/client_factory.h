/* Makes and destroys producers on a helper thread (core/helper/helper.h): both may take a while, and a worker must not
 * wait. The helper thread handles one request at a time. The library's threads inherit the CPU affinity of the helper
 * thread, which is that of the whole process. Thread: the worker of the producer's owner calls these functions. */
#pragma once

#include "stages/lib/kafka/produce/seam.h"

struct ps_kafka_client_factory;

/* `wake_fd` is written when a reply has come (-1: none). Returns NULL if there is no thread, memory or
 * descriptor. */
struct ps_kafka_client_factory *ps_kafka_client_factory_create(const struct ps_kafka_engine *engine,
                                                               int wake_fd, struct ps_err *err);

/* Makes the thread destroy `old` (NULL: no producer), and ends the thread. Waits for the thread at most a second;
 * if the producer takes longer (a name server that does not answer), the thread finishes alone. */
void ps_kafka_client_factory_destroy(struct ps_kafka_client_factory *factory, struct ps_kafka_producer *old);

/* Asks for a producer; `old` (or NULL) is destroyed once the new one is made. `config` must stay valid and
 * unchanged until the reply. */
void ps_kafka_client_factory_ask(struct ps_kafka_client_factory *factory,
                                 const struct ps_kafka_producer_config *config,
                                 struct ps_kafka_producer *old);

/* Returns true when the reply has come: *made is the producer, or NULL with the reason in `err`. Does not wait. */
bool ps_kafka_client_factory_reply(struct ps_kafka_client_factory *factory, struct ps_kafka_producer **made,
                                   struct ps_err *err);
