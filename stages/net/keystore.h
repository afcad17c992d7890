/* Key and trust stores as Java has them: JKS, PKCS12 and PEM, read into OpenSSL's objects.
 *
 * Called by the control thread while a plan is checked or built (stages/net/tls.c for servers, stages/kafka/tls.c
 * for Kafka clients). Never writes a store, never prints a password, never asks the network.
 *
 * As Java does, the bytes decide what a store is: since JDK 9 keytool makes PKCS12 even where a type of JKS
 * is configured, and Java's JKS reads both. A type that names something else (JCEKS, BCFKS, PKCS11) is only
 * looked at when the bytes are none of ours, for the message.
 *
 * Which key wins: Java's key manager chooses among all private keys by the kind of key the peer wants, in an
 * order that is not defined. Here the keys keep the order of the file: a server offers the first of each kind
 * (RSA, EC, ...), a client uses the first. */
#pragma once

#include "core/status.h"

struct evp_pkey_st;   /* OpenSSL's EVP_PKEY */
struct stack_st_X509; /* OpenSSL's STACK_OF(X509) */

#define PS_KEYSTORE_BYTES_MAX (8 * 1024 * 1024) /* a store file; Java's own trust store is 0.2 MiB */
#define PS_KEYSTORE_ENTRIES_MAX 4096            /* keys and certificates together */
#define PS_KEYSTORE_PASSWORD_MAX 1024           /* bytes of UTF-8 */

enum ps_keystore_fault {
    PS_KEYSTORE_SOUND,
    PS_KEYSTORE_UNREADABLE,         /* no such file, no permission, too large */
    PS_KEYSTORE_CORRUPT,            /* not a store, or a broken one */
    PS_KEYSTORE_WRONG_PASSWORD,     /* the store's own; for JKS also: altered after it was written */
    PS_KEYSTORE_WRONG_KEY_PASSWORD, /* the store opened, its private key did not */
    PS_KEYSTORE_UNSUPPORTED,        /* recognised, not read: the message says how to convert it */
};

struct ps_keystore_request {
    const char *path;         /* the file; or, for stores written in the configuration itself: */
    const char *text;         /* PEM text, when path is NULL */
    const char *type;         /* as configured; NULL = none */
    const char *password;     /* NULL = none: a JKS is then read without its integrity check, as in Java */
    const char *key_password; /* NULL = the store's */
    const char *path_key; /* what the user calls these, for messages: "ssl.keystore.location", "keystore" */
    const char *password_key;
    const char *key_password_key; /* NULL = password_key */
    bool trust_only; /* private keys are not opened (a trust store whose key password is unknown) */
};

struct ps_keystore_key {
    char *alias;                 /* never NULL */
    struct evp_pkey_st *key;     /* never NULL */
    struct stack_st_X509 *chain; /* leaf first; at least one */
};

struct ps_keystore {
    const char *kind; /* "JKS", "PKCS12" or "PEM": what the bytes were */
    size_t key_count;
    struct ps_keystore_key *keys;  /* in file order */
    struct stack_st_X509 *trusted; /* trust anchors, as Java's trust manager finds them: trusted certificates
                                      and the leaves of key entries; never NULL, may be empty */
};

/* Reads a store. PS_FAIL: `*fault` (may be NULL) says which kind of error, `err` names store, key, reason and
 * cure. Owns: the caller closes the result. Thread: control. */
enum ps_status ps_keystore_open(struct ps_keystore **store, const struct ps_keystore_request *request,
                                enum ps_keystore_fault *fault, struct ps_err *err);

/* Frees it; private keys are overwritten. NULL is fine. */
void ps_keystore_close(struct ps_keystore *store);

/* PEM text of a private key (PKCS#8, not encrypted), of certificates `from`.. of a chain, of all trust
 * anchors. Terminated; NULL when there is nothing to write or no memory. Owns: the caller, who gives it to
 * ps_keystore_wipe. */
char *ps_keystore_key_pem(const struct ps_keystore_key *key);
char *ps_keystore_certificates_pem(const struct stack_st_X509 *certificates, int from);

/* Overwrites and frees a text made above; NULL is fine. */
void ps_keystore_wipe(char *pem);
