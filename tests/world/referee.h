/* The referee: asks after each life, and at the end of a run, whether every promise was kept. It knows what a user can know: the
 * far ends, answers, files, /metrics, /readyz, the log and the exit status. docs/TESTING.md lists the promises. */
#pragma once

#include "tests/world/agent.h"

#define REFEREE_OPTION "-Dflume.monitoring.type=http" /* that the agent must have */
#define LIVES_MAX 16
#define INODES_MAX 65536U
#define PLACES_MAX 64U

/* What happened in a life. */
struct world_life {
    enum world_end end;
    bool cut;                             /* after it was killed the machine lost its power */
    bool calm;                            /* no fault was drawn for it */
    bool reloads;                         /* .. but another agent file */
    uint64_t idle_calls;                  /* in the minute before that */
    size_t settled_at;                    /* how many arrivals there were then */
    bool is_settled;                      /* it was stopped when everything had arrived */
    uint64_t began_ns, told_ns, ended_ns; /* told: to stop; WORLD_NEVER: it was not */
    uint64_t failed_calls, resets;
    unsigned effects; /* faults that took effect, kills among them */
    bool servers_failed;
    size_t output_from;                       /* where its log begins in world->output */
    size_t arrivals_from;                     /* .. and its part of the ledger's log */
    uint64_t taken_from;                      /* .. of which others have taken some */
    uint32_t acknowledged_from, acknowledged; /* events, before it and after it */
    uint64_t repeats_from;                    /* of the ledger, before it */
    unsigned threads, descriptors;            /* that it had when the agent had ended */
    int64_t doubled;                          /* events that its account calls possibly doubled */
    int64_t kept;                             /* .. kept in durable channels */
    uint32_t sent;                            /* events, before it and in it */
    int64_t memory_bytes;                     /* by how much its heap had grown */
    char metrics[4096], ready[1024];          /* what /metrics and /readyz said when it had stopped */
};

struct run {
    struct drawn_agent agent;
    struct world_life lives[LIVES_MAX];
    unsigned life_count, killed, cuts, reloads;
    uint64_t failed_calls;
    bool servers_failed;              /* in one of the lives */
    bool decayed;                     /* a file of a channel was damaged between two lives */
    char verdict[256];                /* empty: good */
    uint32_t output_read[INODES_MAX]; /* of the files of the sink file_roll, by inode */
};

/* Begins a life. Thread: the runner's. */
void referee_life_begins(struct run *run);
/* Notes that everything has been sent, and nothing has arrived for a minute, in which the agent has made so many calls. Thread: one of the agent's. */
void referee_life_settled(struct run *run, uint64_t calls);
/* Notes how it ended. Called before a power cut. */
void referee_life_ended(struct run *run, enum world_end end);
/* Judges it, when what was on its way has arrived. */
void referee_life_judged(struct run *run);
/* Judges the run after its last life. */
void referee_run_ended(struct run *run);
/* Looks at the process when the agent has ended. Thread: the agent's first, as its last step. */
void referee_agent_begins(void);
void referee_agent_ended(void);

/* Returns a planted violation by its name; ends the program if there is none. */
enum world_plant referee_plant(const char *name);
/* Returns whether a verdict names this violation. */
bool referee_found(enum world_plant plant, const char *verdict);
