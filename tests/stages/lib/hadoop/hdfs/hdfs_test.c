/* Operations on names, against a scripted namenode. */
#include "tests/support/hdfs_stream.h"
#include "tests/support/net.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stages/lib/hadoop/hdfs/lease_holder.h"

#define CREATE_REFUSED "Failed to CREATE_FILE /d/f.tmp for X on 127.0.0.1 because "

/* Claims the file: the sink sends a `create` that neither overwrites a file nor makes directories. */
static void claim(struct ps_test_stream *bench, struct ps_test_outcome *outcome)
{
    *outcome = (struct ps_test_outcome){.calls = 0};
    ps_file_recover(bench->filesystem, "/d/f.tmp", PS_FILE_ABANDONED, ps_test_stream_noted, outcome);
    ps_test_stream_expect(bench, "create");
    PsHadoop__CreateRequest *request =
        ps_hadoop__create_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_string_equal(request->src, "/d/f.tmp");
    assert_int_equal(request->create_flag, 1); /* CREATE, without OVERWRITE */
    assert_false(request->create_parent);
    ps_hadoop__create_request__free_unpacked(request, NULL);
}

static void refuse(struct ps_test_stream *bench, const char *exception, const char *message)
{
    ps_test_namenode_refuse(&bench->namenode, bench->namenode.id, exception, message);
}

static void expect(struct ps_test_stream *bench, struct ps_test_outcome *outcome, enum ps_file_error error)
{
    ps_test_stream_pump(bench, &outcome->calls, 1);
    assert_int_equal(outcome->error, error);
}

static void test_a_complete_file_is_nobodys(void **state)
{
    struct ps_test_stream *bench = *state;
    struct ps_test_outcome outcome;
    claim(bench, &outcome);
    refuse(bench, "org.apache.hadoop.fs.FileAlreadyExistsException",
           "/d/f.tmp for client 127.0.0.1 already exists");
    expect(bench, &outcome, PS_FILE_OK);
}

static void test_a_file_that_is_written_is_left(void **state)
{
    struct ps_test_stream *bench = *state;
    struct ps_test_outcome outcome;
    char own[PS_HDFS_HOLDER_BYTES], message[512];
    static const char exception[] = "org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException";
    claim(bench, &outcome);
    refuse(bench, exception,
           CREATE_REFUSED "this file lease is currently owned by DFSClient_NONMAPREDUCE_7_1 on 10.0.0.7");
    expect(bench, &outcome, PS_FILE_LEASE);
    assert_non_null(strstr(outcome.reason, "DFSClient_NONMAPREDUCE_7_1"));
    ps_hdfs_lease_holder_name(own); /* another sink of this agent */
    snprintf(message, sizeof message, CREATE_REFUSED "this file lease is currently owned by %s on 10.0.0.7",
             own);
    claim(bench, &outcome);
    refuse(bench, exception, message);
    expect(bench, &outcome, PS_FILE_LEASE);
}

static void test_the_lease_of_a_killed_process_is_taken(void **state)
{
    struct ps_test_stream *bench = *state;
    struct ps_test_outcome outcome;
    char name[PS_HDFS_HOLDER_BYTES], message[512];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        ps_hdfs_lease_holder_name(name);
        _exit(write(ends[1], name, sizeof name) != (ssize_t)sizeof name);
    }
    assert_int_equal(read(ends[0], name, sizeof name), sizeof name);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    snprintf(message, sizeof message, CREATE_REFUSED "this file lease is currently owned by %s on 10.0.0.7",
             name);
    claim(bench, &outcome);
    refuse(bench, "org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException", message);
    ps_test_stream_answer_true(bench, "recoverLease");
    expect(bench, &outcome, PS_FILE_OK);
}

/* The lease was not renewed for a minute, so the namenode has begun to close the file. */
static void test_a_lease_that_ran_out_is_taken(void **state)
{
    struct ps_test_stream *bench = *state;
    struct ps_test_outcome outcome;
    PsHadoop__BooleanResponse not_yet = PS_HADOOP__BOOLEAN_RESPONSE__INIT;
    claim(bench, &outcome);
    refuse(bench, "org.apache.hadoop.hdfs.protocol.RecoveryInProgressException",
           CREATE_REFUSED "lease recovery is in progress. Try again later.");
    ps_test_stream_expect(bench, "recoverLease");
    ps_test_stream_answer(bench, &not_yet.base);
    ps_test_await_arrival(bench->namenode.fd);
    ps_test_stream_turn(bench);
    bench->client.now.mono_ns += PS_NS_PER_S;
    ps_test_stream_answer_true(bench, "isFileClosed");
    expect(bench, &outcome, PS_FILE_OK);
}

/* The writer renamed the file a moment ago: the empty file that the claim created is removed. */
static void test_a_file_that_is_gone_stays_so(void **state)
{
    struct ps_test_stream *bench = *state;
    struct ps_test_outcome outcome;
    claim(bench, &outcome);
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_answer_true(bench, "delete");
    expect(bench, &outcome, PS_FILE_MISSING);
}

/* When creating a file times out, the error has the namenode's reason. */
static void test_safe_mode_is_named(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_create(bench);
    ps_test_stream_answer_defaults(bench);
    ps_test_stream_expect(bench, "create");
    refuse(bench, "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
           "Cannot create file/d/f. Name node is in safe mode.");
    ps_test_await_arrival(bench->namenode.fd);
    for (unsigned i = 0; i < 10; i++)
        ps_test_stream_turn(bench);
    bench->client.now.mono_ns += 31 * PS_NS_PER_S;
    ps_test_stream_pump(bench, &bench->created.calls, 1);
    assert_int_not_equal(bench->created.error, PS_FILE_OK);
    assert_non_null(strstr(bench->created.reason, "Name node is in safe mode"));
}

/* The caller gets the namenode's answer about a name: done, missing, or refused. Each operation is tried twice. */
static void test_the_answers_to_operations_on_names(void **state)
{
    static const struct {
        const char *method;
        bool has_answer, result;
        enum ps_file_error error;
    } cases[] = {
        {"delete", true, true, PS_FILE_OK},        {"delete", true, false, PS_FILE_MISSING},
        {"delete", false, false, PS_FILE_DENIED},  {"rename2", true, true, PS_FILE_OK},
        {"rename2", false, false, PS_FILE_DENIED}, {"delete", true, true, PS_FILE_OK},
    };
    struct ps_test_stream *bench = *state;
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_outcome outcome = {.calls = 0};
        PsHadoop__BooleanResponse answer = PS_HADOOP__BOOLEAN_RESPONSE__INIT;
        char kind = cases[i].method[0];
        if (kind == 'd')
            ps_file_remove(bench->filesystem, "/d/f", ps_test_stream_noted, &outcome);
        else
            ps_file_rename(bench->filesystem, "/d/f", "/d/g", ps_test_stream_noted, &outcome);
        ps_test_stream_expect(bench, cases[i].method);
        if (kind == 'd') {
            PsHadoop__DeleteRequest *request = ps_hadoop__delete_request__unpack(
                NULL, bench->namenode.message_length, bench->namenode.message);
            assert_string_equal(request->src, "/d/f");
            assert_false(request->recursive);
            ps_hadoop__delete_request__free_unpacked(request, NULL);
        }
        answer.result = cases[i].result;
        if (!cases[i].has_answer)
            refuse(bench, "org.apache.hadoop.security.AccessControlException", "Permission denied");
        else
            ps_test_stream_answer(bench, kind == 'r' ? NULL : &answer.base);
        expect(bench, &outcome, cases[i].error);
        if (cases[i].error == PS_FILE_MISSING)
            assert_string_equal(outcome.reason, "/d/f: no such file or directory");
    }
}

struct listing {
    unsigned calls;
    enum ps_file_error error;
    char names[64]; /* with blanks between them; a / behind that of a directory */
    uint64_t bytes;
};

static void note_listing(void *argument, const struct ps_file_answer *answer)
{
    struct listing *listing = argument;
    listing->calls++;
    listing->error = answer->error;
    for (size_t i = 0; i < answer->entry_count; i++) {
        size_t used = strlen(listing->names);
        snprintf(listing->names + used, sizeof listing->names - used, "%s%s%s", used > 0 ? " " : "",
                 answer->entries[i].name, answer->entries[i].directory ? "/" : "");
        listing->bytes += answer->entries[i].length_bytes;
    }
}

/* Answers with a part of the listing: an entry for each character of `names`, capital letters for directories. The request must begin
 * behind `after`. */
static void answer_part(struct ps_test_stream *bench, const char *after, const char *names,
                        uint32_t remaining)
{
    static char empty[] = "";
    PsHadoop__Permission permission = PS_HADOOP__PERMISSION__INIT;
    PsHadoop__HdfsFileStatus statuses[4], *list[4];
    PsHadoop__DirectoryListing listing = PS_HADOOP__DIRECTORY_LISTING__INIT;
    PsHadoop__GetListingResponse response = PS_HADOOP__GET_LISTING_RESPONSE__INIT;
    uint8_t texts[4];
    ps_test_stream_expect(bench, "getListing");
    PsHadoop__GetListingRequest *request =
        ps_hadoop__get_listing_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_string_equal(request->src, "/d");
    assert_int_equal(request->start_after.len, strlen(after));
    assert_memory_equal(request->start_after.data, after, strlen(after));
    ps_hadoop__get_listing_request__free_unpacked(request, NULL);
    for (; names[listing.n_entries] != '\0'; listing.n_entries++) {
        size_t i = listing.n_entries;
        assert_true(i < PS_COUNT_OF(statuses));
        texts[i] = (uint8_t)names[i];
        ps_hadoop__hdfs_file_status__init(&statuses[i]);
        statuses[i].type = names[i] < 'a' ? 1 : 2;
        statuses[i].path = (ProtobufCBinaryData){.len = 1, .data = &texts[i]};
        statuses[i].length = 10;
        statuses[i].permission = &permission;
        statuses[i].owner = statuses[i].group = empty;
        list[i] = &statuses[i];
    }
    listing.entries = list;
    listing.remaining = remaining;
    response.dir_list = &listing;
    ps_test_stream_answer(bench, &response.base);
}

/* A namenode lists large directories in parts. One that says that there is more, but sends nothing, ends the list: it is not asked for the
 * same part for ever. */
static void test_a_list_in_parts(void **state)
{
    struct ps_test_stream *bench = *state;
    struct listing listing = {.calls = 0};
    ps_file_list(bench->filesystem, "/d", note_listing, &listing);
    answer_part(bench, "", "aB", 3);
    answer_part(bench, "B", "c", 2);
    answer_part(bench, "c", "de", 0);
    ps_test_stream_pump(bench, &listing.calls, 1);
    assert_int_equal(listing.error, PS_FILE_OK);
    assert_string_equal(listing.names, "a B/ c d e");
    assert_int_equal(listing.bytes, 50);

    static const char *const firsts[] = {"", "ab"}; /* what came before the empty part */
    for (size_t i = 0; i < PS_COUNT_OF(firsts); i++) {
        listing = (struct listing){.calls = 0};
        ps_file_list(bench->filesystem, "/d", note_listing, &listing);
        if (firsts[i][0] != '\0')
            answer_part(bench, "", firsts[i], 7);
        answer_part(bench, i == 0 ? "" : "b", "", 7);
        ps_test_stream_pump(bench, &listing.calls, 1);
        assert_int_equal(listing.error, PS_FILE_OK);
        assert_string_equal(listing.names, i == 0 ? "" : "a b");
    }
}

/* Opens the file system again, with these settings. */
static void open_as(struct ps_test_stream *bench, const char *proxy_user, uint64_t call_timeout_ns)
{
    struct ps_err err = {.length = 0};
    char url[64];
    snprintf(url, sizeof url, "hdfs://127.0.0.1:%u", bench->namenode.port);
    const struct ps_hadoop_settings settings = {.url = url,
                                                .proxy_user = proxy_user,
                                                .call_timeout_ns = call_timeout_ns,
                                                .port = &bench->client.port};
    ps_filesystem_close(bench->filesystem);
    assert_int_equal(ps_hdfs_open(&settings, &bench->filesystem, &err), PS_OK);
    bench->client.loop = ((struct ps_hdfs *)bench->filesystem)->loop;
}

/* The settings say which user writes, for which other user, and how long a call may take. */
static void test_the_settings_reach_the_namenode(void **state)
{
    static const struct {
        const char *proxy_user, *effective, *real;
        uint64_t call_timeout_ns;
    } rows[] = {{NULL, "flume", NULL, 20 * PS_NS_PER_S},
                {"ann", "ann", "flume", 20 * PS_NS_PER_S},
                {"bob", "bob", "flume", 5 * PS_NS_PER_S},
                {NULL, "flume", NULL, 5 * PS_NS_PER_S}};
    struct ps_test_stream *bench = *state;
    assert_int_equal(setenv("HADOOP_USER_NAME", "flume", 1), 0);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_outcome outcome;
        open_as(bench, rows[i].proxy_user, rows[i].call_timeout_ns);
        claim(bench, &outcome);
        const PsHadoop__RpcUser *user = bench->namenode.context->user;
        assert_string_equal(user->effective_user, rows[i].effective);
        assert_int_equal(user->real_user != NULL, rows[i].real != NULL);
        if (rows[i].real != NULL)
            assert_string_equal(user->real_user, rows[i].real);
        bench->client.now.mono_ns += rows[i].call_timeout_ns - PS_NS_PER_S;
        for (unsigned turn = 0; turn < 3; turn++)
            ps_test_stream_turn(bench);
        assert_int_equal(outcome.calls, 0);
        bench->client.now.mono_ns += 2 * PS_NS_PER_S;
        expect(bench, &outcome, PS_FILE_TIMEOUT);
    }
    unsetenv("HADOOP_USER_NAME");
}

/* ---- data encryption keys ---- */

/* Answers the request for a key, with one that ends at this time; 0: refuses. */
static void answer_key(struct ps_test_stream *bench, uint64_t end_ms)
{
    static const uint8_t secret[] = "secret";
    static char pool[] = "BP-1";
    PsHadoop__DataEncryptionKey key = PS_HADOOP__DATA_ENCRYPTION_KEY__INIT;
    PsHadoop__GetDataEncryptionKeyResponse response = PS_HADOOP__GET_DATA_ENCRYPTION_KEY_RESPONSE__INIT;
    ps_test_stream_expect(bench, "getDataEncryptionKey");
    key.block_pool_id = pool;
    key.nonce = key.encryption_key =
        (ProtobufCBinaryData){.len = sizeof secret - 1, .data = (uint8_t *)(uintptr_t)secret};
    key.expiry_date = end_ms;
    response.data_encryption_key = &key;
    if (end_ms != 0)
        ps_test_stream_answer(bench, &response.base);
    else
        refuse(bench, "org.apache.hadoop.security.AccessControlException", "Permission denied");
}

/* Creates a file at a namenode whose datanodes encrypt what they are sent; the first key has ended already. */
static void create_encrypted(struct ps_test_stream *bench)
{
    PsHadoop__FsServerDefaults defaults = PS_HADOOP__FS_SERVER_DEFAULTS__INIT;
    PsHadoop__GetServerDefaultsResponse response = PS_HADOOP__GET_SERVER_DEFAULTS_RESPONSE__INIT;
    ps_test_stream_create(bench);
    ps_test_stream_expect(bench, "getServerDefaults");
    defaults.block_size = PS_TEST_BLOCK_BYTES;
    defaults.bytes_per_checksum = 512;
    defaults.write_packet_size = 65536;
    defaults.replication = 2;
    defaults.has_encrypt_data_transfer = defaults.encrypt_data_transfer = true;
    response.server_defaults = &defaults;
    ps_test_stream_answer(bench, &response.base);
    answer_key(bench, 1);
    ps_test_stream_answer_create(bench);
}

/* Takes turns at one moment, in which the client reads the namenode's last answer, and checks that none of them calls the namenode. */
static void expect_no_call(struct ps_test_stream *bench)
{
    ps_test_await_arrival(bench->namenode.fd);
    for (unsigned turn = 0; turn < 10; turn++)
        ps_test_stream_turn(bench);
    struct pollfd ready = {.fd = bench->namenode.fd, .events = POLLIN};
    assert_int_equal(bench->namenode.in.length, 0);
    assert_int_equal(poll(&ready, 1, 20), 0);
}

/* A key is refused, or has ended already when it comes: the next one is requested a second later, not in the next turn. */
static void test_a_rest_between_requests_for_a_key(void **state)
{
    struct ps_test_stream *bench = *state;
    create_encrypted(bench);
    for (unsigned i = 0; i < 4; i++) {
        answer_key(bench, i % 2);
        expect_no_call(bench);
        bench->client.now.mono_ns += PS_NS_PER_S - 1;
        expect_no_call(bench);
        bench->client.now.mono_ns++;
    }
    answer_key(bench, (uint64_t)bench->client.now.wall_ms + 3600000);
    expect_no_call(bench);
    bench->client.now.mono_ns += PS_NS_PER_S;
    expect_no_call(bench);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, ps_test_stream_set_up, ps_test_stream_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_settings_reach_the_namenode),
        TEST(test_a_complete_file_is_nobodys),
        TEST(test_a_file_that_is_written_is_left),
        TEST(test_the_lease_of_a_killed_process_is_taken),
        TEST(test_a_lease_that_ran_out_is_taken),
        TEST(test_a_file_that_is_gone_stays_so),
        TEST(test_safe_mode_is_named),
        TEST(test_the_answers_to_operations_on_names),
        TEST(test_a_list_in_parts),
        TEST(test_a_rest_between_requests_for_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
