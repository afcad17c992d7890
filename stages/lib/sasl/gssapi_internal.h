/* What gssapi.c and gssapi_initiator.c share. */
#pragma once

#include "stages/lib/sasl/gssapi.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

struct ps_gss_context {
    gss_ctx_id_t handle;
    gss_cred_id_t credential; /* an acceptor's is shared; an initiator's is the context's own */
    gss_name_t target;        /* of an initiator; GSS_C_NO_NAME: it is an acceptor's */
    uint32_t lifetime_s; /* of an initiator: how long its ticket was good when its first token was made */
    char peer[PS_GSS_NAME_BYTES];
    bool refused; /* the last step failed, and will fail again (ps_gss_is_final) */
};

/* Writes what the library says of a failure, on one line. */
void ps_gss_explain(OM_uint32 major, OM_uint32 minor, char *reason);
/* Whether what the KDC, a file or the library has said is the same for the next try: an unknown principal, a key that is none; not
 * that nobody answers, or that a clock is wrong. */
bool ps_gss_is_final(OM_uint32 minor);
/* The principal as a name of the library's; _HOST replaced by the canonical name of `host` (NULL: this machine), which may ask
 * a name server. */
enum ps_status ps_gss_name_import(const char *principal, const char *host, gss_name_t *name,
                                  struct ps_err *err);
/* Whether the file has keys of the principal; if not, `reason` (PS_GSS_REASON_BYTES) says why: of GSSAPI only "no credentials
 * cache" comes then. Blocks (a file, the name of this machine). */
bool ps_gss_keytab_has(const char *keytab, const char *principal, char *reason);
/* Removes a store of tickets in memory; contexts that have taken theirs from it are not touched. */
void ps_gss_tickets_forget(const char *store);
