#include "stages/encryption/key_source.h"

#include <string.h>
#include <strings.h>

#include "stages/encryption/key_file.h"

/* Returns the value of NAME.`suffix`; NULL: there is none. */
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

enum ps_status ps_key_source_check(const struct ps_key_source *source, struct ps_err *err)
{
    if (source->provider == NULL)
        return ps_err_set(err, "encryption.keyProvider is missing: KEYFILE reads keys from files");
    if (strcasecmp(source->provider, "KEYFILE") != 0)
        return ps_err_set(err, "encryption.keyProvider %s is not known: KEYFILE reads keys from files",
                          source->provider);
    if (source->names.count == 0)
        return ps_err_set(err, "encryption.keyProvider.keys names no key");
    for (size_t i = 0; i < source->names.count; i++) {
        const char *name = source->names.items[i];
        if (strlen(name) > PS_KEY_NAME_BYTES_MAX)
            return ps_err_set(err, "the name of a key has at most %u bytes: %s", PS_KEY_NAME_BYTES_MAX, name);
        if (property_of(source, name, "keyFile") == NULL)
            return ps_err_set(err, "encryption.keyProvider.keys.%s.keyFile is missing: the file with the key",
                              name);
    }
    return PS_OK;
}

struct ps_key_ring *ps_key_source_load(const struct ps_key_source *source, struct ps_err *err)
{
    struct ps_key_ring *ring = ps_key_ring_create();
    enum ps_status status = ps_key_source_check(source, err);
    for (size_t i = 0; status == PS_OK && i < source->names.count; i++)
        status = ps_key_file_add(ring, source->names.items[i],
                                 property_of(source, source->names.items[i], "keyFile"), err);
    if (status == PS_OK)
        return ring;
    ps_key_ring_destroy(ring);
    return NULL;
}
