/* Messages that no honest host sends, and notes in the shared memory that are wrong. None of them may count as a delivery, and most end the
 * process: the agent must notice those that are marked. */
#include "tests/support/java/process.h"

#include <signal.h>

uint64_t java_lies, java_lies_noticed;

static void must_be_noticed(struct java_process *process, struct java_component *component)
{
    if (process->turns > 0)
        return;
    java_lies_noticed++;
    process->accused = component;
    process->turns = 1;
}

/* Returns a component of this kind that runs, or NULL. Kind 0: any. */
static struct java_component *some_component(struct java_process *process, unsigned kind)
{
    size_t first = java_draw(process, JAVA_COMPONENTS_MAX);
    for (size_t i = 0; i < JAVA_COMPONENTS_MAX; i++) {
        struct java_component *component = &process->components[(first + i) % JAVA_COMPONENTS_MAX];
        if (component->link != 0 && component->state == JAVA_RUNS && (kind == 0 || component->kind == kind))
            return component;
    }
    return NULL;
}

/* Returns a batch that the component has, or NULL. */
static struct java_batch *batch_of(struct java_process *process, const struct java_component *component)
{
    for (size_t i = 0; i < JAVA_BATCHES_MAX; i++) {
        if (process->batches[i].component == component && !process->batches[i].waits)
            return &process->batches[i];
    }
    return NULL;
}

static void send_noticed(struct java_process *process, struct java_component *component,
                         enum ps_java_message_type type, const uint64_t *numbers, uint32_t count)
{
    java_send(process, type, component->link, numbers, count, "a lie");
    must_be_noticed(process, component);
}

/* A message that is not of this kind of component. */
static void lie_of_another_kind(struct java_process *process, struct java_component *component)
{
    static const enum ps_java_message_type types[][4] = {
        [PS_JAVA_SINK] = {PS_JAVA_PUT, PS_JAVA_REPLY, PS_JAVA_NEED, PS_JAVA_READY},
        [PS_JAVA_INTERCEPTOR] = {PS_JAVA_PUT, PS_JAVA_COMMIT, PS_JAVA_PROMISED, PS_JAVA_READY},
        [PS_JAVA_SOURCE] = {PS_JAVA_COMMIT, PS_JAVA_REPLY, PS_JAVA_BATCH, PS_JAVA_READY},
    };
    const uint64_t numbers[] = {1, 0, 1, 0, 0, 0};
    send_noticed(process, component, types[component->kind][java_draw(process, 4)], numbers,
                 (uint32_t)java_draw(process, 7));
}

/* ---- sinks ---- */

/* A count in the slot that the batch does not have, and the process ends. */
static void lie_in_slot(struct java_process *process, const struct java_batch *batch)
{
    const uint64_t counts[] = {batch->count + 1, UINT64_MAX, (uint64_t)UINT32_MAX + 1, (uint64_t)INT64_MAX};
    const struct ps_java_committed note = {.count = counts[java_draw(process, PS_COUNT_OF(counts))]};
    java_write(process, batch->offset + batch->size - sizeof note, &note, sizeof note);
    java_process_end(process, SIGSEGV);
}

static void lie_of_sink(struct java_process *process, struct java_component *component)
{
    const struct java_batch *batch = batch_of(process, component);
    uint64_t number = batch != NULL ? batch->number : 1, at = batch != NULL ? batch->committed : 0,
             count = batch != NULL ? batch->count : 0;
    const uint64_t lies[][3] = {{0, 0, 1},
                                {number + 1000, 0, 1},
                                {number, at, count + 1},
                                {number, at, at},
                                {number, at + 1, at},
                                {number, at, UINT64_MAX},
                                {number, UINT64_MAX, at + 1},
                                {number, (UINT64_C(1) << 32) + at, (UINT64_C(1) << 32) + at + 1}};
    uint64_t which = java_draw(process, PS_COUNT_OF(lies) + 4);
    if (which < PS_COUNT_OF(lies))
        send_noticed(process, component, PS_JAVA_COMMIT, lies[which], 3);
    else if (which == PS_COUNT_OF(lies))
        send_noticed(process, component, PS_JAVA_COMMIT, lies[2], 2);
    else if (which == PS_COUNT_OF(lies) + 1 && batch != NULL)
        lie_in_slot(process, batch);
    else if (process->last_commit_link == component->link)
        send_noticed(process, component, PS_JAVA_COMMIT, process->last_commit, 3); /* a second time */
    else /* the message of an earlier process, or of a component that is gone: it is for nobody */
        java_send(process, PS_JAVA_COMMIT, process->last_commit_link, process->last_commit, 3, NULL);
}

/* ---- interceptors ---- */

/* Entries that are wrong, in the area of the reply. The agent looks at them if the batch's source still wants it. */
static void lie_in_entries(struct java_process *process, struct java_batch *batch)
{
    struct ps_java_event event = {.size = sizeof event, .origin = 0};
    switch (java_draw(process, 5)) {
    case 0:
        event.origin = (uint32_t)batch->count;
        break;
    case 1:
        event.size = UINT32_MAX - 3;
        break;
    case 2:
        event.header_count = 1;
        break;
    case 3:
        event.flags = PS_JAVA_EVENT_BODY;
        event.body_length = UINT32_MAX;
        break;
    default:
        event.size = 4;
    }
    const uint64_t numbers[] = {batch->number, sizeof event, 1, 0};
    java_write(process, batch->reply_offset, &event, sizeof event);
    java_send(process, PS_JAVA_REPLY, batch->component->link, numbers, 4, NULL);
    batch->component = NULL;
}

static void lie_of_interceptor(struct java_process *process, struct java_component *component)
{
    struct java_batch *batch = batch_of(process, component);
    uint64_t number = batch != NULL ? batch->number : process->last_reply,
             size = batch != NULL ? batch->reply_size : 0;
    const uint64_t lies[][4] = {{number + 1000, 0, 1, 1},
                                {number - 1, 0, 1, 1},
                                {number, size + 1, 1, 0},
                                {number, UINT64_C(1) << 32, 1, 0},
                                {number, 0, PS_BATCH_EVENTS_MAX + 1, 1},
                                {number, 0, 1, 0}};
    const uint64_t needs[][2] = {{number, size},
                                 {number, 0},
                                 {number, UINT64_MAX},
                                 {number, (UINT64_C(1) << 30) + 1},
                                 {number + 1, size + 1}};
    uint64_t which = java_draw(process, 5);
    if (which == 0)
        send_noticed(process, component, PS_JAVA_NEED, needs[java_draw(process, PS_COUNT_OF(needs))], 2);
    else if (which == 1)
        send_noticed(process, component, PS_JAVA_TROUBLE, lies[0], 2);
    else if (which == 2 && batch != NULL)
        lie_in_entries(process, batch);
    else if (which == 3 && process->last_reply_link == component->link) {
        const uint64_t again[] = {process->last_reply, 0, 1, 1};
        send_noticed(process, component, PS_JAVA_REPLY, again, 4);
    } else
        send_noticed(process, component, PS_JAVA_REPLY, lies[java_draw(process, PS_COUNT_OF(lies))], 4);
}

/* ---- sources ---- */

/* A free slot with entries that are wrong. The agent looks at them when it reads the call. */
static void lie_in_call(struct java_process *process, struct java_component *component, uint64_t number)
{
    struct java_slot *slot = &component->slots[number];
    struct ps_java_event event = {.size = sizeof event, .origin = PS_JAVA_NO_ORIGIN};
    event.flags = (uint32_t)java_draw(process, 8);
    event.header_count = (uint32_t)java_draw(process, 3);
    event.body_length = 1 + (uint32_t)java_draw(process, UINT32_MAX - 1);
    const uint64_t numbers[] = {number, ++process->last_call, sizeof event, 1 + java_draw(process, 3)};
    java_write(process, slot->offset, &event, sizeof event);
    java_send(process, PS_JAVA_PUT, component->link, numbers, 4, NULL);
    slot->call = process->last_call;
}

static void lie_of_source(struct java_process *process, struct java_component *component)
{
    uint64_t free_slot = java_draw(process, 16);
    const struct java_slot *slot = &component->slots[free_slot];
    uint64_t promised = component->promised, call = UINT64_MAX;
    const uint64_t lies[][6] = {{16, call, 100, 1, promised, 1},
                                {UINT64_MAX, call, 100, 1, promised, 1},
                                {free_slot, call, 0, 1, promised, 1},
                                {free_slot, call, slot->size + 1, 1, promised, 1},
                                {free_slot, call, 100, 0, promised, 1},
                                {free_slot, call, 100, PS_BATCH_EVENTS_MAX + 1, promised, 1},
                                {free_slot, call, UINT64_C(1) << 32, 1, promised, 1}};
    const uint64_t promises[][6] = {{free_slot, call, 100, 1, promised + 1, 1},
                                    {free_slot, call, 100, 1, promised, 2},
                                    {free_slot, call, 100, 1, promised - 1, 1}};
    const uint64_t needs[][2] = {{16, 1}, {free_slot, slot->size}, {free_slot, 0}};
    if (slot->size == 0 || slot->call != 0 || component->grows != 0)
        return;
    component->lied = true;
    uint64_t which = java_draw(process, 5);
    const uint64_t wrong = promised + 5;
    if (which == 0)
        send_noticed(process, component, PS_JAVA_NEED, needs[java_draw(process, PS_COUNT_OF(needs))], 2);
    else if (which == 1)
        send_noticed(process, component, PS_JAVA_PROMISED, &wrong, 1);
    else if (which == 2)
        send_noticed(process, component, PS_JAVA_PUT, promises[java_draw(process, PS_COUNT_OF(promises))], 6);
    else if (which == 3 && component->promised == 0)
        lie_in_call(process, component, free_slot);
    else
        send_noticed(process, component, PS_JAVA_PUT, lies[java_draw(process, PS_COUNT_OF(lies))],
                     java_draw(process, 2) == 0 ? 4 : 6);
}

/* ---- bytes that are no messages ---- */

static void lie_in_bytes(struct java_process *process)
{
    static const struct ps_java_head heads[] = {{.length = 4097, .type = PS_JAVA_COMMIT, .link = 1},
                                                {.length = 15, .type = PS_JAVA_COMMIT, .link = 1},
                                                {.length = 0, .type = PS_JAVA_BEAT},
                                                {.length = 64, .type = PS_JAVA_REPLY, .number_count = 511},
                                                {.length = 23, .type = PS_JAVA_BEAT, .number_count = 1},
                                                {.length = 64, .type = 65, .number_count = UINT32_MAX}};
    const uint64_t protocol = PS_JAVA_PROTOCOL + 1;
    uint64_t which = java_draw(process, PS_COUNT_OF(heads) + 1);
    if (which < PS_COUNT_OF(heads))
        java_send_bytes(process, &heads[which], sizeof heads[which]);
    else
        java_send(process, PS_JAVA_BEAT, 0, &protocol, 1, NULL);
    must_be_noticed(process, NULL);
}

static void lie_for_nobody(struct java_process *process)
{
    uint64_t numbers[PS_JAVA_NUMBERS_MAX] = {1, 0, 1};
    for (unsigned i = 0; i < 10; i++)
        java_send(process, (enum ps_java_message_type)java_draw(process, 100), UINT32_MAX - i, numbers,
                  (uint32_t)java_draw(process, 6), "for nobody");
}

void java_lie(struct java_process *process)
{
    struct java_component *component = some_component(process, 0);
    uint64_t which = java_draw(process, 12);
    java_lies++;
    if (which == 0)
        lie_in_bytes(process);
    else if (which == 1 || component == NULL)
        lie_for_nobody(process);
    else if (which == 2)
        lie_of_another_kind(process, component);
    else if (component->kind == PS_JAVA_SINK)
        lie_of_sink(process, component);
    else if (component->kind == PS_JAVA_INTERCEPTOR)
        lie_of_interceptor(process, component);
    else
        lie_of_source(process, component);
}
