/* Texts for a Java process, each after its length, as java.io.DataInputStream reads them. Thread: any. */
#pragma once

#include "core/base.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static inline void ps_java_put_count(FILE *out, size_t count)
{
    uint32_t number = htonl((uint32_t)count);
    fwrite(&number, sizeof number, 1, out);
}

static inline void ps_java_put_text(FILE *out, const char *text)
{
    ps_java_put_count(out, strlen(text));
    fputs(text, out);
}
