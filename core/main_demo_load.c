/* The demo's generator: open-loop syslog over TCP. Every event has a time it is due, at an even rate, and
 * carries it; when the agent pushes back, events go out late and their latency counts from when they were
 * due. */
#include "core/main_demo.h"
#include "core/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENT_BYTES_MAX 200U
#define BURST_EVENTS 400U /* most written at once */
#define STEP_NS 500000    /* how often it looks what is due */
#define KEEP_RATE 10U     /* events a second while held open */

struct connection {
    int fd;
    uint64_t sent; /* events */
    uint64_t numbers[DEMO_GROUPS];
};

static void hex_write(char *text, uint64_t value, unsigned digits)
{
    for (unsigned i = 0; i < digits; i++)
        text[i] = "0123456789abcdef"[(value >> (4 * (digits - 1 - i))) & 15];
}

static bool hex_read(const char *text, unsigned digits, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        unsigned digit = (unsigned char)text[i];
        if (digit >= '0' && digit <= '9')
            digit -= '0';
        else if (digit >= 'a' && digit <= 'f')
            digit -= 'a' - 10;
        else
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

/* Offsets in the stamp. */
enum { AT_RUN = 5, AT_CONNECTION = 24, AT_GROUP = 29, AT_NUMBER = 33, AT_DUE = 52 };

void demo_stamp_write(const struct demo *demo, const struct demo_stamp *stamp, char *text)
{
    memcpy(text, "demo ................ c=.. k=. n=................ d=................", DEMO_STAMP_BYTES);
    memcpy(text + AT_RUN, demo->run_id, 16);
    hex_write(text + AT_CONNECTION, stamp->connection, 2);
    hex_write(text + AT_GROUP, stamp->group, 1);
    hex_write(text + AT_NUMBER, stamp->number, 16);
    hex_write(text + AT_DUE, stamp->due_ns, 16);
}

bool demo_stamp_read(const struct demo *demo, const char *text, size_t length, struct demo_stamp *stamp)
{
    const char *at = memmem(text, length, "demo ", 5);
    uint64_t connection, group;
    if (at == NULL || (size_t)(text + length - at) < DEMO_STAMP_BYTES ||
        memcmp(at + AT_RUN, demo->run_id, 16) != 0 || !hex_read(at + AT_CONNECTION, 2, &connection) ||
        !hex_read(at + AT_GROUP, 1, &group) || !hex_read(at + AT_NUMBER, 16, &stamp->number) ||
        !hex_read(at + AT_DUE, 16, &stamp->due_ns))
        return false;
    stamp->connection = (unsigned)connection;
    stamp->group = (unsigned)group;
    return connection < demo->connections && group < DEMO_GROUPS;
}

/* RFC 3164: "<11>Nov 20 09:00:00 quickstart demo ...": severity 3 goes to the errors, 6 to the rest. */
static size_t event_write(const struct demo *demo, char *text, const char *time_text, struct demo_stamp stamp)
{
    static const char tail[] = " GET /index.html 200, took 12 ms, from the cache\n";
    size_t length = (size_t)sprintf(text, "<%d>%s quickstart ", stamp.group == 0 ? 11 : 14, time_text);
    demo_stamp_write(demo, &stamp, text + length);
    memcpy(text + length + DEMO_STAMP_BYTES, tail, sizeof tail - 1);
    return length + DEMO_STAMP_BYTES + sizeof tail - 1;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = send(fd, data, length, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        length -= (size_t)written;
    }
    return true;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("penstock demo: generator");
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void syslog_time(char *text, size_t room)
{
    time_t now = time(NULL);
    struct tm broken;
    localtime_r(&now, &broken);
    strftime(text, room, "%b %e %H:%M:%S", &broken);
}

/* A stretch of load: event `first` of a connection is due at start_ns, the others gap_ns apart, up to
 * `limit`. */
struct phase {
    uint64_t start_ns, gap_ns, first, limit;
};

/* Everything due by now on one connection; at most a burst. False: connection lost. */
static bool send_due(struct demo *demo, struct connection *connection, unsigned number,
                     const struct phase *phase, uint64_t now_ns)
{
    static char buffer[BURST_EVENTS * EVENT_BYTES_MAX];
    /* Connections take turns within one gap, so that the load is even. */
    uint64_t start_ns = phase->start_ns + phase->gap_ns * number / demo->connections;
    uint64_t due = phase->first + (now_ns < start_ns ? 0 : (now_ns - start_ns) / phase->gap_ns + 1);
    char time_text[32];
    size_t length = 0;
    unsigned count = 0;
    if (due > phase->limit)
        due = phase->limit;
    syslog_time(time_text, sizeof time_text);
    for (; connection->sent + count < due && count < BURST_EVENTS; count++) {
        uint64_t which = connection->sent + count;
        unsigned group = which % DEMO_ERROR_EVERY == 0 ? 0 : 1;
        struct demo_stamp stamp = {number, group, connection->numbers[group]++,
                                   start_ns + (which - phase->first) * phase->gap_ns};
        length += event_write(demo, buffer + length, time_text, stamp);
    }
    if (count == 0)
        return true;
    if (!write_all(connection->fd, buffer, length))
        return false;
    connection->sent += count;
    demo_add(&demo->sent, count);
    return true;
}

/* Until all are at the limit. */
static bool send_phase(struct demo *demo, struct connection *connections, const struct phase *phase)
{
    bool more = true;
    while (more && !ps_flag_get(&demo->finish)) {
        uint64_t now_ns = ps_clock_now().mono_ns;
        more = false;
        for (unsigned i = 0; i < demo->connections; i++) {
            if (!send_due(demo, &connections[i], i, phase, now_ns)) {
                fprintf(stderr, "penstock demo: the agent closed a connection: %s\n", strerror(errno));
                return false;
            }
            more = more || connections[i].sent < phase->limit;
        }
        struct timespec pause = {.tv_nsec = STEP_NS};
        if (ps_clock_now().mono_ns - now_ns < STEP_NS)
            nanosleep(&pause, NULL);
    }
    return true;
}

int demo_generate(struct demo *demo)
{
    static struct connection connections[DEMO_CONNECTIONS_MAX];
    for (unsigned i = 0; i < demo->connections; i++) {
        connections[i].fd = connect_to(demo->port);
        if (connections[i].fd < 0) {
            ps_flag_set(&demo->sent_failed, true);
            return 1;
        }
    }
    struct phase load = {ps_clock_now().mono_ns, PS_NS_PER_S * demo->connections / demo->rate, 0,
                         demo->planned};
    bool good = send_phase(demo, connections, &load);
    ps_flag_set(good ? &demo->sent_all : &demo->sent_failed, true);
    if (good && demo->keep) {
        for (unsigned i = 0; i < demo->connections; i++) /* numbers that are not checked */
            connections[i].numbers[0] = connections[i].numbers[1] = demo->planned;
        struct phase keep = {ps_clock_now().mono_ns, PS_NS_PER_S * demo->connections / KEEP_RATE,
                             demo->planned, UINT64_MAX};
        good = send_phase(demo, connections, &keep);
    }
    for (unsigned i = 0; i < demo->connections; i++)
        close(connections[i].fd);
    return good ? 0 : 1;
}
