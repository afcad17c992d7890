#include "stages/lib/java/component.h"

#include "stages/lib/java/class_path.h"
#include "core/clock.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "stages/lib/java/launch.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* Interval at which a component checks whether the host runs. */
#define LOOK_NS (10 * PS_NS_PER_MS)
/* Maximum number of messages that a stage takes in one call; an honest host never sends that many. */
#define MESSAGES_MAX 64U

const struct ps_option ps_java_class_options[] = {
    PS_OPTION_ROW("", MAP, offsetof(struct ps_java_class, pairs),
                  "all keys go to the class, which is the value of `type`"),
    PS_OPTION_END,
};

enum ps_status ps_java_class_check(const void *plan, const struct ps_context *context)
{
    const struct ps_java_class *class = plan;
    const char *type = ps_pairs_get(&class->pairs, "type");
    struct ps_err err = {.length = 0};
    if (type == NULL || strcmp(type, "java") == 0) {
        ps_report(context, PS_LOG_ERROR, "type",
                  "names no class: write the whole name of the class, such as org.example.MyClass");
        return PS_FAIL;
    }
    if (context->class_path == NULL || ps_java_launch_check(&err))
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "type", "%s", err.text);
    return PS_FAIL;
}

const char *ps_java_class_name(const struct ps_java_class *class, enum ps_java_component_kind kind,
                               const struct ps_context *context)
{
    static const enum ps_kind kinds[] = {[PS_JAVA_SINK] = PS_KIND_SINK,
                                         [PS_JAVA_INTERCEPTOR] = PS_KIND_INTERCEPTOR,
                                         [PS_JAVA_SOURCE] = PS_KIND_SOURCE};
    const char *type = ps_pairs_get(&class->pairs, "type");
    if (context->class_path == NULL || type == NULL)
        return type;
    const char *key = ps_arena_format(context->arena, "%s %s", ps_stage_kind_word(kinds[kind]), type);
    const char *name = ps_pairs_get(&context->class_path->classes, key);
    return name != NULL ? name : type;
}

bool ps_java_class_is_flow(const struct ps_java_class *class)
{
    const char *type = ps_pairs_get(&class->pairs, "type");
    return type != NULL && strcmp(type, PS_JAVA_FLOW_CLASS) == 0;
}

enum ps_status ps_java_class_build(struct ps_java_class *class, const struct ps_context *context,
                                   enum ps_java_component_kind kind, struct ps_err *err)
{
    class->kind = kind;
    class->name = ps_java_class_name(class, kind, context);
    class->agent = ps_arena_text(context->arena, context->agent != NULL ? context->agent : "");
    class->host = ps_java_launch(context->class_path, err);
    if (class->host == NULL)
        return PS_FAIL;
    class->starts = ps_java_starts_create();
    return PS_OK;
}

void ps_java_class_outline(const struct ps_java_class *class, enum ps_java_component_kind kind,
                           const struct ps_context *context, FILE *out)
{
    fprintf(out, "runs the class %s in Java", ps_java_class_name(class, kind, context));
}

enum ps_status ps_java_class_needs_host(const struct ps_java_class *class, struct ps_err *err)
{
    char reason[600];
    return ps_java_host_is_down(class->host, reason, sizeof reason) ? ps_err_set(err, "%s", reason) : PS_OK;
}

/* Returns false while the host is down: then the host's reason is reported, not the component's. */
bool ps_java_class_opening(const void *plan, char *text, size_t room)
{
    const struct ps_java_class *class = plan;
    char why[300];
    uint64_t since_ns = 0;
    enum ps_java_start start = ps_java_starts_longest(class->starts, &since_ns);
    if (ps_java_host_is_down(class->host, text, room))
        return false;
    if (start == PS_JAVA_NO_START)
        return ps_java_starts_why(class->starts, text, room);
    uint64_t now_ns = ps_clock_now().mono_ns;
    struct ps_quantity_text passed = ps_quantity_print_ns(now_ns > since_ns ? now_ns - since_ns : 0);
    if (ps_java_starts_why(class->starts, why, sizeof why))
        snprintf(text, room, "starts in Java since %s: it waits, because %s", passed.text, why);
    else if (start == PS_JAVA_NO_HOST)
        snprintf(text, room, "starts in Java since %s: the Java process is not ready yet", passed.text);
    else if (ps_java_class_is_flow(class))
        snprintf(text, room, "starts in Java since %s: not all of its components have started yet",
                 passed.text);
    else
        snprintf(text, room, "starts in Java since %s: %s is not configured and started yet", passed.text,
                 class->name);
    return true;
}

void ps_java_class_reread(const void *plan)
{
    const struct ps_java_class *class = plan;
    if (class->host != NULL)
        ps_java_host_renew(class->host, NULL);
}

void ps_java_class_teardown(void *plan)
{
    struct ps_java_class *class = plan;
    if (class->host != NULL)
        ps_java_host_release();
    class->host = NULL;
    ps_java_starts_destroy(class->starts);
    class->starts = NULL;
}

static void note_start(struct ps_java_component *component, enum ps_java_start start)
{
    ps_java_starts_note(component->class->starts, component->port->instance, start);
}

void ps_java_component_open(struct ps_java_component *component, const struct ps_java_class *class,
                            struct ps_port *port)
{
    component->class = class;
    component->port = port;
    component->state = PS_JAVA_WAITS;
    component->was_ready = component->planned = component->explained = false;
    component->taken = 0;
    component->reason.length = component->lack.length = 0;
    component->reason.text[0] = '\0';
    note_start(component, PS_JAVA_NO_HOST);
}

void ps_java_component_close(struct ps_java_component *component)
{
    bool runs =
        component->link.host != NULL && component->state != PS_JAVA_WAITS && component->state != PS_JAVA_OVER;
    if (runs && component->state != PS_JAVA_STOPS)
        ps_java_link_stop(&component->link);
    if (runs) /* at a second stop the component does not wait for answers to its calls (Component.java) */
        ps_java_link_stop(&component->link);
    if (!component->was_ready && component->state != PS_JAVA_OVER)
        ps_java_area_abandon(&component->properties); /* the host may still read them */
    ps_java_area_give(&component->properties);
    ps_java_link_detach(&component->link);
    component->state = PS_JAVA_OVER;
    note_start(component, PS_JAVA_NO_START);
}

bool ps_java_component_take_area(struct ps_java_component *component, uint64_t bytes,
                                 struct ps_java_area *area)
{
    struct ps_java_starts *starts = component->class->starts;
    bool lacked = component->lack.length > 0;
    component->lack.length = 0;
    bool taken = ps_java_area_take(component->link.region, bytes, area, &component->lack);
    if (taken && lacked)
        ps_java_starts_forget(starts, component->port->instance);
    if (taken || lacked)
        return taken;
    ps_java_starts_explain(starts, component->port->instance, component->lack.text);
    ps_log(PS_LOG_ERROR, component->port->component, "%s", component->lack.text);
    return false;
}

/* ---- the properties ---- */

static char *put_text(char *to, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    memcpy(to, &length, sizeof length);
    memcpy(to + sizeof length, text, length);
    return to + sizeof length + length;
}

static size_t text_bytes(const char *text)
{
    return sizeof(uint32_t) + strlen(text);
}

/* Writes the value of PS_JAVA_RETRIES_KEY. Returns whether the host needs it. */
static bool print_retries(const struct ps_java_component *component, char *text, size_t room)
{
    const struct ps_port *port = component->port;
    bool letters = ps_port_has_deadletter(port);
    snprintf(text, room, "%" PRIu32 " %" PRIu64 " %" PRIu64 " %d", port->retry_max,
             ps_port_rest_ns(port, 1) / PS_NS_PER_MS, ps_port_rest_ns(port, UINT32_MAX) / PS_NS_PER_MS,
             letters);
    return component->class->kind == PS_JAVA_SINK &&
           (letters || port->retry_step_ns > 0 || port->retry_rest_max_ns > 0);
}

/* Writes class, label, name, agent, and the pairs, each text after its length. */
static enum ps_java_sent send_properties(struct ps_java_component *component)
{
    const struct ps_java_class *class = component->class;
    const char *const head[] = {class->name, component->port->component, component->port->name, class->agent};
    char retries[80];
    bool has_retries = print_retries(component, retries, sizeof retries);
    size_t bytes = has_retries ? text_bytes(PS_JAVA_RETRIES_KEY) + text_bytes(retries) : 0;
    for (size_t i = 0; i < PS_COUNT_OF(head); i++)
        bytes += text_bytes(head[i]);
    for (size_t i = 0; i < class->pairs.count; i++)
        bytes += text_bytes(class->pairs.items[i].key) + text_bytes(class->pairs.items[i].value);
    if (!ps_java_component_take_area(component, bytes, &component->properties))
        return PS_JAVA_BUSY;
    char *at = component->properties.memory;
    for (size_t i = 0; i < PS_COUNT_OF(head); i++)
        at = put_text(at, head[i]);
    for (size_t i = 0; i < class->pairs.count; i++)
        at = put_text(put_text(at, class->pairs.items[i].key), class->pairs.items[i].value);
    if (has_retries)
        (void)put_text(put_text(at, PS_JAVA_RETRIES_KEY), retries);
    const uint64_t numbers[] = {class->kind, component->properties.offset, component->properties.size, bytes,
                                class->is_single};
    return ps_java_link_send(&component->link, PS_JAVA_CONFIGURE, numbers, PS_COUNT_OF(numbers), NULL);
}

/* ---- states ---- */

/* Takes PS_JAVA_FOLLOWS, which the host sends once: the component waits until an earlier component has
 * stopped. */
static bool take_reason(struct ps_java_component *component)
{
    if (component->message.type != PS_JAVA_FOLLOWS || component->was_ready || component->explained)
        return false;
    component->explained = true;
    if (component->state == PS_JAVA_CONFIGURED)
        ps_java_starts_explain(component->class->starts, component->port->instance, component->message.text);
    return true;
}

static enum ps_java_event_kind end(struct ps_java_component *component, const char *reason)
{
    component->state = PS_JAVA_OVER;
    note_start(component, PS_JAVA_NO_START);
    if (reason != NULL)
        ps_err_set(&component->reason, "%s", reason);
    return PS_JAVA_ENDED;
}

static enum ps_java_event_kind end_lost(struct ps_java_component *component)
{
    char reason[600];
    component->planned = ps_java_link_end(&component->link, reason, sizeof reason);
    return end(component, reason);
}

/* The component has stopped: because the agent has stopped it, because its class has ended, or because the
 * host starts again. */
static enum ps_java_event_kind end_stopped(struct ps_java_component *component)
{
    char reason[600];
    bool asked = component->state == PS_JAVA_STOPS;
    component->planned = !asked && ps_java_link_end(&component->link, reason, sizeof reason);
    return end(component, component->planned ? reason : NULL);
}

static enum ps_java_event_kind attach(struct ps_java_component *component)
{
    struct ps_java_host *host = component->class->host;
    char reason[600];
    if (!ps_java_link_attach(&component->link, host, component->port->wake_fd))
        return ps_java_host_is_down(host, reason, sizeof reason) ? end(component, reason) : PS_JAVA_NOTHING;
    enum ps_java_sent sent = send_properties(component);
    if (sent == PS_JAVA_LOST)
        return end_lost(component);
    if (sent == PS_JAVA_BUSY) { /* a later call attaches again */
        ps_java_area_give(&component->properties);
        ps_java_link_detach(&component->link);
        return PS_JAVA_NOTHING;
    }
    component->state = PS_JAVA_CONFIGURED;
    note_start(component, PS_JAVA_NOT_READY);
    return PS_JAVA_NOTHING;
}

static enum ps_java_event_kind take(struct ps_java_component *component)
{
    const struct ps_java_message *message = &component->message;
    switch (message->type) {
    case PS_JAVA_READY:
        ps_java_area_give(&component->properties);
        if (component->state != PS_JAVA_CONFIGURED)
            return PS_JAVA_MESSAGE;
        component->state = PS_JAVA_RUNS;
        note_start(component, PS_JAVA_NO_START);
        return PS_JAVA_STARTED;
    case PS_JAVA_FAILED:
        return end(component, message->text_length > 0 ? message->text : "the component has failed");
    case PS_JAVA_STOPPED:
        return end_stopped(component);
    default:
        return PS_JAVA_MESSAGE;
    }
}

enum ps_java_event_kind ps_java_component_next(struct ps_java_component *component)
{
    bool lost;
    if (component->state == PS_JAVA_OVER)
        return PS_JAVA_ENDED;
    if (component->state == PS_JAVA_WAITS)
        return attach(component);
    /* A host that sends without end must not keep the worker busy. A host that has ended sends no more
     * messages, so all of them are taken. */
    if (component->taken++ >= MESSAGES_MAX && !ps_java_link_is_lost(&component->link)) {
        component->taken = 0;
        if (component->port->wake_fd >= 0)
            (void)!write(component->port->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
        return PS_JAVA_NOTHING;
    }
    while (ps_java_link_next(&component->link, &component->message, &lost)) {
        /* A component that was stopped while it started reports that it is ready, and then stops. */
        bool late = component->state == PS_JAVA_STOPS && component->message.type == PS_JAVA_READY &&
                    !component->was_ready;
        component->was_ready |= component->message.type == PS_JAVA_READY;
        if (!late && !take_reason(component))
            return take(component);
    }
    component->taken = 0;
    return lost ? end_lost(component) : PS_JAVA_NOTHING;
}

bool ps_java_component_send(struct ps_java_component *component, enum ps_java_message_type type,
                            const uint64_t *numbers, uint32_t number_count, const char *text)
{
    return component->link.host != NULL &&
           ps_java_link_send(&component->link, type, numbers, number_count, text) == PS_JAVA_SENT;
}

bool ps_java_component_stop(struct ps_java_component *component)
{
    if (component->state == PS_JAVA_WAITS)
        component->state = PS_JAVA_OVER;
    if (component->state == PS_JAVA_CONFIGURED || component->state == PS_JAVA_RUNS) {
        enum ps_java_sent sent = ps_java_link_send(&component->link, PS_JAVA_STOP, NULL, 0, NULL);
        if (sent == PS_JAVA_SENT)
            component->state = PS_JAVA_STOPS;
        else if (sent ==
                 PS_JAVA_LOST) /* a host that ends because its jars have changed stops the class by itself */
            component->state = ps_java_link_is_lost(&component->link) ? PS_JAVA_OVER : PS_JAVA_STOPS;
    }
    return component->state == PS_JAVA_OVER;
}

void ps_java_component_accuse(struct ps_java_component *component, const char *what)
{
    if (component->state == PS_JAVA_OVER)
        return;
    ps_java_link_accuse(&component->link, what);
    (void)end(component, what);
}

void ps_java_component_fail(struct ps_java_component *component)
{
    struct ps_err reason = {.length = 0};
    ps_err_set(&reason, "%s",
               component->reason.length > 0 ? component->reason.text : "the class has stopped");
    component->port->planned = component->planned;
    ps_port_failed(component->port, &reason);
}

bool ps_java_component_is_lost(struct ps_java_component *component)
{
    return component->link.host == NULL || ps_java_link_is_lost(&component->link);
}

uint64_t ps_java_component_due_ns(const struct ps_java_component *component, const struct ps_now *now)
{
    if (component->lack.length > 0)
        return now->mono_ns + PS_JAVA_LACK_REST_NS;
    return component->state == PS_JAVA_WAITS ? now->mono_ns + LOOK_NS : PS_NEVER;
}
