/* Signals of the commands that run for a while and end in order (load, plan, demo). */
#pragma once

#include <signal.h>

/* SIGINT, SIGTERM and SIGQUIT (^\ at a terminal) are counted in what it returns: the first ends the command in
 * order, as the command's page says, and none leaves a core file. SIGPIPE, SIGXFSZ (a file at its limit), SIGUSR1,
 * SIGUSR2 and SIGALRM do nothing. Thread: main, before others start. */
volatile sig_atomic_t *ps_interrupts_catch(void);
