#include "stages/net/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

struct queue {
    struct ps_question *items;
    uint32_t first, count;
};

/* Shared with the thread; the last of the two frees it. */
struct ps_resolver {
    pthread_mutex_t lock; /* never held while the resolver is asked */
    pthread_cond_t asked, answered;
    unsigned users;
    bool stop;
    int wake_fd; /* a duplicate */
    uint32_t room;
    struct queue questions, answers;
};

static struct ps_question *queue_add(struct ps_resolver *resolver, struct queue *queue)
{
    return queue->count < resolver->room ? &queue->items[(queue->first + queue->count++) % resolver->room]
                                         : NULL;
}

static struct ps_question queue_take(struct ps_resolver *resolver, struct queue *queue)
{
    struct ps_question question = queue->items[queue->first];
    queue->first = (queue->first + 1) % resolver->room;
    queue->count--;
    return question;
}

/* ---- the thread ---- */

int ps_resolve(const char *name, struct ps_address *address)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(name, NULL, &hints, &list);
    if (error != 0)
        return error;
    const struct addrinfo *chosen = list;
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        if (one->ai_family == AF_INET) {
            chosen = one;
            break;
        }
    }
    memcpy(&address->storage, chosen->ai_addr, chosen->ai_addrlen);
    address->length = chosen->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

/* A name counts only if it resolves to the same address again, as in InetAddress.getCanonicalHostName. */
static int resolve_back(struct ps_question *question)
{
    struct addrinfo hints = {.ai_family = question->address.storage.ss_family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int error = getnameinfo((const struct sockaddr *)&question->address.storage, question->address.length,
                            question->name, sizeof question->name, NULL, 0, NI_NAMEREQD);
    if (error != 0)
        return error;
    error = getaddrinfo(question->name, NULL, &hints, &list);
    if (error != 0)
        return error;
    bool same = false;
    for (const struct addrinfo *info = list; info != NULL && !same; info = info->ai_next) {
        struct ps_address address = {.length = info->ai_addrlen};
        memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
        same = ps_address_is_same_host(&address, &question->address);
    }
    freeaddrinfo(list);
    return same ? 0 : EAI_NONAME;
}

static void leave(struct ps_resolver *resolver) /* called with the lock held; unlocks it */
{
    bool last = --resolver->users == 0;
    pthread_mutex_unlock(&resolver->lock);
    if (!last)
        return;
    if (resolver->wake_fd >= 0)
        close(resolver->wake_fd);
    pthread_cond_destroy(&resolver->asked);
    pthread_cond_destroy(&resolver->answered);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver->questions.items);
    free(resolver->answers.items);
    free(resolver);
}

static void *resolver_main(void *argument)
{
    struct ps_resolver *resolver = argument;
    const uint64_t one = 1;
    pthread_mutex_lock(&resolver->lock);
    for (;;) {
        while (!resolver->stop && resolver->questions.count == 0)
            pthread_cond_wait(&resolver->asked, &resolver->lock);
        if (resolver->stop)
            break;
        struct ps_question question = queue_take(resolver, &resolver->questions);
        pthread_mutex_unlock(&resolver->lock);
        question.error =
            question.forward ? ps_resolve(question.name, &question.address) : resolve_back(&question);
        pthread_mutex_lock(&resolver->lock);
        struct ps_question *answer = queue_add(resolver, &resolver->answers);
        if (answer != NULL)
            *answer = question;
        pthread_cond_signal(&resolver->answered);
        if (resolver->wake_fd >= 0 && !resolver->stop)
            (void)!write(resolver->wake_fd, &one, sizeof one);
    }
    leave(resolver);
    return NULL;
}

/* ---- who asks ---- */

static struct ps_resolver *resolver_alloc(uint32_t room, int wake_fd)
{
    pthread_condattr_t monotonic;
    struct ps_resolver *resolver = calloc(1, sizeof *resolver);
    struct ps_question *questions = calloc(room, sizeof *questions), *answers = calloc(room, sizeof *answers);
    if (resolver == NULL || questions == NULL || answers == NULL) {
        free(resolver);
        free(questions);
        free(answers);
        return NULL;
    }
    resolver->questions.items = questions;
    resolver->answers.items = answers;
    resolver->room = room;
    resolver->users = 2;
    resolver->wake_fd = wake_fd >= 0 ? fcntl(wake_fd, F_DUPFD_CLOEXEC, 0) : -1;
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&resolver->asked, NULL);
    pthread_cond_init(&resolver->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return resolver;
}

struct ps_resolver *ps_resolver_create(uint32_t room, int wake_fd, struct ps_err *err)
{
    pthread_t thread;
    struct ps_resolver *resolver = resolver_alloc(room, wake_fd);
    if (resolver == NULL) {
        ps_err_set(err, "no memory");
        return NULL;
    }
    int error = pthread_create(&thread, NULL, resolver_main, resolver);
    if (error != 0) {
        ps_err_set(
            err, "cannot start the resolver's thread: %s; raise the limit of processes (TasksMax, ulimit -u)",
            strerror(error));
        resolver->users = 1;
        ps_resolver_destroy(resolver);
        return NULL;
    }
    pthread_setname_np(thread, "resolver");
    pthread_detach(thread);
    return resolver;
}

void ps_resolver_destroy(struct ps_resolver *resolver)
{
    if (resolver == NULL)
        return;
    pthread_mutex_lock(&resolver->lock);
    resolver->stop = true;
    pthread_cond_signal(&resolver->asked);
    leave(resolver);
}

bool ps_resolver_ask(struct ps_resolver *resolver, const struct ps_question *question)
{
    pthread_mutex_lock(&resolver->lock);
    struct ps_question *room = queue_add(resolver, &resolver->questions);
    if (room != NULL) {
        *room = *question;
        pthread_cond_signal(&resolver->asked);
    }
    pthread_mutex_unlock(&resolver->lock);
    return room != NULL;
}

bool ps_resolver_answer(struct ps_resolver *resolver, struct ps_question *answer)
{
    if (pthread_mutex_trylock(&resolver->lock) != 0)
        return false;
    bool there = resolver->answers.count > 0;
    if (there)
        *answer = queue_take(resolver, &resolver->answers);
    pthread_mutex_unlock(&resolver->lock);
    return there;
}

bool ps_resolver_wait(struct ps_resolver *resolver, uint32_t timeout_ms, struct ps_question *answer)
{
    uint64_t until_ns = ps_clock_now().mono_ns + timeout_ms * PS_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / PS_NS_PER_S),
                             .tv_nsec = (long)(until_ns % PS_NS_PER_S)};
    pthread_mutex_lock(&resolver->lock);
    while (resolver->answers.count == 0 &&
           pthread_cond_timedwait(&resolver->answered, &resolver->lock, &until) == 0) {
    }
    bool there = resolver->answers.count > 0;
    if (there)
        *answer = queue_take(resolver, &resolver->answers);
    pthread_mutex_unlock(&resolver->lock);
    return there;
}
