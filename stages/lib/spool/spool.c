/* See spool.h. */
#include "stages/lib/spool/spool_internal.h"

#include "core/clock.h"
#include "core/durable.h"
#include "core/log/log.h"
#include "stages/lib/decompressor.h"
#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U
#define PURPOSE "a spooling directory"

/* ---- set-up ---- */

/* Normalizes a path as Java's File does: no double slash, no slash at its end. */
static char *path_normal(const char *text)
{
    char *path = ps_must_copy_text(text, PURPOSE);
    size_t length = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '/' || length == 0 || path[length - 1] != '/')
            path[length++] = *at;
    }
    if (length > 1 && path[length - 1] == '/')
        length--;
    path[length] = '\0';
    return path;
}

/* Flume's canary: tests that files can be written and deleted. Its name begins with a dot, so that no source reads it as a file of
 * events. A process that is killed here leaves it in the directory, and the first listing of the next one removes it. */
static enum ps_status canary_try(const char *directory, struct ps_err *err)
{
    char path[PATH_BYTES];
    static const char text[] = "testing flume file permissions\n";
    snprintf(path, sizeof path, "%s/.flume-spooldir-perm-check-XXXXXX.canary", directory);
    int fd = mkostemps(path, 7, O_CLOEXEC);
    int error = fd < 0 ? errno : ps_write_all(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
        if (unlink(path) != 0 && errno != ENOENT) /* ENOENT: another agent's first listing removed it */
            error = errno;
    }
    return error == 0
               ? PS_OK
               : ps_err_set(err,
                            "Unable to read and modify files in the spooling directory: %s: %s; give this "
                            "user the right to write in it, or set trackingPolicy = tracker_dir",
                            directory, strerror(error));
}

static enum ps_status directories_try(struct ps_spool *spool, struct ps_err *err)
{
    struct stat status;
    if (stat(spool->directory, &status) != 0)
        return errno == ENOENT ? ps_err_set(err, "Directory does not exist: %s", spool->directory)
                               : ps_err_set(err, "%s: %s", spool->directory, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return ps_err_set(err, "Path is not a directory: %s", spool->directory);
    if (!spool->marks && canary_try(spool->directory, err) != PS_OK)
        return PS_FAIL;
    int error = ps_directory_make(spool->tracker, 0755);
    if (error != 0)
        return ps_err_set(err, "Unable to mkdir nonexistent meta directory %s: %s", spool->tracker,
                          strerror(error));
    if (!ps_directory_exists(spool->tracker))
        return ps_err_set(err, "Specified meta directory is not a directory %s", spool->tracker);
    return PS_OK;
}

static char *join(const char *left, const char *between, const char *right)
{
    size_t room = strlen(left) + strlen(between) + strlen(right) + 1;
    char *text = ps_must_alloc(room, 1, PURPOSE);
    snprintf(text, room, "%s%s%s", left, between, right);
    return text;
}

static void spool_free(struct ps_spool *spool)
{
    ps_spool_list_free(spool);
    ps_spool_grown_free(spool);
    free(spool->list);
    for (size_t i = 0; i < spool->aside_count; i++)
        free(spool->aside[i].path);
    free(spool->aside);
    ps_spool_meta_fini(&spool->meta);
    ps_spool_numbers_free(&spool->numbers);
    ps_spool_sink_records_free(&spool->records);
    free(spool->fetch.records);
    free(spool->fetch.gone);
    ps_regex_destroy(spool->include);
    ps_regex_destroy(spool->ignore);
    if (spool->scratch != NULL)
        ps_regex_scratch_destroy(spool->scratch);
    for (size_t i = 0; i < PS_SPOOL_FILES_MAX; i++) {
        if (spool->files[i].fd >= 0) /* opened by a fetch whose result was not taken */
            close(spool->files[i].fd);
        free(spool->files[i].path);
    }
    if (spool->notify_fd >= 0)
        close(spool->notify_fd);
    free(spool->component);
    free(spool->directory);
    free(spool->tracker);
    free(spool->suffix);
    free(spool->meta_path);
    free(spool);
}

struct ps_spool *ps_spool_create(const struct ps_spool_settings *settings, struct ps_err *err)
{
    struct ps_spool *spool = ps_must_alloc(1, sizeof *spool, PURPOSE);
    spool->notify_fd = -1;
    for (size_t i = 0; i < PS_SPOOL_FILES_MAX; i++) {
        spool->files[i].spool = spool;
        spool->files[i].fd = -1;
    }
    spool->component = ps_must_copy_text(settings->component, PURPOSE);
    spool->directory = path_normal(settings->directory);
    char *tracker = settings->tracker[0] == '/' ? ps_must_copy_text(settings->tracker, PURPOSE)
                                                : join(spool->directory, "/", settings->tracker);
    spool->tracker = path_normal(tracker);
    free(tracker);
    spool->meta_path = join(spool->tracker, "/", PS_SPOOL_META_NAME);
    spool->suffix = ps_must_copy_text(settings->suffix, PURPOSE);
    spool->order = settings->order;
    spool->recursive = settings->recursive;
    spool->decompress = settings->decompress;
    spool->deletes = settings->deletes;
    spool->marks = settings->marks;
    spool->identities = settings->identities;
    spool->durable_ends = settings->kept || settings->identities;
    spool->events_settings = settings->events_settings;
    spool->include = ps_regex_create(settings->include, 0, PS_REGEX_WHOLE, err);
    if (spool->include != NULL)
        spool->ignore = ps_regex_create(settings->ignore, 0, PS_REGEX_WHOLE, err);
    if (spool->ignore == NULL || directories_try(spool, err) != PS_OK) {
        spool_free(spool);
        return NULL;
    }
    spool->scratch = ps_regex_scratch_create();
    if (ps_tail_notify_works(spool->directory))
        spool->notify_fd = ps_tail_notify_open();
    return spool;
}

int ps_spool_notify_fd(const struct ps_spool *spool)
{
    return spool->notify_fd;
}

struct ps_spool_file *ps_spool_files(struct ps_spool *spool)
{
    return spool->files;
}

struct ps_spool_fetch *ps_spool_fetch_of(struct ps_spool *spool)
{
    return &spool->fetch;
}

struct ps_spool_mark *ps_spool_mark_of(struct ps_spool *spool)
{
    return &spool->mark;
}

/* ---- the end ---- */

struct goodbye {
    struct ps_tail_job job;
    struct ps_spool *spool;
};

static void nothing(struct ps_tail_job *)
{
}

/* Frees `spool` with the last job: when the last job is discarded, even without having run, no other job is in
 * use. */
static void goodbye_discard(struct ps_tail_job *job)
{
    struct goodbye *goodbye = (struct goodbye *)(void *)job;
    spool_free(goodbye->spool);
    free(goodbye);
}

void ps_spool_leave(struct ps_spool *spool, struct ps_tail_thread *thread)
{
    struct goodbye *goodbye = ps_must_alloc(1, sizeof *goodbye, PURPOSE);
    *goodbye = (struct goodbye){.job = {.run = nothing, .discard = goodbye_discard}, .spool = spool};
    if (thread->helper == NULL)
        goodbye_discard(&goodbye->job);
    else
        ps_tail_thread_ask(thread, &goodbye->job);
}

/* ---- jobs ---- */

void ps_spool_meta_delete(struct ps_spool *spool)
{
    if (unlink(spool->meta_path) == 0 || errno == ENOENT) {
        ps_spool_meta_fini(&spool->meta);
        return;
    }
    ps_log(PS_LOG_ERROR, spool->component, "Unable to delete old meta file %s: %s", spool->meta_path,
           strerror(errno));
    spool->meta.position = 0;
}

/* Removes the position of a retired file, which is left if the process ended before it deleted the meta file,
 * or could not delete it. */
static void meta_tidy(struct ps_spool *spool)
{
    char marker[PATH_BYTES];
    if (spool->meta.target == NULL)
        return;
    bool is_retired = spool->marks ? ps_spool_marker(spool, spool->meta.target, marker, sizeof marker) &&
                                         access(marker, F_OK) == 0
                                   : access(spool->meta.target, F_OK) != 0 && errno == ENOENT;
    if (is_retired)
        ps_spool_meta_delete(spool);
}

/* Reads the position of the previous process once. Returns false with the reason if it exists but cannot be
 * read: then no file is read, because the events of the current file would be repeated. */
static bool meta_load(struct ps_spool *spool, char *reason)
{
    struct ps_err err = {.length = 0};
    enum ps_spool_meta_read result = ps_spool_meta_read(spool->meta_path, &spool->meta, &err);
    if (result == PS_SPOOL_META_UNREADABLE) {
        snprintf(reason, PS_SPOOL_REASON_BYTES,
                 "the position cannot be read: %.900s; make it readable, or remove it to read the file that "
                 "was being read from its beginning",
                 err.text);
        return false;
    }
    spool->meta_known = true;
    if (result == PS_SPOOL_META_DAMAGED)
        ps_log(
            PS_LOG_WARN, spool->component,
            "%s: the file that was being read is read from its beginning, so some of its events come again",
            err.text);
    return true;
}

/* Returns the saved position if it fits this file; otherwise 0. */
static uint64_t main_start(const struct ps_spool *spool, const struct ps_spool_file *file)
{
    const struct ps_spool_meta *meta = &spool->meta;
    if (meta->target == NULL || strcmp(meta->target, file->path) != 0)
        return 0;
    bool knows_birth = meta->born_ns != 0 && file->born_ns != 0;
    bool differs = knows_birth ? meta->born_ns != file->born_ns : meta->device != file->device;
    bool other = meta->inode != 0 && (meta->inode != file->inode || differs);
    if (!other && meta->compression != file->compression) {
        ps_log(PS_LOG_WARN, spool->component,
               "the position in %s was saved for another compression (penstock.decompress or the file's name "
               "has changed): the whole file is read, so some of its events come again",
               file->path);
        return 0;
    }
    if (!other && (meta->position <= file->size || file->compression != PS_COMPRESSION_NONE))
        return meta->position;
    ps_log(PS_LOG_WARN, spool->component,
           "%s is not the file of which %llu bytes were read: reading all of it", file->path,
           (unsigned long long)meta->position);
    return 0;
}

/* A file that was left alone and is being read again has two positions. Returns false if they cannot be read now. */
static bool start_find(struct ps_spool *spool, struct ps_spool_file *file)
{
    struct ps_err err = {.length = 0};
    uint64_t aside, last;
    file->start = file->inside = file->events = file->number = 0;
    file->begun = file->finished = file->counted = false;
    enum ps_spool_sink_records_found found = ps_spool_sink_records_start(spool, file, &err);
    if (found == PS_SPOOL_KEPT_FOUND)
        return true;
    if (found == PS_SPOOL_KEPT_UNREADABLE || !ps_spool_aside_start(spool, file, &aside, &err)) {
        ps_log(PS_LOG_WARN, spool->component, "%s is not read yet: %s", file->path, ps_err_join(&err));
        return false;
    }
    last = main_start(spool, file);
    file->start = aside > last ? aside : last;
    file->begun = file->start > 0;
    file->counted = last > 0 && file->start == last && spool->meta.counted;
    file->events = file->counted ? spool->meta.events : 0;
    return true;
}

static bool name_ends(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length && strcasecmp(name + length - end_length, end) == 0;
}

/* Finds out how the file is compressed, if it is to be decompressed. Returns false with errno when it cannot be
 * read. */
static bool compression_find(const struct ps_spool *spool, const char *name, int fd,
                             enum ps_compression *compression)
{
    bool named = spool->decompress == PS_SPOOL_DECOMPRESS_AUTO;
    char beginning[PS_COMPRESSION_MAGIC_BYTES];
    *compression = PS_COMPRESSION_NONE;
    if (spool->decompress == PS_SPOOL_DECOMPRESS_NEVER ||
        (named && !name_ends(name, ps_compression_suffix(PS_COMPRESSION_GZIP)) &&
         !name_ends(name, ps_compression_suffix(PS_COMPRESSION_ZSTD))))
        return true;
    ssize_t length = ps_tail_read_fully(fd, beginning, sizeof beginning, 0); /* a read may give less */
    if (length < 0)
        return false;
    *compression = ps_compression_of(beginning, (size_t)length);
    if (named && !name_ends(name, ps_compression_suffix(*compression)))
        *compression = PS_COMPRESSION_NONE;
    return true;
}

/* Opens a candidate into a free struct. Returns false when it cannot be read, or no longer exists. */
static bool file_open(struct ps_spool *spool, struct ps_spool_candidate *candidate,
                      struct ps_spool_file *file)
{
    struct stat status;
    enum ps_compression compression;
    int fd = ps_tail_open(candidate->path);
    if (fd < 0 || fstat(fd, &status) != 0 ||
        !compression_find(spool, candidate->path + candidate->name_at, fd, &compression)) {
        ps_log(PS_LOG_WARN, spool->component, "Could not find file: %s: %s", candidate->path,
               strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    free(file->path);
    file->path = candidate->path;
    candidate->path = NULL;
    file->name = file->path + candidate->name_at;
    file->fd = fd;
    file->way = ps_tail_way_of(fd);
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->born_ns = ps_tail_born_ns(fd);
    file->size = (uint64_t)status.st_size;
    file->modified_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
    file->compression = compression;
    file->state = ps_spool_state_of(&status);
    file->end = PS_SPOOL_RETIRED;
    file->again = false;
    file->in_flight = start_find(spool, file);
    if (!file->in_flight) { /* the next list will have the file */
        close(fd);
        file->fd = -1;
    }
    return file->in_flight;
}

/* Takes the records that a sink keeps. Returns false with the reason if they are not understood, or without memory. */
static bool records_load(struct ps_spool *spool, struct ps_spool_fetch *fetch)
{
    if (fetch->records == NULL)
        return true;
    ps_spool_sink_records_free(&spool->records);
    struct ps_err err;
    bool good = ps_spool_sink_records_parse(fetch->records, &spool->records, &err) == PS_OK;
    if (!good)
        snprintf(fetch->reason, PS_SPOOL_REASON_BYTES, "%.1000s", err.text);
    free(fetch->records);
    fetch->records = NULL;
    return good;
}

static void fetch_run(struct ps_tail_job *job)
{
    struct ps_spool_fetch *fetch = (struct ps_spool_fetch *)(void *)job;
    struct ps_spool *spool = fetch->spool;
    bool listed = false;
    fetch->found = 0;
    fetch->looked = false;
    if (!spool->meta_known)
        ps_spool_aside_tidy(spool);
    fetch->failed = !records_load(spool, fetch) || (!spool->meta_known && !meta_load(spool, fetch->reason)) ||
                    !ps_spool_numbers_load(spool, fetch->reason);
    if (fetch->failed) {
        fetch->more = fetch->listed = false;
        return;
    }
    meta_tidy(spool);
    if (fetch->list || spool->next == spool->count) {
        listed = ps_spool_list(spool);
        fetch->looked = true;
        fetch->error = spool->error;
    }
    if (listed && !spool->lacks && !spool->records.compared)
        ps_spool_sink_records_compare(spool, fetch);
    while (fetch->found < fetch->wanted && spool->next < spool->count) {
        if (file_open(spool, &spool->list[spool->next++], fetch->files[fetch->found]))
            fetch->found++;
    }
    ps_spool_numbers_give(spool, fetch);
    fetch->more = spool->next < spool->count;
    fetch->listed = listed && !fetch->more;
}

static void mark_run(struct ps_tail_job *job)
{
    struct ps_spool_mark *mark = (struct ps_spool_mark *)(void *)job;
    struct ps_spool *spool = mark->spool;
    const struct ps_spool_file *file = mark->file;
    struct ps_err err = {.length = 0};
    struct ps_spool_meta meta = {.target = strdup(file->path),
                                 .position = mark->position,
                                 .device = file->device,
                                 .inode = file->inode,
                                 .born_ns = file->born_ns,
                                 .compression = file->compression,
                                 .events = mark->events,
                                 .counted = mark->counted};
    mark->failed = meta.target == NULL || ps_spool_meta_write(spool->meta_path, &meta, &err) != PS_OK;
    if (mark->failed) {
        snprintf(mark->reason, sizeof mark->reason, "%.1000s", meta.target == NULL ? "no memory" : err.text);
        ps_spool_meta_fini(&meta);
        return;
    }
    ps_spool_meta_fini(&spool->meta);
    spool->meta = meta;
}

void ps_spool_fetch_prepare(struct ps_spool_fetch *fetch, struct ps_spool *spool, ps_spool_answer answer)
{
    fetch->job = (struct ps_tail_job){.run = fetch_run, .answer = answer, .discard = nothing};
    fetch->spool = spool;
}

void ps_spool_mark_prepare(struct ps_spool_mark *mark, struct ps_spool *spool, ps_spool_answer answer)
{
    mark->job = (struct ps_tail_job){.run = mark_run, .answer = answer, .discard = nothing};
    mark->spool = spool;
}

void ps_spool_retire_prepare(struct ps_spool_file *file, ps_spool_answer answer)
{
    file->job = (struct ps_tail_job){.run = ps_spool_retire_run, .answer = answer, .discard = nothing};
}
