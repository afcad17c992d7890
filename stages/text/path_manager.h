/* Names of the files a file_roll sink writes: Flume's DefaultPathManager (prefix, start in ms, "-", number)
 * and RollTimePathManager (prefix, local time of the roll, "-", number), each with "." and the extension.
 * Thread: the sink's worker. */
#pragma once

#include "core/clock.h"
#include "stages/text/time_zone.h"

enum ps_path_style { PS_PATH_DEFAULT, PS_PATH_ROLL_TIME };

struct ps_path_manager {
    enum ps_path_style style;
    const char *prefix, *extension; /* "" for none */
    const struct ps_time_zone *zone;
    int64_t series_ms; /* when the sink began */
    int64_t roll_s;    /* the second last used in a name */
    uint64_t number;
};

/* DEFAULT, ROLLTIME or their class names, any case of the former. False: neither. */
bool ps_path_style_parse(const char *word, enum ps_path_style *style);

void ps_path_manager_init(struct ps_path_manager *manager, enum ps_path_style style, const char *prefix,
                          const char *extension, const struct ps_time_zone *zone, int64_t wall_ms);

/* The next name, at most `room` bytes with its end. False: too long. */
bool ps_path_manager_next(struct ps_path_manager *manager, int64_t wall_ms, char *name, size_t room);
