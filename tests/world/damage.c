#include "tests/world/damage.h"

#include <stdio.h>
#include <string.h>

#include "tests/world/disk.h"

static bool says(const char *const words[], size_t from)
{
    world->output[world->output_length] = 0;
    while (*words != NULL && strstr(world->output + from, *words) == NULL)
        words++;
    return *words != NULL;
}

bool damage_is_named(size_t from)
{
    static const char *const words[] = {" is lost with its ",
                                        " are lost with their ",
                                        " lost with the file is unknown",
                                        " events are lost",
                                        " event is lost",
                                        "all segments of the log are missing",
                                        "that no sink had is lost",
                                        "that no sink had are lost",
                                        NULL};
    return says(words, from);
}

bool damage_of_state_is_named(size_t from)
{
    static const char *const words[] = {"the state of the log cannot be read", NULL};
    return says(words, from);
}

bool damage_is_suspected(size_t from)
{
    static const char *const words[] = {" is not whole", "its head is damaged", NULL};
    return says(words, from);
}

static void look_for_text(void *argument, const char *path, struct disk_inode *file)
{
    char(*found)[512] = argument;
    size_t length = file->now.size;
    char *bytes = world_allocate(length + 1);
    if (memmem(bytes, disk_read(file, 0, bytes, length), "event ", 6) != NULL)
        snprintf(*found, sizeof *found, "%s", path);
    world_free(bytes, length + 1);
}

const char *damage_plain_text(void)
{
    static const char *const places[] = {"/w/data", "/w/data2"};
    static char found[512];
    found[0] = 0;
    for (unsigned i = 0; i < 2; i++)
        if (disk_at(places[i]) != NULL)
            disk_walk(places[i], look_for_text, &found);
    return found[0] != 0 ? found : NULL;
}
