/* Targets http and https: send events in POST requests as Flume's HTTP source expects them
 * (org.apache.flume.source.http.JSONHandler), or as plain text. This file reads the URL; lane/http.h sends.
 *
 * Thread: the lane's sender; plan and unplan: the main thread. Never blocks; libcurl resolves names. */
#include "bench/load/lane/http.h"
#include "bench/load/target/keys.h"
#include "bench/load/targets.h"
#include "core/quantity.h"
#include "core/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 100U /* the default transactionCapacity of a channel accepts no more */
#define BATCH_MAX 100000U
#define TIMEOUT_NS (30 * PS_NS_PER_S)

static void http_unplan(void *made)
{
    struct ps_http_plan *plan = made;
    curl_slist_free_all(plan->http.headers);
    free(plan->url);
    curl_global_cleanup();
}

/* Reads a key that names a file, which must be readable. */
static enum ps_status file_read(struct ps_url *url, const char *key, const char **name, struct ps_err *err)
{
    *name = ps_url_get(url, key, NULL);
    if (*name != NULL && access(*name, R_OK) != 0)
        return ps_err_set(err, "%s=%s: the file does not exist or cannot be read", key, *name);
    return PS_OK;
}

static void header_add(struct ps_http_plan *plan, const char *text)
{
    plan->http.headers = curl_slist_append(plan->http.headers, text);
    PS_ASSERT(plan->http.headers != NULL);
}

static enum ps_status headers_make(struct ps_http_plan *plan, struct ps_url *url, struct ps_err *err)
{
    const char *text = ps_url_get(url, "header", NULL);
    if (text != NULL && (strchr(text, ':') == NULL || strpbrk(text, "\r\n") != NULL))
        return ps_err_set(err, "header=%s: write NAME:VALUE", text);
    header_add(plan, plan->format == PS_HTTP_FLUME ? "Content-Type: application/json; charset=utf-8"
                                                   : "Content-Type: text/plain; charset=utf-8");
    header_add(plan, "Expect:"); /* libcurl must not ask before it sends a large body */
    if (text != NULL)
        header_add(plan, text);
    return PS_OK;
}

static enum ps_status http_read(struct ps_http_plan *plan, struct ps_url *url, struct ps_err *err)
{
    static const char *const bodies[] = {"flume", "plain", "lines", NULL};
    unsigned body = PS_HTTP_FLUME;
    uint64_t batch = BATCH, requests = 1;
    const char *timeout = ps_url_get(url, "timeout", NULL);
    bool tls = strcmp(url->scheme, "https") == 0;
    plan->http.timeout_ns = TIMEOUT_NS;
    plan->http.verify = true;
    if (*url->host == '\0')
        return ps_err_set(err, "expected %s://HOST:PORT/PATH", url->scheme);
    if (ps_target_key_word(url, "body", bodies, &body, err) != PS_OK)
        return PS_FAIL;
    if (body != PS_HTTP_PLAIN && ps_target_key_count(url, "batch", 1, BATCH_MAX, &batch, err) != PS_OK)
        return PS_FAIL;
    if (body == PS_HTTP_PLAIN && ps_url_get(url, "batch", NULL) != NULL)
        return ps_err_set(err, "batch=%s: with body=plain a request has one event; remove batch",
                          ps_url_get(url, "batch", ""));
    if (ps_target_key_count(url, "requests", 1, PS_HTTP_REQUESTS_MAX, &requests, err) != PS_OK ||
        (timeout != NULL && ps_quantity_duration("timeout", timeout, &plan->http.timeout_ns, err) != PS_OK))
        return PS_FAIL;
    if (tls && (ps_target_key_bool(url, "verify", &plan->http.verify, err) != PS_OK ||
                file_read(url, "ca", &plan->http.ca, err) != PS_OK ||
                file_read(url, "cert", &plan->http.cert, err) != PS_OK ||
                file_read(url, "key", &plan->http.key, err) != PS_OK))
        return PS_FAIL;
    plan->format = body;
    plan->batch = body == PS_HTTP_PLAIN ? 1 : (uint32_t)batch;
    plan->request_max = (unsigned)requests;
    plan->url = ps_must_copy_text(url->text, "a target");
    plan->url[strcspn(plan->url, "?")] = '\0';
    plan->http.url = plan->url;
    return headers_make(plan, url, err);
}

static enum ps_status http_plan(void *plan, struct ps_url *url, enum ps_framing *, struct ps_err *err)
{
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    return http_read(plan, url, err);
}

static int http_descriptor(void *state, short *events)
{
    const struct ps_http_lane *http = state;
    *events = POLLIN;
    return http->client.poll_fd;
}

#define OPERATIONS                                                                                           \
    .framing = PS_FRAMING_NONE, .completion = PS_COMPLETION_ACKNOWLEDGED, .blocks_max = 16,                  \
    .plan_bytes = sizeof(struct ps_http_plan), .state_bytes = sizeof(struct ps_http_lane),                   \
    .plan = http_plan, .unplan = http_unplan, .open = ps_http_lane_open, .give = ps_block_queue_give,        \
    .work = ps_http_lane_work, .descriptor = http_descriptor, .finish = ps_block_queue_finish,               \
    .close = ps_http_lane_close

const struct ps_target_ops ps_target_http = {
    .scheme = "http",
    .summary =
        "http://HOST:PORT/PATH?body=flume|plain|lines&batch=100&requests=1&timeout=30s&header=NAME:VALUE: "
        "POST requests, as Flume's HTTP source takes them, or text",
    OPERATIONS,
};

const struct ps_target_ops ps_target_https = {
    .scheme = "https",
    .summary =
        "https://HOST:PORT/PATH?ca=FILE&verify=true|false&cert=FILE&key=FILE: http over TLS, with the keys "
        "of http",
    OPERATIONS,
};
