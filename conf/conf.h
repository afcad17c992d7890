/* A configuration, read and checked. The entry point of conf/ is ps_conf_load.
 *
 * There are two arenas. Problems and the rest of struct ps_conf live until ps_conf_destroy. The components,
 * their texts and plans live in the second arena, which ps_conf_take_spec hands over with the spec. Thread:
 * the control thread. */
#pragma once

#include "conf/command/command.h"
#include "conf/problem.h"
#include "core/engine/plan.h"
#include "core/probe.h"

struct ps_plugins;
struct ps_class_path;
struct ps_classes;

/* One component with its bound plan: a source, interceptor, selector, channel or sink. */
struct ps_conf_part {
    const char *name;  /* "r1"; a selector has the name of its source */
    const char *label; /* "source r1", "interceptor i1 of source r1": for ps_context.component and the log */
    const char *type;  /* as written, or the default */
    const struct ps_stage_ops *ops;
    struct ps_pairs pairs; /* every key of the component, without the prefix, in file order, values trimmed */
    void *plan;            /* ops->plan_size bytes, bound from the rows; `check` has run, `build` has not */
    const char *file;      /* file (and `line`) of the key that names the component's type */
    int line;
    /* The component was refused because its plan lacks a value that `check` needs (conf/validate/component.h). */
    bool unchecked;
    /* The component was refused because `check` refused its plan, or because a required value is missing. */
    bool unsound;
    /* The component was refused because one of its keys names a Java class that was refused (conf/validate/engine.h). */
    bool refused;
};

struct ps_conf_source {
    struct ps_conf_part part;
    struct ps_texts channels; /* the valid ones, in the order written */
    struct ps_conf_part selector;
    size_t interceptor_count;
    struct ps_conf_part *interceptors; /* in order */
    /* core/engine/agent/options.c: penstock.workers, back-off, dead letters */
    struct ps_source_common common;
};

struct ps_conf_channel {
    struct ps_conf_part part;
    size_t source_count, sink_count; /* number of connected sources and sinks */
};

struct ps_conf_sink {
    struct ps_conf_part part;
    const char *channel;
    const char *group;            /* its sink group, or NULL */
    struct ps_sink_common common; /* core/engine/agent/options.c: dead letters, retries */
};

struct ps_conf_group {
    const char *name;
    struct ps_texts sinks; /* the valid ones, in the order of Flume's processor */
    const char *processor; /* its type, as written */
    struct ps_pairs pairs; /* processor.*, prefix stripped */
    /* true: the group has a processor that chooses; false: the default processor with one sink */
    bool runs;
    struct ps_processor_settings settings;
    const char *file;
    int line;
};

/* The agent that will run: only valid, supported, bound components. */
struct ps_conf_agent {
    const char *name;
    size_t source_count, channel_count, sink_count, group_count;
    struct ps_conf_source *sources;
    struct ps_conf_channel *channels;
    struct ps_conf_sink *sinks;
    struct ps_conf_group *groups;
    struct ps_pairs penstock; /* as written, prefix stripped */
    struct ps_agent_options options;
};

/* A component that is left out because of a problem, with the keys that were bound: `check` looks at its directories, too. */
struct ps_conf_aside {
    struct ps_conf_part part;
    const char *deadletter; /* penstock.deadletter; NULL: none */
    struct ps_conf_aside *next;
};

/* A file or URI that the configuration was read from, to detect changes. */
struct ps_conf_origin {
    const char *uri;                 /* as given */
    const char *shown;               /* the URI for messages: without its password */
    const char *path;                /* local file, or NULL for http(s) */
    int64_t modified_ns, size_bytes; /* of the file when it was read; modified_ns -1: it did not exist */
    int64_t modified_s;              /* http: Last-Modified, for If-Modified-Since; 0 = none, or too new */
    uint64_t hash;                   /* of the bytes, for checks without If-Modified-Since */
};

/* Settings from log4j.properties or log4j2.xml of the configuration directory, -Dflume.root.logger and
 * -Dflume.log.*. */
struct ps_conf_log {
    bool has_level;
    enum ps_log_level level;
    const char *path; /* NULL = stderr */
    bool json;        /* lines are objects */
    /* the levels of other loggers than the root, for Java classes: "NAME=LEVEL", in file order */
    struct ps_texts loggers;
    /* place of the PatternLayout of the appender that names `path`; it is not used. Without a file there is no such layout */
    struct ps_place layout;
};

/* The metrics server, from the system properties. Texts are NULL when not given. */
struct ps_conf_monitoring {
    bool on;
    bool prometheus;
    int port;               /* -1: not given */
    const char *host;       /* address to listen on */
    const char *hosts;      /* names of this machine, with commas */
    const char *token;      /* for /tail */
    const char *token_path; /* the file that has the token, if `token` is not given */
    /* A Java class that implements Flume's MonitorService and gets the metrics instead; NULL: none. Its settings are
     * the properties flume.monitoring.*, without this prefix. */
    const char *class_name;
    struct ps_pairs settings;
};

struct ps_conf {
    struct ps_arena *arena; /* for the problems and everything below, except the agent */
    struct ps_problems problems;
    struct ps_arena *plan_arena; /* the agent's; NULL after the spec was taken */
    struct ps_conf_agent agent;  /* after the spec was taken only ps_conf_place may use it */
    struct ps_conf_aside *aside; /* in the plan_arena */
    /* the native ones, then those of the plug-ins; in the plan_arena */
    const struct ps_stage_ops *const *stages;
    struct ps_plugins *plugins;       /* has the same owner as the stages */
    struct ps_class_path *class_path; /* for components that are Java classes; in the plan_arena */
    const struct ps_command *command; /* the caller's; NULL after loading */
    struct ps_classes
        /* the classes of the class path, open while components are checked; NULL: none was looked for yet */
        *classes;
    const char *wanted; /* name of the agent to run: -n */
    /* "sources" or "sinks": the file lists some, and all of them were dropped, so no event can flow; NULL: neither */
    const char *lacks;
    /* The components that the file lists and that the agent leaves out, a line each: "source r1 is left out: " and
     * the problem; NULL: none. In the plan_arena. */
    const char *dropped;
    /* "channel c1 would have none of its sources": the file connects some sources (or sinks) with the channel, and
     * all of them are left out; NULL: there is no such channel. In the plan_arena. */
    const char *cut;
    /* number of components that need a resource that another component uses (conf/validate/clash.h) */
    unsigned clashes;
    unsigned gone;   /* number of components that the Flume of --for no longer has */
    unsigned doubts; /* number of values that name a path which nobody can have meant (conf/doubts/paths.c) */
    struct ps_texts other_agents; /* names of the other agents in the files */
    /* Java's system properties, from -D and FLUME_JAVA_OPTS; if a key occurs several times, the last one counts */
    struct ps_pairs system;
    int64_t heap_bytes; /* -Xmx from the command line, FLUME_JAVA_OPTS or flume-env.sh; 0 = none */
    struct ps_conf_log log;
    struct ps_conf_monitoring monitoring;
    bool core_dumps; /* the process may leave core dumps (-Dpenstock.core.dumps) */
    size_t origin_count;
    struct ps_conf_origin *origins;
    char *backup; /* the text that ps_conf_backup writes; NULL without -b, or when there are errors */
    size_t backup_bytes;
};

/* Returns the name of the agent in these files, in the arena, if they have exactly one. Else returns NULL and sets
 * `err` to the reason: there is no file, one cannot be read, none contains an agent, or they contain several. Then
 * `option`, such as "-n NAME", must name the agent. A pipe is not read, because then nothing would be left of it for
 * ps_conf_load. */
const char *ps_conf_only_agent(struct ps_arena *arena, const struct ps_texts *files, const char *option,
                               struct ps_err *err);

/* Reads, merges, substitutes, validates, binds and checks. `stages` ends with NULL. Always creates `*out`,
 * with all problems in out->problems (sorted). Returns PS_FAIL when one of them is an error: the agent must
 * not start. Components that Flume drops are missing from out->agent; that is not an error. Accesses only the
 * given files and URIs, and runs only the commands of `external` config filters. */
enum ps_status ps_conf_load(const struct ps_command *command, const struct ps_stage_ops *const *stages,
                            struct ps_conf **out);

/* Does the same as ps_conf_load for text in memory, for tests and fuzzing. `file` is the name in messages. */
enum ps_status ps_conf_load_text(const struct ps_command *command, const struct ps_stage_ops *const *stages,
                                 const char *file, const char *text, size_t length, struct ps_conf **out);

/* Writes the configuration to the backup directory (-b), which a later start reads when the configuration itself
 * cannot be read. Call it when the configuration runs. Without -b it does nothing. On failure the old backup stays. */
enum ps_status ps_conf_backup(struct ps_conf *conf, const struct ps_command *command, struct ps_err *err);

/* Returns the agent for the engine (core/engine/plan.h), for ps_plan_create. Owns: from now on the caller
 * owns the spec, its arena and everything it points to; they outlive the conf. Call it only once, and only
 * after PS_OK. */
struct ps_agent_spec *ps_conf_take_spec(struct ps_conf *conf);

/* Returns the machine for ps_plan_create. If no component runs in Java, -Xmx bounds the engine's memory; else it bounds
 * only the heap of the JVM. Call it before ps_conf_take_spec. */
struct ps_machine ps_conf_machine(const struct ps_conf *conf);

/* Probes the components that are left out and, unless the agent starts (`starts`), all others that have keys; ps_plan_probe does
 * it for those of an agent that starts. `probe` has local and files_only. Call it before ps_conf_take_spec. */
void ps_conf_probe(struct ps_conf *conf, bool starts, struct ps_probe *probe);

/* Returns the place of a component's key: the line of the key, or the line of the component's type when the key is
 * not written or NULL. The result has no file when there is no such source, channel or sink. `component` is a label
 * ("sink k1"). May be called as long as the spec lives, even after ps_conf_take_spec. Thread: control, or the helper
 * thread of a reload. */
struct ps_place ps_conf_place(struct ps_conf *conf, const char *component, const char *key);

void ps_conf_destroy(struct ps_conf *conf);

/* Returns the value of a system property, or NULL. `argument` is the struct ps_conf. Fits
 * ps_context.system_property. */
const char *ps_conf_system_property(const void *argument, const char *name);

/* Returns the name of the first file that no longer exists, or NULL. */
const char *ps_conf_missing(const struct ps_conf *conf);

/* Returns true when a file or URI has changed since it was read. For http(s) it sends If-Modified-Since; a
 * failed request counts as unchanged and is written to `err`. Thread: control; http may block up to 30 s. */
bool ps_conf_changed(const struct ps_conf *conf, const struct ps_command *command, struct ps_err *err);
