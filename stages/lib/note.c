#include "stages/lib/note.h"

#include <stdarg.h>
#include <stdio.h>

void ps_note_add(const struct ps_notes *notes, enum ps_log_level severity, const char *key,
                 const char *format, ...)
{
    if (notes == NULL || notes->report == NULL)
        return;
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    notes->report(notes->argument, severity, key, message);
}
