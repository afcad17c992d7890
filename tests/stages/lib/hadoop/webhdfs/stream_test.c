/* Streams of WebHDFS: the requests that writes become, and the handling of an APPEND whose answer is lost. */
#include "tests/support/webhdfs_client.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"

#define MISSING "404 {\"RemoteException\":{\"exception\":\"FileNotFoundException\",\"message\":\"none\"}}"
#define BUSY                                                                                                 \
    "403 {\"RemoteException\":{\"exception\":\"AlreadyBeingCreatedException\",\"message\":\"other\"}}"
#define LENGTH(bytes) "200 {\"FileStatus\":{\"pathSuffix\":\"\",\"length\":" #bytes ",\"type\":\"FILE\"}}"

#define CREATE "PUT /webhdfs/v1/f?op=CREATE&overwrite=false&user.name=joe"
#define APPEND "POST /webhdfs/v1/f?op=APPEND&user.name=joe"
#define STAT "GET /webhdfs/v1/f?op=GETFILESTATUS&user.name=joe \n"
#define AT_DATANODE "&datanode=1 "

static struct ps_test_webhdfs server, datanode;
static struct ps_test_webhdfs_client client;
static struct ps_file_stream *stream;
static struct ps_test_file_result created, flushed, closed;

static int set_up(void **state)
{
    server = (struct ps_test_webhdfs){.datanode = &datanode};
    datanode = (struct ps_test_webhdfs){.datanode = NULL};
    ps_test_webhdfs_start(&server);
    ps_test_webhdfs_start(&datanode);
    ps_test_webhdfs_client_init(&client, (const struct ps_test_webhdfs *const[]){&server}, 1);
    ps_test_webhdfs_client_open(&client);
    created = flushed = closed = (struct ps_test_file_result){.calls = 0};
    return 0;
}

static int tear_down(void **state)
{
    ps_test_webhdfs_client_close(&client);
    ps_test_webhdfs_stop(&server);
    ps_test_webhdfs_stop(&datanode);
    return 0;
}

static void play(const char *const *at_server, const char *const *at_datanode)
{
    ps_test_webhdfs_play(&server, at_server);
    ps_test_webhdfs_play(&datanode, at_datanode);
}

static void create(void)
{
    stream = ps_file_create(client.filesystem, "/f", ps_test_file_done, &created);
}

static void write_text(const char *text)
{
    assert_true(ps_file_write(stream, text, strlen(text)));
}

static void flush(void)
{
    flushed.calls = 0;
    ps_file_flush(stream, PS_FILE_HFLUSH, ps_test_file_done, &flushed);
}

static void expect_flushed(enum ps_file_error error)
{
    ps_test_file_expect(&client, &flushed, error);
}

/* Creates /f and writes "one\n" into it; forgets the log. */
static void begin(void)
{
    static const char *const at_server[] = {"307", "307", NULL}, *const at_datanode[] = {"201", "200", NULL};
    play(at_server, at_datanode);
    create();
    write_text("one\n");
    flush();
    expect_flushed(PS_FILE_OK);
}

/* Turns until the server has had `count` requests. */
static void await_request(struct ps_test_webhdfs *of, size_t count)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    for (size_t at = 0; at < count && ps_test_patient_ns() < until_ns;) {
        ps_test_webhdfs_turn(&client);
        pthread_mutex_lock(&of->peer.mutex);
        at = of->at;
        pthread_mutex_unlock(&of->peer.mutex);
    }
}

static void close_stream(void)
{
    ps_file_close(stream, ps_test_file_done, &closed);
    ps_test_file_expect(&client, &closed, PS_FILE_OK);
}

/* ---- the usual way ---- */

static void test_create_write_close(void **unused)
{
    begin();
    ps_test_file_expect(&client, &created, PS_FILE_OK);
    ps_test_webhdfs_expect(&server, CREATE " \n" APPEND " \n");
    ps_test_webhdfs_expect(&datanode, CREATE AT_DATANODE "\n" APPEND AT_DATANODE "one\n\n");
    assert_int_equal(stream->written_bytes, 4);
    assert_int_equal(stream->acknowledged_bytes, 4);
    play(PS_WORDS("307"), PS_WORDS("200"));
    write_text("two\n");
    assert_int_equal(client.filesystem->held_bytes, 4);
    close_stream();
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n");
}

/* A flush of nothing, and a close without anything left, cost no request. */
static void test_nothing_to_send(void **unused)
{
    begin();
    play(PS_WORDS(NULL), PS_WORDS(NULL));
    flush();
    expect_flushed(PS_FILE_OK);
    close_stream();
    ps_test_webhdfs_expect(&server, "");
}

static void test_exists(void **unused)
{
    play(PS_WORDS("307"),
         PS_WORDS("403 {\"RemoteException\":{\"exception\":\"FileAlreadyExistsException\"}}"));
    create();
    write_text("one\n");
    flush();
    ps_test_file_expect(&client, &created, PS_FILE_EXISTS);
    expect_flushed(PS_FILE_EXISTS);
    assert_false(ps_file_write(stream, "x", 1));
    assert_int_equal(client.filesystem->held_bytes, 0);
    ps_file_abandon(stream);
}

/* Flushes that wait for one that is under way are one APPEND. */
static void test_flushes_together(void **unused)
{
    static struct ps_test_file_result results[3];
    begin();
    play(PS_WORDS("307", "307"), PS_WORDS("200", "200"));
    for (size_t i = 0; i < PS_COUNT_OF(results); i++) {
        results[i] = (struct ps_test_file_result){.calls = 0};
        write_text(&"abc"[i]);
        ps_file_flush(stream, PS_FILE_HFLUSH, ps_test_file_done, &results[i]);
        if (i == 0) /* the first flush begins */
            ps_test_webhdfs_turn(&client);
    }
    for (size_t i = 0; i < PS_COUNT_OF(results); i++)
        ps_test_file_expect(&client, &results[i], PS_FILE_OK);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "abc\n" APPEND AT_DATANODE "bcc\n");
    close_stream();
}

static void test_no_hsync(void **unused)
{
    begin();
    flushed.calls = 0;
    ps_file_flush(stream, PS_FILE_HSYNC, ps_test_file_done, &flushed);
    expect_flushed(PS_FILE_UNSUPPORTED);
    ps_file_abandon(stream);
}

static void test_much_without_flush(void **unused)
{
    static char bytes[1U << 20];
    memset(bytes, 'x', sizeof bytes);
    begin();
    play(NULL, NULL);
    for (unsigned i = 0; i < 5; i++)
        assert_true(ps_file_write(stream, bytes, sizeof bytes));
    uint64_t until_ns = ps_test_patience_end_ns();
    while (client.filesystem->held_bytes > 0 && ps_test_patient_ns() < until_ns)
        ps_test_webhdfs_turn(&client);
    assert_int_equal(stream->acknowledged_bytes, 4 + 5 * sizeof bytes);
    close_stream();
}

/* ---- an answer is lost ---- */

/* Sends "two\n"; then its answer is lost. */
static void lose_answer(const char *const *at_server, const char *const *at_datanode)
{
    begin();
    play(at_server, at_datanode);
    write_text("two\n");
    flush();
    await_request(&datanode, 1);
    ps_test_webhdfs_pass_ms(&client, 1000);
}

static void test_lost_and_there(void **unused)
{
    lose_answer(PS_WORDS("307", LENGTH(8)), PS_WORDS("cut"));
    expect_flushed(PS_FILE_OK);
    ps_test_webhdfs_expect(&server, APPEND " \n" STAT);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n");
    close_stream();
}

static void test_lost_and_missing(void **unused)
{
    lose_answer(PS_WORDS("307", LENGTH(4), "307"), PS_WORDS("cut", "200"));
    expect_flushed(PS_FILE_OK);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n" APPEND AT_DATANODE "two\n\n");
    close_stream();
}

/* The first APPEND with "two" had no answer, and is carried out late, after "two" was sent again. It has the length of "six", which is lost:
 * the stream ends, so that "six" is written to another file, and does not count as written here. */
static void test_lost_behind_a_late_one(void **unused)
{
    begin();
    play(PS_WORDS("307", LENGTH(4), "307"), PS_WORDS("cut", "200"));
    write_text("two\n");
    flush();
    expect_flushed(PS_FILE_OK);
    play(PS_WORDS("307"), PS_WORDS("200")); /* others are written */
    write_text("five\n");
    flush();
    expect_flushed(PS_FILE_OK);
    play(PS_WORDS("307", LENGTH(17), NULL), PS_WORDS("cut", NULL));
    write_text("six\n");
    flush();
    expect_flushed(PS_FILE_TIMEOUT);
    assert_int_equal(stream->acknowledged_bytes, 13);
    ps_file_abandon(stream);
}

static void test_lost_in_part(void **unused)
{
    lose_answer(PS_WORDS("307", LENGTH(6), "307"), PS_WORDS("cut", "200"));
    expect_flushed(PS_FILE_OK);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n" APPEND AT_DATANODE "o\n\n");
    assert_int_equal(stream->acknowledged_bytes, 8);
    close_stream();
}

/* The datanode is still writing: the second APPEND is refused, and in the end the length shows the bytes. */
static void test_lost_and_under_way(void **unused)
{
    lose_answer(PS_WORDS("307", LENGTH(4), BUSY, LENGTH(8)), PS_WORDS("cut"));
    await_request(&server, 3);
    ps_test_webhdfs_pass_ms(&client, 1000);
    expect_flushed(PS_FILE_OK);
    ps_test_webhdfs_expect(&server, APPEND " \n" STAT APPEND " \n" STAT);
    close_stream();
}

static void test_lost_and_another_writer(void **unused)
{
    lose_answer(PS_WORDS("307", LENGTH(9)), PS_WORDS("cut"));
    expect_flushed(PS_FILE_LEASE);
    ps_file_abandon(stream);
}

/* The last quarter of the call time-out is for checking the length: the bytes are there. */
static void test_late_and_there(void **unused)
{
    begin();
    play(PS_WORDS("307", LENGTH(8)), PS_WORDS("hold"));
    write_text("two\n");
    flush();
    await_request(&datanode, 1);
    ps_test_webhdfs_pass_ms(&client, PS_TEST_WEBHDFS_TIMEOUT_MS / 4 * 3);
    ps_test_webhdfs_turn(&client);
    ps_test_webhdfs_pass_ms(&client, 1000);
    expect_flushed(PS_FILE_OK);
    close_stream();
}

/* The bytes are not there, and a second APPEND would come after the deadline. */
static void test_late_and_missing(void **unused)
{
    begin();
    play(PS_WORDS("307", LENGTH(4)), PS_WORDS("hold"));
    write_text("two\n");
    flush();
    await_request(&datanode, 1);
    ps_test_webhdfs_pass_ms(&client, PS_TEST_WEBHDFS_TIMEOUT_MS / 4 * 3);
    ps_test_webhdfs_turn(&client);
    ps_test_webhdfs_pass_ms(&client, 1000);
    await_request(&server, 2);
    ps_test_webhdfs_pass_ms(&client, PS_TEST_WEBHDFS_TIMEOUT_MS / 4);
    expect_flushed(PS_FILE_TIMEOUT);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n");
    assert_int_equal(client.filesystem->held_bytes, 0);
    ps_file_abandon(stream);
}

#define FAULT(exception) "500 {\"RemoteException\":{\"exception\":\"" exception "\"}}"

/* The datanode writes, then answers with an error: the length shows that the bytes are there, and they are not written twice. */
static void test_failed_and_there(void **unused)
{
    lose_answer(PS_WORDS("307", LENGTH(8)), PS_WORDS(FAULT("IOException")));
    expect_flushed(PS_FILE_OK);
    ps_test_webhdfs_expect(&server, APPEND " \n" STAT);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n");
    close_stream();
}

static void test_failed_in_part(void **unused)
{
    lose_answer(PS_WORDS("307", LENGTH(6), "307"), PS_WORDS(FAULT("IOException"), "200"));
    expect_flushed(PS_FILE_OK);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n" APPEND AT_DATANODE "o\n\n");
    assert_int_equal(stream->acknowledged_bytes, 8);
    close_stream();
}

/* The bytes are not sent again and again. */
static void test_failed_and_missing(void **unused)
{
    lose_answer(PS_WORDS("307", LENGTH(4)), PS_WORDS(FAULT("DSQuotaExceededException")));
    expect_flushed(PS_FILE_NO_SPACE);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n");
    ps_file_abandon(stream);
}

/* The access check comes before the first write. */
static void test_refused(void **unused)
{
    begin();
    play(PS_WORDS("307"), PS_WORDS("403 {\"RemoteException\":{\"exception\":\"AccessControlException\"}}"));
    write_text("two\n");
    ps_file_close(stream, ps_test_file_done, &closed);
    ps_test_file_expect(&client, &closed, PS_FILE_DENIED);
}

/* The answer is neither a redirect nor an error: no server got the bytes. */
static void test_no_datanode(void **unused)
{
    begin();
    play(PS_WORDS("200"), PS_WORDS(NULL));
    write_text("two\n");
    flush();
    expect_flushed(PS_FILE_FAILED);
    ps_file_abandon(stream);
}

/* ---- streams that are abandoned ---- */

static void test_abandon(void **unused)
{
    begin();
    play(PS_WORDS("307"), PS_WORDS("hold"));
    write_text("two\n");
    flush();
    write_text("three\n");
    await_request(&datanode, 1);
    ps_file_abandon(stream);
    assert_int_equal(client.filesystem->held_bytes, 0);
    assert_int_equal(client.filesystem->under_way, 0);
    ps_test_webhdfs_turn(&client);
    assert_int_equal(flushed.calls, 0);
}

static void abandon_it(void *argument, const struct ps_file_answer *answer)
{
    ps_file_abandon(stream);
    ps_test_file_done(argument, answer);
}

static void test_abandon_in_callback(void **unused)
{
    begin();
    play(NULL, NULL);
    write_text("two\n");
    flushed.calls = 0;
    ps_file_flush(stream, PS_FILE_HFLUSH, abandon_it, &flushed);
    ps_file_flush(stream, PS_FILE_HFLUSH, ps_test_file_done, &closed);
    expect_flushed(PS_FILE_OK);
    ps_test_webhdfs_turn(&client);
    assert_int_equal(closed.calls, 0);
    assert_int_equal(client.filesystem->under_way, 0);
}

static void write_more(void *argument, const struct ps_file_answer *answer)
{
    assert_int_equal(answer->error, PS_FILE_OK);
    write_text("three\n");
    ps_file_flush(stream, PS_FILE_HFLUSH, ps_test_file_done, argument);
}

/* A sink whose next batch is ready flushes in the callback. */
static void test_flush_in_callback(void **unused)
{
    begin();
    play(PS_WORDS("307", "307"), PS_WORDS("200", "200"));
    write_text("two\n");
    flushed.calls = 0;
    ps_file_flush(stream, PS_FILE_HFLUSH, write_more, &flushed);
    expect_flushed(PS_FILE_OK);
    ps_test_webhdfs_expect(&datanode, APPEND AT_DATANODE "two\n\n" APPEND AT_DATANODE "three\n\n");
    close_stream();
}

/* Closing the file system ends streams and calls that are under way. */
static void test_close_all(void **unused)
{
    begin();
    play(PS_WORDS("hold", "hold"), PS_WORDS(NULL));
    write_text("two\n");
    flush();
    ps_file_rename(client.filesystem, "/a", "/b", ps_test_file_done, &closed);
    await_request(&server, 2);
    ps_filesystem_close(client.filesystem);
    assert_int_equal(flushed.calls + closed.calls, 0);
    ps_test_webhdfs_client_open(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create_write_close),
        TEST(test_nothing_to_send),
        TEST(test_exists),
        TEST(test_flushes_together),
        TEST(test_no_hsync),
        TEST(test_much_without_flush),
        TEST(test_lost_and_there),
        TEST(test_lost_and_missing),
        TEST(test_lost_behind_a_late_one),
        TEST(test_lost_in_part),
        TEST(test_lost_and_under_way),
        TEST(test_lost_and_another_writer),
        TEST(test_late_and_there),
        TEST(test_late_and_missing),
        TEST(test_failed_and_there),
        TEST(test_failed_in_part),
        TEST(test_failed_and_missing),
        TEST(test_refused),
        TEST(test_no_datanode),
        TEST(test_abandon),
        TEST(test_abandon_in_callback),
        TEST(test_flush_in_callback),
        TEST(test_close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
