/* What outlives an agent's life: the clock, the disk, the peers, the history. It is in memory that the runner shares with
 * the agent's process, at a fixed address, so that pointers hold in both.
 *
 * One thread at a time runs (turn.h), in one process at a time, so nothing here has a lock. Calls of the product arrive in
 * calls/; the others may use memory of their process, and no call that the world defines. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_NEVER UINT64_MAX
#define WORLD_NS_PER_S UINT64_C(1000000000)
#define WORLD_OUTPUT_BYTES ((size_t)4 << 20)
#define WORLD_WALL_START_S 1800000000 /* 15 January 2027, 08:00:00 UTC */

/* How a life ended. The runner reads it after the process is gone. */
enum world_end {
    WORLD_RUNS,    /* the process was ended by something that the world did not see: a signal */
    WORLD_EXIT,    /* the agent ended by itself; its code is in `exit_code` */
    WORLD_KILLED,  /* at the call that the runner had named */
    WORLD_HANGS,   /* no thread can run, and none waits for a time */
    WORLD_ENDLESS, /* more calls than a life may make */
    WORLD_ESCAPED, /* a system call that the world does not know; its name is in `reason` */
};

/* Violations with which the referee is tested: each must be found. */
enum world_plant {
    PLANT_NOTHING,
    PLANT_NO_SYNC,   /* fsync and fdatasync of the agent do nothing */
    PLANT_LOST,      /* the far end forgets an event */
    PLANT_DOUBLED,   /* .. counts one twice */
    PLANT_INVENTED,  /* .. changes one */
    PLANT_SWAPPED,   /* .. takes two in the wrong order */
    PLANT_STUCK,     /* the far end's disk stays full */
    PLANT_ASTRAY,    /* an event arrives at another far end */
    PLANT_HEADER,    /* the far end changes a header */
    PLANT_SKIPPED,   /* the offset that a group commits is one record too far */
    PLANT_ABORTED,   /* the records of an aborted transaction are there */
    PLANT_AHEAD,     /* a position of taildir points behind the lines that were read */
    PLANT_BEHIND,    /* .. has not moved */
    PLANT_COUNTED,   /* /metrics has one delivered event more */
    PLANT_UNREADY,   /* /readyz has a line more */
    PLANT_LEFT,      /* the process has a descriptor more at its end */
    PLANT_THREAD,    /* .. a thread */
    PLANT_MEMORY,    /* .. a mebibyte */
    PLANT_FILE,      /* the agent leaves a temporary file */
    PLANT_LATE,      /* a stop takes two minutes longer */
    PLANT_LINES,     /* the log has a thousand warnings more */
    PLANT_ASSERTION, /* .. the words of an assertion */
    PLANT_SILENT,    /* the log does not say what a decayed disk costs */
    PLANT_PLAIN,     /* an encrypted channel writes the text of an event */
    PLANT_FREED,     /* the process reads memory that it has freed; AddressSanitizer's to find */
    PLANTS,
};

struct disk;
struct faults;
struct net;
struct ledger;
struct supply;
struct world_life;

/* All of it is zero when a run begins. */
struct world {
    uint64_t random; /* state of world_draw */
    uint64_t now_ns; /* since the world began; moves by a hair at each call, and jumps when nothing can run */
    uint64_t calls;  /* of this life */
    uint64_t history; /* a hash of all calls of all lives, their arguments and results */

    uint64_t kill_at;    /* the call of this life at whose entry the process dies; 0: none */
    uint64_t calls_max;  /* of a life; then it is WORLD_ENDLESS */
    bool long_parks;     /* workers without a deadline sleep until they are woken, not for a second */
    uint32_t pass_share; /* of 65536 calls, after how many the turn is passed */
    uint32_t
        blocks_most; /* basic blocks of the product after which it is passed, at most; 0: it is not (block.c) */
    bool has_compiler; /* of expressions: a child (calls/child.c) */
    bool has_births;   /* the file system keeps times of birth */
    enum world_cache {
        CACHE_WARM,     /* the pages that a read wants are in memory; RWF_NOWAIT is known */
        CACHE_COLD,     /* some are not */
        CACHE_BLOCKING, /* the file system does not know RWF_NOWAIT */
    } cache;
    bool lists_backwards; /* names of a directory come in the opposite order of their making */
    bool traces;          /* each call is a line on the real standard error */
    enum world_plant plant;
    enum world_end end;
    int exit_code;
    char reason[256];

    /* Signals for the agent, by number; taken by signalfd or by the default action. */
    uint64_t pending_signals;

    struct disk *disk;
    struct faults *faults;
    struct net *net;
    struct ledger *ledger;
    struct world_peer *peers;
    /* Of the last life: until when its peers may need; how much had arrived, how many events were acknowledged and how many calls it had made when it was
     * looked last. */
    uint64_t patience_ns, settled, settled_acknowledgements, settled_calls;
    unsigned life;            /* the number of the agent's life */
    struct world_life *facts; /* of this life, for the referee; NULL: nobody judges (referee.h) */
    bool ended_well;          /* the life before this one: in order, and no call failed */
    unsigned rest_threads, rest_descriptors; /* that were left when the agent had ended, .. */
    int64_t rest_bytes;                      /* and by how much its heap had grown */
    bool server_faults;                      /* servers misbehave */
    const char *broken;                      /* a promise that a peer has seen broken; NULL: none */
    uint64_t server_trouble;                 /* how often one did, in this run */
    uint32_t peers_busy;                     /* that have not sent all of their events */
    struct supply *supply;                   /* what they may send in this life (peers/supply.h) */

    size_t output_length; /* what the agent printed on 1 and 2, over all lives */
    char output[WORLD_OUTPUT_BYTES];

    size_t used;           /* bytes of the arena */
    void *free_blocks[48]; /* by the logarithm of their size */
};

#define WORLD_ADDRESS ((uintptr_t)0x200000000000)
#define WORLD_BYTES ((size_t)1 << 30)
#define world ((struct world *)WORLD_ADDRESS)

/* Maps the memory. Called once, by the runner. */
void world_map(void);
/* Makes the world new: everything is forgotten. Thread: the runner's, between lives. */
void world_reset(uint64_t seed);

/* Returns zeroed memory of the world; the process ends with a message when there is no more. */
void *world_allocate(size_t bytes);
void world_free(void *block, size_t bytes);
/* Returns memory with the first `old_bytes` of `block`, which is freed. */
void *world_grow(void *block, size_t old_bytes, size_t bytes);

/* Returns a number that follows from the seed and all draws before. */
uint64_t world_draw(void);
/* Returns a number below `limit`, which is above 0. */
uint64_t world_below(uint64_t limit);
/* Returns whether an event with this share of 65536 happens. */
bool world_chance(uint32_t share);

/* Adds to the history. */
void world_note(uint64_t value);
void world_note_bytes(const void *bytes, size_t length);

/* Prints a message to the real standard error and ends the process, from everywhere. */
_Noreturn void world_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
