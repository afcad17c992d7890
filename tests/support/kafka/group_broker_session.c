#include "tests/support/kafka/group_broker.h"

#include <limits.h>
#include <string.h>

#include "tests/support/support.h"

#define ERROR_SESSION_NOT_FOUND 70
#define ERROR_SESSION_EPOCH 71
#define ERROR_SESSION_TOPIC_ID 106

static unsigned find(const struct ps_test_group_session *session, const struct ps_test_group_wanted *part)
{
    unsigned i = 0;
    while (i < session->count &&
           (session->parts[i].partition != part->partition || session->parts[i].topic != part->topic))
        i++;
    return i;
}

static void begin(struct ps_test_group_broker *group, struct ps_test_group_session *session,
                  const struct ps_test_group_fetching *fetching)
{
    group->counts.full++;
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
    for (unsigned i = 0; i < fetching->count; i++)
        name(session, &fetching->parts[i]);
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
    session->count--;
    memmove(&session->parts[at], &session->parts[at + 1], (session->count - at) * sizeof session->parts[0]);
    session->parts[session->count++] = part;
}

void ps_test_group_sessions_forget(struct ps_test_group_broker *group)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++)
        group->sessions[i].id = 0;
}
