/* Requirements of `plan --require`: a rate that has to be held for a goal. They are judged from the result document,
 * so that a stored result can be judged like a new one.
 *
 * Thread: any; no state. */
#pragma once

#include "bench/plan/search/search.h"
#include "core/status.h"

#include <jansson.h>

#define PS_REQUIREMENTS_MAX PS_GOALS_MAX

struct ps_requirement {
    const char *text; /* as given: lives as long as the requirement */
    struct ps_goal goal;
    double rate; /* events/s */
};

enum ps_requirement_verdict {
    /* trials at this rate were held, and this result is confirmed; or the rate lies below the 95 % interval */
    PS_REQUIREMENT_MET,
    /* trials at this rate were not held, and this result is confirmed; or the rate lies above the 95 % interval */
    PS_REQUIREMENT_MISSED,
    PS_REQUIREMENT_NOT_SHOWN, /* neither: the rate lies between both ends, or the time was too short */
};
const char *ps_requirement_verdict_text(enum ps_requirement_verdict verdict);

/* Parses GOAL>=RATE: a goal as for --goal, a rate as for --rate-min. */
enum ps_status ps_requirement_parse(struct ps_requirement *requirement, const char *text, struct ps_err *err);

/* Judges one requirement. Writes the reason into `reason` (at least 256 bytes). The verdict for a goal that the
 * document lacks is PS_REQUIREMENT_NOT_SHOWN. */
enum ps_requirement_verdict ps_requirement_judge(const struct ps_requirement *requirement,
                                                 const json_t *document, char *reason, size_t room);

/* Judges all requirements, and puts the verdicts into the document as "requirements". Returns the number of
 * requirements that are not met. */
unsigned ps_requirements_judge(const struct ps_requirement *requirements, unsigned count, json_t *document);
