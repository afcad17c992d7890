/* The command line of flume-ng agent, flume.opts, FLUME_JAVA_OPTS; flume-env.sh and the log4j files of a
 * configuration directory. */
#include "tests/support/support.h"

#include "conf/command/command.h"
#include "conf/conf.h"
#include "conf/command/env.h"
#include "conf/command/log4j.h"

#include <stdio.h>
#include <sys/stat.h>
#include <uchar.h>
#include <unistd.h>

/* Parses words (NULL-terminated) as `penstock agent WORDS`. */
static enum ps_status parse(struct ps_command *command, struct ps_err *err, const char *const *words)
{
    char *argv[40] = {(char *)(uintptr_t) "agent"};
    int argc = 1;
    while (*words != NULL)
        argv[argc++] = (char *)(uintptr_t)*words++;
    err->length = 0;
    return ps_command_parse(command, argc, argv, err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_every_way_to_write_an_option(void **state)
{
    const char *const *const ways[] = {
        WORDS("-n", "a1", "-f", "x.properties"),
        WORDS("--name", "a1", "--conf-file", "x.properties"),
        WORDS("-name", "a1", "-conf-file", "x.properties"),
        WORDS("--name=a1", "--conf-file=x.properties"),
        WORDS("-n=a1", "-f=x.properties"),
        WORDS("-na1", "-fx.properties"),
        WORDS("--nam", "a1", "--conf-f", "x.properties"),
    };
    for (size_t i = 0; i < PS_COUNT_OF(ways); i++) {
        struct ps_command command;
        struct ps_err err;
        assert_int_equal(parse(&command, &err, ways[i]), PS_OK);
        assert_string_equal(command.agent, "a1");
        assert_int_equal(command.files.count, 1);
        assert_string_equal(command.files.items[0], "x.properties");
        assert_int_equal(ps_command_poll_interval_s(&command), 30);
        ps_command_fini(&command);
    }
}

static void test_everything_at_once(void **state)
{
    struct ps_command command;
    struct ps_err err;
    setenv("FLUME_JAVA_OPTS", "-Dfrom=environment -Dboth=1 -XX:+UseG1GC", 1);
    assert_int_equal(parse(&command, &err,
                           WORDS("-n", "a1", "-c", "conf", "-f", "a", "-f", "b", "-u", "http://h/c", "-user",
                                 "u", "-pwd", "p", "-b", "backup", "--no-reload-conf", "-Dboth=2", "-Dflag",
                                 "-Dx=a=b", "-Xmx2g", "-C", "lib.jar", "--dryrun", "-javaagent:x.jar")),
                     PS_OK);
    assert_int_equal(command.files.count, 2);
    assert_string_equal(command.uris.items[0], "http://h/c");
    assert_string_equal(command.conf_dir, "conf");
    assert_string_equal(command.user, "u");
    assert_string_equal(command.password, "p");
    assert_string_equal(command.backup_directory, "backup");
    assert_true(command.no_reload);
    assert_true(command.dry_run);
    assert_int_equal(command.heap_bytes, INT64_C(2) << 30);
    assert_int_equal(command.system.count, 5);
    assert_string_equal(command.system.items[0].key, "from");
    assert_string_equal(command.system.items[2].value, "2");
    assert_string_equal(command.system.items[3].value, "");
    assert_string_equal(command.system.items[4].value, "a=b");
    assert_int_equal(command.ignored.count, 2);
    assert_string_equal(command.classpath, "lib.jar");
    assert_int_equal(command.jvm.count, 5); /* those of the command line, in order */
    assert_string_equal(command.jvm.items[3], "-Xmx2g");
    assert_int_equal(ps_command_poll_interval_s(&command), 300);
    ps_command_fini(&command);
    unsetenv("FLUME_JAVA_OPTS");
}

static void test_errors_give_advice(void **state)
{
    const struct {
        const char *const *words;
        const char *part;
    } cases[] = {
        {WORDS("-f", "x"), "cannot read x: No such file or directory"},
        {WORDS("-i", "5"), "-n NAME"},
        {WORDS("-n", "a1"), "-f FILE"},
        {WORDS("-n"), "needs a value"},
        {WORDS("-n", "a1", "-f", "x", "--no-relaod-conf"), "did you mean --no-reload-conf?"},
        {WORDS("-n", "a1", "x.properties"), "-f"},
        {WORDS("-n", "a1", "-z", "zk:2181"), "ZooKeeper"},
        {WORDS("-n", "a1", "-f", "x", "-prov", "com.example.P"), "Java class"},
        {WORDS("-n", "a1", "-f", "x", "-i", "soon"), "seconds"},
        {WORDS("-n", "a1", "-f", "x", "-qqqqqq"), "unknown option"},
        {WORDS("-n", "a1", "-f", "x", "-D", "a=b"), "write it without the blank: -Da=b"},
        {WORDS("-n", "a1", "-f", "x", "-Xmx"), "-Xmx: not a heap size; write for example -Xmx512m"},
        {WORDS("-n", "a1", "-f", "x", "-Xmx12z"), "-Xmx12z: not a heap size"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_command command;
        struct ps_err err;
        assert_int_equal(parse(&command, &err, cases[i].words), PS_FAIL);
        if (strstr(err.text, cases[i].part) == NULL)
            fail_msg("\"%s\" does not contain \"%s\"", err.text, cases[i].part);
        ps_command_fini(&command);
    }
}

static void test_heap_sizes(void **state)
{
    assert_int_equal(ps_command_heap_bytes("512m"), INT64_C(512) << 20);
    assert_int_equal(ps_command_heap_bytes("4G"), INT64_C(4) << 30);
    assert_int_equal(ps_command_heap_bytes("1048576"), 1048576);
    assert_int_equal(ps_command_heap_bytes("m"), 0);
    assert_int_equal(ps_command_heap_bytes("5x"), 0);
    assert_int_equal(ps_command_heap_bytes("99999999999t"), 0);
}

/* ---- files of the configuration directory ---- */

struct directory {
    char path[64];
    struct ps_conf conf;
    struct ps_pair system[3];
};

static int directory_setup(void **state)
{
    struct directory *directory = calloc(1, sizeof *directory);
    assert_non_null(directory);
    strcpy(directory->path, "/tmp/penstock-conf-XXXXXX");
    assert_non_null(mkdtemp(directory->path));
    directory->conf.arena = ps_arena_create();
    ps_problems_init(&directory->conf.problems, directory->conf.arena);
    *state = directory;
    return 0;
}

static int directory_teardown(void **state)
{
    struct directory *directory = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory->path);
    assert_int_equal(system(command), 0);
    ps_problems_fini(&directory->conf.problems);
    ps_arena_destroy(directory->conf.arena);
    free(directory);
    return 0;
}

static void write_file(const struct directory *directory, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool reported(const struct directory *directory, int line, const char *text)
{
    for (size_t i = 0; i < directory->conf.problems.count; i++) {
        const struct ps_problem *problem = &directory->conf.problems.items[i];
        const char *whole = ps_problem_text(directory->conf.arena, problem);
        if (problem->line == line && strstr(whole, text) != NULL)
            return true;
    }
    return false;
}

static void test_options_file(void **state)
{
    struct directory *directory = *state;
    write_file(directory, "flume.opts",
               "name = from-file\nconf-file=one.properties\nno-reload-conf = true\npoll-interval=7\n");
    struct ps_command command;
    struct ps_err err;
    assert_int_equal(parse(&command, &err, WORDS("-c", directory->path, "-f", "mine.properties")), PS_OK);
    assert_string_equal(command.agent, "from-file");
    assert_int_equal(command.files.count, 1);
    assert_string_equal(command.files.items[0], "mine.properties");
    assert_true(command.no_reload);
    assert_int_equal(command.poll_interval_s, 7);
    ps_command_fini(&command);
    write_file(directory, "flume.opts", "poll-interval=often\n");
    assert_int_equal(parse(&command, &err, WORDS("-c", directory->path, "-n", "a", "-f", "x")), PS_FAIL);
    assert_non_null(strstr(err.text, "flume.opts:1"));
    ps_command_fini(&command);
}

static void test_environment_script(void **state)
{
    struct directory *directory = *state;
    write_file(
        directory, "flume-env.sh",
        "#!/bin/sh\n"
        "# export JAVA_OPTS=\"-Dcommented=out\"\n"
        "export JAVA_OPTS=\"-Xms100m -Xmx2000m -Dflume.monitoring.type=http -Dflume.monitoring.port=34545\"\n"
        "export JAVA_HOME=/usr/lib/jvm\n"
        "  export KAFKA_HOST=broker\n"
        "JAVA_OPTS=\"$JAVA_OPTS -Xmx3g\"\n"
        "touch must-not-be-run\n");
    ps_env_read(&directory->conf, directory->path);
    assert_int_equal(directory->conf.heap_bytes, INT64_C(2000) << 20);
    assert_true(reported(directory, 3, "-Dflume.monitoring.type is used as if it were on the command line"));
    assert_true(reported(directory, 3, "-Dflume.monitoring.port is used"));
    assert_true(reported(
        directory, 3, "-Xmx2000m is the memory budget; with components in Java it is the heap of their JVM"));
    assert_true(reported(directory, 5, "KAFKA_HOST is not exported"));
    assert_string_equal(ps_conf_system_property(&directory->conf, "flume.monitoring.type"), "http");
    assert_string_equal(ps_conf_system_property(&directory->conf, "flume.monitoring.port"), "34545");
    assert_int_equal(directory->conf.problems.count, 4);
    assert_int_not_equal(access("must-not-be-run", F_OK), 0);
}

/* Lines count from the first one, with those that are empty or comments; the last one may have no end. A script that cannot be read is
 * reported, one that is not there is not. */
static void test_lines_of_the_environment_script(void **state)
{
    struct directory *directory = *state;
    char path[128];
    ps_env_read(&directory->conf, directory->path);
    assert_int_equal(directory->conf.problems.count, 0);
    write_file(directory, "flume-env.sh",
               "\n  # JAVA_OPTS=\"-Dcommented=out\"\n\t\n\tJAVA_OPTS=\"-Done=1\" # more\n\n\n  "
               "JAVA_OPTS=\"$JAVA_OPTS -Dtwo=2\"");
    ps_env_read(&directory->conf, directory->path);
    assert_true(reported(directory, 4, "-Done=..."));
    assert_true(reported(directory, 7, "-Dtwo=..."));
    assert_int_equal(directory->conf.problems.count, 2);
    snprintf(path, sizeof path, "%s/flume-env.sh", directory->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    ps_env_read(&directory->conf, directory->path);
    assert_int_equal(directory->conf.problems.count, 3);
    assert_true(reported(directory, 0, "none of its settings is used: "));
    assert_true(
        reported(directory, 0, "it is a directory; put a file there that the user of the agent can read"));
}

static void test_assignments_of_the_environment_script(void **state)
{
    struct directory *directory = *state;
    struct ps_command command;
    struct ps_err err;
    write_file(directory, "flume-env.sh",
               "export FLUME_HOME=/opt/flume\n"
               "if [ -z \"$JAVA_HOME\" ]; then\n  export JAVA_HOME=$(detect)\nfi\n"
               "FLUME_CLASSPATH=\"$FLUME_HOME/x.jar\"\n"
               ". /etc/default/more\n"
               "export HERE=\"$FLUME_HOME\"\n");
    unsetenv("JAVA_HOME");
    assert_int_equal(parse(&command, &err, WORDS("-c", directory->path, "-n", "a", "-f", "x")), PS_OK);
    assert_string_equal(ps_command_variable(&command, "FLUME_CLASSPATH"), "/opt/flume/x.jar");
    assert_null(ps_command_variable(&command, "JAVA_HOME"));
    assert_non_null(ps_command_variable(&command, "PATH"));
    assert_int_equal(command.plugins.count, 1);
    assert_string_equal(command.plugins.items[0], "/opt/flume/plugins.d");
    ps_command_fini(&command);
    ps_env_read(&directory->conf, directory->path);
    assert_true(reported(directory, 2, "this `if` is not understood: JAVA_HOME is not set"));
    assert_true(reported(directory, 6, "the variables that this `.` would set are not known"));
    assert_true(reported(directory, 7, "HERE is not exported"));
    assert_int_equal(directory->conf.problems.count, 3);
}

static void test_log4j_1(void **state)
{
    struct directory *directory = *state;
    write_file(directory, "log4j.properties",
               "flume.root.logger=INFO,LOGFILE\n"
               "flume.log.dir=./logs\n"
               "flume.log.file=flume.log\n"
               "log4j.logger.org.apache.flume.lifecycle = INFO\n"
               "log4j.rootLogger=${flume.root.logger}\n"
               "log4j.appender.LOGFILE=org.apache.log4j.RollingFileAppender\n"
               "log4j.appender.LOGFILE.File=${flume.log.dir}/${flume.log.file}\n"
               "log4j.appender.DAILY=org.apache.log4j.rolling.RollingFileAppender\n");
    directory->system[0] = (struct ps_pair){.key = "flume.log.dir", .value = "/var/log/flume"};
    directory->conf.system = (struct ps_pairs){1, directory->system};
    ps_log4j_read(&directory->conf, directory->path);
    assert_true(directory->conf.log.has_level);
    assert_int_equal(directory->conf.log.level, PS_LOG_INFO);
    assert_string_equal(directory->conf.log.path, "/var/log/flume/flume.log");
    assert_true(reported(directory, 4, "the level is that of Java classes"));
    assert_true(reported(directory, 6, "does not roll"));
}

static void test_the_command_line_wins_over_log4j(void **state)
{
    struct directory *directory = *state;
    directory->conf.log.path = "somewhere.log";
    directory->system[0] = (struct ps_pair){.key = "flume.root.logger", .value = "DEBUG,console"};
    directory->conf.system = (struct ps_pairs){1, directory->system};
    ps_log4j_properties(&directory->conf);
    assert_int_equal(directory->conf.log.level, PS_LOG_DEBUG);
    assert_null(directory->conf.log.path);
    directory->system[0].value = "LOUD,console";
    ps_log4j_properties(&directory->conf);
    assert_int_equal(directory->conf.problems.warnings, 1);
}

static void test_the_format_of_the_log(void **state)
{
    static const struct {
        const char *format;
        bool json;
        size_t warnings;
    } cases[] = {
        {"json", true, 0}, {"JSON", true, 0}, {"text", false, 0}, {"Text", false, 0}, {"xml", false, 1}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct directory *directory = *state;
        size_t before = directory->conf.problems.warnings;
        directory->conf.log.json = !cases[i].json;
        directory->system[0] = (struct ps_pair){.key = PS_CONF_LOG_FORMAT, .value = cases[i].format};
        directory->conf.system = (struct ps_pairs){1, directory->system};
        ps_log4j_properties(&directory->conf);
        assert_int_equal(directory->conf.log.json, cases[i].json);
        assert_int_equal(directory->conf.problems.warnings - before, cases[i].warnings);
    }
}

static void test_log4j_2(void **state)
{
    struct directory *directory = *state;
    write_file(directory, "log4j.properties", "log4j.rootLogger=TRACE\n");
    write_file(directory, "log4j2.xml",
               "<?xml version=\"1.0\"?>\n<!-- <Root level=\"off\"> -->\n"
               "<Configuration status=\"ERROR\">\n  <Properties>\n"
               "    <Property name=\"LOG_DIR\">${sys:flume.log.dir:-/var/log}</Property>\n  </Properties>\n"
               "  <Appenders>\n    <Console name=\"Console\" target=\"SYSTEM_ERR\"></Console>\n"
               "    <RollingFile name='LogFile' fileName='${LOG_DIR}/flume.log' filePattern='x'>\n    "
               "</RollingFile>\n"
               "    <File name=\"Other\" fileName=\"other.log\"/>\n  </Appenders>\n"
               "  <Loggers>\n    <Logger name=\"org.apache.hadoop\" level=\"info\"/>\n"
               "    <Root level=\"Warn\">\n      <AppenderRef ref=\"Console\"/>\n      <AppenderRef "
               "ref=\"LogFile\"/>\n    </Root>\n"
               "  </Loggers>\n</Configuration>\n");
    ps_log4j_read(&directory->conf, directory->path);
    assert_int_equal(directory->conf.log.level, PS_LOG_WARN);
    assert_string_equal(directory->conf.log.path, "/var/log/flume.log");
    assert_true(reported(directory, 14, "org.apache.hadoop"));
}

static void test_broken_xml_does_no_harm(void **state)
{
    struct directory *directory = *state;
    static const char *const texts[] = {
        "<",
        "<Root",
        "<Root level=",
        "<Root level=\"info",
        "<!--",
        "<Property name=\"x\">",
        "<Property name='x'>v",
        "<C><File name='a' fileName='${b}'/><Root level='?'><AppenderRef ref='a'></Root></C>",
        "</Root>",
        "<>"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++)
        ps_log4j2_parse(&directory->conf, "t.xml", texts[i], strlen(texts[i]));
    assert_false(directory->conf.log.has_level);
    assert_string_equal(directory->conf.log.path, "${b}");
}

static void test_log4j2_of_utf16(void **state)
{
    struct directory *directory = *state;
    static const char16_t text[] = u"\xFEFF<C><Console name='c'/><Root level='debug'/></C>";
    size_t problems = directory->conf.problems.count;
    ps_log4j2_parse(&directory->conf, "t.xml", (const char *)text, sizeof text - sizeof text[0]);
    assert_int_equal(directory->conf.log.level, PS_LOG_DEBUG);
    assert_int_equal(directory->conf.problems.count, problems);
}

/* Help, man pages and completion show these, each once and in this order. A name that is only the beginning or the end of a command's name
 * has none. */
static void test_options_of_each_command(void **state)
{
    static const char common[] =
        "n/name f/conf-file u/conf-uri user/conf-user pwd/conf-password c/conf -/plugins-path C/classpath ";
    static const struct {
        const char *command, *common, *more;
    } cases[] = {
        {"agent", common, "i/poll-interval b/backup-directory -/no-reload-conf d/dryrun v/verbose h/help "},
        {"node", common, "i/poll-interval b/backup-directory -/no-reload-conf d/dryrun v/verbose h/help "},
        {"check", common, "-/probe v/verbose -/json -/strict -/for h/help "},
        {"graph", common, "-/format h/help "},
        {"age", "", ""},
        {"ent", "", ""},
        {"checks", "", ""},
        {"top", "", ""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char shown[1024] = "", expected[1024];
        struct ps_command_option option;
        size_t count = 0;
        for (; ps_command_option(cases[i].command, count, &option); count++)
            snprintf(shown + strlen(shown), sizeof shown - strlen(shown), "%s/%s ",
                     option.shorts != NULL ? option.shorts : "-", option.longs != NULL ? option.longs : "-");
        snprintf(expected, sizeof expected, "%s%s", cases[i].common, cases[i].more);
        assert_string_equal(shown, expected);
        assert_false(ps_command_option(cases[i].command, count + 1, &option));
    }
}

static void test_another_log4j_file_is_named(void **state)
{
    struct directory *directory = *state;
    write_file(directory, "mine.properties", "log4j.rootLogger=ERROR\n");
    directory->system[0] = (struct ps_pair){.key = "log4j.configuration", .value = "mine.properties"};
    directory->conf.system = (struct ps_pairs){1, directory->system};
    ps_log4j_read(&directory->conf, directory->path);
    assert_int_equal(directory->conf.log.level, PS_LOG_ERROR);
}

int main(void)
{
#define IN_DIRECTORY(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way_to_write_an_option),
        cmocka_unit_test(test_everything_at_once),
        cmocka_unit_test(test_errors_give_advice),
        cmocka_unit_test(test_heap_sizes),
        cmocka_unit_test(test_options_of_each_command),
        IN_DIRECTORY(test_options_file),
        IN_DIRECTORY(test_environment_script),
        IN_DIRECTORY(test_lines_of_the_environment_script),
        IN_DIRECTORY(test_assignments_of_the_environment_script),
        IN_DIRECTORY(test_log4j_1),
        IN_DIRECTORY(test_the_command_line_wins_over_log4j),
        IN_DIRECTORY(test_the_format_of_the_log),
        IN_DIRECTORY(test_log4j_2),
        IN_DIRECTORY(test_broken_xml_does_no_harm),
        IN_DIRECTORY(test_log4j2_of_utf16),
        IN_DIRECTORY(test_another_log4j_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
