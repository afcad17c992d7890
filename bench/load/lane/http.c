#include "bench/load/lane/http.h"

#include "core/clock.h"

/* ---- open and close ---- */

enum ps_status ps_http_lane_open(void *state, const void *plan_, struct ps_lane *owner, struct ps_err *err)
{
    struct ps_http_lane *lane = state;
    const struct ps_http_plan *plan = lane->plan = plan_;
    ps_block_queue_init(&lane->queue, owner);
    if (ps_http_client_open(&lane->client, plan->request_max, err) != PS_OK)
        return PS_FAIL;
    bool good = true;
    for (unsigned i = 0; good && i < plan->request_max; i++)
        good = ps_http_request_open(&lane->batches[i].request, &plan->http);
    if (good)
        return PS_OK;
    ps_http_lane_close(lane);
    return ps_err_set(err, "cannot create an HTTP client: not enough memory or file descriptors");
}

void ps_http_lane_close(void *state)
{
    struct ps_http_lane *lane = state;
    ps_http_request_close(&lane->probe, &lane->client);
    for (unsigned i = 0; i < PS_HTTP_REQUESTS_MAX; i++) {
        ps_http_request_close(&lane->batches[i].request, &lane->client);
        ps_http_body_fini(&lane->batches[i].body);
    }
    ps_http_client_close(&lane->client);
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

/* Handles an answer that means "later". */
static void note_refusal(struct ps_http_lane *lane, const char *reason)
{
    lane->resume_ns = ps_refusals_add(&lane->refusals, lane->now_ns);
    if (lane->up && ps_refusals_persist(&lane->refusals, lane->now_ns))
        note_down(lane, reason);
}

static void answered(struct ps_http_lane *lane, struct ps_http_batch *batch)
{
    long status = batch->request.status;
    lane->busy--;
    if (batch->request.failure != NULL) {
        batch->state = PS_HTTP_AGAIN;
        /* several requests fail with one connection or server: count it once */
        if (!lane->rewinding || lane->failures == 0) {
            lane->resume_ns = ps_lane_retry_at(lane->queue.lane, lane->failures, lane->now_ns);
            lane->failures++;
        }
        lane->rewinding = true;
        note_down(lane, batch->request.failure);
        return;
    }
    ps_http_request_reason(&batch->request, batch->reason, sizeof batch->reason);
    if (status >= 500 || status == 429 || status == 408) {
        batch->state = PS_HTTP_AGAIN;
        lane->failures = 0;
        if (!lane->rewinding)
            note_refusal(lane, batch->reason);
        lane->rewinding = true;
        return;
    }
    batch->state = status >= 200 && status < 300 ? PS_HTTP_TAKEN : PS_HTTP_REFUSED;
    note_up(lane);
}

static void drive(struct ps_http_lane *lane)
{
    struct ps_http_request *request;
    ps_http_client_work(&lane->client, lane->now_ns);
    while ((request = ps_http_client_next(&lane->client)) != NULL)
        answered(lane, (struct ps_http_batch *)request); /* the request is the batch's first member */
}

/* Completes the requests at the front that were answered for good. */
static void settle(struct ps_http_lane *lane)
{
    while (lane->count > 0) {
        struct ps_http_batch *batch = &lane->batches[lane->first];
        if (batch->state != PS_HTTP_TAKEN && batch->state != PS_HTTP_REFUSED)
            return;
        lane->first = (lane->first + 1) % lane->plan->request_max;
        lane->count--;
        if (batch->state == PS_HTTP_TAKEN)
            ps_block_queue_complete(&lane->queue, batch->count, lane->now_ns);
        else
            ps_block_queue_fail(&lane->queue, batch->count, batch->reason);
    }
}

/* ---- requests ---- */

/* Makes a request's body of the queue's next events, at most the plan's `batch`. Returns false when there is
 * no memory. */
static bool batch_make(struct ps_http_lane *lane, struct ps_http_batch *batch)
{
    enum ps_http_format format = lane->plan->format;
    struct ps_block_queue *queue = &lane->queue;
    batch->count = 0;
    if (!ps_http_body_begin(&batch->body, format))
        return false;
    while (queue->next != NULL && batch->count < lane->plan->batch) {
        const struct ps_load_block *block = queue->next;
        if (!ps_http_body_add(&batch->body, format, block->bytes + ps_block_begin(block, queue->next_event),
                              ps_block_length(block, queue->next_event)))
            break;
        ps_block_queue_advance(queue, 1);
        batch->count++;
    }
    ps_http_body_end(&batch->body, format);
    return batch->count > 0;
}

static struct ps_http_batch *batch_at(struct ps_http_lane *lane, unsigned number)
{
    return &lane->batches[(lane->first + number) % lane->plan->request_max];
}

static void send_batch(struct ps_http_lane *lane, struct ps_http_batch *batch)
{
    batch->state = PS_HTTP_BUSY;
    ps_http_request_send(&batch->request, &lane->client, batch->body.bytes, batch->body.length, lane->now_ns);
    lane->busy++;
}

static void send_all(struct ps_http_lane *lane)
{
    for (unsigned i = 0; i < lane->count; i++) {
        struct ps_http_batch *batch = batch_at(lane, i);
        if (batch->state == PS_HTTP_READY)
            send_batch(lane, batch);
    }
    while (lane->count < lane->plan->request_max && lane->queue.next != NULL) {
        struct ps_http_batch *batch = batch_at(lane, lane->count);
        if (!batch_make(lane, batch))
            return;
        lane->count++;
        send_batch(lane, batch);
    }
}

/* Called when every request is answered and the wait is over: marks the events that were not accepted to be sent
 * again. */
static void rewind_batches(struct ps_http_lane *lane)
{
    for (unsigned i = 0; i < lane->count; i++) {
        struct ps_http_batch *batch = batch_at(lane, i);
        if (batch->state == PS_HTTP_AGAIN)
            batch->state = PS_HTTP_READY;
    }
    lane->rewinding = false;
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* Connects before the first request, so that an unreachable server is found before the schedule begins. Until the
 * server has accepted, returns the time by which this function must be called again. */
static uint64_t begin(struct ps_http_lane *lane)
{
    struct ps_http_request *probe = &lane->probe;
    if (probe->easy == NULL && lane->now_ns >= lane->resume_ns) {
        if (ps_http_request_open(probe, &lane->plan->http))
            ps_http_request_connect(probe, &lane->client, lane->now_ns);
        else
            lane->resume_ns = ps_lane_retry_at(lane->queue.lane, lane->failures++, lane->now_ns);
    }
    ps_http_client_work(&lane->client, lane->now_ns);
    if (ps_http_client_next(&lane->client) == NULL)
        return earlier(probe->busy ? PS_NEVER : lane->resume_ns, lane->client.timer_ns);
    const char *failure = probe->failure;
    ps_http_request_close(probe, &lane->client);
    lane->begun = failure == NULL;
    if (lane->begun) {
        note_up(lane);
        return lane->now_ns;
    }
    lane->resume_ns = ps_lane_retry_at(lane->queue.lane, lane->failures++, lane->now_ns);
    note_down(lane, failure);
    return lane->resume_ns;
}

uint64_t ps_http_lane_work(void *state, uint64_t now_ns)
{
    struct ps_http_lane *lane = state;
    lane->now_ns = now_ns;
    if (!lane->begun)
        return begin(lane);
    if (!lane->up && lane->failures == 0 && lane->refusals.count == 0)
        note_up(lane);
    drive(lane);
    lane->now_ns = ps_lane_now(lane->queue.lane);
    settle(lane);
    if (lane->rewinding) {
        if (lane->busy > 0)
            return lane->client.timer_ns;
        if (now_ns < lane->resume_ns)
            return earlier(lane->resume_ns, lane->client.timer_ns);
        rewind_batches(lane);
    }
    send_all(lane);
    return lane->client.timer_ns;
}
