/* Steps: Kudu. The first `kudu` makes it: masters km1:7051 and tablet servers, one of each unless it says how many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/peers/kudu/cluster.h"
#include "tests/world/scenario/scenario.h"

/* Codes by what they are called here: of the RPC, of the tablet, of a row. */
static const struct {
    enum kudu_fate fate;
    const char *word;
    unsigned code;
} codes[] = {
    {KUDU_CALL, "busy", 4},        {KUDU_CALL, "stale", 6},      {KUDU_CALL, "token", 17},
    {KUDU_TABLET, "follower", 15}, {KUDU_TABLET, "stopped", 12}, {KUDU_TABLET, "throttled", 19},
    {KUDU_TABLET, "mutation", 4},  {KUDU_ROW, "invalid", 4},     {KUDU_ROW, "elsewhere", 1},
    {KUDU_ROW, "unavailable", 13},
};

/* kudu lose|hang|garbage TIMES, kudu call|tablet CODE TIMES, kudu row CODE TIMES "TEXT" */
static enum outcome add_rule(struct scenario *scenario, const struct scenario_step *step, enum kudu_fate fate)
{
    struct kudu_cluster *cluster = scenario->kudu;
    bool plain = fate == KUDU_LOSE || fate == KUDU_HANG || fate == KUDU_GARBAGE, is_good = plain;
    if (step->count != (plain ? 2 : 3) || (step->text != NULL) != (fate == KUDU_ROW) ||
        cluster->rule_count == KUDU_RULES_MAX)
        return step_failed(scenario, "this is no step of Kudu");
    struct kudu_rule *rule = &cluster->rules[cluster->rule_count++];
    *rule = (struct kudu_rule){.fate = fate,
                               .left = scenario_number(scenario->script, step, step->words[step->count - 1])};
    for (unsigned i = 0; !plain && i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].fate != fate || strcmp(codes[i].word, step->words[1]) != 0)
            continue;
        rule->code = codes[i].code;
        is_good = true;
    }
    snprintf(rule->pattern, sizeof rule->pattern, "%s", step->text != NULL ? step->text : "");
    return is_good ? STEP_DONE : step_failed(scenario, "there is no code %s", step->words[1]);
}

static unsigned server_of(struct scenario *scenario, const struct scenario_step *step, const char *word)
{
    return (unsigned)(scenario_number(scenario->script, step, word) - 1) % scenario->kudu->server_count;
}

/* What happens to the tablet that has a key. */
static bool change_tablet(struct scenario *scenario, const struct scenario_step *step)
{
    const char *word = step->words[0];
    struct kudu_tablet *tablet = kudu_tablet_of(scenario->kudu, step->words[1]);
    if (strcmp(word, "move") == 0 && step->count == 3)
        tablet->server = server_of(scenario, step, step->words[2]);
    else if (strcmp(word, "drop") == 0 || strcmp(word, "add") == 0)
        tablet->is_gone = word[0] == 'd';
    else if (strcmp(word, "depose") == 0 || strcmp(word, "elect") == 0)
        tablet->is_leaderless = word[0] == 'd';
    else
        return false;
    return true;
}

/* kudu [SERVERS]; stop|start|leader|lack SERVER; limit BYTES; missing|there|wide|narrow|kerberos|plain; mend; rules; what change_tablet has. */
enum outcome step_kudu(struct scenario *scenario, const struct scenario_step *step)
{
    static const char *const fates[] = {"lose", "hang", "garbage", "call", "tablet", "row"};
    const char *word = step->count == 0 ? "1" : step->words[0];
    if (scenario->kudu == NULL) {
        scenario->kudu = kudu_add((unsigned)scenario_number(scenario->script, step, word));
        return STEP_DONE;
    }
    struct kudu_cluster *cluster = scenario->kudu;
    cluster->peer->called = true;
    for (unsigned i = 0; i < sizeof fates / sizeof *fates; i++)
        if (strcmp(fates[i], word) == 0)
            return add_rule(scenario, step, (enum kudu_fate)i);
    if (strcmp(word, "mend") == 0)
        cluster->rule_count = 0;
    else if (strcmp(word, "missing") == 0 || strcmp(word, "there") == 0)
        cluster->is_missing = word[0] == 'm';
    else if (strcmp(word, "wide") == 0 || strcmp(word, "narrow") == 0)
        cluster->is_wide = word[0] == 'w';
    else if (strcmp(word, "kerberos") == 0 || strcmp(word, "plain") == 0)
        cluster->wants_kerberos = word[0] == 'k';
    else if (strcmp(word, "stop") == 0 && step->count == 2)
        kudu_server_stop(cluster, server_of(scenario, step, step->words[1]));
    else if (strcmp(word, "start") == 0 && step->count == 2)
        kudu_server_start(cluster, server_of(scenario, step, step->words[1]));
    else if (strcmp(word, "leader") == 0 && step->count == 2)
        cluster->leader = server_of(scenario, step, step->words[1]);
    else if (strcmp(word, "lack") == 0 && step->count == 2)
        kudu_master_stop(cluster, server_of(scenario, step, step->words[1]));
    else if (strcmp(word, "limit") == 0 && step->count == 2)
        cluster->bytes_max = (size_t)scenario_number(scenario->script, step, step->words[1]);
    else if (step->count < 2 || !change_tablet(scenario, step))
        return step_failed(scenario, "there is no step kudu %s", word);
    return STEP_DONE;
}

/* stored NUMBER [repeats]: how many rows the table has; how many writes came again and were known. */
enum holds holds_stored(struct scenario *scenario, const struct scenario_step *step)
{
    const struct kudu_cluster *cluster = scenario->kudu;
    bool of_repeats = step->count == 2;
    unsigned count = cluster == NULL ? 0 : of_repeats ? cluster->repeats : cluster->row_count;
    if (count == scenario_number(scenario->script, step, step->words[0]))
        return HOLDS;
    step_failed(scenario, "there are %u", count);
    return HOLDS_NOT;
}

/* stored_any "LINE": whether a row has it. */
enum holds holds_stored_any(struct scenario *scenario, const struct scenario_step *step)
{
    const struct kudu_cluster *cluster = scenario->kudu;
    for (unsigned i = 0; cluster != NULL && i < cluster->row_count; i++)
        if (strcmp(cluster->rows[i].line, step->text) == 0)
            return HOLDS;
    step_failed(scenario, "no row has %s", step->text);
    return HOLDS_NOT;
}
