#include "stages/lib/net/listen.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "stages/lib/net/lookup.h"
#include "stages/lib/net/port_owner.h"
#include "stages/lib/tls/stage.h"

static const char *host_of(const struct ps_bind_options *listen)
{
    return listen->host == NULL || strcmp(listen->host, "::") == 0 ? "*" : listen->host;
}

void ps_listen_outline(FILE *out, const struct ps_bind_options *listen, bool tls)
{
    fprintf(out, "listens on %s:%u (%s%s)", host_of(listen), listen->port, listen->datagrams ? "UDP" : "TCP",
            tls ? ", TLS" : "");
    if (listen->datagrams)
        fputs("; while the source waits for its channel, the kernel drops datagrams for which its socket "
              "buffer has no room",
              out);
}

void ps_listen_add(const struct ps_bind_options *listen, const char *key,
                   void (*add)(void *argument, const struct ps_listens *address), void *argument)
{
    const struct ps_listens address = {
        .key = key, .host = listen->host, .port = listen->port, .datagrams = listen->datagrams};
    add(argument, &address);
}

/* Returns whether the address can be bound; if not, sets *error as ps_address_bind sets errno. */
static bool try_address(const struct ps_bind_options *listen, uint32_t wait_ms, int *error,
                        struct ps_err *err)
{
    struct ps_bind_options options = *listen;
    struct ps_address bound;
    options.only_try = true;
    options.share = false;
    *error = 0;
    if (ps_lookup_build(&options.lookup, listen->host, err) != PS_OK)
        return false;
    ps_lookup_wait(options.lookup, wait_ms);
    int fd = ps_address_bind(&options, &bound, err);
    *error = errno;
    ps_lookup_teardown(options.lookup);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void ps_listen_probe(const struct ps_probe *probe, const char *key, const struct ps_bind_options *listen)
{
    struct ps_err err = {.length = 0};
    char what[320], owner[256];
    uint32_t left_ms = ps_probe_left_ms(probe);
    int error;
    snprintf(what, sizeof what, "listen on %s:%u (%s)", host_of(listen), listen->port,
             listen->datagrams ? "UDP" : "TCP");
    if (probe->files_only)
        ps_probe_skipped(probe, what, "no port is opened");
    else if (left_ms == 0 && !ps_address_is_literal(listen->host))
        ps_probe_skipped(probe, what, "no time is left to ask the name server");
    else if (try_address(listen, left_ms, &error, &err))
        ps_probe_ok(probe, "%s: the port is free", what);
    else if (error == EADDRINUSE && probe->local)
        ps_probe_skipped(probe, what, "the port is in use, perhaps by this agent");
    else if (error == EADDRINUSE && ps_port_owner(listen->port, listen->datagrams, owner, sizeof owner))
        ps_probe_failed(
            probe, what, owner,
            "stop it, or set another port; if this agent already runs and has the port, nothing is wrong");
    else
        ps_probe_key_failed(probe, key, key, err.text, NULL);
}

/* ---- of a source ---- */

enum ps_status ps_listen_build(struct ps_listen *listen, const struct ps_context *context, struct ps_err *err)
{
    const char *host = listen->host != NULL ? listen->host : listen->bind;
    if (ps_tls_stage_build(&listen->server, &listen->tls, context, err) != PS_OK)
        return PS_FAIL;
    if (ps_lookup_build(&listen->lookup, host, err) == PS_OK)
        return PS_OK;
    ps_tls_server_teardown(listen->server);
    listen->server = NULL;
    return PS_FAIL;
}

void ps_listen_teardown(struct ps_listen *listen)
{
    ps_lookup_teardown(listen->lookup);
    ps_tls_server_teardown(listen->server);
}

struct ps_bind_options ps_listen_address(const struct ps_listen *listen, unsigned instances)
{
    return (struct ps_bind_options){
        .host = listen->host != NULL ? listen->host : listen->bind,
        .lookup = listen->lookup,
        .port = (unsigned)listen->port,
        .datagrams = listen->receive_buffer_bytes > 0,
        .share = instances > 1,
        .receive_buffer_bytes = (int)listen->receive_buffer_bytes,
    };
}

void ps_listen_source_outline(const void *plan, const struct ps_context *, FILE *out)
{
    const struct ps_listen *listen = plan;
    const struct ps_bind_options address = ps_listen_address(listen, 1);
    ps_listen_outline(out, &address, listen->tls.enabled);
}

void ps_listen_source_listens(const void *plan, void (*add)(void *argument, const struct ps_listens *address),
                              void *argument)
{
    const struct ps_bind_options address = ps_listen_address(plan, 1);
    ps_listen_add(&address, "port", add, argument);
}

void ps_listen_source_probe(const void *plan, struct ps_context *, const struct ps_probe *probe)
{
    const struct ps_listen *listen = plan;
    const struct ps_bind_options address = ps_listen_address(listen, 1);
    const char *key = listen->host != NULL ? "host" : listen->bind != NULL ? "bind" : "port";
    ps_listen_probe(probe, key, &address);
}

void ps_listen_source_teardown(void *plan)
{
    ps_listen_teardown(plan);
}
