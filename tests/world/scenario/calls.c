/* The step `call`: a client of Flume's RPC makes one call over a connection of its own. */
#include <stdlib.h>
#include <string.h>

#include "tests/world/peers/rpc/rpc.h"
#include "tests/world/scenario/scenario.h"

#define EVENT_BYTES 4096U /* of an event's headers and lengths, at most */

enum { AVRO, THRIFT, COMPACT, PROTOCOLS };
static const char *const protocols[PROTOCOLS] = {"avro", "thrift", "compact"};

static size_t whole_avro(char *answer, size_t length)
{
    char *copy = malloc(length + 1); /* its buffers are joined in place */
    memcpy(copy, answer, length);
    bool whole = rpc_avro_answer(copy, length) != RPC_ANSWER_LATER;
    free(copy);
    return whole ? length : 0;
}

static size_t whole_thrift(char *answer, size_t length)
{
    return rpc_thrift_answer(answer, length) != RPC_ANSWER_LATER ? length : 0;
}

/* Gives the event the headers NAME=VALUE of the step. */
static void set_headers(struct scenario *scenario, const struct scenario_step *step,
                        struct ledger_event *event)
{
    for (unsigned i = 3; i < step->count; i++) {
        const char *word = step->words[i], *sign = strchr(word, '=');
        if (sign == NULL)
            scenario_mistake(scenario->script->file, step->line, "\"%s\" is no NAME=VALUE", word);
        event->headers[event->count++] =
            (struct ledger_pair){word, sign + 1, (size_t)(sign - word), strlen(sign + 1)};
    }
}

/* Each line of the text is an event. Returns how many there are. */
static uint32_t make_events(struct scenario *scenario, const struct scenario_step *step,
                            struct ledger_event **events)
{
    uint32_t count = 0;
    *events = NULL;
    for (const char *line = step->text, *end = line + step->length; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop == NULL ? end : stop;
        *events = realloc(*events, (count + 1) * sizeof **events);
        (*events)[count] = (struct ledger_event){.body = line, .length = (size_t)(stop - line)};
        set_headers(scenario, step, &(*events)[count++]);
        line = stop + 1;
    }
    return count;
}

static unsigned protocol_of(struct scenario *scenario, const struct scenario_step *step)
{
    for (unsigned i = 0; i < PROTOCOLS; i++)
        if (strcmp(step->words[1], protocols[i]) == 0)
            return i;
    scenario_mistake(scenario->script->file, step->line, "there is no protocol %s", step->words[1]);
}

enum outcome step_call(struct scenario *scenario, const struct scenario_step *step)
{
    static const char *const statuses[] = {[RPC_OK] = "OK", [RPC_FAILED] = "FAILED", [RPC_ERROR] = "ERROR"};
    uint16_t port = (uint16_t)scenario_number(scenario->script, step, step->words[0]);
    unsigned protocol = protocol_of(scenario, step);
    struct ledger_event *events;
    uint32_t count = make_events(scenario, step, &events);
    size_t room = step->length + (count + 1) * EVENT_BYTES, length;
    struct kafka_out out = {malloc(room), 0, room, false, false};
    if (protocol == AVRO)
        rpc_avro_call(&out, events, count);
    else
        rpc_thrift_call(&out, events, count, protocol == COMPACT);
    free(events);
    char *answer = (char *)scenario_exchange(scenario, port, (char *)out.bytes, out.length,
                                             protocol == AVRO ? whole_avro : whole_thrift, &length);
    free(out.bytes);
    if (answer == NULL || (length == 0 && scenario->request.sent == 0)) {
        step_failed(scenario, "there is no answer");
        return STEP_WAITS;
    }
    int status = length == 0        ? RPC_ANSWER_LATER
                 : protocol == AVRO ? rpc_avro_answer(answer, length)
                                    : rpc_thrift_answer(answer, length);
    const char *got = status == RPC_ANSWER_LATER ? "closed" : status <= RPC_ERROR ? statuses[status] : "?";
    return strcmp(got, step->words[2]) == 0 ? STEP_DONE : step_failed(scenario, "the answer is %s", got);
}
