/* Sources: a class that calls its channel processor from one thread. A call that is not promised waits for its answer; refused, it is made again. */
#include "tests/support/java/process.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOTS 16U
/* The longest that it waits before it repeats a refused call (tests/support/flow_stages.c has the reason). */
#define CALL_RETRY_MAX_NS (20 * PS_NS_PER_S)
#define LARGE_BYTES 150000U

static unsigned origin_of(const struct java_component *component)
{
    return flow_origin_number(component->number, 0);
}

static void put_event(struct java_process *process, const struct java_component *component, uint64_t number,
                      uint32_t length)
{
    static char bytes[LARGE_BYTES + 1];
    const struct flow_origin *origin = &process->flow->sources[component->number].origins[0];
    struct flow_body body = {.origin = origin_of(component),
                             .generation = (uint32_t)origin->opened,
                             .number = number,
                             .length = length};
    struct ps_java_event event = {.origin = PS_JAVA_NO_ORIGIN,
                                  .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS,
                                  .body_length = length,
                                  .header_count = 1};
    uint32_t start = fake_entries.bytes;
    flow_make_body(bytes, &body);
    fake_put(&event, sizeof event);
    fake_put_header("by", "java", 4);
    fake_put(bytes, length);
    fake_end_entry(start, &event);
}

static uint32_t body_bytes(struct java_process *process)
{
    return (uint32_t)(sizeof(struct flow_body) + java_draw(process, process->flow->body_max));
}

/* Writes a call's events. Returns their number. */
static uint32_t make_call(struct java_process *process, const struct java_component *component, uint64_t room,
                          bool large)
{
    uint64_t next = process->flow->sources[component->number].origins[0].next;
    uint64_t most = 1 + java_draw(process, java_draw(process, 4) == 0 ? 60 : 5);
    fake_entries.bytes = fake_entries.count = 0;
    while (fake_entries.count < most && next + fake_entries.count < process->flow->total) {
        uint32_t length = large ? LARGE_BYTES : body_bytes(process);
        if (fake_entries.bytes + length + 100 > room)
            break;
        put_event(process, component, next + fake_entries.count, length);
        if (large)
            break;
    }
    return fake_entries.count;
}

static void acknowledge(struct java_process *process, const struct java_component *component, uint32_t count)
{
    struct flow_origin *origin = &process->flow->sources[component->number].origins[0];
    for (uint32_t i = 0; i < count; i++)
        flow_told(process->flow, origin_of(component), origin->next + i, false);
    origin->next += count;
}

/* Notes the events in the slot, which promises them. Returns false if the agent takes no more promises. */
static bool promise(struct java_process *process, struct java_component *component,
                    const struct java_slot *slot)
{
    uint64_t at = slot->offset + slot->size;
    struct ps_java_promised note = {.first = component->promised,
                                    .size = (uint64_t)fake_entries.count << 32 | fake_entries.bytes};
    java_write(process, at, &note, offsetof(struct ps_java_promised, revoked));
    java_read(process, at + offsetof(struct ps_java_promised, revoked), &note.revoked, sizeof note.revoked);
    if (note.revoked != 0)
        return false;
    component->promised += fake_entries.count;
    acknowledge(process, component, fake_entries.count);
    return true;
}

static void call(struct java_process *process, struct java_component *component, uint64_t number)
{
    struct java_slot *slot = &component->slots[number];
    uint32_t count = make_call(process, component, slot->size, slot->size > LARGE_BYTES + 1000);
    if (count == 0)
        return;
    java_write(process, slot->offset, fake_entries.data, fake_entries.bytes);
    bool promises = process->chances->promises && component->promised + count <= component->most;
    const uint64_t numbers[] = {number, ++process->last_call, fake_entries.bytes,
                                count,  component->promised,  1};
    if (promises && !promise(process, component, slot))
        return;
    slot->promised = promises;
    slot->call = process->last_call;
    java_send(process, PS_JAVA_PUT, component->link, numbers, promises ? 6 : 4, NULL);
    if (promises)
        return;
    component->call_slot = number + 1;
    component->count = count;
}

void java_source_turn(struct java_process *process, struct java_component *component)
{
    uint64_t number = java_draw(process, SLOTS);
    const struct java_slot *slot = &component->slots[number];
    if (component->call_slot != 0 || component->grows != 0 || component->lied || slot->size == 0 ||
        slot->call != 0 || process->now->mono_ns < component->retry_ns)
        return;
    if (process->flow->sources[component->number].origins[0].next >= process->flow->total)
        return;
    if (java_draw(process, 200) == 0 && slot->size < LARGE_BYTES) {
        const uint64_t need[] = {number, LARGE_BYTES + 2000};
        component->grows = number + 1;
        java_send(process, PS_JAVA_NEED, component->link, need, 2, NULL);
        return;
    }
    call(process, component, number);
    component->retry_ns = java_draw(process, 3) == 0 ? java_late_ns(process) : 0;
}

static void take_answer(struct java_process *process, struct java_component *component,
                        const uint64_t *numbers)
{
    if (numbers[2] > component->most)
        component->most = numbers[2];
    for (uint64_t i = 0; i < SLOTS; i++) {
        struct java_slot *slot = &component->slots[i];
        if (slot->call == 0 || slot->call != numbers[0])
            continue;
        slot->call = 0;
        if (slot->promised) {
            assert_int_equal(numbers[1], 1); /* a promise is kept */
            return;
        }
        assert_int_equal(component->call_slot, i + 1);
        component->call_slot = 0;
        if (numbers[1] != 0)
            acknowledge(process, component, component->count);
        else
            component->retry_ns = process->now->mono_ns + java_draw(process, CALL_RETRY_MAX_NS);
        return;
    }
    if (!component->lied)
        fail_msg("an answer to no call (seed %llu)", (unsigned long long)process->flow->seed);
}

void java_source_take(struct java_process *process, struct java_component *component,
                      const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    if (message->type == PS_JAVA_ANSWER) {
        take_answer(process, component, numbers);
    } else if (message->type == PS_JAVA_AREA) {
        assert_true(numbers[0] < SLOTS);
        struct java_slot *slot = &component->slots[numbers[0]];
        component->grows = component->grows == numbers[0] + 1 ? 0 : component->grows;
        if (numbers[2] == 0)
            return;
        slot->offset = numbers[1];
        slot->size = numbers[2] - sizeof(struct ps_java_promised);
    } else if (message->type == PS_JAVA_KEEP) {
        component->most = component->promised;
        java_send(process, PS_JAVA_PROMISED, component->link, &component->promised, 1, NULL);
    }
}
