/* What a WebHDFS server answers, in JSON: a RemoteException as an error of a file system, file statuses, booleans.
 *
 * Sources: Hadoop's "WebHDFS REST API" (JSON schemas), org.apache.hadoop.hdfs.web.JsonUtil. HttpFS answers alike
 * (HttpExceptionUtils).
 * Thread: any; allocates. */
#pragma once

#include "stages/filesystem/filesystem.h"
#include "stages/hadoop_rpc/error.h"

#include <jansson.h>

#define PS_WEBHDFS_FAULT_BYTES 256U

struct ps_webhdfs_fault {
    enum ps_file_error error;           /* never PS_FILE_OK */
    enum ps_hadoop_rpc_verdict verdict; /* what the caller does about it */
    char text
        [PS_WEBHDFS_FAULT_BYTES]; /* "AccessControlException: first line of the message", or "HTTP 502: .." */
};

/* Of an answer with a status that is no success. `body` NULL: it is empty. */
void ps_webhdfs_fault_read(long status, const char *body, size_t length, struct ps_webhdfs_fault *fault);

/* {"boolean": ..}. Returns false: it is something else. */
bool ps_webhdfs_boolean_read(const char *body, size_t length, bool *value);

struct ps_webhdfs_statuses {
    struct ps_file_status *entries; /* names belong to `document` */
    size_t count;
    json_t *document;
};

/* A FileStatus (one entry) or FileStatuses. An entry of the file that was asked for has an empty name on the wire: it gets
 * `own_name`, which belongs to the caller. Returns false: it is neither, or a name in it is none of a directory's entry, or
 * there is no memory. Owns: the caller frees them. */
bool ps_webhdfs_statuses_read(const char *body, size_t length, const char *own_name,
                              struct ps_webhdfs_statuses *statuses);
/* {0} is allowed. */
void ps_webhdfs_statuses_free(struct ps_webhdfs_statuses *statuses);
