/* Watches the load of a plug-in: a constructor of the plug-in, or of a library that it needs, may not return. After 2 s
 * the log names the file. Thread: the one that loads; one at a time. */
#pragma once

#include <stdbool.h>

#define PS_PLUGIN_LIMIT_S 20U /* `limit_s` of every command except `agent` */

/* Says what ends a load that does not return. With {0} nothing ends it: the log names the file. */
struct ps_plugin_patience {
    unsigned limit_s; /* then the process ends with exit code 1; 0: never */
};

/* Thread: control, while nothing is loaded. */
void ps_plugin_watch_set(struct ps_plugin_patience patience);

/* `path` is used until ps_plugin_watch_end. */
void ps_plugin_watch_begin(const char *path);
void ps_plugin_watch_end(void);
