#include "stages/lib/hadoop/sasl_pipe.h"

#include "core/big_endian.h"
#include "stages/lib/sasl/sasl_gssapi.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LENGTH_BYTES 4U
/* Buffers up to this size are kept; longer ones are freed when they are empty. */
#define IN_BYTES 4096U
#define TEXT_BYTES_MAX 65536U /* caller's bytes in one message, as in Hadoop's own streams */

void *ps_sasl_pipe_open(size_t session_bytes, const struct ps_sasl_framing *framing, int fd, char *reason)
{
    PS_ASSERT(session_bytes >= sizeof(struct ps_sasl_pipe));
    struct ps_sasl_pipe *pipe = calloc(1, session_bytes);
    if (pipe == NULL) {
        (void)ps_transport_lose(reason, "no memory");
        return NULL;
    }
    pipe->fd = fd;
    pipe->framing = framing;
    return pipe;
}

void ps_sasl_pipe_end(void *session)
{
    const struct ps_sasl_pipe *pipe = session;
    shutdown(pipe->fd, SHUT_WR);
}

void ps_sasl_pipe_close(void *session)
{
    struct ps_sasl_pipe *pipe = session;
    ps_sasl_close(pipe->sasl);
    free(pipe->in);
    free(pipe->out);
    free(session);
}

int ps_sasl_pipe_begin_kerberos(struct ps_sasl_pipe *pipe, struct ps_gss_initiator *initiator,
                                unsigned protection, char *reason)
{
    struct ps_gss_token token;
    bool later;
    struct ps_gss_context *context = ps_gss_initiator_take(initiator, &token, &later, reason);
    if (context == NULL)
        return later ? 0 : -1;
    pipe->sasl = ps_sasl_gssapi_open(context, &token, protection);
    return pipe->sasl != NULL ? 1 : ps_transport_lose(reason, "no memory");
}

/* ---- sending ---- */

static bool make_room(uint8_t **bytes, size_t *room, size_t length)
{
    size_t wanted = *room < IN_BYTES ? IN_BYTES : *room;
    while (wanted < length)
        wanted *= 2;
    if (wanted == *room)
        return true;
    uint8_t *grown = realloc(*bytes, wanted);
    if (grown == NULL)
        return false;
    *bytes = grown;
    *room = wanted;
    return true;
}

bool ps_sasl_pipe_put(struct ps_sasl_pipe *pipe, const void *bytes, size_t length)
{
    if (!make_room(&pipe->out, &pipe->out_room, pipe->out_length + length))
        return false;
    if (length > 0)
        memcpy(pipe->out + pipe->out_length, bytes, length);
    pipe->out_length += length;
    return true;
}

/* Frees the buffer when all bytes are sent, because there may be thousands of connections. */
int ps_sasl_pipe_flush(struct ps_sasl_pipe *pipe, short *wants, char *reason)
{
    while (pipe->out_at < pipe->out_length) {
        const struct iovec part = {pipe->out + pipe->out_at, pipe->out_length - pipe->out_at};
        ssize_t sent = ps_transport_send(pipe->fd, &part, 1, wants, reason);
        if (sent <= 0)
            return (int)sent;
        pipe->out_at += (size_t)sent;
    }
    free(pipe->out);
    pipe->out = NULL;
    pipe->out_at = pipe->out_length = pipe->out_room = 0;
    return 1;
}

ssize_t ps_sasl_pipe_flush_taken(struct ps_sasl_pipe *pipe, short *wants, char *reason)
{
    int sent = ps_sasl_pipe_flush(pipe, wants, reason);
    if (sent <= 0)
        return sent;
    ssize_t taken = (ssize_t)pipe->taken;
    pipe->taken = 0;
    return taken;
}

/* ---- receiving ---- */

static void tidy(struct ps_sasl_pipe *pipe)
{
    if (pipe->in_at < pipe->in_length)
        return;
    pipe->in_at = pipe->in_length = 0;
    if (pipe->in_room > IN_BYTES) {
        free(pipe->in);
        pipe->in = NULL;
        pipe->in_room = 0;
    }
}

int ps_sasl_pipe_fill(struct ps_sasl_pipe *pipe, size_t length, short *wants, char *reason)
{
    if (pipe->in_at > 0 && pipe->in_at + length > pipe->in_room) {
        memmove(pipe->in, pipe->in + pipe->in_at, pipe->in_length - pipe->in_at);
        pipe->in_length -= pipe->in_at;
        pipe->in_at = 0;
    }
    if (!make_room(&pipe->in, &pipe->in_room, pipe->in_at + length))
        return ps_transport_lose(reason, "no memory");
    while (pipe->in_length - pipe->in_at < length) {
        ssize_t got = ps_transport_receive(pipe->fd, pipe->in + pipe->in_length,
                                           pipe->in_room - pipe->in_length, wants, reason);
        if (got <= 0)
            return (int)got;
        pipe->in_length += (size_t)got;
    }
    return 1;
}

static void skip_frame(struct ps_sasl_pipe *pipe)
{
    pipe->in_at += pipe->frame_left;
    pipe->frame_left = 0;
    tidy(pipe);
}

int ps_sasl_pipe_frame(struct ps_sasl_pipe *pipe, uint8_t **frame, size_t *length, short *wants, char *reason)
{
    skip_frame(pipe);
    int done = ps_sasl_pipe_fill(pipe, LENGTH_BYTES, wants, reason);
    if (done <= 0)
        return done;
    *length = ps_big_endian_get_32(pipe->in + pipe->in_at);
    if (*length > PS_SASL_FRAME_BYTES_MAX)
        return ps_transport_lose(reason, "a message is too long: is it a Hadoop server with security?");
    done = ps_sasl_pipe_fill(pipe, LENGTH_BYTES + *length, wants, reason);
    if (done <= 0)
        return done;
    *frame = pipe->in + pipe->in_at + LENGTH_BYTES;
    pipe->frame_left = LENGTH_BYTES + *length;
    return 1;
}

/* ---- after the exchange ---- */

static bool is_protected(const struct ps_sasl_pipe *pipe)
{
    return pipe->sasl->protection != PS_SASL_AUTHENTICATION;
}

/* Returns whether bytes are sent without frames. */
static bool is_plain(const struct ps_sasl_pipe *pipe)
{
    return pipe->sasl == NULL || (!is_protected(pipe) && !pipe->framing->frames_plain);
}

static size_t put_head(const struct ps_sasl_pipe *pipe, uint8_t *end, size_t length)
{
    if (pipe->framing->put_head != NULL)
        return pipe->framing->put_head(end, length);
    ps_big_endian_put_32(end - LENGTH_BYTES, (uint32_t)length);
    return LENGTH_BYTES;
}

/* Collects the caller's bytes in place of the message. */
static size_t gather(uint8_t *to, size_t room, const struct iovec *parts, int count)
{
    size_t length = 0;
    for (int i = 0; i < count && length < room; i++) {
        size_t some = parts[i].iov_len < room - length ? parts[i].iov_len : room - length;
        if (some > 0)
            memcpy(to + length, parts[i].iov_base, some);
        length += some;
    }
    return length;
}

static int protect(struct ps_sasl_pipe *pipe, const struct iovec *parts, int count, char *reason)
{
    size_t most = TEXT_BYTES_MAX, given = 0;
    if (is_protected(pipe) && pipe->sasl->wrap_text_max < most)
        most = pipe->sasl->wrap_text_max;
    for (int i = 0; i < count; i++)
        given += parts[i].iov_len;
    most = given < most ? given : most;
    if (!make_room(&pipe->out, &pipe->out_room, PS_SASL_HEAD_BYTES + most + PS_SASL_OVERHEAD_BYTES))
        return ps_transport_lose(reason, "no memory");
    uint8_t *message = pipe->out + PS_SASL_HEAD_BYTES;
    pipe->taken = gather(message, most, parts, count);
    if (pipe->taken == 0)
        return 0;
    size_t length = pipe->taken;
    if (is_protected(pipe))
        length = ps_sasl_wrap(pipe->sasl, message, pipe->taken, message, pipe->out_room - PS_SASL_HEAD_BYTES);
    if (length == 0)
        return ps_transport_lose(reason, pipe->sasl->reason);
    pipe->out_at = PS_SASL_HEAD_BYTES - put_head(pipe, message, length);
    pipe->out_length = PS_SASL_HEAD_BYTES + length;
    return 1;
}

ssize_t ps_sasl_pipe_write(void *session, const struct iovec *parts, int count, short *wants, char *reason)
{
    struct ps_sasl_pipe *pipe = session;
    if (is_plain(pipe))
        return ps_transport_send(pipe->fd, parts, count, wants, reason);
    if (pipe->taken == 0) {
        int made = protect(pipe, parts, count, reason);
        if (made <= 0)
            return made;
    }
    return ps_sasl_pipe_flush_taken(pipe, wants, reason);
}

/* Copies bytes at in_at to the caller. */
static ssize_t hand_over(struct ps_sasl_pipe *pipe, size_t have, char *to, size_t room)
{
    size_t length = have < room ? have : room;
    memcpy(to, pipe->in + pipe->in_at, length);
    pipe->in_at += length;
    return (ssize_t)length;
}

static ssize_t read_plain(struct ps_sasl_pipe *pipe, char *to, size_t room, short *wants, char *reason)
{
    size_t had = 0;
    skip_frame(pipe);
    if (pipe->in_at < pipe->in_length) { /* bytes that came with the end of the exchange */
        had = (size_t)hand_over(pipe, pipe->in_length - pipe->in_at, to, room);
        tidy(pipe);
        if (had == room)
            return (ssize_t)had;
    }
    ssize_t got = ps_transport_receive(pipe->fd, to + had, room - had, wants, reason);
    return had == 0 || got > 0 ? (ssize_t)had + got : (ssize_t)had;
}

/* Unwraps the next message, so that its text is at in_at. */
static int unprotect(struct ps_sasl_pipe *pipe, short *wants, char *reason)
{
    uint8_t *frame, *message;
    size_t length, text;
    int done = ps_sasl_pipe_frame(pipe, &frame, &length, wants, reason);
    if (done <= 0)
        return done;
    message = frame;
    text = length;
    if (pipe->framing->find != NULL && !pipe->framing->find(frame, length, &message, &text, reason))
        return -1;
    size_t end = pipe->in_at + pipe->frame_left;
    if (is_protected(pipe) && !ps_sasl_unwrap(pipe->sasl, message, &text))
        return ps_transport_lose(reason, pipe->sasl->reason);
    pipe->in_at = (size_t)(message - pipe->in);
    pipe->text_left = text;
    pipe->frame_left = end - pipe->in_at - text;
    return 1;
}

ssize_t ps_sasl_pipe_read(void *session, char *to, size_t room, short *wants, char *reason)
{
    struct ps_sasl_pipe *pipe = session;
    size_t got = 0;
    if (is_plain(pipe))
        return room > 0 ? read_plain(pipe, to, room, wants, reason) : 0;
    if (pipe->broken)
        return ps_transport_lose(reason, pipe->reason);
    while (got < room) {
        if (pipe->text_left == 0) {
            int done = unprotect(pipe, wants, reason);
            if (done < 0 && got > 0) { /* the bytes before the error are valid */
                snprintf(pipe->reason, sizeof pipe->reason, "%.255s", reason);
                pipe->broken = true;
                break;
            }
            if (done < 0)
                return done;
            if (done == 0)
                break;
        }
        size_t length = (size_t)hand_over(pipe, pipe->text_left, to + got, room - got);
        pipe->text_left -= length;
        got += length;
        if (pipe->text_left == 0)
            skip_frame(pipe);
    }
    return (ssize_t)got;
}
