/* Rows as JSON: any bytes. Nothing is read outside them, values stay within the ranges of their types, a map has each key once, and a
 * refused row has a reason. Input: the body. */
#include "core/stage.h"
#include "stages/hive/json.h"
#include "stages/orc/decimal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COLUMNS                                                                                              \
    "a:tinyint,b:smallint,c:int,d:bigint,e:float,f:double,g:string,h:varchar(3),i:char(2),j:binary,k:date,"  \
    "l:timestamp,m:decimal(5,2),n:boolean"
static const char columns[] = "struct<" COLUMNS ",o:array<array<int>>,p:map<string,double>,q:map<int,array<"
                              "string>>,r:struct<" COLUMNS ",s:struct<x:int>>,t:map<timestamp,date>>";

static uint64_t sum; /* of all bytes of strings, so that they are read */

static void check(const struct ps_orc_type *type, const struct ps_orc_value *value);

static void check_items(const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    bool is_struct = type->kind == PS_ORC_STRUCT;
    PS_ASSERT(is_struct ? value->item_count == type->child_count
                        : value->item_count % type->child_count == 0);
    for (uint32_t i = 0; i < value->item_count; i++)
        check(type->children[i % type->child_count], &value->items[i]);
    for (uint32_t i = 0; type->kind == PS_ORC_MAP && i < value->item_count; i += 2)
        PS_ASSERT(!value->items[i].null);
}

static void check(const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    if (value->null)
        return;
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
        PS_ASSERT(value->integer == 0 || value->integer == 1);
        break;
    case PS_ORC_TINYINT:
        PS_ASSERT(value->integer >= INT8_MIN && value->integer <= INT8_MAX);
        break;
    case PS_ORC_SMALLINT:
        PS_ASSERT(value->integer >= INT16_MIN && value->integer <= INT16_MAX);
        break;
    case PS_ORC_INT:
    case PS_ORC_DATE:
        PS_ASSERT(value->integer >= INT32_MIN && value->integer <= INT32_MAX);
        break;
    case PS_ORC_TIMESTAMP:
        PS_ASSERT(value->nanoseconds < 1000000000);
        break;
    case PS_ORC_DECIMAL:
        PS_ASSERT(ps_orc_decimal_fits(value->decimal, type->precision));
        break;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
    case PS_ORC_BINARY:
        for (uint32_t i = 0; i < value->length; i++)
            sum += (unsigned char)value->bytes[i];
        break;
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
    case PS_ORC_STRUCT:
        check_items(type, value);
        break;
    default:
        break;
    }
}

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
        check(type, &row);
    else
        PS_ASSERT(err.text[0] != '\0');
    free(body);
    return 0;
}
