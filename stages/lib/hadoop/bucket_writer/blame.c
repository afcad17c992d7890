/* Decides whether a file that cannot be created is the fault of the events, whose headers chose its path (decision 161), or of the
 * configuration, of rights, or of the file system as a whole. Only the first makes dead letters. */
#include "stages/lib/hadoop/bucket_writer/internal.h"

#define BASE_NS (10 * PS_NS_PER_S) /* how long an answer about the common directory is valid */
#define DENIALS_MIN 3U

static void learnt_base(void *sink_, const struct ps_file_answer *answer)
{
    struct ps_bucket_writer *sink = sink_;
    sink->base =
        (struct ps_bucket_base){.known = true,
                                .is_directory = answer->error == PS_FILE_OK && answer->entry_count > 0 &&
                                                answer->entries[0].directory,
                                .due_ns = sink->now.mono_ns + BASE_NS};
}

/* A file in the place of a directory. If the directory that all events have in common is one, an event chose the file. */
static enum ps_bucket_blame blame_for_parent(struct ps_bucket_writer *sink)
{
    struct ps_bucket_base *base = &sink->base;
    if (base->known && sink->now.mono_ns < base->due_ns)
        return base->is_directory ? PS_BUCKET_BLAME_EVENTS : PS_BUCKET_BLAME_NOBODY;
    if (!base->asked) {
        base->asked = true;
        ps_file_stat(sink->filesystem, sink->settings->bucket_path.base, learnt_base, sink);
    }
    return PS_BUCKET_BLAME_LATER;
}

/* A directory that may not be written to. If other directories of the sink may be, again and again, an event chose it. */
static enum ps_bucket_blame blame_for_denial(const struct ps_bucket_writer *sink, struct ps_bucket *bucket)
{
    if (bucket->denials++ == 0)
        bucket->others = sink->acknowledged_flushes;
    bool others_succeed = sink->acknowledged_flushes > bucket->others;
    return bucket->denials >= DENIALS_MIN && others_succeed ? PS_BUCKET_BLAME_EVENTS : PS_BUCKET_BLAME_NOBODY;
}

static enum ps_bucket_blame judge(struct ps_bucket_writer *sink, struct ps_bucket *bucket,
                                  enum ps_file_error error)
{
    switch (error) {
    case PS_FILE_NAME:
        return PS_BUCKET_BLAME_EVENTS;
    case PS_FILE_PARENT:
        return blame_for_parent(sink);
    case PS_FILE_DENIED:
        return blame_for_denial(sink, bucket);
    default:
        return PS_BUCKET_BLAME_NOBODY;
    }
}

/* The paths of a placer are no events' choice of directories; they can be refused for other reasons. */
enum ps_bucket_blame ps_bucket_blame(struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    struct ps_bucket_writer *sink = file->sink;
    if (file->created || sink->settings->placer != NULL || !sink->settings->bucket_path.by_header ||
        !ps_bucket_has_dead_letters(sink))
        return PS_BUCKET_BLAME_NOBODY;
    enum ps_bucket_blame blame = judge(sink, file->bucket, answer->error);
    if (blame == PS_BUCKET_BLAME_EVENTS && !ps_bucket_may_refuse(sink, answer->reason))
        return PS_BUCKET_BLAME_LATER;
    return blame;
}

bool ps_bucket_has_taken_name(const struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    return (answer->error == PS_FILE_EXISTS || answer->error == PS_FILE_LEASE) && !file->created;
}

bool ps_bucket_is_exhausted(const struct ps_bucket_file *file, const struct ps_file_answer *answer)
{
    const struct ps_port *port = file->sink->port;
    file->bucket->attempts +=
        !ps_file_error_may_pass(answer->error) && !ps_bucket_has_taken_name(file, answer);
    bool exhausted = port->retry_max > 0 && file->bucket->attempts >= port->retry_max;
    return exhausted && ps_bucket_has_dead_letters(file->sink);
}
