/* Where a keeper keeps its frames of events: a log on disk (ps_log_store), or the tables of a database (stages/database).
 *
 *   append .. append sync     the frames are promised
 *   feed                      the next promised frame that was not delivered
 *   load                      its payload
 *   take                      it was delivered: it is not fed again, also after a restart
 *
 * A payload is one of stages/segment/events.h.
 *
 * Thread: the keeper's; `load`, `release` and `crowded` say otherwise. */
#pragma once

#include "stages/encryption/key_source.h"
#include "stages/segment/log.h"

/* A frame that was fed, and where it is. */
struct ps_store_frame {
    uint32_t length, count; /* of its payload in bytes; its events */
    uint64_t bytes;         /* of their bodies */
    /* A store that reads payloads ahead takes their memory from here in `feed`, and gives it back here in `release`; the caller sets it
     * before both. */
    struct ps_block_cache *blocks;
    union {
        struct ps_segment_place place; /* in a log */
        struct {                       /* in tables: the identities of its first and last event */
            int64_t first, last;
            struct ps_block *payload; /* an oversize block: its memory is of the budget */
            bool spills, headers;     /* it has rows in those tables */
            uint64_t generation;      /* of the database: identities of another one are others */
        } rows;
    };
};

enum ps_store_fed {
    PS_STORE_FED,
    PS_STORE_EMPTY,
    PS_STORE_FAILED, /* as PS_FAIL of `sync` */
    /* The next frame cannot be read at the moment: `feed` is called again after retry_ns. What is written goes on. */
    PS_STORE_UNREADABLE,
    PS_STORE_NO_MEMORY, /* for its payload, at the moment */
};

struct ps_store_ops {
    /* Of a frame that waits for a consumer: at most so many, since their payloads may be in memory. */
    unsigned feed_frames;
    const char *where;       /* "on disk": where events stay when it is closed */
    const char *works_again; /* "the disk can be written again" */
    const char *reads_again; /* "the disk can be read again" */
    /* After a failure, how long it waits before it tries again; doubled up to retry_max_ns. */
    uint64_t retry_ns, retry_max_ns;
    /* Of one sync: more would keep those who came first waiting, and what was delivered meanwhile from being written. */
    uint64_t round_bytes;
    /* What was delivered is written so much later at most, when nothing is put. */
    uint64_t news_ns;
    /* Opens it, or makes it, for one keeper alone. `settings` are the store's own. Returns NULL on failure. */
    void *(*open)(const void *settings, const char *component, struct ps_err *err);
    void (*close)(void *store);
    /* Returns where the payload of the next frame, of at most `room` bytes, may be made, so that `append` does not copy it;
     * no other function is called in between. NULL: nowhere at the moment. As a function NULL: never. */
    char *(*lend)(void *store, uint32_t room);
    /* Appends a frame of `count` events with `bytes` in their bodies; sets its number: 1, 2, .. of this opening, or
     * going on from earlier ones. PS_FAIL: call renew. */
    enum ps_status (*append)(void *store, const void *payload, uint32_t length, uint32_t count,
                             uint64_t bytes, uint64_t *number, struct ps_err *err);
    /* Makes every appended frame, and what was taken, durable. PS_FAIL: those above `promised` are not, or that is not
     * known; call renew. */
    enum ps_status (*sync)(void *store, struct ps_err *err);
    /* The same against a crash of the process only. */
    enum ps_status (*write)(void *store, struct ps_err *err);
    /* After PS_FAIL: forgets the frames that are not promised; the caller appends those above `promised` again. */
    enum ps_status (*renew)(void *store, struct ps_err *err);
    /* The highest number of a promised frame. */
    uint64_t (*promised)(const void *store);
    /* Writes how many events and bytes are promised and were not taken. */
    void (*fill)(const void *store, struct ps_segment_fill *fill);
    enum ps_store_fed (*feed)(void *store, struct ps_store_frame *frame, struct ps_err *err);
    /* Writes the frame's payload to `to`. NOTHING: it is damaged (call `lost`). FAILED: the reason is in `err`; the frame is
     * neither lost nor taken, and is loaded again after retry_ns. Thread: any, while it is not taken. */
    enum ps_segment_read (*load)(const void *settings, const struct ps_store_frame *frame, void *to,
                                 struct ps_err *err);
    /* The frame is not loaded again: frees its memory. Twice is allowed. NULL: it has none. Thread: its consumer's. */
    void (*release)(struct ps_store_frame *frame);
    void (*lost)(void *store, const struct ps_store_frame *frame);
    void (*take)(void *store, const struct ps_store_frame *frame);
    /* Returns whether there is too little room for more; writes the reason. NULL: it is never asked. */
    bool (*crowded)(const void *settings, char *text, size_t room);
    /* Writes which part of it cannot be read for want of a key, as found when it was opened; empty: all of it can. NULL: it is
     * never asked. */
    void (*held)(const void *store, char *text, size_t room);
};

/* ---- the log on disk ---- */

struct ps_log_store_settings {
    struct ps_texts data_directories; /* made if they are not there */
    const char *state_directory;      /* also has the lock; made if it is not there */
    uint64_t segment_bytes;           /* of one file */
    uint64_t first_segment_bytes;     /* of the first one; 0: the same */
    uint64_t least_free_bytes;        /* of each file system: with less, puts are refused; 0: never */
    const struct ps_segment_files *files;
    struct ps_key_source keys; /* read when it is opened; without them it is not opened */
    const char *active_key;    /* NULL: events are written in plain text */
    bool plain;                /* also beside encrypted ones */
};

extern const struct ps_store_ops ps_log_store; /* its settings are ps_log_store_settings */
