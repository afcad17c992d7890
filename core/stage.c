#include "core/stage.h"

#include <stdarg.h>
#include <stdio.h>

void ps_report(const struct ps_context *context, enum ps_log_level severity, const char *key,
               const char *format, ...)
{
    char message[PS_ERR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    context->report(context, severity, key, message);
}
