#include "stages/lib/http/hosts.h"

unsigned ps_http_hosts_choose(struct ps_http_sink *sink)
{
    unsigned count = sink->plan->host_count, chosen = 0;
    bool has_one = false;
    for (unsigned i = 1; i <= count; i++) {
        unsigned number = (sink->turn + i) % count;
        const struct ps_http_host_state *host = &sink->hosts[number], *best = &sink->hosts[chosen];
        bool rests = sink->requests.sink.now_ns < host->rest_ns,
             best_rests = sink->requests.sink.now_ns < best->rest_ns;
        if (!has_one || (best_rests && (!rests || host->rest_ns < best->rest_ns)) ||
            (!rests && !best_rests && host->in_flight < best->in_flight))
            chosen = number;
        has_one = true;
    }
    return sink->turn = chosen;
}

bool ps_http_hosts_note(struct ps_http_sink *sink, unsigned number, bool answered)
{
    struct ps_remote_sink *remote = &sink->requests.sink;
    struct ps_http_host_state *host = &sink->hosts[number];
    bool has_one = false;
    host->failures = answered ? 0 : host->failures + 1;
    host->rest_ns = answered ? 0 : remote->now_ns + ps_port_rest_ns(remote->port, host->failures);
    for (unsigned i = 0; i < sink->plan->host_count; i++)
        has_one |= sink->hosts[i].rest_ns <= remote->now_ns;
    return has_one;
}

/* ---- the greeting ---- */

void ps_http_hosts_take_greeting(struct ps_http_sink *sink)
{
    struct ps_http_request *answer = &sink->greeting;
    struct ps_err err = {.length = 0};
    bool answered = answer->status >= 100;
    bool has_host = ps_http_hosts_note(sink, sink->greeting_host, answered && answer->status < 500);
    const char *shown = sink->plan->hosts[sink->greeting_host].shown;
    if (!answered)
        ps_err_set(&err, "%s: %s", shown, answer->failure != NULL ? answer->failure : "no HTTP answer");
    else if (sink->plan->greeted(sink, answer, &err)) {
        sink->is_greeted = true;
        sink->requests.sink.failures = 0;
        return;
    }
    if (!answered && has_host)
        return; /* the next one is asked at once */
    ps_remote_sink_failed(&sink->requests.sink, &err);
}

bool ps_http_hosts_greet(struct ps_http_sink *sink)
{
    struct ps_remote_sink *remote = &sink->requests.sink;
    if (sink->plan->greeted == NULL || sink->is_greeted)
        return true;
    if (sink->greeting.busy || ps_remote_sink_rests(remote) || remote->held.count == 0)
        return false;
    if (sink->greeting.easy == NULL && !ps_http_request_open(&sink->greeting, &sink->plan->settings)) {
        ps_remote_sink_rest(remote);
        return false;
    }
    sink->greeting_host = ps_http_hosts_choose(sink);
    const struct ps_http_order order = {.method = "GET",
                                        .url = sink->plan->hosts[sink->greeting_host].greeting,
                                        .headers = sink->plan->settings.headers,
                                        .answer_max = sink->plan->answer_bytes_max};
    ps_http_request_order(&sink->greeting, &sink->client, &order, remote->now_ns);
    return false;
}
