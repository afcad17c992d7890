/* Basic authentication (RFC 7617) of a sink's requests. Thread: control. */
#pragma once

#include "stages/lib/http/sink.h"

/* Adds the login to the header of the requests, after ps_http_sink_build. `password` NULL: an empty one. */
enum ps_status ps_http_sink_login(struct ps_http_sink_plan *plan, struct ps_context *context,
                                  const char *user, const char *password, struct ps_err *err);
