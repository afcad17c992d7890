#include "commands/dumpable.h"
#include "core/log/log.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

void ps_process_set_dumpable(bool dumpable)
{
    if (prctl(PR_SET_DUMPABLE, dumpable ? 1UL : 0UL, 0UL, 0UL, 0UL) != 0)
        ps_log(PS_LOG_WARN, "agent", "cannot switch core dumps on or off: prctl(PR_SET_DUMPABLE): %s",
               strerror(errno));
}
