/* The native client: an engine behind stages/lib/kafka/produce/seam.h that writes record sets itself and sends
 * them over sockets of its own, without threads. The worker polls the client's epoll. ps_kafka_native_fits
 * names a setting that the client does not support. */
#pragma once

#include "stages/lib/kafka/produce/seam.h"

extern const struct ps_kafka_engine ps_kafka_native;

/* Returns PS_OK if the client supports these properties of librdkafka; PS_FAIL: `err` has the reason. Thread: any. */
enum ps_status ps_kafka_native_fits(const struct ps_pair *pairs, size_t count, struct ps_err *err);
