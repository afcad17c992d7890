/* Target avro: talks to Flume's Avro source as Flume's Avro sink and SDK do: appendBatch over Avro's Netty
 * transport. This file reads the URL; lane/avro.h sends, stages/lib/avro encodes.
 *
 * Thread: the lane's sender; plan and unplan: the main thread. Never blocks, except to resolve names in
 * plan. */
#include "bench/load/lane/avro.h"
#include "bench/load/target/keys.h"
#include "bench/load/targets.h"
#include "core/quantity.h"
#include "core/clock.h"

/* As in Flume's sink; a memory channel's default transactionCapacity accepts no more. */
#define BATCH 100U
#define BATCH_MAX 100000U
#define LEVEL 6
#define TIMEOUT_NS (20 * PS_NS_PER_S) /* request-timeout of Flume's sink */

static enum ps_status tls_read(struct ps_avro_plan *plan, struct ps_url *url, struct ps_err *err)
{
    bool tls = false;
    if (ps_target_key_bool(url, "tls", &tls, err) != PS_OK)
        return PS_FAIL;
    if (!tls)
        return PS_OK;
    if (plan->compression_level > 0)
        return ps_err_set(err,
                          "tls and compression: use only one; Flume's versions do not agree on their order");
    plan->stream.client.transport = &ps_transport_tls;
    if (ps_target_key_tls(url, &plan->tls, err) != PS_OK)
        return PS_FAIL;
    plan->stream.client.transport_settings = plan->tls;
    return PS_OK;
}

static enum ps_status avro_plan(void *made, struct ps_url *url, enum ps_framing *, struct ps_err *err)
{
    struct ps_avro_plan *plan = made;
    static const char *const words[] = {"none", "zlib", "deflate", NULL};
    uint64_t batch = BATCH, window = 1, level = LEVEL;
    unsigned compression = 0;
    const char *timeout = ps_url_get(url, "timeout", NULL);
    plan->timeout_ns = TIMEOUT_NS;
    if (ps_load_stream_plan_read(&plan->stream, url, err) != PS_OK ||
        ps_target_key_count(url, "batch", 1, BATCH_MAX, &batch, err) != PS_OK ||
        ps_target_key_count(url, "window", 1, PS_AVRO_WINDOW_MAX, &window, err) != PS_OK ||
        ps_target_key_word(url, "compression", words, &compression, err) != PS_OK ||
        (compression > 0 && ps_target_key_count(url, "level", 1, 9, &level, err) != PS_OK) ||
        (timeout != NULL && ps_quantity_duration("timeout", timeout, &plan->timeout_ns, err) != PS_OK))
        return PS_FAIL;
    plan->batch = (uint32_t)batch;
    plan->window = (unsigned)window;
    plan->compression_level = compression > 0 ? (int)level : PS_AVRO_ZLIB_NONE;
    return tls_read(plan, url, err);
}

static void avro_unplan(void *plan)
{
    ps_tls_client_destroy(((struct ps_avro_plan *)plan)->tls);
}

static int avro_descriptor(void *state, short *events)
{
    const struct ps_avro_lane *avro = state;
    return ps_client_descriptor(&avro->connection.client, avro->full, events);
}

const struct ps_target_ops ps_target_avro = {
    .scheme = "avro",
    .summary = "avro://HOST:PORT?batch=100&window=1&compression=none|zlib&level=6&timeout=20s&tls=false: "
               "Flume's Avro source; with tls=true the keys of tls",
    .framing = PS_FRAMING_NONE,
    .completion = PS_COMPLETION_ACKNOWLEDGED,
    .blocks_max = 16,
    .plan_bytes = sizeof(struct ps_avro_plan),
    .state_bytes = sizeof(struct ps_avro_lane),
    .plan = avro_plan,
    .unplan = avro_unplan,
    .open = ps_avro_lane_open,
    .give = ps_block_queue_give,
    .work = ps_avro_lane_work,
    .descriptor = avro_descriptor,
    .finish = ps_block_queue_finish,
    .close = ps_avro_lane_close,
};
