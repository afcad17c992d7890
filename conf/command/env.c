/* See env.h. */
#include "conf/command/env.h"

#include "conf/file.h"
#include "conf/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ENV_BYTES_MAX (1u << 20)
#define ENV_LINE_MAX 10000

static bool word_ends(char c)
{
    return c == '\0' || isspace((unsigned char)c) || c == '"' || c == '\'' || c == '\\';
}

/* Returns the option without its value, which may be a secret: "-Dkey=...". */
static const char *without_value(struct ps_arena *arena, const char *option)
{
    const char *equals = strchr(option, '=');
    return equals == NULL ? option : ps_arena_format(arena, "%.*s=...", (int)(equals - option), option);
}

/* Returns the advice for properties that only a Java VM reads: penstock ignores such properties as well. */
static const char *of_java(const char *key)
{
    if (ps_text_begins(key, "com.sun.management."))
        return "JMX is Java's; -Dflume.monitoring.type=http serves the same counters";
    static const char *const others[] = {"com.sun.",        "sun.", "java.rmi.",     "java.awt.",
                                         "java.net.prefer", "jdk.", "file.encoding", "java.library.path",
                                         "java.io.tmpdir"};
    for (size_t i = 0; i < PS_COUNT_OF(others); i++)
        if (ps_text_begins(key, others[i]))
            return "nothing has to be set instead";
    return NULL;
}

/* Returns whether the agent itself reads the property, as Flume's does from JAVA_OPTS. */
static bool is_used(const char *key)
{
    static const char *const used[] = {"flume.monitoring.", "penstock.monitoring.", "flume.root.logger",
                                       "flume.log."};
    for (size_t i = 0; i < PS_COUNT_OF(used); i++)
        if (ps_text_begins(key, used[i]))
            return true;
    return false;
}

/* Takes over a property whose value is written out. The last one of the file counts, as in Java. */
static void use_property(struct ps_conf *conf, const char *key, const char *value, struct ps_place place)
{
    ps_pairs_add(conf->arena, &conf->system, (struct ps_pair){.key = key, .value = value});
    ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, place, NULL,
                   "-D%s is used as if it were on the command line", key);
}

/* Reports a -D option of flume-env.sh, unless the command line has it as well. */
static void line_property(struct ps_conf *conf, const char *word, struct ps_place place)
{
    const char *key = ps_arena_copy(conf->arena, word + 2, strcspn(word + 2, "="));
    const char *shown = without_value(conf->arena, word), *java = of_java(key);
    const char *value = strchr(word, '=');
    if (conf->command != NULL ? ps_pairs_get_last(&conf->command->system, key) != NULL
                              : ps_conf_system_property(conf, key) != NULL)
        return;
    if (value != NULL && is_used(key) && strpbrk(value, "$`") == NULL) {
        use_property(conf, key, value + 1, place);
        return;
    }
    if (java != NULL)
        ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, place, java,
                       "%s has a meaning only for Java: components that are Java classes get it", shown);
    else
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, place,
                       ps_arena_format(conf->arena, "start penstock with %s of this line", shown),
                       "flume-env.sh is not executed: only Java classes get %s", shown);
}

/* Handles the options of one line: -Dkey=value and -Xmx. */
static void line_options(struct ps_conf *conf, const char *line, struct ps_place place)
{
    for (const char *at = line; (at = strchr(at, '-')) != NULL; at++) {
        if (at > line && !word_ends(at[-1]) && at[-1] != '=')
            continue;
        size_t length = 0;
        while (!word_ends(at[length]))
            length++;
        const char *word = ps_arena_copy(conf->arena, at, length);
        if (ps_text_begins(word, "-D") && length > 2) {
            line_property(conf, word, place);
        } else if (ps_text_begins(word, "-Xmx")) {
            int64_t bytes = ps_command_heap_bytes(word + 4);
            if (bytes > 0 && conf->heap_bytes == 0) {
                conf->heap_bytes = bytes;
                ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, place, NULL,
                               "%s is the memory budget; with components in Java it is the heap of their JVM",
                               word);
            }
        }
    }
}

/* ---- assignments ---- */

/* Reports a variable that ${env:NAME} or a command may need. */
static void report_export(struct ps_conf *conf, const struct ps_shell_variable *variable, const char *path)
{
    static const char *const known[] = {
        "JAVA_HOME",       "JAVA_OPTS",  "FLUME_JAVA_OPTS", "FLUME_JAVA_LIBRARY_PATH",
        "FLUME_CLASSPATH", "FLUME_HOME", "HADOOP_HOME",     "HADOOP_PREFIX",
        "HIVE_HOME",       "HBASE_HOME", "HCAT_HOME",       "HADOOP_CONF_DIR",
        "LD_LIBRARY_PATH", "CLASSPATH"};
    for (size_t i = 0; i < PS_COUNT_OF(known); i++)
        if (strcmp(known[i], variable->name) == 0)
            return;
    if (getenv(variable->name) == NULL)
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, (struct ps_place){path, variable->line, NULL},
                       "set it in the environment of penstock",
                       "flume-env.sh is not executed: %s is not exported", variable->name);
}

/* Reports an assignment that only a shell can carry out, unless the variable has a value in another way. */
static void report_gap(struct ps_conf *conf, const struct ps_shell *shell, const struct ps_shell_gap *gap,
                       const char *path)
{
    struct ps_place place = {path, gap->line, NULL};
    const char *missing = "";
    for (size_t i = 0; i < gap->names.count; i++) {
        const char *name = gap->names.items[i];
        const struct ps_shell_variable *variable = ps_shell_find(shell, name);
        if (getenv(name) == NULL && (variable == NULL || *variable->value == '\0'))
            missing = ps_arena_format(conf->arena, "%s%s%s", missing, *missing != '\0' ? ", " : "", name);
    }
    if (*missing != '\0')
        ps_problem_add(
            &conf->problems, PS_SEVERITY_WARNING, place,
            "set it in the environment of penstock, or assign it without a condition and a command",
            "flume-env.sh is not executed, and this `%s` is not understood: %s is not set", gap->what,
            missing);
    else if (gap->names.count == 0)
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, place,
                       "set the variables that it assigns in the environment of penstock",
                       "flume-env.sh is not executed: the variables that this `%s` would set are not known",
                       gap->what);
}

void ps_env_load(struct ps_command *command)
{
    struct ps_file file;
    const char *path = ps_arena_format(command->arena, "%s/flume-env.sh", command->conf_dir);
    if (ps_file_read(path, ENV_BYTES_MAX, &file, NULL) != PS_OK)
        return;
    ps_shell_read(&command->environment, command->arena, file.bytes, file.length);
    ps_file_free(&file);
}

/* Reports a file that is there and cannot be read. */
static void report_unread(struct ps_conf *conf, const char *path, const struct ps_err *err)
{
    struct stat status;
    if (lstat(path, &status) == 0)
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, (struct ps_place){.file = path},
                       "put a file there that the user of the agent can read, or remove it",
                       "none of its settings is used: %s", err->text);
}

void ps_env_read(struct ps_conf *conf, const char *conf_dir)
{
    struct ps_file file;
    struct ps_shell shell;
    struct ps_err err = {.length = 0};
    const char *path = ps_arena_format(conf->arena, "%s/flume-env.sh", conf_dir);
    if (ps_file_read(path, ENV_BYTES_MAX, &file, &err) != PS_OK) {
        report_unread(conf, path, &err);
        return;
    }
    ps_shell_read(&shell, conf->arena, file.bytes, file.length);
    for (size_t i = 0; i < shell.count; i++)
        if (shell.variables[i].exported)
            report_export(conf, &shell.variables[i], path);
    for (size_t i = 0; i < shell.gap_count; i++)
        report_gap(conf, &shell, &shell.gaps[i], path);
    char *line = file.bytes;
    for (int number = 1; line != NULL && number < ENV_LINE_MAX; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        const char *text = line + strspn(line, " \t");
        if (*text != '#')
            line_options(conf, text, (struct ps_place){.file = path, .line = number});
        line = end != NULL ? end + 1 : NULL;
    }
    ps_file_free(&file);
}
