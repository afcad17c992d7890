/* Protects the memory of a process that reads passwords and key stores: it is not in core dumps, and debuggers of the
 * same user cannot read it. */
#pragma once

#include "core/base.h"

/* Makes this process dumpable or not (PR_SET_DUMPABLE, prctl(2)). When it is not, a crash leaves no core
 * dump, and only root (CAP_SYS_PTRACE) can attach a debugger or perf, or read /proc/PID/mem, environ and fd.
 * Programs that it starts are not affected: execve makes them dumpable again. Call it before a secret is
 * read. Logs a failure and continues; only a seccomp filter around the process can refuse the call. Thread:
 * control. */
void ps_process_set_dumpable(bool dumpable);
