/* `penstock plugin fetch NAME`: brings the jars of a component that exists only in Java. */
#include "commands/interrupts.h"
#include "commands/plugin/fetch/check.h"
#include "commands/plugin/fetch/lists.h"
#include "commands/plugin/fetch/maven.h"
#include "commands/plugin/fetch/place.h"
#include "commands/plugin/plugin.h"

#include "conf/java/class_path.h"
#include "conf/java/tools.h"
#include "core/durable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERRUPTED 130
#define MADE "plugin" /* the folder in which it is made */
#define MIB 1048576.0

/* Returns the folder of plug-ins to write to: the first of --plugins-path, else that of FLUME_HOME, else that of the
 * installation which a package has. */
static const char *plugins_folder(const struct ps_plugin_command *command)
{
    const struct ps_texts folders =
        ps_command_plugins(command->arena, command->plugins_path, getenv("FLUME_HOME"));
    if (folders.count == 0)
        return NULL;
    if (command->plugins_path != NULL || folders.count == 1)
        return folders.items[0];
    const char *last = folders.items[folders.count - 1];
    const char *above = ps_arena_copy(command->arena, last, (size_t)(strrchr(last, '/') - last));
    return ps_directory_exists(above) ? last : folders.items[0];
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- the list ---- */

int ps_main_plugin_fetch_list(const struct ps_plugin_command *command)
{
    const char *folder = plugins_folder(command), *name;
    for (size_t i = 0; (name = ps_fetch_name(i)) != NULL; i++) {
        const struct ps_fetch_list *list = ps_fetch_list(command->arena, name);
        bool there = folder != NULL && exists(ps_arena_format(command->arena, "%s/%s", folder, name));
        printf("%-15s %s; Flume %s, %zu jars%s\n", name, list->brings, list->flume, list->count,
               there ? " (it is there)" : "");
    }
    printf("\n`penstock plugin fetch NAME` puts one into %s.\n", folder != NULL ? folder : "plugins.d");
    return 0;
}

/* Prints that there is no such plug-in, and returns 2. */
static int refuse_name(const char *name)
{
    fprintf(stderr, "penstock plugin fetch: there is no plug-in for `%s`; there are:", name);
    for (size_t i = 0; (name = ps_fetch_name(i)) != NULL; i++)
        fprintf(stderr, " %s", name);
    fputs("\n`penstock plugin fetch --list` says what each one brings.\n", stderr);
    return 2;
}

/* ---- what it needs ---- */

static const char *find_programs(const struct ps_plugin_command *command)
{
    struct ps_command none = {.arena = command->arena};
    const char *maven = ps_tools_in_path(command->arena, &none, "mvn");
    const struct ps_class_path *path = ps_class_path_make(command->arena, &none);
    if (maven == NULL)
        fputs("penstock plugin fetch: there is no `mvn` in PATH, which brings the jars; install Maven (apt "
              "install "
              "maven)\n",
              stderr);
    if (path->java == NULL)
        fprintf(stderr, "penstock plugin fetch: no Java runtime: %s (apt install default-jre-headless)\n",
                path->java_lacks);
    return path->java != NULL ? maven : NULL;
}

/* ---- fetching ---- */

static enum ps_status bring(const struct ps_plugin_command *command, const struct ps_maven *maven,
                            const struct ps_fetch_place *place, struct ps_err *err)
{
    const char *made = ps_arena_format(command->arena, "%s/" MADE, place->work);
    uint64_t bytes = 0;
    if (ps_maven_run(maven, err) != PS_OK ||
        ps_fetch_check_jars(command->arena, maven->list, made, &bytes, err) != PS_OK)
        return PS_FAIL;
    if (*maven->interrupts > 0)
        return ps_err_set(err, "interrupted");
    if (exists(place->folder) && !command->force)
        return ps_err_set(err, "%s is there now", place->folder);
    if (ps_fetch_place_put(place, MADE, err) != PS_OK)
        return PS_FAIL;
    printf("%s: %zu jars, %.0f MiB, with the checksums of penstock's list\n", place->folder,
           maven->list->count, (double)bytes / MIB);
    for (size_t i = 0; i < maven->list->notes.count; i++)
        printf("note: %s\n", maven->list->notes.items[i]);
    if (command->plugins_path != NULL)
        printf("penstock agent and check find it with --plugins-path %s\n", place->plugins);
    return PS_OK;
}

static int fetch(const struct ps_plugin_command *command, const struct ps_fetch_list *list,
                 const char *plugins, const char *program)
{
    struct ps_err err = {.length = 0};
    struct ps_fetch_place place = {.arena = command->arena};
    volatile sig_atomic_t *interrupts = ps_interrupts_catch();
    enum ps_status status = ps_fetch_place_begin(&place, plugins, list->name, &err);
    const struct ps_maven maven = {.arena = command->arena,
                                   .program = program,
                                   .work = place.work,
                                   .into = MADE,
                                   .list = list,
                                   .interrupts = interrupts};
    if (status == PS_OK)
        status = bring(command, &maven, &place, &err);
    ps_fetch_place_end(&place);
    if (status == PS_OK)
        return 0;
    fprintf(stderr, "penstock plugin fetch: %s\n", err.text);
    return *interrupts > 0 ? INTERRUPTED : 1;
}

int ps_main_plugin_fetch(const struct ps_plugin_command *command, const char *name)
{
    struct ps_err err = {.length = 0};
    const struct ps_fetch_list *list = ps_fetch_list(command->arena, name);
    const char *plugins = plugins_folder(command);
    if (list == NULL)
        return refuse_name(name);
    if (plugins == NULL) {
        fputs("penstock plugin fetch: name the folder for it with --plugins-path\n", stderr);
        return 2;
    }
    const char *folder = ps_arena_format(command->arena, "%s/%s", plugins, list->name);
    if (exists(folder) && !command->force) {
        fprintf(stderr, "penstock plugin fetch: %s is there; --force puts a new one in its place\n", folder);
        return 1;
    }
    const char *home = command->plugins_path == NULL ? getenv("FLUME_HOME") : NULL;
    if (ps_fetch_check_flume(command->arena, list, home, plugins, &err) != PS_OK) {
        fprintf(stderr, "penstock plugin fetch: %s\n", err.text);
        return 1;
    }
    const char *program = find_programs(command);
    return program == NULL ? 1 : fetch(command, list, plugins, program);
}
