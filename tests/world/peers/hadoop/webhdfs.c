/* WebHDFS: the REST interface of the namenode (port 9870) and the datanodes (9864), over the same namespace. A datanode that takes bytes is a client
 * that opens the file, appends and closes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/peers/hadoop/cluster.h"

#define PREFIX "/webhdfs/v1"

struct request {
    char method[8], path[HDFS_NAME_BYTES], operation[32], destination[HDFS_NAME_BYTES], target[2048];
    const char *body;
    size_t body_length;
};

static void answer(struct connection *connection, const char *status, const char *more, const char *body,
                   size_t length)
{
    struct proto_out out = {.bytes = (unsigned char *)connection->out, .room = HDFS_ROOM_BYTES};
    char head[3072];
    int head_length =
        snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, more, length);
    proto_put(&out, head, (size_t)head_length);
    proto_put(&out, body, length);
    connection->out_length = out.length;
    connection->answers_ns = world->now_ns + world_below(1000000);
}

static void answer_text(struct connection *connection, const char *status, const char *body)
{
    answer(connection, status, "Content-Type: application/json\r\n", body, strlen(body));
}

static void answer_error(struct connection *connection, const struct hdfs_error *error)
{
    char body[1024];
    const char *simple = strrchr(error->class, '.');
    simple = simple == NULL ? error->class : simple + 1;
    bool is_missing = strcmp(simple, "FileNotFoundException") == 0;
    bool is_denied = strcmp(simple, "IOException") != 0;
    snprintf(body, sizeof body,
             "{\"RemoteException\":{\"exception\":\"%s\",\"javaClassName\":\"%s\",\"message\":\"%s\"}}",
             simple, error->class, error->message);
    answer_text(connection,
                is_missing  ? "404 Not Found"
                : is_denied ? "403 Forbidden"
                            : "500 Server Error",
                body);
}

/* ---- requests ---- */

static void decode(const char *from, size_t length, char to[HDFS_NAME_BYTES])
{
    size_t at = 0;
    for (size_t i = 0; i < length && at < HDFS_NAME_BYTES - 1; i++) {
        char hex[3] = {0};
        if (from[i] == '%' && i + 2 < length) {
            memcpy(hex, from + i + 1, 2);
            to[at++] = (char)strtoul(hex, NULL, 16);
            i += 2;
        } else {
            to[at++] = from[i];
        }
    }
    to[at] = 0;
}

static void get_parameter(const char *query, const char *name, char *to, size_t room)
{
    char key[64], value[HDFS_NAME_BYTES];
    snprintf(key, sizeof key, "%s=", name);
    to[0] = 0;
    for (const char *at = query; at != NULL; at = strchr(at, '&')) {
        at += *at == '&' || *at == '?';
        if (strncmp(at, key, strlen(key)) != 0)
            continue;
        at += strlen(key);
        decode(at, strcspn(at, "&"), value);
        snprintf(to, room, "%s", value);
        return;
    }
}

/* Reads a whole request. Returns its length; 0: it is not there yet. */
static size_t read_request(struct connection *connection, struct request *request)
{
    if (connection->in_length == HDFS_ROOM_BYTES)
        world_fatal("the agent sent more than %zu bytes", HDFS_ROOM_BYTES);
    connection->in[connection->in_length] = 0;
    const char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL)
        return 0;
    const char *field = strcasestr(connection->in, "content-length:");
    size_t head = (size_t)(end - connection->in) + 4;
    request->body_length = field != NULL && field < end ? strtoul(field + 15, NULL, 10) : 0;
    request->body = connection->in + head;
    if (connection->in_length < head + request->body_length)
        return 0;
    if (sscanf(connection->in, "%7s %2047s", request->method, request->target) != 2 ||
        strncmp(request->target, PREFIX, strlen(PREFIX)) != 0)
        world_fatal("the agent's request is no WebHDFS: %.100s", connection->in);
    const char *path = request->target + strlen(PREFIX), *query = strchr(path, '?');
    decode(path, query == NULL ? strlen(path) : (size_t)(query - path), request->path);
    get_parameter(query, "op", request->operation, sizeof request->operation);
    get_parameter(query, "destination", request->destination, sizeof request->destination);
    return head + request->body_length;
}

/* ---- operations ---- */

static size_t put_status(char *to, size_t room, const struct disk_inode *inode, const char *name)
{
    bool is_directory = S_ISDIR(inode->mode);
    return (size_t)snprintf(
        to, room,
        "{\"pathSuffix\":\"%s\",\"type\":\"%s\",\"length\":%llu,\"modificationTime\":%llu,\"replication\":%u,"
        "\"blockSize\":134217728,\"owner\":\"root\",\"group\":\"supergroup\",\"permission\":\"%o\"}",
        name, is_directory ? "DIRECTORY" : "FILE", is_directory ? 0ULL : (unsigned long long)inode->now.size,
        (unsigned long long)(inode->write_ns / 1000000), is_directory ? 0 : HDFS_REPLICATION,
        inode->mode & 0777);
}

static void list(struct connection *connection, const struct disk_inode *inode)
{
    char *text = world_allocate(HDFS_ROOM_BYTES);
    size_t room = HDFS_ROOM_BYTES,
           length = (size_t)snprintf(text, room, "{\"FileStatuses\":{\"FileStatus\":[");
    if (S_ISREG(inode->mode))
        length += put_status(text + length, room - length, inode, "");
    for (size_t i = 0; S_ISDIR(inode->mode) && i < inode->names.count; i++) {
        text[length] = ',';
        length += i > 0;
        length += put_status(text + length, room - length, inode->names.entries[i].inode,
                             inode->names.entries[i].name);
    }
    snprintf(text + length, room - length, "]}}");
    answer_text(connection, "200 OK", text);
    world_free(text, HDFS_ROOM_BYTES);
}

/* Returns false: a datanode cannot open the file to append to it. */
static bool may_append(struct hdfs_cluster *cluster, const char *path, struct hdfs_error *error)
{
    struct hdfs_file *file = hdfs_file_at(cluster, path);
    if (hdfs_inode(path) == NULL)
        return hdfs_refuse(error, "java.io.FileNotFoundException", "File does not exist: %s", path);
    if (file == NULL || !file->is_open)
        return true;
    if (file->recovered_ns == 0 && !hdfs_lease_is_old(cluster, file->holder))
        return hdfs_refuse(error, "org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException",
                           "Failed to APPEND_FILE %s because this file lease is currently owned by %s", path,
                           file->holder);
    return hdfs_recover_lease(cluster, file) ||
           hdfs_refuse(error, "org.apache.hadoop.hdfs.protocol.RecoveryInProgressException",
                       "Failed to APPEND_FILE %s because lease recovery is in progress", path);
}

/* What a datanode does with bytes. */
static void take_bytes(struct hdfs_cluster *cluster, struct connection *connection,
                       const struct request *request)
{
    struct hdfs_error error = {0};
    char name[HDFS_NAME_BYTES];
    bool creates = strcmp(request->operation, "CREATE") == 0;
    bool good = creates ? hdfs_create(cluster, request->path, "DFSClient_datanode", true, HDFS_REPLICATION,
                                      1U << 27, &error)
                        : may_append(cluster, request->path, &error);
    if (!good) {
        answer_error(connection, &error);
        return;
    }
    if (creates)
        hdfs_close_file(cluster, hdfs_file_at(cluster, request->path));
    hdfs_disk_path(request->path, name);
    disk_append(name, request->body, request->body_length);
    disk_sync(disk_at(name));
    answer_text(connection, creates ? "201 Created" : "200 OK", "");
}

static void redirect(struct hdfs_cluster *cluster, struct connection *connection,
                     const struct request *request)
{
    unsigned live = hdfs_live_nodes(cluster);
    char location[3072];
    struct hdfs_error error;
    if (live == 0) {
        hdfs_refuse(&error, HDFS_IO_EXCEPTION, "Failed to find datanode, suggest to check cluster health.");
        answer_error(connection, &error);
        return;
    }
    snprintf(location, sizeof location, "Location: http://127.0.0.%d:%d%s\r\n", 31 + __builtin_ctz(live),
             HDFS_DATANODE_HTTP_PORT, request->target);
    answer(connection, "307 Temporary Redirect", location, "", 0);
}

static void answer_truth(struct connection *connection, bool good, bool value, const struct hdfs_error *error)
{
    if (good)
        answer_text(connection, "200 OK", value ? "{\"boolean\":true}" : "{\"boolean\":false}");
    else
        answer_error(connection, error);
}

static void serve_namenode(struct hdfs_cluster *cluster, struct connection *connection,
                           const struct request *request)
{
    const struct disk_inode *inode = hdfs_inode(request->path);
    struct hdfs_error error = {0};
    char text[1024] = "{\"FileStatus\":";
    bool existed;
    if (strcmp(request->operation, "CREATE") == 0 || strcmp(request->operation, "APPEND") == 0) {
        redirect(cluster, connection, request);
    } else if (strcmp(request->operation, "RENAME") == 0) {
        if (!hdfs_rename(cluster, request->path, request->destination, &error))
            answer_error(connection, &error);
        else
            answer_text(connection, "200 OK", "");
    } else if (strcmp(request->operation, "DELETE") == 0) {
        bool good = hdfs_remove(cluster, request->path, &existed, &error);
        answer_truth(connection, good, existed, &error);
    } else if (inode == NULL) {
        hdfs_refuse(&error, "java.io.FileNotFoundException", "File does not exist: %s", request->path);
        answer_error(connection, &error);
    } else if (strcmp(request->operation, "OPEN") == 0) {
        redirect(cluster, connection, request);
    } else if (strcmp(request->operation, "LISTSTATUS") == 0) {
        list(connection, inode);
    } else {
        size_t length = strlen(text);
        length += put_status(text + length, sizeof text - length, inode, "");
        snprintf(text + length, sizeof text - length, "}");
        answer_text(connection, "200 OK", text);
    }
}

static void serve_datanode(struct hdfs_cluster *cluster, struct connection *connection,
                           const struct request *request)
{
    const struct disk_inode *inode = hdfs_inode(request->path);
    if (strcmp(request->operation, "OPEN") != 0 || inode == NULL) {
        take_bytes(cluster, connection, request);
        return;
    }
    size_t length = inode->now.size;
    char *bytes = world_allocate(length + 1);
    answer(connection, "200 OK", "", bytes, disk_read(inode, 0, bytes, length));
    world_free(bytes, length + 1);
}

/* How a datanode fails a request with bytes: `hdfs fail dn1 STATUS TIMES` of a scenario, or as drawn. */
enum fate { BREAKS_BEFORE, BREAKS_AFTER, BREAKS_IN_PART, IS_SILENT_AFTER, IS_SERVED };

static enum fate draw_fate(struct hdfs_cluster *cluster, const struct connection *connection,
                           const struct request *request)
{
    int node = connection->server - HDFS_NAMENODES;
    if (node >= 0 && cluster->fails[node] > 0 && request->body_length > 0) {
        cluster->fails[node]--;
        return (enum fate)cluster->status;
    }
    uint64_t drawn = world->server_faults ? world_below(60) : IS_SERVED;
    return drawn < BREAKS_IN_PART ? (enum fate)drawn : IS_SERVED;
}

bool hdfs_take_web(void *argument, struct connection *connection)
{
    struct hdfs_cluster *cluster = argument;
    struct request *request = world_allocate(sizeof *request);
    size_t length = read_request(connection, request);
    bool is_namenode = connection->server < HDFS_NAMENODES;
    enum fate fate = length > 0 ? draw_fate(cluster, connection, request) : IS_SERVED;
    bool goes_on = fate != BREAKS_BEFORE;
    if (fate == BREAKS_IN_PART)
        request->body_length /= 2;
    if (length > 0 && goes_on) {
        const struct hdfs_rule *rule = hdfs_rule_of(cluster, request->operation, request->path);
        struct hdfs_error error = {0};
        if (rule != NULL && rule->exception[0] != 0) {
            hdfs_refuse(&error, rule->exception, "%s", rule->message);
            answer_error(connection, &error);
        } else if (rule == NULL && is_namenode && connection->server != cluster->active) {
            hdfs_refuse(&error, "org.apache.hadoop.ipc.StandbyException",
                        "Operation category READ is not supported in state standby");
            answer_error(connection, &error);
        } else if (rule == NULL && cluster->is_safe && strcmp(request->method, "GET") != 0) {
            hdfs_refuse(&error, "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
                        "Name node is in safe mode.");
            answer_error(connection, &error);
        } else if (rule == NULL && is_namenode) {
            serve_namenode(cluster, connection, request);
        } else if (rule == NULL) {
            serve_datanode(cluster, connection, request);
        }
        connection_taken(connection, length);
        goes_on = fate > BREAKS_IN_PART;
        if (fate == IS_SILENT_AFTER)
            connection->out_length = 0;
    }
    world_free(request, sizeof *request);
    return goes_on;
}
