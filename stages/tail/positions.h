/* Positions in files across restarts.
 *
 * The position file is Flume's (org.apache.flume.source.taildir.TaildirSource): one JSON array of {"inode":1,"pos":2,
 * "file":"/absolute/path"}. Flume's reader fails on members that it does not know, so fingerprints stand in a second file
 * beside it (PATH.identities). They count only if the position file is ours: Flume's has no newline at its end. Then a file
 * that has the inode and not the fingerprint is another one; without fingerprints Flume's rule, inode and path, decides.
 *
 * Both files are written beside their place, synced, and renamed; identities first. A crash between the two must not leave a
 * position of one content with the fingerprint of another: the second file has all positions, too, and the fingerprints of
 * the position file that is written after it and of the one before. If the position file is one of these two, the second
 * file is what counts. If it is neither, it was changed by hand: a fingerprint counts where the position is the same. Thread: one that may wait. */
#pragma once

#include "core/status.h"
#include "stages/tail/identity.h"
#include "stages/tail/marks.h"

#include <stdio.h>

#define PS_TAIL_POSITIONS_BYTES_MAX                                                                          \
    (UINT64_C(256) << 20) /* of a file that is read; a longer one is an error */

/* Behind the name of the position file: the files that stand beside it (lock.h has the last one). */
#define PS_TAIL_POSITION_FILES "", ".new", ".identities", ".identities.new", ".lock"

#define PS_TAIL_POSITION_MARKS_MAX 16U

#define PS_TAIL_POSITION_OF_TEXT (-1)

struct ps_tail_position {
    uint64_t inode;
    int64_t offset;
    /* OF_TEXT: offset, identity and marks are of the text of a compressed file; more than 0: so, too, and all of it was read when the file
     * had so many bytes; 0: they are of the file. */
    int64_t text;
    char *path;
    int group;                        /* of the path's name now, -1: none; not in the file */
    struct ps_tail_identity identity; /* head_length 0 and device 0: not known */
    struct ps_tail_marks marks;       /* up to `offset`, at most PS_TAIL_POSITION_MARKS_MAX */
};

struct ps_tail_positions {
    struct ps_tail_position *items; /* as in the file; the last one of an inode counts */
    size_t count, room;
    uint64_t hash; /* of the position file's text, as it was read or written last; 0: not known */
    uint64_t goes_with, goes_with_earlier; /* identities: of the position file's text; 0: not said */
    uint64_t saved_ns; /* when the position file was written, in ns since 1970; 0: not known */
    bool ours;         /* written by this program */
    bool cut;          /* ended in the middle, or had a mistake: the entries before it are there */
};

/* Adds one; copies the path and the last marks. Ends the process without memory. */
void ps_tail_positions_add(struct ps_tail_positions *positions, const struct ps_tail_position *position);
/* Sorts them by inode, and keeps the last one of each. */
void ps_tail_positions_sort(struct ps_tail_positions *positions);
/* Of sorted ones; NULL: none. */
struct ps_tail_position *ps_tail_positions_find(const struct ps_tail_positions *positions, uint64_t inode);
void ps_tail_positions_free(struct ps_tail_positions *positions);

/* Reads the text of either file; as Flume, takes the entries before a mistake. Entries need inode, pos and file
 * (`identities`: inode, device, head and length). */
void ps_tail_positions_parse(const char *text, size_t length, bool identities,
                             struct ps_tail_positions *positions);

/* Reads both files, sorted. A file that is missing is no error. */
enum ps_status ps_tail_positions_load(const char *path, struct ps_tail_positions *positions,
                                      struct ps_err *err);
/* positions->hash is that of the position file before, and then of this one. */
enum ps_status ps_tail_positions_save(const char *path, struct ps_tail_positions *positions,
                                      struct ps_err *err);

/* The texts of the two files. */
void ps_tail_positions_print(FILE *out, const struct ps_tail_positions *positions);
void ps_tail_positions_print_identities(FILE *out, const struct ps_tail_positions *positions);
