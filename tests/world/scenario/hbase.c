/* Steps: HBase. The first `hbase` makes it: ZooKeeper zk1:2181 and region servers, one unless it says how many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/peers/hbase/cluster.h"
#include "tests/world/scenario/scenario.h"

static enum outcome add_rule(struct scenario *scenario, const struct scenario_step *step,
                             enum hbase_fate fate)
{
    struct hbase_cluster *cluster = scenario->hbase;
    bool plain = fate == HBASE_LOSE || fate == HBASE_HANG || fate == HBASE_GARBAGE, row = fate == HBASE_ROW;
    if (step->count != (plain ? 2 : 3) || (step->text != NULL) != row ||
        cluster->rule_count == HBASE_RULES_MAX)
        return step_failed(
            scenario,
            "hbase lose|hang|garbage TIMES, hbase call|region CLASS TIMES, hbase row CLASS TIMES TEXT");
    struct hbase_rule *rule = &cluster->rules[cluster->rule_count++];
    *rule = (struct hbase_rule){
        .fate = fate, .left = scenario_number(scenario->script, step, step->words[step->count - 1])};
    snprintf(rule->exception, sizeof rule->exception, "%s", plain ? "" : step->words[1]);
    snprintf(rule->pattern, sizeof rule->pattern, "%s", row ? step->text : "");
    return STEP_DONE;
}

static unsigned server_of(struct scenario *scenario, const struct scenario_step *step, const char *word)
{
    return (unsigned)(scenario_number(scenario->script, step, word) - 1) % scenario->hbase->server_count;
}

/* hbase [SERVERS]; stop|start SERVER; meta SERVER; move ROW SERVER; split ROW; readonly; mend; rules. */
enum outcome step_hbase(struct scenario *scenario, const struct scenario_step *step)
{
    static const char *const fates[] = {"lose", "hang", "call", "region", "row", "garbage"};
    const char *word = step->count == 0 ? "1" : step->words[0];
    if (scenario->hbase == NULL) {
        scenario->hbase = hbase_add((unsigned)scenario_number(scenario->script, step, word));
        return STEP_DONE;
    }
    struct hbase_cluster *cluster = scenario->hbase;
    cluster->peer->called = true;
    for (unsigned i = 0; i < sizeof fates / sizeof *fates; i++)
        if (strcmp(fates[i], word) == 0)
            return add_rule(scenario, step, (enum hbase_fate)i);
    if (strcmp(word, "mend") == 0) {
        cluster->rule_count = 0;
        cluster->read_only = false;
    } else if (strcmp(word, "readonly") == 0)
        cluster->read_only = true;
    else if (strcmp(word, "stop") == 0 && step->count == 2)
        hbase_server_stop(cluster, server_of(scenario, step, step->words[1]));
    else if (strcmp(word, "start") == 0 && step->count == 2)
        hbase_server_start(cluster, server_of(scenario, step, step->words[1]));
    else if (strcmp(word, "meta") == 0 && step->count == 2)
        cluster->meta = server_of(scenario, step, step->words[1]);
    else if (strcmp(word, "move") == 0 && step->count == 3)
        hbase_move(cluster, step->words[1], server_of(scenario, step, step->words[2]));
    else if (strcmp(word, "split") == 0 && step->count == 2)
        hbase_split(cluster, step->words[1]);
    else
        return step_failed(scenario, "there is no step hbase %s", word);
    return STEP_DONE;
}

/* cell ROW COLUMN "VALUE": the value of a cell. */
enum holds holds_cell(struct scenario *scenario, const struct scenario_step *step)
{
    const struct hbase_cluster *cluster = scenario->hbase;
    for (unsigned i = 0; cluster != NULL && i < cluster->cell_count; i++) {
        const struct hbase_cell *cell = &cluster->cells[i];
        if (strcmp(cell->row, step->words[0]) == 0 && strcmp(cell->column, step->words[1]) == 0)
            return text_compares(scenario, step, step->words[0], cell->value, cell->value_length,
                                 step->count == 3 ? step->words[2] : "");
    }
    step_failed(scenario, "there is no cell %s %s", step->words[0], step->words[1]);
    return HOLDS_NOT;
}

/* cells NUMBER: how many the table has. */
enum holds holds_cells(struct scenario *scenario, const struct scenario_step *step)
{
    unsigned count = scenario->hbase == NULL ? 0 : scenario->hbase->cell_count;
    if (count == scenario_number(scenario->script, step, step->words[0]))
        return HOLDS;
    step_failed(scenario, "there are %u cells", count);
    return HOLDS_NOT;
}
