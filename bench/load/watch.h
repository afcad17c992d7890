/* Internal to a run: what the main thread records about the senders while they work. */
#pragma once

#include "bench/load/load.h"

#define PS_LOAD_SAMPLES_MAX 1024U

/* The backlog at one moment; sampled 20 times a second. */
struct ps_load_sample {
    uint64_t since_ns, due, outstanding; /* outstanding: due and neither completed nor failed */
};

struct ps_load_watch {
    const struct ps_load_config *config;
    const struct ps_shape *shape;
    struct ps_sender *const *senders;
    uint32_t sender_count;
    struct ps_live *live;
    uint64_t start_ns;
    uint64_t end_ns; /* end of the schedule, since its start; PS_NEVER: not known yet */
    /* For random arrivals: a second copy of the lanes' schedules, to count the due events. */
    struct ps_schedule *due_schedules;
    uint64_t due_counted;
    struct ps_load_sample samples[PS_LOAD_SAMPLES_MAX];
    uint64_t sample_count;
    uint64_t backlog_max;
    uint64_t next_ns; /* the next progress report, since the start */
    uint64_t completed_before, due_before, downs_before, reasons_before, shown_ns;
    struct ps_histogram latency_before, latency_between;
    struct ps_statistics total; /* scratch */
};

void ps_load_watch_init(struct ps_load_watch *watch);
void ps_load_watch_fini(struct ps_load_watch *watch);

/* Returns the number of events due by a time since the start. */
uint64_t ps_load_watch_due(struct ps_load_watch *watch, uint64_t since_ns);
/* Takes a sample; shows progress at the interval of --every. */
void ps_load_watch_look(struct ps_load_watch *watch, uint64_t now_ns);
/* Takes the last sample; shows the rest of the progress if it covers enough time. */
void ps_load_watch_end(struct ps_load_watch *watch, uint64_t now_ns);
/* Returns how many more events were outstanding at the run's end than at its beginning: for these the target was too
 * slow. Compares minima over windows, so events that are always in flight do not count. */
uint64_t ps_load_watch_growth(const struct ps_load_watch *watch);
