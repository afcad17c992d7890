/* A filter of the kernel behind the world's symbols: a system call that does not come from real_call and has not to do with memory or
 * threads is named, with its number and the place that made it. */
#pragma once

/* Installs it for the calling process, which then is an agent's; such a call ends the life. */
void guard_install(void);
