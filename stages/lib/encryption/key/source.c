#include "stages/lib/encryption/key/source.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stages/lib/encryption/jceks.h"
#include "stages/lib/encryption/key/class.h"
#include "stages/lib/encryption/key/file.h"

/* Returns the value of NAME.`suffix`, or NULL. */
static const char *property_of(const struct ps_key_source *source, const char *name, const char *suffix)
{
    size_t length = strlen(name);
    const char *value = NULL;
    for (size_t i = 0; i < source->properties.count; i++) {
        const char *key = source->properties.items[i].key;
        if (strncmp(key, name, length) == 0 && key[length] == '.' && strcmp(key + length + 1, suffix) == 0)
            value = source->properties.items[i].value;
    }
    return value;
}

bool ps_key_source_is_class(const struct ps_key_source *source)
{
    return source->provider != NULL && strchr(source->provider, '.') != NULL;
}

void ps_key_source_complete(struct ps_key_source *source, const char *active_key, struct ps_arena *arena)
{
    if (!ps_key_source_is_class(source) || active_key == NULL)
        return;
    const char **names = ps_arena_alloc(arena, (source->names.count + 1) * sizeof *names);
    for (size_t i = 0; i < source->names.count; i++) {
        names[i] = source->names.items[i];
        if (strcmp(names[i], active_key) == 0)
            return;
    }
    names[source->names.count] = active_key;
    source->names = (struct ps_texts){source->names.count + 1, names};
}

enum ps_status ps_key_source_check(const struct ps_key_source *source, struct ps_err *err)
{
    if (source->provider == NULL)
        return ps_err_set(err, "encryption.keyProvider is missing: KEYFILE or JCEKSFILE");
    bool is_class = ps_key_source_is_class(source);
    bool is_store = strcasecmp(source->provider, "JCEKSFILE") == 0;
    if (!is_class && !is_store && strcasecmp(source->provider, "KEYFILE") != 0)
        return ps_err_set(err,
                          "encryption.keyProvider %s is not known: KEYFILE, JCEKSFILE, or the whole name of "
                          "a Java class",
                          source->provider);
    if (is_store && source->store_file == NULL)
        return ps_err_set(err, "encryption.keyProvider.keyStoreFile is missing");
    if (is_store && source->store_password_file == NULL)
        return ps_err_set(err, "encryption.keyProvider.keyStorePasswordFile is missing");
    if (source->names.count == 0 && !is_class)
        return ps_err_set(err, "encryption.keyProvider.keys names no key");
    for (size_t i = 0; i < source->names.count; i++) {
        const char *name = source->names.items[i];
        if (strlen(name) > PS_KEY_NAME_BYTES_MAX)
            return ps_err_set(err, "the name of a key has at most %u bytes: %s", PS_KEY_NAME_BYTES_MAX, name);
        if (!is_class && !is_store && property_of(source, name, "keyFile") == NULL)
            return ps_err_set(
                err, "encryption.keyProvider.keys.%s.keyFile is missing: the path of the file with the key",
                name);
    }
    return PS_OK;
}

void ps_key_source_files(const struct ps_key_source *source, void (*add)(void *argument, const char *path),
                         void *argument)
{
    if (ps_key_source_is_class(source)) /* the files that the class reads are not known */
        return;
    const char *const of_store[] = {source->store_file, source->store_password_file};
    for (size_t i = 0; i < PS_COUNT_OF(of_store); i++) {
        if (of_store[i] != NULL)
            add(argument, of_store[i]);
    }
    for (size_t i = 0; i < source->names.count; i++) {
        const char *file = property_of(source, source->names.items[i], "keyFile");
        if (file == NULL)
            file = property_of(source, source->names.items[i], "passwordFile");
        if (file != NULL)
            add(argument, file);
    }
}

/* ---- JCEKSFILE ---- */

static enum ps_status add_from_store(struct ps_key_ring *ring, const struct ps_key_source *source,
                                     const struct ps_jceks *store, const char *name, struct ps_err *err)
{
    char password[PS_JCEKS_PASSWORD_MAX + 1];
    struct ps_err reason = {0};
    const char *file = property_of(source, name, "passwordFile");
    enum ps_status status = PS_FAIL;
    if (ps_password_file_read(file != NULL ? file : source->store_password_file, password, sizeof password,
                              err)) {
        status = ps_jceks_add(ring, store, name, password, &reason);
        if (status != PS_OK)
            ps_err_set(err, "%s: %s", source->store_file, reason.text);
    }
    OPENSSL_cleanse(password, sizeof password);
    return status;
}

static enum ps_status load_store(struct ps_key_ring *ring, const struct ps_key_source *source,
                                 struct ps_err *err)
{
    char password[PS_JCEKS_PASSWORD_MAX + 1];
    struct ps_jceks store = {.password = password};
    uint8_t *bytes = ps_jceks_file_read(source->store_file, &store.length, err);
    bool good =
        bytes != NULL && ps_password_file_read(source->store_password_file, password, sizeof password, err);
    enum ps_status status = good ? PS_OK : PS_FAIL;
    store.bytes = bytes;
    for (size_t i = 0; status == PS_OK && i < source->names.count; i++)
        status = add_from_store(ring, source, &store, source->names.items[i], err);
    OPENSSL_cleanse(password, sizeof password);
    free(bytes);
    return status;
}

/* ---- all ---- */

static enum ps_status load_files(struct ps_key_ring *ring, const struct ps_key_source *source,
                                 struct ps_err *err)
{
    enum ps_status status = PS_OK;
    for (size_t i = 0; status == PS_OK && i < source->names.count; i++)
        status = ps_key_file_add(ring, source->names.items[i],
                                 property_of(source, source->names.items[i], "keyFile"), err);
    return status;
}

struct ps_key_ring *ps_key_source_load(const struct ps_key_source *source, struct ps_err *err)
{
    struct ps_key_ring *ring = ps_key_ring_create();
    enum ps_status status = ps_key_source_check(source, err);
    if (status == PS_OK)
        status = ps_key_source_is_class(source)                   ? ps_key_class_load(ring, source, err)
                 : strcasecmp(source->provider, "JCEKSFILE") == 0 ? load_store(ring, source, err)
                                                                  : load_files(ring, source, err);
    if (status == PS_OK)
        return ring;
    ps_key_ring_destroy(ring);
    return NULL;
}
