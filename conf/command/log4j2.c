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

/* ---- is the file whole? ---- */

#define DEPTH_MAX 64

/* The tags that are open at the position that is checked. */
struct nesting {
    const char *names[DEPTH_MAX]; /* where the name begins in the text */
    size_t depth;
};

/* Returns the length of a tag's name. */
static size_t name_length(const char *name, const char *end)
{
    size_t length = 0;
    while (name + length < end && !isspace((unsigned char)name[length]) && name[length] != '/' &&
           name[length] != '>')
        length++;
    return length;
}

/* Returns the '>' that ends the tag, not one inside a value; NULL if there is none. */
static const char *tag_end(const char *tag, const char *end)
{
    for (const char *at = tag; at < end; at++) {
        if (*at == '>')
            return at;
        if (*at == '<')
            return NULL;
        if ((*at == '"' || *at == '\'') && (at = memchr(at + 1, *at, (size_t)(end - at - 1))) == NULL)
            return NULL;
    }
    return NULL;
}

/* Returns the end of the <!-- -->, <![CDATA[ ]]>, <? ?> or <! > that begins at `at`; NULL if it has no end. If a
 * tag begins there, sets *other and returns NULL. */
static const char *markup_end(const char *at, const char *end, bool *other)
{
    static const char *const pairs[][2] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}, {"<!", ">"}};
    *other = false;
    for (size_t i = 0; i < PS_COUNT_OF(pairs); i++) {
        size_t length = strlen(pairs[i][0]);
        if ((size_t)(end - at) < length || strncmp(at, pairs[i][0], length) != 0)
            continue;
        const char *stop = memmem(at + length, (size_t)(end - at) - length, pairs[i][1], strlen(pairs[i][1]));
        return stop != NULL ? stop + strlen(pairs[i][1]) : NULL;
    }
    *other = true;
    return NULL;
}

/* Adds the start tag [tag, stop), without its angle brackets, to the open tags, or removes the one that it ends.
 * Returns false if it is an end tag that does not match the last open tag. */
static bool nest(struct nesting *nesting, const char *tag, const char *stop)
{
    if (*tag != '/') {
        if (stop[-1] != '/' && nesting->depth++ < DEPTH_MAX)
            nesting->names[nesting->depth - 1] = tag;
        return true;
    }
    size_t length = name_length(tag + 1, stop);
    if (nesting->depth == 0)
        return false;
    if (--nesting->depth >= DEPTH_MAX)
        return true;
    const char *open = nesting->names[nesting->depth];
    return name_length(open, stop) == length && strncmp(open, tag + 1, length) == 0;
}

/* Returns where the text is not well-formed, with the reason; NULL if it is well-formed. */
static const char *find_damage(const struct scan *scan, const char **reason)
{
    struct nesting nesting = {.depth = 0};
    for (const char *at = scan->text, *stop;
         at < scan->end && (at = memchr(at, '<', (size_t)(scan->end - at))) != NULL; at = stop) {
        bool is_tag;
        stop = markup_end(at, scan->end, &is_tag);
        if (is_tag && (stop = tag_end(at + 1, scan->end)) != NULL && !nest(&nesting, at + 1, stop)) {
            *reason = "this end tag does not match the last open tag";
            return at;
        }
        if (stop == NULL) {
            *reason = is_tag ? "the tag that begins here has no end"
                             : "the comment or declaration that begins here has no end";
            return at;
        }
    }
    *reason = "the element that begins here has no end";
    return nesting.depth == 0 || nesting.depth > DEPTH_MAX ? NULL : nesting.names[nesting.depth - 1];
}

static void report_damage(const struct scan *scan)
{
    const char *reason, *at = find_damage(scan, &reason);
    if (at != NULL)
        ps_problem_add(&scan->conf->problems, PS_SEVERITY_WARNING,
                       (struct ps_place){scan->path, line_of(scan, at), NULL}, "mend the file",
                       "is not well-formed XML: %s. What can be read of it is used", reason);
}

void ps_log4j2_parse(struct ps_conf *conf, const char *path, const char *text, size_t length)
{
    struct scan *scan = ps_arena_alloc(conf->arena, sizeof *scan);
    *scan = (struct scan){.conf = conf, .path = path, .text = text, .end = text + length};
    ps_properties_init(&scan->properties, conf->arena);
    scan_tags(scan);
    report_damage(scan);
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
