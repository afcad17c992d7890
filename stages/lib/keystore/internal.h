/* Shared by keystore.c and its three readers. Nothing but this folder and tests includes it.
 *
 * Each reader gets the whole store in memory (at most PS_KEYSTORE_BYTES_MAX) and adds its entries to the
 * store. On failure it sets a message without the store's name, which ps_keystore_open adds.
 * All lengths in the input are checked. Thread: control. */
#pragma once

#include "stages/lib/keystore/keystore.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define PS_KEYSTORE_CHAIN_MAX 32 /* certificates of one key */

/* The password that did not open a store. */
enum ps_keystore_blame {
    PS_KEYSTORE_NO_PASSWORD,
    PS_KEYSTORE_PASSWORD,     /* of the store; for JKS also: the store was changed after it was written */
    PS_KEYSTORE_KEY_PASSWORD, /* the store opened, but its private key did not */
};

struct ps_keystore_input {
    const uint8_t *data;
    size_t length;
    const char *password;     /* may be NULL */
    const char *key_password; /* may be NULL */
    bool trust_only;
    enum ps_keystore_blame
        blame; /* set by the reader; the message then names the password's configuration key */
};

enum ps_status ps_keystore_jks(struct ps_keystore *store, struct ps_keystore_input *input,
                               struct ps_err *err);
enum ps_status ps_keystore_pkcs12(struct ps_keystore *store, struct ps_keystore_input *input,
                                  struct ps_err *err);
enum ps_status ps_keystore_pem(struct ps_keystore *store, struct ps_keystore_input *input,
                               struct ps_err *err);

/* Adds a private key. Takes over key and chain (frees them on failure). Copies the alias. */
enum ps_status ps_keystore_add_key(struct ps_keystore *store, const char *alias, size_t alias_length,
                                   EVP_PKEY *key, STACK_OF(X509) * chain);
/* Adds a trust anchor if it is not there yet; the certificate stays the caller's. */
enum ps_status ps_keystore_add_trusted(struct ps_keystore *store, X509 *certificate);

struct ps_keystore *ps_keystore_create(void);
