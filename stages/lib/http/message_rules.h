/* Checks of a request's head that the lenient http_parser does not make (RFC 9110, RFC 9112, and the checks
 * of Flume's Jetty). Thread: any. Nothing is allocated. */
#pragma once

#include "core/base.h"

/* Returns whether the name of a header field is a token: it has no blank, not even before the colon. */
bool ps_http_name_is_token(const char *name, size_t length);

/* Returns whether the field, whose first byte is `field` and which ends before `end`, goes on in a second line that begins with a
 * blank (an obsolete line folding). The bytes of the field are there up to the first one of the next line. */
bool ps_http_field_is_folded(const char *field, const char *end);

/* Returns why a request with this target is answered 400, or NULL. `options`: the method is OPTIONS. */
const char *ps_http_target_wrong(const char *target, size_t length, bool options);

/* Returns whether the value of the field Host has no blank in it (RFC 9110, 7.2), and has either no port or a
 * port of digits. */
bool ps_http_host_is_good(const char *host, size_t length);

/* Returns whether the line in front of a chunk is a size, blanks, and an extension or nothing. The extension has no control
 * byte: another server may end the line at a bare LF, and find another body. `line`: without its CR LF. */
bool ps_http_chunk_line_is_good(const char *line, size_t length);
