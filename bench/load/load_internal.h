/* Internal to a run of load. Thread: the main one. */
#pragma once

#include "bench/load/watch.h"

/* The parts of a run. */
struct ps_load {
    const struct ps_load_config *config;
    const struct ps_target_ops *ops;
    void *plan;
    struct ps_url url;
    struct ps_shape *shape;
    struct ps_content *content;
    uint32_t thread_count;
    struct ps_sender *senders[PS_LOAD_THREADS_MAX];
    pthread_t threads[PS_LOAD_THREADS_MAX];
    uint32_t started;
    uint64_t start_ns;
    int64_t wall_offset_ns; /* real wall clock minus monotonic at the start */
};

/* Reads how far the sender's lanes are; `sources` has an item for each connection. Any time. */
void ps_load_sources_read(const struct ps_sender *sender, struct ps_load_source *sources);
/* Adds up the senders' counts into the result; call it after their threads have ended. */
void ps_load_result_make(const struct ps_load *load, struct ps_load_watch *watch,
                         struct ps_load_result *result);
