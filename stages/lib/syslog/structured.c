#include "stages/lib/syslog/structured.h"

#include <string.h>

void ps_syslog_structured_names(const struct ps_name *names[PS_SYSLOG_STRUCTURED])
{
    names[PS_SYSLOG_APP] = ps_name_intern("appname");
    names[PS_SYSLOG_PROCESS] = ps_name_intern("procid");
    names[PS_SYSLOG_MESSAGE_ID] = ps_name_intern("msgid");
    names[PS_SYSLOG_DATA] = ps_name_intern("structured_data");
}

/* Returns the end of an element "[id name=\"value\" ..]", where a value may have \", \\ and \]; NULL: it has none. */
static const char *element_end(const char *at, const char *end)
{
    bool quoted = false;
    for (at++; at < end; at++) {
        if (quoted && *at == '\\' && at + 1 < end)
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == ']' && !quoted)
            return at + 1;
    }
    return NULL;
}

static const char *data_end(const char *at, const char *end)
{
    if (at < end && *at == '-')
        return at + 1;
    const char *from = at;
    while (at != NULL && at < end && *at == '[')
        at = element_end(at, end);
    return at == from ? NULL : at;
}

bool ps_syslog_structured_split(const char *text, uint32_t length, struct ps_syslog_structured *structured)
{
    const char *at = text, *end = text + length;
    for (unsigned i = 0; i < PS_SYSLOG_DATA; i++) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        if (blank == NULL || blank == at)
            return false;
        structured->fields[i] = (struct ps_slice){at, (uint32_t)(blank - at)};
        at = blank + 1;
    }
    const char *data = data_end(at, end);
    if (data == NULL || (data < end && *data != ' '))
        return false;
    structured->fields[PS_SYSLOG_DATA] = (struct ps_slice){at, (uint32_t)(data - at)};
    for (unsigned i = 0; i < PS_SYSLOG_STRUCTURED; i++) {
        struct ps_slice *field = &structured->fields[i];
        if (field->length == 1 && *field->data == '-')
            field->length = 0;
    }
    at = data < end ? data + 1 : end;
    if (end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
        at += 3;
    structured->message = (struct ps_slice){at, (uint32_t)(end - at)};
    return true;
}
