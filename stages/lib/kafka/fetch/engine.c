/* The functions of kafka/fetch/reading.h, and one turn of the client. */
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "stages/lib/least.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS (500 * PS_NS_PER_MS)
#define PAUSE_NS (3 * PS_NS_PER_S)          /* the process did not run for this time, or longer */
#define SILENT_NS (10 * PS_NS_PER_S)        /* and two heartbeats: the brokers count as cut off */
#define PAUSED_TICK_NS (100 * PS_NS_PER_MS) /* the worker does not watch the sockets while the source waits */

/* ---- the functions of a reader ---- */

static bool answer(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request,
                   struct ps_wire_in *in)
{
    struct ps_kafka_fetch *fetch = ps_kafka_fetch_of(broker->client);
    fetch->again = true;
    switch (request->kind) {
    case PS_KAFKA_NATIVE_FETCH:
        return ps_kafka_fetch_answer(broker, request, in);
    case PS_KAFKA_NATIVE_LIST_OFFSETS:
    case PS_KAFKA_NATIVE_GROUP_OFFSETS:
    case PS_KAFKA_NATIVE_LEADER_EPOCH:
        return ps_kafka_questions_answer(fetch, request, in);
    case PS_KAFKA_NATIVE_GROUP_COMMIT:
        return ps_kafka_commit_answer(fetch, in);
    case PS_KAFKA_NATIVE_DESCRIBE_GROUPS:
        return ps_kafka_coverage_answer(fetch, in);
    default:
        return ps_kafka_member_answer(fetch, request, in);
    }
}

static void lost(struct ps_kafka_native *client, struct ps_kafka_native_request *request)
{
    struct ps_kafka_fetch *fetch = ps_kafka_fetch_of(client);
    fetch->again = true;
    switch (request->kind) {
    case PS_KAFKA_NATIVE_FETCH:
        ps_kafka_fetch_lost(fetch, request);
        break;
    case PS_KAFKA_NATIVE_LIST_OFFSETS:
    case PS_KAFKA_NATIVE_GROUP_OFFSETS:
    case PS_KAFKA_NATIVE_LEADER_EPOCH:
        ps_kafka_parts_forget(fetch, request->correlation, PS_KAFKA_PART_REST_NS);
        break;
    case PS_KAFKA_NATIVE_GROUP_COMMIT:
        fetch->commits.asked = false;
        fetch->commits.failed = fetch->commits.dirty = true;
        break;
    case PS_KAFKA_NATIVE_DESCRIBE_GROUPS:
        ps_kafka_coverage_lost(fetch);
        break;
    default:
        ps_kafka_member_lost(fetch, request);
        break;
    }
}

static void turn(struct ps_kafka_native *client)
{
    struct ps_kafka_fetch *fetch = ps_kafka_fetch_of(client);
    fetch->again = false;
    if (fetch->fatal)
        return;
    ps_kafka_fetch_topics_turn(fetch);
    ps_kafka_questions_turn(fetch);
    ps_kafka_commit_notice(fetch);
    ps_kafka_member_turn(fetch);
    ps_kafka_former_turn(fetch);
    if (fetch->commits.dirty)
        ps_kafka_commit_when(fetch, fetch->commit_interval_ns);
    ps_kafka_fetch_turn(fetch);
}

static const struct ps_kafka_native_reader native_reader = {
    .turn = turn,
    .room = ps_kafka_fetch_room,
    .answer = answer,
    .lost = lost,
    .topic = ps_kafka_fetch_topic_found,
};

static void notice(void *argument, const struct ps_kafka_notice *notice)
{
    struct ps_kafka_fetch *fetch = argument;
    if (notice->kind == PS_KAFKA_NOTICE_FATAL)
        ps_kafka_fetch_die(fetch, "%s", notice->text);
    else if (notice->kind == PS_KAFKA_NOTICE_ERROR)
        ps_kafka_reports_error(&fetch->reports, notice->code, "%s", notice->text);
}

static void take_turn(struct ps_kafka_fetch *fetch)
{
    const struct ps_kafka_listener listener = {
        .notice = notice, .argument = fetch, .now = {.mono_ns = fetch->mono_ns}};
    uint64_t metadata_ns = fetch->client->metadata.answered_ns;
    (void)ps_kafka_native_turn(fetch->client, &listener);
    fetch->again |=
        fetch->client->metadata.answered_ns != metadata_ns; /* leaders or topics may have changed */
}

/* ---- the client ---- */

static struct ps_kafka_native *make_client(const struct ps_kafka_reading_config *config, struct ps_err *err)
{
    const struct ps_kafka_producer_config producer = {
        .settings = config->settings,
        .wake_fd = config->port->wake_fd,
        .epoll_fd = config->port->epoll_fd,
    };
    return ps_kafka_native_make(&producer, err);
}

void ps_kafka_reading_destroy(struct ps_kafka_fetch *fetch)
{
    if (fetch->fatal)
        ps_kafka_former_leave_behind(fetch);
    ps_kafka_fetch_reading_end(fetch);
    ps_kafka_fetched_free(fetch);
    if (fetch->client != NULL) {
        for (struct ps_kafka_native_broker *broker = fetch->client->brokers; broker != NULL;
             broker = broker->next)
            ps_kafka_native_broker_drop(broker); /* requests under way may have blocks for their answers */
        ps_kafka_native_free(fetch->client);
    }
    ps_kafka_fetched_free(fetch);
    ps_kafka_member_close(fetch);
    ps_kafka_read_topics_remove(&fetch->read_topics);
    ps_kafka_fetch_topics_close(fetch);
    ps_kafka_streams_fini(&fetch->streams);
    ps_kafka_unpacker_close(fetch->unpacker);
    free(fetch->requests.chosen);
    free(fetch->parts);
    free(fetch->mapped);
    free(fetch->reading.aborted);
    free(fetch);
}

struct ps_kafka_fetch *ps_kafka_reading_open(const struct ps_kafka_reading_config *config, struct ps_err *err)
{
    struct ps_kafka_fetch *fetch = ps_must_alloc(1, sizeof *fetch, "a Kafka consumer");
    *fetch = (struct ps_kafka_fetch){
        .port = config->port,
        .group = config->group,
        .wanted = config->wanted,
        .reports = {.component = config->port->component},
        .sink_commits = config->sink_commits,
        .commit_interval_ns = config->commit_interval_ns,
        .revoke_wait_ns = config->revoke_wait_ns,
        .held_bytes_max = config->held_bytes_max,
        .membership = {.generation = -1},
        .read_topics = {.group = config->group},
    };
    fetch->answers.end = &fetch->answers.first;
    fetch->mapped = ps_must_alloc(config->wanted.count + 1, sizeof *fetch->mapped, "record headers");
    ps_kafka_member_open(fetch, config);
    ps_kafka_former_open(fetch, config);
    fetch->unpacker = ps_kafka_unpacker_open();
    fetch->client = fetch->unpacker != NULL ? make_client(config, err) : NULL;
    if (fetch->unpacker == NULL)
        ps_err_set(err, "no memory");
    if (fetch->client != NULL) {
        fetch->settings = fetch->client->settings.reader;
        ps_kafka_fetch_settings_bound(&fetch->settings, config->held_bytes_max);
        if (fetch->settings.rack == NULL)
            fetch->settings.rack = "";
        /* The sink settles leases of an old generation without writing them, because their partitions were given up: so
         * all partitions are given up before the member joins again. */
        fetch->settings.cooperative = fetch->settings.cooperative && !config->sink_commits;
        fetch->client->reader = &native_reader;
        fetch->client->reader_argument = fetch;
    }
    if (fetch->client != NULL && ps_kafka_fetch_topics_open(fetch, config, err) == PS_OK)
        return fetch;
    ps_kafka_reading_destroy(fetch);
    return NULL;
}

struct ps_kafka_streams *ps_kafka_reading_streams(struct ps_kafka_fetch *fetch)
{
    return &fetch->streams;
}

const struct ps_kafka_membership *ps_kafka_reading_membership(const struct ps_kafka_fetch *fetch)
{
    return &fetch->membership;
}

static uint64_t due_ns(const struct ps_kafka_fetch *fetch)
{
    uint64_t due_ns = fetch->mono_ns + (fetch->paused ? PAUSED_TICK_NS : TICK_NS);
    if (fetch->fatal)
        return due_ns;
    due_ns = ps_least(due_ns, ps_kafka_native_turn_due_ns(fetch->client));
    due_ns = ps_least(due_ns, ps_kafka_member_due_ns(fetch));
    due_ns = ps_least(due_ns, ps_kafka_former_due_ns(fetch));
    due_ns = ps_least(due_ns, ps_kafka_questions_due_ns(fetch));
    due_ns = ps_least(due_ns, ps_kafka_fetch_due_ns(fetch));
    due_ns = ps_least(due_ns, ps_kafka_commit_due_ns(fetch));
    return fetch->again ? fetch->mono_ns : due_ns;
}

uint64_t ps_kafka_reading_tick(struct ps_kafka_fetch *fetch, bool paused, uint64_t mono_ns)
{
    if (mono_ns - fetch->mono_ns >= PAUSE_NS) { /* the sink could not deliver anything either */
        fetch->member.revoke_until_ns += mono_ns - fetch->mono_ns;
        fetch->heard_ns = mono_ns;
    }
    fetch->mono_ns = fetch->reports.now_ns = mono_ns;
    fetch->paused = paused;
    take_turn(fetch);
    return due_ns(fetch);
}

/* Notes when a broker answered last. A member hears from its group at each heartbeat: a longer silence means that it is
 * cut off, although no connection has ended (a frozen broker, a network that drops packets). */
static void look_for_answers(struct ps_kafka_fetch *fetch)
{
    const struct ps_kafka_fetch_member *member = &fetch->member;
    uint64_t answered_ns = fetch->client->metadata.answered_ns;
    answered_ns = member->answered_ns > answered_ns ? member->answered_ns : answered_ns;
    uint64_t silent_ns = SILENT_NS + 2 * fetch->settings.heartbeat_ns;
    if (answered_ns > fetch->answered_ns) {
        fetch->answered_ns = fetch->heard_ns = answered_ns;
        fetch->is_silent = false;
    }
    if (member->phase == PS_KAFKA_MEMBER_STABLE && fetch->mono_ns >= fetch->heard_ns + silent_ns) {
        fetch->is_silent = true;
        ps_kafka_reports_error(&fetch->reports, PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN,
                               "the brokers are silent: no heartbeat is answered");
    }
    if (fetch->answered_ns != 0 && !fetch->client->all_down_told && !fetch->is_silent)
        ps_kafka_reports_met(&fetch->reports, PS_KAFKA_NEED_BROKERS);
}

enum ps_lack ps_kafka_reading_lack(struct ps_kafka_fetch *fetch, const char **why)
{
    if (fetch->fatal || fetch->stopped)
        return PS_LACK_NONE;
    look_for_answers(fetch);
    if (fetch->member.phase == PS_KAFKA_MEMBER_STABLE)
        ps_kafka_reports_met(&fetch->reports, PS_KAFKA_NEED_GROUP);
    return ps_kafka_reports_lack(&fetch->reports, ps_kafka_streams_has_owned(&fetch->streams),
                                 fetch->subscription.topic_count > 0, why);
}

uint32_t ps_kafka_reading_read(struct ps_kafka_fetch *fetch, struct ps_kafka_record_state *record)
{
    return fetch->fatal || fetch->stopped ? 0 : ps_kafka_fetch_read(fetch, record);
}

bool ps_kafka_reading_has_records(const struct ps_kafka_fetch *fetch)
{
    return fetch->answers.first != NULL;
}

bool ps_kafka_reading_has_kept(const struct ps_kafka_fetch *fetch)
{
    return fetch->kept;
}

void ps_kafka_reading_forget(struct ps_kafka_fetch *fetch)
{
    fetch->stopped = true;
    ps_kafka_fetched_drop(fetch);
}

bool ps_kafka_reading_failed(const struct ps_kafka_fetch *fetch, struct ps_err *reason)
{
    if (fetch->fatal)
        *reason = fetch->reason;
    return fetch->fatal;
}

bool ps_kafka_reading_is_drained(const struct ps_kafka_fetch *fetch)
{
    return ps_kafka_streams_are_drained(&fetch->streams);
}

static void count_left_over(struct ps_kafka_fetch *fetch)
{
    fetch->left_over.known = fetch->member.phase == PS_KAFKA_MEMBER_STABLE;
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        const struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (part->state == PS_KAFKA_PART_NONE)
            continue;
        int64_t committed = fetch->streams.items[i].committed;
        int64_t from = committed != PS_KAFKA_POSITION_NONE ? committed : part->begin;
        fetch->left_over.known &= part->end >= 0;
        fetch->left_over.count += part->end > from ? (uint64_t)(part->end - from) : 0;
    }
}

bool ps_kafka_reading_end(struct ps_kafka_fetch *fetch, bool late)
{
    if (!fetch->leaves) {
        ps_kafka_commit_notice(fetch);
        ps_kafka_commit_when(fetch, 0);
        bool settled = !fetch->commits.dirty && !fetch->commits.asked;
        if (!settled && !late && !fetch->fatal)
            return false;
        if (!settled)
            ps_log(PS_LOG_WARN, fetch->port->component,
                   "the last offsets could not be committed: some records will be read again");
        count_left_over(fetch);
        ps_kafka_member_leave(fetch);
        fetch->leaves = true;
    }
    return fetch->fatal || fetch->member.phase == PS_KAFKA_MEMBER_LEFT;
}

bool ps_kafka_reading_left_over(const struct ps_kafka_fetch *fetch, uint64_t *count)
{
    *count = fetch->left_over.count;
    return fetch->left_over.known;
}
