/* See check.h. */
#include "conf/validate/check.h"

#include "conf/parts.h"
#include "conf/text.h"
#include "conf/validate/host.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The address to which a sink sends. */
struct end {
    struct ps_host host;
    unsigned long port;
};

/* ---- does a sink send to a source? ---- */

/* The end that a sink sends to, compared with each address on which a source listens (ps_stage_ops.listens). */
struct question {
    struct end end;
    bool is_met;
};

static void compare(void *question_, const struct ps_listens *listens)
{
    struct question *question = question_;
    const struct ps_host *to = &question->end.host;
    const struct ps_host host =
        ps_host_read(listens->host, listens->host != NULL ? strlen(listens->host) : 0);
    bool is_host = ps_hosts_equal(to, &host) || (host.form == PS_HOST_EVERY && ps_host_is_loopback(to));
    if (!listens->datagrams && listens->port != 0 && listens->port == question->end.port && is_host)
        question->is_met = true;
}

/* Sets where an address is: "http://HOST:PORT/PATH". Returns false if it is another text. */
static bool read_url(const char *url, struct end *end)
{
    bool is_plain = strncasecmp(url, "http://", 7) == 0;
    if (!is_plain && strncasecmp(url, "https://", 8) != 0)
        return false;
    const char *host = url + (is_plain ? 7 : 8);
    size_t length = strcspn(host, "/?#");
    const char *colon = memrchr(host, ':', length);
    bool has_port = colon != NULL && memchr(colon, ']', length - (size_t)(colon - host)) == NULL;
    end->host = ps_host_read(host, has_port ? (size_t)(colon - host) : length);
    end->port = has_port ? strtoul(colon + 1, NULL, 10) : is_plain ? 80 : 443;
    return true;
}

static bool read_end(const struct ps_conf_part *sink, struct end *end)
{
    const char *host = ps_pairs_get(&sink->pairs, "hostname"), *port = ps_pairs_get(&sink->pairs, "port");
    const char *url = ps_pairs_get(&sink->pairs, "endpoint");
    if (strcmp(sink->ops->name, "http") == 0)
        return url != NULL && read_url(url, end);
    if (host == NULL || port == NULL)
        return false;
    *end = (struct end){ps_host_read(host, strlen(host)), strtoul(port, NULL, 10)};
    return true;
}

static size_t path_length(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

static bool writes_into(const struct ps_conf_part *sink, const struct ps_conf_part *source)
{
    const char *to = ps_pairs_get(&sink->pairs, "sink.directory"),
               *from = ps_pairs_get(&source->pairs, "spoolDir");
    return strcmp(sink->ops->name, "file_roll") == 0 && strcmp(source->ops->name, "spooldir") == 0 &&
           to != NULL && from != NULL && path_length(to) == path_length(from) &&
           strncmp(to, from, path_length(to)) == 0;
}

static bool sends_to(const struct ps_conf_part *sink, const struct ps_conf_part *source)
{
    const char *name = sink->ops->name;
    bool is_remote = strcmp(name, "avro") == 0 || strcmp(name, "thrift") == 0 || strcmp(name, "http") == 0;
    struct question question = {.is_met = false};
    if (!is_remote || strcmp(name, source->ops->name) != 0 || source->ops->listens == NULL ||
        !read_end(sink, &question.end))
        return false;
    source->ops->listens(source->plan, compare, &question);
    return question.is_met;
}

/* Returns whether the source takes every event that is sent or written to it. The sink http posts the body alone: a
 * JSONHandler answers 400 to most bodies, and mandatory parameters of a handler are missing. */
static bool takes_all(const struct ps_conf_part *source)
{
    static const char *const choosing[] = {"includePattern", "ignorePattern", "handler.mandatoryParameters"};
    const char *filters = ps_pairs_get(&source->pairs, "ipFilter");
    const char *handler = ps_pairs_get(&source->pairs, "handler");
    for (size_t i = 0; i < PS_COUNT_OF(choosing); i++) {
        if (ps_pairs_get(&source->pairs, choosing[i]) != NULL)
            return false;
    }
    if (strcmp(source->ops->name, "http") == 0 && (handler == NULL || strcasestr(handler, "blob") == NULL))
        return false;
    return filters == NULL || strcasecmp(filters, "true") != 0;
}

/* ---- does the source's flow lead back? ---- */

/* Returns whether every event of the source reaches all its channels. */
static bool passes_all(const struct ps_conf_source *source)
{
    static const char *const passing[] = {"timestamp", "host",          "static",
                                          "uuid",      "remove_header", "search_replace"};
    if (strcmp(source->selector.ops->name, "replicating") != 0)
        return false;
    for (size_t i = 0; i < source->interceptor_count; i++) {
        bool is_passing = false;
        for (size_t k = 0; k < PS_COUNT_OF(passing); k++)
            is_passing |= strcmp(source->interceptors[i].ops->name, passing[k]) == 0;
        if (!is_passing)
            return false;
    }
    return true;
}

static bool gives_to(const struct ps_conf_sink *sink, const struct ps_conf_source *source)
{
    return (sends_to(&sink->part, &source->part) || writes_into(&sink->part, &source->part)) &&
           takes_all(&source->part) && passes_all(source);
}

/* Returns whether every event of its channel comes to the sink: no other sink takes from the channel, and no group
 * chooses between this sink and others. */
static bool gets_all(const struct ps_conf_agent *agent, const struct ps_conf_sink *sink)
{
    for (size_t i = 0; i < agent->sink_count; i++) {
        const struct ps_conf_sink *other = &agent->sinks[i];
        if (other != sink &&
            (strcmp(other->channel, sink->channel) == 0 ||
             (sink->group != NULL && other->group != NULL && strcmp(other->group, sink->group) == 0)))
            return false;
    }
    return true;
}

struct search {
    const struct ps_conf_agent *agent;
    bool *seen;    /* by source */
    size_t *waits; /* sources that were reached; the sinks behind them were not looked at yet */
    size_t wait_count;
};

static void add_source(struct search *search, size_t source)
{
    if (!search->seen[source])
        search->waits[search->wait_count++] = source;
    search->seen[source] = true;
}

/* Returns whether events of the source reach the sink. */
static bool leads_to(struct search *search, size_t from, const struct ps_conf_sink *to)
{
    const struct ps_conf_agent *agent = search->agent;
    memset(search->seen, 0, agent->source_count * sizeof *search->seen);
    search->wait_count = 0;
    add_source(search, from);
    while (search->wait_count > 0) {
        const struct ps_conf_source *source = &agent->sources[search->waits[--search->wait_count]];
        if (ps_texts_have(&source->channels, to->channel))
            return true;
        for (size_t i = 0; i < agent->sink_count; i++) {
            const struct ps_conf_sink *sink = &agent->sinks[i];
            bool is_met = ps_texts_have(&source->channels, sink->channel) && gets_all(agent, sink);
            for (size_t k = 0; is_met && k < agent->source_count; k++) {
                if (gives_to(sink, &agent->sources[k]))
                    add_source(search, k);
            }
        }
    }
    return false;
}

static void report(struct ps_conf *conf, const struct ps_conf_sink *sink, const struct ps_conf_source *source)
{
    bool writes = writes_into(&sink->part, &source->part);
    const char *key = writes                                      ? "sink.directory"
                      : strcmp(sink->part.ops->name, "http") == 0 ? "endpoint"
                                                                  : "port";
    ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, ps_conf_part_place(conf, &sink->part, key),
                   ps_arena_format(conf->arena, "%s another place, or give source %s another channel",
                                   writes ? "write into" : "send to", source->part.name),
                   "%s source %s of this agent, whose events come to this sink again: they go round for ever",
                   writes ? "writes into the directory of" : "sends to", source->part.name);
}

/* Reports the first source to which the sink gives events and from which these events come back to the sink. */
static void check_sink(struct ps_conf *conf, struct search *search, const struct ps_conf_sink *sink)
{
    const struct ps_conf_agent *agent = search->agent;
    if (!gets_all(agent, sink))
        return;
    for (size_t i = 0; i < agent->source_count; i++) {
        if (gives_to(sink, &agent->sources[i]) && leads_to(search, i, sink)) {
            report(conf, sink, &agent->sources[i]);
            return;
        }
    }
}

void ps_check_rounds(struct ps_conf *conf)
{
    const struct ps_conf_agent *agent = &conf->agent;
    if (agent->source_count == 0)
        return;
    struct search search = {.agent = agent};
    search.seen = ps_must_alloc(agent->source_count, sizeof *search.seen, "the rounds of a configuration");
    search.waits = ps_must_alloc(agent->source_count, sizeof *search.waits, "the rounds of a configuration");
    for (size_t i = 0; i < agent->sink_count; i++)
        check_sink(conf, &search, &agent->sinks[i]);
    free(search.seen);
    free(search.waits);
}
