/* See tools.h. */
#include "conf/java/tools.h"

#include "conf/exec.h"
#include "conf/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_MS 60000
#define OUTPUT_BYTES_MAX (1U << 20)
#define LIBRARY_PATH "java.library.path"

extern char **environ;

static const struct tool {
    const char *name;
    const char *homes[2]; /* variables: the first that is set names the command's folder, which has `bin` */
    const char *variable; /* the environment variable of this command for further jars */
} hadoop = {"hadoop", {"HADOOP_HOME", "HADOOP_PREFIX"}, "HADOOP_CLASSPATH"},
  hbase = {"hbase", {"HBASE_HOME", NULL}, "HBASE_CLASSPATH"};

/* ---- the place of a command ---- */

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

const char *ps_tools_in_path(struct ps_arena *arena, const struct ps_command *command, const char *name)
{
    const char *folders = ps_command_variable(command, "PATH");
    for (const char *at = folders; at != NULL && *at != '\0'; at += *at == ':') {
        size_t length = strcspn(at, ":");
        const char *path = ps_arena_format(arena, "%.*s/%s", (int)length, at, name);
        if (length > 0 && is_program(path))
            return path;
        at += length;
    }
    return NULL;
}

/* Looks in `bin` of the command's folder, then in PATH. When no variable names the folder, looks in /bin first, as
 * Flume's script does. */
static const char *find(const struct ps_command *command, const struct tool *tool)
{
    const char *home = ps_command_variable(command, tool->homes[0]);
    if (home == NULL && tool->homes[1] != NULL)
        home = ps_command_variable(command, tool->homes[1]);
    const char *path = ps_arena_format(command->arena, "%s/bin/%s", home != NULL ? home : "", tool->name);
    if (is_program(path))
        return path;
    return ps_tools_in_path(command->arena, command, tool->name);
}

/* ---- the environment of a command ---- */

static bool is_variable(const char *assignment, const char *name)
{
    size_t length = strlen(name);
    return strncmp(assignment, name, length) == 0 && assignment[length] == '=';
}

/* Returns whether flume-env.sh assigns the variable of this assignment. */
static bool is_from_script(const struct ps_command *command, const char *assignment)
{
    for (size_t i = 0; i < command->environment.count; i++)
        if (is_variable(assignment, command->environment.variables[i].name))
            return true;
    return false;
}

/* Returns this process's environment with what flume-env.sh exports, and the variable `name` for further jars. `value`
 * NULL: leaves the variable out, because Flume's script uses a variable of that name itself. */
static const char *const *environment_of(const struct ps_command *command, const char *name,
                                         const char *value)
{
    const struct ps_shell *script = &command->environment;
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    const char **items = ps_arena_alloc(command->arena, (count + script->count + 2) * sizeof *items);
    size_t to = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_variable(environ[i], name) && !is_from_script(command, environ[i]))
            items[to++] = environ[i];
    for (size_t i = 0; i < script->count; i++) {
        const struct ps_shell_variable *variable = &script->variables[i];
        bool exported = variable->exported || getenv(variable->name) != NULL;
        if (exported && variable->value != NULL && strcmp(variable->name, name) != 0)
            items[to++] = ps_arena_format(command->arena, "%s=%s", variable->name, variable->value);
    }
    if (value != NULL)
        items[to++] = ps_arena_format(command->arena, "%s=%s", name, value);
    items[to] = NULL;
    return items;
}

/* ---- the output of a command ---- */

/* Returns the last line that is not empty: a JVM may have written others before. */
static const char *last_line(struct ps_arena *arena, const char *text)
{
    const char *line = "";
    size_t length = 0;
    for (const char *at = text; *at != '\0'; at += *at == '\n') {
        size_t size = strcspn(at, "\n");
        if (size > 0) {
            line = at;
            length = size;
        }
        at += size;
    }
    return ps_arena_copy(arena, line, length);
}

static void ask_class_path(struct ps_tool_said *said, const struct ps_command *command,
                           const struct tool *tool)
{
    const char *const words[] = {said->program, "classpath"};
    const struct ps_texts run = {PS_COUNT_OF(words), words};
    struct ps_err err = {.length = 0};
    const char *text = ps_exec_output(command->arena, &run, environment_of(command, tool->variable, NULL),
                                      OUTPUT_BYTES_MAX, TIMEOUT_MS, &err);
    const char *path = text != NULL ? last_line(command->arena, text) : "";
    if (*path != '\0')
        said->class_path = path;
    else
        said->wrong = err.length > 0 ? ps_arena_text(command->arena, err.text) : "it printed nothing";
}

/* Asks for the native libraries. A command that fails gives none, as with Flume. */
static void ask_libraries(struct ps_tool_said *said, const struct ps_command *command,
                          const struct tool *tool, const char *class_path)
{
    const char *const words[] = {said->program, "org.apache.flume.tools.GetJavaProperty", LIBRARY_PATH};
    const struct ps_texts run = {PS_COUNT_OF(words), words};
    struct ps_err err = {.length = 0};
    const char *text =
        ps_exec_output(command->arena, &run, environment_of(command, tool->variable, class_path),
                       OUTPUT_BYTES_MAX, TIMEOUT_MS, &err);
    for (const char *at = text; at != NULL && *at != '\0'; at += *at == '\n') {
        size_t length = strcspn(at, "\n"), name = strlen(LIBRARY_PATH "=");
        if (ps_text_begins(at, LIBRARY_PATH "=") && length > name && said->library_path == NULL)
            said->library_path = ps_arena_copy(command->arena, at + name, length - name);
        at += length;
    }
}

void ps_tools_ask(struct ps_tools_said *said, const struct ps_command *command, const char *class_path,
                  bool libraries)
{
    if (!said->asked) {
        said->hadoop.program = find(command, &hadoop);
        said->hbase.program = find(command, &hbase);
        if (said->hadoop.program != NULL)
            ask_class_path(&said->hadoop, command, &hadoop);
        if (said->hbase.program != NULL)
            ask_class_path(&said->hbase, command, &hbase);
        said->asked = true;
    }
    if (libraries && !said->asked_libraries) {
        if (said->hadoop.program != NULL)
            ask_libraries(&said->hadoop, command, &hadoop, class_path);
        if (said->hadoop.class_path != NULL)
            class_path = ps_arena_format(command->arena, "%s:%s", class_path, said->hadoop.class_path);
        if (said->hbase.program != NULL)
            ask_libraries(&said->hbase, command, &hbase, class_path);
        said->asked_libraries = true;
    }
}
