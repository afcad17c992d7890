/* Steps: servers behind the agent's sinks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/connections.h"
#include "tests/world/peers/elastic.h"
#include "tests/world/peers/rpc/rpc.h"
#include "tests/world/peers/solr.h"
#include "tests/world/peers/zookeeper.h"
#include "tests/world/scenario/scenario.h"

#define ROOM_BYTES RPC_ROOM_BYTES

enum { ANSWER_HANG = -1, ANSWER_CLOSE = -2, ANSWER_RESET = -3, ANSWER_LOSE = -4 };

/* An HTTP server: it answers 200, or what the scenario says for the next requests, or for those whose body has a pattern. Bodies that are answered
 * with 2.. have arrived. A server of Flume's RPC answers OK for 2.., and FAILED, UNKNOWN or an error for others. */
struct scenario_server {
    uint16_t port;
    struct world_peer *peer;
    struct net_listener *listener; /* NULL: it is stopped */
    struct connections connections;
    int answers[SCENARIO_ANSWERS_MAX];
    unsigned count;
    struct {
        const char *pattern;
        int answer;
    } patterns[SCENARIO_PATTERNS_MAX]; /* the last one that a body has counts */
    unsigned pattern_count;
    bool (*take_rpc)(void *argument, struct connection *connection); /* NULL: HTTP */
    /* It is one of Elasticsearch or OpenSearch: what has a pattern are its items. NULL: it is not. */
    struct elastic_store *store;
    struct solr_store *solr; /* the same for a node of Solr and its documents */
    /* It is one of ZooKeeper, and knows the nodes of Solr; `form`: what it has of the collection c. NULL: it is not. */
    const char *form;
    struct scenario *scenario;
    struct rpc_fates fates;
};

static int next_answer(struct scenario_server *server, const char *body, size_t length)
{
    for (unsigned i = server->pattern_count; i > 0; i--)
        if (lines_matching(body, length, server->patterns[i - 1].pattern) > 0)
            return server->patterns[i - 1].answer;
    if (server->count == 0)
        return 200;
    int answer = server->answers[0];
    if (answer != ANSWER_HANG) /* it hangs until it is told something else */
        memmove(server->answers, server->answers + 1, --server->count * sizeof *server->answers);
    return answer;
}

static int item_status(void *argument, const char *document, size_t length)
{
    const struct scenario_server *server = argument;
    for (unsigned i = server->pattern_count; i > 0; i--)
        if (lines_matching(document, length, server->patterns[i - 1].pattern) > 0)
            return server->patterns[i - 1].answer;
    return 200;
}

/* Takes a request to a store; false: the connection breaks. */
static bool take_documents(struct scenario_server *server, struct connection *connection, size_t head,
                           size_t length)
{
    char *body = connection->in + head;
    int answer = 200;
    if (strncmp(connection->in, "POST", 4) == 0 && server->count > 0)
        answer = next_answer(server, "", 0);
    if (answer == ANSWER_HANG)
        return true;
    if (answer == ANSWER_CLOSE || answer == ANSWER_RESET)
        return false;
    if ((answer / 100 == 2 || answer == ANSWER_LOSE) && server->solr != NULL)
        connection->out_length = solr_answer(server->solr, connection->in, body, length, item_status, server,
                                             connection->out, ROOM_BYTES);
    else if (answer / 100 == 2 || answer == ANSWER_LOSE)
        connection->out_length = elastic_answer(server->store, connection->in, body, length, item_status,
                                                server, connection->out, ROOM_BYTES);
    else
        connection->out_length = (size_t)snprintf(connection->out, ROOM_BYTES,
                                                  "HTTP/1.1 %d It\r\nContent-Length: 0\r\n\r\n", answer);
    if (answer == ANSWER_LOSE)
        return false;
    connection->answers_ns = world->now_ns;
    connection_taken(connection, head + length);
    return true;
}

static void put_words(struct out *out, const char *text)
{
    put_raw(out, text, strlen(text));
}

/* A replica of the collection on a node; it leads its shard. */
static void put_replica(struct out *value, unsigned number, unsigned port, bool is_first, bool has_own_state)
{
    char text[256];
    snprintf(text, sizeof text,
             "%s\"shard%u\":{\"range\":\"0-1\",\"state\":\"active\",\"replicas\":{\"core_node%u\":{\"core\":"
             "\"c\",\"node_name\":"
             "\"127.0.0.1:%u_solr\"%s}}}",
             is_first ? "" : ",", number, number, port,
             has_own_state ? "" : ",\"state\":\"active\",\"leader\":\"true\"");
    put_words(value, text);
}

/* ZooKeeper's nodes: those of Solr that listen live, and each has a shard of the collection. Forms: `states` of replicas in state.json, `own` ones below it, `none`:
 * c is an alias. */
static bool read_node(void *argument, const char *path, bool children, struct out *value)
{
    const struct scenario_server *zookeeper = argument;
    bool lives = strcmp(path, "/solr/live_nodes") == 0, own = strcmp(zookeeper->form, "own") == 0,
         first = true;
    if (!lives &&
        (strcmp(path, "/solr/collections/c/state.json") != 0 || strcmp(zookeeper->form, "none") == 0))
        return false;
    if (!children)
        put_words(value, own ? "{\"c\":{\"perReplicaState\":\"true\",\"shards\":{" : "{\"c\":{\"shards\":{");
    for (unsigned i = 0; i < SCENARIO_SERVERS_MAX; i++) {
        const struct scenario_server *server = zookeeper->scenario->servers[i];
        char text[64];
        if (server == NULL || server->solr == NULL)
            continue;
        snprintf(text, sizeof text, lives ? "127.0.0.1:%u_solr\n" : "core_node%u:3:A:L\n",
                 lives ? server->port : i);
        if (children && (lives ? server->listener != NULL : own))
            put_words(value, text);
        if (!children)
            put_replica(value, i, server->port, first, own);
        first = false;
    }
    if (!children)
        put_words(value, "}}}");
    return true;
}

static enum server_fate next_fate(void *argument)
{
    int answer = next_answer(argument, "", 0);
    return answer / 100 == 2                                  ? SERVER_TAKE
           : answer == ANSWER_CLOSE || answer == ANSWER_RESET ? SERVER_BREAK_BEFORE
                                                              : SERVER_REFUSE;
}

static bool take(void *argument, struct connection *connection)
{
    struct scenario_server *server = argument;
    if (connection->in_length == ROOM_BYTES)
        world_fatal("the agent posted more than %zu bytes", ROOM_BYTES);
    if (server->form != NULL)
        return zookeeper_take(connection, read_node, server);
    if (server->take_rpc != NULL) {
        bool hangs = server->count > 0 && server->answers[0] == ANSWER_HANG;
        return hangs || server->take_rpc(&server->fates, connection);
    }
    connection->in[connection->in_length] = 0;
    const char *end = strstr(connection->in, "\r\n\r\n");
    const char *field = end == NULL ? NULL : strcasestr(connection->in, "content-length:");
    size_t head = end == NULL ? 0 : (size_t)(end - connection->in) + 4,
           body = field != NULL && field < end ? strtoul(field + 15, NULL, 10) : 0;
    if (end == NULL || connection->in_length < head + body)
        return true;
    if (server->store != NULL || server->solr != NULL)
        return take_documents(server, connection, head, body);
    int answer = next_answer(server, connection->in + head, body);
    if (answer == ANSWER_HANG)
        return true;
    if (answer == ANSWER_CLOSE || answer == ANSWER_RESET)
        return false;
    if (answer / 100 == 2)
        ledger_arrived(connection->in + head, body);
    connection->out_length =
        (size_t)snprintf(connection->out, ROOM_BYTES, "HTTP/1.1 %d It\r\nContent-Length: 0\r\n\r\n", answer);
    connection->answers_ns = world->now_ns;
    connection_taken(connection, head + body);
    return true;
}

static void serve(struct world_peer *peer)
{
    struct scenario_server *server = peer->state;
    if (server->listener == NULL)
        return;
    connections_accept(&server->connections, server->listener, 0);
    peer->due_ns = connections_serve(&server->connections);
}

static struct scenario_server *find(struct scenario *scenario, const struct scenario_step *step)
{
    uint64_t port = scenario_number(scenario->script, step, step->words[0]);
    struct scenario_server **place = scenario->servers;
    while (place < scenario->servers + SCENARIO_SERVERS_MAX && *place != NULL && (*place)->port != port)
        place++;
    if (place == scenario->servers + SCENARIO_SERVERS_MAX)
        world_fatal("more than %d servers", SCENARIO_SERVERS_MAX);
    if (*place == NULL) {
        *place = world_allocate(sizeof **place);
        (*place)->port = (uint16_t)port;
        (*place)->connections = (struct connections){.room = ROOM_BYTES, .take = take, .argument = *place};
        (*place)->fates = (struct rpc_fates){next_fate, *place};
        (*place)->peer = peer_add(serve, *place, WORLD_NEVER);
    }
    return *place;
}

/* Servers of one scenario are nodes of one cluster. */
static struct elastic_store *store_of(const struct scenario *scenario)
{
    for (unsigned i = 0; i < SCENARIO_SERVERS_MAX; i++)
        if (scenario->servers[i] != NULL && scenario->servers[i]->store != NULL)
            return scenario->servers[i]->store;
    struct elastic_store *store = elastic_store_make();
    store->keeps = true;
    return store;
}

static struct solr_store *solr_of(const struct scenario *scenario)
{
    for (unsigned i = 0; i < SCENARIO_SERVERS_MAX; i++)
        if (scenario->servers[i] != NULL && scenario->servers[i]->solr != NULL)
            return scenario->servers[i]->solr;
    return solr_store_make();
}

/* The cluster names the servers that listen. */
static void name_node(struct elastic_store *store, uint16_t port, bool stops)
{
    size_t count = sizeof store->nodes / sizeof *store->nodes, place = count;
    for (size_t i = 0; i < count; i++) {
        if (store->nodes[i] == port)
            store->nodes[i] = 0;
        if (store->nodes[i] == 0)
            place = i;
    }
    if (!stops && place < count)
        store->nodes[place] = port;
}

enum outcome step_server(struct scenario *scenario, const struct scenario_step *step)
{
    struct scenario_server *server = find(scenario, step);
    const char *kind = step->count >= 2 ? step->words[1] : "http";
    bool stops = strcmp(kind, "stop") == 0;
    if (step->count == 3 && strcmp(kind, "zookeeper") != 0)
        world->ledger->keeps_headers = true;
    if (strcmp(kind, "avro") == 0)
        server->take_rpc = rpc_avro_take;
    else if (strcmp(kind, "thrift") == 0)
        server->take_rpc = rpc_thrift_take;
    else if (strcmp(kind, "zookeeper") == 0) {
        server->form = step->count == 3 ? step->words[2] : "states";
        server->scenario = scenario;
    } else if (strcmp(kind, "elastic") == 0) {
        if (server->store == NULL)
            server->store = store_of(scenario);
    } else if (strcmp(kind, "solr") == 0) {
        if (server->solr == NULL)
            server->solr = solr_of(scenario);
    } else if (!stops && strcmp(kind, "http") != 0)
        return step_failed(scenario, "there is no server of kind %s", kind);
    if (server->store != NULL)
        name_node(server->store, server->port, stops);
    if (!stops && server->listener == NULL)
        server->listener = net_listen(server->peer, (struct net_address){0, server->port});
    else if (stops && server->listener != NULL) {
        connections_reset(&server->connections, 0);
        net_unlisten(server->listener);
        server->listener = NULL;
    }
    return STEP_DONE;
}

static int answer_named(struct scenario *scenario, const struct scenario_step *step)
{
    const char *word = step->words[1];
    return strcmp(word, "hang") == 0    ? ANSWER_HANG
           : strcmp(word, "close") == 0 ? ANSWER_CLOSE
           : strcmp(word, "reset") == 0 ? ANSWER_RESET
           : strcmp(word, "lose") == 0  ? ANSWER_LOSE
                                        : (int)scenario_number(scenario->script, step, word);
}

/* How the next requests are answered; with a pattern, how all those are whose body has it. What was said before and has not happened yet comes first, but for `hang`, which ends. */
enum outcome step_answer(struct scenario *scenario, const struct scenario_step *step)
{
    struct scenario_server *server = find(scenario, step);
    server->peer->called = true;
    if (step->text != NULL) {
        if (server->pattern_count == SCENARIO_PATTERNS_MAX)
            return step_failed(scenario, "more than %d patterns", SCENARIO_PATTERNS_MAX);
        server->patterns[server->pattern_count].pattern = step->text;
        server->patterns[server->pattern_count++].answer = answer_named(scenario, step);
        return STEP_DONE;
    }
    uint64_t times = step->count == 3 ? scenario_number(scenario->script, step, step->words[2]) : 1;
    if (server->count > 0 && server->answers[server->count - 1] == ANSWER_HANG)
        server->count--;
    if (server->count + times > SCENARIO_ANSWERS_MAX)
        return step_failed(scenario, "more than %d answers", SCENARIO_ANSWERS_MAX);
    for (; times > 0; times--)
        server->answers[server->count++] = answer_named(scenario, step);
    return STEP_DONE;
}

/* Whether what is sent and received moves in drawn pieces. */
enum outcome step_network(struct scenario *scenario, const struct scenario_step *step)
{
    bool pieces = strcmp(step->words[0], "pieces") == 0;
    if (!pieces && strcmp(step->words[0], "whole") != 0)
        return step_failed(scenario, "write pieces or whole");
    world->net->partial_share = pieces ? 50000 : 0;
    return STEP_DONE;
}
