#include "stages/lib/hbase/server.h"

bool ps_hbase_server_introduce(struct ps_framed_server *server, const char *user)
{
    uint8_t preamble[PS_HBASE_PREAMBLE_BYTES];
    ps_hbase_put_preamble(preamble, PS_HBASE_AUTH_SIMPLE);
    return (server->settings->transport != NULL ||
            ps_byte_buffer_append(&server->out, preamble, sizeof preamble)) &&
           ps_hbase_put_connection_header(&server->out, user);
}

void *ps_hbase_server_take(struct ps_framed_server *server, const uint8_t *bytes, size_t length,
                           struct ps_hbase_answer *answer)
{
    char reason[PS_HBASE_REASON_BYTES];
    if (!ps_hbase_parse_answer(bytes, length, answer)) {
        ps_framed_server_fail(server, "the answer is not one of HBase's RPC");
        return NULL;
    }
    void *call = ps_framed_server_take(server, answer->call_id);
    if (call == NULL && answer->class != NULL)
        ps_hbase_exception_print(reason, answer->class, answer->class_length, answer->text,
                                 answer->text_length);
    if (call == NULL)
        ps_framed_server_fail(server,
                              answer->class != NULL ? reason : "an answer to a call that was not made");
    return call;
}
