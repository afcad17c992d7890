#include "stages/lib/flume_log/reader.h"
#include "core/array.h"
#include "core/durable.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/flume_log/directory.h"
#include "stages/lib/flume_log/lock.h"
#include "stages/lib/flume_log/replay.h"

#define PATH_BYTES 4096U
#define REPORT_BYTES 5120U

struct directory {
    char *path;
    struct ps_flume_lock *lock;
};

struct ps_flume_log {
    struct ps_flume_log_options options;
    struct directory *directories;
    size_t directory_count;
    char *checkpoint_path; /* directory of the checkpoint; NULL: none was given */
    struct ps_flume_log_file **files;
    size_t file_count;
    struct ps_number_map by_number; /* number of a log -> its index in `files` */
    struct ps_flume_replay replay;
    struct ps_flume_log_found found;
    size_t at; /* index in the queue */
    struct ps_flume_header *headers;
    size_t header_room;
};

static void report(struct ps_flume_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void report(struct ps_flume_log *log, const char *format, ...)
{
    char text[REPORT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log->options.report(log->options.argument, text);
}

/* ---- directories and files ---- */

static void directory_add(struct ps_flume_log *log, const char *path)
{
    log->directories = ps_must_realloc(log->directories,
                                       (log->directory_count + 1) * sizeof *log->directories, "directories");
    log->directories[log->directory_count++] =
        (struct directory){.path = ps_must_copy_text(path, "directories")};
}

/* Adds a directory of the channel, or the two directories below it. */
static enum ps_status directory_find(struct ps_flume_log *log, const char *path, struct ps_err *err)
{
    static const char *const parts[] = {"data", "checkpoint"};
    size_t before = log->directory_count;
    char below[PATH_BYTES];
    if (ps_flume_log_is_directory(path)) {
        directory_add(log, path);
        return PS_OK;
    }
    for (size_t i = 0; i < PS_COUNT_OF(parts); i++) {
        snprintf(below, sizeof below, "%s/%s", path, parts[i]);
        if (ps_flume_log_is_directory(below))
            directory_add(log, below);
    }
    if (log->directory_count > before)
        return PS_OK;
    if (!ps_directory_exists(path))
        return ps_err_set(err, "%s: there is no such directory", path);
    return ps_err_set(err,
                      "%s has no Flume file channel: neither log-1.meta nor checkpoint.meta is in it, nor in "
                      "its directories data and checkpoint",
                      path);
}

static enum ps_status file_add(struct ps_flume_log *log, const char *directory, uint32_t number,
                               struct ps_err *err)
{
    const char *damaged;
    if (ps_number_map_get(&log->by_number, number, NULL))
        return ps_err_set(err,
                          "%s/log-%u: another directory has a log of that number; these are directories of "
                          "two channels",
                          directory, number);
    struct ps_flume_log_file *file =
        ps_flume_log_file_open(directory, number, &log->options.keys, &damaged, err);
    if (file == NULL)
        return PS_FAIL;
    if (damaged != NULL)
        report(log, "%s: %s; the log is read without it", file->path, damaged);
    ps_number_map_put(&log->by_number, number, (uint32_t)log->file_count);
    log->files = ps_must_realloc(log->files, (log->file_count + 1) * sizeof *log->files, "logs of Flume");
    log->files[log->file_count++] = file;
    return PS_OK;
}

static enum ps_status directory_open(struct ps_flume_log *log, struct directory *directory,
                                     struct ps_err *err)
{
    enum ps_status status = ps_flume_lock(directory->path, &directory->lock, err);
    DIR *listing = status == PS_OK ? opendir(directory->path) : NULL;
    if (status == PS_OK && listing == NULL)
        status = ps_err_set(err, "%s cannot be read: %s", directory->path, strerror(errno));
    const struct dirent *entry = NULL;
    while (status == PS_OK) {
        errno = 0;
        entry = readdir(listing);
        if (entry == NULL && errno != 0)
            status = ps_err_set(err, "%s cannot be read: %s", directory->path, strerror(errno));
        if (entry == NULL)
            break;
        uint32_t number = ps_flume_log_number(entry->d_name);
        if (number > 0)
            status = file_add(log, directory->path, number, err);
        else if (strcmp(entry->d_name, "checkpoint.meta") == 0 && log->checkpoint_path == NULL)
            log->checkpoint_path = directory->path;
        else if (strcmp(entry->d_name, "checkpoint.meta") == 0)
            status = ps_err_set(
                err, "%s and %s both have a checkpoint; name only the checkpointDir of one channel",
                log->checkpoint_path, directory->path);
    }
    if (listing != NULL)
        closedir(listing);
    return status;
}

/* Returns whether a log file that was encrypted with this key could be decrypted, so that the key is the right one. A log without records
 * shows nothing. */
static bool key_is_right(const struct ps_flume_log *log, const char *key_name)
{
    for (size_t i = 0; i < log->file_count; i++)
        if (log->files[i]->key_name != NULL && strcmp(log->files[i]->key_name, key_name) == 0 &&
            ps_flume_log_file_has_record(log->files[i]))
            return true;
    return false;
}

/* Sets the error for a log that the disk cannot read. Returns PS_FAIL. */
static enum ps_status unreadable(const struct ps_flume_log_file *file, struct ps_err *err)
{
    return ps_err_set(err, "%s cannot be read: %s, at byte %llu: whether there are events is not known",
                      file->path, strerror(file->error), (unsigned long long)file->error_at);
}

static enum ps_status all_readable(const struct ps_flume_log *log, struct ps_err *err)
{
    for (size_t i = 0; i < log->file_count; i++) {
        if (log->files[i]->error != 0)
            return unreadable(log->files[i], err);
    }
    return PS_OK;
}

/* Fails if a key seems wrong. With a wrong key a log looks damaged from its first byte to its last, and the events
 * of the other logs would look like the whole channel. */
static enum ps_status keys_check(const struct ps_flume_log *log, struct ps_err *err)
{
    for (size_t i = 0; i < log->file_count; i++) {
        struct ps_flume_log_file *file = log->files[i];
        bool is_noise =
            file->key_name != NULL && ps_flume_log_file_is_noise(file) && !key_is_right(log, file->key_name);
        if (all_readable(log, err) != PS_OK)
            return PS_FAIL;
        if (is_noise)
            return ps_err_set(err,
                              "%s: the log is encrypted, and no record of it can be read: key %s is not the "
                              "key of Flume. If the key is right, all of the log is damaged: move it away",
                              file->path, file->key_name);
    }
    return PS_OK;
}

static enum ps_status directories_open(struct ps_flume_log *log, struct ps_err *err)
{
    enum ps_status status = PS_OK;
    for (size_t i = 0; status == PS_OK && i < log->options.directories.count; i++)
        status = directory_find(log, log->options.directories.items[i], err);
    for (size_t i = 0; status == PS_OK && i < log->directory_count; i++)
        status = directory_open(log, &log->directories[i], err);
    if (status == PS_OK && log->file_count == 0)
        status = ps_err_set(err, "%s has no log of a Flume file channel; name its dataDirs as well",
                            log->directories[0].path);
    return status == PS_OK ? keys_check(log, err) : status;
}

/* ---- the checkpoint ---- */

static enum ps_status logs_are_there(struct ps_flume_log *log, const struct ps_flume_checkpoint *checkpoint,
                                     struct ps_err *err)
{
    for (size_t i = 0; i < checkpoint->queue_count; i++) {
        uint64_t number = checkpoint->queue[i] >> 32;
        if (!ps_number_map_get(&log->by_number, number, NULL))
            return ps_err_set(err,
                              "log-%llu, whose events %s lists, is in none of the directories; name all "
                              "dataDirs of the channel, or, if the log is lost, the dataDirs alone",
                              (unsigned long long)number, log->checkpoint_path);
    }
    return PS_OK;
}

static enum ps_status checkpoint_open(struct ps_flume_log *log, struct ps_flume_checkpoint *checkpoint,
                                      struct ps_err *err)
{
    int error = 0;
    const char *wrong = log->checkpoint_path == NULL
                            ? "no directory with a checkpoint was named"
                            : ps_flume_checkpoint_read(log->checkpoint_path, checkpoint, &error);
    if (error != 0) /* the checkpoint may be intact; without it, delivered events would come again */
        return ps_err_set(err,
                          "%s: the checkpoint cannot be read: %s; name the dataDirs alone to replay all logs "
                          "without it",
                          log->checkpoint_path, strerror(error));
    if (wrong == NULL)
        log->found.checkpoint = log->checkpoint_path;
    else
        report(log, "%s: the checkpoint is not used: %s; all logs are replayed",
               log->checkpoint_path != NULL ? log->checkpoint_path : log->directories[0].path, wrong);
    return wrong == NULL ? logs_are_there(log, checkpoint, err) : PS_OK;
}

/* ---- replay: the records of all logs, merged by their order ---- */

struct head {
    struct ps_flume_log_file *file;
    struct ps_flume_record record;
    uint32_t offset;
    uint64_t damages; /* damaged places before the record */
};

/* Returns whether the left record comes before the right one, in Flume's order. */
static bool is_before(const struct head *left, const struct head *right)
{
    static const int rank[] = {
        [PS_FLUME_TAKE] = 0, [PS_FLUME_PUT] = 1, [PS_FLUME_ROLLBACK] = 2, [PS_FLUME_COMMIT] = 3};
    const struct ps_flume_frame *a = &left->record.frame, *b = &right->record.frame;
    if (a->order != b->order)
        return a->order < b->order;
    if (a->transaction != b->transaction)
        return a->transaction < b->transaction;
    return rank[a->kind] < rank[b->kind];
}

static void sift_down(struct head *heap, size_t count, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (is_before(&heap[child], &heap[least]))
                least = child;
        if (least == at)
            return;
        struct head moved = heap[at];
        heap[at] = heap[least];
        heap[least] = moved;
        at = least;
    }
}

/* Reads the file's next record. Returns false after the last. */
static bool advance(struct ps_flume_log *log, struct head *head)
{
    struct ps_flume_damage damage;
    for (;;) {
        switch (ps_flume_log_file_next(head->file, &head->record, &head->offset, &damage)) {
        case PS_FLUME_READ:
            return true;
        case PS_FLUME_DONE:
            return false;
        case PS_FLUME_DAMAGED:
            log->found.damages++;
            head->damages++;
            report(log, "%s, byte %llu, %llu bytes: %s; left out", damage.path,
                   (unsigned long long)damage.offset, (unsigned long long)damage.length, damage.reason);
        }
    }
}

/* Tells the replay that bytes before this record are damaged: the commit or rollback of an open transaction may be
 * among them. */
static void tell_damages(struct ps_flume_log *log, struct head *head)
{
    for (; head->damages > 0; head->damages--)
        ps_flume_replay_damage(&log->replay);
}

static void replay(struct ps_flume_log *log)
{
    struct head *heap = ps_must_alloc(log->file_count + 1, sizeof *heap, "a replay");
    struct head ended = {0}; /* counts the damage after the last record of a log */
    size_t count = 0;
    for (size_t i = 0; i < log->file_count; i++) {
        heap[count] = (struct head){.file = log->files[i]};
        if (advance(log, &heap[count]))
            count++;
        else
            ended.damages += heap[count].damages;
    }
    for (size_t i = count; i > 0; i--)
        sift_down(heap, count, i - 1);
    while (count > 0) {
        struct head *first = &heap[0];
        tell_damages(log, first);
        ps_flume_replay_record(&log->replay, &first->record,
                               ps_flume_pointer(first->file->number, first->offset));
        if (!advance(log, first)) {
            ended.damages += first->damages;
            *first = heap[--count];
        }
        sift_down(heap, count, 0);
    }
    tell_damages(log, &ended);
    free(heap);
    ps_flume_replay_end(&log->replay);
}

/* ---- functions for callers ---- */

struct ps_flume_log *ps_flume_log_open(const struct ps_flume_log_options *options, struct ps_err *err)
{
    struct ps_flume_checkpoint checkpoint = {0};
    struct ps_flume_log *log = ps_must_alloc(1, sizeof *log, "a channel of Flume");
    log->options = *options;
    enum ps_status status = directories_open(log, err);
    if (status == PS_OK)
        status = checkpoint_open(log, &checkpoint, err);
    if (status == PS_OK) {
        ps_flume_replay_begin(&log->replay, log->found.checkpoint != NULL ? &checkpoint : NULL);
        replay(log);
        status = all_readable(log, err);
    }
    ps_flume_checkpoint_fini(&checkpoint);
    if (status != PS_OK) {
        ps_flume_log_close(log);
        return NULL;
    }
    log->found.logs = log->file_count;
    for (size_t i = 0; i < log->file_count; i++)
        log->found.encrypted_logs += log->files[i]->cipher != NULL;
    log->found.puts = log->replay.puts;
    log->found.takes = log->replay.takes;
    log->found.commits = log->replay.commits;
    log->found.rollbacks = log->replay.rollbacks;
    log->found.uncommitted = log->replay.uncommitted;
    log->found.uncertain = log->replay.uncertain;
    for (size_t at = 0; ps_flume_replay_next(&log->replay, &at) != 0;)
        log->found.events++;
    return log;
}

/* Loads an event. Returns NULL, or the reason why it cannot be read. */
static const char *load(struct ps_flume_log *log, uint64_t pointer, struct ps_flume_record *record)
{
    uint32_t place;
    if (!ps_number_map_get(&log->by_number, pointer >> 32, &place))
        return "the log is not there";
    const char *wrong = ps_flume_log_file_load(log->files[place], (uint32_t)pointer, record);
    return wrong == NULL && record->frame.kind != PS_FLUME_PUT ? "the record is not an event" : wrong;
}

enum ps_status ps_flume_log_end(const struct ps_flume_log *log, struct ps_err *err)
{
    return all_readable(log, err);
}

bool ps_flume_log_next(struct ps_flume_log *log, struct ps_flume_event *event)
{
    struct ps_flume_record record;
    struct ps_flume_event_reader reader;
    struct ps_flume_header header;
    uint64_t pointer;
    while ((pointer = ps_flume_replay_next(&log->replay, &log->at)) != 0) {
        const char *wrong = load(log, pointer, &record);
        if (wrong != NULL && all_readable(log, NULL) != PS_OK)
            return false;
        if (wrong != NULL) {
            log->found.events_lost++;
            report(log, "log-%llu, byte %llu: an event of the channel cannot be read: %s; left out",
                   (unsigned long long)(pointer >> 32), (unsigned long long)(uint32_t)pointer, wrong);
            continue;
        }
        *event = (struct ps_flume_event){.body = ps_flume_event_body(&record)};
        ps_flume_event_begin(&reader, &record);
        while (ps_flume_event_header(&reader, &header)) {
            PS_ARRAY_GROW(log->headers, event->header_count, log->header_room, "the headers of an event");
            log->headers[event->header_count++] = header;
        }
        event->headers = log->headers;
        return true;
    }
    return false;
}

void ps_flume_log_found(const struct ps_flume_log *log, struct ps_flume_log_found *found)
{
    *found = log->found;
}

void ps_flume_log_close(struct ps_flume_log *log)
{
    if (log == NULL)
        return;
    for (size_t i = 0; i < log->file_count; i++)
        ps_flume_log_file_close(log->files[i]);
    for (size_t i = 0; i < log->directory_count; i++) {
        ps_flume_unlock(log->directories[i].lock);
        free(log->directories[i].path);
    }
    ps_flume_replay_fini(&log->replay);
    ps_number_map_fini(&log->by_number);
    free(log->directories);
    free(log->files);
    free(log->headers);
    free(log);
}
