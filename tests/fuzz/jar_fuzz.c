/* The bytes of a jar: its list of entries ends, and each entry is read, or refused with a reason. */
#include "conf/java/jar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENTRIES_MAX 64U /* entries that are read */
#define BYTES_MAX 65536U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_entry(struct ps_jar *jar, const char *name)
{
    struct ps_err err = {.length = 0};
    char *bytes = NULL;
    size_t length = SIZE_MAX;
    switch (ps_jar_read(jar, name, BYTES_MAX, &bytes, &length, &err)) {
    case PS_JAR_READ:
        PS_ASSERT(bytes != NULL && length <= BYTES_MAX && bytes[length] == '\0');
        free(bytes);
        break;
    case PS_JAR_BAD:
    case PS_JAR_UNREAD:
        PS_ASSERT(err.length > 0);
        break;
    case PS_JAR_ABSENT: /* a name that libzip has converted */
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("jar", MFD_CLOEXEC);
    PS_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct ps_err err = {.length = 0};
    int error;
    struct ps_jar *jar = ps_jar_open(path, &error, &err);
    PS_ASSERT((jar == NULL) == (err.length > 0));
    const char *name;
    for (size_t i = 0; jar != NULL && (name = ps_jar_entry(jar, i)) != NULL; i++) {
        PS_ASSERT(i < size / 46 + 1);
        if (i < ENTRIES_MAX)
            read_entry(jar, name);
    }
    ps_jar_close(jar);
    close(fd);
    return 0;
}
