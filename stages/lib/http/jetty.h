/* The keys that Flume's HTTPSource passes to Jetty's beans. Keys that mean something to penstock take effect;
 * the other keys are reported. Thread: control. */
#pragma once

#include "core/stage.h"
#include "stages/lib/tls/tls.h"

struct ps_jetty_options {
    struct ps_pairs pool, http, tls, connector;
};

/* Rows for a plan with a `struct ps_jetty_options` as `member`. */
#define PS_JETTY_OPTION_ROWS(plan_type, member)                                                              \
    PS_OPTION_ROW(                                                                                           \
        "HttpConfiguration.", MAP, offsetof(plan_type, member.http),                                         \
        "Jetty's: sendServerVersion (true), sendDateHeader (true), sendXPoweredBy (false), "                 \
        "requestHeaderSize (8192 bytes of request line and header fields); others have no effect"),          \
        PS_OPTION_ROW(                                                                                       \
            "ServerConnector.", MAP, offsetof(plan_type, member.connector),                                  \
            "Jetty's: idleTimeout in ms, in place of penstock.idle.timeout; others have no effect"),         \
        PS_OPTION_ROW(                                                                                       \
            "SslContextFactory.", MAP, offsetof(plan_type, member.tls),                                      \
            "Jetty's: includeProtocols, excludeProtocols, includeCipherSuites, excludeCipherSuites, "        \
            "in place of the keys of these names; others have no effect, needClientAuth is refused"),        \
        PS_OPTION_ROW("QueuedThreadPool.", MAP, offsetof(plan_type, member.pool),                            \
                      "Jetty's; no effect: requests have no threads")

struct ps_jetty_settings {
    bool sends_server, sends_date, sends_powered_by;
    uint32_t head_bytes_max;
    int64_t idle_ms; /* -1: not set */
};

/* Reports keys without effect, and bad values. PS_FAIL: a value cannot be used. */
enum ps_status ps_jetty_check(const struct ps_jetty_options *options, const struct ps_context *context);

/* Reads the keys; values that ps_jetty_check refuses count as absent. */
void ps_jetty_read(const struct ps_jetty_options *options, struct ps_jetty_settings *settings);

/* Replaces the protocols and cipher suites of `tls` by those of the options; the lists are made in the arena. */
void ps_jetty_tls(const struct ps_jetty_options *options, struct ps_arena *arena, struct ps_tls_options *tls);
