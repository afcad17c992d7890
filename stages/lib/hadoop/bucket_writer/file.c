/* A file whose stream is open. */
#include "core/quantity.h"
#include "stages/lib/hadoop/bucket_writer/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN_NAMES_MAX 100U
#define BLAME_NS (20 * PS_NS_PER_MS)

static void count(const struct ps_bucket_writer *sink, int counter, uint64_t amount)
{
    ps_count(sink->port->counters, (enum ps_counter)counter, amount);
}

/* Gives the stream's buffer to the serializer, which writes to it directly. */
static void give_room(struct ps_bucket_file *file)
{
    file->output.at = file->room_begin = ps_file_reserve(file->stream, &file->output.room);
}

/* Commits the bytes that were written to the reserved room (file->output). Called before any other use of the
 * stream. */
static void take_room(struct ps_bucket_file *file)
{
    if (file->output.at > file->room_begin)
        ps_file_commit(file->stream, (size_t)(file->output.at - file->room_begin));
    file->output.at = file->room_begin = NULL;
    file->output.room = 0;
}

static bool output_write(struct ps_output *output, const void *data, size_t length)
{
    struct ps_bucket_file *file =
        (struct ps_bucket_file *)(void *)((char *)output - offsetof(struct ps_bucket_file, output));
    take_room(file);
    bool good = ps_file_write(file->stream, data, length);
    if (file->has_run)
        give_room(file);
    return good;
}

static void writer_close(struct ps_bucket_file *file)
{
    ps_hadoop_writer_close(file->writer);
    file->writer = NULL;
}

/* ---- lists ---- */

static void touch(struct ps_bucket_file *file)
{
    if (file->touched)
        return;
    file->touched = true;
    file->flushed.touched_ns = file->sink->now.mono_ns;
    TAILQ_INSERT_TAIL(&file->sink->opened.touches, file, touches);
    file->sink->opened.touch_count++;
}

static void untouch(struct ps_bucket_file *file)
{
    if (!file->touched)
        return;
    TAILQ_REMOVE(&file->sink->opened.touches, file, touches);
    file->sink->opened.touch_count--;
    file->touched = false;
}

static void set_idle(struct ps_bucket_file *file, uint64_t idle_ns)
{
    if (file->idle_ns != PS_NEVER)
        TAILQ_REMOVE(&file->sink->opened.idles, file, idles);
    file->idle_ns = idle_ns;
    if (idle_ns != PS_NEVER)
        TAILQ_INSERT_TAIL(&file->sink->opened.idles, file, idles);
}

/* Detaches the file from its bucket, which no longer writes to it. */
static void leave_bucket(struct ps_bucket_file *file)
{
    struct ps_bucket_writer *sink = file->sink;
    untouch(file);
    set_idle(file, PS_NEVER);
    if (file->roll_ns != PS_NEVER)
        TAILQ_REMOVE(&sink->opened.rolls, file, rolls);
    file->roll_ns = PS_NEVER;
    TAILQ_REMOVE(&sink->recent, file->bucket, recent);
    file->bucket->file = NULL;
    file->bucket->earlier += file->written.count;
    sink->opened.count--;
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_BUCKET_FILES_OPEN, sink->opened.count);
}

static void join_bucket(struct ps_bucket_file *file, struct ps_bucket *bucket)
{
    struct ps_bucket_writer *sink = file->sink;
    bucket->file = file;
    TAILQ_INSERT_HEAD(&sink->recent, bucket, recent);
    sink->opened.count++;
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_BUCKET_FILES_OPEN, sink->opened.count);
    if (sink->settings->roll_interval_ns > 0) {
        file->roll_ns = sink->now.mono_ns + sink->settings->roll_interval_ns;
        TAILQ_INSERT_TAIL(&sink->opened.rolls, file, rolls);
    }
}

/* ---- names ---- */

/* Like BucketWriter: the number starts at the time when the bucket was made, and increases by one with each file. */
static uint64_t next_counter(const struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (bucket->counter == 0) {
        /* 0: the clock is before 1970. */
        bucket->counter = sink->now.wall_ms > 0 ? (uint64_t)sink->now.wall_ms : 0;
        if (sink->retired_counter > bucket->counter)
            bucket->counter = sink->retired_counter;
    }
    return ++bucket->counter;
}

/* ---- opening ---- */

static void learnt_replicas(void *sink_, const struct ps_file_answer *answer)
{
    struct ps_bucket_writer *sink = sink_;
    if (answer->error == PS_FILE_OK && answer->entry_count > 0)
        sink->replicas.min = answer->entries[0].replication;
    else
        sink->replicas.asked = false;
}

/* Handles a failure of the file: its unacknowledged events wait again, before those that wait already, and the bucket
 * backs off. `answer` has the reason for the log. */
static void fail(struct ps_bucket_file *file, const struct ps_file_answer *answer);

static void created(void *file_, const struct ps_file_answer *answer)
{
    struct ps_bucket_file *file = file_;
    struct ps_bucket_writer *sink = file->sink;
    if (answer->error != PS_FILE_OK) {
        fail(file, answer);
        return;
    }
    file->created = true;
    if (file->bucket != NULL)
        file->bucket->taken_names = 0;
    count(sink, PS_COUNTER_ConnectionCreatedCount, 1);
    if (sink->replicas.min >= 0 || sink->replicas.asked)
        return;
    sink->replicas.asked = true;
    ps_file_stat(sink->filesystem, file->path, learnt_replicas, sink);
}

static struct ps_bucket_file *make(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    struct ps_err err = {.length = 0};
    struct ps_bucket_file *file = calloc(1, sizeof *file + bucket->length);
    if (file == NULL)
        return NULL;
    file->sink = sink;
    file->bucket = bucket;
    file->output.write = output_write;
    file->roll_ns = file->idle_ns = PS_NEVER;
    ps_bucket_window_init(&file->window);
    file->directory_length = bucket->directory_length;
    file->prefix_length = bucket->length - bucket->directory_length - 1;
    memcpy(file->bucket_name, bucket->name, bucket->length);
    file->counter = next_counter(sink, bucket);
    file->path = ps_bucket_file_name(file, true);
    file->target = ps_bucket_file_name(file, false);
    file->writer = ps_hadoop_writer_open(sink->writers, &err);
    ps_bucket_file_enlist(file);
    if (file->path != NULL && file->target != NULL && file->writer != NULL)
        return file;
    ps_log(PS_LOG_ERROR, sink->port->component, "cannot begin a file: %s",
           err.length > 0 ? ps_err_join(&err) : "no memory");
    ps_bucket_file_free(file);
    return NULL;
}

bool ps_bucket_file_open(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    struct ps_bucket_file *file = make(sink, bucket);
    if (file == NULL)
        return false;
    const struct ps_bucket_name name = {bucket->name, bucket->length, bucket->directory_length};
    ps_bucket_writer_look(sink, &name);
    file->stream = ps_file_create(sink->filesystem, file->path, created, file);
    join_bucket(file, bucket);
    file->broken = !ps_hadoop_writer_begin(file->writer, &file->output);
    if (file->broken)
        ps_bucket_file_flush(file);
    return true;
}

static bool is_ending(enum ps_bucket_file_state state)
{
    return state == PS_BUCKET_FILE_CLOSING || state == PS_BUCKET_FILE_ASKED;
}

bool ps_bucket_file_is_ending(const struct ps_bucket_file *file)
{
    return is_ending(file->state);
}

void ps_bucket_file_set_state(struct ps_bucket_file *file, enum ps_bucket_file_state state)
{
    file->sink->ending.busy_count += (uint32_t)is_ending(state) - (uint32_t)is_ending(file->state);
    file->state = state;
}

void ps_bucket_file_free(struct ps_bucket_file *file)
{
    ps_bucket_file_set_state(file, PS_BUCKET_FILE_OPEN);
    ps_bucket_trouble_left(&file->retry.trouble);
    writer_close(file);
    ps_bucket_file_delist(file);
    free(file->path);
    free(file->target);
    free(file);
}

/* ---- writing ---- */

/* Return the number of events since the last flush, and its limit. */
static uint32_t unflushed(const struct ps_bucket_file *file)
{
    return (uint32_t)(file->event_count - file->flushed.events);
}

static uint32_t flush_events(const struct ps_bucket_file *file)
{
    return file->window.events / PS_BUCKET_FLUSHES_MAX;
}

bool ps_bucket_file_is_under_replicated(const struct ps_bucket_file *file)
{
    unsigned replicas = ps_file_replicas(file->stream);
    return replicas > 0 && (int64_t)replicas < file->sink->replicas.min;
}

/* Returns how many events may be written before the bucket checks again whether the file is full or has room. The first event of a
 * file is written alone, because the file may then be rolled for its replicas. */
static uint32_t run_length(const struct ps_bucket_file *file)
{
    const struct ps_bucket_writer_settings *settings = file->sink->settings;
    uint64_t run = flush_events(file) - unflushed(file);
    run = ps_least(run, file->window.events - file->written.count);
    run = ps_least(run, file->bucket->waiting.count);
    if (settings->roll_events > 0)
        run = ps_least(run, settings->roll_events - file->event_count);
    return file->event_count == 0 ? 1 : (uint32_t)run;
}

static bool is_full(const struct ps_bucket_file *file, uint64_t body_bytes)
{
    uint64_t roll_bytes = file->sink->settings->roll_bytes;
    return roll_bytes > 0 && body_bytes >= roll_bytes;
}

/* Writes the first `run` waiting events. Returns the answer for the last of them, or for the one that could not be written. */
static enum ps_hadoop_answer write_run(struct ps_bucket_file *file, uint32_t run, struct ps_err *err)
{
    struct ps_bucket_writer *sink = file->sink;
    struct ps_held_group *waiting = &file->bucket->waiting;
    enum ps_hadoop_answer answer = PS_HADOOP_WRITTEN;
    uint32_t count = 0, last = 0;
    uint64_t bytes = 0;
    for (uint32_t number = waiting->first; count < run && !is_full(file, file->body_bytes + bytes); count++) {
        const struct ps_held_event *place = &sink->pool.events[number];
        const struct ps_event *event = ps_lease_event(place->lease, place->position);
        answer = ps_hadoop_writer_event(file->writer, place->lease->batch, event, sink->now.wall_ms,
                                        &file->output, err);
        if (answer != PS_HADOOP_WRITTEN)
            break;
        bytes += event->body_length;
        last = number;
        number = place->next;
    }
    ps_held_group_move(&sink->pool, waiting, &file->written, count, last);
    sink->waiting_bytes -= bytes;
    file->event_count += count;
    file->body_bytes += bytes;
    if (count > 0)
        touch(file);
    return answer;
}

enum ps_hadoop_answer ps_bucket_file_write(struct ps_bucket_file *file, struct ps_err *err)
{
    if (file->idle_ns != PS_NEVER)
        set_idle(file, PS_NEVER);
    file->has_run = true;
    give_room(file);
    enum ps_hadoop_answer answer = write_run(file, run_length(file), err);
    take_room(file);
    file->has_run = false;
    if (answer == PS_HADOOP_FAILED) {
        file->broken = true;
        ps_bucket_file_flush(file);
    }
    return answer;
}

/* ---- flushing ---- */

static void settle(struct ps_bucket_file *file, uint32_t events)
{
    struct ps_bucket_writer *sink = file->sink;
    struct ps_bucket *bucket = file->bucket;
    file->acknowledged += events;
    if (bucket->file != file)
        bucket->earlier -= events;
    ps_held_group_commit(&sink->pool, &sink->held, &file->written, events);
    bucket->failures = 0;
    bucket->attempts = bucket->denials = 0;
    sink->acknowledged_flushes++;
    if (bucket->trouble != NULL)
        ps_bucket_trouble_over(sink, &bucket->trouble);
    if (bucket->waiting.count > 0)
        ps_bucket_make_ready(sink, bucket);
    if (bucket->file != file && file->written.count == 0) {
        file->bucket = NULL;
        ps_bucket_release(sink, bucket);
    }
}

static void flushed(void *file_, const struct ps_file_answer *answer)
{
    struct ps_bucket_file *file = file_;
    if (file->flush_count == 0) /* the file has failed, and is being closed */
        return;
    const struct ps_bucket_flush flush = file->flushes[0];
    file->flush_count--;
    file->sink->opened.flush_count--;
    memmove(file->flushes, file->flushes + 1, file->flush_count * sizeof file->flushes[0]);
    if (answer->error == PS_FILE_OK && flush.events > 0) {
        uint64_t took_ns = file->sink->now.mono_ns - flush.sent_ns;
        settle(file, flush.events);
        ps_bucket_window_answered(&file->window, took_ns, file->acknowledged - flush.acknowledged);
    }
    const struct ps_file_answer no_memory = {.error = PS_FILE_NO_MEMORY, .reason = "no memory to write"};
    if (answer->error != PS_FILE_OK)
        fail(file, answer);
    else if (file->broken && file->flush_count == 0)
        fail(file, &no_memory);
}

bool ps_bucket_file_may_flush(const struct ps_bucket_file *file)
{
    if (file->sink->opened.touch_count <= PS_BUCKET_FLUSHED_FILES)
        return file->flush_count < PS_BUCKET_FLUSHES_MAX;
    return file->flush_count == 0 || (file->flush_count < PS_BUCKET_FLUSHES_MAX &&
                                      file->body_bytes - file->flushed.bytes >= PS_BUCKET_FLUSH_BYTES);
}

/* Begins a flush of all written bytes. A writer that failed may have lost bytes of events that it had collected. */
static void begin_flush(struct ps_bucket_file *file)
{
    struct ps_bucket_writer *sink = file->sink;
    bool complete = !file->broken || ps_hadoop_writer_is_direct(file->writer);
    file->flushes[file->flush_count++] = (struct ps_bucket_flush){.events = complete ? unflushed(file) : 0,
                                                                  .sent_ns = sink->now.mono_ns,
                                                                  .acknowledged = file->acknowledged};
    file->flushed.events = file->event_count;
    file->flushed.bytes = file->body_bytes;
    sink->opened.flush_count++;
    ps_file_flush(file->stream, sink->settings->flush, flushed, file);
}

/* From now on, the answers to the flushes in flight are ignored. */
static void forget_flushes(struct ps_bucket_file *file)
{
    file->sink->opened.flush_count -= file->flush_count;
    file->flush_count = 0;
    file->flushed.events = file->event_count;
}

void ps_bucket_file_flush(struct ps_bucket_file *file)
{
    struct ps_bucket_writer *sink = file->sink;
    if (!file->broken && !ps_bucket_file_may_flush(file))
        return; /* the flush begins when the one in flight is answered */
    untouch(file);
    if (!file->broken && !ps_hadoop_writer_flush(file->writer, &file->output))
        file->broken = true;
    begin_flush(file);
    if (sink->settings->idle_ns > 0)
        set_idle(file, sink->now.mono_ns + sink->settings->idle_ns);
}

bool ps_bucket_file_has_room(struct ps_bucket_file *file)
{
    if (unflushed(file) >= flush_events(file))
        ps_bucket_file_flush(file);
    return !file->broken && unflushed(file) < flush_events(file) && file->written.count < file->window.events;
}

/* ---- the end of the stream ---- */

static void closed(void *file_, const struct ps_file_answer *answer)
{
    struct ps_bucket_file *file = file_;
    struct ps_bucket_writer *sink = file->sink;
    char behind[PS_BUCKET_TROUBLE_BYTES];
    file->stream = NULL;
    writer_close(file);
    if (answer->error == PS_FILE_OK && file->written.count == 0) {
        count(sink, PS_COUNTER_ConnectionClosedCount, 1);
        ps_bucket_finish(file, file->acknowledged > 0 ? PS_BUCKET_RENAME : PS_BUCKET_REMOVE);
        return;
    }
    if (!file->created &&
        file->written.count == 0) { /* `created` handled the failure; the name may belong to another file */
        ps_bucket_file_free(file);
        return;
    }
    count(sink, PS_COUNTER_ConnectionFailedCount, 1);
    if (file->written.count == 0 &&
        file->acknowledged > 0 && /* an empty file, or one whose failure was logged, needs no line */
        ps_bucket_trouble_met(sink, &file->retry.trouble, "close", answer->reason, behind))
        ps_log(PS_LOG_WARN, sink->port->component, "cannot close %s, in which %s %s acknowledged: %s%s",
               file->path, ps_quantity_print_count(file->acknowledged).text,
               ps_quantity_word(file->acknowledged, "event was", "events were"), answer->reason, behind);
    if (file->written.count > 0)
        fail(file, answer);
    else
        ps_bucket_finish(file, file->acknowledged > 0 ? PS_BUCKET_RECOVER : PS_BUCKET_REMOVE);
}

void ps_bucket_file_close(struct ps_bucket_file *file)
{
    if (!ps_hadoop_writer_end(file->writer, &file->output)) {
        file->broken = true;
        ps_bucket_file_flush(file);
        return;
    }
    leave_bucket(file);
    ps_bucket_file_set_state(file, PS_BUCKET_FILE_CLOSING);
    if (unflushed(file) > 0)
        begin_flush(file);
    if (file->written.count == 0)
        file->bucket = NULL;
    ps_file_close(file->stream, closed, file);
}

/* ---- failure ---- */

static void report(struct ps_bucket_file *file, const struct ps_file_answer *answer, uint32_t events,
                   uint64_t rest_ns)
{
    struct ps_bucket_writer *sink = file->sink;
    struct ps_err err = {.length = 0};
    char behind[PS_BUCKET_TROUBLE_BYTES];
    const char *verb = file->created ? "write" : "create";
    enum ps_log_level level = ps_port_outage_level(sink->port, PS_LOG_WARN);
    bool is_chosen = (answer->error == PS_FILE_NAME || answer->error == PS_FILE_PARENT) &&
                     sink->settings->bucket_path.by_header;
    const char *cure = is_chosen ? " (correct the headers in hdfs.path and hdfs.filePrefix; set "
                                   "penstock.deadletter to take out such events)"
                                 : "";
    ps_err_set(&err, "cannot %s %s: %s%s", verb, file->path, answer->reason, cure);
    if (!ps_bucket_trouble_met(sink, &file->bucket->trouble, verb, answer->reason, behind))
        ps_log(PS_LOG_DEBUG, sink->port->component, "%s", err.text);
    else if (events > 0)
        ps_log(level, sink->port->component, "%s; the sink begins a new file in %s, and writes %s %s again%s",
               err.text, ps_quantity_print_ns(rest_ns).text, ps_quantity_print_count(events).text,
               ps_quantity_word(events, "event", "events"), behind);
    else
        ps_log(level, sink->port->component, "%s; no event of this file has to be written again%s", err.text,
               behind);
    count(sink, PS_COUNTER_ConnectionFailedCount, 1);
    count(sink, PS_COUNTER_EventWriteFail, 1);
    if (file->created) {
        count(sink, PS_COUNTER_retried, events);
        /* Without acknowledged events the file is removed, so that no event is duplicated. */
        count(sink, PS_COUNTER_duplicated, file->acknowledged > 0 ? events : 0);
    }
    ps_port_troubled_in_part(sink->port, &err);
}

/* Puts the file's unacknowledged events back to its bucket, to wait for a new file. The bucket must not be NULL. */
static void take_back(struct ps_bucket_file *file)
{
    struct ps_bucket *bucket = file->bucket;
    if (bucket->file == file)
        leave_bucket(file);
    bucket->earlier -= file->written.count;
    file->sink->waiting_bytes += ps_bucket_bytes_of(file->sink, &file->written);
    ps_held_group_abort(&file->sink->pool, &file->written, &bucket->waiting);
    forget_flushes(file);
    file->bucket = NULL;
    ps_bucket_make_ready(file->sink, bucket);
    ps_bucket_release(file->sink, bucket);
}

/* Abandons the stream of a file that is no longer written, unless it is being closed; then completes, removes or
 * frees the file. */
static void end(struct ps_bucket_file *file)
{
    if (file->state == PS_BUCKET_FILE_CLOSING && file->stream != NULL)
        return; /* `closed` continues */
    forget_flushes(file);
    if (file->stream != NULL)
        ps_file_abandon(file->stream);
    file->stream = NULL;
    writer_close(file);
    if (!file->created) /* the file may be another program's, so it is not removed */
        ps_bucket_file_free(file);
    else
        ps_bucket_finish(file, file->acknowledged > 0 ? PS_BUCKET_RECOVER : PS_BUCKET_REMOVE);
}

/* Makes all events of the bucket dead letters. */
static void give_up(struct ps_bucket_file *file, const char *reason)
{
    struct ps_bucket_writer *sink = file->sink;
    struct ps_bucket *bucket = file->bucket;
    count(sink, PS_COUNTER_ConnectionFailedCount, 1);
    uint32_t events = file->written.count + bucket->waiting.count;
    take_back(file);
    if (events > 0) /* otherwise take_back has freed the bucket */
        ps_bucket_refuse_all(sink, &bucket->waiting, reason);
    end(file);
}

/* Creates the file again soon: then it is known whose fault the failure is. */
static void ask_later(struct ps_bucket_file *file)
{
    file->bucket->rest_ns = file->sink->now.mono_ns + BLAME_NS;
    take_back(file);
    end(file);
}

/* Returns whether the next name is tried at once: after TAKEN_NAMES_MAX taken names in a row it is tried only after a rest. */
static bool is_taken(const struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    bool taken = ps_bucket_has_taken_name(file, answer);
    if (!taken || file->bucket == NULL || ++file->bucket->taken_names <= TAKEN_NAMES_MAX)
        return taken;
    file->bucket->taken_names = 0;
    return false;
}

static void fail(struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    struct ps_bucket_writer *sink = file->sink;
    struct ps_bucket *bucket = file->bucket;
    enum ps_bucket_blame blame = bucket != NULL ? ps_bucket_blame(file, answer) : PS_BUCKET_BLAME_NOBODY;
    if (blame == PS_BUCKET_BLAME_EVENTS)
        give_up(file, answer->reason);
    if (blame == PS_BUCKET_BLAME_LATER)
        ask_later(file);
    if (blame != PS_BUCKET_BLAME_NOBODY)
        return;
    bool taken = is_taken(file, answer);
    bool exhausted = bucket != NULL && !taken && ps_bucket_is_exhausted(file, answer);
    uint32_t events = file->written.count;
    if (bucket != NULL && !taken) {
        uint64_t rest_ns = ps_port_rest_ns(sink->port, ++bucket->failures);
        bucket->rest_ns = sink->now.mono_ns + rest_ns;
        report(file, answer, file->written.count, rest_ns);
    }
    if (bucket != NULL)
        take_back(file);
    if (exhausted && events > 0)
        ps_bucket_exhaust(sink, bucket, events, answer->reason);
    end(file);
}

void ps_bucket_file_forget(struct ps_bucket_file *file)
{
    struct ps_bucket_writer *sink = file->sink;
    struct ps_bucket *bucket = file->bucket;
    if (bucket != NULL) {
        if (bucket->file == file)
            leave_bucket(file);
        count(sink, PS_COUNTER_duplicated, file->acknowledged > 0 ? file->written.count : 0);
        bucket->earlier -= file->written.count;
        ps_held_group_clear(&sink->pool, &file->written);
        forget_flushes(file);
        file->bucket = NULL;
        ps_bucket_release(sink, bucket);
    }
    if (file->state == PS_BUCKET_FILE_OPEN)
        end(file);
}
