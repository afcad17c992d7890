#include "tests/support/http_peer.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/support.h"

#define TEXT_BYTES (1U << 20)
#define SLOW_US 5000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct MHD_Daemon *daemon_;
static unsigned short port;
static bool slow;
static unsigned status, status_left;
static char text[TEXT_BYTES], shown[TEXT_BYTES], url[64], bulk_url[64], elastic_url[64], solr_url[64];
static size_t text_length;

struct body {
    char bytes[65536];
    size_t length;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        code == 200 ? 0 : 14, (void *)(uintptr_t) "not this time\n", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static unsigned take(const char *bytes, size_t length)
{
    pthread_mutex_lock(&lock);
    unsigned code = status;
    if (status_left > 0 && --status_left == 0)
        status = 200;
    if (code / 100 == 2) {
        assert_true(text_length + length + 1 < sizeof text);
        memcpy(text + text_length, bytes, length);
        text_length += length;
        text[text_length++] = '\n';
    }
    pthread_mutex_unlock(&lock);
    return code;
}

static enum MHD_Result take_bulk(struct MHD_Connection *connection, const struct body *body)
{
    char results[65536];
    size_t length = 0;
    for (const char *at = body->bytes, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        unsigned code = take(at, (size_t)(end - at));
        assert_true(length + 32 < sizeof results);
        length += (size_t)sprintf(results + length, code == 200 ? "%u\n" : "%u not this time\n", code);
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(length, results, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, const char *text_, size_t length)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, (void *)(uintptr_t)text_, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

/* {"body":"TEXT",.. in every second line. */
static enum MHD_Result take_elastic(struct MHD_Connection *connection, const struct body *body)
{
    char results[65536];
    size_t length = (size_t)sprintf(results, "{\"items\":[");
    for (const char *at = body->bytes, *end; (end = strchr(at, '\n')) != NULL;
         at = strchr(end + 1, '\n') + 1) {
        const char *document = strchr(strchr(end, ':'), '"') + 1;
        unsigned code = take(document, strcspn(document, "\""));
        assert_true(length + 128 < sizeof results);
        length += (size_t)sprintf(
            results + length, "%s{\"index\":{\"status\":%u%s}}", at == body->bytes ? "" : ",", code,
            code / 100 == 2 ? "" : ",\"error\":{\"type\":\"t\",\"reason\":\"not this time\"}");
    }
    length += (size_t)sprintf(results + length, "]}");
    return answer_text(connection, results, length);
}

/* [{"body":"TEXT"},..]: nothing is taken behind a document that is refused. */
static enum MHD_Result take_solr(struct MHD_Connection *connection, const struct body *body)
{
    static const char good[] = "{\"responseHeader\":{\"status\":0}}";
    for (const char *at = body->bytes; (at = strstr(at, "{\"body\":\"")) != NULL;) {
        at += sizeof "{\"body\":\"" - 1;
        unsigned code = take(at, strcspn(at, "\""));
        if (code != 200)
            return answer(connection, code);
    }
    return answer_text(connection, good, sizeof good - 1);
}

static enum MHD_Result handle(void *unused, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **state)
{
    struct body *body = *state;
    if (body == NULL) {
        *state = calloc(1, sizeof *body);
        return *state != NULL ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        assert_true(body->length + *size < sizeof body->bytes); /* a zero follows */
        memcpy(body->bytes + body->length, data, *size);
        body->length += *size;
        *size = 0;
        return MHD_YES;
    }
    pthread_mutex_lock(&lock);
    bool waits = slow;
    pthread_mutex_unlock(&lock);
    if (waits)
        usleep(SLOW_US);
    static const char version_text[] = "{\"cluster_name\":\"test\",\"version\":{\"number\":\"8.1.0\"}}";
    if (strcmp(path, "/") == 0)
        return answer_text(connection, version_text, sizeof version_text - 1);
    if (strcmp(path, "/_bulk") == 0)
        return take_elastic(connection, body);
    static const char key_text[] = "{\"responseHeader\":{\"status\":0},\"uniqueKey\":\"id\"}";
    if (strcmp(path, "/solr/c/schema/uniquekey") == 0)
        return answer_text(connection, key_text, sizeof key_text - 1);
    if (strcmp(path, "/solr/c/update") == 0)
        return take_solr(connection, body);
    return strcmp(path, "/bulk") == 0 ? take_bulk(connection, body)
                                      : answer(connection, take(body->bytes, body->length));
}

static void completed(void *unused, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode how)
{
    free(*state);
    *state = NULL;
}

static void listen_again(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, NULL,
                               MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
                               MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
    assert_non_null(daemon_);
    port = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void ps_test_http_peer_start(void)
{
    port = 0;
    slow = false;
    status = 200;
    status_left = 0;
    listen_again();
    snprintf(url, sizeof url, "http://127.0.0.1:%u/events", port);
    snprintf(bulk_url, sizeof bulk_url, "http://127.0.0.1:%u/bulk", port);
    snprintf(elastic_url, sizeof elastic_url, "http://127.0.0.1:%u", port);
    snprintf(solr_url, sizeof solr_url, "http://127.0.0.1:%u/solr/c", port);
    ps_test_http_peer_clear();
}

void ps_test_http_peer_stop(void)
{
    if (daemon_ != NULL)
        MHD_stop_daemon(daemon_);
    daemon_ = NULL;
}

const char *ps_test_http_peer_url(void)
{
    return url;
}

const char *ps_test_http_peer_bulk_url(void)
{
    return bulk_url;
}

const char *ps_test_http_peer_elastic_url(void)
{
    return elastic_url;
}

const char *ps_test_http_peer_solr_url(void)
{
    return solr_url;
}

void ps_test_http_peer_answer(unsigned code, unsigned count)
{
    pthread_mutex_lock(&lock);
    status = code;
    status_left = count;
    pthread_mutex_unlock(&lock);
}

unsigned ps_test_http_peer_left(void)
{
    pthread_mutex_lock(&lock);
    unsigned left = status_left;
    pthread_mutex_unlock(&lock);
    return left;
}

void ps_test_http_peer_set(enum ps_test_far_end state)
{
    if (state == PS_TEST_FAR_END_DOWN) {
        ps_test_http_peer_stop();
        return;
    }
    pthread_mutex_lock(&lock);
    slow = state == PS_TEST_FAR_END_SLOW;
    pthread_mutex_unlock(&lock);
    if (daemon_ == NULL)
        listen_again();
}

void ps_test_http_peer_clear(void)
{
    pthread_mutex_lock(&lock);
    text_length = 0;
    pthread_mutex_unlock(&lock);
}

const char *ps_test_http_peer_text(void)
{
    pthread_mutex_lock(&lock);
    memcpy(shown, text, text_length);
    shown[text_length] = '\0';
    pthread_mutex_unlock(&lock);
    return shown;
}
