#include "stages/lib/kafka/produce/sender.h"

#include "core/watch/histogram.h"
#include "stages/lib/least.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_RECORDS 8192U /* reports handled per tick */
/* These limits replace PS_KAFKA_PATIENCE_NS during a recall, because another sink may be waiting for the
 * leases. The second limit applies if no record was delivered for PS_KAFKA_PATIENCE_NS, so that an answer is
 * not likely. */
#define RECALL_PATIENCE_NS (PS_NS_PER_S)
#define RECALL_SILENT_PATIENCE_NS (100 * PS_NS_PER_MS)
#define PURGE_EVERY_NS (50 * PS_NS_PER_MS)
#define SMALL_REQUEST_BYTES (16U * 1024U) /* a learned request limit is not set below this */
/* Shortest time between two polls of an idle sender. A notice that comes earlier waits for the next poll. */
#define IDLE_POLL_NS (10 * PS_NS_PER_MS)
#define IDLE_LOOK_NS (250 * PS_NS_PER_MS)
#define LOOK_NS (20 * PS_NS_PER_MS)

static void gauge(const struct ps_kafka_sender *sender, enum ps_kafka_gauge which, uint64_t value)
{
    ps_gauge_set(sender->port->counters, (enum ps_counter)(PS_COUNTER_extra + which), value);
}

/* ---- listening to the producer ---- */

/* The first record of a report came before the others. */
static void record_sending(const struct ps_kafka_sender *sender, const struct ps_kafka_report *report)
{
    struct ps_histogram *ages = sender->port->send_latency;
    uint64_t opened_ns = ps_kafka_token_lease(report->tokens[0])->batch->opened.mono_ns;
    if (ages != NULL && report->sent_ns != 0)
        ps_histogram_record(ages, report->sent_ns > opened_ns ? report->sent_ns - opened_ns : 0, 1);
}

static void on_report(void *argument, const struct ps_kafka_report *report)
{
    struct ps_kafka_sender *sender = argument;
    const struct ps_kafka_error *error = report->error == 0 ? NULL : ps_kafka_error_find(report->error);
    bool delivered = error == NULL || error->outcome == PS_KAFKA_DELIVERED;
    bool transactional = ps_kafka_sender_is_transactional(sender);
    if (PS_UNLIKELY(transactional && ps_kafka_positions_is_token(report->tokens[0]))) {
        ps_kafka_positions_reported(sender, report);
        return;
    }
    if (delivered)
        record_sending(sender, report);
    ps_kafka_window_report(&sender->window, report->tokens, report->count, delivered && !transactional);
    sender->full = false;
    if (PS_UNLIKELY(!delivered)) {
        ps_kafka_sender_failed(sender, report, error);
        return;
    }
    if (!transactional) { /* in transactions only a commit counts as progress */
        sender->rest_count = 0;
        sender->letters.failures = 0;
    }
    sender->broken = sender->lost = false;
    sender->reached = true;
    sender->last_error[0] = '\0';
    sender->progress_ns = sender->warned_ns = sender->now.mono_ns;
    ps_kafka_sender_check_fence(sender);
    if (transactional)
        ps_kafka_transaction_delivered(sender, report);
    if (sender->troubled) {
        sender->troubled = false;
        ps_log(PS_LOG_INFO, sender->port->component, "Kafka accepts events again");
    }
}

/* Handles a new measurement of the round trip to the brokers: whether they are far away. */
static void adapt_to_distance(struct ps_kafka_sender *sender, uint64_t round_trip_us)
{
    uint64_t learned = sender->config.request_bytes_max, request_bytes = sender->plan->request_bytes_max;
    if (round_trip_us == 0 || sender->plan->linger_ns == 0)
        return;
    if (learned != 0 && learned < request_bytes)
        request_bytes = learned;
    sender->window.far = round_trip_us * 1000 >= PS_KAFKA_FAR_NS;
    sender->plan->engine->fill_requests(sender->producer, sender->window.far ? request_bytes : 0);
}

static bool reaches(const struct ps_kafka_sender *sender)
{
    const struct ps_kafka_engine *engine = sender->plan->engine;
    return engine->reaches != NULL ? sender->producer != NULL && engine->reaches(sender->producer)
                                   : sender->reached;
}

/* Notes that no broker can be reached, or that the cluster refuses this producer. It is not an outage when one broker of several is
 * down. But a client that has not reached any broker yet gets only the errors of single ones while it tries them. */
static void note_lost(struct ps_kafka_sender *sender, const struct ps_kafka_notice *notice)
{
    const struct ps_kafka_error *error = ps_kafka_error_find(notice->code);
    bool refused = error->outcome == PS_KAFKA_WAIT;
    if (notice->code != PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN &&
        (reaches(sender) || (!refused && !ps_kafka_error_is_of_connection(notice->code))))
        return;
    sender->lost = true;
    snprintf(sender->last_lost, sizeof sender->last_lost, "%.200s; %.170s", notice->text,
             refused ? error->meaning : "check kafka.bootstrap.servers, the brokers and the network");
}

/* Reports whether the brokers can be reached, when it is known. The log has had the errors. */
static void report_reach(struct ps_kafka_sender *sender)
{
    if (sender->plan->engine->reaches != NULL && reaches(sender)) {
        sender->reached = true;
        sender->lost = false;
    }
    if (!sender->reached && !sender->lost)
        return;
    ps_port_lacks(sender->port,
                  !sender->lost     ? PS_LACK_NONE
                  : sender->reached ? PS_LACK_LOST
                                    : PS_LACK_NEVER,
                  sender->last_lost, PS_LOG_DEBUG);
}

static void on_notice(void *argument, const struct ps_kafka_notice *notice)
{
    struct ps_kafka_sender *sender = argument;
    const char *component = sender->port->component;
    switch (notice->kind) {
    case PS_KAFKA_NOTICE_FATAL:
        sender->fatal = true;
        sender->fatal_code = notice->code;
        /* a refused request (gapless) and a transaction that is aborted on purpose have a log line of their own */
        ps_log(notice->code == PS_KAFKA_LIBRARY_GAPLESS_GUARANTEE || sender->transaction.renews ? PS_LOG_DEBUG
                                                                                                : PS_LOG_WARN,
               component, "the Kafka producer cannot continue, a new one is made: %s", notice->text);
        break;
    case PS_KAFKA_NOTICE_ATTEMPT:
        ps_kafka_sender_attempted(sender, notice->code, notice->text);
        break;
    case PS_KAFKA_NOTICE_ERROR:
        if (ps_kafka_error_is_of_connection(notice->code)) {
            ps_count(sender->port->counters, PS_COUNTER_ConnectionFailedCount, 1);
            sender->troubled = sender->broken = true;
        }
        snprintf(sender->last_error, sizeof sender->last_error, "%s", notice->text);
        note_lost(sender, notice);
        ps_log(ps_port_outage_level(sender->port, PS_LOG_WARN), component,
               "%s (%s). Events wait, none is lost", notice->text,
               ps_kafka_error_find(notice->code)->meaning);
        break;
    case PS_KAFKA_NOTICE_STATISTICS:
        ps_kafka_statistics_take(&sender->statistics, notice->measured);
        if (notice->measured->reaches) {
            sender->reached = true;
            sender->lost = false;
        }
        adapt_to_distance(sender, notice->measured->round_trip_us);
        break;
    case PS_KAFKA_NOTICE_LOG: /* important lines also come as errors */
        ps_log(PS_LOG_DEBUG, component, "librdkafka: %s", notice->text);
        break;
    }
}

static void on_room(void *sender)
{
    ((struct ps_kafka_sender *)sender)->full = false;
}

/* Returns whether the sender waits for the reports of the submitted records, so that linger.ms would only
 * delay the sender: before a commit, in a drain or recall, after a failure, or in the search for a refused
 * record. */
static bool hurries(const struct ps_kafka_sender *sender)
{
    return sender->transaction.hurry || sender->recalling || sender->search.stepping ||
           sender->phase == PS_KAFKA_COLLECTING || sender->transaction.phase == PS_KAFKA_TRANSACTION_CLOSING;
}

/* Returns true if more reports or notices are ready now. */
static bool poll_producer(struct ps_kafka_sender *sender)
{
    if (sender->producer == NULL)
        return false;
    if (sender->plan->engine->hurry != NULL)
        sender->plan->engine->hurry(sender->producer, hurries(sender));
    const struct ps_kafka_listener listener = {
        .report = on_report,
        .notice = on_notice,
        .room = on_room,
        .ended = ps_kafka_transaction_ended,
        .argument = sender,
        .now = sender->now,
    };
    return sender->plan->engine->poll(sender->producer, &listener, POLL_RECORDS) >= POLL_RECORDS;
}

/* Lets an engine without threads send what was submitted. Returns the time at which the engine needs the next
 * call. */
static uint64_t send_submitted(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_engine *engine = sender->plan->engine;
    if (engine->due_ns == NULL || sender->producer == NULL)
        return PS_NEVER;
    (void)poll_producer(sender);
    return sender->producer != NULL ? engine->due_ns(sender->producer) : PS_NEVER;
}

/* ---- after a failure ---- */

/* Purges the records that were submitted and not reported: waiting ones immediately, sent ones after
 * give_up_ns. Purges again later, because the library may put requests back into its queue. */
static void purge_submitted(struct ps_kafka_sender *sender)
{
    /* a producer that has failed sends nothing, and reports what it has only when that is purged */
    if ((sender->patient && !sender->fatal) || sender->now.mono_ns < sender->purge_again_ns)
        return;
    sender->plan->engine->purge(sender->producer, sender->now.mono_ns >= sender->give_up_ns);
    sender->purge_again_ns = sender->now.mono_ns + PURGE_EVERY_NS;
}

static void ask_for_producer(struct ps_kafka_sender *sender)
{
    ps_kafka_client_factory_ask(sender->factory, &sender->config, sender->producer);
    sender->producer = NULL;
    sender->making = true;
    sender->phase = PS_KAFKA_RENEWING;
    ps_kafka_positions_renewed(sender);
    ps_kafka_statistics_renew(&sender->statistics);
}

/* Sends the events that are not settled, from the first one on. */
static void begin_again(struct ps_kafka_sender *sender)
{
    PS_ASSERT(sender->window.held.in_flight == 0); /* events in flight would be sent twice */
    ps_held_rewind(&sender->window.held);
    sender->search.reached = false;
    sender->full = sender->keeps_producer = false;
    sender->phase = PS_KAFKA_SENDING;
}

/* Takes the producer that was asked for. Returns whether the sender has a producer now. */
static bool take_producer(struct ps_kafka_sender *sender)
{
    struct ps_err err = {0};
    if (sender->producer != NULL)
        return true;
    if (!ps_kafka_client_factory_reply(sender->factory, &sender->producer, &err))
        return false;
    sender->making = false;
    sender->made_ns = sender->now.mono_ns;
    if (sender->producer == NULL) {
        ps_log(PS_LOG_ERROR, sender->port->component, "no Kafka producer: %s", err.text);
        sender->resume_ns = sender->now.mono_ns + ps_kafka_sender_rest_ns(sender);
        sender->phase = PS_KAFKA_STALE;
        return false;
    }
    ps_count(sender->port->counters, PS_COUNTER_ConnectionCreatedCount, 1);
    ps_count(sender->port->counters, (enum ps_counter)(PS_COUNTER_extra + PS_KAFKA_GAUGE_producers_made), 1);
    return true;
}

static void await_producer(struct ps_kafka_sender *sender)
{
    if (!take_producer(sender) || sender->now.mono_ns < sender->resume_ns)
        return;
    /* the new producer failed while it found out how the last commit ended */
    if (sender->fatal && ps_kafka_sender_is_transactional(sender)) {
        sender->fatal = false;
        sender->resume_ns = sender->now.mono_ns + ps_kafka_sender_rest_ns(sender);
        ask_for_producer(sender);
        return;
    }
    if (ps_kafka_sender_is_transactional(sender) && !ps_kafka_transaction_restarts(sender))
        return;
    begin_again(sender);
}

/* Returns to large requests, because the event that was searched for is delivered. A request size that a topic
 * refused as too large stays the limit, but not below SMALL_REQUEST_BYTES. */
static void stop_stepping(struct ps_kafka_sender *sender)
{
    uint64_t learned = sender->search.step_bytes;
    uint64_t before = ps_kafka_sender_request_bytes_max(sender);
    ps_kafka_sender_end_search(sender);
    if (learned == 0)
        return;
    learned = learned < SMALL_REQUEST_BYTES ? SMALL_REQUEST_BYTES : learned;
    if (learned < before) {
        sender->config.request_bytes_max = learned;
        ask_for_producer(sender);
    }
}

/* Returns whether the failure is only about a place that an event chose: the producer is in order. */
static bool is_of_a_place(const struct ps_kafka_sender *sender)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    return !sender->fatal && cause->error != NULL && cause->first_token != NULL &&
           sender->plan->engine->heard != NULL && !ps_kafka_sender_is_transactional(sender) &&
           ps_kafka_chose(sender, cause->first_token, cause->error->code);
}

static void send_or_collect(struct ps_kafka_sender *sender)
{
    if (sender->fatal || sender->cause.error != NULL) {
        ps_kafka_sender_collect(sender, PS_KAFKA_PATIENCE_NS);
        sender->patient = sender->keeps_producer = is_of_a_place(sender);
        return;
    }
    if (sender->search.stepping && sender->search.fence == NULL && sender->window.held.in_flight == 0) {
        stop_stepping(sender);
        return;
    }
    if (sender->now.mono_ns >= sender->resume_ns)
        ps_kafka_sender_submit(sender);
}

/* Does one step of the current phase. */
static void step(struct ps_kafka_sender *sender)
{
    switch (sender->phase) {
    case PS_KAFKA_SENDING:
        send_or_collect(sender);
        break;
    case PS_KAFKA_COLLECTING:
        if (sender->window.held.in_flight > 0) {
            purge_submitted(sender);
            break;
        }
        sender->keeps_producer &= !sender->fatal && !sender->recalling;
        ps_kafka_sender_recover(sender);
        if (sender->keeps_producer)
            begin_again(sender);
        else
            ask_for_producer(sender);
        break;
    case PS_KAFKA_STALE:
        if (sender->window.held.count > 0 && sender->now.mono_ns >= sender->resume_ns)
            ask_for_producer(sender);
        break;
    case PS_KAFKA_RENEWING:
        await_producer(sender);
        break;
    }
}

static void finish_settled(struct ps_kafka_sender *sender)
{
    struct ps_counters *counters = sender->port->counters;
    struct ps_lease *lease;
    uint64_t held_ns;
    bool transactional = ps_kafka_sender_is_transactional(sender);
    while ((!transactional || sender->transaction.released > 0) &&
           (lease = ps_kafka_window_pop_settled(&sender->window, sender->now.mono_ns, &held_ns)) != NULL) {
        sender->transaction.released -= transactional;
        if (PS_UNLIKELY(sender->search.first != NULL && ps_kafka_token_lease(sender->search.first) == lease))
            sender->search.first = NULL;
        ps_kafka_letters_forget(&sender->letters, lease);
        ps_count(counters, PS_COUNTER_KafkaEventSendTimer, held_ns / PS_NS_PER_MS);
        ps_port_done(sender->port, &lease);
    }
    gauge(sender, PS_KAFKA_GAUGE_events_in_flight,
          sender->window.held.in_flight + ps_held_waiting(&sender->window.held));
    gauge(sender, PS_KAFKA_GAUGE_events_submitted, sender->window.held.in_flight);
    gauge(sender, PS_KAFKA_GAUGE_leases_held, sender->window.held.count);
    gauge(sender, PS_KAFKA_GAUGE_oldest_unacknowledged_ms,
          ps_kafka_window_age_ns(&sender->window, sender->now.mono_ns) / PS_NS_PER_MS);
    gauge(sender, PS_KAFKA_GAUGE_in_flight_limit_bytes,
          ps_kafka_window_waves_max(&sender->window) * PS_KAFKA_WAVE_BYTES);
}

/* ---- functions of the sink ---- */

enum ps_status ps_kafka_sender_open(struct ps_kafka_sender *sender, const struct ps_kafka_sender_plan *plan,
                                    struct ps_port *port, struct ps_err *err)
{
    sender->plan = plan;
    sender->port = port;
    sender->statistics.counters = port->counters;
    ps_kafka_window_init(&sender->window, plan->in_flight_bytes_max);
    sender->config = (struct ps_kafka_producer_config){
        .settings = plan->settings,
        .copy_values = plan->mapping.event_format || plan->mapping.json != NULL,
        .wake_fd = port->wake_fd,
        .epoll_fd = port->epoll_fd,
    };
    if (plan->transaction.id != NULL && ps_kafka_transaction_open(sender, err) != PS_OK)
        return PS_FAIL;
    sender->factory = ps_kafka_client_factory_create(plan->engine, port->wake_fd, err);
    if (sender->factory == NULL) {
        ps_kafka_transaction_close(sender);
        return PS_FAIL;
    }
    if (plan->transaction.positions_topic != NULL) { /* the first lease names the transactional id */
        sender->phase = PS_KAFKA_STALE;
        return PS_OK;
    }
    sender->producer = plan->engine->create(&sender->config, err);
    if (sender->producer == NULL) {
        ps_kafka_transaction_close(sender);
        ps_kafka_client_factory_destroy(sender->factory, NULL);
        sender->factory = NULL;
        return ps_err_append(err, "there is no Kafka producer");
    }
    ps_count(port->counters, PS_COUNTER_ConnectionCreatedCount, 1);
    gauge(sender, PS_KAFKA_GAUGE_producers_made, 1);
    return PS_OK;
}

void ps_kafka_sender_close(struct ps_kafka_sender *sender)
{
    PS_ASSERT(sender->window.held.first == NULL);
    ps_kafka_client_factory_destroy(sender->factory, sender->producer);
    ps_count(sender->port->counters, PS_COUNTER_ConnectionClosedCount, 1);
    ps_kafka_statistics_renew(&sender->statistics);
    gauge(sender, PS_KAFKA_GAUGE_events_in_flight, 0);
    gauge(sender, PS_KAFKA_GAUGE_events_submitted, 0);
    gauge(sender, PS_KAFKA_GAUGE_leases_held, 0);
    free(sender->run.datums);
    ps_kafka_transaction_close(sender);
    sender->factory = NULL;
    sender->producer = NULL;
}

enum ps_result ps_kafka_sender_take(struct ps_kafka_sender *sender, struct ps_lease **lease,
                                    const struct ps_now *now)
{
    sender->now = *now;
    bool transactional = ps_kafka_sender_is_transactional(sender);
    if ((*lease)->settled == (*lease)->count && !transactional)
        return PS_DONE;
    /* Only one lease may wait for room here: the next leases stay in the channel, where they count as its
     * fill. */
    if (sender->window.held.next != NULL || sender->full || ps_held_is_full(&sender->window.held) ||
        !ps_kafka_window_may_add(&sender->window, now->mono_ns, sender->plan->linger_ns))
        return PS_LATER;
    if (transactional && !ps_kafka_transaction_takes(sender, *lease))
        return PS_LATER;
    if (sender->window.held.count == 0)
        sender->progress_ns = sender->warned_ns = now->mono_ns;
    struct ps_lease *taken = *lease;
    ps_kafka_window_add(&sender->window, lease, now->mono_ns, sender->plan->linger_ns);
    if (transactional)
        ps_kafka_transaction_took(sender, taken);
    step(sender);
    return PS_TAKEN;
}

uint64_t ps_kafka_sender_tick(struct ps_kafka_sender *sender, const struct ps_now *now)
{
    sender->now = *now;
    bool idle = sender->window.held.count == 0 && sender->phase == PS_KAFKA_SENDING;
    /* An idle sender polls at most every IDLE_POLL_NS, because notices can wait and polls cost a busy worker time. A
     * notice that comes later than IDLE_POLL_NS after the last poll wakes the worker by the wake descriptor, so the
     * worker need not wake every IDLE_POLL_NS. */
    if (idle && sender->plan->engine->due_ns == NULL && now->mono_ns < sender->polled_ns + IDLE_POLL_NS)
        return sender->polled_ns + (sender->port->wake_fd < 0 ? IDLE_POLL_NS : IDLE_LOOK_NS);
    sender->polled_ns = now->mono_ns;
    bool more = poll_producer(sender);
    report_reach(sender);
    ps_kafka_letters_collect(sender);
    step(sender);
    uint64_t commit_ns = PS_NEVER;
    finish_settled(sender); /* the next commit must not contain the leases of the last one */
    if (ps_kafka_sender_is_transactional(sender))
        commit_ns = ps_kafka_transaction_tick(sender);
    bool commits = sender->transaction.phase == PS_KAFKA_TRANSACTION_COMMITTING, was_full = sender->full;
    uint64_t send_ns = ps_least(commit_ns, send_submitted(sender));
    finish_settled(sender);
    if (commits && sender->transaction.phase == PS_KAFKA_TRANSACTION_FILLING && sender->window.held.count > 0)
        send_ns = now->mono_ns; /* the next transaction begins with leases that are held already */
    uint64_t look_ns = ps_least(ps_kafka_sender_check_silence(sender), send_ns);
    more |= was_full && !sender->full; /* the events that wait for room may be submitted now */
    if (more) /* the wake descriptor does not fire again for events that have come already */
        return now->mono_ns;
    if (sender->port->wake_fd < 0)
        return now->mono_ns + PS_NS_PER_MS;
    if (sender->phase != PS_KAFKA_SENDING &&
        (sender->phase != PS_KAFKA_STALE || sender->window.held.count > 0))
        return now->mono_ns + LOOK_NS;
    if (sender->window.held.next != NULL && sender->resume_ns > now->mono_ns)
        return sender->resume_ns;
    return look_ns;
}

static uint64_t recall_patience_ns(const struct ps_kafka_sender *sender)
{
    bool silent = sender->now.mono_ns >= sender->progress_ns + PS_KAFKA_PATIENCE_NS;
    return silent ? RECALL_SILENT_PATIENCE_NS : RECALL_PATIENCE_NS;
}

/* Returns whether the recall may give the leases back: the open transaction is aborted, or cannot be. A producer that
 * has failed does not abort it; the next one does, when it gets its id. */
static bool has_aborted(struct ps_kafka_sender *sender)
{
    if (ps_kafka_transaction_is_aborted(sender))
        return true;
    if (sender->making)
        (void)take_producer(sender);
    if (!sender->making && (sender->producer == NULL || sender->fatal)) {
        sender->fatal = false;
        ask_for_producer(sender);
    }
    return false;
}

/* Returns whether the recall must wait for the transaction, which may end soon, or whose outcome is not
 * known. */
static bool holds_recall(struct ps_kafka_sender *sender)
{
    if (sender->recalling)
        return false;
    if (sender->recall_ns == 0)
        sender->recall_ns = sender->now.mono_ns;
    uint64_t since_ns = sender->now.mono_ns - sender->recall_ns;
    if (!ps_kafka_transaction_holds_recall(sender, since_ns < recall_patience_ns(sender), since_ns))
        return false;
    (void)ps_kafka_sender_tick(sender, &sender->now);
    return true;
}

bool ps_kafka_sender_recall(struct ps_kafka_sender *sender, struct ps_lease **back, const struct ps_now *now)
{
    sender->now = *now;
    if (ps_kafka_sender_is_transactional(sender) && holds_recall(sender))
        return false;
    if (!sender->recalling) {
        sender->recalling = true;
        ps_kafka_sender_collect(sender, recall_patience_ns(sender));
        sender->full = false;
    }
    poll_producer(sender);
    ps_kafka_letters_abandon(sender);
    if (sender->window.held.in_flight > 0) {
        purge_submitted(sender);
        return false;
    }
    if (ps_kafka_sender_is_transactional(sender) && !has_aborted(sender))
        return false;
    finish_settled(sender); /* finishes leases without events too, if their positions are committed */
    ps_kafka_window_give_back(&sender->window, back);
    ps_port_finish_settled(sender->port, back);
    sender->recalling = sender->transaction.hurry = false;
    sender->recall_ns = 0;
    sender->transaction.released = 0;
    sender->transaction.end = NULL;
    sender->transaction.suspect = NULL;
    sender->transaction.renews = false;
    sender->transaction.phase = PS_KAFKA_TRANSACTION_FILLING;
    sender->search.fence = sender->search.blamed = NULL;
    sender->search.doubted = NULL;
    ps_kafka_sender_end_search(sender);
    sender->cause.error = NULL;
    sender->cause.group_left = 0;
    sender->fatal = false;
    sender->phase = sender->making ? PS_KAFKA_RENEWING : PS_KAFKA_STALE;
    finish_settled(sender);
    return true;
}

bool ps_kafka_sender_drain(struct ps_kafka_sender *sender, const struct ps_now *now)
{
    (void)now; /* `tick` does the work; events wait here only for a transaction to fill */
    sender->transaction.hurry = true;
    return sender->window.held.first == NULL;
}
