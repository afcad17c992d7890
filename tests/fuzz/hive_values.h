/* Assertions about values of Hive's columns, for any input format. */
#pragma once

#include "stages/lib/orc/decimal.h"
#include "stages/lib/orc/type.h"
#include "stages/lib/orc/value.h"

/* Checks the ranges of numbers and how many items there are, and reads all bytes. Returns their sum. */
static uint64_t hive_value_check(const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    uint64_t sum = 0;
    if (value->null)
        return 0;
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
        PS_ASSERT(type->kind == PS_ORC_STRUCT ? value->item_count == type->child_count
                                              : value->item_count % type->child_count == 0);
        for (uint32_t i = 0; i < value->item_count; i++) {
            sum += hive_value_check(type->children[i % type->child_count], &value->items[i]);
            PS_ASSERT(type->kind != PS_ORC_MAP || i % 2 == 1 || !value->items[i].null);
        }
        break;
    default:
        break;
    }
    return sum;
}
