/* A jar: a zip archive of classes. Only jar.c uses libzip. Thread: the control thread. */
#pragma once

#include "core/status.h"

struct ps_jar;

/* Opens the jar and reads its list of entries. Returns NULL with a message when it is not a jar (`*error` is 0), or when it could not be
 * opened or read now (`*error` is the reason, an errno). */
struct ps_jar *ps_jar_open(const char *path, int *error, struct ps_err *err);
void ps_jar_close(struct ps_jar *jar);

/* Returns the name of entry number `index` ("org/apache/flume/Sink.class"), or NULL after the last. It lives as long as the
 * jar. */
const char *ps_jar_entry(struct ps_jar *jar, size_t index);

enum ps_jar_read {
    PS_JAR_ABSENT, /* there is no such entry */
    PS_JAR_READ,   /* the caller frees `*bytes` */
    PS_JAR_BAD,    /* damaged, encrypted, or larger than `bytes_max`: the error says why */
    PS_JAR_UNREAD, /* the file could not be read now: the error and ps_jar_error say why */
};
enum ps_jar_read ps_jar_read(struct ps_jar *jar, const char *entry, size_t bytes_max, char **bytes,
                             size_t *length, struct ps_err *err);
/* Returns the errno of the last PS_JAR_UNREAD. */
int ps_jar_error(const struct ps_jar *jar);
