/* Any bytes as an agent's metrics page: parsing it, and the figures computed from it. */
#include "bench/plan/limits.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_parts parts, during;
    struct ps_scrape scrape = {0};
    char value[32];
    ps_scrape_parse(&scrape, (const char *)data, size);
    PS_ASSERT(scrape.count <= PS_SCRAPE_SAMPLES_MAX);
    for (unsigned i = 0; i < scrape.count; i++) {
        PS_ASSERT(strlen(scrape.samples[i].name) + strlen(scrape.samples[i].labels) <= size);
        if (ps_scrape_label(&scrape.samples[i], "component", value, sizeof value))
            PS_ASSERT(strlen(value) < sizeof value);
    }
    parts.count = during.count = 0;
    ps_parts_watch(&during, &scrape);
    ps_parts_measure(&parts, &scrape, &scrape, &during, 1, 2);
    for (unsigned i = 0; i < parts.count; i++)
        PS_ASSERT(parts.items[i].value >= 0);
    ps_scrape_fini(&scrape);
    return 0;
}
