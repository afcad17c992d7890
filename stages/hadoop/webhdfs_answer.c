/* See webhdfs_answer.h. */
#include "stages/hadoop/webhdfs_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- exceptions ---- */

struct known {
    const char *exception; /* the class without its package */
    enum ps_file_error error;
    enum ps_webhdfs_cure cure;
};

static const struct known exceptions[] = {
    {"FileNotFoundException", PS_FILE_MISSING, PS_WEBHDFS_NO_CURE},
    {"FileAlreadyExistsException", PS_FILE_EXISTS, PS_WEBHDFS_NO_CURE},
    {"AccessControlException", PS_FILE_DENIED, PS_WEBHDFS_NO_CURE},
    {"SecurityException", PS_FILE_DENIED, PS_WEBHDFS_NO_CURE},
    {"AuthorizationException", PS_FILE_DENIED, PS_WEBHDFS_NO_CURE},
    {"AuthenticationException", PS_FILE_DENIED, PS_WEBHDFS_NO_CURE},
    {"InvalidToken", PS_FILE_DENIED, PS_WEBHDFS_NO_CURE},
    {"QuotaExceededException", PS_FILE_NO_SPACE, PS_WEBHDFS_NO_CURE},
    {"NSQuotaExceededException", PS_FILE_NO_SPACE, PS_WEBHDFS_NO_CURE},
    {"DSQuotaExceededException", PS_FILE_NO_SPACE, PS_WEBHDFS_NO_CURE},
    {"QuotaByStorageTypeExceededException", PS_FILE_NO_SPACE, PS_WEBHDFS_NO_CURE},
    {"DiskOutOfSpaceException", PS_FILE_NO_SPACE, PS_WEBHDFS_NO_CURE},
    {"AlreadyBeingCreatedException", PS_FILE_LEASE, PS_WEBHDFS_NO_CURE},
    {"LeaseExpiredException", PS_FILE_LEASE, PS_WEBHDFS_NO_CURE},
    {"RecoveryInProgressException", PS_FILE_LEASE, PS_WEBHDFS_NO_CURE},
    {"StandbyException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_OTHER_SERVER},
    {"ObserverRetryOnActiveException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_OTHER_SERVER},
    {"RetriableException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_SAME_SERVER},
    {"ServerTooBusyException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_SAME_SERVER},
    {"SafeModeException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"NotReplicatedYetException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"ConnectException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"ConnectTimeoutException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"NoRouteToHostException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"UnknownHostException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"SocketTimeoutException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"EOFException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"NoNamenodesAvailableException", PS_FILE_UNAVAILABLE, PS_WEBHDFS_SAME_SERVER},
    {"UnsupportedOperationException", PS_FILE_UNSUPPORTED, PS_WEBHDFS_NO_CURE},
};

/* What a plain IOException says, and IllegalArgumentException of an operation that the server does not know. */
static const struct {
    const char *part;
    enum ps_file_error error;
    enum ps_webhdfs_cure cure;
} messages[] = {
    {"could only be written to 0 of", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"could only be replicated to 0 nodes", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"Failed to find datanode", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"No active nodes contain this block", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"All datanodes", PS_FILE_UNAVAILABLE,
     PS_WEBHDFS_NO_CURE}, /* "All datanodes [..] are bad. Aborting..." */
    {"Failed to replace a bad datanode", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"Name node is in safe mode", PS_FILE_UNAVAILABLE, PS_WEBHDFS_NO_CURE},
    {"Namenode is in startup mode", PS_FILE_UNAVAILABLE, PS_WEBHDFS_SAME_SERVER},
    {"No space left on device", PS_FILE_NO_SPACE, PS_WEBHDFS_NO_CURE},
    {"Out of space", PS_FILE_NO_SPACE, PS_WEBHDFS_NO_CURE},
    {"Invalid value for webhdfs parameter \"op\"", PS_FILE_UNSUPPORTED, PS_WEBHDFS_NO_CURE},
};

static void classify(const char *exception, const char *message, struct ps_webhdfs_fault *fault)
{
    for (size_t i = 0; i < PS_COUNT_OF(exceptions); i++) {
        if (strcmp(exception, exceptions[i].exception) != 0)
            continue;
        fault->error = exceptions[i].error;
        fault->cure = exceptions[i].cure;
        return;
    }
    for (size_t i = 0; i < PS_COUNT_OF(messages); i++) {
        if (strstr(message, messages[i].part) == NULL)
            continue;
        fault->error = messages[i].error;
        fault->cure = messages[i].cure;
        return;
    }
}

/* Of a status that came without a RemoteException: from a proxy, from Jetty, from another program. */
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

/* Jetty's pages and those of proxies are HTML: nothing for a log. */
static void print_status(long status, const char *body, size_t length, struct ps_webhdfs_fault *fault)
{
    int shown = body != NULL && length > 0 && body[0] != '<' ? line_length(body, length) : 0;
    snprintf(fault->text, sizeof fault->text, "HTTP %ld%s%.*s", status, shown > 0 ? ": " : "", shown,
             shown > 0 ? body : "");
}

void ps_webhdfs_fault_read(long status, const char *body, size_t length, struct ps_webhdfs_fault *fault)
{
    *fault = (struct ps_webhdfs_fault){.error = error_of_status(status)};
    json_t *document = body != NULL ? json_loadb(body, length, 0, NULL) : NULL;
    json_t *remote = json_object_get(document, "RemoteException");
    const char *exception = json_string_value(json_object_get(remote, "exception"));
    const char *message = json_string_value(json_object_get(remote, "message"));
    if (exception != NULL && !ends_line(exception[0])) {
        message = message != NULL ? message : "";
        fault->error = PS_FILE_FAILED;
        classify(exception, message, fault);
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

/* Users build paths of names: one that leads out of its directory is none. */
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
