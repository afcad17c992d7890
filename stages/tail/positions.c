#include "stages/tail/positions.h"

#include "core/clock.h"
#include "stages/text/json_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PURPOSE "positions"
#define DEPTH_MAX 32

/* ---- the list ---- */

void ps_tail_positions_add(struct ps_tail_positions *positions, const struct ps_tail_position *position)
{
    if (positions->count == positions->room) {
        positions->room = 2 * positions->room + 64;
        positions->items =
            ps_must_realloc(positions->items, positions->room * sizeof *positions->items, PURPOSE);
    }
    struct ps_tail_position *item = &positions->items[positions->count++];
    *item = *position;
    item->path = ps_must_copy_text(position->path != NULL ? position->path : "", PURPOSE);
}

/* Of one inode, the later one behind the earlier one: qsort may move equal ones, so their places count. */
static int by_inode(const void *a_, const void *b_)
{
    const struct ps_tail_position *const *a = a_, *const *b = b_;
    if ((*a)->inode != (*b)->inode)
        return (*a)->inode < (*b)->inode ? -1 : 1;
    return *a < *b ? -1 : *a > *b;
}

void ps_tail_positions_sort(struct ps_tail_positions *positions)
{
    size_t count = positions->count, kept = 0;
    if (count == 0)
        return;
    struct ps_tail_position **order = ps_must_alloc(count, sizeof(struct ps_tail_position *), PURPOSE);
    struct ps_tail_position *sorted = ps_must_alloc(count, sizeof *sorted, PURPOSE);
    for (size_t i = 0; i < count; i++)
        order[i] = &positions->items[i];
    qsort(order, count, sizeof(struct ps_tail_position *), by_inode);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && order[i]->inode == order[i + 1]->inode)
            free(order[i]->path);
        else
            sorted[kept++] = *order[i];
    }
    free(order);
    free(positions->items);
    positions->items = sorted;
    positions->count = kept;
    positions->room = count;
}

struct ps_tail_position *ps_tail_positions_find(const struct ps_tail_positions *positions, uint64_t inode)
{
    size_t low = 0, high = positions->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (positions->items[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low < positions->count && positions->items[low].inode == inode ? &positions->items[low] : NULL;
}

void ps_tail_positions_free(struct ps_tail_positions *positions)
{
    for (size_t i = 0; i < positions->count; i++)
        free(positions->items[i].path);
    free(positions->items);
    *positions = (struct ps_tail_positions){.count = 0};
}

/* ---- JSON ---- */

struct cursor {
    const char *at, *end;
    char *text; /* the last string, decoded */
    bool failed;
};

static int peek(struct cursor *cursor)
{
    while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) != NULL && *cursor->at != '\0')
        cursor->at++;
    return cursor->at < cursor->end ? (unsigned char)*cursor->at : -1;
}

static bool accept(struct cursor *cursor, char character)
{
    if (peek(cursor) != character)
        return false;
    cursor->at++;
    return true;
}

static bool hex4(struct cursor *cursor, uint32_t *value)
{
    *value = 0;
    if (cursor->end - cursor->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char digit = *cursor->at++;
        const char *place = strchr("0123456789abcdef", digit >= 'A' && digit <= 'F' ? digit + 32 : digit);
        if (digit == '\0' || place == NULL)
            return false;
        *value = *value * 16 + (uint32_t)(place - "0123456789abcdef");
    }
    return true;
}

static char *utf8_put(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *to++ = (char)(0xE0 | code >> 12);
        *to++ = (char)(0x80 | ((code >> 6) & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    } else {
        *to++ = (char)(0xF0 | code >> 18);
        *to++ = (char)(0x80 | ((code >> 12) & 0x3F));
        *to++ = (char)(0x80 | ((code >> 6) & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    }
    return to;
}

/* \uXXXX, with the second half of a pair. */
static char *unicode_take(struct cursor *cursor, char *to)
{
    uint32_t code, low;
    if (!hex4(cursor, &code))
        return NULL;
    if (code >= 0xD800 && code < 0xDC00 && cursor->end - cursor->at >= 6 && cursor->at[0] == '\\' &&
        cursor->at[1] == 'u') {
        cursor->at += 2;
        if (!hex4(cursor, &low) || low < 0xDC00 || low > 0xDFFF)
            return NULL;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return utf8_put(to, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
}

/* A string, decoded into cursor->text, which has room for it: it does not grow. */
static bool string_take(struct cursor *cursor)
{
    static const char from[] = "\"\\/bfnrt", to_what[] = "\"\\/\b\f\n\r\t";
    char *to = cursor->text;
    if (!accept(cursor, '"'))
        return false;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        char character = *cursor->at++;
        if (character != '\\') {
            *to++ = character;
            continue;
        }
        if (cursor->at == cursor->end)
            return false;
        character = *cursor->at++;
        const char *place = character != '\0' ? strchr(from, character) : NULL;
        if (character == 'u')
            to = unicode_take(cursor, to);
        else if (place != NULL)
            *to++ = to_what[place - from];
        else
            return false;
        if (to == NULL)
            return false;
    }
    *to = '\0';
    return cursor->at++ < cursor->end;
}

/* A number without a fraction, also as a string (Gson takes both). */
static bool number_take(struct cursor *cursor, int64_t *value)
{
    char digits[24], *end;
    size_t length = 0;
    if (peek(cursor) == '"') {
        if (!string_take(cursor) || strlen(cursor->text) >= sizeof digits)
            return false;
        length = strlen(cursor->text);
        memcpy(digits, cursor->text, length);
    } else {
        while (cursor->at < cursor->end && length < sizeof digits - 1 &&
               strchr("-0123456789", *cursor->at) != NULL && *cursor->at != '\0')
            digits[length++] = *cursor->at++;
    }
    digits[length] = '\0';
    errno = 0;
    *value = strtoll(digits, &end, 10);
    return length > 0 && *end == '\0' && errno == 0;
}

/* Any value. */
static bool value_skip(struct cursor *cursor, int depth)
{
    int first = peek(cursor);
    if (first == '"')
        return string_take(cursor);
    if (first != '{' && first != '[') {
        const char *start = cursor->at;
        while (cursor->at < cursor->end && strchr(",]} \t\r\n", *cursor->at) == NULL)
            cursor->at++;
        return cursor->at > start;
    }
    cursor->at++;
    char last = first == '{' ? '}' : ']';
    if (depth == DEPTH_MAX)
        return false;
    if (accept(cursor, last))
        return true;
    do {
        if (first == '{' && (!string_take(cursor) || !accept(cursor, ':')))
            return false;
        if (!value_skip(cursor, depth + 1))
            return false;
    } while (accept(cursor, ','));
    return accept(cursor, last);
}

/* One member of an entry. `seen` has a bit for each that is needed. */
static bool member_take(struct cursor *cursor, struct ps_tail_position *position, unsigned *seen)
{
    static const char *const names[] = {"inode", "pos", "file", "device", "head", "length"};
    unsigned which = 0;
    int64_t number = 0;
    if (!string_take(cursor))
        return false;
    while (which < PS_COUNT_OF(names) && strcmp(names[which], cursor->text) != 0)
        which++;
    if (!accept(cursor, ':'))
        return false;
    if (which == PS_COUNT_OF(names))
        return value_skip(cursor, 0);
    if (which == 2) {
        if (!string_take(cursor))
            return false;
        free(position->path);
        position->path = ps_must_copy_text(cursor->text, PURPOSE);
    } else if (!number_take(cursor, &number)) {
        return false;
    }
    *seen |= 1U << which;
    switch (which) {
    case 0:
        position->inode = position->identity.inode = (uint64_t)number;
        break;
    case 1:
        position->offset = number;
        return number >= 0;
    case 3:
        position->identity.device = (uint64_t)number;
        break;
    case 4:
        position->identity.head = (uint64_t)number;
        break;
    case 5:
        position->identity.head_length = (uint32_t)number;
        return number >= 0 && number <= (int64_t)PS_TAIL_HEAD_BYTES;
    default:
        break;
    }
    return true;
}

static bool entry_take(struct cursor *cursor, bool identities, struct ps_tail_positions *positions)
{
    struct ps_tail_position position = {.path = NULL, .offset = identities ? -1 : 0};
    unsigned seen = 0, needed = identities ? 0x39 : 0x07;
    bool good = accept(cursor, '{');
    if (good && !accept(cursor, '}')) {
        do
            good = member_take(cursor, &position, &seen);
        while (good && accept(cursor, ','));
        good = good && accept(cursor, '}');
    }
    good = good && (seen & needed) == needed;
    if (good)
        ps_tail_positions_add(positions, &position);
    free(position.path);
    return good;
}

void ps_tail_positions_parse(const char *text, size_t length, bool identities,
                             struct ps_tail_positions *positions)
{
    struct cursor cursor = {.at = text, .end = text + length};
    *positions = (struct ps_tail_positions){.ours = length > 0 && text[length - 1] == '\n'};
    if (peek(&cursor) < 0) /* Flume's, when it knew no file */
        return;
    cursor.text = ps_must_alloc(length + 1, 1, PURPOSE);
    bool good = accept(&cursor, '[');
    if (good && !accept(&cursor, ']')) {
        do
            good = entry_take(&cursor, identities, positions);
        while (good && accept(&cursor, ','));
        good = good && accept(&cursor, ']');
    }
    positions->cut = !good;
    free(cursor.text);
}

/* ---- files ---- */

static char *beside(const char *path, const char *suffix)
{
    size_t length = strlen(path), more = strlen(suffix) + 1;
    char *name = ps_must_alloc(length + more, 1, PURPOSE);
    memcpy(name, path, length);
    memcpy(name + length, suffix, more);
    return name;
}

static enum ps_status file_read(const char *path, bool identities, struct ps_tail_positions *positions,
                                struct ps_err *err)
{
    struct stat status;
    *positions = (struct ps_tail_positions){.count = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? PS_OK : ps_err_set(err, "%s cannot be read: %s", path, strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        (uint64_t)status.st_size > PS_TAIL_POSITIONS_BYTES_MAX) {
        close(fd);
        return ps_err_set(err, "%s is no position file: it is no regular file, or too large", path);
    }
    size_t room = (size_t)status.st_size, used = 0;
    char *text = ps_must_alloc(room + 1, 1, PURPOSE);
    ssize_t length = 0;
    while (used < room && ((length = read(fd, text + used, room - used)) > 0 || errno == EINTR))
        used += length > 0 ? (size_t)length : 0;
    int error = errno;
    close(fd);
    if (length < 0) {
        free(text);
        return ps_err_set(err, "%s cannot be read: %s", path, strerror(error));
    }
    ps_tail_positions_parse(text, used, identities, positions);
    positions->written_ns = (uint64_t)status.st_mtim.tv_sec * PS_NS_PER_S + (uint64_t)status.st_mtim.tv_nsec;
    free(text);
    return PS_OK;
}

/* Those of an older version of this program have no positions of their own. */
static void identities_take(struct ps_tail_positions *positions, const struct ps_tail_positions *identities)
{
    bool have_positions = identities->ours && identities->written_ns >= positions->written_ns &&
                          (identities->count == 0 || identities->items[0].offset >= 0);
    size_t kept = 0;
    for (size_t i = 0; i < positions->count; i++) {
        struct ps_tail_position position = positions->items[i];
        const struct ps_tail_position *known = ps_tail_positions_find(identities, position.inode);
        if (known == NULL && have_positions) {
            free(position.path);
            continue;
        }
        if (known != NULL) {
            position.identity = known->identity;
            position.offset = have_positions && known->offset >= 0 ? known->offset : position.offset;
        }
        positions->items[kept++] = position;
    }
    positions->count = kept;
}

enum ps_status ps_tail_positions_load(const char *path, struct ps_tail_positions *positions,
                                      struct ps_err *err)
{
    struct ps_tail_positions identities = {.count = 0};
    if (file_read(path, false, positions, err) != PS_OK)
        return PS_FAIL;
    ps_tail_positions_sort(positions);
    if (!positions->ours)
        return PS_OK;
    char *name = beside(path, ".identities");
    enum ps_status status = file_read(name, true, &identities, err);
    free(name);
    ps_tail_positions_sort(&identities);
    identities_take(positions, &identities);
    ps_tail_positions_free(&identities);
    if (status != PS_OK)
        ps_tail_positions_free(positions);
    return status;
}

static void print_positions(FILE *out, const struct ps_tail_positions *positions)
{
    fputc('[', out);
    for (size_t i = 0; i < positions->count; i++) {
        const struct ps_tail_position *position = &positions->items[i];
        size_t length = strlen(position->path);
        char *text = ps_must_alloc(length * PS_JSON_TEXT_GROWTH + 1, 1, PURPOSE);
        length = ps_json_text(position->path, length, text);
        fprintf(out, "%s{\"inode\":%" PRId64 ",\"pos\":%" PRId64 ",\"file\":\"%.*s\"}", i > 0 ? "," : "",
                (int64_t)position->inode, position->offset, (int)length, text);
        free(text);
    }
    fputs("]\n", out);
}

static void print_identities(FILE *out, const struct ps_tail_positions *positions)
{
    fputc('[', out);
    for (size_t i = 0; i < positions->count; i++) {
        const struct ps_tail_identity *identity = &positions->items[i].identity;
        fprintf(out,
                "%s{\"inode\":%" PRId64 ",\"pos\":%" PRId64 ",\"device\":%" PRId64 ",\"head\":%" PRId64
                ",\"length\":%u}",
                i > 0 ? ",\n" : "", (int64_t)positions->items[i].inode, positions->items[i].offset,
                (int64_t)identity->device, (int64_t)identity->head, identity->head_length);
    }
    fputs("]\n", out);
}

/* Makes the name of a new file durable. */
static bool directory_sync(const char *path)
{
    char *folder = ps_must_copy_text(path, PURPOSE), *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    int error = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    errno = error;
    return good;
}

/* Writes the new content beside the file and renames it. A link stays one: the file that it points to is replaced. */
static enum ps_status file_write(const char *path, const struct ps_tail_positions *positions,
                                 void (*print)(FILE *out, const struct ps_tail_positions *positions),
                                 struct ps_err *err)
{
    char target[PATH_MAX];
    if (realpath(path, target) != NULL)
        path = target;
    char *fresh = beside(path, ".new");
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool good = out != NULL;
    if (good) {
        print(out, positions);
        good = fflush(out) == 0 && fsync(fd) == 0;
    }
    int error = errno;
    if (out != NULL)
        fclose(out);
    else if (fd >= 0)
        close(fd);
    if (good) {
        good = rename(fresh, path) == 0 && directory_sync(path);
        error = errno;
    }
    enum ps_status status = good ? PS_OK : ps_err_set(err, "%s cannot be written: %s", path, strerror(error));
    free(fresh);
    return status;
}

enum ps_status ps_tail_positions_save(const char *path, const struct ps_tail_positions *positions,
                                      struct ps_err *err)
{
    char *name = beside(path, ".identities");
    enum ps_status status = file_write(name, positions, print_identities, err);
    free(name);
    return status == PS_OK ? file_write(path, positions, print_positions, err) : PS_FAIL;
}
