/* A bench program measures a subject and a reference in turn in one process, and prints JSON objects, one per
 * line: records that bench/run completes (machine, version, date) and perf/compare reads.
 *
 * Thread: main. */
#pragma once

#include "bench/support/measure.h"

#define PS_ROUNDS_MAX 64U

/* Ends the program with "bench: " and the text. */
_Noreturn void ps_bench_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The options of every bench program: --seconds S --rounds N --events N --only NAME --brokers LIST --broker-pid PID. */
struct ps_bench_options {
    double seconds; /* per measurement */
    unsigned rounds;
    uint64_t events;  /* per measurement, in benches where a count ends a measurement */
    const char *only; /* run only this variant */
    const char *brokers;
    int broker_pid; /* process whose CPU time is measured, too; 0: none */
};

/* `options` holds the defaults. Ends the program with a message when the options are invalid. */
void ps_bench_options_parse(struct ps_bench_options *options, int argc, char **argv);
/* Returns whether the variant is to run. */
bool ps_bench_wants(const struct ps_bench_options *options, const char *variant);

struct ps_paired {
    const char *bench, *variant;
    const char *unit;          /* of both figures: "events/CPU-s", "ns/event" */
    const char *reference;     /* the name of the reference; NULL: none */
    bool lower_is_better;      /* true for times */
    double goal, goal_ratio;   /* 0: no goal */
    double (*subject)(void *); /* makes one measurement and returns its figure */
    double (*bare)(void *);    /* the same for the reference */
    void *argument;
};

struct ps_paired_result {
    unsigned rounds;
    double subject[PS_ROUNDS_MAX], bare[PS_ROUNDS_MAX], ratio[PS_ROUNDS_MAX]; /* by round */
};

/* Runs one warm-up of each, then `rounds` pairs: A B, B A, A B, ..., so that drift affects both equally.
 * Shows the progress on a terminal. */
void ps_paired_run(const struct ps_paired *paired, unsigned rounds, struct ps_paired_result *result);

/* Prints the record: median, lowest, highest, and the samples. `more` is printf text of further members, ""
 * for none. */
void ps_paired_print(const struct ps_paired *paired, const struct ps_paired_result *result, const char *more,
                     ...) __attribute__((format(printf, 3, 4)));
