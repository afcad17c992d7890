/* Reads the contents of a URL: a file or an answer of a web server. It blocks, so only helper threads call
 * it. */
#pragma once

#include "stages/lib/byte_buffer.h"

struct ps_schema_url_answer {
    struct ps_byte_buffer text; /* malloc'ed; data is NULL after a failure */
    char reason[256];
    bool
        is_final; /* after a failure: the URL itself is at fault, or what stands there; another try would not help */
};

/* Returns whether the scheme is file, http or https. */
bool ps_schema_url_is_known(const char *url);

/* Returns the path of a file: URL, malloc'ed, with its %XX decoded; NULL if it is another kind of URL. */
char *ps_schema_url_path(const char *url);

/* Reads file:/path, file:///path, http://.. or https://.. (at most 5 redirections, 30 s). More than length_max bytes are an
 * error, and so is a file that is no regular one: a pipe would hold the thread for ever. */
void ps_schema_url_read(const char *url, size_t length_max, struct ps_schema_url_answer *answer);
