/* A bench program measures a subject beside a reference, in turn in one process, and prints a JSON object a
 * line: the record that bench/run completes (machine, version, date) and perf/compare reads.
 *
 * Thread: main. */
#pragma once

#include "bench/support/measure.h"

#define PS_ROUNDS_MAX 64U

/* What every bench program takes: --seconds S --rounds N --events N --only NAME --brokers LIST. */
struct ps_bench_options {
    double seconds; /* of one measurement */
    unsigned rounds;
    uint64_t events;  /* of one measurement, where a count is what ends it */
    const char *only; /* of several variants */
    const char *brokers;
};

/* `options` holds the defaults. Ends the program with a message when they are not understood. */
void ps_bench_options_parse(struct ps_bench_options *options, int argc, char **argv);

struct ps_duel {
    const char *bench, *variant;
    const char *unit;          /* of both figures: "events/CPU-s", "ns/event" */
    const char *reference;     /* what it is compared with; NULL: nothing */
    bool lower_is_better;      /* times */
    double goal, goal_ratio;   /* 0: none */
    double (*subject)(void *); /* one measurement: the figure */
    double (*bare)(void *);    /* of the reference */
    void *argument;
};

struct ps_duel_result {
    unsigned rounds;
    double subject[PS_ROUNDS_MAX], bare[PS_ROUNDS_MAX], ratio[PS_ROUNDS_MAX]; /* by round */
};

/* One measurement of each that does not count, then `rounds` pairs: A B, B A, A B, ..., so that what drifts
 * meets both alike. Says on a terminal how far it is. */
void ps_duel_run(const struct ps_duel *duel, unsigned rounds, struct ps_duel_result *result);

/* The record: medians, lowest and highest, the samples. `more` is printf text of further members, "" for
 * none. */
void ps_duel_print(const struct ps_duel *duel, const struct ps_duel_result *result, const char *more, ...)
    __attribute__((format(printf, 3, 4)));
