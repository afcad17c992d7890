#include "stages/lib/hadoop/loop.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READY_MAX 64
#define NAMES_MAX 16 /* names that the resolver looks up at the same time */
/* Maximum number of timers that fire in one turn, so that timers that set themselves to now do not block the
 * worker. */
#define FIRED_MAX 100000U

struct ps_hadoop_loop {
    const struct ps_port *port;
    int epoll_fd;
    struct ps_now now;
    struct epoll_event ready[READY_MAX];
    int ready_at, ready_count;
    struct ps_hadoop_timer *first; /* root of the heap */
    struct ps_resolver *resolver;  /* NULL: no name was looked up yet */
    struct ps_hadoop_lookup *lookups;
    unsigned asked; /* number of questions at the resolver */
};

enum ps_status ps_hadoop_loop_open(struct ps_hadoop_loop **loop_, const struct ps_port *port,
                                   struct ps_err *err)
{
    struct ps_hadoop_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return ps_err_set(err, "no memory");
    loop->port = port;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event all = {.events = EPOLLIN, .data.ptr = loop};
    if (loop->epoll_fd < 0 ||
        (port->epoll_fd >= 0 && epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, loop->epoll_fd, &all) != 0)) {
        ps_err_set(err, "epoll: %s", strerror(errno));
        if (loop->epoll_fd >= 0)
            close(loop->epoll_fd);
        free(loop);
        return PS_FAIL;
    }
    *loop_ = loop;
    return PS_OK;
}

void ps_hadoop_loop_close(struct ps_hadoop_loop *loop)
{
    if (loop == NULL)
        return;
    ps_resolver_destroy(loop->resolver);
    close(loop->epoll_fd);
    free(loop);
}

struct ps_now ps_hadoop_loop_now(const struct ps_hadoop_loop *loop)
{
    return loop->now;
}

/* ---- descriptors ---- */

void ps_hadoop_loop_watch(struct ps_hadoop_loop *loop, struct ps_hadoop_watch *watch, int fd, uint32_t events)
{
    PS_ASSERT(events != 0 && (watch->events == 0 || watch->fd == fd));
    if (watch->events == events)
        return;
    struct epoll_event wanted = {.events = events, .data.ptr = watch};
    int result = epoll_ctl(loop->epoll_fd, watch->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &wanted);
    PS_ASSERT(result == 0 || errno == ENOMEM || errno == ENOSPC);
    if (result == 0) { /* on failure the caller's time-out ends the operation */
        watch->fd = fd;
        watch->events = events;
    }
}

void ps_hadoop_loop_unwatch(struct ps_hadoop_loop *loop, struct ps_hadoop_watch *watch)
{
    if (watch->events == 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->events = 0;
    for (int i = loop->ready_at; i < loop->ready_count; i++) {
        if (loop->ready[i].data.ptr == watch)
            loop->ready[i].data.ptr = NULL;
    }
}

static void call_ready(struct ps_hadoop_loop *loop)
{
    for (int rounds = 0; rounds < 16; rounds++) {
        loop->ready_count = epoll_wait(loop->epoll_fd, loop->ready, READY_MAX, 0);
        loop->ready_at = 0;
        while (loop->ready_at < loop->ready_count) {
            const struct epoll_event *event = &loop->ready[loop->ready_at++];
            struct ps_hadoop_watch *watch = event->data.ptr;
            if (watch != NULL)
                watch->ready(watch, event->events);
        }
        if (loop->ready_count < READY_MAX)
            break; /* all ready descriptors were handled */
    }
    loop->ready_at = loop->ready_count = 0;
}

/* ---- timers: a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) ---- */

static struct ps_hadoop_timer *merge(struct ps_hadoop_timer *a, struct ps_hadoop_timer *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (b->due_ns < a->due_ns) {
        struct ps_hadoop_timer *swap = a;
        a = b;
        b = swap;
    }
    b->before = a;
    b->sibling = a->child;
    if (b->sibling != NULL)
        b->sibling->before = b;
    a->child = b;
    return a;
}

/* Merges siblings in pairs from left to right, then the pairs from right to left. */
static struct ps_hadoop_timer *merge_siblings(struct ps_hadoop_timer *first)
{
    struct ps_hadoop_timer *pairs = NULL, *whole = NULL;
    while (first != NULL) {
        struct ps_hadoop_timer *a = first, *b = first->sibling;
        first = b != NULL ? b->sibling : NULL;
        a->sibling = a->before = NULL;
        if (b != NULL)
            b->sibling = b->before = NULL;
        a = merge(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    while (pairs != NULL) {
        struct ps_hadoop_timer *next = pairs->sibling;
        pairs->sibling = NULL;
        whole = merge(whole, pairs);
        pairs = next;
    }
    if (whole != NULL)
        whole->before = whole->sibling = NULL;
    return whole;
}

void ps_hadoop_timer_unset(struct ps_hadoop_timer **first, struct ps_hadoop_timer *timer)
{
    if (!timer->set)
        return;
    struct ps_hadoop_timer *rest = merge_siblings(timer->child);
    if (timer == *first) {
        *first = rest;
    } else {
        if (timer->before->child == timer)
            timer->before->child = timer->sibling;
        else
            timer->before->sibling = timer->sibling;
        if (timer->sibling != NULL)
            timer->sibling->before = timer->before;
        *first = merge(*first, rest);
    }
    timer->child = timer->sibling = timer->before = NULL;
    timer->set = false;
}

void ps_hadoop_timer_set(struct ps_hadoop_timer **first, struct ps_hadoop_timer *timer, uint64_t due_ns)
{
    if (timer->set && timer->due_ns == due_ns)
        return;
    ps_hadoop_timer_unset(first, timer);
    if (due_ns == PS_NEVER)
        return;
    timer->due_ns = due_ns;
    timer->set = true;
    *first = merge(*first, timer);
}

void ps_hadoop_loop_unset(struct ps_hadoop_loop *loop, struct ps_hadoop_timer *timer)
{
    ps_hadoop_timer_unset(&loop->first, timer);
}

void ps_hadoop_loop_set(struct ps_hadoop_loop *loop, struct ps_hadoop_timer *timer, uint64_t due_ns)
{
    ps_hadoop_timer_set(&loop->first, timer, due_ns);
}

static void fire_due(struct ps_hadoop_loop *loop)
{
    unsigned fired = 0;
    while (loop->first != NULL && loop->first->due_ns <= loop->now.mono_ns && fired++ < FIRED_MAX) {
        struct ps_hadoop_timer *timer = loop->first;
        ps_hadoop_loop_unset(loop, timer);
        timer->fire(timer);
    }
}

/* ---- names ---- */

void ps_hadoop_loop_look_up(struct ps_hadoop_loop *loop, struct ps_hadoop_lookup *lookup, const char *host,
                            unsigned port)
{
    struct ps_hadoop_lookup **end = &loop->lookups;
    PS_ASSERT(!lookup->busy);
    snprintf(lookup->host, sizeof lookup->host, "%s", host);
    lookup->port = port;
    lookup->busy = true;
    lookup->asked = false;
    lookup->next = NULL;
    while (*end != NULL)
        end = &(*end)->next;
    *end = lookup;
}

void ps_hadoop_loop_forget(struct ps_hadoop_loop *loop, struct ps_hadoop_lookup *lookup)
{
    if (!lookup->busy)
        return;
    struct ps_hadoop_lookup **at = &loop->lookups;
    while (*at != lookup)
        at = &(*at)->next;
    *at = lookup->next;
    lookup->busy = false;
}

static void answer(struct ps_hadoop_loop *loop, struct ps_hadoop_lookup *lookup, struct ps_address address,
                   int error)
{
    ps_hadoop_loop_forget(loop, lookup);
    if (error == 0 && address.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address.storage)->sin6_port = htons((uint16_t)lookup->port);
    else if (error == 0)
        ((struct sockaddr_in *)&address.storage)->sin_port = htons((uint16_t)lookup->port);
    lookup->found(lookup, &address, error);
}

static bool is_asked(const struct ps_hadoop_loop *loop, const char *host)
{
    for (const struct ps_hadoop_lookup *one = loop->lookups; one != NULL; one = one->next) {
        if (one->asked && strcmp(one->host, host) == 0)
            return true;
    }
    return false;
}

/* Gives the name to the resolver, or answers immediately. Returns whether the lookup was answered; the list may
 * have changed then. */
static bool ask(struct ps_hadoop_loop *loop, struct ps_hadoop_lookup *lookup)
{
    struct ps_address address = {0};
    if (ps_address_is_literal(lookup->host)) {
        int error = ps_resolve(lookup->host, &address); /* a numeric address needs no name server */
        answer(loop, lookup, address, error);
        return true;
    }
    if (is_asked(loop, lookup->host)) {
        lookup->asked = true;
        return false;
    }
    if (loop->resolver == NULL)
        loop->resolver = ps_resolver_create(NAMES_MAX, loop->port->wake_fd, NULL);
    if (loop->resolver == NULL) {
        answer(loop, lookup, address, EAI_MEMORY);
        return true;
    }
    struct ps_question question = {.forward = true};
    snprintf(question.name, sizeof question.name, "%s", lookup->host);
    if (loop->asked < NAMES_MAX && ps_resolver_ask(loop->resolver, &question)) {
        loop->asked++;
        lookup->asked = true;
    }
    return false;
}

static void answer_all(struct ps_hadoop_loop *loop, const struct ps_question *question)
{
    struct ps_hadoop_lookup *one = loop->lookups;
    while (one != NULL) {
        if (one->asked && strcmp(one->host, question->name) == 0) {
            answer(loop, one, question->address, question->error);
            one = loop->lookups; /* `found` may have changed the list */
        } else {
            one = one->next;
        }
    }
}

static void look_up(struct ps_hadoop_loop *loop)
{
    struct ps_question question;
    while (loop->resolver != NULL && ps_resolver_answer(loop->resolver, &question)) {
        loop->asked--;
        answer_all(loop, &question);
    }
    struct ps_hadoop_lookup *one = loop->lookups;
    while (one != NULL)
        one = !one->asked && ask(loop, one) ? loop->lookups : one->next;
}

/* ---- the turn ---- */

uint64_t ps_hadoop_loop_turn(struct ps_hadoop_loop *loop, const struct ps_now *now)
{
    loop->now = *now;
    look_up(loop);
    call_ready(loop);
    fire_due(loop);
    look_up(loop); /* again, for names that callbacks have asked for */
    return loop->first != NULL ? loop->first->due_ns : PS_NEVER;
}
