#include "stages/lib/hive/nested.h"

#include "core/text/base64.h"
#include "stages/lib/hive/field.h"
#include "stages/lib/hive/map_items.h"
#include "stages/lib/random.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 4U /* of a signed byte */

static const struct ps_orc_value null_value = {.null = true};

char ps_hive_separator(struct ps_slice text, char usual)
{
    char digits[DIGITS_MAX + 1], *end;
    if (text.length == 0)
        return usual;
    if (text.length <= DIGITS_MAX) {
        memcpy(digits, text.data, text.length);
        digits[text.length] = '\0';
        long number = strtol(digits, &end, 10);
        bool has_blank = digits[0] <= ' '; /* strtol would skip a blank */
        if (end != digits && *end == '\0' && !has_blank && number >= INT8_MIN && number <= INT8_MAX)
            return (char)number;
    }
    return text.data[0];
}

void ps_hive_separators(char separators[PS_HIVE_SEPARATORS], struct ps_slice field,
                        struct ps_slice collection, struct ps_slice map_key)
{
    for (unsigned i = 0; i < PS_HIVE_SEPARATORS; i++)
        separators[i] = (char)(i + 1);
    separators[0] = ps_hive_separator(field, '\1');
    separators[1] = ps_hive_separator(collection, '\2');
    separators[2] = ps_hive_separator(map_key, '\3');
}

void ps_hive_nested_open(struct ps_hive_nested *nested, struct ps_slice collection, struct ps_slice map_key)
{
    struct ps_random random;
    ps_random_init(&random);
    *nested = (struct ps_hive_nested){.seed = ps_random_next(&random)};
    ps_hive_separators(nested->separators, (struct ps_slice){0}, collection, map_key);
}

void ps_hive_nested_close(struct ps_hive_nested *nested)
{
    ps_hive_row_memory_free(&nested->memory);
}

void ps_hive_nested_begin(struct ps_hive_nested *nested)
{
    ps_hive_row_memory_clear(&nested->memory);
}

static bool is_nested(const struct ps_orc_type *type)
{
    return type->kind == PS_ORC_ARRAY || type->kind == PS_ORC_MAP || type->kind == PS_ORC_STRUCT;
}

/* Returns the number of separators that a level of this type uses. */
static unsigned levels_of(const struct ps_orc_type *type)
{
    return type->kind == PS_ORC_MAP ? 2 : is_nested(type) ? 1 : 0;
}

static enum ps_status check_level(const struct ps_orc_type *type, unsigned level, struct ps_err *err)
{
    if (type->kind == PS_ORC_MAP && is_nested(type->children[0]))
        return ps_err_set(err, "the column has a map whose keys are not plain values");
    level += levels_of(type);
    if (level > PS_HIVE_SEPARATORS)
        return ps_err_set(err, "the column has more levels than delimited text has separators for (%u)",
                          PS_HIVE_SEPARATORS - 1);
    for (uint32_t i = 0; i < type->child_count; i++)
        if (check_level(type->children[i], level, err) != PS_OK)
            return PS_FAIL;
    return PS_OK;
}

enum ps_status ps_hive_nested_check(const struct ps_orc_type *type, struct ps_err *err)
{
    return check_level(type, 1, err);
}

/* ---- values ---- */

static struct ps_orc_value read_level(struct ps_hive_nested *nested, const struct ps_orc_type *type,
                                      struct ps_slice text, unsigned level);

/* Moves the part before the separator from *text to *part. Returns whether there was a separator; otherwise moves the
 * whole text. */
static bool take_part(struct ps_slice *text, char separator, struct ps_slice *part)
{
    const char *found = text->length > 0 ? memchr(text->data, separator, text->length) : NULL;
    *part = *text;
    if (found == NULL) {
        *text = (struct ps_slice){text->data + text->length, 0};
        return false;
    }
    part->length = (uint32_t)(found - text->data);
    *text = (struct ps_slice){found + 1, text->length - part->length - 1};
    return true;
}

static struct ps_orc_value read_array(struct ps_hive_nested *nested, const struct ps_orc_type *type,
                                      struct ps_slice text, unsigned level)
{
    size_t begin = ps_hive_row_items_begin(&nested->memory);
    bool more = text.length > 0;
    while (more) {
        struct ps_slice part;
        more = take_part(&text, nested->separators[level], &part);
        struct ps_orc_value item = read_level(nested, type->children[0], part, level + 1);
        ps_hive_row_items_add(&nested->memory, &item);
    }
    return ps_hive_row_items_end(&nested->memory, begin);
}

static struct ps_orc_value read_map(struct ps_hive_nested *nested, const struct ps_orc_type *type,
                                    struct ps_slice text, unsigned level)
{
    size_t begin = ps_hive_row_items_begin(&nested->memory);
    bool more = text.length > 0;
    while (more) {
        struct ps_slice pair, name;
        more = take_part(&text, nested->separators[level], &pair);
        bool has_value = take_part(&pair, nested->separators[level + 1], &name);
        struct ps_orc_value key = read_level(nested, type->children[0], name, level + 2);
        if (key.null)
            continue;
        struct ps_orc_value item =
            has_value ? read_level(nested, type->children[1], pair, level + 2) : null_value;
        ps_hive_row_items_add(&nested->memory, &key);
        ps_hive_row_items_add(&nested->memory, &item);
    }
    return ps_hive_map_items_end(&nested->memory, begin, type->children[0], PS_HIVE_FIRST_KEY, nested->seed);
}

static struct ps_orc_value read_struct(struct ps_hive_nested *nested, const struct ps_orc_type *type,
                                       struct ps_slice text, unsigned level)
{
    struct ps_orc_value *items = ps_hive_row_memory_take(&nested->memory, type->child_count * sizeof(*items));
    bool more = true;
    if (items == NULL)
        return null_value;
    for (uint32_t i = 0; i < type->child_count; i++) {
        struct ps_slice part;
        items[i] = null_value;
        if (!more)
            continue;
        more = take_part(&text, nested->separators[level], &part);
        items[i] = read_level(nested, type->children[i], part, level + 1);
    }
    return (struct ps_orc_value){.items = items, .item_count = type->child_count};
}

/* Decodes Base64; any other text is used as it is, like in LazyBinary. */
static struct ps_orc_value read_binary(struct ps_hive_nested *nested, struct ps_slice text)
{
    size_t decoded = 0;
    char *bytes = ps_hive_row_memory_take(&nested->memory, text.length / 4 * 3 + 3U);
    if (bytes == NULL)
        return null_value;
    if (!ps_base64_decode(text.data, text.length, bytes, &decoded))
        return (struct ps_orc_value){.bytes = text.data, .length = text.length};
    return (struct ps_orc_value){.bytes = bytes, .length = (uint32_t)decoded};
}

static struct ps_orc_value read_level(struct ps_hive_nested *nested, const struct ps_orc_type *type,
                                      struct ps_slice text, unsigned level)
{
    if (!is_nested(type) && type->kind != PS_ORC_BINARY)
        return ps_hive_field_read(type, text.data, text.length);
    if (text.length == 2 && memcmp(text.data, "\\N", 2) == 0)
        return null_value;
    switch (type->kind) {
    case PS_ORC_ARRAY:
        return read_array(nested, type, text, level);
    case PS_ORC_MAP:
        return read_map(nested, type, text, level);
    case PS_ORC_STRUCT:
        return read_struct(nested, type, text, level);
    default:
        return read_binary(nested, text);
    }
}

struct ps_orc_value ps_hive_nested_read(struct ps_hive_nested *nested, const struct ps_orc_type *type,
                                        const char *text, uint32_t length)
{
    return read_level(nested, type, (struct ps_slice){text, length}, 1);
}
