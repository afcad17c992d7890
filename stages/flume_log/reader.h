/* Reads a Flume file channel from its directories: the events that were committed and not taken, in the order in which Flume
 * would deliver them. Nothing of the channel is changed. Thread: the owner's; blocks on the disk. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/flume_log/log_file.h"

struct ps_flume_log;

struct ps_flume_log_options {
    /* The channel's dataDirs and its checkpointDir in any order, or one directory that has them as `data` and `checkpoint`. */
    struct ps_texts directories;
    /* What cannot be read, one line each: file, byte, reason, what became of it. */
    void (*report)(void *argument, const char *text);
    void *argument;
    struct ps_flume_keys keys; /* of encrypted logs */
};

struct ps_flume_log_found {
    uint64_t events; /* in the channel */
    uint64_t logs, encrypted_logs, puts, takes, commits, rollbacks;
    uint64_t damages;     /* places of the logs that cannot be read */
    uint64_t events_lost; /* of the channel's events, after ps_flume_log_next has returned all */
    uint64_t uncommitted; /* put, without a commit: not of the channel */
    uint64_t uncertain;   /* the same, but the commit may have been in what cannot be read: of the channel */
    const char *checkpoint; /* the directory whose checkpoint was used; NULL: all logs were replayed */
};

struct ps_flume_event {
    struct ps_slice body;
    const struct ps_flume_header *headers;
    size_t header_count;
};

/* Locks the directories as Flume does, against Flume, and finds the events. Fails if an agent uses the channel, the disk
 * does not give something of it, a log is of another version or encrypted with a key that is not there, or a log is missing of which the checkpoint has events. */
struct ps_flume_log *ps_flume_log_open(const struct ps_flume_log_options *options, struct ps_err *err);
/* The next event; valid until the next call. It reports and leaves out damaged events. Returns false after the last, and where the
 * disk does not give one. */
bool ps_flume_log_next(struct ps_flume_log *log, struct ps_flume_event *event);
/* After ps_flume_log_next has returned false: fails if that was not after the last. */
enum ps_status ps_flume_log_end(const struct ps_flume_log *log, struct ps_err *err);
void ps_flume_log_found(const struct ps_flume_log *log, struct ps_flume_log_found *found);
void ps_flume_log_close(struct ps_flume_log *log);
