#include "stages/lib/hadoop/transfer/sasl.h"

#include "core/text/printable.h"
#include "stages/lib/hadoop/proto/transfer_sasl.pb-c.h"
#include "stages/lib/hadoop/sasl_pipe.h"
#include "stages/lib/sasl/digest_md5/digest_md5.h"
#include "stages/lib/varint.h"

#include <endian.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define MAGIC 0xdeadbeefU
#define AES_CTR 2U
#define MESSAGE_BYTES_MAX 65536U /* limit of a message of the exchange */
#define TEXT_BYTES_MAX 65536U    /* limit of the caller's bytes that are encrypted in one call */
#define IV_BYTES 16U

enum { SUCCESS = 0, UNKNOWN_KEY = 1 };

enum state {
    CHALLENGE, /* the server's challenge is awaited */
    PROOF,     /* the server's proof is awaited */
    OPEN,
};

struct session {
    struct ps_sasl_pipe pipe; /* must be first */
    enum state state;
    bool offers_aes, *key_unknown;
    bool wonders;                  /* as in the settings; cleared when bytes were read */
    EVP_CIPHER_CTX *seal, *unseal; /* AES; NULL: not used */
};

/* ---- messages ---- */

static bool put_message(struct session *session, const struct ps_sasl_token *token, bool with_suites)
{
    PsHadoop__TransferSasl message = PS_HADOOP__TRANSFER_SASL__INIT;
    PsHadoop__CipherOption option = PS_HADOOP__CIPHER_OPTION__INIT, *options[] = {&option};
    uint8_t prefix[PS_VARINT_BYTES_MAX];
    option.suite = AES_CTR;
    message.has_payload = true;
    message.payload = (ProtobufCBinaryData){.len = token->length, .data = token->bytes};
    if (with_suites) {
        message.n_cipher_options = 1;
        message.cipher_options = options;
    }
    size_t length = ps_hadoop__transfer_sasl__get_packed_size(&message);
    uint8_t *packed = malloc(length);
    bool put = packed != NULL && ps_sasl_pipe_put(&session->pipe, prefix, ps_varint_put(prefix, length));
    if (put) {
        (void)ps_hadoop__transfer_sasl__pack(&message, packed);
        put = ps_sasl_pipe_put(&session->pipe, packed, length);
    }
    free(packed);
    return put;
}

/* Takes the datanode's reason for ending the exchange. */
static int explain_refusal(const struct session *session, const PsHadoop__TransferSasl *message, char *reason)
{
    const char *text = message->message != NULL ? message->message : "";
    bool token = message->has_access_token_error && message->access_token_error;
    if (message->status == UNKNOWN_KEY && session->key_unknown != NULL)
        *session->key_unknown = true;
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%s: %.*s",
             message->status == UNKNOWN_KEY ? "the datanode does not know the data encryption key"
             : token                        ? "the datanode does not take the block token"
                                            : "the datanode refuses",
             (int)(strcspn(text, "\n") < 160 ? strcspn(text, "\n") : 160), text);
    (void)ps_printable_copy(reason, PS_TRANSPORT_REASON_BYTES, reason, strlen(reason));
    return -1;
}

/* Reads a message, which is preceded by its length. */
static int read_message(struct session *session, PsHadoop__TransferSasl **message, short *wants, char *reason)
{
    struct ps_sasl_pipe *pipe = &session->pipe;
    uint64_t length = 0;
    size_t prefix = 0;
    for (size_t have = 1; prefix == 0; have++) {
        int done = ps_sasl_pipe_fill(pipe, have, wants, reason);
        if (done <= 0)
            return done;
        prefix = ps_varint_get(pipe->in + pipe->in_at, have, &length);
        if (prefix == 0 && have == 3)
            return ps_transport_lose(reason, "the datanode does not answer with SASL");
    }
    if (length > MESSAGE_BYTES_MAX)
        return ps_transport_lose(reason, "the datanode does not answer with SASL");
    int done = ps_sasl_pipe_fill(pipe, prefix + length, wants, reason);
    if (done <= 0)
        return done;
    *message = ps_hadoop__transfer_sasl__unpack(NULL, length, pipe->in + pipe->in_at + prefix);
    pipe->in_at += prefix + length;
    if (*message == NULL)
        return ps_transport_lose(reason, "the datanode's answer is damaged");
    if ((*message)->status == SUCCESS)
        return 1;
    done = explain_refusal(session, *message, reason);
    ps_hadoop__transfer_sasl__free_unpacked(*message, NULL);
    return done;
}

/* ---- AES ---- */

/* Unwraps `key` in place, and sets up a cipher. In counter mode encryption and decryption use the same key
 * stream. */
static EVP_CIPHER_CTX *make_cipher(struct session *session, const ProtobufCBinaryData *key,
                                   const ProtobufCBinaryData *iv)
{
    size_t length = key->len;
    EVP_CIPHER_CTX *made = NULL;
    if (iv->len != IV_BYTES || !ps_sasl_unwrap(session->pipe.sasl, key->data, &length))
        return NULL;
    const EVP_CIPHER *cipher = length == 16   ? EVP_aes_128_ctr()
                               : length == 24 ? EVP_aes_192_ctr()
                               : length == 32 ? EVP_aes_256_ctr()
                                              : NULL;
    if (cipher != NULL)
        made = EVP_CIPHER_CTX_new();
    bool good = made != NULL && EVP_EncryptInit_ex(made, cipher, NULL, key->data, iv->data) == 1;
    OPENSSL_cleanse(key->data, key->len);
    if (good)
        return made;
    EVP_CIPHER_CTX_free(made);
    return NULL;
}

static int take_cipher(struct session *session, const PsHadoop__TransferSasl *message, char *reason)
{
    if (session->pipe.sasl->protection != PS_SASL_PRIVACY || message->n_cipher_options == 0)
        return 1;
    const PsHadoop__CipherOption *option = message->cipher_options[0];
    if (!session->offers_aes || option->suite != AES_CTR)
        return ps_transport_lose(reason, "the datanode chose a cipher that was not offered");
    session->seal = make_cipher(session, &option->in_key, &option->in_iv);
    session->unseal = make_cipher(session, &option->out_key, &option->out_iv);
    if (session->seal == NULL || session->unseal == NULL)
        return ps_transport_lose(reason, "the datanode's keys are damaged");
    ps_sasl_close(session->pipe.sasl); /* from here on AES alone protects the bytes */
    session->pipe.sasl = NULL;
    return 1;
}

/* ---- the exchange ---- */

static int respond(struct session *session, const PsHadoop__TransferSasl *message, char *reason)
{
    struct ps_sasl_token token;
    enum ps_sasl_result result =
        ps_sasl_step(session->pipe.sasl, message->payload.data, message->payload.len, &token);
    bool put = result == PS_SASL_MORE && put_message(session, &token, session->offers_aes);
    ps_sasl_token_free(&token);
    session->state = PROOF;
    return put ? 1
               : ps_transport_lose(reason,
                                   result == PS_SASL_FAILED ? session->pipe.sasl->reason : "no memory");
}

static int finish(struct session *session, const PsHadoop__TransferSasl *message, char *reason)
{
    struct ps_sasl_token token;
    if (ps_sasl_step(session->pipe.sasl, message->payload.data, message->payload.len, &token) != PS_SASL_DONE)
        return ps_transport_lose(reason, session->pipe.sasl->reason);
    session->state = OPEN;
    return take_cipher(session, message, reason);
}

static int shake(void *opened, short *wants, char *reason)
{
    struct session *session = opened;
    while (true) {
        PsHadoop__TransferSasl *message;
        int done = ps_sasl_pipe_flush(&session->pipe, wants, reason);
        if (done <= 0)
            return done;
        if (session->state == OPEN)
            return 1;
        done = read_message(session, &message, wants, reason);
        if (done <= 0)
            return done;
        done = session->state == CHALLENGE ? respond(session, message, reason)
                                           : finish(session, message, reason);
        ps_hadoop__transfer_sasl__free_unpacked(message, NULL);
        if (done < 0)
            return done;
    }
}

/* ---- protected bytes ---- */

static bool encipher(EVP_CIPHER_CTX *cipher, void *bytes, size_t length)
{
    int made;
    return EVP_EncryptUpdate(cipher, bytes, &made, bytes, (int)length) == 1;
}

static int seal(struct session *session, const struct iovec *parts, int count, char *reason)
{
    struct ps_sasl_pipe *pipe = &session->pipe;
    for (int i = 0; i < count && pipe->taken < TEXT_BYTES_MAX; i++) {
        size_t room = TEXT_BYTES_MAX - pipe->taken;
        size_t some = parts[i].iov_len < room ? parts[i].iov_len : room;
        if (!ps_sasl_pipe_put(pipe, parts[i].iov_base, some))
            return ps_transport_lose(reason, "no memory");
        pipe->taken += some;
    }
    return pipe->taken == 0 || encipher(session->seal, pipe->out, pipe->out_length)
               ? 1
               : ps_transport_lose(reason, "the library cannot encipher");
}

/* Extends the reason of a lost connection: a datanode that requires SASL closes a connection without SASL, and
 * gives no reason to the client. */
static ssize_t note_end(struct session *session, ssize_t result, char *reason)
{
    if (result > 0)
        session->wonders = false;
    size_t length = result < 0 && session->wonders ? strlen(reason) : PS_TRANSPORT_REASON_BYTES;
    if (length < PS_TRANSPORT_REASON_BYTES)
        snprintf(reason + length, PS_TRANSPORT_REASON_BYTES - length,
                 " (does it expect SASL? hdfs-site.xml has no dfs.data.transfer.protection)");
    return result;
}

static ssize_t write_session(void *opened, const struct iovec *parts, int count, short *wants, char *reason)
{
    struct session *session = opened;
    if (session->seal == NULL) {
        ssize_t written = ps_sasl_pipe_write(session, parts, count, wants, reason);
        return written < 0 ? note_end(session, written, reason) : written;
    }
    if (session->pipe.taken == 0 && seal(session, parts, count, reason) < 0)
        return -1;
    return ps_sasl_pipe_flush_taken(&session->pipe, wants, reason);
}

static ssize_t read_session(void *opened, char *to, size_t room, short *wants, char *reason)
{
    struct session *session = opened;
    ssize_t length = ps_sasl_pipe_read(session, to, room, wants, reason);
    if (length > 0 && session->unseal != NULL && !encipher(session->unseal, to, (size_t)length))
        return ps_transport_lose(reason, "the library cannot decipher");
    return note_end(session, length, reason);
}

/* ---- the session ---- */

static void close_session(void *opened)
{
    struct session *session = opened;
    EVP_CIPHER_CTX_free(session->seal);
    EVP_CIPHER_CTX_free(session->unseal);
    ps_sasl_pipe_close(session);
}

static bool offers_privacy(unsigned allowed)
{
    return ps_sasl_choose(allowed, PS_SASL_PRIVACY) != 0;
}

static bool begin(struct session *session, const struct ps_transfer_sasl *settings)
{
    static const struct ps_sasl_token none;
    const struct ps_digest_md5_settings digest = {.name = settings->name,
                                                  .secret = settings->secret,
                                                  .service = "hdfs",
                                                  .host = "0",
                                                  .protection = settings->protection,
                                                  .cipher = settings->cipher};
    uint32_t magic = htobe32(MAGIC);
    session->key_unknown = settings->key_unknown;
    session->offers_aes = settings->aes && offers_privacy(settings->protection);
    session->pipe.sasl = ps_digest_md5_open(&digest);
    return session->pipe.sasl != NULL && ps_sasl_pipe_put(&session->pipe, &magic, sizeof magic) &&
           put_message(session, &none, false);
}

static void *open_session(const void *wanted, int fd, char *reason)
{
    static const struct ps_sasl_framing framing = {.frames_plain = false};
    const struct ps_transfer_sasl *settings = wanted;
    struct session *session = ps_sasl_pipe_open(sizeof *session, &framing, fd, reason);
    if (session == NULL)
        return NULL;
    session->state = settings->name != NULL ? CHALLENGE : OPEN;
    session->wonders = settings->wonders;
    if (settings->name == NULL || begin(session, settings))
        return session;
    close_session(session);
    (void)ps_transport_lose(reason, "no memory");
    return NULL;
}

const struct ps_transport ps_transfer_sasl_transport = {
    .open = open_session,
    .handshake = shake,
    .write = write_session,
    .read = read_session,
    .end = ps_sasl_pipe_end,
    .close = close_session,
};
