#include "stages/lib/kafka/positions/positions.h"

#include "core/flow/identity.h"
#include "core/flow/sink_positions.h"
#include "core/quantity.h"
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/produce/sender.h"
#include "stages/lib/kafka/produce/partition.h"
#include "stages/lib/least.h"
#include "stages/lib/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN ((void *)(uintptr_t)1)
#define KEY_BYTES (PS_KAFKA_OWNER_BYTES + 64U)
/* maximum number of ranges in one transaction: all of them must fit into the owner's record */
#define HELD_RANGES_MAX (PS_KAFKA_FRAMES_MAX / 4U)

static struct ps_kafka_keeping *keeping_of(struct ps_kafka_sender *sender)
{
    return &sender->transaction.keeping;
}

enum ps_status ps_kafka_positions_open(struct ps_kafka_sender *sender, struct ps_err *err)
{
    const struct ps_kafka_transaction_plan *plan = &sender->plan->transaction;
    const struct ps_kafka_positions_settings settings = {.topic = plan->positions_topic,
                                                         .producer = sender->plan->settings};
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    keeping->reader = plan->positions->open(&settings, sender->port->wake_fd, err);
    return keeping->reader != NULL ? PS_OK : ps_err_append(err, "the reader of positions");
}

void ps_kafka_positions_close(struct ps_kafka_sender *sender)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    if (keeping->reader != NULL)
        sender->plan->transaction.positions->close(keeping->reader);
    keeping->reader = NULL;
    free(keeping->records);
    free(keeping->value);
    keeping->records = keeping->value = NULL;
}

/* ---- leases ---- */

/* The owner of a lease, and the lease's number within the owner. */
struct unit {
    /* NULL: no owner, because a source that keeps its positions itself has read the events before a reload. */
    const char *kind;
    uint64_t id;
    uint32_t salt;
    uint64_t number;
    bool asks; /* a lease without events, by which a source asks for its positions */
};

/* Reads a source's number from its 16 hexadecimal digits. */
static uint64_t number_of(struct ps_slice digits)
{
    char text[17] = "";
    if (digits.length == 16)
        memcpy(text, digits.data, 16);
    return strtoull(text, NULL, 16);
}

/* Returns the owner of a lease. The lease is a frame of a log, or a batch of a source of files
 * (conf/validate/guarantee.c). */
static struct unit unit_of(const struct ps_lease *lease)
{
    const struct ps_batch *batch = lease->batch;
    if (batch->origin_count > 0 && strcmp(batch->origins[0].first.system, "log") == 0) {
        const struct ps_identity *frame = &batch->origins[0].first;
        return (struct unit){"log", frame->store, (uint32_t)frame->part, frame->position, false};
    }
    const struct ps_stream_name *name = batch->span_count > 0 ? batch->spans[0].name : NULL;
    if (name == NULL || strcmp(name->system, "file") != 0)
        return (struct unit){.kind = NULL};
    return (struct unit){"file", number_of(name->group), (uint32_t)name->generation, batch->sequence,
                         name->name.length == 0};
}

static uint64_t random_number(void)
{
    struct ps_random random;
    ps_random_init(&random);
    return ps_random_next(&random);
}

static void print_owner(const struct unit *unit, char owner[PS_KAFKA_OWNER_BYTES])
{
    snprintf(owner, PS_KAFKA_OWNER_BYTES, "%s/%016" PRIx64, unit->kind, unit->id);
}

/* Returns whether the owner's record has room for this lease too. */
static bool has_room(struct ps_kafka_sender *sender, const struct unit *unit)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    uint64_t now_ns = sender->now.mono_ns, due_ns;
    keeping->room_ns = PS_NEVER;
    keeping->full = false;
    if (sender->window.held.count == 0)
        keeping->held.count = 0;
    else if (keeping->known_for != keeping->producers)
        return false; /* the positions are being read for the first lease; this lease must wait */
    if (ps_kafka_frames_is_next(&keeping->held, unit->salt, unit->number, now_ns) ||
        ps_kafka_frames_is_next(&keeping->committed, unit->salt, unit->number, now_ns))
        return true;
    uint32_t room = ps_kafka_frames_room(&keeping->committed, now_ns, &due_ns);
    if (keeping->held.count < ps_least(room, HELD_RANGES_MAX))
        return true;
    keeping->full = sender->window.held.count > 0;
    keeping->room_ns = keeping->full ? PS_NEVER : due_ns;
    return false;
}

bool ps_kafka_positions_fits(struct ps_kafka_sender *sender, const struct ps_lease *lease)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    struct ps_kafka_transaction *transaction = &sender->transaction;
    struct unit unit = unit_of(lease);
    char owner[PS_KAFKA_OWNER_BYTES];
    if (unit.kind == NULL) {
        if (keeping->owner[0] != '\0')
            return true;
        unit = (struct unit){.kind = "none", .id = random_number()}; /* a temporary owner */
    }
    print_owner(&unit, owner);
    if (strcmp(owner, keeping->owner) == 0 && !unit.asks)
        return has_room(sender, &unit);
    /* The client factory's thread may be reading the id. */
    if (sender->window.held.count > 0 ||
        (sender->phase != PS_KAFKA_SENDING && sender->phase != PS_KAFKA_STALE))
        return false;
    memcpy(keeping->owner, owner, sizeof owner);
    snprintf(transaction->id, sizeof transaction->id, "%s-%s-%016" PRIx64, sender->plan->transaction.id,
             unit.kind, unit.id);
    keeping->producers++; /* invalidates the known positions, which are those of the former owner */
    keeping->committed.count = keeping->held.count = 0;
    sender->phase = PS_KAFKA_STALE; /* a new producer is made, and the topic is read again */
    return true;
}

bool ps_kafka_positions_has(const struct ps_kafka_sender *sender, const struct ps_lease *lease)
{
    const struct ps_kafka_keeping *keeping = &sender->transaction.keeping;
    const struct unit unit = unit_of(lease);
    return unit.kind != NULL && keeping->known_for == keeping->producers &&
           ps_kafka_frames_has(&keeping->committed, unit.salt, unit.number);
}

/* Called for a committed lease that comes again, because its log did not record the delivery: makes its range as
 * young as a new one. */
static void refresh(struct ps_kafka_sender *sender, const struct unit *unit)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    ps_kafka_frames_add(&keeping->committed, unit->salt, unit->number, sender->now.mono_ns);
}

bool ps_kafka_positions_took(struct ps_kafka_sender *sender, const struct ps_lease *lease)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    const struct unit unit = unit_of(lease);
    bool has = ps_kafka_positions_has(sender, lease);
    if (has)
        refresh(sender, &unit);
    else if (unit.kind != NULL)
        ps_kafka_frames_add(&keeping->held, unit.salt, unit.number, sender->now.mono_ns);
    return has;
}

void ps_kafka_positions_answer(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_keeping *keeping = keeping_of(sender);
    const struct ps_lease *lease = sender->window.held.first;
    if (lease != NULL && unit_of(lease).asks) /* the sender holds no lease besides one that asks */
        ps_sink_positions_leave(keeping->owner, keeping->records);
}

/* ---- reading ---- */

void ps_kafka_positions_renewed(struct ps_kafka_sender *sender)
{
    keeping_of(sender)->producers++;
}

/* Joins the values of all keys that begin with the owner's key and a slash. */
static void collect_records(struct ps_kafka_keeping *keeping, json_t *positions)
{
    size_t length;
    const char *before = "[", *key;
    json_t *value;
    free(keeping->records);
    FILE *out = ps_must_open_text(&keeping->records, &length, "positions");
    json_object_foreach(positions, key, value)
    {
        if (strcmp(key, keeping->owner) == 0)
            continue;
        fprintf(out, "%s%s", before, json_string_value(value));
        before = ",\n";
    }
    fputs(before[0] == '[' ? "[]\n" : "]\n", out);
    if (fclose(out) != 0)
        ps_out_of_memory(length, "positions");
}

/* Returns false if a record cannot be understood. */
static bool adopt(struct ps_kafka_keeping *keeping, json_t *positions, uint64_t now_ns, struct ps_err *err)
{
    const json_t *own = json_object_get(positions, keeping->owner);
    keeping->written = keeping->committed; /* the previous record, for the ages of its ranges */
    keeping->committed.count = 0;
    if (own != NULL && !ps_kafka_frames_parse(&keeping->committed, json_string_value(own),
                                              json_string_length(own), now_ns)) {
        ps_err_set(
            err, "the positions record %s has a format that this version of penstock cannot read: \"%.100s\"",
            keeping->owner, json_string_value(own));
        return false;
    }
    ps_kafka_frames_age(&keeping->committed, &keeping->written);
    keeping->written = keeping->committed;
    collect_records(keeping, positions);
    return true;
}

static void failed(struct ps_kafka_sender *sender, struct ps_err *err)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    uint64_t rest_ns = ps_kafka_sender_rest_ns(sender);
    keeping->rest_ns = sender->now.mono_ns + rest_ns;
    ps_log(ps_port_outage_level(sender->port, keeping->failing ? PS_LOG_DEBUG : PS_LOG_ERROR),
           sender->port->component,
           "%s. The sink delivers nothing until it has read the positions; trying again in %s",
           ps_err_join(err), ps_quantity_print_ns(rest_ns).text);
    keeping->failing = true;
    ps_port_troubled(sender->port, err);
}

/* Takes the reply of the reader if it has come. */
static void take_reply(struct ps_kafka_sender *sender)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    struct ps_err err = {.length = 0};
    char warning[512] = "";
    json_t *positions = sender->plan->transaction.positions->reply(keeping->reader, warning, &err);
    if (positions == NULL)
        return;
    keeping->asked = false;
    /* A reply for an earlier producer is not used: that producer may have committed since. */
    bool current = keeping->asked_for == keeping->producers;
    if (current && err.length == 0 && adopt(keeping, positions, sender->now.mono_ns, &err)) {
        if (keeping->known_for == 0 && warning[0] != '\0')
            ps_log(PS_LOG_WARN, sender->port->component, "%s", warning);
        if (keeping->failing)
            ps_log(PS_LOG_INFO, sender->port->component, "the sink has read the positions");
        keeping->known_for = keeping->producers;
        keeping->failing = false;
    }
    if (current && err.length > 0)
        failed(sender, &err);
    json_decref(positions);
}

bool ps_kafka_positions_are_known(struct ps_kafka_sender *sender)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    if (keeping->asked)
        take_reply(sender);
    if (keeping->known_for == keeping->producers)
        return true;
    if (keeping->asked || sender->now.mono_ns < keeping->rest_ns || !ps_kafka_native_begun(sender->producer))
        return false;
    keeping->asked = true;
    keeping->asked_for = keeping->producers;
    sender->plan->transaction.positions->ask(keeping->reader, keeping->owner);
    return false;
}

/* ---- writing ---- */

/* Makes the owner's record: the committed leases and those of this transaction. */
static void compose_owner(struct ps_kafka_sender *sender, struct ps_kafka_record *record)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    keeping->written = keeping->committed;
    for (const struct ps_lease *lease = sender->window.held.first; lease != sender->transaction.end;
         lease = lease->next) {
        const struct unit unit = unit_of(lease);
        if (unit.kind != NULL)
            ps_kafka_frames_add(&keeping->written, unit.salt, unit.number, sender->now.mono_ns);
    }
    record->key = keeping->owner;
    record->key_length = (uint32_t)strlen(keeping->owner);
    record->value = keeping->text;
    record->value_length = ps_kafka_frames_print(&keeping->written, keeping->text);
}

/* Makes a file's record: the position and the file's detail. Returns false without memory. */
static bool compose_file(struct ps_kafka_keeping *keeping, const struct ps_kafka_position *position,
                         char key[KEY_BYTES], struct ps_kafka_record *record)
{
    const struct ps_slice name = position->name->name, detail = position->name->detail;
    record->key = key;
    record->key_length =
        (uint32_t)snprintf(key, KEY_BYTES, "%s/%.*s", keeping->owner, (int)name.length, name.data);
    if (position->next < 0)
        return true; /* the file no longer exists: a record without a value deletes the key */
    size_t need = (size_t)detail.length + 32;
    if (need > keeping->value_room) {
        char *room = realloc(keeping->value, need);
        if (room == NULL)
            return false;
        keeping->value = room;
        keeping->value_room = need;
    }
    record->value = keeping->value;
    record->value_length =
        (uint32_t)snprintf(keeping->value, keeping->value_room, "{\"pos\":%" PRId64 ",%.*s", position->next,
                           (int)detail.length - 1, detail.data + 1);
    return true;
}

/* Gives up the producer, which aborts the transaction. */
static void give_up(struct ps_kafka_sender *sender, int code)
{
    const struct ps_kafka_error *error = ps_kafka_error_find(code);
    ps_log(PS_LOG_WARN, sender->port->component, "cannot write the positions to topic %s: %s (%s)",
           sender->plan->transaction.positions_topic, error->name, error->meaning);
    snprintf(sender->last_error, sizeof sender->last_error, "topic %s: %s",
             sender->plan->transaction.positions_topic, error->meaning);
    sender->fatal = true;
    sender->fatal_code = code;
}

/* Submits record `number` of the positions: the owner's, then those of files. Returns false when the producer is given up, is
 * full, or has no memory: the next tick tries again. */
static bool submit(struct ps_kafka_sender *sender, uint32_t number)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    const struct ps_kafka_engine *engine = sender->plan->engine;
    const char *name = sender->plan->transaction.positions_topic;
    char key[KEY_BYTES];
    struct ps_kafka_record record = {
        .partition = PS_KAFKA_POSITIONS_PARTITION, .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE, .token = TOKEN};
    if (number == 0)
        compose_owner(sender, &record);
    else if (!compose_file(keeping, &sender->transaction.positions[number - 1], key, &record))
        return false;
    struct ps_kafka_topic *topic = engine->topic(sender->producer, name, (uint32_t)strlen(name));
    bool legal = topic != NULL || ps_kafka_topic_name_is_legal(name, (uint32_t)strlen(name));
    int error = legal ? (int)PS_KAFKA_NO_MEMORY : (int)PS_KAFKA_ERROR_INVALID_TOPIC_EXCEPTION;
    uint32_t taken = topic != NULL ? engine->submit(sender->producer, topic, &record, 1, &error) : 0;
    keeping->submitted += taken;
    sender->window.held.in_flight += taken;
    if (taken == 0 && error != PS_KAFKA_FULL && error != PS_KAFKA_NO_MEMORY)
        give_up(sender, error);
    return taken > 0;
}

bool ps_kafka_positions_write(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_keeping *keeping = keeping_of(sender);
    uint32_t count = 1 + sender->transaction.count;
    while (keeping->submitted < count && submit(sender, keeping->submitted)) {
    }
    return keeping->delivered == count;
}

void ps_kafka_positions_reported(struct ps_kafka_sender *sender, const struct ps_kafka_report *report)
{
    const struct ps_kafka_error *error = report->error == 0 ? NULL : ps_kafka_error_find(report->error);
    PS_ASSERT(sender->window.held.in_flight >= report->count);
    sender->window.held.in_flight -= report->count;
    if (error == NULL || error->outcome == PS_KAFKA_DELIVERED)
        keeping_of(sender)->delivered += report->count;
    else if (error->outcome != PS_KAFKA_PURGED)
        give_up(sender, report->error);
}

void ps_kafka_positions_ended(struct ps_kafka_sender *sender, bool committed)
{
    struct ps_kafka_keeping *keeping = keeping_of(sender);
    if (committed)
        keeping->committed = keeping->written;
    keeping->submitted = keeping->delivered = 0;
}
