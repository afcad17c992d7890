#include "core/log/limit.h"

#include "core/fnv.h"

#include <stdio.h>
#include <string.h>

static bool window_over(const struct ps_log_limit_entry *entry, uint64_t mono_ns)
{
    return mono_ns - entry->window_ns >= PS_LOG_LIMIT_WINDOW_NS;
}

/* Returns the entry of the key, or the entry that the key may replace: a free one, else the one with the oldest
 * window. */
static struct ps_log_limit_entry *entry_find(struct ps_log_limit *limit, const char *format,
                                             uint64_t component_hash)
{
    uint64_t hash = ((uint64_t)(uintptr_t)format * UINT64_C(0x9e3779b97f4a7c15)) ^ component_hash;
    struct ps_log_limit_entry *oldest = NULL;
    for (unsigned way = 0; way < PS_LOG_LIMIT_WAYS; way++) {
        struct ps_log_limit_entry *entry = &limit->entries[((hash >> 32) + way) % PS_LOG_LIMIT_ENTRIES];
        if (entry->format == format && entry->component_hash == component_hash)
            return entry;
        if (oldest == NULL ||
            (oldest->format != NULL && (entry->format == NULL || entry->window_ns < oldest->window_ns)))
            oldest = entry;
    }
    return oldest;
}

bool ps_log_limit_admit(struct ps_log_limit *limit, const char *format, const char *component,
                        uint64_t mono_ns, uint64_t *held, struct ps_log_limit_entry **entry_out,
                        struct ps_log_limit_entry *evicted)
{
    uint64_t component_hash = ps_fnv64(PS_FNV64, component, strlen(component));
    struct ps_log_limit_entry *entry = entry_find(limit, format, component_hash);
    evicted->held = 0;
    if (entry->format != format || entry->component_hash != component_hash) {
        if (entry->format != NULL && entry->held > 0)
            *evicted = *entry;
        *entry = (struct ps_log_limit_entry){
            .format = format, .component_hash = component_hash, .window_ns = mono_ns};
        limit->distinct++;
    } else if (window_over(entry, mono_ns)) {
        entry->window_ns = mono_ns;
        entry->lines = 0;
    }
    *entry_out = entry;
    if (entry->lines >= PS_LOG_LIMIT_LINES) {
        if (entry->held++ == 0)
            entry->held_first_ns = mono_ns;
        entry->held_last_ns = mono_ns;
        return false;
    }
    entry->lines++;
    *held = entry->held;
    entry->held = 0;
    return true;
}

void ps_log_limit_hold(struct ps_log_limit_entry *entry, int level, const char *component, const char *text)
{
    entry->level = level;
    snprintf(entry->component, sizeof entry->component, "%s", component);
    snprintf(entry->text, sizeof entry->text, "%s", text);
}

struct ps_log_limit_entry *ps_log_limit_owing(struct ps_log_limit *limit, uint64_t mono_ns, bool all)
{
    if (!all && mono_ns - limit->swept_ns < PS_LOG_LIMIT_WINDOW_NS)
        return NULL;
    for (unsigned i = 0; i < PS_LOG_LIMIT_ENTRIES; i++) {
        struct ps_log_limit_entry *entry = &limit->entries[i];
        if (entry->format != NULL && entry->held > 0 && (all || window_over(entry, mono_ns)))
            return entry;
    }
    limit->swept_ns = mono_ns; /* no entry is left: searches again one window later */
    return NULL;
}
