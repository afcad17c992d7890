#include "tests/support/kafka/group_broker.h"

#include <limits.h>
#include <string.h>

#include "tests/support/support.h"

#define ERROR_SESSION_NOT_FOUND 70
#define ERROR_SESSION_EPOCH 71
#define ERROR_SESSION_TOPIC_ID 106
#define VERSION_OF_IDS 13

static uint32_t read_count(struct ps_wire_in *in, int16_t version, size_t bytes)
{
    return version >= VERSION_OF_IDS ? ps_wire_get_compact_count(in, bytes) : ps_wire_get_count(in, bytes);
}

static void end_fields(struct ps_wire_in *in, int16_t version)
{
    if (version >= VERSION_OF_IDS)
        ps_wire_skip_tags(in);
}

/* The topic and the number of one partition; others of the same topic are topics of their own. */
static struct ps_test_group_wanted read_topic(struct ps_wire_in *in, int16_t version)
{
    struct ps_test_group_wanted part = {0};
    uint32_t length;
    if (version >= VERSION_OF_IDS) {
        assert_int_equal(ps_wire_get_int64(in), 7);
        part.topic = ps_wire_get_int64(in);
    } else {
        const char *name = ps_wire_get_string(in, &length);
        assert_true(length == 1 && *name == 't');
    }
    assert_int_equal(read_count(in, version, 4), 1);
    part.partition = ps_wire_get_int32(in);
    assert_in_range(part.partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
    return part;
}

static struct ps_test_group_wanted read_part(struct ps_wire_in *in, int16_t version)
{
    struct ps_test_group_wanted part = read_topic(in, version);
    part.epoch = version >= 9 ? ps_wire_get_int32(in) : -1;
    part.offset = ps_wire_get_int64(in);
    if (version >= 12)
        assert_int_equal(ps_wire_get_int32(in), -1); /* the epoch of the last record */
    if (version >= 5)
        (void)ps_wire_get_int64(in);
    (void)ps_wire_get_int32(in);
    end_fields(in, version);
    end_fields(in, version); /* of the topic */
    return part;
}

void ps_test_group_read_fetch(struct ps_test_request *request, struct ps_test_group_fetching *fetching)
{
    struct ps_wire_in *in = &request->body;
    int16_t version = request->version;
    uint32_t length;
    assert_true(version != 12); /* a consumer has no use for what version 12 adds */
    *fetching = (struct ps_test_group_fetching){.epoch = -1, .by_ids = version >= VERSION_OF_IDS};
    end_fields(in, version); /* of the header */
    assert_int_equal(ps_wire_get_int32(in), -1);
    fetching->wait_ms = ps_wire_get_int32(in);
    (void)ps_wire_get_int32(in);
    if (version >= 3)
        (void)ps_wire_get_int32(in);
    fetching->committed_only = version >= 4 && ps_wire_get_int8(in) == 1;
    if (version >= 7) {
        fetching->session = ps_wire_get_int32(in);
        fetching->epoch = ps_wire_get_int32(in);
    }
    uint32_t topics = read_count(in, version, 6);
    for (uint32_t t = 0; t < topics; t++) {
        assert_in_range(fetching->count, 0, PS_TEST_GROUP_WANTED - 1);
        fetching->parts[fetching->count++] = read_part(in, version);
    }
    uint32_t gone = version >= 7 ? read_count(in, version, 10) : 0;
    for (uint32_t i = 0; i < gone; i++) {
        assert_in_range(fetching->gone_count, 0, PS_TEST_GROUP_WANTED - 1);
        fetching->gone[fetching->gone_count++] = read_topic(in, version);
        end_fields(in, version);
    }
    length = 0;
    if (version >= 11)
        (void)(version >= VERSION_OF_IDS ? ps_wire_get_compact_string(in, &length)
                                         : ps_wire_get_string(in, &length));
    fetching->has_rack = length > 0;
    end_fields(in, version);
    assert_true(!in->failed && in->at == in->end);
}

static unsigned find(const struct ps_test_group_session *session, const struct ps_test_group_wanted *part)
{
    unsigned i = 0;
    while (i < session->count &&
           (session->parts[i].partition != part->partition || session->parts[i].topic != part->topic))
        i++;
    return i;
}

static void take_out(struct ps_test_group_session *session, unsigned at)
{
    session->count--;
    memmove(&session->parts[at], &session->parts[at + 1], (session->count - at) * sizeof session->parts[0]);
}

static void begin(struct ps_test_group_broker *group, struct ps_test_group_session *session,
                  const struct ps_test_group_fetching *fetching)
{
    group->counts.full++;
    assert_int_equal(fetching->gone_count, 0);
    session->id = group->no_sessions ? 0 : ++group->session_id;
    session->epoch = 1;
    session->by_ids = fetching->by_ids;
    session->count = fetching->count;
    memcpy(session->parts, fetching->parts, sizeof session->parts);
}

/* A partition is named only if the node has to learn something. */
static void name(struct ps_test_group_session *session, const struct ps_test_group_wanted *part)
{
    unsigned at = find(session, part);
    if (at == session->count) {
        assert_in_range(session->count, 0, PS_TEST_GROUP_WANTED - 1);
        session->parts[session->count++] = *part;
        session->parts[at].end = -1;
        return;
    }
    assert_true(session->parts[at].offset != part->offset || session->parts[at].epoch != part->epoch);
    session->parts[at].offset = part->offset;
    session->parts[at].epoch = part->epoch;
}

static void go_on(struct ps_test_group_broker *group, struct ps_test_group_session *session,
                  const struct ps_test_group_fetching *fetching)
{
    group->counts.incremental++;
    group->counts.named += fetching->count;
    group->counts.gone += fetching->gone_count;
    for (unsigned i = 0; i < fetching->count; i++)
        name(session, &fetching->parts[i]);
    for (unsigned i = 0; i < fetching->gone_count; i++) {
        unsigned at = find(session, &fetching->gone[i]);
        assert_in_range(at, 0, session->count - 1);
        take_out(session, at);
    }
    assert_in_range(session->count, 1, PS_TEST_GROUP_PARTITIONS);
    session->epoch = session->epoch == INT_MAX ? 1 : session->epoch + 1;
}

static void apply(struct ps_test_group_broker *group, struct ps_test_group_session *session,
                  const struct ps_test_group_fetching *fetching)
{
    session->handled = group->number;
    session->error = 0;
    session->incremental = fetching->epoch > 0;
    if (group->faults > 0 && ps_test_group_draw(group, 1000) < group->faults)
        session->id = 0; /* others need its room */
    if (fetching->epoch == 0) {
        begin(group, session, fetching);
    } else if (session->id == 0 || fetching->session != session->id) {
        group->counts.not_found++;
        session->error = ERROR_SESSION_NOT_FOUND;
    } else if (fetching->by_ids != session->by_ids) {
        session->error = ERROR_SESSION_TOPIC_ID;
    } else if (fetching->epoch != session->epoch) {
        session->error = ERROR_SESSION_EPOCH;
    } else {
        go_on(group, session, fetching);
    }
    session->told = session->error == 0 ? session->id : 0;
}

struct ps_test_group_session *ps_test_group_session_apply(struct ps_test_group_broker *group,
                                                          struct ps_test_group_fetching *fetching)
{
    struct ps_test_group_session *session = &group->sessions[group->node];
    assert_true(fetching->epoch >= 0);
    group->counts.by_ids += fetching->by_ids && session->handled != group->number;
    if (session->handled != group->number)
        apply(group, session, fetching);
    fetching->count = session->error == 0 ? session->count : 0;
    memcpy(fetching->parts, session->parts, sizeof fetching->parts);
    return session;
}

bool ps_test_group_session_tells(struct ps_test_group_session *session, const struct ps_test_group_log *log,
                                 const struct ps_test_group_wanted *wanted, bool has_news)
{
    struct ps_test_group_wanted *part = &session->parts[find(session, wanted)];
    bool tells = has_news || !session->incremental || part->end != log->end;
    part->end = log->end;
    return tells;
}

void ps_test_group_session_turn(struct ps_test_group_session *session,
                                const struct ps_test_group_wanted *wanted)
{
    unsigned at = find(session, wanted);
    struct ps_test_group_wanted part = session->parts[at];
    take_out(session, at);
    session->parts[session->count++] = part;
}

void ps_test_group_sessions_forget(struct ps_test_group_broker *group)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++)
        group->sessions[i].id = 0;
}
