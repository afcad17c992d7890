#include "stages/lib/tail/notify.h"

#include "core/log/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EVENTS_BYTES 32768U
#define READS_MAX 8
#define NAMES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

int ps_tail_notify_open(void)
{
    return inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
}

bool ps_tail_notify_works(const char *directory)
{
    /* magic numbers of NFS, SMB, SMB2, CIFS, FUSE, 9P, Ceph, AFS, Coda, NCP, OCFS2, GFS2, Lustre */
    static const unsigned remote[] = {0x6969,     0x517B,     0xFE534D42, 0xFF534D42, 0x65735546,
                                      0x01021997, 0x00C36400, 0x5346414F, 0x73757245, 0x564C,
                                      0x7461636F, 0x01161970, 0x0BD00BD0};
    struct statfs status;
    if (statfs(directory, &status) != 0)
        return false;
    for (size_t i = 0; i < PS_COUNT_OF(remote); i++) {
        if ((unsigned)status.f_type == remote[i])
            return false;
    }
    return true;
}

int ps_tail_notify_add(int fd, const char *path, bool file)
{
    return inotify_add_watch(
        fd, path, file ? IN_MODIFY : IN_MODIFY | NAMES | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
}

void ps_tail_notify_remove(int fd, int watch)
{
    (void)inotify_rm_watch(fd, watch);
}

void ps_tail_notify_tell(const char *component, const char *directory, int error, bool *told)
{
    if (*told || (error != ENOSPC && error != ENOMEM))
        return;
    *told = true;
    ps_log(PS_LOG_WARN, component,
           "%s cannot be watched: %s%s: it is looked at at intervals (penstock.poll.interval)", directory,
           strerror(error), error == ENOSPC ? " (fs.inotify.max_user_watches)" : "");
}

static unsigned what_of(uint32_t mask)
{
    return ((mask & IN_MODIFY) != 0 ? PS_TAIL_WRITTEN : 0) | ((mask & NAMES) != 0 ? PS_TAIL_NAMES : 0) |
           ((mask & GONE) != 0 ? PS_TAIL_GONE_AWAY : 0) | ((mask & IN_Q_OVERFLOW) != 0 ? PS_TAIL_MISSED : 0);
}

/* A rename has two events with the same cookie: first the old name, then the new one. */
struct renaming {
    uint32_t cookie; /* 0: none */
    char from[NAME_MAX + 1];
};

/* Returns the former name of this event's file if it was renamed within the directory, else NULL. */
static const char *renamed_from(struct renaming *renaming, const struct inotify_event *event)
{
    if ((event->mask & IN_MOVED_FROM) != 0 && event->len > 0) {
        renaming->cookie = event->cookie;
        snprintf(renaming->from, sizeof renaming->from, "%s", event->name);
    }
    bool same = (event->mask & IN_MOVED_TO) != 0 && event->cookie != 0 && event->cookie == renaming->cookie;
    return same ? renaming->from : NULL;
}

bool ps_tail_notify_read(int fd, ps_tail_happened *happened, void *argument)
{
    char bytes[EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
    struct renaming renaming = {.cookie = 0};
    bool any = false;
    ssize_t length;
    for (int reads = 0; reads < READS_MAX && (length = read(fd, bytes, sizeof bytes)) > 0; reads++) {
        any = true;
        const struct inotify_event *event;
        for (const char *at = bytes; at < bytes + length; at += sizeof *event + event->len) {
            event = (const struct inotify_event *)(const void *)at;
            happened(argument, event->wd, what_of(event->mask), event->len > 0 ? event->name : NULL,
                     renamed_from(&renaming, event));
        }
    }
    return any;
}
