/* What the files of the tailer share. See tailer.h. Thread: the worker of the source; jobs are the thread's meanwhile. */
#pragma once

#include "stages/tail/directory.h"
#include "stages/tail/heads.h"
#include "stages/tail/identity.h"
#include "stages/tail/ledger.h"
#include "stages/tail/marks.h"
#include "stages/tail/notify.h"
#include "stages/tail/positions.h"
#include "stages/tail/reader.h"
#include "stages/tail/slots.h"
#include "stages/tail/tailer.h"
#include "stages/tail/text.h"

#define PS_TAIL_LAST_BYTES                                                                                   \
    PS_TAIL_MARK_BYTES /* before the position: they must still be there when it is read on */
#define PS_TAIL_GRACE_NS                                                                                     \
    (10 * PS_NS_PER_S) /* how long a copy without news waits for its original to be cut */
#define PS_TAIL_COPY_MAX_NS (60 * PS_NS_PER_S)    /* at most, with news */
#define PS_TAIL_SETTLE_NS (2 * PS_NS_PER_S)       /* of a file that is gone, when the copy is still shorter */
#define PS_TAIL_COPY_LOOK_NS (250 * PS_NS_PER_MS) /* a copy that grows is compared again */
#define PS_TAIL_EARLIER_NS (60 * PS_NS_PER_S)

enum ps_tail_log_state {
    PS_TAIL_LOG_CLOSED,
    PS_TAIL_LOG_OPENING, /* a job opens it, or looks whether it is still the same */
    PS_TAIL_LOG_OPEN,
    PS_TAIL_LOG_COPY, /* closed: it begins like another one, and waits whether that one is cut */
};

/* A file between two beginnings: the spans of its lines have these two. */
struct ps_tail_life {
    uint32_t number, generation; /* generation 0: none */
    int64_t end;                 /* what stands behind it is not of the file that goes on */
};
#define PS_TAIL_LIVES_BEFORE                                                                                 \
    4 /* copies of copies; what is on its way of one before them comes again after a crash */

/* What a file was before it began anew: a copy of that may turn up. */
struct ps_tail_earlier {
    struct ps_tail_identity identity; /* head_length 0: nothing */
    int64_t read_offset, delivered_offset;
    struct ps_tail_life lives[PS_TAIL_LIVES_BEFORE]; /* whose spans may be on their way */
    struct ps_tail_marks marks;
    uint64_t until_ns;
};

/* A file that is followed. */
struct ps_tail_log {
    uint32_t number, generation; /* of its spans; a new generation when it begins anew */
    enum ps_tail_log_state state;
    unsigned directory; /* number */
    int group;          /* the one it was found by */
    bool named;         /* its name is there */
    bool matches;       /* and is one of its group's */
    bool matched;       /* it had one that is */
    bool link;
    bool resolved;       /* it was opened once: what it is, and where to go on, is known */
    bool found_at_start; /* by the first look, with start_bytes: skipToEnd skips these */
    bool queued, waits;  /* for its turn; for the thread */
    bool cut_waits;      /* it was cut: its directory is looked at first, for a copy */
    bool cut_looked;     /* that was done */
    uint8_t cut_looks;   /* how often that was not enough */
    bool stranger;       /* its inode is another file's now */
    bool copied;         /* a copy goes on from what was read of it, and not all of that is delivered */
    bool again;          /* something happened while a job has it, or it waits for one */
    bool compressed;     /* not read, as long as it begins as it does */
    /* A compressed file that is read: its identity, offsets and marks are those of its text. NONE: it is no such file. */
    enum ps_compression text;
    struct ps_tail_stamp text_stamp; /* of the file, when its text was surveyed */
    int64_t text_bytes;              /* -1: it was not surveyed */
    enum ps_tail_text_end text_end;
    bool text_news;         /* it is to be opened: it is new, or changed, or has something to read */
    bool text_settled;      /* it rests: what ends early, or is damaged, stays so */
    bool text_done;         /* it was read to its end */
    uint8_t text_tries;     /* of a survey: the files that it was compared with changed meanwhile */
    uint64_t text_since_ns; /* when it was first seen to be as it is */
    uint64_t text_again_ns; /* not opened before */
    bool unreadable;        /* it could not be opened or read, since unreadable_ns: it is tried again */
    bool reopens;           /* that failed more than once: it is opened by its name */
    bool deferred;          /* too many files are open */
    bool hole_checked;      /* it begins with 0, and that is no hole */
    bool partial;           /* the last read ended in a line without its end */
    bool rest;              /* it has rested long enough for such a line to count */
    char *name;             /* in its directory: the present one, or the last one */
    char *path;             /* with the last name that matched: for headers and the position file */
    char *other_name;       /* in another directory, which found it before this one missed it; NULL: none */
    unsigned other_directory;
    int other_group;
    struct ps_tail_identity identity;
    struct ps_tail_file file;
    int64_t read_offset, delivered_offset;
    struct ps_tail_life
        before[PS_TAIL_LIVES_BEFORE]; /* of a copy: its original's lines may be on their way */
    int64_t size;                     /* when it was looked at */
    int64_t start_bytes;              /* what it had when it was found at the start */
    uint32_t need_bytes;              /* room for the next read: more than usual for a long line */
    int64_t line_scanned;             /* of a line longer than a block: no end of line before this place */
    struct ps_tail_line *line;        /* such a line, being looked for, or found */
    char last[PS_TAIL_LAST_BYTES];
    uint32_t last_length;
    uint64_t turn_lines;
    uint64_t unreadable_ns;
    uint64_t gone_ns;                  /* since when it has no name */
    uint64_t checked_ns;               /* when its beginning was last seen to be unchanged */
    uint64_t active_ns;                /* when something new was read, or it was opened */
    struct ps_tail_log *next;          /* in the queue */
    struct ps_tail_log *older, *newer; /* open ones, by active_ns */
    struct ps_tail_log *next_name;     /* in its chain of names */
    struct ps_tail_log *next_inode;
    struct ps_tail_marks marks; /* up to read_offset */
    struct ps_tail_earlier earlier;
    struct ps_tail_head_entry head, earlier_head; /* in tailer->heads */
    struct ps_tail_log *original;                 /* COPY: the one that it is a copy of; NULL: it is gone */
    struct ps_tail_log *copies, *next_copy;       /* those that wait for this one; of its original */
    struct ps_tail_mark copy_mark;                /* COPY: it has what its original has up to here */
    bool copy_grew, copy_pends;                   /* it has news; it is compared again in any case */
    int64_t copy_size;                            /* when it was compared */
    uint64_t copy_since_ns, copy_until_ns, copy_matched_ns;
};

struct ps_tail_look; /* a job: tailer_look.c */

/* A rename that inotify has told of, in a list with the oldest first. */
struct ps_tail_renaming {
    struct ps_tail_renaming *next;
    char *from, *to;
};

struct ps_tail_place {                   /* a directory */
    struct ps_tail_directory *directory; /* the job's while `looking` */
    struct ps_tail_look *job;
    struct ps_tail_renaming *renamings, *last_renaming; /* for the next look */
    uint32_t renaming_count;
    char *path;
    int watch; /* inotify's number; -1: none */
    bool looking, names, looked;
    bool was_missing; /* before the first look that succeeded: what is in it came while the agent ran */
    int error;        /* of the last look; 0: it could be read */
    bool taking;      /* the look was answered: its changes are taken in several ticks, from `taken` on */
    size_t taken;
    bool unreadable;    /* has files that could not be opened or read */
    uint64_t retry_ns;  /* how long such files rest before the next look; 0: none failed */
    uint64_t looked_ns; /* the first look */
    uint64_t look_ns;   /* the next look, at the latest */
    uint64_t rest_until_ns;
};

struct ps_tailer {
    const struct ps_tail_settings *settings;
    struct ps_port *port;
    struct ps_tail_thread thread;
    struct ps_tail_reader reader;
    int notify_fd;
    bool loaded, load_failed, draining;

    struct ps_tail_place *places;
    unsigned place_count;

    struct ps_tail_log **logs; /* by number; NULL: free */
    uint32_t *generations;
    uint32_t log_room, log_count, open_count, opening_count, open_max;
    struct ps_tail_log **by_name, **by_inode;
    uint32_t mask;

    bool open_lowered; /* open_max was lowered, because the process had no descriptor left */
    bool open_failing; /* and no file was opened since */

    struct ps_tail_log *queue_first, *queue_last;
    struct ps_tail_log *left;            /* whose bytes are left in the block, from its read_offset on */
    struct ps_tail_log *oldest, *newest; /* that are open */
    bool crowded; /* too many are open, and none could be closed: each that is read to its end is */

    /* Numbers of logs that may be so; see slots.h. */
    struct ps_tail_slots waiting;     /* for an answer of the thread */
    struct ps_tail_slots turned_away; /* for a fetch, because there are too many of them */
    struct ps_tail_slots deferred;    /* to be opened */
    struct ps_tail_slots cut;         /* for a look at their directory: cut_waits */
    struct ps_tail_slots
        cut_seen; /* cut_waits, too; their directory was looked at: they are opened, some in each tick */
    struct ps_tail_slots copies;     /* PS_TAIL_LOG_COPY */
    struct ps_tail_slots unresolved; /* found, and not known what they are */
    struct ps_tail_slots unreadable;
    struct ps_tail_slots links;
    struct ps_tail_slots heirs;    /* they go on from another life, or remember one */
    struct ps_tail_slots texts;    /* compressed files that are to be opened, or may rest now */
    struct ps_tail_log *unpacking; /* the one of them that is surveyed, or read; NULL: none */
    struct ps_tail_slots loose;    /* without a name that matches, or at rest and not closed */
    uint32_t loose_left;           /* of them, to be looked at before idle_look_ns is moved on */
    uint64_t batch_key;            /* whose headers the open batch has */

    struct ps_tail_heads heads; /* of logs, and of remembered files */
    struct ps_tail_head_entry *remembered_heads;
    uint64_t copies_look_ns;
    struct ps_tail_positions remembered;   /* from the position file, until their file is found */
    bool was_read;                         /* they are there; `loaded` when all of them can be found */
    bool *remembered_kept;                 /* those that are written again */
    size_t remembered_left, remembered_at; /* of these; where a walk through them is */
    uint64_t remembered_ns;                /* the next walk */
    struct ps_tail_ledger *ledger;         /* held */
    struct ps_tail_slots changed;          /* logs whose position is another one than the ledger's */
    struct ps_tail_notes notes;            /* for it */
    uint32_t outstanding;                  /* logs whose delivered_offset is behind their read_offset */
    bool dirty, saving, save_failed;
    uint64_t save_ns, idle_look_ns;
    unsigned save_tries;    /* that failed, at the end */
    uint64_t save_again_ns; /* the next one */
    uint64_t now_ns;
};

/* ---- tailer_book.c: the table of files ---- */

struct ps_tail_log *ps_tail_log_add(struct ps_tailer *tailer, unsigned place,
                                    const struct ps_tail_change *change);
void ps_tail_log_remove(struct ps_tailer *tailer, struct ps_tail_log *log);
/* All of them, and their tables, at the end. */
void ps_tail_logs_free(struct ps_tailer *tailer);
struct ps_tail_log *ps_tail_log_by_name(const struct ps_tailer *tailer, unsigned place, const char *name);
/* `device` 0: any. */
struct ps_tail_log *ps_tail_log_by_inode(const struct ps_tailer *tailer, uint64_t device, uint64_t inode);
/* Its name is another one now; NULL: it has none. */
void ps_tail_log_rename(struct ps_tailer *tailer, struct ps_tail_log *log, const char *name, bool matches);
/* Its name does not match; before the agent started it had this path, whose name is one of the group's. */
void ps_tail_log_was(struct ps_tail_log *log, const char *path, int group);
/* Puts it at the end of the queue; asks for it to be opened if it is not. */
void ps_tail_log_queue(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Takes the first one out of the queue. */
void ps_tail_log_unqueue_first(struct ps_tailer *tailer);
/* Where it is read on. */
void ps_tail_log_move(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t read_offset,
                      int64_t delivered_offset);
/* The lives whose spans deliver lines of this file, its own one first. `lives`: PS_TAIL_LIVES_BEFORE of them. */
void ps_tail_log_lives(const struct ps_tail_log *log, struct ps_tail_life *lives);
/* The lines up to the span's position are delivered. */
void ps_tail_log_delivered(struct ps_tailer *tailer, const struct ps_span *span);
/* Its path in its directory now; the caller frees it. */
char *ps_tail_log_place_of(const struct ps_tailer *tailer, const struct ps_tail_log *log);
/* Its fingerprint may be another one: it is found by it. */
void ps_tail_log_index(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Its marks up to its position are these. */
void ps_tail_log_marks(struct ps_tail_log *log, const struct ps_tail_marks *marks);
/* What was read of it and is in no batch yet is not used any more. */
void ps_tail_log_forget_ahead(struct ps_tailer *tailer, struct ps_tail_log *log);
/* It begins anew. */
void ps_tail_log_restart(struct ps_tailer *tailer, struct ps_tail_log *log);
void ps_tail_log_close(struct ps_tailer *tailer, struct ps_tail_log *log);
/* The fingerprint of a short file covers more of it when it has grown. */
void ps_tail_log_grow(struct ps_tailer *tailer, struct ps_tail_log *log);

/* ---- tailer_rest.c: files that rest ---- */

/* It was opened, or has news: it is the last one of the open ones. */
void ps_tail_log_active(struct ps_tailer *tailer, struct ps_tail_log *log);
/* It is open no more. */
void ps_tail_log_inactive(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Says that it was not renamed, and no expression matches it any more. */
void ps_tail_log_of_no_group(struct ps_tailer *tailer, const struct ps_tail_log *log, int64_t unread_bytes);
/* Looks at files that have rested. Returns when the next ones have. */
uint64_t ps_tail_rests_tick(struct ps_tailer *tailer);

/* ---- tailer_open.c: opening, and whether it is still the same ---- */

void ps_tail_log_open(struct ps_tailer *tailer, struct ps_tail_log *log);

/* ---- tailer_room.c: how many are open ---- */

/* Closes some files that have nothing to read if too many are open, those without news first. Returns false when none can be closed. */
bool ps_tail_room_make(struct ps_tailer *tailer);
/* Opens those that waited for room. */
void ps_tail_deferred_tick(struct ps_tailer *tailer);
/* Whether nothing is lost when it is closed: it has nothing to read now, and its name finds it again. */
bool ps_tail_log_may_close(const struct ps_tail_log *log);

/* ---- tailer_unreadable.c: files that cannot be read now ---- */

/* It could not be opened or read, or what it is could not: it is tried again, from the same place. `error`: errno. */
void ps_tail_log_unreadable(struct ps_tailer *tailer, struct ps_tail_log *log, int error);
/* It could not be opened. If the process has no descriptor left, though the source keeps within its limit, that limit is lowered (others need
 * more, or the process's limit was lowered), and the file waits for its turn. Returns false for any other error, and when the source has hardly
 * any files open. */
bool ps_tail_fewer_open(struct ps_tailer *tailer, struct ps_tail_log *log, int error);
/* The directory was looked at: such files are tried again. */
void ps_tail_unreadable_queue(struct ps_tailer *tailer, unsigned place);

/* ---- tailer_copy.c: files that begin like others ---- */

/* What a copy goes on from. */
struct ps_tail_origin {
    const struct ps_tail_identity *identity;
    const struct ps_tail_marks *marks;
    struct ps_tail_life lives[PS_TAIL_LIVES_BEFORE];
    int64_t delivered_offset;
};
struct ps_tail_origin ps_tail_origin_of(const struct ps_tail_log *log);
struct ps_tail_origin ps_tail_origin_earlier(const struct ps_tail_log *log);
/* It is read on where the mark is, and queued; what is not delivered of the original is read again after a crash. */
void ps_tail_copy_goes_on(struct ps_tailer *tailer, struct ps_tail_log *log,
                          const struct ps_tail_origin *origin, const struct ps_tail_mark *mark);
/* It is a copy, up to the mark, and waits for what becomes of its original. */
void ps_tail_copy_wait(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_log *original,
                       const struct ps_tail_mark *mark);
/* Its original is gone, and it is shorter than that was: it may grow. Returns false when it has not grown since it was
 * compared before, or waited long enough. */
bool ps_tail_copy_pends(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t size);
/* It waits for nobody any more. */
void ps_tail_copy_end(struct ps_tail_log *log);
/* What is not read of this one may stand in its copy: it was cut, or is gone. */
void ps_tail_copy_takes_over(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Whether a file waits that may be a copy of this one. */
bool ps_tail_copy_is_there(const struct ps_tail_log *original);
/* Something happened to a file that waits: it is compared again soon. */
void ps_tail_copy_changed(struct ps_tail_log *log);
/* Those that waited long enough are files of their own. Returns when the next one has. */
uint64_t ps_tail_copies_tick(struct ps_tailer *tailer);

/* ---- tailer_compressed.c: compressed files are not read ---- */

/* Which text a compressed file has. */
struct ps_tail_start {
    const char *format; /* its name */
    char text[PS_TAIL_HEAD_BYTES];
    size_t text_length; /* of its beginning; 0: it is not known */
    int64_t text_bytes; /* all of it; of gzip modulo 2^32; 0: the file does not say */
    bool is_certain;    /* text_bytes is the length */
};

/* Returns whether a file with this beginning is compressed in a known format. */
bool ps_tail_is_compressed(const char *head, size_t length);
/* Decompresses the beginning of a compressed file. On the thread. Returns false with errno if it cannot be read. */
bool ps_tail_start_read(struct ps_tail_start *start, int fd, int64_t size);
/* The same from the file's first bytes. */
void ps_tail_start_of(struct ps_tail_start *start, const char *bytes, size_t length);
/* What its text is known by. `file`: what the file is known by. */
struct ps_tail_identity ps_tail_start_identity(const struct ps_tail_start *start,
                                               const struct ps_tail_identity *file);
/* It is compressed: it is not read, until its inode is another file's. Logs what is not read. */
void ps_tail_compressed_found(struct ps_tailer *tailer, struct ps_tail_log *log,
                              const struct ps_tail_start *start);

/* ---- tailer_text.c: compressed files that are read ---- */

/* Its text was, or may be, read: its identity is that of the text. It is surveyed when it is its turn. */
void ps_tail_text_found(struct ps_tailer *tailer, struct ps_tail_log *log, enum ps_compression kind,
                        const struct ps_tail_identity *identity);
/* The position file has its position, where it is now. `text`: of the position. */
void ps_tail_text_remembered(struct ps_tailer *tailer, struct ps_tail_log *log, enum ps_compression kind,
                             const struct ps_tail_stamp *stamp, int64_t text);
/* It has news: it is opened when it is its turn. */
void ps_tail_text_ask(struct ps_tailer *tailer, struct ps_tail_log *log);
/* It has another content. */
void ps_tail_text_other(struct ps_tailer *tailer, struct ps_tail_log *log);

/* Says that its text is not read on from this position, because the key was changed. */
void ps_tail_text_left(const struct ps_tailer *tailer, const struct ps_tail_log *log, int64_t offset);

struct ps_tail_text_opening {
    int fd;
    bool was_open, begins;    /* it was open before; its text begins as it did, or nothing of it is known */
    enum ps_compression kind; /* NONE: it is not compressed any more */
    struct ps_tail_stamp stamp;
    struct ps_tail_identity identity; /* of the text */
    const struct ps_tail_start *start;
};
/* It was opened. Returns false when it is no compressed file any more. Sets *keeps if it keeps the descriptor. */
bool ps_tail_text_opened(struct ps_tailer *tailer, struct ps_tail_log *log,
                         const struct ps_tail_text_opening *opening, bool *keeps);
/* It was read as far as it can be now: closes it if that is its end. */
void ps_tail_text_read_to_end(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Whether files wait for what they are: those that they may be compressed from stay known. */
bool ps_tail_texts_wait(const struct ps_tailer *tailer);
/* Opens the next one. Returns when to call it again. */
uint64_t ps_tail_texts_tick(struct ps_tailer *tailer);

/* ---- tailer_match.c: which file is it a copy of ---- */

struct ps_tail_match;

enum ps_tail_matched {
    PS_TAIL_MATCH_NONE,    /* it is a file of its own */
    PS_TAIL_MATCH_COPY,    /* it waits */
    PS_TAIL_MATCH_GOES_ON, /* it is read on where its original was */
    PS_TAIL_MATCH_AGAIN,   /* the files that it was compared with are others now */
};

/* The files that it may be a copy of; NULL: none begins as it does. `size`: its own. */
struct ps_tail_match *ps_tail_match_make(struct ps_tailer *tailer, struct ps_tail_log *log, const char *head,
                                         size_t length, int64_t size);
/* Compares them with the new file; on the thread. */
void ps_tail_match_run(struct ps_tail_match *match, int fd);
/* The same with the text of a compressed file, piece by piece: `length` bytes that stand at `offset`, and `before` bytes before them, at
 * least PS_TAIL_MARK_BYTES if there are so many. */
void ps_tail_match_text(struct ps_tail_match *match, const char *bytes, size_t before, size_t length,
                        int64_t offset);
/* All of the text was there. */
void ps_tail_match_text_end(struct ps_tail_match *match, int64_t text_bytes, const struct ps_tail_mark *end);
/* errno if a file could not be read, so that they are to be compared again; 0: the answer is there. Another file that cannot be read
 * for PS_TAIL_GRACE_NS counts as one that is gone. */
int ps_tail_match_error(const struct ps_tailer *tailer, const struct ps_tail_log *log,
                        const struct ps_tail_match *match);
enum ps_tail_matched ps_tail_match_take(struct ps_tailer *tailer, struct ps_tail_log *log,
                                        struct ps_tail_match *match);
void ps_tail_match_free(struct ps_tail_match *match);

/* ---- tailer_look.c: directories ---- */

enum ps_status ps_tail_places_open(struct ps_tailer *tailer, struct ps_err *err);
void ps_tail_places_close(struct ps_tailer *tailer);
/* Nothing is read any more: events do not wake the worker. */
void ps_tail_places_leave(struct ps_tailer *tailer);
/* Reads inotify's events, begins looks that are due. Returns when the next one is. */
uint64_t ps_tail_places_tick(struct ps_tailer *tailer);

/* ---- tailer_read.c ---- */

enum ps_tail_step {
    PS_TAIL_STEP_MOVED, /* read something: there may be more */
    PS_TAIL_STEP_END,   /* nothing more now */
    PS_TAIL_STEP_WAIT,  /* for the thread */
    PS_TAIL_STEP_FULL,  /* the batch is full, or there is no memory */
    PS_TAIL_STEP_FLUSH, /* the batch has headers of another file */
};
/* Reads on: at most a block. With log->rest a last line without its end counts, too. */
enum ps_tail_step ps_tail_log_read(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch);

/* ---- tailer_line.c: lines longer than a block ---- */

struct ps_tail_line {
    struct ps_tail_job job;
    uint32_t number;
    int fd;
    struct ps_tail_text *text; /* held; NULL: the file is read */
    int64_t offset, scanned;   /* of the line; where it is looked on */
    uint32_t max_bytes;
    bool rest; /* the end of the file is the line's end */
    struct ps_tail_identity identity;
    char last[PS_TAIL_LAST_BYTES]; /* before `offset` */
    uint32_t last_length;
    /* the answer */
    bool done, orphan;
    int error;       /* errno of a read that failed: nothing else of the answer counts; 0: none */
    bool found, cut; /* cut: longer than max_bytes */
    bool same;       /* the file begins as before, and has before the line what it had */
    char *bytes;
    uint32_t length, consumed;
};

/* Asks the thread for the line at the position. */
enum ps_tail_step ps_tail_line_begin(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Whether it has asked the thread for bytes, or a line; and whether they are there. */
bool ps_tail_log_asked(const struct ps_tail_log *log);
bool ps_tail_log_answered(const struct ps_tail_log *log);
/* It is read from another place, or not at all: forgets a long line that was looked for. */
void ps_tail_line_forget(struct ps_tail_log *log);
#define PS_TAIL_NO_KEY UINT64_MAX

/* ---- tailer_save.c ---- */

void ps_tail_load(struct ps_tailer *tailer);
/* The positions were read: makes some of them known. Returns whether all are. */
bool ps_tail_load_go_on(struct ps_tailer *tailer);
/* Takes some of the positions that changed, if there are many. Returns false when there are still many. */
bool ps_tail_save_prepare(struct ps_tailer *tailer);
/* Asks for the positions to be written, unless that is under way. */
void ps_tail_save(struct ps_tailer *tailer);
/* It has another position, or none. */
void ps_tail_log_changed(struct ps_tailer *tailer, const struct ps_tail_log *log);
/* A file has this position of the position file now, or none can have it. */
void ps_tail_position_taken(struct ps_tailer *tailer, struct ps_tail_position *position);
/* Gives up positions whose files are not found. Returns when to call it again. */
uint64_t ps_tail_remembered_tick(struct ps_tailer *tailer);
