/* Implements kafka/librdkafka/rebalance.h. Thread: the source's worker. Library calls that change the assignment wait
 * for its main thread (tens of microseconds); they happen only in rebalances. */
#include "stages/lib/kafka/librdkafka/rebalance.h"

#include "core/log/log.h"
#include "stages/lib/kafka/librdkafka/leaver.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RETRY_NS (500 * PS_NS_PER_MS) /* after a commit that failed */
#define REFUSED_MAX 4U                /* refused commits in a row during a revocation */
#define POLL_NS (500 * PS_NS_PER_MS)  /* how often the group is polled when nothing happens */
/* The library does not say when the coordinator gives the member an id. A process that is killed before its id is noted
 * holds the group up, so the id is asked for often while the member probably joins: more often at first. */
#define WATCH_FIRST_NS (2 * PS_NS_PER_MS)
#define WATCH_NS (20 * PS_NS_PER_MS)
#define WATCHED_FIRST_NS (2 * PS_NS_PER_S)
#define WATCHED_NS (30 * PS_NS_PER_S)

void ps_kafka_group_init(struct ps_kafka_group *group, const char *component, struct ps_counters *counters,
                         uint64_t commit_interval_ns, uint64_t revoke_wait_ns)
{
    *group = (struct ps_kafka_group){.component = component,
                                     .counters = counters,
                                     .commit_interval_ns = commit_interval_ns,
                                     .revoke_wait_ns = revoke_wait_ns};
}

static void forget_revoked(struct ps_kafka_group *group)
{
    if (group->revoked != NULL)
        rd_kafka_topic_partition_list_destroy(group->revoked);
    group->revoked = NULL;
}

void ps_kafka_group_fini(struct ps_kafka_group *group)
{
    forget_revoked(group);
    ps_kafka_streams_fini(&group->streams);
    ps_kafka_membership_fini(&group->membership);
    ps_kafka_leaver_end(group->leaver);
    group->leaver = NULL;
}

void ps_kafka_group_remember(struct ps_kafka_group *group, struct ps_kafka_place *place, const char *id,
                             const struct ps_pair *pairs, size_t pair_count)
{
    if (!place->is_open)
        return;
    group->place = place;
    group->id = id;
    group->leaver = ps_kafka_leaver_begin(place, id, pairs, pair_count, group->component);
}

void ps_kafka_group_left(struct ps_kafka_group *group)
{
    if (group->place != NULL)
        ps_kafka_place_note(group->place, group->id, "");
}

/* Called when the group has a new generation with this member: the members of before have left. */
static void note_member(struct ps_kafka_group *group)
{
    char text[PS_KAFKA_PLACE_MEMBERS_BYTES];
    char *id = group->place != NULL ? rd_kafka_memberid(group->consumer.client) : NULL;
    if (id == NULL)
        return;
    int length = snprintf(text, sizeof text, "%s\t", id);
    if (id[0] != '\0' && length > 0 && (size_t)length < sizeof text &&
        strcmp(text, group->place->members) != 0)
        ps_kafka_place_note(group->place, group->id, text);
    group->is_noted = id[0] != '\0';
    rd_kafka_mem_free(group->consumer.client, id);
}

/* Adds the member to those that the place remembers, if it is not the first of them. */
static void add_member(struct ps_kafka_group *group, const char *id)
{
    const struct ps_kafka_place *place = group->place;
    const char *others = strcmp(place->group, group->id) == 0 ? place->members : "";
    char text[PS_KAFKA_PLACE_MEMBERS_BYTES];
    size_t id_length = strlen(id);
    if (id_length == 0 || strchr(id, '\t') != NULL ||
        (strncmp(others, id, id_length) == 0 && others[id_length] == '\t'))
        return;
    int length = snprintf(text, sizeof text, "%s\t%s", id, others);
    if (length < 0 || (size_t)length >= sizeof text) /* the oldest ones are over soon */
        length = snprintf(text, sizeof text, "%s\t", id);
    if (length > 0 && (size_t)length < sizeof text)
        ps_kafka_place_note(group->place, group->id, text);
}

/* Notes the member as soon as the coordinator has given it an id, also while the group waits for others. Returns when to
 * look again. */
static uint64_t watch_member(struct ps_kafka_group *group)
{
    const struct ps_kafka_consumer *consumer = &group->consumer;
    /* a client that has left its group never answers */
    if (group->place == NULL || group->is_noted || consumer->closing != NULL || consumer->fatal)
        return PS_NEVER;
    char *id = rd_kafka_memberid(consumer->client);
    if (id != NULL) {
        add_member(group, id);
        rd_kafka_mem_free(consumer->client, id);
    }
    if (group->watch_from_ns == 0)
        group->watch_from_ns = group->mono_ns;
    uint64_t watched_ns = group->mono_ns - group->watch_from_ns;
    if (watched_ns > WATCHED_NS)
        return PS_NEVER; /* looks at each poll */
    return group->mono_ns + (watched_ns < WATCHED_FIRST_NS ? WATCH_FIRST_NS : WATCH_NS);
}

void ps_kafka_group_renew(struct ps_kafka_group *group)
{
    forget_revoked(group);
    for (uint32_t i = 0; i < group->streams.count; i++)
        group->streams.items[i].state = PS_KAFKA_STREAM_GONE;
    ps_kafka_streams_forget_handles(&group->streams);
    group->dirty = group->commit_begun = group->commit_failed = group->lost_membership = false;
    group->is_noted = false;
    group->watch_from_ns = 0;
    group->refused = 0;
}

/* ---- commits ---- */

static void commit(struct ps_kafka_group *group)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (uint32_t i = 0; i < group->streams.count; i++) {
        struct ps_kafka_stream *stream = &group->streams.items[i];
        if (!ps_kafka_stream_is_dirty(stream))
            continue;
        stream->committing = stream->delivered + 1;
        stream->committing_generation = stream->generation;
        rd_kafka_topic_partition_list_add(list, stream->topic, stream->partition)->offset =
            stream->committing;
    }
    group->dirty = false;
    if (list->cnt > 0) {
        group->commit_sent_ns = group->mono_ns;
        rd_kafka_resp_err_t error =
            rd_kafka_commit_queue(group->consumer.client, list, group->consumer.control, NULL, NULL);
        group->commit_begun = error == RD_KAFKA_RESP_ERR_NO_ERROR;
        group->dirty = group->commit_failed = !group->commit_begun;
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void on_committed(void *argument, rd_kafka_resp_err_t error,
                         const rd_kafka_topic_partition_list_t *list)
{
    struct ps_kafka_group *group = argument;
    group->commit_begun = false;
    group->commit_failed = error != RD_KAFKA_RESP_ERR_NO_ERROR;
    ps_count(group->counters, PS_COUNTER_KafkaCommitTimer,
             (group->mono_ns - group->commit_sent_ns) / PS_NS_PER_MS);
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        uint32_t found = ps_kafka_streams_find(&group->streams, item->topic, item->partition);
        if (found == PS_KAFKA_STREAM_NONE)
            continue;
        struct ps_kafka_stream *stream = &group->streams.items[found];
        if (stream->generation != stream->committing_generation)
            continue;
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR && item->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            stream->committed = stream->committing;
        if (item->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            error = item->err;
        if (ps_kafka_stream_is_dirty(stream))
            group->dirty = true;
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        group->commit_failed = true;
        group->dirty = true;
        group->refused++;
        group->lost_membership |= error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
                                  error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
                                  error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
        if (error != group->reported)
            ps_log(PS_LOG_WARN, group->component,
                   "offsets could not be committed: %s (%s); retrying while the partitions are assigned",
                   rd_kafka_err2str(error), rd_kafka_err2name(error));
    }
    group->reported = error;
}

static void notice_deliveries(struct ps_kafka_group *group)
{
    if (group->sink_commits && group->streams.moved)
        ps_kafka_streams_note_committed(&group->streams);
    group->dirty |= group->streams.moved;
    group->streams.moved = false;
}

/* Commits if there are offsets to commit, no commit is under way, and the interval since the last one is over. */
static void commit_when(struct ps_kafka_group *group, uint64_t interval_ns)
{
    if (group->commit_failed && interval_ns < RETRY_NS)
        interval_ns = RETRY_NS;
    if (group->consumer.rejoining)
        return;
    if (group->dirty && !group->commit_begun && group->mono_ns - group->commit_sent_ns >= interval_ns)
        commit(group);
}

bool ps_kafka_group_is_drained(const struct ps_kafka_group *group)
{
    return ps_kafka_streams_are_drained(&group->streams);
}

bool ps_kafka_group_settle(struct ps_kafka_group *group)
{
    notice_deliveries(group); /* events may have been delivered since the last tick */
    commit_when(group, 0);
    return !group->dirty && !group->commit_begun;
}

/* ---- assignment ---- */

static bool is_cooperative(const struct ps_kafka_group *group)
{
    const char *protocol = rd_kafka_rebalance_protocol(group->consumer.client);
    return protocol != NULL && protocol[0] == 'C';
}

static void report_failure(struct ps_kafka_group *group, const char *what, rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    ps_log(PS_LOG_ERROR, group->component, "%s partitions: %s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

static void assign(struct ps_kafka_group *group, const rd_kafka_topic_partition_list_t *list)
{
    group->consumer.asked = false;
    if (is_cooperative(group)) {
        report_failure(group, "taking", rd_kafka_incremental_assign(group->consumer.client, list));
    } else {
        rd_kafka_resp_err_t error = rd_kafka_assign(group->consumer.client, list);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
            ps_log(PS_LOG_ERROR, group->component, "taking partitions: %s", rd_kafka_err2str(error));
    }
}

/* Unassigns the partitions. Positions in these partitions that are delivered later are discarded. */
static void unassign(struct ps_kafka_group *group, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        uint32_t found =
            ps_kafka_streams_find(&group->streams, list->elems[i].topic, list->elems[i].partition);
        if (found != PS_KAFKA_STREAM_NONE)
            group->streams.items[found].state = PS_KAFKA_STREAM_GONE;
    }
    ps_kafka_streams_forget_handles(&group->streams);
    group->consumer.asked = false;
    if (is_cooperative(group))
        report_failure(group, "giving up", rd_kafka_incremental_unassign(group->consumer.client, list));
    else
        rd_kafka_assign(group->consumer.client, NULL);
}

static void on_assigned(void *argument, rd_kafka_topic_partition_list_t *list)
{
    struct ps_kafka_group *group = argument;
    group->rebalance_count++;
    note_member(group);
    if (group->revoked != NULL) {
        /* The group rebalanced again while this member waited. Eager: an assignment replaces the old partitions; an
         * unassign would come too late. Cooperative: the revoked and the new partitions are separate lists. */
        for (uint32_t i = 0; i < group->streams.count; i++) {
            if (group->streams.items[i].state == PS_KAFKA_STREAM_REVOKING)
                group->streams.items[i].state = PS_KAFKA_STREAM_GONE;
        }
        if (is_cooperative(group))
            unassign(group, group->revoked);
        forget_revoked(group);
    }
    ps_kafka_streams_forget_handles(&group->streams);
    if (group->sink_commits && !ps_kafka_membership_read(&group->membership, group->consumer.client))
        group->no_membership = true;
    for (int i = 0; i < list->cnt; i++) {
        uint32_t stream =
            ps_kafka_streams_assign(&group->streams, list->elems[i].topic, list->elems[i].partition);
        if (ps_kafka_consumer_has_kept(&group->consumer) && group->consumer.kept.stream == stream)
            ps_kafka_consumer_forget_kept(&group->consumer); /* the record is read again */
        ps_kafka_consumer_forward(&group->consumer, list->elems[i].topic, list->elems[i].partition);
    }
    assign(group, list);
    ps_kafka_reports_met(&group->consumer.reports, PS_KAFKA_NEED_BROKERS);
    ps_kafka_reports_met(&group->consumer.reports, PS_KAFKA_NEED_GROUP);
    if (list->cnt > 0)
        ps_kafka_reports_met(&group->consumer.reports, PS_KAFKA_NEED_TOPICS);
    if (list->cnt > 0)
        ps_log(PS_LOG_INFO, group->component, "%d partition(s) assigned by the group", list->cnt);
}

/* If a record waits for room and its partition is revoked, drops the record: the next owner of the partition reads it. */
static void forget_kept(struct ps_kafka_group *group)
{
    struct ps_kafka_consumer *consumer = &group->consumer;
    if (ps_kafka_consumer_has_kept(consumer) &&
        group->streams.items[consumer->kept.stream].state != PS_KAFKA_STREAM_OWNED)
        ps_kafka_consumer_forget_kept(consumer);
}

static void on_revoked(void *argument, rd_kafka_topic_partition_list_t *list)
{
    struct ps_kafka_group *group = argument;
    group->rebalance_count++;
    group->is_noted = false; /* it may join again as another member */
    group->watch_from_ns = 0;
    for (int i = 0; i < list->cnt; i++) {
        uint32_t found =
            ps_kafka_streams_find(&group->streams, list->elems[i].topic, list->elems[i].partition);
        if (found != PS_KAFKA_STREAM_NONE && group->streams.items[found].state == PS_KAFKA_STREAM_OWNED)
            group->streams.items[found].state = PS_KAFKA_STREAM_REVOKING;
    }
    forget_kept(group);
    if (group->revoked == NULL) {
        group->revoked = rd_kafka_topic_partition_list_copy(list);
        group->revoke_until_ns = group->mono_ns + group->revoke_wait_ns;
        group->lost_membership = false;
        group->refused = 0;
        return;
    }
    for (int i = 0; i < list->cnt; i++) { /* a second revocation may come before the first one has ended */
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        if (rd_kafka_topic_partition_list_find(group->revoked, item->topic, item->partition) == NULL)
            rd_kafka_topic_partition_list_add(group->revoked, item->topic, item->partition);
    }
}

static void end_revocation(struct ps_kafka_group *group, const char *how)
{
    int count = group->revoked->cnt;
    unassign(group, group->revoked);
    forget_revoked(group);
    ps_log(PS_LOG_INFO, group->component, "%d partition(s) given up: %s", count, how);
}

static void continue_revocation(struct ps_kafka_group *group)
{
    bool dirty;
    if (group->lost_membership || rd_kafka_assignment_lost(group->consumer.client)) {
        end_revocation(group,
                       "the group has removed this member; other members read the uncommitted records again");
    } else if (ps_kafka_streams_revoked_are_drained(&group->streams, &dirty) && !dirty &&
               !group->commit_begun) {
        end_revocation(group, "all records that were read are delivered and committed");
    } else if (group->refused >= REFUSED_MAX) {
        end_revocation(group, "the broker refuses commits; other members read the uncommitted records again");
    } else if (group->mono_ns >= group->revoke_until_ns) {
        ps_log(PS_LOG_WARN, group->component,
               "records of revoked partitions were not delivered in time (%" PRIu64
               " ms): other members read them again",
               group->revoke_wait_ns / PS_NS_PER_MS);
        end_revocation(group, "the time limit has passed");
    } else if (dirty) {
        group->dirty = true;
        commit_when(group, 0);
    }
}

uint64_t ps_kafka_group_tick(struct ps_kafka_group *group, uint64_t mono_ns)
{
    const struct ps_kafka_consumer_listener listener = {
        .assigned = on_assigned, .revoked = on_revoked, .committed = on_committed, .argument = group};
    group->mono_ns = mono_ns;
    ps_kafka_consumer_poll(&group->consumer, &listener, mono_ns);
    notice_deliveries(group);
    if (group->revoked != NULL)
        continue_revocation(group);
    if (group->dirty)
        commit_when(group, group->commit_interval_ns);
    uint64_t next_ns = mono_ns + POLL_NS, watch_ns = watch_member(group);
    if (watch_ns < next_ns)
        next_ns = watch_ns;
    if (group->revoked != NULL && group->revoke_until_ns < next_ns)
        next_ns = group->revoke_until_ns;
    if (group->dirty && !group->commit_begun && group->commit_sent_ns + group->commit_interval_ns < next_ns)
        next_ns = group->commit_sent_ns + group->commit_interval_ns;
    return next_ns;
}
