/* Each look makes a new table of files and compares it with the table of the last look. Names move from one table to the other. */
#include "stages/lib/tail/directory.h"

#include "core/array.h"
#include "core/fnv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PURPOSE "a directory's files"
/* A time stamp may be this much older than the change, and a second change may get the same stamp. */
#define STAMP_S 2

struct entry {
    char *name;
    uint64_t device, inode;
    int64_t size;
    struct timespec modified;
    int group;
    bool link, seen;
    bool guessed; /* stat failed: it is what the last look had of the name */
};

/* A file whose name does not match but whose former name did. */
struct renamed {
    char *name, *from;
    int group;
    struct renamed *next; /* in its hash chain */
};

#define RENAMED_CHAINS 1024U

/* A hash set of inodes with open addressing. */
struct followed {
    uint64_t *inodes;     /* 0: free; FORGOTTEN: deleted */
    uint32_t count, room; /* `count` includes deleted ones; `room` is a power of 2 */
};
#define FORGOTTEN UINT64_MAX

/* Files by name and by inode: hash chains of numbers, which 0 ends. */
struct table {
    struct entry *entries; /* the first one is number 1 */
    uint32_t count, room;
    uint32_t *by_name, *by_inode, *next_name, *next_inode;
    uint32_t mask;
};

struct ps_tail_directory {
    char *path;
    struct ps_tail_filter filter;
    bool cache, listed;
    bool unsure, fails;    /* the last look could not stat a name; `fails`: that may work later */
    struct timespec stamp; /* modification time of the directory when its names were read */
    struct table table;
    struct followed followed; /* files of the position file */
    struct renamed **renamed; /* since the last look at the names: hash chains; NULL: none yet */
    size_t renamed_count;
    char **old_names; /* names that the changes of the last look may point to */
    size_t old_name_count, old_name_room;
};

/* ---- the table ---- */

static uint32_t name_hash(const char *name)
{
    return ps_fnv32(PS_FNV32, name, strlen(name));
}

static uint32_t inode_hash(uint64_t inode)
{
    return (uint32_t)((inode * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static void table_free(struct table *table)
{
    free(table->entries);
    free(table->by_name);
    free(table->by_inode);
    free(table->next_name);
    free(table->next_inode);
    *table = (struct table){.count = 0};
}

static uint32_t *name_chain(const struct table *table, uint32_t number)
{
    return &table->by_name[name_hash(table->entries[number].name) & table->mask];
}

static void table_link_name(struct table *table, uint32_t number)
{
    uint32_t *name = name_chain(table, number);
    table->next_name[number] = *name;
    *name = number;
}

static void table_unlink_name(struct table *table, uint32_t number)
{
    uint32_t *at = name_chain(table, number);
    while (*at != number)
        at = &table->next_name[*at];
    *at = table->next_name[number];
}

static void table_link(struct table *table, uint32_t number)
{
    uint32_t *inode = &table->by_inode[inode_hash(table->entries[number].inode) & table->mask];
    table->next_inode[number] = *inode;
    *inode = number;
    table_link_name(table, number);
}

static void table_grow(struct table *table)
{
    uint32_t room = table->room == 0 ? 64 : 2 * table->room;
    table->entries = ps_must_realloc(table->entries, room * sizeof *table->entries, PURPOSE);
    table->next_name = ps_must_realloc(table->next_name, room * sizeof(uint32_t), PURPOSE);
    table->next_inode = ps_must_realloc(table->next_inode, room * sizeof(uint32_t), PURPOSE);
    free(table->by_name);
    free(table->by_inode);
    table->by_name = ps_must_alloc(room, sizeof(uint32_t), PURPOSE);
    table->by_inode = ps_must_alloc(room, sizeof(uint32_t), PURPOSE);
    table->mask = room - 1;
    table->room = room;
    for (uint32_t i = 1; i <= table->count; i++)
        table_link(table, i);
}

static void table_add(struct table *table, const struct entry *entry)
{
    if (table->count + 2 > table->room)
        table_grow(table);
    table->entries[++table->count] = *entry;
    table_link(table, table->count);
}

static struct entry *find_name(const struct table *table, const char *name)
{
    if (table->count == 0)
        return NULL;
    for (uint32_t i = table->by_name[name_hash(name) & table->mask]; i != 0; i = table->next_name[i]) {
        if (strcmp(table->entries[i].name, name) == 0)
            return &table->entries[i];
    }
    return NULL;
}

/* `device` 0: any device */
static struct entry *find_inode(const struct table *table, uint64_t device, uint64_t inode)
{
    if (table->count == 0)
        return NULL;
    for (uint32_t i = table->by_inode[inode_hash(inode) & table->mask]; i != 0; i = table->next_inode[i]) {
        if (table->entries[i].inode == inode && (device == 0 || table->entries[i].device == device))
            return &table->entries[i];
    }
    return NULL;
}

/* ---- the directory ---- */

struct ps_tail_directory *ps_tail_directory_create(const char *path, const struct ps_tail_filter *filter,
                                                   bool cache)
{
    struct ps_tail_directory *directory = ps_must_alloc(1, sizeof *directory, PURPOSE);
    directory->path = ps_must_copy_text(path, PURPOSE);
    directory->filter = *filter;
    directory->cache = cache;
    return directory;
}

static void old_names_free(struct ps_tail_directory *directory)
{
    for (size_t i = 0; i < directory->old_name_count; i++)
        free(directory->old_names[i]);
    directory->old_name_count = 0;
}

static void old_name_add(struct ps_tail_directory *directory, char *name)
{
    PS_ARRAY_GROW(directory->old_names, directory->old_name_count, directory->old_name_room, PURPOSE);
    directory->old_names[directory->old_name_count++] = name;
}

/* ---- files that were renamed ---- */

static struct renamed **renamed_chain(const struct ps_tail_directory *directory, const char *name)
{
    return &directory->renamed[name_hash(name) % RENAMED_CHAINS];
}

static struct renamed *renamed_find(const struct ps_tail_directory *directory, const char *name)
{
    struct renamed *renamed = directory->renamed_count > 0 ? *renamed_chain(directory, name) : NULL;
    while (renamed != NULL && strcmp(renamed->name, name) != 0)
        renamed = renamed->next;
    return renamed;
}

/* Removes the entry from its chain. */
static void renamed_unlink(struct ps_tail_directory *directory, struct renamed *renamed)
{
    struct renamed **at = renamed_chain(directory, renamed->name);
    while (*at != renamed)
        at = &(*at)->next;
    *at = renamed->next;
    directory->renamed_count--;
}

static void renamed_link(struct ps_tail_directory *directory, struct renamed *renamed)
{
    if (directory->renamed == NULL)
        directory->renamed = ps_must_alloc(RENAMED_CHAINS, sizeof(struct renamed *), PURPOSE);
    struct renamed **chain = renamed_chain(directory, renamed->name);
    renamed->next = *chain;
    *chain = renamed;
    directory->renamed_count++;
}

static void renamed_drop(struct ps_tail_directory *directory, struct renamed *renamed)
{
    renamed_unlink(directory, renamed);
    free(renamed->name);
    free(renamed->from);
    free(renamed);
}

/* Keeps the former names until the next look, because changes may still point to them. */
static void renamed_retire(struct ps_tail_directory *directory)
{
    for (unsigned i = 0; directory->renamed_count > 0 && i < RENAMED_CHAINS; i++) {
        for (struct renamed *renamed; (renamed = directory->renamed[i]) != NULL;) {
            renamed_unlink(directory, renamed);
            old_name_add(directory, renamed->from);
            free(renamed->name);
            free(renamed);
        }
    }
}

static void renamed_add(struct ps_tail_directory *directory, const char *from, int group, const char *to)
{
    struct renamed *renamed = ps_must_alloc(1, sizeof *renamed, PURPOSE);
    *renamed = (struct renamed){
        .name = ps_must_copy_text(to, PURPOSE), .from = ps_must_copy_text(from, PURPOSE), .group = group};
    renamed_link(directory, renamed);
}

void ps_tail_directory_renamed(struct ps_tail_directory *directory, const char *from, const char *to)
{
    const struct ps_tail_filter *filter = &directory->filter;
    struct renamed *over = renamed_find(directory, to); /* the file that had this name is gone */
    if (over != NULL)
        renamed_drop(directory, over);
    struct renamed *again = renamed_find(directory, from);
    int group = filter->match(filter->argument, from, strlen(from));
    bool matches = filter->match(filter->argument, to, strlen(to)) != -1;
    if (again != NULL && !matches) {
        renamed_unlink(directory, again);
        free(again->name);
        again->name = ps_must_copy_text(to, PURPOSE);
        renamed_link(directory, again);
    } else if (again != NULL) {
        renamed_drop(directory, again);
    } else if (group >= 0 && !matches) {
        renamed_add(directory, from, group, to);
    }
}

void ps_tail_directory_destroy(struct ps_tail_directory *directory)
{
    if (directory == NULL)
        return;
    for (uint32_t i = 1; i <= directory->table.count; i++)
        free(directory->table.entries[i].name);
    table_free(&directory->table);
    renamed_retire(directory);
    old_names_free(directory);
    free(directory->old_names);
    free(directory->renamed);
    free(directory->followed.inodes);
    free(directory->path);
    if (directory->filter.free != NULL)
        directory->filter.free(directory->filter.argument);
    free(directory);
}

const char *ps_tail_directory_path(const struct ps_tail_directory *directory)
{
    return directory->path;
}

int ps_tail_directory_match(const struct ps_tail_directory *directory, const char *name)
{
    return directory->filter.match(directory->filter.argument, name, strlen(name));
}

/* Returns where the inode is, or the free place where it belongs. The set has free places. */
static uint64_t *followed_find(const struct followed *followed, uint64_t inode)
{
    uint32_t at = inode_hash(inode) & (followed->room - 1);
    while (followed->inodes[at] != 0 && followed->inodes[at] != inode)
        at = (at + 1) & (followed->room - 1);
    return &followed->inodes[at];
}

static void followed_grow(struct followed *followed)
{
    struct followed before = *followed;
    followed->room = before.room == 0 ? 64 : 2 * before.room;
    followed->inodes = ps_must_alloc(followed->room, sizeof *followed->inodes, PURPOSE);
    followed->count = 0;
    for (uint32_t i = 0; i < before.room; i++) {
        if (before.inodes[i] == 0 || before.inodes[i] == FORGOTTEN)
            continue;
        *followed_find(followed, before.inodes[i]) = before.inodes[i];
        followed->count++;
    }
    free(before.inodes);
}

void ps_tail_directory_follow(struct ps_tail_directory *directory, uint64_t inode)
{
    struct followed *followed = &directory->followed;
    if (2 * followed->count >= followed->room)
        followed_grow(followed);
    uint64_t *at = followed_find(followed, inode);
    if (*at == inode)
        return;
    *at = inode;
    followed->count++;
}

static bool is_followed(const struct ps_tail_directory *directory, uint64_t inode)
{
    if (directory->followed.count > 0 && *followed_find(&directory->followed, inode) == inode)
        return true;
    return find_inode(&directory->table, 0, inode) != NULL;
}

void ps_tail_directory_forget(struct ps_tail_directory *directory, uint64_t device, uint64_t inode)
{
    struct entry *entry = find_inode(&directory->table, device, inode);
    if (entry != NULL && entry->group < 0)
        entry->inode = entry->device = 0; /* the hash chain keeps the entry, but no search finds it */
    uint64_t *at = directory->followed.count > 0 ? followed_find(&directory->followed, inode) : NULL;
    if (at != NULL && *at == inode)
        *at = FORGOTTEN;
}

/* ---- changes ---- */

static void change_add(const struct ps_tail_directory *directory, struct ps_tail_changes *changes,
                       enum ps_tail_kind kind, const struct entry *entry)
{
    PS_ARRAY_GROW(changes->items, changes->count, changes->room, PURPOSE);
    const struct renamed *renamed =
        kind != PS_TAIL_FILE_GONE && entry->group < 0 ? renamed_find(directory, entry->name) : NULL;
    changes->items[changes->count++] =
        (struct ps_tail_change){.from = renamed != NULL ? renamed->from : NULL,
                                .from_group = renamed != NULL ? renamed->group : -1,
                                .kind = kind,
                                .group = entry->group,
                                .device = entry->device,
                                .inode = entry->inode,
                                .size_bytes = entry->size,
                                .modified = entry->modified,
                                .link = entry->link,
                                .name = entry->name};
}

static int by_order(const void *a_, const void *b_)
{
    const struct ps_tail_change *a = a_, *b = b_;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->modified.tv_sec != b->modified.tv_sec)
        return a->modified.tv_sec < b->modified.tv_sec ? -1 : 1;
    if (a->modified.tv_nsec != b->modified.tv_nsec)
        return a->modified.tv_nsec < b->modified.tv_nsec ? -1 : 1;
    if ((a->group < 0) != (b->group < 0))
        return a->group < 0 ? -1 : 1;
    /* Descending, because log.2 was rotated before log.1, and log.1 before log. */
    return strcmp(b->name, a->name);
}

void ps_tail_changes_free(struct ps_tail_changes *changes)
{
    free(changes->items);
    *changes = (struct ps_tail_changes){.count = 0};
}

/* ---- looking ---- */

/* Returns whether the error means that there is no such file. After any other error nothing is known of the file. */
static bool is_not_there(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* Fills in `entry`. Returns false if the name is not a regular file's. If stat fails, copies what the last look
 * had of the listed inode (0: unknown) or of the name (`before`); without either, the next look tries it again. */
static bool entry_stat(struct ps_tail_directory *directory, int folder, const char *name, uint64_t inode,
                       const struct entry *before, struct entry *entry)
{
    struct stat status;
    bool seen = fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    entry->link = seen && S_ISLNK(status.st_mode);
    if (entry->link)
        seen = fstatat(folder, name, &status, 0) == 0;
    if (!seen) {
        bool unsure = !is_not_there(errno);
        directory->unsure |= unsure;
        directory->fails |= unsure && errno != EACCES && errno != EPERM;
        /* A renamed file keeps its inode; that of a link is its own. */
        const struct entry *same =
            inode != 0 && !entry->link ? find_inode(&directory->table, 0, inode) : NULL;
        before = same != NULL ? same : before;
        entry->guessed = same == NULL;
        if (!unsure || before == NULL || before->inode == 0)
            return false;
        entry->link = before->link;
        entry->device = before->device;
        entry->inode = before->inode;
        entry->size = before->size;
        entry->modified = before->modified;
        return true;
    }
    if (!S_ISREG(status.st_mode))
        return false;
    entry->device = status.st_dev;
    entry->inode = status.st_ino;
    entry->size = status.st_size;
    entry->modified = status.st_mtim;
    return true;
}

/* For a file with two names: returns whether `entry` has the better name. A name that is not guessed is best; then one that matches; then
 * the name that the file had already; then one that is not a link. */
static bool name_is_better(const struct table *old, const struct entry *entry, const struct entry *other)
{
    const struct entry *before = find_inode(old, entry->device, entry->inode);
    if (entry->guessed != other->guessed)
        return other->guessed;
    if ((entry->group >= 0) != (other->group >= 0))
        return entry->group >= 0;
    if (before != NULL && strcmp(before->name, other->name) == 0)
        return false;
    if (before != NULL && strcmp(before->name, entry->name) == 0)
        return true;
    return entry->link != other->link ? !entry->link : strcmp(entry->name, other->name) < 0;
}

/* Adds a file of the directory to the new table; copies `name`. */
static void entry_add(const struct ps_tail_directory *directory, struct table *table, struct entry *entry,
                      const char *name)
{
    entry->name = (char *)(uintptr_t)name;
    struct entry *other = find_inode(table, entry->device, entry->inode);
    if (other == NULL) {
        entry->name = ps_must_copy_text(name, PURPOSE);
        table_add(table, entry);
    } else if (name_is_better(&directory->table, entry, other)) {
        char *worse = other->name;
        table_unlink_name(table, (uint32_t)(other - table->entries));
        *other = *entry;
        other->name = ps_must_copy_text(name, PURPOSE);
        table_link_name(table, (uint32_t)(other - table->entries));
        free(worse);
    }
}

static bool list_names(struct ps_tail_directory *directory, int folder, struct table *table)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    if (stream == NULL) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    const struct dirent *found;
    for (errno = 0; (found = readdir(stream)) != NULL; errno = 0) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        const struct entry *before = find_name(&directory->table, found->d_name);
        struct entry entry = {.group = before != NULL
                                           ? before->group
                                           : directory->filter.match(directory->filter.argument,
                                                                     found->d_name, strlen(found->d_name))};
        bool counts =
            entry.group >= 0 || (entry.group == -1 && renamed_find(directory, found->d_name) != NULL);
        if (entry.group < -1 || (!counts && !is_followed(directory, found->d_ino)))
            continue;
        if (entry_stat(directory, folder, found->d_name, found->d_ino, before, &entry) &&
            (counts || is_followed(directory, entry.inode)))
            entry_add(directory, table, &entry, found->d_name);
    }
    int error = errno;
    closedir(stream);
    errno = error;
    return error == 0;
}

/* Looks up the files of the last look by the names that they had. */
static void look_up_names(struct ps_tail_directory *directory, int folder, struct table *table)
{
    for (uint32_t i = 1; i <= directory->table.count; i++) {
        const struct entry *before = &directory->table.entries[i];
        struct entry entry = {.group = before->group};
        if (before->inode != 0 && entry_stat(directory, folder, before->name, 0, before, &entry) &&
            (entry.group >= 0 || is_followed(directory, entry.inode)))
            entry_add(directory, table, &entry, before->name);
    }
}

static void compare(struct ps_tail_directory *directory, struct table *table, struct ps_tail_changes *changes)
{
    for (uint32_t i = 1; i <= table->count; i++) {
        const struct entry *entry = &table->entries[i];
        struct entry *before = find_inode(&directory->table, entry->device, entry->inode);
        if (before == NULL) {
            change_add(directory, changes, PS_TAIL_FILE_NEW, entry);
            continue;
        }
        before->seen = true;
        /* A rename may be reported after a look that has seen it. */
        bool reported = entry->group < 0 && renamed_find(directory, entry->name) != NULL;
        if (strcmp(before->name, entry->name) != 0 || before->group != entry->group || reported)
            change_add(directory, changes, PS_TAIL_FILE_RENAMED, entry);
        else if (before->size != entry->size || before->modified.tv_sec != entry->modified.tv_sec ||
                 before->modified.tv_nsec != entry->modified.tv_nsec)
            change_add(directory, changes, PS_TAIL_FILE_CHANGED, entry);
    }
    for (uint32_t i = 1; i <= directory->table.count; i++) {
        const struct entry *before = &directory->table.entries[i];
        if (!before->seen && before->inode != 0)
            change_add(directory, changes, PS_TAIL_FILE_GONE, before);
        old_name_add(directory, before->name);
    }
    table_free(&directory->table);
    directory->table = *table;
    if (changes->count > 1)
        qsort(changes->items, changes->count, sizeof *changes->items, by_order);
}

/* Returns whether the names are the same as when they were read. */
static bool names_are_known(const struct ps_tail_directory *directory, const struct stat *status)
{
    return directory->cache && directory->listed && status->st_mtim.tv_sec == directory->stamp.tv_sec &&
           status->st_mtim.tv_nsec == directory->stamp.tv_nsec;
}

void ps_tail_directory_look(struct ps_tail_directory *directory, bool names, struct ps_tail_changes *changes)
{
    struct stat status;
    struct timespec now;
    struct table table = {.count = 0};
    clock_gettime(CLOCK_REALTIME, &now);
    old_names_free(directory);
    directory->unsure = directory->fails = false;
    changes->count = 0;
    changes->error = 0;
    int folder = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fstat(folder, &status) != 0) {
        changes->error = errno;
    } else if (!names && names_are_known(directory, &status)) {
        look_up_names(directory, folder, &table);
    } else if (list_names(directory, folder, &table)) {
        /* If the stamp is so recent that a later change may get the same one, the next look reads the names again. */
        directory->listed = !directory->unsure && now.tv_sec > status.st_mtim.tv_sec + STAMP_S;
        directory->stamp = status.st_mtim;
    } else {
        changes->error = errno;
    }
    if (folder >= 0)
        close(folder);
    changes->unsure = directory->fails;
    if (changes->error != 0) {
        for (uint32_t i = 1; i <= table.count; i++)
            free(table.entries[i].name);
        table_free(&table);
        /* A directory that does not exist has no files. */
        if (changes->error != ENOENT && changes->error != ENOTDIR)
            return;
        table = (struct table){.count = 0};
        directory->listed = false; /* it may come back with the same time, as after a mount */
    }
    compare(directory, &table, changes);
    renamed_retire(directory);
}
