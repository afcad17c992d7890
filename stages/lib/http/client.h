/* An HTTP/1.1 client over libcurl that never blocks: several requests may be under way at a time, behind one
 * descriptor and one timer. The owner repeats requests and follows redirects. POSTs to one URL
 * (ps_http_request_send) keep only the beginning of an answer; other requests are orders
 * (ps_http_request_order), with the whole answer.
 *
 * Thread: the client's owner; libcurl allocates while it works. The process calls curl_global_init before. */
#pragma once

#include "core/status.h"

#include <curl/curl.h>

#define PS_HTTP_ANSWER_BYTES 96U /* bytes of an answer's body that are kept, to say why a request failed */

/* Shared by all clients of one server; const. Texts belong to the owner. */
struct ps_http_settings {
    const char *url;
    uint64_t timeout_ns; /* of a request */
    uint64_t connect_ns; /* of connecting; 0: 5 s */
    /* PEM files, or NULL. `key` NULL: the private key is in `cert`. */
    const char *ca, *cert, *key;
    /* PEM texts in place of the files, or NULL. They are copied. */
    const char *ca_text, *cert_text, *key_text;
    bool verify; /* false: every certificate is accepted */
    struct curl_slist *headers;
};

/* The parts of an order's request. All parts but body and headers are copied. */
struct ps_http_order {
    const char *method; /* GET, PUT, POST, DELETE */
    const char *url;
    const char *body; /* of PUT and POST; must not change until the request has ended */
    size_t length;
    /* used instead of the headers of the settings; must not change until the request has ended */
    struct curl_slist *headers;
    const char *cookie; /* "name=value"; NULL: none */
    size_t answer_max;  /* limit of the answer's body, bytes; the request fails if the body is longer */
    /* The request uses a new connection. On a used one, libcurl by itself repeats a request if the connection
     * is closed without an answer, although the server may have carried out the request. */
    bool fresh;
};

/* A request and its answer; the struct is used for one request after another. */
struct ps_http_request {
    CURL *easy;                          /* NULL: not opened */
    bool busy;                           /* sent and not answered */
    long status;                         /* of the answer, even if its body was cut off; 0: no answer */
    const char *failure;                 /* why no answer came; valid until the request is sent again */
    char distrust[CURL_ERROR_SIZE];      /* libcurl's reason why the server's certificate is refused */
    const struct ps_http_client *client; /* the client that sent it */
    uint64_t begun_ns;                   /* when the request got a connection; 0: it never had one */
    char answer[PS_HTTP_ANSWER_BYTES];
    size_t answer_length;
    /* Returns the body of an order's answer, terminated; valid until the order is sent again or closed. NULL:
     * the body is empty. */
    char *body;
    size_t body_length, body_room, body_max;
    bool too_long; /* the body has more than answer_max bytes */
    bool cut;      /* the answer ended before its body did */
};

struct ps_http_client {
    CURLM *multi;
    int poll_fd;       /* an epoll of libcurl's sockets: poll it for reading */
    uint64_t timer_ns; /* when to call ps_http_client_work at the latest; PS_NEVER: no such time */
    uint64_t now_ns;   /* of this call */
};

/* `connections`: number of connections that are kept open. The caller owns the client, and closes it after its
 * requests have ended. */
enum ps_status ps_http_client_open(struct ps_http_client *client, unsigned connections, struct ps_err *err);
/* May be called on a client that failed to open. */
void ps_http_client_close(struct ps_http_client *client);
/* Sends and receives as much as is possible now. Then ps_http_client_next returns the requests that have ended. */
void ps_http_client_work(struct ps_http_client *client, uint64_t now_ns);
/* Returns a request that has ended: with a `status`, or with status 0 and `failure`. NULL: there are no more. */
struct ps_http_request *ps_http_client_next(struct ps_http_client *client);

/* Returns false if there is no memory; the caller must call ps_http_request_close even then. */
bool ps_http_request_open(struct ps_http_request *request, const struct ps_http_settings *settings);
/* Gives up the answer if the request is under way. {0} is allowed. */
void ps_http_request_close(struct ps_http_request *request, struct ps_http_client *client);
/* Gives up the answer if the request is under way; the request may be sent again. */
void ps_http_request_cancel(struct ps_http_request *request, struct ps_http_client *client);
/* Ends a request that is under way as if the connection broke now: a status that was received stays valid; else
 * `failure` has the reason. */
void ps_http_request_cut(struct ps_http_request *request, struct ps_http_client *client, const char *failure);
/* `body` must not change until the request has ended. */
void ps_http_request_send(struct ps_http_request *request, struct ps_http_client *client, const char *body,
                          size_t length, uint64_t now_ns);
/* Sends any other request. */
void ps_http_request_order(struct ps_http_request *request, struct ps_http_client *client,
                           const struct ps_http_order *order, uint64_t now_ns);
/* Return the absolute URL to which an answer redirects, and the `index`-th header of a name in an answer. NULL:
 * there is none. Valid until the request is sent again. */
const char *ps_http_request_redirect(const struct ps_http_request *request);
const char *ps_http_request_header(const struct ps_http_request *request, const char *name, size_t index);
/* Only connects (and agrees on TLS keys): the request ends with `failure` NULL and `status` 0 when the server
 * has accepted. Such a request can send nothing; closing the request closes the connection. */
void ps_http_request_connect(struct ps_http_request *request, struct ps_http_client *client, uint64_t now_ns);
/* Writes "HTTP 400: first line of the answer". */
void ps_http_request_reason(const struct ps_http_request *request, char *reason, size_t room);
/* Returns whether libcurl can send requests to the URL; if not, `reason` says why. Port 0 is refused as well. */
bool ps_http_url_is_usable(const char *url, char *reason, size_t room);
/* Prints a URL of http or https without its user and password, for logs. */
void ps_http_print_url(const char *url, char *out, size_t room);
