#include "bench/verify/far/listen/listen.h"

#include <stdlib.h>
#include <string.h>

enum ps_status ps_far_bind_options(const struct ps_url *url, bool datagrams, struct ps_bind_options *options,
                                   struct ps_err *err)
{
    if (*url->port == '\0')
        return ps_err_set(err, "%s: a port is missing: %s://HOST:PORT (0: any free one)", url->text,
                          url->scheme);
    if (url->path[0] != '\0' && strcmp(url->path, "/") != 0)
        return ps_err_set(err, "%s: write %s://HOST:PORT", url->text, url->scheme);
    *options = (struct ps_bind_options){.host = *url->host != '\0' ? url->host : NULL,
                                        .port = (unsigned)strtoul(url->port, NULL, 10),
                                        .datagrams = datagrams};
    return PS_OK;
}
