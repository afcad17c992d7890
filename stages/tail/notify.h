/* Tells at once what happens in directories: inotify. It says where to look, not what is there: events may be lost, and some
 * changes have none (memory mapping, another host's writes). Whoever uses it looks at intervals, too
 * (stages/tail/directory.h). */
#pragma once

#include "core/base.h"

#define PS_TAIL_WRITTEN 1U   /* a file was written to, or cut */
#define PS_TAIL_NAMES 2U     /* a name appeared, moved or went */
#define PS_TAIL_GONE_AWAY 4U /* the directory is not there any more, or is called otherwise */
#define PS_TAIL_MISSED 8U    /* events were lost: look everywhere; `watch` is -1 */

/* Returns a descriptor that does not block, for an epoll, or -1 with errno: the user has too many of them. */
int ps_tail_notify_open(void);

/* Whether all changes of this file system have events: false for those that other hosts write to. May wait: the source's
 * thread. */
bool ps_tail_notify_works(const char *directory);

/* Watches a directory, or a single file (`file`), which may be a link. The same one has the same number again. Returns its
 * number, or -1 with errno. May wait: the source's thread; not while ps_tail_notify_read runs for another purpose. */
int ps_tail_notify_add(int fd, const char *path, bool file);
void ps_tail_notify_remove(int fd, int watch);

/* `name` is NULL for what concerns the watched path itself. `from`: the name that this file had before; NULL: it was not
 * renamed, or came from another directory, or the two halves of the rename came apart. */
typedef void ps_tail_happened(void *argument, int watch, unsigned what, const char *name, const char *from);

/* Calls `happened` for the events that wait, some thousands at most. Never waits. Returns whether there were any. Thread:
 * the owner's. */
bool ps_tail_notify_read(int fd, ps_tail_happened *happened, void *argument);
