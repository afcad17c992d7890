/* log4j2.xml: <Property>, <File>, <RollingFile>, <Console>, <Root>, <AppenderRef>, <Logger>, in any case. A level or
 * a file may name a <Property> that comes later, so they are taken at the end. Reads nothing outside the file: expat
 * expands only the entities that the file itself declares. */
#include "conf/command/log4j.h"

#include "conf/command/log4j_common.h"
#include "conf/text.h"

#include <errno.h>
#include <expat.h>
#include <iconv.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#define APPENDERS_MAX 64

static const char *const roots[] = {"Root", "AsyncRoot"}, *const loggers[] = {"Logger", "AsyncLogger"},
                         *const files[] = {"File", "RandomAccessFile", "Console"},
                         *const rolling[] = {"RollingFile", "RollingRandomAccessFile"};

struct appender {
    const char *name, *path; /* path as written; NULL = the console or an unsupported kind */
    int layout_line;         /* of its PatternLayout; 0: it has none */
};

/* A logger other than the root; its level as written. */
struct logger {
    const char *name, *level;
    int line;
};

/* A text that grows, in the arena, without an end. */
struct text {
    char *bytes;
    size_t length;
};

struct reading {
    struct ps_conf *conf;
    XML_Parser parser;
    const char *path;
    const char *encoding; /* the encoding that the file names, if expat does not know it; else NULL */
    bool has_element;
    int error_line;                  /* where the parse ended */
    struct ps_properties properties; /* <Property name="..">value</Property> */
    struct ps_property property;     /* the property whose text is read; .key == NULL: none */
    struct text text;                /* the text of `property` so far */
    struct appender appenders[APPENDERS_MAX];
    size_t appender_count;
    struct appender *appender; /* whose elements are read; NULL: none */
    struct logger *loggers;    /* those with a level */
    size_t logger_count;
    /* The logger element whose appenders are being read. key == NULL: no logger is being read, or its appenders were
     * noted. */
    struct ps_place logger;
    bool in_root;
    const char *root_level;
    struct ps_texts refs; /* of the root logger; at most APPENDERS_MAX */
    const char *ref_items[APPENDERS_MAX];
};

static void add(struct ps_arena *arena, struct text *text, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text->bytes = ps_arena_grow(arena, text->bytes, text->length, 1);
        text->bytes[text->length++] = bytes[i];
    }
}

static int line_of(const struct reading *reading)
{
    uint64_t line = XML_GetCurrentLineNumber64(reading->parser);
    return line < INT_MAX ? (int)line : INT_MAX;
}

/* Returns a copy of an attribute's value, or NULL. */
static const char *attribute(const struct reading *reading, const XML_Char **attributes, const char *name)
{
    for (; *attributes != NULL; attributes += 2) {
        if (strcasecmp(attributes[0], name) == 0)
            return ps_arena_text(reading->conf->arena, attributes[1]);
    }
    return NULL;
}

static bool is_one_of(const char *tag, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(tag, names[i]) == 0)
            return true;
    }
    return false;
}

static void begin_property(struct reading *reading, const XML_Char **attributes)
{
    const char *value = attribute(reading, attributes, "value");
    struct ps_property property = {attribute(reading, attributes, "name"), value, reading->path,
                                   line_of(reading)};
    if (property.key == NULL)
        return;
    if (value != NULL)
        ps_properties_put(&reading->properties, property);
    else
        reading->property = property; /* end_element puts it */
    reading->text = (struct text){.length = 0};
}

static void begin_appender(struct reading *reading, const XML_Char **attributes, bool rolls)
{
    const char *name = attribute(reading, attributes, "name");
    if (name == NULL || reading->appender_count == APPENDERS_MAX)
        return;
    reading->appender = &reading->appenders[reading->appender_count++];
    *reading->appender = (struct appender){.name = name, .path = attribute(reading, attributes, "fileName")};
    if (rolls)
        ps_problem_add(&reading->conf->problems, PS_SEVERITY_NOTE,
                       (struct ps_place){reading->path, line_of(reading), "RollingFile"}, "use logrotate",
                       "penstock writes the file, but does not roll it");
}

static void begin_logger(struct reading *reading, const XML_Char **attributes)
{
    struct logger logger = {attribute(reading, attributes, "name"), attribute(reading, attributes, "level"),
                            line_of(reading)};
    reading->logger = (struct ps_place){reading->path, logger.line, logger.name};
    if (logger.name == NULL || logger.level == NULL)
        return;
    reading->loggers =
        ps_arena_grow(reading->conf->arena, reading->loggers, reading->logger_count, sizeof logger);
    reading->loggers[reading->logger_count++] = logger;
}

static void begin_ref(struct reading *reading, const XML_Char **attributes)
{
    if (!reading->in_root) {
        if (reading->logger.key != NULL)
            ps_log4j_logger_appends(reading->conf, reading->logger);
        reading->logger.key = NULL;
        return;
    }
    const char *ref = attribute(reading, attributes, "ref");
    if (ref != NULL && reading->refs.count < APPENDERS_MAX)
        reading->ref_items[reading->refs.count++] = ref;
}

static void XMLCALL begin_element(void *reading_, const XML_Char *tag, const XML_Char **attributes)
{
    struct reading *reading = reading_;
    bool rolls = is_one_of(tag, rolling, PS_COUNT_OF(rolling));
    reading->has_element = true;
    reading->property.key = NULL;
    if (strcasecmp(tag, "Property") == 0) {
        begin_property(reading, attributes);
    } else if (rolls || is_one_of(tag, files, PS_COUNT_OF(files))) {
        begin_appender(reading, attributes, rolls);
    } else if (strcasecmp(tag, "PatternLayout") == 0 && reading->appender != NULL) {
        reading->appender->layout_line = line_of(reading);
    } else if (is_one_of(tag, roots, PS_COUNT_OF(roots))) {
        reading->in_root = true;
        reading->root_level = attribute(reading, attributes, "level");
    } else if (strcasecmp(tag, "AppenderRef") == 0) {
        begin_ref(reading, attributes);
    } else if (is_one_of(tag, loggers, PS_COUNT_OF(loggers))) {
        begin_logger(reading, attributes);
    }
}

/* The text of a property comes in pieces. */
static void XMLCALL add_text(void *reading_, const XML_Char *text, int length)
{
    struct reading *reading = reading_;
    if (reading->property.key != NULL)
        add(reading->conf->arena, &reading->text, text, (size_t)length);
}

static void XMLCALL end_element(void *reading_, const XML_Char *tag)
{
    struct reading *reading = reading_;
    if (is_one_of(tag, roots, PS_COUNT_OF(roots)))
        reading->in_root = false;
    else if (is_one_of(tag, loggers, PS_COUNT_OF(loggers)))
        reading->logger.key = NULL;
    else if (is_one_of(tag, files, PS_COUNT_OF(files)) || is_one_of(tag, rolling, PS_COUNT_OF(rolling)))
        reading->appender = NULL;
    if (reading->property.key != NULL) {
        const char *text = ps_arena_copy(reading->conf->arena, reading->text.bytes, reading->text.length);
        reading->property.value = ps_text_trim(reading->conf->arena, text);
        ps_properties_put(&reading->properties, reading->property);
    }
    reading->property.key = NULL;
}

/* Notes an encoding that expat does not know; the parse ends. */
static int XMLCALL note_encoding(void *reading_, const XML_Char *name, XML_Encoding *unused)
{
    struct reading *reading = reading_;
    (void)unused;
    reading->encoding = ps_arena_text(reading->conf->arena, name);
    return XML_STATUS_ERROR;
}

/* Converts a piece of the text. At the end of the text, converts the bytes that the decoder still holds. Malformed bytes become
 * U+FFFD, as in Java. */
static size_t convert_piece(iconv_t decoder, char **in, size_t *in_left, char *piece, size_t room)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    char *out = piece;
    size_t out_left = room - (sizeof replacement - 1);
    size_t status = iconv(decoder, *in_left > 0 ? in : NULL, in_left, &out, &out_left);
    if (status == (size_t)-1 && errno != E2BIG && *in_left > 0) {
        memcpy(out, replacement, sizeof replacement - 1);
        out += sizeof replacement - 1;
        (*in)++;
        (*in_left)--;
    }
    return (size_t)(out - piece);
}

/* Converts the text to UTF-8. Returns false if iconv does not know the encoding. */
static bool convert(const struct reading *reading, const char *text, size_t length, struct text *made)
{
    iconv_t decoder = iconv_open("UTF-8", reading->encoding);
    if (decoder == (iconv_t)-1)
        return false;
    char piece[4096], *in = (char *)(uintptr_t)text;
    for (bool is_end = false; !is_end;) {
        is_end = length == 0;
        size_t count = convert_piece(decoder, &in, &length, piece, sizeof piece);
        add(reading->conf->arena, made, piece, count);
    }
    iconv_close(decoder);
    return true;
}

/* Parses the text. `encoding`: the encoding of the text; NULL: the file names it. Returns the error, or
 * XML_ERROR_NONE. */
static enum XML_Error parse(struct reading *reading, const char *encoding, const char *text, size_t length)
{
    enum XML_Error error = XML_ERROR_NONE;
    XML_Parser parser = XML_ParserCreate(encoding);
    if (parser == NULL)
        ps_out_of_memory(0, "log4j2.xml");
    reading->parser = parser;
    XML_SetUserData(parser, reading);
    XML_SetElementHandler(parser, begin_element, end_element);
    XML_SetCharacterDataHandler(parser, add_text);
    XML_SetUnknownEncodingHandler(parser, note_encoding, reading);
    if (XML_Parse(parser, text, (int)length, 1) != XML_STATUS_OK)
        error = XML_GetErrorCode(parser);
    reading->error_line = line_of(reading);
    XML_ParserFree(parser);
    return error;
}

static void read_elements(struct reading *reading, const char *text, size_t length)
{
    enum XML_Error error = parse(reading, NULL, text, length);
    struct text converted = {.length = 0};
    if (reading->encoding != NULL && convert(reading, text, length, &converted))
        error = parse(reading, "UTF-8", converted.bytes, converted.length);
    if (error == XML_ERROR_NONE)
        return;
    const char *reason = XML_ErrorString(error);
    if (error == XML_ERROR_NO_ELEMENTS)
        reason = reading->has_element ? "the end of the first element is missing" : "it has no element";
    ps_problem_add(&reading->conf->problems, PS_SEVERITY_WARNING,
                   (struct ps_place){reading->path, reading->error_line, NULL}, "mend the file",
                   "is not well-formed XML: %s. %s", reason,
                   reading->has_element ? "Only what is before it is used" : "Nothing of it is used");
}

/* Returns the text with ${...} replaced. */
static const char *substitute(struct reading *reading, const char *key, const char *text)
{
    ps_properties_put(&reading->properties, (struct ps_property){key, text, reading->path, 0});
    return ps_log4j_substitute(reading->conf, &reading->properties, key);
}

static void take_loggers(struct reading *reading)
{
    for (size_t i = 0; i < reading->logger_count; i++) {
        const struct logger *logger = &reading->loggers[i];
        const char *word = substitute(reading, "Logger level", logger->level);
        if (word != NULL)
            ps_log4j_logger(reading->conf, logger->name, word,
                            (struct ps_place){reading->path, logger->line, logger->name});
    }
}

/* Takes the file of the first of the root logger's appenders that has one, and the place of its layout. */
static void take_appender(struct reading *reading)
{
    struct ps_conf_log *log = &reading->conf->log;
    for (size_t i = 0; i < reading->refs.count; i++)
        for (size_t j = 0; j < reading->appender_count && log->path == NULL; j++) {
            const struct appender *appender = &reading->appenders[j];
            if (appender->path == NULL || strcmp(appender->name, reading->ref_items[i]) != 0)
                continue;
            log->path = substitute(reading, "fileName", appender->path);
            if (log->path != NULL && appender->layout_line > 0)
                log->layout = (struct ps_place){reading->path, appender->layout_line, "PatternLayout"};
        }
}

void ps_log4j2_parse(struct ps_conf *conf, const char *path, const char *text, size_t length)
{
    struct reading *reading = ps_arena_alloc(conf->arena, sizeof *reading);
    *reading = (struct reading){.conf = conf, .path = path};
    ps_properties_init(&reading->properties, conf->arena);
    read_elements(reading, text, length);
    if (reading->root_level != NULL) {
        const char *word = substitute(reading, "Root level", reading->root_level);
        if (word != NULL)
            ps_log4j_level(conf, word, (struct ps_place){path, 0, "Root level"});
    }
    take_loggers(reading);
    take_appender(reading);
    ps_properties_fini(&reading->properties);
}
