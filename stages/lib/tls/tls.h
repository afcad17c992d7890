/* TLS for sources that listen: makes one server from Flume's "SSL keys", which all workers share, and a
 * non-blocking connection over each socket.
 *
 * How a source uses it:
 *
 *   options     embed `struct ps_tls_options tls;` in the plan and write PS_TLS_OPTION_ROWS(struct my_plan, tls)
 *               in its rows
 *   check       if (plan->tls.enabled) ps_tls_server_build(NULL, ...): reports every problem, makes nothing
 *   build       ps_tls_server_build(&plan->server, ...)
 *   teardown    ps_tls_server_teardown
 *   accept      c = ps_tls_connection_open(server, fd), fd non-blocking; NULL: no memory, close the socket
 *   readable    ps_tls_connection_read in place of recv, until it returns WANT_READ or the budget of this call
 *               is used up. The handshake happens inside the first reads. TLS may hold bytes that epoll cannot
 *               see: while ps_tls_connection_more() is true, read again in the next cycle without waiting for
 *               epoll
 *   WANT_WRITE  watch EPOLLOUT too, and read again when it comes (handshake answers did not fit the socket)
 *   CLOSED      the peer closed (with or without close_notify: many syslog senders close without it); what was
 *               read before is valid
 *   ERROR       ps_tls_connection_reason() is one line for a counter or a rate-limited log
 *   end         ps_tls_connection_shutdown (best effort), ps_tls_connection_close, close(fd): the socket stays
 *               the caller's
 *
 * The source also closes connections whose ps_tls_connection_established() is still false after its handshake
 * time-out.
 *
 * The process must ignore SIGPIPE. A handshake costs about a millisecond of CPU (an RSA signature) on the
 * worker. OpenSSL allocates and frees its 16 and 32 KiB buffers as data comes and goes, so idle connections
 * cost little: TLS is the only input path that allocates while it runs. */
#pragma once

#include "core/option.h"
#include "stages/lib/note.h"

/* A client that sends more before the handshake is complete is disconnected. */
#define PS_TLS_HANDSHAKE_BYTES_MAX (128 * 1024)

/* ---- configuration ---- */

/* Java's javax.net.ssl.* and flume.ssl.* system properties; for a property that is not set, FLUME_SSL_* of the
 * environment (org.apache.flume.util.SSLUtil). Keys of a component override these settings. NULL: not set. The
 * texts belong to `property` or to the environment. */
struct ps_tls_globals {
    const char *keystore, *keystore_password, *keystore_type;
    const char *truststore, *truststore_password, *truststore_type;
    const char *include_protocols, *exclude_protocols;         /* separated by commas or blanks */
    const char *include_cipher_suites, *exclude_cipher_suites; /* likewise */
};

/* `property` is ps_context.system_property (may be NULL), `argument` its argument. Thread: control. */
void ps_tls_globals_fill(struct ps_tls_globals *globals,
                         const char *(*property)(const void *argument, const char *name),
                         const void *argument);

struct ps_tls_options {
    bool enabled;
    const char *keystore, *keystore_password, *keystore_type;
    struct ps_texts include_protocols, exclude_protocols;
    struct ps_texts include_cipher_suites, exclude_cipher_suites;
};

/* Rows of the SSL key set (Flume's SslContextAwareAbstractSource), for a plan with a `struct ps_tls_options`
 * as `member`. */
#define PS_TLS_OPTION_ROWS(plan_type, member) PS_TLS_OPTION_ROWS_ALIASED(plan_type, member, NULL, NULL, NULL)
/* The SSL rows with further spellings of ssl, keystore-password and exclude-protocols. */
#define PS_TLS_OPTION_ROWS_ALIASED(plan_type, member, ssl_aliases, password_aliases, protocols_aliases)      \
    PS_OPTION_ROW("ssl", BOOL, offsetof(plan_type, member.enabled),                                          \
                  "use TLS; keystore and keystore-password are then required", .fallback = "false",          \
                  .aliases = (ssl_aliases)),                                                                 \
        PS_OPTION_ROW("keystore", TEXT, offsetof(plan_type, member.keystore),                                \
                      "file with the server's private key and certificates: JKS, PKCS12 or PEM; unset: "     \
                      "javax.net.ssl.keyStore, FLUME_SSL_KEYSTORE_PATH"),                                    \
        PS_OPTION_ROW("keystore-password", TEXT, offsetof(plan_type, member.keystore_password),              \
                      "password of the store and of the key in it; unset: javax.net.ssl.keyStorePassword, "  \
                      "FLUME_SSL_KEYSTORE_PASSWORD",                                                         \
                      .aliases = (password_aliases), .flags = PS_OPTION_SECRET),                             \
        PS_OPTION_ROW("keystore-type", TEXT, offsetof(plan_type, member.keystore_type),                      \
                      "JKS, PKCS12 or PEM; detected from the file's bytes, as in Java 9 and later; unset: "  \
                      "javax.net.ssl.keyStoreType, FLUME_SSL_KEYSTORE_TYPE, else JKS"),                      \
        PS_OPTION_ROW("exclude-protocols", LIST, offsetof(plan_type, member.exclude_protocols),              \
                      "protocols not offered; SSLv3 and others older than TLSv1.2 are never offered",        \
                      .aliases = (protocols_aliases)),                                                       \
        PS_OPTION_ROW("include-protocols", LIST, offsetof(plan_type, member.include_protocols),              \
                      "only these are offered: TLSv1.2, TLSv1.3; unset: both"),                              \
        PS_OPTION_ROW("exclude-cipher-suites", LIST, offsetof(plan_type, member.exclude_cipher_suites),      \
                      "cipher suites not offered, by Java's (IANA's) or OpenSSL's names"),                   \
        PS_OPTION_ROW("include-cipher-suites", LIST, offsetof(plan_type, member.include_cipher_suites),      \
                      "only these cipher suites are offered; unset: OpenSSL's default list")

/* ---- server ---- */

struct ps_tls_server;

/* Reads the key store and makes the context that all workers share; it is const from then on. Missing options
 * come from `globals` (may be NULL). `server` NULL: the function only checks. Problems that do not prevent the
 * server (unknown names) go to `notes` (may be NULL). PS_FAIL: `err` has key, reason and remedy. The caller
 * owns the server, and tears it down after all its connections are closed. Thread: control. */
enum ps_status ps_tls_server_build(struct ps_tls_server **server, const struct ps_tls_options *options,
                                   const struct ps_tls_globals *globals, const struct ps_notes *notes,
                                   struct ps_err *err);
void ps_tls_server_teardown(struct ps_tls_server *server);

/* ---- connection: used by one worker ---- */

struct ps_tls_connection;

enum ps_tls_result {
    PS_TLS_OK,         /* something was read, written, or finished */
    PS_TLS_WANT_READ,  /* call again when the socket is readable */
    PS_TLS_WANT_WRITE, /* call again when the socket is writable */
    PS_TLS_CLOSED,     /* the peer closed */
    PS_TLS_ERROR,      /* the connection failed; ps_tls_connection_reason has the reason */
};

/* `fd`: a connected, non-blocking socket, which the caller continues to own. Returns NULL if there is no
 * memory. */
struct ps_tls_connection *ps_tls_connection_open(const struct ps_tls_server *server, int fd);
/* Takes the place of a socket. The functions return the results that ps_tls_connection_read and _write return;
 * `write` takes all bytes or none. */
struct ps_tls_pipe {
    enum ps_tls_result (*read)(void *argument, void *buffer, size_t room, size_t *length);
    enum ps_tls_result (*write)(void *argument, const void *data, size_t length, size_t *written);
    void *argument;
    bool ended; /* `read` returned PS_TLS_CLOSED */
};
/* Opens a connection over a pipe, which it copies. */
struct ps_tls_connection *ps_tls_connection_open_over(const struct ps_tls_server *server,
                                                      const struct ps_tls_pipe *pipe);
/* Frees the connection without sending anything. NULL is allowed. */
void ps_tls_connection_close(struct ps_tls_connection *connection);

/* Reads at most `room` bytes (> 0) into `buffer`; `*length` > 0 with PS_TLS_OK, else 0. Never blocks. */
enum ps_tls_result ps_tls_connection_read(struct ps_tls_connection *connection, void *buffer, size_t room,
                                          size_t *length);
/* Writes some of `length` bytes (> 0); `*written` is the number of bytes written. After WANT_* call again with
 * the same bytes (at the same or another address). WANT_READ: the handshake is not complete. */
enum ps_tls_result ps_tls_connection_write(struct ps_tls_connection *connection, const void *data,
                                           size_t length, size_t *written);
/* Sends close_notify; does not wait for the peer's. PS_TLS_OK when sent. */
enum ps_tls_result ps_tls_connection_shutdown(struct ps_tls_connection *connection);

/* Returns whether the last read may have left bytes that epoll does not see. */
bool ps_tls_connection_more(const struct ps_tls_connection *connection);
bool ps_tls_connection_established(const struct ps_tls_connection *connection);
/* For tests: "TLSv1.3" and "TLS_AES_256_GCM_SHA384" once established, else "". */
const char *ps_tls_connection_protocol(const struct ps_tls_connection *connection);
const char *ps_tls_connection_cipher_suite(const struct ps_tls_connection *connection);
/* Returns the reason after PS_TLS_ERROR, in one line. Valid as long as the connection. */
const char *ps_tls_connection_reason(const struct ps_tls_connection *connection);

/* Returns OpenSSL's name of a cipher suite, as a static text, given Java's, IANA's or OpenSSL's name; NULL:
 * OpenSSL does not know it. `*tls13` (may be NULL): whether the suite belongs to TLS 1.3. */
const char *ps_tls_cipher_openssl_name(const char *name, bool *tls13);
