/* One file as it is read: where reading stands, and enough of what was read to know it again when it is
 * rotated. Thread: the far end's. */
#pragma once

#include "bench/verify/far_content.h"
#include "bench/verify/far_listing.h"

#define PS_FAR_HEAD_BYTES 1024U
#define PS_FAR_TAIL_BYTES 64U

struct ps_far_file {
    char *path; /* as last seen */
    struct ps_far_identity identity;
    int fd;            /* -1: closed */
    uint64_t position; /* read so far */
    uint64_t limit;    /* may be read up to there: the size when it was last looked at */
    uint64_t stream;
    uint64_t changed_ns; /* wall clock: of its last change, when it was last looked at */
    uint64_t size;       /* when it was last looked at, or listed */
    uint64_t grown_ns;   /* monotonic: when it was last seen to grow */
    struct ps_far_content content;
    char head[PS_FAR_HEAD_BYTES], tail[PS_FAR_TAIL_BYTES]; /* the first and the last bytes read */
    unsigned headed, tailed;

    /* following (far_series.c) */
    uint64_t missed_ns;          /* no listing has it since then; 0: the last one has */
    unsigned missed;             /* so many listings in a row do not have it */
    bool cold;                   /* was read to its end and closed */
    bool refused;                /* cannot be opened, or is what was read already */
    bool settled;                /* it is known to be no copy of another file, or has been taken for one */
    uint64_t doubted_ns;         /* seems to be truncated since then; 0: not */
    struct ps_far_file *copy_of; /* perhaps; not read until that is decided */
    uint64_t held_ns, held_until_ns, held_bytes;
};

struct ps_far_file *ps_far_file_create(const struct ps_far_listed *listed, uint64_t stream);
void ps_far_file_destroy(struct ps_far_file *file);

/* Opens it where it is not open. False: it cannot be (noted), or another file has its name by now. */
bool ps_far_file_open(struct ps_far_file *file, struct ps_far_notes *notes);
void ps_far_file_close(struct ps_far_file *file);
/* Reads a piece, at most up to the limit, which then waits for ps_far_file_take; the next fetch of any file
 * forgets it. Returns its length; 0: the end, for now. */
size_t ps_far_file_fetch(struct ps_far_file *file, struct ps_far_notes *notes);
/* Hands the records of the piece over. */
void ps_far_file_take(struct ps_far_file *file, size_t length, struct ps_far_hand *hand,
                      struct ps_far_notes *notes);
/* The bytes before the position are those that were read there: the file only grew. */
bool ps_far_file_same(const struct ps_far_file *file);
/* Begins anew at 0; what was not complete is handed over. */
void ps_far_file_restart(struct ps_far_file *file, struct ps_far_hand *hand, struct ps_far_notes *notes);
/* Does `copy` begin as `file` does? As far as `copy` goes. */
bool ps_far_file_begins_like(const struct ps_far_file *copy, const struct ps_far_file *file);
/* Does `copy` hold what was read of `file`, up to where it was read? */
bool ps_far_file_continues(const struct ps_far_file *copy, const struct ps_far_file *file);
/* `copy` goes on where `file` was read to; `file` begins anew as if it were what `copy` was. */
void ps_far_file_swap(struct ps_far_file *file, struct ps_far_file *copy);
