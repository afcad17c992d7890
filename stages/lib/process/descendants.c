/* The processes that a child started: found by a mark in their environment, because a new session, a new group
 * and a parent that has ended all hide them from the process tree. PR_SET_CHILD_SUBREAPER would show processes
 * whose parent has ended, but it is a property of the whole agent, whose other helper processes have their own
 * waiters. */
#include "stages/lib/process/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"

#define MARK_NAME "PENSTOCK_CHILD="

extern char **environ;

void ps_child_mark(struct ps_child *child)
{
    snprintf(child->mark, sizeof child->mark, MARK_NAME "%d-%llx", (int)getpid(),
             (unsigned long long)ps_clock_now().mono_ns);
}

const char **ps_child_environment(const struct ps_child *child)
{
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    const char **environment = malloc((count + 2) * sizeof *environment);
    if (environment == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], MARK_NAME, strlen(MARK_NAME)) != 0)
            environment[kept++] = environ[i];
    }
    environment[kept++] = child->mark;
    environment[kept] = NULL;
    return environment;
}

/* Returns whether an environment block of /proc has this entry. Reads it in pieces: it may be large. Sets `unknown` if the block of a
 * process, not of a thread of the kernel, is empty. */
static bool has_mark(int proc, const char *pid, const char *mark, bool *unknown)
{
    char path[300], text[8192];
    size_t length = strlen(mark) + 1, held = 0; /* with its NUL */
    PS_ASSERT(length < sizeof text);
    snprintf(path, sizeof path, "%s/environ", pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool found = false;
    bool empty = true;
    for (ssize_t n; !found && (n = read(fd, text + held, sizeof text - held)) > 0;) {
        held += (size_t)n;
        empty = false;
        found = memmem(text, held, mark, length) != NULL;
        size_t keep = held < length ? held : length;
        memmove(text, text + held - keep, keep);
        held = keep;
    }
    close(fd);
    if (empty && unknown != NULL) {
        snprintf(path, sizeof path, "%s/exe", pid);
        *unknown |= readlinkat(proc, path, text, sizeof text) > 0;
    }
    return found;
}

/* Between the search and the signal the process may end, and its number may be given to another process: the
 * descriptor stays with the process that was searched. */
static bool signal_marked(int proc, const char *pid, const char *mark, int signal_number, bool *unknown)
{
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)atoi(pid), 0);
    bool marked = has_mark(proc, pid, mark, unknown);
    if (marked) {
        if (fd >= 0)
            marked = syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0) == 0;
        else
            marked = kill((pid_t)atoi(pid), signal_number) == 0;
    }
    if (fd >= 0)
        close(fd);
    return marked;
}

unsigned ps_child_signal_descendants(const struct ps_child *child, int signal_number, bool *unknown)
{
    unsigned found = 0;
    DIR *folder = child->mark[0] != '\0' ? opendir("/proc") : NULL;
    if (folder == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && atoi(entry->d_name) != child->pid)
            found += signal_marked(dirfd(folder), entry->d_name, child->mark, signal_number, unknown);
    }
    closedir(folder);
    return found;
}
