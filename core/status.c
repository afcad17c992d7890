#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void err_write(struct ps_err *err, const char *format, va_list arguments)
{
    size_t room = sizeof err->text - err->length;
    int written = vsnprintf(err->text + err->length, room, format, arguments);
    if (written < 0)
        return;
    err->length += (size_t)written < room ? (size_t)written : room - 1;
}

enum ps_status ps_err_set(struct ps_err *err, const char *format, ...)
{
    if (err == NULL)
        return PS_FAIL;
    va_list arguments;
    va_start(arguments, format);
    err->length = 0;
    err_write(err, format, arguments);
    va_end(arguments);
    return PS_FAIL;
}

enum ps_status ps_err_append(struct ps_err *err, const char *format, ...)
{
    if (err == NULL)
        return PS_FAIL;
    if (err->length > 0 && err->length + 1 < sizeof err->text) {
        err->text[err->length++] = '\n';
        err->text[err->length] = '\0';
    }
    va_list arguments;
    va_start(arguments, format);
    err_write(err, format, arguments);
    va_end(arguments);
    return PS_FAIL;
}

const char *ps_err_join(struct ps_err *err)
{
    for (char *at = err->text; (at = strchr(at, '\n')) != NULL; at++) {
        size_t rest = err->length - (size_t)(at - err->text);
        *at = ';';
        if (err->length + 1 >= sizeof err->text)
            continue; /* there is no room for the separator */
        memmove(at + 2, at + 1, rest);
        at[1] = ' ';
        err->length++;
    }
    return err->text;
}
