/* See rounds.h. */
#include "conf/validate/rounds.h"

#include "conf/text.h"
#include "conf/validate/component.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The address to which a sink sends, as written. */
struct end {
    const char *host; /* host_length bytes */
    size_t host_length;
    unsigned long port;
};

/* ---- does a sink send to a source? ---- */

static bool is_text(const struct end *end, const char *text)
{
    return strlen(text) == end->host_length && strncasecmp(end->host, text, end->host_length) == 0;
}

static bool is_loopback(const struct end *end)
{
    return is_text(end, "localhost") || is_text(end, "127.0.0.1") || is_text(end, "::1") ||
           is_text(end, "[::1]");
}

/* What `listens` of a source is compared with. */
struct question {
    struct end end;
    bool is_met;
};

static void compare(void *question_, const struct ps_listens *listens)
{
    struct question *question = question_;
    const struct end *end = &question->end;
    const char *host = listens->host != NULL ? listens->host : "0.0.0.0";
    const struct end source = {host, strlen(host), listens->port};
    bool is_every = is_text(&source, "0.0.0.0") || is_text(&source, "::");
    bool four = is_text(&source, "localhost") || is_text(&source, "127.0.0.1");
    bool is_host = is_text(end, host) || (is_every && is_loopback(end)) ||
                   (four && (is_text(end, "localhost") || is_text(end, "127.0.0.1")));
    if (!listens->datagrams && listens->port != 0 && listens->port == end->port && is_host)
        question->is_met = true;
}

/* Sets where an address is: "http://HOST:PORT/PATH". Returns false if it is another text. */
static bool read_url(const char *url, struct end *end)
{
    bool is_plain = strncasecmp(url, "http://", 7) == 0;
    if (!is_plain && strncasecmp(url, "https://", 8) != 0)
        return false;
    end->host = url + (is_plain ? 7 : 8);
    size_t length = strcspn(end->host, "/?#");
    const char *colon = memrchr(end->host, ':', length);
    bool has_port = colon != NULL && memchr(colon, ']', length - (size_t)(colon - end->host)) == NULL;
    end->host_length = has_port ? (size_t)(colon - end->host) : length;
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
    *end = (struct end){host, strlen(host), strtoul(port, NULL, 10)};
    return true;
}

static size_t path_length(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

/* Returns the sink's key that names the source; NULL: it does not send there. */
static const char *key_to(const struct ps_conf_part *sink, const struct ps_conf_part *source)
{
    const char *name = sink->ops->name;
    if (strcmp(name, "file_roll") == 0 && strcmp(source->ops->name, "spooldir") == 0) {
        const char *to = ps_pairs_get(&sink->pairs, "sink.directory"),
                   *from = ps_pairs_get(&source->pairs, "spoolDir");
        bool same = to != NULL && from != NULL && path_length(to) == path_length(from) &&
                    strncmp(to, from, path_length(to)) == 0;
        return same ? "sink.directory" : NULL;
    }
    bool is_remote = strcmp(name, "avro") == 0 || strcmp(name, "thrift") == 0 || strcmp(name, "http") == 0;
    struct question question = {.is_met = false};
    if (!is_remote || strcmp(name, source->ops->name) != 0 || source->ops->listens == NULL ||
        !read_end(sink, &question.end))
        return NULL;
    source->ops->listens(source->plan, compare, &question);
    if (!question.is_met)
        return NULL;
    return strcmp(name, "http") == 0 ? "endpoint" : "port";
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

struct search {
    struct ps_conf *conf;
    bool *seen;    /* by source */
    size_t *waits; /* sources that are reached, and whose sinks are not looked at yet */
    size_t wait_count;
};

/* Adds the sources that the sink sends to. Returns the first one's key of the sink, or NULL. */
static const char *add_sources(struct search *search, const struct ps_conf_sink *sink,
                               const struct ps_conf_source **first)
{
    const struct ps_conf_agent *agent = &search->conf->agent;
    const char *key = NULL;
    for (size_t i = 0; i < agent->source_count; i++) {
        const char *to = key_to(&sink->part, &agent->sources[i].part);
        if (to == NULL || search->seen[i] || !passes_all(&agent->sources[i]))
            continue;
        search->seen[i] = true;
        search->waits[search->wait_count++] = i;
        if (key == NULL) {
            key = to;
            *first = &agent->sources[i];
        }
    }
    return key;
}

/* Returns whether events of the sources that wait reach the sink. */
static bool come_back(struct search *search, const struct ps_conf_sink *to)
{
    const struct ps_conf_agent *agent = &search->conf->agent;
    const struct ps_conf_source *unused;
    while (search->wait_count > 0) {
        const struct ps_conf_source *source = &agent->sources[search->waits[--search->wait_count]];
        if (ps_texts_have(&source->channels, to->channel))
            return true;
        for (size_t i = 0; i < agent->sink_count; i++) {
            if (ps_texts_have(&source->channels, agent->sinks[i].channel))
                add_sources(search, &agent->sinks[i], &unused);
        }
    }
    return false;
}

static void report(struct ps_conf *conf, const struct ps_conf_sink *sink, const struct ps_conf_source *source,
                   const char *key)
{
    const struct ps_component_maker maker = {.conf = conf, .stages = conf->stages, .arena = conf->arena};
    const char *prefix = ps_arena_format(conf->arena, "%s.sinks.%s.", conf->agent.name, sink->part.name);
    ps_problem_add(
        &conf->problems, PS_SEVERITY_WARNING, ps_component_place(&maker, &sink->part, prefix, key),
        ps_arena_format(conf->arena, "send to another place, or give source %s another channel",
                        source->part.name),
        "sends to source %s of this agent, whose events come to this sink again: they go round for ever",
        source->part.name);
}

void ps_check_rounds(struct ps_conf *conf)
{
    const struct ps_conf_agent *agent = &conf->agent;
    if (agent->source_count == 0)
        return;
    struct search search = {.conf = conf};
    search.seen = ps_must_alloc(agent->source_count, sizeof *search.seen, "the rounds of a configuration");
    search.waits = ps_must_alloc(agent->source_count, sizeof *search.waits, "the rounds of a configuration");
    for (size_t i = 0; i < agent->sink_count; i++) {
        const struct ps_conf_sink *sink = &agent->sinks[i];
        const struct ps_conf_source *first = NULL;
        memset(search.seen, 0, agent->source_count * sizeof *search.seen);
        search.wait_count = 0;
        const char *key = add_sources(&search, sink, &first);
        if (key != NULL && come_back(&search, sink))
            report(conf, sink, first, key);
    }
    free(search.seen);
    free(search.waits);
}
