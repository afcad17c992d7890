/* Any bytes as a manifest: an accepted manifest is sorted, its numbers are in range, and its sums are
 * correct. */
#include "bench/support/stamp.h"
#include "bench/verify/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_manifest manifest;
    struct ps_err err = {.length = 0};
    enum ps_status status = ps_manifest_parse(&manifest, (const char *)data, size, &err);
    PS_ASSERT((status == PS_OK) == (err.length == 0));
    PS_ASSERT(status == PS_OK || manifest.source_count == 0);
    uint64_t events = 0, failed = 0;
    for (uint32_t i = 0; i < manifest.source_count; i++) {
        const struct ps_manifest_source *source = &manifest.sources[i];
        PS_ASSERT(i == 0 || source->source > manifest.sources[i - 1].source);
        PS_ASSERT(source->source <= PS_STAMP_SOURCE_MAX && source->failed <= source->events);
        PS_ASSERT(ps_manifest_find(&manifest, source->source) == source);
        events += source->events;
        failed += source->failed;
    }
    PS_ASSERT(manifest.run <= PS_STAMP_RUN_MAX && events == manifest.events && failed == manifest.failed);
    ps_manifest_fini(&manifest);
    return 0;
}
