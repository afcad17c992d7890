#include "stages/lib/rpc/probe.h"

#include "core/clock.h"

#include <poll.h>
#include <stdio.h>

#define LOOK_MS 20

struct attempt {
    bool sent, answered;
    enum ps_rpc_status status;
};

static void on_answer(void *owner, uint64_t, enum ps_rpc_status status)
{
    struct attempt *attempt = owner;
    attempt->answered = true;
    attempt->status = status;
}

/* Sends a call of appendBatch without events. Returns false if there is no memory. */
static bool send_nothing(struct ps_rpc_client *client, uint64_t now_ns)
{
    const struct ps_rpc_protocol *protocol = client->settings->protocol;
    uint8_t *to = ps_rpc_client_reserve(client, protocol->call_bytes_max);
    if (to == NULL)
        return false;
    size_t length = protocol->put_call(to, 0, ps_rpc_client_has_rounds(client) ? 1 : 0);
    length += protocol->put_end(to + length);
    ps_rpc_client_send(client, length, 0, now_ns);
    return true;
}

/* Connects and waits for the answer. If there is none, returns false, with the reason in client->reason. */
static bool converse(struct ps_rpc_client *client, struct attempt *attempt, uint64_t until_ns)
{
    const struct ps_rpc_client_answers answers = {.answered = on_answer, .owner = attempt};
    if (!ps_rpc_client_connect(client, ps_clock_now().mono_ns))
        return false;
    for (;;) {
        uint64_t now_ns = ps_clock_now().mono_ns;
        if (!ps_rpc_client_work(client, &answers, now_ns))
            return false;
        if (attempt->answered)
            return true;
        if (!attempt->sent && ps_rpc_client_may_send(client)) {
            attempt->sent = true;
            if (send_nothing(client, now_ns))
                continue;
            snprintf(client->reason, sizeof client->reason, "no memory");
            return false;
        }
        if (now_ns >= until_ns) {
            snprintf(client->reason, sizeof client->reason, "no answer in time");
            return false;
        }
        struct pollfd ready = {.events = 0};
        ready.fd = ps_rpc_client_descriptor(client, &ready.events);
        (void)poll(&ready, 1, LOOK_MS);
    }
}

void ps_rpc_probe(const struct ps_probe *probe, const struct ps_rpc_protocol *protocol,
                  const struct ps_client_plan *to, const char *shown, const char *advice)
{
    const struct ps_rpc_client_settings settings = {
        .protocol = protocol, .window = 1, .window_max = 1, .answer_ns = probe->timeout_ms * PS_NS_PER_MS};
    struct attempt attempt = {.sent = false};
    struct ps_rpc_client client;
    char what[320];
    snprintf(what, sizeof what, "%s source at %s", protocol->name, shown);
    ps_rpc_client_init(&client, &settings, to);
    if (!converse(&client, &attempt, ps_clock_now().mono_ns + ps_probe_left_ms(probe) * PS_NS_PER_MS))
        ps_probe_failed(probe, what, client.reason,
                        attempt.sent
                            ? advice
                            : "check that the source runs, and that this machine reaches it (firewall)");
    else if (attempt.status == PS_RPC_OK)
        ps_probe_ok(probe, "%s: answers%s", what, client.is_penstock ? ", a penstock" : "");
    else
        ps_probe_failed(probe, what, "it answers, but accepts no events",
                        "look at its channel: it may be full");
    ps_rpc_client_fini(&client);
}
