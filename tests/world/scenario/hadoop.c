/* Steps: HDFS. The first `hdfs` makes the cluster; its files are below /hdfs of the world's disk. */
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/hadoop/cluster.h"
#include "tests/world/scenario/scenario.h"

typedef void action(struct hdfs_cluster *cluster, int which);

static void be_silent(struct hdfs_cluster *cluster, int which)
{
    cluster->is_silent[which] = true;
}

/* A server by its name: dn1.., or nn1 and nn2. */
static enum outcome act(struct scenario *scenario, const struct scenario_step *step, action *datanode,
                        action *namenode)
{
    const char *name = step->count > 1 ? step->words[1] : "";
    int which = name[0] == 0 || name[1] == 0 ? -1 : name[2] - '1';
    bool is_datanode = strncmp(name, "dn", 2) == 0 && which >= 0 && which < HDFS_DATANODES;
    bool is_namenode = strncmp(name, "nn", 2) == 0 && which >= 0 && which < HDFS_NAMENODES;
    if (!(is_datanode && datanode != NULL) && !(is_namenode && namenode != NULL))
        return step_failed(scenario, "%s is no server that can do this", name);
    (is_datanode ? datanode : namenode)(scenario->hdfs, which);
    return STEP_DONE;
}

static void rot(struct hdfs_cluster *cluster, int which)
{
    cluster->rots[which] = true;
}

static void become_active(struct hdfs_cluster *cluster, int which)
{
    cluster->active = which;
}

/* refuse METHOD EXCEPTION TIMES "MESSAGE"; hang METHOD TIMES: no answer. METHOD: any, or METHOD:PATH for the calls whose path has this. */
static enum outcome refuse(struct scenario *scenario, const struct scenario_step *step, bool hangs)
{
    struct hdfs_cluster *cluster = scenario->hdfs;
    if (step->count != (hangs ? 3 : 4) || cluster->rule_count == HDFS_RULES_MAX)
        return step_failed(scenario, "hdfs refuse METHOD EXCEPTION TIMES TEXT, hdfs hang METHOD TIMES");
    struct hdfs_rule *rule = &cluster->rules[cluster->rule_count++];
    const char *method = step->words[1], *path = strchr(method, ':');
    size_t length = path == NULL ? strlen(method) : (size_t)(path - method);
    if (strncmp(method, "any", length) != 0)
        snprintf(rule->method, sizeof rule->method, "%.*s", (int)length, method);
    snprintf(rule->path, sizeof rule->path, "%s", path == NULL ? "" : path + 1);
    snprintf(rule->exception, sizeof rule->exception, "%s", hangs ? "" : step->words[2]);
    snprintf(rule->message, sizeof rule->message, "%s", step->text == NULL ? "" : step->text);
    rule->left = scenario_number(scenario->script, step, step->words[hangs ? 2 : 3]);
    return STEP_DONE;
}

/* Another client writes the file now. */
static enum outcome take_lease(struct scenario *scenario, const char *path)
{
    struct hdfs_file *file = hdfs_file_at(scenario->hdfs, path);
    if (file == NULL)
        return step_failed(scenario, "no client has written %s", path);
    snprintf(file->holder, sizeof file->holder, "DFSClient_another");
    file->is_open = true;
    hdfs_renew(scenario->hdfs, file->holder);
    return STEP_DONE;
}

static enum outcome set_number(struct scenario *scenario, const struct scenario_step *step)
{
    struct hdfs_cluster *cluster = scenario->hdfs;
    uint64_t number = scenario_number(scenario->script, step, step->words[1]);
    if (strcmp(step->words[0], "quota") == 0)
        cluster->room_bytes = number;
    else if (strcmp(step->words[0], "sums") == 0)
        cluster->sum_type = (unsigned)number;
    else
        cluster->block_bytes = number;
    return STEP_DONE;
}

/* fail dnN STATUS TIMES: the next packets of a datanode get this status; 0: it breaks off. */
static enum outcome fail_packets(struct scenario *scenario, const struct scenario_step *step)
{
    int node = step->count == 4 && strncmp(step->words[1], "dn", 2) == 0 ? step->words[1][2] - '1' : -1;
    if (node < 0 || node >= HDFS_DATANODES)
        return step_failed(scenario, "hdfs fail dn1 STATUS TIMES");
    scenario->hdfs->status = (unsigned)scenario_number(scenario->script, step, step->words[2]);
    scenario->hdfs->fails[node] = (unsigned)scenario_number(scenario->script, step, step->words[3]);
    return STEP_DONE;
}

enum outcome step_hdfs(struct scenario *scenario, const struct scenario_step *step)
{
    const char *word = step->count == 0 ? "" : step->words[0];
    if (scenario->hdfs == NULL)
        scenario->hdfs = hdfs_add();
    scenario->hdfs->peer->called = true;
    if (*word == 0)
        return STEP_DONE;
    if (strcmp(word, "stop") == 0)
        return act(scenario, step, hdfs_datanode_stop, hdfs_namenode_stop);
    if (strcmp(word, "start") == 0)
        return act(scenario, step, hdfs_datanode_start, hdfs_namenode_start);
    if (strcmp(word, "silent") == 0)
        return act(scenario, step, be_silent, NULL);
    if (strcmp(word, "rot") == 0)
        return act(scenario, step, rot, NULL);
    if (strcmp(word, "active") == 0)
        return act(scenario, step, NULL, become_active);
    if (strcmp(word, "refuse") == 0 || strcmp(word, "hang") == 0)
        return refuse(scenario, step, *word == 'h');
    if (strcmp(word, "fail") == 0)
        return fail_packets(scenario, step);
    if (strcmp(word, "mend") == 0) {
        scenario->hdfs->rule_count = 0;
        return STEP_DONE;
    }
    if (strcmp(word, "safe") == 0 || strcmp(word, "unsafe") == 0) {
        scenario->hdfs->is_safe = *word == 's';
        return STEP_DONE;
    }
    if (step->count == 2 && strcmp(word, "lease") == 0)
        return take_lease(scenario, step->words[1]);
    if (step->count == 2 &&
        (strcmp(word, "quota") == 0 || strcmp(word, "sums") == 0 || strcmp(word, "block") == 0))
        return set_number(scenario, step);
    return step_failed(scenario, "there is no step hdfs %s", word);
}
