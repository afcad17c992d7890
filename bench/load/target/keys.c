#include "bench/load/target/keys.h"

#include "core/quantity.h"

#include <stdio.h>
#include <string.h>

enum ps_status ps_target_key_bool(struct ps_url *url, const char *name, bool *value, struct ps_err *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "0", "1", NULL};
    unsigned word = *value;
    if (ps_target_key_word(url, name, words, &word, err) != PS_OK)
        return PS_FAIL;
    *value = word & 1;
    return PS_OK;
}

enum ps_status ps_target_key_count(struct ps_url *url, const char *name, uint64_t min, uint64_t max,
                                   uint64_t *value, struct ps_err *err)
{
    const char *text = ps_url_get(url, name, NULL);
    return text == NULL ? PS_OK : ps_quantity_count(name, text, min, max, value, err);
}

enum ps_status ps_target_key_bytes(struct ps_url *url, const char *name, uint64_t *value, struct ps_err *err)
{
    const char *text = ps_url_get(url, name, NULL);
    return text == NULL ? PS_OK : ps_quantity_bytes(name, text, value, err);
}

enum ps_status ps_target_key_word(struct ps_url *url, const char *name, const char *const *words,
                                  unsigned *value, struct ps_err *err)
{
    const char *text = ps_url_get(url, name, NULL);
    char all[256];
    size_t at = 0;
    if (text == NULL)
        return PS_OK;
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *value = i;
            return PS_OK;
        }
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i > 0 ? ", " : "", words[i]);
        PS_ASSERT(at < sizeof all);
    }
    return ps_err_set(err, "%s=%s: use one of %s", name, text, all);
}

enum ps_status ps_target_key_tls(struct ps_url *url, struct ps_tls_client **client, struct ps_err *err)
{
    struct ps_tls_client_settings settings = {.verify = true};
    if (ps_target_key_bool(url, "verify", &settings.verify, err) != PS_OK)
        return PS_FAIL;
    settings.server_name = ps_url_get(url, "server-name", url->host);
    settings.ca = ps_url_get(url, "ca", NULL);
    settings.cert = ps_url_get(url, "cert", NULL);
    settings.key = ps_url_get(url, "key", NULL);
    return ps_tls_client_create(client, &settings, err);
}
