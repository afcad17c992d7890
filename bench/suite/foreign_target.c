/* A foreign target, to measure `penstock plan` with: takes lines over TCP, forwards them over TCP, and has a
 * capacity that is known. It knows nothing of the planner and shares no code with it.
 *
 *   bench_foreign_target --to HOST:PORT [--mode MODE] [--rate R] [--port N] [--buffer BYTES] [...]
 *
 * Modes:
 *   fair      a token bucket; connections take turns
 *   unfair    a token bucket; the connection that was accepted first takes all it can, and so on
 *   drop      a bounded queue (--queue SECONDS) in front of a server of constant speed; drops what does not fit
 *   block     the same; stops reading while it is full
 *   each      a token bucket for each connection; the second one's is --slow times the others'. --rate is the
 *             rate that all connections together hold when they send equally
 *   pauses    a token bucket that stops for --pause seconds every --every seconds, and is faster in between
 *   bursts    a token bucket that saves up for --depth seconds, and drops
 *   sags      --credit times faster for the first 10 s after it was idle for 0.5 s
 *   batches   collects, and forwards every 200 ms
 *   windows   a fixed number of lines in each window of --every seconds; drops the others
 *
 * --buffer sets the receive buffer of each connection, --depth the depth of a bucket in seconds. Prints its port
 * on the first line; ends on SIGTERM. One thread, no allocation after a connection is accepted. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INPUTS_MAX 256U
#define INPUT_BYTES (128U << 10)
#define SPOOL_BYTES (256U << 20)
#define OUTPUT_WATER (4U << 20) /* bytes on their way to the far end; with more, this target stops reading */
#define TICK_MS 1
#define IDLE_S 0.5
#define SAG_S 10.0
#define BATCH_S 0.2

enum mode { FAIR, UNFAIR, DROP, BLOCK, EACH, PAUSES, BURSTS, SAGS, BATCHES, WINDOWS, MODES };
static const char *const mode_names[MODES] = {"fair",   "unfair", "drop", "block",   "each",
                                              "pauses", "bursts", "sags", "batches", "windows"};

struct input {
    int fd;
    unsigned number; /* in the order of accept */
    double tokens;
    size_t begin, end;
    char bytes[INPUT_BYTES];
};

static struct {
    enum mode mode;
    double rate, depth_s, queue_s, pause_s, every_s, slow, credit;
    int buffer_bytes;
    struct sockaddr_in to;
    int listener, out;
    struct input *inputs[INPUTS_MAX];
    unsigned input_count, accepted, turn;
    double now_s, filled_s, tokens;
    double pause_from_s, busy_from_s, busy_s, batch_s, window_from_s, window_used;
    /* Lines in transit: those before `spool_released` may leave. A ring would save the memmove. */
    char *spool;
    size_t spool_begin, spool_released, spool_end;
    uint64_t queued, taken, dropped; /* lines */
} target = {.mode = FAIR,
            .rate = 10000,
            .depth_s = 0.02,
            .queue_s = 0.2,
            .pause_s = 0.1,
            .every_s = 1,
            .slow = 0.7,
            .credit = 1.5,
            .out = -1};

static volatile sig_atomic_t stopped;

static void on_signal(int)
{
    stopped = 1;
}

static _Noreturn void fatal(const char *what)
{
    fprintf(stderr, "bench_foreign_target: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the far end ---- */

static void out_close(void)
{
    close(target.out);
    target.out = -1;
    target.spool_begin = target.spool_released = target.spool_end = 0;
    target.queued = 0;
}

/* Connects to the far end while there are inputs, because a new far end listens for every trial. */
static void out_open(void)
{
    if (target.out >= 0 || target.input_count == 0)
        return;
    target.out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (target.out < 0 || connect(target.out, (struct sockaddr *)&target.to, sizeof target.to) != 0) {
        close(target.out);
        target.out = -1;
        return;
    }
    fcntl(target.out, F_SETFL, O_NONBLOCK);
}

static void out_flush(void)
{
    char byte;
    ssize_t got = target.out >= 0 ? recv(target.out, &byte, 1, 0) : 1;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        out_close();
    out_open();
    while (target.out >= 0 && target.spool_begin < target.spool_released) {
        ssize_t sent = send(target.out, target.spool + target.spool_begin,
                            target.spool_released - target.spool_begin, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (sent <= 0) {
            out_close();
            return;
        }
        target.spool_begin += (size_t)sent;
    }
    if (target.spool_begin == target.spool_end) {
        target.spool_begin = target.spool_released = target.spool_end = 0;
    } else if (target.spool_begin > SPOOL_BYTES / 2) {
        memmove(target.spool, target.spool + target.spool_begin, target.spool_end - target.spool_begin);
        target.spool_released -= target.spool_begin;
        target.spool_end -= target.spool_begin;
        target.spool_begin = 0;
    }
}

/* ---- lines ---- */

/* Returns the length of the input's next whole line; 0: there is none. */
static size_t line_of(const struct input *input)
{
    const char *end = memchr(input->bytes + input->begin, '\n', input->end - input->begin);
    return end != NULL ? (size_t)(end - (input->bytes + input->begin)) + 1 : 0;
}

/* Reads what the input's buffer has room for. Returns false at the end of the input. */
static bool input_fill(struct input *input)
{
    if (input->begin > 0) {
        memmove(input->bytes, input->bytes + input->begin, input->end - input->begin);
        input->end -= input->begin;
        input->begin = 0;
    }
    if (input->end == INPUT_BYTES)
        return true;
    ssize_t got = read(input->fd, input->bytes + input->end, INPUT_BYTES - input->end);
    if (got > 0)
        input->end += (size_t)got;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)) || line_of(input) > 0;
}

/* Takes one line into the spool. */
static void line_take(struct input *input, size_t length)
{
    if (SPOOL_BYTES - target.spool_end < length)
        fatal("the spool is full");
    memcpy(target.spool + target.spool_end, input->bytes + input->begin, length);
    target.spool_end += length;
    input->begin += length;
    target.queued++;
    target.taken++;
}

static void line_drop(struct input *input, size_t length)
{
    input->begin += length;
    target.dropped++;
}

/* Lets the oldest `count` lines of the spool leave. */
static void release(double count)
{
    while (count >= 1 && target.queued > 0) {
        const char *from = target.spool + target.spool_released;
        const char *end = memchr(from, '\n', target.spool_end - target.spool_released);
        target.spool_released += (size_t)(end - from) + 1;
        target.queued--;
        count--;
    }
}

static void release_all(void)
{
    target.spool_released = target.spool_end;
    target.queued = 0;
}

/* Takes up to `most` lines of one input; the bucket's tokens are the caller's. Returns how many. */
static double input_take(struct input *input, double most)
{
    double count = 0;
    size_t length;
    while (count + 1 <= most) {
        length = line_of(input);
        if (length == 0) {
            size_t before = input->end - input->begin;
            input_fill(input);
            if (input->end - input->begin == before || line_of(input) == 0)
                break;
            continue;
        }
        line_take(input, length);
        count++;
    }
    return count;
}

static void inputs_drop(void)
{
    for (unsigned i = 0; i < target.input_count; i++) {
        size_t length;
        for (unsigned round = 0; round < 16; round++) {
            while ((length = line_of(target.inputs[i])) > 0)
                line_drop(target.inputs[i], length);
            size_t before = target.inputs[i]->end - target.inputs[i]->begin;
            input_fill(target.inputs[i]);
            if (target.inputs[i]->end - target.inputs[i]->begin == before)
                break;
        }
    }
}

/* Takes up to `most` lines of all inputs: in turns of 16 lines, or the first inputs first. Returns how many. */
static double inputs_take(double most, bool unfair)
{
    double left = most;
    if (unfair) {
        for (unsigned i = 0; i < target.input_count && left >= 1; i++)
            left -= input_take(target.inputs[i], left);
        return most - left;
    }
    for (unsigned idle = 0; idle < target.input_count && left >= 1;) {
        struct input *input = target.inputs[target.turn++ % target.input_count];
        double count = input_take(input, left < 16 ? left : 16);
        left -= count;
        idle = count > 0 ? 0 : idle + 1;
    }
    return most - left;
}

/* Takes up to `most` lines and drops the others. Lines that arrive meanwhile are kept while there is room. */
static double take_or_drop(double most)
{
    double taken = inputs_take(most, false);
    if (taken + 1 > most)
        inputs_drop();
    return taken;
}

/* ---- modes ---- */

static bool is_paused(void)
{
    if (target.now_s >= target.pause_from_s + target.pause_s)
        target.pause_from_s += target.every_s;
    return target.now_s >= target.pause_from_s;
}

/* Returns the speed now. */
static double speed(void)
{
    if (target.mode == PAUSES)
        return target.rate / (1 - target.pause_s / target.every_s);
    if (target.mode == SAGS && target.now_s < target.busy_from_s + SAG_S)
        return target.rate * target.credit;
    return target.rate;
}

static void each_serve(double passed_s)
{
    double limit = target.rate / (target.input_count > 0 ? target.input_count : 1);
    for (unsigned i = 0; i < target.input_count; i++) {
        struct input *input = target.inputs[i];
        double own =
            input->number % target.input_count == 1 || target.input_count == 1 ? limit : limit / target.slow;
        double depth = fmax(own * target.depth_s, 1);
        input->tokens = fmin(input->tokens + own * passed_s, depth);
        input->tokens -= input_take(input, input->tokens);
    }
    release_all();
}

static void queue_serve(double passed_s)
{
    double length = fmax(target.rate * target.queue_s, 1);
    /* the server also works while this process has no CPU, but for at most 20 ms */
    target.tokens = fmin(target.tokens + target.rate * passed_s, target.rate * 0.02 + 1);
    double served = fmin(floor(target.tokens), (double)target.queued);
    release(served);
    target.tokens -= served;
    if (target.queued == 0)
        target.tokens = fmin(target.tokens, 1);
    double room = length - (double)target.queued;
    if (target.mode == DROP)
        take_or_drop(room);
    else
        inputs_take(room, false);
}

static void serve(double passed_s)
{
    double taken, depth = target.rate * target.depth_s + 1;
    switch (target.mode) {
    case EACH:
        each_serve(passed_s);
        return;
    case DROP:
    case BLOCK:
        queue_serve(passed_s);
        return;
    case BATCHES:
        inputs_take(target.rate * 2, false); /* the target's memory: events of 2 s */
        if (target.now_s < target.batch_s + BATCH_S)
            return;
        release(fmin(target.rate * (target.now_s - target.batch_s), target.rate * 2 * BATCH_S));
        target.batch_s = target.now_s;
        return;
    case WINDOWS:
        if (target.now_s >= target.window_from_s + target.every_s) {
            target.window_from_s = target.now_s;
            target.window_used = 0;
        }
        target.window_used += take_or_drop(floor(target.rate * target.every_s) - target.window_used);
        release_all();
        return;
    case PAUSES:
        if (is_paused()) {
            target.filled_s = target.now_s;
            return;
        }
        break;
    default:
        break;
    }
    target.tokens = fmin(target.tokens + speed() * passed_s, depth);
    taken = target.mode == BURSTS ? take_or_drop(target.tokens)
                                  : inputs_take(target.tokens, target.mode == UNFAIR);
    target.tokens -= taken;
    if (taken > 0) {
        if (target.now_s > target.busy_s + IDLE_S)
            target.busy_from_s = target.now_s;
        target.busy_s = target.now_s;
    }
    release_all();
}

/* ---- connections ---- */

static void listen_on(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int on = 1;
    target.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(target.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (target.buffer_bytes > 0)
        setsockopt(target.listener, SOL_SOCKET, SO_RCVBUF, &target.buffer_bytes, sizeof target.buffer_bytes);
    if (bind(target.listener, (struct sockaddr *)&address, size) != 0 || listen(target.listener, 256) != 0 ||
        getsockname(target.listener, (struct sockaddr *)&address, &size) != 0)
        fatal("listen");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
}

static void accept_all(void)
{
    while (target.input_count < INPUTS_MAX) {
        int fd = accept4(target.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct input *input = malloc(sizeof *input);
        if (input == NULL)
            fatal("malloc");
        if (target.input_count == 0)
            target.accepted = 0;
        *input = (struct input){.fd = fd, .number = target.accepted++};
        target.inputs[target.input_count++] = input;
    }
}

static void close_ended(void)
{
    for (unsigned i = 0; i < target.input_count; i++) {
        struct input *input = target.inputs[i];
        if (line_of(input) > 0 || input_fill(input))
            continue;
        close(input->fd);
        free(input);
        target.input_count--;
        memmove(&target.inputs[i], &target.inputs[i + 1], (target.input_count - i) * sizeof *target.inputs);
        i--;
    }
}

static void cycle(void)
{
    struct pollfd ready = {.fd = target.listener, .events = POLLIN};
    bool idle = target.input_count == 0 && target.spool_begin == target.spool_end;
    poll(&ready, idle, idle ? 100 : TICK_MS);
    target.now_s = clock_s();
    double passed_s = target.now_s - target.filled_s;
    target.filled_s = target.now_s;
    accept_all();
    out_flush();
    if (target.spool_released - target.spool_begin < OUTPUT_WATER)
        serve(passed_s);
    out_flush();
    close_ended();
}

static bool parse(int argc, char **argv, unsigned *port)
{
    static const struct option options[] = {
        {"mode", 1, NULL, 'm'},  {"rate", 1, NULL, 'r'},   {"port", 1, NULL, 'p'},   {"to", 1, NULL, 't'},
        {"depth", 1, NULL, 'd'}, {"queue", 1, NULL, 'q'},  {"pause", 1, NULL, 'P'},  {"every", 1, NULL, 'e'},
        {"slow", 1, NULL, 's'},  {"credit", 1, NULL, 'c'}, {"buffer", 1, NULL, 'b'}, {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        double number = optarg != NULL ? strtod(optarg, NULL) : 0;
        const char *colon = option == 't' ? strrchr(optarg, ':') : NULL;
        switch (option) {
        case 'm':
            for (target.mode = FAIR; target.mode < MODES && strcmp(optarg, mode_names[target.mode]) != 0;)
                target.mode++;
            if (target.mode == MODES)
                return false;
            break;
        case 't':
            if (colon == NULL)
                return false;
            target.to = (struct sockaddr_in){.sin_family = AF_INET,
                                             .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
            break;
        case 'r':
            target.rate = number;
            break;
        case 'p':
            *port = (unsigned)number;
            break;
        case 'd':
            target.depth_s = number;
            break;
        case 'q':
            target.queue_s = number;
            break;
        case 'P':
            target.pause_s = number;
            break;
        case 'e':
            target.every_s = number;
            break;
        case 's':
            target.slow = number;
            break;
        case 'c':
            target.credit = number;
            break;
        case 'b':
            target.buffer_bytes = (int)number;
            break;
        default:
            return false;
        }
    }
    return target.rate > 0 && target.to.sin_port != 0 && target.pause_s < target.every_s && target.slow > 0;
}

int main(int argc, char **argv)
{
    unsigned port = 0;
    if (!parse(argc, argv, &port)) {
        fprintf(stderr, "usage: bench_foreign_target --to HOST:PORT [--mode MODE] [--rate R] [--port N] "
                        "[--buffer BYTES]\n"
                        "  [--depth S] [--queue S] [--pause S] [--every S] [--slow SHARE] [--credit FACTOR]\n"
                        "modes: fair unfair drop block each pauses bursts sags batches windows\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGTERM, on_signal);
    target.spool = malloc(SPOOL_BYTES);
    if (target.spool == NULL)
        fatal("malloc");
    target.now_s = target.filled_s = target.pause_from_s = target.batch_s = target.window_from_s = clock_s();
    target.tokens = target.rate * target.depth_s;
    listen_on(port);
    while (!stopped)
        cycle();
    fprintf(stderr, "taken %llu, dropped %llu\n", (unsigned long long)target.taken,
            (unsigned long long)target.dropped);
    return 0;
}
