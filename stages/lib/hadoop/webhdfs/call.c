/* Calls of WebHDFS: a request to a namenode, its redirect to a datanode, and further tries at other servers. */
#include "stages/lib/hadoop/webhdfs/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backoff.h"

#define PURPOSE "a WebHDFS call"
#define HOPS_MAX 4U
#define ROUNDS_MAX 8U /* of one turn */
/* Hadoop's dfs.client.failover.sleep.base.millis and .max.millis. */
#define REST_NS (500 * PS_NS_PER_MS)
#define REST_MAX_NS (15 * PS_NS_PER_S)

/* ---- texts ---- */

char *ps_webhdfs_encode(const char *text, bool is_path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    char *out = ps_must_alloc(strlen(text) * 3 + 1, 1, PURPOSE), *to = out;
    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL || (is_path && *text == '/'))
            *to++ = *text;
        else
            to += sprintf(to, "%%%02X", (unsigned char)*text);
    }
    return out;
}

static char *join(const char *one, const char *two, const char *three, const char *four)
{
    size_t room = strlen(one) + strlen(two) + strlen(three) + strlen(four) + 1;
    char *out = ps_must_alloc(room, 1, PURPOSE);
    snprintf(out, room, "%s%s%s%s", one, two, three, four);
    return out;
}

char *ps_webhdfs_target(const char *path, const char *operation, const char *more)
{
    char *encoded = ps_webhdfs_encode(path, true);
    char *target = join(encoded, "?op=", operation, more);
    free(encoded);
    return target;
}

/* Returns the length of the "http://host:port" at the beginning of a URL. */
static size_t authority_length(const char *url)
{
    const char *host = strstr(url, "://");
    return host != NULL ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
}

static bool is_at_server(const struct ps_webhdfs_call *call)
{
    const char *base = call->webhdfs->servers[call->server].base;
    size_t length = authority_length(base);
    return call->location == NULL ||
           (authority_length(call->location) == length && strncmp(call->location, base, length) == 0);
}

/* Sets call->reason for a failed try. */
static void explain(struct ps_webhdfs_call *call, const char *what)
{
    const char *url = call->location != NULL ? call->location : call->webhdfs->servers[call->server].base;
    char text[PS_FILE_REASON_BYTES]; /* `what` may be call->reason */
    snprintf(text, sizeof text, "webhdfs %.*s: %s %.120s: %s", (int)authority_length(url), url,
             call->operation, call->path, what);
    memcpy(call->reason, text, sizeof text);
}

/* ---- the list ---- */

struct ps_webhdfs_call *ps_webhdfs_call_begin(struct ps_webhdfs *webhdfs, const struct ps_webhdfs_call *call)
{
    struct ps_webhdfs_call *made = ps_must_alloc(1, sizeof *made, PURPOSE);
    *made = *call;
    made->webhdfs = webhdfs;
    made->path = ps_must_copy_text(call->path, PURPOSE);
    made->server = webhdfs->active;
    if (made->answer_max == 0)
        made->answer_max = PS_WEBHDFS_ANSWER_BYTES;
    TAILQ_INSERT_TAIL(&webhdfs->calls, made, entry);
    webhdfs->begun++;
    return made;
}

static void free_slot(struct ps_webhdfs_call *call)
{
    struct ps_webhdfs_slot *slot = call->slot;
    if (slot == NULL)
        return;
    ps_http_request_cancel(&slot->request, &call->webhdfs->client);
    curl_slist_free_all(slot->own_headers);
    slot->own_headers = NULL;
    slot->call = NULL;
    call->slot = NULL;
}

static void free_call(struct ps_webhdfs_call *call)
{
    ps_webhdfs_login_drop(call);
    free_slot(call);
    free(call->location);
    free(call->excluded);
    free(call->target);
    free(call->to);
    free((char *)(uintptr_t)call->path);
    free(call);
}

void ps_webhdfs_call_drop(struct ps_webhdfs_call *call)
{
    TAILQ_REMOVE(&call->webhdfs->calls, call, entry);
    free_call(call);
}

/* ---- the end of a call ---- */

static void end(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome)
{
    if (call->slot != NULL) /* ends the request of a call that timed out */
        ps_http_request_cancel(&call->slot->request, &call->webhdfs->client);
    TAILQ_REMOVE(&call->webhdfs->calls, call, entry);
    call->ended(call, outcome);
    free_call(call);
}

static void fail(struct ps_webhdfs_call *call, enum ps_file_error error, bool lost)
{
    end(call, &(struct ps_webhdfs_outcome){.error = error, .reason = call->reason, .lost = lost});
}

/* Returns whether the request may have had an effect if it was sent. */
static bool may_act(const struct ps_webhdfs_call *call)
{
    return !call->redirects || call->location != NULL;
}

static void end_late(struct ps_webhdfs_call *call)
{
    bool sent = call->slot != NULL && call->slot->request.busy && call->slot->request.begun_ns > 0;
    if (sent) {
        explain(call, "no answer within the call time-out");
        fail(call, may_act(call) ? PS_FILE_TIMEOUT : PS_FILE_UNAVAILABLE, may_act(call));
        return;
    }
    if (strncmp(call->reason, "webhdfs ", 8) != 0) /* a reason of the login, which does not name the server */
        explain(call, call->reason[0] != '\0' ? call->reason
                      : call->slot != NULL    ? "no connection within the call time-out"
                                              : "other requests were not answered within the call time-out");
    fail(call, PS_FILE_UNAVAILABLE, false);
}

/* ---- sending ---- */

static char *make_url(const struct ps_webhdfs_call *call)
{
    const struct ps_webhdfs *webhdfs = call->webhdfs;
    if (call->location != NULL)
        return ps_must_copy_text(call->location, PURPOSE);
    char *url = join(webhdfs->servers[call->server].base, call->target, webhdfs->identity,
                     call->excluded != NULL ? "&excludedatanodes=" : "");
    if (call->excluded == NULL)
        return url;
    char *encoded = ps_webhdfs_encode(call->excluded, false), *whole = join(url, encoded, "", "");
    free(encoded);
    free(url);
    return whole;
}

/* Sends the call's request. Returns false if the call has ended. */
static bool send_call(struct ps_webhdfs_call *call)
{
    struct ps_webhdfs *webhdfs = call->webhdfs;
    const struct ps_webhdfs_server *server = &webhdfs->servers[call->server];
    struct ps_webhdfs_slot *slot = call->slot;
    bool knows_us = is_at_server(call);
    if (knows_us) {
        enum ps_webhdfs_login login = ps_webhdfs_login_prepare(call);
        if (login == PS_WEBHDFS_LOGIN_FAILED) {
            explain(call, call->reason);
            fail(call, PS_FILE_DENIED, false);
            return false;
        }
        if (login == PS_WEBHDFS_LOGIN_WAITS)
            return true;
    }
    char *url = make_url(call);
    const struct ps_http_order order = {
        .method = call->method,
        .url = url,
        .body = call->location != NULL ? call->body : NULL,
        .length = call->location != NULL ? call->length : 0,
        .headers = slot->own_headers != NULL ? slot->own_headers : webhdfs->http.headers,
        .cookie = knows_us && server->cookie[0] != '\0' ? server->cookie : NULL,
        .answer_max = call->answer_max,
        .fresh = !call->repeats && may_act(call),
    };
    call->wake_ns = 0;
    ps_http_request_order(&slot->request, &webhdfs->client, &order, webhdfs->now.mono_ns);
    free(url);
    return true;
}

/* Schedules the next try, which begins at a namenode. */
static void try_again(struct ps_webhdfs_call *call, bool at_other)
{
    struct ps_webhdfs *webhdfs = call->webhdfs;
    ps_webhdfs_login_drop(call);
    if (++call->attempts >= webhdfs->attempts_max) {
        fail(call, PS_FILE_UNAVAILABLE, false);
        return;
    }
    free(call->location);
    call->location = NULL;
    call->hops = 0;
    if (at_other) {
        if (webhdfs->active == call->server) /* no other call has switched to another server meanwhile */
            webhdfs->active = (call->server + 1) % webhdfs->server_count;
        call->server = webhdfs->active;
    }
    size_t rounds = call->attempts / webhdfs->server_count;
    call->wake_ns = webhdfs->now.mono_ns;
    if (rounds > 0)
        call->wake_ns += ps_backoff_doubled(REST_NS, REST_MAX_NS, rounds - 1);
}

/* ---- answers ---- */

/* Excludes a datanode that accepts no connections, so that the namenode names another one. */
static void exclude(struct ps_webhdfs_call *call)
{
    char *host = strndup(call->location, authority_length(call->location));
    char *excluded = join(call->excluded != NULL ? call->excluded : "", call->excluded != NULL ? "," : "",
                          host != NULL ? strstr(host, "://") + 3 : "", "");
    free(host);
    free(call->excluded);
    call->excluded = excluded;
    try_again(call, false);
}

static void take_silence(struct ps_webhdfs_call *call, const struct ps_http_request *request)
{
    struct ps_webhdfs *webhdfs = call->webhdfs;
    bool sent = request->begun_ns > 0;
    explain(call, request->failure != NULL ? request->failure : "the answer was cut off");
    if (sent && may_act(call) && !call->repeats)
        fail(call, PS_FILE_TIMEOUT, true);
    else if (!sent && call->location != NULL && !is_at_server(call))
        exclude(call);
    else if (sent || webhdfs->server_count > 1)
        try_again(call, true);
    else
        fail(call, PS_FILE_UNAVAILABLE, false);
}

static void take_redirect(struct ps_webhdfs_call *call, const char *location)
{
    const char *base = call->webhdfs->servers[call->server].base;
    bool reveals = strncmp(base, "https:", 6) == 0 && strncmp(location, "https:", 6) != 0;
    if (reveals || ++call->hops > HOPS_MAX || authority_length(location) == 0) {
        explain(call,
                reveals ? "redirects from https to a URL of another scheme" : "redirects without an end");
        fail(call, PS_FILE_FAILED, false);
        return;
    }
    /* A copy, because sending the request frees `location`. */
    char *copy = ps_must_copy_text(location, PURPOSE);
    free(call->location);
    call->location = copy;
    (void)send_call(call);
}

/* Returns whether some of the data may be in the file. Errors of names and permissions are reported before any data is written. */
static bool had_data(const struct ps_webhdfs_call *call, const struct ps_webhdfs_fault *fault)
{
    return call->length > 0 && call->location != NULL && !call->repeats &&
           (fault->error == PS_FILE_FAILED || fault->error == PS_FILE_UNAVAILABLE ||
            fault->error == PS_FILE_TIMEOUT || fault->error == PS_FILE_NO_SPACE ||
            fault->error == PS_FILE_LEASE);
}

static void take_fault(struct ps_webhdfs_call *call, const struct ps_http_request *request)
{
    struct ps_webhdfs_fault fault;
    ps_webhdfs_fault_read(request->status, request->body, request->body_length, &fault);
    explain(call, fault.text);
    if (request->status == 401 && call->webhdfs->servers[call->server].tickets == NULL)
        explain(call,
                "HTTP 401: it requires authentication: set hdfs.kerberosPrincipal and hdfs.kerberosKeytab");
    if (had_data(call, &fault))
        end(call,
            &(struct ps_webhdfs_outcome){.error = fault.error, .reason = call->reason, .in_part = true});
    else if (fault.verdict == PS_HADOOP_RPC_FAIL)
        fail(call, fault.error, false);
    else
        try_again(call, fault.verdict == PS_HADOOP_RPC_FAIL_OVER);
}

static void take_success(struct ps_webhdfs_call *call, const struct ps_http_request *request)
{
    if (call->length > 0 && call->location == NULL) {
        explain(call, "the server answered before it was given the data, and named no datanode");
        fail(call, PS_FILE_FAILED, false);
        return;
    }
    end(call,
        &(struct ps_webhdfs_outcome){
            .reason = "", .body = request->body, .length = request->body_length, .status = request->status});
}

/* Authenticates at a server that does not accept the cookie or has given none. Returns false if that was tried already: the answer is final. */
static bool introduce(struct ps_webhdfs_call *call)
{
    struct ps_webhdfs_server *server = &call->webhdfs->servers[call->server];
    if (server->tickets == NULL || call->context != NULL)
        return false;
    server->cookie[0] = '\0';
    (void)send_call(call);
    return true;
}

static void take_answer(struct ps_webhdfs_call *call)
{
    struct ps_http_request *request = &call->slot->request;
    bool at_server = is_at_server(call);
    if (request->failure != NULL || request->cut) {
        take_silence(call, request);
        return;
    }
    if (at_server && request->status == 401 && introduce(call))
        return;
    if (at_server && request->status != 401 && !ps_webhdfs_login_accept(call)) {
        explain(call, call->reason);
        fail(call, PS_FILE_DENIED, false);
        return;
    }
    const char *location = ps_http_request_redirect(request);
    if (location != NULL) {
        take_redirect(call, location);
    } else if (request->too_long) {
        explain(call, "the answer is too long");
        fail(call, PS_FILE_FAILED, false);
    } else if (request->status / 100 == 2) {
        take_success(call, request);
    } else {
        take_fault(call, request);
    }
}

/* ---- the turn ---- */

static struct ps_webhdfs_slot *find_slot(struct ps_webhdfs *webhdfs)
{
    for (size_t i = 0; i < PS_WEBHDFS_SLOTS; i++) {
        struct ps_webhdfs_slot *slot = &webhdfs->slots[i];
        if (slot->call != NULL)
            continue;
        if (slot->request.easy == NULL && !ps_http_request_open(&slot->request, &webhdfs->http))
            return NULL;
        return slot;
    }
    return NULL;
}

/* Ends the call, sends it, or does nothing. Sets *full if no slot is free. Returns whether the call has ended, which may
 * have ended other calls as well. */
static bool work_on(struct ps_webhdfs_call *call, bool *full)
{
    struct ps_webhdfs *webhdfs = call->webhdfs;
    if (call->deadline_ns == 0)
        call->deadline_ns = webhdfs->now.mono_ns + webhdfs->call_timeout_ns;
    if (webhdfs->now.mono_ns >= call->deadline_ns) {
        end_late(call);
        return true;
    }
    if (call->slot == NULL && !*full) {
        call->slot = find_slot(webhdfs);
        *full = call->slot == NULL;
        if (!*full)
            call->slot->call = call;
    }
    if (call->slot == NULL || call->slot->request.busy || webhdfs->now.mono_ns < call->wake_ns)
        return false;
    return !send_call(call);
}

static void work_on_all(struct ps_webhdfs *webhdfs)
{
    bool full = false;
    for (struct ps_webhdfs_call *call = TAILQ_FIRST(&webhdfs->calls); call != NULL;) {
        bool ended = work_on(call, &full);
        call = ended ? TAILQ_FIRST(&webhdfs->calls) : TAILQ_NEXT(call, entry);
        full = full && !ended;
    }
}

static uint64_t next_ns(const struct ps_webhdfs *webhdfs)
{
    uint64_t next = webhdfs->client.timer_ns;
    const struct ps_webhdfs_call *call;
    TAILQ_FOREACH(call, &webhdfs->calls, entry)
    {
        uint64_t due = call->deadline_ns;
        if (call->slot != NULL && !call->slot->request.busy && call->wake_ns < due)
            due = call->wake_ns;
        next = due < next ? due : next;
    }
    return next;
}

uint64_t ps_webhdfs_calls_turn(struct ps_webhdfs *webhdfs)
{
    struct ps_http_request *request;
    if (TAILQ_EMPTY(&webhdfs->calls)) /* idle connections need no work */
        return PS_NEVER;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        ps_http_client_work(&webhdfs->client, webhdfs->now.mono_ns);
        while ((request = ps_http_client_next(&webhdfs->client)) != NULL)
            take_answer(((struct ps_webhdfs_slot *)request)->call);
        work_on_all(webhdfs);
        if (webhdfs->client.timer_ns > webhdfs->now.mono_ns) /* otherwise a new request is due */
            break;
    }
    return next_ns(webhdfs);
}
