/* Writes an ORC file with the rows that the readers of stages/hive make of the lines of standard input.
 *
 *   hive_rows json|text FILE COLUMNS
 *
 * COLUMNS: "id:int,tags:array<string>". json: a line is an object; text: its fields stand between bytes 1. A line that is no row is named on
 * standard error, and passed over.
 *
 * Exit code: 0, or 1 when the file cannot be written. */
#include "core/stage.h"
#include "stages/hive/json.h"
#include "stages/hive/nested.h"
#include "stages/orc/writer.h"

#include <stdlib.h>
#include <string.h>

struct file {
    struct ps_output output; /* must be first */
    FILE *file;
};

static struct ps_orc_type *type;
static struct ps_hive_rows *json;
static struct ps_hive_nested nested;
static struct ps_orc_value *fields;

static bool write_file(struct ps_output *output, const void *bytes, size_t length)
{
    return fwrite(bytes, 1, length, ((struct file *)(void *)output)->file) == length;
}

static void read_fields(char *line, size_t length, struct ps_orc_value *row)
{
    char *at = line, *end = line + length;
    ps_hive_nested_begin(&nested);
    for (uint32_t i = 0; i < type->child_count; i++) {
        char *stop = at != NULL ? memchr(at, 1, (size_t)(end - at)) : NULL;
        fields[i] = (struct ps_orc_value){.null = true};
        if (at != NULL)
            fields[i] = ps_hive_nested_read(&nested, type->children[i], at,
                                            (uint32_t)((stop != NULL ? stop : end) - at));
        at = stop != NULL ? stop + 1 : NULL;
    }
    *row = (struct ps_orc_value){.items = fields, .item_count = type->child_count};
}

static bool read_row(char *line, size_t length, struct ps_orc_value *row)
{
    struct ps_err err = {.length = 0};
    if (json == NULL) {
        read_fields(line, length, row);
        return true;
    }
    if (ps_hive_rows_read(json, line, (uint32_t)length, row, &err))
        return true;
    fprintf(stderr, "%s\n", err.text);
    return false;
}

int main(int argc, char **argv)
{
    struct ps_err err = {.length = 0};
    struct ps_slice unset = {"", 0};
    char columns[4096], *line = NULL;
    size_t room = 0;
    PS_ASSERT(argc == 4);
    snprintf(columns, sizeof(columns), "struct<%s>", argv[3]);
    struct file file = {.output = {.write = write_file}, .file = fopen(argv[2], "wb")};
    type = ps_orc_type_parse(columns, &err);
    PS_ASSERT(file.file != NULL && type != NULL);
    struct ps_orc_settings settings = ps_orc_settings_usual(type);
    struct ps_orc_writer *writer = ps_orc_writer_open(&settings, &file.output, &err);
    fields = ps_must_alloc(type->child_count, sizeof(*fields), "a row");
    ps_hive_nested_open(&nested, unset, unset);
    json = strcmp(argv[1], "json") == 0 ? ps_hive_json_open(type, &err) : NULL;
    PS_ASSERT(writer != NULL);
    for (ssize_t length; (length = getline(&line, &room, stdin)) > 0;) {
        struct ps_orc_value row;
        size_t text = (size_t)length - (line[length - 1] == '\n');
        if (read_row(line, text, &row) && !ps_orc_writer_add(writer, &row))
            return 1;
    }
    bool well = ps_orc_writer_end(writer);
    ps_orc_writer_close(writer);
    ps_hive_rows_close(json);
    ps_hive_nested_close(&nested);
    ps_orc_type_destroy(type);
    free(fields);
    free(line);
    return fclose(file.file) == 0 && well ? 0 : 1;
}
