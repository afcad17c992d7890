/* A file beside an SQLite database says what was promised: "FILE-promised-CHANNEL-HASH". The events of the last commits are only in
 * SQLite's write-ahead log; if that is removed or damaged while nobody is connected, SQLite opens the database without them and says
 * nothing. The mark knows better. It is written after each commit, so it never says more than was synced, and is synced itself once a
 * second: after a power cut it may be older than the database, which then is not missed.
 *
 * Thread: the keeper's. */
#pragma once

#include "core/status.h"

struct ps_promised_mark {
    int fd;             /* -1: it cannot be written; the channel works without it */
    bool dirty;         /* written since it was synced */
    uint64_t synced_ns; /* when that was */
    int64_t last;       /* identity of the last event that was promised */
    uint64_t events;    /* promised, and not delivered */
};

/* Opens the mark of a channel, or makes it, and reads it. Without one, or if its bytes are damaged, last and events are zero. */
void ps_promised_mark_open(struct ps_promised_mark *mark, const char *database, const char *channel);
void ps_promised_mark_write(struct ps_promised_mark *mark, int64_t last, uint64_t events);
void ps_promised_mark_close(struct ps_promised_mark *mark);
