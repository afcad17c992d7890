/* The signals that end the commands load, plan and demo, which run for a while. */
#pragma once

#include <signal.h>

/* Returns the counter of SIGINT, SIGTERM, SIGQUIT (^\ at a terminal) and, unless it is ignored (nohup), SIGHUP (the
 * terminal is gone). The first of them ends the command as its page describes, and none leaves a core file. SIGPIPE,
 * SIGXFSZ (a file at its limit), SIGUSR1, SIGUSR2 and SIGALRM do nothing. Thread: main, before others start. */
volatile sig_atomic_t *ps_interrupts_catch(void);
