/* Streams of WebHDFS. Written bytes are gathered, and sent as one APPEND when a caller waits for them. A stream has at most
 * one request in flight. If the answer to an APPEND is lost, the length of the file shows how much of it was written. */
#include "stages/lib/byte_buffer.h"
#include "stages/lib/hadoop/webhdfs/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "a WebHDFS stream"
#define GATHER_BYTES_MAX (4U << 20) /* this many gathered bytes are sent even without a flush */
/* Kept by an idle stream's buffer, because there may be thousands of streams. */
#define KEPT_BYTES_MAX 4096U
/* wait before the length is requested: the datanode finishes what it received */
#define ASK_NS (250 * PS_NS_PER_MS)

enum stream_state {
    STREAM_CREATING, /* CREATE is in flight */
    STREAM_READY,
    STREAM_APPENDING,
    STREAM_DOUBTING, /* an APPEND may have been carried out: waits, then requests the length */
    STREAM_DEAD,
};

/* A callback to be called: for the creation, a flush or the close. The list is in the order of `offset`. */
struct waiter {
    struct waiter *next;
    uint64_t offset;      /* called when this many written bytes are acknowledged */
    uint64_t deadline_ns; /* 0: the next turn sets it */
    ps_file_done *done;
    void *argument;
    bool closes, unsupported;
};

struct ps_webhdfs_stream {
    struct ps_file_stream stream; /* must be first */
    LIST_ENTRY(ps_webhdfs_stream) all, busy;
    bool listed;             /* in the list of streams with work */
    bool calling, abandoned; /* its callback is running; the callback abandoned the stream */
    enum stream_state state;
    char *path;
    /* `sent` is one APPEND, of which the bytes from `confirmed` on are outstanding. */
    struct ps_byte_buffer gathered, sent;
    size_t confirmed;
    struct ps_webhdfs_call *call;
    uint64_t ask_ns; /* STREAM_DOUBTING: when to request the length */
    struct waiter *first, *last;
    /* Used with STREAM_DEAD, and with an APPEND in doubt until its result is known. */
    enum ps_file_error error;
    char reason[PS_FILE_REASON_BYTES];
    /* The APPEND in doubt was answered with an error: if none of its bytes is in the file, the APPEND is not sent
     * again. */
    bool failed;
    /* The bytes of `sent` were sent again, so that the first APPEND with them may be carried out yet; `stray`: this was so with earlier bytes.
     * The length of the file then does not tell any more what is there of later ones. */
    bool resent, stray;
};

static struct ps_webhdfs *webhdfs_of(const struct ps_webhdfs_stream *stream)
{
    return (struct ps_webhdfs *)stream->stream.filesystem;
}

/* ---- the list ---- */

static void list(struct ps_webhdfs_stream *stream)
{
    struct ps_webhdfs *webhdfs = webhdfs_of(stream);
    if (stream->listed)
        return;
    stream->listed = webhdfs->listed_more = true;
    LIST_INSERT_HEAD(&webhdfs->busy, stream, busy);
}

static void unlist(struct ps_webhdfs_stream *stream)
{
    struct ps_webhdfs *webhdfs = webhdfs_of(stream);
    if (!stream->listed)
        return;
    stream->listed = false;
    if (webhdfs->cursor == stream)
        webhdfs->cursor = LIST_NEXT(stream, busy);
    LIST_REMOVE(stream, busy);
}

/* ---- buffers ---- */

/* Frees the buffers, because no more bytes can be sent. */
static void free_buffers(struct ps_webhdfs_stream *stream)
{
    uint64_t held = stream->gathered.length + (stream->sent.length - stream->confirmed);
    stream->stream.filesystem->held_bytes -= held;
    ps_byte_buffer_clear(&stream->gathered, 0);
    ps_byte_buffer_clear(&stream->sent, 0);
    stream->confirmed = 0;
}

static void confirm(struct ps_webhdfs_stream *stream, size_t length)
{
    stream->confirmed += length;
    stream->stream.acknowledged_bytes += length;
    stream->stream.filesystem->held_bytes -= length;
    if (stream->confirmed < stream->sent.length)
        return;
    stream->confirmed = 0;
    ps_byte_buffer_clear(&stream->sent, KEPT_BYTES_MAX);
}

/* ---- the end ---- */

static void free_stream(struct ps_webhdfs_stream *stream)
{
    if (stream->call != NULL)
        ps_webhdfs_call_drop(stream->call);
    free_buffers(stream);
    unlist(stream);
    LIST_REMOVE(stream, all);
    for (struct waiter *waiter; (waiter = stream->first) != NULL;) {
        stream->first = waiter->next;
        stream->stream.filesystem->under_way--;
        free(waiter);
    }
    free(stream->path);
    free(stream);
}

static void die(struct ps_webhdfs_stream *stream, enum ps_file_error error, const char *reason)
{
    if (stream->call != NULL)
        ps_webhdfs_call_drop(stream->call);
    stream->call = NULL;
    stream->state = STREAM_DEAD;
    stream->error = error;
    snprintf(stream->reason, sizeof stream->reason, "%s", reason);
    free_buffers(stream);
    list(stream);
}

/* ---- calls ---- */

static uint64_t due_ns(const struct ps_webhdfs_stream *stream)
{
    return stream->first != NULL ? stream->first->deadline_ns : 0;
}

static void call(struct ps_webhdfs_stream *stream, struct ps_webhdfs_call *order, const char *more,
                 void (*ended)(struct ps_webhdfs_call *, const struct ps_webhdfs_outcome *))
{
    order->target = ps_webhdfs_target(stream->path, order->operation, more);
    order->path = stream->path;
    order->owner = stream;
    order->ended = ended;
    if (order->deadline_ns == 0)
        order->deadline_ns = due_ns(stream);
    stream->call = ps_webhdfs_call_begin(webhdfs_of(stream), order);
}

/* Detaches the call from its stream. */
static struct ps_webhdfs_stream *stream_of(const struct ps_webhdfs_call *call)
{
    struct ps_webhdfs_stream *stream = call->owner;
    stream->call = NULL;
    list(stream);
    return stream;
}

static void on_created(struct ps_webhdfs_call *call_, const struct ps_webhdfs_outcome *outcome)
{
    struct ps_webhdfs_stream *stream = stream_of(call_);
    if (outcome->error == PS_FILE_OK)
        stream->state = STREAM_READY;
    else
        die(stream, outcome->error, outcome->reason);
}

static void send_create(struct ps_webhdfs_stream *stream)
{
    const struct ps_webhdfs *webhdfs = webhdfs_of(stream);
    struct ps_webhdfs_call order = {.operation = "CREATE", .method = "PUT", .redirects = true};
    char more[128];
    int length = snprintf(more, sizeof more, "&overwrite=false");
    if (webhdfs->replication > 0)
        length +=
            snprintf(more + length, sizeof more - (size_t)length, "&replication=%u", webhdfs->replication);
    if (webhdfs->block_size_bytes > 0)
        snprintf(more + length, sizeof more - (size_t)length, "&blocksize=%" PRIu64,
                 webhdfs->block_size_bytes);
    call(stream, &order, more, on_created);
}

/* Reads the length of the file from an answer. Returns false if the answer has none; the stream is dead then. */
static bool read_length(struct ps_webhdfs_stream *stream, const struct ps_webhdfs_outcome *outcome,
                        uint64_t *length_bytes)
{
    struct ps_webhdfs_statuses statuses;
    bool good =
        ps_webhdfs_statuses_read(outcome->body, outcome->length, "", &statuses) && statuses.count == 1;
    if (good)
        *length_bytes = statuses.entries[0].length_bytes;
    else
        die(stream, PS_FILE_FAILED, "webhdfs: the answer to GETFILESTATUS is not a file status");
    ps_webhdfs_statuses_free(&statuses);
    return good;
}

/* ---- appending ---- */

/* Behind a stray APPEND the stream ends: its bytes would be taken for those in doubt, which would be lost then. The caller writes them to
 * another file. */
static void doubt(struct ps_webhdfs_stream *stream, const struct ps_webhdfs_outcome *outcome)
{
    if (stream->stray) {
        die(stream, outcome->lost ? PS_FILE_TIMEOUT : outcome->error, outcome->reason);
        return;
    }
    stream->state = STREAM_DOUBTING;
    stream->error = outcome->lost ? PS_FILE_TIMEOUT : outcome->error;
    snprintf(stream->reason, sizeof stream->reason, "%s", outcome->reason);
    stream->ask_ns = webhdfs_of(stream)->now.mono_ns + ASK_NS;
}

static void on_appended(struct ps_webhdfs_call *call_, const struct ps_webhdfs_outcome *outcome)
{
    struct ps_webhdfs_stream *stream = stream_of(call_);
    bool doubted = stream->error != PS_FILE_OK;
    /* an earlier APPEND may still be in flight and hold the lease */
    bool later = doubted && (outcome->error == PS_FILE_LEASE || outcome->error == PS_FILE_UNAVAILABLE);
    if (outcome->error == PS_FILE_OK) {
        stream->state = STREAM_READY;
        stream->error = PS_FILE_OK;
        confirm(stream, stream->sent.length - stream->confirmed);
    } else if (outcome->lost || outcome->in_part || later) {
        doubt(stream, outcome);
        stream->failed = outcome->in_part && !later;
    } else {
        die(stream, outcome->error, outcome->reason);
    }
}

/* Compares the length of the file with the acknowledged bytes: further bytes are those of the APPEND in doubt. */
static void on_asked(struct ps_webhdfs_call *call_, const struct ps_webhdfs_outcome *outcome)
{
    struct ps_webhdfs_stream *stream = stream_of(call_);
    uint64_t length_bytes = 0, known_bytes = stream->stream.acknowledged_bytes;
    uint64_t now_ns = webhdfs_of(stream)->now.mono_ns;
    if (ps_file_error_may_pass(outcome->error)) {
        stream->ask_ns = now_ns + ASK_NS;
        return;
    }
    if (outcome->error != PS_FILE_OK) {
        die(stream, outcome->error, outcome->reason);
        return;
    }
    if (!read_length(stream, outcome, &length_bytes))
        return;
    if (length_bytes < known_bytes || length_bytes - known_bytes > stream->sent.length - stream->confirmed) {
        char reason[PS_FILE_REASON_BYTES];
        snprintf(reason, sizeof reason,
                 "webhdfs: %.160s has %" PRIu64 " bytes in place of %" PRIu64 ": another client writes it",
                 stream->path, length_bytes, known_bytes);
        die(stream, PS_FILE_LEASE, reason);
        return;
    }
    bool none = length_bytes == known_bytes;
    confirm(stream, (size_t)(length_bytes - known_bytes));
    if (stream->sent.length == 0) {
        stream->state = STREAM_READY;
        stream->error = PS_FILE_OK;
    } else if (stream->failed && none) {
        char reason[PS_FILE_REASON_BYTES];
        snprintf(reason, sizeof reason, "%s", stream->reason);
        die(stream, stream->error, reason);
    } else if (due_ns(stream) != 0 && due_ns(stream) < now_ns + webhdfs_of(stream)->call_timeout_ns / 2) {
        stream->ask_ns = now_ns + ASK_NS; /* there is no time for another APPEND: asks for the length again */
    } else {
        stream->state = STREAM_READY;
        stream->resent = true;
    }
}

static void ask_length(struct ps_webhdfs_stream *stream)
{
    struct ps_webhdfs_call order = {.operation = "GETFILESTATUS", .method = "GET", .repeats = true};
    call(stream, &order, "", on_asked);
}

/* Sends the rest of an APPEND that was carried out in part, or the gathered bytes. */
static void send_append(struct ps_webhdfs_stream *stream)
{
    struct ps_webhdfs *webhdfs = webhdfs_of(stream);
    if (stream->sent.length == 0) {
        struct ps_byte_buffer empty = stream->sent;
        stream->sent = stream->gathered;
        stream->gathered = empty;
        stream->stray |= stream->resent;
        stream->resent = false;
    }
    struct ps_webhdfs_call order = {
        .operation = "APPEND",
        .method = "POST",
        .redirects = true,
        .body = stream->sent.data + stream->confirmed,
        .length = stream->sent.length - stream->confirmed,
    };
    /* Reserves the last quarter of the time for requesting the length. */
    uint64_t quarter = webhdfs->call_timeout_ns / 4, due = due_ns(stream);
    if (due > webhdfs->now.mono_ns + 2 * quarter)
        order.deadline_ns = due - quarter;
    stream->state = STREAM_APPENDING;
    call(stream, &order, "", on_appended);
}

/* ---- callbacks ---- */

/* Calls the callback of the first waiter. Returns false if the stream was freed. */
static bool end_first(struct ps_webhdfs_stream *stream, enum ps_file_error error, const char *reason)
{
    struct waiter waiter = *stream->first;
    const struct ps_file_answer answer = {.error = error, .reason = reason};
    char copy[PS_FILE_REASON_BYTES];
    free(stream->first);
    stream->first = waiter.next;
    stream->stream.filesystem->under_way--;
    if (waiter.closes) {
        snprintf(copy, sizeof copy, "%s", reason);
        free_stream(stream);
        waiter.done(waiter.argument, &(const struct ps_file_answer){
                                         .error = error, .reason = error != PS_FILE_OK ? copy : ""});
        return false;
    }
    stream->calling = true;
    waiter.done(waiter.argument, &answer);
    stream->calling = false;
    if (!stream->abandoned)
        return true;
    free_stream(stream);
    return false;
}

/* Calls the callbacks that are due. Returns false if the stream was freed. */
static bool end_waiters(struct ps_webhdfs_stream *stream)
{
    while (stream->first != NULL) {
        const struct waiter *waiter = stream->first;
        bool is_there = stream->state > STREAM_CREATING &&
                        stream->stream.acknowledged_bytes >= waiter->offset && stream->state != STREAM_DEAD;
        if (!is_there && stream->state != STREAM_DEAD)
            return true;
        enum ps_file_error error = is_there ? PS_FILE_OK : stream->error;
        const char *reason = is_there ? "" : stream->reason;
        if (is_there && waiter->unsupported) {
            error = PS_FILE_UNSUPPORTED;
            reason = "webhdfs: there is no hsync through WebHDFS";
        }
        if (!end_first(stream, error, reason))
            return false;
    }
    return true;
}

/* ---- the turn ---- */

static void end_late(struct ps_webhdfs_stream *stream)
{
    char reason[PS_FILE_REASON_BYTES];
    if (stream->reason[0] != '\0')
        snprintf(reason, sizeof reason, "%s", stream->reason);
    else
        snprintf(reason, sizeof reason, "webhdfs: %.200s: no answer within the call time-out", stream->path);
    die(stream, PS_FILE_TIMEOUT, reason);
}

/* Returns whether an APPEND should begin. */
static bool has_to_send(const struct ps_webhdfs_stream *stream)
{
    return stream->state == STREAM_READY && stream->call == NULL &&
           (stream->sent.length > 0 || stream->gathered.length >= GATHER_BYTES_MAX ||
            (stream->first != NULL && stream->gathered.length > 0));
}

/* Does the stream's work. Returns when it must be called again at the latest. The stream may be freed. */
static uint64_t work_on(struct ps_webhdfs_stream *stream)
{
    const struct ps_webhdfs *webhdfs = webhdfs_of(stream);
    uint64_t now_ns = webhdfs->now.mono_ns;
    if (!end_waiters(stream))
        return PS_NEVER;
    for (struct waiter *waiter = stream->first; waiter != NULL; waiter = waiter->next) {
        if (waiter->deadline_ns == 0)
            waiter->deadline_ns = now_ns + webhdfs->call_timeout_ns;
    }
    if (stream->first != NULL && now_ns >= stream->first->deadline_ns) {
        end_late(stream);
        if (!end_waiters(stream))
            return PS_NEVER;
    }
    bool asks = stream->state == STREAM_DOUBTING && stream->call == NULL;
    if (has_to_send(stream)) {
        send_append(stream);
    } else if (asks && now_ns >= stream->ask_ns) {
        ask_length(stream);
        asks = false;
    }
    if (stream->first == NULL && !asks) {
        unlist(stream);
        return PS_NEVER;
    }
    uint64_t due =
        stream->first != NULL && stream->first->deadline_ns != 0 ? stream->first->deadline_ns : PS_NEVER;
    return asks && stream->ask_ns < due ? stream->ask_ns : due;
}

uint64_t ps_webhdfs_streams_turn(struct ps_webhdfs *webhdfs)
{
    uint64_t next = PS_NEVER;
    webhdfs->listed_more = false;
    for (struct ps_webhdfs_stream *stream = LIST_FIRST(&webhdfs->busy); stream != NULL;
         stream = webhdfs->cursor) {
        webhdfs->cursor = LIST_NEXT(stream, busy);
        uint64_t due = work_on(stream);
        next = due < next ? due : next;
    }
    webhdfs->cursor = NULL;
    return webhdfs->listed_more ? webhdfs->now.mono_ns : next;
}

/* ---- functions for callers ---- */

static void wait_for(struct ps_webhdfs_stream *stream, const struct waiter *waiter)
{
    struct waiter *made = ps_must_alloc(1, sizeof *made, PURPOSE);
    *made = *waiter;
    *(stream->first != NULL ? &stream->last->next : &stream->first) = made;
    stream->last = made;
    stream->stream.filesystem->under_way++;
    list(stream);
}

struct ps_file_stream *ps_webhdfs_stream_create(struct ps_filesystem *filesystem, const char *path,
                                                ps_file_done *done, void *argument)
{
    struct ps_webhdfs *webhdfs = (struct ps_webhdfs *)filesystem;
    struct ps_webhdfs_stream *stream = ps_must_alloc(1, sizeof *stream, PURPOSE);
    stream->stream.filesystem = filesystem;
    stream->path = ps_must_copy_text(path, PURPOSE);
    LIST_INSERT_HEAD(&webhdfs->streams, stream, all);
    wait_for(stream, &(struct waiter){.done = done, .argument = argument});
    send_create(stream);
    return &stream->stream;
}

bool ps_webhdfs_stream_write(struct ps_file_stream *stream_, const void *bytes, size_t length)
{
    struct ps_webhdfs_stream *stream = (struct ps_webhdfs_stream *)stream_;
    if (stream->state == STREAM_DEAD || !ps_byte_buffer_append(&stream->gathered, bytes, length))
        return false;
    stream_->written_bytes += length;
    stream_->filesystem->held_bytes += length;
    if (stream->gathered.length >= GATHER_BYTES_MAX)
        list(stream);
    return true;
}

void ps_webhdfs_stream_flush(struct ps_file_stream *stream_, enum ps_file_flush how, ps_file_done *done,
                             void *argument)
{
    struct ps_webhdfs_stream *stream = (struct ps_webhdfs_stream *)stream_;
    wait_for(stream, &(struct waiter){.offset = stream_->written_bytes,
                                      .done = done,
                                      .argument = argument,
                                      .unsupported = how == PS_FILE_HSYNC});
}

void ps_webhdfs_stream_close(struct ps_file_stream *stream_, ps_file_done *done, void *argument)
{
    struct ps_webhdfs_stream *stream = (struct ps_webhdfs_stream *)stream_;
    wait_for(stream,
             &(struct waiter){
                 .offset = stream_->written_bytes, .done = done, .argument = argument, .closes = true});
}

void ps_webhdfs_stream_abandon(struct ps_file_stream *stream_)
{
    struct ps_webhdfs_stream *stream = (struct ps_webhdfs_stream *)stream_;
    if (stream->calling)
        stream->abandoned = true;
    else
        free_stream(stream);
}

unsigned ps_webhdfs_stream_replicas(const struct ps_file_stream *)
{
    return 0;
}
