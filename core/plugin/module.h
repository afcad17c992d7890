/* One loaded shared object of a plug-in: a private copy of the file, its stages, and how to release it. The program
 * runs the copy: overwriting or removing the file changes nothing until the plug-in is opened again.
 *
 * Opening a file again whose bytes are the same gives the same module, so that a reload finds its stages unchanged.
 * Thread: any, except workers (a mutex guards the list). */
#pragma once

#include "core/stage.h"

struct ps_module {
    const char *path;
    const struct ps_stage_ops *const *stages; /* NULL-terminated, each checked by ps_stage_fits */
    size_t stage_count;
    uint64_t load; /* counts the loads in this process: a file with other bytes gets another number */
};

/* Returns the module of this file, or NULL with a reason, a sentence without subject ("is not ..."), and advice. If a
 * constructor of the file does not return, this function does not either: core/plugin/watch.h says what is done then.
 */
const struct ps_module *ps_module_open(const char *path, const char **cure, struct ps_err *err);

/* Gives back what ps_module_open returned. The last user's call unloads the object: after that, none of its code may
 * run. An object with stages that fill or edit batches stays loaded, because the batches may refer to its texts. All
 * objects stay loaded if a thread was left alone (core/thread.h), because it may still run their code; and an object
 * stays loaded if its last user leaves while another file is being loaded, because that load may never end. */
void ps_module_close(const struct ps_module *module);
