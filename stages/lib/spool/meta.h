/* The position up to which the current file of a spooling directory was read: Flume's `.flumespool-main.meta`
 * (org.apache.flume.serialization.DurablePositionTracker), an Avro container file of records {offset: long}
 * whose metadata names the file; the last record counts. Flume reads ours, and we read Flume's.
 *
 * Ours is written each time to a new file, which is renamed over the old one. It also has the file's device, inode and
 * time of birth, so that a position is not used for another file of the same name. Thread: any that may wait for a disk; no state. */
#pragma once

#include "core/status.h"
#include "stages/lib/compression.h"

#define PS_SPOOL_META_NAME ".flumespool-main.meta"

/* Identifies an unchanged file. It uses ctime, because a copy may keep the time of the last write. 0: not
 * noted. */
struct ps_spool_state {
    uint64_t size, changed_ns;
};

struct stat;
struct ps_spool_state ps_spool_state_of(const struct stat *status);
bool ps_spool_is_same_state(struct ps_spool_state a, struct ps_spool_state b);

struct ps_spool_meta {
    char *target; /* the file's path; NULL: there is no position. Free with ps_spool_meta_fini */
    uint64_t position;
    uint64_t device, inode; /* 0: not known (Flume wrote it) */
    uint64_t born_ns;       /* time of the file's birth; 0: not known */
    enum ps_compression
        /* compression of the file, if the position is in its decompressed text; NONE: the position is in its
         * bytes */
        compression;
    struct ps_spool_state state; /* size and ctime of a file that is left alone */
    uint64_t events;             /* number of events before the position; known if `counted` */
    bool counted;
};

enum ps_spool_meta_read {
    PS_SPOOL_META_READ,       /* the file was read; `target` NULL: there is no file, or it is empty */
    PS_SPOOL_META_DAMAGED,    /* this is not a positions file: the data file is read from its beginning */
    PS_SPOOL_META_UNREADABLE, /* the file exists, but the system cannot read it: the position is unknown */
};

/* Reads the positions file. DAMAGED and UNREADABLE: with the reason in `err`. */
enum ps_spool_meta_read ps_spool_meta_read(const char *path, struct ps_spool_meta *meta, struct ps_err *err);
void ps_spool_meta_fini(struct ps_spool_meta *meta);

/* The same from memory: the first bytes of the file, and its last ones, which may overlap. */
enum ps_spool_meta_read ps_spool_meta_parse(const uint8_t *head, size_t head_length, const uint8_t *tail,
                                            size_t tail_length, struct ps_spool_meta *meta,
                                            struct ps_err *err);

enum ps_status ps_spool_meta_write(const char *path, const struct ps_spool_meta *meta, struct ps_err *err);
