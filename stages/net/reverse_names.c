#include "stages/net/reverse_names.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES 256
#define ENTRIES 1024U
#define PROBES 8U
#define QUEUE 256U
#define KNOWN_NS (300 * PS_NS_PER_S)
#define FAILED_NS (60 * PS_NS_PER_S)
#define ASK_AGAIN_NS (10 * PS_NS_PER_S) /* when a queue had no room for the question or its answer */

struct question {
    struct ps_address peer;
    char name[NAME_BYTES]; /* the answer */
    bool found;
};

/* Shared by worker and thread; the last of the two frees it. */
struct shared {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    unsigned users;
    bool stop;
    int wake_fd; /* a duplicate */
    struct question questions[QUEUE], answers[QUEUE];
    uint32_t question_first, question_count, answer_count;
};

struct entry {
    uint8_t key[20]; /* address, IPv4 mapped, and scope */
    uint64_t until_ns;
    uint32_t length;
    bool used, known;
    char name[NAME_BYTES];
};

struct ps_reverse_names {
    struct shared *shared;
    struct entry entries[ENTRIES];
};

static void key_of(const struct ps_address *peer, uint8_t key[20])
{
    memset(key, 0, 20);
    if (peer->storage.ss_family == AF_INET) {
        key[10] = key[11] = 0xFF;
        memcpy(key + 12, &((const struct sockaddr_in *)(const void *)&peer->storage)->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&peer->storage;
        memcpy(key, &six->sin6_addr, 16);
        memcpy(key + 16, &six->sin6_scope_id, 4);
    }
}

/* Converts an IPv4-mapped address to IPv4: it is looked up as such. */
static struct ps_address unmapped(const struct ps_address *peer)
{
    uint8_t key[20];
    key_of(peer, key);
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct ps_address address = *peer;
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(key, mapped, sizeof mapped) == 0) {
        memcpy(&four.sin_addr, key + 12, 4);
        memset(&address.storage, 0, sizeof address.storage);
        memcpy(&address.storage, &four, sizeof four);
        address.length = sizeof four;
    }
    return address;
}

/* ---- the thread ---- */

static bool resolves_to(const char *name, const struct ps_address *peer)
{
    struct addrinfo hints = {.ai_family = peer->storage.ss_family, .ai_socktype = SOCK_STREAM}, *list;
    uint8_t wanted[20], one[20];
    bool found = false;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return false;
    key_of(peer, wanted);
    for (const struct addrinfo *info = list; info != NULL && !found; info = info->ai_next) {
        struct ps_address address = {.length = info->ai_addrlen};
        memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
        key_of(&address, one);
        found = memcmp(wanted, one, 16) == 0;
    }
    freeaddrinfo(list);
    return found;
}

static void resolve(struct question *question)
{
    struct ps_address peer = unmapped(&question->peer);
    question->found = getnameinfo((const struct sockaddr *)&peer.storage, peer.length, question->name,
                                  sizeof question->name, NULL, 0, NI_NAMEREQD) == 0 &&
                      resolves_to(question->name, &peer);
    if (!question->found) {
        char text[PS_ADDRESS_TEXT_BYTES];
        uint32_t length = ps_address_ip(&question->peer, text);
        memcpy(question->name, text, length + 1);
    }
}

static void leave(struct shared *shared) /* called with the lock held; unlocks it */
{
    bool last = --shared->users == 0;
    pthread_mutex_unlock(&shared->lock);
    if (!last)
        return;
    if (shared->wake_fd >= 0)
        close(shared->wake_fd);
    pthread_cond_destroy(&shared->asked);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

static void *answer(void *argument)
{
    struct shared *shared = argument;
    const uint64_t one = 1;
    pthread_mutex_lock(&shared->lock);
    for (;;) {
        while (!shared->stop && shared->question_count == 0)
            pthread_cond_wait(&shared->asked, &shared->lock);
        if (shared->stop)
            break;
        struct question question = shared->questions[shared->question_first];
        shared->question_first = (shared->question_first + 1) % QUEUE;
        shared->question_count--;
        pthread_mutex_unlock(&shared->lock);
        resolve(&question);
        pthread_mutex_lock(&shared->lock);
        if (shared->answer_count < QUEUE)
            shared->answers[shared->answer_count++] = question;
        if (shared->wake_fd >= 0 && !shared->stop)
            (void)!write(shared->wake_fd, &one, sizeof one);
    }
    leave(shared);
    return NULL;
}

/* ---- the worker ---- */

struct ps_reverse_names *ps_reverse_names_create(int wake_fd, struct ps_err *err)
{
    struct ps_reverse_names *names = calloc(1, sizeof *names);
    struct shared *shared = calloc(1, sizeof *shared);
    pthread_t thread;
    if (names == NULL || shared == NULL) {
        free(names);
        free(shared);
        ps_err_set(err, "no memory");
        return NULL;
    }
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->asked, NULL);
    shared->users = 2;
    shared->wake_fd = wake_fd >= 0 ? dup(wake_fd) : -1;
    names->shared = shared;
    int error = pthread_create(&thread, NULL, answer, shared);
    if (error != 0) {
        ps_err_set(err, "cannot start the resolver's thread: %s", strerror(error));
        shared->users = 1;
        ps_reverse_names_destroy(names);
        return NULL;
    }
    pthread_detach(thread);
    return names;
}

void ps_reverse_names_destroy(struct ps_reverse_names *names)
{
    if (names == NULL)
        return;
    pthread_mutex_lock(&names->shared->lock);
    names->shared->stop = true;
    pthread_cond_signal(&names->shared->asked);
    leave(names->shared);
    free(names);
}

/* Returns the address's entry; else makes one, in a free slot or in that of the entry that expires first. */
static struct entry *entry_of(struct ps_reverse_names *names, const uint8_t key[20])
{
    uint32_t hash = 2166136261U;
    for (int i = 0; i < 20; i++)
        hash = (hash ^ key[i]) * 16777619U;
    struct entry *best = NULL;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct entry *entry = &names->entries[(hash + i) % ENTRIES];
        if (entry->used && memcmp(entry->key, key, 20) == 0)
            return entry;
        if (best == NULL || (best->used && (!entry->used || entry->until_ns < best->until_ns)))
            best = entry;
    }
    *best = (struct entry){.used = true};
    memcpy(best->key, key, 20);
    return best;
}

bool ps_reverse_names_find(struct ps_reverse_names *names, const struct ps_address *peer, uint64_t mono_ns,
                           struct ps_slice *name)
{
    uint8_t key[20];
    key_of(peer, key);
    struct entry *entry = entry_of(names, key);
    if (entry->until_ns <= mono_ns) { /* new, expired, or a question without answer */
        struct shared *shared = names->shared;
        pthread_mutex_lock(&shared->lock);
        if (shared->question_count < QUEUE) {
            uint32_t at = (shared->question_first + shared->question_count++) % QUEUE;
            shared->questions[at].peer = *peer;
            pthread_cond_signal(&shared->asked);
            entry->until_ns = mono_ns + ASK_AGAIN_NS;
        }
        pthread_mutex_unlock(&shared->lock);
    }
    *name = (struct ps_slice){entry->name, entry->length};
    return entry->known; /* an expired answer is used until the new one is there */
}

bool ps_reverse_names_poll(struct ps_reverse_names *names, uint64_t mono_ns)
{
    struct shared *shared = names->shared;
    uint8_t key[20];
    if (pthread_mutex_trylock(&shared->lock) != 0)
        return false;
    uint32_t count = shared->answer_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct question *question = &shared->answers[i];
        key_of(&question->peer, key);
        struct entry *entry = entry_of(names, key);
        entry->length = (uint32_t)strlen(question->name);
        memcpy(entry->name, question->name, entry->length);
        entry->known = true;
        entry->until_ns = mono_ns + (question->found ? KNOWN_NS : FAILED_NS);
    }
    shared->answer_count = 0;
    pthread_mutex_unlock(&shared->lock);
    return count > 0;
}
