#include "bench/suite/disk.h"
#include "bench/suite/paired.h"
#include "bench/support/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SAMPLES_MAX (1U << 20)
#define FILE_BYTES (UINT64_C(128) << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next two */
static uint64_t sync_count;
static uint32_t sync_us[SAMPLES_MAX]; /* of the n-th sync, at n modulo SAMPLES_MAX */
static char directory_path[4096];

/* Replaces the C library's fdatasync. Thread: any. */
int fdatasync(int fd)
{
    double began = ps_now_s();
    int result = (int)syscall(SYS_fdatasync, fd);
    uint32_t took_us = (uint32_t)((ps_now_s() - began) * 1e6);
    pthread_mutex_lock(&lock);
    sync_us[sync_count++ % SAMPLES_MAX] = took_us;
    pthread_mutex_unlock(&lock);
    return result;
}

/* ---- the directory ---- */

static int remove_one(const char *path, const struct stat *, int, struct FTW *where)
{
    return where->level > 0 ? remove(path) : 0;
}

void ps_disk_clear(const char *directory)
{
    (void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_directory(void)
{
    ps_disk_clear(directory_path);
    (void)rmdir(directory_path);
}

const char *ps_disk_directory(void)
{
    const char *above = getenv("TMPDIR");
    if (directory_path[0] != '\0')
        return directory_path;
    snprintf(directory_path, sizeof directory_path, "%s/penstock-bench-XXXXXX",
             above != NULL ? above : "/var/tmp");
    if (mkdtemp(directory_path) == NULL)
        ps_bench_fatal("%s cannot be made: %s", directory_path, strerror(errno));
    atexit(remove_directory);
    return directory_path;
}

/* ---- syncs ---- */

void ps_disk_syncs_begin(void)
{
    pthread_mutex_lock(&lock);
    sync_count = 0;
    pthread_mutex_unlock(&lock);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

struct ps_disk_syncs ps_disk_syncs_end(void)
{
    uint32_t *sorted = ps_must_alloc(SAMPLES_MAX, sizeof *sorted, "times of syncs");
    struct ps_disk_syncs syncs = {.count = 0};
    pthread_mutex_lock(&lock);
    syncs.count = sync_count;
    size_t count = sync_count < SAMPLES_MAX ? (size_t)sync_count : SAMPLES_MAX;
    memcpy(sorted, sync_us, count * sizeof *sorted);
    pthread_mutex_unlock(&lock);
    if (count == 0) {
        free(sorted);
        return syncs;
    }
    qsort(sorted, count, sizeof *sorted, compare);
    syncs.p50_ms = sorted[count / 2] / 1e3;
    syncs.p99_ms = sorted[count * 99 / 100] / 1e3;
    syncs.max_ms = sorted[count - 1] / 1e3;
    free(sorted);
    return syncs;
}

/* ---- the bare loop ---- */

static int next_file(const char *directory, unsigned number)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/bare.%u", directory, number);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || (fallocate(fd, 0, 0, (off_t)FILE_BYTES) != 0 && errno != EOPNOTSUPP))
        ps_bench_fatal("%s: %s", path, strerror(errno));
    return fd;
}

double ps_disk_bare(const char *directory, size_t bytes, double seconds, double pace_s)
{
    char *block = ps_must_alloc(1, bytes, "a block");
    uint64_t written = 0, offset = 0;
    unsigned files = 0;
    int fd = next_file(directory, files++);
    memset(block, 'x', bytes);
    double began = ps_now_s(), next = began, now = began;
    while (now < began + seconds) {
        if (offset + bytes > FILE_BYTES && offset > 0) {
            close(fd);
            fd = next_file(directory, files++);
            offset = 0;
        }
        if (pwrite(fd, block, bytes, (off_t)offset) != (ssize_t)bytes || fdatasync(fd) != 0)
            ps_bench_fatal("the bare loop cannot write: %s", strerror(errno));
        offset += bytes;
        written += bytes;
        next += pace_s;
        if (pace_s > 0 && next > ps_now_s())
            usleep((useconds_t)((next - ps_now_s()) * 1e6 + 1));
        now = ps_now_s();
    }
    close(fd);
    free(block);
    return (double)written / (now - began);
}
