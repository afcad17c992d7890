/* One directory, looked at again and again: which of its files matter, and what is new with them since the last look. A file
 * is known by device and inode, so that one that is renamed is reported as the same, also under a name that does not
 * matter (a rotated log). Only names that matter, or once did, are looked up; the list of names is read only when the
 * directory has changed. No recursion; links are followed; only regular files count.
 *
 * Thread: the source's (it waits for disks), one look at a time; a job (stages/tail/thread.h) has the directory meanwhile. */
#pragma once

#include "core/base.h"

#include <sys/stat.h>
#include <time.h>

enum ps_tail_kind {
    PS_TAIL_FILE_GONE,    /* no name in this directory any more: deleted, or moved elsewhere */
    PS_TAIL_FILE_RENAMED, /* `name` is new; `group` is -1 when that one does not match */
    PS_TAIL_FILE_CHANGED, /* size or time */
    PS_TAIL_FILE_NEW,
};

struct ps_tail_change {
    enum ps_tail_kind kind;
    int group; /* what `match` said of the name */
    uint64_t device, inode;
    int64_t size_bytes;
    struct timespec modified;
    bool link;  /* the name is a symbolic link: its directory hears nothing of writes */
    char *name; /* the directory's, until the next look */
    /* NEW, of a name that does not match: the one that it had before, which does, and its group; else NULL. */
    const char *from;
    int from_group;
};

struct ps_tail_changes {
    struct ps_tail_change *items;
    size_t count, room;
    int error; /* errno: the directory could not be read, and nothing is said about its files; 0: it was */
};

struct ps_tail_filter {
    /* Returns a number of the caller's, 0 or more, for a name that matters; -1: it does not, but its file may be one that did;
     * -2: it never does. On the source's thread. */
    int (*match)(void *argument, const char *name, size_t length);
    void (*free)(void *argument); /* with the directory; may be NULL */
    void *argument;
};

struct ps_tail_directory;

/* `cache`: while the directory's own time stays as it is, its names are not read again. Ends the process without memory,
 * as all of these do. */
struct ps_tail_directory *ps_tail_directory_create(const char *path, const struct ps_tail_filter *filter,
                                                   bool cache);
void ps_tail_directory_destroy(struct ps_tail_directory *directory);
const char *ps_tail_directory_path(const struct ps_tail_directory *directory);

/* What the filter says of a name. Before the first look: the filter is the thread's from then on. */
int ps_tail_directory_match(const struct ps_tail_directory *directory, const char *name);

/* Reports this file also while its names do not match: it is known from earlier. Before the first look. */
void ps_tail_directory_follow(struct ps_tail_directory *directory, uint64_t inode);
/* The file matters no more unless its name matches. */
void ps_tail_directory_forget(struct ps_tail_directory *directory, uint64_t device, uint64_t inode);

/* The next look at the names is to know that a file was renamed: one that was never seen under a name that matches is a new
 * file all the same. In the order of the renames. */
void ps_tail_directory_renamed(struct ps_tail_directory *directory, const char *from, const char *to);

/* Looks. `names`: they may have changed, whatever the directory's time says. What changed is in `changes`, which the
 * caller zeroes once and frees with ps_tail_changes_free: gone, renamed, changed, and new files, these oldest first
 * (by time; of the same time, those that do not match first, then by name, backwards). */
void ps_tail_directory_look(struct ps_tail_directory *directory, bool names, struct ps_tail_changes *changes);
void ps_tail_changes_free(struct ps_tail_changes *changes);
