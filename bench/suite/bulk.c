/* Measures taildir -> memory -> the sink opensearch in this process, and a bare loop of libcurl that posts a ready body of as many documents over as
 * many connections, in turn. The far end is a process that is not included: it reads a request, and answers that each document was made.
 *
 *   bench_bulk [--events 1000000] [--seconds 2] [--rounds 5] [--only plain|ids|gzip]
 *
 * Prints a record for each form of requests: events per CPU-second of both. The source begins at the beginning of a file of `events` lines each
 * time. With ids each document has the event's identity; with gzip the bare loop's body is compressed before. The directory is below TMPDIR,
 * else /var/tmp. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "bench/suite/agent.h"
#include "bench/suite/disk.h"
#include "bench/suite/paired.h"
#include "bench/suite/pump.h"

#define EVENT_BYTES 256
#define DOCUMENTS 1000U
#define CONNECTIONS 4U
#define ROOM_BYTES (2U << 20)

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\na.sources.s.type = taildir\na.sources.s.filegroups = f\n"
    "a.sources.s.filegroups.f = %s/log\na.sources.s.positionFile = %s/positions\n"
    "a.sources.s.batchSize = 1000\na.sources.s.channels = c\na.channels.c.type = memory\n"
    "a.channels.c.capacity = 100000\na.channels.c.transactionCapacity = 10000\na.sinks.k.type = opensearch\n"
    "a.sinks.k.channel = c\na.sinks.k.endpoints = http://127.0.0.1:%u\na.sinks.k.index = logs\n"
    "a.sinks.k.penstock.ids = %s\na.sinks.k.batch.max_events = %u\na.sinks.k.request.concurrency = %u\n"
    "a.sinks.k.compression = %s\n";

/* ---- the far end: a child process ---- */

struct lane {
    int fd;
    size_t length;
    char room[ROOM_BYTES];
};

static char items[64 + DOCUMENTS * 32]; /* an answer to a request of DOCUMENTS documents */
static size_t items_length;

static void make_items(void)
{
    char *at = items + sprintf(items, "{\"items\":[");
    for (unsigned i = 0; i < DOCUMENTS; i++)
        at += sprintf(at, "{\"index\":{\"status\":201}}%s", i + 1 < DOCUMENTS ? "," : "]}");
    items_length = (size_t)(at - items);
}

static void send_all(int fd, const char *bytes, size_t length, int flags)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL | flags);
        if (sent <= 0)
            _exit(0);
        bytes += sent;
        length -= (size_t)sent;
    }
}

/* Returns the number of lines of a request. */
static size_t count_lines(const char *body, size_t length, bool is_packed)
{
    static char plain[ROOM_BYTES];
    size_t lines = 0;
    if (is_packed) {
        z_stream zip = {.next_in = (Bytef *)(uintptr_t)body,
                        .avail_in = (uInt)length,
                        .next_out = (Bytef *)plain,
                        .avail_out = sizeof plain};
        if (inflateInit2(&zip, 15 + 16) != Z_OK || inflate(&zip, Z_FINISH) != Z_STREAM_END)
            _exit(1);
        body = plain;
        length = zip.total_out;
        inflateEnd(&zip);
    }
    for (const char *end = body + length; (body = memchr(body, '\n', (size_t)(end - body))) != NULL; body++)
        lines++;
    return lines;
}

static void answer(int fd, const char *head, const char *body, size_t length)
{
    static const char greeting[] = "{\"version\":{\"distribution\":\"opensearch\",\"number\":\"2.19.1\"}}";
    char top[128];
    size_t bytes = sizeof greeting - 1;
    bool is_bulk = strncmp(head, "POST", 4) == 0;
    size_t documents =
        is_bulk ? count_lines(body, length, strcasestr(head, "content-encoding") != NULL) / 2 : 0;
    if (is_bulk && documents > DOCUMENTS)
        _exit(1);
    if (is_bulk) /* the first items, and the end */
        bytes = documents == DOCUMENTS ? items_length : 10 + documents * 25 + 1;
    int head_length = snprintf(top, sizeof top, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", bytes);
    send_all(fd, top, (size_t)head_length, MSG_MORE);
    if (!is_bulk || documents == DOCUMENTS) {
        send_all(fd, is_bulk ? items : greeting, bytes, 0);
        return;
    }
    send_all(fd, items, bytes - 2, MSG_MORE);
    send_all(fd, "]}", 2, 0);
}

/* Takes the requests that are whole. */
static void serve(struct lane *lane)
{
    ssize_t count = recv(lane->fd, lane->room + lane->length, ROOM_BYTES - 1 - lane->length, 0);
    if (count <= 0) {
        close(lane->fd);
        lane->fd = -1;
        return;
    }
    lane->length += (size_t)count;
    lane->room[lane->length] = '\0';
    const char *end = strstr(lane->room, "\r\n\r\n");
    if (end == NULL)
        return;
    const char *field = strcasestr(lane->room, "content-length:");
    size_t head = (size_t)(end - lane->room) + 4,
           body = field != NULL && field < end ? strtoul(field + 15, NULL, 10) : 0;
    if (lane->length < head + body)
        return;
    lane->room[head - 1] = '\0';
    answer(lane->fd, lane->room, lane->room + head, body);
    lane->length = 0; /* a client sends its next request after the answer */
}

static pid_t server_start(unsigned *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    PS_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0);
    PS_ASSERT(getsockname(fd, (struct sockaddr *)&at, &length) == 0);
    *port = ntohs(at.sin_port);
    pid_t child = fork();
    PS_ASSERT(child >= 0);
    if (child != 0) {
        close(fd);
        close(epoll_fd);
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    make_items();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[16];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    for (;;) {
        int count = epoll_wait(epoll_fd, ready, 16, -1);
        for (int i = 0; i < count; i++) {
            struct lane *lane = ready[i].data.ptr;
            if (lane != NULL) {
                serve(lane);
                continue;
            }
            lane = ps_must_alloc(1, sizeof *lane, "a connection");
            lane->fd = accept(fd, NULL, NULL);
            lane->length = 0;
            event.data.ptr = lane;
            epoll_ctl(epoll_fd, EPOLL_CTL_ADD, lane->fd, &event);
        }
    }
}

/* ---- the bare loop ---- */

struct job {
    bool gzip, ids;
    const char *directory;
    uint64_t events;
    double seconds, agent_per_second, bare_per_second; /* events by the wall clock, of the last round */
    char *body;
    size_t length;
};

/* Writes a line of EVENT_BYTES, without a newline, of words that differ. */
static void put_line(char *to, uint64_t number)
{
    uint64_t state = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
    int length = snprintf(to, EVENT_BYTES + 1, "192.168.%llu.%llu - GET /shop/item/%llu HTTP/1.1 200 ",
                          (unsigned long long)(number % 200), (unsigned long long)(number % 251),
                          (unsigned long long)number);
    for (int at = length; at < EVENT_BYTES; at++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        to[at] = at % 9 == 0 ? ' ' : (char)('a' + state % 26);
    }
    to[EVENT_BYTES] = '\0';
}

/* The documents as the sink makes them. */
static void make_body(struct job *job)
{
    char *plain = ps_must_alloc(1, DOCUMENTS * (EVENT_BYTES + 256U), "a request"), *at = plain;
    uLong packed = compressBound(DOCUMENTS * (EVENT_BYTES + 256U)) + 64;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        char line[EVENT_BYTES + 1];
        put_line(line, i);
        if (job->ids)
            at += sprintf(at, "{\"create\":{\"_index\":\"logs\",\"_id\":\"taildir:20b1a05e703f61ae/%u\"}}\n",
                          1000000 + i);
        else
            at += sprintf(at, "{\"index\":{\"_index\":\"logs\"}}\n");
        at += sprintf(at, "{\"message\":\"%s\",\"@timestamp\":\"2026-12-01T15:00:00.000Z\"}\n", line);
    }
    job->body = plain;
    job->length = (size_t)(at - plain);
    if (!job->gzip)
        return;
    z_stream zip = {.next_in = (Bytef *)plain, .avail_in = (uInt)job->length, .avail_out = (uInt)packed};
    job->body = ps_must_alloc(1, packed, "a request");
    zip.next_out = (Bytef *)job->body;
    PS_ASSERT(deflateInit2(&zip, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    PS_ASSERT(deflate(&zip, Z_FINISH) == Z_STREAM_END);
    job->length = zip.total_out;
    deflateEnd(&zip);
    free(plain);
}

static size_t drop(char *, size_t size, size_t count, void *)
{
    return size * count;
}

static CURL *make_request(const struct job *job, const char *url, struct curl_slist *fields)
{
    CURL *easy = curl_easy_init();
    PS_ASSERT(easy != NULL);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job->body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->length);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    return easy;
}

static double run_bare(void *argument)
{
    struct job *job = argument;
    unsigned port;
    pid_t server = server_start(&port);
    char url[64];
    int running = 0, left;
    uint64_t requests = 0;
    CURL *easy[CONNECTIONS];
    CURLMsg *message;
    CURLM *multi = curl_multi_init();
    struct curl_slist *fields = curl_slist_append(NULL, "Content-Type: application/x-ndjson");
    fields = curl_slist_append(fields, job->gzip ? "Content-Encoding: gzip" : "Accept: application/json");
    fields = curl_slist_append(fields, "Expect:");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/_bulk", port);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        easy[i] = make_request(job, url, fields);
        curl_multi_add_handle(multi, easy[i]);
    }
    struct ps_usage before = ps_usage_self(), after = before;
    do {
        curl_multi_perform(multi, &running);
        while ((message = curl_multi_info_read(multi, &left)) != NULL) {
            if (message->msg != CURLMSG_DONE)
                continue;
            if (message->data.result != CURLE_OK)
                ps_bench_fatal("a request of the bare loop failed: %s",
                               curl_easy_strerror(message->data.result));
            CURL *ended = message->easy_handle;
            requests++;
            curl_multi_remove_handle(multi, ended);
            curl_multi_add_handle(multi, ended);
            after = ps_usage_self();
        }
        curl_multi_poll(multi, NULL, 0, 10, NULL);
    } while (after.wall_s - before.wall_s < job->seconds);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        curl_multi_remove_handle(multi, easy[i]);
        curl_easy_cleanup(easy[i]);
    }
    curl_multi_cleanup(multi);
    curl_slist_free_all(fields);
    ps_pump_stop(server);
    job->bare_per_second = (double)(requests * DOCUMENTS) / (after.wall_s - before.wall_s);
    return (double)(requests * DOCUMENTS) / (after.cpu_s - before.cpu_s);
}

/* ---- the sink ---- */

static void write_file(const struct job *job)
{
    char path[4096], line[EVENT_BYTES + 1];
    snprintf(path, sizeof path, "%s/log", job->directory);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        ps_bench_fatal("the file cannot be made");
    for (uint64_t i = 0; i < job->events; i++) {
        put_line(line, i);
        line[EVENT_BYTES] = '\n';
        fwrite(line, 1, sizeof line, file);
    }
    if (fclose(file) != 0)
        ps_bench_fatal("the file cannot be written");
}

static void forget_positions(const struct job *job)
{
    static const char *const names[] = {"positions", "positions.identities"};
    char path[4096];
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", job->directory, names[i]);
        (void)unlink(path);
    }
}

static double run_agent(void *argument)
{
    struct job *job = argument;
    static char text[16384];
    unsigned port;
    pid_t server = server_start(&port);
    forget_positions(job);
    snprintf(text, sizeof text, agent_text, job->directory, job->directory, port,
             job->ids ? "identity" : "none", DOCUMENTS, CONNECTIONS, job->gzip ? "gzip" : "none");
    struct ps_agent_cost cost = ps_bench_agent_until(ps_bench_agent_start(text), job->events);
    ps_pump_stop(server);
    job->agent_per_second = cost.per_second;
    return cost.per_cpu_second;
}

int main(int argc, char **argv)
{
    static const char *const forms[] = {"plain", "ids", "gzip"};
    struct ps_bench_options options = {.seconds = 2, .rounds = 5, .events = 1000000};
    static struct ps_paired_result result;
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    struct job job = {.directory = ps_disk_directory(), .events = options.events, .seconds = options.seconds};
    write_file(&job);
    for (size_t i = 0; i < PS_COUNT_OF(forms); i++) {
        job.ids = i == 1;
        job.gzip = i == 2;
        if (!ps_bench_wants(&options, forms[i]))
            continue;
        make_body(&job);
        const struct ps_paired paired = {.bench = "bulk",
                                         .variant = forms[i],
                                         .unit = "events/CPU-s",
                                         .reference = "libcurl posts ready bodies",
                                         .goal_ratio = job.gzip ? 0 : 0.7,
                                         .subject = run_agent,
                                         .bare = run_bare,
                                         .argument = &job};
        ps_paired_run(&paired, options.rounds, &result);
        ps_paired_print(
            &paired, &result,
            "\"bytes\":%d,\"connections\":%u,\"events_per_second\":%.0f,\"reference_events_per_second\":%.0f",
            EVENT_BYTES, CONNECTIONS, job.agent_per_second, job.bare_per_second);
        free(job.body);
    }
    return 0;
}
