#include "stages/lib/java/texts.h"

#include <arpa/inet.h>
#include <string.h>

void ps_java_put_count(FILE *out, size_t count)
{
    uint32_t number = htonl((uint32_t)count);
    fwrite(&number, sizeof number, 1, out);
}

void ps_java_put_text(FILE *out, const char *text)
{
    ps_java_put_count(out, strlen(text));
    fputs(text, out);
}
