#include "core/plugin/loader.h"

#include "core/plugin/module.h"
#include "core/text/ends.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OWN_FOLDER "penstock"

struct ps_plugins {
    const struct ps_stage_ops **stages; /* ends with NULL */
    size_t stage_count;
    const struct ps_module **modules;
    size_t module_count;
    ps_plugins_report *report;
    void *argument;
};

static void add_stage(struct ps_plugins *plugins, const struct ps_stage_ops *ops)
{
    plugins->stages = ps_must_realloc(
        plugins->stages, (plugins->stage_count + 2) * sizeof(const struct ps_stage_ops *), "plug-ins");
    plugins->stages[plugins->stage_count++] = ops;
    plugins->stages[plugins->stage_count] = NULL;
}

/* Returns a known stage that has one of the names of this stage, or NULL. */
static const struct ps_stage_ops *find_namesake(const struct ps_plugins *plugins,
                                                const struct ps_stage_ops *ops, const char **name)
{
    *name = ops->name;
    const struct ps_stage_ops *other = ps_stage_find(plugins->stages, ops->kind, ops->name);
    for (const char *const *alias = ops->aliases; other == NULL && alias != NULL && *alias != NULL; alias++) {
        *name = *alias;
        other = ps_stage_find(plugins->stages, ops->kind, *alias);
    }
    return other;
}

/* Reports a stage whose name is taken. Returns false when there is one. */
static bool names_are_free(const struct ps_plugins *plugins, const struct ps_module *module)
{
    for (size_t i = 0; i < module->stage_count; i++) {
        const char *name;
        const struct ps_stage_ops *other = find_namesake(plugins, module->stages[i], &name);
        if (other == NULL)
            continue;
        struct ps_err what = {.length = 0};
        const struct ps_module *owner = ps_plugins_module_of(plugins, other);
        const char *kind = ps_stage_kind_word(other->kind);
        if (owner == NULL)
            ps_err_set(&what, "has %s `%s`, and penstock has one of this name itself", kind, name);
        else
            ps_err_set(&what, "has %s `%s`, and so has %s", kind, name, owner->path);
        plugins->report(plugins->argument, PS_LOG_ERROR, module->path, what.text,
                        owner == NULL ? "give it another name" : "remove one of the two files");
        return false;
    }
    return true;
}

static void add_file(struct ps_plugins *plugins, const char *path)
{
    struct ps_err err = {.length = 0};
    const char *cure = NULL;
    const struct ps_module *module = ps_module_open(path, &cure, &err);
    if (module == NULL) {
        plugins->report(plugins->argument, PS_LOG_ERROR, path, ps_err_join(&err), cure);
        return;
    }
    for (size_t i = 0; i < plugins->module_count; i++) {
        if (plugins->modules[i] == module) { /* the list names one folder twice */
            ps_module_close(module);
            return;
        }
    }
    if (!names_are_free(plugins, module)) {
        ps_module_close(module);
        return;
    }
    plugins->modules = ps_must_realloc(
        plugins->modules, (plugins->module_count + 1) * sizeof(const struct ps_module *), "plug-ins");
    plugins->modules[plugins->module_count++] = module;
    for (size_t i = 0; i < module->stage_count; i++)
        add_stage(plugins, module->stages[i]);
}

/* ---- folders ---- */

static int is_shared_object(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ps_text_ends(entry->d_name, ".so");
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Calls `each` for the entries of the folder, in order of their names. A folder that does not exist has no entries. */
static void visit(struct ps_plugins *plugins, const char *folder, int (*filter)(const struct dirent *entry),
                  void (*each)(struct ps_plugins *plugins, const char *path))
{
    struct dirent **entries;
    int count = scandir(folder, &entries, filter, alphasort);
    if (count < 0 && errno != ENOENT && errno != ENOTDIR) {
        struct ps_err what = {.length = 0};
        ps_err_set(&what, "cannot be listed: %s", strerror(errno));
        plugins->report(plugins->argument, PS_LOG_ERROR, folder, what.text,
                        "give the user of the agent the right to read and to enter it");
    }
    for (int i = 0; i < count; i++) {
        struct ps_err path = {.length = 0};
        ps_err_set(&path, "%s/%s", folder, entries[i]->d_name);
        each(plugins, path.text);
        free(entries[i]);
    }
    if (count >= 0)
        free((void *)entries);
}

static void visit_plugin(struct ps_plugins *plugins, const char *path)
{
    struct ps_err folder = {.length = 0};
    struct stat status;
    ps_err_set(&folder, "%s/" OWN_FOLDER, path);
    if (stat(folder.text, &status) == 0 && S_ISDIR(status.st_mode) && (status.st_mode & S_IWOTH) != 0)
        plugins->report(
            plugins->argument, PS_LOG_ERROR, folder.text,
            "can be written by every user of this machine, who could run code with the agent's rights",
            "take the right away: chmod o-w");
    else
        visit(plugins, folder.text, is_shared_object, add_file);
}

struct ps_plugins *ps_plugins_load(const struct ps_texts *folders, const struct ps_stage_ops *const *native,
                                   ps_plugins_report *report, void *argument)
{
    struct ps_plugins *plugins = ps_must_alloc(1, sizeof *plugins, "plug-ins");
    plugins->report = report;
    plugins->argument = argument;
    plugins->stages = ps_must_alloc(1, sizeof(const struct ps_stage_ops *), "plug-ins");
    for (; *native != NULL; native++)
        add_stage(plugins, *native);
    for (size_t i = 0; i < folders->count; i++)
        visit(plugins, folders->items[i], is_visible, visit_plugin);
    return plugins;
}

const struct ps_stage_ops *const *ps_plugins_stages(const struct ps_plugins *plugins)
{
    return plugins->stages;
}

const struct ps_module *ps_plugins_module(const struct ps_plugins *plugins, size_t index)
{
    return index < plugins->module_count ? plugins->modules[index] : NULL;
}

const struct ps_module *ps_plugins_module_of(const struct ps_plugins *plugins, const struct ps_stage_ops *ops)
{
    for (size_t i = 0; i < plugins->module_count; i++)
        for (size_t k = 0; k < plugins->modules[i]->stage_count; k++)
            if (plugins->modules[i]->stages[k] == ops)
                return plugins->modules[i];
    return NULL;
}

void ps_plugins_destroy(void *plugins_)
{
    struct ps_plugins *plugins = plugins_;
    for (size_t i = 0; i < plugins->module_count; i++)
        ps_module_close(plugins->modules[i]);
    free(plugins->modules);
    free(plugins->stages);
    free(plugins);
}
