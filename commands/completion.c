/* `penstock completion SHELL`: collects commands, options and component types from the tables that the program itself
 * uses, and prints the completion script of a shell. */
#include "commands/completion.h"

#include "bench/load/content/content.h"
#include "bench/load/shape/shape.h"
#include "bench/load/target/target.h"
#include "bench/verify/far/end.h"
#include "conf/command/monitoring.h"
#include "conf/text.h"
#include "conf/validate/types.h"
#include "commands/commands.h"
#include "commands/components.h"
#include "commands/line/line.h"
#include "commands/rules/rules.h"
#include "core/nearest.h"
#include "stages/table.h"

#include <getopt.h>
#include <string.h>

static const char usage[] =
    "Usage: penstock completion bash|zsh|fish\n"
    "Prints the completion script of a shell: commands, their options, component types, the agents of a "
    "file.\n"
    "`cmake --install` puts the scripts where the shells look below the same prefix\n"
    "(share/bash-completion/completions, share/zsh/site-functions, share/fish/vendor_completions.d).\n"
    "\n"
    "  -h, --help    this text\n"
    "\n"
    "Examples:\n"
    "  source <(penstock completion bash)                                    # this shell\n"
    "  penstock completion bash > ~/.local/share/bash-completion/completions/penstock\n"
    "  penstock completion zsh > \"${fpath[1]}/_penstock\"\n"
    "  penstock completion fish > ~/.config/fish/completions/penstock.fish\n";

static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
const struct ps_command_options ps_options_completion = {options, "h", false};

static const struct shell {
    const char *name;
    void (*write)(FILE *to, const struct completion *completion);
} shells[] = {{"bash", ps_completion_bash}, {"zsh", ps_completion_zsh}, {"fish", ps_completion_fish}};

/* ---- words ---- */

struct words {
    struct ps_arena *arena;
    const char **items;
    size_t count;
};

static void word_add(struct words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], word) == 0)
            return;
    const char **items = ps_arena_alloc(words->arena, (words->count + 1) * sizeof *items);
    if (words->count > 0)
        memcpy(items, words->items, words->count * sizeof *items);
    items[words->count++] = word;
    words->items = items;
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

static void add_shells(struct words *words)
{
    for (size_t i = 0; i < PS_COUNT_OF(shells); i++)
        word_add(words, shells[i].name);
}

static void add_rules_commands(struct words *words)
{
    for (size_t i = 0; ps_rules_subcommand(i) != NULL; i++)
        word_add(words, ps_rules_subcommand(i));
}

/* ---- values ---- */

/* The kinds of option values and operands. This is the only hand-written list here;
 * tests/e2e/completion_test.sh finds rows that match nothing. The first row that matches counts. */
static const struct hint {
    const char *command; /* NULL: any */
    const char *option;  /* long name, or letter without one; "": the operand */
    enum completion_kind kind;
    void (*add)(struct words *words); /* WORDS of a table */
    const char *words;                /* WORDS, separated by blanks */
    bool open;
} hints[] = {
    {"graph", "format", COMPLETION_WORDS, NULL, "dot mermaid", false},
    {"avro-client", "filename", COMPLETION_FILE, NULL, NULL, false},
    {"avro-client", "dirname", COMPLETION_DIRECTORY, NULL, NULL, false},
    {"avro-client", "headerFile", COMPLETION_FILE, NULL, NULL, false},
    {"avro-client", "rpcProps", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "format", COMPLETION_WORDS, add_formats, NULL, false},
    {NULL, "shape", COMPLETION_WORDS, add_shapes, NULL, true},
    {NULL, "target", COMPLETION_WORDS, add_targets, NULL, true},
    {NULL, "from", COMPLETION_WORDS, add_far_ends, NULL, true},
    {NULL, "pace", COMPLETION_WORDS, NULL, "spin sleep", false},
    {NULL, "goal", COMPLETION_WORDS, NULL, "ndr pdr=", true},
    {NULL, "require", COMPLETION_WORDS, NULL, "ndr pdr=", true},
    {NULL, "name", COMPLETION_AGENT, NULL, NULL, false},
    {NULL, "conf-file", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "conf", COMPLETION_DIRECTORY, NULL, NULL, false},
    {NULL, "backup-directory", COMPLETION_DIRECTORY, NULL, NULL, false},
    {NULL, "cache", COMPLETION_DIRECTORY, NULL, NULL, false},
    {NULL, "compare", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "config", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "csv", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "hgrm", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "hlog", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "lines", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "manifest", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "render", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "report", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "result", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "sample", COMPLETION_FILE, NULL, NULL, false},
    {NULL, "token-file", COMPLETION_FILE, NULL, NULL, false},
    {"channel", "", COMPLETION_WORDS, NULL, "inspect verify export repair import", false},
    {"channel", "checkpoint-dir", COMPLETION_DIRECTORY, NULL, NULL, false},
    {"channel", "data-dirs", COMPLETION_DIRECTORY, NULL, NULL, false},
    {"channel", "into", COMPLETION_DIRECTORY, NULL, NULL, false},
    {"deadletter", "", COMPLETION_WORDS, NULL, "list show replay", false},
    {"deadletter", "state", COMPLETION_WORDS, NULL, "open replayed aside", false},
    {"components", "", COMPLETION_WORDS, add_components, NULL, false},
    {"new", "", COMPLETION_WORDS, add_components, NULL, false},
    {"help", "", COMPLETION_WORDS, add_commands, NULL, false},
    {"completion", "", COMPLETION_WORDS, add_shells, NULL, false},
    {"rules", "", COMPLETION_WORDS, add_rules_commands, NULL, false},
    {"rules check", "", COMPLETION_FILE, NULL, NULL, false},
    {"rules test", "", COMPLETION_FILE, NULL, NULL, false},
    {"rules explain", "", COMPLETION_FILE, NULL, NULL, false},
    {"rules bench", "", COMPLETION_FILE, NULL, NULL, false},
};
static bool used[PS_COUNT_OF(hints)];

static struct completion_value value_of(struct ps_arena *arena, const char *command, const char *option)
{
    for (size_t i = 0; i < PS_COUNT_OF(hints); i++) {
        const struct hint *hint = &hints[i];
        if (strcmp(hint->option, option) != 0 ||
            (hint->command != NULL && strcmp(hint->command, command) != 0))
            continue;
        struct words words = {.arena = arena};
        if (hint->add != NULL)
            hint->add(&words);
        struct ps_texts texts = hint->words != NULL ? ps_text_split_blanks(arena, hint->words)
                                                    : (struct ps_texts){words.count, words.items};
        used[i] = true;
        return (struct completion_value){hint->kind, texts, hint->open};
    }
    return (struct completion_value){.kind = COMPLETION_NONE};
}

/* Returns what the shell proposes for an option's value or an operand; `value` is its name in the help
 * text. */
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
        return (struct completion_value){COMPLETION_WORDS, {words.count, words.items}, lists[proposal].open};
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
    return (struct completion_value){COMPLETION_WORDS, {words.count, words.items}, false};
}

/* ---- commands ---- */

static void option_place(struct completion *completion, struct completion_command *command,
                         struct ps_command_option option, struct completion_value value)
{
    struct completion_option *items =
        ps_arena_alloc(completion->arena, (command->option_count + 1) * sizeof *items);
    if (command->option_count > 0)
        memcpy(items, command->options, command->option_count * sizeof *items);
    items[command->option_count] = (struct completion_option){.option = option, .value = value};
    command->options = items;
    command->option_count++;
}

static void option_add(struct completion *completion, struct completion_command *command,
                       struct ps_command_option option)
{
    struct completion_value value = {.kind = COMPLETION_NONE};
    if (option.argument)
        value =
            value_of(completion->arena, command->name, option.longs != NULL ? option.longs : option.shorts);
    option_place(completion, command, option, value);
}

static const char *letter_text(struct ps_arena *arena, int letter)
{
    return ps_arena_format(arena, "%c", letter);
}

static void row_add(struct completion *completion, struct completion_command *command,
                    const struct ps_command_row *row)
{
    struct ps_command_option option = {
        .shorts = row->letter != '\0' ? letter_text(completion->arena, row->letter) : NULL,
        .longs = row->name,
        .argument = row->value != NULL};
    option_place(completion, command, option, proposed(completion->arena, row->value, row->proposes));
}

/* Adds the options of the rows, and --help. */
static void add_rows(struct completion *completion, struct completion_command *command,
                     const struct ps_command_line *line)
{
    for (const struct ps_command_row *row = line->rows; row->help != NULL; row++)
        if (row->kind != PS_ROW_NOTE && ps_row_is_of(row, line->subcommand))
            row_add(completion, command, row);
    row_add(completion, command, &ps_row_help);
    command->operand = proposed(completion->arena, line->operand, line->operand_proposes);
}

/* Adds getopt's options: the long ones with their letters, then the letters without a long one. */
static void add_getopt(struct completion *completion, struct completion_command *command,
                       const struct ps_command_options *table)
{
    const char *letters = table->letters;
    for (const struct option *option = table->longs; option != NULL && option->name != NULL; option++) {
        bool has_letter = option->val > ' ' && option->val < 0x7f && option->val != ':' &&
                          strchr(letters, option->val) != NULL;
        option_add(completion, command,
                   (struct ps_command_option){
                       .shorts = has_letter ? letter_text(completion->arena, option->val) : NULL,
                       .longs = option->name,
                       .argument = option->has_arg == required_argument});
    }
    for (const char *letter = letters; *letter != '\0'; letter++) {
        bool has_long = *letter == ':';
        for (const struct option *option = table->longs; option != NULL && option->name != NULL; option++)
            has_long = has_long || option->val == *letter;
        if (!has_long && (letter[1] == ':' || table->longs == NULL || *letter != 'h'))
            option_add(completion, command,
                       (struct ps_command_option){.shorts = letter_text(completion->arena, *letter),
                                                  .argument = letter[1] == ':'});
    }
}

static struct completion_command *command_add(struct completion *completion, const char *name,
                                              const char *summary)
{
    struct completion_command *items =
        ps_arena_alloc(completion->arena, (completion->count + 1) * sizeof *items);
    if (completion->count > 0)
        memcpy(items, completion->commands, completion->count * sizeof *items);
    completion->commands = items;
    items += completion->count++;
    *items = (struct completion_command){
        .name = name, .summary = summary, .operand = value_of(completion->arena, name, "")};
    return items;
}

static void add_properties(struct completion *completion)
{
    struct words words = {.arena = completion->arena};
    for (size_t i = 0; ps_conf_property_names[i] != NULL; i++)
        word_add(&words, ps_arena_format(words.arena, "-D%s=", ps_conf_property_names[i]));
    completion->properties = (struct ps_texts){words.count, words.items};
}

static void collect(struct completion *completion)
{
    struct ps_command_option option;
    add_properties(completion);
    for (const struct ps_subcommand *subcommand = ps_subcommands; subcommand->name != NULL; subcommand++) {
        struct completion_command *command = command_add(completion, subcommand->name, subcommand->summary);
        const struct ps_command_options *table = subcommand->options;
        for (size_t i = 0; table != NULL && table->flume && ps_command_option(subcommand->name, i, &option);
             i++)
            option_add(completion, command, option);
        command->properties = table != NULL && table->flume;
        if (table != NULL && table->letters != NULL)
            add_getopt(completion, command, table);
        if (subcommand->line != NULL)
            add_rows(completion, command, subcommand->line);
    }
    for (size_t i = 0; ps_rules_subcommand(i) != NULL; i++) {
        const char *name = ps_arena_format(completion->arena, "rules %s", ps_rules_subcommand(i));
        struct completion_command *command = command_add(completion, name, NULL);
        for (size_t k = 0; ps_rules_option(ps_rules_subcommand(i), k, &option); k++)
            option_add(completion, command, option);
    }
    command_add(completion, "help", "the help of a command");
    for (size_t i = 0; i < PS_COUNT_OF(hints); i++)
        PS_ASSERT(used[i]); /* otherwise the table of a command has changed */
}

int ps_main_completion(int argc, char **argv)
{
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, ps_options_completion.letters, options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout), 0;
        return fputs("`penstock completion --help` tells more.\n", stderr), 2;
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "penstock completion: %s\n",
                optind == argc ? "name a shell: bash, zsh or fish" : "one shell at a time");
        return 2;
    }
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, argv[optind]);
    for (size_t i = 0; i < PS_COUNT_OF(shells); i++) {
        ps_nearest_offer(&nearest, shells[i].name);
        if (strcmp(argv[optind], shells[i].name) != 0)
            continue;
        struct completion completion = {.arena = ps_arena_create()};
        collect(&completion);
        shells[i].write(stdout, &completion);
        ps_arena_destroy(completion.arena);
        return 0;
    }
    fprintf(stderr, "penstock completion: there is no script for `%s`%s%s; bash, zsh and fish have one\n",
            argv[optind], nearest.word != NULL ? "; did you mean " : "",
            nearest.word != NULL ? nearest.word : "");
    return 2;
}
