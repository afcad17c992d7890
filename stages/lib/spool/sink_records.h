/* The records that a sink keeps, in its transactions, of the files of a spooling directory: how far each is delivered, and
 * whether its end is delivered. The source prints them for the sink (sink_positions.h); at a start, its thread finds the record
 * of a file that is opened, and the records of files that are gone.
 *
 * A record belongs to the file with its inode and time of birth, also if the file was renamed and the old name is gone. On a
 * file system without times of birth, the inode, the device and the path must be the same. Paths are relative to spoolDir.
 * Thread: the source's, but for `key` and `print`. */
#pragma once

#include "stages/lib/spool/spool.h"

enum ps_spool_sink_records_end {
    PS_SPOOL_KEPT_OPEN,     /* the file has undelivered bytes after the position */
    PS_SPOOL_KEPT_FINISHED, /* all of the file is delivered: the file is to be retired */
    PS_SPOOL_KEPT_BROKEN,   /* the rest could not be read (penstock.onFileError = skip) */
};

struct ps_spool_sink_records {
    char *path;
    uint64_t device, inode, born_ns, position, inside;
    struct ps_spool_state state; /* size and ctime of the file when it was opened */
    enum ps_compression compression;
    enum ps_spool_sink_records_end end;
    bool missed; /* the last list of the directory lacked its file */
};

struct ps_spool_records {
    struct ps_spool_sink_records *items;
    size_t count, room;
    /* the records were compared with the directory: a fetch has the keys of all files that are gone */
    bool compared;
    bool told;          /* the log says that a file cannot be looked at */
    bool told_unsynced; /* the log says that a directory cannot be synced */
};

/* Prints the name of a file's record, terminated. */
void ps_spool_sink_records_key(const struct ps_spool_file *file, char key[PS_TAIL_GONE_KEY_BYTES]);
/* Returns how many bytes `print` needs at most. */
uint32_t ps_spool_sink_records_bound(const struct ps_spool_file *file);
/* Prints the record as a JSON object, to which the sink adds "pos" (one more than the position of an end). Returns its length. */
uint32_t ps_spool_sink_records_print(const struct ps_spool_file *file, uint64_t inside,
                                     enum ps_spool_sink_records_end end, char *to);

/* Reads the JSON array of all records. Fails if it is anything else, and without memory; then there are no records. */
enum ps_status ps_spool_sink_records_parse(const char *text, struct ps_spool_records *records,
                                           struct ps_err *err);
void ps_spool_sink_records_free(struct ps_spool_records *records);

enum ps_spool_sink_records_found {
    PS_SPOOL_KEPT_NONE,
    PS_SPOOL_KEPT_FOUND,
    /* the position is not known yet: the file is not read, because its events would be repeated */
    PS_SPOOL_KEPT_UNREADABLE,
};

/* Sets the start position of the file that was just opened from its record, and removes the record from spool->records. */
enum ps_spool_sink_records_found ps_spool_sink_records_start(struct ps_spool *spool,
                                                             struct ps_spool_file *file, struct ps_err *err);
/* The directory was listed: adds the keys of records whose files are gone, or retired, to the fetch, after the directories of
 * these files are synced. A record is compared with the next list, too, if there is no memory, if its file cannot be looked at
 * or its directory cannot be synced now, or if this is the first list that lacks the file. */
void ps_spool_sink_records_compare(struct ps_spool *spool, struct ps_spool_fetch *fetch);
