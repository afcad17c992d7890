/* The librdkafka producer: implements the interface of kafka/produce/seam.h. */
#pragma once

#include "stages/lib/kafka/produce/seam.h"

/* Checks that librdkafka accepts a set of properties, without connecting or starting threads. PS_FAIL:
 * librdkafka refuses a property, which the line in `err` names. Thread: control. */
enum ps_status ps_kafka_pairs_check(const struct ps_pair *pairs, size_t count, struct ps_err *err);
