/* The part of the sender (kafka/produce/sender.h) for brokers that do not answer.
 *
 * librdkafka retries temporary failures without reporting them: when nothing was delivered for 10 s, this
 * part logs it. While librdkafka 2.0.2 waits for an answer, it spins if more records are ready to be sent
 * than may be in flight (docs/decisions/0004-waves.md). So after 5 s without a report the partitions are
 * held, which lets its thread sleep. The next report or broken connection releases the partitions. If neither
 * comes, the partitions are released for 1.1 s after each hold, and the library spins in that time; holds
 * become longer. After a broken connection no partition is held until a record was delivered: without a
 * connection the library does not spin, and a hold would prevent it from resending. */
#include "stages/lib/kafka/produce/sender.h"
#include "core/backoff.h"
#include "core/quantity.h"

#include <inttypes.h>

#define STALL_NS (10 * PS_NS_PER_S)       /* time without a report until the first warning */
#define STALL_AGAIN_NS (60 * PS_NS_PER_S) /* time between further warnings */
/* longer than a change of leaders takes, which a hold must not delay */
#define HOLD_AFTER_NS (5 * PS_NS_PER_S)
#define HELD_MIN_NS (4 * PS_NS_PER_S) /* duration of the first hold; it doubles until a record is delivered */
/* long enough for an unanswered request to time out and break its connection */
#define HELD_MAX_NS (32 * PS_NS_PER_S)
#define RELEASED_NS (1100 * PS_NS_PER_MS) /* between two holds: the library's threads check once a second */

void ps_kafka_sender_release_hold(struct ps_kafka_sender *sender)
{
    if (PS_LIKELY(!sender->hold.held))
        return;
    sender->hold.held = false;
    sender->hold.due_ns = sender->now.mono_ns + HOLD_AFTER_NS;
    sender->plan->engine->hold(sender->producer, false);
}

static void toggle_hold(struct ps_kafka_sender *sender)
{
    uint64_t now_ns = sender->now.mono_ns;
    if (sender->plan->engine->hold == NULL || sender->phase != PS_KAFKA_SENDING ||
        (sender->broken && !sender->hold.held) || now_ns < sender->progress_ns + HOLD_AFTER_NS ||
        now_ns < sender->hold.due_ns)
        return;
    if (sender->hold.progress_ns != sender->progress_ns) {
        sender->hold.progress_ns = sender->progress_ns;
        sender->hold.held_ns = 0;
    }
    sender->hold.held = !sender->hold.held;
    if (sender->hold.held)
        sender->hold.held_ns = ps_backoff_next(sender->hold.held_ns, HELD_MIN_NS, HELD_MAX_NS);
    sender->hold.due_ns = now_ns + (sender->hold.held ? sender->hold.held_ns : RELEASED_NS);
    sender->plan->engine->hold(sender->producer, sender->hold.held);
}

static void warn_of_stall(struct ps_kafka_sender *sender)
{
    uint64_t now_ns = sender->now.mono_ns;
    bool first = sender->warned_ns == sender->progress_ns;
    if (now_ns < sender->warned_ns + (first ? STALL_NS : STALL_AGAIN_NS))
        return;
    sender->warned_ns = now_ns;
    sender->troubled = true;
    /* where no broker is reached, nothing is known of the topic */
    const char *advice = sender->lost ? sender->last_lost
                         : sender->last_error[0] != '\0'
                             ? sender->last_error
                             : "check that the topic exists, that its partitions have leaders and "
                               "enough replicas in sync (min.insync.replicas), and that this "
                               "client may write";
    uint64_t waiting = sender->window.held.in_flight - ps_kafka_letters_waiting(&sender->letters);
    if (waiting > 0)
        ps_log(ps_port_outage_level(sender->port, PS_LOG_WARN), sender->port->component,
               "nothing was delivered for %s; %s events wait for an answer, the last of them to topic %s: %s",
               ps_quantity_print_ns(now_ns - sender->progress_ns).text, ps_quantity_print_count(waiting).text,
               sender->run.topic, advice);
    else
        ps_log(ps_port_outage_level(sender->port, PS_LOG_WARN), sender->port->component,
               "nothing was delivered for %s; an event waits until the cluster says whether topic %s has the "
               "partition that the event chose: %s",
               ps_quantity_print_ns(now_ns - sender->progress_ns).text, sender->run.topic, advice);
    struct ps_err err = {0};
    ps_err_set(
        &err, "nothing was delivered for %s: %s", ps_quantity_print_ns(now_ns - sender->progress_ns).text,
        sender->last_error[0] != '\0'
            ? sender->last_error
            : "check that the topic exists, has leaders and enough replicas in sync, and may be written");
    ps_port_troubled(sender->port, &err);
}

/* Returns whether an event waits until the cluster has described its topic (kafka/produce/chosen.h). */
static bool asks(const struct ps_kafka_sender *sender)
{
    return sender->window.held.count > 0 && sender->asked_ns != 0 &&
           sender->now.mono_ns < sender->asked_ns + PS_NS_PER_S;
}

uint64_t ps_kafka_sender_check_silence(struct ps_kafka_sender *sender)
{
    uint64_t now_ns = sender->now.mono_ns;
    if (sender->window.held.in_flight == ps_kafka_letters_waiting(&sender->letters) &&
        !asks(sender)) { /* no record waits for a broker's answer */
        ps_kafka_sender_release_hold(sender);
        sender->progress_ns = sender->warned_ns = now_ns;
        /* A trouble that was reported after the last delivery (a delay by a quota, a missing producer id) is not the cause of a later
         * silence. The sender keeps the report in two cases: a commit that is under way names it, and the engine does not soon report a
         * broken connection again. */
        if (sender->window.held.count == 0 && !sender->broken)
            sender->last_error[0] = '\0';
        return PS_NEVER;
    }
    toggle_hold(sender);
    warn_of_stall(sender);
    uint64_t silent_ns = sender->progress_ns + HOLD_AFTER_NS;
    uint64_t next_ns = sender->hold.due_ns > silent_ns ? sender->hold.due_ns : silent_ns;
    return next_ns > now_ns ? next_ns
                            /* next_ns is in the past: no partition is held while the connection is broken */
                            : now_ns + RELEASED_NS;
}
