#include "stages/lib/spool/sink_records.h"

#include "core/durable.h"
#include "core/log/log.h"
#include "core/decimal.h"
#include "stages/lib/spool/spool_internal.h"
#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/sink_source.h"
#include "stages/lib/text/json/cursor.h"
#include "stages/lib/text/json/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U
#define MEMBERS_BYTES_MAX 320U

/* ---- writing ---- */

static void print_key(uint64_t inode, uint64_t born_ns, uint64_t device, char key[PS_TAIL_GONE_KEY_BYTES])
{
    if (born_ns != 0)
        snprintf(key, PS_TAIL_GONE_KEY_BYTES, "%" PRIu64 "-%" PRIx64, inode, born_ns);
    else
        snprintf(key, PS_TAIL_GONE_KEY_BYTES, "%" PRIu64 ".%" PRIx64, inode, device);
}

void ps_spool_sink_records_key(const struct ps_spool_file *file, char key[PS_TAIL_GONE_KEY_BYTES])
{
    print_key(file->inode, file->born_ns, file->device, key);
}

uint32_t ps_spool_sink_records_bound(const struct ps_spool_file *file)
{
    return (uint32_t)strlen(ps_spool_below(file->spool, file->path)) * PS_JSON_TEXT_GROWTH +
           MEMBERS_BYTES_MAX;
}

uint32_t ps_spool_sink_records_print(const struct ps_spool_file *file, uint64_t inside,
                                     enum ps_spool_sink_records_end end, char *to)
{
    const char *path = ps_spool_below(file->spool, file->path);
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"{\"inode\":", file->inode},
                   {",\"device\":", file->device},
                   {",\"born\":", file->born_ns},
                   {",\"size\":", file->state.size},
                   {",\"changed\":", file->state.changed_ns},
                   {",\"compression\":", file->compression},
                   {",\"inside\":", inside},
                   {",\"end\":", end}};
    char *at = to;
    for (size_t i = 0; i < PS_COUNT_OF(members); i++)
        at = ps_decimal_put_signed(stpcpy(at, members[i].name), (int64_t)members[i].value);
    at = stpcpy(at, ",\"file\":\"");
    at += ps_json_text(path, strlen(path), at);
    at = stpcpy(at, "\"}");
    return (uint32_t)(at - to);
}

/* ---- reading ---- */

enum member { POS, INODE, DEVICE, BORN, SIZE, CHANGED, COMPRESSION, INSIDE, END, FILE_NAME, MEMBERS };

static enum ps_status no_memory(struct ps_err *err)
{
    return ps_err_set(err, "no memory for the records of positions");
}

/* Takes one member, and sets its bit in `seen`. Members that this version does not know are passed over. */
static enum ps_status member_take(struct ps_json_cursor *cursor, struct ps_spool_sink_records *kept,
                                  int64_t numbers[MEMBERS], unsigned *seen, struct ps_err *err)
{
    static const char *const names[] = {"pos",     "inode",       "device", "born", "size",
                                        "changed", "compression", "inside", "end",  "file"};
    unsigned which = 0;
    int64_t number;
    if (!ps_json_string_take(cursor))
        return PS_FAIL;
    while (which < MEMBERS && strcmp(names[which], cursor->string) != 0)
        which++;
    *seen |= 1U << which;
    if (!ps_json_accept(cursor, ':'))
        return PS_FAIL;
    if (ps_json_peek(cursor) != '"') {
        if (which == FILE_NAME || !ps_json_number_take(cursor, &number))
            return PS_FAIL;
        if (which < MEMBERS)
            numbers[which] = number;
        return PS_OK;
    }
    if (which < FILE_NAME || !ps_json_string_take(cursor))
        return PS_FAIL;
    if (which == FILE_NAME && kept->path == NULL && (kept->path = strdup(cursor->string)) == NULL)
        return no_memory(err);
    return PS_OK;
}

static enum ps_status kept_take(struct ps_json_cursor *cursor, struct ps_spool_sink_records *kept,
                                struct ps_err *err)
{
    int64_t numbers[MEMBERS] = {0};
    unsigned seen = 0;
    if (!ps_json_accept(cursor, '{'))
        return PS_FAIL;
    do
        if (member_take(cursor, kept, numbers, &seen, err) != PS_OK)
            return PS_FAIL;
    while (ps_json_accept(cursor, ','));
    kept->inode = (uint64_t)numbers[INODE];
    kept->device = (uint64_t)numbers[DEVICE];
    kept->born_ns = (uint64_t)numbers[BORN];
    kept->state = (struct ps_spool_state){(uint64_t)numbers[SIZE], (uint64_t)numbers[CHANGED]};
    kept->compression = (enum ps_compression)numbers[COMPRESSION];
    kept->end = (enum ps_spool_sink_records_end)numbers[END];
    kept->position = (uint64_t)numbers[POS] - (numbers[END] != PS_SPOOL_KEPT_OPEN);
    kept->inside = (uint64_t)numbers[INSIDE];
    bool good = ps_json_accept(cursor, '}') && (seen & ((1U << MEMBERS) - 1)) == (1U << MEMBERS) - 1 &&
                numbers[INSIDE] >= 0 && numbers[END] >= PS_SPOOL_KEPT_OPEN &&
                numbers[END] <= PS_SPOOL_KEPT_BROKEN && numbers[POS] >= (numbers[END] != PS_SPOOL_KEPT_OPEN);
    return good ? PS_OK : PS_FAIL;
}

/* Returns a new record, or NULL. */
static struct ps_spool_sink_records *add(struct ps_spool_records *records)
{
    if (records->count == records->room) {
        size_t room = 2 * records->room + 16;
        struct ps_spool_sink_records *items = reallocarray(records->items, room, sizeof *items);
        if (items == NULL)
            return NULL;
        records->items = items;
        records->room = room;
    }
    struct ps_spool_sink_records *kept = &records->items[records->count++];
    *kept = (struct ps_spool_sink_records){.path = NULL};
    return kept;
}

static enum ps_status records_take(struct ps_json_cursor *cursor, struct ps_spool_records *records,
                                   struct ps_err *err)
{
    if (!ps_json_accept(cursor, '['))
        return PS_FAIL;
    if (ps_json_accept(cursor, ']'))
        return PS_OK;
    do {
        struct ps_spool_sink_records *kept = add(records);
        if (kept == NULL)
            return no_memory(err);
        if (kept_take(cursor, kept, err) != PS_OK)
            return PS_FAIL;
    } while (ps_json_accept(cursor, ','));
    return ps_json_accept(cursor, ']') ? PS_OK : PS_FAIL;
}

enum ps_status ps_spool_sink_records_parse(const char *text, struct ps_spool_records *records,
                                           struct ps_err *err)
{
    size_t length = strlen(text);
    struct ps_json_cursor cursor = {.at = text, .end = text + length, .string = malloc(length + 1)};
    *records = (struct ps_spool_records){.items = NULL};
    err->length = 0;
    if (cursor.string == NULL)
        return no_memory(err);
    enum ps_status status = records_take(&cursor, records, err);
    free(cursor.string);
    if (status != PS_OK && err->length == 0)
        ps_err_set(err,
                   "the position records have a format that this version of penstock cannot read: \"%.200s\"",
                   text);
    if (status != PS_OK)
        ps_spool_sink_records_free(records);
    return status;
}

static void drop(struct ps_spool_records *records, size_t at)
{
    free(records->items[at].path);
    records->items[at] = records->items[--records->count];
}

void ps_spool_sink_records_free(struct ps_spool_records *records)
{
    while (records->count > 0)
        drop(records, records->count - 1);
    free(records->items);
    *records = (struct ps_spool_records){.items = NULL};
}

/* ---- the file to which a record belongs ---- */

/* Returns 0, or why the record's path cannot be looked at. */
static int look(const struct ps_spool *spool, const struct ps_spool_sink_records *kept, char path[PATH_BYTES],
                struct stat *status)
{
    if (snprintf(path, PATH_BYTES, "%s/%s", spool->directory, kept->path) >= (int)PATH_BYTES)
        return ENAMETOOLONG;
    return stat(path, status) == 0 ? 0 : errno;
}

/* Returns whether the path has no file, by the error of `look`. */
static bool is_missing(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;
}

/* Returns whether the record is the file's. *error: the reason if that is not known now, else 0. */
static bool is_of(const struct ps_spool *spool, const struct ps_spool_sink_records *kept,
                  const struct ps_spool_file *file, int *error)
{
    char path[PATH_BYTES];
    struct stat status;
    bool known = kept->born_ns != 0 && file->born_ns != 0;
    *error = 0;
    if (kept->inode != file->inode || (known && kept->born_ns != file->born_ns))
        return false;
    if (strcmp(kept->path, ps_spool_below(spool, file->path)) == 0)
        return known || kept->device == file->device;
    if (!known)
        return false;
    int reason = look(spool, kept, path, &status);
    if (reason == 0) /* another link of the file is another file */
        return status.st_ino != file->inode || status.st_dev != file->device;
    if (is_missing(reason))
        return true; /* the file was renamed */
    *error = reason;
    return false;
}

static void read_all(const struct ps_spool_file *file, const char *why)
{
    ps_log(PS_LOG_WARN, file->spool->component, "%s %s: reading all of it, so some of its events come again",
           file->path, why);
}

/* The file's bytes may have changed since. */
static void go_on(const struct ps_spool_sink_records *kept, struct ps_spool_file *file)
{
    if (kept->compression != file->compression)
        read_all(file, "has a position that was saved for another compression (penstock.decompress or its "
                       "name has changed)");
    else if (kept->position > file->size && file->compression == PS_COMPRESSION_NONE)
        read_all(file, "is shorter than what was read of it");
    else {
        file->start = kept->position;
        file->inside = kept->inside;
        file->begun = kept->position > 0 || kept->inside > 0 || kept->end != PS_SPOOL_KEPT_OPEN;
    }
}

enum ps_spool_sink_records_found ps_spool_sink_records_start(struct ps_spool *spool,
                                                             struct ps_spool_file *file, struct ps_err *err)
{
    size_t at = 0;
    int error = 0;
    for (; at < spool->records.count && !is_of(spool, &spool->records.items[at], file, &error); at++)
        if (error != 0) {
            ps_err_set(err, "%s/%s: %s", spool->directory, spool->records.items[at].path, strerror(error));
            return PS_SPOOL_KEPT_UNREADABLE;
        }
    if (at == spool->records.count)
        return PS_SPOOL_KEPT_NONE;
    const struct ps_spool_sink_records *kept = &spool->records.items[at];
    bool same = ps_spool_is_same_state(kept->state, file->state);
    if (kept->end != PS_SPOOL_KEPT_BROKEN || same) /* a corrected file is read from its beginning */
        go_on(kept, file);
    file->born_ns = kept->born_ns; /* the record keeps its key */
    file->finished = kept->end == PS_SPOOL_KEPT_FINISHED && same && file->begun;
    drop(&spool->records, at);
    return PS_SPOOL_KEPT_FOUND;
}

/* Returns whether the file at the path, with the record's inode, may be the record's: inodes are used again soon. */
static bool may_be(const struct ps_spool_sink_records *kept, const char *path)
{
    uint64_t born_ns = ps_tail_path_born_ns(path);
    return born_ns == 0 || kept->born_ns == 0 || born_ns == kept->born_ns;
}

/* The answers to the question whether the record's file is in the directory. */
enum there {
    THERE,
    MISSING, /* this list of the directory lacks the file; the next list may have it */
    GONE,    /* the file is gone, or retired */
};

/* Sets *error to the errno for which the file cannot be looked at now, else 0. */
static enum there where(const struct ps_spool *spool, const struct ps_spool_sink_records *kept, int *error)
{
    char path[PATH_BYTES], marker[PATH_BYTES];
    struct stat status;
    int reason = look(spool, kept, path, &status);
    bool has_inode = reason == 0 && status.st_ino == kept->inode;
    *error = is_missing(reason) ? 0 : reason;
    if (has_inode && may_be(kept, path)) {
        bool marked =
            spool->marks && ps_spool_marker(spool, path, marker, sizeof marker) && access(marker, F_OK) == 0;
        return marked ? GONE : THERE;
    }
    if (*error != 0)
        return THERE;
    for (size_t i = 0; i < spool->count; i++)
        if (spool->list[i].inode == kept->inode && may_be(kept, spool->list[i].path))
            return THERE; /* the file was renamed */
    /* Without times of birth a renamed file counts as another file, and a new file may soon have the key of this record. */
    return has_inode || kept->born_ns == 0 ? GONE : MISSING;
}

/* Logs once, for all records, that a file cannot be looked at. */
static void tell_unsure(const struct ps_spool *spool, struct ps_spool_records *records,
                        const struct ps_spool_sink_records *kept, int error)
{
    if (records->told)
        return;
    records->told = true;
    ps_log(PS_LOG_WARN, spool->component,
           "%s/%s cannot be looked at: %s: until then, the sink keeps the position records of files that no "
           "longer exist; let the agent's user search the directory of the file, or remove the link",
           spool->directory, kept->path, strerror(error));
}

/* Syncs the directory that has, or had, this name in it, or the nearest one above it that is left. `synced`: the directory that was
 * synced last. Returns 0, or why it cannot be synced. Changes the path. */
static int names_sync(char *path, char synced[PATH_BYTES])
{
    int error = ENOENT;
    char *slash;
    while (is_missing(error) && (slash = strrchr(path, '/')) != NULL) {
        *slash = '\0';
        if (strcmp(path, synced) == 0)
            return 0;
        error = ps_directory_sync(path[0] == '\0' ? "/" : path);
    }
    if (error == 0)
        snprintf(synced, PATH_BYTES, "%s", path);
    return error;
}

/* Makes it durable that the record's file is gone, or retired: else a power cut may bring the file back after its record was
 * removed, and its events would come again. The process that retired the file may have been killed before it did this. */
static int end_sync(const struct ps_spool *spool, const struct ps_spool_sink_records *kept,
                    char synced[PATH_BYTES])
{
    char path[PATH_BYTES], marker[PATH_BYTES];
    if (snprintf(path, PATH_BYTES, "%s/%s", spool->directory, kept->path) >= (int)PATH_BYTES)
        return 0; /* no file can have this path */
    bool marked =
        spool->marks && ps_spool_marker(spool, path, marker, sizeof marker) && access(marker, F_OK) == 0;
    return names_sync(marked ? marker : path, synced);
}

/* Logs once, for all records, that the end of a file cannot be made durable. */
static void tell_unsynced(const struct ps_spool *spool, struct ps_spool_records *records,
                          const struct ps_spool_sink_records *kept, int error)
{
    if (records->told_unsynced)
        return;
    records->told_unsynced = true;
    ps_log(PS_LOG_WARN, spool->component,
           "the directory of %s/%s, which is gone, cannot be synced: %s: until then, the sink keeps the "
           "position records of such files, because a power cut may bring them back",
           spool->directory, kept->path, strerror(error));
}

/* Returns whether the file counts as gone. A list can miss a file that is renamed while the names are read, so two lists in a row must
 * lack it. */
static bool is_gone(struct ps_spool_sink_records *kept, enum there there)
{
    bool gone = there == GONE || (there == MISSING && kept->missed);
    kept->missed = there == MISSING;
    return gone;
}

void ps_spool_sink_records_compare(struct ps_spool *spool, struct ps_spool_fetch *fetch)
{
    struct ps_spool_records *records = &spool->records;
    bool all_known = true;
    char synced[PATH_BYTES] = "";
    for (size_t i = records->count; i-- > 0;) {
        struct ps_spool_sink_records *kept = &records->items[i];
        int error;
        enum there there = where(spool, kept, &error);
        if (error != 0)
            tell_unsure(spool, records, kept, error);
        bool is_over = is_gone(kept, there);
        if (is_over && (error = end_sync(spool, kept, synced)) != 0)
            tell_unsynced(spool, records, kept, error);
        void *gone = is_over && error == 0
                         ? reallocarray(fetch->gone, fetch->gone_count + 1, sizeof *fetch->gone)
                         : NULL;
        all_known &= error == 0 && (there == THERE || gone != NULL);
        if (gone == NULL)
            continue;
        fetch->gone = gone;
        print_key(kept->inode, kept->born_ns, kept->device, fetch->gone[fetch->gone_count++]);
        drop(records, i);
    }
    records->compared = all_known;
}
