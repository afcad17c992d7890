#include "stages/lib/remote/probe.h"

#include "core/clock.h"

#include <poll.h>

#define LOOK_MS 20

bool ps_remote_probe_address(const struct ps_probe *probe, const struct ps_remote_target *target,
                             const char *shown, struct ps_client_plan *to)
{
    struct ps_err err = {.length = 0};
    ps_lookup_wait(target->lookup, ps_probe_left_ms(probe));
    if (ps_remote_target_aim(target, to, &err) == PS_OK)
        return true;
    ps_probe_key_failed(probe, "hostname", shown, err.text, "correct the name, or the machine's name server");
    return false;
}

/* If there is no connection, returns false, with the reason in `reason`. The loop ends, because the plan
 * limits the time for connecting. */
static bool connects(struct ps_client *client, char *reason)
{
    if (!ps_client_connect(client, ps_clock_now().mono_ns, reason))
        return false;
    while (client->phase != PS_CLIENT_UP) {
        struct pollfd ready = {.events = 0};
        ready.fd = ps_client_descriptor(client, false, &ready.events);
        (void)poll(&ready, 1, LOOK_MS);
        if (!ps_client_work(client, ps_clock_now().mono_ns, reason))
            return false;
    }
    return true;
}

void ps_remote_probe_connection(const struct ps_probe *probe, const struct ps_client_plan *to,
                                const char *what)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    struct ps_client client;
    ps_client_init(&client, to);
    if (connects(&client, reason))
        ps_probe_ok(probe, "%s: accepts connections", what);
    else
        ps_probe_failed(probe, what, reason,
                        "check that the server runs, and that this machine reaches it (firewall)");
    ps_client_close(&client);
}
