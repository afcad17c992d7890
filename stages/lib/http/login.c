#include "stages/lib/http/login.h"

#include <string.h>
#include <strings.h>

#include "core/text/base64.h"
#include "stages/lib/tls/stage.h"

enum ps_status ps_http_sink_trust(const char *const *urls, size_t count, const char *ca, char **text,
                                  const struct ps_context *context, struct ps_err *err)
{
    bool is_secure = false;
    *text = NULL;
    for (size_t i = 0; i < count; i++)
        is_secure |= strncasecmp(urls[i], "https://", 8) == 0;
    return is_secure && ca == NULL ? ps_tls_stage_trust(text, context, err) : PS_OK;
}

enum ps_status ps_http_sink_login(struct ps_http_sink_plan *plan, struct ps_context *context,
                                  const char *user, const char *password, struct ps_err *err)
{
    const char *pair = ps_arena_format(context->arena, "%s:%s", user, password != NULL ? password : "");
    size_t length = strlen(pair);
    char *encoded = ps_arena_alloc(context->arena, length / 3 * 4 + 8);
    encoded[ps_base64_encode(encoded, pair, length)] = '\0';
    struct curl_slist *longer = curl_slist_append(
        plan->settings.headers, ps_arena_format(context->arena, "Authorization: Basic %s", encoded));
    if (longer == NULL)
        return ps_err_set(err, "no memory");
    plan->settings.headers = longer;
    return PS_OK;
}
