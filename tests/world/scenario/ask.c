/* The step `ask`: requests of HTTP as bytes over one connection, the status of each answer, and whether the connection stays open. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/scenario/scenario.h"

#define OPEN_NS (2 * WORLD_NS_PER_S) /* a connection that is not closed within this time stays open */

/* Writes the statuses of the whole answers, with commas. Returns how many bytes they have. */
static size_t statuses_of(const char *answers, size_t length, char *statuses, size_t room)
{
    const char *at = answers, *behind = answers + length;
    statuses[0] = 0;
    for (const char *end; (end = memmem(at, (size_t)(behind - at), "\r\n\r\n", 4)) != NULL;) {
        const char *field = strcasestr(at, "\r\ncontent-length:");
        size_t body = field != NULL && field < end ? strtoul(field + 17, NULL, 10) : 0;
        if ((size_t)(behind - end) < 4 + body)
            break;
        size_t used = strlen(statuses);
        snprintf(statuses + used, room - used, "%s%.3s", used > 0 ? "," : "", at + strlen("HTTP/1.1 "));
        at = end + 4 + body;
    }
    return (size_t)(at - answers);
}

/* Says when all that the step wants is there. The agent's process has one scenario. */
static const struct scenario_step *asked;
static struct scenario *asking;

static size_t whole(char *answer, size_t length)
{
    char statuses[512];
    bool closes = strcmp(asked->words[2], "closed") == 0;
    size_t used = statuses_of(answer, length, statuses, sizeof statuses);
    if (closes || used != length || strcmp(statuses, asked->words[1]) != 0)
        return 0; /* up to the end of the connection */
    if (asking->answered_ns == 0)
        asking->answered_ns = world->now_ns;
    return world->now_ns - asking->answered_ns < OPEN_NS ? 0 : length;
}

enum outcome step_ask(struct scenario *scenario, const struct scenario_step *step)
{
    uint16_t port = (uint16_t)scenario_number(scenario->script, step, step->words[0]);
    bool closes = strcmp(step->words[2], "closed") == 0;
    char statuses[512];
    size_t length;
    if (!closes && strcmp(step->words[2], "open") != 0)
        return step_failed(scenario, "write open or closed");
    if (scenario->request.end == NULL)
        scenario->answered_ns = 0;
    asked = step;
    asking = scenario;
    const char *answer = scenario_exchange(scenario, port, step->text, step->length, whole, &length);
    if (answer == NULL || scenario->request.sent == 0) {
        step_failed(scenario, "the answers are %.400s", scenario->request.answer);
        return STEP_WAITS;
    }
    bool ended = length == 0;
    size_t got = scenario->request.length, used = statuses_of(answer, got, statuses, sizeof statuses);
    if (strcmp(statuses, step->words[1]) != 0 || used != got)
        return step_failed(scenario, "the statuses are %s: %.600s", statuses, answer);
    return ended == closes ? STEP_DONE
                           : step_failed(scenario, "the connection is %s", ended ? "closed" : "open");
}
