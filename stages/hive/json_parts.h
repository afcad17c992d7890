/* What the files of the JSON reader share: the text (json_text.c) and the values (json.c). */
#pragma once

#include "core/stage.h"
#include "stages/hive/row_memory.h"

#define PS_HIVE_JSON_DEPTH_MAX 512U /* of what is passed over */

enum ps_hive_json_kind {
    PS_HIVE_JSON_NULL,
    PS_HIVE_JSON_TRUE,
    PS_HIVE_JSON_FALSE,
    PS_HIVE_JSON_INTEGER, /* a number without point and exponent */
    PS_HIVE_JSON_REAL,
    PS_HIVE_JSON_STRING,
};

/* All but arrays and objects. */
struct ps_hive_json_scalar {
    enum ps_hive_json_kind kind;
    struct ps_slice text; /* as it is written; of a string without its escapes */
};

struct ps_hive_json_text {
    const char *begin, *at, *end;
    struct ps_hive_row_memory *memory; /* of strings with escapes */
    struct ps_err *err;
    const char *column; /* named by messages; NULL: none */
};

/* Notes the reason, with the place. Always false. */
bool ps_hive_json_wrong(struct ps_hive_json_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The next character that is no blank; '\0': there is none. */
char ps_hive_json_peek(struct ps_hive_json_text *text);
/* Takes the next character that is no blank if it is this one. */
bool ps_hive_json_take(struct ps_hive_json_text *text, char wanted);

/* Goes on to the next member of an object, or item of an array, whose opening bracket was taken; `count`: how many there were. Returns
 * false at the end, whose bracket is taken, and when something is wrong: then *well is false. */
bool ps_hive_json_next(struct ps_hive_json_text *text, char end, uint32_t *count, bool *well);
/* Takes the name of a member, and the colon. */
bool ps_hive_json_name(struct ps_hive_json_text *text, struct ps_slice *name);

bool ps_hive_json_scalar_read(struct ps_hive_json_text *text, struct ps_hive_json_scalar *scalar);
/* Passes over a value of any kind. */
bool ps_hive_json_skip(struct ps_hive_json_text *text, unsigned depth);
