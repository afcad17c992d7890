/* The native fetch client: a member of a consumer group that speaks Kafka's protocol itself, behind
 * stages/lib/kafka/fetch/seam.h. Answers of a broker are received into blocks of the memory budget, and
 * bodies of events are views into them. The fetch client uses the connections, metadata and coordinators of
 * stages/lib/kafka/cluster/. */
#pragma once

#include "stages/lib/kafka/fetch/seam.h"

extern const struct ps_kafka_reading_engine ps_kafka_reading_native;
