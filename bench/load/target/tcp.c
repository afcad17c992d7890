/* Target tcp: sends events over a TCP connection, one per line or octet-counted (RFC 6587). An event is
 * completed when the kernel has accepted its last byte: TCP gives no further confirmation. Data in the
 * buffers of a connection that breaks may be lost; verify finds that.
 *
 * Thread: the lane's sender; plan and unplan: the main thread. Never blocks, except to resolve names in
 * plan. */
#include "bench/load/lane/stream.h"
#include "bench/load/targets.h"

static enum ps_status tcp_plan(void *plan, struct ps_url *url, enum ps_framing *framing, struct ps_err *err)
{
    return ps_load_stream_plan_read(plan, url, err) == PS_OK ? ps_load_stream_framing_read(url, framing, err)
                                                             : PS_FAIL;
}

const struct ps_target_ops ps_target_tcp = {
    .scheme = "tcp",
    .summary =
        "tcp://HOST:PORT?framing=newline|octet-counted&send_buffer=64KiB&nagle=false: syslog and lines "
        "over TCP",
    .framing = PS_FRAMING_NEWLINE,
    .completion = PS_COMPLETION_WRITTEN,
    .blocks_max = 4,
    .plan_bytes = sizeof(struct ps_load_stream_plan),
    .plan = tcp_plan,
    PS_LOAD_STREAM_OPERATIONS,
};
