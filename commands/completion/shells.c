/* Writes the completion scripts. All words come from tables of the program. They consist of letters, digits and a few
 * signs (word_check asserts this), so single quotes are enough for each. */
#include "commands/completion/completion.h"

#include <ctype.h>
#include <string.h>

/* ---- words ---- */

static const char *word_check(const char *word)
{
    for (const char *at = word; *at != '\0'; at++)
        PS_ASSERT(isalnum((unsigned char)*at) || strchr("-_.:=", *at) != NULL);
    return word;
}

/* Prints "--name -n". Long names that Flume writes with one dash (-user) are in `shorts`. */
static void option_words(FILE *to, const struct ps_command_option *option, const char *separator)
{
    if (option->longs != NULL)
        fprintf(to, "--%s", word_check(option->longs));
    if (option->shorts != NULL)
        fprintf(to, "%s-%s", option->longs != NULL ? separator : "", word_check(option->shorts));
}

static void options_words(FILE *to, const struct completion_command *command)
{
    for (size_t i = 0; i < command->option_count; i++) {
        fputs(i > 0 ? " " : "", to);
        option_words(to, &command->options[i].option, " ");
    }
}

static void texts_words(FILE *to, const struct ps_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        fprintf(to, "%s%s", i > 0 ? " " : "", word_check(texts->items[i]));
}

static bool is_nested(const struct completion_command *command)
{
    return strchr(command->name, ' ') != NULL;
}

/* Writes a summary inside single quotes. */
static void summary_write(FILE *to, const char *summary, const char *quote)
{
    for (; *summary != '\0'; summary++) {
        if (*summary == '\'')
            fputs(quote, to);
        else
            fputc(*summary, to);
    }
}

/* Prints the name of the shell function that proposes a value, and the function's words. For bash and
 * zsh. */
static void value_call(FILE *to, const struct completion_value *value)
{
    static const char *const calls[] = {[COMPLETION_FILE] = "_penstock_files",
                                        [COMPLETION_DIRECTORY] = "_penstock_directories",
                                        [COMPLETION_AGENT] = "_penstock_agents"};
    if (value->kind == COMPLETION_NONE) {
        fputs(":", to);
    } else if (value->kind == COMPLETION_WORDS) {
        fprintf(to, "_penstock_%s '", value->open ? "beginnings" : "words");
        texts_words(to, &value->words);
        fputc('\'', to);
    } else {
        fputs(calls[value->kind], to);
    }
}

/* Prints -Dkey= for the commands that take it. For bash and zsh. */
static void properties_write(FILE *to, const struct completion *completion)
{
    const char *separator = "    if [[ $current == -D* ]]; then\n        case $command in\n        ";
    for (size_t i = 0; i < completion->count; i++) {
        if (!completion->commands[i].properties)
            continue;
        fprintf(to, "%s%s", separator, completion->commands[i].name);
        separator = " | ";
    }
    fputs(") _penstock_beginnings '", to);
    texts_words(to, &completion->properties);
    fputs("' ;;\n        esac\n        return\n    fi\n", to);
}

/* case "$command $previous": the values; case $command: the options; case $command: the operands. bash and zsh. */
static void cases_write(FILE *to, const struct completion *completion)
{
    fputs("    case \"$command $previous\" in\n", to);
    for (size_t i = 0; i < completion->count; i++) {
        const struct completion_command *command = &completion->commands[i];
        for (size_t k = 0; k < command->option_count; k++) {
            const struct completion_option *option = &command->options[k];
            if (option->option.value == NULL)
                continue;
            fputs("    ", to);
            if (option->option.longs != NULL)
                fprintf(to, "'%s --%s'", command->name, option->option.longs);
            if (option->option.shorts != NULL)
                fprintf(to, "%s'%s -%s'", option->option.longs != NULL ? " | " : "", command->name,
                        option->option.shorts);
            fputs(") ", to);
            value_call(to, &option->value);
            fputs("; return ;;\n", to);
        }
    }
    fputs("    esac\n", to);
    properties_write(to, completion);
    fputs("    if [[ $current == -* ]]; then\n        case $command in\n", to);
    for (size_t i = 0; i < completion->count; i++) {
        if (completion->commands[i].option_count == 0)
            continue;
        fprintf(to, "        '%s') _penstock_words '", completion->commands[i].name);
        options_words(to, &completion->commands[i]);
        fputs("' ;;\n", to);
    }
    fputs("        esac\n        return\n    fi\n    case $command in\n", to);
    for (size_t i = 0; i < completion->count; i++) {
        const struct completion_command *command = &completion->commands[i];
        if (command->operand.kind == COMPLETION_NONE)
            continue;
        fprintf(to, "    '%s') ", command->name);
        value_call(to, &command->operand);
        fputs(" ;;\n", to);
    }
    fputs("    esac\n", to);
}

/* Prints the agents of the files that -f names, for all three shells: the words before ".sources" and so on. */
#define AGENTS_SED                                                                                           \
    "sed -nE 's/^[[:space:]]*([^#!.=:[:space:]]+)\\.(sources|channels|sinks)[[:space:]]*[=:].*/\\1/p'"

/* ---- bash ---- */

void ps_completion_bash(FILE *to, const struct completion *completion)
{
    fputs("# bash completion for penstock, made by `penstock completion bash` from its option tables.\n"
          "# shellcheck shell=bash\n"
          "_penstock_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$current\"); }\n"
          "_penstock_beginnings() {\n"
          "    _penstock_words \"$1\"\n"
          "    compopt -o nospace 2>/dev/null\n"
          "}\n"
          "_penstock_files() {\n"
          "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
          "    compopt -o filenames 2>/dev/null\n"
          "}\n"
          "_penstock_directories() {\n"
          "    mapfile -t COMPREPLY < <(compgen -d -- \"$current\")\n"
          "    compopt -o filenames 2>/dev/null\n"
          "}\n"
          "_penstock_agents() {\n"
          "    local i file\n"
          "    for ((i = 2; i < ${#COMP_WORDS[@]} - 1; i++)); do\n"
          "        [[ ${COMP_WORDS[i]} == -f || ${COMP_WORDS[i]} == --conf-file ]] || continue\n"
          "        file=${COMP_WORDS[i + 1]}\n"
          "        [[ $file == = ]] && file=${COMP_WORDS[i + 2]:-}\n"
          "        [[ -f $file ]] && _penstock_words \"$(" AGENTS_SED " \"$file\" | sort -u)\"\n"
          "    done\n"
          "}\n"
          "_penstock() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} "
          "command=${COMP_WORDS[1]}\n"
          "    COMPREPLY=()\n"
          "    # bash splits --option=value into three words\n"
          "    if [[ $current == = ]]; then current=''\n"
          "    elif [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    fi\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        _penstock_words '",
          to);
    for (size_t i = 0; i < completion->count; i++)
        if (!is_nested(&completion->commands[i]))
            fprintf(to, "%s%s", i > 0 ? " " : "", word_check(completion->commands[i].name));
    fputs("'\n        return\n    fi\n"
          "    if [[ $command == rules ]] && ((COMP_CWORD > 2)); then command+=\" ${COMP_WORDS[2]}\"; fi\n",
          to);
    cases_write(to, completion);
    fputs("}\ncomplete -F _penstock penstock\n", to);
}

/* ---- zsh ---- */

void ps_completion_zsh(FILE *to, const struct completion *completion)
{
    fputs("#compdef penstock\n"
          "# zsh completion for penstock, made by `penstock completion zsh` from its option tables.\n"
          "_penstock_words() { compadd -- ${(s: :)1}; }\n"
          "_penstock_beginnings() { compadd -S '' -- ${(s: :)1}; }\n"
          "_penstock_files() { _files; }\n"
          "_penstock_directories() { _files -/; }\n"
          "_penstock_agents() {\n"
          "    local i file\n"
          "    for ((i = 3; i < ${#words}; i++)); do\n"
          "        case $words[i] in\n"
          "        -f | --conf-file) file=$words[i+1] ;;\n"
          "        --conf-file=*) file=${words[i]#*=} ;;\n"
          "        *) continue ;;\n"
          "        esac\n"
          "        [[ -f $file ]] && compadd -- ${(f)\"$(" AGENTS_SED " $file | sort -u)\"}\n"
          "    done\n"
          "}\n"
          "_penstock() {\n"
          "    local command=$words[2] previous=$words[CURRENT-1] current=$words[CURRENT]\n"
          "    if ((CURRENT == 2)); then\n"
          "        local -a commands=(\n",
          to);
    for (size_t i = 0; i < completion->count; i++) {
        const struct completion_command *command = &completion->commands[i];
        if (is_nested(command))
            continue;
        fprintf(to, "            '%s:", word_check(command->name));
        summary_write(to, command->summary, "'\\''");
        fputs("'\n", to);
    }
    fputs("        )\n        _describe command commands\n        return\n    fi\n"
          "    if [[ $command == rules ]] && ((CURRENT > 3)); then command+=\" $words[3]\"; fi\n"
          "    if [[ $current == --*=* ]]; then\n"
          "        previous=${current%%=*} current=${current#*=}\n"
          "        compset -P '*='\n"
          "    fi\n",
          to);
    cases_write(to, completion);
    fputs("}\n"
          "if [[ $funcstack[1] == _penstock ]]; then _penstock \"$@\"; else compdef _penstock penstock; fi\n",
          to);
}

/* ---- fish ---- */

static void fish_value(FILE *to, const struct completion_value *value)
{
    switch (value->kind) {
    case COMPLETION_NONE:
        fputs(" -x", to);
        break;
    case COMPLETION_FILE:
        fputs(" -r -F", to);
        break;
    case COMPLETION_DIRECTORY:
        fputs(" -x -a '(__fish_complete_directories)'", to);
        break;
    case COMPLETION_AGENT:
        fputs(" -x -a '(__penstock_agents)'", to);
        break;
    case COMPLETION_WORDS:
        fputs(" -x -a '", to);
        texts_words(to, &value->words);
        fputc('\'', to);
        break;
    }
}

void ps_completion_fish(FILE *to, const struct completion *completion)
{
    fputs("# fish completion for penstock, made by `penstock completion fish` from its option tables.\n"
          "function __penstock_is # COMMAND [SUBCOMMAND]: whether the command line is one of it\n"
          "    set -l words (commandline -opc)\n"
          "    test (count $words) -gt (count $argv); or return 1\n"
          "    test \"$words[2]\" = \"$argv[1]\"; or return 1\n"
          "    test (count $argv) -eq 1; or test \"$words[3]\" = \"$argv[2]\"\n"
          "end\n"
          "function __penstock_has_no_command\n"
          "    test (count (commandline -opc)) -eq 1\n"
          "end\n"
          "function __penstock_has_no_subcommand\n"
          "    test (count (commandline -opc)) -eq 2\n"
          "end\n"
          "function __penstock_agents\n"
          "    set -l words (commandline -opc)\n"
          "    for i in (seq 3 (count $words))\n"
          "        set -l file\n"
          "        switch $words[$i]\n"
          "            case -f --conf-file\n"
          "                set file $words[(math $i + 1)]\n"
          "            case '--conf-file=*'\n"
          "                set file (string replace -- --conf-file= '' $words[$i])\n"
          "        end\n"
          "        test -f \"$file\"; and " AGENTS_SED " $file\n"
          "    end | sort -u\n"
          "end\n"
          "complete -c penstock -f\n",
          to);
    for (size_t i = 0; i < completion->count; i++) {
        const struct completion_command *command = &completion->commands[i];
        if (!is_nested(command)) {
            fprintf(to, "complete -c penstock -n __penstock_has_no_command -a '%s' -d '",
                    word_check(command->name));
            summary_write(to, command->summary, "\\'");
            fputs("'\n", to);
        }
        for (size_t k = 0; k < command->option_count; k++) {
            const struct completion_option *option = &command->options[k];
            fprintf(to, "complete -c penstock -n '__penstock_is %s'", command->name);
            if (option->option.longs != NULL)
                fprintf(to, " -l '%s'", word_check(option->option.longs));
            if (option->option.shorts != NULL)
                fprintf(to, " -%c '%s'", option->option.shorts[1] == '\0' ? 's' : 'o',
                        word_check(option->option.shorts));
            if (option->option.value != NULL)
                fish_value(to, &option->value);
            fputc('\n', to);
        }
        if (command->properties) {
            fprintf(to,
                    "complete -c penstock -n '__penstock_is %s; and string match -q -- \"-D*\" (commandline "
                    "-ct)' -a '",
                    command->name);
            texts_words(to, &completion->properties);
            fputs("'\n", to);
        }
        if (command->operand.kind == COMPLETION_NONE)
            continue;
        if (strcmp(command->name, "rules") == 0)
            fputs("complete -c penstock -n '__penstock_has_no_subcommand; and __penstock_is rules'", to);
        else
            fprintf(to, "complete -c penstock -n '__penstock_is %s'", command->name);
        if (command->operand.kind == COMPLETION_FILE) {
            fputs(" -F\n", to);
        } else {
            fputs(" -a '", to);
            texts_words(to, &command->operand.words);
            fputs("'\n", to);
        }
    }
}
