/* Java's key and trust stores: JKS, PKCS12 and PEM, read into OpenSSL's objects.
 *
 * Called by the control thread while a plan is checked or built (stages/lib/tls/tls.c for servers,
 * stages/lib/kafka/security/tls.c for Kafka clients). Never writes a store, never prints a password, never uses the
 * network.
 *
 * The kind of a store is detected from its bytes, as in Java: since JDK 9 keytool makes PKCS12 even if type
 * JKS is configured, and Java's JKS reads both. A configured type of another kind (JCEKS, BCFKS, PKCS11) is
 * used only for the error message, if the bytes are of no known kind.
 *
 * Choice of the key: Java's key manager chooses among all private keys by the kind of key that the peer
 * wants, in an undefined order. Here the keys keep the order of the file: a server offers the first of each
 * kind (RSA, EC, ...), a client uses the first. */
#pragma once

#include "core/status.h"

struct evp_pkey_st;   /* OpenSSL's EVP_PKEY */
struct stack_st_X509; /* OpenSSL's STACK_OF(X509) */

#define PS_KEYSTORE_BYTES_MAX (8 * 1024 * 1024) /* a store file; Java's own trust store is 0.2 MiB */
#define PS_KEYSTORE_ENTRIES_MAX 4096            /* keys and certificates together */
#define PS_KEYSTORE_PASSWORD_MAX 1024           /* bytes of UTF-8 */

struct ps_keystore_request {
    const char *path;         /* the file; NULL: the store is `text` */
    const char *text;         /* PEM text in the configuration itself, if `path` is NULL */
    const char *type;         /* as configured; NULL: none */
    const char *password;     /* NULL: none; a JKS is then read without its integrity check, as in Java */
    const char *key_password; /* NULL: the password of the store */
    /* The configuration keys of these values, for messages: "ssl.keystore.location", "keystore". */
    const char *path_key;
    const char *password_key;
    const char *key_password_key; /* NULL: password_key */
    bool trust_only;              /* do not open private keys (a trust store with an unknown key password) */
};

struct ps_keystore_key {
    char *alias;                 /* never NULL */
    struct evp_pkey_st *key;     /* never NULL */
    struct stack_st_X509 *chain; /* leaf first; at least one certificate */
};

struct ps_keystore {
    const char *kind; /* "JKS", "PKCS12" or "PEM": detected from the bytes */
    size_t key_count;
    struct ps_keystore_key *keys; /* in file order */
    /* Trust anchors, like those of Java's trust manager: trusted certificates and the leaves of key entries.
     * Never NULL, may be empty. */
    struct stack_st_X509 *trusted;
};

/* Reads a store. On PS_FAIL `err` has store, key, reason and remedy. Owns: the caller closes the result.
 * Thread: control. */
enum ps_status ps_keystore_open(struct ps_keystore **store, const struct ps_keystore_request *request,
                                struct ps_err *err);

/* Frees the store and overwrites its private keys. NULL is allowed. */
void ps_keystore_close(struct ps_keystore *store);

/* Return the PEM text of a private key (PKCS#8, not encrypted), and of the certificates of a chain or
 * of all trust anchors. Terminated; NULL when there is nothing to write or no memory. Owns: the caller,
 * which frees it with ps_keystore_wipe. */
char *ps_keystore_key_pem(const struct ps_keystore_key *key);
char *ps_keystore_certificates_pem(const struct stack_st_X509 *certificates);

/* Overwrites and frees a text of these functions; NULL is allowed. */
void ps_keystore_wipe(char *pem);
