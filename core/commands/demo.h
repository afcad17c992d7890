/* The parts of `penstock demo`. Broker, agent, load and verify are `penstock` processes of their own, as
 * anybody would start them; the demo starts them, listens to what they say in JSON, and shows it.
 *
 * Thread: the one of main. */
#pragma once

#include "core/status.h"

#include <signal.h>

#define DEMO_CONNECTIONS_MAX 64U
#define DEMO_TOPICS 2U /* errors, rest */
#define DEMO_PARTITIONS 8U
#define DEMO_PATH_BYTES 128U

extern const char *const demo_topics[DEMO_TOPICS];

struct demo {
    unsigned long rate, seconds, connections; /* events a second, all connections together */
    const char *config;                       /* NULL: the example beside the program */
    bool keep;
    char directory[64]; /* logs and the manifest; removed when all went well */
    char brokers[256];
    volatile sig_atomic_t *interrupts; /* how often ^C was pressed */
};

/* DIRECTORY/name. */
void demo_path(const struct demo *demo, const char *name, char path[DEMO_PATH_BYTES]);

/* Monotonic seconds. */
double demo_now_s(void);
void demo_rest(unsigned ms);
