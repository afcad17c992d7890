/* The disk: files, directories and symbolic links below /w, what of them is synced, and what a power cut leaves.
 *
 * A file's bytes are durable after fsync or fdatasync of the file; a name (made, removed, renamed) after fsync of its directory. A
 * cut keeps of the rest what the seed draws: each write whole, not at all, or torn at a sector; names either a beginning of all
 * changes in order, as journals do, or any of them. A rename is kept or lost as a whole. */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "tests/world/shared.h"

#define DISK_SECTOR_BYTES 512U
#define DISK_PAGE_BYTES ((size_t)16 << 10)
#define DISK_NAME_MAX 255U

/* Bytes by pages; a page that is missing is zero. */
struct disk_bytes {
    char **pages;
    size_t page_count;
    uint64_t size;
};

/* In disk_bytes.c. Room is the caller's business. */
void disk_bytes_put(struct disk_bytes *bytes, uint64_t offset, const char *from, size_t length);
/* What is behind the new end is zero if the bytes become longer again. */
void disk_bytes_resize(struct disk_bytes *bytes, uint64_t size);
size_t disk_bytes_get(const struct disk_bytes *bytes, uint64_t offset, char *to, size_t length);

struct disk_change {
    struct disk_change *next;
    uint64_t offset, length;
    char *data; /* NULL: the size becomes `offset` */
};

struct disk_entry {
    char name[DISK_NAME_MAX + 1];
    struct disk_inode *inode;
};

struct disk_names {
    struct disk_entry *entries; /* in the order in which they were made */
    size_t count, room;
};

struct disk_inode {
    uint32_t number;
    mode_t mode;
    uint32_t links, opens; /* descriptors of this life: */
    unsigned life;
    uint64_t born_ns, access_ns, write_ns, change_ns; /* wall clock */
    uint64_t reserved;                                /* bytes, by fallocate */
    struct disk_bytes now, kept; /* of a file: as it is, and what is durable; of a link: its target */
    struct disk_change *changes, **last_change; /* since the last sync, in order */
    struct disk_names names, kept_names;
    struct disk_inode *parent; /* of a directory */
};

/* One change of names; a rename has two. */
struct disk_naming {
    struct disk_naming *next;
    struct disk_step {
        struct disk_inode *directory, *inode; /* NULL: the name is removed */
        char name[DISK_NAME_MAX + 1];
    } steps[2];
    unsigned step_count;
};

struct disk {
    struct disk_inode *root;
    uint32_t inodes, free_inode;                /* a number that the next new file takes; 0: none */
    struct disk_naming *namings, **last_naming; /* that are not durable, in order */
    uint64_t limit_bytes, used_bytes;           /* limit 0: none */
    uint64_t writes;
    uint32_t device; /* its minor number */
};

/* Makes an empty disk with the directory /w. */
void disk_format(void);

/* Finds a path from `from` (NULL: the root). Returns NULL and an errno in *error. *last and its directory are set even
 * when only the last name is missing (error ENOENT, *directory not NULL). */
struct disk_inode *disk_find(struct disk_inode *from, const char *path, bool follow,
                             struct disk_inode **directory, char last[DISK_NAME_MAX + 1], int *error);
struct disk_inode *disk_lookup(const struct disk_inode *directory, const char *name);

/* The functions below return 0 or an errno. */
int disk_make(struct disk_inode *directory, const char *name, mode_t mode, struct disk_inode **made);
/* Removes the only name of a file that nobody has open, durably; the next new file has its inode. Returns false if somebody has it open. */
bool disk_reuse(struct disk_inode *directory, const char *name);
int disk_link(struct disk_inode *inode, struct disk_inode *directory, const char *name);
int disk_unlink(struct disk_inode *directory, const char *name, bool is_directory);
int disk_rename(struct disk_inode *from, const char *old, struct disk_inode *to, const char *new,
                bool replaces);

size_t disk_read(const struct disk_inode *inode, uint64_t offset, void *to, size_t length);
/* Writes as much as there is room for: *written. ENOSPC when there is none. */
int disk_write(struct disk_inode *inode, uint64_t offset, const void *from, size_t length, size_t *written);
int disk_resize(struct disk_inode *inode, uint64_t size);
int disk_reserve(struct disk_inode *inode, uint64_t offset, uint64_t length, bool keeps_size);
void disk_sync(struct disk_inode *inode);
/* The machine loses its power, and is on again. The device has another number then, if files have times of birth: those tell the files. */
void disk_cut(void);

/* Tells inotify of an event, and of the name that it happened to in a directory (or NULL). In calls/inotify.c. */
void disk_watched(struct disk_inode *inode, uint32_t event, const char *name, uint32_t cookie);
/* The next changes have no room in the queues of inotify before those are read. */
void disk_fill_queues(void);

/* The agent has opened it. */
void disk_opened(struct disk_inode *inode);
/* The first spare word of *to becomes the time of birth, if the file system keeps it. */
void disk_stat(const struct disk_inode *inode, struct stat *to);

/* For the runner, its peers and its referee: whole files, by absolute paths. Errors are fatal. */
struct disk_inode *disk_at(const char *path); /* NULL: there is none */
void disk_put(const char *path, const char *bytes,
              size_t length); /* makes or replaces it, directories too; durable */
void disk_append(const char *path, const char *bytes,
                 size_t length); /* not durable, as another program writes */
/* Calls `see` for all files below a path, in order of names, of which numbers count by their value. */
void disk_walk(const char *path, void (*see)(void *argument, const char *path, struct disk_inode *file),
               void *argument);
