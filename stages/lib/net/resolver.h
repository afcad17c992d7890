/* Asks the system's resolver on a helper thread (core/helper/helper.h), because a name server may take seconds
 * to answer, or may never answer. Questions and answers are queued; only callers of ps_resolver_wait wait for
 * the thread. If the resolver is destroyed during a question, the thread ends by itself later, and no caller
 * waits for it. */
#pragma once

#include "core/status.h"
#include "stages/lib/host_name.h"
#include "stages/lib/net/address.h"

struct ps_resolver;

struct ps_question {
    bool forward; /* true: the address of `name` is looked up; false: the name of `address` */
    /* Port 0 in an answer. A look-up of a name may contain the address that failed (length 0: none): the answer is
     * the name's next address, if it has several. */
    struct ps_address address;
    uint32_t address_count; /* answer: number of the name's addresses */
    char name[PS_HOST_NAME_BYTES];
    const void *asker; /* belongs to the caller; copied to the answer */
    int error;         /* answer: 0, or an error code of getaddrinfo (for gai_strerror) */
};

/* At most `room` questions wait, including questions whose answers were not taken; the thread works on one
 * more. `wake_fd`: an eventfd, written when an answer is there (-1: none). Returns NULL if no thread can be
 * started. Thread: any. Only one thread at a time may use the resolver. */
struct ps_resolver *ps_resolver_create(uint32_t room, int wake_fd, struct ps_err *err);
void ps_resolver_destroy(struct ps_resolver *resolver);

/* Queues a question. Returns false when there is no room. */
bool ps_resolver_ask(struct ps_resolver *resolver, const struct ps_question *question);
/* Takes the oldest answer. Returns false when there is none. Never waits. */
bool ps_resolver_answer(struct ps_resolver *resolver, struct ps_question *answer);
/* Waits for an answer, at most `timeout_ms`, and takes it. Returns false when there is none. Not on a worker. */
bool ps_resolver_wait(struct ps_resolver *resolver, uint32_t timeout_ms, struct ps_question *answer);

/* Looks the name up on the calling thread: the first IPv4 address if there is any, as in a JVM. Returns 0, or
 * an error code of getaddrinfo. An address in digits, also "[::1]", is answered without a name server. */
int ps_resolve(const char *name, struct ps_address *address);
/* Like ps_resolve, but sets `address` to the name's next address after the one that it has (length 0: none).
 * The order does not depend on the name server's answer: IPv4 comes before IPv6, and after the last address the
 * first one follows. `count`: number of addresses. */
int ps_resolve_next(const char *name, struct ps_address *address, uint32_t *count);
