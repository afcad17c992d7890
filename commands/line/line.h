/* The command line of a command: one table of rows gives the parser, the help text, the shell completion and the list
 * of options in the manual page. Used by commands/ only. Thread: main. */
#pragma once

#include "core/option.h"
#include "core/status.h"

#include <stdio.h>

struct ps_command_row;
/* Stores the value of an option, of PS_ROW_TAKE; `text` is NULL when the row takes no value. */
typedef enum ps_status ps_row_take(void *target, const struct ps_command_row *row, const char *text,
                                   struct ps_err *err);

/* A row stores a value of this type at its offset in the target. `min` and `max` bound the value; a `max` of 0 means no
 * bound. */
enum ps_row_kind {
    PS_ROW_IS_FLAG,     /* bool: true; without a value */
    PS_ROW_IS_TEXT,     /* const char * */
    PS_ROW_IS_WORD,     /* const char *: one of the words of the row's value, "spin|sleep" */
    PS_ROW_IS_COUNT,    /* uint64_t */
    PS_ROW_IS_COUNT32,  /* uint32_t */
    PS_ROW_IS_DURATION, /* uint64_t: nanoseconds, also the bounds */
    PS_ROW_IS_SECONDS,  /* double: seconds; bounds in nanoseconds */
    PS_ROW_IS_BYTES,    /* uint64_t */
    PS_ROW_IS_RATE,     /* double: events/s */
    PS_ROW_IS_SHARE,    /* double: 0.001 for "0.1%" */
    PS_ROW_IS_TAKE,     /* stored by the row's function */
    PS_ROW_IS_IGNORED,  /* nothing: accepted because Flume has the option */
    PS_ROW_IS_NOTE,     /* not an option: `value` and `help` are a line of the help text */
};

/* Kind and offset of a row, with a check of the member's type. PS_ROW_TARGET, which is defined before the rows, is
 * the type of the target. */
#define PS_ROW_AT(kind, type, member)                                                                        \
    kind, offsetof(PS_ROW_TARGET, member) + 0 * sizeof(_Generic(&((PS_ROW_TARGET *)0)->member, type * : 0))
#define PS_ROW_FLAG(member) PS_ROW_AT(PS_ROW_IS_FLAG, bool, member)
#define PS_ROW_TEXT(member) PS_ROW_AT(PS_ROW_IS_TEXT, const char *, member)
#define PS_ROW_WORD(member) PS_ROW_AT(PS_ROW_IS_WORD, const char *, member)
#define PS_ROW_COUNT(member) PS_ROW_AT(PS_ROW_IS_COUNT, uint64_t, member)
#define PS_ROW_COUNT32(member) PS_ROW_AT(PS_ROW_IS_COUNT32, uint32_t, member)
#define PS_ROW_DURATION(member) PS_ROW_AT(PS_ROW_IS_DURATION, uint64_t, member)
#define PS_ROW_SECONDS(member) PS_ROW_AT(PS_ROW_IS_SECONDS, double, member)
#define PS_ROW_BYTES(member) PS_ROW_AT(PS_ROW_IS_BYTES, uint64_t, member)
#define PS_ROW_RATE(member) PS_ROW_AT(PS_ROW_IS_RATE, double, member)
#define PS_ROW_SHARE(member) PS_ROW_AT(PS_ROW_IS_SHARE, double, member)
#define PS_ROW_TAKE(function) PS_ROW_IS_TAKE, .take = function
#define PS_ROW_IGNORED PS_ROW_IS_IGNORED
#define PS_ROW_NOTE PS_ROW_IS_NOTE

/* The shell proposes these words for a value or an operand. */
enum ps_proposal {
    PS_PROPOSE_BY_VALUE, /* FILE: files, DIRECTORY or DIR: directories, AGENT: agents of the files of -f, a|b: the words */
    PS_PROPOSE_FORMATS,
    PS_PROPOSE_SHAPES,
    PS_PROPOSE_TARGETS,
    PS_PROPOSE_FAR_ENDS,
    PS_PROPOSE_GOALS,
    PS_PROPOSE_COMPONENTS,
};

struct ps_command_row {
    const char *name;  /* long name without dashes; NULL: none */
    const char letter; /* '\0': none */
    const char *value; /* the help's name of the value: "FILE"; NULL: the option takes no value */
    enum ps_row_kind kind;
    size_t offset;
    /* one text without newlines: lines are broken when it is printed. NULL ends the table */
    const char *help;
    uint64_t min, max;
    ps_row_take *take;
    const char *group; /* heading of this row and the rows after it; NULL: the heading of the row before */
    const char *only;  /* subcommands that take the option, separated by blanks; NULL: all */
    enum ps_proposal proposes; /* what the shell proposes for the value */
    void (*list)(FILE *to);    /* prints further lines after the row's help; NULL: there are none */
};

struct ps_command_line {
    const char *name;  /* for messages: "rules check" */
    const char *usage; /* begins the help: the forms of the command, and what it does */
    const struct ps_command_row *rows;
    const char *ends;    /* ends the help: exit status, examples */
    const char *operand; /* the operand's name, like `value` of a row; NULL: the shell proposes nothing */
    enum ps_proposal operand_proposes;
    /* only this subcommand's rows are known; NULL: the first operand is the subcommand */
    const char *subcommand;
    bool flume; /* the command also takes the options of `flume-ng agent` (conf/command/command.h) */
};

/* Stores the options in the target. Moves the operands to argv[1] and so on, and sets their number. Options
 * may be anywhere before "--"; long names may be shortened, letters joined, as getopt_long allows. Stops at
 * --help and sets `help`. */
enum ps_status ps_command_line_read(const struct ps_command_line *line, void *target, int argc, char **argv,
                                    int *operand_count, bool *help, struct ps_err *err);

/* Reads the command line as ps_command_line_read, and prints the help or the error. Returns -1 to continue, else the
 * exit code: 0 after --help, 2 after an error. */
int ps_command_line_parse(const struct ps_command_line *line, void *target, int argc, char **argv,
                          int *operand_count);

/* Returns whether the row is an option of the subcommand. NULL: of any subcommand. */
bool ps_row_is_of(const struct ps_command_row *row, const char *subcommand);

/* "-h, --help", which every command has. */
extern const struct ps_command_row ps_row_help;

/* Prints the help text. */
void ps_command_line_usage(FILE *to, const struct ps_command_line *line);

/* Prints that this operand is superfluous, and returns 2. */
int ps_command_line_unexpected(const struct ps_command_line *line, const char *operand);

/* Prints the list of options for the manual page, in mdoc. */
void ps_command_line_man(FILE *to, const struct ps_command_line *line);

/* Prints "penstock NAME: there is no WHAT `word`; did you mean `...`?" and returns 2. `words` ends with NULL. */
int ps_command_line_unknown(const char *name, const char *what, const char *word, const char *const *words);
