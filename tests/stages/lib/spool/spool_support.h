/* For tests that run the jobs of a spooling directory themselves. One file of a test includes it. */
#pragma once

#include "stages/lib/spool/spool.h"

#include <errno.h>
#include <sys/inotify.h>

/* inotify is off: the kernel takes tens of milliseconds to close an instance, and there are thousands of runs.
 * Directories are only listed. */
int inotify_init1(int flags)
{
    errno = EMFILE;
    return -1;
}

/* Takes the answer of a job whose result the test reads itself. */
static void answer(void *owner, struct ps_tail_job *job)
{
}
