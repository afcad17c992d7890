/* Flows that run in Java as a whole: channels, selectors and sink processors that exist only in Java work together with the sources
 * and sinks around them within one process. Everything that is connected to such a component is handed to Flume's own
 * classes, which the Java host runs as Flume's agent does (stages/lib/java/host/FlowComponent.java). Thread: the
 * control thread. */
#pragma once

#include "conf/validate/validate_internal.h"

/* The name of the source that stands for all components that run in Java. */
#define PS_FLOW_NAME "in-java"

/* Finds the components that run in Java, marks their entries (ps_entry.in_java) and sets validation->flow. Returns
 * whether there are any. Called before the components are validated. */
bool ps_validate_flow(struct ps_validation *validation);
