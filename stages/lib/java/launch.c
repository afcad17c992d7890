#include "stages/lib/java/launch.h"

#include "core/arena.h"
#include "core/clock.h"
#include "stages/lib/java/hangs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JAR "penstock-java.jar"
#define HOST "penstock.host.Host"
#define PATH_BYTES 4096U
#define LEVELS "-Dpenstock.log.levels="
#define ARGUMENTS_MAX 256U
#define SILENCE_NS (60 * PS_NS_PER_S)
/* A JVM gives no sign of life before it has read its first classes, for which a busy machine or a slow file system needs long. */
#define START_NS (600 * PS_NS_PER_S)
#define REST_NS PS_NS_PER_S
#define REST_MAX_NS (60 * PS_NS_PER_S)

extern char **environ;

struct command {
    struct ps_arena *arena;
    const char *argv[ARGUMENTS_MAX + 1];
    size_t count;
    bool is_cut; /* there are more arguments than there is room for */
};

static void add(struct command *command, const char *argument)
{
    if (command->count < ARGUMENTS_MAX)
        command->argv[command->count++] = argument;
    else
        command->is_cut = true;
}

static bool has_argument(const struct command *command, const char *prefix)
{
    for (size_t i = 0; i < command->count; i++) {
        if (strncmp(command->argv[i], prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

/* ---- our jar ---- */

/* Returns the folder of this program, or NULL. */
static char *own_folder(struct ps_arena *arena)
{
    char path[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;
    return slash != NULL ? ps_arena_copy(arena, path, (size_t)(slash - path)) : NULL;
}

/* Looks beside the program (a build), in ../lib/penstock (an installation), and above it (a test of a build). */
static const char *jar_find(struct ps_arena *arena, struct ps_err *err)
{
    static const char *const places[] = {"", "/../lib/penstock", "/../../lib/penstock", "/..", NULL};
    const char *folder = own_folder(arena);
    for (const char *const *place = places; folder != NULL && *place != NULL; place++) {
        const char *path = ps_arena_format(arena, "%s%s/" JAR, folder, *place);
        if (access(path, R_OK) == 0)
            return path;
        if (errno != ENOENT && errno != ENOTDIR) {
            ps_err_set(err, "%s cannot be read: %s; give the agent's user the right to read it", path,
                       strerror(errno));
            return NULL;
        }
    }
    ps_err_set(err,
               JAR " is neither in %s nor in ../lib/penstock: install the package penstock-java, or build "
                   "penstock on a machine with a JDK",
               folder != NULL ? folder : "the program's directory");
    return NULL;
}

bool ps_java_launch_check(struct ps_err *err)
{
    struct ps_arena *arena = ps_arena_create();
    bool found = jar_find(arena, err) != NULL;
    ps_arena_destroy(arena);
    return found;
}

/* ---- the command ---- */

static void add_class_path(struct command *command, const struct ps_class_path *path, const char *jar)
{
    const char *text = jar;
    for (size_t i = 0; i < path->entries.count; i++)
        text = ps_arena_format(command->arena, "%s:%s", text, path->entries.items[i]);
    add(command, "-cp");
    add(command, text);
    if (path->library_path != NULL)
        add(command, ps_arena_format(command->arena, "-Djava.library.path=%s", path->library_path));
}

/* Adds the levels of loggers, which the host gives to the logging library (LogLevels.java). */
static void add_levels(struct command *command, const struct ps_texts *levels)
{
    const char *text = LEVELS;
    for (size_t i = 0; i < levels->count; i++)
        text = ps_arena_format(command->arena, "%s%s%s", text, i > 0 ? "," : "", levels->items[i]);
    if (levels->count > 0)
        add(command, text);
}

/* A class logs to the host's standard output, with the levels of the agent's log4j files, unless the user configures the class path's
 * logging library. */
static void add_logging(struct command *command, const struct ps_class_path *path)
{
    bool is_2_own = has_argument(command, "-Dlog4j2.configurationFile=") ||
                    has_argument(command, "-Dlog4j.configurationFile=");
    bool is_1_own = has_argument(command, "-Dlog4j.configuration=");
    if (!is_2_own)
        add(command, "-Dlog4j2.configurationFile=penstock-log4j2.xml");
    if (!is_1_own)
        add(command, "-Dlog4j.configuration=penstock-log4j.properties");
    if (!is_2_own && !is_1_own)
        add_levels(command, &path->log_levels);
    if (!has_argument(command, "-Dlog4j2.disable"))
        add(command, "-Dlog4j2.disable.jmx=true"); /* the beans for JMX take a tenth of the start's time */
}

/* Returns whether a second JVM of the agent could not start with this option, because it opens a port that the
 * first JVM has. */
static bool is_for_one(const char *option)
{
    static const char *const prefixes[] = {"-agentlib:", "-agentpath:", "-javaagent:", "-Xrun",
                                           "-Dcom.sun.management."};
    for (size_t i = 0; i < PS_COUNT_OF(prefixes); i++)
        if (strncmp(option, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* Returns whether the word names a garbage collector, as -XX:+UseG1GC does and -XX:+UseStringDeduplication
 * does not. */
static bool is_collector(const char *word, size_t length)
{
    static const char prefix[] = "-XX:+Use";
    return length > sizeof prefix - 1 + 2 && memcmp(word, prefix, sizeof prefix - 1) == 0 &&
           memcmp(word + length - 2, "GC", 2) == 0 && memmem(word, length, "SystemGC", 8) == NULL;
}

static bool names_collector(const char *words)
{
    static const char blanks[] = " \t\n\r\f\v";
    while (words != NULL && *(words += strspn(words, blanks)) != '\0') {
        size_t length = strcspn(words, blanks);
        if (is_collector(words, length))
            return true;
        words += length;
    }
    return false;
}

/* Returns whether the user has chosen a collector, in the options or in the variables that the JVM itself
 * reads. A JVM does not start with two collectors. */
static bool has_collector(const struct command *command)
{
    static const char *const variables[] = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"};
    for (size_t i = 0; i < PS_COUNT_OF(variables); i++)
        if (names_collector(getenv(variables[i])))
            return true;
    for (size_t i = 0; i < command->count; i++)
        if (is_collector(command->argv[i], strlen(command->argv[i])))
            return true;
    return false;
}

static bool command_make(struct command *command, const struct ps_class_path *path, const char *main_class,
                         struct ps_err *err)
{
    const char *jar = jar_find(command->arena, err);
    if (jar == NULL)
        return false;
    if (path == NULL || path->java == NULL) {
        ps_err_set(err, "%s", path != NULL ? path->java_lacks : "there is no class path");
        return false;
    }
    add(command, path->java);
    for (size_t i = 0; i < path->options.count; i++)
        if (strcmp(main_class, HOST) == 0 || !is_for_one(path->options.items[i]))
            add(command, path->options.items[i]);
    if (!has_collector(command))
        add(command,
            "-XX:+UseSerialGC"); /* the least CPU time; a user who needs short pauses names another */
    if (!has_argument(command, "-XX:+UsePerfData"))
        add(command,
            "-XX:-UsePerfData"); /* the JVM's 20 samples a second take a third of an idle host's CPU time */
    if (!has_argument(command, "-XX:-ExitOnOutOfMemoryError"))
        add(command, "-XX:+ExitOnOutOfMemoryError");
    add_logging(command, path);
    add_class_path(command, path, jar);
    add(command, main_class);
    if (command->is_cut) {
        ps_err_set(err,
                   "there are too many options for Java: the command may have %u words with those of "
                   "JAVA_OPTS, of FLUME_JAVA_OPTS and of the command line",
                   ARGUMENTS_MAX);
        return false;
    }
    return true;
}

/* Returns this process's environment with the folders of native libraries after LD_LIBRARY_PATH, for
 * libraries that need other libraries of the same folder. Returns NULL if the environment stays as it is. */
static const char *const *environment_make(struct ps_arena *arena, const struct ps_class_path *path)
{
    static const char name[] = "LD_LIBRARY_PATH=";
    const char *before = getenv("LD_LIBRARY_PATH");
    if (path == NULL || path->library_path == NULL)
        return NULL;
    size_t count = 0, to = 0;
    while (environ[count] != NULL)
        count++;
    const char **items = ps_arena_alloc(arena, (count + 2) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], name, sizeof name - 1) != 0)
            items[to++] = environ[i];
    items[to] = ps_arena_format(arena, "%s%s:%s", name, before != NULL ? before : "", path->library_path);
    return items;
}

/* ---- the agent's host ---- */

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ps_java_host *shared;
static unsigned shared_holders;

#define SHARED_PATIENCE_MS 5000U
/* If a class hung in the agent's stop, an interceptor has 1 s instead of 4 s to stop (Host.java). */
#define PATIENCE_BEHIND_HUNG_MS 3000U

struct ps_java_host *ps_java_host_hold(struct ps_java_host *(*make)(void *argument, struct ps_err *err),
                                       void *argument, struct ps_err *err)
{
    pthread_mutex_lock(&shared_lock);
    if (shared == NULL)
        shared = make(argument, err);
    struct ps_java_host *host = shared;
    shared_holders += host != NULL;
    pthread_mutex_unlock(&shared_lock);
    return host;
}

void ps_java_host_release(void)
{
    pthread_mutex_lock(&shared_lock);
    PS_ASSERT(shared_holders > 0);
    if (--shared_holders == 0) {
        ps_java_host_destroy(shared, ps_java_hangs_any() ? PATIENCE_BEHIND_HUNG_MS : SHARED_PATIENCE_MS);
        shared = NULL;
    }
    pthread_mutex_unlock(&shared_lock);
}

static struct ps_java_host *make(void *path, struct ps_err *err)
{
    struct command command = {.arena = ps_arena_create()};
    struct ps_java_host *host = NULL;
    if (command_make(&command, path, HOST, err)) {
        struct ps_java_launch launch = {.argv = command.argv,
                                        .environment = environment_make(command.arena, path),
                                        .silence_ns = SILENCE_NS,
                                        .start_ns = START_NS,
                                        .rest_ns = REST_NS,
                                        .rest_max_ns = REST_MAX_NS};
        host = ps_java_host_create(&launch, err);
    }
    ps_arena_destroy(command.arena);
    return host;
}

struct ps_java_host *ps_java_launch(const struct ps_class_path *path, struct ps_err *err)
{
    struct ps_java_host *host = ps_java_host_hold(make, (void *)(uintptr_t)path, err);
    struct command command = {.arena = ps_arena_create()};
    struct ps_err ignored = {.length = 0}; /* the host runs on */
    if (host != NULL && path != NULL && command_make(&command, path, HOST, &ignored))
        ps_java_host_renew(host, command.argv);
    ps_arena_destroy(command.arena);
    return host;
}

const char *const *ps_java_launch_command(struct ps_arena *arena, const struct ps_class_path *path)
{
    struct ps_err ignored = {.length = 0};
    return ps_java_launch_alone(arena, path, HOST, &ignored);
}

void ps_java_launch_follow(const char *const *argv)
{
    pthread_mutex_lock(&shared_lock);
    struct ps_java_host *host = argv != NULL ? shared : NULL;
    shared_holders +=
        host != NULL; /* keeps the host while the jars are compared without the lock, which may take long */
    pthread_mutex_unlock(&shared_lock);
    if (host == NULL)
        return;
    ps_java_host_renew(host, argv);
    ps_java_host_release();
}

const char *const *ps_java_launch_alone(struct ps_arena *arena, const struct ps_class_path *path,
                                        const char *main_class, struct ps_err *err)
{
    struct command command = {.arena = arena};
    if (!command_make(&command, path, main_class, err))
        return NULL;
    const char **argv = ps_arena_alloc(arena, (command.count + 1) * sizeof *argv);
    memcpy(argv, command.argv, (command.count + 1) * sizeof *argv); /* the last one is NULL */
    return argv;
}
