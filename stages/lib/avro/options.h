/* The keys of all clients of an avro source: the sink avro (org.apache.flume.sink.AvroSink) and the client
 * library (commands/client), whose properties are org.apache.flume.api.RpcClientConfigurationConstants.
 * Flume's sink hands its keys to the same client.
 *
 * Thread: control, or that of whoever opens a client. */
#pragma once

#include "stages/lib/avro/transport.h"
#include "stages/lib/rpc/options.h"
#include "stages/lib/tls/stage.h"

struct ps_avro_options {
    /* As the option rows set them. */
    struct ps_rpc_options calls;
    const char *compression;
    int64_t level, io_workers;
    bool tls_outside;
    struct ps_tls_client_options tls;
    /* Made by ps_avro_options_build. */
    struct ps_tls_client *tls_client; /* NULL: no TLS */
    struct ps_avro_transport_settings deflate;
};

#define PS_AVRO_OPTION_ROWS(plan_type, member)                                                               \
    PS_RPC_CALL_OPTION_ROWS(plan_type, member.calls),                                                        \
        PS_OPTION_ROW("compression-type", TEXT, offsetof(plan_type, member.compression),                     \
                      "none or deflate; must be the same as the source's compression-type",                  \
                      .fallback = "none"),                                                                   \
        PS_OPTION_ROW(                                                                                       \
            "compression-level", INT, offsetof(plan_type, member.level),                                     \
            "level of the compression, 1 (fast) to 9 (small); 0: the stream is one of deflate, in "          \
            "which nothing is compressed",                                                                   \
            .fallback = "6", .min = 0, .max = 9, .flags = PS_OPTION_LENIENT),                                \
        PS_TLS_CLIENT_OPTION_ROWS(plan_type, member.tls),                                                    \
        PS_OPTION_ROW("maxIoWorkers", INT, offsetof(plan_type, member.io_workers),                           \
                      "threads of Flume's client; there are none here",                                      \
                      .flags = PS_OPTION_NO_EFFECT | PS_OPTION_LENIENT),                                     \
        PS_OPTION_ROW(                                                                                       \
            "penstock.tls.outside", BOOL, offsetof(plan_type, member.tls_outside),                           \
            "compress inside TLS, with ssl and deflate, as Flume up to 1.9 does; false: TLS inside the "     \
            "compressed stream, as Flume 1.10 and 1.11 do",                                                  \
            .fallback = "false", .flags = PS_OPTION_EXTENSION)

/* Returns whether the connection is compressed. */
bool ps_avro_options_compress(const struct ps_avro_options *options);

/* Reports problems with the keys and the trust store. `host` is the source's. */
enum ps_status ps_avro_options_check(const struct ps_avro_options *options, const char *host,
                                     const struct ps_context *context);
/* Makes the settings that all connections share. */
enum ps_status ps_avro_options_build(struct ps_avro_options *options, const char *host,
                                     const struct ps_context *context, struct ps_err *err);
void ps_avro_options_teardown(struct ps_avro_options *options);

/* After ps_avro_options_build; valid as long as the options stay where they are. */
const struct ps_transport *ps_avro_options_transport(const struct ps_avro_options *options,
                                                     const void **settings);
