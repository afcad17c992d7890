/* See misplaced.h. */
#include "conf/java/misplaced.h"

#include "conf/java/classes.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

struct search {
    struct ps_arena *arena;
    const char *name;
    const char *cure; /* NULL: nothing was found yet */
};

/* Looks at the jars of a folder; `to` is where they belong. */
static void look(struct search *search, const char *folder, const char *to)
{
    if (search->cure != NULL)
        return;
    const char *entry = ps_arena_format(search->arena, "%s/*", folder);
    struct ps_classes *classes = ps_classes_open(&(struct ps_texts){1, &entry});
    struct ps_class found;
    if (ps_classes_find(classes, search->name, &found))
        search->cure = ps_arena_format(
            search->arena, "%s has it, and is not on the class path: move it to %s", found.place, to);
    ps_classes_close(classes);
}

typedef void look_at(struct search *search, const char *folder, const char *name, const char *to);

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && entry->d_type != DT_REG;
}

static void for_each_folder(struct search *search, const char *folder, look_at *look_at_it, const char *to)
{
    struct dirent **names;
    int count = scandir(folder, &names, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        look_at_it(search, ps_arena_format(search->arena, "%s/%s", folder, names[i]->d_name),
                   names[i]->d_name, to);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

static void look_below(struct search *search, const char *folder, const char *, const char *to)
{
    look(search, folder, to);
}

/* Looks at a folder of a plug-in. Flume uses the jars of `lib` and `libext`, but not those of folders below these
 * two. */
static void look_in_part(struct search *search, const char *folder, const char *name, const char *to)
{
    if (strcmp(name, "lib") == 0 || strcmp(name, "libext") == 0)
        for_each_folder(search, folder, look_below, folder);
    else
        look(search, folder, to);
}

static void look_in_plugin(struct search *search, const char *folder, const char *, const char *)
{
    const char *to = ps_arena_format(search->arena, "%s/lib", folder);
    look(search, folder, to);
    for_each_folder(search, folder, look_in_part, to);
}

const char *ps_misplaced_cure(struct ps_arena *arena, const struct ps_command *command, const char *name)
{
    struct search search = {.arena = arena, .name = name};
    const char *home = ps_command_variable(command, "FLUME_HOME");
    for (size_t i = 0; i < command->plugins.count; i++) {
        const char *folder = command->plugins.items[i];
        look(&search, folder, ps_arena_format(arena, "%s/NAME/lib", folder));
        for_each_folder(&search, folder, look_in_plugin, NULL);
    }
    if (home == NULL)
        return search.cure;
    const char *lib = ps_arena_format(arena, "%s/lib", home);
    look(&search, home, ps_arena_format(arena, "%s/plugins.d/NAME/lib", home));
    for_each_folder(&search, lib, look_below, lib);
    return search.cure;
}
