/* The command line of `penstock plan`. Used by core/commands/plan*.c only. */
#pragma once

#include "bench/plan/planning.h"

struct plan_wish {
    struct ps_planning_config config;
    const char *report, *result, *render;
    bool json, quiet, help, pace_given;
    double within_s;
    char seed[32];
};

extern const char plan_usage[];

/* argv[0] is the subcommand's name. The strings in the result lie in argv or live to the end of the program. */
enum ps_status plan_parse(struct plan_wish *wish, int argc, char **argv, struct ps_err *err);
