/* See interrupts.h. */
#include "commands/interrupts.h"

#include "core/base.h"

static volatile sig_atomic_t interrupts;

static void on_interrupt(int)
{
    interrupts = interrupts + 1;
}

volatile sig_atomic_t *ps_interrupts_catch(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGQUIT};
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2, SIGALRM};
    struct sigaction interrupt = {.sa_handler = on_interrupt}, hangup;
    for (size_t i = 0; i < PS_COUNT_OF(ending); i++)
        sigaction(ending[i], &interrupt, NULL);
    for (size_t i = 0; i < PS_COUNT_OF(ignored); i++)
        signal(ignored[i], SIG_IGN);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) /* not under nohup */
        sigaction(SIGHUP, &interrupt, NULL);
    return &interrupts;
}
