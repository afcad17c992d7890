/* The state of reading one file: the position, and enough of the bytes read to recognise the file after a
 * rotation. Thread: the far end's. */
#pragma once

#include "bench/verify/far/content.h"
#include "bench/verify/far/listing.h"

#define PS_FAR_HEAD_BYTES 1024U
#define PS_FAR_TAIL_BYTES 64U

struct ps_far_file {
    char *path; /* as last seen */
    struct ps_far_identity identity;
    int fd;            /* -1: closed */
    uint64_t position; /* bytes read so far */
    uint64_t limit;    /* the file may be read up to here: its size when it was last examined */
    uint64_t stream;
    uint64_t changed_ns; /* wall clock: time of its last change when it was last examined */
    uint64_t size;       /* its size when it was last examined or listed */
    uint64_t grown_ns;   /* monotonic: when it was last seen to grow */
    struct ps_far_content content;
    char head[PS_FAR_HEAD_BYTES], tail[PS_FAR_TAIL_BYTES]; /* the first and the last bytes read */
    unsigned headed, tailed;

    /* the following members are used when following (series.c) */
    uint64_t missed_ns;  /* the file is missing in listings since this time; 0: the last listing had it */
    unsigned missed;     /* number of consecutive listings without the file */
    bool cold;           /* it was read to its end and closed */
    bool refused;        /* it cannot be opened, or it was already read under another name */
    bool settled;        /* it is known whether this file is a copy of another file */
    uint64_t doubted_ns; /* the file seems to be truncated since this time; 0: it does not */
    /* the possible original; this file is not read until it is known whether it is a copy */
    struct ps_far_file *copy_of;
    uint64_t held_ns, held_until_ns, held_bytes;
};

struct ps_far_file *ps_far_file_create(const struct ps_far_listed *listed, uint64_t stream);
void ps_far_file_destroy(struct ps_far_file *file);

/* Opens the file unless it is open. Returns false when it cannot be opened (which is noted), or when its name
 * now belongs to another file. */
bool ps_far_file_open(struct ps_far_file *file, struct ps_far_notes *notes);
void ps_far_file_close(struct ps_far_file *file);
/* Reads a piece, at most up to the limit, for the following ps_far_file_take; the next fetch of any file
 * overwrites it. Returns its length; 0: the end for now. */
size_t ps_far_file_fetch(struct ps_far_file *file, struct ps_far_notes *notes);
/* Hands over the records of the piece. */
void ps_far_file_take(struct ps_far_file *file, size_t length, struct ps_far_hand *hand,
                      struct ps_far_notes *notes);
/* Returns true when the bytes before the position have not changed since they were read: the file only grew. */
bool ps_far_file_same(const struct ps_far_file *file);
/* Begins at offset 0 again; first hands over an incomplete last record. */
void ps_far_file_restart(struct ps_far_file *file, struct ps_far_hand *hand, struct ps_far_notes *notes);
/* Returns true when `copy` begins with the first bytes of `file` (at most PS_FAR_HEAD_BYTES); a shorter `copy` is
 * compared as far as it goes. */
bool ps_far_file_begins_like(const struct ps_far_file *copy, const struct ps_far_file *file);
/* Returns true when `copy` begins with the bytes that were read from `file` up to the position. */
bool ps_far_file_continues(const struct ps_far_file *copy, const struct ps_far_file *file);
/* Exchanges the streams of both: `copy` continues at the position of `file`, and `file` begins at 0 with the stream of
 * `copy`. */
void ps_far_file_swap(struct ps_far_file *file, struct ps_far_file *copy);
