/* inotify(7): watches on inodes of the world's disk. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "tests/world/fault.h"
#include "tests/world/path.h"
#include "tests/world/turn.h"

#define QUEUE_BYTES 65536U

struct watch {
    struct watch *next;
    int number;
    uint32_t mask;
    struct disk_inode *inode;
};

struct watcher {
    struct watcher *next;
    struct description *open;
    struct watch *watches;
    int last_number;
    size_t length;
    bool overflowed, full; /* full: nothing has room before it is read */
    char queue[QUEUE_BYTES];
};

static struct watcher *watchers;

static void add_event(struct watcher *watcher, int number, uint32_t mask, const char *name, uint32_t cookie)
{
    size_t name_length = name == NULL ? 0 : (strlen(name) / 16 + 1) * 16;
    struct inotify_event event = {number, mask, cookie, (uint32_t)name_length};
    if (watcher->full || watcher->length + sizeof event + name_length > QUEUE_BYTES - sizeof event) {
        if (watcher->overflowed)
            return;
        watcher->overflowed = true;
        event = (struct inotify_event){-1, IN_Q_OVERFLOW, 0, 0};
        name_length = 0;
    }
    memcpy(watcher->queue + watcher->length, &event, sizeof event);
    if (name_length > 0) {
        memset(watcher->queue + watcher->length + sizeof event, 0, name_length);
        memcpy(watcher->queue + watcher->length + sizeof event, name, strlen(name));
    }
    watcher->length += sizeof event + name_length;
    descriptor_changed(watcher->open);
}

/* Tells a directory's watch what happened to a file in it, by each of its names. */
static void add_child_events(struct watcher *watcher, const struct watch *watch,
                             const struct disk_inode *inode, uint32_t event)
{
    const struct disk_names *names = &watch->inode->names;
    for (size_t i = 0; i < names->count; i++)
        if (names->entries[i].inode == inode)
            add_event(watcher, watch->number, event, names->entries[i].name, 0);
}

void disk_watched(struct disk_inode *inode, uint32_t event, const char *name, uint32_t cookie)
{
    for (struct watcher *watcher = watchers; watcher != NULL; watcher = watcher->next)
        for (struct watch *watch = watcher->watches; watch != NULL; watch = watch->next) {
            if ((watch->mask & event) == 0)
                continue;
            if (watch->inode == inode)
                add_event(watcher, watch->number, event, name, cookie);
            else if (name == NULL && (event & (IN_DELETE_SELF | IN_MOVE_SELF)) == 0 &&
                     S_ISDIR(watch->inode->mode))
                add_child_events(watcher, watch, inode, event);
        }
}

void disk_fill_queues(void)
{
    for (struct watcher *watcher = watchers; watcher != NULL; watcher = watcher->next)
        watcher->full = true;
}

static ssize_t watcher_read(struct description *open, void *to, size_t length)
{
    struct watcher *watcher = open->state;
    if (watcher->length == 0)
        return -EAGAIN;
    size_t got = 0;
    while (got < watcher->length) {
        struct inotify_event event;
        memcpy(&event, watcher->queue + got, sizeof event);
        if (got + sizeof event + event.len > length)
            break;
        got += sizeof event + event.len;
    }
    if (got == 0)
        return -EINVAL;
    memcpy(to, watcher->queue, got);
    memmove(watcher->queue, watcher->queue + got, watcher->length -= got);
    watcher->overflowed = watcher->overflowed && watcher->length > 0;
    watcher->full = watcher->full && watcher->length > 0;
    return (ssize_t)got;
}

static short watcher_ready(struct description *open)
{
    const struct watcher *watcher = open->state;
    return watcher->length > 0 ? POLLIN : 0;
}

static void watcher_close(struct description *open)
{
    struct watcher *watcher = open->state, **at = &watchers;
    while (*at != watcher)
        at = &(*at)->next;
    *at = watcher->next;
    for (struct watch *watch = watcher->watches, *next; watch != NULL; watch = next) {
        next = watch->next;
        free(watch);
    }
    free(watcher);
}

static const struct description_kind kind_inotify = {"inotify",     watcher_read,  NULL,
                                                     watcher_ready, watcher_close, 0600};

int inotify_init1(int flags)
{
    call_enter("inotify_init1", (uint64_t)flags, 0);
    struct watcher *watcher = calloc(1, sizeof *watcher);
    watcher->next = watchers;
    watchers = watcher;
    int mode = O_RDONLY | ((flags & IN_NONBLOCK) != 0 ? O_NONBLOCK : 0);
    return (int)descriptor_result(
        call_leave(descriptor_open(&kind_inotify, watcher, mode, (flags & IN_CLOEXEC) != 0, &watcher->open)));
}

static int watch(struct watcher *watcher, const char *path, uint32_t mask)
{
    struct disk_inode *parent;
    char last[DISK_NAME_MAX + 1];
    int error = ENOENT;
    struct disk_inode *inode =
        path_is_ours(AT_FDCWD, path)
            ? path_find(AT_FDCWD, path, (mask & IN_DONT_FOLLOW) == 0, &parent, last, &error)
            : NULL;
    if (inode == NULL)
        return -error;
    if ((mask & IN_ONLYDIR) != 0 && !S_ISDIR(inode->mode))
        return -ENOTDIR;
    for (struct watch *one = watcher->watches; one != NULL; one = one->next)
        if (one->inode == inode) {
            one->mask = (mask & IN_MASK_ADD) != 0 ? one->mask | mask : mask;
            return one->number;
        }
    struct watch *made = calloc(1, sizeof *made);
    *made = (struct watch){watcher->watches, ++watcher->last_number, mask, inode};
    watcher->watches = made;
    return made->number;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    call_enter("inotify_add_watch", (uint64_t)fd, mask);
    world_note_bytes(path, strlen(path));
    struct description *open = descriptor_get(fd);
    int error = fault_strikes(FAULT_NOTIFY, NULL);
    if (open == NULL || open->kind != &kind_inotify)
        error = EBADF;
    return (int)descriptor_result(call_leave(error != 0 ? -error : watch(open->state, path, mask)));
}

int inotify_rm_watch(int fd, int number)
{
    call_enter("inotify_rm_watch", (uint64_t)fd, (uint64_t)number);
    struct description *open = descriptor_get(fd);
    if (open == NULL || open->kind != &kind_inotify)
        return (int)descriptor_result(call_leave(-EBADF));
    struct watcher *watcher = open->state;
    for (struct watch **at = &watcher->watches; *at != NULL; at = &(*at)->next)
        if ((*at)->number == number) {
            struct watch *gone = *at;
            *at = gone->next;
            free(gone);
            add_event(watcher, number, IN_IGNORED, NULL, 0);
            return (int)call_leave(0);
        }
    return (int)descriptor_result(call_leave(-EINVAL));
}
