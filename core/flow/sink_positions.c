#include "core/flow/sink_positions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "positions of a source"

struct entry {
    struct entry *next;
    char *owner, *text;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;

static char *take(const char *owner)
{
    for (struct entry **at = &entries; *at != NULL; at = &(*at)->next) {
        struct entry *entry = *at;
        if (strcmp(entry->owner, owner) != 0)
            continue;
        char *text = entry->text;
        *at = entry->next;
        free(entry->owner);
        free(entry);
        return text;
    }
    return NULL;
}

void ps_sink_positions_leave(const char *owner, const char *text)
{
    struct entry *entry = ps_must_alloc(1, sizeof *entry, PURPOSE);
    entry->owner = ps_must_copy_text(owner, PURPOSE);
    entry->text = ps_must_copy_text(text, PURPOSE);
    pthread_mutex_lock(&lock);
    char *before = take(owner);
    entry->next = entries;
    entries = entry;
    pthread_mutex_unlock(&lock);
    free(before);
}

char *ps_sink_positions_take(const char *owner)
{
    pthread_mutex_lock(&lock);
    char *text = take(owner);
    pthread_mutex_unlock(&lock);
    return text;
}
