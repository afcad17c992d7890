/* Sink thrift (Flume's ThriftSink): sends events by Thrift RPC to the thrift source of Flume or of another penstock. Thread: its worker. */
#include "core/stage.h"

#include <strings.h>

#include "stages/lib/rpc/options.h"
#include "stages/lib/rpc/sink.h"
#include "stages/lib/thrift/rpc.h"
#include "stages/lib/thrift/sasl_session.h"
#include "stages/lib/tls/stage.h"

#define KERBEROS_WAIT_MS 1000U /* wait for the first tickets when the sink is built */

struct thrift_plan {
    struct ps_rpc_sink sink; /* must be first (stages/lib/rpc/sink.h) */
    struct ps_rpc_options calls;
    const char *protocol, *client_principal, *client_keytab, *server_principal;
    int64_t connections;
    bool kerberos;
    struct ps_tls_client_options tls;
    struct ps_tls_client *tls_client;   /* NULL: no TLS */
    struct ps_gss_initiator *initiator; /* NULL: no Kerberos */
    struct ps_thrift_sasl_client sasl;
};

#define FIELD(name) offsetof(struct thrift_plan, name)

static const struct ps_option options[] = {
    PS_RPC_ADDRESS_OPTION_ROWS(struct thrift_plan, sink),
    PS_RPC_CALL_OPTION_ROWS(struct thrift_plan, calls),
    PS_OPTION_ROW(
        "protocol", TEXT, FIELD(protocol),
        "compact or binary, in small letters; must be the source's protocol. A penstock source accepts "
        "both",
        .fallback = "compact"),
    PS_TLS_CLIENT_OPTION_ROWS(struct thrift_plan, tls),
    PS_OPTION_ROW(
        "kerberos", BOOL, FIELD(kerberos),
        "authenticate by Kerberos (SASL GSSAPI, QOP auth); must be the same as the source's kerberos",
        .fallback = "false"),
    PS_OPTION_ROW("client-principal", TEXT, FIELD(client_principal), "the sink's principal"),
    PS_OPTION_ROW("client-keytab", TEXT, FIELD(client_keytab), "file with the keys of the sink's principal"),
    PS_OPTION_ROW("server-principal", TEXT, FIELD(server_principal),
                  "the source's principal, service/host@REALM"),
    PS_OPTION_ROW("maxConnections", INT, FIELD(connections),
                  "Flume's sink has one connection whatever the value; this one as well",
                  .flags = PS_OPTION_NO_EFFECT | PS_OPTION_LENIENT),
    PS_RPC_SENDING_OPTION_ROWS(struct thrift_plan, sink, PS_WORDS("connection-reset-interval"),
                               "may refuse one call and take the next"),
    PS_OPTION_END,
};

/* Only in small letters: Flume's sink speaks compact for BINARY, and so does its source, with which this one must agree. */
static bool is_binary(const struct thrift_plan *plan)
{
    return strcmp(plan->protocol, "binary") == 0;
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct thrift_plan *plan = plan_;
    if (strcasecmp(plan->protocol, "compact") != 0 && !is_binary(plan))
        ps_report(context, PS_LOG_WARN, "protocol",
                  "%s counts as compact, as in Flume; the other is binary, in small letters", plan->protocol);
    bool complete =
        plan->client_principal != NULL && plan->client_keytab != NULL && plan->server_principal != NULL;
    if (plan->kerberos && !complete) {
        ps_report(context, PS_LOG_ERROR, "kerberos",
                  "needs client-principal (the sink's name), client-keytab (the file with its keys) and "
                  "server-principal (the source's name)");
        return PS_FAIL;
    }
    if (!plan->kerberos && plan->client_principal != NULL)
        ps_report(context, PS_LOG_INFO, "client-principal",
                  "has no effect: the sink does not authenticate without kerberos = true");
    if (plan->kerberos && ps_report_unreadable(context, "client-keytab", plan->client_keytab))
        return PS_FAIL;
    return ps_tls_client_stage_check(&plan->tls, plan->sink.host, context);
}

/* Builds the transport: plain, TLS or Kerberos. */
static enum ps_status build_transport(struct thrift_plan *plan, const struct ps_context *context,
                                      struct ps_rpc_sink_settings *settings, struct ps_err *err)
{
    if (ps_tls_client_stage_build(&plan->tls_client, &plan->tls, plan->sink.host, context, err) != PS_OK)
        return PS_FAIL;
    settings->transport = plan->tls_client != NULL ? &ps_transport_tls : &ps_transport_plain;
    settings->transport_settings = plan->tls_client;
    plan->initiator = NULL;
    if (!plan->kerberos)
        return PS_OK;
    const struct ps_gss_initiator_settings kerberos = {.principal = plan->client_principal,
                                                       .keytab = plan->client_keytab,
                                                       .server = plan->server_principal,
                                                       .wake_fd = -1,
                                                       .wait_ms = KERBEROS_WAIT_MS};
    if (ps_gss_initiator_build(&plan->initiator, &kerberos, err) != PS_OK) {
        ps_tls_client_destroy(plan->tls_client);
        return PS_FAIL;
    }
    plan->sasl = (struct ps_thrift_sasl_client){.initiator = plan->initiator, .tls = plan->tls_client};
    settings->transport = &ps_thrift_transport_sasl;
    settings->transport_settings = &plan->sasl;
    return PS_OK;
}

static void teardown_transport(struct thrift_plan *plan)
{
    ps_gss_initiator_teardown(plan->initiator);
    ps_tls_client_destroy(plan->tls_client);
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct thrift_plan *plan = plan_;
    bool binary = is_binary(plan);
    struct ps_rpc_sink_settings settings = {
        .protocol = binary ? &ps_thrift_rpc_binary : &ps_thrift_rpc_compact,
        .connect_ns = ps_rpc_timeout_ns(plan->calls.connect_ms),
        .request_ns = ps_rpc_timeout_ns(plan->calls.request_ms),
        .batch_events_max = ps_rpc_batch_events_of(&plan->calls),
    };
    if (build_transport(plan, context, &settings, err) != PS_OK)
        return PS_FAIL;
    if (ps_rpc_sink_build(&plan->sink, &settings, err) == PS_OK)
        return PS_OK;
    teardown_transport(plan);
    return PS_FAIL;
}

static void teardown(void *plan_)
{
    struct thrift_plan *plan = plan_;
    ps_rpc_sink_teardown(&plan->sink);
    teardown_transport(plan);
}

static void files(const void *plan_, void (*add)(void *argument, const char *path), void *argument)
{
    const struct thrift_plan *plan = plan_;
    if (plan->kerberos && plan->client_keytab != NULL)
        add(argument, plan->client_keytab);
}

static void outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct thrift_plan *plan = plan_;
    fprintf(out, "sends to %s:%u (TCP%s%s)", plan->sink.host, (unsigned)plan->sink.port,
            plan->tls.enabled ? ", TLS" : "", plan->kerberos ? ", Kerberos" : "");
}

static void probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    struct thrift_plan tried = *(const struct thrift_plan *)plan;
    const struct ps_rpc_sink_probe sink = {
        .build = build,
        .teardown = teardown,
        .advice =
            "check that it is a thrift source, and that protocol, ssl and kerberos are those of the source"};
    ps_rpc_sink_try(&sink, &tried, context, probe);
}

const struct ps_stage_ops ps_sink_thrift = {
    PS_STAGE(PS_KIND_SINK),
    .name = "thrift",
    .aliases = PS_WORDS("org.apache.flume.sink.ThriftSink", "org.apache.flume.rpc.thrift.sink.ThriftSink"),
    .summary = "Events by Thrift RPC to the thrift source of Flume or of another penstock",
    .options = options,
    .plan_size = sizeof(struct thrift_plan),
    .state_size = sizeof(struct ps_rpc_delivery),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = ps_rpc_sink_open,
    .close = ps_rpc_sink_close,
    .files = files,
    .outline = outline,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
