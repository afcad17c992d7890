/* Framing of source netcat: the whole source with its stream, fed through a real connection. Every byte is sent, the peer
 * closes its side, and the source must answer every event and then close as well. Input: encoding and acks (1 byte),
 * max-line-length (1), size of the pieces (1), then the bytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/bind.h"
#include "core/flow/bump.h"
#include "stages/lib/stream/stream.h"
#include "stages/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct ps_stage_ops ps_source_netcat;

static struct ps_depot *depot;
static struct ps_pool *pool;

struct agent {
    struct ps_arena *arena;
    struct ps_bump bump;
    struct ps_counters counters;
    struct ps_port port;
    struct ps_now now;
    void *plan, *state;
};

static void agent_start(struct agent *agent, const uint8_t *data)
{
    static const char *const encodings[] = {"utf-8", "ISO-8859-1", "US-ASCII", "UTF-16", "UTF-16LE", "GBK"};
    static const char *const lengths[] = {"1", "2", "5", "20", "64", "512"};
    const struct ps_pair items[] = {
        {.key = "bind", .value = "127.0.0.1"},
        {.key = "port", .value = "0"},
        {.key = "encoding", .value = encodings[(data[0] >> 1) % PS_COUNT_OF(encodings)]},
        {.key = "ack-every-event", .value = data[0] & 1 ? "true" : "false"},
        {.key = "max-line-length", .value = lengths[data[1] % PS_COUNT_OF(lengths)]},
    };
    const struct ps_pairs pairs = {PS_COUNT_OF(items), items};
    struct ps_problems problems;
    *agent = (struct agent){.arena = ps_arena_create(), .now = {.mono_ns = PS_NS_PER_S}};
    struct ps_context context = {.arena = agent->arena, .component = "source r1", .instances = 1};
    ps_problems_init(&problems, agent->arena);
    agent->plan = ps_arena_alloc(agent->arena, ps_source_netcat.plan_size);
    agent->state = ps_arena_alloc(agent->arena, ps_source_netcat.state_size);
    agent->port = (struct ps_port){.component = "source r1",
                                   .counters = &agent->counters,
                                   .instances = 1,
                                   .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                                   .blocks = ps_pool_cache(pool)};
    struct ps_bind bind = {.arena = agent->arena, .problems = &problems, .prefix = "a.sources.r1."};
    struct ps_err err = {.length = 0};
    ps_bump_init(&agent->bump, pool);
    PS_ASSERT(ps_bind_options(&bind, ps_source_netcat.options, NULL, &pairs, agent->plan) == PS_OK);
    PS_ASSERT(ps_source_netcat.build(agent->plan, &context, &err) == PS_OK);
    PS_ASSERT(ps_source_netcat.open(agent->plan, agent->state, &agent->port, &err) == PS_OK);
    ps_problems_fini(&problems);
}

static void agent_stop(struct agent *agent)
{
    ps_source_netcat.close(agent->plan, agent->state);
    ps_bump_fini(&agent->bump);
    close(agent->port.epoll_fd);
    ps_arena_destroy(agent->arena);
}

/* Reads one batch and accepts it. */
static uint32_t cycle(struct agent *agent)
{
    struct ps_batch *batch = ps_batch_take(&agent->bump, agent->now);
    PS_ASSERT(batch != NULL);
    ps_source_netcat.source->work(agent->plan, agent->state, batch, &agent->now);
    ps_batch_close(batch);
    ps_source_netcat.source->accepted(agent->plan, agent->state, batch, &agent->now);
    uint32_t count = batch->count;
    ps_batch_give(batch);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (pool == NULL) {
        ps_log_set_level(PS_LOG_OFF);
        depot = ps_depot_create(UINT64_C(16) << 20, NULL);
        pool = ps_pool_create(depot, 0);
    }
    if (size < 3 || size > 20000)
        return 0;
    struct agent agent;
    agent_start(&agent, data);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)ps_stream_port(agent.state, 0));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PS_ASSERT(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    cycle(&agent);
    size_t at = 3, piece = data[2] == 0 ? size : data[2] * 4U;
    uint64_t events = 0, answers = 0;
    char answer[4096];
    while (at < size) {
        size_t length = size - at < piece ? size - at : piece;
        ssize_t n = send(fd, data + at, length, MSG_NOSIGNAL);
        if (n < 0)
            break; /* the source closed the connection because of a long line */
        at += (size_t)n;
        events += cycle(&agent);
    }
    shutdown(fd, SHUT_WR);
    for (int round = 0;; round++) { /* until the source also closes its side */
        PS_ASSERT(round < 1000000);
        events += cycle(&agent);
        ssize_t n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        for (ssize_t i = 0; i < n; i++)
            answers += answer[i] == 'K';
    }
    if (data[0] & 1)
        PS_ASSERT(answers <= events);
    else
        PS_ASSERT(answers == 0);
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* no TIME_WAIT: ports are few */
    close(fd);
    cycle(&agent);
    agent_stop(&agent);
    return 0;
}
