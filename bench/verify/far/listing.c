#include "bench/verify/far/listing.h"
#include "core/array.h"
#include "core/clock.h"
#include "core/text/ends.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 16U
#define DIRECTORIES_MAX 512U /* stored for inotify watches */

enum ps_status ps_far_place_init(struct ps_far_place *place, const char *path, struct ps_err *err)
{
    struct stat info;
    *place = (struct ps_far_place){.kind = PS_FAR_FILE, .path = path};
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            place->kind = PS_FAR_DIRECTORY;
        else if (!S_ISREG(info.st_mode))
            return ps_err_set(err, "%s is neither a file nor a directory", path);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        return ps_err_set(err, "%s: %s", path, strerror(errno));
    } else if (strpbrk(path, "*?[") != NULL) {
        place->kind = PS_FAR_PATTERN;
    }
    return PS_OK;
}

static uint64_t time_ns(const struct statx_timestamp *time)
{
    return (uint64_t)time->tv_sec * PS_NS_PER_S + time->tv_nsec;
}

bool ps_far_identify(const char *path, int fd, struct ps_far_listed *file)
{
    struct statx info;
    if (statx(path != NULL ? AT_FDCWD : fd, path != NULL ? path : "", path != NULL ? 0 : AT_EMPTY_PATH,
              STATX_BASIC_STATS | STATX_BTIME, &info) != 0 ||
        !S_ISREG(info.stx_mode))
        return false;
    file->identity = (struct ps_far_identity){
        .device = (uint64_t)info.stx_dev_major << 32 | info.stx_dev_minor,
        .inode = info.stx_ino,
        .born_ns = (info.stx_mask & STATX_BTIME) != 0 ? time_ns(&info.stx_btime) : 0};
    file->size = info.stx_size;
    file->changed_ns = time_ns(&info.stx_mtime);
    return true;
}

int ps_far_identity_compare(const struct ps_far_identity *a, const struct ps_far_identity *b)
{
    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    if (a->born_ns != b->born_ns)
        return a->born_ns < b->born_ns ? -1 : 1;
    return 0;
}

static void add(struct ps_far_listing *listing, const char *path)
{
    struct ps_far_listed file;
    if (!ps_far_identify(path, -1, &file))
        return;
    if (listing->count == PS_FAR_FILES_MAX) {
        listing->truncated = true;
        return;
    }
    PS_ARRAY_GROW(listing->files, listing->count, listing->room, "a list of files");
    file.path = ps_must_copy_text(path, "a list of files");
    listing->files[listing->count++] = file;
}

static void add_directory(struct ps_far_listing *listing, const char *path)
{
    if (listing->directory_count == DIRECTORIES_MAX)
        return;
    if (listing->directories == NULL)
        listing->directories =
            ps_must_alloc(DIRECTORIES_MAX, sizeof *listing->directories, "a list of files");
    char *copy = ps_must_copy_text(path, "a list of files");
    listing->directories[listing->directory_count++] = copy;
}

/* Links to files are files; links to directories are not followed because they may form cycles. */
static void walk(struct ps_far_listing *listing, const char *path, unsigned depth)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    add_directory(listing, path);
    for (const struct dirent *one; (one = readdir(directory)) != NULL;) {
        char name[4096];
        struct stat info;
        if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0 ||
            (size_t)snprintf(name, sizeof name, "%s/%s", path, one->d_name) >= sizeof name)
            continue;
        if (one->d_type == DT_DIR ||
            (one->d_type == DT_UNKNOWN && lstat(name, &info) == 0 && S_ISDIR(info.st_mode))) {
            if (depth < DEPTH_MAX)
                walk(listing, name, depth + 1);
        } else {
            add(listing, name);
        }
    }
    closedir(directory);
}

/* Writes "/var/log" for "/var/log/app.log" and "." for "app.log". */
static void directory_of(const char *path, char *directory, size_t room)
{
    const char *slash = strrchr(path, '/');
    snprintf(directory, room, "%.*s", slash == NULL || slash == path ? 1 : (int)(slash - path),
             slash == NULL ? "." : path);
}

static void add_siblings(struct ps_far_listing *listing, const char *path)
{
    char directory_path[4096], name[4096];
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    size_t length = strlen(base);
    directory_of(path, directory_path, sizeof directory_path);
    DIR *directory = opendir(directory_path);
    if (directory == NULL)
        return;
    add_directory(listing, directory_path);
    for (const struct dirent *one; (one = readdir(directory)) != NULL;) {
        const char *rest = one->d_name + length;
        if (strncmp(one->d_name, base, length) != 0 || (*rest != '.' && *rest != '-') ||
            (strcmp(rest, ".gz") != 0 && ps_text_ends(rest, ".gz")))
            continue;
        if ((size_t)snprintf(name, sizeof name, "%s/%s", directory_path, one->d_name) < sizeof name)
            add(listing, name);
    }
    closedir(directory);
}

static void add_matches(struct ps_far_listing *listing, const char *pattern)
{
    glob_t found;
    char directory_path[4096];
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            add(listing, found.gl_pathv[i]);
        globfree(&found);
    }
    directory_of(pattern, directory_path, sizeof directory_path);
    if (strpbrk(directory_path, "*?[") == NULL)
        add_directory(listing, directory_path);
}

/* Returns the length of the name without a rotation counter at its end (".1" to ".9999"); *counter is that
 * counter. */
static size_t stem_of(const char *path, unsigned *counter)
{
    size_t length = strlen(path), digits = 0;
    while (digits < length && path[length - digits - 1] >= '0' && path[length - digits - 1] <= '9')
        digits++;
    *counter = 0;
    if (digits == 0 || digits > 4 || digits == length || path[length - digits - 1] != '.')
        return length;
    *counter = (unsigned)strtoul(path + length - digits, NULL, 10);
    return length - digits - 1;
}

/* Compares names in the order of writing: numbers in them count up ("x-9" before "x-10"), a rotation's
 * counter counts down, and the file without counter or date comes last ("log.2", "log.1", "log"). */
static int compare_names(const char *a, const char *b)
{
    unsigned a_counter, b_counter;
    size_t a_length = stem_of(a, &a_counter), b_length = stem_of(b, &b_counter);
    if (a_length == b_length && memcmp(a, b, a_length) == 0)
        return a_counter == b_counter ? 0 : a_counter > b_counter ? -1 : 1;
    char a_stem[4096], b_stem[4096];
    /* so that this name sorts after every longer one */
    snprintf(a_stem, sizeof a_stem, "%.*s\xff", (int)a_length, a);
    snprintf(b_stem, sizeof b_stem, "%.*s\xff", (int)b_length, b);
    return strverscmp(a_stem, b_stem);
}

/* File systems store times with limited resolution: files with the same time are ordered by name. */
int ps_far_order(const struct ps_far_place *place, const char *a_path, uint64_t a_changed_ns,
                 const char *b_path, uint64_t b_changed_ns)
{
    if (!place->by_name && a_changed_ns != b_changed_ns)
        return a_changed_ns < b_changed_ns ? -1 : 1;
    return compare_names(a_path, b_path);
}

static int compare(const void *a_, const void *b_, void *place)
{
    const struct ps_far_listed *a = a_, *b = b_;
    return ps_far_order(place, a->path, a->changed_ns, b->path, b->changed_ns);
}

static int compare_identities(const void *a_, const void *b_)
{
    const struct ps_far_listed *a = a_, *b = b_;
    return ps_far_identity_compare(&a->identity, &b->identity);
}

/* A file listed under two names counts once: links, and files that were renamed while the directory was
 * read. */
static void remove_twins(struct ps_far_listing *listing)
{
    size_t kept = 0;
    qsort(listing->files, listing->count, sizeof *listing->files, compare_identities);
    for (size_t i = 0; i < listing->count; i++) {
        if (kept > 0 && compare_identities(&listing->files[kept - 1], &listing->files[i]) == 0)
            free(listing->files[i].path);
        else
            listing->files[kept++] = listing->files[i];
    }
    listing->count = kept;
}

void ps_far_listing_take(struct ps_far_listing *listing, const struct ps_far_place *place)
{
    *listing = (struct ps_far_listing){.count = 0};
    switch (place->kind) {
    case PS_FAR_FILE:
        if (place->siblings)
            add_siblings(listing, place->path);
        add(listing, place->path);
        break;
    case PS_FAR_DIRECTORY:
        walk(listing, place->path, 0);
        break;
    case PS_FAR_PATTERN:
        add_matches(listing, place->path);
        break;
    }
    if (listing->count < 2)
        return;
    remove_twins(listing);
    qsort_r(listing->files, listing->count, sizeof *listing->files, compare, (void *)(uintptr_t)place);
}

void ps_far_listing_fini(struct ps_far_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->files[i].path);
    for (size_t i = 0; i < listing->directory_count; i++)
        free(listing->directories[i]);
    free(listing->files);
    free(listing->directories);
    *listing = (struct ps_far_listing){.count = 0};
}
