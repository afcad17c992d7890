/* A JCEKS store without its integrity check, and a serialized Java object: no length in them is trusted. */
#include <string.h>

#include "stages/lib/encryption/java_object.h"
#include "stages/lib/encryption/jceks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_java_object object;
    if (ps_java_object_read(data, size, &object)) {
        PS_ASSERT(object.length <= size && object.count <= PS_JAVA_FIELDS_MAX);
        (void)ps_java_object_get(&object, "key");
    }
    if (size > 65536)
        return 0;
    struct ps_key_ring *ring = ps_key_ring_create();
    struct ps_jceks store = {data, size, NULL};
    struct ps_err err = {0};
    enum ps_status status = ps_jceks_add(ring, &store, "key-2", "keypasskey-2", &err);
    PS_ASSERT((status == PS_OK) == (ps_key_ring_find(ring, "key-2") != NULL));
    ps_key_ring_destroy(ring);
    return 0;
}
