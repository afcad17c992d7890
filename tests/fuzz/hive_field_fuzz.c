/* Fields of delimited text as values of a table's columns: any bytes. Nothing is read outside them, values stay within the ranges of their types,
 * and blanks around a number change nothing where they are allowed. Input: the type (1 byte), then the text. */
#include "stages/lib/hive/field.h"
#include "tests/fuzz/hive_values.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ps_orc_type types[] = {
    {.kind = PS_ORC_BOOLEAN},
    {.kind = PS_ORC_TINYINT},
    {.kind = PS_ORC_SMALLINT},
    {.kind = PS_ORC_INT},
    {.kind = PS_ORC_BIGINT},
    {.kind = PS_ORC_FLOAT},
    {.kind = PS_ORC_DOUBLE},
    {.kind = PS_ORC_STRING},
    {.kind = PS_ORC_VARCHAR, .maximum_length = 3},
    {.kind = PS_ORC_DATE},
    {.kind = PS_ORC_TIMESTAMP},
    {.kind = PS_ORC_DECIMAL, .precision = 38, .scale = 38},
    {.kind = PS_ORC_DECIMAL, .precision = 38, .scale = 0},
    {.kind = PS_ORC_DECIMAL, .precision = 5, .scale = 2},
};

static uint64_t sum; /* of all bytes of strings, so that they are read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096)
        return 0;
    const struct ps_orc_type *type = &types[data[0] % PS_COUNT_OF(types)];
    char *text = malloc(size); /* just as long as the text with a blank, so that a byte too many is seen */
    PS_ASSERT(text != NULL);
    memcpy(text, data + 1, size - 1);
    struct ps_orc_value value = ps_hive_field_read(type, text, (uint32_t)(size - 1));
    sum += hive_value_check(type, &value);
    if (type->kind == PS_ORC_DECIMAL || type->kind == PS_ORC_TIMESTAMP) {
        text[size - 1] = ' ';
        struct ps_orc_value again = ps_hive_field_read(type, text, (uint32_t)size);
        PS_ASSERT((size == 3 && memcmp(text, "\\N", 2) == 0) || again.null == value.null);
        PS_ASSERT(value.null || type->kind != PS_ORC_DECIMAL || again.decimal == value.decimal);
    }
    free(text);
    return 0;
}
