/* Keys of a Java class: key providers for Flume that users wrote; they may ask a key management service. A JVM of
 * its own calls the class for the keys, and then ends (stages/lib/java/ask.h). The builder of the provider gets the
 * keys below `encryption.keyProvider.`, as in Flume. */
#pragma once

#include "stages/lib/encryption/key/source.h"

/* Adds the keys source->names to the ring. Fails when the class cannot be called, does not have one of the keys, or
 * has a key only in a form that cannot leave the class. Thread: any; blocks. */
enum ps_status ps_key_class_load(struct ps_key_ring *ring, const struct ps_key_source *source,
                                 struct ps_err *err);
