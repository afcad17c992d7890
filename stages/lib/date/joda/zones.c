#include "stages/lib/date/joda/zones.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define IDS_MAX 2048
#define DEPTH_MAX 3
/* length of "Antarctica/": Joda-Time looks for the first slash only within this length */
#define PREFIX_MAX 11

struct id {
    const char *text;
    size_t length;
    const struct ps_time_zone *zone;
};

static const struct {
    const char *name, *id;
} names[] = {
    {"UT", "UTC"},
    {"UTC", "UTC"},
    {"GMT", "UTC"},
    {"EST", "America/New_York"},
    {"EDT", "America/New_York"},
    {"CST", "America/Chicago"},
    {"CDT", "America/Chicago"},
    {"MST", "America/Denver"},
    {"MDT", "America/Denver"},
    {"PST", "America/Los_Angeles"},
    {"PDT", "America/Los_Angeles"},
};

struct ps_joda_zones {
    const struct ps_time_zone *named[PS_COUNT_OF(names)];
    struct id *ids;
    size_t count;
};

/* Adds the zones of a folder and its subfolders. `prefix` is "" or ends with a slash. */
static void folder_load(struct ps_joda_zones *zones, struct ps_arena *arena, const char *root,
                        const char *prefix, int depth)
{
    DIR *folder = opendir(ps_arena_format(arena, "%s/%s", root, prefix));
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL && zones->count < IDS_MAX;) {
        const char *name = entry->d_name;
        if (name[0] < 'A' || name[0] > 'Z' ||
            strcmp(name, "Factory") == 0) /* skips posix/, right/ and tables */
            continue;
        const char *id = ps_arena_format(arena, "%s%s", prefix, name);
        bool known;
        const struct ps_time_zone *zone = ps_time_zone_load(arena, id, &known);
        if (known)
            zones->ids[zones->count++] = (struct id){id, strlen(id), zone};
        else if (depth < DEPTH_MAX)
            folder_load(zones, arena, root, ps_arena_format(arena, "%s/", id), depth + 1);
    }
    closedir(folder);
}

const struct ps_joda_zones *ps_joda_zones_load(struct ps_arena *arena, bool ids)
{
    struct ps_joda_zones *zones = ps_arena_alloc(arena, sizeof *zones);
    bool known;
    for (size_t i = 0; i < PS_COUNT_OF(names); i++)
        zones->named[i] = ps_time_zone_load(arena, names[i].id, &known);
    if (ids) {
        const char *root = getenv("TZDIR");
        zones->ids = ps_arena_alloc(arena, IDS_MAX * sizeof *zones->ids);
        folder_load(zones, arena, root != NULL ? root : "/usr/share/zoneinfo", "", 0);
    }
    return zones;
}

size_t ps_joda_zones_name(const struct ps_joda_zones *zones, const char *text, size_t length,
                          const struct ps_time_zone **zone)
{
    size_t longest = 0;
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        size_t name_length = strlen(names[i].name);
        if (name_length > longest && name_length <= length && memcmp(text, names[i].name, name_length) == 0) {
            longest = name_length;
            *zone = zones->named[i];
        }
    }
    return longest;
}

size_t ps_joda_zones_id(const struct ps_joda_zones *zones, const char *text, size_t length,
                        const struct ps_time_zone **zone)
{
    /* As in Joda-Time: only ids with the same first slash match, even if it belongs to the text after the
     * zone. */
    const char *slash = memchr(text, '/', length < PREFIX_MAX ? length : PREFIX_MAX);
    size_t longest = 0;
    for (size_t i = 0; i < zones->count; i++) {
        const struct id *id = &zones->ids[i];
        const char *own = memchr(id->text, '/', id->length);
        bool alike = slash == NULL ? own == NULL : own != NULL && own - id->text == slash - text;
        if (alike && id->length > longest && id->length <= length &&
            memcmp(text, id->text, id->length) == 0) {
            longest = id->length;
            *zone = id->zone;
        }
    }
    return longest;
}
