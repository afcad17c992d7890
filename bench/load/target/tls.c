/* Target tls: target tcp over TLS (syslog: RFC 5425, whose framing is octet-counted; Flume's sources with
 * ssl=true expect lines). An error in the peer's certificate is reported as the reason of the outage.
 *
 * Thread: the lane's sender; plan and unplan: the main thread. Never blocks, except to resolve names in
 * plan. */
#include "bench/load/lane/stream.h"
#include "bench/load/target/keys.h"
#include "bench/load/targets.h"

struct tls_plan {
    struct ps_load_stream_plan stream; /* must be first */
    struct ps_tls_client *client;
};

static enum ps_status tls_plan(void *made, struct ps_url *url, enum ps_framing *framing, struct ps_err *err)
{
    struct tls_plan *plan = made;
    if (ps_load_stream_plan_read(&plan->stream, url, err) != PS_OK ||
        ps_load_stream_framing_read(url, framing, err) != PS_OK ||
        ps_target_key_tls(url, &plan->client, err) != PS_OK)
        return PS_FAIL;
    plan->stream.client.transport = &ps_transport_tls;
    plan->stream.client.transport_settings = plan->client;
    return PS_OK;
}

static void tls_unplan(void *plan)
{
    ps_tls_client_destroy(((struct tls_plan *)plan)->client);
}

const struct ps_target_ops ps_target_tls = {
    .scheme = "tls",
    .summary =
        "tls://HOST:PORT?ca=FILE&verify=true|false&cert=FILE&key=FILE&server-name=NAME&framing=newline|"
        "octet-counted&send_buffer=64KiB: tcp over TLS",
    .framing = PS_FRAMING_NEWLINE,
    .completion = PS_COMPLETION_WRITTEN,
    .blocks_max = 4,
    .plan_bytes = sizeof(struct tls_plan),
    .plan = tls_plan,
    .unplan = tls_unplan,
    PS_LOAD_STREAM_OPERATIONS,
};
