#include "stages/lib/hadoop/bucket_writer/sink.h"

#include "core/quantity.h"
#include "stages/lib/hadoop/bucket_writer/internal.h"

#include <stdlib.h>
#include <string.h>

/* Time limits of a recall. CREATE_NS: for the creation of a file. RECALL_NS: for acknowledgements, and for
 * operations that failed or timed out before. CLOSE_NS: for closing and renaming other files. */
#define CREATE_NS PS_NS_PER_S
#define RECALL_NS (5 * PS_NS_PER_S)
#define CLOSE_NS (60 * PS_NS_PER_S)
#define FLUSH_WAIT_NS (PS_NS_PER_MS / 10)   /* delay of a flush for each touched file */
#define FLUSH_QUIET_NS (PS_NS_PER_MS / 200) /* the same after the last lease */
#define FLUSH_WAIT_MAX_NS (100 * PS_NS_PER_MS)

struct ps_bucket_writer *ps_bucket_writer_open(const struct ps_bucket_writer_settings *settings,
                                               struct ps_filesystem *filesystem, struct ps_port *port,
                                               struct ps_err *err)
{
    struct ps_bucket_writer *sink = calloc(1, sizeof *sink);
    if (sink == NULL) {
        ps_err_set(err, "no memory for a sink");
        return NULL;
    }
    sink->writers = ps_hadoop_writers_open(&settings->format, port, err);
    if (sink->writers == NULL) {
        free(sink);
        return NULL;
    }
    ps_hadoop_writers_read_schemas(sink->writers, filesystem, settings->bucket_path.url);
    sink->settings = settings;
    sink->filesystem = filesystem;
    sink->port = port;
    sink->replicas.min = settings->replicas_min;
    ps_held_init(&sink->held, PS_BUCKET_LEASES_MAX);
    TAILQ_INIT(&sink->recent);
    TAILQ_INIT(&sink->ready);
    TAILQ_INIT(&sink->files);
    TAILQ_INIT(&sink->opened.rolls);
    TAILQ_INIT(&sink->opened.idles);
    TAILQ_INIT(&sink->opened.touches);
    TAILQ_INIT(&sink->ending.files);
    TAILQ_INIT(&sink->orphans.looks);
    TAILQ_INIT(&sink->orphans.scan.waiting);
    return sink;
}

void ps_bucket_writer_close(struct ps_bucket_writer *sink)
{
    if (sink == NULL)
        return;
    ps_filesystem_close(sink->filesystem); /* afterwards no callback is called */
    while (!TAILQ_EMPTY(&sink->files))
        ps_bucket_file_free(TAILQ_FIRST(&sink->files));
    ps_hadoop_writers_close(sink->writers);
    ps_bucket_forget_looks(sink);
    ps_bucket_table_free(&sink->table);
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_BUCKET_FILES_OPEN, 0);
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_BUCKET_FILES_CLOSING, 0);
    free(sink->pool.events);
    free(sink);
}

static struct ps_bucket *bucket_of(struct ps_bucket_writer *sink, const struct ps_bucket_name *name)
{
    uint32_t hash = ps_name_keyed_hash32(name->text, name->length);
    struct ps_bucket *bucket = ps_bucket_table_find(&sink->table, name, hash);
    return bucket != NULL ? bucket : ps_bucket_table_add(&sink->table, name, hash);
}

static bool is_same(const struct ps_bucket *bucket, const struct ps_bucket_name *name)
{
    return bucket != NULL && bucket->length == name->length &&
           bucket->directory_length == name->directory_length &&
           memcmp(bucket->name, name->text, name->length) == 0;
}

static void note_access(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (bucket->file == NULL || TAILQ_FIRST(&sink->recent) == bucket)
        return;
    TAILQ_REMOVE(&sink->recent, bucket, recent);
    TAILQ_INSERT_HEAD(&sink->recent, bucket, recent);
}

enum found { FOUND, FLAW, NOT_YET };

static bool is_constant(const struct ps_bucket_writer *sink)
{
    return sink->settings->placer == NULL && sink->settings->bucket_path.constant != NULL;
}

/* Returns whether all events of the lease belong to the bucket of the first one. */
static bool is_together(const struct ps_bucket_writer *sink, const struct ps_lease *lease)
{
    return is_constant(sink) && lease->count > 0 && lease->cursor == 0 && lease->settled == 0;
}

/* Finds the buckets of all events, or only the bucket of the first event if all events belong to that bucket. New
 * buckets are marked ready, so that they are freed if no event is added to them. */
static enum found find_buckets(struct ps_bucket_writer *sink, const struct ps_lease *lease, const char **flaw)
{
    bool together = is_together(sink, lease);
    struct ps_bucket_name name;
    struct ps_bucket *bucket = NULL;
    memset(sink->taking.flawed_bits, 0, sizeof sink->taking.flawed_bits);
    for (uint32_t position = lease->cursor; position < lease->count; position++) {
        sink->taking.found[position] = NULL;
        if (ps_lease_is_settled(lease, position))
            continue;
        if (bucket == NULL || !is_constant(sink)) {
            enum ps_bucket_placed placed = ps_bucket_find(sink, lease, position, &name, flaw);
            if (placed == PS_BUCKET_PLACE_LATER)
                return NOT_YET;
            if (placed == PS_BUCKET_UNPLACEABLE && !ps_port_has_deadletter(sink->port))
                return FLAW;
            if (placed == PS_BUCKET_UNPLACEABLE) {
                sink->taking.flawed_bits[position / 64] |= UINT64_C(1) << position % 64;
                continue;
            }
            if (!is_same(bucket, &name) && (bucket = bucket_of(sink, &name)) == NULL)
                return NOT_YET; /* no memory */
            ps_bucket_make_ready(sink, bucket);
        }
        sink->taking.found[position] = bucket;
        if (together && position == 0)
            break;
    }
    return FOUND;
}

static void place_events(struct ps_bucket_writer *sink, struct ps_lease *lease)
{
    if (is_together(sink, lease) && sink->taking.found[0] != NULL) {
        note_access(sink, sink->taking.found[0]);
        ps_held_group_add(&sink->pool, &sink->taking.found[0]->waiting, lease, 0, lease->count);
        sink->waiting_bytes += lease->bytes;
        return;
    }
    for (uint32_t position = lease->cursor; position < lease->count; position++) {
        struct ps_bucket *bucket = sink->taking.found[position];
        if (sink->taking.flawed_bits[position / 64] >> position % 64 & 1)
            ps_held_group_add(&sink->pool, &sink->refusals.flawed, lease, position, 1);
        if (bucket == NULL)
            continue;
        note_access(sink, bucket);
        ps_held_group_add(&sink->pool, &bucket->waiting, lease, position, 1);
        sink->waiting_bytes += ps_lease_event(lease, position)->body_length;
    }
}

/* Returns whether a lease can be taken. Events that wait in buckets count as well, so a source that is faster than the file
 * system is stopped before all memory is used. */
static bool has_room(const struct ps_bucket_writer *sink)
{
    return !ps_held_is_full(&sink->held) && sink->held.pinned_bytes < sink->settings->held_bytes_max &&
           sink->filesystem->held_bytes + sink->waiting_bytes < sink->settings->held_bytes_max;
}

/* Pumps each ready bucket once: a bucket that backs off stays ready. */
static void pump_ready(struct ps_bucket_writer *sink)
{
    struct ps_bucket *bucket;
    for (uint32_t left = sink->ready_count; left > 0 && (bucket = TAILQ_FIRST(&sink->ready)) != NULL;
         left--) {
        ps_bucket_unready(sink, bucket);
        ps_bucket_pump(sink, bucket);
        ps_bucket_release(sink, bucket);
    }
}

/* Reports a batch that cannot be written. It is tried again every few seconds without end. */
static void report_flaw(struct ps_bucket_writer *sink, const struct ps_lease *lease, const char *flaw)
{
    char tries[PS_LOG_BACKOFF_BYTES], trouble[512];
    ps_count(sink->port->counters, PS_COUNTER_EventWriteFail, 1);
    snprintf(trouble, sizeof trouble, "an event cannot be written: %s", flaw);
    ps_port_rolls_back(sink->port, trouble);
    if (!ps_log_backoff_says(&sink->taking.flawed_batch, flaw, sink->now.mono_ns))
        return;
    ps_log(PS_LOG_ERROR, sink->port->component,
           "an event cannot be written: %s. Its batch of %s %s, and all batches after it, wait%s; set "
           "penstock.deadletter to take out only such events",
           flaw, ps_quantity_print_count(lease->count).text,
           ps_quantity_word(lease->count, "event", "events"),
           ps_log_backoff_text(&sink->taking.flawed_batch, sink->now.mono_ns, tries));
}

static void begin_call(struct ps_bucket_writer *sink, const struct ps_now *now)
{
    sink->now = *now;
    if (sink->orphans.started_ms == 0)
        sink->orphans.started_ms = now->wall_ms;
}

enum ps_result ps_bucket_writer_work(struct ps_bucket_writer *sink, struct ps_lease **lease,
                                     const struct ps_now *now)
{
    const char *flaw;
    begin_call(sink, now);
    sink->recall_ns = 0;
    sink->refused = !has_room(sink) || !ps_held_pool_reserve(&sink->pool, (*lease)->count);
    if (sink->refused)
        return PS_LATER;
    switch (find_buckets(sink, *lease, &flaw)) {
    case FLAW:
        report_flaw(sink, *lease, flaw);
        return PS_RETRY;
    case NOT_YET:
        return PS_LATER;
    case FOUND:
        break;
    }
    sink->taking.flawed_batch = (struct ps_log_backoff){.tries = 0};
    struct ps_lease *taken = *lease;
    ps_held_add(&sink->held, lease);
    place_events(sink, taken);
    sink->took_ns = now->mono_ns;
    pump_ready(sink);
    return PS_TAKEN;
}

/* ---- the cycle ---- */

static void roll_old(struct ps_bucket_writer *sink)
{
    struct ps_bucket_file *file;
    while ((file = TAILQ_FIRST(&sink->opened.rolls)) != NULL && file->roll_ns <= sink->now.mono_ns) {
        if (file->broken)
            break; /* the failure of the file is handled soon */
        ps_bucket_retire(sink, file->bucket);
    }
    while ((file = TAILQ_FIRST(&sink->opened.idles)) != NULL && file->idle_ns <= sink->now.mono_ns) {
        if (file->broken)
            break;
        ps_bucket_retire(sink, file->bucket);
    }
}

/* When to flush. A flush costs the worker and the datanodes as much as dozens of events. If every lease has a few events for each of
 * many files, a file's flush is delayed in proportion to the number of files, so that it covers more events. If no lease has arrived
 * for a time that is much shorter than the flushes take, and no answer is awaited, all files are flushed, because the source may be
 * waiting for them. */
struct flush_times {
    uint64_t wait_ns; /* delay after the first event of a file */
    uint64_t all_ns;  /* when all files are flushed; PS_NEVER: each file only at its own time */
};

static struct flush_times flush_times(const struct ps_bucket_writer *sink)
{
    if (sink->opened.touch_count <= PS_BUCKET_FLUSHED_FILES || !has_room(sink))
        return (struct flush_times){0};
    return (struct flush_times){
        .wait_ns = ps_least(sink->opened.touch_count * FLUSH_WAIT_NS, FLUSH_WAIT_MAX_NS),
        .all_ns = sink->opened.flush_count > 0 ? PS_NEVER
                                               : sink->took_ns + sink->opened.touch_count * FLUSH_QUIET_NS,
    };
}

static uint64_t flush_due_ns(const struct ps_bucket_file *file, const struct flush_times *times)
{
    return ps_least(file->flushed.touched_ns + times->wait_ns, times->all_ns);
}

static void flush_touched(struct ps_bucket_writer *sink)
{
    const struct flush_times times = flush_times(sink);
    struct ps_bucket_file *next;
    for (struct ps_bucket_file *file = TAILQ_FIRST(&sink->opened.touches);
         file != NULL && flush_due_ns(file, &times) <= sink->now.mono_ns; file = next) {
        next = TAILQ_NEXT(file, touches);
        ps_bucket_file_flush(file);
    }
}

/* Returns when the sink's next timer runs out. */
static uint64_t next_due(const struct ps_bucket_writer *sink)
{
    uint64_t due_ns = PS_NEVER;
    const struct ps_bucket_file *roll = TAILQ_FIRST(&sink->opened.rolls),
                                *idle = TAILQ_FIRST(&sink->opened.idles);
    const struct ps_bucket *bucket;
    if (roll != NULL && !roll->broken)
        due_ns = roll->roll_ns;
    if (idle != NULL && !idle->broken)
        due_ns = ps_least(due_ns, idle->idle_ns);
    TAILQ_FOREACH(bucket, &sink->ready, ready)
    {
        bool waits =
            /* the bucket waits for the answer to another file */
            bucket->file == NULL && ps_bucket_files_are_many(sink);
        if (!waits)
            due_ns = ps_least(due_ns, bucket->rest_ns); /* a time in the past means now */
    }
    return due_ns;
}

/* Returns the time of the next flush, among the files that need not wait for an answer. */
static uint64_t next_flush(const struct ps_bucket_writer *sink)
{
    const struct flush_times times = flush_times(sink);
    const struct ps_bucket_file *file;
    TAILQ_FOREACH(file, &sink->opened.touches, touches)
    {
        if (ps_bucket_file_may_flush(file))
            return flush_due_ns(file, &times);
    }
    return PS_NEVER;
}

uint64_t ps_bucket_writer_tick(struct ps_bucket_writer *sink, const struct ps_now *now)
{
    begin_call(sink, now);
    bool writes = ps_bucket_write_dead_letters(sink);
    roll_old(sink);
    pump_ready(sink);
    flush_touched(sink);
    uint64_t due_ns = ps_bucket_finish_due(sink);
    due_ns = ps_least(due_ns, ps_filesystem_turn(sink->filesystem, now));
    due_ns = ps_least(due_ns, ps_bucket_scan_for_orphans(sink));
    ps_finish_held(&sink->held, sink->port);
    if (sink->refused && has_room(sink))
        due_ns = now->mono_ns;
    if (writes)
        due_ns = ps_least(due_ns, now->mono_ns + PS_DEADLETTER_LOOK_NS);
    due_ns = ps_least(due_ns, next_flush(sink));
    due_ns = ps_least(due_ns, next_due(sink));
    return due_ns > now->mono_ns ? due_ns : now->mono_ns;
}

bool ps_bucket_writer_drain(struct ps_bucket_writer *sink, const struct ps_now *now)
{
    (void)ps_bucket_writer_tick(sink, now);
    return sink->held.count == 0;
}

/* ---- recall ---- */

static void drop_waiting(struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    sink->waiting_bytes -= ps_bucket_bytes_of(sink, &bucket->waiting);
    ps_held_group_clear(&sink->pool, &bucket->waiting);
}

/* Drops the events that were not written yet, and closes every file. */
static void close_all(struct ps_bucket_writer *sink)
{
    struct ps_bucket *bucket, *next;
    while ((bucket = TAILQ_FIRST(&sink->ready)) != NULL) {
        ps_bucket_unready(sink, bucket);
        drop_waiting(sink, bucket);
        ps_bucket_release(sink, bucket);
    }
    for (bucket = TAILQ_FIRST(&sink->recent); bucket != NULL; bucket = next) {
        next = TAILQ_NEXT(bucket, recent);
        drop_waiting(sink, bucket);
        ps_bucket_retire(sink, bucket);
    }
}

/* Returns how long a recall waits for acknowledgements of the file. A file whose creation is not confirmed has no
 * acknowledged events, so the file may be lost. */
static uint64_t acknowledgement_ns(const struct ps_bucket_file *file)
{
    return file->created ? RECALL_NS : CREATE_NS;
}

static bool awaits_acknowledgement(const struct ps_bucket_writer *sink, uint64_t waited_ns)
{
    const struct ps_bucket_file *file;
    TAILQ_FOREACH(file, &sink->files, all)
    {
        if ((file->written.count > 0 || file->broken) && waited_ns < acknowledgement_ns(file))
            return true;
    }
    return false;
}

/* Returns how long a recall waits for the end of the file. A file system that is down does not answer: an operation that failed
 * before is tried once more, and gets only the time of an acknowledgement. */
static uint64_t end_ns(const struct ps_bucket_file *file)
{
    bool failed = file->retry.tries > 0 || file->retry.trouble != NULL ||
                  (file->state == PS_BUCKET_FILE_ASKED && file->next == PS_BUCKET_RECOVER);
    return !file->created || failed ? acknowledgement_ns(file)
                                    : ps_least(file->sink->settings->call_timeout_ns, CLOSE_NS);
}

static bool awaits_end(const struct ps_bucket_writer *sink, uint64_t waited_ns)
{
    const struct ps_bucket_file *file;
    TAILQ_FOREACH(file, &sink->files, all)
    {
        if (ps_bucket_file_is_ending(file) && waited_ns < end_ns(file))
            return true;
    }
    return false;
}

/* Forgets the events of all files and buckets, because their leases go back. */
static void forget_events(struct ps_bucket_writer *sink)
{
    struct ps_bucket_file *file, *next;
    for (file = TAILQ_FIRST(&sink->files); file != NULL; file = next) {
        next = TAILQ_NEXT(file, all);
        ps_bucket_file_forget(file);
    }
    close_all(sink);
}

bool ps_bucket_writer_recall(struct ps_bucket_writer *sink, struct ps_lease **back, const struct ps_now *now)
{
    sink->now = *now;
    if (sink->recall_ns == 0) {
        sink->recall_ns = now->mono_ns;
        sink->refused = false;
        ps_bucket_stop_dead_letters(sink);
        close_all(sink);
        ps_bucket_finish_hurry(sink);
    }
    (void)ps_bucket_finish_due(sink);
    (void)ps_filesystem_turn(sink->filesystem, now);
    uint64_t waited_ns = now->mono_ns - sink->recall_ns;
    if (awaits_acknowledgement(sink, waited_ns))
        return false;
    if (sink->held.count > 0) {
        forget_events(sink);
        ps_held_give_back(&sink->held, back);
    }
    if (awaits_end(sink, waited_ns))
        return false;
    if (!TAILQ_EMPTY(&sink->files))
        ps_log(PS_LOG_WARN, sink->port->component,
               "the file system has not answered: some files are not complete, or keep their in-use names");
    return true;
}

/* ---- the stage's functions ---- */

static struct ps_bucket_writer *sink_of(void *state)
{
    return *(struct ps_bucket_writer **)state;
}

static enum ps_result work(const void *, void *state, struct ps_lease **lease, const struct ps_now *now)
{
    return ps_bucket_writer_work(sink_of(state), lease, now);
}

static uint64_t tick(const void *, void *state, const struct ps_now *now)
{
    return ps_bucket_writer_tick(sink_of(state), now);
}

static bool recall(const void *, void *state, struct ps_lease **back, const struct ps_now *now)
{
    return ps_bucket_writer_recall(sink_of(state), back, now);
}

static bool drain(const void *, void *state, const struct ps_now *now)
{
    return ps_bucket_writer_drain(sink_of(state), now);
}

const struct ps_sink_ops ps_bucket_writer_ops = {
    .sockets = true, .work = work, .tick = tick, .recall = recall, .drain = drain};
