/* The parts of `penstock demo`. Broker, agent, load and verify are `penstock` processes of their own, as
 * a user would start them; the demo starts them, reads their JSON lines, and prints a summary.
 *
 * Thread: main. */
#pragma once

#include "core/status.h"

#include <signal.h>

#define DEMO_CONNECTIONS_MAX 64U
#define DEMO_TOPICS 2U /* errors, rest */
#define DEMO_PARTITIONS 8U
#define DEMO_PATH_BYTES 128U

extern const char *const demo_topics[DEMO_TOPICS];

struct demo {
    uint64_t rate, seconds, connections; /* events a second, all connections together */
    const char *config;                  /* NULL: the example beside the program */
    bool keep;
    char directory[64]; /* directory for logs and the manifest; removed after a successful run */
    char brokers[256];
    volatile sig_atomic_t *interrupts; /* number of signals that told the demo to end */
};

/* Writes "DIRECTORY/name". */
void demo_path(const struct demo *demo, const char *name, char path[DEMO_PATH_BYTES]);

/* Returns the monotonic clock in seconds. */
