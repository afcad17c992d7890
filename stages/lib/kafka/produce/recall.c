/* A recall of a sender with transactions: the open transaction is committed if that is possible soon, else aborted. */
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/produce/sender.h"

/* limit of a recall whose last commit may have been carried out, if nobody finds that out before the events are delivered again */
#define UNKNOWN_PATIENCE_NS (30 * PS_NS_PER_S)
#define ABORT_PATIENCE_NS PS_NS_PER_S /* limit of the wait of a recall for the end of the open transaction */

/* Returns whether the outcome of the last commit is found out before the leases are delivered again: in the topic of positions, by the next
 * producer of any sink that gets them, or, when the agent stops, in the group, by the source that reads them again. */
static bool is_found_out_later(const struct ps_kafka_sender *sender)
{
    return sender->plan->transaction.positions_topic != NULL || sender->port->ends;
}

bool ps_kafka_transaction_holds_recall(struct ps_kafka_sender *sender, bool patient, uint64_t since_ns)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    transaction->hurry = true;
    if (!patient && transaction->phase == PS_KAFKA_TRANSACTION_COMMITTING &&
        ps_kafka_native_withdraw(sender->producer))
        transaction->phase = PS_KAFKA_TRANSACTION_FILLING;
    if (transaction->phase >= PS_KAFKA_TRANSACTION_COMMITTING) {
        bool later = is_found_out_later(sender);
        if (later ? patient : since_ns < UNKNOWN_PATIENCE_NS)
            return true;
        if (!later)
            ps_log(
                PS_LOG_WARN, sender->port->component,
                "it is not known whether the transaction %s was committed: its events may be delivered again",
                transaction->id);
    }
    return patient && sender->window.held.count > 0 && sender->phase == PS_KAFKA_SENDING && !sender->fatal &&
           sender->cause.error == NULL;
}

bool ps_kafka_transaction_is_aborted(struct ps_kafka_sender *sender)
{
    struct ps_kafka_transaction *transaction = &sender->transaction;
    if (!transaction->open)
        return true;
    if (sender->made_ns == 0 && sender->producer != NULL && !ps_kafka_native_had_id(sender->producer)) {
        transaction->open = false; /* the cluster has never opened it */
        return true;
    }
    if (transaction->abort_until_ns == 0)
        transaction->abort_until_ns = sender->now.mono_ns + ABORT_PATIENCE_NS;
    if (sender->producer != NULL && !sender->fatal && ps_kafka_native_abort(sender->producer)) {
        transaction->open = false;
        ps_count(sender->port->counters,
                 (enum ps_counter)(PS_COUNTER_extra + PS_KAFKA_GAUGE_transactions_aborted), 1);
    } else if (sender->now.mono_ns < transaction->abort_until_ns) {
        return false;
    } else {
        ps_log(PS_LOG_WARN, sender->port->component,
               "the transaction %s could not be aborted, because its coordinator does not answer: readers of "
               "committed records wait for its end until penstock.transaction.timeout is over",
               transaction->id);
    }
    transaction->abort_until_ns = 0;
    return true;
}
