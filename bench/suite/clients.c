#include "bench/suite/clients.h"

#include "bench/suite/paired.h"
#include "bench/suite/pump.h"
#include "bench/support/measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#define MARKS 4096U /* maximum number of a client's lines that were sent and are not answered yet */
#define SAMPLES_MAX (1U << 20)
#define ANSWER "OK\n"
#define ANSWER_BYTES 3U

struct mark {
    uint64_t line; /* the number of lines sent before this time */
    double at_s;
};

struct client {
    uint64_t sent_bytes, answer_bytes, due; /* due: lines that may be sent */
    struct mark marks[MARKS];
    uint64_t first_mark, end_mark;
};

struct load {
    const struct ps_clients *settings;
    struct ps_clients_result *result;
    struct client *clients;
    struct pollfd *lanes;
    char *lines;
    size_t line_bytes, lines_bytes;
    uint32_t *samples; /* microseconds */
    uint64_t sample_count, answers;
    double tick_s; /* when the latest lines were due */
    bool measures;
};

static uint64_t answered(const struct client *client)
{
    return client->answer_bytes / ANSWER_BYTES;
}

/* Sends the lines that are due, as far as the window allows. */
static void send_lines(struct load *load, unsigned i)
{
    struct client *client = &load->clients[i];
    uint64_t until = answered(client) + load->settings->window;
    until = (client->due < until ? client->due : until) * load->line_bytes;
    while (client->sent_bytes < until && client->end_mark - client->first_mark < MARKS) {
        size_t at = (size_t)(client->sent_bytes % load->lines_bytes), room = load->lines_bytes - at;
        size_t length = until - client->sent_bytes < room ? (size_t)(until - client->sent_bytes) : room;
        ssize_t sent = send(load->lanes[i].fd, load->lines + at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            _exit(1);
        if (sent <= 0)
            break;
        client->sent_bytes += (uint64_t)sent;
        client->marks[client->end_mark++ % MARKS] =
            (struct mark){client->sent_bytes / load->line_bytes,
                          load->settings->per_second > 0 ? load->tick_s : ps_now_s()};
    }
    load->lanes[i].events = client->sent_bytes < until ? POLLIN | POLLOUT : POLLIN;
}

static void receive(struct load *load, unsigned i)
{
    static char bytes[65536];
    struct client *client = &load->clients[i];
    ssize_t got = recv(load->lanes[i].fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        _exit(1);
    for (ssize_t k = 0; k < got; k++) {
        if (bytes[k] != ANSWER[client->answer_bytes++ % ANSWER_BYTES])
            _exit(2);
    }
    double now = ps_now_s();
    while (client->first_mark < client->end_mark) {
        const struct mark *mark = &client->marks[client->first_mark % MARKS];
        if (answered(client) < mark->line)
            break;
        if (load->measures)
            load->samples[load->sample_count++ % SAMPLES_MAX] = (uint32_t)((now - mark->at_s) * 1e6);
        client->first_mark++;
    }
}

static uint64_t all_answered(const struct load *load)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < load->settings->connections; i++)
        sum += answered(&load->clients[i]);
    return sum;
}

/* Sends and receives until `end_s`; a paced load's lines are due every millisecond. */
static void drive(struct load *load, double end_s)
{
    const struct ps_clients *settings = load->settings;
    double owed = 0, share = settings->per_second / 1000 / settings->connections, now;
    while ((now = ps_now_s()) < end_s) {
        for (; settings->per_second > 0 && load->tick_s + 0.001 <= now; owed += share)
            load->tick_s += 0.001;
        for (unsigned i = 0; i < settings->connections; i++) {
            load->clients[i].due =
                settings->per_second > 0 ? load->clients[i].due + (uint64_t)owed : UINT64_MAX >> 16;
            send_lines(load, i);
        }
        owed -= (double)(uint64_t)owed;
        (void)poll(load->lanes, settings->connections, settings->per_second > 0 ? 1 : 100);
        for (unsigned i = 0; i < settings->connections; i++) {
            if (load->lanes[i].revents & ~POLLOUT)
                receive(load, i);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void summarize(struct load *load, double seconds)
{
    size_t count = load->sample_count < SAMPLES_MAX ? (size_t)load->sample_count : SAMPLES_MAX;
    qsort(load->samples, count, sizeof *load->samples, compare);
    if (count == 0)
        _exit(3);
    *load->result = (struct ps_clients_result){.per_second = (double)load->answers / seconds,
                                               .p50_ms = load->samples[count / 2] / 1e3,
                                               .p99_ms = load->samples[count * 99 / 100] / 1e3,
                                               .max_ms = load->samples[count - 1] / 1e3};
}

static _Noreturn void run(const struct ps_clients *settings, struct ps_clients_result *result)
{
    struct load load = {.settings = settings, .result = result, .line_bytes = settings->body_bytes + 1};
    load.lines_bytes = load.line_bytes * 1024;
    load.lines = ps_must_alloc(1, load.lines_bytes, "lines");
    load.samples = ps_must_alloc(SAMPLES_MAX, sizeof *load.samples, "times of answers");
    load.clients = ps_must_alloc(settings->connections, sizeof *load.clients, "clients");
    load.lanes = ps_must_alloc(settings->connections, sizeof *load.lanes, "sockets");
    memset(load.lines, 'x', load.lines_bytes);
    for (size_t end = settings->body_bytes; end < load.lines_bytes; end += load.line_bytes)
        load.lines[end] = '\n';
    for (unsigned i = 0; i < settings->connections; i++)
        load.lanes[i] = (struct pollfd){.fd = ps_pump_connect(settings->port), .events = POLLIN};
    double began = load.tick_s = ps_now_s();
    drive(&load, began + settings->warm_s);
    began = ps_now_s();
    load.answers = all_answered(&load);
    load.measures = true;
    drive(&load, began + settings->seconds);
    load.answers = all_answered(&load) - load.answers;
    summarize(&load, ps_now_s() - began);
    _exit(0);
}

struct ps_clients_result ps_clients_run(const struct ps_clients *clients)
{
    int status = 0;
    struct ps_clients_result *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    PS_ASSERT(shared != MAP_FAILED);
    pid_t child = fork();
    PS_ASSERT(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(clients, shared);
    }
    PS_ASSERT(waitpid(child, &status, 0) == child);
    if (status != 0)
        ps_bench_fatal("a client was disconnected, or its answer was not OK, or there was none");
    struct ps_clients_result result = *shared;
    munmap(shared, sizeof *shared);
    return result;
}
