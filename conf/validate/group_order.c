#include "conf/validate/group_order.h"

#include <string.h>

/* String.hashCode() with HashMap's spread of the high bits. Names beyond ASCII are hashed by their UTF-16 units. */
static uint32_t spread_hash(const char *name)
{
    uint32_t hash = 0;
    for (const unsigned char *at = (const unsigned char *)name; *at != '\0';) {
        uint32_t point = *at++;
        unsigned more = point >= 0xF0 ? 3 : point >= 0xE0 ? 2 : point >= 0xC0 ? 1 : 0;
        if (more > 0)
            point &= 0x3FU >> more;
        for (; more > 0 && *at != '\0'; more--)
            point = point << 6 | (*at++ & 0x3F);
        if (point >= 0x10000) {
            hash = 31 * hash + (0xD800 + ((point - 0x10000) >> 10));
            point = 0xDC00 + (point & 0x3FF);
        }
        hash = 31 * hash + point;
    }
    return hash ^ hash >> 16;
}

void ps_group_order(const char **names, size_t count, size_t written)
{
    size_t table = 16;
    while (table < written * 4 / 3 + 1) /* new HashSet(collection) */
        table *= 2;
    for (size_t i = 1; i < count; i++) {
        const char *name = names[i];
        uint32_t bucket = spread_hash(name) & (uint32_t)(table - 1);
        size_t at = i;
        for (; at > 0 && (spread_hash(names[at - 1]) & (uint32_t)(table - 1)) > bucket; at--)
            names[at] = names[at - 1];
        names[at] = name;
    }
}
