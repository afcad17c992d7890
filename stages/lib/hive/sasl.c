#include "stages/lib/hive/sasl.h"

#include "core/big_endian.h"
#include "core/text/printable.h"
#include "stages/lib/hadoop/sasl_pipe.h"
#include "stages/lib/sasl/digest_md5/digest_md5.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define KERBEROS "GSSAPI"
#define DIGEST "DIGEST-MD5"
#define HEAD_BYTES 5U
#define MESSAGE_BYTES_MAX 65536U /* of a message of the exchange; Kerberos tokens are shorter */

enum status { START = 1, OK = 2, BAD = 3, ERROR = 4, COMPLETE = 5 };

enum state {
    TICKET,    /* the helper thread is making a Kerberos token */
    EXCHANGE,  /* tokens are exchanged */
    LAST_SENT, /* the mechanism is complete; the server must send COMPLETE */
    OPEN,
};

struct session {
    struct ps_sasl_pipe pipe; /* must be first */
    const struct ps_hive_sasl *settings;
    enum state state;
    bool answered; /* the server has sent something */
};

static void *open_session(const void *settings, int fd, char *reason)
{
    static const struct ps_sasl_framing framing = {.frames_plain = true};
    struct session *session = ps_sasl_pipe_open(sizeof(*session), &framing, fd, reason);
    if (session != NULL)
        session->settings = settings;
    return session;
}

/* ---- the exchange ---- */

static bool put_message(struct session *session, enum status status, const void *bytes, size_t length)
{
    uint8_t head[HEAD_BYTES] = {(uint8_t)status};
    ps_big_endian_put_32(head + 1, (uint32_t)length);
    return ps_sasl_pipe_put(&session->pipe, head, sizeof(head)) &&
           ps_sasl_pipe_put(&session->pipe, bytes, length);
}

/* Answers a challenge; the first one, which is empty, begins the exchange. */
static int answer(struct session *session, const uint8_t *challenge, size_t length, char *reason)
{
    struct ps_sasl_token reply;
    enum ps_sasl_result result = ps_sasl_step(session->pipe.sasl, challenge, length, &reply);
    if (result == PS_SASL_FAILED)
        return ps_transport_lose(reason, session->pipe.sasl->reason);
    session->state = result == PS_SASL_DONE ? LAST_SENT : EXCHANGE;
    bool put = put_message(session, result == PS_SASL_DONE ? COMPLETE : OK, reply.bytes, reply.length);
    ps_sasl_token_free(&reply);
    return put ? 1 : ps_transport_lose(reason, "no memory");
}

static int begin_token(struct session *session, char *reason)
{
    /* Hive gives Java no protocol, so the protocol is the text "null". */
    const struct ps_digest_md5_settings settings = {.name = session->settings->token_name,
                                                    .secret = session->settings->token_secret,
                                                    .service = "null",
                                                    .host = "default",
                                                    .protection = session->settings->protection};
    session->state = EXCHANGE;
    session->pipe.sasl = ps_digest_md5_open(&settings);
    return session->pipe.sasl != NULL && put_message(session, START, DIGEST, strlen(DIGEST)) &&
                   put_message(session, OK, NULL, 0)
               ? 1
               : ps_transport_lose(reason, "no memory");
}

static int begin(struct session *session, short *wants, char *reason)
{
    if (session->settings->initiator == NULL)
        return begin_token(session, reason);
    *wants = POLLIN;
    int begun = ps_sasl_pipe_begin_kerberos(&session->pipe, session->settings->initiator,
                                            session->settings->protection, reason);
    if (begun <= 0)
        return begun;
    if (!put_message(session, START, KERBEROS, strlen(KERBEROS)))
        return ps_transport_lose(reason, "no memory");
    return answer(session, NULL, 0, reason);
}

static int refuse(const uint8_t *text, size_t length, char *reason)
{
    char said[160];
    size_t most = length < sizeof(said) - 1 ? length : sizeof(said) - 1;
    (void)ps_printable_copy(said, sizeof(said), (const char *)text, most);
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "the metastore refuses: %s", said);
    return -1;
}

static int break_off(char *reason)
{
    return ps_transport_lose(reason, "SASL: the metastore does not follow the mechanism");
}

/* Handles the server's COMPLETE; with DIGEST-MD5 it contains the server's proof. */
static int take_last(struct session *session, const uint8_t *bytes, size_t length, char *reason)
{
    struct ps_sasl_token reply;
    if (session->state == EXCHANGE) {
        enum ps_sasl_result result = ps_sasl_step(session->pipe.sasl, bytes, length, &reply);
        ps_sasl_token_free(&reply);
        if (result == PS_SASL_FAILED)
            return ps_transport_lose(reason, session->pipe.sasl->reason);
        if (result == PS_SASL_MORE)
            return break_off(reason);
    }
    session->state = OPEN;
    return 1;
}

static int take_message(struct session *session, uint8_t status, const uint8_t *bytes, size_t length,
                        char *reason)
{
    switch (status) {
    case OK:
        if (session->state == EXCHANGE)
            return answer(session, bytes, length, reason);
        break;
    case COMPLETE:
        return take_last(session, bytes, length, reason);
    case BAD:
    case ERROR:
        return refuse(bytes, length, reason);
    default:
        return ps_transport_lose(reason, "that is not a SASL message of a metastore");
    }
    return break_off(reason);
}

static int read_message(struct session *session, short *wants, char *reason)
{
    struct ps_sasl_pipe *pipe = &session->pipe;
    uint32_t length;
    int done = ps_sasl_pipe_fill(pipe, HEAD_BYTES, wants, reason);
    if (done <= 0)
        return done;
    session->answered = true;
    length = ps_big_endian_get_32(pipe->in + pipe->in_at + 1);
    if (length > MESSAGE_BYTES_MAX)
        return ps_transport_lose(reason, "that is not a SASL message of a metastore");
    done = ps_sasl_pipe_fill(pipe, HEAD_BYTES + length, wants, reason);
    if (done <= 0)
        return done;
    const uint8_t *message = pipe->in + pipe->in_at;
    done = take_message(session, message[0], message + HEAD_BYTES, length, reason);
    pipe->in_at += HEAD_BYTES + length;
    return done;
}

static int go_on(struct session *session, short *wants, char *reason)
{
    while (session->state != OPEN) {
        int done =
            session->state == TICKET ? begin(session, wants, reason) : read_message(session, wants, reason);
        if (done > 0)
            done = ps_sasl_pipe_flush(&session->pipe, wants, reason);
        if (done <= 0)
            return done;
    }
    return 1;
}

static int shake(void *opened, short *wants, char *reason)
{
    struct session *session = opened;
    char why[PS_TRANSPORT_REASON_BYTES];
    int done = session->pipe.out_length > 0 ? ps_sasl_pipe_flush(&session->pipe, wants, reason) : 1;
    if (done > 0)
        done = go_on(session, wants, reason);
    if (done < 0 && session->state != TICKET && !session->answered) {
        snprintf(why, sizeof(why), "%s", reason);
        snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%.180s: does the metastore ask for Kerberos?", why);
    }
    return done;
}

const struct ps_transport ps_hive_sasl_transport = {
    .open = open_session,
    .handshake = shake,
    .write = ps_sasl_pipe_write,
    .read = ps_sasl_pipe_read,
    .end = ps_sasl_pipe_end,
    .close = ps_sasl_pipe_close,
};
