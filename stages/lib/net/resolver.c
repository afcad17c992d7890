#include "stages/lib/net/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "core/helper/helper.h"

/* The thread frees it. */
struct ps_resolver {
    struct ps_helper *helper;
    uint32_t free_count;
    struct ps_question **free; /* entries of `questions` that are not in use; they belong to the owner */
    struct ps_question questions[];
};

/* ---- the thread ---- */

static const struct addrinfo *first_of(const struct addrinfo *list)
{
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next)
        if (one->ai_family == AF_INET)
            return one;
    return list;
}

/* Orders addresses: IPv4 before all others, then by their bytes; ports are ignored. */
static int compare(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return a->sa_family == AF_INET ? -1 : b->sa_family == AF_INET ? 1 : (int)a->sa_family - b->sa_family;
    if (a->sa_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr,
                      &((const struct sockaddr_in *)(const void *)b)->sin_addr, sizeof(struct in_addr));
    return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, sizeof(struct in6_addr));
}

/* Returns the first address after `tried` in the order of `compare`, or the first of all. */
static const struct addrinfo *next_of(const struct addrinfo *list, const struct sockaddr *tried)
{
    const struct addrinfo *least = list, *next = NULL;
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        if (compare(one->ai_addr, least->ai_addr) < 0)
            least = one;
        if (compare(one->ai_addr, tried) > 0 && (next == NULL || compare(one->ai_addr, next->ai_addr) < 0))
            next = one;
    }
    return next != NULL ? next : least;
}

int ps_resolve_next(const char *name, struct ps_address *address, uint32_t *count)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(name, NULL, &hints, &list);
    if (error != 0)
        return error;
    const struct addrinfo *chosen =
        address->length == 0 ? first_of(list) : next_of(list, (const struct sockaddr *)&address->storage);
    *count = 0;
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next)
        (*count)++;
    memcpy(&address->storage, chosen->ai_addr, chosen->ai_addrlen);
    address->length = chosen->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

int ps_resolve(const char *name, struct ps_address *address)
{
    char bare[PS_HOST_NAME_BYTES];
    const char *host = ps_host_without_brackets(name, bare);
    uint32_t count;
    address->length = 0;
    return ps_resolve_next(host != NULL ? host : name, address, &count);
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

static void run(void *, void *question_)
{
    struct ps_question *question = question_;
    question->error = question->forward
                          ? ps_resolve_next(question->name, &question->address, &question->address_count)
                          : resolve_back(question);
}

static void end(void *resolver_)
{
    struct ps_resolver *resolver = resolver_;
    free(resolver->free);
    free(resolver);
}

/* ---- the owner's side ---- */

/* One more than `room`, because the thread may work on one question. */
static struct ps_resolver *resolver_alloc(uint32_t room)
{
    struct ps_resolver *resolver = calloc(1, sizeof *resolver + (room + 1) * sizeof resolver->questions[0]);
    struct ps_question **free_list = calloc(room + 1, sizeof *free_list);
    if (resolver == NULL || free_list == NULL) {
        free(resolver);
        free(free_list);
        return NULL;
    }
    resolver->free = free_list;
    while (resolver->free_count <= room) {
        free_list[resolver->free_count] = &resolver->questions[resolver->free_count];
        resolver->free_count++;
    }
    return resolver;
}

struct ps_resolver *ps_resolver_create(uint32_t room, int wake_fd, struct ps_err *err)
{
    struct ps_resolver *resolver = resolver_alloc(room);
    if (resolver == NULL) {
        ps_err_set(err, "no memory");
        return NULL;
    }
    const struct ps_helper_settings settings = {.name = "resolver",
                                                .room = room + 1,
                                                .wake_fd = wake_fd,
                                                .run = run,
                                                .end = end,
                                                .argument = resolver};
    resolver->helper = ps_helper_create(&settings, err);
    if (resolver->helper == NULL) {
        end(resolver);
        return NULL;
    }
    return resolver;
}

void ps_resolver_destroy(struct ps_resolver *resolver)
{
    if (resolver != NULL)
        (void)ps_helper_destroy(resolver->helper, 0);
}

bool ps_resolver_ask(struct ps_resolver *resolver, const struct ps_question *question)
{
    if (resolver->free_count == 0)
        return false;
    struct ps_question *room = resolver->free[--resolver->free_count];
    *room = *question;
    bool asked = ps_helper_ask(resolver->helper, room);
    PS_ASSERT(asked);
    return true;
}

static bool take(struct ps_resolver *resolver, struct ps_question *question, struct ps_question *answer)
{
    if (question == NULL)
        return false;
    *answer = *question;
    resolver->free[resolver->free_count++] = question;
    return true;
}

bool ps_resolver_answer(struct ps_resolver *resolver, struct ps_question *answer)
{
    return take(resolver, ps_helper_answer(resolver->helper), answer);
}

bool ps_resolver_wait(struct ps_resolver *resolver, uint32_t timeout_ms, struct ps_question *answer)
{
    return take(resolver, ps_helper_wait(resolver->helper, timeout_ms), answer);
}
