/* Types and functions that the files of the tailer share. See tailer.h. Thread: the worker of the source. A job belongs
 * to the thread while it runs. */
#pragma once

#include "stages/lib/tail/directory.h"
#include "stages/lib/tail/fingerprint_index.h"
#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/position_file.h"
#include "stages/lib/tail/marks.h"
#include "stages/lib/tail/notify.h"
#include "stages/lib/tail/positions.h"
#include "stages/lib/tail/reader.h"
#include "stages/lib/tail/slots.h"
#include "stages/lib/tail/tailer/copy.h"
#include "stages/lib/tail/tailer/filler.h"
#include "stages/lib/tail/tailer/last_bytes.h"
#include "stages/lib/tail/tailer/open_files.h"
#include "stages/lib/tail/tailer/remembered.h"
#include "stages/lib/tail/tailer/saves.h"
#include "stages/lib/tail/tailer/sink_positions.h"
#include "stages/lib/tail/tailer/tailer.h"

#define PS_TAIL_EARLIER_NS (60 * PS_NS_PER_S)

enum ps_tail_log_state {
    PS_TAIL_LOG_CLOSED,
    PS_TAIL_LOG_OPENING, /* a job opens the file, or checks whether it is still the same */
    PS_TAIL_LOG_OPEN,
    /* Closed: the file begins like another file. It waits until it is known whether the other file was
     * truncated. */
    PS_TAIL_LOG_COPY,
};

/* How a file that could not be read is tried again. unreadable.c */
enum ps_tail_retry {
    PS_TAIL_RETRY_OPEN,          /* it stays open: it failed once */
    PS_TAIL_RETRY_BY_NAME,       /* opened again by its name: it failed more than once */
    PS_TAIL_RETRY_BY_NAME_LATER, /* the same, but the next answer of a look does not count */
};

/* The former state of a file that began anew: a copy of its former content may turn up. */
struct ps_tail_earlier {
    struct ps_tail_identity identity; /* head_length 0: nothing is known */
    int64_t read_offset, delivered_offset;
    struct ps_tail_life lives[PS_TAIL_LIVES_BEFORE]; /* lives whose spans may not be delivered yet */
    struct ps_tail_marks marks;
    struct ps_tail_serial serial;
    uint64_t until_ns;
};

/* A file that is followed. */
struct ps_tail_log {
    /* in the spans of its lines; the pass changes when the file starts over */
    uint32_t number, pass;
    enum ps_tail_log_state state;
    unsigned directory; /* index in tailer->places */
    int group;          /* group that it was found by */
    bool named;         /* it has a name in the directory */
    bool matches;       /* its present name matches its group */
    bool matched;       /* it has or had a name that matches */
    bool link;
    bool resolved;       /* it was opened once: its identity, and where reading goes on, are known */
    bool found_at_start; /* the first look found it, with start_bytes: skipToEnd skips these bytes */
    /* It was made after the positions were saved last, or shortly before: skipToEnd skips nothing of it. Until it is opened its time of
     * modification counts, then the time when it was made. */
    bool is_young;
    bool queued, waits; /* `queued` for its turn; `waits` for the thread */
    bool cut_waits;     /* it was truncated: first its directory is looked at, to find its copy */
    bool cut_looked;    /* that look at the directory is done */
    uint8_t cut_looks;  /* number of looks that were not enough */
    bool shrank;        /* it was seen to be shorter than its position: it was cut */
    bool head_moves;    /* its beginning is changed in place: it does not show which file this is */
    bool stranger;      /* its inode belongs to another file now */
    bool left_group; /* the last look saw it renamed from a name that matches: the inode is still its own */
    bool copied;     /* a copy is read from its position; earlier lines are not delivered yet */
    bool again;      /* a change was reported while a job has the file, or while it waits for a job */
    bool compressed; /* it is not read as long as its beginning stays the same */
    bool unreadable; /* it could not be opened or read since unreadable_ns; it is tried again */
    enum ps_tail_retry retry; /* `unreadable`: the next try */
    bool deferred;            /* it waits to be opened, because too many files are open */
    bool partial;             /* the last read ended in a line without a newline */
    bool rest;                /* it has been idle for so long that a line without a newline counts, too */
    char *name;               /* present or last name in its directory */
    char *path;               /* with the last name that matched; for headers and the position file */
    /* The file's name in another directory, which was found before the file was missed in this directory; NULL:
     * none. */
    char *other_name;
    unsigned other_directory;
    int other_group;
    struct ps_tail_identity identity;
    struct ps_tail_file file;
    int64_t read_offset, delivered_offset;
    struct ps_tail_life before[PS_TAIL_LIVES_BEFORE]; /* of a copy: its original's lives */
    int64_t size;                                     /* at the last look */
    int64_t start_bytes;                              /* its size when the first look found it */
    uint32_t need_bytes; /* room for the next read: more than usual for a long line */
    int64_t partial_end; /* where the file ended when it was last seen to end without a newline */
    /* A line longer than a block has no newline before this offset. */
    int64_t line_scanned;
    struct ps_tail_line *line; /* such a line, which the thread looks for or has found */
    struct ps_tail_last_bytes
        last;     /* the last bytes before the position: each read checks that the file still has them */
    char *detail; /* in the open batch: room for what the sink keeps (sink_positions.c) */
    uint32_t detail_room;
    uint64_t turn_lines;
    uint64_t unreadable_ns;
    uint64_t gone_ns;                  /* when it lost its name */
    uint64_t cut_ns;                   /* `cut_waits`: since when */
    uint64_t checked_ns;               /* when its beginning was last seen to be unchanged */
    uint64_t active_ns;                /* when new bytes were read or seen, or when it was opened */
    struct ps_tail_log *next;          /* in tailer->queue_first */
    struct ps_tail_log *older, *newer; /* open files, sorted by active_ns */
    struct ps_tail_log *next_name;     /* in its hash chain */
    struct ps_tail_log *next_inode;
    struct ps_tail_mark rest_mark; /* of the position file (positions.h); used until `last` is known */
    uint64_t over_ns; /* when it was last read from its beginning because it was written over; 0: never */
    uint64_t
        over_told_ns; /* when it was last logged that it was written over and is not read from its beginning */
    int64_t shrank_to; /* `shrank`: the least size that was seen */
    struct ps_tail_filler filler;
    int64_t
        anew_from; /* it began anew, and no line was read since: where it was read to, or ended, before; else 0 */
    struct ps_tail_marks marks; /* up to read_offset */
    struct ps_tail_serial serial;
    /* `serial` is in the notes of a save; `serial` is in the position file */
    bool serial_noted, serial_saved;
    struct ps_tail_earlier earlier;
    struct ps_tail_fingerprint_entry head, earlier_head; /* entries of tailer->fingerprints */
    struct ps_tail_copy copy;                            /* if it waits: the file of which it may be a copy */
    struct ps_tail_log *copies;                          /* files that wait for this one */
};

struct ps_tail_look; /* a job: look.c */

/* A rename that inotify reported. A list, oldest first. */
struct ps_tail_renaming {
    struct ps_tail_renaming *next;
    char *from, *to;
};

struct ps_tail_place {                   /* a directory */
    struct ps_tail_directory *directory; /* belongs to the job while `looking` */
    struct ps_tail_look *job;
    struct ps_tail_renaming *renamings, *last_renaming; /* to be reported to the next look */
    uint32_t renaming_count;
    char *path;
    int watch; /* number of the inotify watch; -1: none */
    bool looking, names, looked;
    bool was_missing; /* no look had succeeded before: the directory's files were made while the agent ran */
    int error;        /* errno of the last look; 0: it succeeded */
    bool taking;      /* the look was answered: several ticks take its changes, from index `taken` on */
    size_t taken;
    bool unreadable;    /* some of its files could not be opened or read */
    uint64_t retry_ns;  /* wait before the next look at such files; 0: none failed */
    uint64_t looked_ns; /* time of the first look */
    uint64_t look_ns;   /* latest time of the next look */
    uint64_t rest_until_ns;
};

/* All files that are followed. file_table.c */
struct ps_tail_table {
    struct ps_tail_log **logs;                /* by number; NULL: unused */
    uint32_t *passes;                         /* by number: of the last file that had it */
    uint32_t room, count;                     /* `room`: a power of 2 */
    struct ps_tail_log **by_name, **by_inode; /* hash chains */
};

struct ps_tailer {
    const struct ps_tail_settings *settings;
    struct ps_tail_sink_positions sink;
    struct ps_port *port;
    struct ps_tail_thread thread;
    struct ps_tail_reader reader;
    int notify_fd;
    bool is_unwatched_told; /* the log has why a directory cannot be watched */
    bool draining;

    struct ps_tail_place *places;
    unsigned place_count;

    struct ps_tail_table table;
    struct ps_tail_open_files open;
    struct ps_tail_log *queue_first, *queue_last;
    /* The file whose bytes are left in the block, from its read_offset on. */
    struct ps_tail_log *left;
    /* Queues of the `number`s of logs that may be in the state that the queue's name says; see slots.h. */
    struct ps_tail_slots waiting;     /* for an answer of the thread */
    struct ps_tail_slots turned_away; /* no fetch was free for them */
    struct ps_tail_slots cut;         /* cut_waits: their directory has to be looked at */
    struct ps_tail_slots cut_seen;    /* cut_waits, and their directory was looked at: each tick opens some */
    struct ps_tail_slots copies;      /* state PS_TAIL_LOG_COPY */
    struct ps_tail_slots unresolved;  /* found, but not yet identified */
    struct ps_tail_slots unreadable;
    struct ps_tail_slots links;
    struct ps_tail_slots heirs;   /* files that have lines of an earlier life (struct ps_tail_life) */
    struct ps_tail_slots fillers; /* files with NULs where nothing may be written yet */
    uint64_t fillers_look_ns;
    struct ps_tail_slots unsaved;    /* files whose random numbers are not in the position file yet */
    struct ps_tail_slots unnumbered; /* files that wait until the position file has their random numbers */
    struct ps_tail_slots loose;      /* no matching name, or idle and not closed */
    /* how many files of `loose` are looked at before idle_look_ns moves on */
    uint32_t loose_left;
    uint64_t batch_key; /* identifies the headers that the open batch has */

    struct ps_tail_fingerprint_index
        fingerprints; /* fingerprints of logs, and of positions that were read at the start */
    uint64_t copies_look_ns;
    /* Until then a copy waits because it may grow, and its original may have begun anew: the position file keeps the original's former
     * position. */
    uint64_t copies_pend_ns;
    /* While the source ends: number of copies that are still to be compared, and until when the save waits for comparisons. */
    uint32_t copies_left;
    uint64_t settle_ns;
    struct ps_tail_remembered remembered;
    struct ps_tail_saves saves;
    /* Number of logs whose delivered_offset is behind their read_offset. */
    uint32_t outstanding;
    uint64_t idle_look_ns;
    uint64_t now_ns;
};

/* ---- file_table.c: the table of files ---- */

struct ps_tail_log *ps_tail_log_add(struct ps_tailer *tailer, unsigned place,
                                    const struct ps_tail_change *change);
void ps_tail_log_remove(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Frees all files and their tables. Called at the end. */
void ps_tail_logs_free(struct ps_tailer *tailer);
struct ps_tail_log *ps_tail_log_by_name(const struct ps_tail_table *table, unsigned place, const char *name);
/* Returns the file with this inode, or NULL. `device` 0: any device. */
struct ps_tail_log *ps_tail_log_by_inode(const struct ps_tail_table *table, uint64_t device, uint64_t inode);
/* Returns the file with this number and pass, or NULL if it is no longer followed. */
struct ps_tail_log *ps_tail_log_of(const struct ps_tail_table *table, uint32_t number, uint32_t pass);
/* Gives the file this name in its directory. NULL: it no longer has a name. */
void ps_tail_log_rename(struct ps_tailer *tailer, struct ps_tail_log *log, const char *name, bool matches);
/* Sets the path and group that a file without a matching name had before the agent started. */
void ps_tail_log_was(struct ps_tail_log *log, const char *path, int group);
/* Adds the file at the end of the queue, and asks for it to be opened if it is not open. */
void ps_tail_log_queue(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Removes the first file from the queue. */
void ps_tail_log_unqueue_first(struct ps_tailer *tailer);
/* Sets the offsets that the file was read to and delivered to. */
void ps_tail_log_move(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t read_offset,
                      int64_t delivered_offset);
/* Writes the lives whose spans deliver lines of this file to `lives`, which has PS_TAIL_LIVES_BEFORE places. The file's own life is the first. */
void ps_tail_log_lives(const struct ps_tail_log *log, struct ps_tail_life *lives);
/* Notes that the lines before the span's position are delivered. */
void ps_tail_log_delivered(struct ps_tailer *tailer, const struct ps_span *span);
/* Returns the present path of the file. The caller frees it. */
char *ps_tail_log_place_of(const struct ps_tailer *tailer, const struct ps_tail_log *log);
/* Updates the index of fingerprints after the file's fingerprint changed. */
void ps_tail_log_index(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Notes the size of the file. One that is shorter than it was, and was not read yet, begins anew. */
static inline void ps_tail_log_size_set(struct ps_tail_log *log, int64_t size)
{
    if (size < log->size && log->read_offset == 0 && log->anew_from < log->size)
        log->anew_from = log->size;
    log->size = size;
}
/* Notes that the file was seen with this size, which is less than its position. */
void ps_tail_log_shrank(struct ps_tail_log *log, int64_t size);
/* Returns the bytes before the position without the first line, for the position file; length 0 if the first line is further back. */
struct ps_tail_mark ps_tail_rest(const struct ps_tail_log *log);
/* Return and set when the file was last read from its beginning because it was written over, in ms since 1970; 0: not within the hour. */
int64_t ps_tail_over_ms(const struct ps_tailer *tailer, const struct ps_tail_log *log);
void ps_tail_over_take(const struct ps_tailer *tailer, struct ps_tail_log *log, int64_t over_ms);
/* Gives the file the beginning, offsets, marks and numbers of a position that was read at the start. */
void ps_tail_log_as_remembered(struct ps_tailer *tailer, struct ps_tail_log *log,
                               const struct ps_tail_position *position);
/* Gives up bytes that were read but are in no batch yet. */
void ps_tail_log_forget_ahead(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Makes the file start over: a new pass, read from offset 0. */
void ps_tail_log_restart(struct ps_tailer *tailer, struct ps_tail_log *log);
void ps_tail_log_close(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Extends the fingerprint of a short file that has grown. */
void ps_tail_log_grow(struct ps_tailer *tailer, struct ps_tail_log *log);

/* ---- numbered.c: the files' random numbers ---- */

/* Sets the numbers of a file whose position, with the same numbers, is in the position file. */
void ps_tail_log_numbers(struct ps_tail_log *log, const struct ps_tail_serial *serial);
/* Gives a copy the numbers of its original, whose lines it has before `mark`. */
void ps_tail_log_numbers_inherit(struct ps_tailer *tailer, struct ps_tail_log *log,
                                 const struct ps_tail_origin *origin, int64_t mark);
/* Called when the file starts over: the number of its former content stays with the former content. */
void ps_tail_log_numbers_forget(struct ps_tail_log *log);
/* Draws the number of a file that is to be read, if its lines get identities and it has none. */
void ps_tail_log_number(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Returns whether the file can be read. If not, it was put into tailer->unnumbered: a kill after the delivery of a line would make
 * its identity unknown as long as the position file does not have the number. While the position file cannot be written, files
 * are read, and their lines have no identities. */
bool ps_tail_log_is_numbered(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Returns whether the file has no number, and its lines need one. */
bool ps_tail_log_lacks_number(const struct ps_tailer *tailer, const struct ps_tail_log *log);
/* Returns the number of the line at this offset; 0: it gets no identity. */
static inline uint64_t ps_tail_log_number_at(const struct ps_tail_log *log, int64_t offset)
{
    return log->serial_saved ? ps_tail_serial_at(&log->serial, offset) : 0;
}
/* Called when the position file was written: the numbers in it can be used. */
void ps_tail_numbers_saved(struct ps_tailer *tailer);

/* ---- tailer.c ---- */

/* Queues a file that waited. */
void ps_tail_log_wait_no_more(struct ps_tailer *tailer, uint32_t number);

/* ---- idle.c: idle files ---- */

/* Logs that a file which kept its name no longer belongs to a group. */
void ps_tail_log_of_no_group(struct ps_tailer *tailer, const struct ps_tail_log *log, int64_t unread_bytes);
/* Handles files that have been idle long enough. Returns when the next one is due. */
uint64_t ps_tail_rests_tick(struct ps_tailer *tailer);

/* ---- open.c: opening a file, and checking whether it is still the same ---- */

void ps_tail_log_open(struct ps_tailer *tailer, struct ps_tail_log *log);

/* ---- unreadable.c: files that cannot be read now ---- */

/* Notes that the file could not be opened, read or identified: it is tried again from the same position. `error`: errno. */
void ps_tail_log_unreadable(struct ps_tailer *tailer, struct ps_tail_log *log, int error);
/* Tries the directory's unreadable files again after a look. */
void ps_tail_unreadable_queue(struct ps_tailer *tailer, unsigned place);

/* ---- compressed.c: compressed files, which are not read ---- */

/* Returns the name of the compression format of a file with this beginning, or NULL. */
const char *ps_tail_compression(const char *head, size_t length);
/* Marks the log as compressed: it is not read until its inode belongs to another file. Logs and counts it. */
void ps_tail_compressed_found(struct ps_tailer *tailer, struct ps_tail_log *log, const char *compression);

/* ---- match.c: finding the original of a copy ---- */

struct ps_tail_match;

enum ps_tail_matched {
    PS_TAIL_MATCH_NONE,    /* the log is a file of its own */
    PS_TAIL_MATCH_COPY,    /* the log waits for its original */
    PS_TAIL_MATCH_GOES_ON, /* the log is read from the position of its original */
    PS_TAIL_MATCH_AGAIN,   /* compare again: the candidates have changed meanwhile */
};

/* Returns the files that the log may be a copy of, or NULL if no file begins as it does. `size`: size of the
 * log. `before`: the comparison that is repeated, which is freed, or NULL. If `before` has hints, only the
 * files of the hints are considered. */
struct ps_tail_match *ps_tail_match_make(struct ps_tailer *tailer, struct ps_tail_log *log, const char *head,
                                         size_t length, int64_t size, struct ps_tail_match *before);
/* Compares the candidates with the new file. Call it on the source's thread. */
void ps_tail_match_run(struct ps_tail_match *match, int fd);
/* Returns errno if a file could not be read and the comparison has to be repeated, 0 if the result is there. A candidate that cannot
 * be read for PS_TAIL_GRACE_NS counts as deleted. */
int ps_tail_match_error(const struct ps_tailer *tailer, const struct ps_tail_log *log,
                        const struct ps_tail_match *match);
enum ps_tail_matched ps_tail_match_take(struct ps_tailer *tailer, struct ps_tail_log *log,
                                        struct ps_tail_match *match);
void ps_tail_match_free(struct ps_tail_match *match);

/* ---- look.c: directories ---- */

enum ps_status ps_tail_places_open(struct ps_tailer *tailer, struct ps_err *err);
void ps_tail_places_close(struct ps_tailer *tailer);
/* Stops inotify events from waking the worker, because nothing more is read. */
void ps_tail_places_leave(struct ps_tailer *tailer);
/* Reads inotify's events and starts the looks that are due. Returns when the next one is due. */
uint64_t ps_tail_places_tick(struct ps_tailer *tailer);
/* Reports what the source lacks (ps_port_lacks). lack.c */
void ps_tail_lack_tick(struct ps_tailer *tailer);

/* ---- cut.c: files that were truncated ---- */

/* Called after a look that read the names of the directory: its truncated files are opened, by ps_tail_cut_open. A file whose copy
 * the look may not have seen waits for another look. */
void ps_tail_cut_looked(struct ps_tailer *tailer, unsigned place, const struct ps_tail_changes *changes);
/* Opens some of the files. */
void ps_tail_cut_open(struct ps_tailer *tailer);

/* ---- read.c ---- */

enum ps_tail_step {
    PS_TAIL_STEP_MOVED, /* read something: there may be more */
    PS_TAIL_STEP_END,   /* nothing more to read now */
    PS_TAIL_STEP_WAIT,  /* the thread reads the bytes */
    PS_TAIL_STEP_FULL,  /* the batch is full, or there is no memory */
    PS_TAIL_STEP_FLUSH, /* the batch has the headers of another file */
};
/* Reads at most a block. If log->rest is set, a last line without a newline counts as a line. */
enum ps_tail_step ps_tail_log_read(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch);

/* ---- line.c: lines longer than a block ---- */

struct ps_tail_line {
    struct ps_tail_job job;
    uint32_t number;
    int fd;
    int64_t offset, scanned; /* offsets of the line's beginning, and of the end of the searched bytes */
    uint32_t max_bytes;
    bool rest;          /* the end of the file ends the line */
    int64_t known_end;  /* NULs before this offset are not read again; 0: not known */
    int64_t nuls_least; /* so many NULs at `offset`, and more, are not a part of the line */
    struct ps_tail_identity identity;
    struct ps_tail_last_bytes last; /* before `offset` */
    /* Results: */
    bool done, orphan;
    int error;       /* errno of a read that failed: the other results are not set then; 0: none */
    bool found, cut; /* cut: the line is longer than max_bytes */
    int64_t
        nuls; /* number of NULs at `offset` with text behind them, if they are too many to be a part of the line; else 0 */
    int64_t text_end;  /* `nuls`: the end of the file's text, as far as known */
    bool ends_in_text; /* `nuls`: there the file ends */
    int64_t end;       /* not found: the end of the file, if it ends in NULs; else 0 */
    bool same;         /* the file begins as before, and has the same bytes before the line */
    char *bytes;
    uint32_t length, consumed;
};

/* Asks the thread for the line at the position. */
enum ps_tail_step ps_tail_line_begin(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Return whether the log has asked the thread for bytes or for a line, and whether they have arrived. */
bool ps_tail_log_asked(const struct ps_tail_log *log);
bool ps_tail_log_answered(const struct ps_tail_log *log);
/* Drops a long line that was looked for, because the file is read from another position, or not at all. */
void ps_tail_line_forget(struct ps_tail_log *log);
#define PS_TAIL_NO_KEY UINT64_MAX
