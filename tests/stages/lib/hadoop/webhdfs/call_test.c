/* Calls of WebHDFS: redirects, fail-over, lost answers, time limits, TLS. */
#include "tests/support/webhdfs_client.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"

#define STATUS "200 {\"FileStatus\":{\"pathSuffix\":\"\",\"length\":5,\"type\":\"FILE\"}}"
#define STANDBY "403 {\"RemoteException\":{\"exception\":\"StandbyException\",\"message\":\"not here\"}}"
#define RETRIABLE "403 {\"RemoteException\":{\"exception\":\"RetriableException\",\"message\":\"soon\"}}"
#define STAT "GET /webhdfs/v1/f?op=GETFILESTATUS&user.name=joe \n"

static struct ps_test_webhdfs first, second, datanode;
static struct ps_test_webhdfs_client client;
static struct ps_test_file_result result;

static int set_up(void **state)
{
    first = second = (struct ps_test_webhdfs){.datanode = &datanode};
    datanode = (struct ps_test_webhdfs){.datanode = NULL};
    ps_test_webhdfs_start(&first);
    ps_test_webhdfs_start(&second);
    ps_test_webhdfs_start(&datanode);
    result = (struct ps_test_file_result){.calls = 0};
    return 0;
}

static int tear_down(void **state)
{
    ps_test_webhdfs_client_close(&client);
    ps_test_webhdfs_stop(&first);
    ps_test_webhdfs_stop(&second);
    ps_test_webhdfs_stop(&datanode);
    return 0;
}

static void open_client(size_t servers)
{
    ps_test_webhdfs_client_init(&client, (const struct ps_test_webhdfs *const[]){&first, &second}, servers);
    ps_test_webhdfs_client_open(&client);
}

static void stat_file(void)
{
    result.calls = 0;
    ps_file_stat(client.filesystem, "/f", ps_test_file_done, &result);
}

static void expect(enum ps_file_error error)
{
    ps_test_file_expect(&client, &result, error);
}

/* Turns until the server has had a request. */
static void await_request(struct ps_test_webhdfs *server, size_t count)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    for (size_t at = 0; at < count && ps_test_patient_ns() < until_ns;) {
        ps_test_webhdfs_turn(&client);
        pthread_mutex_lock(&server->peer.mutex);
        at = server->at;
        pthread_mutex_unlock(&server->peer.mutex);
    }
}

/* The client leaves the standby namenode for the other one, which gets all later requests. */
static void test_standby(void **unused)
{
    open_client(2);
    ps_test_webhdfs_play(&first, PS_WORDS(STANDBY));
    ps_test_webhdfs_play(&second, PS_WORDS(STATUS, STATUS));
    stat_file();
    expect(PS_FILE_OK);
    stat_file();
    expect(PS_FILE_OK);
    ps_test_webhdfs_expect(&first, STAT);
    ps_test_webhdfs_expect(&second, STAT STAT);
}

static void test_unreachable(void **unused)
{
    open_client(2);
    ps_test_peer_vanish(&first.peer);
    ps_test_webhdfs_play(&second, PS_WORDS(STATUS));
    stat_file();
    expect(PS_FILE_OK);
    ps_test_webhdfs_expect(&second, STAT);
    ps_test_peer_return(&first.peer);
}

/* With only one namenode the sink tries again, not the file system. */
static void test_unreachable_alone(void **unused)
{
    open_client(1);
    ps_test_peer_vanish(&first.peer);
    stat_file();
    expect(PS_FILE_UNAVAILABLE);
    assert_non_null(strstr(result.reason, "GETFILESTATUS /f: "));
    ps_test_peer_return(&first.peer);
    ps_test_webhdfs_play(&first, PS_WORDS(STATUS));
    stat_file();
    expect(PS_FILE_OK);
}

/* Both namenodes are standby: the client backs off between rounds, until the call time-out. */
static void test_both_standby(void **unused)
{
    open_client(2);
    ps_test_webhdfs_play(&first, PS_WORDS(STANDBY, STANDBY));
    ps_test_webhdfs_play(&second, PS_WORDS(STANDBY, "hold"));
    stat_file();
    await_request(&second, 1);
    ps_test_webhdfs_pass_ms(&client, 500);
    await_request(&first, 2);
    ps_test_webhdfs_pass_ms(&client, 500);
    await_request(&second, 2);
    assert_int_equal(result.calls, 0);
    ps_test_webhdfs_pass_ms(&client, PS_TEST_WEBHDFS_TIMEOUT_MS);
    expect(PS_FILE_TIMEOUT);
}

static void test_attempts_end(void **unused)
{
    ps_test_webhdfs_client_init(&client, (const struct ps_test_webhdfs *const[]){&first, &second}, 2);
    client.settings.attempts_max = 2;
    ps_test_webhdfs_client_open(&client);
    ps_test_webhdfs_play(&first, PS_WORDS(STANDBY));
    ps_test_webhdfs_play(&second, PS_WORDS(STANDBY));
    stat_file();
    expect(PS_FILE_UNAVAILABLE);
    assert_non_null(strstr(result.reason, "StandbyException: not here"));
}

static void test_retriable(void **unused)
{
    open_client(1);
    ps_test_webhdfs_play(&first, PS_WORDS(RETRIABLE, STATUS));
    stat_file();
    await_request(&first, 1);
    ps_test_webhdfs_pass_ms(&client, 500);
    expect(PS_FILE_OK);
    ps_test_webhdfs_expect(&first, STAT STAT);
}

/* A call that is harmless when repeated is repeated; the outcome of any other call is unknown. */
static void test_cut(void **unused)
{
    open_client(1);
    ps_test_webhdfs_play(&first, PS_WORDS("cut", "cut 200", STATUS));
    stat_file();
    await_request(&first, 1);
    ps_test_webhdfs_pass_ms(&client, 1000);
    await_request(&first, 2);
    ps_test_webhdfs_pass_ms(&client, 1000);
    expect(PS_FILE_OK);
    ps_test_webhdfs_expect(&first, STAT STAT STAT);
    ps_test_webhdfs_play(&first, PS_WORDS("cut"));
    result.calls = 0;
    ps_file_rename(client.filesystem, "/f", "/g", ps_test_file_done, &result);
    expect(PS_FILE_TIMEOUT);
    ps_test_webhdfs_play(&first, PS_WORDS("cut"));
    result.calls = 0;
    ps_file_remove(client.filesystem, "/f", ps_test_file_done, &result);
    expect(PS_FILE_TIMEOUT);
}

static void test_no_answer(void **unused)
{
    open_client(1);
    ps_test_webhdfs_play(&first, PS_WORDS("hold"));
    ps_file_rename(client.filesystem, "/f", "/g", ps_test_file_done, &result);
    await_request(&first, 1);
    ps_test_webhdfs_pass_ms(&client, PS_TEST_WEBHDFS_TIMEOUT_MS - PS_TEST_PATIENCE_MS);
    ps_test_webhdfs_turn(&client);
    assert_int_equal(result.calls, 0);
    ps_test_webhdfs_pass_ms(&client, PS_TEST_PATIENCE_MS);
    expect(PS_FILE_TIMEOUT);
    assert_non_null(strstr(result.reason, "no answer within the call time-out"));
}

/* The namenode names another datanode in answer to a request that excludes the unreachable one. */
static void test_datanode_unreachable(void **unused)
{
    char log[512];
    open_client(1);
    ps_test_peer_vanish(&datanode.peer);
    ps_test_webhdfs_play(&first, PS_WORDS("307", "200 content"));
    ps_file_read(client.filesystem, "/f", 9, ps_test_file_done, &result);
    await_request(&first, 1);
    ps_test_webhdfs_turn(&client);
    ps_test_webhdfs_pass_ms(&client, 500);
    expect(PS_FILE_OK);
    snprintf(log, sizeof log,
             "GET /webhdfs/v1/f?op=OPEN&length=10&user.name=joe \n"
             "GET /webhdfs/v1/f?op=OPEN&length=10&user.name=joe&excludedatanodes=127.0.0.1%%3A%u \n",
             datanode.peer.port);
    ps_test_webhdfs_expect(&first, log);
    ps_test_peer_return(&datanode.peer);
}

static void test_redirects_without_end(void **unused)
{
    open_client(1);
    first.datanode = &first;
    ps_test_webhdfs_play(&first, PS_WORDS("307", "307", "307", "307", "307", "307"));
    ps_file_read(client.filesystem, "/f", 9, ps_test_file_done, &result);
    expect(PS_FILE_FAILED);
}

static void test_asks_who(void **unused)
{
    open_client(1);
    ps_test_webhdfs_play(&first, PS_WORDS("401 <html>"));
    stat_file();
    expect(PS_FILE_DENIED);
    assert_non_null(strstr(result.reason, "hdfs.kerberosPrincipal"));
}

static void test_identity(void **unused)
{
    ps_test_webhdfs_client_init(&client, (const struct ps_test_webhdfs *const[]){&first}, 1);
    client.settings.user = "jo&e";
    client.settings.proxy_user = "ann";
    ps_test_webhdfs_client_open(&client);
    ps_test_webhdfs_play(&first, PS_WORDS(STATUS));
    stat_file();
    expect(PS_FILE_OK);
    ps_test_webhdfs_expect(&first, "GET /webhdfs/v1/f?op=GETFILESTATUS&user.name=jo%26e&doas=ann \n");
}

/* ---- TLS ---- */

static void open_tls(const char *ca_text)
{
    ps_test_webhdfs_stop(&second);
    second = (struct ps_test_webhdfs){.peer = {.tls_on = true}, .datanode = &datanode};
    ps_test_webhdfs_start(&second);
    ps_test_webhdfs_client_init(&client, (const struct ps_test_webhdfs *const[]){&second}, 1);
    client.settings.ca_text = ca_text;
    ps_test_webhdfs_client_open(&client);
}

static char *read_certificate(char *text, size_t room)
{
    FILE *file = fopen(ps_test_certificate_file(), "r");
    assert_non_null(file);
    size_t length = fread(text, 1, room - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static void test_tls(void **unused)
{
    char certificate[8192];
    open_tls(read_certificate(certificate, sizeof certificate));
    ps_test_webhdfs_play(&second, PS_WORDS(STATUS, "307"));
    stat_file();
    expect(PS_FILE_OK);
    /* Secrets are sent over TLS only. */
    result.calls = 0;
    ps_file_read(client.filesystem, "/f", 9, ps_test_file_done, &result);
    expect(PS_FILE_FAILED);
    assert_non_null(strstr(result.reason, "redirects from https"));
}

/* Two servers, one of them with TLS: a redirect has the scheme of the server that redirects, not that of the first. */
static void test_tls_of_the_server_that_redirects(void **unused)
{
    char certificate[8192];
    for (unsigned tls_first = 0; tls_first < 2; tls_first++) {
        if (tls_first)
            tear_down(NULL), set_up(NULL);
        struct ps_test_webhdfs *with_tls = tls_first ? &first : &second;
        ps_test_webhdfs_stop(with_tls);
        *with_tls = (struct ps_test_webhdfs){.peer = {.tls_on = true}, .datanode = &datanode};
        ps_test_webhdfs_start(with_tls);
        ps_test_webhdfs_client_init(&client, (const struct ps_test_webhdfs *const[]){&first, &second}, 2);
        client.settings.ca_text = read_certificate(certificate, sizeof certificate);
        ps_test_webhdfs_client_open(&client);
        ps_test_webhdfs_play(&first, PS_WORDS(STANDBY));
        ps_test_webhdfs_play(&second, PS_WORDS(STATUS, "307"));
        ps_test_webhdfs_play(&datanode, PS_WORDS("200 content"));
        stat_file();
        expect(PS_FILE_OK);
        result.calls = 0;
        ps_file_read(client.filesystem, "/f", 9, ps_test_file_done, &result);
        expect(tls_first ? PS_FILE_OK : PS_FILE_FAILED);
        if (!tls_first && strstr(result.reason, "redirects from https") == NULL)
            fail_msg("%s", result.reason);
    }
}

static void test_tls_unknown_authority(void **unused)
{
    open_tls(NULL);
    stat_file();
    expect(PS_FILE_UNAVAILABLE);
    assert_non_null(strstr(result.reason, "SSL"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_standby),
        TEST(test_unreachable),
        TEST(test_unreachable_alone),
        TEST(test_both_standby),
        TEST(test_attempts_end),
        TEST(test_retriable),
        TEST(test_cut),
        TEST(test_no_answer),
        TEST(test_datanode_unreachable),
        TEST(test_redirects_without_end),
        TEST(test_asks_who),
        TEST(test_identity),
        TEST(test_tls),
        TEST(test_tls_of_the_server_that_redirects),
        TEST(test_tls_unknown_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
