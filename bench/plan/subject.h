/* What is measured: an agent file (started here, with a broker of our own unless brokers are named), an agent
 * that runs already, or anything else that has a target and a far end.
 *
 * An agent file is not changed: what differs for the measurement (ports, brokers, directories, workers) is
 * written to a second file that is merged behind it, in a directory of the plan's own.
 *
 * Thread: the driver's. */
#pragma once

#include "bench/plan/process.h"
#include "bench/plan/trial.h"

#define PS_SUBJECT_TEXT_BYTES 512U
#define PS_SUBJECT_NOTES_MAX 16U
#define PS_SUBJECT_ARGUMENTS_MAX 48U

enum ps_subject_kind { PS_SUBJECT_AGENT_FILE, PS_SUBJECT_RUNNING_AGENT, PS_SUBJECT_FOREIGN };

struct ps_subject_config {
    const char *agent;                                     /* -n; NULL: no agent file */
    const char *agent_arguments[PS_SUBJECT_ARGUMENTS_MAX]; /* -f FILE, -c DIR, -Dkey=value as given */
    unsigned agent_argument_count;
    const char *file;          /* the first -f, for people */
    const char *brokers;       /* NULL: a broker of our own */
    const char *agent_metrics; /* URL of a running agent; NULL: none */
    const char *target;        /* NULL: found in the agent file */
    const char *from[PS_TRIAL_FROM_MAX];
    unsigned from_count; /* 0: found in the agent file */
    int pid;             /* of a foreign subject; 0: unknown */
    unsigned workers;    /* penstock.workers; 0: as the file says */
    const char *program; /* that is run; NULL: this one */
};

struct ps_subject {
    enum ps_subject_kind kind;
    const struct ps_subject_config *config;
    char directory[PS_SUBJECT_TEXT_BYTES]; /* for logs and derived files; removed at the end */
    char target[PS_SUBJECT_TEXT_BYTES];
    char from[PS_TRIAL_FROM_MAX][PS_SUBJECT_TEXT_BYTES];
    unsigned from_count;                     /* 0: what arrived is read from the agent's counters */
    char metrics_url[PS_SUBJECT_TEXT_BYTES]; /* "": none */
    char brokers[PS_SUBJECT_TEXT_BYTES];     /* of the agent's Kafka sinks and sources; "": none */
    bool embedded_broker;
    char roll_directory[PS_SUBJECT_TEXT_BYTES]; /* of a file_roll sink, ours; "": none */
    int pid;                                    /* 0: unknown */
    struct ps_process agent, broker;
    char notes[PS_SUBJECT_NOTES_MAX][256]; /* what was decided for the user: to be shown as assumptions */
    unsigned note_count;
};

/* Starts what has to be started and waits until it is ready. The error says which option would help. Owns:
 * ps_subject_stop in any case. `config` must stay. */
enum ps_status ps_subject_start(struct ps_subject *subject, const struct ps_subject_config *config,
                                struct ps_err *err);
/* Stops what was started, removes what was made. */
void ps_subject_stop(struct ps_subject *subject);

/* Between two trials: waits until channels are empty (10 s at most), throws away what file_roll wrote. False:
 * the subject has ended; `err` says how. */
bool ps_subject_settle(struct ps_subject *subject, struct ps_err *err);
/* Target, far ends, metrics and pid into a trial's setup. */
void ps_subject_setup(const struct ps_subject *subject, struct ps_trial_setup *setup);

__attribute__((format(printf, 2, 3))) void ps_subject_note(struct ps_subject *subject, const char *format,
                                                           ...);

/* ---- inside ---- */

/* Writes a text of at most PS_SUBJECT_TEXT_BYTES; the error says that it is too long. */
__attribute__((format(printf, 3, 4))) enum ps_status ps_subject_text(char *to, struct ps_err *err,
                                                                     const char *format, ...);

/* An agent file's target, far ends and what is overridden (bench/plan/subject_file.c): */

/* Reads the file, chooses the source to load and writes DIRECTORY/plan.properties. Topics that the embedded
 * broker needs are the caller's business (they appear when asked for). */
enum ps_status ps_subject_derive(struct ps_subject *subject, struct ps_err *err);
/* Whether any component wants a broker. */
enum ps_status ps_subject_wants_broker(const struct ps_subject_config *config, bool *wants,
                                       struct ps_err *err);
