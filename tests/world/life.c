#include "tests/world/life.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/commands.h"
#include "tests/world/block.h"
#include "tests/world/descriptor.h"
#include "tests/world/fault.h"
#include "tests/world/guard.h"
#include "tests/world/net.h"
#include "tests/world/real.h"
#include "tests/world/referee.h"
#include "tests/world/stdio.h"
#include "tests/world/turn.h"

char *life_options[LIFE_OPTIONS_MAX + 1];

static _Noreturn void live(const char *path)
{
    static char *environment[] = {(char *)"HOME=/w", (char *)"TZ=UTC0", (char *)"LC_ALL=C.UTF-8",
                                  (char *)"PATH=/usr/bin", NULL};
    guard_install();
    environ = environment;
    turn_begin();
    blocks_begin();
    descriptors_begin();
    stdio_begin();
    char file[256];
    snprintf(file, sizeof file, "%s", path);
    char *argv[5 + LIFE_OPTIONS_MAX + 1] = {(char *)"agent", (char *)"-n", (char *)"a", (char *)"-f", file};
    int argc = 5;
    while (life_options[argc - 5] != NULL) {
        argv[argc] = life_options[argc - 5];
        argc++;
    }
    referee_agent_begins();
    int code = ps_main_agent(argc, argv);
    referee_agent_ended();
    exit(code);
}

enum world_end life_run(const char *path)
{
    world->end = WORLD_RUNS;
    world->reason[0] = 0;
    world->pending_signals = 0;
    world->rest_threads = 0; /* unless it ends in order */
    world->life++;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        live(path);
    int status = 0;
    while (real_call(SYS_wait4, pid, (long)&status, 0, 0, 0, 0) < 0)
        ;
    net_agent_died();
    if (world->end == WORLD_RUNS && world->reason[0] == 0)
        snprintf(world->reason, sizeof world->reason, "the process ended by signal %d", WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
        exit(99); /* world_fatal has said why */
    world->ended_well = world->end == WORLD_EXIT && world->exit_code == 0 && faults_struck() == 0;
    return world->end;
}
