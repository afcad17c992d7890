/* `penstock top`: computes a view of an agent from two scrapes of its metrics, and draws it. Used by
 * commands/top only. Thread: main. */
#pragma once

#include "bench/plan/scrape.h"
#include "core/arena.h"

#include <stdio.h>

struct top_source {
    const char *name, *type;
    bool up;
    double received_s, bytes_s, dropped_s,
        failed_s; /* events a second; dropped: also by interceptors, routes and the kernel */
    double waits; /* share of the time that the source waited for a channel, 0 to 1 */
    double connections;
};

struct top_channel {
    const char *name, *type;
    double size, capacity, put_s, taken_s; /* events */
};

struct top_sink {
    const char *name, *type;
    bool up;
    double delivered_s, bytes_s, retried_s, failed_s;
    double p50_s,
        p99_s; /* from reading an event to its delivery; negative: none was delivered; infinite: beyond the buckets */
};

/* A source puts into a channel, or a sink takes from it. */
struct top_link {
    bool source;
    const char *component, *channel;
};

struct top_view {
    struct ps_arena *arena;
    const char *agent, *version;
    double uptime_s, cpu;            /* seconds of CPU time a second */
    double used_bytes, budget_bytes; /* memory */
    double busiest;                  /* share of the time that the busiest worker works */
    const char *busiest_worker;
    double worker_count, reloads_failed, log_errors, log_warnings;
    struct top_source *sources;
    struct top_channel *channels;
    struct top_sink *sinks;
    struct top_link *links;
    size_t source_count, channel_count, sink_count, link_count;
    const char *not_ready; /* the lines of /readyz that name troubles (not `ok`); NULL: unknown */
    bool ready;
};

/* Computes the view of `now`. Rates come from the difference to `before`; they are 0 when `before` is NULL, and when
 * the agent was restarted in between. All texts are in the arena. */
void ps_top_view(struct top_view *view, struct ps_arena *arena, const struct ps_scrape *before,
                 const struct ps_scrape *now);

/* Writes the bottlenecks, one sentence a line, the worst first; one line if there are none. */
void ps_top_bottlenecks(FILE *to, const struct top_view *view);

/* The form of a screen. Below 108 columns only those that matter most are drawn; when not everything fits into the rows,
 * the components in trouble come before the others. */
struct top_form {
    bool colour;
    unsigned rows, columns; /* 0: as many as there are */
};

/* Writes the whole screen. `address` is shown in the first line, `clock` is the time of day. */
void ps_top_draw(FILE *to, const struct top_view *view, const char *address, const char *clock,
                 const struct top_form *form);

/* Copies `screen` to `to`, cut to that many rows and columns, for a terminal: each line is cleared to its end. */
void ps_top_fit(FILE *to, const char *screen, unsigned rows, unsigned columns);

/* Finds the metrics address of the one agent that runs on this machine, by the options in its command line. Returns
 * "http://127.0.0.1:41414" if there is none; when there are several, returns NULL and an error that lists them. Owns:
 * the arena. */
const char *ps_top_find(struct ps_arena *arena, const char *proc, struct ps_err *err);
/* Makes a URL of "http://h:1", "h:1", "h" or "1". */
const char *ps_top_url(struct ps_arena *arena, const char *text);
