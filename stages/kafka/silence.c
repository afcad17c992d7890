/* The half of the sender (kafka/sender.h) that deals with brokers that do not answer.
 *
 * librdkafka retries what passes by itself without a word: when nothing is delivered for long, the log says
 * so. And while an answer is awaited, librdkafka 2.0.2 spins if more is ready to be sent than may be in
 * flight (docs/decisions/0004-waves.md): after some seconds without any report the partitions are held,
 * which lets its thread sleep. They are let go with the next report or broken connection, and for a moment
 * every few seconds in case neither is heard of. After a broken connection nothing is held until something
 * was delivered: without one the library does not spin, and must not be kept from sending again. */
#include "stages/kafka/sender.h"

#include <inttypes.h>

#define STALL_NS (10 * PS_NS_PER_S)       /* without a report: the log says so, .. */
#define STALL_AGAIN_NS (60 * PS_NS_PER_S) /* .. and again after so long */
#define HOLD_AFTER_NS (5 * PS_NS_PER_S)   /* what a change of leaders takes must not be made longer */
#define HELD_NS (4 * PS_NS_PER_S)         /* then the partitions are let go .. */
#define LET_GO_NS                                                                                            \
    (1100 * PS_NS_PER_MS) /* .. for so long: the library's threads look at least once a second */

void ps_kafka_sender_break_silence(struct ps_kafka_sender *sender)
{
    if (PS_LIKELY(!sender->held))
        return;
    sender->held = false;
    sender->hold_ns = sender->now.mono_ns + HOLD_AFTER_NS;
    sender->plan->engine->hold(sender->producer, false);
}

static void hold_or_let_go(struct ps_kafka_sender *sender)
{
    uint64_t now_ns = sender->now.mono_ns;
    if (sender->phase != PS_KAFKA_SENDING || (sender->broken && !sender->held) ||
        now_ns < sender->progress_ns + HOLD_AFTER_NS || now_ns < sender->hold_ns)
        return;
    sender->held = !sender->held;
    sender->hold_ns = now_ns + (sender->held ? HELD_NS : LET_GO_NS);
    sender->plan->engine->hold(sender->producer, sender->held);
}

static void warn_of_silence(struct ps_kafka_sender *sender)
{
    uint64_t now_ns = sender->now.mono_ns;
    bool first = sender->warned_ns == sender->progress_ns;
    if (now_ns < sender->warned_ns + (first ? STALL_NS : STALL_AGAIN_NS))
        return;
    sender->warned_ns = now_ns;
    sender->troubled = true;
    ps_log(PS_LOG_WARN, sender->port->component,
           "nothing was delivered for %" PRIu64 " s, %" PRIu64
           " events wait for an answer, last sent to topic %s: does it exist, do its partitions have leaders "
           "and "
           "enough replicas in sync (min.insync.replicas), may this client write to it?",
           (now_ns - sender->progress_ns) / PS_NS_PER_S, sender->window.in_flight, sender->run_topic);
}

uint64_t ps_kafka_sender_look_at_silence(struct ps_kafka_sender *sender)
{
    uint64_t now_ns = sender->now.mono_ns;
    if (sender->window.in_flight == 0) {
        ps_kafka_sender_break_silence(sender);
        sender->progress_ns = sender->warned_ns = now_ns;
        return PS_NEVER;
    }
    hold_or_let_go(sender);
    warn_of_silence(sender);
    uint64_t silent_ns = sender->progress_ns + HOLD_AFTER_NS;
    return sender->hold_ns > silent_ns ? sender->hold_ns
           : silent_ns > now_ns        ? silent_ns
                                       : now_ns + LET_GO_NS;
}
