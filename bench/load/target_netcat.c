/* Target netcat: Flume's netcat source. A line an event; the source answers each with "OK", or with "FAILED:
 * " and a reason (org.apache.flume.source.NetcatSource). Lines are not held back until the answer to the one
 * before has come. An event is completed when its answer came; with ack=false nothing is waited for, and it
 * is completed when the kernel took it.
 *
 * Thread: the lane's sender; plan and unplan: the main thread. Never blocks, but for names in plan. */
#include "bench/load/stream.h"
#include "bench/load/target_keys.h"
#include "bench/load/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX 1024U

/* The answer at hand, between calls. */
union memory {
    uint64_t number;
    struct {
        uint16_t length; /* bytes of the line so far */
        bool wrong;      /* it does not say OK */
        char reason[5];  /* its first bytes, when it came in pieces */
    } line;
};
_Static_assert(sizeof(union memory) == sizeof(uint64_t), "fits a connection's memory");

/* Says whether the line so far, `length` bytes of which the last `piece_length` stand at `piece`, can be OK.
 */
static bool may_be_ok(const char *piece, size_t piece_length, size_t before)
{
    static const char ok[] = "OK\r";
    if (before + piece_length > sizeof ok - 1)
        return false;
    return memcmp(piece, ok + before, piece_length) == 0;
}

static uint32_t netcat_answers(uint64_t *memory, const char *data, size_t length, size_t *taken,
                               bool *refused, char *reason)
{
    union memory at = {.number = *memory};
    uint32_t count = 0;
    const char *from = data, *end = data + length;
    while (from < end) {
        const char *newline = memchr(from, '\n', (size_t)(end - from));
        size_t piece = (size_t)((newline != NULL ? newline : end) - from);
        at.line.wrong = at.line.wrong || !may_be_ok(from, piece, at.line.length);
        for (size_t i = 0; i < piece && at.line.length + i < sizeof at.line.reason; i++)
            at.line.reason[at.line.length + i] = from[i];
        if (at.line.length + piece > ANSWER_BYTES_MAX) {
            snprintf(reason, PS_LOAD_STREAM_REASON_BYTES, "an answer of more than %u bytes", ANSWER_BYTES_MAX);
            return UINT32_MAX;
        }
        if (newline == NULL) {
            at.line.length = (uint16_t)(at.line.length + piece);
            break;
        }
        if (at.line.wrong || at.line.length + piece < 2) {
            size_t shown = at.line.length < sizeof at.line.reason ? at.line.length : sizeof at.line.reason;
            snprintf(reason, PS_LOAD_STREAM_REASON_BYTES, "answer: %.*s%.*s", (int)shown, at.line.reason,
                     (int)piece, from);
            *refused = true;
            *taken = (size_t)(newline + 1 - data);
            *memory = 0;
            return count;
        }
        count++;
        from = newline + 1;
        at.number = 0;
    }
    *memory = at.number;
    return count;
}

static enum ps_status netcat_plan(void **made, struct ps_url *url, enum ps_framing *framing,
                                  struct ps_err *err)
{
    (void)framing;
    bool ack = true;
    struct ps_load_stream_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return ps_err_set(err, "no memory");
    if (ps_load_stream_plan_read(plan, url, 0, err) != PS_OK ||
        ps_target_key_bool(url, "ack", &ack, err) != PS_OK) {
        free(plan);
        return PS_FAIL;
    }
    plan->answers = ack ? netcat_answers : NULL;
    *made = plan;
    return PS_OK;
}

const struct ps_target_ops ps_target_netcat = {
    .scheme = "netcat",
    .summary =
        "netcat://HOST:PORT?ack=true|false&send_buffer=64KiB&nagle=false: Flume's netcat source, which "
        "answers OK to each line",
    .framing = PS_FRAMING_NEWLINE,
    .completion = PS_COMPLETION_ACKNOWLEDGED,
    .blocks_max = 8,
    .plan = netcat_plan,
    .unplan = free,
    .open = ps_load_stream_open,
    .give = ps_load_stream_give,
    .work = ps_load_stream_work,
    .descriptor = ps_load_stream_descriptor,
    .finish = ps_load_stream_finish,
    .close = ps_load_stream_close,
};
