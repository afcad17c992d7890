/* penstock rules: checks, tests, explains and measures rule files without an agent. Picks the subcommand;
 * each is in commands/rules/<name>.c. */
#include "commands/commands.h"
#include "commands/line/line.h"
#include "commands/rules/rules.h"
#include "regex/compile/compiler.h"

#include <stdlib.h>
#include <string.h>

static const char overview[] =
    "Usage: penstock rules COMMAND FILE [OPTION]...\n"
    "Rule files (selector.type = rules, interceptor type = rules) without an agent.\n"
    "\n"
    "  check     every problem of a file, which engine runs each expression, what is costly\n"
    "  test      run the tests kept in the files, with the coverage of the rules\n"
    "  explain   which rules match a line and why, and the result\n"
    "  bench     the cost of the rules on a sample log, rules that never match, and rules that overlap\n"
    "\n"
    "`penstock rules COMMAND --help` tells more; docs/RULES.md is the language.\n"
    "\n"
    "Examples:\n"
    "  penstock rules check web.rules\n"
    "  penstock rules test web.rules\n"
    "  tail -1 access.log | penstock rules explain web.rules -\n"
    "  penstock rules bench web.rules --sample access.log\n";

/* The rows of all subcommands are in options.c. */
static const struct ps_command_line lines[] = {
    {.name = "rules check",
     .subcommand = "check",
     .usage = "Usage: penstock rules check FILE [OPTION]...\n"
              "       penstock rules check [FILE] -n AGENT -f AGENTFILE [--source NAME] [OPTION]...\n"
              "Reads and compiles a rules file as an agent would. Shows every problem with line and column, "
              "costly\n"
              "expressions, rules that can never act, and the memory of the compiled set.\n",
     .rows = ps_rules_rows,
     .ends = "Exit status: 0 the rules would run, 1 they would not, 2 wrong usage.\n"
             "\n"
             "Examples:\n"
             "  penstock rules check web.rules --channels errors,rest\n"
             "  penstock rules check -n a1 -f flume.properties\n"
             "  penstock rules check web.rules --verbose\n"
             "  penstock rules check web.rules --json | jq -r '.problems[].text'\n",
     .operand = "FILE"},
    {.name = "rules test",
     .subcommand = "test",
     .usage = "Usage: penstock rules test FILE... [OPTION]...\n"
              "Runs the `test` blocks of rule files: each event alone, with samples and limits as if just "
              "started.\n"
              "Shows results that differ from the expected ones, and the rules that acted in no test.\n",
     .rows = ps_rules_rows,
     .ends =
         "Exit status: 0 all passed, 1 a test failed, a file is bad or coverage is too low, 2 wrong usage.\n"
         "\n"
         "Examples:\n"
         "  penstock rules test web.rules\n"
         "  penstock rules test *.rules --coverage-min 80\n",
     .operand = "FILE"},
    {.name = "rules explain",
     .subcommand = "explain",
     .usage =
         "Usage: penstock rules explain FILE [OPTION]... [TEXT | -]\n"
         "Puts one event with TEXT as its body through the rules, or every line of standard input (-), and "
         "shows\nwhich rules match and why, part by part, their actions, and the channels of the event.\n",
     .rows = ps_rules_rows,
     .ends = "Exit status: 0 done, 1 the file is bad, 2 wrong usage.\n"
             "\n"
             "Examples:\n"
             "  penstock rules explain web.rules 'GET /index.html HTTP/1.1 503' --header host=web1\n"
             "  tail -5 access.log | penstock rules explain web.rules - --all\n",
     .operand = "FILE"},
    {.name = "rules bench",
     .subcommand = "bench",
     .usage =
         "Usage: penstock rules bench FILE --sample LOG [OPTION]...\n"
         "Puts the lines of LOG (- for standard input) through the rules, over and over, and shows the cost "
         "of\nan event, beside the bare scan for the same expressions; for each rule how often it acts and "
         "matches; rules\nthat never match, pairs that match the same events, and rules that others hide.\n",
     .rows = ps_rules_rows,
     .ends = "Exit status: 0 measured, 1 a file is bad, 2 wrong usage.\n"
             "\n"
             "Examples:\n"
             "  penstock rules bench web.rules --sample /var/log/nginx/access.log\n"
             "  penstock rules bench web.rules --sample access.log --seconds 10 --json\n",
     .operand = "FILE"},
};

static int (*const runs[])(struct ps_rules_command *command) = {ps_main_rules_check, ps_main_rules_test,
                                                                ps_main_rules_explain, ps_main_rules_bench};

const struct ps_command_line *ps_rules_line(size_t index)
{
    return index < PS_COUNT_OF(lines) ? &lines[index] : NULL;
}

static int run(size_t index, int argc, char **argv)
{
    struct ps_rules_command command = {.name = lines[index].subcommand, .arena = ps_arena_create()};
    int code = ps_rules_command_parse(&command, &lines[index], argc, argv);
    if (code < 0)
        code = runs[index](&command);
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
    /* penstock starts this one itself, to compile rule sets: no help text lists it */
    if (strcmp(argv[1], "compile") == 0)
        return ps_compile_serve(0, 1);
    static const char *const names[] = {"check", "test", "explain", "bench", NULL};
    for (size_t i = 0; i < PS_COUNT_OF(lines); i++)
        if (strcmp(argv[1], lines[i].subcommand) == 0)
            return run(i, argc - 1, argv + 1);
    fprintf(stderr, "%s\n", overview);
    return ps_command_line_unknown("rules", "command", argv[1], names);
}
