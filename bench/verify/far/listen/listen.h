/* Common part of the far ends that listen: the address. Thread: the far end's. */
#pragma once

#include "bench/verify/far/records.h"
#include "stages/lib/net/address.h"

#define PS_FAR_ADDRESS_BYTES PS_ADDRESS_TEXT_BYTES

/* Takes host and port from the URL: an empty or missing host means every address; a missing port is an error,
 * 0 means any free port. */
enum ps_status ps_far_bind_options(const struct ps_url *url, bool datagrams, struct ps_bind_options *options,
                                   struct ps_err *err);
