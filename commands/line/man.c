/* The list of options in a manual page, in mdoc, from the rows. */
#include "commands/line/line.h"
#include "conf/command/command.h"

#include <ctype.h>
#include <string.h>

/* Prints a text with one line for each sentence, and escapes signs that mdoc would take for requests. */
static void text_print(FILE *to, const char *text)
{
    bool begins = true;
    for (const char *at = text; *at != '\0'; at++) {
        if (begins && (*at == '.' || *at == '\''))
            fputs("\\&", to);
        begins = *at == '.' && at[1] == ' ' && isupper((unsigned char)at[2]);
        if (*at == '\\')
            fputs("\\e", to);
        else
            fputc(*at, to);
        if (begins) {
            fputc('\n', to);
            at++;
        }
    }
    fputc('\n', to);
}

static void item_print(FILE *to, const char *letter, const char *name, const char *value, const char *text)
{
    fputs(".It", to);
    if (letter != NULL)
        fprintf(to, " Fl %s", letter);
    if (name != NULL)
        fprintf(to, "%s%s", letter != NULL ? " , -" : " Fl -", name);
    if (value != NULL)
        fprintf(to, " Ar \"%s\"", value);
    fputc('\n', to);
    text_print(to, text);
}

static void row_print(FILE *to, const struct ps_command_row *row)
{
    const char letter[] = {row->letter, '\0'};
    if (row->kind == PS_ROW_IS_NOTE) {
        fprintf(to, ".It Ql \"%s\"\n", row->value + strspn(row->value, " "));
        text_print(to, row->help);
    } else {
        item_print(to, row->letter != '\0' ? letter : NULL, row->name, row->value, row->help);
    }
    if (row->list != NULL)
        fputs("The help lists them.\n", to);
}

void ps_command_line_man(FILE *to, const struct ps_command_line *line)
{
    struct ps_command_option option;
    bool begun = false;
    fputs(".Bl -tag -width Ds\n", to);
    for (size_t i = 0; line->flume && ps_command_option(line->name, i, &option); i++, begun = true)
        item_print(to, option.shorts, option.longs, option.value, option.help);
    for (const struct ps_command_row *row = line->rows; row->help != NULL; row++) {
        if (!ps_row_is_of(row, line->subcommand))
            continue;
        if (row->group != NULL && begun)
            fprintf(to, ".El\n.Pp\n%s:\n.Bl -tag -width Ds\n", row->group);
        row_print(to, row);
        begun = true;
    }
    if (!line->flume)
        row_print(to, &ps_row_help);
    fputs(".El\n", to);
}
