#include "stages/lib/java/exchange/commits.h"

#include "rings/word.h"

static struct ps_java_committed *tail(const struct ps_java_area *slot)
{
    return (void *)(slot->memory + slot->size - PS_JAVA_COMMITS_BYTES);
}

void ps_java_commits_begin(const struct ps_java_area *slot)
{
    ps_word_set(&tail(slot)->count, 0);
}

uint64_t ps_java_commits_count(const struct ps_java_area *slot)
{
    return ps_word_get(&tail(slot)->count);
}
