/* The part of the sender (kafka/produce/sender.h) for brokers that do not answer: the client retries temporary failures
 * without reporting them, so this part logs it when nothing was delivered for 10 s. */
#include "stages/lib/kafka/produce/sender.h"
#include "core/quantity.h"
#include "stages/lib/least.h"

#define STALL_NS (10 * PS_NS_PER_S)       /* time without a report until the first warning */
#define STALL_AGAIN_NS (60 * PS_NS_PER_S) /* time between further warnings */
#define LOOK_NS PS_NS_PER_S /* until the next tick, which publishes the age of the oldest event */

static void warn_of_stall(struct ps_kafka_sender *sender)
{
    uint64_t silent_ns = sender->now.mono_ns - sender->progress_ns;
    sender->warned_ns = sender->now.mono_ns;
    sender->troubled = true;
    /* where no broker is reached, nothing is known of the topic */
    const char *advice = sender->lost ? sender->last_lost
                         : sender->last_error[0] != '\0'
                             ? sender->last_error
                             : "check that the topic exists, that its partitions have leaders and "
                               "enough replicas in sync (min.insync.replicas), and that this "
                               "client may write";
    uint64_t submitted = sender->window.held.in_flight - ps_kafka_letters_waiting(&sender->letters),
             waiting = submitted + ps_held_waiting(&sender->window.held);
    if (submitted > 0)
        ps_log(ps_port_outage_level(sender->port, PS_LOG_WARN), sender->port->component,
               "nothing was delivered for %s; %s events wait for an answer, the last of them to topic %s: %s",
               ps_quantity_print_ns(silent_ns).text, ps_quantity_print_count(waiting).text, sender->run.topic,
               advice);
    else
        ps_log(ps_port_outage_level(sender->port, PS_LOG_WARN), sender->port->component,
               "nothing was delivered for %s; an event waits until the cluster says whether topic %s has the "
               "partition that the event chose: %s",
               ps_quantity_print_ns(silent_ns).text, sender->run.topic, advice);
    struct ps_err err = {0};
    ps_err_set(&err, "nothing was delivered for %s: %s", ps_quantity_print_ns(silent_ns).text, advice);
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
        sender->progress_ns = sender->warned_ns = now_ns;
        /* A trouble that was reported after the last delivery (a delay by a quota, a missing producer id) is not the cause of a later
         * silence. The sender keeps the report in two cases: a commit that is under way names it, and the engine does not soon report a
         * broken connection again. */
        if (sender->window.held.count == 0 && !sender->broken)
            sender->last_error[0] = '\0';
        return PS_NEVER;
    }
    bool first = sender->warned_ns == sender->progress_ns;
    if (now_ns >= sender->warned_ns + (first ? STALL_NS : STALL_AGAIN_NS))
        warn_of_stall(sender);
    return now_ns + LOOK_NS;
}
