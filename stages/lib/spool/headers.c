/* See headers.h. */
#include "stages/lib/spool/headers.h"

#include <string.h>

const char *ps_spool_absolute_path(const char *working_directory, const struct ps_spool_file *file,
                                   char **kept)
{
    if (working_directory == NULL)
        return file->path;
    if (*kept == NULL) {
        size_t room = strlen(working_directory) + strlen(file->path) + 2;
        *kept = ps_must_alloc(room, 1, "a path");
        snprintf(*kept, room, "%s/%s", strcmp(working_directory, "/") == 0 ? "" : working_directory,
                 file->path);
    }
    return *kept;
}

bool ps_spool_header_ready(struct ps_batch *batch, const struct ps_name *name, const char *value)
{
    if (name == NULL)
        return true;
    uint32_t length = (uint32_t)strlen(value);
    if (batch->count == 0)
        return ps_batch_shared_set(batch, name, value, length, true);
    const struct ps_header *header = ps_header_find(batch->shared, name);
    if (header != NULL && header->value_length == length && memcmp(header->value, value, length) == 0)
        return true;
    batch->full = true; /* the events of the batch are of another file */
    return false;
}
