/* Settings read from flume-env.sh, log4j.properties and log4j2.xml: the level, the file, the memory, and each message, for
 * the first entry of its kind and for those after it. */
#include "conf/command/command.h"
#include "conf/conf.h"
#include "conf/report.h"
#include "stages/lib/java/class_path.h"
#include "tests/conf/fake_stages.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <sys/stat.h>
#include <unistd.h>

static const char agent[] =
    "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.sources.r1.type = seq\n"
    "a1.sources.r1.channels = c1\na1.channels.c1.type = memory\na1.sinks.k1.type = null\n"
    "a1.sinks.k1.channel = c1\n";

struct row {
    const char *name, *text;  /* a file of the configuration's directory; NULL: none */
    const char *words;        /* further words of the command line, separated by blanks */
    const char *level, *path; /* NULL: not set */
    const char *problems;     /* lines, without the path of the directory */
    int64_t heap_bytes;
};

#define L1 "log4j.properties"
#define L2 "log4j2.xml"
#define ENV "flume-env.sh"

static const struct row rows[] = {
    {L1, "log4j.rootLogger = DEBUG", "", "DEBUG", NULL, "", 0},
    {L1, "log4j.rootCategory = warn", "", "WARN", NULL, "", 0},
    {L1, "log4j.rootLogger = ALL", "", "TRACE", NULL, "", 0},
    {L1, "log4j.rootLogger = fatal", "", "ERROR", NULL, "", 0},
    {L1, "log4j.rootLogger = ERROR\nlog4j.rootCategory = DEBUG", "", "ERROR", NULL, "", 0},
    {L1, "x = 1\nlog4j.rootLogger = LOUD", "", NULL, NULL,
     "log4j.properties:2: warning: log4j.rootLogger: \"LOUD\" is not a log level; one of: TRACE, DEBUG, "
     "INFO, WARN, ERROR, OFF\n",
     0},
    {L1,
     "log4j.rootLogger = INFO, console , none, A, B\nlog4j.appender.console = "
     "org.apache.log4j.ConsoleAppender\n"
     "log4j.appender.A = org.apache.log4j.FileAppender\nlog4j.appender.A.File = ${d}/a.log\n"
     "log4j.appender.B = org.apache.log4j.FileAppender\nlog4j.appender.B.File = /b.log\nd = /var",
     "", "INFO", "/var/a.log", "", 0},
    {L1,
     "log4j.rootLogger = INFO, A, B\nlog4j.appender.A = org.apache.log4j.FileAppender\n"
     "log4j.appender.B = x.RollingFileAppender\nlog4j.appender.B.file = /b.log",
     "", "INFO", "/b.log",
     "log4j.properties:3: note: log4j.appender.B: penstock writes the file, but does not roll it; use "
     "logrotate\n",
     0},
    {L1,
     "log4j.rootLogger = INFO, S, T\nlog4j.appender.S = x.Socket\nlog4j.appender.T = "
     "x.Syslog\nlog4j.logger.a = DEBUG\n"
     "log4j.logger.b = DEBUG\nlog4j.appender.U = x.Unused",
     "", "INFO", NULL,
     "log4j.properties:2: note: log4j.appender.S: the appender x.Socket is ignored\n"
     "log4j.properties:3: note: log4j.appender.T: the appender x.Syslog is ignored\n"
     "log4j.properties:4: note: log4j.logger.a: the level is that of Java classes: what penstock runs itself "
     "is logged at the root "
     "logger's level\n"
     "log4j.properties:5: note: log4j.logger.b: the level is that of Java classes: what penstock runs itself "
     "is logged at the root "
     "logger's level\n",
     0},
    {L1, "log4j.rootLogger = INFO, A\nlog4j.appender.A = x.FileAppender\nlog4j.appender.A.File = /a.log",
     "-Dlog4j.rootLogger=WARN,A -Dlog4j.appender.A.File=/other.log", "WARN", "/other.log", "", 0},
    {L1, "log4j.rootLogger = INFO, A\nlog4j.appender.A = x.FileAppender\nlog4j.appender.A.File = /a.log",
     "-Dflume.root.logger=ERROR,console", "ERROR", NULL, "", 0},
    {L1, "log4j.rootLogger = INFO, A\nlog4j.appender.A = x.FileAppender\nlog4j.appender.A.File = /a.log",
     "-Dflume.root.logger=ERROR,A", "ERROR", "/a.log", "", 0},
    {L2,
     "<Configuration><Properties><Property name=\"d\">/var</Property><Property name='e' "
     "value='log'/></Properties>\n"
     "<Appenders><Console name='C'/>\n<File name='F' fileName='${d}/${e}/f.log'/><File name='G' "
     "fileName='/g.log'/></Appenders>\n"
     "<Loggers><Logger name='x' level='DEBUG'><AppenderRef ref='G'/></Logger>\n"
     "<Root level='warn'><AppenderRef ref='C'/><AppenderRef ref='F'/><AppenderRef "
     "ref='G'/></Root></Loggers></Configuration>",
     "", "WARN", "/var/log/f.log",
     "log4j2.xml:4: note: x: the logger's appenders are not used: its lines are in the agent's log\n"
     "log4j2.xml:4: note: x: the level is that of Java classes: what penstock runs itself is logged at the "
     "root "
     "logger's level\n",
     0},
    {L2,
     "<C><File name='F' fileName='/f.log'/><!-- <Root level='DEBUG'><AppenderRef ref='F'/></Root> -->\n<Root "
     "level='INFO'/>"
     "<AppenderRef ref='F'/></C>",
     "", "INFO", NULL, "", 0},
    {L2, "<C><file name='F' fileName='/f.log'/><ROOT level='INFO'></ROOT><AppenderRef ref='F'/></C>", "",
     "INFO", NULL, "", 0},
    {L2, "<C><file name='F' fileName='/f.log'/><ROOT level='INFO'><appenderref ref='F'/></ROOT></C>", "",
     "INFO", "/f.log", "", 0},
    {L2,
     "<C><RollingFile name='F' fileName='/f.log'/>\n<RollingRandomAccessFile name='G' "
     "fileName='/g.log'/>\n<RandomAccessFile name='H' "
     "fileName='/h.log'/><Root level='INFO'><AppenderRef ref='H'/></Root><AsyncLogger name='y'/></C>",
     "", "INFO", "/h.log",
     "log4j2.xml:1: note: RollingFile: penstock writes the file, but does not roll it; use logrotate\n"
     "log4j2.xml:2: note: RollingFile: penstock writes the file, but does not roll it; use logrotate\n",
     0},
    /* What is before the damage is used. */
    {L2, "<C><Root level='INFO'/>\n<!-- x", "", "INFO", NULL,
     "log4j2.xml:2: warning: is not well-formed XML: unclosed token. Only what is before it is used; mend "
     "the file\n",
     0},
    {L2, "<C><Root level='INFO'/>\n\n<File name='x", "", "INFO", NULL,
     "log4j2.xml:3: warning: is not well-formed XML: unclosed token. Only what is before it is used; mend "
     "the file\n",
     0},
    {L2, "<A>\n<Root level='INFO'>\n</A>", "", "INFO", NULL,
     "log4j2.xml:3: warning: is not well-formed XML: mismatched tag. Only what is before it is used; mend "
     "the file\n",
     0},
    {L2, "<A>\n<Root level='INFO'/>\n<B/>", "", "INFO", NULL,
     "log4j2.xml:3: warning: is not well-formed XML: the end of the first element is missing. Only what is "
     "before it is used; mend the file\n",
     0},
    {L2, "<?xml version='1.0'?><!DOCTYPE a><A b='->' c=\"'>\"><![CDATA[<x>]]><Root level='INFO' /></A >", "",
     "INFO", NULL, "", 0},
    /* An entity of the file, text in pieces, and an encoding that expat does not know; nothing outside the file is read. */
    {L2,
     "<!DOCTYPE C [<!ENTITY level 'debug'><!ENTITY dir '/var'><!ENTITY far SYSTEM '/etc/hostname'>]>\n"
     "<C><Property name='d'>\n&dir;<!-- > -->/log&far; </Property><File name='F' fileName='${d}/&lt;f>'/>"
     "<Root level='&level;'><AppenderRef ref='F'/></Root></C>",
     "", "DEBUG", "/var/log/<f>", "", 0},
    {L2,
     "<?xml version='1.0' encoding='windows-1252'?><C><File name='F' fileName='/\x80\xE4'/><Root "
     "level='WARN'>"
     "<AppenderRef ref='F'/></Root></C>",
     "", "WARN", "/€ä", "", 0},
    {L2, "<?xml version='1.0' encoding='no-such'?><C/>", "", NULL, NULL,
     "log4j2.xml:1: warning: is not well-formed XML: unknown encoding. Nothing of it is used; mend the "
     "file\n",
     0},
    /* Other names and sets that Java reads: UTF-8 by an alias, several bytes for a letter, letters that the decoder holds back
     * until it knows the next one (the last line of all), and bytes that are no letter. */
    {L2,
     "<?xml version='1.0' encoding='UTF8'?>\n<!-- \xC3\xA4 --><C><File name='F' "
     "fileName='/\xE2\x82\xAC'/><Root "
     "level='WARN'><AppenderRef ref='F'/></Root></C>",
     "", "WARN", "/€", "", 0},
    {L2,
     "<?xml version='1.0' encoding='GBK'?><!-- \xD6\xD0 --><C><File name='F' fileName='/\xCE\xC4.log'/><Root "
     "level='WARN'><AppenderRef ref='F'/></Root></C>",
     "", "WARN", "/文.log", "", 0},
    {L2,
     "<?xml version='1.0' encoding='windows-1258'?><C><File name='F' fileName='/b\xEC'/><Root level='WARN'>"
     "<AppenderRef ref='F'/></Root></C>",
     "", "WARN", "/b\xCC\x81", "", 0},
    {L2,
     "<?xml version='1.0' encoding='ISO-2022-JP'?><C><File name='F' fileName='/\x1B$B4A\x1B(B'/><Root "
     "level='WARN'><AppenderRef ref='F'/></Root></C>",
     "", "WARN", "/漢", "", 0},
    {L2,
     "<?xml version='1.0' encoding='UTF8'?><C><File name='F' fileName='/\xFFx'/><Root level='WARN'>"
     "<AppenderRef ref='F'/></Root></C>\n<!-- \xE2\x82",
     "", "WARN", "/\xEF\xBF\xBDx",
     "log4j2.xml:2: warning: is not well-formed XML: unclosed token. Only what is before it is used; mend "
     "the file\n",
     0},
    {L2, "<?xml version='1.0' encoding='GBK'?><C>\n<Root level='WARN'/>\n<!-- \xD6\xD0 --></D>", "", "WARN",
     NULL,
     "log4j2.xml:3: warning: is not well-formed XML: mismatched tag. Only what is before it is used; mend "
     "the file\n",
     0},
    /* No element at all. */
    {L2, "", "", NULL, NULL,
     "log4j2.xml:1: warning: is not well-formed XML: it has no element. Nothing of it is used; mend the "
     "file\n",
     0},
    {L2, "<!-- x -->\n", "", NULL, NULL,
     "log4j2.xml:2: warning: is not well-formed XML: it has no element. Nothing of it is used; mend the "
     "file\n",
     0},
    /* A property that is no text is not set: the one before it stays. */
    {L2,
     "<C><Property name='d' value='/a'/><Property name='d'>/b<x/></Property><File name='F' "
     "fileName='${d}/f'/>"
     "<Root level='WARN'><AppenderRef ref='F'/></Root></C>",
     "", "WARN", "/a/f", "", 0},
    {L2,
     "<C><Property name='d' value='/a'/><File name='F' fileName='${d}/f'/><Root level='WARN'><AppenderRef "
     "ref='F'/></Root>\n<Property name='d'>/b",
     "", "WARN", "/a/f",
     "log4j2.xml:2: warning: is not well-formed XML: the end of the first element is missing. Only what is "
     "before it is used; mend the file\n",
     0},
    {"other.xml", "<Root level='ERROR'/>", "-Dlog4j.configurationFile=other.xml", "ERROR", NULL, "", 0},
    {"other.xml", "<Root level='ERROR'/>", "-Dlog4j2.configurationFile=file:other.xml", "ERROR", NULL, "", 0},
    {"other.xml", "<Root level='ERROR'/>", "-Dlog4j.configuration=file://other.xml", "ERROR", NULL, "", 0},
    {"other", "log4j.rootLogger = DEBUG", "-Dlog4j.configuration=other", "DEBUG", NULL, "", 0},
    {L2, "<Root level='ERROR'/>", "-Dlog4j.configurationFile=gone.xml -Dlog4j.configuration=away", "ERROR",
     NULL,
     "warning: -Dlog4j.configurationFile: cannot read gone.xml\nwarning: -Dlog4j.configuration: cannot read "
     "away\n",
     0},
    {NULL, NULL, "-Dpenstock.log.format=jsn", NULL, NULL,
     "warning: -Dpenstock.log.format: jsn is neither json nor text: the log is text; write json or text\n",
     0},
    {ENV, "# -Dx=1 -Xmx5m\n  # -Dx=1\nJAVA_OPTS=\"-Xms100m -Xmx200m -Xmx300m\"", "", NULL, NULL,
     "flume-env.sh:3: note: -Xmx200m is the memory budget; with components in Java it is the heap of their "
     "JVM\n",
     INT64_C(200) << 20},
    {ENV, "JAVA_OPTS=\"-Xmx200m\"", "-Xmx64m", NULL, NULL, "", INT64_C(64) << 20},
    {ENV,
     "export JAVA_OPTS='-Dp.one=secret -Dp.two "
     "-Djdk.x=1'\nJAVA_OPTS=-Dp.three=3\nA=\"-Dcom.sun.management.port=1\"",
     "", NULL, NULL,
     "flume-env.sh:1: warning: flume-env.sh is not executed: only Java classes get -Dp.one=...; start "
     "penstock with "
     "-Dp.one=... of this line\n"
     "flume-env.sh:1: warning: flume-env.sh is not executed: only Java classes get -Dp.two; start penstock "
     "with -Dp.two "
     "of this line\n"
     "flume-env.sh:1: note: -Djdk.x=... has a meaning only for Java: components that are Java classes get "
     "it; nothing has to be set "
     "instead\n"
     "flume-env.sh:2: warning: flume-env.sh is not executed: only Java classes get -Dp.three=...; start "
     "penstock with "
     "-Dp.three=... of this "
     "line\n"
     "flume-env.sh:3: note: -Dcom.sun.management.port=... has a meaning only for Java: components that are "
     "Java classes get it; JMX "
     "is Java's; -Dflume.monitoring.type=http serves the same counters\n",
     0},
    {ENV,
     "JAVA_OPTS=\"-Dflume.root.logger=INFO,console -Dflume.monitoring.port=$P\"\n"
     "JAVA_OPTS=\"$JAVA_OPTS -Dflume.root.logger=DEBUG,console\"",
     "", "DEBUG", NULL,
     "flume-env.sh:1: note: -Dflume.root.logger is used as if it were on the command line\n"
     "flume-env.sh:1: warning: flume-env.sh is not executed: only Java classes get "
     "-Dflume.monitoring.port=...; start penstock with -Dflume.monitoring.port=... of this line\n"
     "flume-env.sh:2: note: -Dflume.root.logger is used as if it were on the command line\n",
     0},
    {ENV, "JAVA_OPTS=-Dflume.root.logger=INFO,console", "-Dflume.root.logger=DEBUG,console", "DEBUG", NULL,
     "", 0},
    {ENV, "JAVA_OPTS='-Dp.one=1 -Dp.two=2'", "-Dp.one=3", NULL, NULL,
     "flume-env.sh:1: warning: flume-env.sh is not executed: only Java classes get -Dp.two=...; start "
     "penstock with "
     "-Dp.two=... of this line\n",
     0},
    {ENV, "export PS_ONE=1\nPS_TWO=2\nexport PS_THREE=3\nexport HADOOP_HOME=/h", "", NULL, NULL,
     "flume-env.sh:1: warning: flume-env.sh is not executed: PS_ONE is not exported; set it in the "
     "environment of penstock\n"
     "flume-env.sh:3: warning: flume-env.sh is not executed: PS_THREE is not exported; set it in the "
     "environment of penstock\n",
     0},
    {ENV "/file", "", "", NULL, NULL,
     "flume-env.sh: warning: none of its settings is used: cannot read flume-env.sh: it is a directory; put "
     "a file there that the user of the agent can read, or remove it\n",
     0},
};

/* What Java processes get of the levels. */
static const struct {
    const char *name, *text, *words, *levels;
} level_rows[] = {
    {L2, "<C><Root level='info'/></C>", "", ""},
    {L2, "<C><Root level='warn'/></C>", "", "=WARN"},
    {L2, "<C><Root level='all'/></C>", "", "=TRACE"},
    {L2, "<C><AsyncRoot level='off'/></C>", "", "=OFF"},
    {L2, "<C><Root level='warn'/></C>", "-Dflume.root.logger=DEBUG,console", "=DEBUG"},
    {NULL, NULL, "-Dflume.root.logger=DEBUG,console", "=DEBUG"},
    {NULL, NULL, "", ""},
    {L2,
     "<C><Logger name='com.acme' level='${l}'/><Property name='l' value=' debug '/><Logger name='no.level'/>"
     "<Logger level='DEBUG'/><AsyncLogger name='org.x' level='Fatal' additivity='false'/>"
     "<Logger name='wrong' level='loud'/><Root level='error'/></C>",
     "", "=ERROR com.acme=DEBUG org.x=FATAL"},
    {L2, "<C><Logger name='com.acme' level='debug'/>", "", "com.acme=DEBUG"},
    {"other.xml", "<C><Logger name='com.acme' level='all'/></C>", "-Dlog4j.configurationFile=other.xml",
     "com.acme=ALL"},
    {L1,
     "log4j.rootLogger = WARN, A\nlog4j.logger.com.acme = ${l}, A\nl = debug\nlog4j.category.org.x = OFF\n"
     "log4j.logger.a = INHERITED\nlog4j.logger.b = , A\nlog4j.logger.c = LOUD\nlog4j.additivity.a = false",
     "", "=WARN com.acme=DEBUG org.x=OFF"},
    {L1, "log4j.logger.com.acme = INFO", "-Dlog4j.logger.com.acme=TRACE", "com.acme=TRACE"},
};

/* Removes each occurrence of the directory's path. */
static void without_folder(char *text)
{
    size_t length = strlen(ps_test_folder());
    for (char *at; (at = strstr(text, ps_test_folder())) != NULL;)
        memmove(at, at + length + 1, strlen(at + length + 1) + 1);
}

static const char *level_word(const struct ps_conf *conf)
{
    static const char *const words[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};
    return conf->log.has_level ? words[conf->log.level] : NULL;
}

static bool same_text(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

/* Loads the agent in a folder that has the file, if one is named; `words`: further ones of the command line. */
static struct ps_conf *load(struct ps_command *command, const char *name, const char *file_text,
                            const char *words)
{
    struct ps_err err = {.length = 0};
    struct ps_conf *conf = NULL;
    char line[1024], *argv[32], *rest;
    size_t count = 0;
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    ps_test_folder_append("agent.properties", agent, strlen(agent));
    if (name != NULL && strchr(name, '/') != NULL) /* the name is a folder's */
        assert_int_equal(mkdir(ps_test_folder_path(ENV), 0700), 0);
    if (name != NULL)
        ps_test_folder_append(name, file_text, strlen(file_text));
    snprintf(line, sizeof line, "check -n a1 -c %s -f %s/agent.properties %s", ps_test_folder(),
             ps_test_folder(), words);
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[count++] = word;
    if (ps_command_parse(command, (int)count, argv, &err) != PS_OK)
        fail_msg("%s", err.text);
    command->dry_run = true;
    (void)ps_conf_load(command, fake_table(), &conf);
    return conf;
}

static bool row_passes(const struct row *row)
{
    struct ps_command command;
    char *text = NULL;
    size_t length = 0;
    struct ps_conf *conf = load(&command, row->name, row->text, row->words);
    FILE *memory = open_memstream(&text, &length);
    assert_non_null(memory);
    ps_report_problems(memory, conf, false);
    fclose(memory);
    without_folder(text);
    bool good = same_text(level_word(conf), row->level) && same_text(conf->log.path, row->path) &&
                conf->heap_bytes == row->heap_bytes && strcmp(text, row->problems) == 0;
    if (!good)
        printf("---- %s with %s: level %s, file %s, %lld bytes\n%s----\n", row->text, row->words,
               level_word(conf), conf->log.path, (long long)conf->heap_bytes, text);
    free(text);
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
    return good;
}

static void test_rows(void **state)
{
    size_t wrong = 0;
    unsetenv("FLUME_JAVA_OPTS");
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        wrong += !row_passes(&rows[i]);
    assert_int_equal(wrong, 0);
}

static void test_levels_of_java(void **state)
{
    unsetenv("FLUME_JAVA_OPTS");
    for (size_t i = 0; i < PS_COUNT_OF(level_rows); i++) {
        struct ps_command command;
        char text[256] = "";
        size_t used = 0;
        struct ps_conf *conf = load(&command, level_rows[i].name, level_rows[i].text, level_rows[i].words);
        const struct ps_texts *levels = &conf->class_path->log_levels;
        for (size_t k = 0; k < levels->count; k++)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s%s", k > 0 ? " " : "", levels->items[k]);
        if (strcmp(text, level_rows[i].levels) != 0)
            fail_msg("%s with \"%s\": %s", level_rows[i].text, level_rows[i].words, text);
        ps_conf_destroy(conf);
        ps_command_fini(&command);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

static void test_heap_bytes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"1", 1},
                 {"5k", 5 << 10},
                 {"5K", 5 << 10},
                 {"5m", 5 << 20},
                 {"2g", INT64_C(2) << 30},
                 {"3T", INT64_C(3) << 40},
                 {"0", 0},
                 {"0m", 0},
                 {"-1", 0},
                 {"", 0},
                 {"m", 0},
                 {"5x", 0},
                 {"5mb", 0},
                 {"5kk", 0},
                 {"8388607t", INT64_C(8388607) << 40},
                 {"8388608t", 0},
                 {"9007199254740991k", INT64_C(9007199254740991) << 10},
                 {"9007199254740992k", 0},
                 {"9223372036854775807", INT64_MAX}};
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++)
        if (ps_command_heap_bytes(sizes[i].text) != sizes[i].bytes)
            fail_msg("%s: %lld bytes", sizes[i].text, (long long)ps_command_heap_bytes(sizes[i].text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_levels_of_java),
                                       cmocka_unit_test(test_heap_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
