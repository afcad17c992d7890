/* Tables with OpenX's serde (org.openx.data.jsonserde.JsonSerDe), which differs from Hive's own JSON serdes:
 *
 *   names   mapping.COLUMN = NAME is the name in the file of a column, or of a struct's field. Unless
 *           case.insensitive = false, all names in the file and keys of maps are read in lower case, and two
 *           equal ones make the row unreadable
 *   types   it cannot read decimals, binaries, or a null in a map, and it pads char; days and times depend on
 *           how it was built */
#include "stages/lib/hive/text/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAPPING "mapping."
#define CURE                                                                                                 \
    "the serde of OpenX does not read such values, or reads them differently in its versions: use "          \
    "org.apache.hadoop.hive.serde2.JsonSerDe"

/* ---- names ---- */

static void read_mappings(const struct ps_hive_pairs *parameters, struct ps_hive_text_format *format)
{
    size_t begins = strlen(MAPPING), length;
    char *text;
    FILE *out = ps_must_open_text(&text, &length, "a table of Hive");
    for (size_t i = 0; i < parameters->count; i++) {
        const struct ps_hive_pair *pair = &parameters->all[i];
        if (pair->name.length > begins && memcmp(pair->name.data, MAPPING, begins) == 0 &&
            pair->value.length > 0)
            fprintf(out, "%.*s%c%.*s%c", (int)(pair->name.length - begins), pair->name.data + begins, 0,
                    (int)pair->value.length, pair->value.data, 0);
    }
    fputc(0, out);
    fclose(out);
    format->mappings = text;
}

const char *ps_hive_openx_name(const struct ps_hive_text_format *format, const char *field)
{
    for (const char *at = format->mappings; at != NULL && *at != '\0';) {
        const char *name = at + strlen(at) + 1;
        if (strcasecmp(at, field) == 0)
            return name;
        at = name + strlen(name) + 1;
    }
    return field;
}

/* Refuses two fields with the same name in the file. */
static enum ps_status check_names(const struct ps_hive_text_format *format, const struct ps_orc_type *type,
                                  struct ps_err *err)
{
    for (uint32_t i = 0; i < type->child_count; i++) {
        const char *name = ps_hive_openx_name(format, type->names[i]);
        for (uint32_t k = 0; k < i; k++)
            if (strcasecmp(name, ps_hive_openx_name(format, type->names[k])) == 0)
                return ps_err_set(err, "%s and %s both map to the field %s of the files (%s..)",
                                  type->names[k], type->names[i], name, MAPPING);
    }
    return PS_OK;
}

/* ---- types ---- */

static bool is_sensitive(const struct ps_hive_pairs *parameters)
{
    struct ps_slice insensitive = ps_hive_pairs_find(parameters, "case.insensitive");
    return insensitive.length > 0 &&
           !(insensitive.length == 4 && strncasecmp(insensitive.data, "true", 4) == 0);
}

static enum ps_status check_type(const struct ps_hive_pairs *parameters, const struct ps_orc_type *type,
                                 const struct ps_hive_text_format *format, struct ps_err *err)
{
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
    case PS_ORC_TINYINT:
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
    case PS_ORC_STRING:
    case PS_ORC_ARRAY:
        break;
    case PS_ORC_STRUCT:
        if (check_names(format, type, err) != PS_OK)
            return PS_FAIL;
        break;
    case PS_ORC_MAP:
        if (type->children[0]->kind != PS_ORC_STRING)
            return ps_err_set(err, "it has a map whose keys are not strings: %s", CURE);
        if (!is_sensitive(parameters))
            return ps_err_set(err, "it has a map, whose keys the serde of OpenX reads in lower case: set its "
                                   "property 'case.insensitive' = 'false'");
        break;
    default:
        return ps_err_set(err, "%s", CURE);
    }
    for (uint32_t i = 0; i < type->child_count; i++)
        if (check_type(parameters, type->children[i], format, err) != PS_OK)
            return PS_FAIL;
    return PS_OK;
}

enum ps_status ps_hive_openx_read(const struct ps_hive_pairs *parameters, const struct ps_orc_type *row_type,
                                  struct ps_hive_text_format *format, struct ps_err *err)
{
    read_mappings(parameters, format);
    enum ps_status status = check_names(format, row_type, err);
    for (uint32_t i = 0; i < row_type->child_count && status == PS_OK; i++)
        if (check_type(parameters, row_type->children[i], format, err) != PS_OK)
            status = ps_err_append(err, "column %s", row_type->names[i]);
    if (status != PS_OK)
        ps_hive_text_format_free(format);
    return status;
}
