#include "stages/lib/hadoop/hdfs/namenode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backoff.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "stages/lib/hadoop/user.h"
#include "stages/lib/hadoop/rpc/message.h"
#include "stages/lib/hadoop/rpc/name_service.h"
#include "stages/lib/hadoop/hdfs/lease_holder.h"

#define PROTOCOL "org.apache.hadoop.hdfs.protocol.ClientProtocol"
#define LEASE_RENEWAL_NS (30 * PS_NS_PER_S)
#define COMPLETE_REST_NS (5 * PS_NS_PER_MS)
#define COMPLETE_REST_MAX_NS                                                                                 \
    (400 * PS_NS_PER_MS) /* dfs.client.block.write.locateFollowingBlock.initial.delay.ms */
#define CREATE_NEW 1U    /* of CreateFlag */

struct ps_namenode {
    struct ps_hadoop_rpc *rpc;
    struct ps_name_service service;
    char url[PS_HOST_NAME_BYTES + 16], user[PS_HADOOP_USER_BYTES];
    char *proxy_user; /* NULL: none */
    struct ps_hadoop_loop *loop;
    const char *component;
    char client[PS_HDFS_HOLDER_BYTES];
    unsigned umask, replication;
    uint64_t block_size_bytes;
    unsigned held; /* number of files whose lease is renewed */
    struct ps_hadoop_timer renewal_timer;
    struct ps_namenode_call renewal;
};

/* How the message of a response becomes a struct ps_namenode_answer. */
struct ps_namenode_kind {
    const ProtobufCMessageDescriptor *descriptor;
    /* The member of the message that is wanted, and the member of the answer that points to it, both by their offsets; `field` 0:
     * the message itself. `member` 0: the answer has none. */
    size_t field, member;
    bool wanted;   /* a response without a value means PS_FILE_MISSING */
    bool repeated; /* the call is repeated until `result` is true */
};

/* ---- answers ---- */

#define DESCRIPTOR(response) .descriptor = &ps_hadoop__##response##__descriptor
#define VALUE(type, field_, member_)                                                                         \
    .field = offsetof(type, field_), .member = offsetof(struct ps_namenode_answer, member_)

static const struct ps_namenode_kind
    nothing = {DESCRIPTOR(nothing)},
    boolean = {DESCRIPTOR(boolean_response)}, completed = {DESCRIPTOR(boolean_response), .repeated = true},
    created = {DESCRIPTOR(status_response), VALUE(PsHadoop__StatusResponse, fs, status)},
    file_info = {DESCRIPTOR(status_response), VALUE(PsHadoop__StatusResponse, fs, status), .wanted = true},
    located_block = {DESCRIPTOR(block_response), VALUE(PsHadoop__BlockResponse, block, block)},
    server_defaults = {DESCRIPTOR(get_server_defaults_response),
                       VALUE(PsHadoop__GetServerDefaultsResponse, server_defaults, defaults)},
    fs_stats = {DESCRIPTOR(get_fs_stats_response), .member = offsetof(struct ps_namenode_answer, stats)},
    listing = {DESCRIPTOR(get_listing_response), VALUE(PsHadoop__GetListingResponse, dir_list, listing),
               .wanted = true},
    block_locations = {DESCRIPTOR(get_block_locations_response),
                       VALUE(PsHadoop__GetBlockLocationsResponse, locations, blocks), .wanted = true},
    encryption_key = {DESCRIPTOR(get_data_encryption_key_response),
                      VALUE(PsHadoop__GetDataEncryptionKeyResponse, data_encryption_key, encryption_key)};

static void fill(struct ps_namenode_answer *answer, const struct ps_namenode_kind *kind,
                 const ProtobufCMessage *message)
{
    const void *value = message;
    if (kind->descriptor == &ps_hadoop__boolean_response__descriptor)
        answer->result = ((const PsHadoop__BooleanResponse *)message)->result;
    if (kind->member == 0)
        return;
    if (kind->field > 0)
        memcpy(&value, (const char *)message + kind->field, sizeof value);
    memcpy((char *)answer + kind->member, &value, sizeof value);
    answer->result = value != NULL;
}

/* Asks again after a growing wait, because not enough datanodes have reported the last block to the namenode. */
static void repeat(struct ps_namenode_call *call)
{
    uint64_t rest_ns = ps_backoff_doubled(COMPLETE_REST_NS, COMPLETE_REST_MAX_NS, call->rests++);
    ps_hadoop_rpc_repeat(call->namenode->rpc, &call->rpc, rest_ns, PS_FILE_UNAVAILABLE,
                         "the last block is not reported by enough datanodes yet");
}

static void answered(struct ps_hadoop_rpc_call *rpc, const struct ps_hadoop_rpc_outcome *outcome)
{
    struct ps_namenode_call *call =
        (struct ps_namenode_call *)((char *)rpc - offsetof(struct ps_namenode_call, rpc));
    const struct ps_namenode_kind *kind = call->kind;
    struct ps_namenode_answer answer = {.error = outcome->error,
                                        .reason = outcome->reason,
                                        .exception = outcome->exception,
                                        .message = outcome->message};
    ProtobufCMessage *message = NULL;
    if (answer.error == PS_FILE_OK) {
        message = protobuf_c_message_unpack(kind->descriptor, NULL, outcome->body_length, outcome->body);
        if (message == NULL) {
            answer.error = PS_FILE_FAILED;
            answer.reason = "the namenode's answer is not valid";
        } else {
            fill(&answer, kind, message);
        }
    }
    if (message != NULL && kind->wanted && !answer.result) {
        answer.error = PS_FILE_MISSING;
        answer.reason = "no such file or directory";
    }
    if (message != NULL && kind->repeated && !answer.result)
        repeat(call);
    else
        call->done(call, &answer); /* `done` may free the call */
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}

void ps_namenode_cancel(struct ps_namenode_call *call)
{
    ps_hadoop_rpc_cancel(&call->rpc);
}

/* ---- calls ---- */

static void begin(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *method,
                  const ProtobufCMessage *request, const struct ps_namenode_kind *kind,
                  ps_namenode_done *done)
{
    call->namenode = namenode;
    call->kind = kind;
    call->done = done;
    call->rests = 0;
    call->rpc.done = answered;
    ps_hadoop_rpc_begin(namenode->rpc, &call->rpc, method, request);
}

/* Removes `const` for members of requests. Requests are only packed, so the texts are not changed. */
static char *text(const char *constant)
{
    return (char *)constant;
}

static PsHadoop__ExtendedBlock *block_of(const PsHadoop__ExtendedBlock *block)
{
    return (PsHadoop__ExtendedBlock *)block;
}

static void begin_path(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *method,
                       const char *path, const struct ps_namenode_kind *kind, ps_namenode_done *done)
{
    PsHadoop__PathRequest request = PS_HADOOP__PATH_REQUEST__INIT;
    request.src = text(path);
    begin(namenode, call, method, &request.base, kind, done);
}

static void begin_nothing(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *method,
                          const struct ps_namenode_kind *kind, ps_namenode_done *done)
{
    PsHadoop__Nothing request = PS_HADOOP__NOTHING__INIT;
    begin(namenode, call, method, &request.base, kind, done);
}

void ps_namenode_get_server_defaults(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                     ps_namenode_done *done)
{
    begin_nothing(namenode, call, "getServerDefaults", &server_defaults, done);
}

void ps_namenode_get_fs_stats(struct ps_namenode *namenode, struct ps_namenode_call *call,
                              ps_namenode_done *done)
{
    begin_nothing(namenode, call, "getFsStats", &fs_stats, done);
}

void ps_namenode_get_file_info(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               ps_namenode_done *done)
{
    begin_path(namenode, call, "getFileInfo", path, &file_info, done);
}

void ps_namenode_is_file_closed(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                                ps_namenode_done *done)
{
    begin_path(namenode, call, "isFileClosed", path, &boolean, done);
}

void ps_namenode_get_data_encryption_key(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                         ps_namenode_done *done)
{
    begin_nothing(namenode, call, "getDataEncryptionKey", &encryption_key, done);
}

void ps_namenode_create(struct ps_namenode *namenode, struct ps_namenode_call *call,
                        const struct ps_namenode_creation *creation, ps_namenode_done *done)
{
    PsHadoop__CreateRequest request = PS_HADOOP__CREATE_REQUEST__INIT;
    PsHadoop__Permission masked = PS_HADOOP__PERMISSION__INIT, unmasked = PS_HADOOP__PERMISSION__INIT;
    unmasked.mode = 0666U;
    masked.mode = 0666U & ~namenode->umask;
    request.src = text(creation->path);
    request.masked = &masked;
    request.unmasked = &unmasked;
    request.client_name = namenode->client;
    request.create_flag = CREATE_NEW;
    request.create_parent = creation->create_parent;
    request.replication = creation->replication != 0 ? creation->replication : namenode->replication;
    request.block_size =
        creation->block_size_bytes != 0 ? creation->block_size_bytes : namenode->block_size_bytes;
    begin(namenode, call, "create", &request.base, &created, done);
}

void ps_namenode_add_block(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                           uint64_t file_id, const PsHadoop__ExtendedBlock *previous,
                           const struct ps_hdfs_nodes *excluded, ps_namenode_done *done)
{
    PsHadoop__AddBlockRequest request = PS_HADOOP__ADD_BLOCK_REQUEST__INIT;
    request.src = text(path);
    request.client_name = namenode->client;
    request.previous = block_of(previous);
    request.exclude_nodes = excluded->nodes;
    request.n_exclude_nodes = excluded->count;
    request.has_file_id = true;
    request.file_id = file_id;
    begin(namenode, call, "addBlock", &request.base, &located_block, done);
}

void ps_namenode_abandon_block(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               uint64_t file_id, const PsHadoop__ExtendedBlock *block, ps_namenode_done *done)
{
    PsHadoop__AbandonBlockRequest request = PS_HADOOP__ABANDON_BLOCK_REQUEST__INIT;
    request.b = block_of(block);
    request.src = text(path);
    request.holder = namenode->client;
    request.has_file_id = true;
    request.file_id = file_id;
    begin(namenode, call, "abandonBlock", &request.base, &nothing, done);
}

void ps_namenode_get_additional_datanode(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                         const char *path, uint64_t file_id,
                                         const PsHadoop__ExtendedBlock *block,
                                         const struct ps_hdfs_nodes *existing, char *const *storages,
                                         const struct ps_hdfs_nodes *excluded, ps_namenode_done *done)
{
    PsHadoop__GetAdditionalDatanodeRequest request = PS_HADOOP__GET_ADDITIONAL_DATANODE_REQUEST__INIT;
    request.src = text(path);
    request.blk = block_of(block);
    request.existings = existing->nodes;
    request.excludes = excluded->nodes;
    request.n_excludes = excluded->count;
    request.n_existings = existing->count;
    request.n_existing_storage_uuids = storages != NULL ? existing->count : 0;
    request.existing_storage_uuids = (char **)storages;
    request.num_additional_nodes = 1;
    request.client_name = namenode->client;
    request.has_file_id = true;
    request.file_id = file_id;
    begin(namenode, call, "getAdditionalDatanode", &request.base, &located_block, done);
}

void ps_namenode_update_block_for_pipeline(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                           const PsHadoop__ExtendedBlock *block, ps_namenode_done *done)
{
    PsHadoop__UpdateBlockForPipelineRequest request = PS_HADOOP__UPDATE_BLOCK_FOR_PIPELINE_REQUEST__INIT;
    request.block = block_of(block);
    request.client_name = namenode->client;
    begin(namenode, call, "updateBlockForPipeline", &request.base, &located_block, done);
}

void ps_namenode_update_pipeline(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                 const PsHadoop__ExtendedBlock *old_block,
                                 const PsHadoop__ExtendedBlock *new_block, const struct ps_hdfs_nodes *nodes,
                                 char *const *storages, ps_namenode_done *done)
{
    PsHadoop__UpdatePipelineRequest request = PS_HADOOP__UPDATE_PIPELINE_REQUEST__INIT;
    PsHadoop__DatanodeId *ids[PS_NAMENODE_PIPELINE_MAX];
    PS_ASSERT(nodes->count <= PS_NAMENODE_PIPELINE_MAX);
    for (size_t i = 0; i < nodes->count; i++)
        ids[i] = nodes->nodes[i]->id;
    request.client_name = namenode->client;
    request.old_block = block_of(old_block);
    request.new_block = block_of(new_block);
    request.n_new_nodes = nodes->count;
    request.n_storage_ids = storages != NULL ? nodes->count : 0;
    request.new_nodes = ids;
    request.storage_ids = (char **)storages;
    begin(namenode, call, "updatePipeline", &request.base, &nothing, done);
}

void ps_namenode_fsync(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                       uint64_t file_id, int64_t last_block_length, ps_namenode_done *done)
{
    PsHadoop__FsyncRequest request = PS_HADOOP__FSYNC_REQUEST__INIT;
    request.src = text(path);
    request.client = namenode->client;
    request.has_last_block_length = request.has_file_id = true;
    request.last_block_length = last_block_length;
    request.file_id = file_id;
    begin(namenode, call, "fsync", &request.base, &nothing, done);
}

void ps_namenode_complete(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                          uint64_t file_id, const PsHadoop__ExtendedBlock *last, ps_namenode_done *done)
{
    PsHadoop__CompleteRequest request = PS_HADOOP__COMPLETE_REQUEST__INIT;
    request.src = text(path);
    request.client_name = namenode->client;
    request.last = block_of(last);
    request.has_file_id = true;
    request.file_id = file_id;
    begin(namenode, call, "complete", &request.base, &completed, done);
}

void ps_namenode_rename(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *from,
                        const char *to, ps_namenode_done *done)
{
    PsHadoop__Rename2Request request = PS_HADOOP__RENAME2_REQUEST__INIT;
    request.src = text(from);
    request.dst = text(to);
    begin(namenode, call, "rename2", &request.base, &nothing, done);
}

void ps_namenode_delete(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                        ps_namenode_done *done)
{
    PsHadoop__DeleteRequest request = PS_HADOOP__DELETE_REQUEST__INIT;
    request.src = text(path);
    begin(namenode, call, "delete", &request.base, &boolean, done);
}

void ps_namenode_get_listing(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                             const char *after, ps_namenode_done *done)
{
    PsHadoop__GetListingRequest request = PS_HADOOP__GET_LISTING_REQUEST__INIT;
    request.src = text(path);
    request.start_after.data = (uint8_t *)text(after);
    request.start_after.len = strlen(after);
    begin(namenode, call, "getListing", &request.base, &listing, done);
}

void ps_namenode_get_block_locations(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                     const char *path, uint64_t length, ps_namenode_done *done)
{
    PsHadoop__GetBlockLocationsRequest request = PS_HADOOP__GET_BLOCK_LOCATIONS_REQUEST__INIT;
    request.src = text(path);
    request.length = length;
    begin(namenode, call, "getBlockLocations", &request.base, &block_locations, done);
}

void ps_namenode_renew_lease(struct ps_namenode *namenode, struct ps_namenode_call *call,
                             ps_namenode_done *done)
{
    PsHadoop__RenewLeaseRequest request = PS_HADOOP__RENEW_LEASE_REQUEST__INIT;
    request.client_name = namenode->client;
    begin(namenode, call, "renewLease", &request.base, &nothing, done);
}

void ps_namenode_recover_lease(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               ps_namenode_done *done)
{
    PsHadoop__RecoverLeaseRequest request = PS_HADOOP__RECOVER_LEASE_REQUEST__INIT;
    request.src = text(path);
    request.client_name = namenode->client;
    begin(namenode, call, "recoverLease", &request.base, &boolean, done);
}

/* ---- the lease ---- */

static void renewed(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    if (answer->error != PS_FILE_OK)
        ps_log(PS_LOG_WARN, call->namenode->component, "the lease of %u %s was not renewed: %s",
               call->namenode->held, ps_quantity_word(call->namenode->held, "file", "files"), answer->reason);
}

static void renewal_due(struct ps_hadoop_timer *timer)
{
    struct ps_namenode *namenode =
        (struct ps_namenode *)((char *)timer - offsetof(struct ps_namenode, renewal_timer));
    if (namenode->held == 0)
        return;
    if (!ps_namenode_call_is_busy(&namenode->renewal))
        ps_namenode_renew_lease(namenode, &namenode->renewal, renewed);
    ps_hadoop_loop_set(namenode->loop, timer, ps_hadoop_loop_now(namenode->loop).mono_ns + LEASE_RENEWAL_NS);
}

void ps_namenode_hold_lease(struct ps_namenode *namenode)
{
    namenode->held++;
    if (!namenode->renewal_timer.set)
        ps_hadoop_loop_set(namenode->loop, &namenode->renewal_timer,
                           ps_hadoop_loop_now(namenode->loop).mono_ns + LEASE_RENEWAL_NS);
}

void ps_namenode_release_lease(struct ps_namenode *namenode)
{
    PS_ASSERT(namenode->held > 0);
    namenode->held--;
}

/* ---- the namenode ---- */

const char *ps_namenode_client(const struct ps_namenode *namenode)
{
    return namenode->client;
}

static struct ps_hadoop_rpc_limits limits_of(const struct ps_hadoop_configuration *configuration)
{
    uint64_t ping_ms = ps_hadoop_configuration_number(configuration, "ipc.ping.interval", 60000);
    uint64_t silence_ms = ps_hadoop_configuration_ms(configuration, "ipc.client.rpc-timeout.ms", 120000);
    if (silence_ms == 0 && !ps_hadoop_configuration_boolean(configuration, "ipc.client.ping", true))
        silence_ms = ping_ms;
    return (struct ps_hadoop_rpc_limits){
        .connect_ns =
            ps_hadoop_configuration_number(configuration, "ipc.client.connect.timeout", 20000) * PS_NS_PER_MS,
        .idle_ns = ps_hadoop_configuration_number(configuration, "ipc.client.connection.maxidletime", 10000) *
                   PS_NS_PER_MS,
        .ping_ns = ping_ms * PS_NS_PER_MS,
        .silence_ns = silence_ms * PS_NS_PER_MS,
        .response_bytes_max =
            ps_hadoop_configuration_number(configuration, "ipc.maximum.response.length", 134217728),
        .nagle = !ps_hadoop_configuration_boolean(configuration, "ipc.client.tcpnodelay", true),
    };
}

/* Sets the waits between tries: for one namenode from ipc.client.connect.retry.interval, for several from the keys of their failover. */
static void set_rests(struct ps_hadoop_rpc_settings *rpc, const struct ps_hadoop_configuration *configuration,
                      bool high_availability)
{
    const char *base = "ipc.client.connect.retry.interval", *max = base;
    if (high_availability) {
        base = "dfs.client.failover.sleep.base.millis";
        max = "dfs.client.failover.sleep.max.millis";
    }
    rpc->rest_ns =
        ps_hadoop_configuration_number(configuration, base, high_availability ? 500 : 1000) * PS_NS_PER_MS;
    rpc->rest_max_ns =
        ps_hadoop_configuration_number(configuration, max, high_availability ? 15000 : 1000) * PS_NS_PER_MS;
}

static void open_rpc(struct ps_namenode *namenode, const struct ps_namenode_settings *settings)
{
    const struct ps_name_service *service = &namenode->service;
    bool is_proxy = settings->proxy_user != NULL;
    namenode->proxy_user = is_proxy ? ps_must_copy_text(settings->proxy_user, "a proxy user") : NULL;
    ps_hadoop_user(namenode->user);
    snprintf(namenode->url, sizeof namenode->url, "hdfs://%s", settings->authority);
    struct ps_hadoop_rpc_settings rpc = {
        .loop = settings->loop,
        .service = namenode->url,
        .servers = service->servers,
        .server_count = service->count,
        .limits = limits_of(settings->configuration),
        .protocol = PROTOCOL,
        .protocol_version = 1,
        .user = is_proxy ? namenode->proxy_user : namenode->user,
        .real_user = is_proxy ? namenode->user : NULL,
        .auth = settings->auth,
        .call_timeout_ns = settings->call_timeout_ns,
        .component = settings->component,
        .port = settings->port,
    };
    set_rests(&rpc, settings->configuration, service->high_availability);
    namenode->rpc = ps_hadoop_rpc_open(&rpc);
}

static void read_configuration(struct ps_namenode *namenode,
                               const struct ps_hadoop_configuration *configuration)
{
    namenode->umask = ps_hadoop_configuration_umask(configuration);
    namenode->replication = (unsigned)ps_hadoop_configuration_number(configuration, "dfs.replication", 3);
    namenode->block_size_bytes =
        ps_hadoop_configuration_bytes(configuration, "dfs.blocksize", UINT64_C(128) << 20);
}

enum ps_status ps_namenode_open(const struct ps_namenode_settings *settings, struct ps_namenode **namenode_,
                                struct ps_err *err)
{
    struct ps_namenode *namenode = ps_must_alloc(1, sizeof *namenode, "a namenode");
    if (ps_name_service_find(settings->configuration, settings->authority, &namenode->service, err) !=
        PS_OK) {
        free(namenode);
        return PS_FAIL;
    }
    open_rpc(namenode, settings);
    ps_hdfs_lease_holder_name(namenode->client);
    namenode->loop = settings->loop;
    namenode->component = settings->component;
    namenode->renewal_timer.fire = renewal_due;
    read_configuration(namenode, settings->configuration);
    *namenode_ = namenode;
    return PS_OK;
}

void ps_namenode_close(struct ps_namenode *namenode)
{
    if (namenode == NULL)
        return;
    ps_hadoop_rpc_close(namenode->rpc);
    ps_hadoop_loop_unset(namenode->loop, &namenode->renewal_timer);
    free(namenode->proxy_user);
    free(namenode);
}
