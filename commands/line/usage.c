/* The help text of a command, from its rows. */
#include "commands/line/line.h"

#include <string.h>

#define LINE_COLUMNS 110
#define HEAD_COLUMNS_MAX 34
#define HEAD_BYTES 128

/* "-n, --name FILE", "    --quiet". */
static int head_print(char head[HEAD_BYTES], const struct ps_command_row *row, bool letters)
{
    const char *value = row->value != NULL ? row->value : "";
    const char *gap = row->value != NULL ? " " : "";
    if (row->name == NULL && row->letter == '\0')
        return snprintf(head, HEAD_BYTES, "%s", value);
    if (row->name == NULL)
        return snprintf(head, HEAD_BYTES, "-%c%s%s", row->letter, gap, value);
    if (row->letter == '\0')
        return snprintf(head, HEAD_BYTES, "%s--%s%s%s", letters ? "    " : "", row->name, gap, value);
    return snprintf(head, HEAD_BYTES, "-%c, --%s%s%s", row->letter, row->name, gap, value);
}

/* Prints the text from column `indent` on, where the cursor is, and breaks lines between words. */
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

static void row_print(FILE *to, const struct ps_command_row *row, bool letters, int columns)
{
    char head[HEAD_BYTES];
    int length = head_print(head, row, letters);
    if (row->group != NULL)
        fprintf(to, "\n%s\n", row->group);
    if (length > columns)
        fprintf(to, "  %s\n%*s", head, columns + 4, "");
    else
        fprintf(to, "  %-*s  ", columns, head);
    text_wrap(to, row->help, columns + 4);
    if (row->list != NULL)
        row->list(to);
}

void ps_command_line_usage(FILE *to, const struct ps_command_line *line)
{
    char head[HEAD_BYTES];
    int columns = 10;
    fputs(line->usage, to);
    for (const struct ps_command_row *row = line->rows; row->help != NULL; row++) {
        int length = ps_row_is_of(row, line->subcommand) ? head_print(head, row, true) : 0;
        if (length > columns && length <= HEAD_COLUMNS_MAX)
            columns = length;
    }
    if (line->rows[0].group == NULL)
        fputc('\n', to);
    for (const struct ps_command_row *row = line->rows; row->help != NULL; row++)
        if (ps_row_is_of(row, line->subcommand))
            row_print(to, row, true, columns);
    row_print(to, &ps_row_help, true, columns);
    fprintf(to, "\n%s", line->ends);
}
