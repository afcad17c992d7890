#include "stages/lib/hadoop/webhdfs/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- exceptions ---- */

/* Exceptions that a namenode's RPC does not throw: those of the web servers, and of a datanode as a client of HDFS. */
static const struct {
    const char *exception; /* the class without its package */
    struct ps_hadoop_rpc_judgement judgement;
} classes[] = {
    {"SecurityException", {PS_FILE_DENIED, PS_HADOOP_RPC_FAIL}},
    {"AuthenticationException", {PS_FILE_DENIED, PS_HADOOP_RPC_FAIL}},
    {"ServerTooBusyException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT}},
    {"NoNamenodesAvailableException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT}},
    {"ConnectException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"ConnectTimeoutException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"NoRouteToHostException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"UnknownHostException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"SocketTimeoutException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"EOFException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
};

/* Messages of plain IOExceptions, and of the IllegalArgumentException for an unknown operation. */
static const struct {
    const char *part;
    struct ps_hadoop_rpc_judgement judgement;
} messages[] = {
    {"Failed to find datanode", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"No active nodes contain this block", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"All datanodes",
     {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}}, /* "All datanodes [..] are bad. Aborting..." */
    {"Failed to replace a bad datanode", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"Namenode is in startup mode", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT}},
    {"No space left on device", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"Out of space", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"Invalid value for webhdfs parameter \"op\"", {PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL}},
};

static struct ps_hadoop_rpc_judgement judge(const char *exception, const char *message)
{
    struct ps_hadoop_rpc_judgement judgement = ps_hadoop_rpc_judge(exception, message, 0);
    if (judgement.error != PS_FILE_FAILED)
        return judgement;
    for (size_t i = 0; i < PS_COUNT_OF(classes); i++) {
        if (strcmp(exception, classes[i].exception) == 0)
            return classes[i].judgement;
    }
    for (size_t i = 0; i < PS_COUNT_OF(messages); i++) {
        if (strstr(message, messages[i].part) != NULL)
            return messages[i].judgement;
    }
    return judgement;
}

/* Returns the error for a status without a RemoteException: from a proxy, from Jetty, or from another program. */
static enum ps_file_error error_of_status(long status)
{
    if (status == 401 || status == 403 || status == 407)
        return PS_FILE_DENIED;
    if (status == 408 || status == 429 || (status >= 502 && status <= 504))
        return PS_FILE_UNAVAILABLE;
    return status == 507 ? PS_FILE_NO_SPACE : PS_FILE_FAILED;
}

static bool ends_line(char character)
{
    return (unsigned char)character < ' ';
}

static int line_length(const char *text, size_t length)
{
    size_t end = 0;
    while (end < length && !ends_line(text[end]))
        end++;
    return (int)end;
}

/* Leaves out HTML pages of Jetty and of proxies, which are of no use in a log. */
static void print_status(long status, const char *body, size_t length, struct ps_webhdfs_fault *fault)
{
    int shown = body != NULL && length > 0 && body[0] != '<' ? line_length(body, length) : 0;
    snprintf(fault->text, sizeof fault->text, "HTTP %ld%s%.*s", status, shown > 0 ? ": " : "", shown,
             shown > 0 ? body : "");
}

void ps_webhdfs_fault_read(long status, const char *body, size_t length, struct ps_webhdfs_fault *fault)
{
    *fault = (struct ps_webhdfs_fault){.error = error_of_status(status), .verdict = PS_HADOOP_RPC_FAIL};
    json_t *document = body != NULL ? json_loadb(body, length, 0, NULL) : NULL;
    json_t *remote = json_object_get(document, "RemoteException");
    const char *exception = json_string_value(json_object_get(remote, "exception"));
    const char *message = json_string_value(json_object_get(remote, "message"));
    if (exception != NULL && !ends_line(exception[0])) {
        message = message != NULL ? message : "";
        struct ps_hadoop_rpc_judgement judgement = judge(exception, message);
        fault->error = judgement.error;
        fault->verdict = judgement.verdict;
        int name = line_length(exception, strlen(exception)), line = line_length(message, strlen(message));
        snprintf(fault->text, sizeof fault->text, "%.*s%s%.*s", name, exception, line > 0 ? ": " : "", line,
                 message);
    } else {
        print_status(status, body, length, fault);
    }
    json_decref(document);
}

/* ---- values ---- */

bool ps_webhdfs_boolean_read(const char *body, size_t length, bool *value)
{
    json_t *document = body != NULL ? json_loadb(body, length, 0, NULL) : NULL;
    const json_t *boolean = json_object_get(document, "boolean");
    bool good = json_is_boolean(boolean);
    *value = json_is_true(boolean);
    json_decref(document);
    return good;
}

static uint64_t number_of(const json_t *status, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(status, key));
    return value > 0 ? (uint64_t)value : 0;
}

/* Returns whether the name cannot lead out of its directory, because callers build paths from it. */
static bool is_name(const char *name)
{
    return strchr(name, '/') == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool read_status(const json_t *status, const char *own_name, struct ps_file_status *entry)
{
    const char *name = json_string_value(json_object_get(status, "pathSuffix"));
    const char *type = json_string_value(json_object_get(status, "type"));
    if (name == NULL || type == NULL || !is_name(name))
        return false;
    uint64_t replication = number_of(status, "replication");
    *entry = (struct ps_file_status){
        .name = name[0] != '\0' ? name : own_name,
        .length_bytes = number_of(status, "length"),
        .modified_ms = number_of(status, "modificationTime"),
        .replication = replication <= UINT32_MAX ? (unsigned)replication : UINT32_MAX,
        .directory = strcmp(type, "DIRECTORY") == 0,
    };
    return true;
}

static bool read_all(const json_t *one, const json_t *array, const char *own_name,
                     struct ps_webhdfs_statuses *statuses)
{
    if (one == NULL && !json_is_array(array))
        return false;
    statuses->count = one != NULL ? 1 : json_array_size(array);
    statuses->entries = calloc(statuses->count + 1, sizeof *statuses->entries);
    if (statuses->entries == NULL)
        return false;
    for (size_t i = 0; i < statuses->count; i++) {
        if (!read_status(one != NULL ? one : json_array_get(array, i), own_name, &statuses->entries[i]))
            return false;
    }
    return true;
}

bool ps_webhdfs_statuses_read(const char *body, size_t length, const char *own_name,
                              struct ps_webhdfs_statuses *statuses)
{
    *statuses =
        (struct ps_webhdfs_statuses){.document = body != NULL ? json_loadb(body, length, 0, NULL) : NULL};
    const json_t *one = json_object_get(statuses->document, "FileStatus");
    const json_t *many = json_object_get(json_object_get(statuses->document, "FileStatuses"), "FileStatus");
    if (read_all(one, many, own_name, statuses))
        return true;
    ps_webhdfs_statuses_free(statuses);
    return false;
}

void ps_webhdfs_statuses_free(struct ps_webhdfs_statuses *statuses)
{
    free(statuses->entries);
    json_decref(statuses->document);
    *statuses = (struct ps_webhdfs_statuses){.document = NULL};
}
