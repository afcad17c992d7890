#include "stages/lib/hbase/server.h"

#include <stdio.h>
#include <string.h>

struct ps_framed_server *ps_hbase_server_of(struct ps_framed_client *client,
                                            const struct ps_hbase_security *security, const char *host,
                                            size_t length, unsigned port)
{
    struct ps_framed_server *server = ps_framed_client_server(client, host, length, port);
    if (server != NULL && server->transport_settings == NULL && ps_hbase_security_transport(security) != NULL)
        server->transport_settings = ps_hbase_security_enter(security, server->host);
    return server;
}

void ps_hbase_server_leave(struct ps_framed_client *, struct ps_framed_server *server)
{
    ps_hbase_security_leave(server->transport_settings);
}

/* SASL has sent a preamble of its own. */
bool ps_hbase_server_introduce(struct ps_framed_server *server, const char *user)
{
    uint8_t preamble[PS_HBASE_PREAMBLE_BYTES];
    if (server->settings->transport != NULL)
        return ps_hbase_put_connection_header(&server->out,
                                              ps_hbase_sasl_is_simple(server->client.session) ? user : NULL);
    ps_hbase_put_preamble(preamble, PS_HBASE_AUTH_SIMPLE);
    return ps_byte_buffer_append(&server->out, preamble, sizeof preamble) &&
           ps_hbase_put_connection_header(&server->out, user);
}

/* An exception without a call: the server refuses the connection. */
static void refuse(struct ps_framed_server *server, const struct ps_hbase_answer *answer)
{
    static const char wanted[] = "Authentication is required";
    char said[PS_HBASE_REASON_BYTES], reason[PS_TRANSPORT_REASON_BYTES];
    ps_hbase_exception_print(said, answer->class, answer->class_length, answer->text, answer->text_length);
    bool wants_kerberos = strstr(said, wanted) != NULL && server->settings->transport == NULL;
    (void)snprintf(reason, sizeof reason, "%.150s%s", said,
                   wants_kerberos ? ": hbase-site.xml has to say hbase.security.authentication = kerberos"
                                  : "");
    ps_framed_server_fail(server, reason);
}

void *ps_hbase_server_take(struct ps_framed_server *server, const uint8_t *bytes, size_t length,
                           struct ps_hbase_answer *answer)
{
    if (!ps_hbase_parse_answer(bytes, length, answer)) {
        ps_framed_server_fail(server, "the answer is not one of HBase's RPC");
        return NULL;
    }
    void *call = ps_framed_server_take(server, answer->call_id);
    if (call == NULL && answer->class != NULL)
        refuse(server, answer);
    else if (call == NULL)
        ps_framed_server_fail(server, "an answer to a call that was not made");
    return call;
}
