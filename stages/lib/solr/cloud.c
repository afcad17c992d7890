#include "stages/lib/solr/cloud.h"

#include "core/arena.h"
#include "core/clock.h"
#include "stages/lib/hadoop/probe_turns.h"
#include "stages/lib/least.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define REST_NS (30 * PS_NS_PER_S) /* nodes that come are found after this time */
#define PAUSE_NS PS_NS_PER_S       /* shortest time between two questions */
#define URL_BYTES 320U
#define NODES_MAX PS_HTTP_HOSTS_MAX

enum { LIVE, STATE, REPLICAS, PROPERTIES, READS };

enum ps_status ps_solr_cloud_read(struct ps_solr_cloud_plan *plan, const char *zk_host,
                                  const char *collection, struct ps_arena *arena, struct ps_err *err)
{
    const char *root = strchr(zk_host, '/');
    size_t length = root != NULL ? (size_t)(root - zk_host) : strlen(zk_host);
    plan->shown = zk_host;
    plan->root = root != NULL && root[1] != '\0' ? root : "";
    plan->collection = collection;
    if (collection[0] == '\0' || strchr(collection, '/') != NULL || strlen(collection) > 200)
        return ps_err_set(err, "\"%.200s\" is not the name of a collection", collection);
    if (strlen(plan->root) > 200)
        return ps_err_set(err, "the path behind the servers has more than 200 bytes");
    return ps_zookeeper_quorum_read(&plan->quorum, ps_arena_copy(arena, zk_host, length), PS_ZOOKEEPER_PORT,
                                    arena, err);
}

static void make_reads(const struct ps_solr_cloud_plan *plan, struct ps_zookeeper_settings *settings)
{
    const char *root = plan->root, *collection = plan->collection;
    struct ps_zookeeper_read *reads = settings->reads;
    settings->quorum = &plan->quorum;
    settings->timeout_ns = plan->timeout_ns;
    settings->read_count = READS;
    (void)snprintf(reads[LIVE].path, sizeof reads->path, "%s/live_nodes", root);
    (void)snprintf(reads[STATE].path, sizeof reads->path, "%s/collections/%s/state.json", root, collection);
    (void)snprintf(reads[REPLICAS].path, sizeof reads->path, "%s", reads[STATE].path);
    (void)snprintf(reads[PROPERTIES].path, sizeof reads->path, "%s/clusterprops.json", root);
    reads[LIVE].children = reads[REPLICAS].children = true;
}

/* ---- what ZooKeeper has ---- */

/* A node that lives, and what it has of the collection. */
struct node {
    const char *name; /* in the answer */
    size_t length;
    bool is_active, leads;
};

struct nodes {
    unsigned count;
    struct node items[NODES_MAX];
};

static void read_live(struct nodes *nodes, const struct ps_zookeeper_node *live)
{
    for (const char *at = live->value, *end; at != NULL && *at != '\0' && nodes->count < NODES_MAX;
         at = end + 1) {
        end = at + strcspn(at, "\n");
        nodes->items[nodes->count++] = (struct node){.name = at, .length = (size_t)(end - at)};
        if (*end == '\0')
            return;
    }
}

/* Reads the state of a replica in a collection with perReplicaState: "core_node3:7:A:L". Returns false if the list does not have the replica. */
static bool read_own_state(const char *list, const char *replica, bool *is_active, bool *leads)
{
    size_t length = strlen(replica);
    for (const char *at = list, *end; at != NULL && *at != '\0'; at = end + (*end != '\0')) {
        end = at + strcspn(at, "\n");
        if ((size_t)(end - at) <= length || strncmp(at, replica, length) != 0 || at[length] != ':')
            continue;
        const char *state = memchr(at + length + 1, ':', (size_t)(end - at) - length - 1);
        if (state == NULL)
            continue;
        *is_active = state[1] == 'A';
        *leads = end - state > 3 && state[2] == ':' && state[3] == 'L';
        return true;
    }
    return false;
}

static bool is_text(const json_t *object, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && strcmp(text, value) == 0;
}

/* Notes what the replica's node has, if it lives. */
static void read_replica(struct nodes *nodes, const char *name, const json_t *replica, const char *own)
{
    bool is_active = is_text(replica, "state", "active"), leads = is_text(replica, "leader", "true");
    const char *on = json_string_value(json_object_get(replica, "node_name"));
    if (own != NULL && !read_own_state(own, name, &is_active, &leads))
        is_active = leads = false;
    for (unsigned i = 0; on != NULL && is_active && i < nodes->count; i++) {
        struct node *node = &nodes->items[i];
        if (strlen(on) != node->length || memcmp(on, node->name, node->length) != 0)
            continue;
        node->is_active = true;
        node->leads |= leads;
    }
}

/* {"NAME":{"perReplicaState":"true","shards":{"shard1":{"state":"active","replicas":{"core_node3":{..}}}}}} */
static void read_state(struct nodes *nodes, const json_t *state, const char *children)
{
    const char *name, *shard_name, *replica_name;
    json_t *collection, *shard, *replica;
    json_object_foreach((json_t *)(uintptr_t)state, name, collection)
    {
        const json_t *own = json_object_get(collection, "perReplicaState");
        bool has_own = json_is_true(own) || is_text(collection, "perReplicaState", "true");
        json_object_foreach(json_object_get(collection, "shards"), shard_name, shard)
        {
            if (json_object_get(shard, "state") != NULL && !is_text(shard, "state", "active"))
                continue;
            json_object_foreach(json_object_get(shard, "replicas"), replica_name, replica)
                read_replica(nodes, replica_name, replica, has_own ? children != NULL ? children : "" : NULL);
        }
    }
}

/* Makes the URL of a node, "HOST:PORT_CONTEXT". */
static size_t print_url(const struct node *node, const char *scheme, char url[URL_BYTES])
{
    const char *colon = memchr(node->name, ':', node->length), *end = node->name + node->length;
    const char *line = colon != NULL ? memchr(colon, '_', (size_t)(end - colon)) : NULL;
    if (line == NULL || node->length >= URL_BYTES - 16)
        return 0;
    return (size_t)snprintf(url, URL_BYTES, "%s://%.*s%s%.*s", scheme, (int)(line - node->name), node->name,
                            line + 1 < end ? "/" : "", (int)(end - line - 1), line + 1);
}

static unsigned add_nodes(const struct nodes *nodes, bool is_secure,
                          void (*add)(void *argument, const char *url, size_t length), void *argument)
{
    bool any_leads = false, any_active = false;
    unsigned count = 0;
    char url[URL_BYTES];
    for (unsigned i = 0; i < nodes->count; i++) {
        any_leads |= nodes->items[i].leads;
        any_active |= nodes->items[i].is_active;
    }
    for (unsigned i = 0; i < nodes->count; i++) {
        const struct node *node = &nodes->items[i];
        if (any_leads ? !node->leads : any_active && !node->is_active)
            continue;
        size_t length = print_url(node, is_secure ? "https" : "http", url);
        if (length > 0)
            add(argument, url, length);
        count += length > 0;
    }
    return count;
}

bool ps_solr_cloud_nodes(const struct ps_zookeeper_answer *answer,
                         void (*add)(void *argument, const char *url, size_t length), void *argument,
                         struct ps_err *err)
{
    const struct ps_zookeeper_node *nodes_of = answer->nodes;
    struct nodes nodes = {.count = 0};
    if (answer->reason != NULL || !nodes_of[LIVE].is_there) {
        (void)ps_err_set(err, "%s",
                         answer->reason != NULL
                             ? answer->reason
                             : "ZooKeeper has no node live_nodes there: is the path behind "
                               "its servers that of Solr (zk1:2181/solr)?");
        return false;
    }
    json_t *state =
        nodes_of[STATE].is_there ? json_loadb(nodes_of[STATE].value, nodes_of[STATE].length, 0, NULL) : NULL;
    json_t *properties = nodes_of[PROPERTIES].is_there
                             ? json_loadb(nodes_of[PROPERTIES].value, nodes_of[PROPERTIES].length, 0, NULL)
                             : NULL;
    read_live(&nodes, &nodes_of[LIVE]);
    read_state(&nodes, state, nodes_of[REPLICAS].value);
    bool is_secure = is_text(properties, "urlScheme", "https"),
         good = nodes_of[STATE].is_there == (state != NULL);
    unsigned count = good ? add_nodes(&nodes, is_secure, add, argument) : 0;
    json_decref(state);
    json_decref(properties);
    if (!good)
        (void)ps_err_set(err, "state.json of the collection is not Solr's");
    else if (count == 0)
        (void)ps_err_set(err, "no node of Solr lives, by ZooKeeper");
    return count > 0;
}

/* ---- the sink ---- */

static void add_host(void *sink, const char *url, size_t length)
{
    ps_http_sink_host(sink, url, length);
}

/* Without an answer the hosts stay as they are; while there are none, nothing is sent. */
static void answered(void *owner, const struct ps_zookeeper_answer *answer)
{
    struct ps_solr_cloud *cloud = owner;
    struct ps_http_sink *sink = cloud->sink;
    struct ps_remote_sink *remote = &sink->requests.sink;
    struct ps_err err = {.length = 0}, reason = {.length = 0};
    cloud->asks = false;
    sink->sniff_ns = remote->now_ns + REST_NS;
    ps_http_sink_hosts_begin(sink);
    bool found = ps_solr_cloud_nodes(answer, add_host, sink, &err);
    if (ps_http_sink_hosts_end(sink) || found)
        return;
    ps_err_set(&reason, "zkHost %.200s: %.250s", cloud->plan->shown, err.text);
    sink->sniff_ns = 0;
    ps_remote_sink_failed(remote, &reason);
}

/* Asks ZooKeeper when the list of nodes is old, if the sink has events, and when a node did not answer. */
uint64_t ps_solr_cloud_turn(struct ps_solr_cloud *cloud)
{
    struct ps_http_sink *sink = cloud->sink;
    const struct ps_remote_sink *remote = &sink->requests.sink;
    const struct ps_now now = {remote->now_ns, remote->wall_ms};
    uint64_t next = ps_hadoop_loop_turn(cloud->loop, &now), due_ns = sink->sniff_ns;
    if (cloud->asked_ns != 0 && due_ns < cloud->asked_ns + PAUSE_NS)
        due_ns = cloud->asked_ns + PAUSE_NS;
    if (cloud->asks || (remote->held.count == 0 && (sink->host_count == 0 || sink->sniff_ns != 0)))
        return next;
    if (ps_remote_sink_rests(remote) && due_ns < remote->rest_ns)
        due_ns = remote->rest_ns;
    if (remote->now_ns < due_ns)
        return ps_least(next, due_ns);
    cloud->asks = true;
    cloud->asked_ns = remote->now_ns;
    ps_zookeeper_ask(cloud->zookeeper);
    return ps_hadoop_loop_turn(cloud->loop, &now);
}

enum ps_status ps_solr_cloud_open(struct ps_solr_cloud *cloud, const struct ps_solr_cloud_plan *plan,
                                  struct ps_http_sink *sink, struct ps_port *port, struct ps_err *err)
{
    struct ps_zookeeper_settings settings = {.answered = answered, .owner = cloud};
    *cloud = (struct ps_solr_cloud){.plan = plan, .sink = sink};
    if (ps_hadoop_loop_open(&cloud->loop, port, err) != PS_OK)
        return PS_FAIL;
    make_reads(plan, &settings);
    settings.loop = cloud->loop;
    cloud->zookeeper = ps_zookeeper_open(&settings);
    return cloud->zookeeper != NULL ? PS_OK : ps_err_set(err, "no memory");
}

void ps_solr_cloud_close(struct ps_solr_cloud *cloud)
{
    ps_zookeeper_close(cloud->zookeeper);
    if (cloud->loop != NULL)
        ps_hadoop_loop_close(cloud->loop);
    *cloud = (struct ps_solr_cloud){.plan = NULL};
}

/* ---- a probe ---- */

struct trial {
    struct ps_hadoop_loop *loop;
    void (*add)(void *argument, const char *url, size_t length);
    void *argument;
    struct ps_err *err;
    bool done, found;
};

static void tried(void *owner, const struct ps_zookeeper_answer *answer)
{
    struct trial *trial = owner;
    trial->done = true;
    trial->found = ps_solr_cloud_nodes(answer, trial->add, trial->argument, trial->err);
}

static uint64_t turn_trial(void *trial, const struct ps_now *now)
{
    return ps_hadoop_loop_turn(((struct trial *)trial)->loop, now);
}

bool ps_solr_cloud_ask(const struct ps_solr_cloud_plan *plan, const struct ps_probe *probe,
                       void (*add)(void *argument, const char *url, size_t length), void *argument,
                       struct ps_err *err)
{
    struct trial trial = {.add = add, .argument = argument, .err = err};
    struct ps_zookeeper_settings settings = {.answered = tried, .owner = &trial};
    struct ps_port port;
    if (!ps_probe_port_open(&port, probe))
        return false;
    if (ps_hadoop_loop_open(&trial.loop, &port, err) == PS_OK) {
        const struct ps_now now = ps_clock_now();
        make_reads(plan, &settings);
        settings.loop = trial.loop;
        settings.timeout_ns = (uint64_t)ps_probe_left_ms(probe) * PS_NS_PER_MS;
        (void)ps_hadoop_loop_turn(trial.loop, &now); /* the loop knows the time */
        struct ps_zookeeper *zookeeper = ps_zookeeper_open(&settings);
        if (zookeeper != NULL)
            ps_zookeeper_ask(zookeeper);
        ps_probe_turns(probe, port.epoll_fd, turn_trial, &trial, &trial.done);
        if (!trial.done)
            (void)ps_err_set(err, "no answer in time");
        ps_zookeeper_close(zookeeper);
        ps_hadoop_loop_close(trial.loop);
    }
    ps_probe_port_close(&port);
    return trial.found;
}
