/* See class_path.h. */
#include "conf/java/class_path.h"
#include "core/durable.h"

#include "conf/java/tools.h"
#include "conf/java/unread.h"
#include "conf/text.h"
#include "core/text/ends.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Notes a folder that could not be read, unless it does not exist. */
static void note_blocked(struct ps_class_path *path, struct ps_arena *arena, const char *folder, int error)
{
    if (ps_unread_is_absent(error) || path->blocked != NULL)
        return;
    path->error = error;
    path->blocked = ps_arena_format(arena, "%s: %s", folder, strerror(error));
}

/* Returns whether the folder exists. Notes a folder whose state cannot be read. */
static bool is_folder(struct ps_class_path *path, struct ps_arena *arena, const char *folder)
{
    struct stat status;
    if (stat(folder, &status) == 0)
        return S_ISDIR(status.st_mode);
    note_blocked(path, arena, folder, errno);
    return false;
}

/* Adds each part of a path; an empty part is the working directory. */
static void add_path(struct ps_arena *arena, struct ps_texts *entries, const char *path)
{
    while (path != NULL) {
        size_t length = strcspn(path, ":");
        ps_texts_add(arena, entries, ps_arena_copy(arena, path, length));
        path = path[length] == ':' ? path + length + 1 : NULL;
    }
}

/* ---- plugins.d ---- */

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Adds FOLDER/NAME/`part` of every plug-in that has it, followed by `suffix`. */
static void add_plugins(struct ps_class_path *path, struct ps_arena *arena, struct ps_texts *entries,
                        const char *folder, const char *part, const char *suffix)
{
    struct dirent **names;
    int count = scandir(folder, &names, is_visible, alphasort);
    if (count < 0)
        note_blocked(path, arena, folder, errno);
    for (int i = 0; i < count; i++) {
        const char *place = ps_arena_format(arena, "%s/%s/%s", folder, names[i]->d_name, part);
        if (is_folder(path, arena, place))
            ps_texts_add(arena, entries, ps_arena_format(arena, "%s%s", place, suffix));
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

static void add_all_plugins(struct ps_class_path *path, struct ps_arena *arena, struct ps_texts *entries,
                            const struct ps_texts *folders, const char *part, const char *suffix)
{
    for (size_t i = 0; i < folders->count; i++)
        add_plugins(path, arena, entries, folders->items[i], part, suffix);
}

static const char *join(struct ps_arena *arena, const struct ps_texts *texts)
{
    const char *path = NULL;
    for (size_t i = 0; i < texts->count; i++)
        path = ps_arena_format(arena, "%s%s%s", path != NULL ? path : "", path != NULL ? ":" : "",
                               texts->items[i]);
    return path;
}

static const char *library_path(struct ps_class_path *path, struct ps_arena *arena,
                                const struct ps_command *command, const struct ps_tools_said *said)
{
    struct ps_texts folders = {0, NULL};
    const char *first = ps_command_variable(command, "FLUME_JAVA_LIBRARY_PATH");
    if (first != NULL)
        ps_texts_add(arena, &folders, ps_arena_text(arena, first));
    const char *blocked = path->blocked;
    add_all_plugins(path, arena, &folders, &command->plugins, "native", "");
    /* forgets folders of native libraries that could not be looked at, because they have no classes */
    path->blocked = blocked;
    if (said->hadoop.library_path != NULL)
        ps_texts_add(arena, &folders, ps_arena_text(arena, said->hadoop.library_path));
    if (said->hbase.library_path != NULL)
        ps_texts_add(arena, &folders, ps_arena_text(arena, said->hbase.library_path));
    return join(arena, &folders);
}

/* Adds all jars of the folder `part` in the folder that the variable names, if `part` exists there. */
static void add_home(struct ps_class_path *path, const struct ps_command *command, struct ps_arena *arena,
                     const char *name, const char *part)
{
    const char *home = ps_command_variable(command, name);
    const char *folder = home != NULL ? ps_arena_format(arena, "%s/%s", home, part) : NULL;
    if (folder != NULL && is_folder(path, arena, folder))
        ps_texts_add(arena, &path->entries, ps_arena_format(arena, "%s/*", folder));
}

/* Adds the class paths of Hadoop, HBase and Hive, in the order of Flume's script. */
static void add_tools(struct ps_class_path *path, struct ps_arena *arena, const struct ps_command *command,
                      const struct ps_tools_said *said)
{
    struct ps_texts *entries = &path->entries;
    add_path(arena, entries, said->hadoop.class_path);
    add_path(arena, entries, said->hbase.class_path);
    if (said->hbase.program != NULL) {
        const char *home = ps_command_variable(command, "HBASE_HOME");
        ps_texts_add(arena, entries, ps_arena_format(arena, "%s/conf", home != NULL ? home : ""));
    }
    add_home(path, command, arena, "HIVE_HOME", "lib");
    add_home(path, command, arena, "HCAT_HOME", "share/hcatalog");
}

static struct ps_texts entries_of(struct ps_class_path *path, struct ps_arena *arena,
                                  const struct ps_command *command)
{
    struct ps_texts entries = {0, NULL};
    const char *home = ps_command_variable(command, "FLUME_HOME");
    char absolute[PATH_MAX];
    if (command->conf_dir != NULL && *command->conf_dir != '\0') {
        bool found =
            is_folder(path, arena, command->conf_dir) && realpath(command->conf_dir, absolute) != NULL;
        ps_texts_add(arena, &entries, ps_arena_text(arena, found ? absolute : command->conf_dir));
    }
    if (home != NULL)
        ps_texts_add(arena, &entries, ps_arena_format(arena, "%s/lib/*", home));
    add_path(arena, &entries, command->classpath);
    add_path(arena, &entries, ps_command_variable(command, "FLUME_CLASSPATH"));
    add_all_plugins(path, arena, &entries, &command->plugins, "lib", "/*");
    add_all_plugins(path, arena, &entries, &command->plugins, "libext", "/*");
    return entries;
}

/* ---- java ---- */

#define INSTALL_JAVA                                                                                         \
    "install a Java runtime (package default-jre-headless), or set JAVA_HOME to the folder that has "        \
    "bin/java"

/* Returns why the program, which exists, cannot be started, and the cure. */
static const char *cannot_execute(struct ps_arena *arena, const char *java, int error)
{
    struct stat status;
    if (error == EACCES && stat(java, &status) == 0)
        return ps_arena_format(arena,
                               "%s is not executable; make it so (chmod +x), or set JAVA_HOME to the folder "
                               "that has another bin/java",
                               java);
    const char *cure = ps_unread_cure(error);
    return ps_arena_format(arena, "%s cannot be looked at: %s%s%s", java, strerror(error),
                           cure != NULL ? "; " : "", cure != NULL ? cure : "");
}

static void find_java(struct ps_arena *arena, const struct ps_command *command, struct ps_class_path *path)
{
    const char *home = ps_command_variable(command, "JAVA_HOME");
    const char *java =
        home != NULL ? ps_arena_format(arena, "%s/bin/java", home) : ps_tools_in_path(arena, command, "java");
    if (java == NULL)
        path->java_lacks = "there is no `java` in PATH, and JAVA_HOME is not set; " INSTALL_JAVA;
    else if ((access(java, X_OK) != 0 && ps_unread_is_absent(errno)) || ps_directory_exists(java))
        path->java_lacks =
            ps_arena_format(arena, "JAVA_HOME is %s, which has no bin/java; " INSTALL_JAVA, home);
    else if (access(java, X_OK) != 0)
        path->java_lacks = cannot_execute(arena, java, errno);
    else
        path->java = java;
}

/* Notes a folder of jars with a colon in its name: Java would read the name as two, so it cannot be on a class path. */
static void find_colon(struct ps_arena *arena, struct ps_class_path *path)
{
    for (size_t i = 0; i < path->entries.count && path->java != NULL; i++) {
        const char *entry = path->entries.items[i];
        size_t length = strlen(entry);
        if (!ps_text_ends(entry, "/*") || strchr(entry, ':') == NULL)
            continue;
        path->java = NULL;
        path->java_lacks = ps_arena_format(
            arena,
            "the folder %.*s cannot be on Java's class path, where a colon separates two entries; rename "
            "it, or name it by a symbolic link without a colon",
            (int)length - 2, entry);
    }
}

/* Adds the words of a variable, as an unquoted $NAME of a shell. */
static void add_words(struct ps_arena *arena, struct ps_texts *options, const char *text)
{
    const struct ps_texts words = ps_text_split_blanks(arena, ps_text_trim(arena, text != NULL ? text : ""));
    for (size_t i = 0; i < words.count; i++)
        if (*words.items[i] != '\0')
            ps_texts_add(arena, options, words.items[i]);
}

struct ps_class_path *ps_class_path_make(struct ps_arena *arena, const struct ps_command *command)
{
    struct ps_class_path *path = ps_arena_alloc(arena, sizeof *path);
    add_words(arena, &path->options, ps_command_variable(command, "JAVA_OPTS"));
    add_words(arena, &path->options, ps_command_variable(command, "FLUME_JAVA_OPTS"));
    for (size_t i = 0; i < command->jvm.count; i++)
        ps_texts_add(arena, &path->options, ps_arena_text(arena, command->jvm.items[i]));
    path->entries = entries_of(path, arena, command);
    add_tools(path, arena, command, &(struct ps_tools_said){.asked = false});
    path->library_path = library_path(path, arena, command, &(struct ps_tools_said){.asked = false});
    find_java(arena, command, path);
    find_colon(arena, path);
    return path;
}

static void report(struct ps_problems *problems, struct ps_arena *arena, const char *name,
                   const struct ps_tool_said *said)
{
    if (said->program == NULL || problems == NULL)
        return;
    const struct ps_place place = {.key = name};
    if (said->class_path == NULL)
        ps_problem_add(problems, PS_SEVERITY_WARNING, place,
                       ps_arena_format(arena, "run `%s classpath` by hand", said->program),
                       "its classes are not found: %s", said->wrong);
    else
        ps_problem_add(problems, PS_SEVERITY_NOTE, place, NULL,
                       "the output of `%s classpath` is appended to Flume's class path", said->program);
}

void ps_class_path_complete(struct ps_class_path *path, struct ps_arena *arena,
                            const struct ps_command *command, struct ps_problems *problems)
{
    struct ps_tools_said once = {.asked = false};
    struct ps_tools_said *said = command->tools != NULL ? command->tools : &once;
    path->blocked = NULL; /* the folder may exist by now */
    path->entries = entries_of(path, arena, command);
    const char *own = join(arena, &path->entries);
    ps_tools_ask(said, command, own != NULL ? own : "", command->ask_classes);
    add_tools(path, arena, command, said);
    path->library_path = library_path(path, arena, command, said);
    report(problems, arena, "hadoop", &said->hadoop);
    report(problems, arena, "hbase", &said->hbase);
}
