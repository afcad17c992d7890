/* penstock tail: requests a sample of live events from a running agent's metrics server and prints them. */
#include "core/clock.h"
#include "commands/commands.h"
#include "commands/line/line.h"
#include "commands/top/top.h"
#include "core/text/printable.h"
#include "core/watch/metrics/server.h"
#include "core/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#define WAIT_S_NOT_GIVEN UINT64_MAX

struct tail {
    const char *component;
    const char *url;
    const char *token_path;
    char token[PS_ACCESS_TOKEN_BYTES]; /* "": none */
    uint64_t count, wait_s;
    uint64_t connect_ns; /* -w: how long to try to connect to an agent that may be starting */
    bool follow, json, colour;
    unsigned long shown;
};

#define PS_ROW_TARGET struct tail

static const struct ps_command_row rows[] = {
    {NULL, 0, "c1, k1", PS_ROW_NOTE, .help = "the events that leave a channel, or that a sink takes",
     .group = "COMPONENT"},
    {NULL, 0, "r1", PS_ROW_NOTE, .help = "the events of a source, before its interceptors"},
    {NULL, 0, "r1.i1", PS_ROW_NOTE, .help = "the events that leave interceptor i1 of source r1"},
    {NULL, 0, "r1.i1.before", PS_ROW_NOTE, .help = "the events that enter interceptor i1"},
    {"count", 'n', "COUNT", PS_ROW_COUNT(count), .help = "how many events (default 10)", .min = 1,
     .max = PS_METRICS_SERVER_TAIL_EVENTS_MAX, .group = "options"},
    {"wait", 'w', "SECONDS", PS_ROW_COUNT(wait_s),
     .help = "how long to wait for events, and for the agent to start (default 10, at most 60; without -w "
             "the agent must run)",
     .max = PS_METRICS_SERVER_TAIL_WAIT_S_MAX},
    {"follow", 'f', NULL, PS_ROW_FLAG(follow), .help = "go on until interrupted"},
    {"json", 'j', NULL, PS_ROW_FLAG(json), .help = "one JSON object a line"},
    {"url", 'u', "URL", PS_ROW_TEXT(url),
     .help = "the agent's metrics server (default: the agent that runs on this machine)"},
    {"token-file", 't', "FILE", PS_ROW_TEXT(token_path),
     .help = "holds the token of the agent's -Dpenstock.monitoring.token; without one, the agent shows "
             "events only to clients of its own machine"},
    {.help = NULL},
};

const struct ps_command_line ps_line_tail = {
    .name = "tail",
    .usage = "Usage: penstock tail COMPONENT [-n COUNT] [-w SECONDS] [-f] [-j] [-u URL] [-t FILE]\n"
             "Shows a sample of the events that pass a component of a running agent, with their headers. The "
             "agent must have\nbeen started with -Dflume.monitoring.type=http. The events are neither "
             "delayed nor removed.\n",
    .rows = rows,
    .ends = "Exit status: 0 events were shown, 1 none passed, 2 errors.\n",
};

/* Prints {"headers":{..},"body":"..","bytes":N} as {host=h1, timestamp=1} body. */
static bool print_event(const struct tail *tail, const char *line, size_t length)
{
    json_error_t error;
    json_t *event = json_loadb(line, length, JSON_ALLOW_NUL, &error), *value;
    if (event == NULL) {
        fprintf(stderr, "penstock tail: the answer is not understood: %s\n", error.text);
        return false;
    }
    const char *name, *separator = "";
    fputs(tail->colour ? "\033[2m{" : "{", stdout);
    json_object_foreach(json_object_get(event, "headers"), name, value)
    {
        fputs(separator, stdout);
        ps_printable_write(stdout, name, strlen(name));
        putchar('=');
        if (json_is_string(value))
            ps_printable_write(stdout, json_string_value(value), json_string_length(value));
        separator = ", ";
    }
    fputs(tail->colour ? "}\033[0m " : "} ", stdout);
    json_t *body = json_object_get(event, "body");
    if (json_is_string(body))
        ps_printable_write(stdout, json_string_value(body), json_string_length(body));
    if (json_is_true(json_object_get(event, "cut")))
        printf("... (%s bytes)",
               ps_quantity_print_count((uint64_t)json_integer_value(json_object_get(event, "bytes"))).text);
    putchar('\n');
    json_decref(event);
    return true;
}

static size_t on_data(char *data, size_t size, size_t count, void *argument)
{
    ps_page_append(argument, data, size * count);
    return size * count;
}

/* Makes one request. Returns false after printing the error. */
static bool ask(struct tail *tail, CURL *curl)
{
    struct ps_page page = {0}, url = {0};
    char *name = curl_easy_escape(curl, tail->component, 0);
    if (name == NULL)
        return false;
    unsigned long left = tail->follow ? PS_METRICS_SERVER_TAIL_EVENTS_MAX : tail->count - tail->shown;
    ps_page_format(&url, "%s/tail?component=%s&count=%lu&wait=%lu", tail->url, name, left,
                   tail->follow ? 1 : tail->wait_s);
    curl_free(name);
    curl_easy_setopt(curl, CURLOPT_URL, url.text);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PS_METRICS_SERVER_TAIL_WAIT_S_MAX + 10);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &page);
    if (tail->token[0] != '\0') {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, tail->token);
    }
    CURLcode code;
    while ((code = curl_easy_perform(curl)) == CURLE_COULDNT_CONNECT &&
           ps_clock_now().mono_ns < tail->connect_ns)
        nanosleep(&(struct timespec){.tv_nsec = 100 * (long)PS_NS_PER_MS}, NULL);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    bool ok = code == CURLE_OK && status == 200;
    if (code != CURLE_OK)
        fprintf(stderr, "penstock tail: %s: %s\nIs the agent running with -Dflume.monitoring.type=http?\n",
                tail->url, curl_easy_strerror(code));
    else if (!ok)
        fprintf(stderr, "penstock tail: %s answered %ld: %s%s", tail->url, status,
                page.length > 0 ? page.text : "",
                page.length > 0 && page.text[page.length - 1] == '\n' ? "" : "\n");
    for (size_t at = 0; ok && at < page.length; tail->shown++) {
        const char *end = memchr(page.text + at, '\n', page.length - at);
        size_t length = (end != NULL ? (size_t)(end - page.text) : page.length) - at;
        if (tail->json)
            printf("%.*s\n", (int)length, page.text + at);
        else
            ok = print_event(tail, page.text + at, length);
        at += length + 1;
    }
    fflush(stdout);
    ps_page_fini(&page);
    ps_page_fini(&url);
    return ok && !ferror(stdout);
}

/* Returns -1 to continue, else the exit code. */
static int options_parse(struct tail *tail, int argc, char **argv)
{
    int operands, code = ps_command_line_parse(&ps_line_tail, tail, argc, argv, &operands);
    if (code >= 0)
        return code;
    if (operands != 1) {
        fprintf(stderr,
                operands == 0 ? "penstock tail: name a component; `penstock top --once` lists them\n"
                              : "penstock tail: name one component, not %d\n",
                operands);
        return 2;
    }
    tail->component = argv[1];
    if (tail->wait_s == WAIT_S_NOT_GIVEN)
        tail->wait_s = 10;
    else
        tail->connect_ns = ps_clock_now().mono_ns + tail->wait_s * PS_NS_PER_S;
    return -1;
}

int ps_main_tail(int argc, char **argv)
{
    struct tail tail = {.count = 10, .wait_s = WAIT_S_NOT_GIVEN};
    tail.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    int code = options_parse(&tail, argc, argv);
    if (code >= 0)
        return code;
    struct ps_err err = {0};
    if (tail.token_path != NULL && ps_metrics_token_read(tail.token_path, tail.token, &err) != PS_OK) {
        fprintf(stderr, "penstock tail: %s\n", err.text);
        return 2;
    }
    struct ps_arena *arena = ps_arena_create();
    tail.url = tail.url != NULL ? ps_top_url(arena, tail.url) : ps_top_find(arena, "/proc", &err);
    if (tail.url == NULL) {
        fprintf(stderr, "penstock tail: %s with -u URL\n", err.text);
        ps_arena_destroy(arena);
        return 2;
    }
    char *url = strdup(tail.url);
    ps_arena_destroy(arena);
    CURL *curl = curl_easy_init();
    if (url == NULL || curl == NULL)
        return 2;
    if (url[0] != '\0' && url[strlen(url) - 1] == '/')
        url[strlen(url) - 1] = '\0';
    tail.url = url;
    bool ok;
    do
        ok = ask(&tail, curl);
    while (ok && tail.follow);
    curl_easy_cleanup(curl);
    free(url);
    if (!ok)
        return 2;
    if (tail.shown == 0)
        fprintf(stderr, "penstock tail: nothing passed %s in %s\n", tail.component,
                ps_quantity_print_s((double)tail.wait_s).text);
    return tail.shown > 0 ? 0 : 1;
}
