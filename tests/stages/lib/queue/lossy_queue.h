/* A durable queue with a log on a disk in memory (tests/support/lossy_files.h), of which calls fail or the power goes. */
#pragma once

#include "stages/lib/queue/queue_internal.h"

#include "core/flow/window.h"
#include "tests/support/folder.h"
#include "tests/support/lossy_files.h"
#include "tests/support/stage.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

/* The durable queue's thread writes while the test reads: one call at a time. */
static struct lossy_disk disk;
static struct ps_segment_files bare;
static pthread_mutex_t lock;

#define ONE_AT_A_TIME(type, expression)                                                                      \
    pthread_mutex_lock(&lock);                                                                               \
    type result = expression;                                                                                \
    pthread_mutex_unlock(&lock);                                                                             \
    return result

static inline int locked_open(void *argument, const char *path, bool create)
{
    ONE_AT_A_TIME(int, bare.open(argument, path, create));
}

static inline int locked_close(void *argument, int fd)
{
    ONE_AT_A_TIME(int, bare.close(argument, fd));
}

static inline ssize_t locked_read(void *argument, int fd, void *to, size_t length, uint64_t offset)
{
    ONE_AT_A_TIME(ssize_t, bare.read(argument, fd, to, length, offset));
}

static inline ssize_t locked_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    ONE_AT_A_TIME(ssize_t, bare.write(argument, fd, from, length, offset));
}

static inline int locked_allocate(void *argument, int fd, uint64_t length)
{
    ONE_AT_A_TIME(int, bare.allocate(argument, fd, length));
}

static inline struct ps_segment_files locked_files(void)
{
    struct ps_segment_files files = lossy_files(&disk);
    bare = files;
    files.open = locked_open;
    files.close = locked_close;
    files.read = locked_read;
    files.write = locked_write;
    files.allocate = locked_allocate;
    return files;
}

struct lossy_queue {
    struct ps_test_stage stage;
    struct ps_segment_files files;
    struct ps_queue *queue;
    struct ps_log_store_settings store;
    bool written;            /* events are promised when they are written, and synced later */
    struct ps_store_ops ops; /* retries sooner */
    char one[512], two[512];
    const char *directories[2];
};

static inline void lossy_queue_start(struct lossy_queue *fixture)
{
    fixture->ops = ps_log_store;
    fixture->ops.retry_ns = fixture->ops.retry_max_ns = PS_NS_PER_MS;
    fixture->store = (struct ps_log_store_settings){
        .data_directories = {2, fixture->directories},
        .state_directory = ps_test_folder(),
        .segment_bytes = 1024,
        .files = &fixture->files,
    };
    struct ps_queue_settings settings = {
        .component = "channel c1",
        .store = &fixture->ops,
        .store_settings = &fixture->store,
        .capacity = 1000,
        .sync_each = !fixture->written,
        .sync_every_ms = 1000,
        .keep_alive_ms = 1,
        .quota_bytes = 32 << 20,
        .producers = 1,
        .consumers = 1,
    };
    fixture->queue = ps_queue_create(&settings);
    ps_queue_start(fixture->queue);
}

/* Returns whether it could not write at the end. */
static inline bool lossy_queue_stop(struct lossy_queue *fixture)
{
    struct ps_test_stage *stage = &fixture->stage;
    ps_queue_leave(fixture->queue, 0, &stage->port);
    struct ps_lease *left = ps_queue_strip(fixture->queue);
    assert_true(left == NULL || left->failed || left->settled == left->count);
    bool broken = fixture->queue->broken;
    ps_queue_destroy(fixture->queue);
    return broken;
}

static inline void lossy_queue_rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* Puts a lease and waits until it is released. Returns whether it was promised. */
static inline bool lossy_queue_put_lease(struct lossy_queue *fixture, struct ps_lease *lease)
{
    struct ps_test_stage *stage = &fixture->stage;
    lease->refusable = true;
    enum ps_put put = PS_PUT_FULL;
    for (unsigned i = 0;
         i < 5 * PS_TEST_PATIENCE_MS && (put = ps_queue_put(fixture->queue, 0, &lease)) != PS_PUT_OK; i++) {
        if (disk.power_until > 0 && disk.changes >= disk.power_until)
            return false;
        lossy_queue_rest();
    }
    assert_int_equal(put, PS_PUT_OK);
    stage->home_count = 0;
    for (unsigned i = 0; stage->home_count == 0; i++) {
        assert_true(i < 50000);
        ps_queue_tick(fixture->queue, 0, &stage->port);
        lossy_queue_rest();
    }
    bool promised = !stage->home[0]->failed;
    stage->home_count = 0;
    return promised;
}

static inline void lossy_queue_init(struct lossy_queue *fixture)
{
    *fixture = (struct lossy_queue){.queue = NULL};
    snprintf(fixture->one, sizeof fixture->one, "%s/one", ps_test_folder());
    snprintf(fixture->two, sizeof fixture->two, "%s/two", ps_test_folder());
    fixture->directories[0] = fixture->one;
    fixture->directories[1] = fixture->two;
    lossy_init(&disk);
    fixture->files = locked_files();
    ps_test_stage_init(&fixture->stage, &ps_channel_file);
}

static inline void lossy_queue_fini(struct lossy_queue *fixture)
{
    ps_test_stage_fini(&fixture->stage);
    lossy_fini(&disk);
}

static inline int lossy_queue_setup(void **state)
{
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &kind);
    pthread_mutexattr_destroy(&kind);
    return ps_test_folder_setup(NULL);
}

static inline int lossy_queue_teardown(void **state)
{
    pthread_mutex_destroy(&lock);
    return ps_test_folder_teardown(NULL);
}
