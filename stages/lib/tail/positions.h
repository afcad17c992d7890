/* Positions in files, which survive a restart.
 *
 * The position file has Flume's format (org.apache.flume.source.taildir.TaildirSource): one JSON array of {"inode":1,"pos":2,
 * "file":"/absolute/path"}. Flume's reader fails on members that it does not know, so the fingerprints are in a second file beside it
 * (PATH.identities). The fingerprints count only if this program wrote the position file: Flume writes no newline at its end. In that case
 * a file with the same inode but another fingerprint is another file. Without fingerprints, Flume's rule decides: inode and path.
 * The second file also has the files' random numbers (serial.h), and when they were made.
 *
 * Both files are written under another name, synced, and renamed; the identities first. A crash between the two renames
 * must not combine a position of one content with the fingerprint of another. The second file therefore also has all
 * positions, and two hashes: of the position file that is written directly after it, and of the one before. If the position
 * file has one of these hashes, the positions of the second file count. If it has neither, it was changed by hand, and a
 * fingerprint counts only where both files have the same position. Thread: one that may wait for a disk. */
#pragma once

#include "core/status.h"
#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/marks.h"
#include "stages/lib/tail/serial.h"

#include <stdio.h>

#define PS_TAIL_POSITIONS_BYTES_MAX (UINT64_C(256) << 20) /* a longer position file is an error */

/* Suffixes of the position file's name: the files beside it that the source writes (lock.h has the last one). */
#define PS_TAIL_POSITION_FILES "", ".new", ".identities", ".identities.new", ".lock", ".id", ".id.new"

#define PS_TAIL_POSITION_MARKS_MAX 16U

struct ps_tail_position {
    uint64_t inode;
    int64_t offset;
    char *path;
    /* group of the path's present name; -1: no group matches; not written to the file */
    int group;
    struct ps_tail_identity identity; /* head_length 0 and device 0: not known */
    /* Of a position that was read at the start and does not have the time of its file's birth: when it was saved last while its file was
     * known, in ms since 1970. Later saves keep it, until the file is found or given up. 0: not known; of a followed file: now. */
    int64_t known_ms;
    /* When the file was last read from its beginning because it was written over, in ms since 1970; 0: not within the hour before. */
    int64_t over_ms;
    /* The file began anew, and no line was read since: where it was read to before. Else 0. */
    int64_t anew_from;
    /* The bytes before `offset` without the first line of the file, while that is within the last PS_TAIL_MARK_BYTES: programs change it in
     * place. Length 0: not known. Only in the second file. */
    struct ps_tail_mark rest;
    struct ps_tail_marks marks;   /* up to `offset`, at most PS_TAIL_POSITION_MARKS_MAX */
    struct ps_tail_serial serial; /* only in the second file */
};

struct ps_tail_positions {
    struct ps_tail_position *items; /* in the order of the file; the last one of an inode counts */
    size_t count, room;
    uint64_t hash; /* hash of the position file's text when it was last read or written; 0: not known */
    /* In the identities: hashes of the position files that fit; 0: not given. */
    uint64_t goes_with, goes_with_earlier;
    /* In the identities: when they were written, in ms since 1970; 0: not given. */
    int64_t written_ms;
    /* When the position file was written, in ns since 1970: its time of modification, or the time in the identities if that is earlier
     * (a copy of the file, and touch, make it younger). 0: not known. */
    uint64_t saved_ns;
    /* saved_ns had not come yet when the file was read, so no other time can be compared with it. */
    bool clock_was_set_back;
    bool ours; /* this program wrote the position file */
    bool cut;  /* the text ended early or had a mistake: only the entries before that are here */
};

/* Adds a position; copies the path and the last marks. Ends the process if there is no memory. */
void ps_tail_positions_add(struct ps_tail_positions *positions, const struct ps_tail_position *position);
/* Sorts the positions by inode, and keeps the last one of each inode. */
void ps_tail_positions_sort(struct ps_tail_positions *positions);
/* Returns the position of this inode in a sorted list, or NULL. */
struct ps_tail_position *ps_tail_positions_find(const struct ps_tail_positions *positions, uint64_t inode);
void ps_tail_positions_free(struct ps_tail_positions *positions);

/* Reads the text of either file. Like Flume, keeps the entries before a mistake. Entries need inode, pos and file
 * (`identities`: inode, device, head and length). */
void ps_tail_positions_parse(const char *text, size_t length, bool identities,
                             struct ps_tail_positions *positions);

/* Reads both files and sorts the positions. A missing file is not an error. */
enum ps_status ps_tail_positions_load(const char *path, struct ps_tail_positions *positions,
                                      struct ps_err *err);
/* Writes both files. positions->hash is the hash of the previous position file, and afterwards of this one. */
enum ps_status ps_tail_positions_save(const char *path, struct ps_tail_positions *positions,
                                      struct ps_err *err);

/* Print the texts of the two files. */
void ps_tail_positions_print(FILE *out, const struct ps_tail_positions *positions);
void ps_tail_positions_print_identities(FILE *out, const struct ps_tail_positions *positions);
