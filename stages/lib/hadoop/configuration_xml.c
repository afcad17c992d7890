/* Parses the XML of Hadoop's configuration, as Configuration.Parser does. */
#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/hadoop/configuration_internal.h"

#define FILE_BYTES_MAX (16U << 20)
#define TOKEN_BYTES_MAX (1U << 20)
#define INCLUDES_MAX 16U
#define DEPTH_MAX 64U

/* A file that is being read. */
struct file {
    struct ps_hadoop_configuration *configuration;
    XML_Parser parser;
    const char *path;
    unsigned includes; /* nesting of included files */
    unsigned depth;    /* nesting of elements */
    struct ps_err *err;
    bool failed;
    char *name, *value; /* of the property */
    bool final;
    unsigned long line; /* of the property */
    bool collects;      /* the text of the present element is collected */
    char *token;
    size_t token_length, token_room;
    /* `missing`: the file of the <include> does not exist; `fallback`: the <include> has a <fallback>. */
    bool missing, fallback;
    unsigned fallback_depth; /* depth of the <fallback>; 0: not in one */
};

static enum ps_status read_file(struct ps_hadoop_configuration *configuration, const char *path,
                                unsigned includes, struct ps_err *err);

static void fail(struct file *file, const char *reason)
{
    if (!file->failed)
        ps_err_set(file->err, "%s:%lu: %s", file->path,
                   (unsigned long)XML_GetCurrentLineNumber64(file->parser), reason);
    file->failed = true;
    XML_StopParser(file->parser, XML_FALSE);
}

static char *trimmed(const char *text)
{
    size_t length;
    text += strspn(text, " \t\r\n");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;
    char *copy = ps_must_alloc(length + 1, 1, "Hadoop's configuration");
    memcpy(copy, text, length);
    return copy;
}

static void set_text(char **to, char *text)
{
    free(*to);
    *to = text;
}

/* Returns the name without the namespace, which expat puts before it, with a blank between them. */
static const char *local_name(const char *name)
{
    const char *blank = strrchr(name, ' ');
    return blank != NULL ? blank + 1 : name;
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
    for (; *attributes != NULL; attributes += 2) {
        if (strcmp(local_name(attributes[0]), name) == 0)
            return attributes[1];
    }
    return NULL;
}

static void begin_property(struct file *file, const XML_Char **attributes)
{
    const char *name = attribute(attributes, "name"), *value = attribute(attributes, "value");
    const char *final = attribute(attributes, "final");
    set_text(&file->name, name != NULL ? trimmed(name) : NULL);
    set_text(&file->value, value != NULL ? trimmed(value) : NULL);
    file->final = final != NULL && strcmp(final, "true") == 0;
    file->line = XML_GetCurrentLineNumber64(file->parser);
}

static void end_property(struct file *file)
{
    char place[PATH_MAX + 32];
    snprintf(place, sizeof place, "%s:%lu", file->path, file->line);
    if (file->fallback_depth > 0 && !file->missing)
        return; /* the included file exists, so its fallback is not used */
    if (file->name != NULL && file->name[0] != '\0' && file->value != NULL)
        ps_hadoop_configuration_set(file->configuration, file->name, file->value, place, file->final);
}

/* Includes a file. A relative name is relative to the present file's directory. */
static void include(struct file *file, const XML_Char **attributes)
{
    const char *href = attribute(attributes, "href"), *slash = strrchr(file->path, '/');
    char path[PATH_MAX];
    file->missing = file->fallback = false;
    if (href == NULL) {
        fail(file, "<include> without href");
        return;
    }
    if (strncmp(href, "file://", 7) == 0)
        href += 7;
    else if (strncmp(href, "file:", 5) == 0)
        href += 5;
    else if (strstr(href, "://") != NULL) {
        fail(file, "<include> names an address: only files can be included");
        return;
    }
    if (href[0] == '/' || slash == NULL)
        snprintf(path, sizeof path, "%s", href);
    else
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - file->path), file->path, href);
    FILE *there = fopen(path, "re");
    if (there == NULL) {
        file->missing = true; /* allowed if there is a <fallback> */
        return;
    }
    fclose(there);
    if (file->includes >= INCLUDES_MAX)
        fail(file, "too many files include one another");
    else if (read_file(file->configuration, path, file->includes + 1, file->err) != PS_OK) {
        ps_err_append(file->err, "%s:%lu: included here", file->path,
                      (unsigned long)XML_GetCurrentLineNumber64(file->parser));
        file->failed = true;
        XML_StopParser(file->parser, XML_FALSE);
    }
}

static void XMLCALL begin_element(void *file_, const XML_Char *name, const XML_Char **attributes)
{
    struct file *file = file_;
    name = local_name(name);
    if (++file->depth > DEPTH_MAX) {
        fail(file, "elements are nested too deep");
    } else if (file->depth == 1 && strcmp(name, "configuration") != 0) {
        fail(file, "the file's first element is not <configuration>");
    } else if (strcmp(name, "property") == 0) {
        begin_property(file, attributes);
    } else if (strcmp(name, "include") == 0) {
        include(file, attributes);
    } else if (strcmp(name, "fallback") == 0) {
        file->fallback = true;
        file->fallback_depth = file->depth;
    }
    file->collects = strcmp(name, "name") == 0 || strcmp(name, "value") == 0 || strcmp(name, "final") == 0;
    file->token_length = 0;
}

/* Doubles the buffer, because expat passes the text of an entity in pieces of a few bytes. */
static void token_reserve(struct file *file, size_t room)
{
    if (room <= file->token_room)
        return;
    file->token_room = room > 2 * file->token_room ? room : 2 * file->token_room;
    file->token = ps_must_realloc(file->token, file->token_room, "Hadoop's configuration");
}

static void XMLCALL add_text(void *file_, const XML_Char *text, int length)
{
    struct file *file = file_;
    if (!file->collects)
        return;
    if (file->token_length + (size_t)length > TOKEN_BYTES_MAX) {
        fail(file, "the text is longer than 1 MiB");
        return;
    }
    token_reserve(file, file->token_length + (size_t)length + 1);
    memcpy(file->token + file->token_length, text, (size_t)length);
    file->token_length += (size_t)length;
    file->token[file->token_length] = '\0';
}

static void XMLCALL end_element(void *file_, const XML_Char *name)
{
    struct file *file = file_;
    const char *token = file->token_length > 0 ? file->token : "";
    name = local_name(name);
    if (strcmp(name, "name") == 0)
        set_text(&file->name, trimmed(token));
    else if (strcmp(name, "value") == 0)
        set_text(&file->value, trimmed(token));
    else if (strcmp(name, "final") == 0)
        file->final = strcmp(token, "true") == 0;
    else if (strcmp(name, "property") == 0)
        end_property(file);
    else if (strcmp(name, "include") == 0 && file->missing && !file->fallback)
        fail(file, "the file that <include> names is not there, and there is no <fallback>");
    if (file->depth == file->fallback_depth)
        file->fallback_depth = 0;
    file->depth--;
    file->collects = false;
    file->token_length = 0;
}

static enum ps_status parse(struct file *file, const char *text, size_t length)
{
    file->parser = XML_ParserCreateNS(NULL, ' ');
    if (file->parser == NULL)
        ps_out_of_memory(0, "Hadoop's configuration");
    XML_SetUserData(file->parser, file);
    XML_SetElementHandler(file->parser, begin_element, end_element);
    XML_SetCharacterDataHandler(file->parser, add_text);
    if (XML_Parse(file->parser, text, (int)length, 1) != XML_STATUS_OK && !file->failed)
        fail(file, XML_ErrorString(XML_GetErrorCode(file->parser)));
    XML_ParserFree(file->parser);
    free(file->name);
    free(file->value);
    free(file->token);
    return file->failed ? PS_FAIL : PS_OK;
}

static enum ps_status parse_text(struct ps_hadoop_configuration *configuration, const char *path,
                                 unsigned includes, const char *text, size_t length, struct ps_err *err)
{
    struct file file = {.configuration = configuration, .path = path, .includes = includes, .err = err};
    if (length > FILE_BYTES_MAX)
        return ps_err_set(err, "%s: longer than 16 MiB", path);
    return parse(&file, text, length);
}

static enum ps_status read_file(struct ps_hadoop_configuration *configuration, const char *path,
                                unsigned includes, struct ps_err *err)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return ps_err_set(err, "%s: %s", path, strerror(errno));
    char *text = ps_must_alloc(FILE_BYTES_MAX + 1, 1, "Hadoop's configuration");
    size_t length = fread(text, 1, FILE_BYTES_MAX + 1, stream);
    bool good = !ferror(stream);
    int error = errno;
    fclose(stream);
    enum ps_status status = good ? parse_text(configuration, path, includes, text, length, err)
                                 : ps_err_set(err, "%s: %s", path, strerror(error));
    free(text);
    return status;
}

enum ps_status ps_hadoop_configuration_read(struct ps_hadoop_configuration *configuration, const char *path,
                                            const char *text, size_t length, struct ps_err *err)
{
    return text != NULL ? parse_text(configuration, path, 0, text, length, err)
                        : read_file(configuration, path, 0, err);
}
