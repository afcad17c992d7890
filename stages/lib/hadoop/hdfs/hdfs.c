/* Implements hdfs.h: opening and closing, the turn, and the operations on names. */
#include "stages/lib/hadoop/hdfs/hdfs.h"

#include "core/array.h"
#include "stages/lib/hadoop/rpc/error.h"
#include "stages/lib/hadoop/hdfs/lease_holder.h"
#include "stages/lib/hadoop/hdfs/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROUNDS_MAX 8 /* rounds of one turn, so that requests of callbacks are sent in the same turn */
#define CONNECT_NS_MAX (10 * PS_NS_PER_S)
#define READ_TIMEOUT_MS 60000U
#define READ_TIMEOUT_NONE_MS UINT64_C(315360000000) /* ten years */
#define READ_TIMEOUT_PER_NODE_NS (5 * PS_NS_PER_S)  /* HdfsConstants.READ_TIMEOUT_EXTENSION */
/* A flush of 1,024 events of 256 bytes fits into one packet. Each packet costs an acknowledgement and wakes two threads of each datanode. */
#define WRITE_PACKET_BYTES (288U << 10)
#define EXCLUDE_MS 600000U
#define SILENCE_NS_MIN (2 * PS_NS_PER_S) /* allows for the garbage collection of a JVM */
#define PROBE_NS_MIN (2 * PS_NS_PER_S)
#define PROBE_NS_MAX (10 * PS_NS_PER_S)
#define AUTHORITY_BYTES 512U
#define RECOVER_STEP_NS (250 * PS_NS_PER_MS)
#define KEY_REST_NS PS_NS_PER_S /* between two requests for a data encryption key */

/* ---- operations on names ---- */

struct ps_hdfs_call {
    struct ps_hdfs *hdfs;
    LIST_ENTRY(ps_hdfs_call) entry;
    ps_file_done *done;
    void *argument;
    struct ps_namenode_call call;
    char *path;
    struct ps_hadoop_timer timer; /* recover: time until the next request */
    uint64_t until_ns;
    /* list: entries so far; each entry owns its name. */
    struct ps_file_status *entries;
    size_t entry_count, entry_room;
};

static struct ps_hdfs_call *begin(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                                  void *argument)
{
    struct ps_hdfs *hdfs = (struct ps_hdfs *)filesystem;
    struct ps_hdfs_call *call = ps_must_alloc(1, sizeof *call, "an operation of a file system");
    call->hdfs = hdfs;
    call->done = done;
    call->argument = argument;
    call->path = ps_must_copy_text(path, "a path");
    call->call.argument = call;
    LIST_INSERT_HEAD(&hdfs->calls, call, entry);
    filesystem->under_way++;
    return call;
}

static void free_call(struct ps_hdfs_call *call)
{
    LIST_REMOVE(call, entry);
    ps_namenode_cancel(&call->call);
    ps_hadoop_loop_unset(call->hdfs->loop, &call->timer);
    for (size_t i = 0; i < call->entry_count; i++)
        free((char *)(uintptr_t)call->entries[i].name);
    free(call->entries);
    free(call->path);
    call->hdfs->filesystem.under_way--;
    free(call);
}

/* Calls the callback, and frees the call. The answer may point to memory of the call. */
static void finish(struct ps_hdfs_call *call, const struct ps_file_answer *answer)
{
    call->done(call->argument, answer);
    free_call(call);
}

static void finish_plain(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_file_answer outcome = {.error = answer->error, .reason = answer->reason};
    finish(rpc->argument, &outcome);
}

static void hdfs_rename(struct ps_filesystem *filesystem, const char *from, const char *to,
                        ps_file_done *done, void *argument)
{
    struct ps_hdfs_call *call = begin(filesystem, from, done, argument);
    ps_namenode_rename(call->hdfs->namenode, &call->call, from, to, finish_plain);
}

static void removed(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_call *call = rpc->argument;
    struct ps_file_answer outcome = {.error = answer->error, .reason = answer->reason};
    char reason[PS_FILE_REASON_BYTES];
    if (answer->error == PS_FILE_OK && !answer->result) {
        snprintf(reason, sizeof reason, "%s: no such file or directory", call->path);
        outcome = (struct ps_file_answer){.error = PS_FILE_MISSING, .reason = reason};
    }
    finish(call, &outcome);
}

static void hdfs_remove(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                        void *argument)
{
    struct ps_hdfs_call *call = begin(filesystem, path, done, argument);
    ps_namenode_delete(call->hdfs->namenode, &call->call, path, removed);
}

/* ---- stat and list ---- */

static struct ps_file_status status_of(const PsHadoop__HdfsFileStatus *status)
{
    return (struct ps_file_status){
        .length_bytes = status->length,
        .modified_ms = status->modification_time,
        .replication = status->block_replication,
        .directory = status->type == 1,
    };
}

static void described(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_call *call = rpc->argument;
    struct ps_file_answer outcome = {.error = answer->error, .reason = answer->reason};
    struct ps_file_status entry;
    if (answer->error == PS_FILE_OK && answer->status != NULL) {
        const char *name = strrchr(call->path, '/');
        entry = status_of(answer->status);
        entry.name = name != NULL ? name + 1 : call->path;
        outcome.entries = &entry;
        outcome.entry_count = 1;
    }
    finish(call, &outcome);
}

static void hdfs_stat(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    struct ps_hdfs_call *call = begin(filesystem, path, done, argument);
    ps_namenode_get_file_info(call->hdfs->namenode, &call->call, path, described);
}

static void add_entry(struct ps_hdfs_call *call, const PsHadoop__HdfsFileStatus *status)
{
    PS_ARRAY_GROW(call->entries, call->entry_count, call->entry_room, "a directory's entries");
    char *name = ps_must_alloc(status->path.len + 1, 1, "a name");
    memcpy(name, status->path.data, status->path.len);
    call->entries[call->entry_count] = status_of(status);
    call->entries[call->entry_count++].name = name;
}

static void listed(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_call *call = rpc->argument;
    struct ps_file_answer outcome = {.error = answer->error, .reason = answer->reason};
    if (answer->error == PS_FILE_OK && answer->listing != NULL) {
        for (size_t i = 0; i < answer->listing->n_entries; i++)
            add_entry(call, answer->listing->entries[i]);
        if (answer->listing->remaining > 0 && answer->listing->n_entries > 0) {
            ps_namenode_get_listing(call->hdfs->namenode, rpc, call->path,
                                    call->entries[call->entry_count - 1].name, listed);
            return;
        }
        outcome.entries = call->entries;
        outcome.entry_count = call->entry_count;
    }
    finish(call, &outcome);
}

static void hdfs_list(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    struct ps_hdfs_call *call = begin(filesystem, path, done, argument);
    ps_namenode_get_listing(call->hdfs->namenode, &call->call, path, "", listed);
}

/* ---- recover ---- */

static struct ps_hdfs_call *call_of_timer(struct ps_hadoop_timer *timer)
{
    return (struct ps_hdfs_call *)(void *)((char *)timer - offsetof(struct ps_hdfs_call, timer));
}

static void not_closed_yet(struct ps_hdfs_call *call)
{
    char reason[PS_FILE_REASON_BYTES];
    snprintf(reason, sizeof reason, "%s: its last block is being recovered", call->path);
    struct ps_file_answer outcome = {.error = PS_FILE_UNAVAILABLE, .reason = reason};
    finish(call, &outcome);
}

static void recovered(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_call *call = rpc->argument;
    uint64_t now_ns = ps_hadoop_loop_now(call->hdfs->loop).mono_ns;
    if (answer->error != PS_FILE_OK || answer->result) {
        finish_plain(rpc, answer);
        return;
    }
    if (call->until_ns == 0)
        call->until_ns = now_ns + call->hdfs->call_timeout_ns;
    if (now_ns + RECOVER_STEP_NS >= call->until_ns)
        not_closed_yet(call);
    else
        ps_hadoop_loop_set(call->hdfs->loop, &call->timer, now_ns + RECOVER_STEP_NS);
}

/* Asks whether the file is closed. The recovery takes some seconds: the first datanode learns of it with its next heartbeat. */
static void ask_again(struct ps_hadoop_timer *timer)
{
    struct ps_hdfs_call *call = call_of_timer(timer);
    ps_namenode_is_file_closed(call->hdfs->namenode, &call->call, call->path, recovered);
}

static void vanished(struct ps_namenode_call *rpc, const struct ps_namenode_answer *)
{
    struct ps_hdfs_call *call = rpc->argument;
    char reason[PS_FILE_REASON_BYTES];
    snprintf(reason, sizeof reason, "%s: no such file or directory", call->path);
    finish(call, &(struct ps_file_answer){.error = PS_FILE_MISSING, .reason = reason});
}

static bool is_being_recovered(const struct ps_namenode_answer *answer)
{
    return answer->error == PS_FILE_UNAVAILABLE && answer->exception != NULL &&
           strcmp(ps_hadoop_rpc_simple_class(answer->exception), "RecoveryInProgressException") == 0;
}

/* Finishes with the end of the namenode's message, which names the owner. The beginning of the message has the
 * path, which the log line has already. */
static void leased(struct ps_hdfs_call *call, const struct ps_namenode_answer *answer)
{
    char reason[PS_FILE_REASON_BYTES];
    const char *because = strstr(answer->message, " because ");
    if (because == NULL) {
        finish(call, &(struct ps_file_answer){.error = PS_FILE_LEASE, .reason = answer->reason});
        return;
    }
    snprintf(reason, sizeof reason, "%.200s", because + strlen(" because "));
    finish(call, &(struct ps_file_answer){.error = PS_FILE_LEASE, .reason = reason});
}

/* Handles the namenode's answer to an attempt to create an existing file. Either the file is complete; or its writer
 * did not renew the lease for a minute, and the file is being completed; or the answer names its writer. */
static void claimed(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_call *call = rpc->argument;
    struct ps_namenode *namenode = call->hdfs->namenode;
    bool ended = answer->error == PS_FILE_LEASE && ps_hdfs_owner_has_ended(answer->message);
    if (answer->error == PS_FILE_EXISTS)
        finish(call, &(struct ps_file_answer){.error = PS_FILE_OK, .reason = ""});
    else if (answer->error == PS_FILE_OK) /* the file was renamed meanwhile, so this call created a new one */
        ps_namenode_delete(namenode, &call->call, call->path, vanished);
    else if (ended || is_being_recovered(answer))
        ps_namenode_recover_lease(namenode, &call->call, call->path, recovered);
    else if (answer->error == PS_FILE_LEASE)
        leased(call, answer);
    else
        finish_plain(rpc, answer);
}

/* recoverLease takes the lease away from any holder. `create` does that only if the lease was not renewed for a
 * minute. */
static void hdfs_recover(struct ps_filesystem *filesystem, const char *path, enum ps_file_recovery recovery,
                         ps_file_done *done, void *argument)
{
    struct ps_hdfs_call *call = begin(filesystem, path, done, argument);
    call->timer.fire = ask_again;
    if (recovery == PS_FILE_ABANDONED)
        ps_namenode_create(call->hdfs->namenode, &call->call, &(struct ps_namenode_creation){.path = path},
                           claimed);
    else
        ps_namenode_recover_lease(call->hdfs->namenode, &call->call, path, recovered);
}

/* ---- the server's defaults ---- */

static enum ps_checksum_type checksum_of(const struct ps_hdfs *hdfs, unsigned server)
{
    const char *text = ps_hadoop_configuration_text(hdfs->configuration, "dfs.checksum.type");
    if (text == NULL)
        return server <= PS_CHECKSUM_CRC32C ? (enum ps_checksum_type)server : PS_CHECKSUM_CRC32C;
    return strcasecmp(text, "CRC32") == 0  ? PS_CHECKSUM_CRC32
           : strcasecmp(text, "NULL") == 0 ? PS_CHECKSUM_NONE
                                           : PS_CHECKSUM_CRC32C;
}

static bool use_defaults(struct ps_hdfs *hdfs, const PsHadoop__FsServerDefaults *defaults)
{
    const struct ps_hadoop_configuration *configuration = hdfs->configuration;
    uint64_t chunk_bytes =
        ps_hadoop_configuration_number(configuration, "dfs.bytes-per-checksum", defaults->bytes_per_checksum);
    hdfs->replication =
        (unsigned)ps_hadoop_configuration_number(configuration, "dfs.replication", defaults->replication);
    hdfs->block_size_bytes =
        ps_hadoop_configuration_bytes(configuration, "dfs.blocksize", defaults->block_size);
    return ps_packet_pool_init(&hdfs->pool, checksum_of(hdfs, defaults->checksum_type), (uint32_t)chunk_bytes,
                               hdfs->limits.packet_bytes);
}

/* Continues the streams that wait for the defaults and, with dfs.encrypt.data.transfer, for a key. */
static void end_defaults(struct ps_hdfs *hdfs, const struct ps_namenode_answer *outcome)
{
    hdfs->defaults = outcome->error == PS_FILE_OK ? PS_DEFAULTS_KNOWN : PS_DEFAULTS_NONE;
    struct ps_hdfs_stream *one;
    LIST_FOREACH(one, &hdfs->streams, all)
    {
        if (one->phase == PS_STREAM_OPENING && !ps_namenode_call_is_busy(&one->call))
            ps_hdfs_stream_open(one, outcome);
    }
    ps_hdfs_readers_go_on(hdfs, outcome);
}

static void first_key_told(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs *hdfs = rpc->argument;
    if (answer->error == PS_FILE_OK)
        ps_hadoop_security_set_key(hdfs->security, answer->encryption_key);
    end_defaults(hdfs, answer);
}

static void defaults_told(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs *hdfs = rpc->argument;
    struct ps_namenode_answer outcome = *answer;
    if (answer->error == PS_FILE_OK && !use_defaults(hdfs, answer->defaults)) {
        outcome.error = PS_FILE_FAILED;
        outcome.reason = "dfs.bytes-per-checksum is out of range";
    }
    bool encrypts = outcome.error == PS_FILE_OK && answer->defaults->encrypt_data_transfer;
    hdfs->datanodes.security = ps_hadoop_security_transfer(hdfs->security, encrypts);
    if (encrypts)
        ps_namenode_get_data_encryption_key(hdfs->namenode, &hdfs->defaults_call, first_key_told);
    else
        end_defaults(hdfs, &outcome);
}

/* If the request fails, the old key stays. If a key is still wanted, the first turn after a rest asks again: the namenode
 * refuses, or its clock and this machine's differ so much that the new key seems to have expired. */
static void key_told(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs *hdfs = rpc->argument;
    struct ps_now now = ps_hadoop_loop_now(hdfs->loop);
    if (answer->error == PS_FILE_OK)
        ps_hadoop_security_set_key(hdfs->security, answer->encryption_key);
    if (ps_hadoop_security_wants_key(hdfs->security, (uint64_t)now.wall_ms))
        hdfs->key_rests_until_ns = now.mono_ns + KEY_REST_NS;
}

static void renew_key(struct ps_hdfs *hdfs, const struct ps_now *now)
{
    if (hdfs->defaults == PS_DEFAULTS_KNOWN && now->mono_ns >= hdfs->key_rests_until_ns &&
        ps_hadoop_security_wants_key(hdfs->security, (uint64_t)now->wall_ms) &&
        !ps_namenode_call_is_busy(&hdfs->key_call))
        ps_namenode_get_data_encryption_key(hdfs->namenode, &hdfs->key_call, key_told);
}

bool ps_hdfs_ask_defaults(struct ps_hdfs *hdfs)
{
    if (hdfs->defaults == PS_DEFAULTS_NONE) {
        hdfs->defaults = PS_DEFAULTS_ASKED;
        ps_namenode_get_server_defaults(hdfs->namenode, &hdfs->defaults_call, defaults_told);
    }
    return hdfs->defaults == PS_DEFAULTS_KNOWN;
}

static struct ps_file_stream *hdfs_create(struct ps_filesystem *filesystem, const char *path,
                                          ps_file_done *done, void *argument)
{
    static const struct ps_namenode_answer good = {.error = PS_FILE_OK, .reason = ""};
    struct ps_hdfs *hdfs = (struct ps_hdfs *)filesystem;
    struct ps_file_stream *stream = ps_hdfs_stream_create(filesystem, path, done, argument);
    if (ps_hdfs_ask_defaults(hdfs))
        ps_hdfs_stream_open((struct ps_hdfs_stream *)stream, &good);
    return stream;
}

/* ---- turn, open, close ---- */

static uint64_t hdfs_turn(struct ps_filesystem *filesystem, const struct ps_now *now)
{
    struct ps_hdfs *hdfs = (struct ps_hdfs *)filesystem;
    uint64_t look_ns = ps_hadoop_security_watch_tokens(hdfs->security, now);
    renew_key(hdfs, now);
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        uint64_t due_ns = ps_hadoop_loop_turn(hdfs->loop, now);
        struct ps_hdfs_stream *stream;
        if (LIST_EMPTY(&hdfs->attended))
            return due_ns < look_ns ? due_ns : look_ns;
        /* streams that get work meanwhile are handled in the next round */
        unsigned count = 0;
        LIST_FOREACH(stream, &hdfs->attended, attended_entry)
        count++;
        for (; count > 0 && (stream = LIST_FIRST(&hdfs->attended)) != NULL; count--) {
            LIST_REMOVE(stream, attended_entry);
            stream->attended = false;
            hdfs->current = stream;
            ps_hdfs_stream_advance(stream);
        }
        hdfs->current = NULL;
    }
    return now->mono_ns;
}

static void hdfs_close(struct ps_filesystem *filesystem)
{
    struct ps_hdfs *hdfs = (struct ps_hdfs *)filesystem;
    while (!LIST_EMPTY(&hdfs->streams))
        ps_hdfs_stream_destroy(LIST_FIRST(&hdfs->streams));
    while (!LIST_EMPTY(&hdfs->readers))
        ps_hdfs_reader_free(LIST_FIRST(&hdfs->readers));
    while (!LIST_EMPTY(&hdfs->calls))
        free_call(LIST_FIRST(&hdfs->calls));
    ps_hdfs_free_inquiries(hdfs);
    ps_namenode_close(hdfs->namenode);
    ps_hadoop_loop_close(hdfs->loop);
    ps_packet_pool_clear(&hdfs->pool);
    ps_hadoop_security_close(hdfs->security);
    free(hdfs);
}

static const struct ps_filesystem_ops hdfs_ops = {
    .create = hdfs_create,
    .write = ps_hdfs_stream_write,
    .reserve = ps_hdfs_stream_reserve,
    .commit = ps_hdfs_stream_commit,
    .flush = ps_hdfs_stream_flush,
    .close_stream = ps_hdfs_stream_close,
    .abandon = ps_hdfs_stream_abandon,
    .replicas = ps_hdfs_stream_replicas,
    .rename = hdfs_rename,
    .remove = hdfs_remove,
    .stat = hdfs_stat,
    .list = hdfs_list,
    .read = ps_hdfs_read,
    .recover = hdfs_recover,
    .measure = ps_hdfs_measure,
    .turn = hdfs_turn,
    .close = hdfs_close,
};

static struct ps_hdfs_limits limits_of(const struct ps_hadoop_configuration *configuration)
{
#define REPLACE "dfs.client.block.write.replace-datanode-on-failure."
    const char *policy = ps_hadoop_configuration_text(configuration, REPLACE "policy");
    struct ps_hdfs_limits limits = {
        .replace = {.policy = PS_REPLACE_DEFAULT,
                    .best_effort =
                        ps_hadoop_configuration_boolean(configuration, REPLACE "best-effort", false),
                    .replication_min = (unsigned)ps_hadoop_configuration_number(
                        configuration, REPLACE "min-replication", 0)},
        .block_retries =
            (unsigned)ps_hadoop_configuration_number(configuration, "dfs.client.block.write.retries", 3),
        .recoveries_max = (unsigned)ps_hadoop_configuration_number(
            configuration, "dfs.client.pipeline.recovery.max-retries", 5),
        .restart_ns =
            ps_hadoop_configuration_seconds_ms(configuration, "dfs.client.datanode-restart.timeout", 30000) *
            PS_NS_PER_MS,
        .packet_bytes = (uint32_t)ps_hadoop_configuration_number(
            configuration, "dfs.client-write-packet-size", WRITE_PACKET_BYTES),
        .exclude_ns =
            ps_hadoop_configuration_ms(
                configuration, "dfs.client.write.exclude.nodes.cache.expiry.interval.millis", EXCLUDE_MS) *
            PS_NS_PER_MS,
    };
    if (!ps_hadoop_configuration_boolean(configuration, REPLACE "enable", true) ||
        (policy != NULL && strcasecmp(policy, "NEVER") == 0))
        limits.replace.policy = PS_REPLACE_NEVER;
    else if (policy != NULL && strcasecmp(policy, "ALWAYS") == 0)
        limits.replace.policy = PS_REPLACE_ALWAYS;
#undef REPLACE
    return limits;
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
    return value > least ? value : least;
}

/* Connecting to a datanode is given up after a third of the call time-out, so that another datanode can be tried within the time-out. A
 * pipeline is suspected after a quarter of the time-out without an answer, and its datanodes then have an eighth of it to answer an
 * inquiry: two of them can be replaced one after the other within the time-out. */
static struct ps_datanode_settings datanodes_of(const struct ps_hdfs *hdfs)
{
    const struct ps_hadoop_configuration *configuration = hdfs->configuration;
    uint64_t read_ms =
        ps_hadoop_configuration_ms(configuration, "dfs.client.socket-timeout", READ_TIMEOUT_MS);
    uint64_t read_ns = (read_ms > 0 ? read_ms : READ_TIMEOUT_NONE_MS) * PS_NS_PER_MS; /* 0: no time-out */
    uint64_t connect_ns = hdfs->call_timeout_ns / 3;
    connect_ns = connect_ns < CONNECT_NS_MAX ? connect_ns : CONNECT_NS_MAX;
    return (struct ps_datanode_settings){
        .loop = hdfs->loop,
        .security = ps_hadoop_security_transfer(hdfs->security, false), /* until the defaults are known */
        .use_host_name =
            ps_hadoop_configuration_boolean(configuration, "dfs.client.use.datanode.hostname", false),
        .nagle = !ps_hadoop_configuration_boolean(configuration, "dfs.data.transfer.client.tcpnodelay", true),
        .send_buffer_bytes =
            ps_hadoop_configuration_number(configuration, "dfs.client.socket.send.buffer.size", 0),
        .connect_ns = connect_ns < read_ns ? connect_ns : read_ns,
        .read_timeout_ns = read_ns,
        .read_timeout_per_node_ns = READ_TIMEOUT_PER_NODE_NS,
        .silence_ns = at_least(hdfs->call_timeout_ns / 4, SILENCE_NS_MIN),
        .probe_ns =
            at_least(hdfs->call_timeout_ns / 8 < PROBE_NS_MAX ? hdfs->call_timeout_ns / 8 : PROBE_NS_MAX,
                     PROBE_NS_MIN),
    };
}

static enum ps_status discard(struct ps_hdfs *hdfs)
{
    if (hdfs->loop != NULL)
        ps_hadoop_loop_close(hdfs->loop);
    ps_hadoop_security_close(hdfs->security);
    free(hdfs);
    return PS_FAIL;
}

/* Copies the authority of "hdfs://authority/path". Returns false if the URL has none. */
static bool copy_authority(const char *url, char authority[AUTHORITY_BYTES])
{
    const char *scheme = "hdfs://";
    if (url == NULL || strncasecmp(url, scheme, strlen(scheme)) != 0)
        return false;
    url += strlen(scheme);
    snprintf(authority, AUTHORITY_BYTES, "%.*s", (int)strcspn(url, "/"), url);
    return authority[0] != '\0';
}

/* Uses the authority of the default file system if the URL has none ("hdfs:///"), as FileSystem.get does. */
static void find_authority(const struct ps_hadoop_settings *settings, char authority[AUTHORITY_BYTES])
{
    authority[0] = '\0';
    if (!copy_authority(settings->url, authority))
        copy_authority(ps_hadoop_configuration_text(settings->configuration, "fs.defaultFS"), authority);
}

enum ps_status ps_hdfs_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                            struct ps_err *err)
{
    char authority[AUTHORITY_BYTES];
    find_authority(settings, authority);
    if (authority[0] == '\0')
        return ps_err_set(err, "%s: it names no namenode, and fs.defaultFS does not begin with hdfs://",
                          settings->url);
    struct ps_hdfs *hdfs = ps_must_alloc(1, sizeof *hdfs, "a file system");
    hdfs->filesystem.ops = &hdfs_ops;
    hdfs->filesystem.has_leases = true;
    hdfs->configuration = settings->configuration;
    hdfs->component = settings->port->component;
    hdfs->call_timeout_ns = settings->call_timeout_ns;
    hdfs->limits = limits_of(settings->configuration);
    hdfs->defaults_call.argument = hdfs->key_call.argument = hdfs;
    struct ps_namenode_settings namenode = {
        .configuration = settings->configuration,
        .authority = authority,
        .proxy_user = settings->proxy_user,
        .call_timeout_ns = settings->call_timeout_ns,
        .component = settings->port->component,
        .port = settings->port,
    };
    if (ps_hadoop_security_open(&hdfs->security, settings, err) != PS_OK) {
        free(hdfs);
        return PS_FAIL;
    }
    namenode.auth = ps_hadoop_security_rpc(hdfs->security);
    if (ps_hadoop_loop_open(&hdfs->loop, settings->port, err) != PS_OK)
        return discard(hdfs);
    namenode.loop = hdfs->loop;
    if (ps_namenode_open(&namenode, &hdfs->namenode, err) != PS_OK)
        return discard(hdfs);
    hdfs->datanodes = datanodes_of(hdfs);
    *filesystem = &hdfs->filesystem;
    return PS_OK;
}
