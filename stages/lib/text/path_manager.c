/* See path_manager.h. */
#include "stages/lib/text/path_manager.h"

#include "stages/lib/date/calendar.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool ps_path_style_parse(const char *word, enum ps_path_style *style)
{
    static const struct {
        const char *word;
        enum ps_path_style style;
    } words[] = {
        {"default", PS_PATH_DEFAULT},
        {"rolltime", PS_PATH_ROLL_TIME},
        {"org.apache.flume.formatter.output.DefaultPathManager$Builder", PS_PATH_DEFAULT},
        {"org.apache.flume.formatter.output.RollTimePathManager$Builder", PS_PATH_ROLL_TIME},
    };
    for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            *style = words[i].style;
            return true;
        }
    }
    return false;
}

void ps_path_manager_init(struct ps_path_manager *manager, enum ps_path_style style, const char *prefix,
                          const char *extension, const struct ps_time_zone *zone, int64_t wall_ms)
{
    *manager = (struct ps_path_manager){
        .style = style,
        .prefix = prefix,
        .extension = extension,
        .zone = zone,
        .series_ms = wall_ms,
        .roll_s = INT64_MIN,
    };
}

bool ps_path_manager_next(struct ps_path_manager *manager, int64_t wall_ms, char *name, size_t room)
{
    const char *dot = manager->extension[0] != '\0' ? "." : "";
    int length;
    if (manager->style == PS_PATH_DEFAULT) {
        length = snprintf(name, room, "%s%lld-%llu%s%s", manager->prefix, (long long)manager->series_ms,
                          (unsigned long long)++manager->number, dot, manager->extension);
    } else {
        int64_t second = wall_ms / 1000;
        int64_t wall = second + ps_time_zone_offset(manager->zone, second);
        if (wall != manager->roll_s) /* the name has a resolution of one second */
            manager->number = 0;
        manager->roll_s = wall;
        struct ps_civil civil;
        ps_civil_from_wall(wall, &civil);
        length = snprintf(name, room, "%s%04lld%02u%02u%02u%02u%02u-%llu%s%s", manager->prefix,
                          (long long)civil.year, civil.month, civil.day, civil.hour, civil.minute,
                          civil.second, (unsigned long long)++manager->number, dot, manager->extension);
    }
    return length >= 0 && (size_t)length < room;
}
