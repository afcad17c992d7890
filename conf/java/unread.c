/* See unread.h. */
#include "conf/java/unread.h"

#include <errno.h>
#include <stddef.h>

bool ps_unread_is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

const char *ps_unread_cure(int error)
{
    switch (error) {
    case EMFILE:
        return "raise the limit of open files (ulimit -n, LimitNOFILE= of a service); each jar of the class "
               "path "
               "needs one";
    case ENFILE:
        return "raise fs.file-max: the machine has no free file descriptors";
    case EACCES:
    case EPERM:
        return "give the agent's user the right to read it, and to enter the folders above it";
    case ENOMEM:
        return "the machine has no free memory: try again when there is some";
    case EIO:
        return "check the disk, and read the kernel's log";
    default:
        return NULL;
    }
}
