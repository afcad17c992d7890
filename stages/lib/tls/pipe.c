/* TLS over something else than a socket: OpenSSL's BIO over a struct ps_tls_pipe. Thread: the connection's owner. */
#include "stages/lib/tls/internal.h"

static int result_of(BIO *bio, enum ps_tls_result result, size_t length)
{
    struct ps_tls_pipe *pipe = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    pipe->ended |= result == PS_TLS_CLOSED;
    if (result == PS_TLS_OK)
        return (int)length;
    if (result == PS_TLS_WANT_READ)
        BIO_set_retry_read(bio);
    if (result == PS_TLS_WANT_WRITE)
        BIO_set_retry_write(bio);
    return result == PS_TLS_CLOSED ? 0 : -1;
}

static int pipe_read(BIO *bio, char *buffer, int room)
{
    const struct ps_tls_pipe *pipe = BIO_get_data(bio);
    size_t length = 0;
    enum ps_tls_result result = pipe->read(pipe->argument, buffer, (size_t)room, &length);
    return result_of(bio, result, length);
}

static int pipe_write(BIO *bio, const char *data, int length)
{
    const struct ps_tls_pipe *pipe = BIO_get_data(bio);
    size_t written = 0;
    enum ps_tls_result result = pipe->write(pipe->argument, data, (size_t)length, &written);
    return result_of(bio, result, written);
}

static long pipe_control(BIO *bio, int command, long, void *)
{
    const struct ps_tls_pipe *pipe = BIO_get_data(bio);
    return command == BIO_CTRL_FLUSH || (command == BIO_CTRL_EOF && pipe->ended);
}

BIO *ps_tls_pipe_bio(struct ps_tls_pipe *pipe, BIO_METHOD **method)
{
    BIO *bio = NULL;
    *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "pipe");
    if (*method != NULL) {
        BIO_meth_set_read(*method, pipe_read);
        BIO_meth_set_write(*method, pipe_write);
        BIO_meth_set_ctrl(*method, pipe_control);
        bio = BIO_new(*method);
    }
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, pipe);
    BIO_set_init(bio, 1);
    return bio;
}
