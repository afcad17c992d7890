/* Fetch sessions (KIP-227): a broker remembers the partitions of a request. The next request then names only those that
 * are new, or that are read from another offset or with another leader epoch; its answer has only partitions with
 * records or changes.
 *
 * A session has an epoch, which grows with each answer. A request with epoch 0 names all partitions, closes the old
 * session, and asks for another one. So does the next request if no answer comes, because it is not known whether the
 * broker has handled the request; if a partition leaves the session; and if the broker refuses the session, because it
 * was started again, or because topics now have ids (KIP-516) in place of names. A broker without room for a session
 * answers with id 0, and gets all partitions each time. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

/* Returns whether the session lacks one of its partitions, or knows it otherwise. Notes what the request says. */
static bool tell(const struct ps_kafka_fetch_session *session, struct ps_kafka_fetch_part *part)
{
    int32_t leader_epoch = ps_kafka_part_place(part)->leader_epoch;
    bool is_told =
        part->session == session->number && part->told_next == part->next && part->told_epoch == leader_epoch;
    part->session = session->number;
    part->told_next = part->next;
    part->told_epoch = leader_epoch;
    return !is_told;
}

uint32_t ps_kafka_session_ask(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_session *session,
                              int16_t version, uint32_t count)
{
    uint32_t *chosen = fetch->requests.chosen, kept = 0, named = 0;
    for (uint32_t n = 0; n < count; n++)
        kept += fetch->parts[chosen[n]].session == session->number;
    bool goes_on = version >= PS_KAFKA_FETCH_OF_SESSIONS && kept == session->count;
    session->asked_epoch = goes_on ? session->epoch : 0;
    session->epoch = 0; /* until the answer has come */
    if (session->asked_epoch == 0)
        session->number = ++fetch->requests.sessions;
    session->count = count;
    for (uint32_t n = 0; n < count; n++) {
        uint32_t stream = chosen[n];
        if (!tell(session, &fetch->parts[stream]))
            continue;
        chosen[n] = chosen[named];
        chosen[named++] = stream;
    }
    return named;
}

void ps_kafka_session_answered(struct ps_kafka_fetch_session *session, int32_t id)
{
    bool has_ended = id == 0 || (session->asked_epoch > 0 && id != session->id);
    if (!has_ended) /* as the broker counts */
        session->epoch = session->asked_epoch < INT32_MAX ? session->asked_epoch + 1 : 1;
    session->id = id;
}
