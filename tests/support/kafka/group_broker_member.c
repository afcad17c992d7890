/* The group of the broker with a group: its members and their offsets. */
#include "stages/lib/kafka/group/assignment.h"
#include "tests/support/kafka/group_broker.h"

#include <string.h>

#include "tests/support/support.h"

#define ERROR_ILLEGAL_GENERATION 22
#define ERROR_UNKNOWN_MEMBER 25
#define ERROR_REBALANCING 27
#define ERROR_MEMBER_ID_REQUIRED 79

static void take_group(struct ps_wire_in *in)
{
    uint32_t length;
    const char *name = ps_wire_get_string(in, &length);
    assert_true(length == 1 && *name == 'g');
}

static bool is_member(struct ps_wire_in *in)
{
    uint32_t length;
    const char *id = ps_wire_get_string(in, &length);
    assert_true(length == 0 ||
                (length == strlen(PS_TEST_GROUP_MEMBER) && memcmp(id, PS_TEST_GROUP_MEMBER, length) == 0));
    return length > 0;
}

static void skip_instance(struct ps_wire_in *in)
{
    uint32_t length;
    assert_null(ps_wire_get_string(in, &length));
}

/* ---- joining ---- */

/* Writes the members as the leader gets them, with their subscriptions. */
static char *put_members(const struct ps_test_group_broker *group, char *at, int16_t version)
{
    static const char *const ids[] = {PS_TEST_GROUP_MEMBER, "a-member", "z-member"};
    struct ps_slice topic = {"t", 1};
    unsigned count = 1 + group->others;
    assert_in_range(count, 1, PS_COUNT_OF(ids));
    at = ps_wire_put_int32(at, (int32_t)count);
    for (unsigned i = 0; i < count; i++) {
        struct ps_kafka_group_claim claims[PS_TEST_GROUP_PARTITIONS];
        struct ps_kafka_group_member member = {
            .topics = &topic, .topic_count = 1, .claims = claims, .generation = group->generation - 1};
        for (int32_t p = 0; p < (int32_t)PS_TEST_GROUP_PARTITIONS && i == 0; p++) {
            if ((group->claimed >> p & 1) != 0)
                claims[member.claim_count++] = (struct ps_kafka_group_claim){topic, p};
        }
        size_t length = ps_kafka_subscription_write(NULL, &member, group->cooperative, 0);
        at = ps_wire_put_string(at, ids[i], strlen(ids[i]));
        if (version >= 5)
            at = ps_wire_put_int16(at, -1);
        at = ps_wire_put_int32(at, (int32_t)length);
        (void)ps_kafka_subscription_write(at, &member, group->cooperative, 0);
        if (i > 0 && group->foreign)
            memset(at, 0xff, length);
        at += length;
    }
    return at;
}

/* Begins a generation with the member, which keeps only the partitions that it claimed when it joined. */
static void begin_generation(struct ps_test_group_broker *group)
{
    group->generation++;
    group->joined = true;
    group->synced = group->rebalances = false;
    group->owned = group->claimed;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        if ((group->claimed >> i & 1) == 0)
            ps_test_group_log_begin(&group->logs[i], -1);
    }
}

/* Reads the rest of the request: the protocols. Returns the partitions that the member claims, as bits. */
static unsigned read_claims(const struct ps_test_group_broker *group, struct ps_wire_in *in)
{
    uint32_t length;
    (void)ps_wire_get_string(in, &length);
    uint32_t count = ps_wire_get_count(in, 6);
    unsigned claimed = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = ps_wire_get_string(in, &length);
        bool cooperative =
            length == strlen("cooperative-sticky") && memcmp(name, "cooperative-sticky", length) == 0;
        uint32_t bytes = ps_wire_get_count(in, 1);
        struct ps_kafka_group_member member = {0};
        assert_true(ps_kafka_subscription_read(ps_wire_take(in, bytes), bytes, &member));
        assert_int_equal(cooperative, group->cooperative);
        for (uint32_t c = 0; c < member.claim_count; c++) {
            assert_in_range(member.claims[c].partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
            claimed |= 1U << (unsigned)member.claims[c].partition;
        }
        ps_kafka_group_member_fini(&member);
    }
    return claimed;
}

/* Writes the error, in later versions after the throttle time. */
static char *put_head(char *at, bool throttles, int16_t error)
{
    return ps_wire_put_int16(throttles ? ps_wire_put_int32(at, 0) : at, error);
}

char *ps_test_group_join(struct ps_test_group_broker *group, struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    take_group(in);
    (void)ps_wire_get_int32(in);
    if (request->version >= 1)
        (void)ps_wire_get_int32(in); /* time to join again */
    bool named = is_member(in);
    if (named && group->dead > 0) {
        group->waits = true;
        return NULL;
    }
    if (request->version >= 5)
        skip_instance(in);
    unsigned claimed = read_claims(group, in);
    int16_t error = ps_test_group_error(group, PS_TEST_KEY_JOIN, false);
    if (error == 0 && named && (!group->known || (claimed != 0 && !group->joined)))
        error = ERROR_UNKNOWN_MEMBER;
    if (error == 0 && !named && request->version >= 4)
        error = ERROR_MEMBER_ID_REQUIRED;
    if (error == 0 || error == ERROR_MEMBER_ID_REQUIRED)
        group->known = true;
    if (error == 0) {
        assert_int_equal(claimed & ~group->owned, 0);
        group->claimed = claimed;
        if (!named || !group->joined || !group->keeps_generation)
            begin_generation(group);
    }
    const char *leader = group->leads ? PS_TEST_GROUP_MEMBER : "a-member";
    at = put_head(at, request->version >= 2, error);
    at = ps_wire_put_int32(at, error == 0 ? group->generation : -1);
    const char *protocol = error != 0 ? "" : group->cooperative ? "cooperative-sticky" : "range";
    at = ps_wire_put_string(at, protocol, strlen(protocol));
    at = error == 0 ? ps_wire_put_string(at, leader, strlen(leader)) : ps_wire_put_string(at, "", 0);
    at = error == 0 || error == ERROR_MEMBER_ID_REQUIRED
             ? ps_wire_put_string(at, PS_TEST_GROUP_MEMBER, strlen(PS_TEST_GROUP_MEMBER))
             : ps_wire_put_string(at, "", 0);
    return error == 0 && group->leads ? put_members(group, at, request->version) : ps_wire_put_int32(at, 0);
}

/* Returns the error of a member's request with this generation; 0: none. */
static int16_t refuses(struct ps_test_group_broker *group, int16_t key, int32_t generation, bool named)
{
    int16_t error = ps_test_group_error(group, key, false);
    if (error != 0)
        return error;
    if (!named || !group->known)
        return ERROR_UNKNOWN_MEMBER;
    return generation == group->generation && group->joined ? 0 : ERROR_ILLEGAL_GENERATION;
}

static void own(void *argument, struct ps_slice topic, int32_t partition)
{
    struct ps_test_group_broker *group = argument;
    assert_true(topic.length == 1 && *topic.data == 't');
    assert_in_range(partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
    group->owned |= 1U << (unsigned)partition;
}

/* Takes the assignment of the member that is the leader: each partition has one owner. */
static void take_assignment(struct ps_test_group_broker *group, struct ps_wire_in *in)
{
    uint32_t count = ps_wire_get_count(in, 6), length;
    unsigned mine = 0, all = 0;
    assert_int_equal(count, 1 + group->others);
    for (uint32_t i = 0; i < count; i++) {
        const char *id = ps_wire_get_string(in, &length);
        bool is_own = length == strlen(PS_TEST_GROUP_MEMBER) && memcmp(id, PS_TEST_GROUP_MEMBER, length) == 0;
        uint32_t bytes = ps_wire_get_count(in, 1);
        const char *assignment = ps_wire_take(in, bytes);
        group->owned = 0;
        assert_true(assignment != NULL && ps_kafka_assignment_read(assignment, bytes, own, group));
        assert_int_equal(all & group->owned, 0);
        all |= group->owned;
        mine = is_own ? group->owned : mine;
    }
    /* without metadata a topic has no partitions; a partition that changes hands has no owner for now */
    unsigned there = (1U << group->partitions) - 1;
    assert_true(((all | (group->claimed & ~mine)) & there) == there || all == 0);
    group->owned = mine;
}

static char *put_assignment(const struct ps_test_group_broker *group, char *at)
{
    uint32_t owners[PS_TEST_GROUP_PARTITIONS];
    const struct ps_kafka_group_topic topic = {.name = {"t", 1}, .partition_count = PS_TEST_GROUP_PARTITIONS};
    const struct ps_kafka_group all = {.topics = &topic, .topic_count = 1};
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        owners[i] = (group->owned >> i & 1) != 0 ? 0 : PS_KAFKA_GROUP_NOBODY;
    size_t length = ps_kafka_assignment_write(NULL, &all, owners, 0);
    at = ps_wire_put_int32(at, (int32_t)length);
    (void)ps_kafka_assignment_write(at, &all, owners, 0);
    if (group->foreign && !group->leads)
        memset(at, 0xff, length);
    return at + length;
}

char *ps_test_group_sync(struct ps_test_group_broker *group, struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    take_group(in);
    int32_t generation = ps_wire_get_int32(in);
    bool named = is_member(in);
    if (request->version >= 3)
        skip_instance(in);
    int16_t error = refuses(group, PS_TEST_KEY_SYNC, generation, named);
    if (error == 0 && group->rebalances)
        error = ERROR_REBALANCING;
    at = put_head(at, request->version >= 1, error);
    if (error != 0)
        return ps_wire_put_int32(at, 0);
    if (group->leads)
        take_assignment(group, in);
    else
        group->owned = group->share;
    group->synced = true;
    at = put_assignment(group, at);
    group->owned |= group->claimed;
    return at;
}

char *ps_test_group_heartbeat(struct ps_test_group_broker *group, struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    take_group(in);
    int32_t generation = ps_wire_get_int32(in);
    bool named = is_member(in);
    if (request->version >= 3)
        skip_instance(in);
    int16_t error = refuses(group, PS_TEST_KEY_HEARTBEAT, generation, named);
    if (error == 0 && group->rebalances)
        error = ERROR_REBALANCING;
    return put_head(at, request->version >= 1, error);
}

char *ps_test_group_leave(struct ps_test_group_broker *group, struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    take_group(in);
    struct ps_wire_in member = *in;
    uint32_t length;
    const char *id = ps_wire_get_string(&member, &length);
    int16_t error = ps_test_group_error(group, PS_TEST_KEY_LEAVE, false);
    if (length > 5 && memcmp(id, "dead-", 5) == 0) {
        *in = member;
        assert_true(group->waits); /* an empty group would wait for more members */
        group->dead -= error == 0;
        return put_head(at, request->version >= 1, error);
    }
    (void)is_member(in);
    group->known = group->joined = group->synced = false;
    return put_head(at, request->version >= 1, error);
}

/* ---- offsets ---- */

/* Asserts that the epoch is that of the batch with the record before the offset, if the log still has it. */
static void check_epoch(const struct ps_test_group_broker *group, const struct ps_test_group_log *log,
                        int64_t offset, int32_t epoch)
{
    int32_t written = ps_test_group_epoch(log, offset - 1);
    bool told = log->licence < 0 || offset > log->licence; /* it has read since it began */
    if (group->counts.truncated == 0 && written >= 0 && epoch != written && (told || epoch >= 0))
        fail_msg("offset %lld is committed with leader epoch %d; the record before it has %d",
                 (long long)offset, epoch, written);
}

int64_t ps_test_group_may_begin(const struct ps_test_group_log *log)
{
    int64_t from = log->delivered > log->start ? log->delivered : log->start;
    int64_t begins = log->licence >= 0 ? log->licence : log->began;
    return from > begins ? from : begins;
}

static int16_t commit_one(struct ps_test_group_broker *group, int32_t partition, int64_t offset,
                          int32_t epoch, int16_t error)
{
    assert_in_range(partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
    struct ps_test_group_log *log = &group->logs[partition];
    /* One of a log that was truncated meanwhile: by its epoch the next member is sent back. */
    bool of_former = log->was_cut && epoch != ps_test_group_epoch(log, offset - 1);
    if (offset > log->delivered && !of_former &&
        ps_test_group_skips(log, ps_test_group_may_begin(log), offset))
        fail_msg("partition %d: offset %lld is committed, but records only before %lld were delivered",
                 partition, (long long)offset, (long long)log->delivered);
    if (error != 0)
        return error;
    if ((group->owned >> partition & 1) == 0)
        fail_msg("partition %d is committed by a member that does not have it", partition);
    log->committed = offset;
    log->committed_epoch = epoch;
    return 0;
}

char *ps_test_group_commit(struct ps_test_group_broker *group, struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    uint32_t length;
    take_group(in);
    int32_t generation = ps_wire_get_int32(in);
    bool named = is_member(in);
    if (request->version >= 7)
        skip_instance(in);
    if (request->version < 5)
        (void)ps_wire_get_int64(in); /* retention */
    if (request->version >= 3)
        at = ps_wire_put_int32(at, 0);
    int16_t error = refuses(group, PS_TEST_KEY_COMMIT, generation, named);
    if (error == 0 && !group->synced)
        error = ERROR_REBALANCING;
    group->counts.stale += error == ERROR_ILLEGAL_GENERATION;
    uint32_t topics = ps_wire_get_count(in, 6);
    bool leaves_out = group->leaves_out && error == 0;
    at = ps_wire_put_int32(at, leaves_out ? 0 : (int32_t)topics);
    for (uint32_t t = 0; t < topics; t++) {
        (void)ps_wire_get_string(in, &length);
        assert_int_equal(ps_wire_get_int32(in), 1);
        int32_t partition = ps_wire_get_int32(in);
        int64_t offset = ps_wire_get_int64(in);
        int32_t epoch = request->version >= 6 ? ps_wire_get_int32(in) : -1;
        (void)ps_wire_get_string(in, &length);
        if (leaves_out)
            continue;
        if (request->version >= 6 && error == 0)
            check_epoch(group, &group->logs[partition], offset, epoch);
        at = ps_wire_put_string(at, "t", 1);
        at = ps_wire_put_int32(at, 1);
        at = ps_wire_put_int32(at, partition);
        at = ps_wire_put_int16(at, commit_one(group, partition, offset, epoch, error));
    }
    return at;
}

/* Writes one partition of the answer to OffsetFetch. */
static char *put_offset(struct ps_test_group_broker *group, char *at, int32_t partition, int16_t version,
                        int16_t top_error)
{
    bool compact = version >= 7;
    int16_t error = top_error != 0 ? top_error : ps_test_group_error(group, PS_TEST_KEY_OFFSETS, false);
    assert_in_range(partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
    struct ps_test_group_log *log = &group->logs[partition];
    at = ps_wire_put_text(at, "t", 1, compact);
    at = compact ? ps_wire_put_uvarint(at, 2) : ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, partition);
    at = ps_wire_put_int64(at, error == 0 ? log->committed : -1);
    if (error == 0 && log->committed >= 0)
        ps_test_group_log_begin(log, log->committed);
    if (version >= 5)
        at = ps_wire_put_int32(at, error == 0 ? log->committed_epoch : -1);
    at = ps_wire_put_text(at, "", 0, compact);
    at = ps_wire_put_int16(at, error);
    return compact ? ps_wire_put_uvarint(ps_wire_put_uvarint(at, 0), 0) : at;
}

char *ps_test_group_offsets(struct ps_test_group_broker *group, struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    bool compact = request->version >= 7;
    uint32_t length;
    if (compact) {
        ps_wire_skip_tags(in);
        (void)ps_wire_get_compact_string(in, &length);
        at = ps_wire_put_uvarint(at, 0);
    } else {
        take_group(in);
    }
    if (request->version >= 3)
        at = ps_wire_put_int32(at, 0);
    int16_t error = ps_test_group_error(group, PS_TEST_KEY_OFFSETS, true);
    uint32_t topics = compact ? ps_wire_get_compact_count(in, 3) : ps_wire_get_count(in, 6);
    bool of_group = request->version >= 2; /* before, the group's error is that of each partition */
    uint32_t count = error == 0 || !of_group ? topics : 0;
    at = compact ? ps_wire_put_uvarint(at, count + 1) : ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t t = 0; t < topics; t++) {
        (void)(compact ? ps_wire_get_compact_string(in, &length) : ps_wire_get_string(in, &length));
        assert_int_equal(compact ? ps_wire_get_compact_count(in, 4) : ps_wire_get_count(in, 4), 1);
        int32_t partition = ps_wire_get_int32(in);
        if (compact)
            ps_wire_skip_tags(in);
        if (count > 0)
            at = put_offset(group, at, partition, request->version, error);
    }
    if (compact) {
        assert_int_equal(ps_wire_get_int8(in), 1); /* stable offsets */
        ps_wire_skip_tags(in);
    }
    at = of_group ? ps_wire_put_int16(at, error) : at;
    return compact ? ps_wire_put_uvarint(at, 0) : at;
}
