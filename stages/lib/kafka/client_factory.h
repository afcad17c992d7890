/* Makes and destroys Kafka clients (producers, consumers) on a helper thread (core/helper/helper.h): both may
 * take a while, and a worker must not wait. The helper thread handles one request at a time. The library's
 * threads inherit the CPU affinity of the helper thread, which is that of the whole process. Thread: the worker
 * of the client's owner calls these functions. */
#pragma once

#include "stages/lib/kafka/produce/seam.h"

struct ps_kafka_client_factory;

/* The functions that make and destroy a client. Thread of both: the client factory's. */
struct ps_kafka_making {
    /* Returns NULL with the reason if the client cannot be made. */
    void *(*make)(const void *argument, const void *config, struct ps_err *err);
    void (*destroy)(const void *argument, void *made);
    const void *argument;
};

/* Makes producers of the engine; the config is a ps_kafka_producer_config. */
struct ps_kafka_making ps_kafka_making_producers(const struct ps_kafka_engine *engine);

/* `wake_fd` is written when a reply has come (-1: none). Returns NULL if there is no thread, memory or
 * descriptor. */
struct ps_kafka_client_factory *ps_kafka_client_factory_create(const struct ps_kafka_making *making,
                                                               int wake_fd, struct ps_err *err);

/* Makes the thread destroy `old` (NULL: no client), and ends the thread. Waits for the thread at most a second;
 * if the client takes longer (a name server that does not answer), the thread finishes alone. */
void ps_kafka_client_factory_destroy(struct ps_kafka_client_factory *factory, void *old);

/* Asks for a client; `old` (or NULL) is destroyed once the new one is made. `config` must stay valid and
 * unchanged until the reply. */
void ps_kafka_client_factory_ask(struct ps_kafka_client_factory *factory, const void *config, void *old);

/* Returns true when the reply has come: *made is the client, or NULL with the reason in `err`. Does not wait. */
bool ps_kafka_client_factory_reply(struct ps_kafka_client_factory *factory, void **made, struct ps_err *err);
