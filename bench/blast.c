/* Sends prepared events over TCP as fast as the far side takes them: the load of the whole-pipeline benches.
 * A closed loop; it measures nothing but itself.
 *
 *   bench_blast --to 127.0.0.1:5140 --events 1000000 [--connections 4] [--bytes 120] [--format
 * rfc3164|rfc5424|line] [--answers] [--rate N]
 *
 * Every event carries its connection and sequence number. With --answers it reads what the far side answers
 * (netcat's OK) and does not end before every event was answered. Prints one JSON line: sent, answered,
 * seconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/support/measure.h"

#define CONNECTIONS_MAX 64
#define CHUNK_BYTES 65536

struct blast {
    const char *to;
    unsigned connections, bytes;
    uint64_t events;
    double rate; /* events/s of all connections; 0: as fast as they are taken */
    const char *format;
    bool answers;
};

struct lane {
    int fd;
    uint64_t made, events; /* of this connection */
    uint64_t answered;
    unsigned number;
    size_t length, sent; /* of chunk */
    char chunk[CHUNK_BYTES];
};

static int connect_to(const char *to)
{
    char host[128];
    const char *colon = strrchr(to, ':');
    if (colon == NULL || (size_t)(colon - to) >= sizeof host)
        return -1;
    memcpy(host, to, (size_t)(colon - to));
    host[colon - to] = '\0';
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return -1;
    for (int attempt = 0; attempt < 300; attempt++) { /* the far side may still be starting */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            fcntl(fd, F_SETFL, O_NONBLOCK);
            return fd;
        }
        close(fd);
        usleep(100000);
    }
    return -1;
}

/* One event of exactly `bytes` bytes, newline included. */
static size_t render(const struct blast *blast, const struct lane *lane, char *to)
{
    char head[160];
    int length;
    if (strcmp(blast->format, "rfc3164") == 0)
        length = snprintf(head, sizeof head, "<134>Nov 20 09:00:00 web-%02u app[812]: c%u s%llu ",
                          lane->number, lane->number, (unsigned long long)lane->made);
    else if (strcmp(blast->format, "rfc5424") == 0)
        length =
            snprintf(head, sizeof head, "<134>1 2026-11-20T09:00:00.123Z web-%02u app 812 - - c%u s%llu ",
                     lane->number, lane->number, (unsigned long long)lane->made);
    else
        length = snprintf(head, sizeof head, "c%u s%llu ", lane->number, (unsigned long long)lane->made);
    size_t total = blast->bytes > (unsigned)length + 1 ? blast->bytes : (size_t)length + 1;
    memcpy(to, head, (size_t)length);
    memset(to + length, 'x', total - (size_t)length - 1);
    to[total - 1] = '\n';
    return total;
}

/* How many events this connection may have made by now. */
static uint64_t lane_due(const struct blast *blast, const struct lane *lane)
{
    static double began;
    if (blast->rate <= 0)
        return lane->events;
    if (began <= 0)
        began = ps_usage_self().wall_s;
    double due = (ps_usage_self().wall_s - began) * blast->rate / blast->connections;
    return due < (double)lane->events ? (uint64_t)due : lane->events;
}

static void refill(const struct blast *blast, struct lane *lane)
{
    uint64_t due = lane_due(blast, lane);
    lane->length = lane->sent = 0;
    while (lane->made < due && lane->length + blast->bytes + 160 < CHUNK_BYTES) {
        lane->length += render(blast, lane, lane->chunk + lane->length);
        lane->made++;
    }
}

static void read_answers(struct lane *lane)
{
    char buffer[16384];
    ssize_t got;
    while ((got = recv(lane->fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            lane->answered += buffer[i] == '\n';
    }
}

/* True when this lane is done. */
static bool lane_turn(const struct blast *blast, struct lane *lane)
{
    if (lane->sent == lane->length)
        refill(blast, lane);
    if (lane->length > lane->sent) {
        ssize_t sent = send(lane->fd, lane->chunk + lane->sent, lane->length - lane->sent, MSG_NOSIGNAL);
        if (sent > 0)
            lane->sent += (size_t)sent;
        else if (sent < 0 && errno != EAGAIN)
            PS_ASSERT(!"the far side closed the connection");
    }
    if (blast->answers)
        read_answers(lane);
    return lane->made == lane->events && lane->sent == lane->length &&
           (!blast->answers || lane->answered >= lane->events);
}

static void run(const struct blast *blast, struct lane *lanes)
{
    bool done = false;
    while (!done) {
        struct pollfd ready[CONNECTIONS_MAX];
        done = true;
        for (unsigned i = 0; i < blast->connections; i++) {
            bool finished = lane_turn(blast, &lanes[i]);
            done &= finished;
            bool more =
                lanes[i].sent < lanes[i].length || (blast->rate <= 0 && lanes[i].made < lanes[i].events);
            ready[i] =
                (struct pollfd){.fd = finished ? -1 : lanes[i].fd, .events = (short)(more ? POLLOUT : 0)};
            if (blast->answers)
                ready[i].events |= POLLIN;
        }
        if (!done)
            poll(ready, blast->connections, blast->rate > 0 ? 1 : 100);
    }
}

static bool parse(struct blast *blast, int argc, char **argv)
{
    static const struct option options[] = {{"to", 1, NULL, 't'},          {"events", 1, NULL, 'e'},
                                            {"connections", 1, NULL, 'c'}, {"bytes", 1, NULL, 'b'},
                                            {"rate", 1, NULL, 'r'},        {"format", 1, NULL, 'f'},
                                            {"answers", 0, NULL, 'a'},     {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 't':
            blast->to = optarg;
            break;
        case 'e':
            blast->events = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            blast->connections = (unsigned)atoi(optarg);
            break;
        case 'b':
            blast->bytes = (unsigned)atoi(optarg);
            break;
        case 'r':
            blast->rate = atof(optarg);
            break;
        case 'f':
            blast->format = optarg;
            break;
        case 'a':
            blast->answers = true;
            break;
        default:
            return false;
        }
    }
    return blast->to != NULL && blast->connections > 0 && blast->connections <= CONNECTIONS_MAX &&
           blast->bytes < CHUNK_BYTES / 2;
}

int main(int argc, char **argv)
{
    struct blast blast = {.connections = 4, .bytes = 120, .events = 1000000, .format = "rfc3164"};
    if (!parse(&blast, argc, argv)) {
        fprintf(stderr, "usage: bench_blast --to HOST:PORT [--events N] [--connections N] [--bytes N] "
                        "[--format F] [--answers]\n");
        return 2;
    }
    struct lane *lanes = calloc(blast.connections, sizeof *lanes);
    PS_ASSERT(lanes != NULL);
    for (unsigned i = 0; i < blast.connections; i++) {
        lanes[i].number = i;
        lanes[i].events = blast.events / blast.connections + (i < blast.events % blast.connections);
        lanes[i].fd = connect_to(blast.to);
        if (lanes[i].fd < 0) {
            fprintf(stderr, "bench_blast: cannot connect to %s\n", blast.to);
            return 1;
        }
    }
    struct ps_usage before = ps_usage_self();
    run(&blast, lanes);
    struct ps_usage after = ps_usage_self();
    uint64_t answered = 0;
    for (unsigned i = 0; i < blast.connections; i++) {
        answered += lanes[i].answered;
        shutdown(lanes[i].fd, SHUT_WR);
        close(lanes[i].fd);
    }
    printf("{\"sent\":%llu,\"answered\":%llu,\"seconds\":%.3f,\"cpu_seconds\":%.3f}\n",
           (unsigned long long)blast.events, (unsigned long long)answered, after.wall_s - before.wall_s,
           after.cpu_s - before.cpu_s);
    return 0;
}
