/* Values that cannot be the name or address of a host: "http://127.0.0.1", "127.0.0.1:44444", "*", "300.1.1.1". conf/bind.c asks for
 * each option that names one host, at every source and sink. Thread: control. */
#pragma once

#include "core/arena.h"
#include "core/option.h"

/* Returns whether this is, without its component, the key of an option that names one host. */
bool ps_doubt_is_host_key(const char *key);
/* Returns whether the option names one host. */
bool ps_doubt_names_host(const struct ps_option *option);

/* Returns NULL if `value` can be a host, else what it is instead. Sets `cure`. `listens`: the option is a source's. */
const char *ps_doubt_host(struct ps_arena *arena, const char *value, bool listens, const char **cure);
