/* Writing the positions at intervals. See saves.c. Thread: the worker of the source. */
#pragma once

#include "stages/lib/tail/position_file.h"
#include "stages/lib/tail/slots.h"

struct ps_tailer;
struct ps_tail_log;

struct ps_tail_saves {
    struct ps_tail_position_file *position_file; /* the source holds one reference */
    struct ps_tail_slots changed;                /* logs whose position may differ from the position file's */
    struct ps_tail_notes notes;                  /* for the position file */
    bool dirty, saving, failed;                  /* `failed`: the last save failed */
    uint64_t due_ns;                             /* time of the next save; 0: none is due */
    uint64_t rest_ns;                            /* no save begins before this time */
    unsigned tries;                              /* saves that failed while the source ends */
    uint64_t again_ns;                           /* time of the next such save */
};

/* Saves once more at the end. */
void ps_tail_save_at_end(struct ps_tailer *tailer);
/* Returns whether a failed last save is tried again: otherwise a short failure would make lines come twice. */
bool ps_tail_saves_again(const struct ps_tail_saves *saves);
/* Returns the wait before the next try. */
uint64_t ps_tail_saves_wait_ns(const struct ps_tail_saves *saves);
/* Saves when it is time. Returns when to call it again. */
uint64_t ps_tail_saves_tick(struct ps_tailer *tailer);
/* Notes that the position of the log changed or was removed. */
void ps_tail_log_changed(struct ps_tailer *tailer, const struct ps_tail_log *log);
