/* Thrift's SASL messages: the first byte chooses the side. There are no keys, so the library refuses every token. */
#include "stages/lib/thrift/sasl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct ends {
    const uint8_t *at, *end;
};

static enum ps_tls_result read_input(void *argument, void *buffer, size_t room, size_t *length)
{
    struct ends *ends = argument;
    size_t left = (size_t)(ends->end - ends->at);
    *length = left < room ? left : room;
    if (*length == 0)
        return PS_TLS_WANT_READ;
    memcpy(buffer, ends->at, *length);
    ends->at += *length;
    return PS_TLS_OK;
}

static enum ps_tls_result write_output(void *argument, const void *data, size_t length, size_t *written)
{
    *written = length;
    return PS_TLS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ends ends = {.at = data, .end = data + size};
    const struct ps_tls_pipe below = {.read = read_input, .write = write_output, .argument = &ends};
    struct ps_gss_token first = {.bytes = NULL, .length = 0};
    struct ps_thrift_sasl sasl;
    if (size == 0)
        return 0;
    ends.at++;
    setenv("KRB5_CONFIG", "/dev/null", 1);
    setenv("KRB5_KTNAME", "MEMORY:nothing", 1);
    struct ps_gss_context *context = ps_gss_acceptor_open(NULL);
    PS_ASSERT(context != NULL);
    PS_ASSERT(ps_thrift_sasl_init(&sasl, &below, context, data[0] & 1 ? &first : NULL));
    enum ps_tls_result result = ps_thrift_sasl_work(&sasl);
    PS_ASSERT(result == PS_TLS_WANT_READ || (result == PS_TLS_ERROR && sasl.reason[0] != '\0'));
    PS_ASSERT(memchr(sasl.reason, 0, sizeof sasl.reason) != NULL && !ps_thrift_sasl_is_open(&sasl));
    ps_thrift_sasl_fini(&sasl);
    return 0;
}
