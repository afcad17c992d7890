/* Reads log4j.properties, and chooses the file to read; log4j2.xml is in log4j2.c. */
#include "conf/command/log4j.h"

#include "conf/file.h"
#include "conf/command/log4j_common.h"
#include "conf/text.h"

#include "stages/lib/java/class_path.h"
#include "core/clock.h"

#include <string.h>
#include <strings.h>

#define LOG4J_BYTES_MAX (1u << 20)

void ps_log4j_level(struct ps_conf *conf, const char *word, struct ps_place place)
{
    enum ps_log_level level;
    const char *name = ps_text_trim(conf->arena, word);
    if (strcasecmp(name, "ALL") == 0)
        name = "TRACE";
    else if (strcasecmp(name, "FATAL") == 0)
        name = "ERROR";
    if (ps_log_level_parse(name, &level) != PS_OK) {
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, place,
                       "one of: TRACE, DEBUG, INFO, WARN, ERROR, OFF", "\"%s\" is not a log level", name);
        return;
    }
    conf->log.level = level;
    conf->log.has_level = true;
}

/* Appends the text, which is not copied, to a list that only this function fills. */
static void add_level(struct ps_arena *arena, struct ps_texts *levels, const char *text)
{
    const char **items = ps_arena_grow(arena, levels->items, levels->count, sizeof *items);
    items[levels->count] = text;
    *levels = (struct ps_texts){levels->count + 1, items};
}

void ps_log4j_logger(struct ps_conf *conf, const char *name, const char *word, struct ps_place place)
{
    static const char *const words[] = {"ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"};
    word = ps_text_trim(conf->arena, word);
    for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
        if (strcasecmp(word, words[i]) != 0)
            continue;
        add_level(conf->arena, &conf->log.loggers, ps_arena_format(conf->arena, "%s=%s", name, words[i]));
        ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, place, NULL,
                       "the level is that of Java classes: what penstock runs itself is logged at the root "
                       "logger's level");
        return;
    }
    ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, place,
                   "one of: ALL, TRACE, DEBUG, INFO, WARN, ERROR, FATAL, OFF", "\"%s\" is not a log level",
                   word);
}

void ps_log4j_logger_appends(struct ps_conf *conf, struct ps_place place)
{
    ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, place, NULL,
                   "the logger's appenders are not used: its lines are in the agent's log");
}

const char *ps_log4j_substitute(struct ps_conf *conf, struct ps_properties *properties, const char *key)
{
    struct ps_problems problems;
    ps_problems_init(&problems, conf->arena);
    struct ps_substitution *how = ps_arena_alloc(conf->arena, sizeof *how);
    *how = (struct ps_substitution){.arena = conf->arena,
                                    .problems = &problems,
                                    .system = &conf->system,
                                    .now_ms = ps_clock_now().wall_ms};
    bool good = ps_substitute(properties, how) == PS_OK;
    const struct ps_property *property = ps_properties_find(properties, key);
    /* Reports only problems of the wanted value, as warnings: none of them stops the agent. */
    for (size_t i = 0; i < problems.count && property != NULL; i++)
        if (problems.items[i].key != NULL && strcmp(problems.items[i].key, key) == 0)
            ps_problem_add(
                &conf->problems, PS_SEVERITY_WARNING,
                (struct ps_place){problems.items[i].file, problems.items[i].line, problems.items[i].key},
                problems.items[i].cure, "%s", problems.items[i].what);
    ps_problems_fini(&problems);
    return good && property != NULL ? property->value : NULL;
}

/* ---- log4j 1 ---- */

/* Reads one appender of the root logger: its file, or a note that it is ignored. */
static void appender_read(struct ps_conf *conf, struct ps_properties *properties, const char *name)
{
    const char *key = ps_arena_format(conf->arena, "log4j.appender.%s", name);
    const struct ps_property *class = ps_properties_find(properties, key);
    if (class == NULL)
        return;
    struct ps_place place = {class->file, class->line, key};
    if (strstr(class->value, "FileAppender") != NULL) {
        const char *path =
            ps_log4j_substitute(conf, properties, ps_arena_format(conf->arena, "%s.File", key));
        if (path == NULL)
            path = ps_log4j_substitute(conf, properties, ps_arena_format(conf->arena, "%s.file", key));
        if (path != NULL && conf->log.path == NULL)
            conf->log.path = ps_text_trim(conf->arena, path);
        if (strstr(class->value, "Rolling") != NULL)
            ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, place, "use logrotate",
                           "penstock writes the file, but does not roll it");
    } else if (strstr(class->value, "ConsoleAppender") == NULL) {
        ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, place, NULL, "the appender %s is ignored",
                       class->value);
    }
}

/* Reads "LEVEL, APPENDER" of a logger other than the root. INHERITED and NULL are log4j 1's words for no level. */
static void logger_read(struct ps_conf *conf, struct ps_properties *properties, const char *path,
                        const struct ps_property *property, const char *name)
{
    const char *value = ps_log4j_substitute(conf, properties, property->key);
    const struct ps_place place = {path, property->line, property->key};
    const char *level = ps_text_trim(conf->arena, value != NULL ? value : "");
    size_t length = strcspn(level, ",");
    if (level[length] == ',')
        ps_log4j_logger_appends(conf, place);
    level = ps_text_trim(conf->arena, ps_arena_copy(conf->arena, level, length));
    if (*level != '\0' && strcasecmp(level, "INHERITED") != 0 && strcasecmp(level, "NULL") != 0)
        ps_log4j_logger(conf, name, level, place);
}

static void loggers_read(struct ps_conf *conf, struct ps_properties *properties, const char *path)
{
    static const char *const prefixes[] = {"log4j.logger.", "log4j.category."};
    for (size_t i = 0; i < properties->count; i++)
        for (size_t k = 0; k < PS_COUNT_OF(prefixes); k++)
            if (ps_text_begins(properties->items[i].key, prefixes[k]))
                logger_read(conf, properties, path, &properties->items[i],
                            properties->items[i].key + strlen(prefixes[k]));
}

static void log4j1_parse(struct ps_conf *conf, const char *path, const char *text, size_t length)
{
    struct ps_properties properties;
    ps_properties_init(&properties, conf->arena);
    if (ps_properties_load(&properties, path, text, length, &conf->problems) == PS_OK) {
        /* In log4j 1, system properties override keys of the file. */
        for (size_t i = 0; i < properties.count; i++) {
            const char *set = ps_conf_system_property(conf, properties.items[i].key);
            if (set != NULL)
                properties.items[i].value = set;
        }
        const char *root = ps_log4j_substitute(conf, &properties, "log4j.rootLogger");
        if (root == NULL)
            root = ps_log4j_substitute(conf, &properties, "log4j.rootCategory");
        struct ps_texts words = ps_text_split_commas(conf->arena, root != NULL ? root : "");
        const struct ps_property *line = ps_properties_find(&properties, "log4j.rootLogger");
        if (words.count > 0)
            ps_log4j_level(conf, words.items[0],
                           (struct ps_place){path, line != NULL ? line->line : 0, "log4j.rootLogger"});
        for (size_t i = 1; i < words.count; i++)
            appender_read(conf, &properties, words.items[i]);
        loggers_read(conf, &properties, path);
    }
    ps_properties_fini(&properties);
}

/* ---- which file ---- */

static bool read_if_there(struct ps_conf *conf, const char *path, bool xml)
{
    struct ps_file file;
    if (ps_file_read(path, LOG4J_BYTES_MAX, &file, NULL) != PS_OK)
        return false;
    (xml ? ps_log4j2_parse : log4j1_parse)(conf, path, file.bytes, file.length);
    ps_file_free(&file);
    return true;
}

void ps_log4j_read(struct ps_conf *conf, const char *conf_dir)
{
    static const char *const names[] = {"log4j.configurationFile", "log4j2.configurationFile",
                                        "log4j.configuration"};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        const char *path = ps_conf_system_property(conf, names[i]);
        if (path == NULL)
            continue;
        if (ps_text_begins(path, "file://"))
            path += 7;
        else if (ps_text_begins(path, "file:"))
            path += 5;
        size_t length = strlen(path);
        bool xml = length > 4 && strcasecmp(path + length - 4, ".xml") == 0;
        if (read_if_there(conf, path, xml) ||
            read_if_there(conf, ps_arena_format(conf->arena, "%s/%s", conf_dir, path), xml))
            return;
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING,
                       (struct ps_place){.key = ps_arena_format(conf->arena, "-D%s", names[i])}, NULL,
                       "cannot read %s", path);
    }
    if (!read_if_there(conf, ps_arena_format(conf->arena, "%s/log4j2.xml", conf_dir), true))
        read_if_there(conf, ps_arena_format(conf->arena, "%s/log4j.properties", conf_dir), false);
}

static void read_format(struct ps_conf *conf)
{
    const char *format = ps_conf_system_property(conf, PS_CONF_LOG_FORMAT);
    if (format == NULL)
        return;
    if (strcasecmp(format, "json") != 0 && strcasecmp(format, "text") != 0)
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING,
                       (struct ps_place){.key = "-D" PS_CONF_LOG_FORMAT}, "write json or text",
                       "%s is neither json nor text: the log is text", format);
    conf->log.json = strcasecmp(format, "json") == 0;
}

void ps_log4j_properties(struct ps_conf *conf)
{
    const char *root = ps_conf_system_property(conf, "flume.root.logger");
    read_format(conf);
    if (root == NULL)
        return;
    struct ps_texts words = ps_text_split_commas(conf->arena, root);
    if (words.count > 0)
        ps_log4j_level(conf, words.items[0], (struct ps_place){.key = "-Dflume.root.logger"});
    for (size_t i = 1; i < words.count; i++)
        if (strcasecmp(words.items[i], "console") == 0)
            conf->log.path = NULL;
}

void ps_log4j_hand_over(struct ps_conf *conf)
{
    static const char *const words[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};
    struct ps_texts *levels = &conf->class_path->log_levels;
    if (conf->log.has_level && conf->log.level != PS_LOG_INFO)
        add_level(conf->plan_arena, levels, ps_arena_format(conf->plan_arena, "=%s", words[conf->log.level]));
    for (size_t i = 0; i < conf->log.loggers.count; i++)
        add_level(conf->plan_arena, levels, ps_arena_text(conf->plan_arena, conf->log.loggers.items[i]));
}
