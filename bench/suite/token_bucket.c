/* A target with a known capacity, to measure `penstock plan` with: takes lines over TCP at exactly the given
 * rate and forwards them over TCP or drops them.
 *
 *   bench_token_bucket --rate R [--port N] --to HOST:PORT [--queue EVENTS] [--drop]
 *
 * Without --drop it reads no faster than it may forward (back-pressure); with --drop it discards lines above
 * the rate and the queue. Prints its port on the first line; ends on SIGTERM. One thread. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

#define INPUTS_MAX 64U
#define INPUT_BYTES (256U << 10)
#define OUTPUT_BYTES (8U << 20)
#define TICK_MS 1

struct input {
    int fd;
    size_t length;
    char bytes[INPUT_BYTES];
};

struct bucket {
    double rate, queue; /* lines/s; lines that may be taken at once */
    double tokens;
    uint64_t filled_ns;
    bool drop;
    int listener, out;
    struct sockaddr_in to;
    struct input *inputs[INPUTS_MAX];
    unsigned input_count;
    char *output;
    size_t output_length;
};

static _Noreturn void fatal(const char *what)
{
    fprintf(stderr, "bench_token_bucket: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void listen_on(struct bucket *bucket, unsigned port)
{
    struct sockaddr_in address = loopback(port);
    socklen_t size = sizeof address;
    int on = 1;
    bucket->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(bucket->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Small buffers, so that they add no capacity. */
    int bytes = 65536;
    setsockopt(bucket->listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (bind(bucket->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(bucket->listener, 64) != 0 ||
        getsockname(bucket->listener, (struct sockaddr *)&address, &size) != 0)
        fatal("listen");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
}

/* Connects to the far end: a new one listens for every trial. */
static void out_open(struct bucket *bucket)
{
    if (bucket->out >= 0)
        return;
    bucket->out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(bucket->out, (struct sockaddr *)&bucket->to, sizeof bucket->to) != 0) {
        close(bucket->out);
        bucket->out = -1;
        return;
    }
    fcntl(bucket->out, F_SETFL, O_NONBLOCK);
}

static void out_close(struct bucket *bucket)
{
    close(bucket->out);
    bucket->out = -1;
    bucket->output_length = 0;
}

static void out_flush(struct bucket *bucket)
{
    char byte;
    ssize_t got = bucket->out >= 0 ? recv(bucket->out, &byte, 1, 0) : 1;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        out_close(bucket); /* verify has ended */
    if (bucket->input_count > 0)
        out_open(bucket);
    while (bucket->out >= 0 && bucket->output_length > 0) {
        ssize_t sent = send(bucket->out, bucket->output, bucket->output_length, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (sent <= 0) {
            out_close(bucket);
            return;
        }
        bucket->output_length -= (size_t)sent;
        memmove(bucket->output, bucket->output + sent, bucket->output_length);
    }
}

/* Forwards as many whole lines as there are tokens. */
static void input_drain(struct bucket *bucket, struct input *input)
{
    size_t at = 0;
    char *end;
    while (at < input->length && (end = memchr(input->bytes + at, '\n', input->length - at)) != NULL) {
        size_t length = (size_t)(end - input->bytes) + 1 - at;
        bool room = OUTPUT_BYTES - bucket->output_length >= length;
        if (bucket->tokens < 1 || !room) {
            if (!bucket->drop)
                break;
        } else {
            memcpy(bucket->output + bucket->output_length, input->bytes + at, length);
            bucket->output_length += length;
            bucket->tokens--;
        }
        at += length;
    }
    input->length -= at;
    memmove(input->bytes, input->bytes + at, input->length);
}

/* Returns false at the end of the input. */
static bool input_read(struct bucket *bucket, struct input *input)
{
    for (unsigned i = 0; i < 16; i++) {
        input_drain(bucket, input);
        if (input->length == INPUT_BYTES)
            return true;
        ssize_t got = read(input->fd, input->bytes + input->length, INPUT_BYTES - input->length);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (got <= 0)
            return input->length > 0 && memchr(input->bytes, '\n', input->length) != NULL;
        input->length += (size_t)got;
    }
    return true;
}

static void accept_all(struct bucket *bucket)
{
    while (bucket->input_count < INPUTS_MAX) {
        int fd = accept4(bucket->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct input *input = malloc(sizeof *input);
        if (input == NULL)
            fatal("malloc");
        input->fd = fd;
        input->length = 0;
        bucket->inputs[bucket->input_count++] = input;
    }
}

static void refill(struct bucket *bucket)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    bucket->tokens += bucket->rate * (double)(now_ns - bucket->filled_ns) / 1e9;
    bucket->filled_ns = now_ns;
    if (bucket->tokens > bucket->queue)
        bucket->tokens = bucket->queue;
}

static void cycle(struct bucket *bucket)
{
    struct pollfd ready = {.fd = bucket->listener, .events = POLLIN};
    poll(&ready, bucket->input_count == 0, bucket->input_count == 0 ? 100 : TICK_MS);
    refill(bucket);
    accept_all(bucket);
    out_flush(bucket);
    for (unsigned i = 0; i < bucket->input_count; i++) {
        struct input *input = bucket->inputs[i];
        if (input_read(bucket, input))
            continue;
        close(input->fd);
        free(input);
        bucket->inputs[i--] = bucket->inputs[--bucket->input_count];
    }
    out_flush(bucket);
}

static bool parse(struct bucket *bucket, unsigned *port, int argc, char **argv)
{
    static const struct option options[] = {
        {"rate", required_argument, NULL, 'r'}, {"port", required_argument, NULL, 'p'},
        {"to", required_argument, NULL, 't'},   {"queue", required_argument, NULL, 'q'},
        {"drop", no_argument, NULL, 'd'},       {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const char *colon = option == 't' ? strrchr(optarg, ':') : NULL;
        if (option == 'r')
            bucket->rate = strtod(optarg, NULL);
        else if (option == 'p')
            *port = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 't' && colon != NULL)
            bucket->to = loopback((unsigned)strtoul(colon + 1, NULL, 10));
        else if (option == 'q')
            bucket->queue = strtod(optarg, NULL);
        else if (option == 'd')
            bucket->drop = true;
        else
            return false;
    }
    return bucket->rate > 0 && bucket->to.sin_port != 0;
}

int main(int argc, char **argv)
{
    static struct bucket bucket = {.out = -1};
    unsigned port = 0;
    if (!parse(&bucket, &port, argc, argv)) {
        fprintf(stderr,
                "usage: bench_token_bucket --rate R --to HOST:PORT [--port N] [--queue EVENTS] [--drop]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* 20 ms of events: the program may be late by that much itself */
    if (bucket.queue <= 0)
        bucket.queue = bucket.rate / 50 + 1;
    bucket.output = malloc(OUTPUT_BYTES);
    if (bucket.output == NULL)
        fatal("malloc");
    bucket.filled_ns = ps_clock_now().mono_ns;
    listen_on(&bucket, port);
    for (;;)
        cycle(&bucket);
}
