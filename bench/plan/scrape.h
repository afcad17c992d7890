/* The metrics of an agent at one moment: fetches and parses its Prometheus page.
 *
 * Thread: the driver's, or the one that watches a trial; a scrape has one owner. */
#pragma once

#include "core/status.h"
#include "core/watch/page.h"

/* An agent with 10,000 rules has 30,000 samples. */
#define PS_SCRAPE_SAMPLES_MAX 500000U
#define PS_SCRAPE_BYTES_MAX (64U << 20)

struct ps_scrape_sample {
    const char *name;   /* "penstock_worker_busy_seconds_total" */
    const char *labels; /* worker="0",cpu="1"; "" */
    double value;
};

struct ps_scrape {
    double at_s; /* monotonic, when the request was made */
    unsigned count;
    struct ps_scrape_sample *samples;
    char *text; /* names and labels point into it */
};

/* Parses Prometheus' text exposition format 0.0.4. Skips other lines, and samples beyond
 * PS_SCRAPE_SAMPLES_MAX. Owns: ps_scrape_fini. */
void ps_scrape_parse(struct ps_scrape *scrape, const char *text, size_t length);
void ps_scrape_fini(struct ps_scrape *scrape);

/* Fetches a path of an agent, "/readyz"; `url` as below. Waits at most 2 s. Returns the HTTP status; 0 after setting the error. The caller frees
 * the page. */
long ps_scrape_fetch(const char *url, const char *path, struct ps_page *page, struct ps_err *err);

/* Fetches the agent's page; `url` is http://host:port, with or without /metrics or /metrics/prometheus. Waits
 * at most 2 s. The error names the URL. */
enum ps_status ps_scrape_get(struct ps_scrape *scrape, const char *url, struct ps_err *err);

/* Fetches the agent's page, and returns whether all its components are open. */
bool ps_scrape_is_up(const char *url);

/* Copies the value of a label; returns false when there is no such label. */
bool ps_scrape_label(const struct ps_scrape_sample *sample, const char *label, char *value, size_t room);
/* Returns the sample with that name and labels, or NULL. NULL labels: the first sample with the name. */
const struct ps_scrape_sample *ps_scrape_find(const struct ps_scrape *scrape, const char *name,
                                              const char *labels);
/* Returns the value of the sample that ps_scrape_find finds; `otherwise` when there is none. */
double ps_scrape_value(const struct ps_scrape *scrape, const char *name, const char *labels,
                       double otherwise);
/* Returns the sum of all samples with the name. */
double ps_scrape_sum(const struct ps_scrape *scrape, const char *name);
