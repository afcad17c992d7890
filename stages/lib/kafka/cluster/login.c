/* Logging in by SASL: the handshake names the mechanism (KIP-43), each message of the mechanism is a request of its
 * own (KIP-152), and a session is prolonged on the same connection before it ends (KIP-368). */
#include "stages/lib/kafka/cluster/native_internal.h"

#include "stages/lib/kafka/errors.h"
#include "stages/lib/sasl/password.h"
#include "stages/lib/sasl/sasl_gssapi.h"

#include <stdio.h>
#include <string.h>

static bool fail(struct ps_kafka_native_broker *broker, char *reason, const char *what, size_t length)
{
    struct ps_token_source *tokens = broker->client->account.tokens;
    broker->refusal = PS_KAFKA_LIBRARY_AUTHENTICATION;
    if (tokens != NULL)
        ps_token_source_refused(tokens, broker->client->now.mono_ns);
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "login by %s failed: %.*s", broker->client->account.mechanism,
             (int)(length < 200 ? length : 200), what);
    return false;
}

static bool ask(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request, char *reason)
{
    if (request == NULL)
        return ps_kafka_native_refuse(reason, "no memory");
    ps_kafka_native_broker_send(broker, request);
    return true;
}

/* Sends the handshake, which names the mechanism. */
static bool greet(struct ps_kafka_native_broker *broker, char *reason)
{
    if (broker->login.sasl == NULL)
        return ps_kafka_native_refuse(reason, "no memory for the login");
    return ask(broker, ps_kafka_native_request_handshake(broker->client), reason);
}

/* ---- Kerberos ---- */

/* The ticket is for SERVICE/HOST in the realm of the client's principal, else in the default realm of krb5.conf; HOST is
 * the broker's name in the cluster's metadata, as in Java's client. */
static bool open_tickets(struct ps_kafka_native_broker *broker, char *reason)
{
    const struct ps_kafka_native_account *account = &broker->client->account;
    const char *realm = account->principal != NULL ? strrchr(account->principal, '@') : NULL;
    char server[PS_GSS_NAME_BYTES + PS_HOST_NAME_BYTES];
    struct ps_err err = {.length = 0};
    int length = snprintf(server, sizeof server, "%s/%s%s", account->service, broker->host,
                          realm != NULL ? realm : "");
    const struct ps_gss_initiator_settings settings = {.principal = account->principal,
                                                       .keytab = account->keytab,
                                                       .server = server,
                                                       .wake_fd = broker->client->wake_fd};
    if (length < 0 || (size_t)length >= sizeof server)
        return ps_kafka_native_refuse(reason, "the name of the Kerberos service is too long");
    return ps_gss_initiator_build(&broker->login.kerberos, &settings, &err) == PS_OK ||
           ps_kafka_native_refuse(reason, err.text);
}

static bool await_token(struct ps_kafka_native_broker *broker, char *reason)
{
    char why[PS_SASL_REASON_BYTES];
    const char *token = ps_token_source_take(broker->client->account.tokens, broker->client->now.mono_ns,
                                             &broker->login.awaits_ticket, why);
    if (broker->login.awaits_ticket)
        return true;
    if (token == NULL)
        return fail(broker, reason, why, strlen(why));
    broker->login.sasl = ps_bearer_open(token);
    return greet(broker, reason);
}

bool ps_kafka_native_login_await(struct ps_kafka_native_broker *broker, char *reason)
{
    if (broker->client->account.tokens != NULL)
        return await_token(broker, reason);
    struct ps_gss_token token = {.length = 0};
    char why[PS_GSS_REASON_BYTES];
    bool later = false;
    struct ps_gss_context *context = ps_gss_initiator_take(broker->login.kerberos, &token, &later, why);
    broker->login.awaits_ticket = context == NULL && later;
    if (broker->login.awaits_ticket)
        return true;
    if (context == NULL)
        return fail(broker, reason, why, strlen(why));
    broker->login.sasl = ps_sasl_gssapi_open(context, &token, PS_SASL_PREFER(PS_SASL_AUTHENTICATION, 0U, 0U));
    return greet(broker, reason);
}

/* The thread of the initiator calls the KDC, and wakes the worker. */
static bool begin_kerberos(struct ps_kafka_native_broker *broker, char *reason)
{
    if (broker->login.kerberos == NULL && !open_tickets(broker, reason))
        return false;
    return ps_kafka_native_login_await(broker, reason);
}

/* ---- the exchange ---- */

bool ps_kafka_native_login_begin(struct ps_kafka_native_broker *broker, char *reason)
{
    const struct ps_kafka_native_account *account = &broker->client->account;
    const struct ps_password_settings settings = {.name = account->name, .password = account->password};
    if (broker->versions[PS_KAFKA_NATIVE_SASL_AUTHENTICATE].plain < 0)
        return ps_kafka_native_refuse(reason,
                                      "the broker cannot log in by requests: it needs Kafka 1.0 or newer");
    broker->phase = PS_KAFKA_NATIVE_LOGGING_IN;
    ps_sasl_close(broker->login.sasl);
    broker->login.sasl = NULL;
    broker->login.is_last = false;
    if (account->service != NULL)
        return begin_kerberos(broker, reason);
    if (account->tokens != NULL)
        return await_token(broker, reason);
    broker->login.sasl = ps_password_open(account->mechanism, &settings);
    return greet(broker, reason);
}

static void complete(struct ps_kafka_native_broker *broker)
{
    ps_sasl_close(broker->login.sasl);
    broker->login.sasl = NULL;
    broker->phase = PS_KAFKA_NATIVE_UP;
    broker->failures = 0;
}

/* Answers the broker's message. */
static bool step(struct ps_kafka_native_broker *broker, const char *message, size_t length, char *reason)
{
    struct ps_sasl_token reply;
    enum ps_sasl_result result = ps_sasl_step(broker->login.sasl, message, length, &reply);
    if (result == PS_SASL_FAILED)
        return fail(broker, reason, broker->login.sasl->reason, strlen(broker->login.sasl->reason));
    if (result == PS_SASL_DONE && reply.length == 0) {
        complete(broker);
        return true;
    }
    broker->login.is_last = result == PS_SASL_DONE;
    struct ps_kafka_native_request *request = ps_kafka_native_request_message(
        broker->client, broker->versions[PS_KAFKA_NATIVE_SASL_AUTHENTICATE].plain, reply.bytes, reply.length);
    ps_sasl_token_free(&reply);
    return ask(broker, request, reason);
}

/* Writes the mechanisms that the broker offers as one text. */
static void list_mechanisms(struct ps_wire_in *in, char *to, size_t room)
{
    size_t at = 0;
    to[0] = '\0';
    for (uint32_t count = ps_wire_get_count(in, 2); count > 0 && at < room; count--) {
        uint32_t length;
        const char *name = ps_wire_get_string(in, &length);
        if (name != NULL)
            at += (size_t)snprintf(to + at, room - at, "%s%.*s", at > 0 ? ", " : "", (int)length, name);
    }
}

bool ps_kafka_native_login_handshake(struct ps_kafka_native_broker *broker, struct ps_wire_in *in,
                                     char *reason)
{
    char offered[160], text[224];
    int16_t error = ps_wire_get_int16(in);
    list_mechanisms(in, offered, sizeof offered);
    if (in->failed || broker->login.sasl == NULL)
        return false;
    if (error == 0)
        return step(broker, "", 0, reason);
    if (error == PS_KAFKA_ERROR_UNSUPPORTED_SASL_MECHANISM)
        snprintf(text, sizeof text, "the broker offers %s", offered[0] != '\0' ? offered : "nothing");
    else
        snprintf(text, sizeof text, "the broker answers with error %d", error);
    return fail(broker, reason, text, strlen(text));
}

/* Notes when to log in again: after 85 % of the session's time. Java's client does so after 85 to 95 %. */
static void note_lifetime(struct ps_kafka_native_broker *broker, int64_t lifetime_ms)
{
    broker->login.again_ns = PS_NEVER;
    if (lifetime_ms > 0 && lifetime_ms < INT64_C(1) << 40)
        broker->login.again_ns =
            broker->client->now.mono_ns + (uint64_t)lifetime_ms * PS_NS_PER_MS / 100 * 85;
}

bool ps_kafka_native_login_message(struct ps_kafka_native_broker *broker, struct ps_wire_in *in, char *reason)
{
    uint32_t text_length;
    int16_t error = ps_wire_get_int16(in);
    const char *text = ps_wire_get_string(in, &text_length);
    int32_t length = ps_wire_get_int32(in);
    const char *message = length > 0 ? ps_wire_take(in, (size_t)length) : "";
    int64_t lifetime_ms =
        broker->versions[PS_KAFKA_NATIVE_SASL_AUTHENTICATE].plain >= 1 ? ps_wire_get_int64(in) : 0;
    if (in->failed || broker->login.sasl == NULL)
        return false;
    if (error != 0)
        return fail(broker, reason, text != NULL ? text : "the broker does not say why",
                    text != NULL ? text_length : 27);
    note_lifetime(broker, lifetime_ms);
    if (!broker->login.is_last)
        return step(broker, message, length > 0 ? (size_t)length : 0, reason);
    complete(broker);
    return true;
}

bool ps_kafka_native_login_is_due(const struct ps_kafka_native_broker *broker)
{
    return broker->phase == PS_KAFKA_NATIVE_UP && broker->client->now.mono_ns >= broker->login.again_ns;
}
