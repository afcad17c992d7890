/* The open files: their list and the limit of their number. At the limit, files with nothing to read are closed, so that waiting files can
 * be opened. See open_files.c. Thread: the worker of the source. */
#pragma once

#include "stages/lib/tail/slots.h"

struct ps_tailer;
struct ps_tail_log;

struct ps_tail_open_files {
    uint32_t count, opening, max; /* open; being opened; limit of both together */
    bool lowered;                 /* `max` was lowered, because the process had no descriptor left */
    struct {
        uint64_t ns;      /* when a lowered limit is raised next */
        uint64_t wait_ns; /* time from a failure to that; 0: none has failed yet */
        bool tried;       /* it was raised, and no opening has failed since */
    } raise;
    bool failing; /* no file was opened since `max` was lowered */
    /* Too many files are open and none could be closed: each file that is read to its end is closed. */
    bool crowded;
    struct ps_tail_log *oldest, *newest; /* list of open files, by active_ns */
    struct ps_tail_slots deferred;       /* numbers of logs to be opened */
};

/* Returns the first limit: half of the process's limit of descriptors. */
uint32_t ps_tail_open_files_max(void);
/* Counts a file that was opened, and one that is closed. */
void ps_tail_opened(struct ps_tailer *tailer);
void ps_tail_closed(struct ps_tailer *tailer);
/* Moves the file to the end of the list of open files, because it was opened or has new bytes. */
void ps_tail_log_active(struct ps_tail_open_files *open, struct ps_tail_log *log, uint64_t now_ns);
/* Returns whether the file is in the list of open files. */
bool ps_tail_log_is_active(const struct ps_tail_open_files *open, const struct ps_tail_log *log);
/* Removes the file from the list of open files. */
void ps_tail_log_inactive(struct ps_tail_open_files *open, struct ps_tail_log *log);
/* Raises a lowered limit if that is due. Closes some files that have nothing to read if too many are open, the
 * longest idle first. Returns false when there is no room. */
bool ps_tail_room_make(struct ps_tailer *tailer);
/* The file waits for room, behind those that wait already. */
void ps_tail_log_defer(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Opens files that waited for room. */
void ps_tail_deferred_tick(struct ps_tailer *tailer);
/* Returns whether nothing is lost when the file is closed: it has nothing to read now, and it can be opened again by its name. One that
 * could not be read, or was cut, may be deleted already: the next look at its directory says that. */
bool ps_tail_log_may_close(const struct ps_tail_log *log);
/* Lowers the limit of open files if the process has no descriptor left though the source is within its limit (other parts of the process
 * need more, or the process's limit was lowered). The file then waits for its turn. Returns false after any other error, and when the
 * source has hardly any files open. */
bool ps_tail_fewer_open(struct ps_tailer *tailer, struct ps_tail_log *log, int error);
