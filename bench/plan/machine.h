/* Describes the machine that a plan ran on, for its document. Thread: any. */
#pragma once

#include <jansson.h>

/* Returns {"cpu":..,"cpus":..,"memory_bytes":..,"kernel":..,"librdkafka":..,"hyperscan":null,"os":..}.
 * Hyperscan is always null. Owns: the caller. */
json_t *ps_machine_describe(void);
