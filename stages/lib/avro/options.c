#include "stages/lib/avro/options.h"

#include <strings.h>

bool ps_avro_options_compress(const struct ps_avro_options *options)
{
    return strcasecmp(options->compression, "deflate") == 0;
}

enum ps_status ps_avro_options_check(const struct ps_avro_options *options, const char *host,
                                     const struct ps_context *context)
{
    if (strcasecmp(options->compression, "deflate") != 0 && strcasecmp(options->compression, "none") != 0)
        ps_report(context, PS_LOG_WARN, "compression-type",
                  "%s counts as none, as in Flume; the only compression is deflate", options->compression);
    return ps_tls_client_stage_check(&options->tls, host, context);
}

enum ps_status ps_avro_options_build(struct ps_avro_options *options, const char *host,
                                     const struct ps_context *context, struct ps_err *err)
{
    if (ps_tls_client_stage_build(&options->tls_client, &options->tls, host, context, err) != PS_OK)
        return PS_FAIL;
    options->deflate = (struct ps_avro_transport_settings){
        .level = (int)options->level, .tls = options->tls_client, .tls_outside = options->tls_outside};
    return PS_OK;
}

void ps_avro_options_teardown(struct ps_avro_options *options)
{
    ps_tls_client_destroy(options->tls_client);
    options->tls_client = NULL;
}

const struct ps_transport *ps_avro_options_transport(const struct ps_avro_options *options,
                                                     const void **settings)
{
    bool compresses = ps_avro_options_compress(options);
    *settings = compresses ? (const void *)&options->deflate : options->tls_client;
    return compresses                    ? &ps_avro_transport_deflate
           : options->tls_client != NULL ? &ps_transport_tls
                                         : &ps_transport_plain;
}
