/* Scenarios: what is to happen around an agent, and what is to come of it, step by step (docs/TESTING.md says the language).
 *
 * The steps are read once, by the runner. They are taken by a peer, so also in the agent's process, whose life goes on between them; the
 * runner takes them while there is none. What has happened so far is the world's memory. */
#pragma once

#include "tests/world/net.h"

#define SCENARIO_WORDS_MAX 8
#define SCENARIO_CLIENTS_MAX 32
#define SCENARIO_SERVERS_MAX 4
#define SCENARIO_LISTENERS_MAX 4
#define SCENARIO_ANSWERS_MAX 64
#define SCENARIO_PATTERNS_MAX 16
#define SCENARIO_PATIENCE_NS (120 * WORLD_NS_PER_S)

struct scenario;
struct scenario_step;

enum outcome { STEP_DONE, STEP_WAITS, STEP_FAILED };
enum holds { HOLDS, HOLDS_NOT, HOLDS_LATER /* an answer is on its way */ };

enum needs_text { NO_TEXT, MAY_HAVE_TEXT, NEEDS_TEXT };

/* A kind of step, or a condition behind `wait` and `expect`. */
struct scenario_verb {
    const char *name, *form; /* its words, for the message that they are wrong */
    unsigned least, most;    /* words, texts apart */
    enum needs_text text;
    enum outcome (*run)(struct scenario *scenario, const struct scenario_step *step);
    enum holds (*holds)(struct scenario *scenario, const struct scenario_step *step);
};

struct scenario_step {
    unsigned line;
    const struct scenario_verb *verb, *condition;
    bool is_not; /* the condition must not hold */
    char *words[SCENARIO_WORDS_MAX];
    unsigned count;
    char *text; /* ended by a NUL that is not of it */
    size_t length;
};

struct scenario_script {
    const char *file;
    struct scenario_step *steps;
    size_t count;
};

struct scenario_client {
    char name[16]; /* "": free */
    struct net_end *end;
    bool ended; /* the agent sends nothing more */
    size_t in_length;
    char in[(size_t)64 << 10];
};

struct scenario_server; /* in servers.c */
struct kafka_cluster;
struct hdfs_cluster;
struct hive_metastore;
struct hbase_cluster;
struct kudu_cluster;

/* A request of the scenario's own, and its answer. */
struct scenario_request {
    struct net_end *end;
    size_t sent, length;
    char *answer; /* REQUEST_BYTES */
};

struct scenario {
    const struct scenario_script *script;
    struct world_peer *peer;
    size_t at;         /* the step that is taken now */
    uint64_t since_ns; /* since when */
    uint64_t look_ns;  /* how long until it is looked at again */
    uint64_t ask_ns;   /* when the agent is asked for a page again */
    size_t progress;   /* within the step; 0 at its begin */
    bool starts;       /* the runner shall begin a life */
    bool lives;
    bool exited; /* by itself, and no step has asked for it yet */
    int exit_code;
    char *agent;     /* the text of the last `agent` or `flow` */
    size_t log_from; /* where the output of this life begins */
    bool finished;
    char why[1024]; /* a condition does not hold, or the scenario failed */
    bool failed;
    struct scenario_client clients[SCENARIO_CLIENTS_MAX];
    struct scenario_server *servers[SCENARIO_SERVERS_MAX];
    struct net_listener *listeners[SCENARIO_LISTENERS_MAX]; /* whose connections are clients */
    struct net_end *datagrams;                              /* that keeps a port from the agent */
    struct scenario_request request;
    uint64_t answered_ns;        /* of the step `ask`: when the last answer was there; 0: it is not */
    struct kafka_cluster *kafka; /* NULL: there are no brokers */
    struct hdfs_cluster *hdfs;   /* NULL: there is none */
    struct hive_metastore *hive; /* NULL: there is none */
    struct hbase_cluster *hbase; /* NULL: there is none */
    struct kudu_cluster *kudu;   /* NULL: there is none */
};

/* Reads a script; `variant` takes the place of {each}. Ends the process with FILE:LINE: REASON if there is a mistake. */
void scenario_read(const char *file, unsigned variant, struct scenario_script *script);
/* Returns how many variants a script has: the words of its line `each`, or 1. */
unsigned scenario_variants(const char *file);
/* Returns NULL if there is no such kind. */
const struct scenario_verb *scenario_find_verb(const char *name);
const struct scenario_verb *scenario_find_condition(const char *name);

/* Numbers in words; they end the process at a mistake, so that steps call them without a look. */
uint64_t scenario_number(const struct scenario_script *script, const struct scenario_step *step,
                         const char *word);
uint64_t scenario_span_ns(const struct scenario_script *script, const struct scenario_step *step,
                          const char *word);
_Noreturn void scenario_mistake(const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets `why`. */
enum outcome step_failed(struct scenario *scenario, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sends the scenario's own request to the agent, step by step. `whole` returns how long the answer is, or 0 as long as it is not whole. Returns the
 * answer; NULL before. *length is 0 when the connection ended without one. */
const char *scenario_exchange(struct scenario *scenario, uint16_t port, const char *bytes, size_t length,
                              size_t (*whole)(char *answer, size_t length), size_t *answer_length);

/* Compares texts line by line; says the first difference in `why`. */
enum holds texts_equal(struct scenario *scenario, const char *what, const char *got, size_t got_length,
                       const char *wanted, size_t wanted_length);
/* Compares as the word says: "" (exactly), sorted, first, unique, has. In conditions.c. */
enum holds text_compares(struct scenario *scenario, const struct scenario_step *step, const char *what,
                         const char *got, size_t length, const char *word);
/* Returns whether a line holds a pattern: its pieces between `*`, in this order. */
bool line_matches(const char *line, size_t length, const char *pattern);
/* Returns how many lines of a text hold a pattern. */
unsigned lines_matching(const char *text, size_t length, const char *pattern);

/* Writes the agent's file, on which `edit` builds. In life.c. */
void agent_is(struct scenario *scenario, const char *text);

/* Plays a file's variants with the seeds `from`, .. and prints what failed. Returns how many did. */
unsigned scenario_play(const char *file, uint64_t from, uint64_t runs, bool prints, bool traces);

/* Prints the steps of all variants, a line of JSON each. In print.c. */
void scenario_print(const char *file);
/* Returns the agent's file that the step `flow` stands for, which the caller frees, or NULL if a component is unknown. In flow.c. */
char *flow_text(const struct scenario_step *step);

/* ---- steps, by file ---- */

typedef enum outcome step_function(struct scenario *scenario, const struct scenario_step *step);
typedef enum holds condition_function(struct scenario *scenario, const struct scenario_step *step);

step_function step_flow; /* flow.c */
step_function step_agent, step_edit, step_start, step_stop, step_exit, step_kill, step_signal, step_power_cut,
    step_pass, step_wait, step_expect; /* life.c */
step_function step_write, step_append, step_overwrite, step_reuse, step_hardlink, step_link, step_mkdir,
    step_remove, step_rename, step_copy, step_truncate, step_damage, step_chmod, step_touch, step_disk,
    step_fail, step_mend; /* files.c */
step_function step_connect, step_send, step_receive, step_shut, step_close, step_reset, step_closed,
    step_post, step_datagram, step_listen, step_name, step_accept; /* clients.c */
step_function step_ask;                                            /* ask.c */
step_function step_call;                                           /* calls.c */
step_function step_server, step_answer, step_network;              /* servers.c */
step_function step_hdfs;                                           /* hadoop.c */
step_function step_kafka;                                          /* kafka.c */
step_function step_hive;                                           /* hive.c */
step_function step_hbase;                                          /* hbase.c */
step_function step_kudu;                                           /* kudu.c */
condition_function holds_stored, holds_stored_any;
condition_function holds_rows, holds_transactions, holds_cell, holds_cells;
condition_function holds_topic, holds_records, holds_committed;
condition_function holds_log, holds_file, holds_files, holds_names, holds_arrived; /* conditions.c */
condition_function holds_get, holds_metric;                                        /* clients.c */
