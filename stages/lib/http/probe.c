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

/* What is asked: `url` NULL: nothing, it only connects. */
struct question {
    const struct ps_http_settings *settings;
    const char *url;
    size_t answer_max;
    void (*judge)(void *argument, const struct ps_http_request *answer, struct ps_http_verdict *verdict);
    void *argument;
};

/* Sets the verdict on a server that answers. Returns NULL, or the reason why it does not. */
static const char *try_server(const struct question *question, uint64_t timeout_ns,
                              struct ps_http_verdict *verdict)
{
    struct ps_http_client client;
    struct ps_http_request request = {.easy = NULL};
    struct ps_err err = {.length = 0};
    const struct ps_http_order order = {.method = "GET",
                                        .url = question->url,
                                        .headers = question->settings->headers,
                                        .answer_max = question->answer_max};
    const char *cause = "no memory";
    uint64_t now_ns = ps_clock_now().mono_ns;
    if (ps_http_client_open(&client, 1, &err) != PS_OK)
        return cause;
    if (ps_http_request_open(&request, question->settings)) {
        if (question->url == NULL)
            ps_http_request_connect(&request, &client, now_ns);
        else
            ps_http_request_order(&request, &client, &order, now_ns);
        cause = await_end(&client, now_ns + timeout_ns) ? request.failure : "no answer in time";
        if (cause == NULL && question->url != NULL)
            question->judge(question->argument, &request, verdict);
        else if (cause != NULL)
            snprintf(verdict->text, sizeof verdict->text, "%s", cause);
    }
    ps_http_request_close(&request, &client);
    ps_http_client_close(&client);
    return cause != NULL ? verdict->text : NULL;
}

static bool ask(const struct ps_probe *probe, const struct question *question, const char *what)
{
    struct ps_http_verdict verdict = {.result = PS_PROBED_OK};
    uint64_t timeout_ns = ps_probe_left_ms(probe) * PS_NS_PER_MS;
    if (probe->local || timeout_ns == 0) {
        ps_probe_skipped(probe, what, probe->local ? "not asked" : "no time is left to ask it");
        return false;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    const char *cause = try_server(question, timeout_ns, &verdict);
    curl_global_cleanup();
    if (cause != NULL)
        ps_probe_failed(probe, what, cause,
                        "check that the server runs, that this machine reaches it (DNS, firewall), and for "
                        "https that its certificate is signed by a known authority (penstock.ssl.ca)");
    else if (verdict.result == PS_PROBED_FAILED)
        ps_probe_failed(probe, what, verdict.text, verdict.cure);
    else if (verdict.result == PS_PROBED_SKIPPED)
        ps_probe_skipped(probe, what, verdict.text);
    else if (question->url == NULL || verdict.text[0] != '\0')
        ps_probe_ok(probe, "%s: %s", what, question->url == NULL ? "accepts connections" : verdict.text);
    return cause == NULL && verdict.result == PS_PROBED_OK;
}

void ps_http_probe(const struct ps_probe *probe, const struct ps_http_settings *settings, const char *shown)
{
    char what[320];
    const struct question question = {.settings = settings};
    snprintf(what, sizeof what, "server of %s", shown);
    (void)ask(probe, &question, what);
}

bool ps_http_probe_ask(const struct ps_probe *probe, const struct ps_http_sink_plan *plan, const char *url,
                       const char *what,
                       void (*judge)(void *argument, const struct ps_http_request *answer,
                                     struct ps_http_verdict *verdict),
                       void *argument)
{
    struct ps_http_settings quick = plan->settings;
    quick.connect_ns = quick.timeout_ns = probe->timeout_ms * PS_NS_PER_MS;
    const struct question question = {&quick, url, plan->answer_bytes_max, judge, argument};
    return ask(probe, &question, what);
}

unsigned ps_http_probe_hosts(const struct ps_probe *probe, const struct ps_http_sink_plan *plan,
                             void (*judge)(void *argument, const struct ps_http_request *answer,
                                           struct ps_http_verdict *verdict),
                             void *argument)
{
    unsigned good = plan->host_count;
    for (unsigned i = 0; i < plan->host_count; i++) {
        char what[320];
        snprintf(what, sizeof what, "server %s", plan->hosts[i].shown);
        if (ps_http_probe_ask(probe, plan, plan->hosts[i].greeting, what, judge, argument) &&
            good == plan->host_count)
            good = i;
    }
    return good;
}
