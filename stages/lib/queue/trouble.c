/* What keeps a durable queue from its work now: why its store cannot be written or read, as a text for people, and when the next try is. */
#include "stages/lib/queue/queue_internal.h"

#include <string.h>

#include "core/backoff.h"
#include "core/quantity.h"

/* A frame longer than this part of the memory budget may never get memory. Sources accept events up to a sixteenth of
 * the budget, so such an event was accepted when the budget was larger. */
#define LONG_PART 8U

/* ---- writing ---- */

void ps_queue_set_trouble(struct ps_queue *queue, const char *text)
{
    char same[512], tries[PS_LOG_BACKOFF_BYTES];
    uint64_t now = ps_clock_now().mono_ns;
    pthread_mutex_lock(&queue->told.lock);
    if (queue->told.trouble[0] == '\0')
        queue->told.said.tries = 0;
    bool says = ps_log_backoff_says(&queue->told.said, ps_log_backoff_key(same, sizeof same, text), now);
    ps_log_backoff_text(&queue->told.said, now, tries);
    snprintf(queue->told.trouble, sizeof queue->told.trouble, "%s", text);
    pthread_mutex_unlock(&queue->told.lock);
    if (says)
        ps_log(PS_LOG_ERROR, queue->settings.component, "%s%s", text, tries);
}

void ps_queue_set_writable(struct ps_queue *queue)
{
    bool writable = queue->store != NULL && !queue->broken && !queue->crowded;
    if (queue->writable == writable)
        return;
    __atomic_store_n(&queue->writable, writable, __ATOMIC_RELAXED);
    if (!writable)
        return;
    pthread_mutex_lock(&queue->told.lock);
    bool was = queue->told.trouble[0] != '\0';
    queue->told.trouble[0] = '\0';
    pthread_mutex_unlock(&queue->told.lock);
    if (was)
        ps_log(PS_LOG_INFO, queue->settings.component, "%s", queue->settings.store->works_again);
    for (unsigned i = 0; i < queue->settings.producers; i++)
        (void)ps_alarm_ring(&queue->producers[i].alarm);
}

uint64_t ps_queue_next_retry_ns(struct ps_queue *queue)
{
    const struct ps_store_ops *ops = queue->settings.store;
    queue->due.retry_wait_ns = ps_backoff_next(queue->due.retry_wait_ns, ops->retry_ns, ops->retry_max_ns);
    queue->due.retry_ns = ps_clock_now().mono_ns + queue->due.retry_wait_ns;
    return ops->retry_max_ns;
}

void ps_queue_store_failed(struct ps_queue *queue, const struct ps_err *err)
{
    char text[512];
    snprintf(text, sizeof text,
             "%.380s: the channel acknowledges no events until its storage works again; trying every %s",
             err->text, ps_quantity_print_ns(ps_queue_next_retry_ns(queue)).text);
    queue->broken = true;
    ps_queue_set_writable(queue); /* before other threads can read the reason */
    ps_queue_set_trouble(queue, text);
}

/* ---- reading ---- */

bool ps_queue_is_too_long(const struct ps_store_frame *frame, const struct ps_depot *depot,
                          struct ps_err *err)
{
    uint64_t budget_bytes = ps_depot_budget_bytes(depot);
    if (frame->length <= budget_bytes / LONG_PART)
        return false;
    (void)ps_err_set(err,
                     "an event of %s needs more memory than the budget allows, and the events after it wait: "
                     "raise penstock.memory.budget, which is %s, to at least %u times the size of the event",
                     ps_quantity_print_bytes(frame->length).text, ps_quantity_print_bytes(budget_bytes).text,
                     2 * LONG_PART);
    return true;
}

void ps_queue_note_unreadable(struct ps_queue *queue, char text[512], const char *reason)
{
    char fresh[512] = "";
    if (reason != NULL)
        snprintf(fresh, sizeof fresh, "%.420s; trying again every %s", reason,
                 ps_quantity_print_ns(queue->settings.store->retry_ns).text);
    if (strcmp(text, fresh) == 0) /* only this thread writes `text` */
        return;
    pthread_mutex_lock(&queue->told.lock);
    memcpy(text, fresh, sizeof fresh);
    pthread_mutex_unlock(&queue->told.lock);
    ps_log(reason != NULL ? PS_LOG_ERROR : PS_LOG_INFO, queue->settings.component, "%s",
           reason != NULL ? fresh : queue->settings.store->reads_again);
}

/* Returns the reason for trouble, or NULL. Called with the lock held. */
static const char *trouble_of(const struct ps_queue *queue)
{
    if (queue->told.trouble[0] != '\0')
        return queue->told.trouble;
    for (unsigned i = 0; i < queue->settings.consumers; i++) {
        if (queue->consumers[i].unreadable[0] != '\0')
            return queue->consumers[i].unreadable;
    }
    if (queue->told.unreadable[0] != '\0')
        return queue->told.unreadable;
    return ps_mark_read(&queue->opened) != 0 ? queue->told.held
                                             : "it is being opened: it first reads the events that it holds";
}

bool ps_queue_trouble(struct ps_queue *queue, char *text, size_t room)
{
    pthread_mutex_lock(&queue->told.lock);
    const char *trouble = trouble_of(queue);
    bool any = trouble[0] != '\0';
    if (any)
        snprintf(text, room, "%s", trouble);
    pthread_mutex_unlock(&queue->told.lock);
    return any;
}
