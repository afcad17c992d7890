#include "stages/lib/elastic/bulk.h"

#include <stdio.h>
#include <string.h>

#include "stages/lib/http/probe.h"

struct trial {
    const struct ps_elastic_plan *plan;
    struct ps_elastic_server server;
    bool is_missing;
};

static void set(struct ps_http_verdict *verdict, enum ps_probed result, const char *text, const char *cure)
{
    verdict->result = result;
    verdict->cure = cure;
    snprintf(verdict->text, sizeof verdict->text, "%.300s", text);
}

static void judge_server(void *argument, const struct ps_http_request *answer,
                         struct ps_http_verdict *verdict)
{
    struct trial *trial = argument;
    const struct ps_elastic_server *server = &trial->server;
    struct ps_err err = {.length = 0};
    if (!ps_elastic_judge(trial->plan, answer, &trial->server, &err)) {
        set(verdict, PS_PROBED_FAILED, err.text, trial->plan->sink.cure(NULL, answer->status));
        return;
    }
    snprintf(verdict->text, sizeof verdict->text, "%s %u.%u, cluster %.100s",
             server->is_opensearch ? "OpenSearch" : "Elasticsearch", server->major, server->minor,
             server->cluster);
}

static bool has_no_right(const struct ps_http_request *answer)
{
    return answer->status == 401 || answer->status == 403;
}

/* A missing index gets no verdict yet. */
static void judge_index(void *argument, const struct ps_http_request *answer, struct ps_http_verdict *verdict)
{
    struct trial *trial = argument;
    char text[64];
    trial->is_missing = answer->status == 404;
    snprintf(text, sizeof text, "HTTP %ld", answer->status);
    if (answer->status == 200)
        set(verdict, PS_PROBED_OK, "exists", NULL);
    else if (has_no_right(answer))
        set(verdict, PS_PROBED_SKIPPED, "this login may not ask for it", NULL);
    else if (!trial->is_missing)
        set(verdict, PS_PROBED_FAILED, text, NULL);
    else if (trial->plan->is_data_stream)
        set(verdict, PS_PROBED_SKIPPED,
            "it does not exist yet: the first event makes it if an index template with data_stream matches "
            "its "
            "name",
            NULL);
}

/* What the cluster's settings mean for an index that is missing. A list of patterns may allow it; only "false" certainly does not. */
static void judge_settings(void *, const struct ps_http_request *answer, struct ps_http_verdict *verdict)
{
    static const char none[] = "\"auto_create_index\":\"false\"";
    if (has_no_right(answer))
        set(verdict, PS_PROBED_SKIPPED,
            "it does not exist, and this login may not ask whether the first event makes it", NULL);
    else if (answer->status == 200 && answer->body != NULL && strstr(answer->body, none) != NULL)
        set(verdict, PS_PROBED_FAILED, "it does not exist, and the server makes none",
            "create it, or allow it in action.auto_create_index of the cluster's settings");
    else
        set(verdict, PS_PROBED_OK, "does not exist; the first event makes it", NULL);
}

void ps_elastic_probe(const struct ps_elastic_plan *plan, struct ps_context *context,
                      const struct ps_probe *probe)
{
    struct trial trial = {.plan = plan};
    const struct ps_http_sink_plan *sink = &plan->sink;
    unsigned host = ps_http_probe_hosts(probe, sink, judge_server, &trial);
    if (host == sink->host_count || plan->index.constant == NULL || plan->index.date != NULL)
        return;
    const char *kind = plan->is_data_stream ? "data stream" : "index",
               *folder = plan->is_data_stream ? "_data_stream/" : "",
               *server = sink->hosts[host].greeting, /* ends with a slash */
                   *what = ps_arena_format(context->arena, "%s %s", kind, plan->index.constant);
    char *name = curl_easy_escape(NULL, plan->index.constant, 0);
    (void)ps_http_probe_ask(
        probe, sink, ps_arena_format(context->arena, "%s%s%s", server, folder, name != NULL ? name : ""),
        what, judge_index, &trial);
    curl_free(name);
    if (trial.is_missing && !plan->is_data_stream)
        (void)ps_http_probe_ask(
            probe, sink,
            ps_arena_format(
                context->arena,
                "%s_cluster/settings?include_defaults=true&filter_path=*.action.auto_create_index", server),
            what, judge_settings, NULL);
}
