#include "core/array.h"
#include "stages/lib/spool/spool_internal.h"

#include "core/durable.h"
#include "core/log/log.h"
#include "stages/lib/text/json/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PURPOSE "the numbers of spooled files"
#define PATH_BYTES 4096U
#define TEXT_BYTES_MAX (1U << 20) /* a longer file is not ours */
#define NUMBERS_KEPT (4 * PS_SPOOL_FILES_MAX)

/* ---- the list ---- */

static void add(struct ps_spool_numbers *numbers, const struct ps_spool_number *number)
{
    PS_ARRAY_GROW(numbers->items, numbers->count, numbers->room, PURPOSE);
    numbers->items[numbers->count++] = *number;
}

void ps_spool_numbers_free(struct ps_spool_numbers *numbers)
{
    free(numbers->items);
    *numbers = (struct ps_spool_numbers){.items = NULL};
}

/* ---- the text ---- */

enum member { DEVICE, INODE, SIZE, CHANGED, SETTINGS, NUMBER, MEMBERS };
static const char *const names[] = {"device", "inode", "size", "changed", "settings", "number"};

/* Takes one object; members that this version does not know are passed over. */
static bool number_take(struct ps_json_cursor *cursor, struct ps_spool_number *number)
{
    int64_t values[MEMBERS + 1] = {0};
    unsigned seen = 0;
    if (!ps_json_accept(cursor, '{'))
        return false;
    do {
        unsigned which = 0;
        if (!ps_json_string_take(cursor))
            return false;
        while (which < MEMBERS && strcmp(names[which], cursor->string) != 0)
            which++;
        seen |= 1U << which;
        if (!ps_json_accept(cursor, ':') ||
            !(which < MEMBERS ? ps_json_number_take(cursor, &values[which]) : ps_json_skip(cursor)))
            return false;
    } while (ps_json_accept(cursor, ','));
    *number = (struct ps_spool_number){
        .device = (uint64_t)values[DEVICE],
        .inode = (uint64_t)values[INODE],
        .state = {.size = (uint64_t)values[SIZE], .changed_ns = (uint64_t)values[CHANGED]},
        .settings = (uint64_t)values[SETTINGS],
        .number = (uint64_t)values[NUMBER]};
    return ps_json_accept(cursor, '}') && (seen & ((1U << MEMBERS) - 1)) == (1U << MEMBERS) - 1;
}

void ps_spool_numbers_parse(struct ps_spool_numbers *numbers, const char *text, size_t length)
{
    struct ps_json_cursor cursor = {
        .at = text, .end = text + length, .string = ps_must_alloc(length + 1, 1, PURPOSE)};
    struct ps_spool_number number;
    if (ps_json_accept(&cursor, '[') && !ps_json_accept(&cursor, ']'))
        do {
            if (!number_take(&cursor, &number))
                break;
            add(numbers, &number);
        } while (ps_json_accept(&cursor, ','));
    free(cursor.string);
}

void ps_spool_numbers_print(const struct ps_spool_numbers *numbers, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < numbers->count; i++) {
        const struct ps_spool_number *number = &numbers->items[i];
        const uint64_t values[MEMBERS] = {number->device,           number->inode,    number->state.size,
                                          number->state.changed_ns, number->settings, number->number};
        for (unsigned k = 0; k < MEMBERS; k++)
            fprintf(out, "%s\"%s\":%" PRId64,
                    k > 0   ? ","
                    : i > 0 ? ",\n{"
                            : "{",
                    names[k], (int64_t)values[k]);
        fputc('}', out);
    }
    fputs("]\n", out);
}

/* ---- the file ---- */

static bool path_of(const struct ps_spool *spool, const char *suffix, char path[PATH_BYTES])
{
    int length = snprintf(path, PATH_BYTES, "%s/" PS_SPOOL_NUMBERS_NAME "%s", spool->tracker, suffix);
    return length > 0 && (size_t)length < PATH_BYTES;
}

/* Reads the text of an open file of numbers. Returns 0 or an errno. What is not ours counts as lost: its files get other
 * numbers. */
static int read_from(struct ps_spool *spool, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return errno;
    if (!S_ISREG(status.st_mode) || status.st_size > TEXT_BYTES_MAX)
        return 0;
    size_t room = (size_t)status.st_size;
    char *text = ps_must_alloc(room + 1, 1, PURPOSE);
    ssize_t length = ps_tail_read_fully(fd, text, room, 0);
    int error = length < 0 ? errno : 0;
    ps_spool_numbers_parse(&spool->numbers, text, length > 0 ? (size_t)length : 0);
    free(text);
    return error;
}

bool ps_spool_numbers_load(struct ps_spool *spool, char *reason)
{
    char path[PATH_BYTES];
    if (!spool->identities || spool->numbers.known)
        return true;
    bool has_path = path_of(spool, "", path);
    int fd = has_path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    int error = fd >= 0 ? read_from(spool, fd) : has_path && errno != ENOENT ? errno : 0;
    if (fd >= 0)
        close(fd);
    spool->numbers.known = error == 0;
    if (error != 0)
        snprintf(
            reason, PS_SPOOL_REASON_BYTES,
            "%.600s cannot be read: %s; make it readable, or remove it: then the events of files that are "
            "not finished get other identities",
            path, strerror(error));
    return error == 0;
}

static int save(const struct ps_spool *spool)
{
    char path[PATH_BYTES], beside[PATH_BYTES];
    char *text;
    size_t length;
    if (!path_of(spool, "", path) || !path_of(spool, ".new", beside))
        return ENAMETOOLONG;
    FILE *out = ps_must_open_text(&text, &length, PURPOSE);
    ps_spool_numbers_print(&spool->numbers, out);
    fclose(out);
    int error = ps_file_replace(path, beside, 0644, text, length);
    free(text);
    return error;
}

/* ---- the files of a fetch ---- */

static bool is_in_flight(const struct ps_spool *spool, const struct ps_spool_number *number)
{
    for (size_t i = 0; i < PS_SPOOL_FILES_MAX; i++) {
        const struct ps_spool_file *file = &spool->files[i];
        bool is_same = file->inode == number->inode && file->device == number->device;
        if (file->in_flight && (is_same || file->number == number->number))
            return true;
    }
    return false;
}

/* Returns whether the events of another file have this number: two files may be links of one. */
static bool is_used(const struct ps_spool *spool, uint64_t number, const struct ps_spool_file *file)
{
    for (size_t i = 0; i < PS_SPOOL_FILES_MAX; i++) {
        const struct ps_spool_file *other = &spool->files[i];
        if (other != file && other->in_flight && other->number == number)
            return true;
    }
    return false;
}

/* Devices may have other numbers since the last process (decision 57): an unchanged file is known by its inode, size and ctime then, unless another file
 * has the number. */
static struct ps_spool_number *find(const struct ps_spool *spool, const struct ps_spool_file *file)
{
    const struct ps_spool_numbers *numbers = &spool->numbers;
    struct ps_spool_number *moved = NULL;
    for (size_t i = 0; i < numbers->count; i++) {
        struct ps_spool_number *number = &numbers->items[i];
        if (number->inode != file->inode)
            continue;
        if (number->device == file->device)
            return number;
        if (ps_spool_is_same_state(number->state, file->state) && !is_used(spool, number->number, file))
            moved = number;
    }
    return moved;
}

static struct ps_spool_number *find_number(const struct ps_spool_numbers *numbers, uint64_t number)
{
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->items[i].number == number)
            return &numbers->items[i];
    return NULL;
}

void ps_spool_numbers_forget(struct ps_spool *spool, const struct ps_spool_file *file)
{
    struct ps_spool_number *number = file->number != 0 ? find_number(&spool->numbers, file->number) : NULL;
    if (number != NULL && !is_used(spool, file->number, file))
        *number = spool->numbers.items[--spool->numbers.count];
}

/* Drops the numbers of files that are gone, so that their list does not grow without limit: the numbers of files that this process
 * retires go with these. A few are kept, because a directory may be unreadable, or not mounted, for a while. Called when the directory
 * was listed, and all its files are open. */
static void tidy(struct ps_spool *spool)
{
    size_t kept = 0;
    for (size_t i = 0; i < spool->numbers.count; i++)
        if (is_in_flight(spool, &spool->numbers.items[i]))
            spool->numbers.items[kept++] = spool->numbers.items[i];
    spool->numbers.count = kept;
}

/* Returns whether the number is that of the file's events from its start on. */
static bool goes_on(const struct ps_spool_number *number, const struct ps_spool_number *wanted,
                    const struct ps_spool_file *file)
{
    return number != NULL && ps_spool_is_same_state(number->state, wanted->state) &&
           number->settings == wanted->settings && (file->start == 0 || file->counted);
}

/* Sets the file's number. Returns whether it was drawn. */
static bool give(struct ps_spool *spool, struct ps_spool_file *file)
{
    file->number = 0;
    struct ps_spool_number fresh = {.device = file->device,
                                    .inode = file->inode,
                                    .state = file->state,
                                    .settings = spool->events_settings + (uint64_t)file->compression};
    struct ps_spool_number *known = find(spool, file);
    if (goes_on(known, &fresh, file)) {
        file->number = known->number;
        known->device = file->device;
        return false;
    }
    if (getrandom(&fresh.number, sizeof fresh.number, 0) != (ssize_t)sizeof fresh.number)
        return false;
    file->number = fresh.number;
    if (known != NULL)
        *known = fresh;
    else
        add(&spool->numbers, &fresh);
    return true;
}

/* Takes the numbers back that were drawn and are not on the disk, from all files that have them: two files of a fetch may be links of
 * one. The numbers on the disk count again. */
static void take_back(struct ps_spool *spool, const struct ps_spool_fetch *fetch,
                      const struct ps_spool_numbers *before)
{
    ps_spool_numbers_free(&spool->numbers);
    spool->numbers = *before;
    for (unsigned i = 0; i < fetch->found; i++)
        if (find_number(&spool->numbers, fetch->files[i]->number) == NULL)
            fetch->files[i]->number = 0;
}

static struct ps_spool_numbers copy_of(const struct ps_spool_numbers *numbers)
{
    struct ps_spool_numbers copy = {.known = numbers->known};
    for (size_t i = 0; i < numbers->count; i++)
        add(&copy, &numbers->items[i]);
    return copy;
}

void ps_spool_numbers_give(struct ps_spool *spool, const struct ps_spool_fetch *fetch)
{
    bool any = false;
    if (!spool->identities)
        return;
    if (spool->next == spool->count && !spool->lacks && spool->numbers.count > NUMBERS_KEPT)
        tidy(spool);
    struct ps_spool_numbers before = copy_of(&spool->numbers);
    for (unsigned i = 0; i < fetch->found; i++)
        any |= !fetch->files[i]->finished && give(spool, fetch->files[i]);
    int error = any ? save(spool) : 0;
    if (error != 0 && !spool->numbers_failed)
        ps_log(PS_LOG_ERROR, spool->component,
               "%s/" PS_SPOOL_NUMBERS_NAME " cannot be written: %s: events of new files have no identities",
               spool->tracker, strerror(error));
    if (any) /* a fetch that draws nothing does not write */
        spool->numbers_failed = error != 0;
    if (error != 0)
        take_back(spool, fetch, &before);
    else
        ps_spool_numbers_free(&before);
}
