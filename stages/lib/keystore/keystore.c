/* Key and trust stores: reading the file, detecting the kind, and what is common to all kinds. Control thread
 * only. See keystore.h; the readers are jks.c, pkcs12.c and pem.c. */
#include "stages/lib/keystore/keystore.h"

#include "stages/lib/keystore/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct ps_keystore *ps_keystore_create(void)
{
    struct ps_keystore *store = ps_must_alloc(1, sizeof *store, "a key store");
    store->trusted = sk_X509_new_null();
    if (store->trusted == NULL)
        ps_out_of_memory(0, "a key store");
    return store;
}

void ps_keystore_close(struct ps_keystore *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->key_count; i++) {
        free(store->keys[i].alias);
        EVP_PKEY_free(store->keys[i].key);
        sk_X509_pop_free(store->keys[i].chain, X509_free);
    }
    free(store->keys);
    sk_X509_pop_free(store->trusted, X509_free);
    free(store);
}

enum ps_status ps_keystore_add_trusted(struct ps_keystore *store, X509 *certificate)
{
    for (int i = 0; i < sk_X509_num(store->trusted); i++) {
        if (X509_cmp(sk_X509_value(store->trusted, i), certificate) == 0)
            return PS_OK;
    }
    if (sk_X509_num(store->trusted) >= PS_KEYSTORE_ENTRIES_MAX || !X509_up_ref(certificate))
        return PS_FAIL;
    if (sk_X509_push(store->trusted, certificate) <= 0) {
        X509_free(certificate);
        return PS_FAIL;
    }
    return PS_OK;
}

enum ps_status ps_keystore_add_key(struct ps_keystore *store, const char *alias, size_t alias_length,
                                   EVP_PKEY *key, STACK_OF(X509) * chain)
{
    if (store->key_count >= PS_KEYSTORE_ENTRIES_MAX ||
        ps_keystore_add_trusted(store, sk_X509_value(chain, 0)) != PS_OK) {
        EVP_PKEY_free(key);
        sk_X509_pop_free(chain, X509_free);
        return PS_FAIL;
    }
    store->keys = ps_must_realloc(store->keys, (store->key_count + 1) * sizeof *store->keys, "a key store");
    store->keys[store->key_count++] =
        (struct ps_keystore_key){.alias = strndup(alias, alias_length), .key = key, .chain = chain};
    return PS_OK;
}

/* Reads the whole file. Returns NULL with a message that does not name the file. */
static uint8_t *file_read(const struct ps_keystore_request *request, size_t *length, struct ps_err *err)
{
    uint8_t *data = NULL;
    struct stat facts;
    int fd = open(request->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &facts) != 0) {
        ps_err_set(err, "cannot read the file: %s", strerror(errno));
        goto out;
    }
    if (!S_ISREG(facts.st_mode) || facts.st_size > PS_KEYSTORE_BYTES_MAX) {
        ps_err_set(err, "%s",
                   S_ISREG(facts.st_mode) ? "larger than 8 MiB: not a key store" : "not a regular file");
        goto out;
    }
    data = ps_must_alloc(1, (size_t)facts.st_size + 1, "a key store");
    size_t got = 0;
    while (got < (size_t)facts.st_size) {
        ssize_t n = read(fd, data + got, (size_t)facts.st_size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    *length = got;
out:
    if (fd >= 0)
        close(fd);
    return data;
}

static bool begins_with(struct ps_keystore_input *input, uint32_t magic)
{
    return input->length >= 4 && input->data[0] == (uint8_t)(magic >> 24) &&
           input->data[1] == (uint8_t)(magic >> 16) && input->data[2] == (uint8_t)(magic >> 8) &&
           input->data[3] == (uint8_t)magic;
}

static enum ps_status read_by_kind(struct ps_keystore *store, struct ps_keystore_input *input,
                                   const char *type, const char *path, struct ps_err *err)
{
    static const char *const foreign[] = {"JCEKS", "DKS", "BKS", "UBER", "BCFKS", "BCPKCS12", "PKCS11"};
    if (begins_with(input, 0xfeedfeed)) {
        store->kind = "JKS";
        return ps_keystore_jks(store, input, err);
    }
    if (begins_with(input, 0xcececece))
        return ps_err_set(err,
                          "a JCEKS store cannot be read; convert it: keytool -importkeystore -srcstoretype "
                          "JCEKS -srckeystore %s -deststoretype PKCS12 -destkeystore %s.p12",
                          path, path);
    if (memmem(input->data, input->length, "-----BEGIN ", 11) != NULL) {
        store->kind = "PEM";
        return ps_keystore_pem(store, input, err);
    }
    if (input->length > 2 && input->data[0] == 0x30) {
        store->kind = "PKCS12";
        return ps_keystore_pkcs12(store, input, err);
    }
    for (size_t i = 0; type != NULL && i < PS_COUNT_OF(foreign); i++) {
        if (strcasecmp(type, foreign[i]) == 0)
            return ps_err_set(
                err,
                "stores of type %s cannot be read; convert it: keytool -importkeystore -srcstoretype %s "
                "-srckeystore %s -deststoretype PKCS12 -destkeystore %s.p12",
                foreign[i], foreign[i], path, path);
    }
    return ps_err_set(err, "%s", input->length == 0 ? "the file is empty" : "not a JKS, PKCS12 or PEM store");
}

static const char *path_of(const struct ps_keystore_request *request)
{
    return request->path != NULL ? request->path : "(in the configuration)";
}

static bool is_too_long(const char *password)
{
    return password != NULL && strlen(password) > PS_KEYSTORE_PASSWORD_MAX;
}

/* Checks the passwords and gets the store's bytes. *owned: the bytes if they were read from a file; the caller
 * frees them. */
static enum ps_status input_get(struct ps_keystore_input *input, uint8_t **owned,
                                const struct ps_keystore_request *request, struct ps_err *err)
{
    *owned = NULL;
    *input = (struct ps_keystore_input){
        .password = request->password,
        .key_password = request->key_password != NULL ? request->key_password : request->password,
        .trust_only = request->trust_only,
    };
    if (is_too_long(input->password) || is_too_long(input->key_password))
        input->blame = PS_KEYSTORE_PASSWORD;
    if (input->blame == PS_KEYSTORE_PASSWORD)
        return ps_err_set(err, "a password is longer than %d bytes", PS_KEYSTORE_PASSWORD_MAX);
    if (request->path != NULL) {
        input->data = *owned = file_read(request, &input->length, err);
        return *owned != NULL ? PS_OK : PS_FAIL;
    }
    input->data = (const uint8_t *)request->text;
    input->length = strlen(request->text);
    if (input->length > PS_KEYSTORE_BYTES_MAX)
        return ps_err_set(err, "larger than 8 MiB: not a key store");
    return PS_OK;
}

/* Names the store in the message, and the configuration key of the password that did not open the store. */
static void name_store(const struct ps_keystore_request *request, enum ps_keystore_blame blame,
                       struct ps_err *err)
{
    const char *path = path_of(request);
    bool own_password = request->key_password_key != NULL && request->key_password != NULL;
    if (blame == PS_KEYSTORE_KEY_PASSWORD)
        ps_err_append(err, "%s: store %s, key password from %s", request->path_key, path,
                      own_password ? request->key_password_key : request->password_key);
    else if (blame == PS_KEYSTORE_PASSWORD)
        ps_err_append(err, "%s: store %s, password from %s", request->path_key, path, request->password_key);
    else
        ps_err_append(err, "%s: store %s", request->path_key, path);
}

enum ps_status ps_keystore_open(struct ps_keystore **store, const struct ps_keystore_request *request,
                                struct ps_err *err)
{
    *store = NULL;
    struct ps_keystore *made = ps_keystore_create();
    struct ps_keystore_input input;
    uint8_t *file;
    enum ps_status status = input_get(&input, &file, request, err);
    if (status == PS_OK) {
        ERR_clear_error();
        status = read_by_kind(made, &input, request->type, path_of(request), err);
        ERR_clear_error();
    }
    if (status == PS_OK) {
        *store = made;
    } else {
        name_store(request, input.blame, err);
        ps_keystore_close(made);
    }
    if (file != NULL) {
        OPENSSL_cleanse(file, input.length);
        free(file);
    }
    return status;
}

/* Copies the text of a memory BIO, overwrites the BIO's own copy and frees it. */
static char *bio_text(BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    char *text = length > 0 ? strndup(data, (size_t)length) : NULL;
    if (length > 0)
        OPENSSL_cleanse(data, (size_t)length);
    BIO_free(bio);
    return text;
}

char *ps_keystore_key_pem(const struct ps_keystore_key *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL)
        return NULL;
    if (!PEM_write_bio_PKCS8PrivateKey(bio, key->key, NULL, NULL, 0, NULL, NULL)) {
        BIO_free(bio);
        return NULL;
    }
    return bio_text(bio);
}

char *ps_keystore_certificates_pem(const struct stack_st_X509 *certificates)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL)
        return NULL;
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        if (!PEM_write_bio_X509(bio, sk_X509_value(certificates, i))) {
            BIO_free(bio);
            return NULL;
        }
    }
    return bio_text(bio);
}

void ps_keystore_wipe(char *pem)
{
    if (pem == NULL)
        return;
    OPENSSL_cleanse(pem, strlen(pem));
    free(pem);
}
