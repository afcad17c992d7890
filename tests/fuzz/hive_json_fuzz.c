/* Rows as JSON: any bytes. Nothing is read outside them, values stay within the ranges of their types, a map has each key once, and a
 * refused row has a reason. Input: the body. */
#include "core/stage.h"
#include "stages/lib/hive/json.h"
#include "tests/fuzz/hive_values.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COLUMNS                                                                                              \
    "a:tinyint,b:smallint,c:int,d:bigint,e:float,f:double,g:string,h:varchar(3),i:char(2),j:binary,k:date,"  \
    "l:timestamp,m:decimal(5,2),n:boolean"
static const char columns[] = "struct<" COLUMNS ",o:array<array<int>>,p:map<string,double>,q:map<int,array<"
                              "string>>,r:struct<" COLUMNS ",s:struct<x:int>>,t:map<timestamp,date>>";

static uint64_t sum; /* of all bytes of strings, so that they are read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_hive_rows *rows;
    static struct ps_orc_type *type;
    struct ps_err err = {.length = 0};
    struct ps_orc_value row;
    if (size > 65536)
        return 0;
    if (rows == NULL) {
        type = ps_orc_type_parse(columns, &err);
        rows = ps_hive_json_open(type, &err);
    }
    char *body = malloc(size + 1);
    PS_ASSERT(rows != NULL && body != NULL);
    memcpy(body, data, size);
    body = realloc(body, size > 0 ? size : 1); /* just as long, so that a byte too many is seen */
    PS_ASSERT(body != NULL);
    if (ps_hive_rows_read(rows, body, (uint32_t)size, &row, &err))
        sum += hive_value_check(type, &row);
    else
        PS_ASSERT(err.text[0] != '\0');
    free(body);
    return 0;
}
