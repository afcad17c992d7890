/* `penstock deadletter`: which letters were replayed. FILE.replayed has a line for each replayed letter:
 *
 *   OFFSET CRC32C BODY REPLAYS     the line's place in FILE, the checksum of its bytes, a hash of its body, the
 *     number of replays of that body
 *
 * A line counts only if the letter at that offset has this CRC32C. The hash finds a body that came again as
 * another letter, so that it is not replayed forever. */
#include "commands/deadletter/internal.h"
#include "core/array.h"
#include "core/crc32c.h"
#include "core/fnv.h"
#include "core/text/ends.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SUFFIX ".replayed"

struct ps_deadletter_marks {
    struct ps_deadletter_mark *items;
    size_t count, room;
};

struct ps_deadletter_mark ps_deadletter_mark_of(const struct ps_deadletter *letter)
{
    struct ps_deadletter_mark mark = {
        .offset = letter->offset,
        .body_hash = ps_fnv64(PS_FNV64 ^ letter->body_length, letter->body, letter->body_length),
        .line_crc = ps_crc32c(0, letter->line, letter->line_length),
        .replays = letter->replays + 1,
    };
    snprintf(mark.file, sizeof mark.file, "%s", letter->file);
    return mark;
}

static bool failed(const char *what)
{
    fprintf(stderr, "penstock deadletter: %s: %s\n", what, strerror(errno));
    return false;
}

/* ---- reading ---- */

static int compare(const void *a, const void *b)
{
    const struct ps_deadletter_mark *left = a, *right = b;
    if (left->body_hash != right->body_hash)
        return left->body_hash < right->body_hash ? -1 : 1;
    return 0;
}

static void add(struct ps_deadletter_marks *marks, const struct ps_deadletter_mark *mark)
{
    PS_ARRAY_GROW(marks->items, marks->count, marks->room, "marks of letters");
    marks->items[marks->count++] = *mark;
}

/* Reads a file of marks. Skips a line that a crash has cut off: its letter is replayed again. */
static bool file_read(struct ps_deadletter_marks *marks, const char *directory, const char *name)
{
    char path[4096], line[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return failed(path);
    struct ps_deadletter_mark mark = {.offset = 0};
    snprintf(mark.file, sizeof mark.file, "%.*s", (int)(strlen(name) - strlen(SUFFIX)), name);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strchr(line, '\n') != NULL && sscanf(line, "%" SCNu64 " %" SCNx32 " %" SCNx64 " %u", &mark.offset,
                                                 &mark.line_crc, &mark.body_hash, &mark.replays) == 4)
            add(marks, &mark);
    }
    bool good = ferror(file) == 0;
    if (!good) /* a read error, not the end of the file: letters would be replayed again */
        failed(path);
    fclose(file);
    return good;
}

struct ps_deadletter_marks *ps_deadletter_marks_read(const char *directory)
{
    struct ps_deadletter_marks *marks = ps_must_alloc(1, sizeof *marks, "marks of letters");
    DIR *folder = opendir(directory);
    bool good = folder != NULL;
    if (!good)
        failed(directory);
    while (good) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) { /* an error, not the end of the directory: letters would be replayed again */
            good = errno == 0 || failed(directory);
            break;
        }
        if (ps_text_ends(entry->d_name, SUFFIX))
            good = file_read(marks, directory, entry->d_name);
    }
    if (folder != NULL)
        closedir(folder);
    if (!good) {
        ps_deadletter_marks_free(marks);
        return NULL;
    }
    if (marks->count > 0)
        qsort(marks->items, marks->count, sizeof *marks->items, compare);
    return marks;
}

void ps_deadletter_marks_free(struct ps_deadletter_marks *marks)
{
    if (marks == NULL)
        return;
    free(marks->items);
    free(marks);
}

/* Returns the first mark with this hash, or the end. */
static size_t first_of(const struct ps_deadletter_marks *marks, uint64_t hash)
{
    size_t low = 0, high = marks->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (marks->items[middle].body_hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void ps_deadletter_marks_look(const struct ps_deadletter_marks *marks, struct ps_deadletter *letter)
{
    struct ps_deadletter_mark own = ps_deadletter_mark_of(letter);
    letter->replays = 0;
    letter->replayed = false;
    for (size_t i = first_of(marks, own.body_hash);
         i < marks->count && marks->items[i].body_hash == own.body_hash; i++) {
        const struct ps_deadletter_mark *mark = &marks->items[i];
        letter->replays = mark->replays > letter->replays ? mark->replays : letter->replays;
        letter->replayed |=
            mark->offset == own.offset && mark->line_crc == own.line_crc && strcmp(mark->file, own.file) == 0;
    }
}

/* ---- writing ---- */

struct ps_deadletter_marker {
    const char *directory;
    int lock; /* the directory, locked: one replay at a time */
    FILE *file;
    char name[256]; /* name of the file of letters whose marks `file` has */
};

struct ps_deadletter_marker *ps_deadletter_marker_open(const char *directory)
{
    int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0) {
        failed(directory);
        return NULL;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            fprintf(stderr, "penstock deadletter: %s: another replay is under way\n", directory);
        else
            failed(directory);
        close(lock);
        return NULL;
    }
    struct ps_deadletter_marker *marker = ps_must_alloc(1, sizeof *marker, "marks of letters");
    marker->directory = directory;
    marker->lock = lock;
    return marker;
}

static bool file_sync(struct ps_deadletter_marker *marker)
{
    bool good = true;
    if (marker->file == NULL)
        return true;
    if (fflush(marker->file) != 0 || fdatasync(fileno(marker->file)) != 0)
        good = failed(marker->name);
    if (fclose(marker->file) != 0 && good)
        good = failed(marker->name);
    marker->file = NULL;
    return good;
}

/* Opens the file of marks. If a crash has cut off the last line, ends that line first. */
static bool file_open(struct ps_deadletter_marker *marker, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s" SUFFIX, marker->directory, name);
    snprintf(marker->name, sizeof marker->name, "%s", name);
    marker->file = fopen(path, "a+e");
    if (marker->file == NULL || fseek(marker->file, 0, SEEK_END) != 0)
        return failed(path);
    bool is_torn =
        ftell(marker->file) > 0 && (fseek(marker->file, -1, SEEK_END) != 0 || fgetc(marker->file) != '\n');
    if (ferror(marker->file) || fseek(marker->file, 0, SEEK_END) != 0 ||
        (is_torn && fputc('\n', marker->file) == EOF))
        return failed(path);
    return true;
}

bool ps_deadletter_marker_add(struct ps_deadletter_marker *marker, const struct ps_deadletter_mark *mark)
{
    if (marker->file == NULL || strcmp(marker->name, mark->file) != 0) {
        if (!file_sync(marker) || !file_open(marker, mark->file))
            return false;
    }
    return fprintf(marker->file, "%" PRIu64 " %08" PRIx32 " %016" PRIx64 " %u\n", mark->offset,
                   mark->line_crc, mark->body_hash, mark->replays) > 0 &&
                   fflush(marker->file) == 0
               ? true
               : failed(mark->file);
}

bool ps_deadletter_marker_close(struct ps_deadletter_marker *marker)
{
    bool good = file_sync(marker);
    if (fsync(marker->lock) != 0 && good)
        good = failed(marker->directory);
    close(marker->lock);
    free(marker);
    return good;
}
