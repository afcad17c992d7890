#include "stages/lib/java/starts.h"

#include "core/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define INSTANCES_MAX 64U /* of a stage: at most one for each worker */

#define HOW_FAR UINT64_C(3)

/* `starts` has one word for each instance: the time since when, and in the lowest bits an enum ps_java_start.
 * Both are in one word, so that they always belong together. */
struct ps_java_starts {
    uint64_t starts[INSTANCES_MAX];
    pthread_mutex_t lock; /* protects the reason */
    uint64_t waiting;     /* instances that have a reason, as bits */
    char why[300];        /* the latest reason */
};

struct ps_java_starts *ps_java_starts_create(void)
{
    struct ps_java_starts *starts = ps_must_alloc(1, sizeof *starts, "a component in Java");
    pthread_mutex_init(&starts->lock, NULL);
    return starts;
}

void ps_java_starts_destroy(struct ps_java_starts *starts)
{
    if (starts != NULL)
        pthread_mutex_destroy(&starts->lock);
    free(starts);
}

void ps_java_starts_explain(struct ps_java_starts *starts, unsigned instance, const char *why)
{
    pthread_mutex_lock(&starts->lock);
    starts->waiting |= UINT64_C(1) << instance % INSTANCES_MAX;
    snprintf(starts->why, sizeof starts->why, "%.*s", (int)sizeof starts->why - 1, why);
    pthread_mutex_unlock(&starts->lock);
}

bool ps_java_starts_why(struct ps_java_starts *starts, char *text, size_t room)
{
    pthread_mutex_lock(&starts->lock);
    bool waits = starts->waiting != 0;
    snprintf(text, room, "%s", waits ? starts->why : "");
    pthread_mutex_unlock(&starts->lock);
    return waits;
}

void ps_java_starts_forget(struct ps_java_starts *starts, unsigned instance)
{
    pthread_mutex_lock(&starts->lock);
    starts->waiting &= ~(UINT64_C(1) << instance % INSTANCES_MAX);
    pthread_mutex_unlock(&starts->lock);
}

void ps_java_starts_note(struct ps_java_starts *starts, unsigned instance, enum ps_java_start start)
{
    uint64_t *noted = &starts->starts[instance % INSTANCES_MAX];
    uint64_t before = __atomic_load_n(noted, __ATOMIC_RELAXED);
    bool begins = (before & HOW_FAR) == PS_JAVA_NO_START;
    uint64_t since_ns = begins ? ps_clock_now().mono_ns : before;
    __atomic_store_n(noted, (since_ns & ~HOW_FAR) | (uint64_t)start, __ATOMIC_RELAXED);
    if (start == PS_JAVA_NO_START)
        ps_java_starts_forget(starts, instance);
}

enum ps_java_start ps_java_starts_longest(const struct ps_java_starts *starts, uint64_t *since_ns)
{
    uint64_t longest = PS_JAVA_NO_START;
    for (unsigned i = 0; i < INSTANCES_MAX; i++) {
        uint64_t noted = __atomic_load_n(&starts->starts[i], __ATOMIC_RELAXED);
        bool starting = (noted & HOW_FAR) != PS_JAVA_NO_START;
        if (starting && (longest == PS_JAVA_NO_START || noted < longest))
            longest = noted;
    }
    *since_ns = longest & ~HOW_FAR;
    return (enum ps_java_start)(longest & HOW_FAR);
}
