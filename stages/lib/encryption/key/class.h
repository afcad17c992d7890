/* Keys of a Java class: Flume's key providers that somebody wrote, which may ask a key management service. A JVM of its own
 * calls the class for the keys, and then ends (stages/lib/java/ask.h). Its builder gets the keys below
 * `encryption.keyProvider.`, as in Flume. */
#pragma once

#include "stages/lib/encryption/key/source.h"

/* Adds the keys source->names to the ring. Fails when the class cannot be called, does not have one of them, or has it only
 * in a form that cannot leave it. Thread: any; blocks. */
enum ps_status ps_key_class_load(struct ps_key_ring *ring, const struct ps_key_source *source,
                                 struct ps_err *err);
