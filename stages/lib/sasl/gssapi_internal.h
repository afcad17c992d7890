/* Shared by gssapi.c and gssapi_initiator.c. */
#pragma once

#include "stages/lib/sasl/gssapi.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

struct ps_gss_context {
    gss_ctx_id_t handle;
    gss_cred_id_t credential; /* an acceptor's credentials are shared; an initiator's belong to the context */
    /* the server's name, in an initiator's context; GSS_C_NO_NAME: an acceptor's context */
    gss_name_t target;
    /* of an initiator: remaining life of the ticket, in seconds, when the first token was made */
    uint32_t lifetime_s;
    char peer[PS_GSS_NAME_BYTES];
    bool refused; /* the last step failed, and will fail again (ps_gss_is_final) */
};

/* Writes the library's text for a failure, on one line. */
void ps_gss_explain(OM_uint32 major, OM_uint32 minor, char *reason);
/* Returns whether the error of the KDC, a file or the library is permanent (an unknown principal, an invalid
 * key) and not temporary (no answer, a wrong clock). */
bool ps_gss_is_final(OM_uint32 minor);
/* Imports the principal as a name of the library; replaces _HOST by the canonical name of `host` (NULL: this
 * machine), which may ask a name server. */
enum ps_status ps_gss_name_import(const char *principal, const char *host, gss_name_t *name,
                                  struct ps_err *err);
/* Returns whether the file has keys of the principal; if not, `reason` (PS_GSS_REASON_BYTES) has the cause,
 * because GSSAPI would only report "no credentials cache". Blocks (a file, the name of this machine). */
bool ps_gss_keytab_has(const char *keytab, const char *principal, char *reason);
/* Removes a store of tickets in memory; contexts that already have their tickets are not affected. */
void ps_gss_tickets_forget(const char *store);
