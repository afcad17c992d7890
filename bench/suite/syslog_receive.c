/* Measures syslog over TCP and UDP on loopback -> memory -> null in this process, compared with bare loops
 * that receive the same bytes: recv and a search for newlines for TCP, recvmmsg for UDP. The sender is a
 * separate process, which is not counted.
 *
 *   bench_syslog_receive [--seconds 2] [--rounds 3] [--only single|multi|udp]
 *
 * Prints a record for each of syslogtcp, multiport_syslogtcp, syslogudp: events per CPU-second of both and
 * their ratio. */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/suite/agent.h"
#include "bench/suite/paired.h"
#include "bench/suite/pump.h"
#include "bench/support/measure.h"
#include "bench/support/port.h"

#define EVENT_BYTES 120
#define CHUNK_EVENTS 512
#define DATAGRAMS_AT_ONCE 64

struct kind {
    const char *name, *format, *keys; /* keys: %u is the port */
    const char *line;
    bool datagrams;
    bool mixed; /* each message has another priority and host than the one before it, of 8 and 64 */
};

#define RFC5424 "<134>1 2026-11-20T09:00:00.123Z web-01 app 812 - - "
#define RFC3164 "<134>Nov 20 09:00:00 web-01 app[812]: "

static const struct kind kinds[] = {
    {"single", "rfc3164", "syslogtcp\na.sources.s.host = 127.0.0.1\na.sources.s.port = %u\n", RFC3164, false,
     false},
    {"single", "rfc5424", "syslogtcp\na.sources.s.host = 127.0.0.1\na.sources.s.port = %u\n", RFC5424, false,
     false},
    {"single", "rfc3164 keepFields=all",
     "syslogtcp\na.sources.s.host = 127.0.0.1\na.sources.s.port = %u\na.sources.s.keepFields = all\n",
     RFC3164, false, false},
    {"single", "rfc3164 mixed", "syslogtcp\na.sources.s.host = 127.0.0.1\na.sources.s.port = %u\n", RFC3164,
     false, true},
    {"multi", "rfc3164", "multiport_syslogtcp\na.sources.s.host = 127.0.0.1\na.sources.s.ports = %u\n",
     RFC3164, false, false},
    {"multi", "rfc5424", "multiport_syslogtcp\na.sources.s.host = 127.0.0.1\na.sources.s.ports = %u\n",
     RFC5424, false, false},
    {"udp", "rfc3164", "syslogudp\na.sources.s.host = 127.0.0.1\na.sources.s.port = %u\n", RFC3164, true,
     false},
};

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\na.sources.s.channels = c\n"
    "a.channels.c.type = memory\na.channels.c.capacity = 100000\na.channels.c.transactionCapacity = 10000\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n"
    "a.sources.s.type = ";

/* ---- the sender: a child process ---- */

static void fill(const struct kind *kind, char *chunk)
{
    for (int i = 0; i < CHUNK_EVENTS; i++) {
        char *event = chunk + i * EVENT_BYTES;
        memset(event, 'x', EVENT_BYTES);
        memcpy(event, kind->line, strlen(kind->line));
        if (kind->mixed) {
            event[3] = (char)('0' + i % 8);
            memcpy((char *)memchr(event, '-', EVENT_BYTES) + 1,
                   (char[]){(char)('0' + i * 7 % 64 / 10), (char)('0' + i * 7 % 64 % 10)}, 2);
        }
        event[EVENT_BYTES - 1] = kind->datagrams ? 'x' : '\n';
    }
}

static void send_datagrams(const char *chunk, unsigned port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = EVENT_BYTES;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        _exit(1);
    bool runs = setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) == 0;
    for (;;)
        (void)send(fd, chunk, runs ? DATAGRAMS_AT_ONCE * EVENT_BYTES : EVENT_BYTES, MSG_NOSIGNAL);
}

static pid_t sender_start(const struct kind *kind, unsigned port)
{
    pid_t child = fork();
    PS_ASSERT(child >= 0);
    if (child != 0)
        return child;
    static char chunk[CHUNK_EVENTS * EVENT_BYTES];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fill(kind, chunk);
    if (kind->datagrams)
        send_datagrams(chunk, port);
    else
        ps_pump_send(port, chunk, sizeof chunk);
    _exit(0);
}

/* ---- the bare loops ---- */

static int bare_socket(int type, unsigned *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), buffer = 4 << 20;
    PS_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    PS_ASSERT(getsockname(fd, (struct sockaddr *)&at, &length) == 0);
    if (type == SOCK_DGRAM)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    else
        PS_ASSERT(listen(fd, 16) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static uint64_t split(const char *data, size_t length)
{
    uint64_t lines = 0;
    const char *end = data + length, *newline;
    while ((newline = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        lines++;
        data = newline + 1;
    }
    return lines;
}

static uint64_t bare_streams(int epoll_fd, char *room, size_t size)
{
    struct epoll_event events[PS_PUMP_CONNECTIONS];
    uint64_t lines = 0;
    int ready = epoll_wait(epoll_fd, events, PS_PUMP_CONNECTIONS, 10);
    for (int i = 0; i < ready; i++) {
        ssize_t n = recv(events[i].data.fd, room, size, MSG_DONTWAIT);
        if (n > 0)
            lines += split(room, (size_t)n);
    }
    return lines;
}

static uint64_t bare_datagrams(int fd, char *room)
{
    static struct mmsghdr messages[DATAGRAMS_AT_ONCE];
    static struct iovec vectors[DATAGRAMS_AT_ONCE];
    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        vectors[i] = (struct iovec){room + i * 2048, 2048};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(fd, messages, DATAGRAMS_AT_ONCE, MSG_WAITFORONE, NULL);
    return n > 0 ? (uint64_t)n : 0;
}

struct job {
    const struct kind *kind;
    double seconds;
    uint64_t kernel_dropped; /* total of all rounds */
};

static double run_bare(void *argument)
{
    const struct job *job = argument;
    const struct kind *kind = job->kind;
    unsigned port;
    enum { ROOM = 128 * 1024 };
    char *room = ps_must_alloc(1, ROOM, "the read buffer");
    int fd = bare_socket(kind->datagrams ? SOCK_DGRAM : SOCK_STREAM, &port), lanes[PS_PUMP_CONNECTIONS];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pid_t sender = sender_start(kind, port);
    for (int i = 0; !kind->datagrams && i < PS_PUMP_CONNECTIONS; i++) {
        lanes[i] = accept(fd, NULL, NULL);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = lanes[i]};
        PS_ASSERT(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, lanes[i], &event) == 0);
    }
    uint64_t events = 0;
    struct ps_usage before = ps_usage_self(), after;
    do {
        for (int i = 0; i < 1000; i++)
            events += kind->datagrams ? bare_datagrams(fd, room) : bare_streams(epoll_fd, room, ROOM);
        after = ps_usage_self();
    } while (after.wall_s - before.wall_s < job->seconds);
    ps_pump_stop(sender);
    for (int i = 0; !kind->datagrams && i < PS_PUMP_CONNECTIONS; i++)
        close(lanes[i]);
    close(fd);
    close(epoll_fd);
    free(room);
    return (double)events / (after.cpu_s - before.cpu_s);
}

/* ---- the engine ---- */

static struct ps_agent *agent_start(const struct kind *kind, unsigned port)
{
    char text[2048];
    int length = snprintf(text, sizeof text, "%s", agent_text);
    snprintf(text + length, sizeof text - (size_t)length, kind->keys, port);
    return ps_bench_agent_start(text);
}

static double run_agent(void *argument)
{
    struct job *job = argument;
    const struct kind *kind = job->kind;
    unsigned port = ps_unused_port(kind->datagrams ? SOCK_DGRAM : SOCK_STREAM);
    struct ps_agent *agent = agent_start(kind, port);
    ps_sleep_s(0.3);
    pid_t sender = sender_start(kind, port);
    ps_sleep_s(0.3);
    uint64_t dropped = ps_bench_agent_sum(agent, PS_KIND_SOURCE, PS_COUNTER_kernel_dropped);
    struct ps_agent_cost cost = ps_bench_agent_for(agent, 0, job->seconds);
    job->kernel_dropped += ps_bench_agent_sum(agent, PS_KIND_SOURCE, PS_COUNTER_kernel_dropped) - dropped;
    ps_pump_stop(sender);
    ps_bench_agent_stop(agent);
    return cost.per_cpu_second;
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 3};
    static struct ps_paired_result result;
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    for (size_t k = 0; k < PS_COUNT_OF(kinds); k++) {
        const struct kind *kind = &kinds[k];
        struct job job = {.kind = kind, .seconds = options.seconds};
        char variant[64];
        if (!ps_bench_wants(&options, kind->name))
            continue;
        snprintf(variant, sizeof variant, "%s %s", kind->name, kind->format);
        const struct ps_paired paired = {.bench = "syslog_receive",
                                         .variant = variant,
                                         .unit = "events/CPU-s",
                                         .reference = kind->datagrams ? "recvmmsg" : "recv and split",
                                         .goal = kind->datagrams ? 0 : 4e6,
                                         .goal_ratio = kind->datagrams ? 0.5 : 0.25,
                                         .subject = run_agent,
                                         .bare = run_bare,
                                         .argument = &job};
        ps_paired_run(&paired, options.rounds, &result);
        ps_paired_print(&paired, &result, "\"bytes\":%d,\"connections\":%d,\"kernel_dropped\":%llu",
                        EVENT_BYTES, kind->datagrams ? 1 : PS_PUMP_CONNECTIONS,
                        (unsigned long long)job.kernel_dropped);
    }
    return 0;
}
