/* Sinks: what they commit has left the agent. */
#include "tests/support/java/process.h"

#include <stdlib.h>

/* Reads the next event of the batch, and enters it in the ledger. */
static void see_next(struct java_process *process, struct java_batch *batch, struct ps_java_reader *reader)
{
    struct ps_java_event event;
    struct ps_slice name, value;
    struct flow_event seen = {.body = {NULL, 0}};
    assert_true(ps_java_reader_next(reader, &event));
    for (uint32_t i = 0; i < event.header_count; i++) {
        static const struct {
            const char *name;
            size_t value;
        } known[] = {{"number", offsetof(struct flow_event, number)},
                     {"agent", offsetof(struct flow_event, agent)},
                     {"penstock.deadletter.component", offsetof(struct flow_event, component)},
                     {"penstock.deadletter.reason", offsetof(struct flow_event, reason)}};
        assert_true(ps_java_reader_header(reader, &name, &value));
        for (size_t k = 0; k < PS_COUNT_OF(known); k++) {
            if (name.length == strlen(known[k].name) && memcmp(name.data, known[k].name, name.length) == 0)
                memcpy((char *)&seen + known[k].value, &value, sizeof value);
        }
    }
    assert_true(ps_java_reader_body(reader, &event, &seen.body));
    flow_saw_event(process->flow, batch->component->number, &seen);
    batch->committed++;
}

/* Commits the next events: first notes them in the slot, then sends the message, which waits for its turn. */
static void commit(struct java_process *process, struct java_batch *batch, uint64_t count)
{
    const uint64_t from = batch->committed;
    char *bytes = malloc(batch->bytes);
    assert_non_null(bytes);
    java_read(process, batch->offset, bytes, batch->bytes);
    struct ps_java_reader reader = {.base = bytes, .size = (uint32_t)batch->bytes, .at = (uint32_t)batch->at};
    while (batch->committed < from + count)
        see_next(process, batch, &reader);
    batch->at = reader.at;
    free(bytes);
    const struct ps_java_committed note = {.count = batch->committed};
    java_write(process, batch->offset + batch->size - sizeof note, &note, sizeof note);
    const uint64_t numbers[] = {batch->number, from, batch->committed};
    java_send(process, PS_JAVA_COMMIT, batch->component->link, numbers, 3, NULL);
    memcpy(process->last_commit, numbers, sizeof numbers);
    process->last_commit_link = batch->component->link;
}

void java_sink_turn(struct java_process *process, struct java_batch *batch)
{
    uint64_t left = batch->count - batch->committed;
    if (java_draw(process, 16) == 0) {
        const uint64_t rest_ns = 1000;
        java_send(process, PS_JAVA_TROUBLE, batch->component->link, &rest_ns, 1, "it tries again, as drawn");
        batch->due_ns = java_late_ns(process);
        return;
    }
    commit(process, batch, java_draw(process, 3) == 0 ? 1 + java_draw(process, left) : left);
    batch->due_ns = java_late_ns(process);
    if (batch->committed == batch->count)
        batch->component = NULL;
}
