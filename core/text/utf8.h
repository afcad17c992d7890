/* UTF-8 as Java reads it: which bytes are malformed, how many replacement characters they become, and the length of a
 * text in Java's chars. Thread: any. */
#pragma once

#include "core/base.h"

/* Returns how many bytes at the start are well-formed UTF-8 (all of them: `length`). `text` may be NULL if `length`
 * is 0; the same below. */
size_t ps_utf8_valid_length(const char *text, size_t length);

bool ps_utf8_is_ascii(const char *text, size_t length);

/* Returns the length of the well-formed sequence at the beginning of a text of at least one byte; 0: it is malformed, and
 * *malformed is the number of bytes that one U+FFFD replaces. */
size_t ps_utf8_sequence(const char *text, size_t length, size_t *malformed);

/* Copies `text` to `out` (room for 3 * length bytes), every malformed sequence replaced by U+FFFD exactly as
 * `new String(bytes, UTF_8)` does (java.lang.String.decodeUTF8). Returns the bytes written. */
size_t ps_utf8_repair(const char *text, size_t length, char *out);

/* Reads the character at the beginning of a text of at least one byte. Returns the number of its bytes; 0: it is malformed, and *code is 0. */
size_t ps_utf8_get(const char *text, size_t length, uint32_t *code);

/* Writes a code point, at most four bytes. Returns the number of bytes. */
size_t ps_utf8_put(char *to, uint32_t code);

/* Returns the length in UTF-16 code units (Java's `char`) of well-formed UTF-8; of malformed text an upper bound. */
size_t ps_utf8_char_count(const char *text, size_t length);

/* Returns whether a text, well-formed or malformed, has one of Java's line terminators other than \n, \r: U+0085,
 * U+2028, U+2029 (java.util.regex: characters that `.` does not match). */
bool ps_utf8_has_terminator(const char *text, size_t length);
