/* TLS for sources that listen: Flume's "SSL keys" made into one shared server, and a non-blocking connection
 * over a socket.
 *
 * How a source uses it:
 *   options    embed `struct ps_tls_options tls;` in the plan and write PS_TLS_OPTION_ROWS(struct my_plan,
 * tls) in its rows check      if (plan->tls.enabled) ps_tls_server_build(NULL, ...): reports every problem,
 * makes nothing build      ps_tls_server_build(&plan->server, ...); teardown: ps_tls_server_teardown accept
 * c = ps_tls_connection_open(server, fd), fd non-blocking; NULL: no memory, close the socket readable
 * ps_tls_connection_read in place of recv, until it says WANT_READ or the budget of this call is used up. The
 *              handshake happens inside the first reads. TLS may hold bytes that epoll cannot see: as long as
 *              ps_tls_connection_more() is true, read again in the next cycle without waiting for epoll
 *   WANT_WRITE watch EPOLLOUT too, and read again when it comes (handshake answers that did not fit the
 * socket) CLOSED     the peer is gone (with or without close_notify: syslog senders often just hang up); what
 * was read before is good ERROR      ps_tls_connection_reason() is one line for a counter or a rate-limited
 * log end        ps_tls_connection_shutdown (best effort), ps_tls_connection_close, close(fd): the socket
 * stays the caller's The source also closes connections whose ps_tls_connection_established() is still false
 * after its handshake time-out.
 *
 * The process must ignore SIGPIPE. A handshake costs about a millisecond of CPU (an RSA signature) on the
 * worker. OpenSSL takes and gives back its 16 and 32 KiB buffers as data comes and goes, so that idle
 * connections cost little: TLS is the one input path that allocates while it runs. */
#pragma once

#include "core/option.h"
#include "stages/note.h"

/* What one connection may hold at most, for the memory budget: OpenSSL's state, its read and write buffers,
 * and a handshake message of the largest size it accepts. An idle connection holds about a tenth. */
#define PS_TLS_CONNECTION_BYTES_MAX (192 * 1024)
#define PS_TLS_HANDSHAKE_BYTES_MAX                                                                           \
    (128 * 1024) /* a client that sends more before it has shaken hands is cut off */

/* ---- configuration ---- */

/* Java's javax.net.ssl.* and flume.ssl.* system properties, and where one is not set, FLUME_SSL_* of the
 * environment (org.apache.flume.util.SSLUtil). Keys of a component win. NULL where nothing is set; texts
 * belong to the lookup or to the environment. */
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
#define PS_TLS_OPTION_ROWS(plan_type, member)                                                                \
    {.key = "ssl",                                                                                           \
     .type = PS_OPTION_BOOL,                                                                                 \
     .offset = offsetof(plan_type, member.enabled),                                                          \
     .fallback = "false",                                                                                    \
     .help = "Speak TLS; keystore and keystore-password are then required"},                                 \
        {.key = "keystore",                                                                                  \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.keystore),                                                     \
         .help = "File with the server's private key and certificates: JKS, PKCS12 or PEM (default: "        \
                 "javax.net.ssl.keyStore, FLUME_SSL_KEYSTORE_PATH)"},                                        \
        {.key = "keystore-password",                                                                         \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.keystore_password),                                            \
         .flags = PS_OPTION_SECRET,                                                                          \
         .help = "Password of the store and of the key in it (default: javax.net.ssl.keyStorePassword, "     \
                 "FLUME_SSL_KEYSTORE_PASSWORD)"},                                                            \
        {.key = "keystore-type",                                                                             \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.keystore_type),                                                \
         .help = "JKS, PKCS12 or PEM; the file's bytes decide, as in Java 9 and later (default: "            \
                 "javax.net.ssl.keyStoreType, FLUME_SSL_KEYSTORE_TYPE, else JKS)"},                          \
        {.key = "exclude-protocols",                                                                         \
         .type = PS_OPTION_LIST,                                                                             \
         .offset = offsetof(plan_type, member.exclude_protocols),                                            \
         .help = "Protocols not offered; SSLv3 and everything older than TLSv1.2 never is"},                 \
        {.key = "include-protocols",                                                                         \
         .type = PS_OPTION_LIST,                                                                             \
         .offset = offsetof(plan_type, member.include_protocols),                                            \
         .help = "Only these are offered: TLSv1.2, TLSv1.3 (default: both)"},                                \
        {.key = "exclude-cipher-suites",                                                                     \
         .type = PS_OPTION_LIST,                                                                             \
         .offset = offsetof(plan_type, member.exclude_cipher_suites),                                        \
         .help = "Cipher suites not offered, by Java's (IANA's) or OpenSSL's names"},                        \
    {                                                                                                        \
        .key = "include-cipher-suites", .type = PS_OPTION_LIST,                                              \
        .offset = offsetof(plan_type, member.include_cipher_suites),                                         \
        .help = "Only these cipher suites are offered (default: OpenSSL's default list)"                     \
    }

/* ---- server ---- */

struct ps_tls_server;

/* Reads the key store and makes the shared context: const from then on, for all workers. Options left out
 * come from `globals` (may be NULL). `server` NULL: only checks. Problems that do not stop it (unknown names)
 * go to `notes` (may be NULL). PS_FAIL: `err` names key, reason and cure. Owns: the caller tears it down
 * after all its connections are closed. Thread: control. */
enum ps_status ps_tls_server_build(struct ps_tls_server **server, const struct ps_tls_options *options,
                                   const struct ps_tls_globals *globals, const struct ps_notes *notes,
                                   struct ps_err *err);
void ps_tls_server_teardown(struct ps_tls_server *server);

/* ---- connection: one worker's ---- */

struct ps_tls_connection;

enum ps_tls_result {
    PS_TLS_OK,         /* something was read, written, or finished */
    PS_TLS_WANT_READ,  /* call again when the socket is readable */
    PS_TLS_WANT_WRITE, /* call again when the socket is writable */
    PS_TLS_CLOSED,     /* the peer closed */
    PS_TLS_ERROR,      /* broken for good; ps_tls_connection_reason says why */
};

/* `fd`: a connected, non-blocking socket; stays the caller's. NULL: no memory. */
struct ps_tls_connection *ps_tls_connection_open(const struct ps_tls_server *server, int fd);
/* Frees it without a word on the wire. NULL is fine. */
void ps_tls_connection_close(struct ps_tls_connection *connection);

/* At most `room` bytes (> 0) into `buffer`; `*length` > 0 with PS_TLS_OK, else 0. Never blocks. */
enum ps_tls_result ps_tls_connection_read(struct ps_tls_connection *connection, void *buffer, size_t room,
                                          size_t *length);
/* Writes some of `length` bytes (> 0), `*written` says how many. After WANT_* call again with the same bytes
 * (they may have moved). WANT_READ means the handshake is not finished. */
enum ps_tls_result ps_tls_connection_write(struct ps_tls_connection *connection, const void *data,
                                           size_t length, size_t *written);
/* Says good-bye (close_notify); does not wait for the peer's. PS_TLS_OK when sent. */
enum ps_tls_result ps_tls_connection_shutdown(struct ps_tls_connection *connection);

/* Whether the last read may have left bytes that epoll does not see. */
bool ps_tls_connection_more(const struct ps_tls_connection *connection);
bool ps_tls_connection_established(const struct ps_tls_connection *connection);
/* "TLSv1.3", "TLS_AES_256_GCM_SHA384" once established, else "". */
const char *ps_tls_connection_protocol(const struct ps_tls_connection *connection);
const char *ps_tls_connection_cipher_suite(const struct ps_tls_connection *connection);
/* After PS_TLS_ERROR: one line. Lives as long as the connection. */
const char *ps_tls_connection_reason(const struct ps_tls_connection *connection);

/* OpenSSL's name of a cipher suite given by Java's, IANA's or OpenSSL's name; NULL when OpenSSL does not know
 * it. A static text. `*tls13` (may be NULL): whether it is one of TLS 1.3's. */
const char *ps_tls_cipher_openssl_name(const char *name, bool *tls13);
