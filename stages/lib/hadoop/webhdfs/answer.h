/* Reads the JSON answers of a WebHDFS server: a RemoteException as an error of a file system, file statuses,
 * booleans.
 *
 * Sources: Hadoop's "WebHDFS REST API" (JSON schemas), org.apache.hadoop.hdfs.web.JsonUtil. HttpFS answers in the
 * same way (HttpExceptionUtils).
 *
 * Thread: any; allocates. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/rpc/error.h"

#include <jansson.h>

#define PS_WEBHDFS_FAULT_BYTES 256U

struct ps_webhdfs_fault {
    enum ps_file_error error;           /* never PS_FILE_OK */
    enum ps_hadoop_rpc_verdict verdict; /* shows whether the request should be repeated */
    char text
        [PS_WEBHDFS_FAULT_BYTES]; /* "AccessControlException: first line of the message", or "HTTP 502: .." */
};

/* Reads an answer whose status is an error. `body` NULL: empty. */
void ps_webhdfs_fault_read(long status, const char *body, size_t length, struct ps_webhdfs_fault *fault);

/* Reads {"boolean": ..}. Returns false if the body is anything else. */
bool ps_webhdfs_boolean_read(const char *body, size_t length, bool *value);

struct ps_webhdfs_statuses {
    struct ps_file_status *entries; /* `document` owns the names */
    size_t count;
    json_t *document;
};

/* Reads a FileStatus (one entry) or FileStatuses. The status of the requested file itself has an empty name, which
 * is replaced by `own_name`; the caller owns `own_name`. Returns false if the body is neither, a name is not that
 * of a directory's entry, or there is no memory. The caller frees the statuses. */
bool ps_webhdfs_statuses_read(const char *body, size_t length, const char *own_name,
                              struct ps_webhdfs_statuses *statuses);
/* {0} is allowed. */
void ps_webhdfs_statuses_free(struct ps_webhdfs_statuses *statuses);
