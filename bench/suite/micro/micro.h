/* Google Benchmark for C: a micro bench is a function registered by name; the C++ side is one small file
 * (micro.cc).
 *
 *     static void bench_push(struct ps_micro *micro) {
 *         ...set up...
 *         while (ps_micro_batch(micro, 1000)) { ...a thousand of them... }
 *         ps_micro_bytes(micro, 1000 * 120);
 *     }
 *     void ps_micro_rings(void) { ps_micro_add("rings/spsc", bench_push); }
 *
 * Iterations run in batches, because one call per iteration would cost more than what is measured. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ps_micro;

/* Returns true while there is more to do; after each call the caller does `count` iterations. */
int ps_micro_batch(struct ps_micro *micro, size_t count);

/* Bytes handled in total, for a bytes/s column. */
void ps_micro_bytes(struct ps_micro *micro, uint64_t bytes_per_iteration);

void ps_micro_add(const char *name, void (*run)(struct ps_micro *micro));

/* Each bench/suite/micro/<noun>.c has such a function; micro.cc calls all of them, as listed in
 * bench/suite/micro/micro.def. */
#define MICRO(noun) void ps_micro_##noun(void);
#include "bench/suite/micro/micro.def"
#undef MICRO

#ifdef __cplusplus
}
#endif
