/* Detects all kinds of changes to files: written in place, replaced by rename, a folder or symbolic link
 * in their path replaced (as Kubernetes does with ConfigMaps), deleted and made again. Uses inotify on the
 * folders that contain the file or a link in its path; where inotify does not work (NFS), it checks the
 * files at intervals. Thread: one, the rules thread. */
#pragma once

#include "core/base.h"

struct ps_rules_watch;

/* Without `events`, or when inotify is not available (sets *limited), only ps_rules_watch_look detects
 * changes. */
struct ps_rules_watch *ps_rules_watch_create(bool events, bool *limited);
void ps_rules_watch_destroy(struct ps_rules_watch *watch);

/* Returns a descriptor that is readable when something happened; -1: inotify is not used. */
int ps_rules_watch_fd(const struct ps_rules_watch *watch);

/* Watches these files from now on and forgets earlier changes. Resolves their paths again. A file may be
 * missing, and so may its folder. */
void ps_rules_watch_files(struct ps_rules_watch *watch, const char *const *files, size_t count);

/* Reads the pending events. Returns true when one of the files may have changed. A file that is being written
 * counts only when its writer closes it. */
bool ps_rules_watch_touched(struct ps_rules_watch *watch);

/* Checks without events. Returns true when a file differs (inode, size or time) from the last call of this
 * function or of ps_rules_watch_files. */
bool ps_rules_watch_look(struct ps_rules_watch *watch);
