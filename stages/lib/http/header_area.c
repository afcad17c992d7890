#include "stages/lib/http/header_area.h"

#include <string.h>

struct ps_header_area ps_header_area(char *memory, uint64_t bytes)
{
    uintptr_t lost = -(uintptr_t)memory & 7;
    return (struct ps_header_area){memory + lost, memory + bytes};
}

const struct ps_name *ps_header_area_name(struct ps_header_area *area, uint32_t hash, struct ps_slice text)
{
    struct ps_name *name = (struct ps_name *)(void *)area->at;
    area->at += ps_header_area_name_bytes(text.length);
    PS_ASSERT(area->at <= area->end);
    name->hash = hash;
    name->mask = ps_name_mask(hash);
    name->length = text.length;
    memcpy(name->text, text.data, text.length);
    name->text[text.length] = '\0';
    return name;
}

void ps_header_area_add(struct ps_header_area *area, struct ps_header **list, const struct ps_name *name,
                        struct ps_slice value)
{
    struct ps_header *header = (struct ps_header *)(void *)area->at;
    area->at += PS_HEADER_AREA_HEADER_BYTES;
    PS_ASSERT(area->at <= area->end);
    *header =
        (struct ps_header){.name = name, .value = value.data, .value_length = value.length, .next = *list};
    *list = header;
}
