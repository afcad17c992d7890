/* Makes the names of the files that a file_roll sink writes, as two classes of Flume:
 *   DefaultPathManager    prefix, start in ms, "-", number, ".", extension
 *   RollTimePathManager   prefix, local time of the roll, "-", number, ".", extension
 * Thread: the sink's worker. */
#pragma once

#include "core/clock.h"
#include "stages/lib/date/time_zone.h"

enum ps_path_style { PS_PATH_DEFAULT, PS_PATH_ROLL_TIME };

struct ps_path_manager {
    enum ps_path_style style;
    const char *prefix, *extension; /* "": none */
    const struct ps_time_zone *zone;
    int64_t series_ms; /* when the sink started */
    int64_t roll_s;    /* the last second used in a name */
    uint64_t number;
};

/* Parses DEFAULT, ROLLTIME or the name of the builder class, in any case. Returns false for other words. */
bool ps_path_style_parse(const char *word, enum ps_path_style *style);

void ps_path_manager_init(struct ps_path_manager *manager, enum ps_path_style style, const char *prefix,
                          const char *extension, const struct ps_time_zone *zone, int64_t wall_ms);

/* Writes the next name, at most `room` bytes with its terminating 0. Returns false when it is too long. */
bool ps_path_manager_next(struct ps_path_manager *manager, int64_t wall_ms, char *name, size_t room);
