/* What the subcommands of `penstock rules` share: a rules file made into a set on one thread, without an
 * engine around it, and events put through it by hand. core/commands/rules*.c only. Thread: main. */
#pragma once

#include "core/flow/carver.h"
#include "core/arena.h"
#include "stages/rules/set.h"

#include <stdio.h>

/* ---- options ---- */

struct ps_rules_command {
    const char *name; /* "check" */
    struct ps_arena *arena;
    struct ps_texts files; /* what is no option: FILE, and explain's TEXT */
    bool json, strict, verbose, all, help;
    bool routes_known, any_channel; /* channels are given: none but these */
    bool interceptor;               /* -n -f: it is an interceptor's file */
    struct ps_texts channels;
    const char *cache;           /* directory; NULL: none */
    const char *agent, *source;  /* -n, --source */
    struct ps_texts agent_files; /* -f */
    struct ps_pairs headers;     /* --header k=v */
    const char *sample;
    double seconds;
    double coverage_min; /* percent; below 0: not asked for */
    uint64_t compile_memory_bytes, compile_time_ms;
};

/* False: wrong usage, which has been said. */
bool ps_rules_command_parse(struct ps_rules_command *command, int argc, char **argv);

/* ---- problems ---- */

/* One a line; in colours on a terminal. */
void ps_rules_print_problems(FILE *to, const struct ps_rules_problems *problems);
/* "f: fine", "f: 1 error, 2 warnings" */
void ps_rules_print_summary(FILE *to, const char *file, const struct ps_rules_problems *problems);
struct json_t *ps_rules_json_problems(const struct ps_rules_problems *problems);
/* Text of strangers as a JSON string, what is no UTF-8 replaced. */
struct json_t *ps_rules_json_text(const char *text, size_t length);
/* "12,345" */
const char *ps_rules_count_text(struct ps_arena *arena, uint64_t number);
const char *ps_rules_bytes_text(struct ps_arena *arena, uint64_t bytes);
/* "rules/a.rules:12" */
const char *ps_rules_place(struct ps_arena *arena, struct ps_rules_place place);

/* A line on stderr that is written over, from two seconds on, on a terminal only. */
struct ps_rules_progress {
    uint64_t began_ns, said_ns;
    bool shown;
};
void ps_rules_progress_begin(struct ps_rules_progress *progress);
void ps_rules_progress_say(struct ps_rules_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ps_rules_progress_end(struct ps_rules_progress *progress);

/* ---- a set on a bench ---- */

struct ps_rules_bed {
    struct ps_arena *arena;
    struct ps_rules_problems *problems;
    const struct ps_rules *rules; /* NULL: the file is bad */
    struct ps_rules_set *set;     /* NULL: the same, or it was not to be compiled */
    struct ps_rules_set_report report;
    struct ps_rules_scratch *scratch;
    struct ps_texts channels;
    bool routes; /* events are routed; else kept or dropped: an interceptor's file */
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_carver carver;
    struct ps_route *route;
    struct ps_now now;
    struct ps_rules_progress progress;
};

/* Reads the file ("-": standard input). PS_FAIL: problems tell; close in any case. */
enum ps_status ps_rules_bed_load(struct ps_rules_bed *bed, const struct ps_rules_command *command,
                                 const char *file, struct ps_rules **rules);
/* Compiles what was loaded and makes room for events. */
enum ps_status ps_rules_bed_compile(struct ps_rules_bed *bed, const struct ps_rules_command *command,
                                    struct ps_rules *rules);
void ps_rules_bed_close(struct ps_rules_bed *bed);
/* load and compile; on failure problems are printed to stderr. */
enum ps_status ps_rules_bed_open(struct ps_rules_bed *bed, const struct ps_rules_command *command,
                                 const char *file);
/* Samples and limits begin anew. */
void ps_rules_bed_forget(struct ps_rules_bed *bed);

/* One event in a batch of its own. NULL: it is too large for the bed. */
struct ps_batch *ps_rules_bed_event(struct ps_rules_bed *bed, struct ps_slice body,
                                    const struct ps_rules_header_value *headers, size_t header_count);
/* As many events as fit one batch, `*taken` of them; all with the same headers. NULL: not even one. */
struct ps_batch *ps_rules_bed_events(struct ps_rules_bed *bed, const struct ps_slice *bodies, size_t count,
                                     const struct ps_rules_header_value *headers, size_t header_count,
                                     size_t *taken);
/* Puts the batch's lease through the rules. False: no memory. */
bool ps_rules_bed_run(struct ps_rules_bed *bed, struct ps_batch *batch, ps_rules_trace trace, void *argument);
/* After that: whether the event at this row is dropped, and where it goes. */
bool ps_rules_bed_dropped(const struct ps_rules_bed *bed, const struct ps_batch *batch, uint16_t row);
bool ps_rules_bed_goes_to(const struct ps_rules_bed *bed, size_t channel, uint16_t row, bool *required);

/* ---- conditions in words ---- */

/* A leaf as one would write it: `body ~ /x/i`. In the arena. */
const char *ps_rules_leaf_text(struct ps_arena *arena, const struct ps_rules *rules,
                               const struct ps_condition *condition);
const char *ps_rules_action_text(struct ps_arena *arena, const struct ps_action *action);
const char *ps_rules_regex_text(struct ps_arena *arena, const struct ps_regex *regex);

/* ---- what follows from the rules alone ---- */

/* Adds a warning for every rule that can never act, since an earlier one takes all its events. */
void ps_rules_shadows(const struct ps_rules *rules, struct ps_rules_problems *problems);

int ps_main_rules_check(struct ps_rules_command *command);
int ps_main_rules_test(struct ps_rules_command *command);
int ps_main_rules_explain(struct ps_rules_command *command);
int ps_main_rules_bench(struct ps_rules_command *command);
