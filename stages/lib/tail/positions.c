#include "stages/lib/tail/positions.h"

#include "core/array.h"
#include "core/clock.h"
#include "core/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PURPOSE "positions"

/* ---- the list ---- */

static void position_fini(struct ps_tail_position *position)
{
    free(position->path);
    ps_tail_marks_free(&position->marks);
}

void ps_tail_positions_add(struct ps_tail_positions *positions, const struct ps_tail_position *position)
{
    PS_ARRAY_GROW(positions->items, positions->count, positions->room, PURPOSE);
    struct ps_tail_position *item = &positions->items[positions->count++];
    *item = *position;
    item->path = ps_must_copy_text(position->path != NULL ? position->path : "", PURPOSE);
    ps_tail_marks_copy(&item->marks, &position->marks, position->offset);
}

/* Sorts by inode; equal inodes stay in their order: qsort is not stable, so the addresses are compared. */
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
            position_fini(order[i]);
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
        position_fini(&positions->items[i]);
    free(positions->items);
    *positions = (struct ps_tail_positions){.count = 0};
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
        return ps_err_set(err, "%s cannot be a position file: it is not a regular file, or too large", path);
    }
    size_t room = (size_t)status.st_size, used = 0;
    char *text = ps_must_alloc(room + 1, 1, PURPOSE);
    ssize_t length = 1;
    while (used < room && length != 0) {
        length = read(fd, text + used, room - used);
        if (length < 0 && errno != EINTR)
            break;
        used += length > 0 ? (size_t)length : 0;
    }
    int error = errno;
    close(fd);
    if (length < 0) {
        free(text);
        return ps_err_set(err, "%s cannot be read: %s", path, strerror(error));
    }
    ps_tail_positions_parse(text, used, identities, positions);
    positions->hash = ps_tail_head(text, used);
    positions->saved_ns = (uint64_t)status.st_mtim.tv_sec * PS_NS_PER_S + (uint64_t)status.st_mtim.tv_nsec;
    free(text);
    return PS_OK;
}

/* Returns whether the identities belong to this position file. Then their positions count: both files were written
 * from the same state, or the crash came between them. */
static bool is_newer(const struct ps_tail_positions *identities, const struct ps_tail_positions *positions)
{
    return positions->hash == identities->goes_with || positions->hash == identities->goes_with_earlier;
}

/* Adds fingerprints to a position file that another program wrote since, or to one of an older version whose identities had no positions. */
static void identities_add(struct ps_tail_positions *positions, const struct ps_tail_positions *identities)
{
    for (size_t i = 0; i < identities->count; i++) {
        const struct ps_tail_position *known = &identities->items[i];
        struct ps_tail_position *position = ps_tail_positions_find(positions, known->inode);
        bool moved = position != NULL && identities->goes_with != 0 && position->offset != known->offset;
        if (position == NULL || moved)
            continue;
        position->identity = known->identity;
        position->known_ms = known->known_ms;
        position->serial = known->serial;
        position->over_ms = known->over_ms;
        position->anew_from = 0;
        position->rest = (struct ps_tail_mark){0};
        ps_tail_marks_free(&position->marks);
        if (position->offset != known->offset)
            continue;
        position->anew_from = known->anew_from;
        position->rest = known->rest;
        ps_tail_marks_copy(&position->marks, &known->marks, known->offset);
    }
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
    uint64_t written_ns = (uint64_t)identities.written_ms * PS_NS_PER_MS;
    if (written_ns > 0 && written_ns < positions->saved_ns)
        positions->saved_ns = written_ns;
    positions->clock_was_set_back = positions->saved_ns / PS_NS_PER_MS > (uint64_t)ps_clock_now().wall_ms;
    if (status == PS_OK && identities.goes_with != 0 && is_newer(&identities, positions)) {
        struct ps_tail_positions older = *positions;
        *positions = identities;
        positions->ours = true;
        positions->hash = older.hash;
        positions->saved_ns = older.saved_ns;
        positions->clock_was_set_back = older.clock_was_set_back;
        identities = older;
    } else {
        identities_add(positions, &identities);
    }
    ps_tail_positions_free(&identities);
    if (status != PS_OK)
        ps_tail_positions_free(positions);
    return status;
}

/* Writes the new content to PATH.new and renames it. Resolves links first, so that a link stays a link. */
static enum ps_status file_write(const char *path, const char *text, size_t length, struct ps_err *err)
{
    char target[PATH_MAX];
    if (realpath(path, target) != NULL)
        path = target;
    char *fresh = beside(path, ".new");
    int error = ps_file_replace(path, fresh, 0644, text, length);
    enum ps_status status =
        error == 0 ? PS_OK : ps_err_set(err, "%s cannot be written: %s", path, strerror(error));
    free(fresh);
    return status;
}

/* Returns a text that the caller frees. Ends the process if there is no memory. */
static char *text_of(const struct ps_tail_positions *positions,
                     void (*print)(FILE *out, const struct ps_tail_positions *positions), size_t *length)
{
    char *text;
    FILE *out = ps_must_open_text(&text, length, PURPOSE);
    print(out, positions);
    fclose(out);
    return text;
}

enum ps_status ps_tail_positions_save(const char *path, struct ps_tail_positions *positions,
                                      struct ps_err *err)
{
    size_t length, identities_length;
    char *text = text_of(positions, ps_tail_positions_print, &length);
    positions->goes_with_earlier = positions->hash;
    positions->goes_with = ps_tail_head(text, length);
    positions->written_ms = ps_clock_now().wall_ms;
    char *identities = text_of(positions, ps_tail_positions_print_identities, &identities_length);
    char *name = beside(path, ".identities");
    enum ps_status status = file_write(name, identities, identities_length, err);
    if (status == PS_OK)
        status = file_write(path, text, length, err);
    if (status == PS_OK)
        positions->hash = positions->goes_with;
    free(name);
    free(text);
    free(identities);
    return status;
}
