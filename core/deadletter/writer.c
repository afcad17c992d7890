#include "core/deadletter/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/deadletter/file.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "core/thread.h"

#define RETRY_NS PS_NS_PER_S
#define SAY_NS (60 * PS_NS_PER_S)
#define GROUP_MAX 1024U /* maximum number of letters in one write and sync */

/* A letter in the queue: this head, followed by its line. */
struct entry {
    struct entry *next;
    struct directory_queue *queue;
    size_t length;
};

/* One directory. The mutex guards the list and the queues' data in it; only the thread uses the file. */
struct target {
    struct target *next;
    struct ps_dead_letter_file file;
    struct entry *first, **last;
    /* The thread's: */
    uint64_t retry_ns; /* time of the next try after a failure */
    uint64_t said_ns;  /* time of the last log line about a failure */
    bool broken;       /* the last try failed */
};

struct ps_dead_letters {
    bool synchronous;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, ending;
    struct target *targets; /* only grows */
    uint64_t bytes;         /* of all waiting lines */
    size_t boxes;           /* number of open queues */
};

struct directory_queue {
    struct ps_dead_letter_queue queue; /* the mutex guards `sent` as well */
    struct ps_dead_letters *letters;
    struct target *target;
    char *agent;
    int wake_fd;
    uint64_t written;
    bool closed; /* the stage closed the queue: the thread frees the queue after its last letter */
};

/* ---- the thread ---- */

static void queue_free(struct directory_queue *queue)
{
    free(queue->agent);
    free(queue);
}

/* Takes at most GROUP_MAX letters out. The mutex is held. */
static size_t target_take(struct target *target, struct entry **group)
{
    size_t count = 0;
    while (target->first != NULL && count < GROUP_MAX) {
        group[count++] = target->first;
        target->first = target->first->next;
    }
    if (target->first == NULL)
        target->last = &target->first;
    return count;
}

/* Puts the letters back, in order, before all others. The mutex is held. */
static void target_put_back(struct target *target, struct entry **group, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        group[i]->next = target->first;
        if (target->first == NULL)
            target->last = &group[i]->next;
        target->first = group[i];
    }
}

/* Called with the mutex held, because a queue that is closed meanwhile no longer has a wake descriptor. */
static void entry_written(struct ps_dead_letters *letters, struct entry *entry)
{
    struct directory_queue *queue = entry->queue;
    const uint64_t one = 1;
    letters->bytes -= entry->length;
    queue->written++;
    if (queue->closed && queue->written == queue->queue.sent)
        queue_free(queue);
    else if (!queue->closed && queue->wake_fd >= 0)
        (void)!write(queue->wake_fd, &one, sizeof one);
    free(entry);
}

static enum ps_status target_write(struct target *target, struct entry **group, size_t count,
                                   struct ps_now now)
{
    struct iovec parts[GROUP_MAX];
    struct ps_err err = {0};
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct iovec){group[i] + 1, group[i]->length};
    if (ps_dead_letter_file_append(&target->file, parts, count, now, &err) == PS_OK) {
        if (target->broken)
            ps_log(PS_LOG_INFO, "agent", "dead letters are written into %s again", target->file.directory);
        target->broken = false;
        return PS_OK;
    }
    bool say = !target->broken || now.mono_ns >= target->said_ns + SAY_NS;
    target->broken = true;
    target->retry_ns = now.mono_ns + RETRY_NS;
    if (!say)
        return PS_FAIL;
    target->said_ns = now.mono_ns;
    ps_log(PS_LOG_ERROR, "agent",
           "dead letters cannot be written: %s; their events wait, and the agent tries again every second",
           ps_err_join(&err));
    return PS_FAIL;
}

/* Writes one group of one directory. The mutex is held when the function is called and when it returns. */
static bool target_serve(struct ps_dead_letters *letters, struct target *target, struct ps_now now)
{
    struct entry *group[GROUP_MAX];
    size_t count = target_take(target, group);
    pthread_mutex_unlock(&letters->mutex);
    enum ps_status status = target_write(target, group, count, now);
    pthread_mutex_lock(&letters->mutex);
    if (status != PS_OK) {
        target_put_back(target, group, count);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        entry_written(letters, group[i]);
    return true;
}

/* Runs one round over the directories. Returns the time (mono_ns) at which one of them is to be tried again; 0:
 * something was written. The mutex is held when the function is called and when it returns. */
static uint64_t letters_serve(struct ps_dead_letters *letters)
{
    uint64_t due_ns = PS_NEVER;
    for (struct target *target = letters->targets; target != NULL; target = target->next) {
        struct ps_now now = ps_clock_now();
        if (target->first == NULL)
            continue;
        bool may_try =
            !target->broken || now.mono_ns >= target->retry_ns || letters->ending || letters->synchronous;
        if (may_try && target_serve(letters, target, now))
            due_ns = 0;
        else if (target->retry_ns < due_ns)
            due_ns = target->retry_ns;
    }
    return due_ns;
}

static void letters_wait(struct ps_dead_letters *letters, uint64_t due_ns)
{
    struct timespec until = {.tv_sec = (time_t)(due_ns / PS_NS_PER_S),
                             .tv_nsec = (long)(due_ns % PS_NS_PER_S)};
    if (due_ns == PS_NEVER)
        pthread_cond_wait(&letters->changed, &letters->mutex);
    else
        pthread_cond_clockwait(&letters->changed, &letters->mutex, CLOCK_MONOTONIC, &until);
}

static void *letters_run(void *argument)
{
    struct ps_dead_letters *letters = argument;
    pthread_mutex_lock(&letters->mutex);
    for (;;) {
        uint64_t due_ns = letters_serve(letters);
        if (due_ns == 0)
            continue;
        if (letters->ending) /* every letter is written, or cannot be written */
            break;
        letters_wait(letters, due_ns);
    }
    pthread_mutex_unlock(&letters->mutex);
    return NULL;
}

/* ---- control ---- */

struct ps_dead_letters *ps_dead_letters_create(bool synchronous)
{
    struct ps_dead_letters *letters = ps_must_alloc(1, sizeof *letters, "dead letters");
    letters->synchronous = synchronous;
    pthread_mutex_init(&letters->mutex, NULL);
    pthread_cond_init(&letters->changed, NULL);
    return letters;
}

static void target_free(struct target *target)
{
    size_t left = 0;
    for (struct entry *entry = target->first, *next; entry != NULL; entry = next) {
        next = entry->next;
        struct directory_queue *queue = entry->queue;
        if (++queue->written == queue->queue.sent)
            queue_free(queue);
        free(entry);
        left++;
    }
    if (left > 0)
        ps_log(PS_LOG_ERROR, "agent", "%s %s not written into %s", ps_quantity_print_count(left).text,
               ps_quantity_word(left, "dead letter was", "dead letters were"), target->file.directory);
    ps_dead_letter_file_fini(&target->file);
    free(target);
}

void ps_dead_letters_destroy(struct ps_dead_letters *letters)
{
    if (letters == NULL)
        return;
    pthread_mutex_lock(&letters->mutex);
    PS_ASSERT(letters->boxes == 0);
    letters->ending = true;
    pthread_cond_signal(&letters->changed);
    pthread_mutex_unlock(&letters->mutex);
    if (letters->started)
        (void)ps_thread_join(letters->thread, PS_THREAD_PATIENT);
    while (letters->targets != NULL) {
        struct target *target = letters->targets;
        letters->targets = target->next;
        target_free(target);
    }
    pthread_cond_destroy(&letters->changed);
    pthread_mutex_destroy(&letters->mutex);
    free(letters);
}

/* ---- queues ---- */

static struct target *target_find(struct ps_dead_letters *letters, const char *directory)
{
    for (struct target *target = letters->targets; target != NULL; target = target->next)
        if (strcmp(target->file.directory, directory) == 0)
            return target;
    return NULL;
}

static enum ps_status thread_start(struct ps_dead_letters *letters, struct ps_err *err)
{
    if (letters->started || letters->synchronous)
        return PS_OK;
    int failed = ps_thread_start(&letters->thread, "dead-letters", letters_run, letters);
    if (failed != 0)
        return ps_err_set(err, "cannot start the thread that writes dead letters: %s", strerror(failed));
    letters->started = true;
    return PS_OK;
}

/* Two workers may open the same directory at the same time: the second target with the same name is freed. */
static struct target *target_open(struct ps_dead_letters *letters, const char *directory, const char *agent,
                                  struct ps_err *err)
{
    struct target *made = ps_must_alloc(1, sizeof *made, "dead letters");
    if (ps_dead_letter_file_init(&made->file, directory, agent, err) != PS_OK) {
        free(made);
        return NULL;
    }
    made->last = &made->first;
    pthread_mutex_lock(&letters->mutex);
    struct target *target = target_find(letters, directory);
    if (target == NULL && thread_start(letters, err) == PS_OK) {
        made->next = letters->targets;
        letters->targets = target = made;
    }
    pthread_mutex_unlock(&letters->mutex);
    if (target != made) {
        ps_dead_letter_file_fini(&made->file);
        free(made);
    }
    return target;
}

/* The queue's public part is its first member. */
static struct directory_queue *queue_of(const struct ps_dead_letter_queue *queue)
{
    return (struct directory_queue *)(uintptr_t)queue;
}

static void queue_close(struct ps_dead_letter_queue *open)
{
    struct directory_queue *queue = queue_of(open);
    struct ps_dead_letters *letters = queue->letters;
    pthread_mutex_lock(&letters->mutex);
    letters->boxes--;
    queue->closed = true;
    if (queue->written == queue->queue.sent)
        queue_free(queue);
    pthread_mutex_unlock(&letters->mutex);
}

static uint64_t queue_put(struct ps_dead_letter_queue *open, const struct ps_dead_letter *letter)
{
    struct directory_queue *queue = queue_of(open);
    struct ps_dead_letters *letters = queue->letters;
    struct ps_dead_letter full = *letter;
    size_t length;
    full.agent = queue->agent;
    full.time_ms = ps_clock_now().wall_ms;
    struct entry *entry = (struct entry *)(void *)ps_dead_letter_encode(&full, sizeof *entry, &length);
    if (entry == NULL)
        return 0;
    *entry = (struct entry){.queue = queue, .length = length};
    pthread_mutex_lock(&letters->mutex);
    uint64_t number = ++queue->queue.sent;
    letters->bytes += length;
    *queue->target->last = entry;
    queue->target->last = &entry->next;
    if (letters->synchronous)
        letters_serve(letters);
    else
        pthread_cond_signal(&letters->changed);
    pthread_mutex_unlock(&letters->mutex);
    return number;
}

static bool queue_has_room(const struct ps_dead_letter_queue *open)
{
    struct ps_dead_letters *letters = queue_of(open)->letters;
    pthread_mutex_lock(&letters->mutex);
    bool room = letters->bytes < PS_DEAD_LETTERS_BYTES_MAX;
    pthread_mutex_unlock(&letters->mutex);
    return room;
}

static uint64_t queue_written(const struct ps_dead_letter_queue *open)
{
    const struct directory_queue *queue = queue_of(open);
    pthread_mutex_lock(&queue->letters->mutex);
    if (queue->letters->synchronous && queue->written < queue->queue.sent) /* a try failed */
        letters_serve(queue->letters);
    uint64_t written = queue->written;
    pthread_mutex_unlock(&queue->letters->mutex);
    return written;
}

static const struct ps_dead_letter_queue_ops directory_queue_ops = {
    .put = queue_put, .has_room = queue_has_room, .written = queue_written, .close = queue_close};

struct ps_dead_letter_queue *ps_dead_letter_queue_open(struct ps_dead_letters *letters, const char *directory,
                                                       const char *agent, int wake_fd, struct ps_err *err)
{
    struct target *target = target_open(letters, directory, agent, err);
    if (target == NULL) {
        ps_err_append(err, "penstock.deadletter");
        return NULL;
    }
    struct directory_queue *queue = ps_must_alloc(1, sizeof *queue, "dead letters");
    *queue = (struct directory_queue){
        .queue = {.ops = &directory_queue_ops}, .letters = letters, .target = target, .wake_fd = wake_fd};
    queue->agent = ps_must_copy_text(agent, "an agent's name");
    pthread_mutex_lock(&letters->mutex);
    letters->boxes++;
    pthread_mutex_unlock(&letters->mutex);
    return &queue->queue;
}
