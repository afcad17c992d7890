/* Chooses the engine of a component: its native stage, or Flume's own class in Java (stages/lib/java). Java runs
 * it when the key `penstock.engine` has the value java, and when a key names a class that exists only in Java and
 * that the component calls, such as the handler of a source http or the serializer of a sink hdfs. Thread: the
 * control thread. */
#pragma once

#include "conf/validate/component.h"

/* Finds the stage for a component with a type and pairs. `prefix` is "a1.sources.r1.", `place` is the place of the type. Returns NULL
 * after adding a problem. When the class of a key was refused, sets part->refused and returns the native stage, which checks the other
 * keys. The key of the refused class is removed from part->pairs; therefore its items must be a copy that belongs to
 * the part. */
const struct ps_stage_ops *ps_component_engine(const struct ps_component_maker *maker, enum ps_kind kind,
                                               struct ps_conf_part *part, const char *prefix,
                                               struct ps_place place);

/* Decides which of the first interceptors of a Java source run with it in Java, where they get its own events, as
 * in Flume: those up to the last one that is a Java class, if all others among them exist in Flume. Adds to
 * part->pairs the keys that the host and ps_component_engine need. Returns the number of these interceptors, which
 * the agent does not run. */
size_t ps_component_chain(const struct ps_component_maker *maker, struct ps_conf_part *source);

/* Adds a pair to part->pairs, which must be the part's own copy. Messages about the pair name the part's place. */
void ps_component_add_pair(struct ps_arena *arena, struct ps_conf_part *part, const char *key,
                           const char *value);
