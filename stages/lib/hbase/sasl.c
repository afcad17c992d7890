#include "stages/lib/hbase/sasl.h"

#include "core/big_endian.h"
#include "stages/lib/hadoop/sasl_pipe.h"
#include "stages/lib/hbase/message.h"

#include <stdio.h>
#include <string.h>

#define WORD_BYTES 4U
#define TOKEN_BYTES_MAX 65536U /* of a token or a text of the exchange */
#define SUCCESS 0U
#define ERROR 1U
#define SWITCH_TO_SIMPLE ((uint32_t)-88)

enum state {
    TICKET, /* the helper thread is making a Kerberos token */
    EXCHANGE,
    OPEN,
};

struct session {
    struct ps_sasl_pipe pipe; /* must be first */
    const struct ps_hbase_sasl *settings;
    enum state state;
    bool is_simple;
};

bool ps_hbase_sasl_is_simple(const void *opened)
{
    const struct session *session = opened;
    return session->is_simple;
}

static void *open_session(const void *settings, int fd, char *reason)
{
    static const struct ps_sasl_framing framing = {.frames_plain = false};
    struct session *session = NULL;
    if (settings == NULL)
        (void)ps_transport_lose(reason, "no memory, or no thread for Kerberos");
    else
        session = ps_sasl_pipe_open(sizeof *session, &framing, fd, reason);
    if (session != NULL)
        session->settings = settings;
    return session;
}

/* Answers a challenge; the first one, which is empty, begins the exchange. */
static int answer(struct session *session, const uint8_t *challenge, size_t length, char *reason)
{
    struct ps_sasl_token reply;
    uint8_t head[WORD_BYTES];
    enum ps_sasl_result result = ps_sasl_step(session->pipe.sasl, challenge, length, &reply);
    if (result == PS_SASL_FAILED) {
        const char *why = session->pipe.sasl->reason;
        (void)snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%.210s%s", why,
                       strstr(why, "levels of protection") != NULL ? ": hbase.rpc.protection" : "");
        return -1;
    }
    ps_big_endian_put_32(head, (uint32_t)reply.length);
    bool put = ps_sasl_pipe_put(&session->pipe, head, sizeof head) &&
               ps_sasl_pipe_put(&session->pipe, reply.bytes, reply.length);
    ps_sasl_token_free(&reply);
    session->state = result == PS_SASL_DONE ? OPEN : EXCHANGE;
    return put ? 1 : ps_transport_lose(reason, "no memory");
}

/* Names the key that is wrong. */
static void blame(char *reason)
{
    char why[PS_TRANSPORT_REASON_BYTES];
    const char *key = strstr(reason, "Server ") != NULL ? "hbase.regionserver.kerberos.principal"
                                                        : "kerberosPrincipal, kerberosKeytab";
    (void)snprintf(why, sizeof why, "%s", reason);
    (void)snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%s: %.210s", key, why);
}

static int begin(struct session *session, short *wants, char *reason)
{
    uint8_t preamble[PS_HBASE_PREAMBLE_BYTES];
    *wants = 0;
    int begun = ps_sasl_pipe_begin_kerberos(&session->pipe, session->settings->initiator,
                                            session->settings->protection, reason);
    if (begun < 0)
        blame(reason);
    if (begun <= 0)
        return begun;
    ps_hbase_put_preamble(preamble, PS_HBASE_AUTH_KERBEROS);
    if (!ps_sasl_pipe_put(&session->pipe, preamble, sizeof preamble))
        return ps_transport_lose(reason, "no memory");
    return answer(session, NULL, 0, reason);
}

static int break_off(char *reason)
{
    return ps_transport_lose(reason, "that is not a SASL message of HBase");
}

/* Handles an exception: two texts, each after its length. */
static int refuse(struct session *session, short *wants, char *reason)
{
    struct ps_sasl_pipe *pipe = &session->pipe;
    char said[PS_HBASE_REASON_BYTES];
    size_t length = WORD_BYTES, at[2], lengths[2];
    for (unsigned i = 0; i < PS_COUNT_OF(at); i++) {
        int done = ps_sasl_pipe_fill(pipe, length + WORD_BYTES, wants, reason);
        if (done <= 0)
            return done;
        lengths[i] = ps_big_endian_get_32(pipe->in + pipe->in_at + length);
        if (lengths[i] > TOKEN_BYTES_MAX)
            return break_off(reason);
        at[i] = length + WORD_BYTES;
        length = at[i] + lengths[i];
        done = ps_sasl_pipe_fill(pipe, length, wants, reason);
        if (done <= 0)
            return done;
    }
    const char *message = (const char *)pipe->in + pipe->in_at;
    ps_hbase_exception_print(said, message + at[0], lengths[0], message + at[1], lengths[1]);
    (void)snprintf(reason, PS_TRANSPORT_REASON_BYTES, "the server refuses: %.230s", said);
    return -1;
}

static int become_simple(struct session *session, char *reason)
{
    if (!session->settings->may_be_simple)
        return ps_transport_lose(reason, "the server has no security, but hbase-site.xml asks for Kerberos "
                                         "(hbase.ipc.client.fallback-to-simple-auth-allowed)");
    ps_sasl_close(session->pipe.sasl);
    session->pipe.sasl = NULL;
    session->is_simple = true;
    session->state = OPEN;
    return 1;
}

static int read_message(struct session *session, short *wants, char *reason)
{
    struct ps_sasl_pipe *pipe = &session->pipe;
    int done = ps_sasl_pipe_fill(pipe, 2 * (size_t)WORD_BYTES, wants, reason);
    if (done <= 0)
        return done;
    uint32_t status = ps_big_endian_get_32(pipe->in + pipe->in_at);
    uint32_t length = ps_big_endian_get_32(pipe->in + pipe->in_at + WORD_BYTES);
    if (status == ERROR)
        return refuse(session, wants, reason);
    if (status != SUCCESS || (length > TOKEN_BYTES_MAX && length != SWITCH_TO_SIMPLE))
        return break_off(reason);
    size_t token = length == SWITCH_TO_SIMPLE ? 0 : length;
    done = ps_sasl_pipe_fill(pipe, 2 * WORD_BYTES + token, wants, reason);
    if (done <= 0)
        return done;
    const uint8_t *bytes = pipe->in + pipe->in_at + 2 * WORD_BYTES;
    done =
        length == SWITCH_TO_SIMPLE ? become_simple(session, reason) : answer(session, bytes, token, reason);
    pipe->in_at += 2 * WORD_BYTES + token;
    return done;
}

static int shake(void *opened, short *wants, char *reason)
{
    struct session *session = opened;
    while (true) {
        int done = ps_sasl_pipe_flush(&session->pipe, wants, reason);
        if (done <= 0)
            return done;
        if (session->state == OPEN)
            return 1;
        done =
            session->state == TICKET ? begin(session, wants, reason) : read_message(session, wants, reason);
        if (done <= 0)
            return done;
    }
}

const struct ps_transport ps_hbase_sasl_transport = {
    .open = open_session,
    .handshake = shake,
    .write = ps_sasl_pipe_write,
    .read = ps_sasl_pipe_read,
    .end = ps_sasl_pipe_end,
    .close = ps_sasl_pipe_close,
};
