/* `penstock components [TYPE]`: prints every stage, its names in Flume, and its keys with default, unit and
 * meaning, from the option rows alone. --markdown prints docs/OPTIONS.md, --man the same for a man page, --json the
 * same for programs. */
#include "commands/commands.h"
#include "commands/plugin/table.h"
#include "commands/line/line.h"
#include "commands/components/components.h"

#include "conf/validate/common.h"
#include "conf/bind.h"
#include "conf/text.h"
#include "conf/validate/types.h"
#include "core/engine/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct wish {
    bool json, markdown, man;
    const char *plugins_path;
};

#define PS_ROW_TARGET struct wish

static const struct ps_command_row rows[] = {
    {NULL, 0, "TYPE", PS_ROW_NOTE,
     .help = "a kind (source, channel, sink, interceptor, selector, serializer, deserializer) or a "
             "component's name, alias "
             "or class name; none: all, without their keys"},
    {"json", 0, NULL, PS_ROW_FLAG(json),
     .help = "one JSON object, with TYPE or all; docs/components.schema.json describes it"},
    {"markdown", 0, NULL, PS_ROW_FLAG(markdown), .help = "all as a page of docs/"},
    {"man", 0, NULL, PS_ROW_FLAG(man), .help = "all as a section of a man page"},
    {"plugins-path", 0, "PATH", PS_ROW_TEXT(plugins_path),
     .help = "folders with plug-ins, separated by colons (default: plugins.d of $FLUME_HOME, or of the "
             "installation)"},
    {.help = NULL},
};

const struct ps_command_line ps_line_components = {
    .name = "components",
    .usage =
        "Usage: penstock components [TYPE] [--json | --markdown | --man]\n"
        "Lists every component with Flume's names for it, and its keys with default, unit and meaning.\n",
    .rows = rows,
    .ends = "Examples:\n"
            "  penstock components\n"
            "  penstock components syslogtcp\n"
            "  penstock components org.apache.flume.sink.kafka.KafkaSink\n"
            "  penstock components --json | jq -r '.kinds[].components[] | select(.name == "
            "\"kafka\").options[].key'\n",
    .operand_proposes = PS_PROPOSE_COMPONENTS,
};

enum form { FORM_TEXT, FORM_MARKDOWN, FORM_MAN };

/* ---- a row's cells ---- */

static const char *type_word(const struct ps_option *option)
{
    static const char *const words[] = {"text",          "number",        "number",     "true/false", "word",
                                        "list (blanks)", "list (commas)", "keys below", "size"};
    return words[option->type];
}

/* "required", "100", "" */
static const char *fallback_text(const struct ps_option *option)
{
    if (option->flags & PS_OPTION_REQUIRED)
        return "required";
    return option->fallback != NULL ? option->fallback : "";
}

/* Prints flags, words, range and other spellings as sentences after the help. */
static void notes_print(FILE *out, const struct ps_option *option)
{
    fputs(option->help != NULL ? option->help : "", out);
    for (size_t i = 0; option->type == PS_OPTION_ENUM && option->words[i] != NULL; i++)
        fprintf(out, "%s%s", i == 0 ? "; one of " : ", ", option->words[i]);
    if (option->max != 0 && option->max != INT64_MAX)
        fprintf(out, "; %" PRId64 " to %" PRId64, option->min, option->max);
    else if (option->max == INT64_MAX && option->min != 0)
        fprintf(out, "; at least %" PRId64, option->min);
    for (size_t i = 0; option->aliases != NULL && option->aliases[i] != NULL; i++)
        fprintf(out, "%s%s", i == 0 ? "; also written " : ", ", option->aliases[i]);
    if (option->flags & PS_OPTION_DEPRECATED)
        fputs(" (deprecated)", out);
    if (option->flags & PS_OPTION_NO_EFFECT)
        fputs(" (no effect)", out);
    if (option->flags & PS_OPTION_UNSUPPORTED)
        fputs(" (not supported yet)", out);
    if (option->flags & PS_OPTION_EXTENSION)
        fputs(" (penstock's own)", out);
}

/* Prints text into a table or a man page, and escapes characters that would be markup there. */
static void escaped(FILE *out, enum form form, const char *text)
{
    bool start = true;
    for (; *text != '\0'; text++, start = false) {
        if (form == FORM_MARKDOWN && (*text == '|' || *text == '*' || *text == '<' || *text == '_'))
            fputc('\\', out);
        if (form == FORM_MAN && (*text == '\\' || *text == '-' || (start && (*text == '.' || *text == '\''))))
            fputs(*text == '-' ? "\\" : *text == '\\' ? "\\" : "\\&", out);
        fputc(*text, out);
    }
}

static void escaped_notes(FILE *out, enum form form, const struct ps_option *option)
{
    char *text = NULL;
    size_t length;
    FILE *memory = ps_must_open_text(&text, &length, "the notes of an option");
    notes_print(memory, option);
    fclose(memory);
    escaped(out, form, text);
    free(text);
}

static void row_print(FILE *out, enum form form, const char *prefix, const struct ps_option *option)
{
    const char *fallback = fallback_text(option);
    const char *unit = option->unit != NULL ? option->unit : "";
    switch (form) {
    case FORM_TEXT:
        fprintf(out, "  %s%s%s", prefix, option->key, option->type == PS_OPTION_MAP ? "*" : "");
        fprintf(out, "  [%s%s%s%s%s]\n      ", type_word(option), *fallback ? ", " : "", fallback,
                *unit ? " " : "", unit);
        notes_print(out, option);
        fputc('\n', out);
        break;
    case FORM_MARKDOWN:
        fprintf(out, "| `%s%s%s` | %s | ", prefix, option->key, option->type == PS_OPTION_MAP ? "*" : "",
                type_word(option));
        if (*fallback != '\0' && !(option->flags & PS_OPTION_REQUIRED))
            fprintf(out, strchr(fallback, '|') != NULL ? "%s" : "`%s`", fallback);
        else
            fputs(*fallback != '\0' ? "**required**" : "", out);
        fprintf(out, " | %s | ", unit);
        escaped_notes(out, form, option);
        fputs(" |\n", out);
        break;
    case FORM_MAN:
        fputs(".TP\n.B ", out);
        escaped(out, form, prefix);
        escaped(out, form, option->key);
        fputs(option->type == PS_OPTION_MAP ? "*\n" : "\n", out);
        escaped_notes(out, form, option);
        fprintf(out, "\n(%s%s", type_word(option), *fallback ? ", " : "");
        escaped(out, form, fallback);
        fprintf(out, "%s%s)\n", *unit ? " " : "", unit);
        break;
    }
}

/* Prints rows, except those whose key `own`, the rows of the stage, has as well; `own` may be NULL. */
static void rows_print(FILE *out, enum form form, const char *prefix, const struct ps_option *options,
                       const struct ps_option *own)
{
    if (options == NULL || options->key == NULL)
        return;
    if (form == FORM_MARKDOWN)
        fputs("\n| key | type | default | unit | meaning |\n|---|---|---|---|---|\n", out);
    for (; options->key != NULL; options++)
        if (ps_option_named(own, options->key) == NULL)
            row_print(out, form, prefix, options);
}

/* ---- stages ---- */

static void stage_print(FILE *out, enum form form, const struct ps_stage_ops *ops)
{
    if (form == FORM_TEXT)
        fprintf(out, "%s %s: %s\n", ps_kind_word(ops->kind), ops->name,
                ops->summary != NULL ? ops->summary : "");
    else if (form == FORM_MARKDOWN)
        fprintf(out, "\n### %s `%s`\n\n%s.", ps_kind_word(ops->kind), ops->name,
                ops->summary != NULL ? ops->summary : "");
    else
        fprintf(out, ".SS %s %s\n%s.\n", ps_kind_word(ops->kind), ops->name,
                ops->summary != NULL ? ops->summary : "");
    if (ops->aliases != NULL && ops->aliases[0] != NULL) {
        fputs(form == FORM_TEXT ? "  also" : form == FORM_MARKDOWN ? " Also" : "Also", out);
        for (size_t i = 0; ops->aliases[i] != NULL; i++) {
            fputs(i > 0 ? ", " : " ", out);
            fputs(form == FORM_MARKDOWN ? "`" : "", out);
            escaped(out, form == FORM_MAN ? form : FORM_TEXT, ops->aliases[i]);
            fputs(form == FORM_MARKDOWN ? "`" : "", out);
        }
        fputs(form == FORM_TEXT ? "\n" : ".\n", out);
    } else if (form == FORM_MARKDOWN) {
        fputc('\n', out);
    }
    rows_print(out, form, "", ops->options, NULL);
}

static void heading(FILE *out, enum form form, const char *text)
{
    if (form == FORM_TEXT)
        fprintf(out, "%s\n", text);
    else if (form == FORM_MARKDOWN)
        fprintf(out, "\n## %s\n", text);
    else
        fprintf(out, ".SS %s\n", text);
}

const struct ps_components_chapter ps_components_chapters[PS_COMPONENTS_CHAPTERS] = {
    {PS_KIND_SOURCE, "Sources", ps_common_source},
    {PS_KIND_CHANNEL, "Channels", ps_common_channel},
    {PS_KIND_SINK, "Sinks", ps_common_sink},
    {PS_KIND_INTERCEPTOR, "Interceptors", ps_common_interceptor},
    {PS_KIND_SELECTOR, "Channel selectors", ps_common_type},
    {PS_KIND_SERIALIZER, "Serializers", NULL},
    {PS_KIND_DESERIALIZER, "Deserializers", NULL},
};

static void everything(FILE *out, enum form form)
{
    if (form == FORM_MARKDOWN)
        fputs("# Options\n\nEvery component and key penstock knows. Made by `penstock components --markdown` "
              "from the option rows the program itself parses with: do not edit.\n",
              out);
    heading(out, form, "The agent");
    rows_print(out, form, "penstock.", ps_agent_option_rows, NULL);
    for (size_t i = 0; i < PS_COMPONENTS_CHAPTERS; i++) {
        heading(out, form, ps_components_chapters[i].title);
        for (const struct ps_option *const *set = ps_components_chapters[i].common;
             set != NULL && *set != NULL; set++)
            rows_print(out, form, "", *set, NULL);
        for (const struct ps_stage_ops *const *stage = ps_commands_stages(NULL); *stage != NULL; stage++)
            if ((*stage)->kind == ps_components_chapters[i].kind)
                stage_print(out, form, *stage);
    }
    heading(out, form, "Sink groups");
    rows_print(out, form, "", ps_common_group_options, NULL);
    rows_print(out, form, "processor.", ps_processor_rows, NULL);
}

/* ---- selection ---- */

static void overview(FILE *out)
{
    for (size_t i = 0; i < PS_COMPONENTS_CHAPTERS; i++) {
        fprintf(out, "%s\n", ps_components_chapters[i].title);
        for (const struct ps_stage_ops *const *stage = ps_commands_stages(NULL); *stage != NULL; stage++)
            if ((*stage)->kind == ps_components_chapters[i].kind)
                fprintf(out, "  %-20s %s\n", (*stage)->name,
                        (*stage)->summary != NULL ? (*stage)->summary : "");
    }
    fputs("\n`penstock components NAME` shows the keys of one.\n", out);
}

static bool kind_named(const char *word, enum ps_kind kind)
{
    const char *name = ps_kind_word(kind);
    size_t length = strlen(name);
    return strncasecmp(word, name, length) == 0 &&
           (word[length] == '\0' || strcasecmp(word + length, "s") == 0);
}

bool ps_components_match(const struct ps_stage_ops *ops, const char *word)
{
    return word == NULL || kind_named(word, ops->kind) ||
           ps_stage_find(ps_commands_stages(NULL), ops->kind, word) == ops;
}

static bool print_matches(FILE *out, const char *word)
{
    bool found = false;
    for (size_t i = 0; i < PS_COMPONENTS_CHAPTERS; i++) {
        const struct ps_components_chapter *chapter = &ps_components_chapters[i];
        for (const struct ps_stage_ops *const *stage = ps_commands_stages(NULL); *stage != NULL; stage++) {
            if ((*stage)->kind != chapter->kind || !ps_components_match(*stage, word))
                continue;
            found = true;
            stage_print(out, FORM_TEXT, *stage);
            for (const struct ps_option *const *set = kind_named(word, chapter->kind) ? NULL
                                                                                      : chapter->common;
                 set != NULL && *set != NULL; set++)
                rows_print(out, FORM_TEXT, "", *set, (*stage)->options);
        }
    }
    return found;
}

static void say_unknown(const char *word)
{
    bool said = false;
    for (size_t i = 0; i < PS_COMPONENTS_CHAPTERS; i++) {
        enum ps_kind kind = ps_components_chapters[i].kind;
        const char *flume = ps_type_flume_name(kind, word);
        const char *nearest = ps_type_nearest(ps_commands_stages(NULL), kind, word);
        if (flume != NULL)
            fprintf(stderr, "penstock components: Flume's %s `%s` is not supported by penstock yet\n",
                    ps_kind_word(kind), flume);
        else if (nearest != NULL)
            fprintf(stderr, "penstock components: no %s `%s`; did you mean %s?\n", ps_kind_word(kind), word,
                    nearest);
        said = said || flume != NULL || nearest != NULL;
    }
    if (!said)
        fprintf(stderr, "penstock components: nothing is called `%s`\n", word);
}

int ps_main_components(int argc, char **argv)
{
    struct wish wish = {.json = false};
    int operands, code = ps_command_line_parse(&ps_line_components, &wish, argc, argv, &operands);
    if (code < 0 && operands > 1)
        code = ps_command_line_unexpected(&ps_line_components, argv[2]);
    if (code >= 0)
        return code;
    const char *word = operands == 1 ? argv[1] : NULL;
    (void)ps_commands_stages(wish.plugins_path);
    bool found = true;
    if (wish.json)
        found = ps_components_json(word) > 0;
    else if (wish.markdown || wish.man)
        everything(stdout, wish.man ? FORM_MAN : FORM_MARKDOWN);
    else if (word == NULL)
        overview(stdout);
    else
        found = print_matches(stdout, word);
    if (!found)
        say_unknown(word);
    return found ? 0 : 1;
}
