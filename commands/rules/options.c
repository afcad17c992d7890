/* The command lines of `penstock rules`. Thread: main. */
#include "conf/command/command.h"
#include "conf/conf.h"
#include "conf/text.h"
#include "commands/rules/rules.h"
#include "core/nearest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum option_kind { FLAG, TEXT, LIST, HEADER, NUMBER, SIZE, SECONDS_MS };

static const struct option {
    const char *text, *letter;
    enum option_kind kind;
    size_t offset;
    const char *commands; /* subcommands that take it; NULL: all */
    double least, most;
} options[] = {
    {"--help", "-h", FLAG, offsetof(struct ps_rules_command, help), NULL, 0, 0},
    {"--json", "-j", FLAG, offsetof(struct ps_rules_command, json), NULL, 0, 0},
    {"--cache", NULL, TEXT, offsetof(struct ps_rules_command, cache), NULL, 0, 0},
    {"--strict", NULL, FLAG, offsetof(struct ps_rules_command, strict), "check", 0, 0},
    {"--verbose", "-v", FLAG, offsetof(struct ps_rules_command, verbose), "check test bench", 0, 0},
    {"--channels", NULL, LIST, offsetof(struct ps_rules_command, channels), "check", 0, 0},
    {"--name", "-n", TEXT, offsetof(struct ps_rules_command, agent), "check", 0, 0},
    {"--conf-file", "-f", LIST, offsetof(struct ps_rules_command, agent_files), "check", 0, 0},
    {"--source", NULL, TEXT, offsetof(struct ps_rules_command, source), "check", 0, 0},
    {"--compile-memory", NULL, SIZE, offsetof(struct ps_rules_command, compile_memory_bytes), NULL, 1 << 20,
     1e15},
    {"--compile-time", NULL, SECONDS_MS, offsetof(struct ps_rules_command, compile_time_ms), NULL, 1, 1e6},
    {"--coverage-min", NULL, NUMBER, offsetof(struct ps_rules_command, coverage_min), "test", 0, 100},
    {"--all", "-a", FLAG, offsetof(struct ps_rules_command, all), "explain", 0, 0},
    {"--why", NULL, TEXT, offsetof(struct ps_rules_command, why), "explain", 0, 0},
    {"--header", NULL, HEADER, offsetof(struct ps_rules_command, headers), "explain bench", 0, 0},
    {"--sample", NULL, TEXT, offsetof(struct ps_rules_command, sample), "bench", 0, 0},
    {"--seconds", NULL, NUMBER, offsetof(struct ps_rules_command, seconds), "bench", 0.1, 3600},
};

static bool wrong(const struct ps_rules_command *command, const char *what, const char *word)
{
    fprintf(stderr, "penstock rules %s: %s%s\n", command->name, what, word);
    return false;
}

static bool has_option(const struct ps_rules_command *command, const struct option *option)
{
    return option->commands == NULL || strstr(option->commands, command->name) != NULL;
}

static void list_add(struct ps_arena *arena, struct ps_texts *texts, const char *value)
{
    while (*value != '\0') {
        size_t length = strcspn(value, ",");
        if (length > 0)
            ps_texts_add(arena, texts, ps_arena_copy(arena, value, length));
        value += length + (value[length] == ',');
    }
}

static bool header_add(struct ps_rules_command *command, const char *value)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value)
        return wrong(command, "--header takes NAME=VALUE, not ", value);
    struct ps_pair *items = ps_arena_alloc(command->arena, (command->headers.count + 1) * sizeof *items);
    if (command->headers.count > 0)
        memcpy(items, command->headers.items, command->headers.count * sizeof *items);
    items[command->headers.count] = (struct ps_pair){
        .key = ps_arena_copy(command->arena, value, (size_t)(equals - value)), .value = equals + 1};
    command->headers = (struct ps_pairs){command->headers.count + 1, items};
    return true;
}

/* "2", "0.5"; with `suffixes` "512M", "2G". */
static bool number_read(const struct ps_rules_command *command, const struct option *option,
                        const char *value, bool suffixes, double *number)
{
    char *end;
    errno = 0;
    *number = strtod(value, &end);
    if (suffixes && *end != '\0' && end[1] == '\0' && strchr("kKmMgG", *end) != NULL) {
        *number *= *end == 'k' || *end == 'K'   ? 1024.0
                   : *end == 'm' || *end == 'M' ? 1048576.0
                                                : 1073741824.0;
        end++;
    }
    if (end != value && *end == '\0' && errno == 0 && *number >= option->least && *number <= option->most)
        return true;
    fprintf(stderr, "penstock rules %s: %s takes a number from %g to %g, not %s\n", command->name,
            option->text, option->least, option->most, value);
    return false;
}

static bool option_take(struct ps_rules_command *command, const struct option *option, const char *value)
{
    void *at = (char *)command + option->offset;
    double number = 0;
    switch (option->kind) {
    case FLAG:
        *(bool *)at = true;
        return true;
    case TEXT:
        *(const char **)at = value;
        return true;
    case LIST:
        list_add(command->arena, at, value);
        return true;
    case HEADER:
        return header_add(command, value);
    case NUMBER:
        return number_read(command, option, value, false, at);
    case SIZE:
    case SECONDS_MS:
        if (!number_read(command, option, value, option->kind == SIZE, &number))
            return false;
        *(uint64_t *)at = (uint64_t)(option->kind == SIZE ? number : number * 1000);
        return true;
    }
    return false;
}

static const struct option *option_find(const struct ps_rules_command *command, const char *text,
                                        size_t length)
{
    for (size_t i = 0; i < PS_COUNT_OF(options); i++) {
        const struct option *option = &options[i];
        if (has_option(command, option) &&
            ((strlen(option->text) == length && memcmp(option->text, text, length) == 0) ||
             (option->letter != NULL && length == 2 && memcmp(option->letter, text, 2) == 0)))
            return option;
    }
    return NULL;
}

static bool option_unknown(const struct ps_rules_command *command, const char *text)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, text);
    for (size_t i = 0; i < PS_COUNT_OF(options); i++)
        if (has_option(command, &options[i]))
            ps_nearest_offer(&nearest, options[i].text);
    fprintf(stderr, "penstock rules %s: there is no option %s", command->name, text);
    if (nearest.word != NULL)
        fprintf(stderr, "; did you mean %s?", nearest.word);
    fputc('\n', stderr);
    return false;
}

bool ps_rules_option(const char *subcommand, size_t index, struct ps_command_option *found)
{
    const struct ps_rules_command command = {.name = subcommand};
    for (size_t i = 0; i < PS_COUNT_OF(options); i++) {
        const struct option *option = &options[i];
        if (!has_option(&command, option) || index-- > 0)
            continue;
        *found = (struct ps_command_option){.shorts = option->letter != NULL ? option->letter + 1 : NULL,
                                            .longs = option->text + strlen("--"),
                                            .argument = option->kind != FLAG};
        return true;
    }
    return false;
}

/* Options may stand anywhere before "--". */
bool ps_rules_command_parse(struct ps_rules_command *command, int argc, char **argv)
{
    bool ended = false;
    command->seconds = 2;
    command->coverage_min = -1;
    command->compile_memory_bytes = PS_MATCHER_COMPILE_MEMORY_BYTES;
    command->compile_time_ms = PS_MATCHER_COMPILE_TIME_MS;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (ended || word[0] != '-' || word[1] == '\0') {
            ps_texts_add(command->arena, &command->files, word);
            continue;
        }
        if (strcmp(word, "--") == 0) {
            ended = true;
            continue;
        }
        size_t length = strncmp(word, "--", 2) == 0 ? strcspn(word, "=") : strlen(word);
        const struct option *option = option_find(command, word, length);
        if (option == NULL)
            return option_unknown(command, ps_arena_copy(command->arena, word, length));
        const char *value = word[length] == '=' ? word + length + 1 : NULL;
        if (option->kind == FLAG && value != NULL)
            return wrong(command, "takes no value: ", option->text);
        if (option->kind != FLAG && value == NULL && ++i < argc)
            value = argv[i];
        if (option->kind != FLAG && value == NULL)
            return wrong(command, "wants a value: ", option->text);
        if (!option_take(command, option, value))
            return false;
    }
    if (command->help)
        return true;
    if (command->agent == NULL)
        command->agent = ps_conf_only_agent(command->arena, &command->agent_files);
    if (command->files.count == 0 && command->agent == NULL)
        return wrong(command,
                     command->agent_files.count > 0 ? "-n has to name the agent" : "name a rules file", "");
    if (strcmp(command->name, "check") == 0 || strcmp(command->name, "bench") == 0) {
        if (command->files.count > 1)
            return wrong(command, "one file at a time, not also ", command->files.items[1]);
    } else if (strcmp(command->name, "explain") == 0 && command->files.count > 2) {
        return wrong(command, "put the line in quotes: there is more, ", command->files.items[2]);
    }
    return true;
}
