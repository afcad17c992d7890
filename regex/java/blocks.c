/* Unicode blocks by name, as Character.UnicodeBlock.forName of Java 17 (Unicode 13) finds them. Called while
 * translating; pure. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "regex/java/blocks.h"
#include "regex/java/internal.h"

/* Compares with a block's name as written, without spaces, or with "_" for spaces and hyphens. Ignores
 * case. */
static bool is_named(const char *name, const char *block, char space, char hyphen)
{
    for (; *block != '\n'; block++) {
        char wanted = *block == ' ' ? space : *block == '-' ? hyphen : *block;
        if (wanted != '\0' && toupper((unsigned char)*name++) != wanted)
            return false;
    }
    return *name == '\0';
}

/* The lines of ps_java_blocks are as those of Unicode's Blocks.txt: "0000..007F; BASIC LATIN". */
bool ps_java_block(const char *name, struct ps_java_range *range)
{
    for (const char *line = ps_java_blocks; *line != '\0'; line = strchr(line, '\n') + 1) {
        char *at;
        range->first = (uint32_t)strtoul(line, &at, 16);
        range->last = (uint32_t)strtoul(at + sizeof ".." - 1, &at, 16);
        at += sizeof "; " - 1;
        if (is_named(name, at, ' ', '-') || is_named(name, at, '\0', '-') || is_named(name, at, '_', '_'))
            return true;
    }
    return false;
}
