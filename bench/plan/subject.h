/* The subject of a measurement: an agent file (started here, with an embedded broker unless brokers are
 * given), a running agent, or any other program with a target and a far end.
 *
 * An agent file is not changed: settings for the measurement (ports, brokers, directories, workers) are
 * written to a second file, which lies in a directory of the plan and is merged after the agent file.
 *
 * Thread: the driver's. */
#pragma once

#include "bench/plan/process.h"
#include "bench/plan/trial/trial.h"

#define PS_SUBJECT_TEXT_BYTES 512U
#define PS_SUBJECT_NOTES_MAX 16U
#define PS_SUBJECT_ARGUMENTS_MAX 48U

enum ps_subject_kind { PS_SUBJECT_AGENT_FILE, PS_SUBJECT_RUNNING_AGENT, PS_SUBJECT_FOREIGN };

struct ps_subject_config {
    const char *agent;                                     /* -n; NULL: no agent file */
    const char *agent_arguments[PS_SUBJECT_ARGUMENTS_MAX]; /* -f FILE, -c DIR, -Dkey=value as given */
    unsigned agent_argument_count;
    const char *file;          /* the first -f, for messages */
    const char *brokers;       /* NULL: start an embedded broker */
    const char *agent_metrics; /* URL of a running agent; NULL: none */
    const char *target;        /* NULL: take it from the agent file */
    const char *from[PS_TRIAL_FROM_MAX];
    unsigned from_count;               /* 0: take them from the agent file */
    int pid;                           /* process id of a foreign subject; 0: unknown */
    unsigned workers;                  /* penstock.workers; 0: as in the file */
    const volatile sig_atomic_t *stop; /* not 0: wait for nothing; may be NULL */
    const char *program;               /* the program to run; NULL: this one */
};

struct ps_subject {
    enum ps_subject_kind kind;
    const struct ps_subject_config *config;
    char directory[PS_SUBJECT_TEXT_BYTES]; /* for logs and derived files; removed at the end */
    char target[PS_SUBJECT_TEXT_BYTES];
    char from[PS_TRIAL_FROM_MAX][PS_SUBJECT_TEXT_BYTES];
    unsigned from_count;                     /* 0: arrivals are read from the agent's counters */
    char metrics_url[PS_SUBJECT_TEXT_BYTES]; /* "": none */
    char brokers[PS_SUBJECT_TEXT_BYTES];     /* of the agent's Kafka sinks and sources; "": none */
    bool embedded_broker;
    char roll_directory[PS_SUBJECT_TEXT_BYTES]; /* directory for a file_roll sink, made here; "": none */
    int pid;                                    /* 0: unknown */
    struct ps_process agent, broker;
    char notes[PS_SUBJECT_NOTES_MAX][256]; /* decisions made for the user; shown as assumptions */
    unsigned note_count;
};

/* Starts the subject and waits until it is ready, or until `stop`. The error names the option that helps. Owns: the caller
 * calls ps_subject_stop in any case. `config` must outlive the subject. */
enum ps_status ps_subject_start(struct ps_subject *subject, const struct ps_subject_config *config,
                                struct ps_err *err);
/* Looks whether the Kafka topics of target and far ends exist: load would make a misspelt one, and nothing would arrive.
 * Makes those of the embedded broker, and no others. Called by ps_subject_start. */
enum ps_status ps_subject_topics_look(const struct ps_subject *subject, struct ps_err *err);
/* Stops what ps_subject_start started and removes the files that it made. */
void ps_subject_stop(struct ps_subject *subject);

/* Call between two trials: waits until channels are empty (at most 10 s, or until `stop`) and removes the files of file_roll.
 * Returns false when the subject has ended; `err` has the cause. */
bool ps_subject_settle(struct ps_subject *subject, struct ps_err *err);
/* Copies target, far ends, metrics URL and process id into a trial's setup. */
void ps_subject_setup(const struct ps_subject *subject, struct ps_trial_setup *setup);

__attribute__((format(printf, 2, 3))) void ps_subject_note(struct ps_subject *subject, const char *format,
                                                           ...);

/* ---- internal ---- */

/* Writes a text of at most PS_SUBJECT_TEXT_BYTES; fails when it is too long. */
__attribute__((format(printf, 3, 4))) enum ps_status ps_subject_text(char *to, struct ps_err *err,
                                                                     const char *format, ...);

/* bench/plan/subject_file.c: target, far ends and overridden settings of an agent file */

/* Reads the file, chooses the source to load and writes DIRECTORY/plan.properties. Does not create topics:
 * the embedded broker creates them on request. */
enum ps_status ps_subject_derive(struct ps_subject *subject, struct ps_err *err);
/* Returns whether any component needs a broker. */
enum ps_status ps_subject_wants_broker(const struct ps_subject_config *config, bool *wants,
                                       struct ps_err *err);
