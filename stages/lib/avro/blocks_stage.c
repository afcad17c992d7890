#include "stages/lib/avro/blocks_stage.h"

#include <string.h>

enum ps_status ps_avro_blocks_check(const void *plan_, const struct ps_context *context)
{
    const struct ps_avro_blocks_plan *plan = plan_;
    enum ps_avro_codec codec;
    if (!ps_avro_codec_find(plan->codec_name, strlen(plan->codec_name), &codec))
        ps_report(context, PS_LOG_WARN, "compressionCodec",
                  "%s is not a codec of Avro: files are not compressed, as in Flume", plan->codec_name);
    return PS_OK;
}

enum ps_status ps_avro_blocks_build(void *plan_, struct ps_context *, struct ps_err *)
{
    struct ps_avro_blocks_plan *plan = plan_;
    plan->codec = PS_AVRO_CODEC_NULL;
    (void)ps_avro_codec_find(plan->codec_name, strlen(plan->codec_name), &plan->codec);
    return PS_OK;
}

enum ps_status ps_avro_blocks_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_avro_blocks_plan *plan = plan_;
    struct ps_avro_blocks_state *state = state_;
    state->port = port;
    state->blocks.codec = plan->codec;
    state->blocks.interval_bytes = (uint64_t)plan->sync_interval;
    state->blocks.share = ps_avro_share_open(port);
    if (state->blocks.share != NULL &&
        (plan->codec == PS_AVRO_CODEC_NULL || ps_avro_share_packer(state->blocks.share, plan->codec) != NULL))
        return PS_OK;
    ps_avro_share_close(state->blocks.share, port);
    return ps_err_set(err, "no memory for Avro files");
}

void ps_avro_blocks_close(const void *, void *state_)
{
    struct ps_avro_blocks_state *state = state_;
    ps_avro_blocks_fini(&state->blocks);
    ps_avro_share_close(state->blocks.share, state->port);
}

bool ps_avro_blocks_end(const void *, void *state_, struct ps_output *output)
{
    struct ps_avro_blocks_state *state = state_;
    return ps_avro_blocks_flush(&state->blocks, output);
}
