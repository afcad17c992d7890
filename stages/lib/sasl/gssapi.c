#include "stages/lib/sasl/gssapi_internal.h"

#include "core/text/printable.h"
#include "stages/lib/local_host.h"

#include <ctype.h>
#include <krb5.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "_HOST"
#define PRINCIPAL_BYTES 2048U

/* ---- the library's texts ---- */

static size_t append(char *reason, size_t at, OM_uint32 code, int kind)
{
    OM_uint32 more = 0, minor;
    do {
        gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
        if (gss_display_status(&minor, code, kind, GSS_C_NO_OID, &more, &text) != GSS_S_COMPLETE)
            break;
        int length = snprintf(reason + at, PS_GSS_REASON_BYTES - at, "%s%.*s", at > 0 ? ": " : "",
                              (int)text.length, (const char *)text.value);
        gss_release_buffer(&minor, &text);
        if (length > 0)
            at = at + (size_t)length < PS_GSS_REASON_BYTES ? at + (size_t)length : PS_GSS_REASON_BYTES - 1;
    } while (more != 0);
    return at;
}

/* Returns advice for common mistakes. */
static const char *cure_of(krb5_error_code error)
{
    switch (error) {
    case KRB5KRB_AP_ERR_SKEW:
        return "set the clock of this machine, or of the other one: they differ by more than five minutes";
    case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN:
        return "is the principal written as the KDC knows it?";
    case KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN:
        return "the KDC does not know the server by this name: look at its principal and at the host's name";
    case KRB5KDC_ERR_PREAUTH_FAILED:
    case KRB5KRB_AP_ERR_BAD_INTEGRITY:
        return "the keytab is older than the principal's keys: export it again";
    case KRB5_KT_NOTFOUND:
        return "the keytab has no keys of this principal: klist -k shows whose it has";
    case KRB5_KDC_UNREACH:
        return "no KDC of the realm answers: look at the network and at krb5.conf";
    case KRB5_REALM_UNKNOWN:
    case KRB5_REALM_CANT_RESOLVE:
        return "krb5.conf names no KDC of the realm";
    case KRB5_FCC_NOFILE:
        return "run kinit, or set a principal and a keytab";
    case KRB5KRB_AP_ERR_TKT_EXPIRED:
        return "the ticket has expired: run kinit, or set a principal and a keytab";
    default:
        return NULL;
    }
}

bool ps_gss_is_final(OM_uint32 minor)
{
    switch ((krb5_error_code)minor) {
    case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN:
    case KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN:
    case KRB5KDC_ERR_PREAUTH_FAILED:
    case KRB5KDC_ERR_CLIENT_REVOKED:
    case KRB5KDC_ERR_ETYPE_NOSUPP:
    case KRB5KDC_ERR_KEY_EXP:
    case KRB5KDC_ERR_NAME_EXP:
    case KRB5KDC_ERR_POLICY:
    case KRB5KDC_ERR_SERVICE_EXP:
    case KRB5KRB_AP_ERR_BAD_INTEGRITY:
    case KRB5_REALM_UNKNOWN:
        return true;
    default:
        return false;
    }
}

void ps_gss_explain(OM_uint32 major, OM_uint32 minor, char *reason)
{
    const char *cure = cure_of((krb5_error_code)minor);
    size_t at = append(reason, 0, major, GSS_C_GSS_CODE);
    if (minor != 0) /* only the mechanism's text: the other text only says that a mechanism's text exists */
        at = append(reason, 0, minor, GSS_C_MECH_CODE);
    if (cure != NULL)
        snprintf(reason + at, PS_GSS_REASON_BYTES - at, " (%s)", cure);
    (void)ps_printable_copy(reason, PS_GSS_REASON_BYTES, reason, strlen(reason));
}

/* ---- names ---- */

static void lower(char *text)
{
    for (; *text != '\0'; text++)
        *text = (char)tolower((unsigned char)*text);
}

/* Writes the canonical name of another host, as Java's getCanonicalHostName: the name of its address if
 * there is one, else the name as written. */
static void find_canonical(const char *host, char name[NI_MAXHOST])
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    snprintf(name, NI_MAXHOST, "%s", host);
    if (getaddrinfo(host, NULL, &wanted, &found) != 0)
        return;
    if (getnameinfo(found->ai_addr, found->ai_addrlen, name, NI_MAXHOST, NULL, 0, NI_NAMEREQD) != 0)
        snprintf(name, NI_MAXHOST, "%s", host);
    freeaddrinfo(found);
}

/* Replaces the host _HOST, in small letters. */
static enum ps_status resolve_host(const char *principal, const char *host, char *to, struct ps_err *err)
{
    const char *mark = strstr(principal, "/" HOST "@");
    char name[NI_MAXHOST];
    struct ps_local_host local;
    if (mark == NULL) {
        snprintf(to, PRINCIPAL_BYTES, "%s", principal);
        return PS_OK;
    }
    if (host != NULL) {
        find_canonical(host, name);
    } else {
        if (ps_local_host_find(&local, err) != PS_OK)
            return PS_FAIL;
        snprintf(name, sizeof name, "%s", local.canonical);
    }
    lower(name);
    snprintf(to, PRINCIPAL_BYTES, "%.*s/%s%s", (int)(mark - principal), principal, name,
             mark + strlen("/" HOST));
    return PS_OK;
}

enum ps_status ps_gss_name_import(const char *principal, const char *host, gss_name_t *name,
                                  struct ps_err *err)
{
    char text[PRINCIPAL_BYTES], reason[PS_GSS_REASON_BYTES];
    OM_uint32 minor;
    if (strlen(principal) >= PRINCIPAL_BYTES - NI_MAXHOST)
        return ps_err_set(err, "the principal %.64s... is too long", principal);
    if (resolve_host(principal, host, text, err) != PS_OK)
        return PS_FAIL;
    gss_buffer_desc buffer = {.length = strlen(text), .value = text};
    OM_uint32 major = gss_import_name(&minor, &buffer, GSS_KRB5_NT_PRINCIPAL_NAME, name);
    if (major == GSS_S_COMPLETE)
        return PS_OK;
    ps_gss_explain(major, minor, reason);
    return ps_err_set(err, "%s is not a principal: %s", text, reason);
}

/* ---- keys ---- */

static void explain_krb5(krb5_context library, krb5_error_code error, char *reason)
{
    const char *text = krb5_get_error_message(library, error), *cure = cure_of(error);
    snprintf(reason, PS_GSS_REASON_BYTES, "%.150s%s%s%s", text, cure != NULL ? " (" : "",
             cure != NULL ? cure : "", cure != NULL ? ")" : "");
    krb5_free_error_message(library, text);
}

bool ps_gss_keytab_has(const char *keytab, const char *principal, char *reason)
{
    char text[PRINCIPAL_BYTES];
    struct ps_err err = {.length = 0};
    krb5_context library;
    krb5_keytab keys = NULL;
    krb5_principal name = NULL;
    krb5_keytab_entry entry;
    if (resolve_host(principal, NULL, text, &err) != PS_OK) {
        snprintf(reason, PS_GSS_REASON_BYTES, "%.250s", err.text);
        return false;
    }
    if (krb5_init_context(&library) != 0) {
        snprintf(reason, PS_GSS_REASON_BYTES, "krb5.conf cannot be read (KRB5_CONFIG, else /etc/krb5.conf)");
        return false;
    }
    krb5_error_code error = krb5_parse_name(library, text, &name);
    error = error == 0 ? krb5_kt_resolve(library, keytab, &keys) : error;
    error = error == 0 ? krb5_kt_get_entry(library, keys, name, 0, 0, &entry) : error;
    if (error == 0)
        (void)krb5_free_keytab_entry_contents(library, &entry);
    else
        explain_krb5(library, error, reason);
    if (keys != NULL)
        (void)krb5_kt_close(library, keys);
    krb5_free_principal(library, name);
    krb5_free_context(library);
    return error == 0;
}

void ps_gss_tickets_forget(const char *store)
{
    krb5_context library;
    krb5_ccache tickets;
    if (krb5_init_context(&library) != 0)
        return;
    if (krb5_cc_resolve(library, store, &tickets) == 0)
        (void)krb5_cc_destroy(library, tickets);
    krb5_free_context(library);
}

/* ---- contexts ---- */

void ps_gss_token_free(struct ps_gss_token *token)
{
    gss_buffer_desc buffer = {.length = token->length, .value = token->bytes};
    OM_uint32 minor;
    (void)gss_release_buffer(&minor, &buffer);
    *token = (struct ps_gss_token){.length = 0};
}

void ps_gss_context_close(struct ps_gss_context *context)
{
    OM_uint32 minor;
    if (context == NULL)
        return;
    if (context->handle != GSS_C_NO_CONTEXT)
        (void)gss_delete_sec_context(&minor, &context->handle, GSS_C_NO_BUFFER);
    if (context->target != GSS_C_NO_NAME) {
        (void)gss_release_name(&minor, &context->target);
        (void)gss_release_cred(&minor, &context->credential);
    }
    free(context);
}

static void note_peer(struct ps_gss_context *context, gss_name_t name)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor;
    if (gss_display_name(&minor, name, &text, NULL) == GSS_S_COMPLETE)
        snprintf(context->peer, sizeof context->peer, "%.*s", (int)text.length, (const char *)text.value);
    (void)gss_release_buffer(&minor, &text);
}

static OM_uint32 accept_step(struct ps_gss_context *context, gss_buffer_t in, gss_buffer_t out,
                             OM_uint32 *minor)
{
    gss_name_t peer = GSS_C_NO_NAME;
    OM_uint32 ignored,
        major = gss_accept_sec_context(minor, &context->handle, context->credential, in,
                                       GSS_C_NO_CHANNEL_BINDINGS, &peer, NULL, out, NULL, NULL, NULL);
    if (major == GSS_S_COMPLETE)
        note_peer(context, peer);
    if (peer != GSS_C_NO_NAME)
        (void)gss_release_name(&ignored, &peer);
    return major;
}

static OM_uint32 initiate_step(struct ps_gss_context *context, gss_buffer_t in, gss_buffer_t out,
                               OM_uint32 *minor)
{
    OM_uint32 lifetime_s = 0, major;
    major =
        gss_init_sec_context(minor, context->credential, &context->handle, context->target,
                             (gss_OID)gss_mech_krb5, GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG,
                             0, GSS_C_NO_CHANNEL_BINDINGS, in, NULL, out, NULL, &lifetime_s);
    context->lifetime_s = lifetime_s;
    return major;
}

enum ps_gss_result ps_gss_context_step(struct ps_gss_context *context, const void *bytes, size_t length,
                                       struct ps_gss_token *out, char *reason)
{
    gss_buffer_desc in = {.length = length, .value = (void *)(uintptr_t)bytes}, made = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor = 0, major = context->target == GSS_C_NO_NAME
                                     ? accept_step(context, &in, &made, &minor)
                                     : initiate_step(context, &in, &made, &minor);
    *out = (struct ps_gss_token){.bytes = made.value, .length = made.length};
    if (major == GSS_S_COMPLETE)
        return PS_GSS_ESTABLISHED;
    if (major == GSS_S_CONTINUE_NEEDED)
        return PS_GSS_MORE;
    ps_gss_token_free(out);
    ps_gss_explain(major, minor, reason);
    context->refused = ps_gss_is_final(minor);
    return PS_GSS_FAILED;
}

bool ps_gss_context_wrap(struct ps_gss_context *context, bool secret, const void *bytes, size_t length,
                         struct ps_gss_token *out, char *reason)
{
    gss_buffer_desc in = {.length = length, .value = (void *)(uintptr_t)bytes}, made = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, major = gss_wrap(&minor, context->handle, secret, GSS_C_QOP_DEFAULT, &in, NULL, &made);
    *out = (struct ps_gss_token){.bytes = made.value, .length = made.length};
    if (major == GSS_S_COMPLETE)
        return true;
    ps_gss_explain(major, minor, reason);
    return false;
}

size_t ps_gss_context_wrap_limit(struct ps_gss_context *context, bool secret, size_t length)
{
    OM_uint32 minor, limit = 0, wanted = length < UINT32_MAX ? (OM_uint32)length : UINT32_MAX;
    return gss_wrap_size_limit(&minor, context->handle, secret, GSS_C_QOP_DEFAULT, wanted, &limit) ==
                   GSS_S_COMPLETE
               ? limit
               : 0;
}

bool ps_gss_context_unwrap(struct ps_gss_context *context, const void *bytes, size_t length,
                           struct ps_gss_token *out, char *reason)
{
    gss_buffer_desc in = {.length = length, .value = (void *)(uintptr_t)bytes}, made = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, major = gss_unwrap(&minor, context->handle, &in, &made, NULL, NULL);
    *out = (struct ps_gss_token){.bytes = made.value, .length = made.length};
    if (major == GSS_S_COMPLETE)
        return true;
    ps_gss_explain(major, minor, reason);
    return false;
}

const char *ps_gss_context_peer(const struct ps_gss_context *context)
{
    return context->peer;
}

/* ---- the acceptor ---- */

struct ps_gss_acceptor {
    krb5_context library;
    krb5_keytab keys; /* the keys, which stay in memory while this handle is open */
    gss_cred_id_t credential;
};

static enum ps_status fail(krb5_context library, krb5_error_code error, const char *keytab,
                           struct ps_err *err)
{
    const char *text = krb5_get_error_message(library, error);
    ps_err_set(err, "%s: %s", keytab, text);
    krb5_free_error_message(library, text);
    return PS_FAIL;
}

/* Copies all keys of the file, so that checking tokens reads no file. */
static enum ps_status copy_keys(struct ps_gss_acceptor *acceptor, const char *keytab, struct ps_err *err)
{
    krb5_context library = acceptor->library;
    krb5_keytab file;
    krb5_kt_cursor cursor;
    krb5_keytab_entry entry;
    char name[PRINCIPAL_BYTES];
    snprintf(name, sizeof name, "FILE:%s", keytab);
    krb5_error_code error = krb5_kt_resolve(library, name, &file);
    if (error != 0)
        return fail(library, error, keytab, err);
    error = krb5_kt_start_seq_get(library, file, &cursor);
    if (error == 0) {
        while ((error = krb5_kt_next_entry(library, file, &entry, &cursor)) == 0) {
            error = krb5_kt_add_entry(library, acceptor->keys, &entry);
            (void)krb5_free_keytab_entry_contents(library, &entry);
            if (error != 0)
                break;
        }
        error = error == KRB5_KT_END ? 0 : error;
        (void)krb5_kt_end_seq_get(library, file, &cursor);
    }
    enum ps_status status = error == 0 ? PS_OK : fail(library, error, keytab, err);
    (void)krb5_kt_close(library, file);
    return status;
}

/* Returns whether the acceptor has keys of the principal. Called before the library searches, because the library
 * leaks memory when it finds no keys. */
static bool has_keys(const struct ps_gss_acceptor *acceptor, const char *principal)
{
    char text[PRINCIPAL_BYTES];
    struct ps_err err = {.length = 0};
    krb5_principal name;
    krb5_keytab_entry entry;
    if (resolve_host(principal, NULL, text, &err) != PS_OK ||
        krb5_parse_name(acceptor->library, text, &name) != 0)
        return false;
    bool has = krb5_kt_get_entry(acceptor->library, acceptor->keys, name, 0, 0, &entry) == 0;
    if (has)
        (void)krb5_free_keytab_entry_contents(acceptor->library, &entry);
    krb5_free_principal(acceptor->library, name);
    return has;
}

static enum ps_status acquire(struct ps_gss_acceptor *acceptor, const char *keys, const char *principal,
                              const char *keytab, struct ps_err *err)
{
    /* Uses no replay cache (a file of earlier tokens). A replayed token is useless, because the server's part
     * of the exchange is new on each connection. */
    gss_key_value_element_desc elements[] = {{"keytab", keys}, {"rcache", "none:"}};
    const gss_key_value_set_desc store = {.count = PS_COUNT_OF(elements), .elements = elements};
    gss_OID_set_desc mechanisms = {.count = 1, .elements = (gss_OID)gss_mech_krb5};
    char reason[PS_GSS_REASON_BYTES];
    gss_name_t name;
    OM_uint32 minor, ignored;
    if (ps_gss_name_import(principal, NULL, &name, err) != PS_OK)
        return PS_FAIL;
    if (!has_keys(acceptor, principal)) {
        (void)gss_release_name(&ignored, &name);
        return ps_err_set(err, "%s has no keys of %s", keytab, principal);
    }
    OM_uint32 major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT, &store,
                                            &acceptor->credential, NULL, NULL);
    (void)gss_release_name(&ignored, &name);
    if (major == GSS_S_COMPLETE)
        return PS_OK;
    ps_gss_explain(major, minor, reason);
    return ps_err_set(err, "%s: the keys of %s cannot be used: %s", keytab, principal, reason);
}

enum ps_status ps_gss_acceptor_build(struct ps_gss_acceptor **built, const char *principal,
                                     const char *keytab, struct ps_err *err)
{
    struct ps_gss_acceptor *acceptor = ps_must_alloc(1, sizeof *acceptor, "Kerberos");
    char keys[64];
    *acceptor = (struct ps_gss_acceptor){.credential = GSS_C_NO_CREDENTIAL};
    *built = acceptor;
    krb5_error_code error = krb5_init_context(&acceptor->library);
    if (error == 0) {
        snprintf(keys, sizeof keys, "MEMORY:penstock-%p", (void *)acceptor);
        error = krb5_kt_resolve(acceptor->library, keys, &acceptor->keys);
    }
    if (error != 0) {
        ps_err_set(err, "Kerberos cannot be used: error %ld; is its configuration (krb5.conf) right?",
                   (long)error);
    } else if (copy_keys(acceptor, keytab, err) == PS_OK &&
               acquire(acceptor, keys, principal, keytab, err) == PS_OK) {
        return PS_OK;
    }
    ps_gss_acceptor_teardown(acceptor);
    *built = NULL;
    return PS_FAIL;
}

void ps_gss_acceptor_teardown(struct ps_gss_acceptor *acceptor)
{
    OM_uint32 minor;
    if (acceptor == NULL)
        return;
    if (acceptor->credential != GSS_C_NO_CREDENTIAL)
        (void)gss_release_cred(&minor, &acceptor->credential);
    if (acceptor->keys != NULL)
        (void)krb5_kt_close(acceptor->library, acceptor->keys);
    if (acceptor->library != NULL)
        krb5_free_context(acceptor->library);
    free(acceptor);
}

struct ps_gss_context *ps_gss_acceptor_open(const struct ps_gss_acceptor *acceptor)
{
    struct ps_gss_context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return NULL;
    context->handle = GSS_C_NO_CONTEXT;
    context->credential = acceptor != NULL ? acceptor->credential : GSS_C_NO_CREDENTIAL;
    context->target = GSS_C_NO_NAME;
    return context;
}
