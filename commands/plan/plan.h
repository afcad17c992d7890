/* The command line of `penstock plan`. Used by commands/plan/ only. */
#pragma once

#include "bench/plan/planning.h"
#include "bench/plan/requirement.h"

/* Exit status. */
enum plan_exit {
    PLAN_GOOD = 0,
    PLAN_FAILED = 1, /* a goal has no figure, the subject failed, or writing an output failed */
    PLAN_USAGE = 2,
    PLAN_UNMET = 3, /* a requirement is missed or cannot be proved */
    PLAN_WORSE = 4, /* a figure is worse than that of --compare, beyond noise */
};

struct plan_wish {
    struct ps_planning_config config;
    struct ps_requirement requirements[PS_REQUIREMENTS_MAX];
    unsigned requirement_count;
    const char *compare, *render;                    /* documents to read */
    const char *report, *result, *csv, *hgrm, *hlog; /* files to write */
    bool json, quiet, help, pace_given;
    double within_s;
    char seed[32];
};

/* Parses the command line; argv[0] is the subcommand's name. The texts in the result lie in argv, or live until the
 * program ends. */
enum ps_status plan_parse(struct plan_wish *wish, int argc, char **argv, struct ps_err *err);
