/* Selector multiplexing (Flume's MultiplexingChannelSelector): the value of one header chooses the channels of
 * an event. Thread: the source's worker.
 *
 * As in Flume:
 * - The value is compared exactly. An event with a missing or blank value, or one without a mapping, goes
 *   to the default channels; without default channels it is dropped.
 * - Optional channels are looked up only by the value.
 * - A channel that is required for a value (or by default, for a value without mapping) is not also optional for this value.
 * - Lists are split at single blanks: a double blank names an empty channel and drops the source. */
#include "core/stage.h"

#include <stdio.h>
#include <string.h>

/* The channels of one header value. */
struct target {
    const char *value;
    uint32_t value_length, hash;
    unsigned channel_count;
    struct {
        uint16_t channel;
        bool required;
    } channels[];
};

struct multiplexing_plan {
    const char *header;
    const char *fallback;
    struct ps_pairs mapping, optional;
    const struct ps_name *name;
    struct target *by_default;
    struct target **table; /* open addressing, by hash */
    uint32_t table_mask;
};

#define FIELD(name) offsetof(struct multiplexing_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("header", TEXT, FIELD(header), "header whose value chooses the channels",
                  .fallback = "flume.selector.header", .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("mapping.", MAP, FIELD(mapping),
                  "mapping.VALUE: channels of events with that value, separated by single blanks"),
    PS_OPTION_ROW("default", TEXT, FIELD(fallback), "channels of all other events; unset: they are dropped"),
    PS_OPTION_ROW("optional.", MAP, FIELD(optional),
                  "optional.VALUE: further channels, which may miss events"),
    PS_OPTION_END,
};

/* ---- set-up ---- */

/* Finds the next name of a list split at single blanks as Java's String.split(" ") does, without trailing
 * empty names. Returns false at the end. */
static bool list_next(const char **list, const char **name, size_t *length)
{
    const char *at = *list;
    if (at == NULL || at[strspn(at, " ")] == '\0')
        return false;
    *name = at;
    *length = strcspn(at, " ");
    *list = at[*length] == ' ' ? at + *length + 1 : at + *length;
    return true;
}

static int channel_find(const struct ps_texts *channels, const char *name, size_t length)
{
    for (size_t i = 0; i < channels->count; i++) {
        if (strlen(channels->items[i]) == length && memcmp(channels->items[i], name, length) == 0)
            return (int)i;
    }
    return -1;
}

static bool list_check(const struct ps_context *context, const char *prefix, const char *value,
                       const char *list)
{
    char key[256];
    size_t length;
    const char *name, *rest = list;
    snprintf(key, sizeof key, "%s%s", prefix, value);
    while (list_next(&rest, &name, &length)) {
        if (channel_find(&context->channels, name, length) >= 0)
            continue;
        if (length == 0)
            ps_report(context, PS_LOG_ERROR, key, "two blanks in a row name an empty channel; write one");
        else
            ps_report(context, PS_LOG_ERROR, key, "channel %.*s does not belong to this source", (int)length,
                      name);
        return false;
    }
    return true;
}

static enum ps_status multiplexing_check(const void *plan_, const struct ps_context *context)
{
    const struct multiplexing_plan *plan = plan_;
    bool good = list_check(context, "default", "", plan->fallback);
    for (size_t i = 0; i < plan->mapping.count; i++)
        good &= list_check(context, "mapping.", plan->mapping.items[i].key, plan->mapping.items[i].value);
    for (size_t i = 0; i < plan->optional.count; i++)
        good &= list_check(context, "optional.", plan->optional.items[i].key, plan->optional.items[i].value);
    if (good && plan->mapping.count == 0 && plan->fallback == NULL)
        ps_report(context, PS_LOG_WARN, "default",
                  "there is neither a mapping nor a default: every event is dropped");
    else if (good && plan->fallback == NULL)
        ps_report(
            context, PS_LOG_INFO, "default",
            "is not set: an event whose header %s has no value, or one without a mapping, is dropped, as by "
            "Flume",
            plan->header);
    return good ? PS_OK : PS_FAIL;
}

static bool target_has(const struct target *target, int channel)
{
    for (unsigned i = 0; i < target->channel_count; i++) {
        if (target->channels[i].channel == channel)
            return true;
    }
    return false;
}

static bool target_add(struct target *target, const struct ps_texts *channels, const char *list,
                       bool required, struct ps_err *err)
{
    size_t length;
    const char *name;
    while (list_next(&list, &name, &length)) {
        int channel = channel_find(channels, name, length);
        if (channel < 0) {
            ps_err_set(err, "channel %.*s does not belong to this source", (int)length, name);
            return false;
        }
        if (target_has(target, channel))
            continue;
        target->channels[target->channel_count].channel = (uint16_t)channel;
        target->channels[target->channel_count++].required = required;
    }
    return true;
}

static struct target *target_create(struct ps_context *context, const char *value)
{
    struct target *target =
        ps_arena_alloc(context->arena, sizeof *target + context->channels.count * sizeof target->channels[0]);
    target->value = value;
    target->value_length = (uint32_t)strlen(value);
    target->hash = ps_name_hash(value, target->value_length);
    return target;
}

static struct target *target_find(const struct multiplexing_plan *plan, const char *value, uint32_t length)
{
    uint32_t hash = ps_name_hash(value, length);
    for (uint32_t slot = hash & plan->table_mask;; slot = (slot + 1) & plan->table_mask) {
        struct target *target = plan->table[slot];
        if (target == NULL || (target->hash == hash && target->value_length == length &&
                               memcmp(target->value, value, length) == 0))
            return target;
    }
}

static void target_put(struct multiplexing_plan *plan, struct target *target)
{
    uint32_t slot = target->hash & plan->table_mask;
    while (plan->table[slot] != NULL)
        slot = (slot + 1) & plan->table_mask;
    plan->table[slot] = target;
}

static enum ps_status multiplexing_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct multiplexing_plan *plan = plan_;
    plan->name = ps_name_intern(plan->header);
    uint32_t size = 4;
    while (size < 2 * (plan->mapping.count + plan->optional.count + 1))
        size *= 2;
    plan->table_mask = size - 1;
    plan->table = ps_arena_alloc(context->arena, size * sizeof(struct target *));
    plan->by_default = target_create(context, "");
    if (!target_add(plan->by_default, &context->channels, plan->fallback, true, err))
        return PS_FAIL;
    for (size_t i = 0; i < plan->mapping.count; i++) {
        struct target *target = target_create(context, plan->mapping.items[i].key);
        if (!target_add(target, &context->channels, plan->mapping.items[i].value, true, err))
            return PS_FAIL;
        target_put(plan, target);
    }
    for (size_t i = 0; i < plan->optional.count; i++) {
        const struct ps_pair *pair = &plan->optional.items[i];
        struct target *target = target_find(plan, pair->key, (uint32_t)strlen(pair->key));
        if (target == NULL) { /* no mapping for this value: the default channels are required */
            target = target_create(context, pair->key);
            if (!target_add(target, &context->channels, plan->fallback, true, err))
                return PS_FAIL;
            target_put(plan, target);
        }
        if (!target_add(target, &context->channels, pair->value, false, err))
            return PS_FAIL;
    }
    return PS_OK;
}

/* ---- routing ---- */

/* Java's String.trim().length() == 0. */
static bool is_blank(const struct ps_slice *value)
{
    for (uint32_t i = 0; i < value->length; i++) {
        if ((unsigned char)value->data[i] > ' ')
            return false;
    }
    return true;
}

static const struct target *target_of(const struct multiplexing_plan *plan, const struct ps_slice *value)
{
    if (is_blank(value))
        return plan->by_default;
    const struct target *target = target_find(plan, value->data, value->length);
    return target != NULL ? target : plan->by_default;
}

static enum ps_result multiplexing_work(const void *plan_, void *, const struct ps_lease *lease,
                                        struct ps_route *route, const struct ps_now *)
{
    const struct multiplexing_plan *plan = plan_;
    const struct ps_batch *batch = lease->batch;
    if ((batch->own_mask & plan->name->mask) == 0) { /* the header is the same for all events */
        const struct ps_header *shared =
            batch->shared_mask & plan->name->mask ? ps_header_find(batch->shared, plan->name) : NULL;
        const struct target *target = plan->by_default;
        if (shared != NULL)
            target = target_of(plan, &(struct ps_slice){shared->value, shared->value_length});
        for (unsigned i = 0; i < target->channel_count; i++)
            ps_route_all(route, target->channels[i].channel, target->channels[i].required);
        return PS_DONE;
    }
    struct ps_slice last = {NULL, 0};
    const struct target *target = plan->by_default;
    for (uint32_t i = 0; i < lease->count; i++) {
        struct ps_slice value = {NULL, 0};
        (void)ps_event_header(batch, ps_lease_event(lease, i), plan->name, &value);
        if (value.length != last.length || (value.data != last.data && value.length > 0 &&
                                            memcmp(value.data, last.data, value.length) != 0)) {
            target = target_of(plan, &value);
            last = value;
        }
        for (unsigned c = 0; c < target->channel_count; c++)
            ps_route_row(route, target->channels[c].channel, target->channels[c].required,
                         ps_lease_row(lease, i));
    }
    return PS_DONE;
}

static const struct ps_selector_ops selector = {.work = multiplexing_work};

const struct ps_stage_ops ps_selector_multiplexing = {
    PS_STAGE(PS_KIND_SELECTOR),
    .name = "multiplexing",
    .aliases = PS_WORDS("org.apache.flume.channel.MultiplexingChannelSelector"),
    .summary = "the value of a header chooses the channels",
    .options = options,
    .plan_size = sizeof(struct multiplexing_plan),
    .check = multiplexing_check,
    .build = multiplexing_build,
    .selector = &selector,
};
