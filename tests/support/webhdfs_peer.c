#include "tests/support/webhdfs_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

/* Returns the length of the request; 0: it is not complete. *body: where its body begins. */
static size_t request_length(const struct ps_test_link *link, size_t *body)
{
    const char *end = memmem(link->in, link->length, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    *body = (size_t)(end + 4 - link->in);
    const char *field = memmem(link->in, *body, "\r\nContent-Length: ", 18);
    size_t length = *body + (field != NULL ? strtoul(field + 18, NULL, 10) : 0);
    return length <= link->length ? length : 0;
}

static void send_answer(struct ps_test_link *link, const char *status, const char *location, const char *body,
                        size_t announced)
{
    char text[8192];
    int length = snprintf(text, sizeof text, "HTTP/1.1 %.3s Status\r\n%sContent-Length: %zu\r\n\r\n%s",
                          status, location, announced, body);
    PS_ASSERT(length < (int)sizeof text);
    (void)ps_test_link_send(link, text, (size_t)length);
}

static void redirect(struct ps_test_link *link, const struct ps_test_webhdfs *server)
{
    char location[4096], target[2048] = "";
    sscanf(link->in, "%*s %2047s", target);
    snprintf(location, sizeof location, "Location: http://127.0.0.1:%u%s&datanode=1\r\n",
             server->datanode->peer.port, target);
    send_answer(link, "307", location, "", 0);
}

static const char *usual_answer(const struct ps_test_webhdfs *server, const char *request)
{
    bool moves = strstr(request, "?op=CREATE&") != NULL || strstr(request, "?op=APPEND&") != NULL ||
                 strstr(request, "?op=OPEN&") != NULL;
    return moves && server->datanode != NULL ? "307" : "200 {\"boolean\":true}";
}

/* Logs the request. Returns the answer. */
static const char *note(struct ps_test_webhdfs *server, const struct ps_test_link *link, size_t body,
                        size_t length)
{
    char target[4096] = "", method[16] = "";
    PS_ASSERT(sscanf(link->in, "%15s %4095s", method, target) == 2);
    pthread_mutex_lock(&server->peer.mutex);
    size_t at = strlen(server->log);
    snprintf(server->log + at, sizeof server->log - at, "%s %s %.*s\n", method, target, (int)(length - body),
             link->in + body);
    const char *answer = server->script == NULL               ? usual_answer(server, target)
                         : server->script[server->at] != NULL ? server->script[server->at++]
                                                              : "500 the script is over";
    pthread_mutex_unlock(&server->peer.mutex);
    return answer;
}

static size_t protocol(struct ps_test_link *link)
{
    struct ps_test_webhdfs *server = (struct ps_test_webhdfs *)link->peer;
    size_t body = 0, length = request_length(link, &body);
    if (length == 0)
        return 0;
    const char *answer = note(server, link, body, length);
    if (strcmp(answer, "hold") == 0)
        return length;
    if (strcmp(answer, "cut") == 0)
        return SIZE_MAX;
    if (strncmp(answer, "cut ", 4) == 0) {
        send_answer(link, answer + 4, "", "half", 8);
        return SIZE_MAX;
    }
    if (strcmp(answer, "307") == 0)
        redirect(link, server);
    else
        send_answer(link, answer, "", strlen(answer) > 4 ? answer + 4 : "",
                    strlen(answer) > 4 ? strlen(answer + 4) : 0);
    return length;
}

void ps_test_webhdfs_start(struct ps_test_webhdfs *server)
{
    server->peer.protocol = protocol;
    ps_test_peer_start(&server->peer);
}

void ps_test_webhdfs_stop(struct ps_test_webhdfs *server)
{
    ps_test_peer_stop(&server->peer);
}

void ps_test_webhdfs_play(struct ps_test_webhdfs *server, const char *const *script)
{
    pthread_mutex_lock(&server->peer.mutex);
    server->script = script;
    server->at = 0;
    server->log[0] = '\0';
    pthread_mutex_unlock(&server->peer.mutex);
}

void ps_test_webhdfs_expect(struct ps_test_webhdfs *server, const char *log)
{
    pthread_mutex_lock(&server->peer.mutex);
    assert_string_equal(server->log, log);
    assert_true(server->script == NULL || server->script[server->at] == NULL);
    pthread_mutex_unlock(&server->peer.mutex);
}
