/* Shared by the subcommands of `penstock rules`: compiles a rules file into a set and runs events through it
 * on one thread, without an engine. Used by commands/rules only. Thread: main. */
#pragma once

#include "core/flow/bump.h"
#include "commands/line/line.h"
#include "core/arena.h"
#include "stages/lib/rules/set.h"

#include <stdio.h>

/* ---- options ---- */

struct ps_rules_command {
    const char *name; /* "check" */
    struct ps_arena *arena;
    struct ps_texts files; /* operands: FILE, and the TEXT of explain */
    bool json, strict, verbose, all;
    /* routes_known: the channels are known, and routes to any other channel are errors */
    bool routes_known;
    bool interceptor; /* -n -f: the file belongs to an interceptor */
    struct ps_texts channels;
    const char *cache;           /* directory; NULL: none */
    const char *why;             /* --why: the rule that explain shows in detail */
    const char *agent, *source;  /* -n, --source */
    struct ps_texts agent_files; /* -f */
    struct ps_pairs headers;     /* --header k=v */
    const char *sample;
    double seconds;
    double coverage_min; /* percent; negative: no minimum */
    uint64_t compile_memory_bytes, compile_time_ms;
};

/* The options of all subcommands; ends with a row without help. */
extern const struct ps_command_row ps_rules_rows[];
/* Returns the command line of subcommand number `index`, or NULL after the last. */
const struct ps_command_line *ps_rules_line(size_t index);

/* Reads the command line. Returns -1 to continue; else the exit code, after printing the help or the usage error. */
int ps_rules_command_parse(struct ps_rules_command *command, const struct ps_command_line *line, int argc,
                           char **argv);

/* ---- problems ---- */

/* Prints one problem a line; in colours on a terminal. */
void ps_rules_print_problems(FILE *to, const struct ps_rules_problems *problems);
/* Prints "f: fine" or "f: 1 error, 2 warnings". */
void ps_rules_print_summary(FILE *to, const char *file, const struct ps_rules_problems *problems);
struct json_t *ps_rules_json_problems(const struct ps_rules_problems *problems);
/* Makes a JSON string of untrusted text; replaces bytes that are not UTF-8. */
struct json_t *ps_rules_json_text(const char *text, size_t length);

/* Shows progress on stderr, in one line, after two seconds and on a terminal only. */
struct ps_rules_progress {
    uint64_t began_ns, said_ns;
    bool shown;
};
void ps_rules_progress_begin(struct ps_rules_progress *progress);
void ps_rules_progress_say(struct ps_rules_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ps_rules_progress_end(struct ps_rules_progress *progress);

/* ---- a set without an engine ---- */

struct ps_rules_harness {
    struct ps_arena *arena;
    struct ps_rules_problems *problems;
    const struct ps_rules *rules; /* NULL: the file is bad */
    struct ps_rules_set *set;     /* NULL: the file is bad, or was not compiled */
    struct ps_rules_set_report report;
    struct ps_rules_scratch *scratch;
    struct ps_texts channels;
    /* true: the rules route events; false: they only change and drop events (an interceptor's file) */
    bool routes;
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_route *route;
    struct ps_now now;
    struct ps_rules_progress progress;
};

/* Reads the file ("-": standard input). Returns PS_FAIL with the reasons in problems. The caller closes the
 * harness in either case. */
enum ps_status ps_rules_harness_load(struct ps_rules_harness *harness, const struct ps_rules_command *command,
                                     const char *file, struct ps_rules **rules);
/* Compiles the loaded rules and allocates room for events. */
enum ps_status ps_rules_harness_compile(struct ps_rules_harness *harness,
                                        const struct ps_rules_command *command, struct ps_rules *rules);
void ps_rules_harness_close(struct ps_rules_harness *harness);
/* Loads and compiles the file; prints problems to stderr on failure. */
enum ps_status ps_rules_harness_open(struct ps_rules_harness *harness, const struct ps_rules_command *command,
                                     const char *file);
/* Resets the rules' samples and limits. */
void ps_rules_harness_forget(struct ps_rules_harness *harness);

/* Returns the headers of --header k=v, `pairs->count` of them. */
struct ps_rules_header_value *ps_rules_harness_headers(const struct ps_rules_harness *harness,
                                                       const struct ps_pairs *pairs);
/* Returns a batch of one event; NULL if it is too large. */
struct ps_batch *ps_rules_harness_event(struct ps_rules_harness *harness, struct ps_slice body,
                                        const struct ps_rules_header_value *headers, size_t header_count);
/* Returns a batch of the first events that fit (`*taken`), all with the same headers; NULL if the first is
 * too large. in_place: the bodies lie one after the other with newlines between, as a source reads lines; otherwise each
 * body is copied separately. */
struct ps_batch *ps_rules_harness_events(struct ps_rules_harness *harness, const struct ps_slice *bodies,
                                         size_t count, const struct ps_rules_header_value *headers,
                                         size_t header_count, bool in_place, size_t *taken);
/* Runs the rules over the batch's lease. Returns false if there is no memory. */
bool ps_rules_harness_run(struct ps_rules_harness *harness, struct ps_batch *batch, ps_rules_trace trace,
                          void *argument);
/* Call them after ps_rules_harness_run: they return whether the event of this row is dropped, and its channels. */
bool ps_rules_harness_dropped(const struct ps_rules_harness *harness, const struct ps_batch *batch,
                              uint16_t row);
bool ps_rules_harness_goes_to(const struct ps_rules_harness *harness, size_t channel, uint16_t row,
                              bool *required);

/* ---- conditions as text ---- */

/* Returns a leaf condition in the syntax of rule files: `body ~ /x/i`. Allocated in the arena. */
const char *ps_rules_leaf_text(struct ps_arena *arena, const struct ps_rules *rules,
                               const struct ps_condition *condition);
const char *ps_rules_regex_text(struct ps_arena *arena, const struct ps_regex *regex);

/* ---- shadowed rules ---- */

/* Adds a warning for every rule that can never act because an earlier one takes all its events. */
void ps_rules_shadows(const struct ps_rules *rules, struct ps_rules_problems *problems);

int ps_main_rules_check(struct ps_rules_command *command);
int ps_main_rules_test(struct ps_rules_command *command);
int ps_main_rules_explain(struct ps_rules_command *command);
int ps_main_rules_bench(struct ps_rules_command *command);
