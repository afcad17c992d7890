/* Calls of WebHDFS at two and three servers, compared with a model: which server gets which try of which call, after
 * random answers: "not here", "soon", a truncated answer, success, a permanent error. The next call begins with what the
 * last one learned. */
#include "stages/lib/hadoop/webhdfs/internal.h"
#include "tests/support/webhdfs_client.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"

#define SERVERS 3U
#define CALLS 30U
#define TRIES_MAX 400U
#define STAT "GET /webhdfs/v1/f?op=GETFILESTATUS&user.name=joe \n"

enum reply { GOOD, STANDBY, RETRIABLE, CUT, MISSING, REPLIES };

static const char *const words[] = {
    "200 {\"FileStatus\":{\"pathSuffix\":\"\",\"length\":5,\"type\":\"FILE\"}}",
    "403 {\"RemoteException\":{\"exception\":\"StandbyException\",\"message\":\"not here\"}}",
    "403 {\"RemoteException\":{\"exception\":\"RetriableException\",\"message\":\"soon\"}}", "cut 200",
    "404 {\"RemoteException\":{\"exception\":\"FileNotFoundException\",\"message\":\"no file\"}}"};

static struct ps_test_webhdfs servers[SERVERS];
static struct ps_test_webhdfs_client client;
static struct ps_test_file_result result;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static struct model {
    size_t count, active;
    unsigned attempts_max;
    const char *scripts[SERVERS][TRIES_MAX + 1];
    size_t played[SERVERS];
} model;

/* Draws the answers to one call, and notes which server gives each. Returns how the call ends. */
static enum ps_file_error call_draw(void)
{
    size_t server = model.active;
    for (unsigned attempts = 0;;) {
        enum reply reply = draw(3) == 0 ? GOOD : (enum reply)draw(REPLIES);
        assert_true(model.played[server] < TRIES_MAX);
        model.scripts[server][model.played[server]++] = words[reply];
        if (reply == GOOD)
            return PS_FILE_OK;
        if (reply == MISSING)
            return PS_FILE_MISSING;
        if (++attempts >= model.attempts_max)
            return PS_FILE_UNAVAILABLE;
        if (reply != RETRIABLE)
            server = model.active = (server + 1) % model.count;
    }
}

static void call_make(enum ps_file_error wanted)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    result.calls = 0;
    ps_file_stat(client.filesystem, "/f", ps_test_file_done, &result);
    while (result.calls == 0) {
        ps_test_webhdfs_turn(&client);
        ps_test_webhdfs_pass_ms(&client, 1000); /* backoffs are over */
        assert_true(ps_test_patient_ns() < until_ns);
    }
    ps_test_file_expect(&client, &result, wanted);
    if (wanted == PS_FILE_MISSING)
        assert_non_null(strstr(result.reason, "no file"));
}

static void play(size_t count)
{
    static char log[PS_TEST_WEBHDFS_LOG_BYTES];
    enum ps_file_error wanted[CALLS];
    memset(&model, 0, sizeof model);
    model.count = count;
    model.attempts_max = 1 + (unsigned)draw(7);
    memset(servers, 0, sizeof servers);
    for (size_t i = 0; i < count; i++)
        ps_test_webhdfs_start(&servers[i]);
    ps_test_webhdfs_client_init(
        &client, (const struct ps_test_webhdfs *const[]){&servers[0], &servers[1], &servers[2]}, count);
    client.settings.attempts_max = model.attempts_max;
    client.settings.call_timeout_ns = 1000000 * PS_NS_PER_S;
    ps_test_webhdfs_client_open(&client);
    unsigned calls = 0; /* few enough for the log of one server */
    for (size_t tries = 0;
         calls < CALLS && tries + model.attempts_max < PS_TEST_WEBHDFS_LOG_BYTES / sizeof STAT; calls++) {
        wanted[calls] = call_draw();
        tries = 0;
        for (size_t i = 0; i < count; i++)
            tries = model.played[i] > tries ? model.played[i] : tries;
    }
    for (size_t i = 0; i < count; i++)
        ps_test_webhdfs_play(&servers[i], model.scripts[i]);
    for (unsigned i = 0; i < calls; i++)
        call_make(wanted[i]);
    for (size_t i = 0; i < count; i++) {
        log[0] = '\0';
        for (size_t k = 0; k < model.played[i]; k++)
            strcat(log, STAT);
        ps_test_webhdfs_expect(&servers[i], log);
    }
    ps_test_webhdfs_client_close(&client);
    for (size_t i = 0; i < count; i++)
        ps_test_webhdfs_stop(&servers[i]);
}

static void test_several_servers(void **unused)
{
    for (unsigned round = 0; round < 4; round++)
        play(2 + round % 2);
}

/* As many requests as may be are under way, and one more waits for one of them to end. */
static void test_requests_under_way(void **unused)
{
    enum { MOST = PS_WEBHDFS_SLOTS };
    static const char *script[MOST + 2];
    uint64_t until_ns = ps_test_patience_end_ns();
    size_t at = 0;
    for (size_t i = 0; i <= MOST; i++)
        script[i] = "hold";
    memset(servers, 0, sizeof servers);
    ps_test_webhdfs_start(&servers[0]);
    ps_test_webhdfs_client_init(&client, (const struct ps_test_webhdfs *const[]){&servers[0]}, 1);
    ps_test_webhdfs_client_open(&client);
    ps_test_webhdfs_play(&servers[0], script);
    result.calls = 0;
    for (size_t i = 0; i <= MOST; i++)
        ps_file_stat(client.filesystem, "/f", ps_test_file_done, &result);
    for (unsigned more = 0; at < MOST || more < 20; more += at >= MOST) {
        ps_test_webhdfs_turn(&client);
        pthread_mutex_lock(&servers[0].peer.mutex);
        at = servers[0].at;
        pthread_mutex_unlock(&servers[0].peer.mutex);
        if (ps_test_patient_ns() > until_ns)
            fail_msg("%zu requests are under way, not %u", at, MOST);
    }
    assert_int_equal(at, MOST);
    assert_int_equal(result.calls, 0);
    ps_test_webhdfs_pass_ms(&client, PS_TEST_WEBHDFS_TIMEOUT_MS);
    while (result.calls <= MOST) {
        ps_test_webhdfs_turn(&client);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    ps_test_webhdfs_client_close(&client);
    ps_test_webhdfs_stop(&servers[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_several_servers),
                                       cmocka_unit_test(test_requests_under_way)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
