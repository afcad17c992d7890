/* penstock rules: checks, tests, explains and measures rule files without an agent. Picks the subcommand;
 * each is in commands/rules/<name>.c. */
#include "commands/commands.h"
#include "commands/rules/rules.h"
#include "core/nearest.h"

#include <stdlib.h>
#include <string.h>

static const char overview[] =
    "Usage: penstock rules COMMAND FILE [OPTION]...\n"
    "Rule files (selector.type = rules, interceptor type = rules) without an agent.\n"
    "\n"
    "  check     every problem of a file, which engine runs each expression, what is costly\n"
    "  test      run the tests kept in the files, with the coverage of the rules\n"
    "  explain   which rules match a line and why, and what becomes of it\n"
    "  bench     what the rules cost on a sample log, which never match, which overlap\n"
    "\n"
    "`penstock rules COMMAND --help` tells more; docs/RULES.md is the language.\n"
    "\n"
    "Examples:\n"
    "  penstock rules check web.rules\n"
    "  penstock rules test web.rules\n"
    "  tail -1 access.log | penstock rules explain web.rules -\n"
    "  penstock rules bench web.rules --sample access.log\n";

static const char check_usage[] =
    "Usage: penstock rules check FILE [OPTION]...\n"
    "       penstock rules check [FILE] -n AGENT -f AGENTFILE [--source NAME] [OPTION]...\n"
    "Reads and compiles a rules file as an agent would. Shows every problem with line and column, costly\n"
    "expressions, rules that can never act, and what the compiled set needs.\n"
    "\n"
    "      --channels C1,C2       rules may route to these only\n"
    "  -n, --name AGENT           take the channels (and FILE) from this agent ...\n"
    "  -f, --conf-file FILE       ... of this configuration ...\n"
    "      --source NAME          ... and this source of it; needed when several use rules\n"
    "  -v, --verbose              every expression with its engine and cost, not only costly ones\n"
    "      --cache DIRECTORY      keep the compiled set there, as rules.cache does\n"
    "      --compile-memory BYTES limit of the compiler (default 2G)\n"
    "      --compile-time SECONDS CPU time it may take (default 120)\n"
    "      --json                 one JSON object instead of text\n"
    "      --strict               exit with 1 for warnings too\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit status: 0 the rules would run, 1 they would not, 2 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  penstock rules check web.rules --channels errors,rest\n"
    "  penstock rules check -n a1 -f flume.properties\n"
    "  penstock rules check web.rules --verbose\n"
    "  penstock rules check web.rules --json | jq -r '.problems[].text'\n";

static const char test_usage[] =
    "Usage: penstock rules test FILE... [OPTION]...\n"
    "Runs the `test` blocks of rule files: each event alone, with samples and limits as if just started.\n"
    "Shows what differs from what a test expects, and the rules that no test made act.\n"
    "\n"
    "      --coverage-min PERCENT fail when tests make fewer of the rules act\n"
    "  -v, --verbose              passed tests, too\n"
    "      --cache DIRECTORY      keep the compiled set there\n"
    "      --compile-memory BYTES limit of the compiler (default 2G)\n"
    "      --compile-time SECONDS CPU time it may take (default 120)\n"
    "      --json                 one JSON object instead of text\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit status: 0 all passed, 1 a test failed, a file is bad or coverage is too low, 2 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  penstock rules test web.rules\n"
    "  penstock rules test *.rules --coverage-min 80\n";

static const char explain_usage[] =
    "Usage: penstock rules explain FILE [OPTION]... [TEXT | -]\n"
    "Puts one event with TEXT as its body through the rules, or every line of standard input (-), and shows\n"
    "which rules match and why, part by part, what they did, and where the event goes.\n"
    "\n"
    "      --header NAME=VALUE    give the event a header; as often as needed\n"
    "      --all                  also rules that do not match, though a part of their condition does\n"
    "      --why RULE             this rule alone, whether it matches or not: each part of its condition, "
    "and which\n"
    "                             rule was before it\n"
    "      --json                 one JSON object a line\n"
    "      --cache DIRECTORY      keep the compiled set there\n"
    "      --compile-memory BYTES limit of the compiler (default 2G)\n"
    "      --compile-time SECONDS CPU time it may take (default 120)\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit status: 0 done, 1 the file is bad, 2 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  penstock rules explain web.rules 'GET /index.html HTTP/1.1 503' --header host=web1\n"
    "  tail -5 access.log | penstock rules explain web.rules - --all\n";

static const char bench_usage[] =
    "Usage: penstock rules bench FILE --sample LOG [OPTION]...\n"
    "Puts the lines of LOG (- for standard input) through the rules, over and over, and shows what an event\n"
    "costs, beside the bare scan for the same expressions; for each rule how often it acts and matches; "
    "rules\n"
    "that never match, pairs that match the same events, and rules that others hide.\n"
    "\n"
    "      --sample LOG           events to measure with, one a line; the first 64 MiB count\n"
    "      --header NAME=VALUE    give every event a header; as often as needed\n"
    "      --seconds N            measure so long (default 2)\n"
    "  -v, --verbose              every rule, not only the first twenty\n"
    "      --cache DIRECTORY      keep the compiled set there\n"
    "      --compile-memory BYTES limit of the compiler (default 2G)\n"
    "      --compile-time SECONDS CPU time it may take (default 120)\n"
    "      --json                 one JSON object instead of text\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit status: 0 measured, 1 a file is bad, 2 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  penstock rules bench web.rules --sample /var/log/nginx/access.log\n"
    "  penstock rules bench web.rules --sample access.log --seconds 10 --json\n";

static const struct rules_subcommand {
    const char *name, *usage;
    int (*run)(struct ps_rules_command *command);
} subcommands[] = {{"check", check_usage, ps_main_rules_check},
                   {"test", test_usage, ps_main_rules_test},
                   {"explain", explain_usage, ps_main_rules_explain},
                   {"bench", bench_usage, ps_main_rules_bench}};

const char *ps_rules_subcommand(size_t index)
{
    return index < PS_COUNT_OF(subcommands) ? subcommands[index].name : NULL;
}

static int run(const struct rules_subcommand *subcommand, int argc, char **argv)
{
    struct ps_rules_command command = {.name = subcommand->name, .arena = ps_arena_create()};
    int code = 2;
    if (!ps_rules_command_parse(&command, argc, argv)) {
        fprintf(stderr, "`penstock rules %s --help` tells more.\n", subcommand->name);
    } else if (command.help) {
        fputs(subcommand->usage, stdout);
        code = 0;
    } else {
        code = subcommand->run(&command);
    }
    ps_arena_destroy(command.arena);
    return code;
}

int ps_main_rules(int argc, char **argv)
{
    if (argc < 2) {
        fputs(overview, stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(overview, stdout);
        return 0;
    }
    if (strcmp(argv[1], "compile") == 0)
        return ps_main_rules_compile();
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, argv[1]);
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return run(&subcommands[i], argc - 1, argv + 1);
        ps_nearest_offer(&nearest, subcommands[i].name);
    }
    fprintf(stderr, "%s\npenstock rules: there is no command `%s`", overview, argv[1]);
    if (nearest.word != NULL)
        fprintf(stderr, "; did you mean `%s`?", nearest.word);
    fputc('\n', stderr);
    return 2;
}
