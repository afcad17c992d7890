#include "stages/lib/encryption/credentials.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text/list.h"
#include "stages/lib/encryption/jceks.h"
#include "stages/lib/encryption/key/file.h"

#define PATH_BYTES 4096U

/* Reads the password of the stores, from the places where Hadoop looks for it. */
static enum ps_status find_password(const struct ps_credentials *credentials,
                                    char password[PS_JCEKS_PASSWORD_MAX + 1], struct ps_err *err)
{
    const char *environment = getenv("HADOOP_CREDSTORE_PASSWORD"), *name = credentials->password_file;
    if (environment == NULL && name != NULL && *name != '\0') {
        char path[PATH_BYTES];
        bool joined = credentials->folder != NULL && *name != '/';
        snprintf(path, sizeof path, "%s%s%s", joined ? credentials->folder : "", joined ? "/" : "", name);
        return ps_password_file_read(path, password, PS_JCEKS_PASSWORD_MAX + 1, err) ? PS_OK : PS_FAIL;
    }
    const char *text = environment != NULL ? environment : "none";
    if (strlen(text) > PS_JCEKS_PASSWORD_MAX)
        return ps_err_set(err, "HADOOP_CREDSTORE_PASSWORD is longer than %u bytes", PS_JCEKS_PASSWORD_MAX);
    memcpy(password, text, strlen(text) + 1);
    return PS_OK;
}

/* Returns the file of a provider's URL; NULL if it is not on this machine. */
static const char *path_of(const char *url)
{
    static const char *const schemes[] = {"jceks://file/", "localjceks://file/"};
    for (size_t i = 0; i < PS_COUNT_OF(schemes); i++) {
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            return url + strlen(schemes[i]) - 1;
    }
    return NULL;
}

/* Reads the secret from one store. Sets `*found` if the store has it. */
static enum ps_status read_store(const char *path, const char *password, const char *alias, char *secret,
                                 bool *found, struct ps_err *err)
{
    struct ps_jceks store = {.password = password};
    uint8_t *bytes = ps_jceks_file_read(path, &store.length, err);
    struct ps_err reason = {.length = 0};
    size_t length = 0;
    if (bytes == NULL)
        return PS_FAIL;
    store.bytes = bytes;
    enum ps_status status =
        ps_jceks_read(&store, alias, password, (uint8_t *)secret, PS_CREDENTIAL_BYTES_MAX, &length, &reason);
    free(bytes);
    *found = status == PS_OK && length > 0;
    if (status != PS_OK)
        return ps_err_set(err, "%s: %s", path, reason.text);
    secret[length] = '\0';
    if (*found && memchr(secret, '\0', length) != NULL)
        return ps_err_set(err, "%s: the secret of %s has a zero byte", path, alias);
    return PS_OK;
}

/* Hadoop opens every store before it looks into the first one, so one unreadable store leaves all of them
 * without a value. */
static enum ps_status try_store(const char *path, const char *password, struct ps_err *err)
{
    char nothing[PS_CREDENTIAL_BYTES_MAX + 1];
    bool found;
    enum ps_status status = read_store(path, password, "", nothing, &found, err);
    OPENSSL_cleanse(nothing, sizeof nothing);
    return status;
}

static enum ps_status read_stores(const char *providers, const char *password, const char *alias,
                                  char *secret, struct ps_err *err)
{
    char url[PATH_BYTES];
    bool found = false;
    struct ps_slice gone = {.length = 0}; /* the first missing store: Hadoop treats it as an empty one */
    const char *at = providers;
    struct ps_slice item;
    while (ps_list_next(&at, ", \t", &item)) {
        if (item.length >= sizeof url)
            return ps_err_set(err, "the URL of a credential provider is too long");
        snprintf(url, sizeof url, "%.*s", (int)item.length, item.data);
        const char *path = path_of(url);
        if (path == NULL && found) /* Hadoop can open this store, and uses the value of an earlier store */
            continue;
        if (path == NULL)
            return ps_err_set(
                err, "credential provider %s is not read; copy the store here and use jceks://file/PATH",
                url);
        if (access(path, F_OK) != 0 && errno == ENOENT) {
            if (gone.length == 0)
                gone = (struct ps_slice){at - strlen(path), (uint32_t)strlen(path)};
            continue;
        }
        enum ps_status status =
            found ? try_store(path, password, err) : read_store(path, password, alias, secret, &found, err);
        if (status != PS_OK)
            return PS_FAIL;
    }
    if (found)
        return PS_OK;
    return ps_err_set(err, "no credential store of %s has the alias %s%s%.*s%s", providers, alias,
                      gone.length > 0 ? ": " : "", (int)gone.length, gone.length > 0 ? gone.data : "",
                      gone.length > 0 ? " is not there" : "");
}

enum ps_status ps_credential_read(const struct ps_credentials *credentials, const char *alias,
                                  char secret[PS_CREDENTIAL_BYTES_MAX + 1], struct ps_err *err)
{
    char password[PS_JCEKS_PASSWORD_MAX + 1];
    enum ps_status status = find_password(credentials, password, err);
    if (status == PS_OK)
        status = read_stores(credentials->providers, password, alias, secret, err);
    OPENSSL_cleanse(password, sizeof password);
    if (status != PS_OK)
        OPENSSL_cleanse(secret, PS_CREDENTIAL_BYTES_MAX + 1);
    return status;
}
