/* `penstock plugin new NAME`: writes a folder with a stage that builds and passes its tests, from one of the
 * examples. */
#include "commands/plugin/plugin.h"
#include "commands/plugin/templates.h"

#include "core/arena.h"
#include "core/plugin/validate.h"
#include "stages/table.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool refuse(const char *what, const char *reason)
{
    fprintf(stderr, "penstock plugin new: %s%s\n", what, reason);
    return false;
}

/* Returns whether C has this word itself. A type and a variable in the new file get the name. */
static bool is_word_of_c(const char *name)
{
    static const char *const words[] = {
        "asm",   "auto",   "bool",     "break",  "case",     "char",    "const",    "continue", "default",
        "do",    "double", "else",     "enum",   "extern",   "false",   "float",    "for",      "goto",
        "if",    "inline", "int",      "long",   "main",     "nullptr", "register", "restrict", "return",
        "short", "signed", "sizeof",   "static", "struct",   "switch",  "true",     "typedef",  "typeof",
        "union", "unix",   "unsigned", "void",   "volatile", "while"};
    for (size_t i = 0; i < PS_COUNT_OF(words); i++)
        if (strcmp(words[i], name) == 0)
            return true;
    return false;
}

static enum ps_kind kind_of(const char *word)
{
    enum ps_kind kind = PS_KIND_SOURCE;
    while (strcmp(ps_stage_kind_word(kind), word) != 0)
        kind++; /* the option accepts the kinds' words only */
    return kind;
}

/* Returns whether the name can be that of a file, of a target, of an identifier, and of a stage of this kind. */
static bool name_is_good(const char *name, const char *kind)
{
    bool good = islower((unsigned char)name[0]);
    for (const char *at = name; *at != '\0'; at++)
        good = good && (islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_');
    if (!good)
        return refuse("a name begins with a small letter and has small letters, digits and _: ", name);
    if (strlen(name) > PS_PLUGIN_NAME_BYTES_MAX)
        return refuse("this name is longer than that of a stage may be: ", name);
    if (is_word_of_c(name))
        return refuse("C has this word itself: ", name);
    return ps_stage_find(ps_stages, kind_of(kind), name) == NULL ||
           refuse("penstock itself has a stage of this name and kind: ", name);
}

/* Writes the text with each `word` in it replaced. Fails when the file exists, so that nobody's work is overwritten. */
static bool write_file(const struct ps_plugin_command *command, const char *folder, const char *file,
                       const char *text, const char *word, const char *name)
{
    const char *path = ps_arena_format(command->arena, "%s/%s", folder, file);
    FILE *out = fopen(path, "wx");
    if (out == NULL)
        return refuse(ps_arena_format(command->arena, "cannot write %s: ", path), strerror(errno));
    for (const char *next; (next = strstr(text, word)) != NULL; text = next + strlen(word))
        fprintf(out, "%.*s%s", (int)(next - text), text, name);
    fputs(text, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return refuse(ps_arena_format(command->arena, "cannot write %s: ", path), strerror(errno));
    return true;
}

/* The parts of CMakeLists.txt and of the agent file that depend on the kind; NAME stands for the name. */
static const struct {
    const char *kind, *test, *agent;
    bool two_channels;   /* with a sink each */
    const char *channel; /* the type of c1; NULL: memory */
} kinds[] = {
    {"interceptor", "--key header=sum",
     "a1.sources.r1.type = netcat\na1.sources.r1.bind = 127.0.0.1\na1.sources.r1.port = 44444\n"
     "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = NAME\n"
     "a1.sinks.k1.type = logger\n"},
    {"source", "--key path=events.pipe --send events.pipe",
     "a1.sources.r1.type = NAME\na1.sources.r1.path = /tmp/NAME.pipe\na1.sinks.k1.type = logger\n"},
    {"sink", "--key path=events.socket --receive events.socket",
     "a1.sources.r1.type = seq\na1.sources.r1.totalEvents = 10\n"
     "a1.sinks.k1.type = NAME\na1.sinks.k1.path = /tmp/NAME.socket\n"},
    {"serializer", "--key columns=name",
     "a1.sources.r1.type = seq\na1.sources.r1.totalEvents = 10\n"
     "a1.sinks.k1.type = file_roll\na1.sinks.k1.sink.directory = /tmp\na1.sinks.k1.sink.serializer = NAME\n"},
    {"selector", "--key header=kind",
     "a1.sources.r1.type = http\na1.sources.r1.bind = 127.0.0.1\na1.sources.r1.port = 44444\n"
     "a1.sources.r1.selector.type = NAME\na1.sources.r1.selector.header = kind\n"
     "a1.sinks.k1.type = logger\n"
     "a1.sinks.k2.type = logger\na1.sinks.k2.channel = c2\na1.channels.c2.type = memory\n"
     "a1.channels.c2.capacity = 20000\na1.channels.c2.transactionCapacity = 20000\n",
     .two_channels = true},
    {"deserializer", "--key maxBytes=1000",
     "a1.sources.r1.type = spooldir\na1.sources.r1.spoolDir = /var/spool/NAME\n"
     "a1.sources.r1.deserializer = NAME\na1.sinks.k1.type = logger\n"},
    {"channel", "--key capacity=20",
     "a1.sources.r1.type = seq\na1.sources.r1.totalEvents = 10\na1.sinks.k1.type = logger\n",
     .channel = "NAME"},
};

static const char cmake_text[] =
    "# cmake -S . -B build && cmake --build build && ctest --test-dir build && cmake --install build "
    "--prefix /opt/penstock\n"
    "cmake_minimum_required(VERSION 3.22)\n"
    "project(NAME LANGUAGES C)\n"
    "find_package(penstock REQUIRED) # -DCMAKE_PREFIX_PATH=/opt/penstock, where it was installed there\n"
    "enable_testing()\n"
    "penstock_add_plugin(NAME NAME.c)\n"
    "penstock_test_plugin(NAME ";

static bool write_all(const struct ps_plugin_command *command, const char *kind, const char *name)
{
    const char *folder = command->directory != NULL ? command->directory : name;
    const struct ps_plugin_template *example = ps_plugin_templates;
    size_t row = 0;
    while (strcmp(example->kind, kind) != 0) /* the option's words are those of the templates */
        example++;
    while (strcmp(kinds[row].kind, kind) != 0)
        row++;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return refuse(ps_arena_format(command->arena, "cannot make %s: ", folder), strerror(errno));
    const char *cmake = ps_arena_format(command->arena, "%s%s)\n", cmake_text, kinds[row].test);
    bool two = kinds[row].two_channels;
    const char *own = kinds[row].channel;
    const char *agent = ps_arena_format(
        command->arena,
        "# penstock agent -n a1 -f agent.properties, after the plug-in is installed\n"
        "a1.sources = r1\na1.channels = c1%s\na1.sinks = k1%s\n%sa1.sources.r1.channels = c1%s\n"
        "a1.channels.c1.type = %s\na1.channels.c1.capacity = 20000\n%sa1.sinks.k1.channel = c1\n",
        two ? " c2" : "", two ? " k2" : "", kinds[row].agent, two ? " c2" : "", own != NULL ? own : "memory",
        own != NULL ? "" : "a1.channels.c1.transactionCapacity = 20000\n");
    if (!write_file(command, folder, ps_arena_format(command->arena, "%s.c", name), example->text,
                    example->name, name) ||
        !write_file(command, folder, "CMakeLists.txt", cmake, "NAME", name) ||
        !write_file(command, folder, "agent.properties", agent, "NAME", name))
        return false;
    printf("%s/%s.c is %s %s that builds and passes its tests:\n"
           "  cmake -S %s -B %s/build && cmake --build %s/build && ctest --test-dir %s/build\n",
           folder, name, kind[0] == 'i' ? "an" : "a", kind, folder, folder, folder, folder);
    return true;
}

int ps_main_plugin_new(const struct ps_plugin_command *command, const char *name)
{
    const char *kind = command->kind != NULL ? command->kind : kinds[0].kind;
    if (!name_is_good(name, kind))
        return 2;
    return write_all(command, kind, name) ? 0 : 1;
}
