#include "stages/lib/java/starts.h"

#include "core/clock.h"

#include <stdlib.h>

#define INSTANCES_MAX 64U /* of a stage: at most one for each worker */

#define HOW_FAR UINT64_C(3)

/* For each instance in one word, so that both always belong together: since when, and in the lowest bits enum ps_java_start. */
struct ps_java_starts {
    uint64_t starts[INSTANCES_MAX];
};

struct ps_java_starts *ps_java_starts_create(void)
{
    return ps_must_alloc(1, sizeof(struct ps_java_starts), "a component in Java");
}

void ps_java_starts_destroy(struct ps_java_starts *starts)
{
    free(starts);
}

void ps_java_starts_note(struct ps_java_starts *starts, unsigned instance, enum ps_java_start start)
{
    uint64_t *noted = &starts->starts[instance % INSTANCES_MAX];
    uint64_t before = __atomic_load_n(noted, __ATOMIC_RELAXED);
    bool begins = (before & HOW_FAR) == PS_JAVA_NO_START;
    uint64_t since_ns = begins ? ps_clock_now().mono_ns : before;
    __atomic_store_n(noted, (since_ns & ~HOW_FAR) | (uint64_t)start, __ATOMIC_RELAXED);
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
