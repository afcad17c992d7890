#include "stages/lib/http/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_BYTES 320U
#define URL_BYTES 2048U

unsigned ps_http_hosts_choose(struct ps_http_sink *sink)
{
    unsigned count = sink->host_count, chosen = 0;
    bool has_one = false;
    for (unsigned i = 1; i <= count; i++) {
        unsigned number = (sink->turn + i) % count;
        const struct ps_http_host_state *host = &sink->hosts[number], *best = &sink->hosts[chosen];
        if (host->is_gone)
            continue;
        bool rests = sink->requests.sink.now_ns < host->rest_ns,
             best_rests = sink->requests.sink.now_ns < best->rest_ns;
        if (!has_one || (best_rests && (!rests || host->rest_ns < best->rest_ns)) ||
            (!rests && !best_rests && host->in_flight < best->in_flight))
            chosen = number;
        has_one = true;
    }
    return sink->turn = chosen;
}

/* The hosts are those of the configuration again. Returns whether they were others. */
static bool go_back(struct ps_http_sink *sink)
{
    bool were_others = false;
    sink->sniff_ns = 0;
    for (unsigned i = 0; i < sink->host_count && !sink->plan->finds_hosts; i++) {
        bool is_gone = i >= sink->plan->host_count;
        were_others |= is_gone != sink->hosts[i].is_gone;
        sink->hosts[i].is_gone = is_gone;
    }
    return were_others;
}

static bool has_awake(const struct ps_http_sink *sink)
{
    bool has_one = false;
    for (unsigned i = 0; i < sink->host_count; i++)
        has_one |= !sink->hosts[i].is_gone && sink->hosts[i].rest_ns <= sink->requests.sink.now_ns;
    return has_one;
}

bool ps_http_hosts_note(struct ps_http_sink *sink, unsigned number, bool answered)
{
    struct ps_remote_sink *remote = &sink->requests.sink;
    struct ps_http_host_state *host = &sink->hosts[number];
    host->failures = answered ? 0 : host->failures + 1;
    host->rest_ns = answered ? 0 : remote->now_ns + ps_port_rest_ns(remote->port, host->failures);
    if (!answered && sink->plan->finds_hosts)
        sink->sniff_ns = 0;
    return has_awake(sink) || (go_back(sink) && has_awake(sink));
}

/* ---- the cluster's servers ---- */

/* Makes the names of a server that the cluster has named. Returns false if there is no memory. */
static bool make_names(const struct ps_http_sink_plan *plan, struct ps_http_host_state *host,
                       const char *address)
{
    const char *const paths[] = {plan->post_path, plan->other_path != NULL ? plan->other_path : "",
                                 plan->greeting_path};
    const char *texts[PS_COUNT_OF(paths)];
    size_t room = PS_COUNT_OF(paths) * (strlen(plan->scheme) + strlen(address) + 1) + strlen(address) + 16;
    for (size_t i = 0; i < PS_COUNT_OF(paths); i++)
        room += strlen(paths[i]);
    char *at = malloc(room);
    if (at == NULL)
        return false;
    free(host->memory);
    host->memory = at;
    for (size_t i = 0; i < PS_COUNT_OF(paths); i++) {
        texts[i] = at;
        at += sprintf(at, "%s%s%s", plan->scheme, address, paths[i]) + 1;
    }
    bool is_secure = strncmp(plan->scheme, "https", 5) == 0;
    (void)sprintf(at, "%s%s", plan->scheme[0] == '\0' ? "" : is_secure ? "https://" : "http://", address);
    host->names = (struct ps_http_host){.url = texts[0],
                                        .other = plan->other_path != NULL ? texts[1] : NULL,
                                        .greeting = texts[2],
                                        .shown = at};
    return true;
}

/* Returns the place of the server of this greeting, or one for it; NULL: there is none, or no memory. */
static struct ps_http_host_state *place_of(struct ps_http_sink *sink, const char *address)
{
    char greeting[URL_BYTES];
    struct ps_http_host_state *free_one = NULL;
    (void)snprintf(greeting, sizeof greeting, "%s%s%s", sink->plan->scheme, address,
                   sink->plan->greeting_path);
    for (unsigned i = 0; i < sink->host_count; i++) {
        struct ps_http_host_state *host = &sink->hosts[i];
        if (strcmp(host->names.greeting, greeting) == 0)
            return host;
        if (i >= sink->plan->host_count && host->is_gone && !host->is_seen && host->in_flight == 0)
            free_one = host;
    }
    if (free_one == NULL && sink->host_count < PS_HTTP_HOSTS_MAX)
        free_one = &sink->hosts[sink->host_count];
    if (free_one == NULL || !make_names(sink->plan, free_one, address))
        return NULL;
    sink->host_count += free_one == &sink->hosts[sink->host_count];
    free_one->rest_ns = free_one->failures = 0;
    free_one->is_gone = true;
    return free_one;
}

void ps_http_sink_host(struct ps_http_sink *sink, const char *address, size_t length)
{
    char text[ADDRESS_BYTES];
    if (length >= sizeof text)
        return;
    memcpy(text, address, length);
    text[length] = '\0';
    struct ps_http_host_state *host = place_of(sink, text);
    if (host != NULL)
        host->is_seen = true;
}

static void add_node(void *sink, const char *address, size_t length)
{
    ps_http_sink_host(sink, address, length);
}

void ps_http_sink_hosts_begin(struct ps_http_sink *sink)
{
    for (unsigned i = 0; i < sink->host_count; i++)
        sink->hosts[i].is_seen = false;
}

bool ps_http_sink_hosts_end(struct ps_http_sink *sink)
{
    unsigned seen = 0, came = 0, went = 0, had = 0;
    for (unsigned i = 0; i < sink->host_count; i++) {
        seen += sink->hosts[i].is_seen;
        had += !sink->hosts[i].is_gone;
    }
    sink->has_not_sniffed = seen == 0;
    for (unsigned i = 0; seen > 0 && i < sink->host_count; i++) {
        struct ps_http_host_state *host = &sink->hosts[i];
        came += host->is_seen && host->is_gone;
        went += !host->is_seen && !host->is_gone;
        host->is_gone = !host->is_seen;
    }
    if (came + went > 0)
        ps_log(PS_LOG_INFO, sink->requests.sink.port->component,
               "servers of the cluster: %u; %u came, %u went", seen, came, went);
    return had + came > 0;
}

/* An answer without servers changes nothing. */
static void take_nodes(struct ps_http_sink *sink)
{
    const struct ps_http_request *answer = &sink->greeting;
    bool had_not = sink->has_not_sniffed;
    if (answer->status < 100) {
        sink->sniff_ns = 0; /* the next turn asks another one */
        return;
    }
    ps_http_sink_hosts_begin(sink);
    if (answer->status == 200)
        sink->plan->read_nodes(answer, add_node, sink);
    (void)ps_http_sink_hosts_end(sink);
    if (sink->has_not_sniffed && !had_not)
        ps_log(PS_LOG_WARN, sink->requests.sink.port->component,
               "%s names no servers of its cluster (HTTP %ld); the hosts stay as they are",
               sink->hosts[sink->greeting_host].names.shown, answer->status);
}

/* ---- questions ---- */

void ps_http_hosts_take_greeting(struct ps_http_sink *sink)
{
    struct ps_http_request *answer = &sink->greeting;
    struct ps_err err = {.length = 0};
    bool answered = answer->status >= 100;
    bool has_host = ps_http_hosts_note(sink, sink->greeting_host, answered && answer->status < 500);
    if (sink->sniffs) {
        take_nodes(sink);
        return;
    }
    const char *shown = sink->hosts[sink->greeting_host].names.shown;
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

/* Sends a question to a host; the path stands behind the host's URL, NULL: the greeting. */
static void ask(struct ps_http_sink *sink, const char *path)
{
    char url[URL_BYTES];
    struct ps_remote_sink *remote = &sink->requests.sink;
    sink->greeting_host = ps_http_hosts_choose(sink);
    const struct ps_http_host *host = &sink->hosts[sink->greeting_host].names;
    struct ps_http_order order = {.method = "GET",
                                  .url = host->greeting,
                                  .headers = sink->plan->settings.headers,
                                  .answer_max = sink->plan->answer_bytes_max};
    if (path != NULL) {
        size_t length = strlen(host->greeting) - strlen(sink->plan->greeting_path);
        (void)snprintf(url, sizeof url, "%.*s%s", (int)length, host->greeting, path);
        order.url = url; /* it is copied */
    }
    sink->sniffs = path != NULL;
    ps_http_request_order(&sink->greeting, &sink->client, &order, remote->now_ns);
}

bool ps_http_hosts_greet(struct ps_http_sink *sink)
{
    struct ps_remote_sink *remote = &sink->requests.sink;
    if (sink->plan->greeted == NULL || sink->is_greeted)
        return true;
    if (sink->greeting.busy || ps_remote_sink_rests(remote) || remote->held.count == 0 ||
        sink->host_count == 0)
        return false;
    if (sink->greeting.easy == NULL && !ps_http_request_open(&sink->greeting, &sink->plan->settings)) {
        ps_remote_sink_rest(remote);
        return false;
    }
    ask(sink, NULL);
    return false;
}

void ps_http_hosts_sniff(struct ps_http_sink *sink)
{
    const struct ps_remote_sink *remote = &sink->requests.sink;
    if (sink->plan->sniff_ns == 0 || !sink->is_greeted || sink->greeting.busy || remote->held.count == 0 ||
        remote->now_ns < sink->sniff_ns || !has_awake(sink))
        return;
    sink->sniff_ns = remote->now_ns + sink->plan->sniff_ns;
    ask(sink, sink->plan->nodes_path);
}

/* ---- set-up ---- */

bool ps_http_hosts_open(struct ps_http_sink *sink)
{
    const struct ps_http_sink_plan *plan = sink->plan;
    sink->host_count = plan->host_count;
    if (plan->host_count == 0 && !plan->finds_hosts)
        return true;
    sink->hosts = calloc(plan->sniff_ns > 0 || plan->finds_hosts ? PS_HTTP_HOSTS_MAX : plan->host_count,
                         sizeof *sink->hosts);
    for (unsigned i = 0; sink->hosts != NULL && i < plan->host_count; i++)
        sink->hosts[i].names = plan->hosts[i];
    return sink->hosts != NULL;
}

void ps_http_hosts_close(struct ps_http_sink *sink)
{
    for (unsigned i = 0; sink->hosts != NULL && i < sink->host_count; i++)
        free(sink->hosts[i].memory);
    free(sink->hosts);
    sink->hosts = NULL;
}
