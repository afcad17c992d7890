/* Fetch sessions (KIP-227): a broker remembers the requested partitions. A request then names only partitions that
 * are new, that are read from another offset, or that are no longer read; an answer has only partitions with records
 * or changes. This file keeps a list of what each broker remembers, by the broker's node id.
 *
 * A session has an epoch, which grows with each answer. If no answer to a request comes, it is not known whether the
 * broker has handled the request. So the next request has epoch 0: it names all partitions, closes the old session,
 * and asks for another one. A broker without room for a session answers with id 0, and every request to it names all
 * partitions.
 *
 * A session has either names or ids of topics (KIP-516) from its beginning to its end. With ids, a topic that was
 * created again is another topic: the former partitions leave the session, and the new ones are added. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <stdlib.h>
#include <string.h>

struct ps_kafka_fetch_session *ps_kafka_session_of(struct ps_kafka_fetch *fetch, int32_t node)
{
    for (uint32_t i = 0; i < fetch->session_count; i++) {
        if (fetch->sessions[i].node == node)
            return &fetch->sessions[i];
    }
    fetch->sessions = ps_must_realloc(fetch->sessions, (fetch->session_count + 1) * sizeof *fetch->sessions,
                                      "fetch sessions");
    struct ps_kafka_fetch_session *session = &fetch->sessions[fetch->session_count++];
    *session = (struct ps_kafka_fetch_session){.node = node, .asked_by = -1};
    return session;
}

void ps_kafka_sessions_free(struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->session_count; i++)
        free(fetch->sessions[i].parts);
    free(fetch->sessions);
    fetch->sessions = NULL;
    fetch->session_count = 0;
}

void ps_kafka_session_renew(struct ps_kafka_fetch_session *session)
{
    session->epoch = 0;
}

/* ---- requests ---- */

void ps_kafka_session_begin(struct ps_kafka_fetch_session *session, bool by_ids)
{
    if (session->asked_by >= 0) /* its answer did not come */
        session->epoch = 0;
    if (session->by_ids != by_ids) /* the broker would refuse the other form */
        session->epoch = 0;
    session->by_ids = by_ids;
    session->asked_by = -1;
    session->full = session->epoch == 0;
    if (session->full)
        session->count = 0;
    session->round++;
}

static bool is_at(const struct ps_kafka_fetch_session *session, uint32_t at,
                  const struct ps_kafka_fetch_part *part)
{
    if (at >= session->count)
        return false;
    const struct ps_kafka_fetch_session_part *known = &session->parts[at];
    return known->topic == part->topic && known->number == part->number &&
           (!session->by_ids || memcmp(known->id, part->topic->id, sizeof known->id) == 0);
}

/* Returns the place of the partition in the session, or the number of places. */
static uint32_t find(const struct ps_kafka_fetch_session *session, const struct ps_kafka_fetch_part *part)
{
    uint32_t at = part->session_at;
    if (is_at(session, at, part))
        return at;
    for (at = 0; at < session->count && !is_at(session, at, part); at++)
        ;
    return at;
}

bool ps_kafka_session_want(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_session *session,
                           uint32_t stream, int32_t leader_epoch)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    uint32_t at = session->full ? session->count : find(session, part);
    bool is_new = at == session->count;
    if (is_new && session->count == session->room) {
        session->room = session->room == 0 ? 16 : 2 * session->room;
        session->parts =
            ps_must_realloc(session->parts, session->room * sizeof *session->parts, "fetch sessions");
    }
    struct ps_kafka_fetch_session_part *known = &session->parts[at];
    bool named = is_new || known->next != part->next || known->epoch != leader_epoch;
    *known = (struct ps_kafka_fetch_session_part){.topic = part->topic,
                                                  .number = part->number,
                                                  .epoch = leader_epoch,
                                                  .next = part->next,
                                                  .stream = stream,
                                                  .round = session->round};
    memcpy(known->id, part->topic->id, sizeof known->id);
    session->count += is_new;
    part->session_at = at;
    return named;
}

uint32_t ps_kafka_session_sweep(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_session *session)
{
    uint32_t before = session->count, at = 0;
    while (at < session->count) {
        struct ps_kafka_fetch_session_part gone = session->parts[at];
        if (gone.round == session->round) {
            at++;
            continue;
        }
        session->parts[at] = session->parts[--session->count];
        session->parts[session->count] = gone;
        if (at < session->count)
            fetch->parts[session->parts[at].stream].session_at = at;
    }
    return before - session->count;
}

/* ---- answers ---- */

/* Returns the next epoch, as the broker counts: 1 follows the largest one. */
static int32_t epoch_after(int32_t epoch)
{
    return epoch == INT32_MAX ? 1 : epoch + 1;
}

bool ps_kafka_session_answered(struct ps_kafka_fetch_session *session, int32_t correlation, int16_t error,
                               int32_t id)
{
    if (session->asked_by != correlation)
        return false; /* a later request has been sent, over another connection */
    session->asked_by = -1;
    if (error != 0) {
        session->id = error == PS_KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND ? 0 : session->id;
        session->epoch = 0;
    } else if (session->full) {
        session->id = id;
        session->epoch = id != 0;
    } else if (id != session->id) { /* id 0: the broker has closed the session */
        session->id = id == 0 ? 0 : session->id;
        session->epoch = 0;
    } else {
        session->epoch = epoch_after(session->epoch);
    }
    return true;
}

/* The topics of a full answer are mostly in the order of the request, so each search begins where the last one ended. */
const struct ps_kafka_native_topic *ps_kafka_session_topic(const struct ps_kafka_fetch_session *session,
                                                           const char *id, uint32_t *hint)
{
    for (uint32_t n = 0; n < session->count; n++) {
        uint32_t at = (*hint + n) % session->count;
        if (memcmp(session->parts[at].id, id, sizeof session->parts[at].id) != 0)
            continue;
        *hint = at;
        return session->parts[at].topic;
    }
    return NULL;
}

bool ps_kafka_session_has(const struct ps_kafka_fetch_session *session, const char *topic, uint32_t length,
                          int32_t partition)
{
    for (uint32_t i = 0; i < session->count; i++) {
        const struct ps_kafka_fetch_session_part *part = &session->parts[i];
        if (part->number == partition && part->topic->length == length &&
            memcmp(part->topic->name, topic, length) == 0)
            return true;
    }
    return false;
}
