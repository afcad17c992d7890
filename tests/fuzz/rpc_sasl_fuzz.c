/* What a namenode may answer in the exchange of SASL, and behind it. */
#include "stages/hadoop_rpc/sasl.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ps_hadoop_rpc_sasl settings = {.token_name = "name",
                                                       .token_secret = "secret",
                                                       .protection = PS_SASL_STRONGEST,
                                                       .may_be_simple = true};
    char reason[PS_TRANSPORT_REASON_BYTES] = "", bytes[256];
    short wants;
    int ends[2], done;
    if (size > 16384 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return 0;
    PS_ASSERT(send(ends[1], data, size, 0) == (ssize_t)size);
    (void)shutdown(ends[1], SHUT_WR);
    void *session = ps_hadoop_rpc_sasl_transport.open(&settings, ends[0], reason);
    while ((done = ps_hadoop_rpc_sasl_transport.handshake(session, &wants, reason)) == 0)
        ;
    while (done > 0)
        done = (int)ps_hadoop_rpc_sasl_transport.read(session, bytes, sizeof bytes, &wants, reason);
    PS_ASSERT(done < 0 && reason[0] != '\0' && memchr(reason, 0, sizeof reason) != NULL);
    ps_hadoop_rpc_sasl_transport.close(session);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}
