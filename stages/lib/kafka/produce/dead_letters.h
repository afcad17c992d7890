/* The dead letters of a Kafka sink (penstock.deadletter): events that can never become a record, that a broker
 * refuses for good, or whose attempts are used up. While its letter waits to be written, an event counts as in
 * flight, like a record that waits for its report; when the letter is written, the event is settled.
 *
 * Thread: the sink's worker. Only letters allocate memory. */
#pragma once

#include "core/stage.h"

/* Nanoseconds until the next try when there was no room for a letter. */
#define PS_KAFKA_LETTERS_LOOK_NS (10 * PS_NS_PER_MS)
#define PS_KAFKA_LETTERS_MAX 1024U /* maximum number of waiting letters; a power of two */

struct ps_kafka_sender;

struct ps_kafka_letters {
    struct {
        void *token;
        uint64_t number;
    } waiting[PS_KAFKA_LETTERS_MAX]; /* a ring */
    uint64_t put_count, done_count;

    /* An event that a broker refused: its letter is made when the event would be sent again. NULL: no such
     * event. */
    void *condemned;
    const char *condemned_code; /* reason code of its letter; static */
    char condemned_text[1024];

    /* A lease whose attempts are used up (penstock.retry.max): all its unsettled events get letters. NULL: no
     * such lease. */
    const struct ps_lease *exhausted;
    char exhausted_text[1024];
    uint32_t exhausted_attempts;
    uint32_t failures; /* failed requests since the last delivery; they count for the oldest lease */
};

/* Returns the number of events in flight that are letters, not records. */
static inline uint64_t ps_kafka_letters_waiting(const struct ps_kafka_letters *letters)
{
    return letters->put_count - letters->done_count;
}

/* Returns whether this sink has dead letters. */
bool ps_kafka_letters_has(const struct ps_kafka_sender *sender);

/* Gives up the next event of the lease that is being sent. Returns false if there is no room: the sender must
 * stop, and call this again later. */
bool ps_kafka_letters_give_up(struct ps_kafka_sender *sender, struct ps_lease *lease,
                              const struct ps_dead_letter_reason *reason);

/* Called when a broker refused the event of this token, which was alone in its request: the event is given up when it
 * would be sent again. */
void ps_kafka_letters_condemn(struct ps_kafka_sender *sender, void *token, const char *why);

/* Called when a request failed for a temporary reason: counts the failure, and gives up the oldest lease if the
 * lease's attempts are used up. */
void ps_kafka_letters_failed(struct ps_kafka_sender *sender, const char *why);

/* Gives up the next event if it is condemned, or the lease's events if the lease's attempts are used up. If a
 * later event is condemned, lowers *end to that event's position. Returns false if there is no room for a
 * letter. */
bool ps_kafka_letters_pass(struct ps_kafka_sender *sender, struct ps_lease *lease, uint32_t *end);

/* Settles the events whose letters are written. Called at every tick. */
void ps_kafka_letters_collect(struct ps_kafka_sender *sender);

/* Called when the lease goes home, after which another lease may have its address. Its condemned event may have been settled for
 * another reason: with all events of the lease, whose attempts were used up, or whose partitions another member has. */
void ps_kafka_letters_forget(struct ps_kafka_letters *letters, const struct ps_lease *lease);

/* Called at a recall: events whose letters are not written yet return to the channel. */
void ps_kafka_letters_abandon(struct ps_kafka_sender *sender);
