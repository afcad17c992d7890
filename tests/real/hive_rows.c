/* Writes a file with the rows that the readers of stages/lib/hive make of the lines of standard input.
 *
 *   hive_rows json|text orc|SERDE FILE COLUMNS [NAME=VALUE]...
 *
 * COLUMNS: "id:int,tags:array<string>". json: a line is an object; text: bytes of value 1 separate its fields. orc:
 * an ORC file; else the class of a serde, whose table has these parameters (stages/lib/hive/text). A line that is not
 * a row, or a row that cannot be a line, is printed on standard error, and skipped.
 *
 * Exit code: 0, or 1 when the file cannot be written. */
#include "core/stage.h"
#include "stages/lib/hive/json.h"
#include "stages/lib/hive/nested.h"
#include "stages/lib/hive/text/format.h"
#include "stages/lib/orc/writer.h"

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

/* Rows are written to `orc`; if that is NULL, to `lines`, in text_format. */
static struct ps_orc_writer *orc;
static struct ps_hive_text_format text_format;
static struct ps_byte_buffer lines;

static bool write_row(struct file *file, const struct ps_orc_value *row)
{
    struct ps_err err = {.length = 0};
    if (orc != NULL)
        return ps_orc_writer_add(orc, row);
    lines.length = 0;
    if (ps_hive_text_append(&text_format, type, row, &lines, &err) != PS_HIVE_LINE_WRITTEN) {
        fprintf(stderr, "%s\n", err.text);
        return true;
    }
    return write_file(&file->output, lines.data, lines.length);
}

/* Sets the format of a table with these parameters of its serde, "NAME=VALUE". */
static void open_text(const char *serde, char **parameters, int count)
{
    static const char input[] = "org.apache.hadoop.mapred.TextInputFormat";
    struct ps_hive_pair pairs[8];
    struct ps_err err = {.length = 0};
    struct ps_hive_table table = {.serde = {serde, (uint32_t)strlen(serde)},
                                  .input_format = {input, sizeof input - 1},
                                  .serde_parameters = {pairs, (size_t)count}};
    PS_ASSERT((size_t)count <= PS_COUNT_OF(pairs));
    for (int i = 0; i < count; i++) {
        uint32_t name = (uint32_t)strcspn(parameters[i], "=");
        pairs[i].name = (struct ps_slice){parameters[i], name};
        pairs[i].value =
            (struct ps_slice){parameters[i] + name + 1, (uint32_t)strlen(parameters[i] + name + 1)};
    }
    if (ps_hive_text_format_read(&table, type, &text_format, &err) != PS_OK)
        fprintf(stderr, "%s\n", ps_err_join(&err));
    PS_ASSERT(err.length == 0);
}

static void open_output(struct file *file, char **argv, int argc)
{
    struct ps_orc_settings settings = ps_orc_settings_usual(type);
    struct ps_err err = {.length = 0};
    if (strcmp(argv[2], "orc") == 0) {
        orc = ps_orc_writer_open(&settings, &file->output, &err);
        PS_ASSERT(orc != NULL);
    } else {
        open_text(argv[2], argv + 5, argc - 5);
    }
}

int main(int argc, char **argv)
{
    struct ps_err err = {.length = 0};
    struct ps_slice unset = {"", 0};
    char columns[4096], *line = NULL;
    size_t room = 0;
    PS_ASSERT(argc >= 5);
    snprintf(columns, sizeof(columns), "struct<%s>", argv[4]);
    struct file file = {.output = {.write = write_file}, .file = fopen(argv[3], "wb")};
    type = ps_orc_type_parse(columns, &err);
    PS_ASSERT(file.file != NULL && type != NULL);
    fields = ps_must_alloc(type->child_count, sizeof(*fields), "a row");
    ps_hive_nested_open(&nested, unset, unset);
    json = strcmp(argv[1], "json") == 0 ? ps_hive_json_open(type, &err) : NULL;
    open_output(&file, argv, argc);
    for (ssize_t length; (length = getline(&line, &room, stdin)) > 0;) {
        struct ps_orc_value row;
        size_t text = (size_t)length - (line[length - 1] == '\n');
        if (read_row(line, text, &row) && !write_row(&file, &row))
            return 1;
    }
    bool well = orc == NULL || ps_orc_writer_end(orc);
    ps_orc_writer_close(orc);
    ps_hive_rows_close(json);
    ps_hive_nested_close(&nested);
    ps_orc_type_destroy(type);
    free(lines.data);
    free(fields);
    free(line);
    return fclose(file.file) == 0 && well ? 0 : 1;
}
