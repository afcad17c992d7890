#include "stages/lib/http/jetty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_BYTES 8192 /* Jetty's */
#define HEAD_BYTES_MIN 256
#define HEAD_BYTES_MAX (64 * 1024)

static const char *const http_keys[] = {"sendServerVersion", "sendDateHeader", "sendXPoweredBy",
                                        "requestHeaderSize", NULL};
static const char *const connector_keys[] = {"idleTimeout", NULL};
static const char *const tls_keys[] = {"includeProtocols",    "excludeProtocols", "includeCipherSuites",
                                       "excludeCipherSuites", "needClientAuth",   NULL};
static const char *const no_keys[] = {NULL};

static bool is_among(const char *key, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        if (strcmp(key, *keys) == 0)
            return true;
    }
    return false;
}

static void report_others(const struct ps_context *context, const char *prefix, const struct ps_pairs *pairs,
                          const char *const *keys)
{
    for (size_t i = 0; i < pairs->count; i++) {
        char key[128];
        if (is_among(pairs->items[i].key, keys))
            continue;
        snprintf(key, sizeof key, "%s%.80s", prefix, pairs->items[i].key);
        ps_report(context, PS_LOG_WARN, key, "has no effect: there is no Jetty in penstock");
    }
}

/* Reads the key's number to *value, which stays as it is if the key is not set. Returns false if the number
 * is invalid, or outside the limits. */
static bool number(const struct ps_pairs *pairs, const char *key, int64_t min, int64_t max, int64_t *value)
{
    const char *text = ps_pairs_get(pairs, key);
    char *end;
    if (text == NULL)
        return true;
    errno = 0;
    long long got = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || got < min || got > max)
        return false;
    *value = got;
    return true;
}

static void boolean(const struct ps_pairs *pairs, const char *key, bool *value)
{
    const char *text = ps_pairs_get(pairs, key);
    if (text != NULL)
        *value = strcasecmp(text, "true") == 0;
}

/* Jetty accepts any size; here a request's head must fit into one block. */
static int64_t head_within(int64_t bytes)
{
    return bytes < HEAD_BYTES_MIN ? HEAD_BYTES_MIN : bytes > HEAD_BYTES_MAX ? HEAD_BYTES_MAX : bytes;
}

enum ps_status ps_jetty_check(const struct ps_jetty_options *options, const struct ps_context *context)
{
    int64_t value = 0;
    bool need = false, good = true;
    report_others(context, "HttpConfiguration.", &options->http, http_keys);
    report_others(context, "ServerConnector.", &options->connector, connector_keys);
    report_others(context, "SslContextFactory.", &options->tls, tls_keys);
    report_others(context, "QueuedThreadPool.", &options->pool, no_keys);
    int64_t head = HEAD_BYTES;
    if (!number(&options->http, "requestHeaderSize", 1, INT32_MAX, &head)) {
        ps_report(context, PS_LOG_ERROR, "HttpConfiguration.requestHeaderSize", "must be a number of bytes");
        good = false;
    } else if (head_within(head) != head) {
        ps_report(context, PS_LOG_WARN, "HttpConfiguration.requestHeaderSize",
                  "%lld is used: it is %d to %d here", (long long)head_within(head), HEAD_BYTES_MIN,
                  HEAD_BYTES_MAX);
    }
    if (!number(&options->connector, "idleTimeout", INT32_MIN, INT32_MAX, &value)) {
        ps_report(context, PS_LOG_ERROR, "ServerConnector.idleTimeout", "must be a number of milliseconds");
        good = false;
    }
    boolean(&options->tls, "needClientAuth", &need);
    if (need) {
        ps_report(context, PS_LOG_ERROR, "SslContextFactory.needClientAuth",
                  "client certificates are not asked for: the source would accept everybody");
        good = false;
    }
    return good ? PS_OK : PS_FAIL;
}

void ps_jetty_read(const struct ps_jetty_options *options, struct ps_jetty_settings *settings)
{
    int64_t head = HEAD_BYTES;
    *settings = (struct ps_jetty_settings){.sends_server = true, .sends_date = true, .idle_ms = -1};
    boolean(&options->http, "sendServerVersion", &settings->sends_server);
    boolean(&options->http, "sendDateHeader", &settings->sends_date);
    boolean(&options->http, "sendXPoweredBy", &settings->sends_powered_by);
    (void)number(&options->http, "requestHeaderSize", 1, INT32_MAX, &head);
    settings->head_bytes_max = (uint32_t)head_within(head);
    if (number(&options->connector, "idleTimeout", INT32_MIN, INT32_MAX, &settings->idle_ms) &&
        ps_pairs_get(&options->connector, "idleTimeout") != NULL && settings->idle_ms < 0)
        settings->idle_ms = 0;
}

static void list(const struct ps_pairs *pairs, const char *key, struct ps_arena *arena,
                 struct ps_texts *texts)
{
    const char *value = ps_pairs_get(pairs, key);
    if (value == NULL)
        return;
    char *text = ps_arena_text(arena, value), *save = NULL;
    size_t room = strlen(text) / 2 + 1;
    const char **items = ps_arena_alloc(arena, room * sizeof *items);
    *texts = (struct ps_texts){.items = items};
    for (char *word = strtok_r(text, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save))
        items[texts->count++] = word;
}

void ps_jetty_tls(const struct ps_jetty_options *options, struct ps_arena *arena, struct ps_tls_options *tls)
{
    list(&options->tls, "includeProtocols", arena, &tls->include_protocols);
    list(&options->tls, "excludeProtocols", arena, &tls->exclude_protocols);
    list(&options->tls, "includeCipherSuites", arena, &tls->include_cipher_suites);
    list(&options->tls, "excludeCipherSuites", arena, &tls->exclude_cipher_suites);
}
