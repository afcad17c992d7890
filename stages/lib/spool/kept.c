#include "stages/lib/spool/kept.h"

#include "core/log/log.h"
#include "stages/lib/spool/spool_internal.h"
#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/keeping.h"
#include "stages/lib/text/json_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U
#define PURPOSE "positions of files"
#define MEMBERS_BYTES_MAX 320U

/* ---- writing ---- */

static void print_key(uint64_t inode, uint64_t born_ns, uint64_t device, char key[PS_SPOOL_KEY_BYTES])
{
    if (born_ns != 0)
        snprintf(key, PS_SPOOL_KEY_BYTES, "%" PRIu64 "-%" PRIx64, inode, born_ns);
    else
        snprintf(key, PS_SPOOL_KEY_BYTES, "%" PRIu64 ".%" PRIx64, inode, device);
}

void ps_spool_kept_key(const struct ps_spool_file *file, char key[PS_SPOOL_KEY_BYTES])
{
    print_key(file->inode, file->born_ns, file->device, key);
}

uint32_t ps_spool_kept_bound(const struct ps_spool_file *file)
{
    return (uint32_t)strlen(ps_spool_below(file->spool, file->path)) * PS_JSON_TEXT_GROWTH +
           MEMBERS_BYTES_MAX;
}

uint32_t ps_spool_kept_print(const struct ps_spool_file *file, uint64_t inside, enum ps_spool_kept_end end,
                             char *to)
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
        at = ps_tail_keeping_number(stpcpy(at, members[i].name), (int64_t)members[i].value);
    at = stpcpy(at, ",\"file\":\"");
    at += ps_json_text(path, strlen(path), at);
    at = stpcpy(at, "\"}");
    return (uint32_t)(at - to);
}

/* ---- reading ---- */

static bool accept(const char **at, char character)
{
    *at += strspn(*at, " \t\r\n");
    if (**at != character)
        return false;
    (*at)++;
    return true;
}

/* Takes a string. It is not decoded yet. */
static bool string_take(const char **at, struct ps_slice *string)
{
    if (!accept(at, '"'))
        return false;
    const char *first = *at;
    for (; **at != '"'; (*at)++) {
        if (**at == '\0')
            return false;
        if (**at != '\\')
            continue;
        (*at)++;
        if (**at == 'u')
            for (unsigned i = 0; i < 4; i++, (*at)++)
                if (!isxdigit((unsigned char)(*at)[1]))
                    return false;
        if (**at == '\0')
            return false;
    }
    *string = (struct ps_slice){(char *)(uintptr_t)first, (uint32_t)(*at - first)};
    (*at)++;
    return true;
}

static bool number_take(const char **at, int64_t *number)
{
    char *end;
    *at += strspn(*at, " \t\r\n");
    errno = 0;
    *number = strtoll(*at, &end, 10);
    bool good = end != *at && errno == 0;
    *at = end;
    return good;
}

enum member { POS, INODE, DEVICE, BORN, SIZE, CHANGED, COMPRESSION, INSIDE, END, FILE_NAME, MEMBERS };

static bool member_take(const char **at, struct ps_spool_kept *kept, int64_t numbers[MEMBERS], unsigned *seen)
{
    static const char *const names[] = {"pos",     "inode",       "device", "born", "size",
                                        "changed", "compression", "inside", "end",  "file"};
    struct ps_slice name, text;
    unsigned which = 0;
    if (!string_take(at, &name) || !accept(at, ':'))
        return false;
    while (which < MEMBERS &&
           (strlen(names[which]) != name.length || memcmp(names[which], name.data, name.length) != 0))
        which++;
    *at += strspn(*at, " \t\r\n");
    int64_t number;
    if (**at != '"') {
        if (which == FILE_NAME || !number_take(at, &number))
            return false;
        if (which < MEMBERS)
            numbers[which] = number;
    } else {
        if (which < FILE_NAME || !string_take(at, &text))
            return false;
        if (which == FILE_NAME && kept->path == NULL) {
            kept->path = ps_must_alloc((size_t)text.length + 1, 1, PURPOSE);
            kept->path[ps_json_unescape(text.data, text.length, "?", kept->path)] = '\0';
        }
    }
    *seen |= 1U << which;
    return true;
}

static bool kept_take(const char **at, struct ps_spool_kept *kept)
{
    int64_t numbers[MEMBERS] = {0};
    unsigned seen = 0;
    *kept = (struct ps_spool_kept){.path = NULL};
    if (!accept(at, '{'))
        return false;
    do
        if (!member_take(at, kept, numbers, &seen))
            return false;
    while (accept(at, ','));
    kept->inode = (uint64_t)numbers[INODE];
    kept->device = (uint64_t)numbers[DEVICE];
    kept->born_ns = (uint64_t)numbers[BORN];
    kept->state = (struct ps_spool_state){(uint64_t)numbers[SIZE], (uint64_t)numbers[CHANGED]};
    kept->compression = (enum ps_compression)numbers[COMPRESSION];
    kept->end = (enum ps_spool_kept_end)numbers[END];
    kept->position = (uint64_t)numbers[POS] - (numbers[END] != PS_SPOOL_KEPT_OPEN);
    kept->inside = (uint64_t)numbers[INSIDE];
    return accept(at, '}') && (seen & ((1U << MEMBERS) - 1)) == (1U << MEMBERS) - 1 && numbers[INSIDE] >= 0 &&
           numbers[END] >= PS_SPOOL_KEPT_OPEN && numbers[END] <= PS_SPOOL_KEPT_BROKEN &&
           numbers[POS] >= (numbers[END] != PS_SPOOL_KEPT_OPEN);
}

static void add(struct ps_spool_records *records, const struct ps_spool_kept *kept)
{
    if (records->count == records->room) {
        records->room = 2 * records->room + 16;
        records->items = ps_must_realloc(records->items, records->room * sizeof *records->items, PURPOSE);
    }
    records->items[records->count++] = *kept;
}

bool ps_spool_kept_parse(const char *text, struct ps_spool_records *records)
{
    *records = (struct ps_spool_records){.items = NULL};
    if (!accept(&text, '['))
        return false;
    if (accept(&text, ']'))
        return true;
    do {
        struct ps_spool_kept kept;
        if (!kept_take(&text, &kept)) {
            free(kept.path);
            return false;
        }
        add(records, &kept);
    } while (accept(&text, ','));
    return accept(&text, ']');
}

static void drop(struct ps_spool_records *records, size_t at)
{
    free(records->items[at].path);
    records->items[at] = records->items[--records->count];
}

void ps_spool_kept_free(struct ps_spool_records *records)
{
    while (records->count > 0)
        drop(records, records->count - 1);
    free(records->items);
    *records = (struct ps_spool_records){.items = NULL};
}

/* ---- whose they are ---- */

/* Returns 0, or why the record's path cannot be looked at. */
static int look(const struct ps_spool *spool, const struct ps_spool_kept *kept, char path[PATH_BYTES],
                struct stat *status)
{
    if (snprintf(path, PATH_BYTES, "%s/%s", spool->directory, kept->path) >= (int)PATH_BYTES)
        return ENAMETOOLONG;
    return stat(path, status) == 0 ? 0 : errno;
}

static bool is_of(const struct ps_spool *spool, const struct ps_spool_kept *kept,
                  const struct ps_spool_file *file)
{
    char path[PATH_BYTES];
    struct stat status;
    bool known = kept->born_ns != 0 && file->born_ns != 0;
    if (kept->inode != file->inode || (known && kept->born_ns != file->born_ns))
        return false;
    if (strcmp(kept->path, ps_spool_below(spool, file->path)) == 0)
        return known || kept->device == file->device;
    return known && look(spool, kept, path, &status) == ENOENT; /* it was renamed */
}

static void read_all(const struct ps_spool_file *file, const char *why)
{
    ps_log(PS_LOG_WARN, file->spool->component, "%s %s: reading all of it, so some of its events come again",
           file->path, why);
}

/* The file's bytes may have changed since. */
static void go_on(const struct ps_spool_kept *kept, struct ps_spool_file *file)
{
    if (kept->compression != file->compression)
        read_all(file,
                 "has a position of another format (penstock.decompress, or its name, was another one)");
    else if (kept->position > file->size && file->compression == PS_COMPRESSION_NONE)
        read_all(file, "is shorter than what was read of it");
    else {
        file->start = kept->position;
        file->inside = kept->inside;
        file->begun = kept->position > 0 || kept->inside > 0 || kept->end != PS_SPOOL_KEPT_OPEN;
    }
}

bool ps_spool_kept_start(struct ps_spool *spool, struct ps_spool_file *file)
{
    size_t at = 0;
    while (at < spool->records.count && !is_of(spool, &spool->records.items[at], file))
        at++;
    if (at == spool->records.count)
        return false;
    const struct ps_spool_kept *kept = &spool->records.items[at];
    bool same = ps_spool_is_same_state(kept->state, file->state);
    if (kept->end != PS_SPOOL_KEPT_BROKEN || same) /* a corrected file is read from its beginning */
        go_on(kept, file);
    file->born_ns = kept->born_ns; /* the record keeps its key */
    file->finished = kept->end == PS_SPOOL_KEPT_FINISHED && same && file->begun;
    drop(&spool->records, at);
    return true;
}

/* Returns whether the file at the path, with the record's inode, may be the record's: inodes are used again soon. */
static bool may_be(const struct ps_spool_kept *kept, const char *path)
{
    uint64_t born_ns = ps_tail_path_born_ns(path);
    return born_ns == 0 || kept->born_ns == 0 || born_ns == kept->born_ns;
}

/* Returns whether the record's file is in the directory, and not retired. */
static bool is_there(const struct ps_spool *spool, const struct ps_spool_kept *kept)
{
    char path[PATH_BYTES], marker[PATH_BYTES];
    struct stat status;
    int error = look(spool, kept, path, &status);
    if (error == 0 && status.st_ino == kept->inode && may_be(kept, path))
        return !spool->marks || !ps_spool_marker(spool, path, marker, sizeof marker) ||
               access(marker, F_OK) != 0;
    if (error != 0 && error != ENOENT && error != ENOTDIR)
        return true;
    for (size_t i = 0; i < spool->count; i++)
        if (spool->list[i].inode == kept->inode && may_be(kept, spool->list[i].path))
            return true; /* it was renamed */
    return false;
}

void ps_spool_kept_compare(struct ps_spool *spool, struct ps_spool_fetch *fetch)
{
    struct ps_spool_records *records = &spool->records;
    records->compared = true;
    for (size_t i = records->count; i-- > 0;) {
        const struct ps_spool_kept *kept = &records->items[i];
        if (is_there(spool, kept))
            continue;
        fetch->gone = ps_must_realloc(fetch->gone, (fetch->gone_count + 1) * sizeof *fetch->gone, PURPOSE);
        print_key(kept->inode, kept->born_ns, kept->device, fetch->gone[fetch->gone_count++]);
        drop(records, i);
    }
}
