#include "stages/lib/http/message_rules.h"

#include "core/text/utf8.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* RFC 9110, 5.6.2 */
static bool is_token_byte(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool ps_http_name_is_token(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!is_token_byte(name[i]))
            return false;
    }
    return length > 0;
}

bool ps_http_field_is_folded(const char *field, const char *end)
{
    const char *line_end = memchr(field, '\n', (size_t)(end - field));
    return line_end != NULL && line_end + 1 < end && (line_end[1] == ' ' || line_end[1] == '\t');
}

/* Finds the path of a target: without scheme, host, parameters, query and fragment. */
static size_t path_of(const char **target, size_t length)
{
    const char *end = *target + length;
    if (length > 0 && **target != '/') {
        const char *host = memmem(*target, length, "://", 3);
        const char *path = host != NULL ? memchr(host + 3, '/', (size_t)(end - host - 3)) : NULL;
        *target = path != NULL ? path : end;
    }
    size_t path_length = 0;
    while (*target + path_length < end && strchr(";?#", (*target)[path_length]) == NULL)
        path_length++;
    return path_length;
}

static bool are_hex(const char *text, const char *end, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text + i == end || !is_hex(text[i]))
            return false;
    }
    return true;
}

const char *ps_http_target_wrong(const char *target, size_t length, bool options)
{
    if (length == 1 && *target == '*')
        return options ? NULL : "only OPTIONS may ask for *";
    size_t path_length = path_of(&target, length);
    const char *end = target + path_length;
    for (const char *at = target; (at = memchr(at, '%', (size_t)(end - at))) != NULL; at++) {
        bool unicode = at + 1 < end && at[1] == 'u'; /* %u and four digits, which Jetty takes */
        if (!are_hex(at + (unicode ? 2 : 1), end, unicode ? 4 : 2))
            return "the path has a % without two hexadecimal digits";
    }
    return ps_utf8_valid_length(target, path_length) == path_length ? NULL : "the path is not UTF-8";
}

bool ps_http_host_is_good(const char *host, size_t length)
{
    size_t at = length;
    if (memchr(host, ' ', length) != NULL || memchr(host, '\t', length) != NULL)
        return false;
    while (at > 0 && is_digit(host[at - 1]))
        at--;
    if (at > 0 && host[at - 1] == ':')
        return true;
    const char *bracket = memrchr(host, ']', length); /* the colons before it are the address's */
    const char *begin = bracket != NULL ? bracket : host;
    return memchr(begin, ':', length - (size_t)(begin - host)) == NULL;
}

/* RFC 9112, 7.1.1 */
bool ps_http_chunk_line_is_good(const char *line, size_t length)
{
    size_t at = 0;
    while (at < length && is_hex(line[at]))
        at++;
    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (at < length && line[at] != ';')
        return false;
    for (; at < length; at++) {
        unsigned char byte = (unsigned char)line[at];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}
