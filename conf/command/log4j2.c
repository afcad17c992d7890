/* log4j2.xml: <Property>, <File>, <RollingFile>, <Console>, <Root>, <AppenderRef>, <Logger>, in any case. Reads nothing outside
 * the file: expat expands only the entities that the file itself declares. */
#include "conf/command/log4j.h"

#include "conf/command/log4j_common.h"
#include "conf/text.h"

#include <expat.h>
#include <iconv.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#define APPENDERS_MAX 64

struct appender {
    const char *name, *path; /* path as written; NULL = the console or an unsupported kind */
};

struct reading {
    struct ps_conf *conf;
    XML_Parser parser;
    const char *path;
    struct ps_properties properties; /* <Property name="..">value</Property> */
    struct ps_property property;     /* the one whose text is read; .key == NULL: none */
    char *text;                      /* its text so far, in the arena, without an end */
    size_t text_length;
    struct appender appenders[APPENDERS_MAX];
    size_t appender_count;
    bool in_root;
    const char *root_level;
    struct ps_texts refs; /* of the root logger; at most APPENDERS_MAX */
    const char *ref_items[APPENDERS_MAX];
};

static int line_of(const struct reading *reading)
{
    XML_Size line = XML_GetCurrentLineNumber(reading->parser);
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
    struct ps_property property = {attribute(reading, attributes, "name"), value != NULL ? value : "",
                                   reading->path, line_of(reading)};
    if (property.key == NULL)
        return;
    ps_properties_put(&reading->properties, property);
    if (value == NULL)
        reading->property = property;
    reading->text = NULL;
    reading->text_length = 0;
}

static void begin_appender(struct reading *reading, const XML_Char **attributes, bool rolls)
{
    const char *name = attribute(reading, attributes, "name");
    if (name == NULL || reading->appender_count == APPENDERS_MAX)
        return;
    reading->appenders[reading->appender_count++] =
        (struct appender){name, attribute(reading, attributes, "fileName")};
    if (rolls)
        ps_problem_add(&reading->conf->problems, PS_SEVERITY_NOTE,
                       (struct ps_place){reading->path, line_of(reading), "RollingFile"}, "use logrotate",
                       "penstock writes the file, but does not roll it");
}

static void begin_ref(struct reading *reading, const XML_Char **attributes)
{
    const char *ref = attribute(reading, attributes, "ref");
    if (ref != NULL && reading->refs.count < APPENDERS_MAX)
        reading->ref_items[reading->refs.count++] = ref;
}

static void XMLCALL begin_element(void *reading_, const XML_Char *tag, const XML_Char **attributes)
{
    static const char *const files[] = {"File", "RandomAccessFile", "Console"},
                             *const rolling[] = {"RollingFile", "RollingRandomAccessFile"},
                             *const loggers[] = {"Logger", "AsyncLogger"};
    struct reading *reading = reading_;
    struct ps_place place = {reading->path, line_of(reading), NULL};
    bool rolls = is_one_of(tag, rolling, PS_COUNT_OF(rolling));
    reading->property.key = NULL;
    if (strcasecmp(tag, "Property") == 0) {
        begin_property(reading, attributes);
    } else if (rolls || is_one_of(tag, files, PS_COUNT_OF(files))) {
        begin_appender(reading, attributes, rolls);
    } else if (strcasecmp(tag, "PatternLayout") == 0 && reading->conf->log.layout.file == NULL) {
        reading->conf->log.layout = place;
        reading->conf->log.layout.key = "PatternLayout";
    } else if (strcasecmp(tag, "Root") == 0) {
        reading->in_root = true;
        reading->root_level = attribute(reading, attributes, "level");
    } else if (strcasecmp(tag, "AppenderRef") == 0 && reading->in_root) {
        begin_ref(reading, attributes);
    } else if (is_one_of(tag, loggers, PS_COUNT_OF(loggers))) {
        place.key = attribute(reading, attributes, "name");
        ps_problem_add(&reading->conf->problems, PS_SEVERITY_NOTE, place, NULL,
                       "is ignored: the root logger's level applies");
    }
}

/* The text of a property comes in pieces. */
static void XMLCALL add_text(void *reading_, const XML_Char *text, int length)
{
    struct reading *reading = reading_;
    for (int i = 0; i < length && reading->property.key != NULL; i++) {
        reading->text = ps_arena_grow(reading->conf->arena, reading->text, reading->text_length, 1);
        reading->text[reading->text_length++] = text[i];
    }
}

static void XMLCALL end_element(void *reading_, const XML_Char *tag)
{
    struct reading *reading = reading_;
    if (strcasecmp(tag, "Root") == 0)
        reading->in_root = false;
    if (reading->property.key != NULL) {
        const char *text = ps_arena_copy(reading->conf->arena, reading->text, reading->text_length);
        reading->property.value = ps_text_trim(reading->conf->arena, text);
        ps_properties_put(&reading->properties, reading->property);
    }
    reading->property.key = NULL;
}

/* Tells expat what the bytes of an encoding mean that it does not know itself. In one of several bytes for a character, only ASCII
 * can be read. */
static int XMLCALL read_encoding(void *unused, const XML_Char *name, XML_Encoding *encoding)
{
    (void)unused;
    iconv_t decoder = iconv_open("WCHAR_T", name);
    if (decoder == (iconv_t)-1)
        return XML_STATUS_ERROR;
    for (int i = 0; i < 256; i++) {
        wchar_t character = 0;
        char byte = (char)i, *in = &byte, *out = (char *)&character;
        size_t in_left = 1, out_left = sizeof character;
        bool is_whole = iconv(decoder, &in, &in_left, &out, &out_left) != (size_t)-1 && out_left == 0;
        encoding->map[i] = is_whole ? (int)character : -1;
        iconv(decoder, NULL, NULL, NULL, NULL);
    }
    iconv_close(decoder);
    return XML_STATUS_OK;
}

static void read_elements(struct reading *reading, const char *text, size_t length)
{
    reading->parser = XML_ParserCreate(NULL);
    if (reading->parser == NULL)
        ps_out_of_memory(0, "log4j2.xml");
    XML_SetUserData(reading->parser, reading);
    XML_SetElementHandler(reading->parser, begin_element, end_element);
    XML_SetCharacterDataHandler(reading->parser, add_text);
    XML_SetUnknownEncodingHandler(reading->parser, read_encoding, NULL);
    if (XML_Parse(reading->parser, text, (int)length, 1) != XML_STATUS_OK) {
        enum XML_Error error = XML_GetErrorCode(reading->parser);
        ps_problem_add(&reading->conf->problems, PS_SEVERITY_WARNING,
                       (struct ps_place){reading->path, line_of(reading), NULL}, "mend the file",
                       "is not well-formed XML: %s. Only what is before it is used",
                       error == XML_ERROR_NO_ELEMENTS ? "the end of the first element is missing"
                                                      : XML_ErrorString(error));
    }
    XML_ParserFree(reading->parser);
}

void ps_log4j2_parse(struct ps_conf *conf, const char *path, const char *text, size_t length)
{
    struct reading *reading = ps_arena_alloc(conf->arena, sizeof *reading);
    *reading = (struct reading){.conf = conf, .path = path};
    ps_properties_init(&reading->properties, conf->arena);
    read_elements(reading, text, length);
    struct ps_property level = {"Root level", reading->root_level, path, 0};
    if (level.value != NULL) {
        ps_properties_put(&reading->properties, level);
        const char *word = ps_log4j_substitute(conf, &reading->properties, level.key);
        if (word != NULL)
            ps_log4j_level(conf, word, (struct ps_place){path, 0, level.key});
    }
    for (size_t i = 0; i < reading->refs.count && conf->log.path == NULL; i++)
        for (size_t j = 0; j < reading->appender_count; j++) {
            struct ps_property file = {"fileName", reading->appenders[j].path, path, 0};
            if (strcmp(reading->appenders[j].name, reading->ref_items[i]) != 0 || file.value == NULL ||
                conf->log.path != NULL)
                continue;
            ps_properties_put(&reading->properties, file);
            conf->log.path = ps_log4j_substitute(conf, &reading->properties, file.key);
        }
    ps_properties_fini(&reading->properties);
}
