/* Fields of delimited text for nested and binary columns: any bytes. Nothing is read outside them, values stay within the ranges of their types,
 * and separators that are not in the text do not change its value. Input: the type (1 byte), then the text. */
#include "core/stage.h"
#include "stages/lib/hive/nested.h"
#include "tests/fuzz/hive_values.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {
    "binary",
    "array<string>",
    "array<array<int>>",
    "map<string,binary>",
    "map<int,map<double,array<boolean>>>",
    "struct<x:int,y:struct<u:date,v:array<decimal(5,2)>>,z:string>",
    "map<timestamp,struct<x:string>>",
    "array<array<array<array<array<array<array<tinyint>>>>>>>",
};

static uint64_t sum; /* of all bytes, so that they are read */

static uint64_t read_text(struct ps_hive_nested *nested, const struct ps_orc_type *type, const char *text,
                          size_t length)
{
    ps_hive_nested_begin(nested);
    struct ps_orc_value value = ps_hive_nested_read(nested, type, text, (uint32_t)length);
    PS_ASSERT(!nested->memory.failed);
    return hive_value_check(type, &value) * 2 + value.null;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_orc_type *types[PS_COUNT_OF(texts)];
    static struct ps_hive_nested usual, own;
    struct ps_err err;
    if (size == 0 || size > 65536)
        return 0;
    if (types[0] == NULL) {
        for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
            types[i] = ps_orc_type_parse(texts[i], &err);
            PS_ASSERT(types[i] != NULL && ps_hive_nested_check(types[i], &err) == PS_OK);
        }
        ps_hive_nested_open(&usual, (struct ps_slice){"", 0}, (struct ps_slice){"", 0});
        ps_hive_nested_open(&own, (struct ps_slice){"3", 1}, (struct ps_slice){"2", 1});
    }
    const struct ps_orc_type *type = types[data[0] % PS_COUNT_OF(texts)];
    char *text = malloc(size); /* just as long as the text */
    PS_ASSERT(text != NULL);
    memcpy(text, data + 1, size - 1);
    text = realloc(text, size > 1 ? size - 1 : 1);
    PS_ASSERT(text != NULL);
    uint64_t found = read_text(&usual, type, text, size - 1);
    sum += found;
    if (memchr(data + 1, 2, size - 1) == NULL && memchr(data + 1, 3, size - 1) == NULL)
        PS_ASSERT(read_text(&own, type, text, size - 1) == found);
    free(text);
    return 0;
}
