/* What the logs of channels say of damage, and what they show of events. Used by the referee. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Returns whether a channel has named damage, and what is lost with it, since a place of the output. */
bool damage_is_named(size_t from);
/* .. or that a log has no state: it loses nothing, and is so after a kill if a call had failed before the state was written. */
bool damage_of_state_is_named(size_t from);
/* .. or a frame at the end, or a file, that damage or a crash has left so. */
bool damage_is_suspected(size_t from);
/* Returns the path of a file of a channel that has the text of an event, or NULL. */
const char *damage_plain_text(void);
