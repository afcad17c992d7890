/* Whole files and http(s) documents into memory. Thread: the control thread; both may block. */
#pragma once

#include "core/status.h"

struct ps_file {
    char *bytes; /* malloc'ed, terminated by a NUL that is not counted */
    size_t length;
    int64_t modified_ns; /* file: mtime; http: -1 */
    int64_t modified_s;  /* http: Last-Modified, 0 when not sent */
    bool unchanged;      /* http: 304, no bytes */
};

/* PS_FAIL with a message (errno's words) when it cannot be read or is larger than `bytes_max`. */
enum ps_status ps_file_read(const char *path, size_t bytes_max, struct ps_file *file, struct ps_err *err);

/* GET. `user` and `password` may be NULL; `since_s` > 0 asks If-Modified-Since. At most 30 s and `bytes_max`.
 * Redirects are followed (to http and https alone). 200 and 304 are good. */
enum ps_status ps_file_fetch(const char *uri, const char *user, const char *password, int64_t since_s,
                             size_t bytes_max, struct ps_file *file, struct ps_err *err);

void ps_file_free(struct ps_file *file);
