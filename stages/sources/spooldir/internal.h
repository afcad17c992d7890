/* The state of a source spooldir, and the functions that its files share. See spooldir.c. Thread: the worker. */
#pragma once

#include "core/log/backoff.h"
#include "core/stage.h"
#include "stages/lib/spool/plan.h"
#include "stages/lib/spool/sink_positions.h"
#include "stages/lib/spool/spool.h"
#include "stages/lib/tail/unpacked.h"

/* time between writes of the position; after a crash these events come twice */
#define PS_SPOOLDIR_MARK_NS (50 * PS_NS_PER_MS)

/* A file from its opening until it is retired. */
struct ps_spooldir_reading {
    struct ps_spool_file *file;
    struct ps_tail_file tail;
    uint32_t stream;                /* number of its stream in spans */
    uint64_t delivered, noted, end; /* positions; `noted`: the last one in a span */
    uint32_t moves;                 /* how often `noted` has moved */
    /* delivered events after the position `delivered`: events of an Avro block that was begun */
    uint32_t delivered_inside;
    uint64_t events;           /* number of events that were made of the file, in all runs */
    uint64_t delivered_events; /* number of events before `delivered`, unless `uncounted` */
    bool uncounted;            /* a batch had no room for the number */
    bool blocks;               /* the file's position does not move with every event */
    bool begun, complete, failed, any;
    bool retiring;  /* the thread was asked to retire the file, and perhaps could not yet */
    char *absolute; /* absolute path for the header; NULL: file->path is absolute */
};

/* The source's own counters: events that end at deserializer.maxLineLength although their line continues; bytes that were written to
 * finished files. */
enum { PS_SPOOLDIR_LINES_CUT = PS_COUNTER_extra, PS_SPOOLDIR_LOST_BYTES };

/* A file has up to three spans in a batch, told apart by their pass: their positions are those of the file, ps_spooldir_inside(), or the number of events before
 * the file's position. */
enum { PS_SPOOLDIR_POSITION, PS_SPOOLDIR_INSIDE, PS_SPOOLDIR_EVENTS };

struct ps_spooldir {
    struct ps_port *port;
    const struct ps_spool_plan *plan;
    struct ps_spool *spool;
    struct ps_spool_sink_positions sink;
    struct ps_tail_thread thread;
    struct ps_tail_reader reader;
    struct ps_unpacked unpacked; /* the file that is read, if it is compressed */
    void *deserializer;
    struct ps_input input;
    char *working_directory; /* put before paths in headers if spoolDir is relative; NULL: it is absolute */
    /* A ring by file number. `oldest`, `current` (being read), `opened` (one after the last opened): numbers. */
    struct ps_spooldir_reading files[PS_SPOOL_FILES_MAX];
    uint32_t oldest, current, opened;
    bool fetching, marking, more, stopped, draining, starved, dirty, paused, mark_failed, cut_is_noted;
    bool watches, looking; /* files were finished, which may grow; the thread looks at them */
    uint64_t look_ns;      /* the next such look */
    uint64_t next_list_ns, listed_ns, marked_ns;
    uint32_t marked_stream;
    uint64_t marked_position;
    /* Delivered files that the system could not rename, delete or mark for a reason that passes (`waits`). They are tried again
     * at `retry_ns`; 0: that is not set yet. */
    uint32_t retires; /* files that are being retired */
    bool waits;
    uint64_t retry_ns, retire_failures;
    struct ps_log_backoff trouble;
};

static inline struct ps_spooldir_reading *ps_spooldir_reading_at(struct ps_spooldir *state, uint32_t number)
{
    return &state->files[number % PS_SPOOL_FILES_MAX];
}

/* Returns the position of a span PS_SPOOLDIR_INSIDE. The position only grows, as a span requires. */
static inline int64_t ps_spooldir_inside(uint32_t moves, uint64_t events)
{
    return (int64_t)((uint64_t)(moves & INT32_MAX) << 32 | (events < UINT32_MAX ? events : UINT32_MAX));
}

/* ---- files that are opened ahead (fetch.c) ---- */

/* Opens files ahead, and looks for new ones at each pollDelay. */
void ps_spooldir_fetch_if_due(struct ps_spooldir *state, uint64_t now_ns);

/* Returns whether a fetch has room for its files: the number of files that are opened and not retired is limited. */
bool ps_spooldir_has_room(const struct ps_spooldir *state);

/* Moves on to the next file that is not read yet. */
void ps_spooldir_next_unread(struct ps_spooldir *state);

/* ---- marks and the end of files (retire.c) ---- */

/* Retires the files that are delivered, oldest first; writes the position of the oldest file that is not
 * delivered. */
void ps_spooldir_settle(struct ps_spooldir *state, uint64_t now_ns, bool at_once);

/* Looks at finished files that may grow. Returns when it is to be called again. */
uint64_t ps_spooldir_look_at_finished(struct ps_spooldir *state, uint64_t now_ns);

/* Returns whether the oldest file that is not being retired has a position that is not written yet. */
bool ps_spooldir_has_unmarked(struct ps_spooldir *state);

/* Says that a file broke the rules; ends the source as in Flume, unless penstock.onFileError = skip. */
void ps_spooldir_file_failed(struct ps_spooldir *state, const char *reason);

/* ---- events of files (read.c) ---- */

/* The function `read` of state->input: bytes of the current file. */
int64_t ps_spooldir_input_read(struct ps_input *input, uint64_t offset, void *to, uint32_t room);

/* Returns whether events after the position are in batches: a stop reads on to the next position, so that they do not come again. */
bool ps_spooldir_is_inside(const struct ps_spooldir *state);

enum ps_result ps_spooldir_work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *now);
