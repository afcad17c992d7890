#include "stages/lib/http/probe.h"

#include "core/clock.h"

#include <poll.h>
#include <stdio.h>

#define LOOK_MS 20 /* libcurl looks names up on a thread, so the client also works without input */

/* Waits for the end of the request. Returns false if it did not end in time. */
static bool await_end(struct ps_http_client *client, uint64_t until_ns)
{
    for (;;) {
        uint64_t now_ns = ps_clock_now().mono_ns;
        ps_http_client_work(client, now_ns);
        if (ps_http_client_next(client) != NULL)
            return true;
        if (now_ns >= until_ns)
            return false;
        struct pollfd ready = {.fd = client->poll_fd, .events = POLLIN};
        (void)poll(&ready, 1, LOOK_MS);
    }
}

/* Returns NULL if the server answers, else the reason why it does not. */
static const char *try_server(const struct ps_http_settings *settings, uint64_t timeout_ns)
{
    struct ps_http_client client;
    struct ps_http_request request = {.easy = NULL};
    struct ps_err err = {.length = 0};
    const char *cause = "no memory";
    uint64_t now_ns = ps_clock_now().mono_ns;
    if (ps_http_client_open(&client, 1, &err) != PS_OK)
        return cause;
    if (ps_http_request_open(&request, settings)) {
        ps_http_request_connect(&request, &client, now_ns);
        cause = await_end(&client, now_ns + timeout_ns) ? request.failure : "no answer in time";
    }
    ps_http_request_close(&request, &client);
    ps_http_client_close(&client);
    return cause;
}

void ps_http_probe(const struct ps_probe *probe, const struct ps_http_settings *settings, const char *shown)
{
    char what[320];
    uint64_t timeout_ns = ps_probe_left_ms(probe) * PS_NS_PER_MS;
    snprintf(what, sizeof what, "server of %s", shown);
    if (probe->local) {
        ps_probe_skipped(probe, what, "not asked");
        return;
    }
    if (timeout_ns == 0) {
        ps_probe_skipped(probe, what, "no time is left to ask it");
        return;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    const char *cause = try_server(settings, timeout_ns);
    curl_global_cleanup();
    if (cause == NULL)
        ps_probe_ok(probe, "%s: accepts connections", what);
    else
        ps_probe_failed(probe, what, cause,
                        "check that the server runs, that this machine reaches it (DNS, firewall), and for "
                        "https that its certificate is signed by a known authority (penstock.ssl.ca)");
}
