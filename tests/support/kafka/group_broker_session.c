#include "tests/support/kafka/group_broker.h"

#include <limits.h>
#include <string.h>

#include "tests/support/support.h"

#define ERROR_SESSION_NOT_FOUND 70
#define ERROR_SESSION_EPOCH 71

void ps_test_group_read_fetch(struct ps_test_request *request, struct ps_test_group_fetching *fetching)
{
    struct ps_wire_in *in = &request->body;
    uint32_t length;
    *fetching = (struct ps_test_group_fetching){.epoch = -1};
    assert_int_equal(ps_wire_get_int32(in), -1);
    fetching->wait_ms = ps_wire_get_int32(in);
    (void)ps_wire_get_int32(in);
    (void)ps_wire_get_int32(in);
    fetching->committed_only = ps_wire_get_int8(in) == 1;
    if (request->version >= 7) {
        fetching->session = ps_wire_get_int32(in);
        fetching->epoch = ps_wire_get_int32(in);
    }
    uint32_t topics = ps_wire_get_count(in, 6);
    for (uint32_t t = 0; t < topics; t++) {
        (void)ps_wire_get_string(in, &length);
        assert_int_equal(ps_wire_get_int32(in), 1);
        assert_in_range(fetching->count, 0, PS_TEST_GROUP_PARTITIONS - 1);
        struct ps_test_group_wanted *part = &fetching->parts[fetching->count++];
        part->partition = ps_wire_get_int32(in);
        assert_in_range(part->partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
        part->epoch = request->version >= 9 ? ps_wire_get_int32(in) : -1;
        part->offset = ps_wire_get_int64(in);
        if (request->version >= 5)
            (void)ps_wire_get_int64(in);
        (void)ps_wire_get_int32(in);
    }
    uint32_t gone = request->version >= 7 ? ps_wire_get_count(in, 10) : 0;
    for (uint32_t i = 0; i < gone; i++) {
        (void)ps_wire_get_string(in, &length);
        assert_int_equal(ps_wire_get_int32(in), 1);
        assert_in_range(fetching->gone_count, 0, PS_TEST_GROUP_PARTITIONS - 1);
        fetching->gone[fetching->gone_count++] = ps_wire_get_int32(in);
    }
}

static unsigned find(const struct ps_test_group_session *session, int32_t partition)
{
    unsigned i = 0;
    while (i < session->count && session->parts[i].partition != partition)
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
    session->count = fetching->count;
    memcpy(session->parts, fetching->parts, sizeof session->parts);
}

/* A partition is named only if the node has to learn something. */
static void name(struct ps_test_group_session *session, const struct ps_test_group_wanted *part)
{
    unsigned at = find(session, part->partition);
    if (at == session->count) {
        assert_in_range(session->count, 0, PS_TEST_GROUP_PARTITIONS - 1);
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
        unsigned at = find(session, fetching->gone[i]);
        assert_in_range(at, 0, session->count - 1);
        take_out(session, at);
    }
    assert_true(session->count > 0);
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
    if (session->handled != group->number)
        apply(group, session, fetching);
    fetching->count = session->error == 0 ? session->count : 0;
    memcpy(fetching->parts, session->parts, sizeof fetching->parts);
    return session;
}

bool ps_test_group_session_tells(struct ps_test_group_session *session, const struct ps_test_group_log *log,
                                 int32_t partition, bool has_news)
{
    struct ps_test_group_wanted *part = &session->parts[find(session, partition)];
    bool tells = has_news || !session->incremental || part->end != log->end;
    part->end = log->end;
    return tells;
}

void ps_test_group_session_turn(struct ps_test_group_session *session, int32_t partition)
{
    unsigned at = find(session, partition);
    struct ps_test_group_wanted part = session->parts[at];
    take_out(session, at);
    session->parts[session->count++] = part;
}

void ps_test_group_sessions_forget(struct ps_test_group_broker *group)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++)
        group->sessions[i].id = 0;
}
