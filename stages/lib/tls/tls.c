/* The server side: makes one SSL_CTX from Flume's SSL keys. Control thread only; the context is const once
 * built.
 *
 * Flume (SslContextAwareAbstractSource) starts from what the JVM enables, keeps only the names of the include list, if
 * there is one, and removes those of the exclude list. A current JVM enables TLSv1.2 and TLSv1.3 with suites that OpenSSL's
 * default list also has. Neither Flume nor penstock can enable older protocols through the lists. */
#include "stages/lib/tls/tls.h"

#include "core/text/list.h"
#include "stages/lib/keystore/keystore.h"
#include "stages/lib/tls/internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX 256
#define SUITES_BYTES 8192

/* The names of one include or exclude list. */
struct names {
    size_t count;
    struct ps_slice items[NAMES_MAX];
};

static void names_add(struct names *names, const char *text)
{
    while (text != NULL && names->count < NAMES_MAX &&
           ps_list_next(&text, " \t,", &names->items[names->count]))
        names->count++;
}

/* Uses the component's list, or the global one if it has none. Flume splits at blanks, and its guide shows commas;
 * both are accepted. */
static void names_fill(struct names *names, const struct ps_texts *own, const char *global)
{
    names->count = 0;
    for (size_t i = 0; i < own->count; i++)
        names_add(names, own->items[i]);
    if (own->count == 0)
        names_add(names, global);
}

static bool slice_is(const struct ps_slice *slice, const char *text)
{
    return text != NULL && strlen(text) == slice->length &&
           strncasecmp(slice->data, text, slice->length) == 0;
}

static bool names_have(const struct names *names, const char *text)
{
    for (size_t i = 0; i < names->count; i++) {
        if (slice_is(&names->items[i], text))
            return true;
    }
    return false;
}

static bool name_is_cipher(const struct ps_slice *name, const SSL_CIPHER *cipher)
{
    const char *standard = SSL_CIPHER_standard_name(cipher);
    if (slice_is(name, standard) || slice_is(name, SSL_CIPHER_get_name(cipher)))
        return true;
    /* Java keeps SSL_ in the names of suites that existed before TLS. */
    return standard != NULL && name->length > 4 && strncasecmp(name->data, "SSL_", 4) == 0 &&
           strlen(standard) == name->length &&
           strncasecmp(name->data + 4, standard + 4, name->length - 4) == 0;
}

static bool names_have_cipher(const struct names *names, const SSL_CIPHER *cipher)
{
    for (size_t i = 0; i < names->count; i++) {
        if (name_is_cipher(&names->items[i], cipher))
            return true;
    }
    return false;
}

const char *ps_tls_cipher_openssl_name(const char *name, bool *tls13)
{
    char copy[128];
    size_t length = strlen(name);
    if (tls13 != NULL)
        *tls13 = strncmp(name, "TLS_AES_", 8) == 0 || strncmp(name, "TLS_CHACHA20_", 13) == 0;
    if (length >= sizeof copy)
        return NULL;
    memcpy(copy, name, length + 1);
    if (strncmp(copy, "SSL_", 4) == 0)
        memcpy(copy, "TLS_", 4);
    const char *known = OPENSSL_cipher_name(copy);
    if (known != NULL && strcmp(known, "(NONE)") != 0)
        return known;
    /* The name may be OpenSSL's own. */
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    const char *found = NULL;
    if (context != NULL && SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL:@SECLEVEL=0")) {
        STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(context);
        for (int i = 0; i < sk_SSL_CIPHER_num(all) && found == NULL; i++) {
            const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(all, i);
            if (strcmp(SSL_CIPHER_get_name(cipher), name) == 0)
                found = SSL_CIPHER_get_name(cipher);
        }
    }
    SSL_CTX_free(context);
    ERR_clear_error();
    return found;
}

/* ---- protocols ---- */

static void protocols_note(const struct names *names, const char *key, bool included,
                           const struct ps_notes *notes)
{
    static const char *const old[] = {"SSLv2", "SSLv2Hello", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"};
    for (size_t i = 0; i < names->count; i++) {
        const struct ps_slice *name = &names->items[i];
        bool is_old = false;
        if (slice_is(name, "TLSv1.2") || slice_is(name, "TLSv1.3"))
            continue;
        for (size_t k = 0; k < PS_COUNT_OF(old); k++)
            is_old |= slice_is(name, old[k]);
        if (!is_old)
            ps_note_add(notes, PS_LOG_WARN, key,
                        "unknown protocol \"%.*s\"; supported are TLSv1.2 and TLSv1.3", (int)name->length,
                        name->data);
        else if (included)
            ps_note_add(notes, PS_LOG_WARN, key,
                        "\"%.*s\" is insecure and not offered (a current JVM refuses it too); offered are "
                        "TLSv1.2 and TLSv1.3",
                        (int)name->length, name->data);
    }
}

static enum ps_status protocols_set(SSL_CTX *context, const struct ps_tls_options *options,
                                    const struct ps_tls_globals *globals, const struct ps_notes *notes,
                                    struct ps_err *err)
{
    struct names include, exclude;
    names_fill(&include, &options->include_protocols, globals->include_protocols);
    names_fill(&exclude, &options->exclude_protocols, globals->exclude_protocols);
    protocols_note(&include, "include-protocols", true, notes);
    protocols_note(&exclude, "exclude-protocols", false, notes);
    bool v2 = (include.count == 0 || names_have(&include, "TLSv1.2")) && !names_have(&exclude, "TLSv1.2");
    bool v3 = (include.count == 0 || names_have(&include, "TLSv1.3")) && !names_have(&exclude, "TLSv1.3");
    if (!v2 && !v3)
        return ps_err_set(
            err, "include-protocols and exclude-protocols leave no protocol; allow TLSv1.2 or TLSv1.3");
    SSL_CTX_set_min_proto_version(context, v2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(context, v3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    return PS_OK;
}

/* ---- cipher suites ---- */

static void suites_note(const struct names *names, const STACK_OF(SSL_CIPHER) * offered, const char *key,
                        bool included, const struct ps_notes *notes)
{
    for (size_t i = 0; i < names->count; i++) {
        char name[128];
        /* TLS_EMPTY_RENEGOTIATION_INFO_SCSV is Java's mark, not a suite. */
        bool found = slice_is(&names->items[i], "TLS_EMPTY_RENEGOTIATION_INFO_SCSV");
        for (int k = 0; !found && k < sk_SSL_CIPHER_num(offered); k++)
            found = name_is_cipher(&names->items[i], sk_SSL_CIPHER_value(offered, k));
        if (found || names->items[i].length >= sizeof name)
            continue;
        memcpy(name, names->items[i].data, names->items[i].length);
        name[names->items[i].length] = '\0';
        if (ps_tls_cipher_openssl_name(name, NULL) == NULL)
            ps_note_add(notes, PS_LOG_WARN, key,
                        "unknown cipher suite \"%s\"; `openssl ciphers -stdname` lists them", name);
        else if (included)
            ps_note_add(notes, PS_LOG_WARN, key,
                        "cipher suite \"%s\" is weak and not offered (it is not in OpenSSL's default list)",
                        name);
    }
}

static bool suite_append(char *list, const char *name)
{
    size_t length = strlen(list);
    if (length + strlen(name) + 2 > SUITES_BYTES)
        return false;
    if (length > 0)
        list[length++] = ':';
    memcpy(list + length, name, strlen(name) + 1);
    return true;
}

static enum ps_status suites_set(SSL_CTX *context, const struct ps_tls_options *options,
                                 const struct ps_tls_globals *globals, const struct ps_notes *notes,
                                 struct ps_err *err)
{
    struct names include, exclude;
    names_fill(&include, &options->include_cipher_suites, globals->include_cipher_suites);
    names_fill(&exclude, &options->exclude_cipher_suites, globals->exclude_cipher_suites);
    if (include.count == 0 && exclude.count == 0)
        return PS_OK;
    const STACK_OF(SSL_CIPHER) *offered = SSL_CTX_get_ciphers(context);
    char old[SUITES_BYTES] = "", v3[SUITES_BYTES] = "";
    suites_note(&include, offered, "include-cipher-suites", true, notes);
    suites_note(&exclude, offered, "exclude-cipher-suites", false, notes);
    for (int i = 0; i < sk_SSL_CIPHER_num(offered); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(offered, i);
        if ((include.count > 0 && !names_have_cipher(&include, cipher)) ||
            names_have_cipher(&exclude, cipher))
            continue;
        bool is_v3 = strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") == 0;
        if (!suite_append(is_v3 ? v3 : old, SSL_CIPHER_get_name(cipher)))
            break;
    }
    /* A protocol without suites is not offered. */
    bool want_old = old[0] != '\0' && SSL_CTX_get_min_proto_version(context) == TLS1_2_VERSION;
    bool want_v3 = v3[0] != '\0' && SSL_CTX_get_max_proto_version(context) == TLS1_3_VERSION;
    if (!want_old && !want_v3)
        return ps_err_set(err, "include-cipher-suites and exclude-cipher-suites leave no cipher suite for "
                               "the protocols offered; TLSv1.3 has its own suites (TLS_AES_128_GCM_SHA256, "
                               "TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256)");
    if (want_old && !SSL_CTX_set_cipher_list(context, old))
        return ps_err_set(err, "OpenSSL refuses the cipher suites %s", old);
    if (want_v3 && !SSL_CTX_set_ciphersuites(context, v3))
        return ps_err_set(err, "OpenSSL refuses the cipher suites %s", v3);
    SSL_CTX_set_min_proto_version(context, want_old ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(context, want_v3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    return PS_OK;
}

enum ps_status ps_tls_context_limit(SSL_CTX *context, const struct ps_tls_options *options,
                                    const struct ps_tls_globals *globals, const struct ps_notes *notes,
                                    struct ps_err *err)
{
    if (protocols_set(context, options, globals, notes, err) != PS_OK)
        return PS_FAIL;
    return suites_set(context, options, globals, notes, err);
}

/* ---- keys ---- */

static enum ps_status keys_set(SSL_CTX *context, const struct ps_keystore *store, const char *path,
                               struct ps_err *err)
{
    if (store->key_count == 0)
        return ps_err_set(err, "keystore: store %s has no private key with a certificate; a server needs one",
                          path);
    for (size_t i = 0; i < store->key_count; i++) {
        const struct ps_keystore_key *key = &store->keys[i];
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= EVP_PKEY_get_base_id(store->keys[k].key) == EVP_PKEY_get_base_id(key->key);
        if (seen)
            continue; /* only the first of a kind is used */
        STACK_OF(X509) *issuers = sk_X509_new_null();
        for (int c = 1; issuers != NULL && c < sk_X509_num(key->chain); c++)
            sk_X509_push(issuers, sk_X509_value(key->chain, c)); /* the context takes its own references */
        int taken = SSL_CTX_use_cert_and_key(context, sk_X509_value(key->chain, 0), key->key, issuers, 1);
        sk_X509_free(issuers);
        if (taken != 1) {
            const char *reason = ERR_reason_error_string(ERR_peek_last_error());
            return ps_err_set(err, "keystore: store %s: OpenSSL refuses key \"%s\": %s", path, key->alias,
                              reason != NULL ? reason : "no reason given");
        }
    }
    return PS_OK;
}

static void context_tune(SSL_CTX *context)
{
    /* No tickets: a sender that closes without reading would leave them unread; its kernel then resets the
     * connection, and events still in transit are lost. No session cache: any client could make it grow. */
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Flume's sources do not ask for client certificates. */
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_read_ahead(context, 1); /* one recv for several small records */
    SSL_CTX_set_default_read_buffer_len(context, PS_TLS_READ_BUFFER_BYTES);
}

enum ps_status ps_tls_server_build(struct ps_tls_server **server, const struct ps_tls_options *options,
                                   const struct ps_tls_globals *globals, const struct ps_notes *notes,
                                   struct ps_err *err)
{
    static const struct ps_tls_globals none;
    if (globals == NULL)
        globals = &none;
    bool own_store = options->keystore != NULL;
    const char *path = own_store ? options->keystore : globals->keystore;
    const char *password =
        options->keystore_password != NULL ? options->keystore_password : globals->keystore_password;
    if (path == NULL)
        return ps_err_set(err, "keystore is missing: with ssl = true name the file with the server's key (or "
                               "set javax.net.ssl.keyStore or FLUME_SSL_KEYSTORE_PATH)");
    if (password == NULL)
        return ps_err_set(err, "keystore-password is missing: with ssl = true it is required (or set "
                               "javax.net.ssl.keyStorePassword or FLUME_SSL_KEYSTORE_PASSWORD)");

    struct ps_keystore *store = NULL;
    SSL_CTX *context = NULL;
    enum ps_status status = PS_FAIL;
    struct ps_keystore_request request = {
        .path = path,
        .type = options->keystore_type != NULL ? options->keystore_type : globals->keystore_type,
        .password = password,
        .path_key = own_store ? "keystore" : "javax.net.ssl.keyStore",
        .password_key =
            options->keystore_password != NULL ? "keystore-password" : "javax.net.ssl.keyStorePassword",
    };
    if (ps_keystore_open(&store, &request, err) != PS_OK)
        return PS_FAIL;
    ERR_clear_error();
    context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        ps_err_set(err, "OpenSSL cannot make a TLS context");
        goto out;
    }
    context_tune(context);
    if (ps_tls_context_limit(context, options, globals, notes, err) != PS_OK ||
        keys_set(context, store, path, err) != PS_OK)
        goto out;
    if (server != NULL) {
        *server = ps_must_alloc(1, sizeof **server, "TLS of a server");
        (*server)->context = context;
        context = NULL;
    }
    status = PS_OK;
out:
    SSL_CTX_free(context);
    ps_keystore_close(store);
    ERR_clear_error();
    return status;
}

void ps_tls_server_teardown(struct ps_tls_server *server)
{
    if (server == NULL)
        return;
    SSL_CTX_free(server->context);
    free(server);
}
