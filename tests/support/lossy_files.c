#include "tests/support/lossy_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/support.h"

/* Added to a file's descriptor to get its descriptor for whole blocks. */
#define LOSSY_DIRECT 1000

void lossy_init(struct lossy_disk *disk)
{
    memset(disk, 0, sizeof *disk);
}

static void forget_writes(struct lossy_file *file)
{
    for (size_t i = 0; i < file->write_count; i++)
        free(file->writes[i].data);
    free(file->writes);
    file->writes = NULL;
    file->write_count = 0;
}

void lossy_fini(struct lossy_disk *disk)
{
    for (size_t i = 0; i < disk->count; i++) {
        forget_writes(&disk->files[i]);
        free(disk->files[i].now);
        free(disk->files[i].durable);
    }
}

/* Counts a call that changes something. Returns whether it succeeds. */
static bool changes(struct lossy_disk *disk)
{
    disk->changes++;
    if (disk->power_until > 0 && disk->changes >= disk->power_until) {
        errno = EIO;
        return false;
    }
    if (disk->fail_at > 0 && disk->changes == disk->fail_at) {
        errno = disk->fail_errno;
        return false;
    }
    return true;
}

struct lossy_file *lossy_find(struct lossy_disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->count; i++) {
        if (disk->files[i].there && strcmp(disk->files[i].path, path) == 0)
            return &disk->files[i];
    }
    return NULL;
}

static int lossy_open(void *argument, const char *path, bool create)
{
    struct lossy_disk *disk = argument;
    struct lossy_file *file = lossy_find(disk, path);
    if (!create && file == NULL) {
        errno = ENOENT;
        return -1;
    }
    if (!create)
        return (int)(file - disk->files);
    if (!changes(disk))
        return -1;
    if (file != NULL) {
        errno = EEXIST;
        return -1;
    }
    assert_true(disk->count < LOSSY_FILES_MAX);
    file = &disk->files[disk->count++];
    snprintf(file->path, sizeof file->path, "%s", path);
    file->there = true;
    return (int)(file - disk->files);
}

static int lossy_open_direct(void *argument, const char *path)
{
    struct lossy_disk *disk = argument;
    return disk->direct ? LOSSY_DIRECT + lossy_open(argument, path, false) : -1;
}

static int lossy_close(void *argument, int fd)
{
    return 0;
}

static ssize_t lossy_read(void *argument, int fd, void *to, size_t length, uint64_t offset)
{
    struct lossy_disk *disk = argument;
    const struct lossy_file *file = &disk->files[fd];
    if (offset >= file->now_length)
        return 0;
    size_t left = file->now_length - offset;
    length = length < left ? length : left;
    memcpy(to, file->now + offset, length);
    return (ssize_t)length;
}

static void grow(char **bytes, size_t *length, size_t to)
{
    if (to <= *length)
        return;
    *bytes = realloc(*bytes, to);
    assert_non_null(*bytes);
    memset(*bytes + *length, 0, to - *length);
    *length = to;
}

static void change(struct lossy_file *file, const void *data, size_t length, uint64_t offset)
{
    file->writes = realloc(file->writes, (file->write_count + 1) * sizeof *file->writes);
    assert_non_null(file->writes);
    struct lossy_write *write = &file->writes[file->write_count++];
    *write = (struct lossy_write){.offset = offset, .length = length, .data = malloc(length + 1)};
    assert_non_null(write->data);
    if (data != NULL)
        memcpy(write->data, data, length);
    grow(&file->now, &file->now_length, offset + length);
    if (data != NULL)
        memcpy(file->now + offset, data, length);
}

static ssize_t lossy_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    struct lossy_disk *disk = argument;
    if (!changes(disk))
        return -1;
    if (fd >= LOSSY_DIRECT) {
        assert_int_equal(length % PS_SEGMENT_DIRECT_BYTES + offset % PS_SEGMENT_DIRECT_BYTES, 0);
        assert_int_equal((uintptr_t)from % PS_SEGMENT_DIRECT_BYTES, 0);
        fd -= LOSSY_DIRECT;
    }
    struct lossy_file *file = &disk->files[fd];
    if (strcmp(disk->unwritable, file->path) == 0) {
        errno = EIO;
        return -1;
    }
    if (strstr(file->path, ".segment") !=
        NULL) /* a write must not extend a segment: there may be no room for it */
        assert_in_range(offset + length, 0, file->now_length);
    change(file, from, length, offset);
    return (ssize_t)length;
}

static int lossy_allocate(void *argument, int fd, uint64_t length)
{
    struct lossy_disk *disk = argument;
    if (!changes(disk))
        return -1;
    if (disk->allocate_max > 0 && length > disk->allocate_max) {
        errno = disk->allocate_errno != 0 ? disk->allocate_errno : ENOSPC;
        return -1;
    }
    change(&disk->files[fd], NULL, 0, length);
    return 0;
}

static int64_t lossy_size(void *argument, int fd)
{
    struct lossy_disk *disk = argument;
    return (int64_t)disk->files[fd].now_length;
}

static void copy_now(struct lossy_file *file)
{
    free(file->durable);
    file->durable = malloc(file->now_length + 1);
    assert_non_null(file->durable);
    if (file->now_length > 0)
        memcpy(file->durable, file->now, file->now_length);
    file->durable_length = file->now_length;
    forget_writes(file);
}

static int lossy_sync(void *argument, int fd)
{
    struct lossy_disk *disk = argument;
    if (!changes(disk))
        return -1;
    copy_now(&disk->files[fd]);
    return 0;
}

static bool is_in(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

static int lossy_sync_directory(void *argument, const char *path)
{
    struct lossy_disk *disk = argument;
    if (!changes(disk))
        return -1;
    for (size_t i = 0; i < disk->count; i++) {
        if (is_in(disk->files[i].path, path))
            disk->files[i].there_durably = disk->files[i].there;
    }
    return 0;
}

static int lossy_is_at(void *argument, int fd, const char *path)
{
    struct lossy_disk *disk = argument;
    const struct lossy_file *file = lossy_find(disk, path);
    errno = file == NULL ? ENOENT : ESTALE;
    return file == &disk->files[fd] ? 0 : -1;
}

static int lossy_remove(void *argument, const char *path)
{
    struct lossy_disk *disk = argument;
    struct lossy_file *file = lossy_find(disk, path);
    if (!changes(disk))
        return -1;
    assert_non_null(file);
    file->there = false;
    return 0;
}

static int lossy_list(void *argument, const char *path, void (*name)(void *to, const char *name), void *to)
{
    struct lossy_disk *disk = argument;
    for (size_t i = 0, count = disk->count; i < count; i++) {
        if (disk->files[i].there && is_in(disk->files[i].path, path))
            name(to, disk->files[i].path + strlen(path) + 1);
    }
    return 0;
}

struct ps_segment_files lossy_files(struct lossy_disk *disk)
{
    return (struct ps_segment_files){.open = lossy_open,
                                     .open_direct = lossy_open_direct,
                                     .close = lossy_close,
                                     .read = lossy_read,
                                     .write = lossy_write,
                                     .allocate = lossy_allocate,
                                     .size = lossy_size,
                                     .sync = lossy_sync,
                                     .sync_directory = lossy_sync_directory,
                                     .is_at = lossy_is_at,
                                     .remove = lossy_remove,
                                     .list = lossy_list,
                                     .argument = disk};
}

/* Carries out a part of one write: each sector is written or not, at random. */
static void tear(struct lossy_file *file, const struct lossy_write *write, uint64_t *random)
{
    uint64_t kind = ps_test_random(random) % 4; /* nothing, all of it, or some sectors */
    if (kind == 0)
        return;
    grow(&file->durable, &file->durable_length, write->offset + write->length);
    for (size_t done = 0; done < write->length;) {
        size_t sector_end = LOSSY_SECTOR_BYTES - (write->offset + done) % LOSSY_SECTOR_BYTES;
        size_t part = sector_end < write->length - done ? sector_end : write->length - done;
        if (kind == 1 || ps_test_random(random) % 2 == 0)
            memcpy(file->durable + write->offset + done, write->data + done, part);
        done += part;
    }
}

void lossy_restart(struct lossy_disk *disk, uint64_t *random)
{
    for (size_t i = 0; i < disk->count; i++) {
        struct lossy_file *file = &disk->files[i];
        if (random == NULL) {
            copy_now(file);
        } else {
            for (size_t k = 0; k < file->write_count; k++)
                tear(file, &file->writes[k], random);
            if (file->there != file->there_durably)
                file->there = ps_test_random(random) % 2 == 0;
        }
        forget_writes(file);
        file->there_durably = file->there;
        free(file->now);
        file->now = malloc(file->durable_length + 1);
        assert_non_null(file->now);
        if (file->durable_length > 0)
            memcpy(file->now, file->durable, file->durable_length);
        file->now_length = file->durable_length;
    }
    disk->changes = disk->power_until = disk->fail_at = 0;
}
