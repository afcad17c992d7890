/* Reports what the source lacks, for /readyz: a directory that can be read, or any file that matches. */
#include "stages/lib/tail/tailer/internal.h"

#include <stdio.h>
#include <string.h>

/* Returns the first directory that cannot be read; NULL: all can. */
static const struct ps_tail_place *missing_place(const struct ps_tailer *tailer)
{
    for (unsigned i = 0; i < tailer->place_count; i++) {
        if (tailer->places[i].error != 0)
            return &tailer->places[i];
    }
    return NULL;
}

static bool has_looked(const struct ps_tailer *tailer)
{
    for (unsigned i = 0; i < tailer->place_count; i++) {
        if (!tailer->places[i].looked)
            return false;
    }
    return true;
}

/* The log has named a directory that cannot be read. */
void ps_tail_lack_tick(struct ps_tailer *tailer)
{
    char why[512];
    const struct ps_tail_place *place = missing_place(tailer);
    if (place != NULL) {
        snprintf(why, sizeof why, "%.300s: %s; create the directory, or correct filegroups", place->path,
                 strerror(place->error));
        ps_port_lacks(tailer->port, PS_LACK_GONE, why, PS_LOG_DEBUG);
    } else if (tailer->table.count == 0 && has_looked(tailer)) {
        ps_port_lacks(tailer->port, PS_LACK_INPUT, "no file matches filegroups", PS_LOG_INFO);
    } else {
        ps_port_lacks(tailer->port, PS_LACK_NONE, NULL, PS_LOG_INFO);
    }
}
