#include "tests/world/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "tests/world/clock.h"

#define LINKS_FOLLOWED_MAX 20

static uint64_t room_of(const struct disk_inode *inode)
{
    return inode->reserved > inode->now.size ? inode->reserved : inode->now.size;
}

size_t disk_read(const struct disk_inode *inode, uint64_t offset, void *to, size_t length)
{
    return disk_bytes_get(&inode->now, offset, to, length);
}

static void add_change(struct disk_inode *inode, uint64_t offset, const char *data, size_t length)
{
    struct disk_change *change = world_allocate(sizeof *change);
    *change = (struct disk_change){.offset = offset, .length = length};
    if (data != NULL) {
        change->data = world_allocate(length + 1);
        memcpy(change->data, data, length);
    }
    if (inode->last_change == NULL)
        inode->last_change = &inode->changes;
    *inode->last_change = change;
    inode->last_change = &change->next;
}

static void touch(struct disk_inode *inode)
{
    inode->write_ns = inode->change_ns = clock_read(CLOCK_REALTIME);
    if (S_ISREG(inode->mode))
        disk_watched(inode, IN_MODIFY, NULL, 0);
}

/* Accounts for a file that takes `room` bytes. Returns whether they are there. */
static bool take_room(struct disk_inode *inode, uint64_t room)
{
    struct disk *disk = world->disk;
    uint64_t had = room_of(inode);
    if (room > had && disk->limit_bytes > 0 && disk->used_bytes + (room - had) > disk->limit_bytes)
        return false;
    disk->used_bytes += room - had;
    return true;
}

int disk_write(struct disk_inode *inode, uint64_t offset, const void *from, size_t length, size_t *written)
{
    struct disk *disk = world->disk;
    *written = 0;
    uint64_t end = offset + length, room = room_of(inode);
    if (end > room && !take_room(inode, end)) {
        uint64_t left = disk->limit_bytes > disk->used_bytes ? disk->limit_bytes - disk->used_bytes : 0;
        if (room + left <= offset)
            return ENOSPC;
        length = room + left - offset;
        take_room(inode, offset + length);
    }
    disk_bytes_put(&inode->now, offset, from, length);
    add_change(inode, offset, from, length);
    disk->writes++;
    touch(inode);
    *written = length;
    return 0;
}

int disk_resize(struct disk_inode *inode, uint64_t size)
{
    if (size > inode->now.size && !take_room(inode, size > inode->reserved ? size : inode->reserved))
        return ENOSPC;
    if (size < inode->now.size) {
        uint64_t had = room_of(inode);
        inode->reserved = 0;
        world->disk->used_bytes -= had - size;
    }
    disk_bytes_resize(&inode->now, size);
    add_change(inode, size, NULL, 0);
    touch(inode);
    return 0;
}

int disk_reserve(struct disk_inode *inode, uint64_t offset, uint64_t length, bool keeps_size)
{
    uint64_t end = offset + length, had = room_of(inode);
    if (end > had) {
        if (!take_room(inode, end))
            return ENOSPC;
        inode->reserved = end;
    }
    if (!keeps_size && end > inode->now.size) {
        disk_bytes_resize(&inode->now, end);
        add_change(inode, end, NULL, 0);
        touch(inode);
    }
    return 0;
}

static void keep_change(struct disk_inode *inode, const struct disk_change *change)
{
    if (change->data != NULL)
        disk_bytes_put(&inode->kept, change->offset, change->data, change->length);
    else
        disk_bytes_resize(&inode->kept, change->offset);
}

static void forget_changes(struct disk_inode *inode)
{
    for (struct disk_change *change = inode->changes, *next; change != NULL; change = next) {
        next = change->next;
        if (change->data != NULL)
            world_free(change->data, change->length + 1);
        world_free(change, sizeof *change);
    }
    inode->changes = NULL;
    inode->last_change = &inode->changes;
}

/* ---- names ---- */

static struct disk_entry *entry_of(const struct disk_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->entries[i].name, name) == 0)
            return &names->entries[i];
    return NULL;
}

static void set_name(struct disk_names *names, const char *name, struct disk_inode *inode)
{
    struct disk_entry *entry = entry_of(names, name);
    if (inode == NULL) {
        if (entry != NULL)
            memmove(entry, entry + 1, (size_t)(names->entries + --names->count - entry) * sizeof *entry);
        return;
    }
    if (entry == NULL) {
        if (names->count == names->room) {
            size_t room = names->room == 0 ? 8 : 2 * names->room;
            names->entries = world_grow(names->entries, names->room * sizeof *entry, room * sizeof *entry);
            names->room = room;
        }
        entry = &names->entries[names->count++];
        snprintf(entry->name, sizeof entry->name, "%s", name);
    }
    entry->inode = inode;
}

struct disk_inode *disk_lookup(const struct disk_inode *directory, const char *name)
{
    const struct disk_entry *entry = entry_of(&directory->names, name);
    return entry == NULL ? NULL : entry->inode;
}

static struct disk_naming *begin_naming(void)
{
    struct disk *disk = world->disk;
    struct disk_naming *naming = world_allocate(sizeof *naming);
    if (disk->last_naming == NULL)
        disk->last_naming = &disk->namings;
    *disk->last_naming = naming;
    disk->last_naming = &naming->next;
    return naming;
}

/* Changes a name at once; it becomes durable with the others of `naming`. */
static void change_name(struct disk_naming *naming, struct disk_inode *directory, const char *name,
                        struct disk_inode *inode)
{
    struct disk_step *step = &naming->steps[naming->step_count++];
    step->directory = directory;
    step->inode = inode;
    snprintf(step->name, sizeof step->name, "%s", name);
    set_name(&directory->names, name, inode);
    touch(directory);
}

static struct disk_inode *new_inode(mode_t mode)
{
    struct disk_inode *inode = world_allocate(sizeof *inode);
    struct disk *disk = world->disk;
    inode->number = disk->free_inode != 0 && S_ISREG(mode) ? disk->free_inode : ++disk->inodes;
    if (inode->number == disk->free_inode)
        disk->free_inode = 0;
    inode->mode = mode;
    inode->links = S_ISDIR(mode) ? 2 : 1;
    inode->last_change = &inode->changes;
    inode->born_ns = inode->write_ns = inode->change_ns = inode->access_ns = clock_read(CLOCK_REALTIME);
    return inode;
}

int disk_make(struct disk_inode *directory, const char *name, mode_t mode, struct disk_inode **made)
{
    if (strlen(name) > DISK_NAME_MAX)
        return ENAMETOOLONG;
    if (disk_lookup(directory, name) != NULL)
        return EEXIST;
    if (directory->links == 0) /* it was removed, and is still open */
        return ENOENT;
    *made = new_inode(mode);
    if (S_ISDIR(mode)) {
        (*made)->parent = directory;
        directory->links++;
    }
    change_name(begin_naming(), directory, name, *made);
    disk_watched(directory, IN_CREATE | (S_ISDIR(mode) ? IN_ISDIR : 0), name, 0);
    return 0;
}

int disk_link(struct disk_inode *inode, struct disk_inode *directory, const char *name)
{
    if (disk_lookup(directory, name) != NULL)
        return EEXIST;
    if (S_ISDIR(inode->mode))
        return EPERM;
    inode->links++;
    change_name(begin_naming(), directory, name, inode);
    disk_watched(directory, IN_CREATE, name, 0);
    return 0;
}

static void drop(struct disk_inode *inode)
{
    inode->change_ns = clock_read(CLOCK_REALTIME);
    if (S_ISDIR(inode->mode)) {
        inode->links = 0;
        inode->parent->links--;
    } else if (--inode->links == 0)
        world->disk->used_bytes -= room_of(inode);
    disk_watched(inode, inode->links == 0 ? IN_DELETE_SELF : IN_ATTRIB, NULL, 0);
}

int disk_unlink(struct disk_inode *directory, const char *name, bool is_directory)
{
    struct disk_inode *inode = disk_lookup(directory, name);
    if (inode == NULL)
        return ENOENT;
    if (is_directory != (bool)S_ISDIR(inode->mode))
        return is_directory ? ENOTDIR : EISDIR;
    if (is_directory && inode->names.count > 0)
        return ENOTEMPTY;
    change_name(begin_naming(), directory, name, NULL);
    disk_watched(directory, IN_DELETE | (is_directory ? IN_ISDIR : 0), name, 0);
    drop(inode);
    return 0;
}

bool disk_reuse(struct disk_inode *directory, const char *name)
{
    const struct disk_inode *inode = disk_lookup(directory, name);
    bool is_open = inode->opens > 0 && inode->life == world->life && world->end == WORLD_RUNS;
    if (is_open || inode->links > 1)
        return false;
    disk_unlink(directory, name, false);
    disk_sync(directory);
    world->disk->free_inode = inode->number;
    return true;
}

int disk_rename(struct disk_inode *from, const char *old, struct disk_inode *to, const char *new,
                bool replaces)
{
    struct disk_inode *inode = disk_lookup(from, old), *other = disk_lookup(to, new);
    if (inode == NULL)
        return ENOENT;
    if (other != NULL && !replaces)
        return EEXIST;
    if (other == inode)
        return 0;
    if (other != NULL && S_ISDIR(other->mode) != S_ISDIR(inode->mode))
        return S_ISDIR(other->mode) ? EISDIR : ENOTDIR;
    if (other != NULL && S_ISDIR(other->mode) && other->names.count > 0)
        return ENOTEMPTY;
    struct disk_naming *naming = begin_naming();
    change_name(naming, from, old, NULL);
    change_name(naming, to, new, inode);
    if (other != NULL)
        drop(other);
    if (S_ISDIR(inode->mode) && from != to) {
        inode->parent = to;
        from->links--;
        to->links++;
    }
    inode->change_ns = clock_read(CLOCK_REALTIME);
    static uint32_t cookies;
    uint32_t is_directory = S_ISDIR(inode->mode) ? IN_ISDIR : 0, cookie = ++cookies;
    disk_watched(from, IN_MOVED_FROM | is_directory, old, cookie);
    disk_watched(to, IN_MOVED_TO | is_directory, new, cookie);
    disk_watched(inode, IN_MOVE_SELF, NULL, 0);
    return 0;
}

struct disk_inode *disk_find(struct disk_inode *from, const char *path, bool follow,
                             struct disk_inode **directory, char last[DISK_NAME_MAX + 1], int *error)
{
    static int depth;
    struct disk_inode *at = from == NULL || *path == '/' ? world->disk->root : from;
    *directory = NULL;
    last[0] = 0;
    *error = ENOENT;
    if (*path == 0)
        return NULL;
    while (*path == '/')
        path++;
    while (*path != 0) {
        size_t length = strcspn(path, "/");
        const char *rest = path + length + strspn(path + length, "/");
        if (length > DISK_NAME_MAX) {
            *error = ENAMETOOLONG;
            return NULL;
        }
        if (!S_ISDIR(at->mode)) {
            *error = ENOTDIR;
            *directory = NULL;
            return NULL;
        }
        *directory = at;
        memcpy(last, path, length);
        last[length] = 0;
        struct disk_inode *next = strcmp(last, ".") == 0    ? at
                                  : strcmp(last, "..") == 0 ? (at->parent != NULL ? at->parent : at)
                                                            : disk_lookup(at, last);
        if (next == NULL) {
            if (*rest != 0)
                *directory = NULL;
            return NULL;
        }
        if (S_ISLNK(next->mode) && (*rest != 0 || follow)) {
            if (depth >= LINKS_FOLLOWED_MAX) {
                *error = ELOOP;
                return NULL;
            }
            char target[4096];
            target[disk_read(next, 0, target, sizeof target - 1)] = 0;
            depth++;
            next = disk_find(at, target, true, directory, last, error);
            depth--;
            if (next == NULL) {
                if (*rest != 0)
                    *directory = NULL;
                return NULL;
            }
        }
        at = next;
        path = rest;
    }
    *error = 0;
    return at;
}

/* ---- what is durable ---- */

static void keep_naming(const struct disk_naming *naming)
{
    for (unsigned i = 0; i < naming->step_count; i++)
        set_name(&naming->steps[i].directory->kept_names, naming->steps[i].name, naming->steps[i].inode);
}

static bool concerns(const struct disk_naming *naming, const struct disk_inode *directory)
{
    for (unsigned i = 0; i < naming->step_count; i++)
        if (naming->steps[i].directory == directory)
            return true;
    return false;
}

void disk_sync(struct disk_inode *inode)
{
    struct disk *disk = world->disk;
    for (struct disk_change *change = inode->changes; change != NULL; change = change->next)
        keep_change(inode, change);
    forget_changes(inode);
    if (!S_ISDIR(inode->mode))
        return;
    struct disk_naming **at = &disk->namings;
    while (*at != NULL) {
        struct disk_naming *naming = *at;
        if (concerns(naming, inode)) {
            keep_naming(naming);
            *at = naming->next;
            world_free(naming, sizeof *naming);
        } else
            at = &naming->next;
    }
    disk->last_naming = at;
}

/* Keeps a drawn part of a file's changes. */
static void cut_file(struct disk_inode *inode)
{
    for (struct disk_change *change = inode->changes; change != NULL; change = change->next) {
        uint64_t fate = world_below(4);
        if (fate == 0)
            continue;
        if (fate == 1 && change->data != NULL && change->length > 1) { /* sectors of it, each kept or not */
            for (uint64_t at = 0; at < change->length;) {
                uint64_t end = (change->offset + at) / DISK_SECTOR_BYTES * DISK_SECTOR_BYTES +
                               DISK_SECTOR_BYTES - change->offset;
                if (end > change->length)
                    end = change->length;
                if (world_below(2) == 0)
                    disk_bytes_put(&inode->kept, change->offset + at, change->data + at, end - at);
                at = end;
            }
        } else
            keep_change(inode, change);
    }
    forget_changes(inode);
}

static void copy_kept(struct disk_bytes *to, const struct disk_bytes *from)
{
    disk_bytes_resize(to, 0);
    char page[DISK_PAGE_BYTES];
    for (uint64_t at = 0; at < from->size; at += sizeof page)
        if (at / sizeof page < from->page_count && from->pages[at / sizeof page] != NULL)
            disk_bytes_put(to, at, page, disk_bytes_get(from, at, page, sizeof page));
    disk_bytes_resize(to, from->size);
}

/* Every inode that a durable name leads to is as it was durable; links and room are counted again. */
static void restore(struct disk_inode *inode, struct disk_inode *parent)
{
    struct disk *disk = world->disk;
    inode->opens = 0;
    if (!S_ISDIR(inode->mode)) {
        inode->links++;
        if (inode->links > 1)
            return;
        cut_file(inode);
        copy_kept(&inode->now, &inode->kept);
        inode->reserved = 0;
        disk->used_bytes += inode->now.size;
        return;
    }
    inode->parent = parent;
    inode->links = 2;
    inode->names.count = 0;
    for (size_t i = 0; i < inode->kept_names.count; i++) {
        struct disk_entry *entry = &inode->kept_names.entries[i];
        set_name(&inode->names, entry->name, entry->inode);
        if (S_ISDIR(entry->inode->mode))
            inode->links++;
    }
    for (size_t i = 0; i < inode->names.count; i++)
        restore(inode->names.entries[i].inode, inode);
}

static void forget_links(struct disk_inode *directory)
{
    for (size_t i = 0; i < directory->kept_names.count; i++) {
        struct disk_inode *inode = directory->kept_names.entries[i].inode;
        inode->links = 0;
        if (S_ISDIR(inode->mode))
            forget_links(inode);
    }
}

void disk_cut(void)
{
    struct disk *disk = world->disk;
    bool in_order = world_below(2) == 0, keeps = true;
    for (struct disk_naming *naming = disk->namings, *next; naming != NULL; naming = next) {
        next = naming->next;
        keeps = in_order ? keeps && world_below(4) != 0 : world_below(2) == 0;
        if (keeps)
            keep_naming(naming);
        world_free(naming, sizeof *naming);
    }
    disk->namings = NULL;
    disk->last_naming = &disk->namings;
    disk->used_bytes = 0;
    forget_links(disk->root);
    restore(disk->root, NULL);
    disk->device = world->has_births ? 1 + (uint32_t)world_below(3) : disk->device;
}

void disk_opened(struct disk_inode *inode)
{
    if (inode->life != world->life)
        inode->opens = 0; /* a process that is gone had it open */
    inode->life = world->life;
    inode->opens++;
}

void disk_stat(const struct disk_inode *inode, struct stat *to)
{
    *to = (struct stat){.st_dev = 8 << 8 | world->disk->device,
                        .st_ino = inode->number,
                        .st_mode = inode->mode,
                        .st_nlink = inode->links,
                        .st_blksize = 4096,
                        .st_size = S_ISDIR(inode->mode) ? 4096 : (off_t)inode->now.size,
                        .st_blocks = (blkcnt_t)((room_of(inode) + 511) / 512)};
    to->__glibc_reserved[0] = world->has_births ? (long)inode->born_ns : 0;
    to->st_mtim = (struct timespec){(time_t)(inode->write_ns / WORLD_NS_PER_S),
                                    (long)(inode->write_ns % WORLD_NS_PER_S)};
    to->st_ctim = (struct timespec){(time_t)(inode->change_ns / WORLD_NS_PER_S),
                                    (long)(inode->change_ns % WORLD_NS_PER_S)};
    to->st_atim = (struct timespec){(time_t)(inode->access_ns / WORLD_NS_PER_S),
                                    (long)(inode->access_ns % WORLD_NS_PER_S)};
}

/* ---- for the runner ---- */

void disk_format(void)
{
    struct disk *disk = world_allocate(sizeof *disk);
    world->disk = disk;
    disk->device = 1;
    disk->last_naming = &disk->namings;
    disk->root = new_inode(S_IFDIR | 0755);
    struct disk_inode *made;
    disk_make(disk->root, "w", S_IFDIR | 0755, &made);
    disk_make(disk->root, "tmp", S_IFDIR | 01777, &made);
    disk_sync(disk->root);
}

struct disk_inode *disk_at(const char *path)
{
    struct disk_inode *directory;
    char last[DISK_NAME_MAX + 1];
    int error;
    return disk_find(NULL, path, true, &directory, last, &error);
}

/* Returns the file of this path, made if it was missing, with its directories. */
static struct disk_inode *make_file(const char *path)
{
    struct disk_inode *at = world->disk->root;
    for (const char *name = path + 1;; name += strcspn(name, "/") + 1) {
        size_t length = strcspn(name, "/");
        char part[DISK_NAME_MAX + 1];
        snprintf(part, sizeof part, "%.*s", (int)length, name);
        bool is_last = name[length] == 0;
        struct disk_inode *next = disk_lookup(at, part);
        if (next == NULL)
            disk_make(at, part, is_last ? S_IFREG | 0644 : S_IFDIR | 0755, &next);
        if (is_last)
            return next;
        at = next;
    }
}

void disk_put(const char *path, const char *bytes, size_t length)
{
    struct disk_inode *file = make_file(path);
    size_t written;
    disk_resize(file, 0);
    disk_write(file, 0, bytes, length, &written);
    disk_sync(file);
    struct disk_inode *directory;
    char last[DISK_NAME_MAX + 1];
    int error;
    disk_find(NULL, path, false, &directory, last, &error);
    for (; directory != NULL; directory = directory->parent)
        disk_sync(directory);
}

void disk_append(const char *path, const char *bytes, size_t length)
{
    struct disk_inode *file = make_file(path);
    size_t written;
    disk_write(file, file->now.size, bytes, length, &written);
}

static int by_name(const void *one, const void *other)
{
    const struct disk_entry *const *a = one, *const *b = other;
    return strverscmp((*a)->name, (*b)->name);
}

void disk_walk(const char *path, void (*see)(void *argument, const char *path, struct disk_inode *file),
               void *argument)
{
    struct disk_inode *directory = disk_at(path);
    if (directory == NULL || !S_ISDIR(directory->mode))
        return;
    size_t count = directory->names.count;
    struct disk_entry **sorted = world_allocate((count + 1) * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &directory->names.entries[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++) {
        char below[4096];
        snprintf(below, sizeof below, "%s/%s", path, sorted[i]->name);
        if (S_ISDIR(sorted[i]->inode->mode))
            disk_walk(below, see, argument);
        else if (S_ISREG(sorted[i]->inode->mode))
            see(argument, below, sorted[i]->inode);
    }
    world_free(sorted, (count + 1) * sizeof *sorted);
}
