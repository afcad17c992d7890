/* See lists.h. */
#include "commands/plugin/fetch/lists.h"

#include "conf/text.h"
#include "conf/validate/types.h"

#include <string.h>

#define FLUME "flume_"

static const char *text_of(const char *name)
{
    for (const struct ps_fetch_text *text = ps_fetch_texts; text->name != NULL; text++)
        if (strcmp(text->name, name) == 0)
            return text->text;
    return NULL;
}

const char *ps_fetch_name(size_t index)
{
    for (const struct ps_fetch_text *text = ps_fetch_texts; text->name != NULL; text++)
        if (!ps_text_begins(text->name, FLUME) && index-- == 0)
            return text->name;
    return NULL;
}

/* Cuts the text at the first `end`, and returns the rest; an empty text if there is none. */
static char *cut(char *text, char end)
{
    char *at = strchr(text, end);
    if (at == NULL)
        return text + strlen(text);
    *at = '\0';
    return at + 1;
}

static void add_jar(struct ps_arena *arena, struct ps_fetch_list *list, const char *folder, char *coordinates)
{
    struct ps_fetch_jar jar = {.folder = folder, .group = coordinates};
    jar.sha256 = cut(coordinates, ' ');
    char *artifact = cut(coordinates, ':'), *version = cut(artifact, ':');
    jar.artifact = artifact;
    jar.classifier = cut(version, ':');
    jar.version = version;
    jar.file = ps_arena_format(arena, "%s/%s-%s%s%s.jar", folder, artifact, version,
                               *jar.classifier != '\0' ? "-" : "", jar.classifier);
    list->jars = ps_arena_grow(arena, list->jars, list->count, sizeof *list->jars);
    list->jars[list->count++] = jar;
}

static void read_text(struct ps_arena *arena, struct ps_fetch_list *list, const char *text)
{
    for (char *line = ps_arena_text(arena, text), *next; *line != '\0'; line = next) {
        next = cut(line, '\n');
        char *rest = cut(line, ' ');
        if (strcmp(line, "brings") == 0) {
            list->brings = rest;
        } else if (strcmp(line, "note") == 0) {
            ps_texts_add(arena, &list->notes, rest);
        } else if (strcmp(line, "flume") == 0) {
            list->flume = rest;
            read_text(arena, list, text_of(ps_arena_format(arena, FLUME "%s", rest)));
        } else {
            add_jar(arena, list, line, rest);
        }
    }
}

struct ps_fetch_list *ps_fetch_list(struct ps_arena *arena, const char *name)
{
    const char *plugin = ps_type_plugin(name);
    const char *text = ps_text_begins(name, FLUME) ? NULL : text_of(plugin != NULL ? plugin : name);
    if (text == NULL)
        return NULL;
    struct ps_fetch_list *list = ps_arena_alloc(arena, sizeof *list);
    list->name = plugin != NULL ? plugin : name;
    read_text(arena, list, text);
    return list;
}
