/* librdkafka behind the seam (kafka/seam.h). What the rest of the program may know of it: */
#pragma once

#include "stages/kafka/seam.h"

/* Finds out whether the library takes a set of properties, without connecting to anything or starting
 * threads. PS_FAIL and a line naming the property when not. Thread: control. */
enum ps_status ps_kafka_pairs_check(const struct ps_pair *pairs, size_t count, struct ps_err *err);
