#include "stages/kafka/maker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 1

struct request {
    const void *config; /* NULL: end */
    void *old;
};

struct reply {
    void *made;
    char reason[512];
};

struct ps_kafka_maker {
    struct ps_kafka_making making;
    pthread_t thread;
    bool asked;  /* the worker asked and has not read the reply yet */
    int wake_fd; /* a duplicate: the worker's may be closed before this thread ends */
    int request_read, request_write, reply_read, reply_write;
};

/* Both messages are far smaller than PIPE_BUF, so they are never split. */
static bool read_whole(int fd, void *data, size_t size)
{
    ssize_t got;
    do
        got = read(fd, data, size);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)size;
}

static void write_whole(int fd, const void *data, size_t size)
{
    ssize_t put;
    do
        put = write(fd, data, size);
    while (put < 0 && errno == EINTR);
    PS_ASSERT(put == (ssize_t)size);
}

static void release(struct ps_kafka_maker *maker)
{
    close(maker->request_read);
    close(maker->request_write);
    close(maker->reply_read);
    close(maker->reply_write);
    if (maker->wake_fd >= 0)
        close(maker->wake_fd);
    free(maker);
}

static void *serve(void *argument)
{
    struct ps_kafka_maker *maker = argument;
    struct request request;
    while (read_whole(maker->request_read, &request, sizeof request)) {
        if (request.config != NULL) {
            struct reply reply = {0};
            struct ps_err err = {0};
            reply.made = maker->making.make(maker->making.argument, request.config, &err);
            memcpy(reply.reason, err.text, sizeof reply.reason - 1);
            write_whole(maker->reply_write, &reply, sizeof reply);
            const uint64_t one = 1;
            if (maker->wake_fd >= 0)
                (void)!write(maker->wake_fd, &one, sizeof one);
        }
        if (request.old != NULL)
            maker->making.destroy(maker->making.argument, request.old);
        if (request.config == NULL)
            break;
    }
    release(maker);
    return NULL;
}

static void *make_producer(const void *engine, const void *config, struct ps_err *err)
{
    return ((const struct ps_kafka_engine *)engine)->create(config, err);
}

static void destroy_producer(const void *engine, void *producer)
{
    ((const struct ps_kafka_engine *)engine)->destroy(producer);
}

struct ps_kafka_making ps_kafka_making_producers(const struct ps_kafka_engine *engine)
{
    return (struct ps_kafka_making){make_producer, destroy_producer, engine};
}

struct ps_kafka_maker *ps_kafka_maker_create(const struct ps_kafka_making *making, int wake_fd,
                                             struct ps_err *err)
{
    int request[2], reply[2];
    if (pipe2(request, O_CLOEXEC) != 0) {
        ps_err_set(err, "no pipe: %s", strerror(errno));
        return NULL;
    }
    if (pipe2(reply, O_CLOEXEC) != 0) {
        ps_err_set(err, "no pipe: %s", strerror(errno));
        close(request[0]);
        close(request[1]);
        return NULL;
    }
    struct ps_kafka_maker *maker = malloc(sizeof *maker);
    if (maker == NULL) {
        ps_err_set(err, "no memory");
        close(request[0]);
        close(request[1]);
        close(reply[0]);
        close(reply[1]);
        return NULL;
    }
    *maker = (struct ps_kafka_maker){
        .making = *making,
        .wake_fd = wake_fd >= 0 ? fcntl(wake_fd, F_DUPFD_CLOEXEC, 0) : -1,
        .request_read = request[0],
        .request_write = request[1],
        .reply_read = reply[0],
        .reply_write = reply[1],
    };
    PS_ASSERT(fcntl(reply[0], F_SETFL, O_NONBLOCK) == 0);
    int failed = pthread_create(&maker->thread, NULL, serve, maker);
    if (failed != 0) {
        ps_err_set(err, "no thread: %s", strerror(failed));
        release(maker);
        return NULL;
    }
    pthread_setname_np(maker->thread, "kafka-maker");
    return maker;
}

void ps_kafka_maker_ask(struct ps_kafka_maker *maker, const void *config, void *old)
{
    struct request request = {.config = config, .old = old};
    PS_ASSERT(!maker->asked);
    maker->asked = true;
    write_whole(maker->request_write, &request, sizeof request);
}

bool ps_kafka_maker_reply(struct ps_kafka_maker *maker, void **made, struct ps_err *err)
{
    struct reply reply;
    if (!read_whole(maker->reply_read, &reply, sizeof reply))
        return false;
    maker->asked = false;
    *made = reply.made;
    if (reply.made == NULL)
        ps_err_set(err, "%s", reply.reason);
    return true;
}

void ps_kafka_maker_destroy(struct ps_kafka_maker *maker, void *old)
{
    pthread_t thread = maker->thread; /* the thread frees the maker */
    if (maker->asked) { /* it still reads the caller's config: wait for the reply (milliseconds) */
        struct reply reply;
        PS_ASSERT(fcntl(maker->reply_read, F_SETFL, 0) == 0);
        PS_ASSERT(read_whole(maker->reply_read, &reply, sizeof reply));
        PS_ASSERT(old == NULL);
        old = reply.made;
    }
    struct request request = {.old = old};
    write_whole(maker->request_write, &request, sizeof request);
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    if (pthread_timedjoin_np(thread, NULL, &deadline) != 0)
        pthread_detach(thread);
}
