/* Shared by the parts of `penstock deadletter`. Thread: main. */
#pragma once

#include "core/base.h"

#include <jansson.h>

#define PS_DEADLETTER_REPLAYS_MAX 3U /* default of --max */

struct ps_deadletter_command {
    const char *name, *directory;
    const char *agent, *component, *reason; /* filters; NULL: any */
    const char *since, *until;              /* prefixes of times, in the form of the letters; NULL: any */
    const char *state;                      /* "open", "replayed", "aside"; NULL: any */
    const char *to;                         /* replay: tcp://HOST:PORT; NULL: standard output */
    uint64_t limit;                         /* maximum number of letters; 0: all */
    uint64_t replays_max;
    bool json, again;
};

/* The letters that were replayed, read from the files *.replayed: how often each body was replayed, and which
 * lines. */
struct ps_deadletter_marks;

/* Reads the files *.replayed. Returns NULL after printing the error. */
struct ps_deadletter_marks *ps_deadletter_marks_read(const char *directory);
void ps_deadletter_marks_free(struct ps_deadletter_marks *marks);

/* One letter; valid during the call of `each`. */
struct ps_deadletter {
    const char *file; /* name of its file in the directory */
    uint64_t offset;  /* place of its line in the file */
    const char *line; /* with its newline, terminated */
    size_t line_length;
    json_t *json;
    const char *body; /* its bytes, terminated */
    size_t body_length;
    unsigned replays; /* replays of this body so far */
    bool replayed;    /* this line was replayed */
    bool aside;       /* the body came again after the maximum number of replays */
};

/* Returns a text of a letter, or "" if the letter has no text of that name. */
const char *ps_deadletter_text(const struct ps_deadletter *letter, const char *name);

/* Lines that are not letters. */
struct ps_deadletter_found {
    uint64_t files, bytes, letters, unreadable, torn;
};

/* Calls `each` for every letter of the directory that passes the command's filters, in order of time, until
 * it returns false. Counts and reports lines that cannot be read. Returns false after printing why the
 * directory cannot be read. */
bool ps_deadletter_each(const struct ps_deadletter_command *command, const struct ps_deadletter_marks *marks,
                        bool (*each)(void *argument, const struct ps_deadletter *letter), void *argument,
                        struct ps_deadletter_found *found);

/* Notes letters as replayed, one line each, in FILE.replayed. */
struct ps_deadletter_marker;
struct ps_deadletter_marker *ps_deadletter_marker_open(const char *directory);
/* The bytes to write when the letter is replayed. */
struct ps_deadletter_mark {
    uint64_t offset, body_hash;
    uint32_t line_crc;
    unsigned replays;
    char file[256];
};
struct ps_deadletter_mark ps_deadletter_mark_of(const struct ps_deadletter *letter);
/* Writes the letters' marks. Returns false after printing the error. */
bool ps_deadletter_marker_add(struct ps_deadletter_marker *marker, const struct ps_deadletter_mark *mark);
/* Syncs, closes and frees. Returns false after printing the error. */
bool ps_deadletter_marker_close(struct ps_deadletter_marker *marker);

/* The subcommands. Each returns the exit code. */
int ps_main_deadletter_list(const struct ps_deadletter_command *command);
int ps_main_deadletter_show(const struct ps_deadletter_command *command);
int ps_main_deadletter_replay(const struct ps_deadletter_command *command);
