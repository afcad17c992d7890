/* Reads librdkafka's statistics, which are JSON. Thread: any; it allocates. */
#pragma once

#include "stages/lib/kafka/produce/seam.h"

/* Returns false if the text is no JSON, or longer than a producer's statistics are. */
bool ps_kafka_librdkafka_measured(const char *json, struct ps_kafka_measured *measured);
