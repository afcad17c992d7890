#include "core/flow/engine_channel.h"
#include "core/stage.h"
#include "core/stage_call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/name.h"
#include "core/quantity.h"
#include "core/text/printable.h"

static uint64_t letter_put(struct ps_port *port, const struct ps_dead_letter *letter)
{
    uint64_t number = ps_dead_letter_queue_put(port->dead_letter_queue, letter);
    ps_count(port->counters, PS_COUNTER_deadletter, number > 0 && !port->dead_letter_queue->ops->counts);
    return number;
}

uint64_t ps_port_deadletter(struct ps_port *port, const struct ps_batch *batch, const struct ps_event *event,
                            const struct ps_dead_letter_reason *reason)
{
    const struct ps_dead_letter letter = {
        .component = port->component, .reason = *reason, .batch = batch, .event = event};
    return ps_dead_letter_queue_has_room(port->dead_letter_queue) ? letter_put(port, &letter) : 0;
}

uint64_t ps_port_deadletter_bytes(struct ps_port *port, const char *bytes, size_t length,
                                  const struct ps_dead_letter_reason *reason)
{
    const struct ps_dead_letter letter = {
        .component = port->component, .reason = *reason, .bytes = bytes, .length = length};
    return port->dead_letter_queue != NULL ? letter_put(port, &letter) : 0;
}

/* For a sink of a group, the group logs the reason and the time of the next try: one line for an outage, with the
 * real interval. */
enum ps_log_level ps_port_outage_level(const struct ps_port *port, enum ps_log_level alone)
{
    return port->hands_over || port->is_logged ? PS_LOG_DEBUG : alone;
}

#define OUTAGE_NS                                                                                            \
    (20 * PS_NS_PER_S) /* an outage is over after this time, plus twice the pause, without a failed try */

void ps_port_tries_again(struct ps_port *port, const struct ps_err *reason, uint64_t rest_ns)
{
    char tries[PS_LOG_BACKOFF_BYTES];
    uint64_t now_ns = ps_clock_now().mono_ns;
    bool says = ps_log_backoff_says_outage(&port->outage, reason->text, now_ns, OUTAGE_NS + 2 * rest_ns);
    ps_log(says ? ps_port_outage_level(port, PS_LOG_WARN) : PS_LOG_DEBUG, port->component,
           "%s; tries again %s%s%s", reason->text, rest_ns > 0 ? "in " : "at once",
           rest_ns > 0 ? ps_quantity_print_ns(rest_ns).text : "",
           ps_log_backoff_text(&port->outage, now_ns, tries));
    ps_port_troubled(port, reason);
}

const char *ps_lack_text(enum ps_lack lack, bool is_sink)
{
    static const char *const texts[][2] = {
        [PS_LACK_NONE] = {"lacks nothing", "lacks nothing"},
        [PS_LACK_INPUT] = {"has nothing to read", "has nothing to do"},
        [PS_LACK_NEVER] = {"has not reached its input yet", "has not reached its destination yet"},
        [PS_LACK_LOST] = {"has lost its input", "has lost its destination"},
        [PS_LACK_GONE] = {"misses its input", "misses its destination"},
    };
    return texts[lack][is_sink];
}

/* ---- input that becomes no event ---- */

#define EXAMPLE_BYTES 120U /* of the input, in the log */

/* Returns the index of the reason's place; one that is not known gets the place that was used the longest ago. */
static unsigned discard_place(struct ps_discards *discards, const char *why)
{
    uint32_t hash = ps_name_hash(why, strlen(why));
    unsigned oldest = 0;
    for (unsigned i = 0; i < PS_DISCARD_REASONS; i++) {
        const struct ps_log_backoff *said = &discards->reasons[i].said;
        if (said->tries > 0 && said->hash == hash)
            return i;
        if (said->last_ns < discards->reasons[oldest].said.last_ns)
            oldest = i;
    }
    discards->reasons[oldest].count = 0;
    return oldest;
}

static bool becomes_letter(const struct ps_port *port, const struct ps_discard *discard)
{
    return discard->letter && ps_port_has_deadletter(port);
}

static void discard_log(const struct ps_port *port, const struct ps_discard *discard, bool first,
                        uint64_t count)
{
    char text[4 * EXAMPLE_BYTES + 1] = "";
    size_t shown = discard->length < EXAMPLE_BYTES ? discard->length : EXAMPLE_BYTES;
    if (discard->bytes != NULL)
        text[ps_printable_put(text, discard->bytes, shown)] = '\0';
    ps_log(PS_LOG_WARN, port->component, "input %s: %s%s%s; %s \"%s\"%s (%s %s); so far %s",
           becomes_letter(port, discard) ? "becomes a dead letter, and no event" : "is thrown away",
           discard->why, discard->where != NULL ? "; " : "", discard->where != NULL ? discard->where : "",
           first ? "the first one:" : "an example:", text, shown < discard->length ? ".." : "",
           ps_quantity_print_count(discard->length).text, ps_quantity_word(discard->length, "byte", "bytes"),
           ps_quantity_print_count(count).text);
}

void ps_port_discard(struct ps_port *port, const struct ps_discard *discard)
{
    uint64_t count = discard->count > 0 ? discard->count : 1;
    unsigned place = discard_place(&port->discards, discard->why);
    ps_count(port->counters, PS_COUNTER_malformed, count);
    if (!becomes_letter(port, discard))
        ps_count(port->counters, PS_COUNTER_discarded, count);
    port->discards.reasons[place].count += count;
    if (ps_log_backoff_says(&port->discards.reasons[place].said, discard->why, ps_clock_now().mono_ns))
        discard_log(port, discard, port->discards.reasons[place].said.tries == 1,
                    port->discards.reasons[place].count);
}

void ps_port_finish_settled(struct ps_port *port, struct ps_lease **list)
{
    while (*list != NULL) {
        struct ps_lease *lease = *list;
        /* count 0: the lease has only positions, which are not committed */
        if (lease->settled < lease->count || lease->count == 0) {
            list = &lease->next;
            continue;
        }
        *list = lease->next;
        lease->next = NULL;
        ps_port_done(port, &lease);
    }
}

void ps_report(const struct ps_context *context, enum ps_log_level severity, const char *key,
               const char *format, ...)
{
    char message[PS_ERR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    context->report(context, severity, key, message);
}

bool ps_report_unreadable(const struct ps_context *context, const char *key, const char *path)
{
    int error = ps_file_unreadable(path);
    if (error != 0)
        ps_report(context, PS_LOG_ERROR, key, "cannot read %s: %s; name a file that this user can read", path,
                  strerror(error));
    return error != 0;
}

const char *ps_stage_outline(const struct ps_stage_ops *ops, const void *plan,
                             const struct ps_context *context)
{
    char *text = NULL;
    size_t length = 0;
    if (ops->outline == NULL)
        return NULL;
    FILE *out = ps_must_open_text(&text, &length, "an outline");
    ops->outline(plan, context, out);
    fclose(out);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = ' ';
    }
    const char *copy = length > 0 ? ps_arena_copy(context->arena, text, length) : NULL;
    free(text);
    return copy;
}

const struct ps_engine_channel_ops *ps_engine_channel(const struct ps_channel_ops *ops)
{
    static const struct ps_engine_channel_ops none = {.strip = NULL};
    return ops->engine != NULL ? ops->engine : &none;
}

uint64_t ps_channel_at_risk(const struct ps_channel_ops *ops, const void *plan)
{
    const struct ps_engine_channel_ops *engine = ps_engine_channel(ops);
    struct ps_fill fill;
    if (engine->at_risk != NULL)
        return engine->at_risk(plan);
    if (ps_channel_is_durable(ops))
        return 0;
    ops->fill(plan, &fill);
    return fill.size;
}

enum ps_status ps_stage_fits(const struct ps_stage_ops *ops, struct ps_err *err)
{
    const struct ps_contract *contract = &ops->contract;
    if (contract->version != PS_CONTRACT_VERSION) {
        ps_err_set(err, "stage %s was made for version %" PRIu32 " of the contract; this is version %u",
                   ops->name, contract->version, PS_CONTRACT_VERSION);
        return PS_FAIL;
    }
    if ((unsigned)ops->kind >= PS_KIND_COUNT) {
        ps_err_set(err, "stage %s has an unknown kind (%d)", ops->name, (int)ops->kind);
        return PS_FAIL;
    }
    if (contract->bytes < sizeof *ops || contract->kind_bytes < PS_KIND_BYTES(ops->kind)) {
        ps_err_set(err,
                   "stage %s was made for an earlier contract: its structures have %" PRIu32 " and %" PRIu32
                   " bytes, and need %zu and %zu",
                   ops->name, contract->bytes, contract->kind_bytes, sizeof *ops, PS_KIND_BYTES(ops->kind));
        return PS_FAIL;
    }
    return PS_OK;
}

static enum ps_status fail_with_reason(const struct ps_stage_ops *ops, const char *function,
                                       struct ps_err *err)
{
    if (err->length == 0)
        ps_err_set(err, "%s of %s %s failed and gave no reason; whoever wrote it has to call ps_err_set",
                   function, ps_stage_kind_word(ops->kind), ops->name);
    return PS_FAIL;
}

enum ps_status ps_stage_build(const struct ps_stage_ops *ops, void *plan, struct ps_context *context,
                              struct ps_err *err)
{
    if (ops->build == NULL || ops->build(plan, context, err) == PS_OK)
        return PS_OK;
    return fail_with_reason(ops, "build", err);
}

enum ps_status ps_stage_open(const struct ps_stage_ops *ops, const void *plan, void *state,
                             struct ps_port *port, struct ps_err *err)
{
    if (ops->open == NULL || ops->open(plan, state, port, err) == PS_OK)
        return PS_OK;
    return fail_with_reason(ops, "open", err);
}

const struct ps_stage_ops *ps_stage_find(const struct ps_stage_ops *const *stages, enum ps_kind kind,
                                         const char *type)
{
    for (; *stages != NULL; stages++) {
        if ((*stages)->kind != kind)
            continue;
        if (strcasecmp((*stages)->name, type) == 0)
            return *stages;
        for (const char *const *alias = (*stages)->aliases; alias != NULL && *alias != NULL; alias++)
            if (strcasecmp(*alias, type) == 0)
                return *stages;
    }
    return NULL;
}

const char *ps_stage_kind_word(enum ps_kind kind)
{
    static const char *const words[PS_KIND_COUNT] = {
        [PS_KIND_SOURCE] = "source",
        [PS_KIND_INTERCEPTOR] = "interceptor",
        [PS_KIND_SELECTOR] = "selector",
        [PS_KIND_CHANNEL] = "channel",
        [PS_KIND_SINK] = "sink",
        [PS_KIND_SERIALIZER] = "serializer",
        [PS_KIND_DESERIALIZER] = "deserializer",
    };
    PS_ASSERT(kind < PS_KIND_COUNT);
    return words[kind];
}
