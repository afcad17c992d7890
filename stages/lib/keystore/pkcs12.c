/* PKCS#12 stores (RFC 7292) as keytool and openssl write them, read with OpenSSL's bag functions.
 *
 * PKCS12_parse is not enough: it returns one key, needs one password for store and key, and does not
 * distinguish Java's trusted certificates. Java marks them with an attribute (trustedKeyUsage,
 * 2.16.840.1.113894.746875.1.1) and ignores certificates without the attribute. A store without any key and any
 * such mark (`openssl pkcs12 -export -nokeys`) is empty for Java; here it is a trust store of all its certificates.
 *
 * Old stores are encrypted with RC2-40. OpenSSL's legacy provider decrypts them; it is loaded into a separate
 * context, so the rest of the process does not use weak algorithms. Control thread only. */
#include "stages/lib/keystore/internal.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define PKCS12_ITERATIONS_MAX 5000000 /* as in Java: more would only cost CPU time */
#define PKCS12_DEPTH_MAX 4            /* nested bags */

struct bag_key {
    EVP_PKEY *key;
    char *alias;
    const ASN1_OCTET_STRING *id; /* localKeyID, or NULL; points into the bags */
};

struct bag_certificate {
    X509 *certificate;
    const ASN1_OCTET_STRING *id;
    bool trusted; /* the certificate has Java's mark */
};

struct walk {
    struct ps_keystore_input *input;
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *standard, *legacy;
    const char *password; /* verified with the MAC; "" or NULL: none */
    struct ps_err *err;
    struct bag_key keys[64];
    size_t key_count;
    struct bag_certificate *certificates; /* PS_KEYSTORE_ENTRIES_MAX of them */
    size_t certificate_count;
    bool marked; /* at least one certificate has Java's mark */
    bool key_entries;
};

static void walk_init(struct walk *walk)
{
    walk->context = OSSL_LIB_CTX_new();
    if (walk->context != NULL) {
        walk->standard = OSSL_PROVIDER_load(walk->context, "default");
        walk->legacy = OSSL_PROVIDER_load(walk->context, "legacy");
    }
    walk->certificates = ps_must_alloc(PS_KEYSTORE_ENTRIES_MAX, sizeof *walk->certificates, "a key store");
}

static void walk_fini(struct walk *walk)
{
    for (size_t i = 0; i < walk->key_count; i++) {
        EVP_PKEY_free(walk->keys[i].key);
        OPENSSL_free(walk->keys[i].alias);
    }
    for (size_t i = 0; i < walk->certificate_count; i++)
        X509_free(walk->certificates[i].certificate);
    free(walk->certificates);
    if (walk->legacy != NULL)
        OSSL_PROVIDER_unload(walk->legacy);
    if (walk->standard != NULL)
        OSSL_PROVIDER_unload(walk->standard);
    OSSL_LIB_CTX_free(walk->context);
}

static int password_length(const char *password)
{
    return password != NULL ? (int)strlen(password) : 0;
}

/* Returns the iteration count of a password-based algorithm; -1 if no count can be read. PBES2 contains a second
 * algorithm, which must not be PBES2 again (`inner`). */
static int64_t pbe_iterations(const X509_ALGOR *algorithm, bool inner)
{
    const ASN1_OBJECT *object;
    const void *value;
    int type;
    int64_t iterations = -1;
    X509_ALGOR_get0(&object, &type, &value, algorithm);
    if (type != V_ASN1_SEQUENCE || value == NULL)
        return -1;
    if (OBJ_obj2nid(object) == NID_pbes2 && inner)
        return -1;
    if (OBJ_obj2nid(object) == NID_pbes2) {
        PBE2PARAM *outer = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBE2PARAM));
        if (outer != NULL)
            iterations = pbe_iterations(outer->keyfunc, true);
        PBE2PARAM_free(outer);
    } else if (OBJ_obj2nid(object) == NID_id_pbkdf2) {
        PBKDF2PARAM *derived = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBKDF2PARAM));
        if (derived != NULL && !ASN1_INTEGER_get_int64(&iterations, derived->iter))
            iterations = INT64_MAX;
        PBKDF2PARAM_free(derived);
    } else {
        PBEPARAM *old = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBEPARAM));
        if (old != NULL && !ASN1_INTEGER_get_int64(&iterations, old->iter))
            iterations = INT64_MAX;
        PBEPARAM_free(old);
    }
    return iterations;
}

static enum ps_status too_slow(struct walk *walk)
{
    return ps_err_set(walk->err, "the PKCS12 store requires more than %d password iterations",
                      PKCS12_ITERATIONS_MAX);
}

/* Finds out why OpenSSL could not decrypt: it does not have the algorithm, or the password is wrong. */
static enum ps_status decrypt_failed(struct walk *walk, enum ps_keystore_blame otherwise, const char *what)
{
    bool missing = false;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        int reason = ERR_GET_REASON(code);
        if (reason == ERR_R_UNSUPPORTED ||
            (ERR_GET_LIB(code) == ERR_LIB_EVP &&
             (reason == EVP_R_UNSUPPORTED_ALGORITHM || reason == EVP_R_UNKNOWN_CIPHER ||
              reason == EVP_R_UNKNOWN_PBE_ALGORITHM)))
            missing = true;
    }
    if (missing)
        return ps_err_set(walk->err,
                          "the %s is encrypted with an algorithm that this OpenSSL does not have%s; "
                          "convert the store: keytool "
                          "-importkeystore -srckeystore OLD -destkeystore NEW -deststoretype PKCS12",
                          what, walk->legacy == NULL ? " (its legacy provider is not installed)" : "");
    walk->input->blame = otherwise;
    return ps_err_set(walk->err, "wrong password for the %s%s", what,
                      otherwise == PS_KEYSTORE_PASSWORD ? " (or the store was altered)" : "");
}

static const ASN1_OCTET_STRING *bag_id(const PKCS12_SAFEBAG *bag)
{
    const ASN1_TYPE *id = PKCS12_SAFEBAG_get0_attr(bag, NID_localKeyID);
    return id != NULL && id->type == V_ASN1_OCTET_STRING ? id->value.octet_string : NULL;
}

static bool bag_marked_trusted(const PKCS12_SAFEBAG *bag)
{
    const STACK_OF(X509_ATTRIBUTE) *attributes = PKCS12_SAFEBAG_get0_attrs(bag);
    for (int i = 0; i < sk_X509_ATTRIBUTE_num(attributes); i++) {
        char name[64];
        OBJ_obj2txt(name, sizeof name, X509_ATTRIBUTE_get0_object(sk_X509_ATTRIBUTE_value(attributes, i)), 1);
        if (strcmp(name, "2.16.840.1.113894.746875.1.1") == 0)
            return true;
    }
    return false;
}

static enum ps_status key_bag(struct walk *walk, const PKCS12_SAFEBAG *bag)
{
    walk->key_entries = true;
    if (walk->input->trust_only)
        return PS_OK;
    if (walk->key_count == PS_COUNT_OF(walk->keys))
        return ps_err_set(walk->err, "more than %zu private keys", PS_COUNT_OF(walk->keys));
    PKCS8_PRIV_KEY_INFO *opened = NULL;
    const PKCS8_PRIV_KEY_INFO *info;
    if (PKCS12_SAFEBAG_get_nid(bag) == NID_keyBag) {
        info = PKCS12_SAFEBAG_get0_p8inf(bag);
    } else {
        const X509_ALGOR *algorithm = NULL;
        X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
        if (pbe_iterations(algorithm, false) > PKCS12_ITERATIONS_MAX)
            return too_slow(walk);
        const char *password = walk->input->key_password != NULL ? walk->input->key_password : walk->password;
        ERR_clear_error();
        opened = PKCS12_decrypt_skey_ex(bag, password, password_length(password), walk->context, NULL);
        /* Java's keytool encrypts the key with the store's password. */
        if (opened == NULL && password != walk->password)
            opened = PKCS12_decrypt_skey_ex(bag, walk->password, password_length(walk->password),
                                            walk->context, NULL);
        if (opened == NULL)
            return decrypt_failed(walk, PS_KEYSTORE_KEY_PASSWORD, "private key");
        info = opened;
    }
    EVP_PKEY *key = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(opened);
    if (key == NULL)
        return ps_err_set(walk->err, "a private key was decrypted, but OpenSSL cannot use it");
    walk->keys[walk->key_count++] = (struct bag_key){
        .key = key, .alias = PKCS12_get_friendlyname((PKCS12_SAFEBAG *)(uintptr_t)bag), .id = bag_id(bag)};
    return PS_OK;
}

static enum ps_status certificate_bag(struct walk *walk, const PKCS12_SAFEBAG *bag)
{
    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
        return PS_OK;
    if (walk->certificate_count == PS_KEYSTORE_ENTRIES_MAX)
        return ps_err_set(walk->err, "too many certificates");
    X509 *certificate = PKCS12_SAFEBAG_get1_cert(bag);
    if (certificate == NULL)
        return ps_err_set(walk->err, "a certificate is broken");
    bool trusted = bag_marked_trusted(bag);
    walk->marked |= trusted;
    walk->certificates[walk->certificate_count++] =
        (struct bag_certificate){.certificate = certificate, .id = bag_id(bag), .trusted = trusted};
    return PS_OK;
}

static enum ps_status bags_read(struct walk *walk, const STACK_OF(PKCS12_SAFEBAG) * bags, unsigned depth)
{
    enum ps_status status = PS_OK;
    for (int i = 0; status == PS_OK && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
        switch (PKCS12_SAFEBAG_get_nid(bag)) {
        case NID_keyBag:
        case NID_pkcs8ShroudedKeyBag:
            status = key_bag(walk, bag);
            break;
        case NID_certBag:
            status = certificate_bag(walk, bag);
            break;
        case NID_safeContentsBag:
            if (depth < PKCS12_DEPTH_MAX)
                status = bags_read(walk, PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
            break;
        default: /* CRLs and secrets: not used for TLS */
            break;
        }
    }
    return status;
}

/* Verifies the password with the store's MAC. Without a MAC, the first decryption verifies it. */
static enum ps_status mac_verify(struct walk *walk, PKCS12 *p12)
{
    const ASN1_INTEGER *iterations = NULL;
    int64_t count = 1;
    walk->password = walk->input->password;
    if (!PKCS12_mac_present(p12))
        return PS_OK;
    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, p12);
    if (iterations != NULL && (!ASN1_INTEGER_get_int64(&count, iterations) || count > PKCS12_ITERATIONS_MAX))
        return too_slow(walk);
    if (walk->input->password == NULL || walk->input->password[0] == '\0') {
        /* PKCS#12 distinguishes no password from an empty one. If no password is given, the store is read without
         * verification, as in Java. */
        walk->password = PKCS12_verify_mac(p12, "", 0) ? "" : NULL;
        if (walk->password != NULL || walk->input->password == NULL || PKCS12_verify_mac(p12, NULL, 0))
            return PS_OK;
    } else if (PKCS12_verify_mac(p12, walk->password, password_length(walk->password))) {
        return PS_OK;
    }
    return decrypt_failed(walk, PS_KEYSTORE_PASSWORD, "store");
}

static enum ps_status safes_read(struct walk *walk, const STACK_OF(PKCS7) * safes,
                                 STACK_OF(PKCS12_SAFEBAG) * *kept, int kept_max)
{
    for (int i = 0; i < sk_PKCS7_num(safes); i++) {
        PKCS7 *safe = sk_PKCS7_value(safes, i);
        STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
        if (i >= kept_max)
            return ps_err_set(walk->err, "more than %d safes", kept_max);
        ERR_clear_error();
        if (PKCS7_type_is_data(safe)) {
            bags = PKCS12_unpack_p7data(safe);
            if (bags == NULL)
                return ps_err_set(walk->err, "the PKCS12 store is broken");
        } else if (PKCS7_type_is_encrypted(safe)) {
            if (safe->d.encrypted == NULL || safe->d.encrypted->enc_data == NULL)
                return ps_err_set(walk->err, "the PKCS12 store is broken");
            if (pbe_iterations(safe->d.encrypted->enc_data->algorithm, false) > PKCS12_ITERATIONS_MAX)
                return too_slow(walk);
            bags = PKCS12_unpack_p7encdata(safe, walk->password, password_length(walk->password));
            if (bags == NULL && walk->input->password == NULL) {
                walk->input->blame = PS_KEYSTORE_PASSWORD;
                return ps_err_set(walk->err, "the PKCS12 store is encrypted and no password is configured");
            }
            if (bags == NULL)
                return decrypt_failed(walk, PS_KEYSTORE_PASSWORD, "certificates of the store");
        } else {
            continue;
        }
        kept[i] = bags; /* the ids of keys and certificates point into them */
        if (bags_read(walk, bags, 0) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

/* Returns the certificate of a key: the one with its localKeyID, else the one with its public key. */
static X509 *leaf_find(const struct walk *walk, const struct bag_key *key)
{
    for (size_t i = 0; key->id != NULL && i < walk->certificate_count; i++) {
        const struct bag_certificate *c = &walk->certificates[i];
        if (c->id != NULL && ASN1_OCTET_STRING_cmp(c->id, key->id) == 0 &&
            X509_check_private_key(c->certificate, key->key) == 1)
            return c->certificate;
    }
    for (size_t i = 0; i < walk->certificate_count; i++) {
        if (X509_check_private_key(walk->certificates[i].certificate, key->key) == 1)
            return walk->certificates[i].certificate;
    }
    return NULL;
}

/* Returns the chain: the leaf, its issuer, the issuer's issuer, and so on while the store has them. */
static STACK_OF(X509) * chain_build(const struct walk *walk, X509 *leaf)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *last = leaf;
    while (chain != NULL && last != NULL && sk_X509_num(chain) < PS_KEYSTORE_CHAIN_MAX) {
        if (!X509_up_ref(last) || sk_X509_push(chain, last) <= 0)
            break;
        X509 *issuer = NULL;
        for (size_t i = 0; i < walk->certificate_count && X509_check_issued(last, last) != X509_V_OK; i++) {
            X509 *candidate = walk->certificates[i].certificate;
            if (candidate != last && X509_check_issued(candidate, last) == X509_V_OK) {
                issuer = candidate;
                break;
            }
        }
        last = issuer;
    }
    return chain;
}

static enum ps_status entries_make(struct ps_keystore *store, struct walk *walk)
{
    for (size_t i = 0; i < walk->key_count; i++) {
        struct bag_key *key = &walk->keys[i];
        X509 *leaf = leaf_find(walk, key);
        STACK_OF(X509) *chain = leaf != NULL ? chain_build(walk, leaf) : NULL;
        if (chain == NULL || sk_X509_num(chain) == 0)
            continue;               /* a key without certificate */
        EVP_PKEY *taken = key->key; /* the store owns it now */
        key->key = NULL;
        const char *alias = key->alias != NULL ? key->alias : "";
        if (ps_keystore_add_key(store, alias, strlen(alias), taken, chain) != PS_OK)
            return ps_err_set(walk->err, "too many entries");
    }
    for (size_t i = 0; i < walk->certificate_count; i++) {
        const struct bag_certificate *c = &walk->certificates[i];
        bool anchor = c->trusted || (!walk->marked && !walk->key_entries) ||
                      (walk->input->trust_only && c->id != NULL); /* the leaf of a key that was not opened */
        if (anchor && ps_keystore_add_trusted(store, c->certificate) != PS_OK)
            return ps_err_set(walk->err, "too many certificates");
    }
    return PS_OK;
}

enum ps_status ps_keystore_pkcs12(struct ps_keystore *store, struct ps_keystore_input *input,
                                  struct ps_err *err)
{
    enum { SAFES_MAX = 64 };
    STACK_OF(PKCS12_SAFEBAG) * bags[SAFES_MAX] = {NULL};
    STACK_OF(PKCS7) *safes = NULL;
    enum ps_status status = PS_FAIL;
    struct walk *walk = ps_must_alloc(1, sizeof *walk, "a key store");
    *walk = (struct walk){.input = input, .err = err};
    walk_init(walk);

    const unsigned char *at = input->data;
    PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, walk->context, NULL);
    if (p12 == NULL || d2i_PKCS12(&p12, &at, (long)input->length) == NULL) {
        p12 = NULL; /* d2i freed it */
        ps_err_set(err, "not a PKCS12 store, or a broken one");
        goto out;
    }
    if (mac_verify(walk, p12) != PS_OK)
        goto out;
    safes = PKCS12_unpack_authsafes(p12);
    if (safes == NULL) {
        ps_err_set(err, "the PKCS12 store is broken");
        goto out;
    }
    if (safes_read(walk, safes, bags, SAFES_MAX) == PS_OK)
        status = entries_make(store, walk);
out:
    for (size_t i = 0; i < PS_COUNT_OF(bags); i++)
        sk_PKCS12_SAFEBAG_pop_free(bags[i], PKCS12_SAFEBAG_free);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    PKCS12_free(p12);
    walk_fini(walk);
    free(walk);
    return status;
}
