#include "stages/lib/http/login.h"

#include <string.h>

#include "core/text/base64.h"

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
