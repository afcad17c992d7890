/* `penstock check --probe` of components that are Java classes: a JVM of its own (ask.h) makes and configures each of them, and ends;
 * nothing is started. Thread: control. */
#pragma once

#include "stages/lib/java/component.h"

/* `probe` of the stages `java`, one for each kind of component. */
void ps_java_source_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe);
void ps_java_sink_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe);
void ps_java_interceptor_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe);
