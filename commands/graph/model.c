/* Makes the graph of an agent from its checked configuration. The label of a component is read from its bound plan
 * through its option rows; a key that may hold a secret is never shown. */
#include "commands/graph/graph.h"

#include "conf/bind.h"
#include "conf/parts.h"
#include "stages/lib/rules/stage.h"
#include "core/quantity.h"

#include <inttypes.h>
#include <string.h>

#define LINE_BYTES_MAX 72U /* longest line of a label */
#define NAMES_SHOWN 8U     /* maximum number of values or rules in the label of an edge */
#define TOPICS_SHOWN 1000U

/* ---- nodes and edges ---- */

/* Returns a text for a label, cut at the border of a character if it is too long. */
static const char *cut(struct ps_arena *arena, const char *text)
{
    size_t length = strlen(text);
    if (length <= LINE_BYTES_MAX)
        return text;
    length = LINE_BYTES_MAX - 3;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return ps_arena_format(arena, "%.*s...", (int)length, text);
}

static size_t node_add(struct graph *graph, enum graph_shape shape, const char *label, size_t cluster)
{
    graph->nodes = ps_arena_grow(graph->arena, graph->nodes, graph->node_count, sizeof *graph->nodes);
    graph->nodes[graph->node_count] = (struct graph_node){shape, label, cluster};
    return graph->node_count++;
}

static void edge_add(struct graph *graph, size_t from, size_t to, const char *label, bool optional)
{
    graph->edges = ps_arena_grow(graph->arena, graph->edges, graph->edge_count, sizeof *graph->edges);
    graph->edges[graph->edge_count++] = (struct graph_edge){from, to, label, optional};
}

static size_t cluster_add(struct graph *graph, const char *title)
{
    graph->clusters =
        ps_arena_grow(graph->arena, graph->clusters, graph->cluster_count, sizeof *graph->clusters);
    graph->clusters[graph->cluster_count++] = title;
    return graph->cluster_count;
}

/* Returns the node with that shape and first line; creates it if necessary. */
static size_t node_shared(struct graph *graph, enum graph_shape shape, const char *label)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].shape == shape && strcmp(graph->nodes[i].label, label) == 0)
            return i;
    return node_add(graph, shape, label, 0);
}

/* ---- the values of a component ---- */

static const void *value_at(const struct ps_conf_part *part, const char *key, enum ps_option_type type)
{
    const struct ps_option *option = ps_option_named(part->ops->options, key);
    if (option == NULL || option->type != type || (option->flags & PS_OPTION_SECRET) != 0)
        return NULL;
    return (const char *)part->plan + option->offset;
}

/* Returns NULL if the component has no such key, or no value for it. */
static const char *text_of(const struct ps_conf_part *part, const char *key)
{
    const char *text = NULL;
    const void *at = value_at(part, key, PS_OPTION_TEXT);
    if (at != NULL)
        memcpy(&text, at, sizeof text);
    return text;
}

static struct ps_texts texts_of(const struct ps_conf_part *part, const char *key)
{
    struct ps_texts texts = {0, NULL};
    const void *at = value_at(part, key, PS_OPTION_LIST);
    if (at == NULL)
        at = value_at(part, key, PS_OPTION_COMMAS);
    if (at != NULL)
        memcpy(&texts, at, sizeof texts);
    return texts;
}

static bool number_of(const struct ps_conf_part *part, const char *key, int64_t *number)
{
    const void *at = value_at(part, key, PS_OPTION_INT);
    if (at != NULL)
        memcpy(number, at, sizeof *number);
    return at != NULL;
}

static bool is_true(const struct ps_conf_part *part, const char *key)
{
    bool yes = false;
    const void *at = value_at(part, key, PS_OPTION_BOOL);
    if (at != NULL)
        memcpy(&yes, at, sizeof yes);
    return yes;
}

static const char *texts_joined(struct ps_arena *arena, const struct ps_texts *texts)
{
    const char *joined = "";
    for (size_t i = 0; i < texts->count && i < NAMES_SHOWN; i++)
        joined = ps_arena_format(arena, "%s%s%s", joined, i > 0 ? ", " : "", texts->items[i]);
    if (texts->count > NAMES_SHOWN)
        joined = ps_arena_format(arena, "%s, +%zu more", joined, texts->count - NAMES_SHOWN);
    return joined;
}

/* Returns name, type, and the place where the component listens, reads or writes: "r1\nsyslogtcp\n0.0.0.0:5140". */
static const char *part_label(struct ps_arena *arena, const struct ps_conf_part *part)
{
    static const char *const places[] = {"kafka.bootstrap.servers", "sink.directory", "rules.file"};
    const char *label = ps_arena_format(arena, "%s\n%s", cut(arena, part->name), part->ops->name);
    const char *host = text_of(part, "bind") != NULL ? text_of(part, "bind") : text_of(part, "host");
    struct ps_texts ports = texts_of(part, "ports");
    int64_t port;
    if (part->ops->kind == PS_KIND_SOURCE && number_of(part, "port", &port))
        label = ps_arena_format(arena, "%s\n%s:%" PRId64, label, cut(arena, host != NULL ? host : "*"), port);
    if (ports.count > 0)
        label = ps_arena_format(arena, "%s\n%s: %s", label, cut(arena, host != NULL ? host : "*"),
                                cut(arena, texts_joined(arena, &ports)));
    for (size_t i = 0; i < PS_COUNT_OF(places); i++)
        if (text_of(part, places[i]) != NULL)
            label = ps_arena_format(arena, "%s\n%s", label, cut(arena, text_of(part, places[i])));
    return label;
}

/* ---- routes: the edges of one selector ---- */

struct route {
    const char *channel; /* NULL: dropped */
    bool optional;
    const char *label; /* the first names, separated by commas */
    size_t names;
};

struct routes {
    struct graph *graph;
    struct route *items;
    size_t count;
};

/* Adds a reason (`name`) why events go to this channel. `name` NULL: all events go there. `channel` NULL: the events
 * are dropped. */
static void route_add(struct routes *routes, const char *channel, bool optional, const char *name)
{
    struct ps_arena *arena = routes->graph->arena;
    struct route *route = NULL;
    for (size_t i = 0; i < routes->count && route == NULL; i++) {
        struct route *item = &routes->items[i];
        bool same = channel == NULL || item->channel == NULL ? channel == item->channel
                                                             : strcmp(channel, item->channel) == 0;
        if (same && item->optional == optional)
            route = item;
    }
    if (route == NULL) {
        routes->items = ps_arena_grow(arena, routes->items, routes->count, sizeof *routes->items);
        route = &routes->items[routes->count++];
        *route = (struct route){.channel = channel, .optional = optional};
    }
    if (name == NULL)
        return;
    if (route->names < NAMES_SHOWN)
        route->label = route->label == NULL
                           ? cut(arena, name)
                           : ps_arena_format(arena, "%s\n%s", route->label, cut(arena, name));
    route->names++;
}

static void routes_draw(struct routes *routes, size_t selector, const size_t *channel_nodes,
                        const struct ps_conf_agent *agent)
{
    struct graph *graph = routes->graph;
    for (size_t i = 0; i < routes->count; i++) {
        const struct route *route = &routes->items[i];
        const char *label = route->label;
        if (route->names > NAMES_SHOWN)
            label = ps_arena_format(graph->arena, "%s\n+%zu more", label, route->names - NAMES_SHOWN);
        if (route->optional)
            label = ps_arena_format(graph->arena, "optional%s%s", label != NULL ? "\n" : "",
                                    label != NULL ? label : "");
        const struct ps_conf_channel *to =
            route->channel != NULL ? ps_conf_channel_named(agent, route->channel) : NULL;
        if (route->channel == NULL)
            edge_add(graph, selector, node_add(graph, GRAPH_DROPPED, "dropped", 0), label, route->optional);
        else if (to != NULL)
            edge_add(graph, selector, channel_nodes[to - agent->channels], label, route->optional);
    }
}

/* Adds the channels of a list that is split at single blanks. */
static void route_add_list(struct routes *routes, const char *list, bool optional, const char *name)
{
    for (size_t length; list != NULL && *list != '\0'; list += length + (list[length] == ' ')) {
        length = strcspn(list, " ");
        if (length > 0)
            route_add(routes, ps_arena_copy(routes->graph->arena, list, length), optional, name);
    }
}

/* Returns the pairs of a map; `key` is any key of the map: "mapping.x". */
static struct ps_pairs pairs_of(const struct ps_conf_part *part, const char *key)
{
    struct ps_pairs pairs = {0, NULL};
    const struct ps_option *option = ps_option_find(part->ops->options, key);
    if (option != NULL && option->type == PS_OPTION_MAP)
        memcpy(&pairs, (const char *)part->plan + option->offset, sizeof pairs);
    return pairs;
}

static void multiplexing_routes(struct routes *routes, const struct ps_conf_part *selector)
{
    struct ps_pairs mapping = pairs_of(selector, "mapping.x"), optional = pairs_of(selector, "optional.x");
    const char *others = text_of(selector, "default");
    for (size_t i = 0; i < mapping.count; i++)
        route_add_list(routes, mapping.items[i].value, false,
                       ps_arena_format(routes->graph->arena, "= %s", mapping.items[i].key));
    for (size_t i = 0; i < optional.count; i++)
        route_add_list(routes, optional.items[i].value, true,
                       ps_arena_format(routes->graph->arena, "= %s", optional.items[i].key));
    if (others != NULL && others[strspn(others, " ")] != '\0')
        route_add_list(routes, others, false, "default");
    else
        route_add(routes, NULL, false, "any other value");
}

static void rule_routes(struct routes *routes, const struct ps_rule *rule)
{
    struct ps_arena *arena = routes->graph->arena;
    const char *name = ps_arena_text(arena, rule->name);
    for (size_t i = 0; i < rule->action_count; i++) {
        const struct ps_action *action = &rule->actions[i];
        if (action->kind == PS_ACTION_DROP)
            route_add(routes, NULL, false, name);
        for (size_t c = 0; c < action->channel_count; c++)
            route_add(routes, ps_arena_text(arena, action->channels[c].name), action->optional,
                      action->kind == PS_ACTION_LIMIT ? ps_arena_format(arena, "%s, over its limit", name)
                                                      : name);
    }
}

/* Adds the routes of a rules file. Returns false if the file can no longer be read after the check: then the caller
 * draws routes to every channel. */
static bool rules_routes(struct routes *routes, const struct ps_conf_part *selector)
{
    const struct ps_rules_stage *stage = selector->plan;
    struct ps_rules_problems *problems = ps_arena_alloc(routes->graph->arena, sizeof *problems);
    problems->arena = routes->graph->arena;
    struct ps_rules *rules = ps_rules_load(stage->file, problems);
    if (rules == NULL)
        return false;
    for (size_t i = 0; i < rules->rule_count; i++)
        rule_routes(routes, &rules->rules[i]);
    for (size_t i = 0; i < rules->default_count; i++)
        route_add(routes, ps_arena_text(routes->graph->arena, rules->defaults[i].name), false, "default");
    if (rules->default_count == 0)
        route_add(routes, NULL, false, "routed by no rule");
    ps_rules_destroy(rules);
    return true;
}

static void all_routes(struct routes *routes, const struct ps_conf_source *source, const char *name)
{
    struct ps_texts optional = texts_of(&source->selector, "optional");
    for (size_t i = 0; i < source->channels.count; i++) {
        bool may_miss = false;
        for (size_t k = 0; k < optional.count; k++)
            may_miss = may_miss || strcmp(optional.items[k], source->channels.items[i]) == 0;
        route_add(routes, source->channels.items[i], may_miss, name);
    }
}

static void selector_routes(struct routes *routes, const struct ps_conf_source *source)
{
    const struct ps_conf_part *selector = &source->selector;
    if (strcmp(selector->ops->name, "multiplexing") == 0)
        multiplexing_routes(routes, selector);
    else if (strcmp(selector->ops->name, "rules") != 0 || !rules_routes(routes, selector))
        all_routes(routes, source, strcmp(selector->ops->name, "load_balancing") == 0 ? "one of them" : NULL);
}

static const char *selector_label(struct ps_arena *arena, const struct ps_conf_part *selector)
{
    const char *header = text_of(selector, "header"), *file = text_of(selector, "rules.file");
    const char *label = selector->ops->name;
    if (header != NULL)
        label = ps_arena_format(arena, "%s\nheader %s", label, cut(arena, header));
    if (file != NULL)
        label = ps_arena_format(arena, "%s\n%s", label, cut(arena, file));
    return label;
}

/* ---- topics ---- */

static size_t topic_node(struct graph *graph, const char *topic, const char *brokers)
{
    return node_shared(graph, GRAPH_TOPIC,
                       ps_arena_format(graph->arena, "%s\n%s", cut(graph->arena, topic),
                                       cut(graph->arena, brokers != NULL ? brokers : "")));
}

static void source_topics(struct graph *graph, const struct ps_conf_part *part, size_t node)
{
    struct ps_texts topics = texts_of(part, "kafka.topics");
    const char *regex = text_of(part, "kafka.topics.regex"),
               *brokers = text_of(part, "kafka.bootstrap.servers");
    if (topics.count == 0)
        topics = texts_of(part, "topic"); /* the key's name before Flume 1.7 */
    if (regex != NULL) {
        edge_add(graph, topic_node(graph, ps_arena_format(graph->arena, "/%s/", regex), brokers), node, NULL,
                 false);
        return;
    }
    for (size_t i = 0; i < topics.count && i < TOPICS_SHOWN; i++)
        edge_add(graph, topic_node(graph, topics.items[i], brokers), node, NULL, false);
}

static void sink_topics(struct graph *graph, const struct ps_conf_part *part, size_t node)
{
    const char *topic = text_of(part, "kafka.topic"), *header = text_of(part, "topicHeader"), *label = NULL;
    if (topic == NULL)
        return;
    if (is_true(part, "allowTopicOverride") && header != NULL)
        label = ps_arena_format(graph->arena, "unless header %s", cut(graph->arena, header));
    edge_add(graph, node, topic_node(graph, topic, text_of(part, "kafka.bootstrap.servers")), label, false);
}

/* ---- the agent ---- */

static void source_draw(struct graph *graph, const struct ps_conf_agent *agent,
                        const struct ps_conf_source *source, const size_t *channel_nodes)
{
    struct ps_arena *arena = graph->arena;
    struct routes routes = {.graph = graph};
    size_t cluster = cluster_add(graph, ps_arena_format(arena, "source %s", cut(arena, source->part.name)));
    const char *label = part_label(arena, &source->part);
    if (source->common.workers > 1)
        label = ps_arena_format(arena, "%s\n%" PRId64 " workers", label, source->common.workers);
    size_t last = node_add(graph, GRAPH_SOURCE, label, cluster);
    source_topics(graph, &source->part, last);
    for (size_t i = 0; i < source->interceptor_count; i++) {
        size_t next =
            node_add(graph, GRAPH_INTERCEPTOR, part_label(arena, &source->interceptors[i]), cluster);
        edge_add(graph, last, next, NULL, false);
        last = next;
    }
    size_t selector = node_add(graph, GRAPH_SELECTOR, selector_label(arena, &source->selector), cluster);
    edge_add(graph, last, selector, NULL, false);
    selector_routes(&routes, source);
    routes_draw(&routes, selector, channel_nodes, agent);
}

static const char *channel_label(struct ps_arena *arena, const struct ps_conf_part *part)
{
    const char *label = part_label(arena, part);
    int64_t capacity;
    return number_of(part, "capacity", &capacity)
               ? ps_arena_format(arena, "%s\n%s %s", label, ps_quantity_print_count((uint64_t)capacity).text,
                                 ps_quantity_word((uint64_t)capacity, "event", "events"))
               : label;
}

static size_t group_cluster(const size_t *clusters, const struct ps_conf_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->group_count && name != NULL; i++)
        if (strcmp(agent->groups[i].name, name) == 0)
            return clusters[i];
    return 0;
}

void ps_graph_make(struct graph *graph, const struct ps_conf *conf, struct ps_arena *arena)
{
    const struct ps_conf_agent *agent = &conf->agent;
    size_t *channels = ps_arena_alloc(arena, (agent->channel_count + 1) * sizeof *channels);
    size_t *groups = ps_arena_alloc(arena, (agent->group_count + 1) * sizeof *groups);
    *graph = (struct graph){.arena = arena, .agent = agent->name};
    for (size_t i = 0; i < agent->channel_count; i++)
        channels[i] = node_add(graph, GRAPH_CHANNEL, channel_label(arena, &agent->channels[i].part), 0);
    for (size_t i = 0; i < agent->source_count; i++)
        source_draw(graph, agent, &agent->sources[i], channels);
    for (size_t i = 0; i < agent->group_count; i++)
        groups[i] =
            cluster_add(graph, ps_arena_format(arena, "sink group %s: %s", cut(arena, agent->groups[i].name),
                                               cut(arena, agent->groups[i].processor)));
    for (size_t i = 0; i < agent->sink_count; i++) {
        const struct ps_conf_sink *sink = &agent->sinks[i];
        size_t node = node_add(graph, GRAPH_SINK, part_label(arena, &sink->part),
                               group_cluster(groups, agent, sink->group));
        const struct ps_conf_channel *from = ps_conf_channel_named(agent, sink->channel);
        if (from != NULL)
            edge_add(graph, channels[from - agent->channels], node, NULL, false);
        sink_topics(graph, &sink->part, node);
    }
}
