/* Reads whole files and http(s) documents into memory. Thread: the control thread; both may block. */
#pragma once

#include "core/status.h"

struct ps_file {
    char *bytes; /* malloc'ed, terminated by a NUL that `length` does not count */
    size_t length;
    int64_t modified_ns; /* file: mtime; http: -1 */
    int64_t modified_s;  /* http: Last-Modified; 0: not sent, or too new (conf/file_fetch.c) */
    bool unchanged;      /* http: status 304, no bytes */
};

/* Reads a file. Returns PS_FAIL with a message when the file cannot be read or is larger than `bytes_max`. */
enum ps_status ps_file_read(const char *path, size_t bytes_max, struct ps_file *file, struct ps_err *err);

/* Appends bytes to `file->bytes`, which has room for `*room` bytes. Returns false when the result would have more
 * than `bytes_max` bytes. */
bool ps_file_add(struct ps_file *file, size_t *room, const char *bytes, size_t length, size_t bytes_max);

/* Sends a GET request. `user` and `password` may be NULL. `since_s` > 0 sends If-Modified-Since. Takes at most 30 s
 * and reads at most `bytes_max` bytes. Follows redirects to http and https only. Status 200 and 304 are success. */
enum ps_status ps_file_fetch(const char *uri, const char *user, const char *password, int64_t since_s,
                             size_t bytes_max, struct ps_file *file, struct ps_err *err);

/* Returns the URI for a message, with `***` for its password, or for a user name without a password (a token).
 * Returns `room` (cut to `size`), or `uri` itself if it has nothing to hide. */
const char *ps_file_uri_masked(const char *uri, char *room, size_t size);

void ps_file_free(struct ps_file *file);
