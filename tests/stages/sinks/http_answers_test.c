/* Sink http against a server with random answers: accepted, refused, refused for good, cut anywhere, late, none, or the
 * connection is closed before or after the answer. An event is delivered only when a request with it was answered 200,
 * or when it was refused for good; in the end all events are, and a late answer does not count for another event. */
#include "tests/support/stage.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CASES 4
#define LEASES 8U
#define LEASE_EVENTS_MAX 6U
#define EVENTS_MAX (LEASES * LEASE_EVENTS_MAX)
#define LINKS_MAX 8U
#define TURN_MS 20U
#define TURNS_MAX 200000U
#define MARK "event:"

enum answer { OK, BUSY, REFUSED, CUT, LATE, NONE, HANGS_UP, CLOSES_BEHIND, ANSWER_COUNT };

struct link {
    int fd; /* -1: free */
    char in[2048];
    size_t in_length;
    bool stands;        /* no later request of this connection is answered */
    unsigned late_turn; /* turn in which its late answer is sent; 0: none is owed */
};

static struct ps_test_stage stage;
static int listener;
static struct link links[LINKS_MAX];
static unsigned taken[EVENTS_MAX], refused[EVENTS_MAX], given[ANSWER_COUNT], event_count, now_turn;
static uint64_t random_state;

static uint32_t draw(uint32_t limit)
{
    return (uint32_t)(ps_test_random(&random_state) % limit);
}

/* ---- the server ---- */

static void drop(struct link *link)
{
    close(link->fd);
    *link = (struct link){.fd = -1};
}

static void send_text(struct link *link, const char *text, size_t length)
{
    if (send(link->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) /* the sink has closed */
        drop(link);
}

static void answer(struct link *link, unsigned number, bool calm)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                      busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nbusy\n",
                      no[] = "HTTP/1.1 400 No\r\nContent-Length: 3\r\n\r\nno\n";
    enum answer kind = calm || draw(3) == 0 ? OK : (enum answer)draw(ANSWER_COUNT);
    given[kind]++;
    switch (kind) {
    case OK:
    case CLOSES_BEHIND:
        taken[number]++;
        send_text(link, ok, sizeof ok - 1);
        if (kind == CLOSES_BEHIND && link->fd >= 0)
            drop(link);
        break;
    case BUSY:
        send_text(link, busy, sizeof busy - 1);
        break;
    case REFUSED:
        refused[number]++;
        send_text(link, no, sizeof no - 1);
        break;
    case CUT: /* within the status line, which then has no meaning */
        send_text(link, ok, draw(9));
        if (link->fd >= 0)
            drop(link);
        break;
    case LATE: /* the sink has given the request up, and perhaps sent another event */
        link->stands = true;
        link->late_turn = now_turn + 1 + draw(120);
        break;
    case NONE:
        link->stands = true;
        break;
    case HANGS_UP:
    case ANSWER_COUNT:
        drop(link);
        break;
    }
}

static void read_link(struct link *link, bool calm)
{
    ssize_t n =
        recv(link->fd, link->in + link->in_length, sizeof link->in - 1 - link->in_length, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
        drop(link);
        return;
    }
    link->in_length += n > 0 ? (size_t)n : 0;
    link->in[link->in_length] = '\0';
    if (link->late_turn > 0 && now_turn >= link->late_turn) { /* the request was not carried out, so the
                                                               * answer is not 200 */
        static const char late[] = "HTTP/1.1 503 Late\r\nContent-Length: 0\r\n\r\n";
        link->late_turn = 0;
        send_text(link, late, sizeof late - 1);
        return;
    }
    const char *body = strstr(link->in, "\r\n\r\n" MARK), *end = body != NULL ? strchr(body, ';') : NULL;
    if (link->stands || end == NULL)
        return;
    unsigned long number = strtoul(body + 4 + sizeof MARK - 1, NULL, 10);
    assert_true(number < event_count);
    link->in_length = 0; /* after the answer the sink sends the next request */
    answer(link, (unsigned)number, calm);
}

static void serve(bool calm)
{
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        struct link *link = &links[i];
        if (link->fd < 0 && (link->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
            link->fd = -1;
        if (link->fd >= 0)
            read_link(link, calm);
    }
}

static unsigned listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

/* ---- the sink ---- */

static struct ps_lease *make_lease(void)
{
    static char bodies[LEASE_EVENTS_MAX][32];
    struct ps_test_event events[LEASE_EVENTS_MAX];
    uint32_t count = 1 + draw(LEASE_EVENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], MARK "%u;", event_count++);
        events[i] = PS_BODY(bodies[i]);
    }
    return ps_test_lease(&stage, events, count);
}

static size_t check_done(size_t seen)
{
    for (; seen < stage.done_count; seen++) {
        const struct ps_lease *lease = stage.done[seen];
        assert_int_equal(lease->settled, lease->count);
        for (uint32_t i = 0; i < lease->count; i++) {
            unsigned long number = strtoul(ps_lease_event(lease, i)->body + sizeof MARK - 1, NULL, 10);
            if (taken[number] == 0 && refused[number] == 0)
                fail_msg("event %lu is delivered, and no request with it was answered", number);
        }
    }
    return seen;
}

static void run_case(const char *requests)
{
    char url[64];
    memset(taken, 0, sizeof taken);
    memset(refused, 0, sizeof refused);
    event_count = 0;
    for (unsigned i = 0; i < LINKS_MAX; i++)
        links[i] = (struct link){.fd = -1};
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", listen_anywhere());
    ps_test_stage_start(&stage, &ps_sink_http,
                        PS_KEYS("endpoint", url, "requestTimeout", "1000", "rollback.2XX", "false",
                                "backoff.2XX", "false", "rollback.400", "false", "backoff.400", "false",
                                "penstock.requests", requests));
    unsigned offered = 0;
    size_t seen = 0;
    struct ps_lease *lease = NULL;
    for (now_turn = 1; seen < LEASES; now_turn++) {
        if (now_turn == TURNS_MAX)
            fail_msg("%zu of %u leases are delivered", seen, LEASES);
        if (lease == NULL && offered < LEASES && draw(4) == 0)
            lease = make_lease();
        if (lease != NULL && ps_test_sink_work(&stage, &lease) == PS_TAKEN)
            offered++;
        (void)ps_test_sink_tick(&stage);
        ps_test_stage_pass_ms(&stage, TURN_MS);
        serve(now_turn > 1500);
        seen = check_done(seen);
        if (now_turn % 4 == 0)
            usleep(100);
    }
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        if (links[i].fd >= 0)
            drop(&links[i]);
    }
    close(listener);
    ps_test_stage_fini(&stage);
}

static void test_drawn_answers(void **unused)
{
    random_state = ps_test_seed() | 1;
    for (unsigned i = 0; i < CASES; i++)
        run_case(i % 2 == 0 ? "1" : "4");
    for (unsigned i = 0; i < ANSWER_COUNT; i++)
        assert_true(given[i] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
