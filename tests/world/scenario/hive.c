/* Steps: Hive's metastore. The first `hive` makes it: metastore, port 9083. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/peers/hive/metastore.h"
#include "tests/world/scenario/scenario.h"

/* ---- tables ---- */

/* `format` text, json, openx: not transactional. */
static bool set_format(struct hive_table *table, const char *format)
{
    static const struct {
        const char *name, *serde;
    } serdes[] = {{"text", "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"},
                  {"json", "org.apache.hadoop.hive.serde2.JsonSerDe"},
                  {"openx", "org.openx.data.jsonserde.JsonSerDe"}};
    for (size_t i = 0; i < sizeof serdes / sizeof *serdes; i++) {
        if (strcmp(serdes[i].name, format) != 0)
            continue;
        table->parameters[0] = 0;
        snprintf(table->serde, sizeof table->serde, "%s", serdes[i].serde);
        snprintf(table->input, sizeof table->input, "org.apache.hadoop.mapred.TextInputFormat");
        snprintf(table->output, sizeof table->output,
                 "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat");
        return true;
    }
    return false;
}

/* Sets what a line says: "columns = id:int". Returns false if there is no such key. */
static bool set_key(struct hive_table *table, const char *key, const char *value)
{
    const struct {
        const char *key;
        char *to;
        size_t room;
    } texts[] = {{"columns", table->columns, sizeof table->columns},
                 {"keys", table->keys, sizeof table->keys},
                 {"buckets", table->buckets, sizeof table->buckets},
                 {"parameters", table->parameters, sizeof table->parameters},
                 {"location", table->location, sizeof table->location},
                 {"serde", table->serde, sizeof table->serde},
                 {"serde.parameters", table->serde_parameters, sizeof table->serde_parameters},
                 {"input", table->input, sizeof table->input},
                 {"output", table->output, sizeof table->output}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].key, key) == 0) {
            snprintf(texts[i].to, texts[i].room, "%s", value);
            return true;
        }
    if (strcmp(key, "bucket.count") == 0)
        table->bucket_count = (int)strtol(value, NULL, 10);
    else if (strcmp(key, "created") == 0)
        table->created_s = (int)strtol(value, NULL, 10);
    else
        return strcmp(key, "format") == 0 && set_format(table, value);
    return true;
}

static enum outcome set_table(struct scenario *scenario, const struct scenario_step *step)
{
    struct hive_metastore *hive = scenario->hive;
    const char *name = step->words[1];
    struct hive_table *table = hive_table_of(hive, name, strlen(name));
    if (table == NULL && hive->table_count == HIVE_TABLES_MAX)
        return step_failed(scenario, "there are too many tables");
    if (table == NULL)
        table = &hive->tables[hive->table_count++];
    bool statement = table->statement;
    hive_table_usual(table, name);
    table->statement = statement;
    for (const char *line = step->text; line != NULL && *line != 0;) {
        char key[64], value[1024];
        size_t length = strcspn(line, "\n");
        if (sscanf(line, "%63s = %1023[^\n]", key, value) != 2 || !set_key(table, key, value))
            return step_failed(scenario, "this says nothing about a table: %.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
    return STEP_DONE;
}

/* drop TABLE, drop TABLE/day=mon: from the metastore; a scenario removes the files. */
static enum outcome drop(struct scenario *scenario, const char *what)
{
    size_t length = strcspn(what, "/");
    struct hive_table *table = hive_table_of(scenario->hive, what, length);
    if (table == NULL)
        return step_failed(scenario, "there is no table %s", what);
    table->is_dropped = what[length] == 0;
    hive_drop_partitions(scenario->hive, table, what + length + (what[length] != 0));
    return STEP_DONE;
}

/* move TABLE/day=mon LOCATION: the partition is dropped, and made anew there. */
static enum outcome move(struct scenario *scenario, const char *what, const char *location)
{
    size_t length = strcspn(what, "/");
    struct hive_table *table = hive_table_of(scenario->hive, what, length);
    if (table == NULL || what[length] == 0)
        return step_failed(scenario, "there is no partition %s", what);
    hive_move_partition(scenario->hive, table, what + length + 1, location);
    return STEP_DONE;
}

/* lock TABLE: a statement wants the exclusive lock, until unlock TABLE. */
static enum outcome set_statement(struct scenario *scenario, const char *name, bool is_there)
{
    struct hive_table *table = hive_table_of(scenario->hive, name, strlen(name));
    if (table == NULL)
        return step_failed(scenario, "there is no table %s", name);
    table->statement = is_there;
    return STEP_DONE;
}

/* ---- troubles ---- */

/* refuse CALL EXCEPTION TIMES; break, cut, lose, hang, garbage CALL TIMES; deny CALL TIMES: a lock. */
static enum outcome add_rule(struct scenario *scenario, const struct scenario_step *step)
{
    static const char *const fates[] = {"refuse", "deny", "break", "cut", "lose", "hang", "garbage"};
    struct hive_metastore *hive = scenario->hive;
    unsigned fate = 0;
    while (fate < sizeof fates / sizeof *fates && strcmp(fates[fate], step->words[0]) != 0)
        fate++;
    bool has_exception = fate == HIVE_REFUSE;
    if (fate == sizeof fates / sizeof *fates || step->count != (has_exception ? 4 : 3) ||
        hive->rule_count == HIVE_RULES_MAX)
        return step_failed(
            scenario, "hive refuse CALL EXCEPTION TIMES, hive deny|break|cut|lose|hang|garbage CALL TIMES");
    struct hive_rule *rule = &hive->rules[hive->rule_count++];
    *rule = (struct hive_rule){.fate = (enum hive_fate)fate};
    snprintf(rule->call, sizeof rule->call, "%s", step->words[1]);
    rule->exception = has_exception ? (int)scenario_number(scenario->script, step, step->words[2]) : 0;
    rule->left = scenario_number(scenario->script, step, step->words[step->count - 1]);
    return STEP_DONE;
}

static enum outcome act(struct scenario *scenario, const struct scenario_step *step, const char *word)
{
    struct hive_metastore *hive = scenario->hive;
    if (strcmp(word, "stop") == 0)
        hive_stop(hive);
    else if (strcmp(word, "start") == 0)
        hive_start(hive);
    else if (strcmp(word, "abort") == 0)
        hive_abort_open(hive);
    else if (strcmp(word, "mend") == 0)
        hive->rule_count = 0;
    else
        return step_failed(scenario, "there is no step hive %s", word);
    return STEP_DONE;
}

enum outcome step_hive(struct scenario *scenario, const struct scenario_step *step)
{
    const char *word = step->count == 0 ? "" : step->words[0];
    if (scenario->hive == NULL)
        scenario->hive = hive_add();
    scenario->hive->peer->called = true;
    if (*word == 0)
        return STEP_DONE;
    if (step->count == 1)
        return act(scenario, step, word);
    if (strcmp(word, "table") == 0)
        return set_table(scenario, step);
    if (strcmp(word, "drop") == 0)
        return drop(scenario, step->words[1]);
    if (strcmp(word, "move") == 0 && step->count == 3)
        return move(scenario, step->words[1], step->words[2]);
    if (strcmp(word, "lock") == 0 && step->count == 2)
        return set_statement(scenario, step->words[1], true);
    if (strcmp(word, "unlock") == 0)
        return set_statement(scenario, step->words[1], false);
    if (strcmp(word, "version") == 0) {
        scenario->hive->version = (int)scenario_number(scenario->script, step, step->words[1]);
        return STEP_DONE;
    }
    return add_rule(scenario, step);
}

/* ---- conditions ---- */

enum holds holds_rows(struct scenario *scenario, const struct scenario_step *step)
{
    const char *name = step->words[0];
    struct hive_table *table =
        scenario->hive == NULL ? NULL : hive_table_of(scenario->hive, name, strlen(name));
    char *text;
    size_t length;
    if (table == NULL) {
        step_failed(scenario, "there is no table %s", name);
        return HOLDS_NOT;
    }
    hive_rows(scenario->hive, table, &text, &length);
    enum holds holds =
        text_compares(scenario, step, name, text, length, step->count == 2 ? step->words[1] : "");
    free(text);
    return holds;
}

/* transactions open NUMBER (committed, aborted) */
enum holds holds_transactions(struct scenario *scenario, const struct scenario_step *step)
{
    static const char *const states[] = {"open", "committed", "aborted"};
    unsigned count = 0;
    for (unsigned i = 1; scenario->hive != NULL && i <= scenario->hive->txn_count; i++)
        count += strcmp(states[scenario->hive->txns[i].state], step->words[0]) == 0;
    if (count == scenario_number(scenario->script, step, step->words[1]))
        return HOLDS;
    step_failed(scenario, "%u transactions are %s", count, step->words[0]);
    return HOLDS_NOT;
}
