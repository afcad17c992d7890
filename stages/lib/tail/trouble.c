#include "stages/lib/tail/trouble.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct ps_tail_trouble {
    pthread_mutex_t lock;
    char reasons[PS_TAIL_TROUBLE_KINDS][1024]; /* an empty text: no trouble */
};

struct ps_tail_trouble *ps_tail_trouble_create(void)
{
    struct ps_tail_trouble *trouble = ps_must_alloc(1, sizeof *trouble, "positions");
    pthread_mutex_init(&trouble->lock, NULL);
    return trouble;
}

void ps_tail_trouble_destroy(struct ps_tail_trouble *trouble)
{
    if (trouble == NULL)
        return;
    pthread_mutex_destroy(&trouble->lock);
    free(trouble);
}

void ps_tail_trouble_set(struct ps_tail_trouble *trouble, enum ps_tail_trouble_kind kind, const char *reason)
{
    pthread_mutex_lock(&trouble->lock);
    snprintf(trouble->reasons[kind], sizeof trouble->reasons[kind], "%s", reason != NULL ? reason : "");
    pthread_mutex_unlock(&trouble->lock);
}

bool ps_tail_trouble_get(struct ps_tail_trouble *trouble, char *text, size_t room)
{
    pthread_mutex_lock(&trouble->lock);
    bool any = false;
    for (unsigned i = 0; i < PS_TAIL_TROUBLE_KINDS && !any; i++) {
        any = trouble->reasons[i][0] != '\0';
        if (any)
            snprintf(text, room, "%s", trouble->reasons[i]);
    }
    pthread_mutex_unlock(&trouble->lock);
    return any;
}
