/* See watch.h. */
#include "stages/lib/rules/live/watch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* symbolic links in one path, as the kernel's limit */
#define EVENTS_BYTES 16384U
/* IN_MODIFY is left out, because a file is read after its writer has closed it. */
#define FOLDER_EVENTS                                                                                        \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF |     \
     IN_MOVE_SELF | IN_ONLYDIR)
#define FOLDER_GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

/* A name in a watched folder. */
struct spot {
    int folder; /* inotify's watch descriptor */
    char *name;
};

struct look {
    bool there;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct file {
    char *path;
    struct look look;
};

struct ps_rules_watch {
    int fd;
    struct spot *spots;
    size_t spot_count;
    struct file *files;
    size_t file_count;
};

struct ps_rules_watch *ps_rules_watch_create(bool events, bool *limited)
{
    struct ps_rules_watch *watch = ps_must_alloc(1, sizeof *watch, "watched files");
    watch->fd = events ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
    *limited = events && watch->fd < 0;
    return watch;
}

static void spots_free(struct spot *spots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(spots[i].name);
    free(spots);
}

static void files_free(struct ps_rules_watch *watch)
{
    for (size_t i = 0; i < watch->file_count; i++)
        free(watch->files[i].path);
    free(watch->files);
    watch->files = NULL;
    watch->file_count = 0;
}

void ps_rules_watch_destroy(struct ps_rules_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->fd >= 0)
        close(watch->fd);
    spots_free(watch->spots, watch->spot_count);
    files_free(watch);
    free(watch);
}

int ps_rules_watch_fd(const struct ps_rules_watch *watch)
{
    return watch->fd;
}

/* ---- what to watch ---- */

/* Watches a name in a folder. For a folder that cannot be watched (no permission, the user's limit of
 * watches) only ps_rules_watch_look notices changes. */
static void spot_add(struct ps_rules_watch *watch, const char *folder, const char *name)
{
    if (watch->fd < 0)
        return;
    int number = inotify_add_watch(watch->fd, folder, FOLDER_EVENTS);
    if (number < 0)
        return;
    watch->spots =
        ps_must_realloc(watch->spots, (watch->spot_count + 1) * sizeof *watch->spots, "watched files");
    struct spot *spot = &watch->spots[watch->spot_count++];
    *spot = (struct spot){number, ps_must_copy_text(name, "watched files")};
}

/* Copies the next component of *rest to `name`. Returns false when there is none. */
static bool component_take(const char **rest, char *name, size_t room)
{
    const char *at = *rest + strspn(*rest, "/");
    size_t length = strcspn(at, "/");
    if (length == 0 || length >= room)
        return false;
    memcpy(name, at, length);
    name[length] = '\0';
    *rest = at + length + strspn(at + length, "/");
    return true;
}

/* Resolves a path as the kernel does and watches every link in it, the file itself, or the first component
 * that is missing. */
static void spots_find(struct ps_rules_watch *watch, const char *path)
{
    char rest_text[2][PATH_MAX], folder[PATH_MAX], name[NAME_MAX + 1], target[PATH_MAX + NAME_MAX + 2];
    const char *rest = rest_text[0];
    unsigned which = 0;
    snprintf(rest_text[0], sizeof rest_text[0], "%s", path);
    snprintf(folder, sizeof folder, "%s", path[0] == '/' ? "/" : ".");
    for (int links = 0; component_take(&rest, name, sizeof name);) {
        struct stat status;
        snprintf(target, sizeof target, "%s/%s", folder, name);
        bool there = lstat(target, &status) == 0;
        if (!there || S_ISLNK(status.st_mode) || rest[0] == '\0')
            spot_add(watch, folder, name);
        if (!there || strlen(target) >= sizeof folder)
            return;
        if (!S_ISLNK(status.st_mode)) {
            memcpy(folder, target, strlen(target) + 1);
            continue;
        }
        char *next = rest_text[which ^= 1];
        ssize_t length = readlink(target, next, PATH_MAX - 1);
        if (length <= 0 || links++ == LINKS_MAX || (size_t)length + 1 + strlen(rest) >= PATH_MAX)
            return;
        if (next[0] == '/')
            memcpy(folder, "/", 2);
        snprintf(next + length, PATH_MAX - (size_t)length, "/%s", rest);
        rest = next;
    }
}

static bool folder_is_spot(const struct spot *spots, size_t count, int folder)
{
    for (size_t i = 0; i < count; i++) {
        if (spots[i].folder == folder)
            return true;
    }
    return false;
}

static struct look look_at(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return (struct look){.there = false};
    return (struct look){.there = true,
                         .device = status.st_dev,
                         .inode = status.st_ino,
                         .size = status.st_size,
                         .modified = status.st_mtim,
                         .changed = status.st_ctim};
}

void ps_rules_watch_files(struct ps_rules_watch *watch, const char *const *files, size_t count)
{
    struct spot *before = watch->spots;
    size_t before_count = watch->spot_count;
    watch->spots = NULL;
    watch->spot_count = 0;
    files_free(watch);
    watch->files = ps_must_alloc(count + 1, sizeof *watch->files, "watched files");
    for (size_t i = 0; i < count; i++) {
        struct file *file = &watch->files[watch->file_count++];
        spots_find(watch, files[i]);
        *file =
            (struct file){.path = ps_must_copy_text(files[i], "watched files"), .look = look_at(files[i])};
    }
    for (size_t i = 0; i < before_count; i++) { /* several spots may share one watch: remove it once */
        if (!folder_is_spot(watch->spots, watch->spot_count, before[i].folder) &&
            !folder_is_spot(before, i, before[i].folder))
            (void)inotify_rm_watch(watch->fd, before[i].folder);
    }
    spots_free(before, before_count);
}

/* ---- what happened ---- */

static bool event_matters(const struct ps_rules_watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    for (size_t i = 0; i < watch->spot_count; i++) {
        if (watch->spots[i].folder != event->wd)
            continue;
        if ((event->mask & FOLDER_GONE) != 0 ||
            (event->len > 0 && strcmp(event->name, watch->spots[i].name) == 0))
            return true;
    }
    return false;
}

bool ps_rules_watch_touched(struct ps_rules_watch *watch)
{
    char bytes[EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool touched = false;
    ssize_t length;
    if (watch->fd < 0)
        return false;
    for (int turns = 0; turns < 16 && (length = read(watch->fd, bytes, sizeof bytes)) > 0; turns++) {
        const struct inotify_event *event;
        for (const char *at = bytes; at < bytes + length; at += sizeof *event + event->len) {
            event = (const struct inotify_event *)(const void *)at;
            touched |= event_matters(watch, event);
        }
    }
    return touched;
}

static bool look_is_same(const struct look *one, const struct look *other)
{
    return one->there == other->there && one->device == other->device && one->inode == other->inode &&
           one->size == other->size && one->modified.tv_sec == other->modified.tv_sec &&
           one->modified.tv_nsec == other->modified.tv_nsec && one->changed.tv_sec == other->changed.tv_sec &&
           one->changed.tv_nsec == other->changed.tv_nsec;
}

bool ps_rules_watch_look(struct ps_rules_watch *watch)
{
    bool changed = false;
    for (size_t i = 0; i < watch->file_count; i++) {
        struct look now = look_at(watch->files[i].path);
        changed |= !look_is_same(&now, &watch->files[i].look);
        watch->files[i].look = now;
    }
    return changed;
}
