/* The store in which a durable queue keeps its frames of events: a log on disk (ps_log_store) or the tables of a database
 * (stages/lib/queue/database).
 *
 *   append .. append sync  the frames are promised
 *   feed                   the next promised frame that was not delivered
 *   load                   its payload
 *   take                   the frame was delivered: it is not fed again, even after a restart
 *
 * The payload is described in stages/lib/queue/segment/events.h.
 *
 * Thread: the durable queue's; `load`, `release` and `crowded` say otherwise. */
#pragma once

#include "core/flow/identity.h"
#include "stages/lib/encryption/key/source.h"
#include "stages/lib/queue/segment/log.h"

/* A frame that was fed, and its place. */
struct ps_store_frame {
    uint32_t length, count; /* `length` of its payload, bytes; `count` of its events */
    uint64_t bytes;         /* total of its bodies, bytes */
    /* Memory for a store that reads payloads ahead: `feed` takes blocks from it, and `release` gives them back.
     * The caller sets `blocks` before both calls. */
    struct ps_block_cache *blocks;
    union {
        struct ps_segment_place place; /* in a log */
        struct {                       /* in tables: the identities of its first and last event */
            int64_t first, last;
            struct ps_block *payload; /* an oversize block, which counts in the memory budget */
            bool spills, headers;     /* the frame has rows in the tables of spilled parts or of headers */
            /* The database's number: after it changes, the identities belong to another database. */
            uint64_t generation;
        } rows;
    };
};

enum ps_store_fed {
    PS_STORE_FED,
    PS_STORE_EMPTY,
    PS_STORE_FAILED, /* like PS_FAIL of `sync` */
    /* The next frame cannot be read now: `feed` is called again after retry_ns. Writing continues. */
    PS_STORE_UNREADABLE,
    PS_STORE_NO_MEMORY, /* there is no memory for the payload now */
};

struct ps_store_ops {
    /* Maximum number of frames that are read ahead in one turn of the thread. More frames would delay the
     * consumers, and the writing of leases that sources have put. */
    unsigned round_frames;
    const char *where;       /* "on disk": where events stay when the store is closed */
    const char *works_again; /* "the disk can be written again" */
    const char *reads_again; /* "the disk can be read again" */
    /* Length of the wait before the first try after a failure; the wait doubles up to retry_max_ns. */
    uint64_t retry_ns, retry_max_ns;
    /* Maximum number of bytes of one sync. More bytes would delay the first leases, and the recording of deliveries. */
    uint64_t round_bytes;
    /* Largest frame with one event that the store can keep. A larger event is refused if its source can refuse its client, and
     * else cut. 0: PS_EVENT_FRAME_BYTES_MAX. */
    uint32_t event_bytes_max;
    /* Longest delay of recording deliveries while nothing is put. */
    uint64_t news_ns;
    /* Opens or creates the store, for one durable queue only. `settings` are the store's own. Returns NULL on failure. */
    void *(*open)(const void *settings, const char *component, struct ps_err *err);
    void (*close)(void *store);
    /* Returns the address at which the payload of the next frame, of at most `room` bytes, can be built, so
     * that `append` need not copy it. Until then the caller calls no other function. Returns NULL if there is
     * no such place now. A store without such places sets this function to NULL. */
    char *(*lend)(void *store, uint32_t room);
    /* Appends a frame of `count` events with `bytes` in their bodies, and sets its number. Numbers increase by
     * 1; the first number after an opening is 1 or follows earlier ones. PS_FAIL: call renew. */
    enum ps_status (*append)(void *store, const void *payload, uint32_t length, uint32_t count,
                             uint64_t bytes, uint64_t *number, struct ps_err *err);
    /* Makes all appended frames and taken frames durable. PS_FAIL: the frames above `promised` may not be
     * durable; call renew. */
    enum ps_status (*sync)(void *store, struct ps_err *err);
    /* Makes all appended frames and taken frames durable against a crash of the process only. */
    enum ps_status (*write)(void *store, struct ps_err *err);
    /* After PS_FAIL: forgets the frames that are not promised; the caller appends the frames above `promised` again. */
    enum ps_status (*renew)(void *store, struct ps_err *err);
    /* Returns the highest number of a promised frame. */
    uint64_t (*promised)(const void *store);
    /* Writes the numbers of promised events and bytes that were not taken. */
    void (*fill)(const void *store, struct ps_segment_fill *fill);
    enum ps_store_fed (*feed)(void *store, struct ps_store_frame *frame, struct ps_err *err);
    /* Reads the frame's payload to `to`. NOTHING: the payload is damaged (call `lost`). FAILED: `err` has the
     * reason; the frame is neither lost nor taken, and is loaded again after retry_ns. Thread: any, while the
     * frame is not taken. */
    enum ps_segment_read (*load)(const void *settings, const struct ps_store_frame *frame, void *to,
                                 struct ps_err *err);
    /* Returns the identity of the frame's first event; the others have the next ordinals. NULL: the store
     * cannot distinguish its events from those of an earlier store of the same name, so events have no
     * identity. Thread: any, while the frame is not taken. */
    struct ps_identity (*identity)(const struct ps_store_frame *frame);
    /* Frees the frame's memory, because it is not loaded again. May be called twice. NULL: frames have no memory. Thread: its consumer's. */
    void (*release)(struct ps_store_frame *frame);
    void (*lost)(void *store, const struct ps_store_frame *frame);
    void (*take)(void *store, const struct ps_store_frame *frame);
    /* Returns whether there is too little free space, and writes the reason. NULL: there is always enough. */
    bool (*crowded)(const void *settings, char *text, size_t room);
    /* Writes which part of the store cannot be read because its key is missing, as found when the store was
     * opened; empty: there is no such part. NULL: the store has no keys. */
    void (*held)(const void *store, char *text, size_t room);
};

/* ---- the log on disk ---- */

struct ps_log_store_settings {
    struct ps_texts data_directories; /* created if they do not exist */
    const char *state_directory;      /* also for the lock file; created if it does not exist */
    uint64_t segment_bytes;           /* size of one file */
    uint64_t first_segment_bytes;     /* size of the first file; 0: segment_bytes */
    /* Free space that each file system must keep: with less, puts are refused; 0: unlimited. */
    uint64_t least_free_bytes;
    /* The free space of each data directory's file system when it was looked at last, for metrics; UINT64_MAX: not
     * known. Atomic. NULL: not noted. */
    uint64_t *free_bytes;
    const struct ps_segment_files *files;
    struct ps_key_source keys; /* read when the log is opened; the open fails without them */
    const char *active_key;    /* NULL: new events are written in plain text */
    bool plain;                /* new events may be plain although others are encrypted */
};

extern const struct ps_store_ops ps_log_store; /* its settings are a struct ps_log_store_settings */
