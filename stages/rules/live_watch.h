/* Notices that files changed, however that is done: written in place, replaced by rename, a folder or a
 * symbolic link on the way to them exchanged (as Kubernetes does with ConfigMaps), gone and back. By inotify
 * on the folders in which a file's name, or the name of a link on the way to it, stands; and, where inotify
 * does not work (NFS), by looking now and then. Thread: one, the rules thread. */
#pragma once

#include "core/base.h"

struct ps_rules_watch;

/* `events` false, or no inotify to be had (*limited is set): only ps_rules_watch_look. */
struct ps_rules_watch *ps_rules_watch_create(bool events, bool *limited);
void ps_rules_watch_destroy(struct ps_rules_watch *watch);

/* Readable when something happened; -1: there is none. */
int ps_rules_watch_fd(const struct ps_rules_watch *watch);

/* These files from now on; what happened to them before is forgotten. Their folders are found anew. A file
 * that is not there counts as one, and so does one whose folder is not there. */
void ps_rules_watch_files(struct ps_rules_watch *watch, const char *const *files, size_t count);

/* Takes the events that came; true when one of the files may have changed. Writers that still have a file
 * open are not told of: only the end of their writing is. */
bool ps_rules_watch_touched(struct ps_rules_watch *watch);

/* Without events: true when a file looks different (another file, size or time) than it did at the last call
 * of this, or of ps_rules_watch_files. */
bool ps_rules_watch_look(struct ps_rules_watch *watch);
