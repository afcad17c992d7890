/* `penstock components [TYPE]`: prints every stage, its names in Flume, and its keys with default, unit and
 * meaning, from the option rows alone. --markdown prints docs/OPTIONS.md, --man the same for a man page. */
#include "core/commands/commands.h"

#include "conf/common.h"
#include "conf/text.h"
#include "conf/types.h"
#include "core/engine/plan.h"
#include "stages/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char usage[] =
    "Usage: penstock components [TYPE] [--markdown | --man]\n"
    "Lists every component with Flume's names for it, and its keys with default, unit and meaning.\n"
    "\n"
    "  TYPE          a kind (source, channel, sink, interceptor, selector, serializer) or a component's "
    "name,\n"
    "                alias or class name; none: all, without their keys\n"
    "  --markdown    all as a page of docs/\n"
    "  --man         all as a section of a man page\n"
    "\n"
    "Examples:\n"
    "  penstock components\n"
    "  penstock components syslogtcp\n"
    "  penstock components org.apache.flume.sink.kafka.KafkaSink\n";

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

/* Prints text into a table or a man page; escapes what would be markup there. */
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

static void rows_print(FILE *out, enum form form, const char *prefix, const struct ps_option *options)
{
    if (options == NULL || options->key == NULL)
        return;
    if (form == FORM_MARKDOWN)
        fputs("\n| key | type | default | unit | meaning |\n|---|---|---|---|---|\n", out);
    for (; options->key != NULL; options++)
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
    rows_print(out, form, "", ops->options);
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

struct chapter {
    enum ps_kind kind;
    const char *title;
    const struct ps_option *const *common; /* rows that all stages of the kind have */
};

static const struct chapter chapters[] = {
    {PS_KIND_SOURCE, "Sources", ps_common_source},
    {PS_KIND_CHANNEL, "Channels", ps_common_channel},
    {PS_KIND_SINK, "Sinks", ps_common_sink},
    {PS_KIND_INTERCEPTOR, "Interceptors", ps_common_type},
    {PS_KIND_SELECTOR, "Channel selectors", ps_common_type},
    {PS_KIND_SERIALIZER, "Serializers", NULL},
};

static void everything(FILE *out, enum form form)
{
    if (form == FORM_MARKDOWN)
        fputs("# Options\n\nEvery component and key penstock knows. Made by `penstock components --markdown` "
              "from the option rows the program itself parses "
              "with: do not edit.\n",
              out);
    heading(out, form, "The agent");
    rows_print(out, form, "penstock.", ps_agent_option_rows);
    for (size_t i = 0; i < PS_COUNT_OF(chapters); i++) {
        heading(out, form, chapters[i].title);
        for (const struct ps_option *const *set = chapters[i].common; set != NULL && *set != NULL; set++)
            rows_print(out, form, "", *set);
        for (const struct ps_stage_ops *const *stage = ps_stages; *stage != NULL; stage++)
            if ((*stage)->kind == chapters[i].kind)
                stage_print(out, form, *stage);
    }
    heading(out, form, "Sink groups");
    rows_print(out, form, "", ps_common_group_options);
}

/* ---- selection ---- */

static void overview(FILE *out)
{
    for (size_t i = 0; i < PS_COUNT_OF(chapters); i++) {
        fprintf(out, "%s\n", chapters[i].title);
        for (const struct ps_stage_ops *const *stage = ps_stages; *stage != NULL; stage++)
            if ((*stage)->kind == chapters[i].kind)
                fprintf(out, "  %-20s %s\n", (*stage)->name,
                        (*stage)->summary != NULL ? (*stage)->summary : "");
    }
    fputs("\n`penstock components NAME` shows the keys of one.\n", out);
}

static bool kind_named(const char *word, const struct chapter *chapter)
{
    const char *kind = ps_kind_word(chapter->kind);
    size_t length = strlen(kind);
    return strncasecmp(word, kind, length) == 0 &&
           (word[length] == '\0' || strcasecmp(word + length, "s") == 0);
}

static int one(FILE *out, const char *word)
{
    bool found = false;
    for (size_t i = 0; i < PS_COUNT_OF(chapters); i++) {
        const struct chapter *chapter = &chapters[i];
        for (const struct ps_stage_ops *const *stage = ps_stages; *stage != NULL && kind_named(word, chapter);
             stage++)
            if ((*stage)->kind == chapter->kind) {
                stage_print(out, FORM_TEXT, *stage);
                found = true;
            }
        const struct ps_stage_ops *ops = ps_stage_find(ps_stages, chapter->kind, word);
        if (ops != NULL) {
            stage_print(out, FORM_TEXT, ops);
            for (const struct ps_option *const *set = chapter->common; set != NULL && *set != NULL; set++)
                rows_print(out, FORM_TEXT, "", *set);
            found = true;
        }
    }
    for (size_t i = 0; i < PS_COUNT_OF(chapters) && !found; i++) {
        const char *flume = ps_type_flume_name(chapters[i].kind, word);
        const char *nearest = ps_type_nearest(ps_stages, chapters[i].kind, word);
        if (flume != NULL)
            fprintf(stderr, "penstock components: Flume's %s `%s` is not supported by penstock yet\n",
                    ps_kind_word(chapters[i].kind), flume);
        else if (nearest != NULL)
            fprintf(stderr, "penstock components: no %s `%s`; did you mean %s?\n",
                    ps_kind_word(chapters[i].kind), word, nearest);
    }
    if (!found)
        fprintf(stderr, "penstock components: nothing is called `%s`\n", word);
    return found ? 0 : 1;
}

int ps_main_components(int argc, char **argv)
{
    enum form form = FORM_TEXT;
    const char *word = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--markdown") == 0) {
            form = FORM_MARKDOWN;
        } else if (strcmp(argv[i], "--man") == 0) {
            form = FORM_MAN;
        } else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        } else if (argv[i][0] == '-' || word != NULL) {
            fprintf(stderr, "penstock components: unexpected %s; see --help\n", argv[i]);
            return 2;
        } else {
            word = argv[i];
        }
    }
    if (form != FORM_TEXT)
        everything(stdout, form);
    else if (word == NULL)
        overview(stdout);
    else
        return one(stdout, word);
    return 0;
}
