/* `penstock completion SHELL`: collects commands, options and component types from the tables that the program itself
 * uses, and prints the completion script of a shell. */
#include "commands/completion/completion.h"

#include "bench/load/content/content.h"
#include "bench/load/shape/shape.h"
#include "bench/load/target/target.h"
#include "bench/verify/far/end.h"
#include "conf/command/monitoring.h"
#include "conf/text.h"
#include "conf/validate/types.h"
#include "commands/commands.h"
#include "commands/components/components.h"
#include "commands/line/line.h"
#include "commands/rules/rules.h"
#include "core/text/nearest.h"
#include "stages/table.h"

#include <string.h>

static const struct ps_command_row rows[] = {{.help = NULL}};

const struct ps_command_line ps_line_completion = {
    .name = "completion",
    .usage =
        "Usage: penstock completion bash|zsh|fish\n"
        "Prints the completion script of a shell: commands, their options, component types, the agents of a "
        "file.\n"
        "`cmake --install` puts the scripts where the shells look below the same prefix\n"
        "(share/bash-completion/completions, share/zsh/site-functions, share/fish/vendor_completions.d).\n",
    .rows = rows,
    .ends = "Examples:\n"
            "  source <(penstock completion bash)                                    # this shell\n"
            "  penstock completion bash > ~/.local/share/bash-completion/completions/penstock\n"
            "  penstock completion zsh > \"${fpath[1]}/_penstock\"\n"
            "  penstock completion fish > ~/.config/fish/completions/penstock.fish\n",
    .operand = "bash|zsh|fish",
};

static const struct shell {
    const char *name;
    void (*write)(FILE *to, const struct completion *completion);
} shells[] = {{"bash", ps_completion_bash}, {"zsh", ps_completion_zsh}, {"fish", ps_completion_fish}};

/* ---- words ---- */

/* Words that are not there yet. */
struct words {
    struct ps_arena *arena;
    struct ps_texts texts;
};

static void word_add(struct words *words, const char *word)
{
    if (!ps_texts_have(&words->texts, word))
        ps_texts_add(words->arena, &words->texts, word);
}

static void add_formats(struct words *words)
{
    for (const struct ps_content_format *format = ps_content_formats; format->name != NULL; format++)
        word_add(words, format->name);
}

static void add_shapes(struct words *words)
{
    for (const struct ps_shape_form *form = ps_shape_forms; form->name != NULL; form++)
        word_add(words, form->name);
}

static void add_targets(struct words *words)
{
    for (const struct ps_target_ops *const *target = ps_targets; *target != NULL; target++)
        word_add(words, ps_arena_format(words->arena, "%s:", (*target)->scheme));
}

static void add_far_ends(struct words *words)
{
    for (const struct ps_far_end_ops *const *far = ps_far_ends; *far != NULL; far++)
        word_add(words, ps_arena_format(words->arena, "%s:", (*far)->scheme));
}

static void add_goals(struct words *words)
{
    word_add(words, "ndr");
    word_add(words, "pdr=");
}

static void add_components(struct words *words)
{
    for (size_t i = 0; i < PS_COMPONENTS_CHAPTERS; i++)
        word_add(words, ps_kind_word(ps_components_chapters[i].kind));
    for (const struct ps_stage_ops *const *stage = ps_stages; *stage != NULL; stage++)
        word_add(words, (*stage)->name);
}

static void add_commands(struct words *words)
{
    for (const struct ps_subcommand *command = ps_subcommands; command->name != NULL; command++)
        word_add(words, command->name);
}

static void add_rules_commands(struct words *words)
{
    for (size_t i = 0; ps_rules_line(i) != NULL; i++)
        word_add(words, ps_rules_line(i)->subcommand);
}

/* ---- values ---- */

/* Returns the kind of words that the shell proposes for an option's value or an operand; `value` is its name in
 * the help text. */
static struct completion_value proposed(struct ps_arena *arena, const char *value, enum ps_proposal proposal)
{
    static const struct {
        void (*add)(struct words *words);
        bool open;
    } lists[] = {
        [PS_PROPOSE_FORMATS] = {add_formats, false}, [PS_PROPOSE_SHAPES] = {add_shapes, true},
        [PS_PROPOSE_TARGETS] = {add_targets, true},  [PS_PROPOSE_FAR_ENDS] = {add_far_ends, true},
        [PS_PROPOSE_GOALS] = {add_goals, true},      [PS_PROPOSE_COMPONENTS] = {add_components, false}};
    struct words words = {.arena = arena};
    if (proposal != PS_PROPOSE_BY_VALUE) {
        lists[proposal].add(&words);
        return (struct completion_value){COMPLETION_WORDS, words.texts, lists[proposal].open};
    }
    if (value == NULL)
        return (struct completion_value){.kind = COMPLETION_NONE};
    if (strcmp(value, "FILE") == 0)
        return (struct completion_value){.kind = COMPLETION_FILE};
    if (strcmp(value, "DIRECTORY") == 0)
        return (struct completion_value){.kind = COMPLETION_DIRECTORY};
    if (strcmp(value, "AGENT") == 0)
        return (struct completion_value){.kind = COMPLETION_AGENT};
    if (strchr(value, '|') == NULL)
        return (struct completion_value){.kind = COMPLETION_NONE};
    char *copy = ps_arena_copy(arena, value, strlen(value));
    for (const char *word; (word = strsep(&copy, "|")) != NULL;)
        word_add(&words, word);
    return (struct completion_value){COMPLETION_WORDS, words.texts, false};
}

/* ---- commands ---- */

static void option_add(struct completion *completion, struct completion_command *command,
                       struct ps_command_option option, struct completion_value value)
{
    command->options =
        ps_arena_grow(completion->arena, command->options, command->option_count, sizeof *command->options);
    command->options[command->option_count++] = (struct completion_option){.option = option, .value = value};
}

static void row_add(struct completion *completion, struct completion_command *command,
                    const struct ps_command_row *row)
{
    struct ps_command_option option = {
        .shorts = row->letter != '\0' ? ps_arena_format(completion->arena, "%c", row->letter) : NULL,
        .longs = row->name,
        .value = row->value};
    option_add(completion, command, option, proposed(completion->arena, row->value, row->proposes));
}

/* Adds the options of the rows, and --help. */
static void add_rows(struct completion *completion, struct completion_command *command,
                     const struct ps_command_line *line)
{
    for (const struct ps_command_row *row = line->rows; row->help != NULL; row++)
        if (row->kind != PS_ROW_IS_NOTE && ps_row_is_of(row, line->subcommand))
            row_add(completion, command, row);
    if (!line->flume)
        row_add(completion, command, &ps_row_help);
}

static struct completion_command *command_add(struct completion *completion, const char *name,
                                              const char *summary, struct completion_value operand)
{
    completion->commands = ps_arena_grow(completion->arena, completion->commands, completion->count,
                                         sizeof *completion->commands);
    struct completion_command *items = &completion->commands[completion->count++];
    *items = (struct completion_command){.name = name, .summary = summary, .operand = operand};
    return items;
}

static void add_properties(struct completion *completion)
{
    struct words words = {.arena = completion->arena};
    for (size_t i = 0; ps_conf_property_names[i] != NULL; i++)
        word_add(&words, ps_arena_format(words.arena, "-D%s=", ps_conf_property_names[i]));
    completion->properties = words.texts;
}

/* Adds a command with its options; `line` NULL: the command has no options. */
static void add_command(struct completion *completion, const char *name, const char *summary,
                        const struct ps_command_line *line)
{
    const struct completion_value nothing = {.kind = COMPLETION_NONE};
    struct completion_command *command = command_add(
        completion, name, summary,
        line != NULL ? proposed(completion->arena, line->operand, line->operand_proposes) : nothing);
    struct ps_command_option option;
    if (line == NULL)
        return;
    command->properties = line->flume;
    for (size_t i = 0; line->flume && ps_command_option(name, i, &option); i++)
        option_add(completion, command, option,
                   proposed(completion->arena, option.value, PS_PROPOSE_BY_VALUE));
    add_rows(completion, command, line);
}

/* Returns the words that a table has. */
static struct completion_value words_of(struct ps_arena *arena, void (*add)(struct words *words))
{
    struct words words = {.arena = arena};
    add(&words);
    return (struct completion_value){COMPLETION_WORDS, words.texts, false};
}

static void collect(struct completion *completion)
{
    add_properties(completion);
    for (const struct ps_subcommand *subcommand = ps_subcommands; subcommand->name != NULL; subcommand++)
        if (strcmp(subcommand->name, "rules") == 0)
            command_add(completion, "rules", subcommand->summary,
                        words_of(completion->arena, add_rules_commands));
        else
            add_command(completion, subcommand->name, subcommand->summary, subcommand->line);
    for (size_t i = 0; ps_rules_line(i) != NULL; i++)
        add_command(completion, ps_rules_line(i)->name, NULL, ps_rules_line(i));
    command_add(completion, "help", "the help of a command", words_of(completion->arena, add_commands));
}

int ps_main_completion(int argc, char **argv)
{
    struct completion completion = {.arena = NULL};
    int operands, code = ps_command_line_parse(&ps_line_completion, &completion, argc, argv, &operands);
    if (code >= 0)
        return code;
    if (operands != 1) {
        fprintf(stderr, "penstock completion: %s\n",
                operands == 0 ? "name a shell: bash, zsh or fish" : "one shell at a time");
        return 2;
    }
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, argv[1]);
    for (size_t i = 0; i < PS_COUNT_OF(shells); i++) {
        ps_nearest_offer(&nearest, shells[i].name);
        if (strcmp(argv[1], shells[i].name) != 0)
            continue;
        completion.arena = ps_arena_create();
        collect(&completion);
        shells[i].write(stdout, &completion);
        ps_arena_destroy(completion.arena);
        return 0;
    }
    fprintf(stderr, "penstock completion: there is no script for `%s`%s%s; bash, zsh and fish have one\n",
            argv[1], nearest.word != NULL ? "; did you mean " : "", nearest.word != NULL ? nearest.word : "");
    return 2;
}
