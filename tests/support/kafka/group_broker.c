#include "tests/support/kafka/group_broker.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/support.h"

#define ERROR_NOT_COORDINATOR 16

unsigned ps_test_group_draw(struct ps_test_group_broker *group, unsigned below)
{
    return (unsigned)(ps_test_random(&group->random) % below);
}

static bool fails(struct ps_test_group_broker *group)
{
    return group->faults > 0 && ps_test_group_draw(group, 1000) < group->faults;
}

static bool is_of_group(int16_t key)
{
    return key == PS_TEST_KEY_COMMIT || key == PS_TEST_KEY_OFFSETS || key == PS_TEST_KEY_JOIN ||
           key == PS_TEST_KEY_HEARTBEAT || key == PS_TEST_KEY_SYNC;
}

static bool is_chosen(const struct ps_test_group_broker *group, int16_t key)
{
    return key == group->fail_key && group->number >= group->fail_at && group->number <= group->fail_last;
}

/* Returns the error that the test chose for this request, or a random temporary one, which any request may get; 0: none. */
int16_t ps_test_group_error(struct ps_test_group_broker *group, int16_t key, bool top)
{
    static const int16_t passing[] = {7, 14, 15, 16, -1};
    static const int16_t of_leaders[] = {5, 6, 9, 74, 75, 2};
    if (is_of_group(key) && group->node != group->coordinator && (top || key != PS_TEST_KEY_OFFSETS))
        return ERROR_NOT_COORDINATOR;
    if (top != group->fail_top)
        return 0;
    if (is_chosen(group, key) && group->cut_at == UINT32_MAX) {
        group->counts.errors++;
        return group->fail_error;
    }
    if (!fails(group))
        return 0;
    group->counts.errors++;
    bool of_log = key == PS_TEST_KEY_FETCH || key == PS_TEST_KEY_LIST_OFFSETS ||
                  key == PS_TEST_KEY_METADATA || key == PS_TEST_KEY_EPOCHS;
    return of_log ? of_leaders[ps_test_group_draw(group, PS_COUNT_OF(of_leaders))]
                  : passing[ps_test_group_draw(group, PS_COUNT_OF(passing))];
}

/* ---- the cluster ---- */

static char *versions(const struct ps_test_group_broker *group, char *at)
{
    static const int16_t known[][5] = {
        /* key, lowest version, highest version, those of Kafka 0.11 and of 0.10.0 */
        {0, 0, 3, 3, 2},  {1, 0, 13, 5, 2}, {2, 0, 2, 1, 0},  {3, 0, 10, 4, 1},
        {8, 0, 7, 3, 2},  {9, 0, 7, 3, 1},  {10, 0, 1, 1, 0}, {11, 0, 5, 2, 0},
        {12, 0, 3, 1, 0}, {13, 0, 1, 1, 0}, {14, 0, 3, 1, 0}, {23, 0, 3, 0, 0},
    };
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int32(at, PS_COUNT_OF(known));
    for (size_t i = 0; i < PS_COUNT_OF(known); i++) {
        at = ps_wire_put_int16(at, known[i][0]);
        at = ps_wire_put_int16(at, known[i][1]);
        int16_t most = known[i][group->oldest ? 4 : group->old ? 3 : 2];
        if (known[i][0] == PS_TEST_KEY_FETCH &&
            (group->names_topics || (group->names_nodes >> group->node & 1) != 0) && !group->old &&
            !group->oldest)
            most = 12;
        if (known[i][0] == PS_TEST_KEY_METADATA && group->old_metadata && !group->old && !group->oldest)
            most = 7;
        if (known[i][0] == PS_TEST_KEY_EPOCHS && group->old_epochs)
            most = 2;
        at = ps_wire_put_int16(at, most);
    }
    return at;
}

#define FORMER_EPOCHS 3 /* by which the leader epochs of the former topic are higher */

static bool is_flexible(int16_t metadata_version)
{
    return metadata_version >= 9;
}

static char *put_count(char *at, unsigned count, int16_t version)
{
    return is_flexible(version) ? ps_wire_put_uvarint(at, count + 1) : ps_wire_put_int32(at, (int32_t)count);
}

static char *put_text(char *at, const char *text, int16_t version)
{
    return ps_wire_put_text(at, text, strlen(text), is_flexible(version));
}

static char *put_no_text(char *at, int16_t version)
{
    return is_flexible(version) ? ps_wire_put_uvarint(at, 0) : ps_wire_put_int16(at, -1);
}

static char *put_tags(char *at, int16_t version)
{
    return is_flexible(version) ? ps_wire_put_uvarint(at, 0) : at;
}

static char *put_partition(const struct ps_test_group_broker *group, char *at, unsigned i, int16_t version)
{
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int32(at, (int32_t)i);
    at = ps_wire_put_int32(at, (int32_t)group->logs[i].leader);
    if (version >= 7)
        at = ps_wire_put_int32(at, group->logs[i].epoch + (group->former_answers > 0 ? FORMER_EPOCHS : 0));
    for (int list = 0; list < (version >= 5 ? 3 : 2); list++)
        at = put_count(at, 0, version);
    return put_tags(at, version);
}

static int32_t port_of(const struct ps_test_group_broker *group, unsigned node)
{
    return (int32_t)group->nodes[node ^ group->swapped].port;
}

static int64_t told_id(const struct ps_test_group_broker *group)
{
    unsigned lives = group->former_lives > 0 ? group->former_lives : 1;
    return group->topic_id - (group->former_answers > 0 ? lives : 0);
}

static char *put_topic(const struct ps_test_group_broker *group, int16_t version, int16_t error, char *at)
{
    at = ps_wire_put_int16(at, error);
    at = put_text(at, "t", version);
    if (version >= 10)
        at = group->no_ids ? ps_wire_put_int64(ps_wire_put_int64(at, 0), 0)
                           : ps_wire_put_int64(ps_wire_put_int64(at, 7), told_id(group));
    at = ps_wire_put_int8(at, 0);
    unsigned count = error == 0 ? group->partitions : 0;
    at = put_count(at, count, version);
    for (unsigned i = 0; i < count; i++)
        at = put_partition(group, at, i, version);
    if (version >= 8)
        at = ps_wire_put_int32(at, INT32_MIN);
    return put_tags(at, version);
}

static char *metadata(struct ps_test_group_broker *group, int16_t version, char *at)
{
    int16_t error = ps_test_group_error(group, PS_TEST_KEY_METADATA, false);
    at = put_tags(at, version);
    if (version >= 3)
        at = ps_wire_put_int32(at, 0);
    at = put_count(at, PS_TEST_GROUP_NODES - (unsigned)__builtin_popcount(group->removed), version);
    for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++) {
        if ((group->removed >> i & 1) != 0)
            continue;
        at = ps_wire_put_int32(at, (int32_t)i);
        at = put_text(at, "127.0.0.1", version);
        at = ps_wire_put_int32(at, port_of(group, i));
        at = put_no_text(at, version); /* rack */
        at = put_tags(at, version);
    }
    if (version >= 2)
        at = put_no_text(at, version); /* cluster */
    at = ps_wire_put_int32(at, 0);
    at = put_count(at, 1, version);
    at = put_topic(group, version, error, at);
    group->former_answers -= group->former_answers > 0;
    if (version >= 8 && version <= 10)
        at = ps_wire_put_int32(at, INT32_MIN);
    return put_tags(at, version);
}

static char *find_coordinator(struct ps_test_group_broker *group, struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    uint32_t length;
    const char *name = ps_wire_get_string(in, &length);
    assert_true(length == 1 && *name == 'g');
    bool has_types = request->version >= 1;
    if (has_types)
        assert_int_equal(ps_wire_get_int8(in), 0);
    int16_t error = ps_test_group_error(group, PS_TEST_KEY_COORDINATOR, false);
    at = has_types ? ps_wire_put_int32(at, 0) : at;
    at = ps_wire_put_int16(at, error);
    at = has_types ? ps_wire_put_int16(at, -1) : at;
    at = ps_wire_put_int32(at, error == 0 ? (int32_t)group->coordinator : -1);
    at = error == 0 ? ps_wire_put_string(at, "127.0.0.1", 9) : ps_wire_put_string(at, "", 0);
    return ps_wire_put_int32(at, error == 0 ? port_of(group, group->coordinator) : -1);
}

/* ---- requests ---- */

static char *answer(struct ps_test_group_broker *group, struct ps_test_connection *connection,
                    struct ps_test_request *request, char *at)
{
    switch (request->key) {
    case PS_TEST_KEY_FETCH:
        return ps_test_group_fetch(group, connection, request, at);
    case PS_TEST_KEY_LIST_OFFSETS:
        return ps_test_group_list_offsets(group, request, at);
    case PS_TEST_KEY_EPOCHS:
        return ps_test_group_epochs(group, request, at);
    case PS_TEST_KEY_METADATA:
        return metadata(group, request->version, at);
    case PS_TEST_KEY_COMMIT:
        return ps_test_group_commit(group, request, at);
    case PS_TEST_KEY_OFFSETS:
        return ps_test_group_offsets(group, request, at);
    case PS_TEST_KEY_COORDINATOR:
        return find_coordinator(group, request, at);
    case PS_TEST_KEY_JOIN:
        return ps_test_group_join(group, request, at);
    case PS_TEST_KEY_HEARTBEAT:
        return ps_test_group_heartbeat(group, request, at);
    case PS_TEST_KEY_LEAVE:
        return ps_test_group_leave(group, request, at);
    case PS_TEST_KEY_SYNC:
        return ps_test_group_sync(group, request, at);
    default:
        assert_int_equal(request->key, PS_TEST_KEY_VERSIONS);
        return versions(group, at);
    }
}

/* Cuts the answer at the byte that the test chose, or at a random one; at byte 0 the answer is lost. */
static void spoil(struct ps_test_group_broker *group, struct ps_test_connection *connection, int16_t key,
                  uint32_t before)
{
    uint32_t length = connection->out_length - before;
    if (is_chosen(group, key) && group->cut_at != UINT32_MAX && !group->cut_inside) {
        group->cut_bytes = length;
        connection->left = before + (group->cut_at < length ? group->cut_at : length);
        connection->breaks = connection->left == 0;
        group->counts.breaks++;
    } else if (fails(group)) {
        connection->left = before + ps_test_group_draw(group, length + 1);
        connection->breaks = connection->left == 0;
        group->counts.breaks++;
    }
}

/* Cuts the body of the answer where the test says. Returns its new end. */
static char *shorten(struct ps_test_group_broker *group, int16_t key, char *body, char *at)
{
    if (!is_chosen(group, key) || group->cut_at == UINT32_MAX || !group->cut_inside)
        return at;
    group->cut_bytes = (uint32_t)(at - body);
    group->counts.breaks++;
    return group->cut_at < group->cut_bytes ? body + group->cut_at : at;
}

static bool handle(void *argument, struct ps_test_connection *connection, struct ps_test_request *request)
{
    const struct ps_test_group_node *node = argument;
    struct ps_test_group_broker *group = node->group;
    uint32_t before = connection->out_length;
    bool first = connection->since_ns == 0;
    if (connection->left != UINT32_MAX)
        return false; /* it ends */
    if (first) {
        connection->number = ++group->asked[request->key];
        connection->since_ns = group->now_ns;
        if (fails(group)) { /* before it is carried out */
            connection->breaks = true;
            group->counts.breaks++;
            return true;
        }
    }
    group->number = connection->number;
    group->node = connection->tag;
    char *body = ps_test_connection_begin(connection, request);
    char *at = answer(group, connection, request, body);
    if (at == NULL)
        return false;
    assert_false(request->body.failed);
    ps_test_connection_end(connection, shorten(group, request->key, body, at));
    if (request->key == PS_TEST_KEY_FETCH && group->announced_bytes != 0)
        (void)ps_wire_put_int32(connection->out + before, (int32_t)group->announced_bytes);
    spoil(group, connection, request->key, before);
    return true;
}

/* ---- life cycle ---- */

void ps_test_group_open(struct ps_test_group_broker *group, uint64_t seed)
{
    *group = (struct ps_test_group_broker){.random = seed, .cut_at = UINT32_MAX, .now_ns = 1};
    for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++) {
        group->places[i] = (struct ps_test_group_node){group, i};
        group->nodes[i].handle = handle;
        group->nodes[i].argument = &group->places[i];
        ps_test_connections_open(&group->nodes[i]);
        group->nodes[i].tag = i;
    }
    snprintf(group->bootstrap, sizeof group->bootstrap, "127.0.0.1:%u,127.0.0.1:%u", group->nodes[0].port,
             group->nodes[1].port);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        group->logs[i].leader = i % PS_TEST_GROUP_NODES;
        ps_test_group_log_begin(&group->logs[i], -1);
        group->logs[i].committed = -1;
        group->logs[i].committed_epoch = -1;
    }
    group->topic_id = 1;
    group->share = (1U << PS_TEST_GROUP_PARTITIONS) - 1;
    group->partitions = PS_TEST_GROUP_PARTITIONS;
}

void ps_test_group_swap(struct ps_test_group_broker *group)
{
    group->swapped = !group->swapped;
    for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++)
        group->nodes[i].tag = i ^ group->swapped;
}

void ps_test_group_close(struct ps_test_group_broker *group)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++)
        ps_test_connections_close(&group->nodes[i]);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        for (unsigned s = 0; s < group->logs[i].batch_count; s++)
            free(group->logs[i].batches[s].bytes);
}

bool ps_test_group_serve(struct ps_test_group_broker *group)
{
    bool came = false;
    for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++)
        came |= (group->frozen >> i & 1) == 0 && ps_test_connections_serve(&group->nodes[i]);
    return came;
}
