/* A deserializer: an event is a line with the lines after it that begin with white space, as a stack trace does.
 *
 *   a1.sources.r1.type = spooldir
 *   a1.sources.r1.spoolDir = /var/log/app
 *   a1.sources.r1.deserializer = joined_lines
 *
 * docs/PLUGINS.md explains it line by line. */
#include <penstock/plugin.h>

#include <string.h>

#define BUFFER_BYTES (64U << 10)

struct plan {
    const char *continued;
    int64_t bytes_max;
};

/* State of one source. Only the source's worker uses it. */
struct state {
    uint32_t length;  /* bytes in `buffer`; the first one is that of input->position */
    uint32_t scanned; /* no event ends before this offset */
    bool ended;       /* the file has no bytes after those of `buffer` */
    char buffer[BUFFER_BYTES];
};

static const struct ps_option options[] = {
    {.key = "continued",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, continued),
     .fallback = " \t",
     .help = "characters; a line that begins with one of them belongs to the event before it"},
    {.key = "maxBytes",
     .type = PS_OPTION_INT,
     .offset = offsetof(struct plan, bytes_max),
     .fallback = "65536",
     .min = 2,
     .max = BUFFER_BYTES,
     .unit = "bytes",
     .help = "maximum length of an event; a longer one is cut, and its rest is an event of its own"},
    PS_OPTION_END,
};

static void begin(const void *, void *state_, struct ps_input *)
{
    struct state *state = state_;
    state->length = state->scanned = 0;
    state->ended = false;
}

/* Looks for the end of the first event in the buffer. Returns the bytes that it takes, or 0 when more of the file is
 * needed to tell. */
static uint32_t find_event(const struct plan *plan, struct state *state)
{
    uint32_t limit = state->length < plan->bytes_max ? state->length : (uint32_t)plan->bytes_max;
    while (state->scanned < limit) {
        const char *line_end = memchr(state->buffer + state->scanned, '\n', limit - state->scanned);
        state->scanned = line_end != NULL ? (uint32_t)(line_end - state->buffer) : limit;
        if (state->scanned + 1 >= limit)
            break; /* the next byte decides */
        char next = state->buffer[state->scanned + 1];
        if (next == '\0' || strchr(plan->continued, next) == NULL)
            return state->scanned + 1;
        state->scanned++;
    }
    return limit == (uint32_t)plan->bytes_max || state->ended ? limit : 0;
}

/* Fills the buffer further. Nothing waits here: a read that must wait answers PS_INPUT_NOT_NOW. */
static enum ps_deserialized read_more(struct state *state, struct ps_input *input, struct ps_err *err)
{
    int64_t got = input->read(input, input->position + state->length, state->buffer + state->length,
                              BUFFER_BYTES - state->length);
    if (got == PS_INPUT_NOT_NOW)
        return PS_DESERIALIZED_WAITS;
    if (got == PS_INPUT_UNREADABLE) {
        ps_err_set(err, "cannot be read at byte %llu", (unsigned long long)input->position + state->length);
        return PS_DESERIALIZED_FAILED;
    }
    state->length += (uint32_t)got;
    state->ended = got == PS_INPUT_END;
    return state->ended && state->length == 0 ? PS_DESERIALIZED_ALL : PS_DESERIALIZED_SOME;
}

/* Makes one event. After PS_DESERIALIZED_FULL and PS_DESERIALIZED_WAITS it is called again, and finds the same event. */
static enum ps_deserialized work(const void *plan_, void *state_, struct ps_input *input,
                                 struct ps_batch *batch, struct ps_err *err)
{
    const struct plan *plan = plan_;
    struct state *state = state_;
    uint32_t taken = find_event(plan, state);
    if (taken == 0)
        return state->ended ? PS_DESERIALIZED_ALL : read_more(state, input, err);
    bool whole_line = state->buffer[taken - 1] == '\n';
    if (ps_batch_add_copy(batch, state->buffer, taken - whole_line) == NULL)
        return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;
    if (!whole_line && !(state->ended && taken == state->length))
        input->cuts++;
    state->length -= taken;
    state->scanned = 0;
    memmove(state->buffer, state->buffer + taken, state->length);
    input->position += taken; /* a later run of the agent may begin here */
    return PS_DESERIALIZED_SOME;
}

static const struct ps_deserializer_ops deserializer = {.begin = begin, .work = work, .continues = true};

static const struct ps_stage_ops joined_lines = {
    PS_STAGE(PS_KIND_DESERIALIZER),
    .name = "joined_lines",
    .summary = "an event is a line with the lines after it that begin with white space",
    .options = options,
    .plan_size = sizeof(struct plan),
    .state_size = sizeof(struct state),
    .deserializer = &deserializer,
};

PS_PLUGIN(&joined_lines);
