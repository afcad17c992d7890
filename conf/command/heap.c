/* The value of -Xmx: on the command line, in FLUME_JAVA_OPTS and in flume-env.sh. Thread: the control thread. */
#include "conf/command/command.h"

#include <ctype.h>
#include <stdlib.h>

int64_t ps_command_heap_bytes(const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    int letter = tolower((unsigned char)*end);
    unsigned shift = letter == 'k' ? 10 : letter == 'm' ? 20 : letter == 'g' ? 30 : letter == 't' ? 40 : 0;
    if (shift > 0)
        end++;
    if (number <= 0 || *end != '\0' || number > INT64_MAX >> shift)
        return 0;
    return number << shift;
}
