/* Source seq (Flume's SequenceGeneratorSource): a counter in decimal, from 0 up to totalEvents. Thread: its
 * worker. Batches are filled regardless of batchSize. No number is skipped, because the source waits when a
 * channel is full. */
#include "core/stage.h"

#include <string.h>

#define DIGITS_MAX 20U

struct seq_plan {
    int64_t batch_size, total;
};

struct seq_state {
    struct ps_port *port;
    uint64_t next;
    uint32_t length; /* length of `text` */
    char text[DIGITS_MAX];
};

#define FIELD(name) offsetof(struct seq_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("batchSize", INT, FIELD(batch_size),
                  "events in one transaction; the size of batches here depends on the channel",
                  .fallback = "1", .min = 1, .max = INT32_MAX, .unit = "events",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("totalEvents", INT, FIELD(total), "number of events after which the source stops",
                  .fallback = "9223372036854775807", .unit = "events"),
    PS_OPTION_END,
};

static enum ps_status seq_open(const void *, void *state_, struct ps_port *port, struct ps_err *)
{
    struct seq_state *state = state_;
    *state = (struct seq_state){.port = port, .length = 1, .text = "0"};
    return PS_OK;
}

/* Makes the text of the next number by counting in decimal, which is cheaper than printing each number. */
static void count_up(struct seq_state *state)
{
    state->next++;
    uint32_t at = state->length;
    while (at > 0 && state->text[at - 1] == '9')
        state->text[--at] = '0';
    if (at > 0) {
        state->text[at - 1]++;
    } else {
        memmove(state->text + 1, state->text, state->length++);
        state->text[0] = '1';
    }
}

static enum ps_result seq_work(const void *plan_, void *state_, struct ps_batch *batch, const struct ps_now *)
{
    const struct seq_plan *plan = plan_;
    struct seq_state *state = state_;
    uint64_t total = plan->total < 0 ? 0 : (uint64_t)plan->total;
    if (state->next >= total)
        return PS_BACKOFF;
    uint32_t before = batch->count;
    bool memory = true;
    while (state->next < total && !batch->full) {
        uint32_t room, used = 0;
        char *bytes = ps_batch_reserve(batch, DIGITS_MAX, &room);
        memory = bytes != NULL || batch->full;
        if (bytes == NULL)
            break;
        while (state->next < total && room - used >= DIGITS_MAX &&
               ps_batch_add(batch, bytes + used, state->length) != NULL) {
            memcpy(bytes + used, state->text, state->length);
            used += state->length;
            count_up(state);
        }
        ps_batch_commit(batch, used);
    }
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, batch->count - before);
    return memory ? PS_DONE : PS_IDLE;
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = seq_work,
};

const struct ps_stage_ops ps_source_seq = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "seq",
    .aliases = PS_WORDS("org.apache.flume.source.SequenceGeneratorSource"),
    .summary = "a counter, for tests",
    .options = options,
    .plan_size = sizeof(struct seq_plan),
    .state_size = sizeof(struct seq_state),
    .exclusive = true,
    .open = seq_open,
    .source = &source,
};
