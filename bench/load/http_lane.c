#include "bench/load/http_lane.h"

#include "core/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CONNECT_MS 5000L
#define READY_MAX 16

/* ---- libcurl's sockets and timer ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *argument, void *unused)
{
    const struct ps_http_lane *lane = argument;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(lane->poll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    if (epoll_ctl(lane->poll_fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
        epoll_ctl(lane->poll_fd, EPOLL_CTL_ADD, fd, &event);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *argument)
{
    struct ps_http_lane *lane = argument;
    (void)multi;
    lane->timer_ns = timeout_ms < 0 ? PS_NEVER : lane->now_ns + (uint64_t)timeout_ms * PS_NS_PER_MS;
    return 0;
}

/* Keeps the beginning of an answer, for reasons. */
static size_t on_answer(char *data, size_t size, size_t count, void *argument)
{
    struct ps_http_request *request = argument;
    size_t length = size * count, room = sizeof request->answer - request->answer_length;
    size_t kept = length < room ? length : room;
    memcpy(request->answer + request->answer_length, data, kept);
    request->answer_length += kept;
    return length;
}

/* ---- life ---- */

static bool request_open(struct ps_http_request *request, const struct ps_http_plan *plan)
{
    CURL *easy = request->easy = curl_easy_init();
    if (easy == NULL)
        return false;
    curl_easy_setopt(easy, CURLOPT_URL, plan->url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, plan->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(plan->timeout_ns / PS_NS_PER_MS));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, plan->verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, plan->verify ? 2L : 0L);
    if (plan->ca != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, plan->ca);
    if (plan->cert != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, plan->cert);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, plan->key != NULL ? plan->key : plan->cert);
    }
    return true;
}

enum ps_status ps_http_lane_open(struct ps_http_lane *lane, const struct ps_http_plan *plan,
                                 struct ps_lane *owner, struct ps_err *err)
{
    lane->plan = plan;
    lane->timer_ns = PS_NEVER;
    ps_block_queue_init(&lane->queue, owner);
    lane->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    lane->multi = curl_multi_init();
    bool good = lane->poll_fd >= 0 && lane->multi != NULL;
    for (unsigned i = 0; good && i < plan->request_max; i++)
        good = request_open(&lane->requests[i], plan);
    if (!good) {
        ps_http_lane_close(lane);
        return ps_err_set(err, "an HTTP client: no memory or no descriptors");
    }
    curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(lane->multi, CURLMOPT_SOCKETDATA, lane);
    curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(lane->multi, CURLMOPT_TIMERDATA, lane);
    curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)plan->request_max);
    return PS_OK;
}

void ps_http_lane_close(struct ps_http_lane *lane)
{
    for (unsigned i = 0; i < PS_HTTP_REQUESTS_MAX; i++) {
        struct ps_http_request *request = &lane->requests[i];
        if (request->easy != NULL && request->state == PS_HTTP_BUSY)
            curl_multi_remove_handle(lane->multi, request->easy);
        curl_easy_cleanup(request->easy);
        free(request->body);
    }
    curl_multi_cleanup(lane->multi);
    if (lane->poll_fd >= 0)
        close(lane->poll_fd);
}

/* ---- answers ---- */

static void note_up(struct ps_http_lane *lane)
{
    lane->failures = lane->refusals.count = 0;
    if (!lane->up)
        ps_lane_up(lane->queue.lane, lane->now_ns);
    lane->up = true;
}

static void note_down(struct ps_http_lane *lane, const char *reason)
{
    lane->up = false;
    ps_lane_down(lane->queue.lane, lane->now_ns, reason);
}

/* The far side says "later". */
static void note_refusal(struct ps_http_lane *lane, const char *reason)
{
    lane->resume_ns = ps_refusals_add(&lane->refusals, lane->now_ns);
    if (lane->up && ps_refusals_persist(&lane->refusals, lane->now_ns))
        note_down(lane, reason);
}

static void reason_set(struct ps_http_request *request, long status)
{
    size_t length = 0; /* the first line of the answer */
    while (length < request->answer_length && request->answer[length] >= ' ')
        length++;
    snprintf(request->reason, sizeof request->reason, "HTTP %ld%s%.*s", status, length > 0 ? ": " : "",
             (int)length, request->answer);
}

static void answered(struct ps_http_lane *lane, struct ps_http_request *request, CURLcode result)
{
    long status = 0;
    lane->busy--;
    if (result != CURLE_OK) {
        request->state = PS_HTTP_AGAIN;
        if (!lane->rewinding || lane->failures == 0) { /* several break with one connection, or one server */
            lane->resume_ns = ps_lane_retry_at(lane->queue.lane, lane->failures, lane->now_ns);
            lane->failures++;
        }
        lane->rewinding = true;
        note_down(lane, curl_easy_strerror(result));
        return;
    }
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    reason_set(request, status);
    if (status >= 500 || status == 429 || status == 408) {
        request->state = PS_HTTP_AGAIN;
        lane->failures = 0;
        if (!lane->rewinding)
            note_refusal(lane, request->reason);
        lane->rewinding = true;
        return;
    }
    request->state = status >= 200 && status < 300 ? PS_HTTP_TAKEN : PS_HTTP_REFUSED;
    note_up(lane);
}

static void drive(struct ps_http_lane *lane)
{
    struct epoll_event ready[READY_MAX];
    int running, left;
    int count = epoll_wait(lane->poll_fd, ready, READY_MAX, 0);
    for (int i = 0; i < count; i++) {
        int what = (ready[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (ready[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(lane->multi, ready[i].data.fd, what, &running);
    }
    if (lane->now_ns >= lane->timer_ns) {
        lane->timer_ns = PS_NEVER;
        curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (const CURLMsg *message; (message = curl_multi_info_read(lane->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        struct ps_http_request *request = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
        curl_multi_remove_handle(lane->multi, easy);
        answered(lane, request, result);
    }
}

/* From the front: what was answered for good. */
static void settle(struct ps_http_lane *lane)
{
    while (lane->count > 0) {
        struct ps_http_request *request = &lane->requests[lane->first];
        if (request->state != PS_HTTP_TAKEN && request->state != PS_HTTP_REFUSED)
            return;
        lane->first = (lane->first + 1) % lane->plan->request_max;
        lane->count--;
        if (request->state == PS_HTTP_TAKEN)
            ps_block_queue_complete(&lane->queue, request->count, lane->now_ns);
        else
            ps_block_queue_fail(&lane->queue, request->count, request->reason);
    }
}

/* ---- requests ---- */

static struct ps_http_request *request_at(struct ps_http_lane *lane, unsigned number)
{
    return &lane->requests[(lane->first + number) % lane->plan->request_max];
}

static void send_request(struct ps_http_lane *lane, struct ps_http_request *request)
{
    request->state = PS_HTTP_BUSY;
    request->answer_length = 0;
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
    curl_multi_add_handle(lane->multi, request->easy);
    lane->busy++;
}

static void send_all(struct ps_http_lane *lane)
{
    for (unsigned i = 0; i < lane->count; i++) {
        struct ps_http_request *request = request_at(lane, i);
        if (request->state == PS_HTTP_READY)
            send_request(lane, request);
    }
    while (lane->count < lane->plan->request_max && lane->queue.next != NULL) {
        struct ps_http_request *request = request_at(lane, lane->count);
        ps_http_body_make(lane, request);
        if (request->count == 0)
            return;
        lane->count++;
        send_request(lane, request);
    }
}

/* Everything is answered, and the rest is over: what was not taken is to be sent again. */
static void rewind_requests(struct ps_http_lane *lane)
{
    for (unsigned i = 0; i < lane->count; i++) {
        struct ps_http_request *request = request_at(lane, i);
        if (request->state == PS_HTTP_AGAIN)
            request->state = PS_HTTP_READY;
    }
    lane->rewinding = false;
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

uint64_t ps_http_lane_work(struct ps_http_lane *lane, uint64_t now_ns)
{
    lane->now_ns = now_ns;
    if (!lane->up && lane->failures == 0 && lane->refusals.count == 0)
        note_up(lane); /* the first request will tell */
    drive(lane);
    lane->now_ns = ps_lane_now(lane->queue.lane);
    settle(lane);
    if (lane->rewinding) {
        if (lane->busy > 0)
            return lane->timer_ns;
        if (now_ns < lane->resume_ns)
            return earlier(lane->resume_ns, lane->timer_ns);
        rewind_requests(lane);
    }
    send_all(lane);
    return lane->timer_ns;
}
