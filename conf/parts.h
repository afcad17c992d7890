/* The components of an agent, by number and by name. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* Returns the component with this number: first the sources, then the channels, then the sinks. NULL: there are
 * fewer. */
const struct ps_conf_part *ps_conf_part_at(const struct ps_conf_agent *agent, size_t number);

/* Returns the channel of this name, or NULL. */
struct ps_conf_channel *ps_conf_channel_named(const struct ps_conf_agent *agent, const char *name);

/* Returns whether this value of penstock.deadletter names a channel: it has no slash. False for NULL. */
bool ps_dead_letters_go_to_channel(const char *deadletter);
/* Returns the label of a component whose dead letters go to the channel, or NULL. */
const char *ps_conf_letters_of(const struct ps_conf_agent *agent, const char *channel);

/* Returns the place of a component's key, as ps_conf_place does. */
struct ps_place ps_conf_part_place(struct ps_conf *conf, const struct ps_conf_part *part, const char *key);
