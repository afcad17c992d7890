/* A place in a JSON text that is read value by value (RFC 8259), for short texts whose members are known. Each
 * `take` function returns whether the next value is of its kind, and moves past the value; after it returned
 * false, the place is not defined. Thread: any. */
#pragma once

#include "core/base.h"

struct ps_json_cursor {
    const char *at, *end;
    /* the last string, decoded and terminated; the owner's memory, one byte larger than the JSON text */
    char *string;
};

/* Skips white space, and returns the next character without taking it, or -1 at the end. */
int ps_json_peek(struct ps_json_cursor *cursor);
/* Takes the next character that is not white space if it is this one. */
bool ps_json_accept(struct ps_json_cursor *cursor, char character);
/* Takes a string into cursor->string. A half of a surrogate pair becomes U+FFFD; a wrong second half is refused. */
bool ps_json_string_take(struct ps_json_cursor *cursor);
/* Takes an integer. */
bool ps_json_number_take(struct ps_json_cursor *cursor, int64_t *value);
/* Takes an integer, also in quotation marks (Gson accepts both); cursor->string is written over. */
bool ps_json_quoted_number_take(struct ps_json_cursor *cursor, int64_t *value);
/* Skips a value of any type, of at most PS_JSON_DEPTH_MAX arrays and objects inside each other. */
bool ps_json_skip(struct ps_json_cursor *cursor);

#define PS_JSON_DEPTH_MAX 32U
