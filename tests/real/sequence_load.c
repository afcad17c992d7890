/* Sends numbered lines over TCP at an even rate: the load of the real tests. Open loop: lines that the
 * receiver does not take in time are sent late and never left out.
 *
 *   sequence_load --to 127.0.0.1:5140 --events N [--streams S] [--rate N] [--bytes N] [--format syslog|line]
 *                 [--answers]
 *
 * Each stream has a connection. With --answers it reads the receiver's answer to each line (netcat's OK) and
 * does not end before every line was answered. A connection that breaks is opened again, and its stream
 * continues with the first line that was not begun. SIGTERM ends it early. Prints one JSON line:
 *   sent        lines
 *   answered    lines
 *   reconnects  connections opened again
 *   resumed     the highest number with which a stream continued after a reconnect
 *   blocked     how often a socket took no more bytes
 *   seconds     duration */
#include "tests/real/sequence.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES 65536U
#define LINE_BYTES_MAX 4096U
#define RETRY_NS 50000000U
#define NS_PER_S UINT64_C(1000000000)

struct stream {
    int fd; /* below 0: not connected */
    bool was_connected;
    uint64_t retry_ns;
    uint64_t made, events;
    uint64_t answered;
    size_t length, sent; /* of chunk */
    char chunk[CHUNK_BYTES];
};

struct load {
    struct sockaddr_in to;
    uint64_t events, rate;
    unsigned streams, bytes;
    bool answers, syslog;
    uint64_t reconnects, resumed, blocked, lost_answers;
    uint64_t began_ns;
};

static struct stream streams[SEQUENCE_STREAMS_MAX];
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = 1;
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static void stream_connect(struct load *load, struct stream *stream, uint64_t now)
{
    if (now < stream->retry_ns)
        return;
    stream->retry_ns = now + RETRY_NS;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&load->to, sizeof load->to) != 0) {
        if (fd >= 0)
            close(fd);
        return;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    stream->fd = fd;
    if (stream->was_connected) {
        load->reconnects++;
        if (stream->made > load->resumed)
            load->resumed = stream->made;
    }
    stream->was_connected = true;
}

/* The lines in the chunk and on the wire may have arrived; they are not sent again. */
static void stream_break(struct load *load, struct stream *stream)
{
    close(stream->fd);
    stream->fd = -1;
    stream->length = stream->sent = 0;
    if (load->answers) {
        load->lost_answers += stream->made - stream->answered;
        stream->answered = stream->made;
    }
}

/* Writes the lines that are due, as many as there is room for. */
static void stream_fill(const struct load *load, struct stream *stream, unsigned number, uint64_t due)
{
    if (due > stream->events)
        due = stream->events;
    if (stream->sent == stream->length)
        stream->sent = stream->length = 0;
    while (stream->made < due && stream->length + LINE_BYTES_MAX <= CHUNK_BYTES) {
        char *line = stream->chunk + stream->length;
        int used =
            snprintf(line, LINE_BYTES_MAX, "%sseq=%u:%" PRIu64 " ",
                     load->syslog ? "<134>Nov 20 09:16:09 machine.example.org " : "", number, stream->made);
        size_t length = (size_t)used;
        if (length + 1 < load->bytes) {
            memset(line + length, '.', load->bytes - 1 - length);
            length = load->bytes - 1;
        }
        line[length++] = '\n';
        stream->length += length;
        stream->made++;
    }
}

static void stream_write(struct load *load, struct stream *stream)
{
    while (stream->sent < stream->length) {
        ssize_t sent =
            send(stream->fd, stream->chunk + stream->sent, stream->length - stream->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            load->blocked += errno == EAGAIN;
            if (errno != EAGAIN && errno != EINTR)
                stream_break(load, stream);
            return;
        }
        stream->sent += (size_t)sent;
    }
}

static void stream_read(struct load *load, struct stream *stream)
{
    char text[16384];
    ssize_t got;
    while ((got = recv(stream->fd, text, sizeof text, 0)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            stream->answered += text[i] == '\n';
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        stream_break(load, stream);
}

static bool stream_is_done(const struct load *load, const struct stream *stream)
{
    return stream->made == stream->events && stream->sent == stream->length &&
           (!load->answers || stream->answered == stream->events);
}

/* Returns how many lines of one stream should have been sent by now. */
static uint64_t due_count(const struct load *load, unsigned number, uint64_t now)
{
    if (load->rate == 0)
        return UINT64_MAX;
    uint64_t passed = now - load->began_ns;
    return sequence_share(passed / NS_PER_S * load->rate + passed % NS_PER_S * load->rate / NS_PER_S,
                          load->streams, number);
}

static void run(struct load *load)
{
    struct pollfd fds[SEQUENCE_STREAMS_MAX];
    for (unsigned i = 0; i < load->streams; i++) {
        streams[i].fd = -1;
        streams[i].events = sequence_share(load->events, load->streams, i);
    }
    load->began_ns = now_ns();
    bool busy = true, ending = false;
    while (busy) {
        uint64_t now = now_ns();
        busy = false;
        if (interrupted && !ending) {
            ending = true;
            for (unsigned i = 0; i < load->streams; i++)
                streams[i].events = streams[i].made;
        }
        for (unsigned i = 0; i < load->streams; i++) {
            struct stream *stream = &streams[i];
            if (stream->fd < 0)
                stream_connect(load, stream, now);
            if (stream->fd >= 0) {
                stream_fill(load, stream, i, due_count(load, i, now));
                stream_write(load, stream);
            }
            if (stream->fd >= 0)
                stream_read(load, stream);
            busy = busy || !stream_is_done(load, stream);
            fds[i] = (struct pollfd){.fd = stream->fd, .events = POLLIN};
            if (stream->sent < stream->length)
                fds[i].events |= POLLOUT;
        }
        if (busy)
            poll(fds, load->streams, load->rate == 0 ? 50 : 1);
    }
}

static int usage(void)
{
    fprintf(stderr, "sequence_load --to 127.0.0.1:PORT --events N [--streams N] [--rate N] [--bytes N] "
                    "[--format syslog|line] [--answers]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"to", 1, NULL, 't'},    {"events", 1, NULL, 'e'}, {"streams", 1, NULL, 's'}, {"rate", 1, NULL, 'r'},
        {"bytes", 1, NULL, 'b'}, {"format", 1, NULL, 'f'}, {"answers", 0, NULL, 'a'}, {NULL, 0, NULL, 0}};
    struct load load = {.streams = 4, .bytes = 120, .syslog = true, .to = {.sin_family = AF_INET}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        uint64_t number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        const char *colon = optarg != NULL ? strrchr(optarg, ':') : NULL;
        switch (option) {
        case 't':
            load.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            load.to.sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : optarg));
            break;
        case 'e':
            load.events = number;
            break;
        case 's':
            load.streams = (unsigned)number;
            break;
        case 'r':
            load.rate = number;
            break;
        case 'b':
            load.bytes = (unsigned)number;
            break;
        case 'f':
            load.syslog = strcmp(optarg, "syslog") == 0;
            break;
        case 'a':
            load.answers = true;
            break;
        default:
            return usage();
        }
    }
    if (load.to.sin_port == 0 || load.events == 0 || load.streams == 0 ||
        load.streams > SEQUENCE_STREAMS_MAX || load.bytes >= LINE_BYTES_MAX)
        return usage();
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    run(&load);
    uint64_t made = 0, answered = 0;
    for (unsigned i = 0; i < load.streams; i++) {
        made += streams[i].made;
        answered += streams[i].answered;
        if (streams[i].fd >= 0)
            close(streams[i].fd);
    }
    printf("{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"resumed\":%" PRIu64
           ",\"blocked\":%" PRIu64 ",\"seconds\":%.3f}\n",
           made, load.answers ? answered - load.lost_answers : 0, load.reconnects, load.resumed, load.blocked,
           (double)(now_ns() - load.began_ns) / 1e9);
    return 0;
}
