/* Steps: clients of the agent's sources, and requests for its pages. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/scenario/scenario.h"

#define REQUEST_BYTES ((size_t)1 << 20)
#define METRICS_PORT 41414 /* as in Flume's documents */

static uint16_t port_of(struct scenario *scenario, const struct scenario_step *step, const char *word)
{
    return (uint16_t)scenario_number(scenario->script, step, word);
}

static struct scenario_client *find(struct scenario *scenario, const char *name)
{
    for (struct scenario_client *one = scenario->clients; one < scenario->clients + SCENARIO_CLIENTS_MAX;
         one++)
        if (strcmp(one->name, name) == 0)
            return one;
    return NULL;
}

static void forget(struct scenario_client *client)
{
    client->name[0] = 0;
    client->end = NULL;
}

/* Returns a new client; NULL: there are too many. */
static struct scenario_client *make(struct scenario *scenario, const char *name)
{
    struct scenario_client *client = find(scenario, "");
    if (client == NULL)
        step_failed(scenario, "more than %d clients", SCENARIO_CLIENTS_MAX);
    else {
        snprintf(client->name, sizeof client->name, "%s", name);
        client->ended = false;
        client->in_length = 0;
    }
    return client;
}

static struct net_listener **find_listener(struct scenario *scenario, uint16_t port)
{
    struct net_listener **at = scenario->listeners;
    while (at < scenario->listeners + SCENARIO_LISTENERS_MAX && (*at == NULL || (*at)->address.port != port))
        at++;
    return at == scenario->listeners + SCENARIO_LISTENERS_MAX ? NULL : at;
}

/* Another program has the port for datagrams, or has it no more. */
static enum outcome keep_datagram_port(struct scenario *scenario, uint16_t port, bool stops)
{
    struct net_end **at = &scenario->datagrams;
    bool has = *at != NULL && (*at)->local.port == port;
    if (stops && has)
        net_close_datagrams(*at);
    else if (stops || *at != NULL || net_takes_datagrams((struct net_address){NET_LOOPBACK, port}))
        return step_failed(scenario, stops ? "no step listens at %u" : "port %u is in use", port);
    *at = stops ? NULL : net_datagrams(scenario->peer, (struct net_address){0, port});
    return STEP_DONE;
}

/* The scenario plays a server itself. */
enum outcome step_listen(struct scenario *scenario, const struct scenario_step *step)
{
    uint16_t port = port_of(scenario, step, step->words[0]);
    struct net_listener **at = find_listener(scenario, port);
    bool stops = step->count == 2 && strcmp(step->words[1], "stop") == 0;
    if (stops && at != NULL) {
        net_unlisten(*at);
        *at = NULL;
        return STEP_DONE;
    }
    if (step->count == 2)
        return keep_datagram_port(scenario, port, stops);
    for (at = scenario->listeners; *at != NULL; at++)
        if (at + 1 == scenario->listeners + SCENARIO_LISTENERS_MAX)
            return step_failed(scenario, "more than %d listeners", SCENARIO_LISTENERS_MAX);
    *at = net_listen(scenario->peer, (struct net_address){0, port});
    return *at != NULL ? STEP_DONE : step_failed(scenario, "port %u is in use", port);
}

/* Waits until the agent has connected. */
enum outcome step_accept(struct scenario *scenario, const struct scenario_step *step)
{
    struct net_listener **at = find_listener(scenario, port_of(scenario, step, step->words[1]));
    if (at == NULL)
        return step_failed(scenario, "no step listens at %s", step->words[1]);
    if (find(scenario, step->words[0]) != NULL)
        return step_failed(scenario, "client %s is connected already", step->words[0]);
    struct net_end *end = net_accept(*at);
    if (end == NULL) {
        step_failed(scenario, "the agent does not connect to port %s", step->words[1]);
        return STEP_WAITS;
    }
    struct scenario_client *client = make(scenario, step->words[0]);
    if (client == NULL)
        return STEP_FAILED;
    client->end = end;
    return STEP_DONE;
}

/* Repeats the attempt until the agent listens. */
enum outcome step_connect(struct scenario *scenario, const struct scenario_step *step)
{
    struct scenario_client *client = find(scenario, step->words[0]);
    if (client == NULL) {
        client = make(scenario, step->words[0]);
        if (client == NULL)
            return STEP_FAILED;
    } else if (scenario->progress == 0)
        return step_failed(scenario, "client %s is connected already", step->words[0]);
    scenario->progress = 1;
    if (client->end != NULL && client->end->state == NET_OPEN)
        return STEP_DONE;
    if (client->end != NULL && client->end->state != NET_CONNECTING) {
        net_close(client->end);
        client->end = NULL;
        step_failed(scenario, "nobody listens at port %s", step->words[1]);
        return STEP_WAITS;
    }
    if (client->end == NULL)
        client->end =
            net_connect(scenario->peer, NET_LOOPBACK,
                        (struct net_address){NET_LOOPBACK, port_of(scenario, step, step->words[1])});
    return STEP_WAITS;
}

#define FIND_CLIENT(client)                                                                                  \
    struct scenario_client *client = find(scenario, step->words[0]);                                         \
    if ((client) == NULL)                                                                                    \
    return step_failed(scenario, "there is no client %s", step->words[0])

enum outcome step_send(struct scenario *scenario, const struct scenario_step *step)
{
    FIND_CLIENT(client);
    while (scenario->progress < step->length) {
        long sent = net_send(client->end, step->text + scenario->progress, step->length - scenario->progress);
        if (sent == -EAGAIN) {
            step_failed(scenario, "the agent takes no more than %zu bytes", scenario->progress);
            return STEP_WAITS;
        }
        if (sent < 0)
            return step_failed(scenario, "after %zu bytes: %s", scenario->progress,
                               strerrordesc_np((int)-sent));
        scenario->progress += (size_t)sent;
    }
    return STEP_DONE;
}

/* Reads what has come, up to the client's room. */
static void receive(struct scenario_client *client)
{
    while (!client->ended && client->in_length < sizeof client->in) {
        long got = net_receive(client->end, client->in + client->in_length,
                               sizeof client->in - client->in_length, false);
        if (got == -EAGAIN)
            return;
        if (got <= 0)
            client->ended = true;
        else
            client->in_length += (size_t)got;
    }
}

static void take(struct scenario_client *client, size_t length)
{
    client->in_length -= length;
    memmove(client->in, client->in + length, client->in_length);
}

/* The next line has this pattern; behind `until` one of the next lines, up to which all are taken. */
static enum outcome receive_line(struct scenario *scenario, const struct scenario_step *step,
                                 struct scenario_client *client)
{
    bool skips = strcmp(step->words[1], "until") == 0, found = false;
    do {
        const char *end = memchr(client->in, '\n', client->in_length);
        size_t length = end == NULL ? client->in_length : (size_t)(end - client->in);
        if (length > 0 || end != NULL)
            step_failed(scenario, "the line is %.*s", (int)length, client->in);
        if (end == NULL)
            return client->ended ? STEP_FAILED : STEP_WAITS;
        found = line_matches(client->in, length, step->text);
        if (!found && !skips)
            return STEP_FAILED;
        take(client, length + 1);
    } while (!found);
    return STEP_DONE;
}

/* What the agent sends next is this text. */
enum outcome step_receive(struct scenario *scenario, const struct scenario_step *step)
{
    FIND_CLIENT(client);
    receive(client);
    if (step->count == 2)
        return receive_line(scenario, step, client);
    size_t length = client->in_length < step->length ? client->in_length : step->length;
    bool differs = memcmp(client->in, step->text, length) != 0;
    if (differs || length < step->length) {
        (void)texts_equal(scenario, "received", client->in, length, step->text, step->length);
        return differs || client->ended ? STEP_FAILED : STEP_WAITS;
    }
    take(client, length);
    return STEP_DONE;
}

/* It sends nothing more. */
enum outcome step_shut(struct scenario *scenario, const struct scenario_step *step)
{
    FIND_CLIENT(client);
    net_shutdown(client->end);
    return STEP_DONE;
}

enum outcome step_close(struct scenario *scenario, const struct scenario_step *step)
{
    FIND_CLIENT(client);
    net_close(client->end);
    forget(client);
    return STEP_DONE;
}

enum outcome step_reset(struct scenario *scenario, const struct scenario_step *step)
{
    FIND_CLIENT(client);
    net_reset(client->end);
    forget(client);
    return STEP_DONE;
}

/* The agent ends the connection, and has sent nothing that no step received. */
enum outcome step_closed(struct scenario *scenario, const struct scenario_step *step)
{
    FIND_CLIENT(client);
    receive(client);
    if (client->in_length > 0) {
        (void)texts_equal(scenario, "received", client->in, client->in_length, "", 0);
        return STEP_FAILED;
    }
    if (!client->ended) {
        step_failed(scenario, "the connection is open");
        return STEP_WAITS;
    }
    net_close(client->end);
    forget(client);
    return STEP_DONE;
}

enum outcome step_datagram(struct scenario *scenario, const struct scenario_step *step)
{
    struct net_end *end = net_datagrams(scenario->peer, (struct net_address){NET_LOOPBACK, 0});
    net_send_datagram(end, (struct net_address){NET_LOOPBACK, port_of(scenario, step, step->words[0])},
                      step->text, step->length);
    net_close_datagrams(end);
    return STEP_DONE;
}

/* The name server knows a name, or does not. One with several addresses resolves to the newest. */
enum outcome step_name(struct scenario *scenario, const struct scenario_step *step)
{
    unsigned part[4];
    bool gone = strcmp(step->words[1], "gone") == 0;
    if (!gone && sscanf(step->words[1], "%u.%u.%u.%u", part, part + 1, part + 2, part + 3) != 4)
        return step_failed(scenario, "%s is no address", step->words[1]);
    if (gone)
        net_forget_name(step->words[0]);
    else
        net_name(step->words[0], part[0] << 24 | part[1] << 16 | part[2] << 8 | part[3]);
    return STEP_DONE;
}

/* ---- requests ---- */

const char *scenario_exchange(struct scenario *scenario, uint16_t port, const char *bytes, size_t length,
                              size_t (*whole)(char *answer, size_t length), size_t *answer_length)
{
    struct scenario_request *request = &scenario->request;
    if (request->end == NULL && world->now_ns < scenario->ask_ns)
        return NULL;
    if (request->end == NULL) {
        if (request->answer == NULL)
            request->answer = world_allocate(REQUEST_BYTES);
        request->sent = request->length = 0;
        request->end = net_connect(scenario->peer, NET_LOOPBACK, (struct net_address){NET_LOOPBACK, port});
    }
    if (request->end->state == NET_CONNECTING)
        return NULL;
    bool ended = request->end->state != NET_OPEN;
    while (!ended && request->sent < length) {
        long sent = net_send(request->end, bytes + request->sent, length - request->sent);
        if (sent == -EAGAIN)
            return NULL;
        ended = sent < 0;
        request->sent += sent > 0 ? (size_t)sent : 0;
    }
    while (!ended) {
        long got = net_receive(request->end, request->answer + request->length,
                               REQUEST_BYTES - 1 - request->length, false);
        if (got == -EAGAIN)
            break;
        ended = got <= 0;
        request->length += got > 0 ? (size_t)got : 0;
    }
    request->answer[request->length] = 0;
    *answer_length = whole(request->answer, request->length);
    if (!ended && *answer_length == 0)
        return NULL;
    net_close(request->end);
    request->end = NULL;
    return request->answer;
}

static size_t whole_response(char *answer, size_t length)
{
    const char *end = strstr(answer, "\r\n\r\n"), *field = strcasestr(answer, "content-length:");
    if (end == NULL || field == NULL || field > end)
        return 0;
    size_t needed = (size_t)(end + 4 - answer) + strtoul(field + 15, NULL, 10);
    return length < needed ? 0 : needed;
}

/* Returns the answer's body once it is whole, and its status; NULL before. *status is 0 when there was no answer. */
static const char *exchange(struct scenario *scenario, uint16_t port, const char *bytes, size_t length,
                            long *status)
{
    size_t answer_length;
    *status = -1;
    const char *answer = scenario_exchange(scenario, port, bytes, length, whole_response, &answer_length);
    if (answer == NULL)
        return NULL;
    const char *end = strstr(answer, "\r\n\r\n");
    *status = end == NULL ? 0 : strtol(answer + strlen("HTTP/1.1 "), NULL, 10);
    return end == NULL ? "" : end + 4;
}

static const char *get(struct scenario *scenario, uint16_t port, const char *path, long *status)
{
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    return exchange(scenario, port, request, (size_t)length, status);
}

enum holds holds_get(struct scenario *scenario, const struct scenario_step *step)
{
    long status;
    const char *body = get(scenario, port_of(scenario, step, step->words[0]), step->words[1], &status);
    if (body == NULL)
        return HOLDS_LATER;
    if (status == (long)scenario_number(scenario->script, step, step->words[2]) &&
        (step->text == NULL || lines_matching(body, strlen(body), step->text) > 0))
        return HOLDS;
    step_failed(scenario, "the answer is %ld: %.700s", status, body);
    return HOLDS_NOT;
}

/* Returns whether the labels of a line have each of these values, which commas separate. */
static bool has_labels(const char *line, size_t length, const char *values)
{
    while (*values != 0) {
        char wanted[128];
        size_t value = strcspn(values, ",");
        snprintf(wanted, sizeof wanted, "=\"%.*s\"", (int)value, values);
        if (memmem(line, length, wanted, strlen(wanted)) == NULL)
            return false;
        values += value + (values[value] == ',');
    }
    return true;
}

/* The value of the first line of this name with these labels' values; - is any. */
static bool find_metric(const char *page, const char *name, const char *labels, double *value)
{
    size_t length = strlen(name);
    for (const char *line = page; *line != 0;) {
        const char *end = strchrnul(line, '\n'), *space = memrchr(line, ' ', (size_t)(end - line));
        if (space != NULL && strncmp(line, name, length) == 0 &&
            (line[length] == ' ' || line[length] == '{') &&
            (strcmp(labels, "-") == 0 || has_labels(line, (size_t)(space - line), labels))) {
            *value = strtod(space, NULL);
            return true;
        }
        line = *end == 0 ? end : end + 1;
    }
    return false;
}

enum holds holds_metric(struct scenario *scenario, const struct scenario_step *step)
{
    long status;
    const char *page = get(scenario, METRICS_PORT, "/metrics/prometheus", &status);
    if (page == NULL)
        return HOLDS_LATER;
    double value = 0;
    const char *wanted = step->words[2];
    bool found = status == 200 && find_metric(page, step->words[0], step->words[1], &value);
    if (!found) {
        step_failed(scenario, "status %ld, and no such metric", status);
        return HOLDS_NOT;
    }
    if (*wanted == '>' ? value > strtod(wanted + 1, NULL) : value == strtod(wanted, NULL))
        return HOLDS;
    step_failed(scenario, "%s of %s is %g", step->words[0], step->words[1], value);
    return HOLDS_NOT;
}

enum outcome step_post(struct scenario *scenario, const struct scenario_step *step)
{
    size_t room = step->length + 512;
    char *request = malloc(room);
    int head =
        snprintf(request, room,
                 "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                 step->words[1], step->length);
    memcpy(request + head, step->text, step->length);
    long status;
    const char *body = exchange(scenario, port_of(scenario, step, step->words[0]), request,
                                (size_t)head + step->length, &status);
    free(request);
    if (body == NULL || status == 0) {
        step_failed(scenario, "there is no answer");
        return STEP_WAITS;
    }
    if (status != (long)scenario_number(scenario->script, step, step->words[2]))
        return step_failed(scenario, "the answer is %ld: %.700s", status, body);
    return STEP_DONE;
}
