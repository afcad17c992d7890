/* A self-signed certificate for servers of tests. */
#include "tests/support/peer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

static char certificate_file[64], key_file[64];

static void remove_files(void)
{
    unlink(certificate_file);
    unlink(key_file);
}

static void extension_add(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    PS_ASSERT(extension != NULL);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static FILE *file_make(char *name)
{
    strcpy(name, "/tmp/penstock-test-XXXXXX");
    int fd = mkstemp(name);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    PS_ASSERT(file != NULL);
    return file;
}

static void make(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    PS_ASSERT(key != NULL && certificate != NULL);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"penstock.test", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    extension_add(certificate, NID_basic_constraints, "critical,CA:TRUE");
    extension_add(certificate, NID_subject_alt_name, "IP:127.0.0.1,DNS:penstock.test");
    PS_ASSERT(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = file_make(certificate_file);
    PS_ASSERT(PEM_write_X509(file, certificate) == 1 && fclose(file) == 0);
    file = file_make(key_file);
    PS_ASSERT(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(file) == 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
    atexit(remove_files);
}

const char *ps_test_certificate_file(void)
{
    if (certificate_file[0] == '\0')
        make();
    return certificate_file;
}

const char *ps_test_certificate_key_file(void)
{
    ps_test_certificate_file();
    return key_file;
}
