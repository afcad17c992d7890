/* The sink of echo.h. */
#include "tests/support/echo.h"
#include "tests/support/support.h"

#include "tests/support/echo_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_MAX 8U
#define REST_NS (5 * PS_NS_PER_MS)  /* after a lost connection */
#define RECALL_NS (2 * PS_NS_PER_S) /* for answers, when it is recalled */
#define OUT_BYTES (UINT64_C(1) << 15)

struct state {
    struct ps_port *port;
    int fd;
    bool writes; /* the epoll waits until it is writable: it connects, or `out` is not empty */
    uint64_t retry_ns, recall_ns;
    struct ps_lease *kept[KEPT_MAX]; /* oldest first */
    unsigned kept_count;
    /* The next event that goes into `out`. */
    unsigned next_lease;
    uint32_t next_position;
    uint64_t awaited; /* lines in `out`, or sent and not answered */
    size_t out_length;
    char out[OUT_BYTES]; /* not sent yet */
};

static enum ps_status echo_open(const void *plan, void *state_, struct ps_port *port, struct ps_err *err)
{
    struct state *state = state_;
    state->port = port;
    state->fd = -1;
    return PS_OK;
}

/* Closing the socket removes it from the epoll. */
static void hang_up(struct state *state)
{
    if (state->fd >= 0)
        close(state->fd);
    state->fd = -1;
    state->awaited = 0;
    state->out_length = 0;
    state->next_lease = 0;
    state->next_position = 0;
}

static void echo_close(const void *plan, void *state_)
{
    struct state *state = state_;
    assert_int_equal(state->kept_count, 0);
    hang_up(state);
}

/* Loses the connection: sends the unanswered lines again over the next one. */
static void lose(struct state *state, const struct ps_now *now)
{
    struct ps_err reason = {0};
    hang_up(state);
    state->retry_ns = now->mono_ns + REST_NS;
    ps_err_set(&reason, "the connection is lost");
    ps_port_troubled(state->port, &reason);
}

/* ---- the connection ---- */

static void watch(struct state *state, int operation, bool writes)
{
    struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0U)};
    state->writes = writes;
    assert_int_equal(epoll_ctl(state->port->epoll_fd, operation, state->fd, &event), 0);
}

static void dial(struct state *state, const struct ps_now *now)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(ps_test_echo_port()),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    state->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(state->fd >= 0);
    if (connect(state->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        lose(state, now);
    else
        watch(state, EPOLL_CTL_ADD, true);
}

static void fill(struct state *state)
{
    for (; state->next_lease < state->kept_count; state->next_lease++, state->next_position = 0) {
        const struct ps_lease *lease = state->kept[state->next_lease];
        for (; state->next_position < lease->count; state->next_position++) {
            const struct ps_event *event = ps_lease_event(lease, state->next_position);
            if (ps_lease_is_settled(lease, state->next_position))
                continue;
            if (state->out_length + event->body_length + 1 > sizeof state->out)
                return;
            memcpy(state->out + state->out_length, event->body, event->body_length);
            state->out_length += event->body_length;
            state->out[state->out_length++] = '\n';
            state->awaited++;
        }
    }
}

/* Returns false when the connection is lost. */
static bool send_out(struct state *state)
{
    ssize_t sent = state->out_length > 0 ? send(state->fd, state->out, state->out_length, MSG_NOSIGNAL) : 0;
    if (sent < 0 && errno != EAGAIN)
        return false;
    if (sent > 0) {
        state->out_length -= (size_t)sent;
        memmove(state->out, state->out + sent, state->out_length);
    }
    if (state->writes != (state->out_length > 0))
        watch(state, EPOLL_CTL_MOD, !state->writes);
    return true;
}

/* ---- answers ---- */

static void finish_first(struct state *state)
{
    while (state->kept_count > 0 && state->kept[0]->settled == state->kept[0]->count) {
        struct ps_lease *lease = state->kept[0];
        memmove(state->kept, state->kept + 1, --state->kept_count * sizeof lease);
        if (state->next_lease > 0)
            state->next_lease--;
        else
            state->next_position = 0;
        ps_port_done(state->port, &lease);
    }
}

/* The oldest event that is not settled has arrived. */
static void take_answer(struct state *state)
{
    struct ps_lease *lease = state->kept[0];
    assert_true(state->awaited > 0 && state->kept_count > 0);
    while (ps_lease_is_settled(lease, lease->cursor))
        lease->cursor++;
    ps_lease_settle(lease, lease->cursor++);
    state->awaited--;
    finish_first(state);
}

static bool receive(struct state *state)
{
    char in[4096];
    for (;;) {
        ssize_t length = recv(state->fd, in, sizeof in, 0);
        if (length <= 0)
            return length < 0 && errno == EAGAIN;
        for (ssize_t i = 0; i < length; i++) {
            if (in[i] == '\n')
                take_answer(state);
        }
    }
}

/* Reads and writes without waiting. */
static void serve(struct state *state, bool recalled, const struct ps_now *now)
{
    struct epoll_event event;
    finish_first(state); /* of leases without an event to send */
    if (state->fd < 0 && !recalled && state->kept_count > 0 && now->mono_ns >= state->retry_ns)
        dial(state, now);
    if (state->fd < 0)
        return;
    bool ready = epoll_wait(state->port->epoll_fd, &event, 1, 0) == 1;
    if (ready && !receive(state)) {
        lose(state, now);
        return;
    }
    if (!recalled)
        fill(state);
    if ((!state->writes || (ready && (event.events & EPOLLOUT))) && !send_out(state))
        lose(state, now);
}

/* ---- the stage ---- */

static enum ps_result echo_work(const void *plan, void *state_, struct ps_lease **lease,
                                const struct ps_now *now)
{
    struct state *state = state_;
    if (state->kept_count == KEPT_MAX)
        return PS_LATER;
    state->recall_ns = 0;
    state->kept[state->kept_count++] = *lease;
    *lease = NULL;
    if (state->fd >= 0 && state->kept_count == 1)
        serve(state, false, now);
    return PS_TAKEN;
}

static uint64_t echo_tick(const void *plan, void *state_, const struct ps_now *now)
{
    struct state *state = state_;
    serve(state, false, now);
    return state->fd < 0 && state->kept_count > 0 ? state->retry_ns : PS_NEVER;
}

/* Waits for the answers to the lines that it sent, so that no event arrives twice. */
static bool echo_recall(const void *plan, void *state_, struct ps_lease **back, const struct ps_now *now)
{
    struct state *state = state_;
    if (state->recall_ns == 0)
        state->recall_ns = now->mono_ns + RECALL_NS;
    serve(state, true, now);
    if (state->awaited > 0 && now->mono_ns < state->recall_ns)
        return false;
    if (state->awaited > 0)
        hang_up(state);
    state->next_lease = 0;
    state->next_position = 0;
    while (*back != NULL)
        back = &(*back)->next;
    for (unsigned i = 0; i < state->kept_count; i++) {
        *back = state->kept[i];
        back = &(*back)->next;
    }
    *back = NULL;
    state->kept_count = 0;
    return true;
}

static bool echo_drain(const void *plan, void *state_, const struct ps_now *now)
{
    struct state *state = state_;
    return state->kept_count == 0;
}

static const struct ps_sink_ops echo_ops = {
    .sockets = true, .work = echo_work, .tick = echo_tick, .recall = echo_recall, .drain = echo_drain};
const struct ps_stage_ops ps_test_echo_sink = {
    PS_STAGE(PS_KIND_SINK),    .name = "test-echo",
    .summary = "a test stage", .state_size = sizeof(struct state),
    .open = echo_open,         .close = echo_close,
    .sink = &echo_ops,
};
