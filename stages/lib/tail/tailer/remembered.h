/* The positions of the position file and of the sink, which were read at the start. Each position stays until a
 * file takes it over, or until no file can take it over. See remembered.c. Thread: the worker of the source. */
#pragma once

#include "stages/lib/tail/fingerprint_index.h"
#include "stages/lib/tail/positions.h"

struct ps_tailer;

struct ps_tail_remembered {
    bool loads;    /* reading of the positions has begun */
    bool was_read; /* the thread has read them */
    bool loaded;   /* all positions can be found */
    bool failed;
    struct ps_tail_positions positions;
    struct ps_tail_fingerprint_entry *fingerprints; /* by index, in tailer->fingerprints */
    bool *kept;                                     /* by index: it is still written to the position file */
    size_t left;                                    /* number of positions that are kept */
    size_t at;                                      /* index in a walk through all of them */
    uint64_t ns;                                    /* time of the next walk through the positions */
};

/* Asks the thread for the positions. `records`: those that the sink keeps, or NULL; it is freed. */
void ps_tail_load(struct ps_tailer *tailer, char *records);
/* Makes some of the positions that were read known to the tailer. Returns whether all are known. */
bool ps_tail_load_go_on(struct ps_tailer *tailer);
/* Drops a position of the position file, because a file now continues at it, or because no file can. */
void ps_tail_position_taken(struct ps_tailer *tailer, struct ps_tail_position *position);
/* Returns whether this file, which has the position's inode, is the position's, whatever bytes it has now: the inode may be another file's since.
 * They are the same if they were made at the same time. A position of an older version does not have that time: the file must have the same
 * device, and must have been made before the position was saved last while its file was known. Returns false if the file system does not tell
 * when the file was made. */
bool ps_tail_position_is_of(const struct ps_tail_position *position, const struct ps_tail_identity *identity);
/* Returns whether a file that was made at this time, in ns since 1970, may have come too late for the last save: it has no position,
 * because the agent was killed or stopped before. True for any time if the clock was set back since the save: lines that are read in vain
 * do less harm than lines that are skipped. False if the time is 0 (not known), or if another program wrote the position file. */
bool ps_tail_is_young(const struct ps_tailer *tailer, uint64_t made_ns);
/* Gives up positions whose files were not found. Returns when to call it again. */
uint64_t ps_tail_remembered_tick(struct ps_tailer *tailer);
void ps_tail_remembered_free(struct ps_tail_remembered *remembered);
