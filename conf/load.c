/* ps_conf_load: files -> properties -> substitution -> groups -> filters -> validation. See conf.h. */
#include "conf/load.h"

#include "conf/agent.h"
#include "conf/bind.h"
#include "conf/doubts/hosts.h"
#include "conf/doubts/names.h"
#include "conf/validate/check.h"
#include "conf/validate/lone_classes.h"
#include "conf/command/env.h"
#include "conf/file.h"
#include "conf/properties/filter.h"
#include "conf/command/log4j.h"
#include "conf/command/monitoring.h"
#include "conf/java/class_path.h"
#include "conf/java/classes.h"
#include "conf/properties/properties.h"
#include "conf/properties/substitute.h"
#include "conf/validate/types.h"
#include "core/plugin/loader.h"
#include "core/plugin/module.h"
#include "conf/text.h"
#include "core/text/nearest.h"
#include "conf/validate/validate.h"

#include "core/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Reports stages that were made for another contract: they cannot run, and their descriptions cannot be read. */
static void check_stages(struct ps_conf *conf)
{
    for (const struct ps_stage_ops *const *stage = conf->stages; *stage != NULL; stage++) {
        struct ps_err err = {.length = 0};
        if (ps_stage_fits(*stage, &err) != PS_OK)
            ps_problem_add(&conf->problems, PS_SEVERITY_ERROR, (struct ps_place){.key = "penstock"},
                           "install the version that belongs to this program", "%s", err.text);
    }
}

static void report_plugin(void *conf_, enum ps_log_level level, const char *file, const char *what,
                          const char *cure)
{
    struct ps_conf *conf = conf_;
    ps_problem_add(&conf->problems, level >= PS_LOG_ERROR ? PS_SEVERITY_ERROR : PS_SEVERITY_WARNING,
                   (struct ps_place){.file = file}, cure, "the plug-in %s", what);
}

/* Notes which stages are not penstock's own. */
static void note_plugins(struct ps_conf *conf)
{
    const struct ps_module *module;
    for (size_t i = 0; (module = ps_plugins_module(conf->plugins, i)) != NULL; i++) {
        const char *names = "";
        for (size_t k = 0; k < module->stage_count; k++)
            names = ps_arena_format(conf->arena, "%s%s%s `%s`", names, k > 0 ? ", " : "",
                                    ps_kind_word(module->stages[k]->kind), module->stages[k]->name);
        ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, (struct ps_place){.file = module->path}, NULL,
                       "the plug-in has %s", names);
    }
}

static void load_plugins(struct ps_conf *conf, const struct ps_command *command)
{
    conf->plugins = ps_plugins_load(&command->plugins, conf->stages, report_plugin, conf);
    ps_arena_at_end(conf->plan_arena, ps_plugins_destroy, conf->plugins);
    conf->stages = ps_plugins_stages(conf->plugins);
    note_plugins(conf);
}

static struct ps_conf *conf_create(const struct ps_command *command, const struct ps_stage_ops *const *stages)
{
    struct ps_conf *conf = ps_must_alloc(1, sizeof *conf, "the configuration");
    conf->arena = ps_arena_create();
    conf->plan_arena = ps_arena_create();
    conf->stages = stages;
    conf->wanted = ps_arena_text(conf->arena, command->agent);
    conf->heap_bytes = command->heap_bytes;
    ps_problems_init(&conf->problems, conf->arena);
    struct ps_pair *items = ps_arena_alloc(conf->arena, (command->system.count + 1) * sizeof *items);
    for (size_t i = 0; i < command->system.count; i++)
        items[i] = (struct ps_pair){.key = ps_arena_text(conf->arena, command->system.items[i].key),
                                    .value = ps_arena_text(conf->arena, command->system.items[i].value)};
    conf->system = (struct ps_pairs){command->system.count, items};
    check_stages(conf);
    load_plugins(conf, command);
    conf->class_path = ps_class_path_make(conf->plan_arena, command);
    conf->command = command;
    return conf;
}

void ps_conf_destroy(struct ps_conf *conf)
{
    if (conf == NULL)
        return;
    ps_problems_fini(&conf->problems);
    free(conf->backup);
    ps_arena_destroy(conf->plan_arena);
    ps_arena_destroy(conf->arena);
    free(conf);
}

/* ---- substitution ---- */

static void load_lookups(struct ps_conf *conf, const struct ps_command *command, struct ps_substitution *how)
{
    const char *path = ps_conf_system_property(conf, "lookups");
    struct ps_file file;
    struct ps_err err = {.length = 0};
    bool asked = path != NULL;
    if (path == NULL && command->conf_dir != NULL)
        path = ps_arena_format(conf->arena, "%s/lookups.properties", command->conf_dir);
    if (path == NULL)
        return;
    if (ps_file_read(path, PS_PROPERTIES_BYTES_MAX, &file, &err) != PS_OK) {
        if (asked)
            ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, (struct ps_place){.key = "-Dlookups"}, NULL,
                           "%s", err.text);
        return;
    }
    struct ps_properties lookups;
    ps_properties_init(&lookups, conf->plan_arena);
    if (ps_properties_load(&lookups, path, file.bytes, file.length, &conf->problems) == PS_OK)
        ps_substitute_lookups(how, &lookups);
    ps_properties_fini(&lookups);
    ps_file_free(&file);
}

/* Returns whether the values can be judged: all, but for those with an error of their own. */
static bool substitute(struct ps_conf *conf, const struct ps_command *command,
                       struct ps_properties *properties)
{
    static const char resolver[] = "org.apache.flume.node.EnvVarResolverProperties";
    struct ps_substitution *how = ps_arena_alloc(conf->arena, sizeof *how);
    const char *implementation = ps_conf_system_property(conf, "propertiesImplementation");
    *how = (struct ps_substitution){.arena = conf->plan_arena,
                                    .problems = &conf->problems,
                                    .system = &conf->system,
                                    .environment_mode =
                                        implementation != NULL && strcmp(implementation, resolver) == 0,
                                    .now_ms = ps_clock_now().wall_ms,
                                    .agent = command->agent};
    if (implementation != NULL && !how->environment_mode)
        ps_problem_add(
            &conf->problems, PS_SEVERITY_WARNING, (struct ps_place){.key = "-DpropertiesImplementation"},
            ps_arena_format(conf->arena, "penstock knows %s", resolver), "%s is not known", implementation);
    load_lookups(conf, command, how);
    return ps_substitute(properties, how) == PS_OK || !properties->unfinished;
}

/* ---- warnings about the text as a whole ---- */

/* Flume loads values unchanged: a # after a value, and quotes, are part of it. */
static void warn_values(struct ps_conf *conf, const struct ps_properties *properties, const char *agent)
{
    for (size_t i = 0; i < properties->count; i++) {
        const struct ps_property *property = &properties->items[i];
        size_t length = strlen(agent);
        if (strncmp(property->key, agent, length) != 0 || property->key[length] != '.')
            continue;
        struct ps_place place = {property->file, property->line, property->key};
        const char *value = ps_text_trim(conf->plan_arena, property->value);
        const char *dot = strrchr(property->key, '.');
        bool shell = strcmp(dot, ".command") == 0 || strcmp(dot, ".shell") == 0;
        /* the sink hive removes quotes, as Flume's sink does */
        bool is_quoted = shell || strcmp(dot, ".delimiter") == 0 || strcmp(dot, ".serdeSeparator") == 0;
        const char *hash = strchr(value, '#');
        size_t size = strlen(value);
        if (hash != NULL && !property->joins_comment && hash > value &&
            (hash[-1] == ' ' || hash[-1] == '\t') && !shell)
            ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, place,
                           "put the comment on a line of its own",
                           "a # after a value does not begin a comment: it is part of the value");
        if (size > 2 && (value[0] == '"' || value[0] == '\'') && value[size - 1] == value[0] && !is_quoted) {
            ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, place, "write the value without quotes",
                           "the quotes are part of the value");
            bool is_host = ps_doubt_is_host_key(dot + 1); /* it is refused, as a URL is */
            if (strchr(value, '/') != NULL || is_host)
                ps_problem_quoted_path(&conf->problems, is_host || strstr(value, "://") != NULL);
        }
    }
}

static void report_no_agent(struct ps_conf *conf, const struct ps_command *command,
                            const struct ps_grouping *grouping, const struct ps_properties *properties,
                            const char *file)
{
    const char *dotted = ps_doubt_agent_name(conf->arena, properties, command->agent);
    if (dotted != NULL && conf->other_agents.count == 0) {
        ps_problem_add(&conf->problems, PS_SEVERITY_ERROR, (struct ps_place){.file = file}, dotted,
                       command->agent[0] == '\0' ? "it contains no agent"
                                                 : "no configuration for the agent %s",
                       command->agent);
        return;
    }
    if (command->agent[0] == '\0' && conf->other_agents.count == 0) {
        ps_problem_add(&conf->problems, PS_SEVERITY_ERROR, (struct ps_place){.file = file},
                       "an agent has a line `NAME.channels = ..`", "%s no agent",
                       conf->origin_count == 1 ? ps_arena_format(conf->arena, "%s contains", file)
                                               : "the files contain");
        return;
    }
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, command->agent);
    const char *cure = "the files contain no agent";
    for (size_t i = 0; i < grouping->count; i++)
        ps_nearest_offer(&nearest, grouping->agents[i].name);
    if (nearest.word != NULL)
        cure = ps_arena_format(conf->arena, "did you mean -n %s?", nearest.word);
    else if (conf->other_agents.count > 0)
        cure = conf->other_agents.count == 1
                   ? ps_arena_format(conf->arena, "write -n %s, the only agent of the files",
                                     conf->other_agents.items[0])
                   : ps_arena_format(conf->arena, "the files contain: %s",
                                     ps_texts_join(conf->arena, &conf->other_agents));
    ps_problem_add(&conf->problems, PS_SEVERITY_ERROR, (struct ps_place){.file = file}, cure,
                   "no configuration for the agent %s", command->agent);
}

/* Returns whether the names differ only in a number: host1 and host2 are two agents, not a misspelt name. */
static bool numbered_alike(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n == 0 || m == 0 || !isdigit((unsigned char)a[n - 1]) || !isdigit((unsigned char)b[m - 1]))
        return false;
    while (n > 0 && isdigit((unsigned char)a[n - 1]))
        n--;
    while (m > 0 && isdigit((unsigned char)b[m - 1]))
        m--;
    return n == m && strncmp(a, b, n) == 0;
}

/* Reports agents whose name is close to the wanted one and which could not run alone: probably misspelt
 * names. */
static void report_stray_agents(struct ps_conf *conf, const struct ps_command *command,
                                const struct ps_grouping *grouping)
{
    for (size_t i = 0; i < grouping->count; i++) {
        const struct ps_agent_text *agent = &grouping->agents[i];
        if (strcmp(agent->name, command->agent) == 0 || agent->sections[PS_SECTION_CHANNELS].list != NULL)
            continue;
        struct ps_nearest nearest;
        ps_nearest_init(&nearest, agent->name);
        ps_nearest_offer(&nearest, command->agent);
        if (nearest.word != NULL && !numbered_alike(agent->name, command->agent))
            ps_problem_add(&conf->problems, PS_SEVERITY_WARNING,
                           (struct ps_place){agent->file, agent->line, agent->name},
                           ps_arena_format(conf->arena, "did you mean %s?", command->agent),
                           "%zu key%s of an agent without channels", agent->key_count,
                           agent->key_count == 1 ? "" : "s");
    }
}

static bool lists(const struct ps_conf *conf, const struct ps_agent_text *agent, enum ps_section section,
                  const char *name)
{
    struct ps_texts names = ps_section_names(agent, section, conf->arena);
    for (size_t i = 0; i < names.count; i++)
        if (strcmp(names.items[i], name) == 0)
            return true;
    return false;
}

/* Returns the key of another agent's component without which a component of the wanted agent cannot work, if the wanted agent lists the
 * component and lacks the key, and the other agent does not list it; else NULL. */
static const struct ps_pair *strayed_key(const struct ps_conf *conf, const struct ps_agent_text *wanted,
                                         const struct ps_agent_text *other, enum ps_section section,
                                         const struct ps_entry *entry)
{
    static const char *const needed[] = {"type", "channels", "channel"};
    const struct ps_entry *own = ps_section_find(&wanted->sections[section], entry->name);
    const struct ps_pairs theirs = ps_entry_pairs(entry);
    if (lists(conf, other, section, entry->name) || !lists(conf, wanted, section, entry->name))
        return NULL;
    for (size_t i = 0; i < PS_COUNT_OF(needed); i++) {
        const struct ps_pair *pair = ps_pairs_find(&theirs, needed[i]);
        if (pair == NULL)
            continue;
        const struct ps_pairs ours = own != NULL ? ps_entry_pairs(own) : (struct ps_pairs){0, NULL};
        if (ps_pairs_find(&ours, needed[i]) == NULL)
            return pair;
    }
    return NULL;
}

/* Reports keys that stand under another agent's name, and that the wanted agent lacks: "a2.sources.r1.channels" among a1's. */
static void report_strayed_keys(struct ps_conf *conf, const struct ps_agent_text *wanted,
                                const struct ps_agent_text *other)
{
    for (enum ps_section section = 0; section < PS_SECTION_COUNT; section++) {
        const struct ps_section_entries *entries = &other->sections[section];
        for (size_t i = 0; i < entries->count; i++) {
            const struct ps_entry *entry = &entries->entries[i];
            const struct ps_pair *pair = strayed_key(conf, wanted, other, section, entry);
            if (pair == NULL)
                continue;
            const char *rest =
                ps_arena_format(conf->arena, "%s.%s.%s", ps_section_word(section), entry->name, pair->key);
            ps_problem_add(&conf->problems, PS_SEVERITY_WARNING,
                           (struct ps_place){pair->file, pair->line,
                                             ps_arena_format(conf->arena, "%s.%s", other->name, rest)},
                           ps_arena_format(conf->arena, "if it is meant for %s, write %s.%s", wanted->name,
                                           wanted->name, rest),
                           "the agent %s lists no %s %s, and %s does, which lacks this key", other->name,
                           ps_section_noun(section), entry->name, wanted->name);
        }
    }
}

static void report_keys_of_others(struct ps_conf *conf, const struct ps_command *command,
                                  const struct ps_grouping *grouping)
{
    const struct ps_agent_text *wanted = NULL;
    for (size_t i = 0; i < grouping->count; i++)
        if (strcmp(grouping->agents[i].name, command->agent) == 0)
            wanted = &grouping->agents[i];
    for (size_t i = 0; i < grouping->count && wanted != NULL; i++)
        if (&grouping->agents[i] != wanted)
            report_strayed_keys(conf, wanted, &grouping->agents[i]);
}

static void collect_agents(struct ps_conf *conf, const struct ps_command *command,
                           const struct ps_grouping *grouping)
{
    const char **names = ps_arena_alloc(conf->arena, (grouping->count + 1) * sizeof *names);
    conf->other_agents.items = names;
    for (size_t i = 0; i < grouping->count; i++) {
        const struct ps_agent_text *agent = &grouping->agents[i];
        if (strcmp(agent->name, command->agent) != 0 && agent->sections[PS_SECTION_CHANNELS].list != NULL)
            names[conf->other_agents.count++] = ps_arena_text(conf->arena, agent->name);
    }
}

/* Runs every step after reading: substitution, grouping, filters, validation. `file` is used in the message when
 * there is no such agent. */
static enum ps_status finish(struct ps_conf *conf, const struct ps_command *command,
                             struct ps_properties *properties, const char *file)
{
    struct ps_grouping grouping = {0};
    bool is_read = conf->problems.errors == properties->bad_lines; /* no file is missing, and no plug-in */
    if (is_read && substitute(conf, command, properties)) {
        warn_values(conf, properties, command->agent);
        ps_grouping_init(&grouping, properties, command->agent, conf->plan_arena, &conf->problems);
        collect_agents(conf, command, &grouping);
        struct ps_agent_text *agent = ps_grouping_find(&grouping, command->agent);
        if (agent == NULL)
            report_no_agent(conf, command, &grouping, properties, file);
        else
            agent->grouping = &grouping;
        report_stray_agents(conf, command, &grouping);
        report_keys_of_others(conf, command, &grouping);
        if (agent != NULL) {
            struct ps_filter_classes classes = ps_filter_classes_make(conf, command->ask_classes);
            ps_filters_apply(agent, command->conf_dir, &classes, conf->plan_arena, &conf->problems);
            ps_validate(conf, agent);
            ps_check_flows(conf);
            ps_check_guarantees(conf);
            ps_ask_for_identities(conf);
            ps_check_ports(conf);
            ps_check_rounds(conf);
            ps_check_claims(conf);
            ps_doubt_paths(conf);
            ps_doubt_topics(conf);
        }
    }
    ps_check_monitor(conf);
    ps_grouping_fini(&grouping);
    ps_classes_close(conf->classes);
    conf->classes = NULL;
    conf->command = NULL;
    ps_problems_forget_quoted(&conf->problems);
    ps_problems_sort(&conf->problems);
    return conf->problems.errors == 0 ? PS_OK : PS_FAIL;
}

enum ps_status ps_conf_load_text(const struct ps_command *command, const struct ps_stage_ops *const *stages,
                                 const char *file, const char *text, size_t length, struct ps_conf **out)
{
    struct ps_conf *conf = conf_create(command, stages);
    struct ps_properties properties;
    ps_properties_init(&properties, conf->plan_arena);
    properties.agent = command->agent;
    *out = conf;
    const char *name = ps_arena_text(conf->plan_arena, file);
    ps_properties_load(&properties, name, text, length, &conf->problems);
    enum ps_status status = finish(conf, command, &properties, name);
    ps_properties_fini(&properties);
    return status;
}

/* Reports a missing configuration directory, because its log4j files, flume-env.sh and `classpath:` files are missing
 * as well. The agent starts all the same, as with flume-ng. */
static void report_conf_dir(struct ps_conf *conf, const char *path)
{
    struct stat status;
    bool found = stat(path, &status) == 0;
    if (!found || !S_ISDIR(status.st_mode))
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, (struct ps_place){.key = "-c"},
                       "give the directory with log4j files and flume-env.sh, or leave -c out",
                       "the configuration directory %s cannot be used: %s", path,
                       found ? "it is not a directory" : strerror(errno));
}

/* Returns the first of the files that can be read only once, such as a pipe; NULL: none. */
static const char *read_once(const struct ps_texts *files)
{
    struct stat status;
    for (size_t i = 0; i < files->count; i++)
        if (stat(files->items[i], &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
            return files->items[i];
    return NULL;
}

/* Loads the files without an agent's name, to find the names in them. The caller destroys the result
 * (ps_conf_destroy). */
static struct ps_conf *load_names(struct ps_arena *arena, const struct ps_texts *files)
{
    static const struct ps_stage_ops *const no_stages[] = {NULL};
    const struct ps_command command = {.arena = arena, .files = *files, .agent = "", .dry_run = true};
    struct ps_conf *conf;
    (void)ps_conf_load(&command, no_stages, &conf);
    return conf;
}

/* Sets `err` to why the loaded files do not name one agent. */
static void explain_names(struct ps_arena *arena, const struct ps_conf *conf, const char *option,
                          struct ps_err *err)
{
    const struct ps_problem *problem = conf->problems.items;
    while (conf->problems.errors > 0 && problem->severity != PS_SEVERITY_ERROR)
        problem++;
    char line[32] = "";
    if (conf->other_agents.count > 0)
        ps_err_set(err, "the agent's name is missing: %s; the files contain: %s", option,
                   ps_texts_join(arena, &conf->other_agents));
    else if (conf->problems.errors == 0)
        ps_err_set(err, "the agent's name is missing: %s", option);
    else {
        if (problem->line > 0)
            snprintf(line, sizeof line, ":%d: ", problem->line);
        ps_err_set(err, "%s%s%s%s%s", problem->line > 0 ? problem->file : "", line, problem->what,
                   problem->cure != NULL ? "; " : "", problem->cure != NULL ? problem->cure : "");
    }
}

const char *ps_conf_only_agent(struct ps_arena *arena, const struct ps_texts *files, const char *option,
                               struct ps_err *err)
{
    const char *agent = NULL, *pipe = read_once(files);
    if (files->count == 0) {
        ps_err_set(err, "the agent's name is missing: %s", option);
        return NULL;
    }
    if (pipe != NULL) {
        ps_err_set(err,
                   "the agent's name is missing: %s; %s is a pipe or the like, which can be "
                   "read only once",
                   option, pipe);
        return NULL;
    }
    struct ps_conf *conf = load_names(arena, files);
    if (conf->other_agents.count == 1)
        agent = ps_arena_text(arena, conf->other_agents.items[0]);
    else
        explain_names(arena, conf, option, err);
    ps_conf_destroy(conf);
    return agent;
}

enum ps_status ps_conf_load(const struct ps_command *command, const struct ps_stage_ops *const *stages,
                            struct ps_conf **out)
{
    struct ps_conf *conf = conf_create(command, stages);
    struct ps_properties properties;
    ps_properties_init(&properties, conf->plan_arena);
    properties.agent = command->agent;
    *out = conf;
    ps_conf_read(conf, command, &properties);
    if (command->conf_dir != NULL) {
        report_conf_dir(conf, command->conf_dir);
        ps_env_read(conf, command->conf_dir);
        ps_log4j_read(conf, command->conf_dir);
    }
    ps_log4j_properties(conf);
    ps_log4j_hand_over(conf);
    ps_conf_monitoring(conf);
    enum ps_status status =
        finish(conf, command, &properties, conf->origin_count > 0 ? conf->origins[0].shown : NULL);
    if (status == PS_OK)
        ps_conf_backup_keep(conf, command, &properties);
    ps_properties_fini(&properties);
    return status;
}
