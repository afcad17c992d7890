/* A host as users write it. */
#pragma once

#include <string.h>

#define PS_HOST_NAME_BYTES 256

/* Copies the host without the brackets of "[::1]". Returns NULL if it has no room in `name`, or is empty. */
static inline const char *ps_host_without_brackets(const char *host, char name[PS_HOST_NAME_BYTES])
{
    size_t length = strlen(host);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length == 0 || length >= PS_HOST_NAME_BYTES)
        return NULL;
    memcpy(name, host, length);
    name[length] = '\0';
    return name;
}
