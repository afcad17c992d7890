/* The options of `penstock rules`. Thread: main. */
#include "conf/command/command.h"
#include "conf/conf.h"
#include "conf/text.h"
#include "commands/rules/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ps_row_take take_list, take_header, take_number, take_compile_memory, take_compile_time;

#define PS_ROW_TARGET struct ps_rules_command

const struct ps_command_row ps_rules_rows[] = {
    {"channels", 0, "C1,C2", PS_ROW_TAKE(take_list), .offset = offsetof(struct ps_rules_command, channels),
     .help = "the only channels to which rules may route", .only = "check"},
    {"name", 'n', "AGENT", PS_ROW_TEXT(agent), .help = "the agent from which to take the channels (and FILE)",
     .only = "check"},
    {"conf-file", 'f', "FILE", PS_ROW_TAKE(take_list),
     .offset = offsetof(struct ps_rules_command, agent_files), .help = "the configuration file of that agent",
     .only = "check"},
    {"source", 0, "NAME", PS_ROW_TEXT(source),
     .help = "the source of that agent; needed when several sources use rules", .only = "check"},
    {"coverage-min", 0, "PERCENT", PS_ROW_TAKE(take_number),
     .offset = offsetof(struct ps_rules_command, coverage_min),
     .help = "fail when a smaller share of the rules acts in the tests", .max = 100, .only = "test"},
    {"sample", 0, "FILE", PS_ROW_TEXT(sample),
     .help = "events to measure with, one a line; only the first 64 MiB are used", .only = "bench"},
    {"header", 0, "NAME=VALUE", PS_ROW_TAKE(take_header),
     .help = "give every event a header; as often as needed", .only = "explain bench"},
    {"seconds", 0, "N", PS_ROW_SECONDS(seconds), .help = "duration of the measurement (default 2)",
     .min = 100000000, .max = UINT64_C(3600000000000), .only = "bench"},
    {"all", 'a', NULL, PS_ROW_FLAG(all),
     .help = "also rules that do not match, though a part of their condition does", .only = "explain"},
    {"why", 0, "RULE", PS_ROW_TEXT(why),
     .help = "only this rule, whether it matches or not: each part of its condition, and the rule that ended "
             "the evaluation before it",
     .only = "explain"},
    {"verbose", 'v', NULL, PS_ROW_FLAG(verbose),
     .help = "every expression with its engine and cost, not only costly ones", .only = "check"},
    {"verbose", 'v', NULL, PS_ROW_FLAG(verbose), .help = "passed tests, too", .only = "test"},
    {"verbose", 'v', NULL, PS_ROW_FLAG(verbose), .help = "every rule, not only the first twenty",
     .only = "bench"},
    {"cache", 0, "DIRECTORY", PS_ROW_TEXT(cache),
     .help = "keep the compiled set in this directory, as rules.cache does"},
    {"compile-memory", 0, "BYTES", PS_ROW_TAKE(take_compile_memory),
     .help = "memory limit of the compiler (default 2G)"},
    {"compile-time", 0, "SECONDS", PS_ROW_TAKE(take_compile_time),
     .help = "CPU time that the compiler may take, in seconds (default 120)", .min = 1, .max = 1000000},
    {"json", 'j', NULL, PS_ROW_FLAG(json), .help = "one JSON object instead of text; explain: one a line"},
    {"strict", 0, NULL, PS_ROW_FLAG(strict), .help = "exit with 1 for warnings too", .only = "check"},
    {.help = NULL},
};

static bool wrong(const struct ps_rules_command *command, const char *what, const char *word)
{
    fprintf(stderr, "penstock rules %s: %s%s\n`penstock rules %s --help` tells more.\n", command->name, what,
            word, command->name);
    return false;
}

/* Adds the words between commas to the list at the row's offset. */
static enum ps_status take_list(void *target, const struct ps_command_row *row, const char *text,
                                struct ps_err *)
{
    struct ps_rules_command *command = target;
    struct ps_texts *texts = (struct ps_texts *)((char *)target + row->offset);
    const struct ps_texts words = ps_text_split_commas(command->arena, text);
    for (size_t i = 0; i < words.count; i++)
        ps_texts_add(command->arena, texts, words.items[i]);
    return PS_OK;
}

static enum ps_status take_header(void *target, const struct ps_command_row *row, const char *text,
                                  struct ps_err *err)
{
    struct ps_rules_command *command = target;
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return ps_err_set(err, "--%s takes NAME=VALUE, not %s", row->name, text);
    ps_pairs_add(command->arena, &command->headers,
                 (struct ps_pair){.key = ps_arena_copy(command->arena, text, (size_t)(equals - text)),
                                  .value = equals + 1});
    return PS_OK;
}

/* "2", "0.5", within the row's bounds. */
static enum ps_status take_number(void *target, const struct ps_command_row *row, const char *text,
                                  struct ps_err *err)
{
    char *end;
    double *number = (double *)((char *)target + row->offset);
    errno = 0;
    *number = strtod(text, &end);
    if (end != text && *end == '\0' && errno == 0 && *number >= (double)row->min &&
        *number <= (double)row->max)
        return PS_OK;
    return ps_err_set(err, "--%s takes a number from %.0f to %.0f, not %s", row->name, (double)row->min,
                      (double)row->max, text);
}

/* "512M", "2G": powers of 1024, as -Xmx has them. */
static enum ps_status take_compile_memory(void *target, const struct ps_command_row *row, const char *text,
                                          struct ps_err *err)
{
    int64_t bytes = ps_command_heap_bytes(text);
    if (bytes < 1 << 20)
        return ps_err_set(err, "--%s takes a size of 1M or more, such as 512M or 2G, not %s", row->name,
                          text);
    ((struct ps_rules_command *)target)->compile_memory_bytes = (uint64_t)bytes;
    return PS_OK;
}

static enum ps_status take_compile_time(void *target, const struct ps_command_row *row, const char *text,
                                        struct ps_err *err)
{
    double seconds;
    const struct ps_command_row number = {.name = row->name, .min = row->min, .max = row->max};
    if (take_number(&seconds, &number, text, err) != PS_OK)
        return PS_FAIL;
    ((struct ps_rules_command *)target)->compile_time_ms = (uint64_t)(seconds * 1000);
    return PS_OK;
}

/* `agent_missing`: why the agent files do not name the agent. */
static bool operands_fit(const struct ps_rules_command *command, const struct ps_err *agent_missing)
{
    if (command->files.count == 0 && command->agent == NULL && command->agent_files.count > 0)
        return wrong(command, agent_missing->text, "");
    if (command->files.count == 0 && command->agent == NULL)
        return wrong(command, "name a rules file", "");
    if (strcmp(command->name, "check") == 0 || strcmp(command->name, "bench") == 0) {
        if (command->files.count > 1)
            return wrong(command, "one file at a time, not also ", command->files.items[1]);
    } else if (strcmp(command->name, "explain") == 0 && command->files.count > 2) {
        return wrong(command, "put the line in quotes: there is more, ", command->files.items[2]);
    }
    return true;
}

int ps_rules_command_parse(struct ps_rules_command *command, const struct ps_command_line *line, int argc,
                           char **argv)
{
    command->seconds = 2;
    command->coverage_min = -1;
    command->compile_memory_bytes = PS_MATCHER_COMPILE_MEMORY_BYTES;
    command->compile_time_ms = PS_MATCHER_COMPILE_TIME_MS;
    int operands, code = ps_command_line_parse(line, command, argc, argv, &operands);
    if (code >= 0)
        return code;
    for (int i = 1; i <= operands; i++)
        ps_texts_add(command->arena, &command->files, argv[i]);
    struct ps_err agent_missing = {.length = 0};
    if (command->agent == NULL)
        command->agent = ps_conf_only_agent(command->arena, &command->agent_files, "-n NAME", &agent_missing);
    return operands_fit(command, &agent_missing) ? -1 : 2;
}
