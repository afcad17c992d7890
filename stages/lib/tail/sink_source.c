#include "stages/lib/tail/sink_source.h"

#include "core/flow/sink_positions.h"
#include "core/stage.h"
#include "stages/lib/random.h"

#include <string.h>

enum ps_status ps_tail_sink_source_init(struct ps_tail_sink_source *keeping, const char *position_path,
                                        int lock, bool overtaken, const char *cure, struct ps_err *err)
{
    struct ps_random random;
    if (lock < 0)
        return ps_err_set(
            err,
            "exactly once needs a lock on %s: put %s on a file system that supports locks and has free space",
            position_path, cure);
    if (ps_tail_source_id_need(position_path, overtaken, keeping->owner, err) != PS_OK)
        return PS_FAIL;
    ps_random_init(&random);
    keeping->life = (int32_t)(ps_random_next(&random) >> 33);
    snprintf(keeping->owner_key, sizeof keeping->owner_key, "file/%s", keeping->owner);
    return PS_OK;
}

struct ps_stream_name ps_tail_sink_source_name(const struct ps_tail_sink_source *keeping, const char *key)
{
    return (struct ps_stream_name){.system = "file",
                                   .group = {keeping->owner, (uint32_t)strlen(keeping->owner)},
                                   .name = {key, (uint32_t)strlen(key)},
                                   .part = -1,
                                   .generation = keeping->life};
}

bool ps_tail_sink_source_ask(const struct ps_tail_sink_source *keeping, struct ps_batch *batch)
{
    const struct ps_stream_name name = ps_tail_sink_source_name(keeping, "");
    if (batch->count > 0 || batch->span_count > 0 ||
        !ps_batch_span(batch, PS_TAIL_KEEPING_QUESTION, PS_TAIL_KEEPING_PASS, 0, &name))
        return false;
    batch->flush = true;
    return true;
}

char *ps_tail_sink_source_answer(const struct ps_tail_sink_source *keeping, struct ps_port *port)
{
    struct ps_err err = {.length = 0};
    char *records = ps_sink_positions_take(keeping->owner_key);
    if (records != NULL)
        return records;
    ps_err_set(&err, "the sink has not reported the positions that it keeps for this source");
    ps_port_failed(port, &err);
    return NULL;
}
