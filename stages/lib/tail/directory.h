/* One directory that is read again and again. Each look reports which of its files matter, and what changed in them since the
 * last look. A file is known by device and inode, so a renamed file is reported as the same file, also under a name that does
 * not match (a rotated log). A look calls stat only for names that match or once did, and it reads the list of names only
 * when the directory has changed. Subdirectories are not searched; symbolic links are followed; only regular files count.
 *
 * Thread: the source's (it waits for disks), one look at a time. While a job (stages/lib/tail/thread.h) looks, only the job uses
 * the directory. */
#pragma once

#include "core/base.h"

#include <sys/stat.h>
#include <time.h>

enum ps_tail_kind {
    PS_TAIL_FILE_GONE,    /* no longer has a name in this directory: it was deleted or moved elsewhere */
    PS_TAIL_FILE_RENAMED, /* `name` is the new name; `group` is -1 when the new name does not match */
    PS_TAIL_FILE_CHANGED, /* the size or the time of modification changed */
    PS_TAIL_FILE_NEW,
};

struct ps_tail_change {
    enum ps_tail_kind kind;
    int group; /* what `match` returned for the name */
    uint64_t device, inode;
    int64_t size_bytes;
    struct timespec modified;
    bool link;  /* the name is a symbolic link: inotify on the directory does not report writes to the file */
    char *name; /* owned by the directory, valid until the next look */
    /* The former name and its group, if the file is NEW or RENAMED, its name does not match, and a rename from
     * a name that matches was reported. Else NULL. */
    const char *from;
    int from_group;
};

struct ps_tail_changes {
    struct ps_tail_change *items;
    size_t count, room;
    int error;   /* errno if the directory could not be read: nothing is known of its files then; else 0 */
    bool unsure; /* some names could not be examined this time: their files may be missing here */
};

struct ps_tail_filter {
    /* Returns 0 or more, a number that the caller chooses, for a name that matters; -1 for a name that does not match, though
     * its file may have had one that did; -2 for a name that is always ignored. Thread: the source's. */
    int (*match)(void *argument, const char *name, size_t length);
    void (*free)(void *argument); /* called when the directory is destroyed; may be NULL */
    void *argument;
};

struct ps_tail_directory;

/* `cache`: the names are not read again while the directory's modification time is unchanged. Ends the process if there
 * is no memory, as all functions of this file do. */
struct ps_tail_directory *ps_tail_directory_create(const char *path, const struct ps_tail_filter *filter,
                                                   bool cache);
void ps_tail_directory_destroy(struct ps_tail_directory *directory);
const char *ps_tail_directory_path(const struct ps_tail_directory *directory);

/* Returns what the filter returns for a name. Call it only before the first look: after that the filter belongs to the thread. */
int ps_tail_directory_match(const struct ps_tail_directory *directory, const char *name);

/* Makes looks report the file with this inode also while its name does not match, because the position file has it.
 * Call it before the first look. */
void ps_tail_directory_follow(struct ps_tail_directory *directory, uint64_t inode);
/* Makes looks report the file only while its name matches. */
void ps_tail_directory_forget(struct ps_tail_directory *directory, uint64_t device, uint64_t inode);

/* Reports a rename, so that the next look at the names recognises the file: a file that no look has seen under its matching
 * name is still reported as new. Call it in the order of the renames. */
void ps_tail_directory_renamed(struct ps_tail_directory *directory, const char *from, const char *to);

/* Looks at the directory. `names`: reads the names again even if the directory's time is unchanged. Writes the
 * changes to `changes`, which the caller zeroes once and frees with ps_tail_changes_free. Their order: gone, renamed,
 * changed, new. New files are sorted by time, oldest first; files of the same time by whether their name matches
 * (those that do not match first), then by name in descending order. */
void ps_tail_directory_look(struct ps_tail_directory *directory, bool names, struct ps_tail_changes *changes);
void ps_tail_changes_free(struct ps_tail_changes *changes);
