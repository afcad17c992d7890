#include "core/deadletter/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/deadletter/file.h"
#include "core/log/log.h"
#include "core/thread.h"

#define RETRY_NS PS_NS_PER_S
#define SAY_NS (60 * PS_NS_PER_S)
#define GROUP_MAX 1024U /* letters of one write and sync */

/* A letter in the queue: this head, followed by its line. */
struct entry {
    struct entry *next;
    struct directory_box *box;
    size_t length;
};

/* One directory. The mutex guards the list and the boxes' data in it; only the thread uses the file. */
struct target {
    struct target *next;
    struct ps_letter_file file;
    struct entry *first, **last;
    /* The thread's: */
    uint64_t retry_ns; /* not before */
    uint64_t said_ns;  /* when the last line about it was logged */
    bool broken;       /* the last try failed */
};

struct ps_letters {
    bool synchronous;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, ending;
    struct target *targets; /* only grows */
    uint64_t bytes;         /* of all waiting lines */
    size_t boxes;           /* open ones */
};

struct directory_box {
    struct ps_letterbox box; /* the mutex guards `sent` as well */
    struct ps_letters *letters;
    struct target *target;
    char *agent;
    int wake_fd;
    uint64_t written;
    bool closed; /* freed by the thread, with the last letter */
};

/* ---- the thread ---- */

static void box_free(struct directory_box *box)
{
    free(box->agent);
    free(box);
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

/* The mutex is held: a box that is closed meanwhile has no wake descriptor any more. */
static void entry_written(struct ps_letters *letters, struct entry *entry)
{
    struct directory_box *box = entry->box;
    const uint64_t one = 1;
    letters->bytes -= entry->length;
    box->written++;
    if (box->closed && box->written == box->box.sent)
        box_free(box);
    else if (!box->closed && box->wake_fd >= 0)
        (void)!write(box->wake_fd, &one, sizeof one);
    free(entry);
}

static enum ps_status target_write(struct target *target, struct entry **group, size_t count,
                                   struct ps_now now)
{
    struct iovec parts[GROUP_MAX];
    struct ps_err err = {0};
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct iovec){group[i] + 1, group[i]->length};
    if (ps_letter_file_append(&target->file, parts, count, now, &err) == PS_OK) {
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

/* Writes one group of one directory. The mutex is held when it is called and when it returns. */
static bool target_serve(struct ps_letters *letters, struct target *target, struct ps_now now)
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

/* Runs one round over the directories. Returns when one of them is to be tried again; 0: something was written. The
 * mutex is held when it is called and when it returns. */
static uint64_t letters_serve(struct ps_letters *letters)
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

static void letters_wait(struct ps_letters *letters, uint64_t due_ns)
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
    struct ps_letters *letters = argument;
    pthread_mutex_lock(&letters->mutex);
    for (;;) {
        uint64_t due_ns = letters_serve(letters);
        if (due_ns == 0)
            continue;
        if (letters->ending) /* everything is written, or cannot be */
            break;
        letters_wait(letters, due_ns);
    }
    pthread_mutex_unlock(&letters->mutex);
    return NULL;
}

/* ---- control ---- */

struct ps_letters *ps_letters_create(bool synchronous)
{
    struct ps_letters *letters = ps_must_alloc(1, sizeof *letters, "dead letters");
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
        struct directory_box *box = entry->box;
        if (++box->written == box->box.sent)
            box_free(box);
        free(entry);
        left++;
    }
    if (left > 0)
        ps_log(PS_LOG_ERROR, "agent", "%zu dead letters were not written into %s", left,
               target->file.directory);
    ps_letter_file_fini(&target->file);
    free(target);
}

void ps_letters_destroy(struct ps_letters *letters)
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

/* ---- boxes ---- */

static struct target *target_find(struct ps_letters *letters, const char *directory)
{
    for (struct target *target = letters->targets; target != NULL; target = target->next)
        if (strcmp(target->file.directory, directory) == 0)
            return target;
    return NULL;
}

static enum ps_status thread_start(struct ps_letters *letters, struct ps_err *err)
{
    if (letters->started || letters->synchronous)
        return PS_OK;
    int failed = ps_thread_start(&letters->thread, "dead-letters", letters_run, letters);
    if (failed != 0)
        return ps_err_set(err, "no thread for dead letters: %s", strerror(failed));
    letters->started = true;
    return PS_OK;
}

/* Two workers may open the same directory at the same time: the second target with the same name is freed. */
static struct target *target_open(struct ps_letters *letters, const char *directory, const char *agent,
                                  struct ps_err *err)
{
    struct target *made = ps_must_alloc(1, sizeof *made, "dead letters");
    if (ps_letter_file_init(&made->file, directory, agent, err) != PS_OK) {
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
        ps_letter_file_fini(&made->file);
        free(made);
    }
    return target;
}

/* The box's public part is its first member. */
static struct directory_box *box_of(const struct ps_letterbox *box)
{
    return (struct directory_box *)(uintptr_t)box;
}

static void box_close(struct ps_letterbox *open)
{
    struct directory_box *box = box_of(open);
    struct ps_letters *letters = box->letters;
    pthread_mutex_lock(&letters->mutex);
    letters->boxes--;
    box->closed = true;
    if (box->written == box->box.sent)
        box_free(box);
    pthread_mutex_unlock(&letters->mutex);
}

static uint64_t box_put(struct ps_letterbox *open, const struct ps_letter *letter)
{
    struct directory_box *box = box_of(open);
    struct ps_letters *letters = box->letters;
    struct ps_letter full = *letter;
    size_t length;
    full.agent = box->agent;
    full.time_ms = ps_clock_now().wall_ms;
    struct entry *entry = (struct entry *)(void *)ps_letter_encode(&full, sizeof *entry, &length);
    if (entry == NULL)
        return 0;
    *entry = (struct entry){.box = box, .length = length};
    pthread_mutex_lock(&letters->mutex);
    uint64_t number = ++box->box.sent;
    letters->bytes += length;
    *box->target->last = entry;
    box->target->last = &entry->next;
    if (letters->synchronous)
        letters_serve(letters);
    else
        pthread_cond_signal(&letters->changed);
    pthread_mutex_unlock(&letters->mutex);
    return number;
}

static bool box_has_room(const struct ps_letterbox *open)
{
    struct ps_letters *letters = box_of(open)->letters;
    pthread_mutex_lock(&letters->mutex);
    bool room = letters->bytes < PS_LETTERS_BYTES_MAX;
    pthread_mutex_unlock(&letters->mutex);
    return room;
}

static uint64_t box_written(const struct ps_letterbox *open)
{
    const struct directory_box *box = box_of(open);
    pthread_mutex_lock(&box->letters->mutex);
    if (box->letters->synchronous && box->written < box->box.sent) /* a try failed */
        letters_serve(box->letters);
    uint64_t written = box->written;
    pthread_mutex_unlock(&box->letters->mutex);
    return written;
}

static const struct ps_letterbox_ops directory_box_ops = {
    .put = box_put, .has_room = box_has_room, .written = box_written, .close = box_close};

struct ps_letterbox *ps_letterbox_open(struct ps_letters *letters, const char *directory, const char *agent,
                                       int wake_fd, struct ps_err *err)
{
    struct target *target = target_open(letters, directory, agent, err);
    if (target == NULL) {
        ps_err_append(err, "penstock.deadletter");
        return NULL;
    }
    struct directory_box *box = ps_must_alloc(1, sizeof *box, "dead letters");
    *box = (struct directory_box){
        .box = {.ops = &directory_box_ops}, .letters = letters, .target = target, .wake_fd = wake_fd};
    box->agent = ps_must_copy_text(agent, "an agent's name");
    pthread_mutex_lock(&letters->mutex);
    letters->boxes++;
    pthread_mutex_unlock(&letters->mutex);
    return &box->box;
}
