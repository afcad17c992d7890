#include "stages/lib/http/content_type.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(struct ps_slice *text)
{
    while (text->length > 0 && is_blank(text->data[0])) {
        text->data++;
        text->length--;
    }
    while (text->length > 0 && is_blank(text->data[text->length - 1]))
        text->length--;
}

/* Returns the next semicolon that stands in no quoted text (RFC 9110, 5.6.4; Jetty knows no backslash); NULL: there is none. */
static const char *find_semicolon(const struct ps_slice *text)
{
    bool quoted = false;
    for (uint32_t i = 0; i < text->length; i++) {
        char c = text->data[i];
        if (c == ';' && !quoted)
            return text->data + i;
        quoted ^= c == '"';
        i += c == '\\' && quoted;
    }
    return NULL;
}

/* Takes the text before the next semicolon. Returns false at the end. */
static bool next_part(struct ps_slice *rest, struct ps_slice *part)
{
    if (rest->data == NULL)
        return false;
    const char *semicolon = find_semicolon(rest);
    *part = *rest;
    if (semicolon == NULL) {
        rest->data = NULL;
    } else {
        part->length = (uint32_t)(semicolon - rest->data);
        rest->data = semicolon + 1;
        rest->length -= part->length + 1;
    }
    trim(part);
    return true;
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* Takes the value of the parameter `part` if it is a charset's, as Jetty does: blanks may stand around the equals sign, and
 * a value without quotation marks ends at a blank. Single quotation marks, which Jetty takes for a part of the name, and a comma
 * are no part of any name. */
static bool is_charset(const struct ps_slice *part, struct ps_slice *charset)
{
    static const char name[] = "charset";
    struct ps_slice rest = {part->data + sizeof name - 1, part->length - (uint32_t)(sizeof name - 1)};
    if (part->length < sizeof name || strncasecmp(part->data, name, sizeof name - 1) != 0)
        return false;
    trim(&rest);
    if (rest.length == 0 || *rest.data != '=')
        return false;
    *charset = (struct ps_slice){rest.data + 1, rest.length - 1};
    trim(charset);
    char quote = charset->length > 0 && is_quote(*charset->data) ? *charset->data : '\0';
    charset->data += quote != '\0';
    charset->length -= quote != '\0';
    for (uint32_t i = 0; i < charset->length; i++) {
        char c = charset->data[i];
        if (quote != '\0' ? c == quote : is_blank(c) || is_quote(c) || c == ',')
            charset->length = i;
    }
    trim(charset);
    return true;
}

bool ps_content_type_charset(const char *value, size_t length, struct ps_slice *charset)
{
    struct ps_slice rest = {value, (uint32_t)length}, part;
    for (bool type = true; next_part(&rest, &part); type = false) {
        if (!type && is_charset(&part, charset))
            return charset->length > 0;
    }
    return false;
}

bool ps_content_type_is(const char *value, size_t length, const char *type)
{
    struct ps_slice rest = {value, (uint32_t)length}, part;
    return next_part(&rest, &part) && part.length == strlen(type) &&
           strncasecmp(part.data, type, part.length) == 0;
}
