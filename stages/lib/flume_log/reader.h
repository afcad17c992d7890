/* Reads a Flume file channel from its directories: the events that were committed and not taken, in the order in which Flume
 * would deliver them. Does not change the channel. Waits for the disk. Thread: the owner's. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/lib/flume_log/log_file.h"

struct ps_flume_log;

struct ps_flume_log_options {
    /* The channel's dataDirs and its checkpointDir in any order, or one directory that contains them as `data` and `checkpoint`. */
    struct ps_texts directories;
    /* Called for everything that cannot be read, with one line: file, byte, reason, consequence. */
    void (*report)(void *argument, const char *text);
    void *argument;
    struct ps_flume_keys keys; /* of encrypted logs */
};

struct ps_flume_log_found {
    uint64_t events; /* number of events in the channel */
    uint64_t logs, encrypted_logs, puts, takes, commits, rollbacks;
    uint64_t damages; /* damaged places in the logs */
    /* Unreadable events of the channel; complete when ps_flume_log_next has returned all. */
    uint64_t events_lost;
    uint64_t uncommitted;   /* events that were put without a commit: not in the channel */
    uint64_t uncertain;     /* events whose commit may be in a damaged place: in the channel */
    const char *checkpoint; /* directory of the checkpoint that was used; NULL: all logs were replayed */
};

struct ps_flume_event {
    struct ps_slice body;
    const struct ps_flume_header *headers;
    size_t header_count;
};

/* Locks the directories as Flume does, so that Flume cannot start on them, and finds the events. Fails if an agent uses the channel, the
 * disk cannot read a part of it, a log has another version, the key of a log is missing, or a log whose events are
 * in the checkpoint is missing. */
struct ps_flume_log *ps_flume_log_open(const struct ps_flume_log_options *options, struct ps_err *err);
/* Reads the next event, which is valid until the next call. Reports damaged events and leaves them out. Returns false after the
 * last event, and if the disk cannot read an event. */
bool ps_flume_log_next(struct ps_flume_log *log, struct ps_flume_event *event);
/* Call it after ps_flume_log_next has returned false: fails if the disk could not read an event. */
enum ps_status ps_flume_log_end(const struct ps_flume_log *log, struct ps_err *err);
void ps_flume_log_found(const struct ps_flume_log *log, struct ps_flume_log_found *found);
void ps_flume_log_close(struct ps_flume_log *log);
