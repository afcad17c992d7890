/* Source thrift (Flume's ThriftSource): events by Thrift RPC over framed transport, from Flume's Thrift sinks,
 * its SDK clients, clients in other languages, and other agents. Each call is answered with OK once all
 * required channels have promised its events, with FAILED when one channel is full. Thread: its worker. */
#include "core/stage.h"

#include <strings.h>

#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/thrift/sasl_session.h"
#include "stages/lib/thrift/source.h"
#include "stages/lib/tls/stage.h"

struct thrift_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    const char *protocol, *principal, *keytab;
    int64_t threads, message_bytes, message_s, idle_s, connections_max;
    bool kerberos;
    struct ps_gss_acceptor *acceptor; /* NULL: no Kerberos */
    struct ps_thrift_sasl_server sasl;
    uint32_t message_bytes_max; /* message_bytes, or what the memory budget allows */
};

#define FIELD(name) offsetof(struct thrift_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW_REQUIRED("bind", FIELD(listen.bind)),
    PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)),
    PS_SERVER_THREADS_OPTION_ROW(FIELD(threads)),
    PS_OPTION_ROW(
        "protocol", TEXT, FIELD(protocol),
        "compact or binary: the protocol of Flume's source. Here the protocol is detected for each message, "
        "and its answer has the same",
        .fallback = "compact"),
    PS_TLS_OPTION_ROWS(struct thrift_plan, listen.tls),
    PS_OPTION_ROW("kerberos", BOOL, FIELD(kerberos),
                  "require that clients authenticate by Kerberos (SASL GSSAPI, QOP auth)",
                  .fallback = "false"),
    PS_OPTION_ROW("agent-principal", TEXT, FIELD(principal),
                  "the source's principal, service/host@REALM; _HOST is this machine's name"),
    PS_OPTION_ROW("agent-keytab", TEXT, FIELD(keytab), "file with the principal's keys"),
    PS_CALL_BYTES_OPTION_ROW(FIELD(message_bytes)),
    PS_MESSAGE_TIMEOUT_OPTION_ROW(FIELD(message_s)),
    PS_IDLE_OPTION_ROW(FIELD(idle_s)),
    PS_CONNECTIONS_OPTION_ROW(FIELD(connections_max)),
    PS_OPTION_END,
};

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct thrift_plan *plan = plan_;
    bool good = ps_tls_stage_check(&plan->listen.tls, context) == PS_OK;
    if (strcasecmp(plan->protocol, "compact") != 0 && strcasecmp(plan->protocol, "binary") != 0) {
        ps_report(context, PS_LOG_ERROR, "protocol", "%s is not a protocol; supported are compact and binary",
                  plan->protocol);
        good = false;
    }
    if (plan->kerberos && (plan->principal == NULL || plan->keytab == NULL)) {
        ps_report(context, PS_LOG_ERROR, "kerberos",
                  "needs agent-principal (the source's name) and agent-keytab (the file with its keys)");
        good = false;
    } else if (plan->kerberos) {
        good &= !ps_report_unreadable(context, "agent-keytab", plan->keytab);
    } else if (plan->principal != NULL) {
        ps_report(context, PS_LOG_INFO, "agent-principal",
                  "has no effect: clients need not authenticate without kerberos = true");
    }
    return good ? PS_OK : PS_FAIL;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct thrift_plan *plan = plan_;
    plan->message_bytes_max = ps_stream_message_max(context, (uint64_t)plan->message_bytes);
    if (ps_listen_build(&plan->listen, context, err) != PS_OK)
        return PS_FAIL;
    if (plan->kerberos &&
        ps_gss_acceptor_build(&plan->acceptor, plan->principal, plan->keytab, err) != PS_OK) {
        ps_listen_teardown(&plan->listen);
        return PS_FAIL;
    }
    plan->sasl = (struct ps_thrift_sasl_server){.acceptor = plan->acceptor, .tls = plan->listen.server};
    return PS_OK;
}

static void teardown(void *plan_)
{
    struct thrift_plan *plan = plan_;
    ps_listen_teardown(&plan->listen);
    ps_gss_acceptor_teardown(plan->acceptor);
}

static void files(const void *plan_, void (*add)(void *argument, const char *path), void *argument)
{
    const struct thrift_plan *plan = plan_;
    if (plan->kerberos && plan->keytab != NULL)
        add(argument, plan->keytab);
}

/* ---- life cycle ---- */

static enum ps_status open_source(const void *plan_, void *state, struct ps_port *port, struct ps_err *err)
{
    const struct thrift_plan *plan = plan_;
    const struct ps_stream_options stream = {
        .message_bytes_max = plan->message_bytes_max,
        .tls = plan->kerberos ? NULL : plan->listen.server,
        .session = plan->kerberos ? &ps_thrift_session_sasl : NULL,
        .session_settings = &plan->sasl,
        .message_ns = (uint64_t)plan->message_s * PS_NS_PER_S,
        .idle_ns = (uint64_t)plan->idle_s * PS_NS_PER_S,
        .connections_max = (uint32_t)plan->connections_max,
        .replies = true,
    };
    return ps_thrift_source_open(state, &ps_thrift_flume, &stream, &plan->listen, port, err);
}

const struct ps_stage_ops ps_source_thrift = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "thrift",
    .aliases =
        PS_WORDS("org.apache.flume.source.ThriftSource", "org.apache.flume.rpc.thrift.source.ThriftSource"),
    .summary =
        "Events by Thrift RPC from Flume's Thrift sinks and clients, each call answered with OK or FAILED",
    .options = options,
    .plan_size = sizeof(struct thrift_plan),
    .state_size = sizeof(struct ps_thrift_source),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_source,
    .close = ps_thrift_source_close,
    .files = files,
    PS_LISTEN_SOURCE,
    .source = &ps_thrift_source_ops,
};
