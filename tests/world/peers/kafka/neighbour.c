/* Another member of the agent's group, within the coordinator: it joins while the agent is in the group, reads and commits records of the
 * partitions that it gets, in one step, and leaves. It does not hold a rebalance up for long, and has its share of the
 * group's other duties: it may be the leader. */
#include <stdio.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/kafka/cluster.h"

#define MS UINT64_C(1000000)
#define STEP_NS_MAX (50 * MS)
#define STAY_NS_MAX (3000 * MS)
#define AWAY_NS_MAX (6000 * MS)

struct neighbour {
    struct kafka_cluster *cluster;
    char id[KAFKA_NAME_MAX]; /* "": not in the group */
    uint64_t moves_ns;       /* when it joins, or leaves */
    unsigned left;           /* how often it joins */
    bool committed_only;
    bool has[KAFKA_PARTITIONS];
};

static bool is_cooperative(const struct kafka_group *group)
{
    return strcmp(group->protocol, "cooperative-sticky") == 0;
}

/* ---- in the group ---- */

static void join(struct neighbour *neighbour)
{
    struct kafka_group *group = &neighbour->cluster->group;
    unsigned char claims[256], bytes[512];
    struct kafka_out subscription = {.bytes = claims, .room = sizeof claims},
                     protocols = {.bytes = bytes, .room = sizeof bytes};
    if (!is_cooperative(group))
        memset(neighbour->has, 0, sizeof neighbour->has);
    kafka_write_claims(&subscription, neighbour->has, group->generation);
    kafka_put(&protocols, 1, 4);
    kafka_put_string(&protocols, group->protocol);
    kafka_put(&protocols, (int64_t)subscription.length, 4);
    kafka_put_bytes(&protocols, claims, subscription.length);
    const struct kafka_in in = {.at = bytes, .end = bytes + protocols.length};
    kafka_neighbour_joins(neighbour->cluster, neighbour->id, in);
}

static void leave(struct neighbour *neighbour)
{
    if (!world->server_faults || world_below(3) != 0) /* else it is killed, and its session ends */
        kafka_neighbour_leaves(neighbour->cluster, neighbour->id);
    neighbour->id[0] = 0;
    memset(neighbour->has, 0, sizeof neighbour->has);
    neighbour->moves_ns = world->now_ns + world_below(AWAY_NS_MAX);
}

/* The leader gives each partition to a member in turn; with the cooperative protocol nobody gets what another one still has. */
static void share_out(struct neighbour *neighbour)
{
    static unsigned char bytes[4096];
    struct kafka_group *group = &neighbour->cluster->group;
    struct kafka_out out = {.bytes = bytes, .room = sizeof bytes};
    bool claims[KAFKA_MEMBERS_MAX][KAFKA_PARTITIONS];
    int64_t members = kafka_members(group), nth = 0;
    for (int i = 0; i < KAFKA_MEMBERS_MAX; i++)
        kafka_read_claims(kafka_subscription_of(group, &group->members[i]), claims[i]);
    kafka_put(&out, members, 4);
    for (int i = 0; i < KAFKA_MEMBERS_MAX; i++) {
        if (group->members[i].id[0] == 0 || group->members[i].is_new)
            continue;
        unsigned char own[256];
        struct kafka_out assignment = {.bytes = own, .room = sizeof own};
        bool parts[KAFKA_PARTITIONS];
        for (int p = 0; p < KAFKA_PARTITIONS; p++) {
            parts[p] = p < neighbour->cluster->topics[1].count && p % members == nth;
            for (int other = 0; other < KAFKA_MEMBERS_MAX && is_cooperative(group); other++)
                parts[p] &= other == i || !claims[other][p];
        }
        nth++;
        kafka_write_assignment(&assignment, parts);
        kafka_put_string(&out, group->members[i].id);
        kafka_put(&out, (int64_t)assignment.length, 4);
        kafka_put_bytes(&out, own, assignment.length);
    }
    struct kafka_in in = {.at = bytes, .end = bytes + out.length};
    kafka_share_out(neighbour->cluster, &in);
}

/* Takes its part in a rebalance. Returns whether it may read. */
static bool take_part(struct neighbour *neighbour, struct kafka_member *member)
{
    struct kafka_group *group = &neighbour->cluster->group;
    if (group->state == KAFKA_JOINING && !member->joins && world_below(4) == 0)
        join(neighbour);
    if (group->state == KAFKA_SYNCING && strcmp(group->leader, neighbour->id) == 0)
        share_out(neighbour);
    if (group->state == KAFKA_STABLE) {
        bool parts[KAFKA_PARTITIONS], gives_up = false;
        kafka_read_assignment(&member->assignment, parts);
        for (int i = 0; i < KAFKA_PARTITIONS; i++)
            gives_up |= neighbour->has[i] && !parts[i];
        memcpy(neighbour->has, parts, sizeof parts);
        if (gives_up && is_cooperative(group))
            join(neighbour);
    }
    return group->state == KAFKA_STABLE || is_cooperative(group);
}

/* ---- reading ---- */

static void read_some(struct neighbour *neighbour)
{
    struct kafka_cluster *cluster = neighbour->cluster;
    int topic = kafka_topic_named(cluster, "in");
    int32_t number = (int32_t)world_below((uint64_t)cluster->topics[topic].count);
    if (!neighbour->has[number] || cluster->group.pending[topic][number].producer != 0)
        return;
    struct kafka_offset offset = cluster->group.offsets[topic][number];
    int64_t from = offset.offset < 0 ? 0 : offset.offset;
    offset.offset =
        kafka_take(&cluster->topics[topic], number, from, neighbour->committed_only, &offset.epoch);
    if (offset.offset > from)
        kafka_set_offset(cluster, topic, number, offset);
}

static void neighbour_step(struct world_peer *peer)
{
    struct neighbour *neighbour = peer->state;
    struct kafka_group *group = &neighbour->cluster->group;
    struct kafka_member *member = kafka_find_member(group, neighbour->id);
    peer->due_ns = world->now_ns + world_below(STEP_NS_MAX);
    if (member == NULL) { /* also when the group has removed it */
        neighbour->id[0] = 0;
        memset(neighbour->has, 0, sizeof neighbour->has);
        if (neighbour->left == 0) {
            peer->due_ns = WORLD_NEVER;
        } else if (neighbour->moves_ns <= world->now_ns && group->state == KAFKA_STABLE) {
            neighbour->left--;
            join(neighbour);
            neighbour->moves_ns = world->now_ns + world_below(STAY_NS_MAX);
        }
    } else if (neighbour->moves_ns <= world->now_ns) {
        leave(neighbour);
    } else {
        kafka_touch(member);
        if (take_part(neighbour, member))
            read_some(neighbour);
    }
    neighbour->cluster->peer->called = true;
}

void kafka_neighbour_add(struct kafka_cluster *cluster, bool committed_only)
{
    struct neighbour *neighbour = world_allocate(sizeof *neighbour);
    *neighbour = (struct neighbour){
        .cluster = cluster, .left = 1 + (unsigned)world_below(6), .committed_only = committed_only};
    peer_add(neighbour_step, neighbour, world_below(AWAY_NS_MAX));
}
