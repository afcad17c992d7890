/* The bytes of a Java class: its names, or a reason. */
#include "conf/java/class_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_class_file file = {.name = NULL};
    struct ps_err err = {.length = 0};
    if (ps_class_file_parse(arena, data, size, &file, &err) == PS_OK) {
        PS_ASSERT(file.name != NULL && *file.name != '\0' && err.length == 0);
        for (size_t i = 0; i < file.interfaces.count; i++)
            PS_ASSERT(strlen(file.interfaces.items[i]) < size);
    } else {
        PS_ASSERT(err.length > 0);
    }
    ps_arena_destroy(arena);
    return 0;
}
