/* Types and functions that only the files of WebHDFS share: calls (call.c), which the operations (webhdfs.c) and streams (stream.c) use. */
#pragma once

#include "stages/lib/http/client.h"
#include "stages/lib/hadoop/webhdfs/answer.h"
#include "stages/lib/hadoop/webhdfs/webhdfs.h"

#include <sys/queue.h>

struct ps_gss_context;
struct ps_gss_initiator;

#define PS_WEBHDFS_SLOTS 32U /* requests in flight; further calls wait */
#define PS_WEBHDFS_COOKIE_BYTES 2048U
#define PS_WEBHDFS_ANSWER_BYTES (1U << 20) /* of an answer that is neither a listing nor a file's content */
#define PS_WEBHDFS_LISTING_BYTES (256U << 20)

struct ps_webhdfs_call;

struct ps_webhdfs_server {
    char *base;                       /* "http://host:9870/webhdfs/v1" */
    struct ps_gss_initiator *tickets; /* NULL: no Kerberos */
    /* "hadoop.auth=..", which authenticates further requests; "": none yet. */
    char cookie[PS_WEBHDFS_COOKIE_BYTES];
    struct ps_webhdfs_call *introducing; /* the call that gets the cookie; other calls wait for it */
};

struct ps_webhdfs_slot {
    struct ps_http_request request; /* must be first: the HTTP client only knows this member */
    struct ps_webhdfs_call *call;   /* NULL: free */
    struct curl_slist *own_headers; /* with Authorization; NULL: the common headers are used */
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
    size_t server_count, active; /* index of the server that answered last */
    struct ps_webhdfs_slot slots[PS_WEBHDFS_SLOTS];
    unsigned begun;                         /* total number of calls that were begun */
    TAILQ_HEAD(, ps_webhdfs_call) calls;    /* those that have not ended, oldest first */
    LIST_HEAD(, ps_webhdfs_stream) streams; /* all streams */
    LIST_HEAD(, ps_webhdfs_stream) busy;    /* the streams with work */
    struct ps_webhdfs_stream *cursor;       /* position of the turn in `busy` */
    bool listed_more;                       /* a stream got work since the turn began */
    struct ps_now now;                      /* time of this turn */
};

/* The result of a call. */
struct ps_webhdfs_outcome {
    enum ps_file_error error;
    const char *reason; /* one line */
    bool lost;          /* the request was sent and not answered: its effect is unknown */
    bool
        in_part; /* the server that got the data answered with an error: the request may have been carried out in part, or
                  * completely */
    const char *body;
    size_t length;
    long status;
};

/* One REST operation, with its redirects and repetitions. The owner sets the first members. */
struct ps_webhdfs_call {
    const char *operation; /* "APPEND": for error texts */
    const char *method;
    char *target;     /* ps_webhdfs_target; the call owns it from ps_webhdfs_call_begin on */
    const char *path; /* for error texts; copied */
    const char *body; /* data for the server that the redirect names; must stay valid until `ended` */
    size_t length;
    size_t answer_max; /* limit of the answer, bytes; 0: PS_WEBHDFS_ANSWER_BYTES */
    bool redirects;    /* CREATE, APPEND: the first server only redirects to another one */
    bool repeats;      /* the operation may be carried out twice: it is sent again if its answer is lost */
    /* Called from ps_webhdfs_calls_turn after the call was removed from its list; the call is freed afterwards. */
    void (*ended)(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome);
    void *owner; /* a stream */
    char *to;    /* RENAME: the new path, which the call owns */
    ps_file_done *done;
    void *argument;
    uint64_t deadline_ns; /* 0: the call time-out after the first turn that sees the call */

    /* Used by call.c: */

    struct ps_webhdfs *webhdfs;
    TAILQ_ENTRY(ps_webhdfs_call) entry;
    struct ps_webhdfs_slot *slot; /* NULL: the call waits for a slot */
    size_t server;
    unsigned attempts, hops;
    uint64_t wake_ns;                  /* time of the next try; 0: in flight */
    char *location;                    /* URL of the redirect; NULL: the request is at the server */
    char *excluded;                    /* "host:port,..": datanodes that could not be reached; NULL: none */
    struct ps_gss_context *context;    /* of the Authorization header that was sent; NULL: none was sent */
    char reason[PS_FILE_REASON_BYTES]; /* of the last try; "": none has failed */
};

/* Returns the text percent-encoded, for a path or for a query. The caller frees it. */
char *ps_webhdfs_encode(const char *text, bool is_path);
/* Returns "/path?op=OPERATION" followed by `more`, "&name=value..", which is encoded already. The caller frees it. */
char *ps_webhdfs_target(const char *path, const char *operation, const char *more);

/* Begins a copy of the call; ps_webhdfs_calls_turn sends it. */
struct ps_webhdfs_call *ps_webhdfs_call_begin(struct ps_webhdfs *webhdfs, const struct ps_webhdfs_call *call);
/* Drops a call; `ended` is not called. */
void ps_webhdfs_call_drop(struct ps_webhdfs_call *call);
/* Sends and receives what is possible now, and calls `ended`. Returns when it must be called again at the latest. */
uint64_t ps_webhdfs_calls_turn(struct ps_webhdfs *webhdfs);

/* ---- authentication by Kerberos: login.c ---- */

enum ps_webhdfs_login {
    PS_WEBHDFS_LOGIN_READY,  /* send the request with the headers of the slot */
    PS_WEBHDFS_LOGIN_WAITS,  /* try again later */
    PS_WEBHDFS_LOGIN_FAILED, /* call->reason has the reason */
};

/* Prepares the authentication of a request to a server. */
enum ps_webhdfs_login ps_webhdfs_login_prepare(struct ps_webhdfs_call *call);
/* Takes the answer's cookie, and verifies the server's token. Returns false, with call->reason, if the server cannot prove its identity. */
bool ps_webhdfs_login_accept(struct ps_webhdfs_call *call);
/* Ends the authentication of the call. */
void ps_webhdfs_login_drop(struct ps_webhdfs_call *call);

/* ---- streams: stream.c ---- */

struct ps_file_stream *ps_webhdfs_stream_create(struct ps_filesystem *filesystem, const char *path,
                                                ps_file_done *done, void *argument);
bool ps_webhdfs_stream_write(struct ps_file_stream *stream, const void *bytes, size_t length);
void ps_webhdfs_stream_flush(struct ps_file_stream *stream, enum ps_file_flush how, ps_file_done *done,
                             void *argument);
void ps_webhdfs_stream_close(struct ps_file_stream *stream, ps_file_done *done, void *argument);
void ps_webhdfs_stream_abandon(struct ps_file_stream *stream);
unsigned ps_webhdfs_stream_replicas(const struct ps_file_stream *stream);
/* Ends the operations that need no server: flushes without bytes, and waits that have timed out. Returns when it
 * must be called again at the latest. */
uint64_t ps_webhdfs_streams_turn(struct ps_webhdfs *webhdfs);
