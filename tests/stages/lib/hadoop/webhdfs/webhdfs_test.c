/* Operations of WebHDFS: the requests to a namenode, and the meaning of its answers. */
#include "tests/support/webhdfs_client.h"

#include <stdio.h>

#include "tests/support/support.h"

#define MISSING "404 {\"RemoteException\":{\"exception\":\"FileNotFoundException\",\"message\":\"none\"}}"
#define STATUS "200 {\"FileStatus\":{\"pathSuffix\":\"\",\"length\":5,\"type\":\"FILE\"}}"

static struct ps_test_webhdfs server, datanode;
static struct ps_test_webhdfs_client client;
static struct ps_test_file_result result;

static int set_up(void **state)
{
    server = (struct ps_test_webhdfs){.datanode = &datanode};
    datanode = (struct ps_test_webhdfs){.datanode = NULL};
    ps_test_webhdfs_start(&server);
    ps_test_webhdfs_start(&datanode);
    ps_test_webhdfs_client_init(&client, (const struct ps_test_webhdfs *const[]){&server}, 1);
    result = (struct ps_test_file_result){.calls = 0};
    ps_test_webhdfs_client_open(&client);
    return 0;
}

static int tear_down(void **state)
{
    ps_test_webhdfs_client_close(&client);
    ps_test_webhdfs_stop(&server);
    ps_test_webhdfs_stop(&datanode);
    return 0;
}

static void play(const char *const *script)
{
    ps_test_webhdfs_play(&server, script);
    result.calls = 0;
}

static void expect(enum ps_file_error error, const char *log)
{
    ps_test_file_expect(&client, &result, error);
    ps_test_webhdfs_expect(&server, log);
}

static void test_remove(void **unused)
{
    play(PS_WORDS("200 {\"boolean\":true}", "200 {\"boolean\":false}"));
    ps_file_remove(client.filesystem, "/a", ps_test_file_done, &result);
    ps_test_file_expect(&client, &result, PS_FILE_OK);
    result.calls = 0;
    ps_file_remove(client.filesystem, "/b", ps_test_file_done, &result);
    expect(PS_FILE_MISSING, "DELETE /webhdfs/v1/a?op=DELETE&recursive=false&user.name=joe \n"
                            "DELETE /webhdfs/v1/b?op=DELETE&recursive=false&user.name=joe \n");
    play(PS_WORDS("200 {\"boolean\":true}"));
    ps_file_remove(client.filesystem, "/a b/+%c", ps_test_file_done, &result);
    expect(PS_FILE_OK, "DELETE /webhdfs/v1/a%20b/%2B%25c?op=DELETE&recursive=false&user.name=joe \n");
    play(PS_WORDS("200 hello"));
    ps_file_remove(client.filesystem, "/a", ps_test_file_done, &result);
    expect(PS_FILE_FAILED, "DELETE /webhdfs/v1/a?op=DELETE&recursive=false&user.name=joe \n");
}

#define RENAME "PUT /webhdfs/v1/a?op=RENAME&renameoptions=NONE&destination=%2Fd%2Fb%26c&user.name=joe \n"
#define ASK "GET /webhdfs/v1/d/b%26c?op=GETFILESTATUS&user.name=joe \n"

static void test_rename(void **unused)
{
    static const struct {
        const char *script[3];
        enum ps_file_error error;
        const char *log;
    } cases[] = {
        {{"200"}, PS_FILE_OK, RENAME},
        {{"200 {\"boolean\":true}"}, PS_FILE_OK, RENAME}, /* HttpFS */
        {{"200 {\"boolean\":false}", STATUS}, PS_FILE_EXISTS, RENAME ASK},
        {{"200 {\"boolean\":false}", MISSING}, PS_FILE_MISSING, RENAME ASK},
        {{"200 {\"boolean\":false}", "502"}, PS_FILE_UNAVAILABLE, RENAME ASK},
        {{MISSING}, PS_FILE_MISSING, RENAME},
        {{"403 {\"RemoteException\":{\"exception\":\"FileAlreadyExistsException\"}}"},
         PS_FILE_EXISTS,
         RENAME},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        play(cases[i].script);
        ps_file_rename(client.filesystem, "/a", "/d/b&c", ps_test_file_done, &result);
        expect(cases[i].error, cases[i].log);
    }
}

static void test_stat_and_list(void **unused)
{
    play(PS_WORDS(STATUS));
    ps_file_stat(client.filesystem, "/d/x", ps_test_file_done, &result);
    expect(PS_FILE_OK, "GET /webhdfs/v1/d/x?op=GETFILESTATUS&user.name=joe \n");
    assert_int_equal(result.count, 1);
    assert_string_equal(result.name, "x");
    assert_int_equal(result.first.length_bytes, 5);
    play(PS_WORDS("200 {\"FileStatuses\":{\"FileStatus\":[{\"pathSuffix\":\"y\",\"type\":\"DIRECTORY\"},"
                  "{\"pathSuffix\":\"z\",\"type\":\"FILE\"}]}}"));
    ps_file_list(client.filesystem, "/d", ps_test_file_done, &result);
    expect(PS_FILE_OK, "GET /webhdfs/v1/d?op=LISTSTATUS&user.name=joe \n");
    assert_int_equal(result.count, 2);
    assert_string_equal(result.name, "y");
    assert_true(result.first.directory);
    play(PS_WORDS("200 {}"));
    ps_file_stat(client.filesystem, "/d/x", ps_test_file_done, &result);
    expect(PS_FILE_FAILED, "GET /webhdfs/v1/d/x?op=GETFILESTATUS&user.name=joe \n");
}

static void test_read(void **unused)
{
    play(PS_WORDS("307"));
    ps_test_webhdfs_play(&datanode, PS_WORDS("200 content"));
    ps_file_read(client.filesystem, "/f", 7, ps_test_file_done, &result);
    expect(PS_FILE_OK, "GET /webhdfs/v1/f?op=OPEN&length=8&user.name=joe \n");
    ps_test_webhdfs_expect(&datanode, "GET /webhdfs/v1/f?op=OPEN&length=8&user.name=joe&datanode=1 \n");
    assert_string_equal(result.content, "content");
    play(PS_WORDS("200 content")); /* HttpFS answers without a redirect */
    ps_file_read(client.filesystem, "/f", 6, ps_test_file_done, &result);
    expect(PS_FILE_FAILED, "GET /webhdfs/v1/f?op=OPEN&length=7&user.name=joe \n");
    play(PS_WORDS("200")); /* an empty file */
    ps_file_read(client.filesystem, "/f", 6, ps_test_file_done, &result);
    expect(PS_FILE_OK, "GET /webhdfs/v1/f?op=OPEN&length=7&user.name=joe \n");
    assert_string_equal(result.content, "");
}

static void test_recover(void **unused)
{
    static const char log[] = "POST /webhdfs/v1/f?op=APPEND&user.name=joe \n";
    play(PS_WORDS("403 {\"RemoteException\":{\"exception\":\"AlreadyBeingCreatedException\"}}"));
    ps_file_recover(client.filesystem, "/f", PS_FILE_OWN, ps_test_file_done, &result);
    expect(PS_FILE_LEASE, log);
    play(PS_WORDS("307"));
    ps_test_webhdfs_play(&datanode, PS_WORDS("200"));
    ps_file_recover(client.filesystem, "/f", PS_FILE_OWN, ps_test_file_done, &result);
    expect(PS_FILE_OK, log);
    play(PS_WORDS(MISSING));
    ps_file_recover(client.filesystem, "/f", PS_FILE_OWN, ps_test_file_done, &result);
    expect(PS_FILE_MISSING, log);
}

/* The callback of one operation begins the next. */
static void begin_next(void *path, const struct ps_file_answer *answer)
{
    assert_int_equal(answer->error, PS_FILE_OK);
    ps_file_stat(client.filesystem, path, ps_test_file_done, &result);
}

static void test_callback_begins(void **unused)
{
    static char next[] = "/b";
    play(PS_WORDS("200 {\"boolean\":true}", STATUS));
    ps_file_remove(client.filesystem, "/a", begin_next, next);
    expect(PS_FILE_OK, "DELETE /webhdfs/v1/a?op=DELETE&recursive=false&user.name=joe \n"
                       "GET /webhdfs/v1/b?op=GETFILESTATUS&user.name=joe \n");
}

/* There are more operations than slots: all are answered. */
static void test_many(void **unused)
{
    static struct ps_test_file_result results[100];
    play(NULL);
    for (size_t i = 0; i < PS_COUNT_OF(results); i++) {
        char path[16];
        snprintf(path, sizeof path, "/%zu", i);
        ps_file_remove(client.filesystem, path, ps_test_file_done, &results[i]);
    }
    assert_int_equal(client.filesystem->under_way, PS_COUNT_OF(results));
    for (size_t i = 0; i < PS_COUNT_OF(results); i++)
        ps_test_file_expect(&client, &results[i], PS_FILE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rename, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stat_and_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recover, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_callback_begins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
