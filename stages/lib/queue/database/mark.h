/* A file beside an SQLite database that records which events were promised: "FILE-promised-CHANNEL-HASH". The
 * events of the last commits are only in SQLite's write-ahead log. If that log is removed or damaged while no
 * process is connected, SQLite opens the database without these events and reports no error; the mark shows the
 * loss. The mark is written after each commit, so it never names events that were not synced. It is synced once
 * a second; so after a power cut the mark may be older than the database, and a loss of the newest events is
 * then not noticed.
 *
 * Thread: the durable queue's. */
#pragma once

#include "core/status.h"

struct ps_promised_mark {
    int fd;             /* -1: the mark cannot be written, and the channel works without it */
    bool dirty;         /* written since the last sync */
    uint64_t synced_ns; /* time of the last sync */
    int64_t last;       /* identity of the last promised event */
    uint64_t events;    /* number of events that are promised and not delivered */
};

/* Opens or creates the mark of a channel, and reads it. If the mark is new, damaged, or cannot be opened (which
 * is logged), last and events are zero. Returns PS_FAIL if the bytes of the mark cannot be read now: they must
 * not be written over. */
enum ps_status ps_promised_mark_open(struct ps_promised_mark *mark, const char *database, const char *channel,
                                     const char *component, struct ps_err *err);
void ps_promised_mark_write(struct ps_promised_mark *mark, int64_t last, uint64_t events);
void ps_promised_mark_close(struct ps_promised_mark *mark);
