#include "stages/lib/hadoop/hdfs/namenode.h"

#include "tests/support/fake_namenode.h"
#include "tests/support/support.h"

struct test {
    struct ps_test_hdfs hdfs;
    struct ps_test_namenode fake[2];
    struct ps_hadoop_configuration *configuration;
    struct ps_namenode *namenode;
    struct ps_namenode_call call;
    bool done;
    enum ps_file_error error;
    struct ps_namenode_answer answer; /* its pointers are no longer valid */
    void (*look)(const struct ps_namenode_answer *answer);
};

static void done(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct test *test = call->argument;
    assert_false(test->done);
    test->done = true;
    test->error = answer->error;
    test->answer = *answer;
    if (test->look != NULL)
        test->look(answer);
    test->look = NULL;
}

static void set_up(struct test *test, unsigned namenodes)
{
    char xml[1024], authority[64];
    struct ps_err err = {0};
    *test = (struct test){0};
    ps_test_hdfs_init(&test->hdfs);
    for (unsigned i = 0; i < 2; i++)
        ps_test_namenode_init(&test->fake[i], &test->hdfs);
    snprintf(xml, sizeof xml,
             "<configuration>"
             "<property><name>dfs.nameservices</name><value>ns</value></property>"
             "<property><name>dfs.ha.namenodes.ns</name><value>a,b</value></property>"
             "<property><name>dfs.namenode.rpc-address.ns.a</name><value>127.0.0.1:%u</value></property>"
             "<property><name>dfs.namenode.rpc-address.ns.b</name><value>127.0.0.1:%u</value></property>"
             "<property><name>dfs.replication</name><value>2</value></property>"
             "<property><name>dfs.blocksize</name><value>1m</value></property>"
             "<property><name>fs.permissions.umask-mode</name><value>027</value></property>"
             "<property><name>ipc.client.connection.maxidletime</name><value>1000000</value></property>"
             "</configuration>",
             test->fake[0].port, test->fake[1].port);
    assert_int_equal(
        ps_hadoop_configuration_parse(&test->configuration, "hdfs-site.xml", xml, strlen(xml), &err), PS_OK);
    snprintf(authority, sizeof authority, "127.0.0.1:%u", test->fake[0].port);
    const struct ps_namenode_settings settings = {.loop = test->hdfs.loop,
                                                  .configuration = test->configuration,
                                                  .authority = namenodes == 2 ? "ns" : authority,
                                                  .call_timeout_ns = 30 * PS_NS_PER_S,
                                                  .component = "sink test"};
    if (ps_namenode_open(&settings, &test->namenode, &err) != PS_OK)
        fail_msg("%s", err.text);
    test->call.argument = test;
}

static void tear_down(struct test *test)
{
    ps_namenode_close(test->namenode);
    for (unsigned i = 0; i < 2; i++)
        ps_test_namenode_fini(&test->fake[i]);
    ps_test_hdfs_fini(&test->hdfs);
    ps_hadoop_configuration_free(test->configuration);
}

static void expect_end(struct test *test, enum ps_file_error error)
{
    ps_test_hdfs_await(&test->hdfs, &test->done);
    assert_int_equal(test->error, error);
    test->done = false;
}

/* Parses the request; the caller frees it. */
static void *expect(struct ps_test_namenode *fake, const char *method,
                    const ProtobufCMessageDescriptor *descriptor)
{
    ps_test_namenode_expect(fake, method);
    void *message = protobuf_c_message_unpack(descriptor, NULL, fake->message_length, fake->message);
    assert_non_null(message);
    return message;
}

static void forget(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

static void answer_boolean(struct ps_test_namenode *fake, bool result)
{
    PsHadoop__BooleanResponse response = PS_HADOOP__BOOLEAN_RESPONSE__INIT;
    response.result = result;
    ps_test_namenode_answer(fake, fake->id, &response.base);
}

/* A block as the namenode gives it. */
static struct block {
    PsHadoop__ExtendedBlock extended;
    PsHadoop__DatanodeId id;
    PsHadoop__DatanodeInfo node, *nodes[1];
    PsHadoop__Token token;
    PsHadoop__LocatedBlock located;
    uint32_t types[1];
    char *storages[1];
} block;

static void make_block(void)
{
    ps_hadoop__extended_block__init(&block.extended);
    ps_hadoop__datanode_id__init(&block.id);
    ps_hadoop__datanode_info__init(&block.node);
    ps_hadoop__token__init(&block.token);
    ps_hadoop__located_block__init(&block.located);
    block.extended.pool_id = "BP-1";
    block.extended.block_id = 77;
    block.extended.generation_stamp = 1001;
    block.id.ip_addr = "10.0.0.1";
    block.id.host_name = "dn1";
    block.id.datanode_uuid = "uuid1";
    block.id.xfer_port = 9866;
    block.node.id = &block.id;
    block.node.location = "/rack1";
    block.nodes[0] = &block.node;
    block.token.kind = block.token.service = "";
    block.types[0] = 1;
    block.storages[0] = "DS-1";
    block.located.b = &block.extended;
    block.located.block_token = &block.token;
    block.located.n_locs = block.located.n_storage_types = block.located.n_storage_ids = 1;
    block.located.locs = block.nodes;
    block.located.storage_types = block.types;
    block.located.storage_ids = block.storages;
}

static void look_at_block(const struct ps_namenode_answer *answer)
{
    assert_int_equal(answer->block->b->block_id, 77);
    assert_string_equal(answer->block->locs[0]->id->host_name, "dn1");
    assert_string_equal(answer->block->locs[0]->location, "/rack1");
    assert_string_equal(answer->block->storage_ids[0], "DS-1");
}

static void answer_block(struct test *test)
{
    PsHadoop__BlockResponse response = PS_HADOOP__BLOCK_RESPONSE__INIT;
    response.block = &block.located;
    test->look = look_at_block;
    ps_test_namenode_answer(&test->fake[0], test->fake[0].id, &response.base);
    expect_end(test, PS_FILE_OK);
    assert_null(test->look);
}

/* ---- calls ---- */

static void look_at_status(const struct ps_namenode_answer *answer)
{
    assert_int_equal(answer->status->file_id, 16386);
    assert_int_equal(answer->status->block_replication, 2);
}

static void answer_status(struct test *test)
{
    PsHadoop__StatusResponse response = PS_HADOOP__STATUS_RESPONSE__INIT;
    PsHadoop__HdfsFileStatus status = PS_HADOOP__HDFS_FILE_STATUS__INIT;
    PsHadoop__Permission permission = PS_HADOOP__PERMISSION__INIT;
    status.type = 2;
    status.permission = &permission;
    status.owner = status.group = "flume";
    status.has_file_id = status.has_block_replication = true;
    status.file_id = 16386;
    status.block_replication = 2;
    response.fs = &status;
    test->look = look_at_status;
    ps_test_namenode_answer(&test->fake[0], test->fake[0].id, &response.base);
    expect_end(test, PS_FILE_OK);
}

static void test_create(void **state)
{
    struct test test;
    const struct ps_namenode_creation plain = {.path = "/a.tmp", .create_parent = true};
    const struct ps_namenode_creation other = {.path = "/a.tmp", .replication = 3, .block_size_bytes = 4096};
    set_up(&test, 1);
    ps_namenode_create(test.namenode, &test.call, &plain, done);
    assert_true(ps_namenode_call_is_busy(&test.call));
    PsHadoop__CreateRequest *request =
        expect(&test.fake[0], "create", &ps_hadoop__create_request__descriptor);
    assert_string_equal(request->client_name, ps_namenode_client(test.namenode));
    assert_int_equal(request->create_flag, 1);
    assert_int_equal(request->masked->mode, 0640);
    assert_int_equal(request->unmasked->mode, 0666);
    assert_int_equal(request->replication, 2);
    assert_int_equal(request->block_size, 1 << 20);
    assert_true(request->create_parent);
    forget(request);
    answer_status(&test);
    ps_namenode_create(test.namenode, &test.call, &other, done);
    request = expect(&test.fake[0], "create", &ps_hadoop__create_request__descriptor);
    assert_int_equal(request->replication, 3);
    assert_int_equal(request->block_size, 4096);
    assert_false(request->create_parent);
    forget(request);
    answer_status(&test);
    tear_down(&test);
}

static void test_blocks(void **state)
{
    struct test test;
    const struct ps_hdfs_nodes nodes = {.nodes = block.nodes, .count = 1}, none = {.count = 0};
    make_block();
    set_up(&test, 1);
    struct ps_test_namenode *fake = &test.fake[0];
    ps_namenode_add_block(test.namenode, &test.call, "/a", 5, NULL, &none, done);
    PsHadoop__AddBlockRequest *add = expect(fake, "addBlock", &ps_hadoop__add_block_request__descriptor);
    assert_null(add->previous);
    assert_int_equal(add->n_exclude_nodes, 0);
    assert_int_equal(add->file_id, 5);
    forget(add);
    answer_block(&test);
    ps_namenode_add_block(test.namenode, &test.call, "/a", 5, &block.extended, &nodes, done);
    add = expect(fake, "addBlock", &ps_hadoop__add_block_request__descriptor);
    assert_int_equal(add->previous->block_id, 77);
    assert_string_equal(add->exclude_nodes[0]->id->datanode_uuid, "uuid1");
    forget(add);
    answer_block(&test);
    ps_namenode_get_additional_datanode(test.namenode, &test.call, "/a", 5, &block.extended, &nodes,
                                        block.storages, &nodes, done);
    PsHadoop__GetAdditionalDatanodeRequest *additional =
        expect(fake, "getAdditionalDatanode", &ps_hadoop__get_additional_datanode_request__descriptor);
    assert_string_equal(additional->existing_storage_uuids[0], "DS-1");
    assert_int_equal(additional->n_excludes, 1);
    assert_int_equal(additional->num_additional_nodes, 1);
    forget(additional);
    answer_block(&test);
    ps_namenode_update_block_for_pipeline(test.namenode, &test.call, &block.extended, done);
    forget(expect(fake, "updateBlockForPipeline", &ps_hadoop__update_block_for_pipeline_request__descriptor));
    answer_block(&test);
    ps_namenode_update_pipeline(test.namenode, &test.call, &block.extended, &block.extended, &nodes,
                                block.storages, done);
    PsHadoop__UpdatePipelineRequest *update =
        expect(fake, "updatePipeline", &ps_hadoop__update_pipeline_request__descriptor);
    assert_string_equal(update->new_nodes[0]->ip_addr, "10.0.0.1");
    assert_string_equal(update->storage_ids[0], "DS-1");
    forget(update);
    ps_test_namenode_answer(fake, fake->id, NULL);
    expect_end(&test, PS_FILE_OK);
    ps_namenode_abandon_block(test.namenode, &test.call, "/a", 5, &block.extended, done);
    forget(expect(fake, "abandonBlock", &ps_hadoop__abandon_block_request__descriptor));
    ps_test_namenode_refuse(fake, fake->id, "org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException",
                            "No lease on /a");
    expect_end(&test, PS_FILE_LEASE);
    ps_namenode_fsync(test.namenode, &test.call, "/a", 5, -1, done);
    PsHadoop__FsyncRequest *fsync_request = expect(fake, "fsync", &ps_hadoop__fsync_request__descriptor);
    assert_int_equal(fsync_request->last_block_length, -1);
    forget(fsync_request);
    ps_test_namenode_answer(fake, fake->id, NULL);
    expect_end(&test, PS_FILE_OK);
    tear_down(&test);
}

/* Until the last block is reported by enough datanodes the answer is false: the client asks again in a new call. */
static void test_complete(void **state)
{
    struct test test;
    int32_t id = -1;
    make_block();
    set_up(&test, 1);
    ps_namenode_complete(test.namenode, &test.call, "/a", 5, &block.extended, done);
    for (int i = 0; i < 10; i++) {
        forget(expect(&test.fake[0], "complete", &ps_hadoop__complete_request__descriptor));
        assert_true(test.fake[0].id != id);
        assert_int_equal(test.fake[0].retry_count, 0);
        id = test.fake[0].id;
        answer_boolean(&test.fake[0], false);
        while (test.call.rests == (unsigned)i)
            ps_test_hdfs_turn(&test.hdfs);
        assert_true(test.hdfs.due_ns <= test.hdfs.now.mono_ns + 400 * PS_NS_PER_MS);
        ps_test_hdfs_pass(&test.hdfs, 400);
    }
    ps_test_namenode_expect(&test.fake[0], "complete");
    answer_boolean(&test.fake[0], true);
    expect_end(&test, PS_FILE_OK);

    ps_namenode_complete(test.namenode, &test.call, "/a", 5, &block.extended, done);
    ps_test_namenode_expect(&test.fake[0], "complete");
    answer_boolean(&test.fake[0], false);
    while (test.call.rests == 0)
        ps_test_hdfs_turn(&test.hdfs);
    ps_test_hdfs_pass(&test.hdfs, 30000);
    expect_end(&test, PS_FILE_UNAVAILABLE);
    tear_down(&test);
}

static void test_missing_entries(void **state)
{
    struct test test;
    set_up(&test, 1);
    struct ps_test_namenode *fake = &test.fake[0];
    ps_namenode_get_file_info(test.namenode, &test.call, "/none", done);
    ps_test_namenode_expect(fake, "getFileInfo");
    ps_test_namenode_answer(fake, fake->id, NULL);
    expect_end(&test, PS_FILE_MISSING);
    ps_namenode_get_listing(test.namenode, &test.call, "/none", "after", done);
    PsHadoop__GetListingRequest *request =
        expect(fake, "getListing", &ps_hadoop__get_listing_request__descriptor);
    assert_int_equal(request->start_after.len, 5);
    forget(request);
    ps_test_namenode_answer(fake, fake->id, NULL);
    expect_end(&test, PS_FILE_MISSING);
    ps_namenode_get_block_locations(test.namenode, &test.call, "/none", 10, done);
    ps_test_namenode_expect(fake, "getBlockLocations");
    ps_test_namenode_answer(fake, fake->id, NULL);
    expect_end(&test, PS_FILE_MISSING);
    ps_namenode_get_data_encryption_key(test.namenode, &test.call, done);
    ps_test_namenode_expect(fake, "getDataEncryptionKey");
    ps_test_namenode_answer(fake, fake->id, NULL);
    expect_end(&test, PS_FILE_OK);
    assert_null(test.answer.encryption_key);
    tear_down(&test);
}

static void test_answers_that_are_not_valid(void **state)
{
    struct test test;
    set_up(&test, 1);
    ps_namenode_delete(test.namenode, &test.call, "/a", done);
    ps_test_namenode_expect(&test.fake[0], "delete");
    ps_test_namenode_answer(&test.fake[0], test.fake[0].id, NULL); /* a required field is missing */
    expect_end(&test, PS_FILE_FAILED);
    ps_namenode_get_server_defaults(test.namenode, &test.call, done);
    ps_test_namenode_expect(&test.fake[0], "getServerDefaults");
    ps_test_namenode_answer(&test.fake[0], test.fake[0].id, NULL);
    expect_end(&test, PS_FILE_FAILED);
    tear_down(&test);
}

static uint64_t stats[3];

static void measured(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    assert_int_equal(answer->error, PS_FILE_OK);
    stats[0] = answer->stats->capacity;
    stats[1] = answer->stats->used;
    stats[2] = answer->stats->remaining;
}

static void test_stats(void **state)
{
    PsHadoop__GetFsStatsResponse response = PS_HADOOP__GET_FS_STATS_RESPONSE__INIT;
    struct test test;
    set_up(&test, 1);
    response.capacity = 7;
    response.used = 2;
    response.remaining = 5;
    ps_namenode_get_fs_stats(test.namenode, &test.call, measured);
    ps_test_namenode_expect(&test.fake[0], "getFsStats");
    ps_test_namenode_answer(&test.fake[0], test.fake[0].id, &response.base);
    while (stats[0] == 0)
        ps_test_hdfs_turn(&test.hdfs);
    assert_int_equal(stats[0], 7);
    assert_int_equal(stats[1], 2);
    assert_int_equal(stats[2], 5);
    tear_down(&test);
}

static void test_lease(void **state)
{
    struct test test;
    set_up(&test, 1);
    ps_namenode_hold_lease(test.namenode);
    ps_namenode_hold_lease(test.namenode);
    ps_namenode_release_lease(test.namenode);
    for (int i = 0; i < 3; i++) {
        ps_test_hdfs_pass(&test.hdfs, 29999);
        assert_int_equal(test.fake[0].id, 0);
        ps_test_hdfs_pass(&test.hdfs, 1);
        PsHadoop__RenewLeaseRequest *request =
            expect(&test.fake[0], "renewLease", &ps_hadoop__renew_lease_request__descriptor);
        assert_string_equal(request->client_name, ps_namenode_client(test.namenode));
        forget(request);
        ps_test_namenode_answer(&test.fake[0], test.fake[0].id, NULL);
        /* The answer to this call arrives after that to renewLease, so both were read when the call ends. */
        ps_namenode_rename(test.namenode, &test.call, "/a", "/b", done);
        ps_test_namenode_expect(&test.fake[0], "rename2");
        ps_test_namenode_answer(&test.fake[0], test.fake[0].id, NULL);
        expect_end(&test, PS_FILE_OK);
        test.fake[0].id = 0;
    }
    ps_namenode_release_lease(test.namenode);
    ps_test_hdfs_pass(&test.hdfs, 30000);
    ps_test_hdfs_pass(&test.hdfs, 30000);
    tear_down(&test);
}

static void test_high_availability(void **state)
{
    struct test test;
    set_up(&test, 2);
    ps_namenode_rename(test.namenode, &test.call, "/a.tmp", "/a", done);
    ps_test_namenode_expect(&test.fake[0], "rename2");
    int32_t id = test.fake[0].id;
    ps_test_namenode_refuse(&test.fake[0], id, "org.apache.hadoop.ipc.StandbyException", "standby");
    PsHadoop__Rename2Request *request =
        expect(&test.fake[1], "rename2", &ps_hadoop__rename2_request__descriptor);
    assert_string_equal(request->src, "/a.tmp");
    assert_string_equal(request->dst, "/a");
    assert_false(request->overwrite_dest);
    forget(request);
    assert_int_equal(test.fake[1].id, id);
    ps_test_namenode_answer(&test.fake[1], id, NULL);
    expect_end(&test, PS_FILE_OK);
    tear_down(&test);
}

static void test_open(void **state)
{
    static const struct {
        const char *authority, *error;
    } cases[] = {{"", "names no namenode"}, {"nn:x", "is not host:port"}};
    struct ps_test_hdfs hdfs;
    struct ps_namenode *namenode = NULL;
    struct ps_err err = {0};
    ps_test_hdfs_init(&hdfs);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const struct ps_namenode_settings settings = {.loop = hdfs.loop, .authority = cases[i].authority};
        assert_int_equal(ps_namenode_open(&settings, &namenode, &err), PS_FAIL);
        assert_non_null(strstr(err.text, cases[i].error));
    }
    ps_namenode_close(NULL);
    ps_test_hdfs_fini(&hdfs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_missing_entries),
        cmocka_unit_test(test_answers_that_are_not_valid),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_high_availability),
        cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
