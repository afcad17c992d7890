/* log4j2.xml: a limited, tolerant scan of its tags: <Property>, <File>, <RollingFile>, <Console>, <Root>,
 * <AppenderRef>, <Logger>. Expands no entities and reads nothing outside the file. */
#include "conf/command/log4j.h"

#include "conf/command/log4j_common.h"
#include "conf/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define APPENDERS_MAX 64

struct appender {
    const char *name, *path; /* path as written; NULL = the console or an unsupported kind */
};

struct scan {
    struct ps_conf *conf;
    const char *path, *text, *end;
    struct ps_properties properties; /* <Property name="..">value</Property> */
    struct appender appenders[APPENDERS_MAX];
    size_t appender_count;
    bool in_root;
    const char *root_level;
    struct ps_texts refs; /* of the root logger; at most APPENDERS_MAX */
    const char *ref_items[APPENDERS_MAX];
};

static int line_of(const struct scan *scan, const char *at)
{
    int line = 1;
    for (const char *c = scan->text; c < at; c++)
        line += *c == '\n';
    return line;
}

/* Returns the value of an attribute of the tag [tag, end), or NULL. */
static const char *attribute(const struct scan *scan, const char *tag, const char *end, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = tag; at + length < end; at++) {
        if (strncasecmp(at, name, length) != 0 || !isspace((unsigned char)at[-1]))
            continue;
        const char *value = at + length;
        while (value < end && isspace((unsigned char)*value))
            value++;
        if (value == end || *value != '=')
            continue;
        value++;
        while (value < end && isspace((unsigned char)*value))
            value++;
        if (value == end || (*value != '"' && *value != '\''))
            continue;
        const char *stop = memchr(value + 1, *value, (size_t)(end - value - 1));
        return stop != NULL ? ps_arena_copy(scan->conf->arena, value + 1, (size_t)(stop - value - 1)) : NULL;
    }
    return NULL;
}

static bool tag_is(const char *tag, size_t length, const char *name)
{
    return strlen(name) == length && strncasecmp(tag, name, length) == 0;
}

static void property_tag(struct scan *scan, const char *tag, const char *end)
{
    const char *name = attribute(scan, tag, end, "name");
    const char *value = attribute(scan, tag, end, "value");
    if (name == NULL)
        return;
    if (value == NULL && end[-1] != '/') {
        const char *stop = memchr(end, '<', (size_t)(scan->end - end));
        if (stop == NULL)
            return;
        value = ps_text_trim(scan->conf->arena,
                             ps_arena_copy(scan->conf->arena, end + 1, (size_t)(stop - end - 1)));
    }
    ps_properties_put(&scan->properties,
                      (struct ps_property){name, value != NULL ? value : "", scan->path, line_of(scan, tag)});
}

static void appender_tag(struct scan *scan, const char *tag, const char *end, size_t length)
{
    const char *name = attribute(scan, tag, end, "name");
    if (name == NULL || scan->appender_count == APPENDERS_MAX)
        return;
    bool rolls = tag_is(tag, length, "RollingFile") || tag_is(tag, length, "RollingRandomAccessFile");
    scan->appenders[scan->appender_count++] = (struct appender){name, attribute(scan, tag, end, "fileName")};
    if (rolls)
        ps_problem_add(&scan->conf->problems, PS_SEVERITY_NOTE,
                       (struct ps_place){scan->path, line_of(scan, tag), "RollingFile"}, "use logrotate",
                       "penstock writes the file, but does not roll it");
}

/* Handles one opening tag: [tag, end) without the angle brackets; `length` is that of its name. */
static void tag_read(struct scan *scan, const char *tag, const char *end, size_t length)
{
    if (tag_is(tag, length, "Property")) {
        property_tag(scan, tag, end);
    } else if (tag_is(tag, length, "File") || tag_is(tag, length, "RollingFile") ||
               tag_is(tag, length, "RandomAccessFile") || tag_is(tag, length, "RollingRandomAccessFile") ||
               tag_is(tag, length, "Console")) {
        appender_tag(scan, tag, end, length);
    } else if (tag_is(tag, length, "PatternLayout") && scan->conf->log.layout.file == NULL) {
        scan->conf->log.layout = (struct ps_place){scan->path, line_of(scan, tag), "PatternLayout"};
    } else if (tag_is(tag, length, "Root")) {
        scan->in_root = end[-1] != '/';
        scan->root_level = attribute(scan, tag, end, "level");
    } else if (tag_is(tag, length, "AppenderRef") && scan->in_root) {
        const char *ref = attribute(scan, tag, end, "ref");
        if (ref != NULL && scan->refs.count < APPENDERS_MAX)
            scan->ref_items[scan->refs.count++] = ref;
    } else if (tag_is(tag, length, "Logger") || tag_is(tag, length, "AsyncLogger")) {
        const char *name = attribute(scan, tag, end, "name");
        ps_problem_add(&scan->conf->problems, PS_SEVERITY_NOTE,
                       (struct ps_place){scan->path, line_of(scan, tag), name}, NULL,
                       "is ignored: the root logger's level applies");
    }
}

static void scan_tags(struct scan *scan)
{
    for (const char *at = scan->text;
         at < scan->end && (at = memchr(at, '<', (size_t)(scan->end - at))) != NULL;) {
        size_t left = (size_t)(scan->end - at);
        const char *stop;
        if (left > 4 && strncmp(at, "<!--", 4) == 0) {
            stop = memmem(at + 4, left - 4, "-->", 3);
            if (stop == NULL)
                return;
            at = stop + 3;
            continue;
        }
        stop = memchr(at, '>', left);
        if (stop == NULL)
            return;
        const char *tag = at + 1;
        size_t length = 0;
        while (tag + length < stop && isalpha((unsigned char)tag[length]))
            length++;
        if (*tag == '/')
            scan->in_root &= !tag_is(tag + 1, (size_t)(stop - tag - 1), "Root");
        else if (length > 0)
            tag_read(scan, tag, stop, length);
        at = stop + 1;
    }
}

void ps_log4j2_parse(struct ps_conf *conf, const char *path, const char *text, size_t length)
{
    struct scan *scan = ps_arena_alloc(conf->arena, sizeof *scan);
    *scan = (struct scan){.conf = conf, .path = path, .text = text, .end = text + length};
    ps_properties_init(&scan->properties, conf->arena);
    scan_tags(scan);
    struct ps_property level = {"Root level", scan->root_level, path, 0};
    if (level.value != NULL) {
        ps_properties_put(&scan->properties, level);
        const char *word = ps_log4j_substitute(conf, &scan->properties, level.key);
        if (word != NULL)
            ps_log4j_level(conf, word, (struct ps_place){path, 0, level.key});
    }
    for (size_t i = 0; i < scan->refs.count && conf->log.path == NULL; i++)
        for (size_t j = 0; j < scan->appender_count; j++) {
            struct ps_property file = {"fileName", scan->appenders[j].path, path, 0};
            if (strcmp(scan->appenders[j].name, scan->ref_items[i]) != 0 || file.value == NULL ||
                conf->log.path != NULL)
                continue;
            ps_properties_put(&scan->properties, file);
            conf->log.path = ps_log4j_substitute(conf, &scan->properties, file.key);
        }
    ps_properties_fini(&scan->properties);
}
