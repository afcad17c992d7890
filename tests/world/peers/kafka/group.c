/* The coordinator of the group: its members (KIP-62, KIP-345, KIP-394, KIP-814). Members share out the partitions by themselves. */
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/kafka/cluster.h"

#define MS UINT64_C(1000000)
#define FIRST_REBALANCE_NS (100 * MS) /* how long a group without members waits for more of them */

/* ---- bytes ---- */

static void set_bytes(struct kafka_bytes *bytes, const unsigned char *from, int64_t length)
{
    if (bytes->bytes != NULL)
        world_free(bytes->bytes, bytes->length);
    *bytes = (struct kafka_bytes){0};
    if (from == NULL || length <= 0)
        return;
    *bytes = (struct kafka_bytes){world_allocate((size_t)length), (size_t)length};
    memcpy(bytes->bytes, from, (size_t)length);
}

static void put_bytes(struct kafka_out *out, const struct kafka_bytes *bytes)
{
    kafka_put_count(out, (int64_t)bytes->length);
    kafka_put_bytes(out, bytes->bytes != NULL ? bytes->bytes : (const unsigned char *)"", bytes->length);
}

/* ---- members ---- */

struct kafka_member *kafka_find_member(struct kafka_group *group, const char *id)
{
    for (struct kafka_member *one = group->members; one < group->members + KAFKA_MEMBERS_MAX; one++)
        if (one->id[0] != 0 && strcmp(one->id, id) == 0)
            return one;
    return NULL;
}

static struct kafka_member *find_instance(struct kafka_group *group, const char *instance)
{
    for (struct kafka_member *one = group->members; one < group->members + KAFKA_MEMBERS_MAX; one++)
        if (one->id[0] != 0 && instance[0] != 0 && strcmp(one->instance, instance) == 0)
            return one;
    return NULL;
}

/* Returns the next member after `last`, NULL for the first one, that has joined. */
static struct kafka_member *next_member(struct kafka_group *group, struct kafka_member *last)
{
    struct kafka_member *one = last == NULL ? group->members : last + 1;
    while (one < group->members + KAFKA_MEMBERS_MAX && (one->id[0] == 0 || one->is_new))
        one++;
    return one < group->members + KAFKA_MEMBERS_MAX ? one : NULL;
}

static struct kafka_member *add_member(struct kafka_group *group, const char *instance)
{
    struct kafka_member *free = group->members;
    while (free < group->members + KAFKA_MEMBERS_MAX && free->id[0] != 0)
        free++;
    if (free == group->members + KAFKA_MEMBERS_MAX)
        world_fatal("more than %d members of a group", KAFKA_MEMBERS_MAX);
    *free = (struct kafka_member){.is_new = true};
    snprintf(free->id, sizeof free->id, "member-%u", ++group->ids);
    snprintf(free->instance, sizeof free->instance, "%s", instance);
    return free;
}

static void forget_protocols(struct kafka_member *member)
{
    while (member->protocol_count > 0)
        set_bytes(&member->protocols[--member->protocol_count].subscription, NULL, 0);
}

static void begin_rebalance(struct kafka_cluster *cluster, uint64_t least_ns)
{
    struct kafka_group *group = &cluster->group;
    uint64_t longest_ns = 0;
    for (struct kafka_member *one = NULL; (one = next_member(group, one)) != NULL;)
        longest_ns = one->rebalance_ns > longest_ns ? one->rebalance_ns : longest_ns;
    group->state = KAFKA_JOINING;
    group->rebalance_ends_ns = world->now_ns + (least_ns > 0 ? least_ns : longest_ns);
    cluster->changed = true;
}

static void remove_member(struct kafka_cluster *cluster, struct kafka_member *member)
{
    struct kafka_group *group = &cluster->group;
    bool was_new = member->is_new;
    forget_protocols(member);
    set_bytes(&member->assignment, NULL, 0);
    *member = (struct kafka_member){0};
    cluster->changed = true;
    if (!was_new && (group->state == KAFKA_STABLE || group->state == KAFKA_SYNCING))
        begin_rebalance(cluster, 0);
}

void kafka_touch(struct kafka_member *member)
{
    member->expires_ns = world->now_ns + member->session_ns;
}

static bool has_protocol(const struct kafka_member *member, const char *name)
{
    for (unsigned i = 0; i < member->protocol_count; i++)
        if (strcmp(member->protocols[i].name, name) == 0)
            return true;
    return false;
}

const struct kafka_bytes *kafka_subscription_of(const struct kafka_group *group,
                                                const struct kafka_member *member)
{
    static const struct kafka_bytes none;
    for (unsigned i = 0; i < member->protocol_count; i++)
        if (strcmp(member->protocols[i].name, group->protocol) == 0)
            return &member->protocols[i].subscription;
    return &none;
}

/* ---- generations ---- */

static bool all_have(struct kafka_group *group, const char *protocol)
{
    for (struct kafka_member *one = NULL; (one = next_member(group, one)) != NULL;)
        if (!has_protocol(one, protocol))
            return false;
    return true;
}

static void begin_generation(struct kafka_cluster *cluster)
{
    struct kafka_group *group = &cluster->group;
    for (struct kafka_member *one = NULL; (one = next_member(group, one)) != NULL;)
        if (!one->joins)
            remove_member(cluster, one);
    group->generation++;
    cluster->changed = true;
    struct kafka_member *first = next_member(group, NULL);
    if (first == NULL) {
        group->state = KAFKA_EMPTY;
        return;
    }
    group->state = KAFKA_SYNCING;
    struct kafka_member *leader = kafka_find_member(group, group->leader);
    if (leader == NULL || leader->is_new)
        leader = first;
    snprintf(group->leader, sizeof group->leader, "%s", leader->id);
    for (unsigned i = leader->protocol_count; i-- > 0;)
        if (all_have(group, leader->protocols[i].name))
            snprintf(group->protocol, sizeof group->protocol, "%s", leader->protocols[i].name);
    for (struct kafka_member *one = NULL; (one = next_member(group, one)) != NULL;) {
        one->joins = false;
        set_bytes(&one->assignment, NULL, 0);
        kafka_touch(one);
    }
}

static bool all_join(struct kafka_group *group)
{
    for (struct kafka_member *one = NULL; (one = next_member(group, one)) != NULL;)
        if (!one->joins)
            return false;
    return true;
}

uint64_t kafka_group_turn(struct kafka_cluster *cluster)
{
    struct kafka_group *group = &cluster->group;
    uint64_t due_ns = WORLD_NEVER;
    for (struct kafka_member *one = group->members; one < group->members + KAFKA_MEMBERS_MAX; one++) {
        if (one->id[0] == 0 || one->joins)
            continue;
        if (one->expires_ns <= world->now_ns)
            remove_member(cluster, one);
        else if (one->expires_ns < due_ns)
            due_ns = one->expires_ns;
    }
    if (group->state != KAFKA_JOINING)
        return due_ns;
    bool waits_for_more = next_member(group, NULL) != NULL && group->leader[0] == 0;
    if (group->rebalance_ends_ns <= world->now_ns || (all_join(group) && !waits_for_more))
        begin_generation(cluster);
    else if (group->rebalance_ends_ns < due_ns)
        due_ns = group->rebalance_ends_ns;
    return due_ns;
}

void kafka_group_moved(struct kafka_cluster *cluster)
{
    struct kafka_group *group = &cluster->group;
    bool is_open = group->state == KAFKA_JOINING || group->state == KAFKA_SYNCING;
    for (struct kafka_member *one = group->members; one < group->members + KAFKA_MEMBERS_MAX; one++) {
        if (one->id[0] == 0)
            continue;
        one->joins = false;
        kafka_touch(one);
        if (one->is_new || group->leader[0] == 0) /* a group without a generation was never written */
            remove_member(cluster, one);
    }
    if (group->leader[0] == 0)
        group->state = KAFKA_EMPTY;
    /* the last assignment was not written: the new coordinator lets all members join again */
    if (is_open && next_member(group, NULL) != NULL)
        begin_rebalance(cluster, 0);
    cluster->changed = true;
}

/* ---- JoinGroup ---- */

static struct joining {
    char group[KAFKA_NAME_MAX], id[KAFKA_NAME_MAX], instance[KAFKA_NAME_MAX];
    uint64_t session_ns, rebalance_ns;
    struct kafka_in protocols; /* from their count on */
} read_join(struct kafka_request *request)
{
    struct kafka_in *in = &request->in;
    struct joining join = {0};
    char type[32];
    kafka_get_text(in, join.group, sizeof join.group);
    join.session_ns = join.rebalance_ns = (uint64_t)kafka_get(in, 4) * MS;
    if (request->version >= 1)
        join.rebalance_ns = (uint64_t)kafka_get(in, 4) * MS;
    kafka_get_text(in, join.id, sizeof join.id);
    if (request->version >= 5)
        kafka_get_text(in, join.instance, sizeof join.instance);
    kafka_get_text(in, type, sizeof type);
    join.protocols = *in;
    return join;
}

/* Takes the member's protocols. Returns whether they differ from those before. */
static bool take_protocols(struct kafka_member *member, struct kafka_in in)
{
    unsigned count = (unsigned)kafka_get_count(&in);
    bool differs = count != member->protocol_count;
    if (count > KAFKA_PROTOCOLS_MAX)
        world_fatal("a member with %u protocols", count);
    for (unsigned i = 0; i < count; i++) {
        char name[sizeof member->protocols[i].name];
        kafka_get_text(&in, name, sizeof name);
        int64_t length = kafka_get_count(&in);
        const unsigned char *bytes = kafka_get_bytes(&in, length);
        kafka_get_tags(&in);
        struct kafka_bytes *known = &member->protocols[i].subscription;
        differs |= strcmp(member->protocols[i].name, name) != 0 || (int64_t)known->length != length ||
                   (length > 0 && memcmp(known->bytes, bytes, (size_t)length) != 0);
        snprintf(member->protocols[i].name, sizeof member->protocols[i].name, "%s", name);
        set_bytes(known, bytes, length);
    }
    for (unsigned i = count; i < member->protocol_count; i++)
        set_bytes(&member->protocols[i].subscription, NULL, 0);
    member->protocol_count = count;
    return differs;
}

int64_t kafka_members(struct kafka_group *group)
{
    int64_t count = 0;
    for (struct kafka_member *one = NULL; (one = next_member(group, one)) != NULL;)
        count++;
    return count;
}

static void put_members(struct kafka_group *group, int16_t version, struct kafka_out *answer)
{
    kafka_put_count(answer, kafka_members(group));
    for (struct kafka_member *one = NULL; (one = next_member(group, one)) != NULL;) {
        kafka_put_text(answer, one->id);
        if (version >= 5)
            kafka_put_text(answer, one->instance[0] != 0 ? one->instance : NULL);
        put_bytes(answer, kafka_subscription_of(group, one));
        kafka_put_tags(answer);
    }
}

/* Writes the generation as it is, or an error. `keeps`: a leader need not share out anew. */
static enum kafka_served put_join(struct kafka_group *group, int16_t version, const char *id, int error,
                                  bool keeps, struct kafka_out *answer)
{
    bool leads = error == KAFKA_NONE && strcmp(group->leader, id) == 0;
    if (version >= 2)
        kafka_put(answer, 0, 4);
    kafka_put(answer, error, 2);
    kafka_put(answer, error == KAFKA_NONE ? group->generation : -1, 4);
    if (version >= 7)
        kafka_put_text(answer, "consumer");
    kafka_put_text(answer, error == KAFKA_NONE ? group->protocol : "");
    kafka_put_text(answer, error == KAFKA_NONE ? group->leader : "");
    if (version >= 9)
        kafka_put(answer, keeps && leads, 1);
    kafka_put_text(answer, id);
    if (leads && (!keeps || version >= 9))
        put_members(group, version, answer);
    else
        kafka_put_count(answer, 0);
    kafka_put_tags(answer);
    return KAFKA_ANSWERED;
}

/* A static member that comes back takes its former place under a new id; the one that had it is fenced. */
static struct kafka_member *replace(struct kafka_group *group, struct kafka_member *member)
{
    bool led = strcmp(group->leader, member->id) == 0;
    snprintf(member->id, sizeof member->id, "member-%u", ++group->ids);
    if (led)
        snprintf(group->leader, sizeof group->leader, "%s", member->id);
    return member;
}

/* Returns whether the member must wait for a new generation. */
static bool rejoin(struct kafka_cluster *cluster, struct kafka_member *member, const struct joining *join,
                   bool is_replaced)
{
    struct kafka_group *group = &cluster->group;
    bool was_new = member->is_new, differs = take_protocols(member, join->protocols);
    bool leads = strcmp(group->leader, member->id) == 0;
    member->is_new = false;
    member->session_ns = join->session_ns;
    member->rebalance_ns = join->rebalance_ns;
    kafka_touch(member);
    /* It has not got the answer, or is back. One that comes back before the assignment is there makes all join again, because the leader
     * knows its former id (GroupCoordinator.updateStaticMemberAndRebalance). */
    if (!was_new && !differs && group->state == (is_replaced ? KAFKA_STABLE : KAFKA_SYNCING))
        return false;
    if (group->state == KAFKA_STABLE && !was_new && !differs && !leads)
        return false;
    if (group->state == KAFKA_EMPTY)
        group->leader[0] = 0;
    if (group->state != KAFKA_JOINING)
        begin_rebalance(cluster, group->state == KAFKA_EMPTY ? FIRST_REBALANCE_NS : 0);
    member->joins = true;
    cluster->changed = true;
    return true;
}

/* The answer of a request that waited. */
static enum kafka_served joined(struct kafka_cluster *cluster, struct kafka_request *request, const char *id,
                                struct kafka_out *answer)
{
    const struct kafka_member *member = kafka_find_member(&cluster->group, id);
    if (member != NULL && member->joins)
        return kafka_wait(request, WORLD_NEVER);
    int error = member != NULL ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER;
    if (error == KAFKA_NONE && cluster->group.state != KAFKA_SYNCING)
        error = KAFKA_REBALANCE_IN_PROGRESS;
    return put_join(&cluster->group, request->version, id, error, false, answer);
}

/* Errors of a group that has no reason for them: members and generations that the coordinator has forgotten, too. */
static int fail_member(struct kafka_cluster *cluster, const struct kafka_request *request)
{
    static const int errors[] = {KAFKA_COORDINATOR_LOADS,
                                 KAFKA_COORDINATOR_NOT_AVAILABLE,
                                 KAFKA_NOT_COORDINATOR,
                                 KAFKA_UNKNOWN_MEMBER,
                                 KAFKA_ILLEGAL_GENERATION,
                                 KAFKA_REBALANCE_IN_PROGRESS,
                                 KAFKA_INCONSISTENT_PROTOCOL,
                                 KAFKA_FENCED_INSTANCE,
                                 -1, /* UNKNOWN_SERVER_ERROR */
                                 30, /* GROUP_AUTHORIZATION_FAILED */
                                 81 /* GROUP_MAX_SIZE_REACHED */};
    return kafka_fails(cluster, request, -1, -1, errors, sizeof errors / sizeof *errors);
}

enum kafka_served kafka_join(struct kafka_cluster *cluster, struct kafka_request *request,
                             struct kafka_out *answer)
{
    struct kafka_group *group = &cluster->group;
    struct joining join = read_join(request);
    bool is_first = request->connection->since_ns == 0;
    int error = kafka_check_coordinator(cluster, cluster->group_coordinator, request->broker);
    if (error == KAFKA_NONE && is_first)
        error = fail_member(cluster, request);
    if (error != KAFKA_NONE)
        return put_join(group, request->version, join.id, error, false, answer);
    if (!is_first) { /* `state` is the number of the id that it has got */
        snprintf(join.id, sizeof join.id, "member-%u", request->connection->state);
        return joined(cluster, request, join.id, answer);
    }
    snprintf(group->name, sizeof group->name, "%s", join.group);
    struct kafka_member *member =
        join.id[0] != 0 ? kafka_find_member(group, join.id) : find_instance(group, join.instance);
    if (join.id[0] != 0 && member == NULL)
        error = find_instance(group, join.instance) != NULL ? KAFKA_FENCED_INSTANCE : KAFKA_UNKNOWN_MEMBER;
    if (error != KAFKA_NONE)
        return put_join(group, request->version, join.id, error, false, answer);
    bool is_replaced = join.id[0] == 0 && member != NULL;
    if (is_replaced)
        member = replace(group, member);
    if (member == NULL) {
        member = add_member(group, join.instance);
        member->session_ns = join.session_ns;
        kafka_touch(member);
        if (request->version >= 4 && join.instance[0] == 0)
            return put_join(group, request->version, member->id, KAFKA_MEMBER_ID_REQUIRED, false, answer);
    }
    sscanf(member->id, "member-%u", &request->connection->state);
    if (rejoin(cluster, member, &join, is_replaced))
        return kafka_wait(request, WORLD_NEVER);
    return put_join(group, request->version, member->id, KAFKA_NONE, group->state == KAFKA_STABLE, answer);
}

/* ---- the other requests ---- */

int kafka_check_member(struct kafka_group *group, const char *id, const char *instance, int32_t generation,
                       bool in_transaction)
{
    const struct kafka_member *member = kafka_find_member(group, id), *named = find_instance(group, instance);
    if (named != NULL && named != member)
        return KAFKA_FENCED_INSTANCE;
    if (member == NULL || member->is_new)
        return KAFKA_UNKNOWN_MEMBER;
    if (generation != group->generation)
        return KAFKA_ILLEGAL_GENERATION;
    return group->state == KAFKA_SYNCING && !in_transaction ? KAFKA_REBALANCE_IN_PROGRESS : KAFKA_NONE;
}

/* Reads the group, the generation, the member and its static name. Returns an error. */
static int read_member(struct kafka_cluster *cluster, struct kafka_request *request,
                       struct kafka_member **member)
{
    struct kafka_in *in = &request->in;
    char name[KAFKA_NAME_MAX], id[KAFKA_NAME_MAX], instance[KAFKA_NAME_MAX] = "";
    kafka_get_text(in, name, sizeof name);
    int32_t generation = (int32_t)kafka_get(in, 4);
    kafka_get_text(in, id, sizeof id);
    if (request->version >= 3)
        kafka_get_text(in, instance, sizeof instance);
    *member = kafka_find_member(&cluster->group, id);
    int error = kafka_check_coordinator(cluster, cluster->group_coordinator, request->broker);
    if (error == KAFKA_NONE && request->connection->since_ns == 0)
        error = fail_member(cluster, request);
    return error != KAFKA_NONE ? error : kafka_check_member(&cluster->group, id, instance, generation, true);
}

/* Each partition has one owner; with the cooperative protocol it has given it up before. */
static void check_assignments(struct kafka_group *group)
{
    bool is_cooperative = strcmp(group->protocol, "cooperative-sticky") == 0;
    for (struct kafka_member *one = NULL; (one = next_member(group, one)) != NULL;)
        for (struct kafka_member *other = NULL; (other = next_member(group, other)) != NULL;) {
            bool own[KAFKA_PARTITIONS], others[KAFKA_PARTITIONS], claimed[KAFKA_PARTITIONS];
            kafka_read_assignment(&one->assignment, own);
            kafka_read_assignment(&other->assignment, others);
            kafka_read_claims(kafka_subscription_of(group, other), claimed);
            for (int i = 0; i < KAFKA_PARTITIONS && one != other; i++)
                if (own[i] && (others[i] || (is_cooperative && claimed[i])))
                    world->broken = "the leader of a group gave a partition to two members";
        }
}

void kafka_share_out(struct kafka_cluster *cluster, struct kafka_in *in)
{
    struct kafka_group *group = &cluster->group;
    for (int64_t count = kafka_get_count(in); count > 0 && !in->bad; count--) {
        char id[KAFKA_NAME_MAX];
        kafka_get_text(in, id, sizeof id);
        int64_t length = kafka_get_count(in);
        const unsigned char *bytes = kafka_get_bytes(in, length);
        struct kafka_member *member = kafka_find_member(group, id);
        if (member != NULL)
            set_bytes(&member->assignment, bytes, length);
    }
    check_assignments(group);
    group->state = KAFKA_STABLE;
    cluster->changed = true;
}

enum kafka_served kafka_sync(struct kafka_cluster *cluster, struct kafka_request *request,
                             struct kafka_out *answer)
{
    static const struct kafka_bytes none;
    struct kafka_group *group = &cluster->group;
    struct kafka_member *member;
    int error = read_member(cluster, request, &member);
    if (error == KAFKA_NONE && group->state == KAFKA_JOINING)
        error = KAFKA_REBALANCE_IN_PROGRESS;
    if (error == KAFKA_NONE)
        kafka_touch(member);
    if (error == KAFKA_NONE && group->state == KAFKA_SYNCING) {
        if (strcmp(member->id, group->leader) != 0)
            return kafka_wait(request, WORLD_NEVER);
        kafka_share_out(cluster, &request->in);
    }
    if (request->version >= 1)
        kafka_put(answer, 0, 4);
    kafka_put(answer, error, 2);
    put_bytes(answer, error == KAFKA_NONE ? &member->assignment : &none);
    return KAFKA_ANSWERED;
}

enum kafka_served kafka_heartbeat(struct kafka_cluster *cluster, struct kafka_request *request,
                                  struct kafka_out *answer)
{
    struct kafka_member *member;
    int error = read_member(cluster, request, &member);
    if (error == KAFKA_NONE) {
        kafka_touch(member);
        if (cluster->group.state == KAFKA_JOINING)
            error = KAFKA_REBALANCE_IN_PROGRESS;
    }
    if (request->version >= 1)
        kafka_put(answer, 0, 4);
    kafka_put(answer, error, 2);
    return KAFKA_ANSWERED;
}

enum kafka_served kafka_leave(struct kafka_cluster *cluster, struct kafka_request *request,
                              struct kafka_out *answer)
{
    char name[KAFKA_NAME_MAX], id[KAFKA_NAME_MAX];
    kafka_get_text(&request->in, name, sizeof name);
    kafka_get_text(&request->in, id, sizeof id);
    int error = kafka_check_coordinator(cluster, cluster->group_coordinator, request->broker);
    struct kafka_member *member = kafka_find_member(&cluster->group, id);
    if (error == KAFKA_NONE && member == NULL)
        error = KAFKA_UNKNOWN_MEMBER;
    if (error == KAFKA_NONE)
        remove_member(cluster, member);
    if (request->version >= 1)
        kafka_put(answer, 0, 4);
    kafka_put(answer, error, 2);
    return KAFKA_ANSWERED;
}

enum kafka_served kafka_describe(struct kafka_cluster *cluster, struct kafka_request *request,
                                 struct kafka_out *answer)
{
    static const char *const states[] = {"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"};
    struct kafka_group *group = &cluster->group;
    char name[KAFKA_NAME_MAX];
    if (kafka_get_count(&request->in) != 1)
        world_fatal("the agent asks for several groups");
    kafka_get_text(&request->in, name, sizeof name);
    int error = kafka_check_coordinator(cluster, cluster->group_coordinator, request->broker);
    if (request->version >= 1)
        kafka_put(answer, 0, 4);
    kafka_put_count(answer, 1);
    kafka_put(answer, error, 2);
    kafka_put_text(answer, name);
    kafka_put_text(answer, error == KAFKA_NONE ? states[group->state] : "");
    kafka_put_text(answer, "consumer");
    kafka_put_text(answer, error == KAFKA_NONE && group->state == KAFKA_STABLE ? group->protocol : "");
    kafka_put_count(answer, error == KAFKA_NONE ? kafka_members(group) : 0);
    for (struct kafka_member *one = NULL; error == KAFKA_NONE && (one = next_member(group, one)) != NULL;) {
        kafka_put_text(answer, one->id);
        kafka_put_text(answer, "client");
        kafka_put_text(answer, "/127.0.0.1");
        put_bytes(answer, kafka_subscription_of(group, one));
        put_bytes(answer, &one->assignment);
    }
    return KAFKA_ANSWERED;
}

/* ---- the neighbour ---- */

void kafka_neighbour_joins(struct kafka_cluster *cluster, char id[KAFKA_NAME_MAX], struct kafka_in protocols)
{
    const struct joining join = {.session_ns = 6000 * MS, .rebalance_ns = 30000 * MS, .protocols = protocols};
    struct kafka_member *member = kafka_find_member(&cluster->group, id);
    if (member == NULL)
        member = add_member(&cluster->group, "");
    snprintf(id, KAFKA_NAME_MAX, "%s", member->id);
    rejoin(cluster, member, &join, false);
}

void kafka_neighbour_leaves(struct kafka_cluster *cluster, const char *id)
{
    struct kafka_member *member = kafka_find_member(&cluster->group, id);
    if (member != NULL)
        remove_member(cluster, member);
}
