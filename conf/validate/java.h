/* Components that are Java classes: finds out whether the class path has the class, and its kind. Starts nothing.
 * Thread: the control thread. */
#pragma once

#include "conf/validate/component.h"

/* The cure when Flume's own classes are missing. */
#define PS_JAVA_SET_HOME "set FLUME_HOME to the folder of Flume, which has its jars in lib"

/* Interfaces of Flume's that classes of sink groups have. */
#define PS_JAVA_SINK_PROCESSOR "org.apache.flume.SinkProcessor"
#define PS_JAVA_SINK_SELECTOR "org.apache.flume.sink.LoadBalancingSinkProcessor$SinkSelector"

enum ps_java_answer {
    PS_JAVA_ABSENT,   /* the class path has no such class; nothing was reported */
    PS_JAVA_REPORTED, /* the class cannot run; a problem with the reason was reported */
    PS_JAVA_STAGE,    /* `*ops` runs the class */
};

/* Looks for the class `type`, which is not a native stage of this kind. `place` is the place of the key. */
enum ps_java_answer ps_java_type(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                                 struct ps_place place, const struct ps_stage_ops **ops);

/* Looks for Flume's own class of a type that also has a native stage: `type` is Flume's short name, or a name of the
 * class. */
enum ps_java_answer ps_java_flume(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                                  struct ps_place place, const struct ps_stage_ops **ops);

/* Looks for the class of a component that is to run in Java: the class that the type names, or Flume's own class for a
 * type with a native stage. Reports where the class is, or why it cannot run; the message includes the reason (`why`)
 * for Java. Returns whether the class can run. */
bool ps_java_runs(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                  struct ps_place place, const char *why);

/* Reports that a component that must run in Java has no class there. The message has the reason (`why`) and the
 * cure. */
void ps_java_report_absent(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                           struct ps_place place, const char *why);

/* Returns whether `type` is the name of a class of the class path. Reports nothing. */
bool ps_java_found(const struct ps_component_maker *maker, const char *type);

/* Looks for a class that a component uses: `word` names the kind of class ("handler"), `target` is the interface that
 * the class must have. Returns false after reporting why the class cannot be used. */
bool ps_java_inner(const struct ps_component_maker *maker, const char *word, const char *target,
                   const char *name, struct ps_place place);

/* Looks for a class that runs in a JVM of its own and is not a component, and notes its place; `note` is a text about
 * its task: PS_JAVA_IS_ASKED. Otherwise as ps_java_inner. */
bool ps_java_alone(const struct ps_component_maker *maker, const char *word, const char *target,
                   const char *name, struct ps_place place, const char *note);
#define PS_JAVA_IS_ASKED "is asked in Java when the agent starts"

/* Reports the place of a class that was found before; `note` is a text about the class. */
void ps_java_note(const struct ps_component_maker *maker, const char *name, struct ps_place place,
                  const char *note);

/* Texts about a class that was not found: the reason ("none of the 7 jars .. has it"), and the cure. They live in
 * the maker's arena. */
const char *ps_java_absent(const struct ps_component_maker *maker, enum ps_kind kind, const char *type);
const char *ps_java_absent_cure(const struct ps_component_maker *maker, enum ps_kind kind, const char *type);
/* Returns "did you mean CLASS?" for a type without a package, or NULL: no class of the class path is near. */
const char *ps_java_nearest(const struct ps_component_maker *maker, enum ps_kind kind, const char *type);
