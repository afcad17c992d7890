/* Operations on files whose streams are gone. A file that its writer could not complete is completed; then the file is
 * renamed, or removed if none of its events was acknowledged. */
#include "core/backoff.h"
#include "core/quantity.h"
#include "stages/lib/hadoop/bucket_writer/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RECOVER_LOOK_NS PS_NS_PER_S /* interval of the questions whether a file is closed */
#define LATER_LOOK_NS                                                                                        \
    (10 * PS_NS_PER_S) /* the same after the call time-out, or while another client has the lease */
#define LEASE_NS (90 * PS_NS_PER_S) /* HDFS grants the lease to any client 60 s after its last renewal */
/* without leases: a file that was not written to for this time counts as one without a writer */
#define QUIET_MS (10 * UINT64_C(60000))
#define REMOVE_TRIES 3U /* tries to remove an empty file */
/* If the tries have no limit, the interval grows after this number of tries, up to an hour; an interval that is longer stays as it is. An
 * operation that was refused so often is refused until somebody puts the cause right, and there may be many such files. */
#define STEADY_TRIES 10U
#define LONG_NS (60 * 60 * PS_NS_PER_S)

char *ps_bucket_file_name(const struct ps_bucket_file *file, bool in_use)
{
    const struct ps_bucket_writer_settings *settings = file->sink->settings;
    char *text = NULL;
    if (asprintf(&text, "%.*s/%s%.*s.%" PRIu64 "%s%s", (int)file->directory_length, file->bucket_name,
                 in_use ? settings->in_use_prefix : "", (int)file->prefix_length,
                 file->bucket_name + file->directory_length + 1, file->counter, settings->file_suffix,
                 in_use ? settings->in_use_suffix : "") < 0)
        return NULL;
    text[ps_bucket_path_normalize(text, (uint32_t)strlen(text))] =
        '\0'; /* the configured prefixes and suffixes may have slashes */
    return text;
}

static void perform(struct ps_bucket_file *file);

static void go_on_after_rest(struct ps_hadoop_timer *timer)
{
    perform((struct ps_bucket_file *)(void *)((char *)timer - offsetof(struct ps_bucket_file, retry.timer)));
}

static void leave(struct ps_bucket_file *file)
{
    struct ps_bucket_writer *sink = file->sink;
    TAILQ_REMOVE(&sink->ending.files, file, finishing);
    sink->ending.count--;
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_BUCKET_FILES_CLOSING, sink->ending.count);
    ps_bucket_file_free(file);
}

static void rest(struct ps_bucket_file *file, uint64_t rest_ns)
{
    struct ps_bucket_writer *sink = file->sink;
    ps_bucket_file_set_state(file, PS_BUCKET_FILE_RESTS);
    file->retry.timer.fire = go_on_after_rest;
    ps_hadoop_timer_set(&sink->ending.resting, &file->retry.timer, sink->now.mono_ns + rest_ns);
}

/* ---- tries ---- */

/* Returns the time from the last failed try to the next one. */
static uint64_t interval_ns(const struct ps_bucket_file *file)
{
    const struct ps_bucket_writer_settings *settings = file->sink->settings;
    if (settings->close_tries != PS_BUCKET_TRIES_ENDLESS || file->retry.tries <= STEADY_TRIES)
        return settings->retry_ns;
    return ps_backoff_doubled(settings->retry_ns, settings->retry_ns > LONG_NS ? settings->retry_ns : LONG_NS,
                              file->retry.tries - STEADY_TRIES);
}

static const char *const verbs[] = {
    [PS_BUCKET_RECOVER] = "complete", [PS_BUCKET_RENAME] = "rename", [PS_BUCKET_REMOVE] = "remove"};

/* Returns whether the file system will complete the file later: it cannot be reached now, there is no memory for the request, its
 * datanodes do not agree on the length yet, or another client has the lease until it expires (through WebHDFS, that client may be a
 * DataNode that was lost). */
static bool will_complete(const struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    return file->next == PS_BUCKET_RECOVER &&
           (ps_file_error_may_pass(answer->error) || answer->error == PS_FILE_LEASE);
}

static void fail(struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    struct ps_bucket_writer *sink = file->sink;
    char behind[PS_BUCKET_TROUBLE_BYTES];
    uint32_t tries_max = sink->settings->close_tries;
    if (file->next == PS_BUCKET_REMOVE && tries_max > REMOVE_TRIES)
        tries_max = REMOVE_TRIES;
    ps_count(sink->port->counters, PS_COUNTER_ConnectionFailedCount, 1);
    if (++file->retry.tries >= tries_max) {
        ps_log(PS_LOG_ERROR, sink->port->component,
               "cannot %s %s: %s; the sink gives up after %u tries (hdfs.closeTries), and leaves the file as "
               "it is",
               verbs[file->next], file->path, answer->reason, file->retry.tries);
        leave(file);
        return;
    }
    if (file->next == PS_BUCKET_RENAME)
        ps_count(sink->port->counters, (enum ps_counter)PS_BUCKET_RENAMES_RETRIED, 1);
    uint64_t wait_ns = interval_ns(file);
    if (ps_bucket_trouble_met(sink, &file->retry.trouble, verbs[file->next], answer->reason, behind))
        ps_log(PS_LOG_WARN, sink->port->component, "cannot %s %s: %s; tries again in %s%s", verbs[file->next],
               file->path, answer->reason, ps_quantity_print_ns(wait_ns).text, behind);
    file->retry.give_up_ns = 0;
    rest(file, will_complete(file, answer) && wait_ns > LATER_LOOK_NS ? LATER_LOOK_NS : wait_ns);
}

static void go_on(struct ps_bucket_file *file, enum ps_bucket_next next)
{
    ps_bucket_trouble_over(file->sink, &file->retry.trouble);
    file->next = next;
    perform(file);
}

/* Removes an orphan that is empty; renames an orphan that is not. */
static void measured(void *file_, const struct ps_file_answer *answer)
{
    bool empty =
        answer->error == PS_FILE_OK && answer->entry_count > 0 && answer->entries[0].length_bytes == 0;
    go_on(file_, empty ? PS_BUCKET_REMOVE : PS_BUCKET_RENAME);
}

static void cut(void *file_, const struct ps_file_answer *answer)
{
    struct ps_bucket_file *file = file_;
    if (answer->error != PS_FILE_OK)
        fail(file, answer);
    else
        ps_file_stat(file->sink->filesystem, file->path, measured, file);
}

/* Called when the file is complete: cuts an incomplete last line, whose event was not acknowledged because the
 * file's writer was killed. */
static void look_at_end(struct ps_bucket_file *file)
{
    const struct ps_bucket_writer *sink = file->sink;
    if (sink->settings->is_lines && sink->filesystem->ops->cut_line != NULL)
        ps_file_cut_line(sink->filesystem, file->path, cut, file);
    else
        ps_file_stat(sink->filesystem, file->path, measured, file);
}

/* Makes the file wait before the next question. The wait is much shorter than hdfs.retryInterval, which only limits
 * how often a try is counted. Returns false if the file does not have to wait. */
static bool waits(struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    uint64_t now_ns = file->sink->now.mono_ns;
    if (!will_complete(file, answer) || now_ns >= file->retry.give_up_ns)
        return false;
    bool soon = answer->error == PS_FILE_UNAVAILABLE && now_ns < file->retry.soon_until_ns;
    ps_log(PS_LOG_DEBUG, file->sink->port->component, "cannot complete %s yet: %s", file->path,
           answer->reason);
    rest(file, soon ? RECOVER_LOOK_NS : LATER_LOOK_NS);
    return true;
}

/* Leaves a file of another run that another client is writing. */
static void let_go(struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    ps_log(PS_LOG_INFO, file->sink->port->component, "leaves %s alone: %s", file->path, answer->reason);
    leave(file);
}

static void recovered(void *file_, const struct ps_file_answer *answer)
{
    struct ps_bucket_file *file = file_;
    struct ps_bucket_writer *sink = file->sink;
    if (waits(file, answer)) {
        return;
    } else if (answer->error == PS_FILE_LEASE && file->orphan) {
        let_go(file, answer);
    } else if (answer->error == PS_FILE_MISSING && file->orphan) {
        leave(file); /* the file's writer has renamed it */
    } else if (answer->error == PS_FILE_OK || answer->error == PS_FILE_UNSUPPORTED) {
        ps_count(sink->port->counters, (enum ps_counter)PS_BUCKET_FILES_RECOVERED, 1);
        file->retry.tries = 0;
        if (file->orphan)
            look_at_end(file);
        else
            go_on(file, PS_BUCKET_RENAME);
    } else if (answer->error == PS_FILE_MISSING) {
        ps_log(PS_LOG_ERROR, sink->port->component,
               "%s no longer exists: somebody removed or renamed the file or its directory while the sink "
               "wrote the file; %s %s in it",
               file->path, ps_quantity_print_count(file->acknowledged).text,
               ps_quantity_word(file->acknowledged, "event that was acknowledged was",
                                "events that were acknowledged were"));
        leave(file);
    } else {
        fail(file, answer);
    }
}

/* Takes the next number, because another file has the final name. */
static bool take_next_name(struct ps_bucket_file *file)
{
    file->counter++;
    char *target = ps_bucket_file_name(file, false);
    if (target == NULL)
        return false;
    free(file->target);
    file->target = target;
    return true;
}

static void renamed(void *file_, const struct ps_file_answer *answer)
{
    struct ps_bucket_file *file = file_;
    if (answer->error == PS_FILE_OK) {
        ps_log(PS_LOG_DEBUG, file->sink->port->component, "%s is complete", file->target);
        ps_bucket_trouble_over(file->sink, &file->retry.trouble);
        leave(file);
    } else if (answer->error == PS_FILE_EXISTS && take_next_name(file)) {
        perform(file);
    } else if (answer->error == PS_FILE_MISSING) {
        if (file->retry.tries == 0) /* an earlier attempt without an answer may have renamed the file */
            ps_log(PS_LOG_ERROR, file->sink->port->component,
                   "%s no longer exists: the sink cannot rename it to %s; %s %s in it", file->path,
                   file->target, ps_quantity_print_count(file->acknowledged).text,
                   ps_quantity_word(file->acknowledged, "event that was acknowledged was",
                                    "events that were acknowledged were"));
        leave(file);
    } else {
        fail(file, answer);
    }
}

static void removed(void *file_, const struct ps_file_answer *answer)
{
    struct ps_bucket_file *file = file_;
    if (answer->error == PS_FILE_OK || answer->error == PS_FILE_MISSING)
        leave(file);
    else
        fail(file, answer);
}

/* Decides by age whether a file of another run is in use, on a file system without leases. */
static void aged(void *file_, const struct ps_file_answer *answer)
{
    struct ps_bucket_file *file = file_;
    const struct ps_bucket_writer *sink = file->sink;
    uint64_t now_ms = (uint64_t)sink->now.wall_ms;
    if (answer->error != PS_FILE_OK)
        recovered(file, answer);
    else if (now_ms < answer->entries[0].modified_ms + QUIET_MS)
        rest(file, (answer->entries[0].modified_ms + QUIET_MS - now_ms) * PS_NS_PER_MS);
    else
        ps_file_recover(sink->filesystem, file->path, PS_FILE_ABANDONED, recovered, file);
}

static void recover(struct ps_bucket_file *file)
{
    const struct ps_bucket_writer *sink = file->sink;
    uint64_t now_ns = sink->now.mono_ns, call_ns = sink->settings->call_timeout_ns;
    if (file->retry.give_up_ns == 0 && file->retry.tries == 0) {
        file->retry.soon_until_ns = now_ns + call_ns;
        file->retry.give_up_ns = now_ns + (call_ns > LEASE_NS ? call_ns : LEASE_NS);
    } else if (file->retry.give_up_ns == 0) {
        file->retry.give_up_ns = now_ns + sink->settings->retry_ns;
    }
    if (file->orphan && !sink->filesystem->has_leases)
        ps_file_stat(sink->filesystem, file->path, aged, file);
    else
        ps_file_recover(sink->filesystem, file->path, file->orphan ? PS_FILE_ABANDONED : PS_FILE_OWN,
                        recovered, file);
}

static void perform(struct ps_bucket_file *file)
{
    struct ps_bucket_writer *sink = file->sink;
    if (file->orphan && file->next == PS_BUCKET_RECOVER &&
        sink->ending.busy_count >= PS_BUCKET_ENDING_MAX / 4) {
        rest(file, RECOVER_LOOK_NS); /* the agent's own files come first */
        return;
    }
    ps_bucket_file_set_state(file, PS_BUCKET_FILE_ASKED);
    switch (file->next) {
    case PS_BUCKET_RECOVER:
        recover(file);
        return;
    case PS_BUCKET_RENAME:
        if (strcmp(file->path, file->target) == 0)
            leave(file);
        else
            ps_file_rename(sink->filesystem, file->path, file->target, renamed, file);
        return;
    case PS_BUCKET_REMOVE:
        ps_file_remove(sink->filesystem, file->path, removed, file);
        return;
    }
}

void ps_bucket_finish(struct ps_bucket_file *file, enum ps_bucket_next next)
{
    struct ps_bucket_writer *sink = file->sink;
    TAILQ_INSERT_TAIL(&sink->ending.files, file, finishing);
    sink->ending.count++;
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_BUCKET_FILES_CLOSING, sink->ending.count);
    file->next = next;
    file->retry.tries = 0;
    perform(file);
}

uint64_t ps_bucket_finish_due(struct ps_bucket_writer *sink)
{
    /* each file once: one that fails at once may be due again */
    struct ps_hadoop_timer *timer;
    for (uint32_t left = sink->ending.count; left > 0 && (timer = sink->ending.resting) != NULL; left--) {
        if (timer->due_ns > sink->now.mono_ns)
            break;
        ps_hadoop_timer_unset(&sink->ending.resting, timer);
        timer->fire(timer);
    }
    return sink->ending.resting != NULL ? sink->ending.resting->due_ns : PS_NEVER;
}

void ps_bucket_finish_hurry(struct ps_bucket_writer *sink)
{
    struct ps_bucket_file *file;
    TAILQ_FOREACH(file, &sink->ending.files, finishing)
    file->retry.timer.due_ns = 0; /* of all files, so that the heap stays in order */
}
