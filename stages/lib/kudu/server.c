#include "stages/lib/kudu/server.h"

#include <stdio.h>

enum { SAID_HELLO, SAID_NAME };

bool ps_kudu_server_introduce(struct ps_framed_server *server)
{
    server->step = SAID_HELLO;
    return ps_kudu_put_hello(&server->out);
}

/* The server refuses. Most who do want TLS, or a way to authenticate that is not native; the server's words come last, for they are cut. */
static void refused(struct ps_framed_server *server, const struct ps_kudu_status *error)
{
    char reason[PS_KUDU_REASON_BYTES];
    ps_kudu_print(reason, error, true);
    if (error->code == PS_KUDU_RPC_UNAUTHORIZED) {
        char said[PS_KUDU_REASON_BYTES];
        (void)snprintf(said, sizeof said, "TLS and Kerberos are not native (penstock.engine = java): %.70s",
                       reason);
        ps_framed_server_fail(server, said);
        return;
    }
    ps_framed_server_fail(server, reason);
}

static void negotiate(struct ps_framed_server *server, const char *user, const struct ps_kudu_answer *answer)
{
    struct ps_kudu_negotiation said;
    if (answer->is_error) {
        refused(server, &answer->error);
    } else if (answer->call != PS_KUDU_NEGOTIATION_CALL ||
               !ps_kudu_parse_negotiation(answer->body, answer->body_length, &said)) {
        ps_framed_server_fail(server, "the negotiation is none of Kudu's RPC");
    } else if (server->step == SAID_HELLO && said.step == PS_KUDU_STEP_NEGOTIATE) {
        if (!said.is_sasl || !said.has_plain)
            ps_framed_server_fail(server, said.has_kerberos
                                              ? "the server demands Kerberos, which is not native: "
                                                "penstock.engine = java"
                                              : "the server offers no authentication that is native");
        else if (!ps_kudu_put_plain(&server->out, user))
            ps_framed_server_fail(server, "no memory");
        else
            server->step = SAID_NAME;
    } else if (server->step == SAID_NAME && said.step == PS_KUDU_STEP_SUCCESS) {
        if (!ps_kudu_put_context(&server->out))
            ps_framed_server_fail(server, "no memory");
        else
            ps_framed_server_up(server);
    } else {
        ps_framed_server_fail(server, "the server asks for more than a name");
    }
}

void *ps_kudu_server_take(struct ps_framed_server *server, const char *user, const uint8_t *bytes,
                          size_t length, struct ps_kudu_answer *answer)
{
    if (!ps_kudu_parse_answer(bytes, length, answer)) {
        ps_framed_server_fail(server, "the answer is not one of Kudu's RPC");
        return NULL;
    }
    if (server->phase == PS_FRAMED_NEGOTIATING) {
        negotiate(server, user, answer);
        return NULL;
    }
    void *call = answer->call < 0 ? NULL : ps_framed_server_take(server, (uint32_t)answer->call);
    if (call == NULL && answer->is_error)
        refused(server, &answer->error);
    else if (call == NULL)
        ps_framed_server_fail(server, "an answer to a call that was not made");
    return call;
}
