/* Files that an agent left under their names in use when it was killed: looked for once in the directory of each bucket. Another agent
 * that runs may write there, and recovering its file would take it away: so that is done only when the user says so. */
#include "stages/hdfs_sink/parts.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Kept after its answer, so that the bucket is looked for once. */
struct ps_hdfs_look {
    TAILQ_ENTRY(ps_hdfs_look) looks;
    struct ps_hdfs_sink *sink;
    uint32_t length, directory_length;
    char name[]; /* the bucket's */
};

/* Takes `part` off the beginning of *text. */
static bool take_text(const char **text, const char *part, size_t length)
{
    if (strncmp(*text, part, length) != 0)
        return false;
    *text += length;
    return true;
}

/* Whether a file is one of the bucket's under its name in use; sets its number. */
static bool is_in_use(const struct ps_hdfs_look *look, const char *name, uint64_t *counter)
{
    const struct ps_hdfs_settings *settings = look->sink->settings;
    const char *prefix = look->name + look->directory_length + 1;
    char *end;
    if (!take_text(&name, settings->in_use_prefix, strlen(settings->in_use_prefix)) ||
        !take_text(&name, prefix, look->length - look->directory_length - 1) || !take_text(&name, ".", 1) ||
        !isdigit((unsigned char)*name))
        return false;
    *counter = strtoull(name, &end, 10);
    name = end;
    return take_text(&name, settings->file_suffix, strlen(settings->file_suffix)) &&
           strcmp(name, settings->in_use_suffix) == 0;
}

static void recover(struct ps_hdfs_look *look, uint64_t counter)
{
    struct ps_hdfs_sink *sink = look->sink;
    struct ps_hdfs_file *file = calloc(1, sizeof *file + look->length);
    if (file == NULL)
        return;
    file->sink = sink;
    file->created = file->orphan = true;
    file->roll_ns = file->idle_ns = PS_NEVER;
    file->counter = counter;
    file->directory_length = look->directory_length;
    file->prefix_length = look->length - look->directory_length - 1;
    memcpy(file->bucket_name, look->name, look->length);
    TAILQ_INSERT_TAIL(&sink->files, file, all);
    file->path = ps_hdfs_file_name(file, true);
    file->target = ps_hdfs_file_name(file, false);
    if (file->path == NULL || file->target == NULL)
        ps_hdfs_file_free(file);
    else
        ps_hdfs_finish(file, PS_HDFS_RECOVER);
}

static void listed(void *look_, const struct ps_file_answer *answer)
{
    struct ps_hdfs_look *look = look_;
    struct ps_hdfs_sink *sink = look->sink;
    const char *first = NULL;
    uint64_t counter, count = 0;
    for (size_t i = 0; i < answer->entry_count; i++) {
        const struct ps_file_status *entry = &answer->entries[i];
        if (entry->directory || !is_in_use(look, entry->name, &counter) ||
            counter >= (uint64_t)sink->started_ms)
            continue;
        if (count++ == 0)
            first = entry->name;
        if (sink->settings->recovers_orphans)
            recover(look, counter);
    }
    if (count == 0)
        return;
    ps_count(sink->port->counters, (enum ps_counter)PS_HDFS_ORPHANS, count);
    if (sink->settings->recovers_orphans)
        ps_log(PS_LOG_INFO, sink->port->component,
               "%.*s: %" PRIu64 " files are in use since before this start (%s): completes and renames them",
               (int)look->directory_length, look->name, count, first);
    else
        ps_log(PS_LOG_WARN, sink->port->component,
               "%.*s: %" PRIu64 " files are in use since before this start (%s): if they are of an agent "
               "that was killed, and no other "
               "agent writes there, penstock.orphans = recover completes and renames them",
               (int)look->directory_length, look->name, count, first);
}

void ps_hdfs_sink_look(struct ps_hdfs_sink *sink, const struct ps_hdfs_bucket_name *bucket)
{
    const struct ps_hdfs_settings *settings = sink->settings;
    struct ps_hdfs_look *look;
    char directory[PS_HDFS_PLACE_BYTES];
    bool named = settings->in_use_prefix[0] != '\0' || settings->in_use_suffix[0] != '\0';
    if (!named || memchr(bucket->text + bucket->directory_length + 1, '/',
                         bucket->length - bucket->directory_length - 1) != NULL)
        return;
    TAILQ_FOREACH(look, &sink->looks, looks)
    {
        if (look->length == bucket->length && memcmp(look->name, bucket->text, look->length) == 0)
            return;
    }
    if (sink->look_count == PS_HDFS_LOOKS_MAX ||
        (look = calloc(1, sizeof *look + bucket->length + 1)) == NULL)
        return;
    look->sink = sink;
    look->length = bucket->length;
    look->directory_length = bucket->directory_length;
    memcpy(look->name, bucket->text, bucket->length);
    TAILQ_INSERT_HEAD(&sink->looks, look, looks);
    sink->look_count++;
    snprintf(directory, sizeof directory, "%.*s%s", (int)bucket->directory_length, bucket->text,
             bucket->directory_length == 0 ? "/" : "");
    ps_file_list(sink->filesystem, directory, listed, look);
}

void ps_hdfs_forget_looks(struct ps_hdfs_sink *sink)
{
    struct ps_hdfs_look *look;
    while ((look = TAILQ_FIRST(&sink->looks)) != NULL) {
        TAILQ_REMOVE(&sink->looks, look, looks);
        free(look);
    }
}
