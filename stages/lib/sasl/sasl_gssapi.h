/* The SASL mechanism GSSAPI (RFC 4752): Kerberos, then both sides agree on a level of protection. The client begins.
 * Thread: the owner's. */
#pragma once

#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/sasl/sasl.h"

/* Takes the context and the first token of an initiator (ps_gss_initiator_take). `protection`: PS_SASL_PREFER.
 * Returns NULL when there is no memory, after freeing context and token. The caller owns the mechanism, and
 * calls ps_sasl_close. */
struct ps_sasl *ps_sasl_gssapi_open(struct ps_gss_context *context, struct ps_gss_token *first,
                                    unsigned protection);
