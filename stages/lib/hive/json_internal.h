/* Types and functions that only the files of the JSON reader share: the text (json_text.c) and the values (json.c). */
#pragma once

#include "core/stage.h"
#include "stages/lib/hive/row_memory.h"

#define PS_HIVE_JSON_DEPTH_MAX 512U /* levels of skipped values */

enum ps_hive_json_kind {
    PS_HIVE_JSON_NULL,
    PS_HIVE_JSON_TRUE,
    PS_HIVE_JSON_FALSE,
    PS_HIVE_JSON_INTEGER, /* a number without a decimal point and exponent */
    PS_HIVE_JSON_REAL,
    PS_HIVE_JSON_STRING,
};

/* Any value but an array or object. */
struct ps_hive_json_scalar {
    enum ps_hive_json_kind kind;
    struct ps_slice text; /* as written; a string has its escapes decoded */
};

struct ps_hive_json_text {
    const char *begin, *at, *end;
    struct ps_hive_row_memory *memory; /* for strings with escapes */
    struct ps_err *err;
    const char *column; /* for messages; NULL: none */
};

/* Sets the error, with the place in the text. Returns false. */
bool ps_hive_json_wrong(struct ps_hive_json_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns the next character that is not a blank; '\0' at the end. */
char ps_hive_json_peek(struct ps_hive_json_text *text);
/* Takes the next character that is not a blank, if it is `wanted`; returns whether it was. */
bool ps_hive_json_take(struct ps_hive_json_text *text, char wanted);

/* Moves to the next member of an object, or item of an array, whose opening bracket was taken; counts them in *count.
 * Returns false at the end, after taking the bracket, and with *well false on an error. */
bool ps_hive_json_next(struct ps_hive_json_text *text, char end, uint32_t *count, bool *well);
/* Takes the name of a member, and the colon. */
bool ps_hive_json_name(struct ps_hive_json_text *text, struct ps_slice *name);

bool ps_hive_json_scalar_read(struct ps_hive_json_text *text, struct ps_hive_json_scalar *scalar);
/* Skips a value of any kind. */
bool ps_hive_json_skip(struct ps_hive_json_text *text, unsigned depth);
