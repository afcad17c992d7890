/* For tests that run the jobs of a spooling directory themselves. One file of a test includes it. */
#pragma once

#include "stages/lib/spool/spool.h"

#include <errno.h>
#include <sys/inotify.h>

/* The kernel takes tens of milliseconds to end what this gives, and there are thousands of lives: directories are only listed. */
int inotify_init1(int flags)
{
    errno = EMFILE;
    return -1;
}

/* The answer of a job whose result the test looks at itself. */
static void answer(void *owner, struct ps_tail_job *job)
{
}
