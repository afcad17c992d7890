/* The plug-ins of one configuration: the .so files in FOLDER/NAME/penstock, for each FOLDER of a list such as
 * Flume's plugins.d. flume-ng reads NAME/lib, NAME/libext and NAME/native of the same folders; its native/
 * has libraries of Java classes, which have no stages. */
#pragma once

#include "core/log/log.h"
#include "core/stage.h"

struct ps_module;
struct ps_plugins;

/* Reports a problem with a file or folder: a sentence whose subject is the plug-in, and advice. ERROR: none of the
 * plug-in's stages is available. */
typedef void ps_plugins_report(void *argument, enum ps_log_level level, const char *file, const char *what,
                               const char *cure);

/* Loads every plug-in. `native` ends with NULL and lives as long as the program. Never returns NULL. A folder that does
 * not exist has no plug-ins. Thread: any, except workers. */
struct ps_plugins *ps_plugins_load(const struct ps_texts *folders, const struct ps_stage_ops *const *native,
                                   ps_plugins_report *report, void *argument);

/* Returns the native stages, then those of the plug-ins; ends with NULL. */
const struct ps_stage_ops *const *ps_plugins_stages(const struct ps_plugins *plugins);

/* Returns module number `index`, or NULL after the last. */
const struct ps_module *ps_plugins_module(const struct ps_plugins *plugins, size_t index);

/* Returns the module that has the stage; NULL: the stage is native. */
const struct ps_module *ps_plugins_module_of(const struct ps_plugins *plugins,
                                             const struct ps_stage_ops *ops);

/* Unloads the plug-ins: afterwards no code of theirs may run, and no pointer to their data may be used. Has the type
 * that ps_arena_at_end takes. */
void ps_plugins_destroy(void *plugins);
