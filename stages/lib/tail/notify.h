/* Reports changes in directories by inotify. An event names the place of a change, not the change itself. Events
 * can be lost, and some changes have none (memory mapping, writes by another host), so callers also look at
 * intervals (stages/lib/tail/directory.h). */
#pragma once

#include "core/base.h"

#define PS_TAIL_WRITTEN 1U   /* a file was written to or truncated */
#define PS_TAIL_NAMES 2U     /* a name appeared, was moved or was removed */
#define PS_TAIL_GONE_AWAY 4U /* the directory was removed or renamed */
#define PS_TAIL_MISSED 8U    /* events were lost: look everywhere; `watch` is -1 */

/* Returns a descriptor that does not block, for an epoll, or -1 with errno if the user has too many inotify instances. */
int ps_tail_notify_open(void);

/* Returns whether this file system reports all changes. Returns false for network file systems, because other hosts
 * write to them. May wait: call it on the source's thread. */
bool ps_tail_notify_works(const char *directory);

/* Watches a directory, or a single file (`file`), which may be a link. Returns the number of the watch, which is the same
 * for the same directory or file, or -1 with errno. May wait: call it on the source's thread, and not while
 * ps_tail_notify_read runs for another purpose. */
int ps_tail_notify_add(int fd, const char *path, bool file);
void ps_tail_notify_remove(int fd, int watch);

/* Logs once (`told`) that the system has no watch for a directory. `error`: the errno of ps_tail_notify_add; 0: there is a
 * watch. A directory that does not exist, or may not be read, is not reported here. Thread: the owner's. */
void ps_tail_notify_tell(const char *component, const char *directory, int error, bool *told);

/* `name` is NULL for an event of the watched path itself. `from`: the former name of the file; NULL if it was not
 * renamed, came from another directory, or the two events of the rename did not arrive together. */
typedef void ps_tail_happened(void *argument, int watch, unsigned what, const char *name, const char *from);

/* Calls `happened` for the events that are waiting, some thousands at most. Does not wait. Returns whether there were
 * any. Thread: the owner's. */
bool ps_tail_notify_read(int fd, ps_tail_happened *happened, void *argument);
