#include "stages/lib/http/urls.h"

#include "stages/lib/http/probe.h"

#include <string.h>
#include <strings.h>

enum ps_status ps_http_urls_check(const char *key, const char *url, const struct ps_context *context)
{
    char reason[160];
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
        const char *scheme = strstr(url, "://"), *at = strrchr(url, '@');
        const char *host = scheme != NULL ? scheme + 3 : url;
        /* what is before the last @ may be a password, which may have any letter */
        ps_report(context, PS_LOG_ERROR, key, "%.*s%s is not a URL of http or https", (int)(host - url), url,
                  at != NULL && at >= host ? at + 1 : host);
        return PS_FAIL;
    }
    if (ps_http_url_is_usable(url, reason, sizeof reason))
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, key, "%s", reason);
    return PS_FAIL;
}

void ps_http_urls_set(struct ps_http_sink_plan *plan, struct ps_context *context, const char *const *urls,
                      size_t count, const char *post, const char *other, const char *greeting)
{
    const char *authority = strstr(urls[0], "://"), *at = strrchr(urls[0], '@');
    plan->post_path = post;
    plan->other_path = other;
    plan->greeting_path = greeting;
    plan->scheme = ps_arena_format(context->arena, "%.*s",
                                   (int)((at != NULL          ? at + 1
                                          : authority != NULL ? authority + 3
                                                              : urls[0]) -
                                         urls[0]),
                                   urls[0]);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(urls[i]), room = length + 1;
        char *shown = ps_arena_alloc(context->arena, room);
        ps_http_print_url(urls[i], shown, room);
        while (length > 0 && urls[i][length - 1] == '/')
            length--;
        plan->hosts[i] = (struct ps_http_host){
            .url = ps_arena_format(context->arena, "%.*s%s", (int)length, urls[i], post),
            .other =
                other != NULL ? ps_arena_format(context->arena, "%.*s%s", (int)length, urls[i], other) : NULL,
            .greeting = ps_arena_format(context->arena, "%.*s%s", (int)length, urls[i], greeting),
            .shown = shown};
    }
    plan->host_count = (unsigned)count;
}

void ps_http_urls_print(const char *const *urls, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        char shown[256];
        ps_http_print_url(urls[i], shown, sizeof shown);
        fprintf(out, "%s %s", i > 0 ? "," : "", shown);
    }
}

void ps_http_urls_try(const char *const *urls, size_t count, const char *ca, const char *ca_text,
                      const struct ps_probe *probe)
{
    for (size_t i = 0; i < count; i++) {
        char shown[256];
        const struct ps_http_settings settings = {
            .url = urls[i],
            .connect_ns = probe->timeout_ms * PS_NS_PER_MS,
            .timeout_ns = probe->timeout_ms * PS_NS_PER_MS,
            .ca = ca,
            .ca_text = ca_text,
            .verify = true,
        };
        ps_http_print_url(urls[i], shown, sizeof shown);
        ps_http_probe(probe, &settings, shown);
    }
}
