/* The SSL keys of a source that listens, for the stage's check and build. */
#pragma once

#include "core/stage.h"
#include "stages/net/tls.h"

/* Reports every problem with the keys and the store. Thread: control. */
enum ps_status ps_tls_stage_check(const struct ps_tls_options *options, const struct ps_context *context);
/* Makes the server; *server stays NULL when `ssl` is off. */
enum ps_status ps_tls_stage_build(struct ps_tls_server **server, const struct ps_tls_options *options,
                                  const struct ps_context *context, struct ps_err *err);
