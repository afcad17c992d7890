/* Shared by the files of WebHDFS: calls (call.c) under operations (webhdfs.c) and streams (stream.c). */
#pragma once

#include "stages/http/client.h"
#include "stages/webhdfs/answer.h"
#include "stages/webhdfs/webhdfs.h"

struct ps_gss_context;
struct ps_gss_initiator;

#define PS_WEBHDFS_SLOTS 32U /* requests under way; further calls wait */
#define PS_WEBHDFS_COOKIE_BYTES 2048U
#define PS_WEBHDFS_ANSWER_BYTES (1U << 20) /* of an answer that is no listing and no content */
#define PS_WEBHDFS_LISTING_BYTES (256U << 20)

struct ps_webhdfs_call;

struct ps_webhdfs_server {
    char *base;                           /* "http://host:9870/webhdfs/v1" */
    struct ps_gss_initiator *tickets;     /* NULL: no Kerberos */
    char cookie[PS_WEBHDFS_COOKIE_BYTES]; /* "hadoop.auth=..": that it knows us; "": not yet */
    struct ps_webhdfs_call *introducing;  /* the call that gets the cookie; others wait for it */
};

struct ps_webhdfs_slot {
    struct ps_http_request request; /* must be first: the client knows only this */
    struct ps_webhdfs_call *call;   /* NULL: free */
    struct curl_slist *own_headers; /* with Authorization; NULL: those of all */
};

struct ps_webhdfs {
    struct ps_filesystem filesystem; /* must be first */
    char *identity;                  /* "&user.name=..&doas=.." */
    uint64_t call_timeout_ns;
    unsigned replication, attempts_max;
    uint64_t block_size_bytes;
    struct ps_http_client client;
    struct ps_http_settings http;
    struct ps_webhdfs_server servers[PS_WEBHDFS_SERVERS_MAX];
    size_t server_count, active; /* the server that answered last */
    struct ps_webhdfs_slot slots[PS_WEBHDFS_SLOTS];
    unsigned begun;                       /* how many calls, ever */
    struct ps_webhdfs_call *first, *last; /* all calls that have not ended, oldest first */
    /* All streams; those that have something to do; where the turn over these is. */
    struct ps_webhdfs_stream *all_streams, *streams, *cursor;
    bool listed_more;  /* one got something to do, since the turn began */
    struct ps_now now; /* of this turn */
};

/* How a call ended. */
struct ps_webhdfs_outcome {
    enum ps_file_error error;
    const char *reason; /* one line */
    bool lost; /* it was sent and not answered: it may have been carried out, or be carried out yet */
    bool
        in_part; /* an error of who was given the data: it may have been carried out in part, or but for the answer */
    const char *body;
    size_t length;
    long status;
};

/* One REST operation, with its redirects and further attempts. Its owner fills the first part. */
struct ps_webhdfs_call {
    const char *operation; /* "APPEND": for reasons */
    const char *method;
    char *target;     /* ps_webhdfs_target; the call's from ps_webhdfs_call_begin on */
    const char *path; /* for reasons; copied */
    const char *body; /* to the server that the first one names; stays as it is until `ended` */
    size_t length;
    size_t answer_max; /* bytes; 0: PS_WEBHDFS_ANSWER_BYTES */
    bool redirects;    /* CREATE, APPEND: the first server does nothing but name another one */
    bool repeats;      /* doing it twice is as good as once: it is sent again when its answer is lost */
    /* From ps_webhdfs_turn, with the call out of all lists; it is freed afterwards. */
    void (*ended)(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome);
    void *owner; /* a stream */
    char *to;    /* RENAME: its target; the call's */
    ps_file_done *done;
    void *argument;
    uint64_t deadline_ns; /* 0: the call time-out after it is seen first */

    /* call.c's */

    struct ps_webhdfs *webhdfs;
    struct ps_webhdfs_call *previous, *next;
    struct ps_webhdfs_slot *slot; /* NULL: waits for one */
    size_t server;
    unsigned attempts, hops;
    uint64_t wake_ns;                  /* sent again then; 0: it is under way */
    char *location;                    /* where a redirect led to; NULL: it is at the server */
    char *excluded;                    /* "host:port,..": datanodes that cannot be reached; NULL: none */
    struct ps_gss_context *context;    /* of the Authorization that was sent; NULL: none was */
    char reason[PS_FILE_REASON_BYTES]; /* of the last attempt; "": none failed yet */
};

/* Returns the text percent-encoded, of a path or for a query. The caller's. */
char *ps_webhdfs_encode(const char *text, bool is_path);
/* Returns "/path?op=OPERATION" and `more`: "&name=value..", encoded by its maker. The caller's. */
char *ps_webhdfs_target(const char *path, const char *operation, const char *more);

/* Copies the call; ps_webhdfs_calls_turn sends it. */
struct ps_webhdfs_call *ps_webhdfs_call_begin(struct ps_webhdfs *webhdfs, const struct ps_webhdfs_call *call);
/* Gives it up: `ended` is not called. */
void ps_webhdfs_call_drop(struct ps_webhdfs_call *call);
/* Sends and receives what can be now; calls `ended`. Returns when it must be called again at the latest. */
uint64_t ps_webhdfs_calls_turn(struct ps_webhdfs *webhdfs);

/* ---- an introduction by Kerberos: login.c ---- */

enum ps_webhdfs_login {
    PS_WEBHDFS_LOGIN_READY,  /* send it, with the headers of the slot */
    PS_WEBHDFS_LOGIN_WAITS,  /* later */
    PS_WEBHDFS_LOGIN_FAILED, /* call->reason says why */
};

/* Before a request to a server. */
enum ps_webhdfs_login ps_webhdfs_login_prepare(struct ps_webhdfs_call *call);
/* After its answer: keeps the cookie, and looks at the server's token. Returns false: it is not who it says, and
 * call->reason says so. */
bool ps_webhdfs_login_accept(struct ps_webhdfs_call *call);
/* The call does not go on with its introduction. */
void ps_webhdfs_login_drop(struct ps_webhdfs_call *call);

/* ---- streams: stream.c ---- */

struct ps_file_stream *ps_webhdfs_stream_create(struct ps_filesystem *filesystem, const char *path,
                                                const struct ps_file_creation *creation, ps_file_done *done,
                                                void *argument);
bool ps_webhdfs_stream_write(struct ps_file_stream *stream, const void *bytes, size_t length);
void ps_webhdfs_stream_flush(struct ps_file_stream *stream, enum ps_file_flush how, ps_file_done *done,
                             void *argument);
void ps_webhdfs_stream_close(struct ps_file_stream *stream, ps_file_done *done, void *argument);
void ps_webhdfs_stream_abandon(struct ps_file_stream *stream);
unsigned ps_webhdfs_stream_replicas(const struct ps_file_stream *stream);
/* Ends what can be ended without the server: flushes of nothing, waits that are over. Returns when it must be called again. */
uint64_t ps_webhdfs_streams_turn(struct ps_webhdfs *webhdfs);
