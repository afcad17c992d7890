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
    free(plan->ca);
    free(plan->cert);
    free(plan->key);
    free(plan);
    curl_global_cleanup();
}

/* Reads a key that names a file, which must be readable. */
static enum ps_status file_read(struct ps_url *url, const char *key, char **name, struct ps_err *err)
{
    const char *value = ps_url_get(url, key, NULL);
    if (value == NULL)
        return PS_OK;
    if (access(value, R_OK) != 0)
        return ps_err_set(err, "%s=%s: the file does not exist or cannot be read", key, value);
    *name = strdup(value);
    return *name != NULL ? PS_OK : ps_err_set(err, "no memory");
}

static bool header_add(struct ps_http_plan *plan, const char *text)
{
    struct curl_slist *longer = curl_slist_append(plan->http.headers, text);
    plan->http.headers = longer != NULL ? longer : plan->http.headers;
    return longer != NULL;
}

static enum ps_status headers_make(struct ps_http_plan *plan, struct ps_url *url, struct ps_err *err)
{
    const char *text = ps_url_get(url, "header", NULL);
    bool good =
        header_add(plan, plan->format == PS_HTTP_FLUME ? "Content-Type: application/json; charset=utf-8"
                                                       : "Content-Type: text/plain; charset=utf-8") &&
        header_add(plan, "Expect:"); /* libcurl must not ask before it sends a large body */
    if (text != NULL && (strchr(text, ':') == NULL || strpbrk(text, "\r\n") != NULL))
        return ps_err_set(err, "header=%s: write NAME:VALUE", text);
    if (text != NULL)
        good = good && header_add(plan, text);
    return good ? PS_OK : ps_err_set(err, "no memory");
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
    if (tls &&
        (ps_target_key_bool(url, "verify", &plan->http.verify, err) != PS_OK ||
         file_read(url, "ca", &plan->ca, err) != PS_OK || file_read(url, "cert", &plan->cert, err) != PS_OK ||
         file_read(url, "key", &plan->key, err) != PS_OK))
        return PS_FAIL;
    plan->format = body;
    plan->batch = body == PS_HTTP_PLAIN ? 1 : (uint32_t)batch;
    plan->request_max = (unsigned)requests;
    plan->url = strndup(url->text, strcspn(url->text, "?"));
    if (plan->url == NULL)
        return ps_err_set(err, "no memory");
    plan->http.url = plan->url;
    plan->http.ca = plan->ca;
    plan->http.cert = plan->cert;
    plan->http.key = plan->key;
    return headers_make(plan, url, err);
}

static enum ps_status http_plan(void **made, struct ps_url *url, enum ps_framing *, struct ps_err *err)
{
    struct ps_http_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return ps_err_set(err, "no memory");
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    if (http_read(plan, url, err) != PS_OK) {
        http_unplan(plan);
        return PS_FAIL;
    }
    *made = plan;
    return PS_OK;
}

static enum ps_status http_open(void **state, const void *plan, struct ps_lane *lane, struct ps_err *err)
{
    struct ps_http_lane *http = calloc(1, sizeof *http);
    if (http == NULL)
        return ps_err_set(err, "no memory");
    if (ps_http_lane_open(http, plan, lane, err) != PS_OK) {
        free(http);
        return PS_FAIL;
    }
    *state = http;
    return PS_OK;
}

static void http_give(void *state, struct ps_load_block *block)
{
    struct ps_http_lane *http = state;
    ps_block_queue_push(&http->queue, block);
}

static uint64_t http_work(void *state, uint64_t now_ns)
{
    return ps_http_lane_work(state, now_ns);
}

static int http_descriptor(void *state, short *events)
{
    const struct ps_http_lane *http = state;
    *events = POLLIN;
    return http->client.poll_fd;
}

static bool http_finish(void *state, uint64_t)
{
    const struct ps_http_lane *http = state;
    return ps_block_queue_is_empty(&http->queue);
}

static void http_close(void *state)
{
    ps_http_lane_close(state);
    free(state);
}

#define OPERATIONS                                                                                           \
    .framing = PS_FRAMING_NONE, .completion = PS_COMPLETION_ACKNOWLEDGED, .blocks_max = 16,                  \
    .plan = http_plan, .unplan = http_unplan, .open = http_open, .give = http_give, .work = http_work,       \
    .descriptor = http_descriptor, .finish = http_finish, .close = http_close

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
