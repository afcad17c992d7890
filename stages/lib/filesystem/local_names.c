/* The operations of the local file system on names. */
#include "core/durable.h"
#include "stages/lib/filesystem/local_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_local_outcome *answer(struct ps_filesystem *filesystem, ps_file_done *done, void *argument,
                                       int error, const char *what, const char *path)
{
    struct ps_local *local = (struct ps_local *)(void *)filesystem;
    return ps_local_answer(local, NULL, &(struct ps_local_caller){done, argument}, error, what, path);
}

/* Returns whether both are names of one file: an earlier call made the link, and was killed or refused before it removed `from`; or a
 * network mount repeated a call whose answer was lost. Leaves errno as it was. */
static bool is_same_file(const char *from, const char *to)
{
    struct stat one, other;
    int error = errno;
    bool same = lstat(from, &one) == 0 && lstat(to, &other) == 0 && one.st_dev == other.st_dev &&
                one.st_ino == other.st_ino && one.st_nlink > 1;
    errno = error;
    return same;
}

/* Renames without overwriting. Without RENAME_NOREPLACE (some network mounts) it makes a hard link, which does not overwrite. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (link(from, to) != 0 && !(errno == EEXIST && is_same_file(from, to)))
        return errno;
    return unlink(from) == 0 ? 0 : errno;
}

void ps_local_rename(struct ps_filesystem *filesystem, const char *from, const char *to, ps_file_done *done,
                     void *argument)
{
    answer(filesystem, done, argument, rename_new(from, to), "rename", from);
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

void ps_local_remove(struct ps_filesystem *filesystem, const char *path, bool recursive, ps_file_done *done,
                     void *argument)
{
    enum { DIRECTORIES_OPEN = 16 };
    int result = recursive ? nftw(path, remove_one, DIRECTORIES_OPEN, FTW_DEPTH | FTW_PHYS) : remove(path);
    answer(filesystem, done, argument, result == 0 ? 0 : errno, "remove", path);
}

static void fill_status(struct ps_file_status *status, const char *name, const struct stat *facts)
{
    *status = (struct ps_file_status){.name = name,
                                      .length_bytes = (uint64_t)facts->st_size,
                                      .modified_ms = (uint64_t)facts->st_mtim.tv_sec * 1000 +
                                                     (uint64_t)facts->st_mtim.tv_nsec / PS_NS_PER_MS,
                                      .directory = S_ISDIR(facts->st_mode)};
}

void ps_local_stat(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    struct stat facts;
    struct ps_local_outcome *outcome =
        answer(filesystem, done, argument, stat(path, &facts) == 0 ? 0 : errno, "look at", path);
    if (outcome->answer.error != PS_FILE_OK)
        return;
    const char *name = strrchr(path, '/');
    outcome->entries = ps_must_alloc(1, sizeof *outcome->entries, "the status of a file");
    outcome->memory = ps_must_copy_text(name == NULL ? path : name + 1, "the name of a file");
    fill_status(outcome->entries, outcome->memory, &facts);
    outcome->answer.entries = outcome->entries;
    outcome->answer.entry_count = 1;
}

struct listing {
    struct ps_file_status *entries;
    size_t count, room;
    char *names; /* one after the other; entries get their pointers at the end, because the memory moves */
    size_t names_length, names_room;
};

static bool listing_reserve(struct listing *listing, size_t name_bytes)
{
    if (listing->count == listing->room) {
        size_t room = listing->room == 0 ? 64 : 2 * listing->room;
        struct ps_file_status *entries = realloc(listing->entries, room * sizeof *entries);
        if (entries == NULL)
            return false;
        listing->entries = entries;
        listing->room = room;
    }
    if (listing->names_length + name_bytes > listing->names_room) {
        size_t room = 2 * listing->names_room + name_bytes + 4096;
        char *names = realloc(listing->names, room);
        if (names == NULL)
            return false;
        listing->names = names;
        listing->names_room = room;
    }
    return true;
}

/* Returns the next name of a directory but those of itself and its parent, or NULL: at the end with errno 0, else with the error. */
static const char *next_name(DIR *directory)
{
    const struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(directory);
    } while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry != NULL ? entry->d_name : NULL;
}

/* Returns whether the error of a listed name means that the name is gone meanwhile, or is a link to nothing. */
static bool is_gone(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* Returns 0, or the first error; then the listing has what could be read. */
static int list_directory(const char *path, struct listing *listing)
{
    int error = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return errno;
    for (const char *name; (name = next_name(directory)) != NULL;) {
        struct stat facts;
        if (fstatat(dirfd(directory), name, &facts, 0) != 0) {
            if (error == 0 && !is_gone(errno))
                error = errno;
            continue;
        }
        size_t bytes = strlen(name) + 1;
        if (!listing_reserve(listing, bytes)) {
            error = ENOMEM;
            break;
        }
        memcpy(listing->names + listing->names_length, name, bytes);
        listing->names_length += bytes;
        fill_status(&listing->entries[listing->count++], NULL, &facts);
    }
    if (error == 0)
        error = errno; /* the error of the end of the names */
    closedir(directory);
    return error;
}

void ps_local_list(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    struct listing listing = {.count = 0};
    int error = list_directory(path, &listing);
    struct ps_local_outcome *outcome = answer(filesystem, done, argument, error, "list", path);
    outcome->entries = listing.entries;
    outcome->memory = listing.names;
    const char *name = listing.names;
    for (size_t i = 0; i < listing.count; i++, name += strlen(name) + 1)
        listing.entries[i].name = name;
    outcome->answer.entries = listing.entries;
    outcome->answer.entry_count = listing.count;
}

static int read_file(const char *path, size_t length_max, char **content, size_t *length)
{
    struct stat facts;
    int error = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fstat(fd, &facts) != 0)
        error = errno;
    else if (S_ISDIR(facts.st_mode))
        error = EISDIR;
    else if ((uint64_t)facts.st_size > length_max)
        error = EFBIG;
    *length = 0;
    if (error == 0 && (*content = malloc((size_t)facts.st_size + 1)) == NULL)
        error = ENOMEM;
    while (error == 0 && *length < (size_t)facts.st_size) {
        ssize_t got = read(fd, *content + *length, (size_t)facts.st_size - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            error = errno;
        if (got <= 0)
            break;
        *length += (size_t)got;
    }
    close(fd);
    return error;
}

void ps_local_read(struct ps_filesystem *filesystem, const char *path, size_t length_max, ps_file_done *done,
                   void *argument)
{
    char *content = NULL;
    size_t length = 0;
    int error = read_file(path, length_max, &content, &length);
    struct ps_local_outcome *outcome = answer(filesystem, done, argument, error, "read", path);
    outcome->memory = content;
    outcome->answer.content = content;
    outcome->answer.content_length = error == 0 ? length : 0;
}

/* Sets *locked to whether another process has the lock that local.c takes; to false on a file system without
 * locks. Returns 0, or the error if that cannot be found out. */
static int look_at_lock(const char *path, bool *locked)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) /* a lock needs no right to write */
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    *locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return 0;
}

void ps_local_recover(struct ps_filesystem *filesystem, const char *path, enum ps_file_recovery recovery,
                      ps_file_done *done, void *argument)
{
    bool locked = false;
    int error = access(path, F_OK) == 0 ? 0 : errno;
    if (error == 0 && recovery == PS_FILE_ABANDONED)
        error = look_at_lock(path, &locked);
    struct ps_local_outcome *outcome = answer(filesystem, done, argument, error, "find", path);
    if (!locked)
        return;
    outcome->answer.error = PS_FILE_LEASE;
    snprintf(outcome->reason, sizeof outcome->reason, "%.256s is written by another process", path);
}

/* Sets *end to the offset after the last line feed; 0: there is none. Returns 0, or the error. */
static int find_end_of_lines(int fd, off_t length, off_t *end)
{
    char block[65536];
    for (*end = 0; length > 0;) {
        off_t begin = length > (off_t)sizeof block ? length - (off_t)sizeof block : 0;
        ssize_t got = pread(fd, block, (size_t)(length - begin), begin);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != length - begin)
            return got < 0 ? errno : EIO; /* another process shortens the file */
        const char *feed = memrchr(block, '\n', (size_t)got);
        if (feed != NULL) {
            *end = begin + (feed - block) + 1;
            return 0;
        }
        length = begin;
    }
    return 0;
}

static int cut_line(const char *path)
{
    struct stat facts;
    off_t end;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = fstat(fd, &facts) != 0 ? errno : find_end_of_lines(fd, facts.st_size, &end);
    if (error == 0 && end < facts.st_size && (ftruncate(fd, end) != 0 || fsync(fd) != 0))
        error = errno;
    close(fd);
    return error;
}

void ps_local_cut_line(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    (void)answer(filesystem, done, argument, cut_line(path), "cut", path);
}
