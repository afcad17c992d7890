/* Interceptor UUID (Flume's org.apache.flume.sink.solr.morphline.UUIDInterceptor): a random version 4 UUID as
 * a header of each event. Thread: the source's worker. */
#include "core/stage.h"
#include "stages/lib/random.h"

#include <string.h>

#define UUID_BYTES 36U

struct uuid_plan {
    const char *header, *prefix;
    bool preserve;
    const struct ps_name *name;
    uint32_t prefix_length;
};

struct uuid_state {
    struct ps_random random;
};

#define FIELD(name) offsetof(struct uuid_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("headerName", TEXT, FIELD(header), "name of the header", .fallback = "id",
                  .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("preserveExisting", BOOL, FIELD(preserve),
                  "do not change the header of an event that already has it", .fallback = "true"),
    PS_OPTION_ROW("prefix", TEXT, FIELD(prefix), "text before the UUID"),
    PS_OPTION_END,
};

static enum ps_status uuid_build(void *plan_, struct ps_context *, struct ps_err *)
{
    struct uuid_plan *plan = plan_;
    plan->name = ps_name_intern(plan->header);
    if (plan->prefix == NULL)
        plan->prefix = "";
    plan->prefix_length = (uint32_t)strlen(plan->prefix);
    return PS_OK;
}

static enum ps_status uuid_open(const void *, void *state_, struct ps_port *, struct ps_err *)
{
    struct uuid_state *state = state_;
    ps_random_init(&state->random);
    return PS_OK;
}

/* RFC 4122, 4.4: 122 random bits, version 4, variant 10. */
static void uuid_print(struct ps_random *random, char *text)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t high = (ps_random_next(random) & ~UINT64_C(0xF000)) | 0x4000;
    uint64_t low = (ps_random_next(random) & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
    for (unsigned i = 0; i < 16; i++) {
        unsigned at = i + (i >= 8) + (i >= 12);
        text[at] = digits[(high >> (60 - 4 * i)) & 15];
        at = 19 + i + (i >= 4);
        text[at] = digits[(low >> (60 - 4 * i)) & 15];
    }
    text[8] = text[13] = text[18] = text[23] = '-';
}

static enum ps_result uuid_work(const void *plan_, void *state_, struct ps_lease *lease,
                                const struct ps_now *)
{
    const struct uuid_plan *plan = plan_;
    struct uuid_state *state = state_;
    struct ps_batch *batch = lease->batch;
    for (uint32_t i = 0; i < lease->count; i++) {
        struct ps_event *event = ps_lease_event(lease, i);
        struct ps_slice present;
        if (plan->preserve && ps_event_header(batch, event, plan->name, &present))
            continue;
        char *value = ps_batch_alloc(batch, plan->prefix_length + UUID_BYTES);
        if (value == NULL)
            return PS_RETRY; /* a second call replaces the UUIDs set so far; no other stage has seen them */
        memcpy(value, plan->prefix, plan->prefix_length);
        uuid_print(&state->random, value + plan->prefix_length);
        if (!ps_batch_header_set(batch, event, plan->name, value, plan->prefix_length + UUID_BYTES))
            return PS_RETRY;
    }
    return PS_DONE;
}

static const struct ps_interceptor_ops interceptor = {.work = uuid_work};

const struct ps_stage_ops ps_interceptor_uuid = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "uuid",
    .aliases = PS_WORDS("org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder"),
    .summary = "adds a random UUID as a header",
    .options = options,
    .plan_size = sizeof(struct uuid_plan),
    .state_size = sizeof(struct uuid_state),
    .build = uuid_build,
    .open = uuid_open,
    .interceptor = &interceptor,
};
