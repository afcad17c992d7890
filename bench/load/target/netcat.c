/* Target netcat: Flume's netcat source. Sends one event per line; the source answers each line with "OK", or
 * with "FAILED: " and a reason (org.apache.flume.source.NetcatSource). The target does not wait for the
 * previous answer before the next line. An event is completed when its answer arrives; with ack=false, when
 * the kernel has accepted it.
 *
 * Thread: the lane's sender; plan and unplan: the main thread. Never blocks, except to resolve names in
 * plan. */
#include "bench/load/lane/stream.h"
#include "bench/load/target/keys.h"
#include "bench/load/targets.h"

#include <stdio.h>
#include <string.h>

static bool is_ok(const char *line, size_t length)
{
    if (length > 0 && line[length - 1] == '\r')
        length--;
    return length == 2 && memcmp(line, "OK", 2) == 0;
}

static uint32_t netcat_answers(const char *data, size_t length, size_t *taken, bool *refused, char *reason)
{
    uint32_t count = 0;
    const char *from = data, *newline;
    while ((newline = memchr(from, '\n', length - (size_t)(from - data))) != NULL) {
        bool good = is_ok(from, (size_t)(newline - from));
        if (!good)
            snprintf(reason, PS_TRANSPORT_REASON_BYTES, "answer: %.*s", (int)(newline - from), from);
        from = newline + 1;
        *refused = !good;
        if (!good)
            break;
        count++;
    }
    *taken = (size_t)(from - data);
    return count;
}

static enum ps_status netcat_plan(void *made, struct ps_url *url, enum ps_framing *, struct ps_err *err)
{
    struct ps_load_stream_plan *plan = made;
    bool ack = true;
    if (ps_load_stream_plan_read(plan, url, err) != PS_OK ||
        ps_target_key_bool(url, "ack", &ack, err) != PS_OK)
        return PS_FAIL;
    plan->answers = ack ? netcat_answers : NULL;
    return PS_OK;
}

static enum ps_completion netcat_completes(const void *plan)
{
    const struct ps_load_stream_plan *stream = plan;
    return stream->answers != NULL ? PS_COMPLETION_ACKNOWLEDGED : PS_COMPLETION_WRITTEN;
}

const struct ps_target_ops ps_target_netcat = {
    .scheme = "netcat",
    .summary =
        "netcat://HOST:PORT?ack=true|false&send_buffer=64KiB&nagle=false: Flume's netcat source, which "
        "answers OK to each line",
    .framing = PS_FRAMING_NEWLINE,
    .completion = PS_COMPLETION_ACKNOWLEDGED,
    .completes = netcat_completes,
    .blocks_max = 8,
    .plan_bytes = sizeof(struct ps_load_stream_plan),
    .plan = netcat_plan,
    PS_LOAD_STREAM_OPERATIONS,
};
