/* What far ends that listen share: where, and how it is told. Thread: the far end's. */
#pragma once

#include "bench/verify/far_parts.h"
#include "stages/net/address.h"

#define PS_FAR_ADDRESS_BYTES PS_ADDRESS_TEXT_BYTES

/* host and port of the URL: a host "" or missing means every address, a missing port is an error, 0 any. */
enum ps_status ps_far_bind_options(const struct ps_url *url, bool datagrams, struct ps_bind_options *options,
                                   struct ps_err *err);
