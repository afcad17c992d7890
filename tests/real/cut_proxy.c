/* A TCP proxy in front of a Kafka broker. It cuts connections after the broker has answered a produce request
 * (so the records are in its log) and before the answer reaches the client. The client must repeat records
 * that the broker already has.
 *
 *   cut_proxy --listen 19633 --to 127.0.0.1:19600 --cut-every N [--cuts-max N]
 *
 * Every N-th produce request that wants an answer is chosen; when its answer comes, both sides are closed.
 * Frames are those of the Kafka protocol (KIP-35 request header: api key 0 is Produce; correlation id at
 * offset 4, which the answer begins with). Prints one JSON line after each cut and on SIGTERM: produce_requests, cuts. */
#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 64U
#define HEAD_BYTES 12U /* length, api key, api version, correlation id */
#define API_PRODUCE 0

/* One direction: bytes are forwarded as they arrive; the head of each frame is held until it is complete. */
struct lane {
    int from, to;
    uint64_t left; /* remaining bytes of the frame that is being forwarded */
    uint32_t head_length;
    unsigned char head[HEAD_BYTES];
    bool requests; /* true: requests, false: answers */
};

struct pair {
    bool open, chosen;
    int32_t chosen_id; /* correlation id of the request whose answer is cut off */
    struct lane up, down;
};

static struct pair pairs[PAIRS_MAX];
static uint64_t produce_count, cut_count, cut_every = 1, cuts_max = UINT64_MAX;
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = 1;
}

static int32_t number_at(const unsigned char *bytes)
{
    return (int32_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                     bytes[3]);
}

static bool send_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void tell(void)
{
    printf("{\"produce_requests\":%" PRIu64 ",\"cuts\":%" PRIu64 "}\n", produce_count, cut_count);
    fflush(stdout);
}

/* Handles the complete head of a frame. Returns false when the connection must be cut now. */
static bool look(struct pair *pair, struct lane *lane)
{
    int32_t id = number_at(lane->head + (lane->requests ? 8 : 4));
    if (!lane->requests) {
        if (!pair->chosen || id != pair->chosen_id)
            return true;
        cut_count++;
        tell();
        return false;
    }
    if (lane->head[4] == 0 && lane->head[5] == API_PRODUCE && ++produce_count % cut_every == 0 &&
        !pair->chosen && cut_count < cuts_max) {
        pair->chosen = true;
        pair->chosen_id = id;
    }
    return true;
}

/* Forwards the available bytes. Returns false when the pair of connections has ended. */
static bool lane_move(struct pair *pair, struct lane *lane)
{
    static unsigned char bytes[262144];
    ssize_t got = recv(lane->from, bytes, sizeof bytes, 0);
    if (got <= 0)
        return false;
    size_t at = 0, length = (size_t)got, need = lane->requests ? HEAD_BYTES : 8;
    while (at < length) {
        if (lane->left == 0) {
            while (at < length && lane->head_length < need)
                lane->head[lane->head_length++] = bytes[at++];
            if (lane->head_length < need)
                return true;
            if (!look(pair, lane) || !send_all(lane->to, lane->head, need))
                return false;
            lane->head_length = 0;
            lane->left = (uint64_t)number_at(lane->head) + 4 - need;
            continue;
        }
        size_t some = length - at < lane->left ? length - at : (size_t)lane->left;
        if (!send_all(lane->to, bytes + at, some))
            return false;
        at += some;
        lane->left -= some;
    }
    return true;
}

static void pair_accept(int listener, const struct sockaddr_in *to)
{
    int client = accept(listener, NULL, NULL);
    if (client < 0)
        return;
    int broker = socket(AF_INET, SOCK_STREAM, 0);
    for (unsigned i = 0; i < PAIRS_MAX && broker >= 0; i++) {
        if (pairs[i].open)
            continue;
        if (connect(broker, (const struct sockaddr *)to, sizeof *to) != 0)
            break;
        pairs[i] = (struct pair){.open = true,
                                 .up = {.from = client, .to = broker, .requests = true},
                                 .down = {.from = broker, .to = client}};
        return;
    }
    close(client);
    if (broker >= 0)
        close(broker);
}

static void pair_close(struct pair *pair)
{
    close(pair->up.from);
    close(pair->up.to);
    pair->open = false;
}

static void run(int listener, const struct sockaddr_in *to)
{
    while (!interrupted) {
        struct pollfd fds[1 + 2 * PAIRS_MAX] = {{.fd = listener, .events = POLLIN}};
        for (unsigned i = 0; i < PAIRS_MAX; i++) {
            fds[1 + 2 * i] = (struct pollfd){.fd = pairs[i].open ? pairs[i].up.from : -1, .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = pairs[i].open ? pairs[i].down.from : -1, .events = POLLIN};
        }
        if (poll(fds, 1 + 2 * PAIRS_MAX, 200) <= 0)
            continue;
        for (unsigned i = 0; i < PAIRS_MAX; i++) {
            bool good = true;
            if (fds[1 + 2 * i].revents != 0)
                good = lane_move(&pairs[i], &pairs[i].up);
            if (good && fds[2 + 2 * i].revents != 0)
                good = lane_move(&pairs[i], &pairs[i].down);
            if (!good)
                pair_close(&pairs[i]);
        }
        if (fds[0].revents != 0)
            pair_accept(listener, to);
    }
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"listen", 1, NULL, 'l'},
                                          {"to", 1, NULL, 't'},
                                          {"cut-every", 1, NULL, 'e'},
                                          {"cuts-max", 1, NULL, 'm'},
                                          {NULL, 0, NULL, 0}};
    struct sockaddr_in at = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int option, one = 1;
    at.sin_addr.s_addr = to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        const char *colon = optarg != NULL ? strrchr(optarg, ':') : NULL;
        if (option == 'l')
            at.sin_port = htons((uint16_t)atoi(optarg));
        else if (option == 't')
            to.sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : optarg));
        else if (option == 'e')
            cut_every = strtoull(optarg, NULL, 10);
        else if (option == 'm')
            cuts_max = strtoull(optarg, NULL, 10);
        else
            return 2;
    }
    if (at.sin_port == 0 || to.sin_port == 0 || cut_every == 0)
        return 2;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 64) != 0) {
        perror("cut_proxy: listen");
        return 1;
    }
    run(listener, &to);
    tell();
    return 0;
}
