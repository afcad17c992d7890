#include "stages/lib/net/lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "stages/lib/net/resolver.h"

#define BUILD_WAIT_MS 1000U
#define FRESH_NS PS_NS_PER_S

struct ps_lookup {
    pthread_mutex_t lock; /* several workers open the source; held for a few instructions */
    struct ps_resolver *resolver;
    struct ps_question answer; /* the last answer; before it, the question */
    bool asking, answered;
    uint64_t answered_ns;
};

static void note_answer(struct ps_lookup *lookup, bool there)
{
    if (!there)
        return;
    lookup->asking = false;
    lookup->answered = true;
    lookup->answered_ns = ps_clock_now().mono_ns;
}

/* Asks again unless a question is pending or the answer is fresh. */
static void ask(struct ps_lookup *lookup)
{
    bool fresh = lookup->answered && ps_clock_now().mono_ns - lookup->answered_ns < FRESH_NS;
    if (!lookup->asking && !fresh)
        lookup->asking = ps_resolver_ask(lookup->resolver, &lookup->answer);
}

static enum ps_status check(const struct ps_lookup *lookup, struct ps_address *address, struct ps_err *err)
{
    if (!lookup->answered)
        return ps_err_set(err,
                          "cannot resolve host %s: no answer from the name server yet; check it "
                          "(/etc/resolv.conf), or use an address",
                          lookup->answer.name);
    if (lookup->answer.error != 0)
        return ps_err_set(err, "cannot resolve host %s: %s: use a name that resolves, or an address",
                          lookup->answer.name, gai_strerror(lookup->answer.error));
    *address = lookup->answer.address;
    return PS_OK;
}

enum ps_status ps_lookup_build(struct ps_lookup **lookup, const char *host, struct ps_err *err)
{
    struct ps_question question = {.forward = true};
    *lookup = NULL;
    if (ps_address_is_literal(host))
        return PS_OK;
    if (strlen(host) >= sizeof question.name)
        return ps_err_set(err, "the name of host %.64s... is too long: at most %zu characters", host,
                          sizeof question.name - 1);
    memcpy(question.name, host, strlen(host));
    struct ps_resolver *resolver = ps_resolver_create(1, -1, err);
    if (resolver == NULL)
        return PS_FAIL;
    struct ps_lookup *made = ps_must_alloc(1, sizeof *made, "a host's address");
    *made = (struct ps_lookup){.resolver = resolver, .answer = question};
    pthread_mutex_init(&made->lock, NULL);
    ask(made);
    note_answer(made, ps_resolver_wait(resolver, BUILD_WAIT_MS, &made->answer));
    *lookup = made;
    return PS_OK;
}

void ps_lookup_wait(struct ps_lookup *lookup, uint32_t timeout_ms)
{
    if (lookup != NULL && lookup->asking)
        note_answer(lookup, ps_resolver_wait(lookup->resolver, timeout_ms, &lookup->answer));
}

void ps_lookup_teardown(struct ps_lookup *lookup)
{
    if (lookup == NULL)
        return;
    ps_resolver_destroy(lookup->resolver);
    pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

enum ps_status ps_lookup_address(struct ps_lookup *lookup, struct ps_address *address, struct ps_err *err)
{
    pthread_mutex_lock(&lookup->lock);
    note_answer(lookup, ps_resolver_answer(lookup->resolver, &lookup->answer));
    ask(lookup);
    enum ps_status status = check(lookup, address, err);
    pthread_mutex_unlock(&lookup->lock);
    return status;
}
