/* A file is read from datanodes that answer correctly, wrongly, in parts, or not at all. */
#include "tests/stages/lib/hadoop/hdfs/reader_support.h"

static void test_blocks(void **)
{
    struct answer *first = good_head(), *second;
    packet(first, 0, "abcdefgh");
    packet(first, 8, "ij");
    end(first, 10);
    second = good_head();
    packet(second, 0, "klm");
    end(second, 3);
    first->at_once = 1;
    ask(13);
    blocks_say((const uint64_t[]){10, 0, 3}, 3, 2, 13);
    await_done();
    expect_content("abcdefghijklm");
    assert_int_equal(t.begun, 2);
    assert_int_equal(t.good, 2);
    assert_memory_equal(&t.told[0], &((struct told){1, 0, 10, true}), sizeof(struct told) - 8);
    assert_true(t.told[0].sums && t.told[1].sums);
    assert_int_equal(t.told[1].block, 3);
    assert_int_equal(t.told[1].length, 3);
}

static void test_empty(void **)
{
    ask(100);
    blocks_say(NULL, 0, 0, 0);
    await_done();
    expect_content("");
    assert_int_equal(t.begun, 0);
}

/* A block that is being written: the datanode sends its last chunk complete, with more bytes than the namenode knows. */
static void test_longer_block(void **)
{
    struct answer *first = good_head();
    packet(first, 0, "abcdefgh");
    packet(first, 8, "ijklmnop");
    end(first, 16);
    whole("rest");
    ask(100);
    blocks_say((const uint64_t[]){9, 4}, 2, 1, 13);
    await_done();
    expect_content("abcdefghirest");
}

static void test_last_packet_with_data(void **)
{
    packet_of(good_head(), PS_CHECKSUM_CRC32C, 0, "abcdef", true, -1);
    read_one(6, 1);
    expect_content("abcdef");
}

static void test_checksums(void **)
{
    packet_of(head(PS_TRANSFER_SUCCESS, PS_CHECKSUM_CRC32, CHUNK, 0), PS_CHECKSUM_CRC32, 0, "abcdef", true,
              -1);
    read_one(6, 1);
    expect_content("abcdef");
    t.calls = 0;
    packet_of(head(PS_TRANSFER_SUCCESS, PS_CHECKSUM_NONE, CHUNK, 0), PS_CHECKSUM_NONE, 0, "ghijkl", true, -1);
    ps_hdfs_read(t.bench->filesystem, "/d/f", 6, done, NULL);
    blocks_say((const uint64_t[]){6}, 1, 1, 6);
    await_done();
    expect_content("ghijkl");
}

/* A datanode answers wrongly: the block is read from its beginning from the next datanode. */
static void test_next_datanode(void **)
{
    struct answer *bad = good_head();
    packet(bad, 0, "abcd");
    packet_of(bad, PS_CHECKSUM_CRC32C, 4, "efghijkl", false, 1); /* the second chunk of the second packet */
    bad = good_head();
    packet(bad, 0, "abcdefgh");
    bad->hangs_up = true;
    whole("abcdefghijkl");
    read_one(12, 3);
    expect_content("abcdefghijkl");
    assert_int_equal(t.begun, 3);
    assert_int_equal(t.good, 1);
}

/* The next block is read from its first datanode, although the block before was read from its last one. */
static void test_second_block_begins_anew(void **)
{
    head(PS_TRANSFER_ERROR, PS_CHECKSUM_CRC32C, CHUNK, 0);
    whole("ab");
    head(PS_TRANSFER_ERROR, PS_CHECKSUM_CRC32C, CHUNK, 0);
    whole("cd");
    ask(100);
    blocks_say((const uint64_t[]){2, 2}, 2, 2, 4);
    await_done();
    expect_content("abcd");
    assert_int_equal(t.begun, 4);
}

static void expect_refused(const char *why)
{
    char expected[PS_FILE_REASON_BYTES];
    read_one(8, 1);
    assert_int_equal(t.error, PS_FILE_UNAVAILABLE);
    snprintf(expected, sizeof expected, "/d/f: no datanode gives block 1: %s", why);
    if (strstr(t.reason, "no datanode gives block 1") == NULL || strstr(t.reason, why) == NULL)
        fail_msg("\"%s\" is not \"%s\"", t.reason, expected);
}

static void test_status(void **)
{
    head(PS_TRANSFER_ERROR_ACCESS_TOKEN, PS_CHECKSUM_CRC32C, CHUNK, 0);
    expect_refused("ERROR_ACCESS_TOKEN");
}

static void test_no_datanode(void **)
{
    read_one(8, 0);
    assert_int_equal(t.error, PS_FILE_UNAVAILABLE);
    assert_string_equal(t.reason, "/d/f: no datanode gives block 1: none has it");
}

static void test_unknown_checksum(void **)
{
    head(PS_TRANSFER_SUCCESS, PS_CHECKSUM_CRC32C + 1, CHUNK, 0);
    expect_refused("an unknown checksum");
}

static void test_no_chunk(void **)
{
    head(PS_TRANSFER_SUCCESS, PS_CHECKSUM_CRC32C, 0, 0);
    expect_refused("an unknown checksum");
}

static void test_large_chunk(void **)
{
    head(PS_TRANSFER_SUCCESS, PS_CHECKSUM_CRC32C, PS_PACKET_CHUNK_BYTES_MAX + 1, 0);
    expect_refused("an unknown checksum");
}

static void test_largest_chunk(void **)
{
    struct answer *answer = head(PS_TRANSFER_SUCCESS, PS_CHECKSUM_NONE, PS_PACKET_CHUNK_BYTES_MAX, 0);
    packet_of(answer, PS_CHECKSUM_NONE, 0, "abcdefgh", true, -1);
    read_one(8, 1);
    expect_content("abcdefgh");
}

static void test_chunk_offset(void **)
{
    head(PS_TRANSFER_SUCCESS, PS_CHECKSUM_CRC32C, CHUNK, 4);
    expect_refused("an unknown checksum");
}

static void test_no_checksum(void **)
{
    PsHadoop__BlockOpResponse response = PS_HADOOP__BLOCK_OP_RESPONSE__INIT;
    add_message(answer_begin(), &response.base);
    expect_refused("an unknown checksum");
}

static void test_not_a_message(void **)
{
    add(answer_begin(), "\xff\xff\xff\xff\xff\xff", 6);
    expect_refused("its answer is not valid");
}

static void test_not_a_response(void **)
{
    add(answer_begin(), "\x02\xff\xff", 3);
    expect_refused("its answer is not valid");
}

static void test_body_too_short(void **)
{
    add_raw(good_head(), 3, 0, "", 0);
    expect_refused("its packet is not valid");
}

static void test_body_too_long(void **)
{
    add_raw(good_head(), PS_PACKET_BYTES_MAX + 1, 10, "", 0);
    expect_refused("its packet is not valid");
}

static void test_header_too_long(void **)
{
    add_raw(good_head(), 4, 4097, "", 0);
    expect_refused("its packet is not valid");
}

static void test_header_not_valid(void **)
{
    add_raw(good_head(), 4, 2, "\xff\xff", 2);
    expect_refused("its packet is not valid");
}

static void test_nothing_in_the_middle(void **)
{
    packet(good_head(), 0, ""); /* not the last: a datanode that sends these would never end */
    expect_refused("its packet is not valid");
}

static void test_more_sums(void **)
{
    struct answer *answer = good_head();
    packet_header(answer, 0, 4, 2, false);
    add(answer, "12345678abcd", 12);
    expect_refused("its packet is not valid");
}

static void test_fewer_sums(void **)
{
    struct answer *answer = good_head();
    packet_header(answer, 0, 5, 1, false);
    add(answer, "1234abcde", 9);
    expect_refused("its packet is not valid");
}

static void test_hole(void **)
{
    struct answer *answer = good_head();
    packet(answer, 0, "abcd");
    packet(answer, 8, "ijkl");
    expect_refused("its packet is not valid");
}

static void test_wrong_first_sum(void **)
{
    packet_of(good_head(), PS_CHECKSUM_CRC32C, 0, "abcdefgh", true, 0);
    expect_refused("a wrong checksum");
}

static void test_short_block(void **)
{
    whole("abcdefg");
    expect_refused("the block is shorter than the namenode says");
}

static void test_hangs_up(void **)
{
    struct answer *answer = answer_begin();
    answer->hangs_up = true;
    expect_refused("");
    assert_null(strstr(t.reason, "none has it"));
}

/* ---- the file ---- */

static void test_limit(void **)
{
    ask(5);
    blocks_say((const uint64_t[]){3, 3}, 2, 1, 5);
    await_done();
    assert_int_equal(t.error, PS_FILE_FAILED);
    assert_string_equal(t.reason, "/d/f: it is longer than 5 bytes");
    assert_int_equal(t.begun, 0);
}

/* The namenode names only blocks of the range in the request. */
static void test_limit_of_file(void **)
{
    ask(5);
    blocks_say((const uint64_t[]){3}, 1, 1, 6);
    await_done();
    assert_int_equal(t.error, PS_FILE_FAILED);
    assert_string_equal(t.reason, "/d/f: it is longer than 5 bytes");
}

static void test_namenode_refuses(void **)
{
    ask(5);
    ps_test_stream_expect(t.bench, "getBlockLocations");
    ps_test_namenode_refuse(&t.bench->namenode, t.bench->namenode.id, "java.io.FileNotFoundException",
                            "File does not exist: /d/f");
    await_done();
    assert_int_equal(t.error, PS_FILE_MISSING);
    assert_non_null(strstr(t.reason, "File does not exist"));
}

/* The namenode refuses getServerDefaults: each waiting reader gets this error. */
static void test_no_defaults(void **)
{
    ps_hdfs_read(t.bench->filesystem, "/d/f", 5, done, NULL);
    ps_hdfs_read(t.bench->filesystem, "/d/g", 5, done, NULL);
    ps_test_stream_expect(t.bench, "getServerDefaults");
    ps_test_namenode_refuse(&t.bench->namenode, t.bench->namenode.id, "java.io.IOException", "not today");
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && t.calls < 2; i++)
        turn();
    assert_int_equal(t.calls, 2);
    assert_int_not_equal(t.error, PS_FILE_OK);
    assert_int_equal(t.bench->filesystem->under_way, 0);
}

/* A datanode sends nothing: the reader ends after twice the call time-out. */
static void silent_behind(unsigned failed, const char *reason)
{
    for (unsigned i = 0; i < failed; i++)
        head(PS_TRANSFER_ERROR, PS_CHECKSUM_CRC32C, CHUNK, 0);
    answer_begin()->silent = true;
    uint64_t length = 8;
    ps_test_hdfs_turn(&t.bench->client); /* sets the clock */
    ask(100);
    blocks_say(&length, 1, failed + 1, length);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && t.told[failed].length == 0; i++)
        turn();
    ps_test_hdfs_pass(&t.bench->client, 59999);
    assert_int_equal(t.calls, 0);
    ps_test_hdfs_pass(&t.bench->client, 1);
    await_done();
    assert_int_equal(t.error, PS_FILE_TIMEOUT);
    if (strncmp(t.reason, reason, strlen(reason)) != 0)
        fail_msg("%s", t.reason);
}

static void test_silent(void **)
{
    silent_behind(0, "/d/f: not read within the call time-out");
    assert_string_equal(t.reason, "/d/f: not read within the call time-out");
}

static void test_silent_behind_another(void **)
{
    silent_behind(1, "/d/f: not read within the call time-out: datanode 127.0.0.1");
    assert_non_null(strstr(t.reason, ": ERROR"));
}

/* Two files at once; one of them is under way when the file system is closed. */
static void test_closed_under_way(void **)
{
    ask(100);
    ps_hdfs_read(t.bench->filesystem, "/d/g", 100, done, NULL);
    ps_hdfs_read(t.bench->filesystem, "/d/h", 100, done, NULL);
    blocks_say((const uint64_t[]){0}, 1, 1, 0);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && t.calls == 0; i++)
        turn();
    expect_content("");
    assert_int_equal(t.bench->filesystem->under_way, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_blocks),
        TEST(test_empty),
        TEST(test_longer_block),
        TEST(test_last_packet_with_data),
        TEST(test_checksums),
        TEST(test_next_datanode),
        TEST(test_second_block_begins_anew),
        TEST(test_status),
        TEST(test_no_datanode),
        TEST(test_unknown_checksum),
        TEST(test_no_chunk),
        TEST(test_large_chunk),
        TEST(test_largest_chunk),
        TEST(test_chunk_offset),
        TEST(test_no_checksum),
        TEST(test_not_a_message),
        TEST(test_not_a_response),
        TEST(test_body_too_short),
        TEST(test_body_too_long),
        TEST(test_header_too_long),
        TEST(test_header_not_valid),
        TEST(test_nothing_in_the_middle),
        TEST(test_more_sums),
        TEST(test_fewer_sums),
        TEST(test_hole),
        TEST(test_wrong_first_sum),
        TEST(test_short_block),
        TEST(test_hangs_up),
        TEST(test_limit),
        TEST(test_limit_of_file),
        TEST(test_namenode_refuses),
        TEST(test_no_defaults),
        TEST(test_silent),
        TEST(test_silent_behind_another),
        TEST(test_closed_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
