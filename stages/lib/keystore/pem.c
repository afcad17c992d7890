/* PEM stores (KIP-651): private keys and certificates as text, in a file or in the configuration itself.
 *
 * In a .properties file a PEM is on one line, or has blanks where line ends were. Java's reader accepts that,
 * OpenSSL's does not, so every block is written again in OpenSSL's layout. All certificates of a store with a
 * private key, before or after the key, are its chain; without a private key, all are trust anchors.
 * Control thread only. */
#include "stages/lib/keystore/internal.h"
#include "core/text/ends.h"

#include <ctype.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define PEM_LABEL_MAX 64
#define PEM_LINE 64

struct block {
    char label[PEM_LABEL_MAX];
    char *text; /* in OpenSSL's layout, terminated */
    size_t length;
    bool sealed; /* an encrypted private key */
};

/* Copies a block's body: header lines ("Proc-Type: ...") as lines, the rest as base64 in lines of 64. */
static void body_lay_out(char *out, size_t *at, const char *body, const char *end)
{
    unsigned column = 0;
    while (body < end) {
        while (body < end && isspace((unsigned char)*body))
            body++;
        const char *line = body;
        while (line < end && *line != '\n' && *line != '\r' && *line != ':')
            line++;
        if (line < end && *line == ':') {
            while (body < end && *body != '\n' && *body != '\r')
                out[(*at)++] = *body++;
            out[(*at)++] = '\n';
            if (body + 1 < end &&
                (memcmp(body, "\n\n", 2) == 0 || (end - body > 3 && memcmp(body, "\r\n\r\n", 4) == 0)))
                out[(*at)++] = '\n'; /* the empty line that ends the headers */
            continue;
        }
        for (; body < end && *body != '\n' && *body != '\r'; body++) {
            if (isspace((unsigned char)*body))
                continue;
            out[(*at)++] = *body;
            if (++column == PEM_LINE) {
                out[(*at)++] = '\n';
                column = 0;
            }
        }
    }
    if (column > 0)
        out[(*at)++] = '\n';
}

/* Finds the next block at or after `*cursor`. Returns false at the end; `*broken`: a block is not closed. */
static bool block_next(const char **cursor, const char *end, struct block *block, bool *broken)
{
    static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ", dashes[] = "-----";
    const char *begin = memmem(*cursor, (size_t)(end - *cursor), begin_mark, sizeof begin_mark - 1);
    if (begin == NULL)
        return false;
    *broken = true;
    const char *label = begin + sizeof begin_mark - 1;
    const char *body = memmem(label, (size_t)(end - label), dashes, sizeof dashes - 1);
    if (body == NULL || body - label >= PEM_LABEL_MAX || memchr(label, '\n', (size_t)(body - label)) != NULL)
        return false;
    size_t label_length = (size_t)(body - label);
    memcpy(block->label, label, label_length);
    block->label[label_length] = '\0';
    body += sizeof dashes - 1;
    const char *stop = memmem(body, (size_t)(end - body), end_mark, sizeof end_mark - 1);
    if (stop == NULL)
        return false;
    const char *after = stop + sizeof end_mark - 1;
    if ((size_t)(end - after) < label_length + sizeof dashes - 1 ||
        memcmp(after, block->label, label_length) != 0 ||
        memcmp(after + label_length, dashes, sizeof dashes - 1) != 0)
        return false;
    *cursor = after + label_length + sizeof dashes - 1;
    *broken = false;

    block->length = 2 * (size_t)(stop - body) + 2 * label_length + 64;
    block->text = ps_must_alloc(1, block->length, "a key store");
    size_t at = 0;
    at += (size_t)sprintf(block->text, "-----BEGIN %s-----\n", block->label);
    body_lay_out(block->text, &at, body, stop);
    sprintf(block->text + at, "-----END %s-----\n", block->label);
    block->sealed = strcmp(block->label, "ENCRYPTED PRIVATE KEY") == 0 ||
                    memmem(body, (size_t)(stop - body), "4,ENCRYPTED", 11) != NULL;
    return true;
}

static void block_wipe(struct block *block)
{
    OPENSSL_cleanse(block->text, block->length);
    free(block->text);
}

static int password_give(char *buffer, int size, int, void *argument)
{
    const char *password = argument;
    if (password == NULL)
        return -1;
    size_t length = strlen(password);
    if (length > (size_t)size)
        return -1;
    memcpy(buffer, password, length);
    return (int)length;
}

static EVP_PKEY *key_read(const struct block *block, struct ps_keystore_input *input, struct ps_err *err)
{
    if (block->sealed && input->key_password == NULL) {
        input->blame = PS_KEYSTORE_KEY_PASSWORD;
        ps_err_set(err, "the private key is encrypted and no key password is configured");
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(block->text, -1);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, password_give,
                                                          (void *)(uintptr_t)input->key_password)
                                : NULL;
    BIO_free(bio);
    if (key == NULL && block->sealed) {
        input->blame = PS_KEYSTORE_KEY_PASSWORD;
        ps_err_set(err, "wrong password for the private key");
    } else if (key == NULL) {
        ps_err_set(err, "a block \"%s\" is not a private key", block->label);
    }
    return key;
}

static enum ps_status certificate_read(const struct block *block, STACK_OF(X509) * out, struct ps_err *err)
{
    BIO *bio = BIO_new_mem_buf(block->text, -1);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (certificate == NULL)
        return ps_err_set(err, "certificate %d is broken", sk_X509_num(out) + 1);
    if (sk_X509_num(out) >= PS_KEYSTORE_ENTRIES_MAX || sk_X509_push(out, certificate) <= 0) {
        X509_free(certificate);
        return ps_err_set(err, "too many certificates");
    }
    return PS_OK;
}

static bool is_private_key(const char *label)
{
    return ps_text_ends(label, "PRIVATE KEY");
}

static bool is_certificate(const char *label)
{
    return strcmp(label, "CERTIFICATE") == 0 || strcmp(label, "X509 CERTIFICATE") == 0 ||
           strcmp(label, "TRUSTED CERTIFICATE") == 0;
}

/* Moves the leaf to the front: openssl and Java write the leaf first, but other programs may not. */
static bool leaf_to_front(STACK_OF(X509) * chain, EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (X509_check_private_key(sk_X509_value(chain, i), key) == 1) {
            X509 *leaf = sk_X509_delete(chain, i);
            if (sk_X509_insert(chain, leaf, 0) > 0)
                return true;
            X509_free(leaf);
            return false;
        }
    }
    return false;
}

static enum ps_status entries_make(struct ps_keystore *store, EVP_PKEY **key, STACK_OF(X509) * *certificates,
                                   struct ps_err *err)
{
    if (*key == NULL) {
        for (int i = 0; i < sk_X509_num(*certificates); i++) {
            if (ps_keystore_add_trusted(store, sk_X509_value(*certificates, i)) != PS_OK)
                return ps_err_set(err, "too many certificates");
        }
        return PS_OK;
    }
    if (!leaf_to_front(*certificates, *key))
        return ps_err_set(err, "no certificate belongs to the private key");
    EVP_PKEY *given_key = *key;
    STACK_OF(X509) *given = *certificates;
    *key = NULL;
    *certificates = NULL;
    if (ps_keystore_add_key(store, "", 0, given_key, given) != PS_OK)
        return ps_err_set(err, "too many entries");
    return PS_OK;
}

enum ps_status ps_keystore_pem(struct ps_keystore *store, struct ps_keystore_input *input, struct ps_err *err)
{
    const char *cursor = (const char *)input->data, *end = cursor + input->length;
    STACK_OF(X509) *certificates = sk_X509_new_null();
    EVP_PKEY *key = NULL;
    struct block block;
    bool broken = false;
    enum ps_status status = PS_OK;

    while (status == PS_OK && block_next(&cursor, end, &block, &broken)) {
        if (is_private_key(block.label) && key == NULL && !input->trust_only) {
            key = key_read(&block, input, err);
            status = key != NULL ? PS_OK : PS_FAIL;
        } else if (is_certificate(block.label)) {
            status = certificate_read(&block, certificates, err);
        }
        block_wipe(&block);
    }
    if (status == PS_OK && broken)
        status = ps_err_set(err, "a PEM block is cut off");
    if (status == PS_OK)
        status = entries_make(store, &key, &certificates, err);
    EVP_PKEY_free(key);
    sk_X509_pop_free(certificates, X509_free);
    return status;
}
