/* The machine a plan ran on, for its document. Thread: any. */
#pragma once

#include <jansson.h>

/* {"cpu":..,"cpus":..,"memory_bytes":..,"kernel":..,"librdkafka":..,"hyperscan":null,"os":..}. Owns: the
 * caller. Hyperscan is null: nothing of an agent uses it so far. */
json_t *ps_machine_describe(void);
