#include "stages/lib/kafka/produce/dead_letters.h"

#include <stdio.h>

#include "core/quantity.h"
#include "stages/lib/kafka/produce/sender.h"

#define SLOT(number) ((number) & (PS_KAFKA_LETTERS_MAX - 1))

bool ps_kafka_letters_has(const struct ps_kafka_sender *sender)
{
    return ps_port_has_deadletter(sender->port);
}

bool ps_kafka_letters_give_up(struct ps_kafka_sender *sender, struct ps_lease *lease,
                              const struct ps_dead_letter_reason *reason)
{
    struct ps_kafka_letters *letters = &sender->letters;
    struct ps_held *held = &sender->window.held;
    const struct ps_event *event = ps_lease_event(lease, held->position);
    uint64_t number = 0;
    if (ps_lease_is_settled(lease, held->position)) {
        held->position++;
        return true;
    }
    if (ps_kafka_letters_waiting(letters) < PS_KAFKA_LETTERS_MAX)
        number = ps_port_deadletter(sender->port, lease->batch, event, reason);
    if (number == 0) {
        sender->resume_ns = sender->now.mono_ns + PS_KAFKA_LETTERS_LOOK_NS;
        return false;
    }
    void *token = ps_kafka_token(lease, held->position);
    letters->waiting[SLOT(letters->put_count)].token = token;
    letters->waiting[SLOT(letters->put_count++)].number = number;
    ps_held_cut_to(held, held->position + 1, 1);
    ps_log(PS_LOG_WARN, sender->port->component, "an event of %s bytes goes to the dead letters: %s (%s)",
           ps_quantity_print_count(event->body_length).text, reason->code, reason->text);
    return true;
}

void ps_kafka_letters_condemn(struct ps_kafka_sender *sender, void *token, const char *why)
{
    struct ps_kafka_letters *letters = &sender->letters;
    const struct ps_kafka_cause *cause = &sender->cause;
    letters->condemned = token;
    letters->condemned_code = cause->error->outcome == PS_KAFKA_SPLIT ? "record-too-large" : "record-refused";
    char place[PS_KAFKA_PLACE_BYTES];
    snprintf(letters->condemned_text, sizeof letters->condemned_text, "%s: %s (%s)",
             ps_kafka_cause_place(cause, place), why, cause->error->name);
}

void ps_kafka_letters_failed(struct ps_kafka_sender *sender, const char *why)
{
    struct ps_kafka_letters *letters = &sender->letters;
    if (sender->port->retry_max == 0 || !ps_kafka_letters_has(sender) || sender->window.held.first == NULL ||
        ++letters->failures < sender->port->retry_max)
        return;
    /* the oldest lease with unsettled events; in transactions only a commit settles, but they know which lease failed */
    letters->exhausted =
        sender->transaction.suspect != NULL ? sender->transaction.suspect : sender->window.held.first;
    while (letters->exhausted->settled == letters->exhausted->count) {
        if (letters->exhausted->next == NULL) {
            letters->exhausted = NULL;
            return;
        }
        letters->exhausted = letters->exhausted->next;
    }
    letters->exhausted_attempts = letters->failures;
    letters->failures = 0;
    snprintf(letters->exhausted_text, sizeof letters->exhausted_text, "%s", why);
    ps_log(
        PS_LOG_ERROR, sender->port->component,
        "%s %s to the dead letters after %u %s (penstock.retry.max): %s",
        ps_quantity_print_count(letters->exhausted->count - letters->exhausted->settled).text,
        ps_quantity_word(letters->exhausted->count - letters->exhausted->settled, "event goes", "events go"),
        letters->exhausted_attempts, ps_quantity_word(letters->exhausted_attempts, "attempt", "attempts"),
        why);
}

/* Gives up the remaining events of a lease whose attempts are used up. */
static bool pass_exhausted(struct ps_kafka_sender *sender, struct ps_lease *lease)
{
    struct ps_kafka_letters *letters = &sender->letters;
    const struct ps_dead_letter_reason reason = {"attempts-exhausted", letters->exhausted_text,
                                                 letters->exhausted_attempts};
    struct ps_held *held = &sender->window.held;
    while (held->position < lease->count) {
        if (ps_lease_is_settled(lease, held->position))
            held->position++;
        else if (!ps_kafka_letters_give_up(sender, lease, &reason))
            return false;
    }
    letters->exhausted = NULL;
    return true;
}

bool ps_kafka_letters_pass(struct ps_kafka_sender *sender, struct ps_lease *lease, uint32_t *end)
{
    struct ps_kafka_letters *letters = &sender->letters;
    if (letters->exhausted == lease)
        return pass_exhausted(sender, lease);
    if (letters->condemned == NULL || ps_kafka_token_lease(letters->condemned) != lease)
        return true;
    uint32_t position = ps_kafka_token_position(letters->condemned);
    if (sender->window.held.position == position) {
        const struct ps_dead_letter_reason reason = {letters->condemned_code, letters->condemned_text, 1};
        if (!ps_kafka_letters_give_up(sender, lease, &reason))
            return false;
        letters->condemned = NULL;
    } else if (position < *end) {
        *end = position;
    }
    return true;
}

void ps_kafka_letters_collect(struct ps_kafka_sender *sender)
{
    struct ps_kafka_letters *letters = &sender->letters;
    if (PS_LIKELY(letters->done_count == letters->put_count))
        return;
    uint64_t written = ps_port_deadletter_written(sender->port);
    while (letters->done_count < letters->put_count &&
           letters->waiting[SLOT(letters->done_count)].number <= written) {
        void *token = letters->waiting[SLOT(letters->done_count++)].token;
        ps_kafka_window_report(&sender->window, &token, 1, true);
        ps_kafka_token_lease(token)->dead++;
        sender->progress_ns = sender->warned_ns = sender->now.mono_ns;
        ps_kafka_sender_check_fence(sender);
    }
}

void ps_kafka_letters_forget(struct ps_kafka_letters *letters, const struct ps_lease *lease)
{
    if (letters->condemned != NULL && ps_kafka_token_lease(letters->condemned) == lease)
        letters->condemned = NULL;
    if (letters->exhausted == lease)
        letters->exhausted = NULL;
}

void ps_kafka_letters_abandon(struct ps_kafka_sender *sender)
{
    struct ps_kafka_letters *letters = &sender->letters;
    ps_kafka_letters_collect(sender);
    for (; letters->done_count < letters->put_count; letters->done_count++) {
        void *token = letters->waiting[SLOT(letters->done_count)].token;
        ps_kafka_window_report(&sender->window, &token, 1, false);
    }
    letters->condemned = NULL;
    letters->exhausted = NULL;
    letters->failures = 0;
}
