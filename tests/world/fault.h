/* Faults of the agent's machine: a kind of call fails with an error, once, for a while or for the rest of a life. */
#pragma once

#include "tests/world/disk.h"

enum fault_call {
    FAULT_READ,  /* of a file, and of a directory's names */
    FAULT_WRITE, /* of a file, and its size */
    FAULT_SYNC,  /* of a file or directory */
    FAULT_NAME,  /* every call with a path */
    FAULT_OPEN,  /* .. and these alone, after the path was found */
    FAULT_RENAME,
    FAULT_UNLINK,                  /* and rmdir */
    FAULT_MAKE,                    /* mkdir, link, symlink */
    FAULT_DISK,                    /* the calls before this one are those of the disk */
    FAULT_DESCRIPTOR = FAULT_DISK, /* every call that makes one: open, socket, eventfd, .. */
    FAULT_ACCEPT,
    FAULT_CONNECT,
    FAULT_SEND,
    FAULT_RECEIVE,
    FAULT_WATCH,  /* epoll_ctl that adds */
    FAULT_WAIT,   /* epoll_wait, poll and the like are interrupted */
    FAULT_THREAD, /* a thread is not started */
    FAULT_MEMORY, /* malloc, calloc, realloc and strdup of the product's code, but not those that end the process (core/base.c) */
    FAULT_NOTIFY, /* inotify_add_watch */
    FAULT_DRAWN,  /* the calls before this one are drawn, the others fail in scenarios alone */
    FAULT_RESIZE = FAULT_DRAWN, /* ftruncate */
    FAULT_CLOSE,                /* of a file: it is closed nevertheless */
    FAULT_CALLS,
};

/* While now_ns is in [from_ns, to_ns), calls of this kind on files below `below` fail with this share of 65536.
 *
 * One that aims strikes for certain if the agent makes enough calls of some kinds: from from_ns on it lets some of them pass, becomes a fault of the kind of the next
 * one, and of its file, and goes on for a while. */
struct fault {
    enum fault_call call;
    int error;
    uint32_t share;
    uint64_t from_ns, to_ns;
    const char *place;        /* of which `below` is made when a life begins; NULL: none */
    struct disk_inode *below; /* a directory, or a file alone; NULL: everywhere */
    uint64_t struck, most;    /* times; most 0: as often as it is asked */
    uint32_t aims;            /* kinds of calls, a bit each; 0: it does not aim */
    uint32_t passes;          /* calls that it lets pass before */
    bool moves;               /* it is one of the place that it hits, and not of all */
    uint64_t lasts_ns;        /* from the call that it hits */
};

#define FAULT_NEVER UINT64_MAX /* most: this fault was left out */
#define FAULTS_MAX 32
#define FAULTS_DRAWN_MAX 8 /* of a life */

struct faults {
    struct fault faults[FAULTS_MAX];
    unsigned count;
    bool memory_fails;                 /* one of them is FAULT_MEMORY */
    uint32_t short_share[FAULT_CALLS]; /* of 65536 reads or writes, how many move less than they could */
};

/* Adds one. Its window, place and number of times are the caller's. */
struct fault *fault_add(enum fault_call call, int error, uint32_t share, uint64_t from_ns, uint64_t to_ns);
/* Draws the faults of a life, which begin and end within `span_ns` of its beginning. */
void fault_draw(struct faults *faults, uint64_t span_ns);
/* Begins those of a life; those before are ended. */
void fault_begin(const struct faults *faults);
/* Prints one, the n-th of a life. */
void fault_print(const struct fault *fault, unsigned life, unsigned nth);
/* Returns the errno with which this call fails, or 0. `inode`: of a call of the disk. */
int fault_strikes(enum fault_call call, const struct disk_inode *inode);
/* Returns a length between 1 and `length`. */
size_t fault_shorten(enum fault_call call, size_t length);
/* Ends all faults. */
void fault_clear(void);
/* Returns how many calls failed since fault_clear, and of how many faults. */
uint64_t faults_struck(void);
unsigned faults_in_effect(void);
