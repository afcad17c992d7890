/* Finds files that a killed agent left under their names in use. At the start the sink scans the directories below
 * the part of hdfs.path without escapes, the most recently modified first; later the sink looks once into the
 * directory of each bucket. A file is taken only if its writer has ended: by the file system's answer
 * (ps_file_recover), or because the file was not written to for a while. */
#include "core/quantity.h"
#include "stages/lib/hadoop/bucket_writer/internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SCANNED_MAX 1000U   /* limit of directories that are listed at the start */
#define AHEAD_MS_MAX 60000U /* names are numbered on from the time of the first file of a directory */
#define SCAN_REST_NS (10 * PS_NS_PER_S) /* backoff when the file system did not answer */
#define LISTED_REST_NS PS_NS_PER_S      /* wait while all directories left are being listed for buckets */

/* A directory. It is in the list `looks` if it was listed or is being listed, so that it is listed once; and in `waiting` until the
 * scan comes to it. */
struct ps_bucket_look {
    TAILQ_ENTRY(ps_bucket_look) looks;
    struct ps_bucket_look *same_hash; /* hash chain of the list `looks` */
    struct ps_bucket_writer *sink;
    bool answered; /* the file system has answered: the directory only stays so that it is not listed again */
    bool scanned;  /* the scan listed the directory, and continues with the next one */
    bool below; /* the directory was listed for a bucket before: the scan needs only the directories in it */
    uint32_t depth; /* number of levels of directories that may be below this one */
    uint64_t modified_ms;
    uint32_t length;
    char directory[]; /* "": the root */
};

/* ---- names ---- */

/* Removes `part` from the beginning of *text. Returns false if the text does not begin with it. */
static bool take_text(const char **text, const char *part, size_t length)
{
    if (strncmp(*text, part, length) != 0)
        return false;
    *text += length;
    return true;
}

/* Removes `part` from the end of a text by shortening *length. Returns false if the text does not end with it. */
static bool take_end(const char *text, size_t *length, const char *part)
{
    size_t part_length = strlen(part);
    if (*length < part_length || memcmp(text + *length - part_length, part, part_length) != 0)
        return false;
    *length -= part_length;
    return true;
}

/* Returns whether the name is one of this sink's names in use: in-use prefix, prefix, ".", number, suffix, in-use
 * suffix. Sets the place of the prefix, and the number. */
static bool is_in_use(const struct ps_bucket_look *look, const char *name, const char **prefix,
                      size_t *prefix_length, uint64_t *counter)
{
    const struct ps_bucket_writer_settings *settings = look->sink->settings;
    size_t begins = strlen(settings->bucket_path.prefix_begins);
    if (!take_text(&name, settings->in_use_prefix, strlen(settings->in_use_prefix)))
        return false;
    size_t length = strlen(name), digits = 0;
    if (!take_end(name, &length, settings->in_use_suffix) || !take_end(name, &length, settings->file_suffix))
        return false;
    for (; length > 0 && isdigit((unsigned char)name[length - 1]) && digits < 19; digits++)
        length--;
    if (digits == 0 || length == 0 || name[length - 1] != '.')
        return false;
    *prefix = name;
    *prefix_length = length - 1;
    *counter = strtoull(name + length, NULL, 10);
    return *prefix_length >= begins && memcmp(name, settings->bucket_path.prefix_begins, begins) == 0 &&
           (!settings->bucket_path.prefix_is_whole || *prefix_length == begins);
}

/* ---- one file ---- */

static uint32_t chain_of(const char *path)
{
    return ps_name_keyed_hash32(path, strlen(path)) & (PS_BUCKET_NAME_CHAINS - 1);
}

void ps_bucket_name_add(struct ps_bucket_file *file)
{
    if (file->path == NULL)
        return;
    struct ps_bucket_file **place = &file->sink->names[chain_of(file->path)];
    file->same_name = *place;
    if (*place != NULL)
        (*place)->name_place = &file->same_name;
    file->name_place = place;
    *place = file;
}

void ps_bucket_name_remove(struct ps_bucket_file *file)
{
    if (file->name_place == NULL)
        return;
    *file->name_place = file->same_name;
    if (file->same_name != NULL)
        file->same_name->name_place = file->name_place;
    file->name_place = NULL;
}

bool ps_bucket_name_is_known(const struct ps_bucket_writer *sink, const char *path)
{
    const struct ps_bucket_file *file = sink->names[chain_of(path)];
    while (file != NULL && strcmp(file->path, path) != 0)
        file = file->same_name;
    return file != NULL;
}

static void recover(struct ps_bucket_look *look, const char *prefix, size_t prefix_length, uint64_t counter)
{
    struct ps_bucket_writer *sink = look->sink;
    struct ps_bucket_file *file = calloc(1, sizeof *file + look->length + 1 + prefix_length);
    if (file == NULL)
        return;
    file->sink = sink;
    file->created = file->orphan = true;
    file->roll_ns = file->idle_ns = PS_NEVER;
    file->counter = counter;
    file->directory_length = look->length;
    file->prefix_length = (uint32_t)prefix_length;
    memcpy(file->bucket_name, look->directory, look->length);
    file->bucket_name[look->length] = '/';
    memcpy(file->bucket_name + look->length + 1, prefix, prefix_length);
    char *path = ps_bucket_file_name(file, true);
    bool known = path == NULL || ps_bucket_name_is_known(sink, path);
    file->path = path;
    file->target = ps_bucket_file_name(file, false);
    ps_bucket_file_enlist(file);
    if (known || file->target == NULL)
        ps_bucket_file_free(file);
    else
        ps_bucket_finish(file, PS_BUCKET_RECOVER);
}

/* ---- one directory ---- */

static void report(const struct ps_bucket_look *look, uint64_t count, const char *first)
{
    const struct ps_port *port = look->sink->port;
    const char *directory = look->length > 0 ? look->directory : "/";
    ps_count(port->counters, (enum ps_counter)PS_BUCKET_ORPHANS, count);
    if (look->sink->settings->recovers_orphans)
        ps_log(PS_LOG_INFO, port->component,
               "%s: %s %s in use since before this start (%s): the sink completes and renames those whose "
               "writers are gone",
               directory, ps_quantity_print_count(count).text,
               ps_quantity_word(count, "file has been", "files have been"), first);
    else
        ps_log(PS_LOG_WARN, port->component,
               "%s: %s %s in use since before this start (%s): set penstock.orphans = recover to complete "
               "and rename those whose writers are gone",
               directory, ps_quantity_print_count(count).text,
               ps_quantity_word(count, "file has been", "files have been"), first);
}

static struct ps_bucket_look **look_chain(struct ps_bucket_writer *sink, const char *directory, size_t length)
{
    return &sink->orphans.look_chains[ps_name_keyed_hash(directory, length) & (PS_BUCKET_NAME_CHAINS - 1)];
}

/* Returns the look of a directory that was listed, or is being listed; else NULL. */
static const struct ps_bucket_look *find_look(struct ps_bucket_writer *sink, const char *directory,
                                              size_t length)
{
    const struct ps_bucket_look *look = *look_chain(sink, directory, length);
    while (look != NULL && (look->length != length || memcmp(look->directory, directory, length) != 0))
        look = look->same_hash;
    return look;
}

static void enlist(struct ps_bucket_look *look)
{
    struct ps_bucket_look **chain = look_chain(look->sink, look->directory, look->length);
    TAILQ_INSERT_HEAD(&look->sink->orphans.looks, look, looks);
    look->same_hash = *chain;
    *chain = look;
}

static void delist(struct ps_bucket_look *look)
{
    struct ps_bucket_look **at = look_chain(look->sink, look->directory, look->length);
    while (*at != look)
        at = &(*at)->same_hash;
    *at = look->same_hash;
    TAILQ_REMOVE(&look->sink->orphans.looks, look, looks);
}

static void discard(struct ps_bucket_look *look)
{
    look->sink->orphans.look_count--;
    free(look);
}

/* Forgets the directory that was listed first. If a file is begun in it later, the directory is listed again. */
static void forget_oldest(struct ps_bucket_writer *sink)
{
    struct ps_bucket_look *look;
    TAILQ_FOREACH_REVERSE(look, &sink->orphans.looks, ps_bucket_looks, looks)
    {
        if (!look->answered)
            continue;
        delist(look);
        discard(look);
        return;
    }
}

/* Makes the structure of a directory, and adds it to neither `looks` nor `waiting`. The directory is `name` below
 * `directory`; `name` NULL: `directory` itself. Returns NULL if there is no memory, or too many are listed or waiting. */
static struct ps_bucket_look *make(struct ps_bucket_writer *sink, const char *directory, size_t length,
                                   const char *name)
{
    size_t room = length + (name != NULL ? strlen(name) + 1 : 0);
    if (sink->orphans.look_count >= PS_BUCKET_LOOKS_MAX)
        forget_oldest(sink);
    struct ps_bucket_look *look =
        sink->orphans.look_count < PS_BUCKET_LOOKS_MAX ? calloc(1, sizeof *look + room + 1) : NULL;
    if (look == NULL)
        return NULL;
    look->sink = sink;
    look->length = (uint32_t)room;
    memcpy(look->directory, directory, length);
    if (name != NULL) {
        look->directory[length] = '/';
        memcpy(look->directory + length + 1, name, room - length - 1);
    }
    sink->orphans.look_count++;
    return look;
}

/* Returns whether the number, the wall-clock time of its making in ms, may be of a file that was begun after the start: by this sink, or by
 * another one that writes now. A time to come is of an earlier run, whose clock was ahead. */
static bool is_of_this_run(const struct ps_bucket_writer *sink, uint64_t counter)
{
    return counter >= (uint64_t)sink->orphans.started_ms &&
           counter <= (uint64_t)sink->now.wall_ms + AHEAD_MS_MAX;
}

static void look_into(struct ps_bucket_look *look, const struct ps_file_answer *answer)
{
    const char *first = NULL, *prefix;
    size_t prefix_length;
    uint64_t counter, count = 0;
    for (size_t i = 0; i < answer->entry_count; i++) {
        const struct ps_file_status *entry = &answer->entries[i];
        if (entry->directory || !is_in_use(look, entry->name, &prefix, &prefix_length, &counter) ||
            is_of_this_run(look->sink, counter))
            continue;
        if (count++ == 0)
            first = entry->name;
        if (look->sink->settings->recovers_orphans)
            recover(look, prefix, prefix_length, counter);
    }
    if (count > 0)
        report(look, count, first);
}

/* Adds the directories below to the list `waiting`. */
static void descend(const struct ps_bucket_look *look, const struct ps_file_answer *answer)
{
    struct ps_bucket_look *below;
    for (size_t i = 0; i < answer->entry_count && look->depth > 0; i++) {
        const struct ps_file_status *entry = &answer->entries[i];
        if (!entry->directory ||
            (below = make(look->sink, look->directory, look->length, entry->name)) == NULL)
            continue;
        below->depth = look->depth - 1;
        below->modified_ms = entry->modified_ms;
        TAILQ_INSERT_TAIL(&look->sink->orphans.scan.waiting, below, looks);
    }
}

/* Handles a listing that the file system did not answer. The scan tries again after a rest, and its try does not count. A directory
 * that was listed for a bucket is listed again when a file is begun in it after a rest, unless the scan lists it before. */
static void list_later(struct ps_bucket_look *look)
{
    struct ps_bucket_writer *sink = look->sink;
    delist(look);
    if (!look->scanned) {
        sink->orphans.rest_ns = sink->now.mono_ns + SCAN_REST_NS;
        discard(look);
        return;
    }
    TAILQ_INSERT_HEAD(&sink->orphans.scan.waiting, look, looks);
    sink->orphans.scan.count--;
    sink->orphans.scan.due_ns = sink->now.mono_ns + SCAN_REST_NS;
}

static void listed(void *look_, const struct ps_file_answer *answer)
{
    struct ps_bucket_look *look = look_;
    struct ps_bucket_writer *sink = look->sink;
    bool later = ps_file_error_may_pass(answer->error);
    if (look->scanned)
        sink->orphans.scan.is_busy = false;
    if (later) {
        list_later(look);
        return;
    }
    if (answer->error != PS_FILE_OK && answer->error != PS_FILE_MISSING && answer->error != PS_FILE_NAME)
        ps_log(PS_LOG_WARN, sink->port->component, "cannot look for files in use in %s: %s", look->directory,
               answer->reason);
    if (!look->below)
        look_into(look, answer);
    if (look->scanned)
        descend(look, answer);
    look->answered = true;
}

static void list(struct ps_bucket_look *look)
{
    enlist(look);
    ps_file_list(look->sink->filesystem, look->length > 0 ? look->directory : "/", listed, look);
}

static bool has_names_in_use(const struct ps_bucket_writer_settings *settings)
{
    return settings->in_use_prefix[0] != '\0' || settings->in_use_suffix[0] != '\0';
}

void ps_bucket_writer_look(struct ps_bucket_writer *sink, const struct ps_bucket_name *bucket)
{
    struct ps_bucket_look *look;
    const char *prefix = bucket->text + bucket->directory_length + 1;
    size_t prefix_length = bucket->length - bucket->directory_length - 1;
    if (!has_names_in_use(sink->settings) || memchr(prefix, '/', prefix_length) != NULL ||
        sink->now.mono_ns < sink->orphans.rest_ns ||
        find_look(sink, bucket->text, bucket->directory_length) != NULL ||
        (look = make(sink, bucket->text, bucket->directory_length, NULL)) == NULL)
        return;
    list(look);
}

/* ---- the start ---- */

/* Returns the waiting directory that was modified last, or NULL. A bucket may have its directory listed, too: the function drops a
 * directory that was listed for a bucket and in which the scan looks for no further directories. It leaves out a directory that is being
 * listed for a bucket, which the scan lists later if that fails. */
static struct ps_bucket_look *next_look(struct ps_bucket_writer *sink)
{
    struct ps_bucket_look *next = NULL;
    for (struct ps_bucket_look *look = TAILQ_FIRST(&sink->orphans.scan.waiting), *behind; look != NULL;
         look = behind) {
        behind = TAILQ_NEXT(look, looks);
        const struct ps_bucket_look *other = find_look(sink, look->directory, look->length);
        look->below = other != NULL;
        if (other != NULL && other->answered && look->depth == 0) {
            TAILQ_REMOVE(&sink->orphans.scan.waiting, look, looks);
            discard(look);
        } else if ((other == NULL || other->answered) &&
                   (next == NULL || look->modified_ms > next->modified_ms)) {
            next = look;
        }
    }
    return next;
}

static void begin_scan(struct ps_bucket_writer *sink)
{
    const struct ps_bucket_path *bucket_path = &sink->settings->bucket_path;
    struct ps_bucket_look *look;
    sink->orphans.scan.state = PS_BUCKET_SCAN_BEGUN;
    if (bucket_path->root == NULL || !has_names_in_use(sink->settings) ||
        (look = make(sink, bucket_path->root, strlen(bucket_path->root), NULL)) == NULL)
        return;
    look->depth = bucket_path->depth;
    TAILQ_INSERT_HEAD(&sink->orphans.scan.waiting, look, looks);
}

static void end_scan(struct ps_bucket_writer *sink)
{
    struct ps_bucket_look *look = next_look(sink);
    sink->orphans.scan.state = PS_BUCKET_SCAN_DONE;
    if (look != NULL)
        ps_log(PS_LOG_INFO, sink->port->component,
               "looked for files in use only in the %u most recently changed directories below %s; looks "
               "into each of the others, such as %s, when an event is written there",
               SCANNED_MAX, sink->settings->bucket_path.root, look->directory);
    while ((look = TAILQ_FIRST(&sink->orphans.scan.waiting)) != NULL) {
        TAILQ_REMOVE(&sink->orphans.scan.waiting, look, looks);
        discard(look);
    }
}

uint64_t ps_bucket_scan_for_orphans(struct ps_bucket_writer *sink)
{
    if (sink->orphans.scan.state == PS_BUCKET_SCAN_DONE || sink->orphans.scan.is_busy)
        return PS_NEVER;
    if (sink->now.mono_ns < sink->orphans.scan.due_ns)
        return sink->orphans.scan.due_ns;
    if (sink->orphans.scan.state == PS_BUCKET_SCAN_NONE)
        begin_scan(sink);
    bool may_go_on = sink->orphans.scan.count < SCANNED_MAX;
    struct ps_bucket_look *look = may_go_on ? next_look(sink) : NULL;
    if (look == NULL && may_go_on && !TAILQ_EMPTY(&sink->orphans.scan.waiting)) {
        sink->orphans.scan.due_ns = sink->now.mono_ns + LISTED_REST_NS;
        return sink->orphans.scan.due_ns;
    }
    if (look == NULL) {
        end_scan(sink);
        return PS_NEVER;
    }
    sink->orphans.scan.count++;
    sink->orphans.scan.is_busy = look->scanned = true;
    TAILQ_REMOVE(&sink->orphans.scan.waiting, look, looks);
    list(look);
    return sink->now.mono_ns; /* now, so that the request is sent */
}

static void forget(struct ps_bucket_looks *looks)
{
    struct ps_bucket_look *look;
    while ((look = TAILQ_FIRST(looks)) != NULL) {
        TAILQ_REMOVE(looks, look, looks);
        discard(look);
    }
}

void ps_bucket_forget_looks(struct ps_bucket_writer *sink)
{
    memset(sink->orphans.look_chains, 0, sizeof sink->orphans.look_chains);
    forget(&sink->orphans.looks);
    forget(&sink->orphans.scan.waiting);
}
