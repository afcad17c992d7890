/* The help text of a command, from its rows. */
#include "commands/line/line.h"
#include "conf/command/command.h"

#include <string.h>

#define LINE_COLUMNS 110
#define HEAD_COLUMNS_MAX 30
#define HEAD_BYTES 128

/* "-n, --name FILE", "    --quiet". */
static int head_print(char head[HEAD_BYTES], const struct ps_command_row *row)
{
    const char *value = row->value != NULL ? row->value : "";
    const char *gap = row->value != NULL ? " " : "";
    if (row->name == NULL && row->letter == '\0')
        return snprintf(head, HEAD_BYTES, "%s", value);
    if (row->name == NULL)
        return snprintf(head, HEAD_BYTES, "-%c%s%s", row->letter, gap, value);
    if (row->letter == '\0')
        return snprintf(head, HEAD_BYTES, "    --%s%s%s", row->name, gap, value);
    return snprintf(head, HEAD_BYTES, "-%c, --%s%s%s", row->letter, row->name, gap, value);
}

/* Prints the text in lines that begin at column `indent`, where the cursor already is, and breaks them between
 * words. */
static void text_wrap(FILE *to, const char *text, int indent)
{
    for (int column = indent; *text != '\0';) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > LINE_COLUMNS) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(to, "%s%.*s", column > indent ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

/* "-f, --conf-file FILE": an option that `flume-ng agent` has. */
static int flume_head_print(char head[HEAD_BYTES], const struct ps_command_option *option)
{
    char letter[16] = "    ";
    if (option->shorts != NULL)
        snprintf(letter, sizeof letter, "-%s, ", option->shorts);
    return snprintf(head, HEAD_BYTES, "%s--%s%s%s", letter, option->longs, option->value != NULL ? " " : "",
                    option->value != NULL ? option->value : "");
}

static void entry_print(FILE *to, const char *head, const char *help, int columns)
{
    if ((int)strlen(head) > columns)
        fprintf(to, "  %s\n%*s", head, columns + 4, "");
    else
        fprintf(to, "  %-*s  ", columns, head);
    text_wrap(to, help, columns + 4);
}

static void row_print(FILE *to, const struct ps_command_row *row, int columns)
{
    char head[HEAD_BYTES];
    head_print(head, row);
    if (row->group != NULL)
        fprintf(to, "\n%s\n", row->group);
    entry_print(to, head, row->help, columns);
    if (row->list != NULL)
        row->list(to);
}

static int wider(int columns, int length)
{
    return length > columns && length <= HEAD_COLUMNS_MAX ? length : columns;
}

/* Returns the width of the widest head that is short enough for its help to stand beside it. */
static int columns_of(const struct ps_command_line *line)
{
    char head[HEAD_BYTES];
    struct ps_command_option option;
    int columns = 10;
    for (size_t i = 0; line->flume && ps_command_option(line->name, i, &option); i++)
        columns = wider(columns, flume_head_print(head, &option));
    for (const struct ps_command_row *row = line->rows; row->help != NULL; row++)
        if (ps_row_is_of(row, line->subcommand))
            columns = wider(columns, head_print(head, row));
    return columns;
}

void ps_command_line_usage(FILE *to, const struct ps_command_line *line)
{
    char head[HEAD_BYTES];
    struct ps_command_option option;
    int columns = columns_of(line);
    fputs(line->usage, to);
    if (line->rows[0].group == NULL)
        fputc('\n', to);
    for (size_t i = 0; line->flume && ps_command_option(line->name, i, &option); i++) {
        flume_head_print(head, &option);
        entry_print(to, head, option.help, columns);
    }
    for (const struct ps_command_row *row = line->rows; row->help != NULL; row++)
        if (ps_row_is_of(row, line->subcommand))
            row_print(to, row, columns);
    if (!line->flume)
        row_print(to, &ps_row_help, columns);
    fprintf(to, "\n%s", line->ends);
}
