/* What targets over a byte stream share (tcp, tls, netcat): connecting with back-off, writing blocks, reading
 * answers, going on after a lost connection with the first event that was not completed.
 *
 * A target's own file reads its URL keys in `plan`, which it fills a ps_load_stream_plan with, and takes the
 * other functions of its ps_target_ops from here.
 *
 * Thread: the lane's sender. Never blocks. */
#pragma once

#include "bench/load/target.h"
#include "stages/net/client.h"

/* The first member of a target's plan. */
struct ps_load_stream_plan {
    struct ps_client_plan client;
    /* Counts the answers in what came back, one an event in order, up to the first that is a no (`*refused`,
     * `reason`, of PS_TRANSPORT_REASON_BYTES, says why); `*taken` bytes of it. The rest comes again, with more behind it. NULL: an event is
     * completed when it was written, and what comes back is thrown away. */
    uint32_t (*answers)(const char *data, size_t length, size_t *taken, bool *refused, char *reason);
};

/* Address, send_buffer and nagle from the URL; transport plain, no answers. */
enum ps_status ps_load_stream_plan_read(struct ps_load_stream_plan *plan, struct ps_url *url,
                                        unsigned default_port, struct ps_err *err);
/* framing=newline|octet-counted */
enum ps_status ps_load_stream_framing_read(struct ps_url *url, enum ps_framing *framing, struct ps_err *err);

/* For ps_target_ops; `plan` begins with a ps_load_stream_plan. */
enum ps_status ps_load_stream_open(void **state, const void *plan, struct ps_lane *lane, struct ps_err *err);
void ps_load_stream_give(void *state, struct ps_load_block *block);
uint64_t ps_load_stream_work(void *state, uint64_t now_ns);
int ps_load_stream_descriptor(void *state, short *events);
bool ps_load_stream_finish(void *state, uint64_t now_ns);
void ps_load_stream_close(void *state);
