/* A file layer in memory that can lose power: writes that were not synced are kept, lost, torn at sectors, or reordered, at
 * random; so are names that were not synced. For stages/lib/queue/segment. */
#pragma once

#include "stages/lib/queue/segment/files.h"

#define LOSSY_FILES_MAX 64U
#define LOSSY_SECTOR_BYTES 512U

struct lossy_write {
    uint64_t offset;
    size_t length;
    char *data;
};

struct lossy_file {
    char path[256];
    bool there, there_durably; /* its name */
    char *now, *durable;
    size_t now_length, durable_length;
    struct lossy_write *writes; /* since the last sync, in order */
    size_t write_count;
};

struct lossy_disk {
    struct lossy_file files[LOSSY_FILES_MAX];
    size_t count;
    uint64_t changes; /* calls that change something, so far */
    uint64_t
        power_until; /* the call with this number, and those after it, fail: the power is gone. 0: it stays */
    uint64_t allocate_max; /* bytes allocated to a file in one call; 0: no limit */
    int allocate_errno;    /* error of an allocation above allocate_max; 0: ENOSPC */
    uint64_t fail_at;      /* the change with this number fails, and later ones do not; 0: none */
    int fail_errno;
    char unwritable[256]; /* path of a file to which no byte can be written */
    bool direct;          /* files can be opened for whole blocks */
};

void lossy_init(struct lossy_disk *disk);
void lossy_fini(struct lossy_disk *disk);
struct ps_segment_files lossy_files(struct lossy_disk *disk);
/* Starts the machine again. The fate of unsynced bytes is drawn from *random; 0: everything was written, as when
 * only the process died. */
void lossy_restart(struct lossy_disk *disk, uint64_t *random);
struct lossy_file *lossy_find(struct lossy_disk *disk, const char *path);
