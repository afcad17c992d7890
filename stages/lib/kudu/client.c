#include "stages/lib/kudu/client.h"

#include "stages/lib/kudu/internal.h"
#include "stages/lib/kudu/server.h"
#include "stages/lib/random.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- sending ---- */

/* Returns the number of the oldest write whose outcome is not known. */
static uint64_t oldest(const struct ps_kudu_client *client, uint64_t number)
{
    for (const struct ps_kudu_batch *batch = client->known; batch != NULL; batch = batch->next_known)
        for (uint32_t i = 0; i < batch->write_count; i++)
            if (batch->writes[i].rows > 0 && batch->writes[i].number > 0 && batch->writes[i].number < number)
                number = batch->writes[i].number;
    return number;
}

/* A write that no server has seen may be made of other rows the next time. */
static void put_off(struct ps_kudu_batch *batch, struct ps_kudu_write *write, const char *reason)
{
    ps_kudu_batch_set_write(batch, write, PS_PART_AGAIN, reason);
    if (write->number == 0)
        ps_kudu_batch_dissolve(batch, write);
}

/* Rows of one tablet that are too many for one write go in several, one after the other, so that the last one of a key counts. Returns whether
 * the write waits for another one, or is put off with it. */
static bool waits_for_other(struct ps_kudu_batch *batch, struct ps_kudu_write *write)
{
    if (write->after == PS_KUDU_NONE)
        return false;
    const struct ps_kudu_write *other = &batch->writes[write->after];
    if (other->state == PS_PART_AGAIN || other->state == PS_PART_UNKNOWN)
        put_off(batch, write, batch->framed.reasons[batch->rows[other->first].reason]);
    return true;
}

static void send_write(struct ps_kudu_client *client, struct ps_kudu_batch *batch,
                       struct ps_kudu_write *write)
{
    const char *reason;
    struct ps_key_range *tablet = ps_kudu_tablet_of(client, batch, &batch->rows[write->first], &reason);
    if (tablet == NULL) {
        if (reason != NULL)
            put_off(batch, write, reason);
        return;
    }
    if (waits_for_other(batch, write))
        return;
    struct ps_framed_server *server = tablet->server;
    if (ps_framed_client_rests(&client->framed, server)) {
        char text[PS_KUDU_REASON_BYTES];
        (void)snprintf(text, sizeof text, "%.200s:%u rests after a failure", server->host, server->port);
        put_off(batch, write, text);
        return;
    }
    if (!ps_framed_server_is_ready(server))
        return;
    uint64_t id_of_tablet = ps_kudu_hash(tablet->name, tablet->name_length, 0);
    if (write->number == 0 || write->tablet != id_of_tablet) { /* a number is of the rows of one tablet */
        write->number = ++client->requests;
        write->tablet = id_of_tablet;
        write->attempt = 0;
    }
    const struct ps_kudu_request_id id = {.client = client->id,
                                          .client_length = PS_KUDU_CLIENT_ID_BYTES,
                                          .number = write->number,
                                          .oldest = oldest(client, write->number),
                                          .attempt = ++write->attempt};
    uint32_t call = ps_framed_server_next_id(server);
    size_t bytes = ps_kudu_put_write(batch, write, server, call, ps_kudu_call_ms(client), &id, tablet->name,
                                     tablet->name_length, &client->token);
    if (bytes == 0) {
        put_off(batch, write, "no memory");
        return;
    }
    write->server = server;
    write->call = call;
    ps_kudu_batch_set_write(batch, write, PS_PART_SENT, NULL);
    ps_framed_server_called(server, batch, call, bytes);
}

/* Returns the write of the tablet's rows that are sent again under their number; PS_KUDU_NONE: there is none. */
static uint32_t find_write(const struct ps_kudu_batch *batch, const struct ps_key_range *tablet)
{
    uint64_t id = ps_kudu_hash(tablet->name, tablet->name_length, 0);
    for (uint32_t i = 0; i < batch->write_count; i++)
        if (batch->writes[i].rows > 0 && batch->writes[i].number > 0 && batch->writes[i].tablet == id)
            return i;
    return PS_KUDU_NONE;
}

/* Returns a write for the row: the last one of its tablet, or a new one behind that. PS_KUDU_NONE: no memory. */
static uint32_t write_for(const struct ps_kudu_client *client, struct ps_kudu_batch *batch,
                          const struct ps_key_range *tablet, const struct ps_kudu_row *row)
{
    uint32_t last = tablet->rows > 0 ? tablet->first : find_write(batch, tablet);
    if (row->alone)
        return ps_kudu_batch_new_write(batch);
    if (tablet->rows > 0 &&
        batch->writes[last].fixed + batch->writes[last].indirect + row->fixed + row->indirect <=
            client->settings.write_bytes)
        return last;
    uint32_t write = ps_kudu_batch_new_write(batch);
    if (write != PS_KUDU_NONE)
        batch->writes[write].after = last;
    return write;
}

/* Sorts the rows that have no write into writes of their tablets. */
static void form_writes(struct ps_kudu_client *client, struct ps_kudu_batch *batch)
{
    struct ps_key_range *sorted = NULL;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct ps_kudu_row *row = &batch->rows[i];
        const char *reason;
        if (row->state != PS_PART_WAITING || row->write != PS_KUDU_NONE)
            continue;
        struct ps_key_range *tablet = ps_kudu_tablet_of(client, batch, row, &reason);
        if (tablet == NULL) {
            if (reason != NULL)
                ps_kudu_batch_set(batch, row, PS_PART_AGAIN, reason);
            continue;
        }
        uint32_t write = write_for(client, batch, tablet, row);
        if (write == PS_KUDU_NONE) {
            ps_kudu_batch_set(batch, row, PS_PART_AGAIN, "no memory");
            continue;
        }
        ps_kudu_batch_join(batch, write, i);
        if (row->alone)
            continue;
        tablet->first = write;
        if (tablet->rows++ == 0) {
            tablet->next_of_server = sorted;
            sorted = tablet;
        }
    }
    for (; sorted != NULL; sorted = sorted->next_of_server)
        sorted->rows = 0;
}

static void refuse(struct ps_kudu_batch *batch, const char *reason)
{
    batch->is_refused = true;
    batch->framed.reason_count = 1;
    (void)snprintf(batch->framed.reasons[0], PS_KUDU_REASON_BYTES, "%s", reason);
}

/* Gives the table to a batch that has none. Returns whether it has waited enough. */
static bool give_table(struct ps_kudu_client *client, struct ps_kudu_batch *batch)
{
    if (client->table != NULL) {
        batch->table = client->table;
        batch->table->users++;
        return true;
    }
    if (ps_kudu_now_ns(client) >= client->question.rest_ns) {
        ps_kudu_want_table(client);
        return false;
    }
    refuse(batch, client->question.reason);
    return true;
}

/* Returns whether all rows are decided. */
static bool send_rows(struct ps_kudu_client *client, struct ps_kudu_batch *batch)
{
    bool fits = batch->table == client->table;
    if (fits)
        form_writes(client, batch);
    for (uint32_t i = 0; fits && i < batch->write_count; i++)
        if (batch->writes[i].rows > 0 && batch->writes[i].state == PS_PART_WAITING)
            send_write(client, batch, &batch->writes[i]);
    bool decided = true;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (!fits && batch->rows[i].state == PS_PART_WAITING)
            ps_kudu_batch_set(batch, &batch->rows[i], PS_PART_AGAIN, "the table has changed");
        decided &= batch->rows[i].state != PS_PART_WAITING && batch->rows[i].state != PS_PART_SENT;
    }
    return decided;
}

static void push(struct ps_framed_client *framed, struct ps_framed_batch *framed_batch)
{
    struct ps_kudu_client *client = (struct ps_kudu_client *)framed;
    struct ps_kudu_batch *batch = (struct ps_kudu_batch *)framed_batch;
    if (!(batch->table == NULL ? give_table(client, batch) : send_rows(client, batch)))
        return;
    ps_framed_client_withdraw(framed, framed_batch);
    client->settings.done(batch);
}

/* ---- answers ---- */

/* TabletServerErrorPB.Code: those that mean something of their own. */
enum tablet_error {
    INVALID_SCHEMA = 2,
    INVALID_ROW_BLOCK = 3,
    INVALID_MUTATION = 4,
    MISMATCHED_SCHEMA = 5,
    TABLET_NOT_FOUND = 6,
    TABLET_NOT_RUNNING = 12,
    NOT_THE_LEADER = 15,
    WRONG_SERVER_UUID = 16,
    THROTTLED = 19,
    TABLET_FAILED = 20
};

static void relocate(struct ps_kudu_client *client, const struct ps_kudu_batch *batch,
                     const struct ps_kudu_write *write)
{
    const struct ps_kudu_row *row = &batch->rows[write->first];
    client->counts.relocated += write->rows;
    ps_key_ranges_forget(&client->tablets, ps_kudu_row_key(batch, row), row->key);
}

/* The server refuses all rows together for what one of them may be: each goes in a write of its own, and those that are refused alone are
 * rejected. The table may have changed. */
static void refuse_write(struct ps_kudu_client *client, struct ps_kudu_batch *batch,
                         struct ps_kudu_write *write, const char *reason)
{
    for (uint32_t i = write->first; i != PS_KUDU_NONE; i = batch->rows[i].next) {
        struct ps_kudu_row *row = &batch->rows[i];
        bool final = row->alone && !client->question.wants_table; /* the table was read since */
        ps_kudu_batch_set(batch, row, final ? PS_PART_REJECTED : PS_PART_AGAIN, reason);
        row->alone = true;
    }
    ps_kudu_batch_dissolve(batch, write);
    ps_kudu_want_table(client);
}

/* The server took no row of a write. */
static void judge_write(struct ps_kudu_client *client, struct ps_kudu_batch *batch,
                        struct ps_kudu_write *write, const struct ps_kudu_written *written)
{
    char reason[PS_KUDU_REASON_BYTES];
    unsigned code = written->status.code;
    ps_kudu_print(reason, &written->status, false);
    switch (written->error) {
    case INVALID_SCHEMA:
    case INVALID_ROW_BLOCK:
    case INVALID_MUTATION:
    case MISMATCHED_SCHEMA:
        refuse_write(client, batch, write, reason);
        return;
    case TABLET_NOT_FOUND:
    case TABLET_NOT_RUNNING:
    case NOT_THE_LEADER:
    case WRONG_SERVER_UUID:
    case TABLET_FAILED:
        relocate(client, batch, write);
        break;
    case THROTTLED:
        client->counts.overloaded += write->rows;
        break;
    default:
        if (code == PS_KUDU_ILLEGAL_STATE || code == PS_KUDU_ABORTED)
            relocate(client, batch, write);
        else if (code == PS_KUDU_SERVICE_UNAVAILABLE)
            client->counts.overloaded += write->rows;
        break;
    }
    ps_kudu_batch_set_write(batch, write, PS_PART_AGAIN, reason);
}

/* An error of the RPC. */
static void judge_call(struct ps_kudu_client *client, struct ps_kudu_batch *batch,
                       struct ps_kudu_write *write, const struct ps_kudu_status *error)
{
    char reason[PS_KUDU_REASON_BYTES];
    enum ps_remote_part_state state = PS_PART_AGAIN;
    ps_kudu_print(reason, error, true);
    if (error->code == PS_KUDU_RPC_TOO_BUSY || error->code == PS_KUDU_RPC_UNAVAILABLE) {
        client->counts.overloaded += write->rows;
        if (!ps_framed_client_rests(&client->framed, write->server))
            ps_framed_client_pause(&client->framed, write->server);
    } else if (error->code == PS_KUDU_RPC_STALE) { /* nobody knows whether it was carried out */
        state = PS_PART_UNKNOWN;
        write->number = 0;
    } else if (error->code == PS_KUDU_RPC_BAD_TOKEN) {
        ps_kudu_want_table(client);
    }
    ps_kudu_batch_set_write(batch, write, state, reason);
}

/* Goes through the rows of a write in their order, as errors come. */
struct walk {
    struct ps_kudu_client *client;
    struct ps_kudu_batch *batch;
    struct ps_kudu_write *write;
    uint32_t place, row;
};

static void judge_row(struct ps_kudu_client *client, struct ps_kudu_batch *batch, struct ps_kudu_row *row,
                      const struct ps_kudu_status *status)
{
    char reason[PS_KUDU_REASON_BYTES];
    ps_kudu_print(reason, status, false);
    switch (status->code) {
    case PS_KUDU_ALREADY_PRESENT:
        client->counts.duplicates++;
        ps_kudu_batch_set(batch, row,
                          client->settings.ignores_duplicates ? PS_PART_DELIVERED : PS_PART_REJECTED, reason);
        break;
    case PS_KUDU_NOT_FOUND: /* the partition is another one now */
        client->counts.relocated++;
        ps_key_ranges_forget(&client->tablets, ps_kudu_row_key(batch, row), row->key);
        ps_kudu_batch_set(batch, row, PS_PART_AGAIN, reason);
        ps_kudu_want_table(client); /* its hash buckets may be others, too */
        break;
    case PS_KUDU_ILLEGAL_STATE:
    case PS_KUDU_ABORTED:
    case PS_KUDU_SERVICE_UNAVAILABLE:
    case PS_KUDU_TIMED_OUT:
        ps_kudu_batch_set(batch, row, PS_PART_AGAIN, reason);
        break;
    case PS_KUDU_NOT_SUPPORTED:
    case PS_KUDU_INVALID_ARGUMENT:
    case PS_KUDU_IMMUTABLE:
        ps_kudu_batch_set(batch, row, PS_PART_REJECTED, reason);
        break;
    default: /* the server's disk, its state, or what nobody knows: not the row's fault */
        ps_kudu_batch_set(batch, row, PS_PART_AGAIN, reason);
        break;
    }
}

static void take_row(void *owner, uint32_t place, const struct ps_kudu_status *status)
{
    struct walk *walk = owner;
    if (place < walk->place) { /* they come in order; a server may do as it likes */
        walk->place = 0;
        walk->row = walk->write->first;
    }
    for (; walk->place < place && walk->row != PS_KUDU_NONE; walk->place++)
        walk->row = walk->batch->rows[walk->row].next;
    if (walk->row == PS_KUDU_NONE) {
        walk->place = UINT32_MAX; /* the next one begins anew */
        return;
    }
    struct ps_kudu_row *row = &walk->batch->rows[walk->row];
    if (row->state == PS_PART_SENT)
        judge_row(walk->client, walk->batch, row, status);
}

static struct ps_kudu_write *write_of(struct ps_kudu_batch *batch, const struct ps_framed_server *server,
                                      uint32_t call)
{
    for (uint32_t i = 0; i < batch->write_count; i++) {
        struct ps_kudu_write *write = &batch->writes[i];
        if (write->rows > 0 && write->state == PS_PART_SENT && write->server == server && write->call == call)
            return write;
    }
    return NULL;
}

static void take_written(struct ps_framed_server *server, struct ps_kudu_batch *batch,
                         const struct ps_kudu_answer *answer)
{
    struct ps_kudu_client *client = server->owner;
    struct ps_kudu_write *write = batch->framed.open ? write_of(batch, server, (uint32_t)answer->call) : NULL;
    struct ps_kudu_written written;
    ps_kudu_change_all(client); /* others may have waited for room */
    if (write == NULL)
        return; /* it was withdrawn */
    batch->framed.reached = true;
    if (answer->is_error) {
        judge_call(client, batch, write, &answer->error);
        return;
    }
    server->failures = 0;
    struct walk walk = {client, batch, write, 0, write->first};
    if (!ps_kudu_parse_written(answer->body, answer->body_length, write->rows, &written, take_row, &walk)) {
        ps_kudu_batch_set_write(batch, write, PS_PART_UNKNOWN, "the answer is none of Kudu's");
    } else if (written.error != 0) {
        judge_write(client, batch, write, &written);
    } else {
        ps_kudu_batch_set_write(batch, write, PS_PART_DELIVERED, NULL);
        ps_kudu_batch_dissolve(batch, write);
    }
}

/* ---- connections ---- */

static bool introduce(struct ps_framed_server *server)
{
    return ps_kudu_server_introduce(server);
}

static void take_frame(struct ps_framed_server *server, const uint8_t *bytes, size_t length)
{
    struct ps_kudu_client *client = server->owner;
    struct ps_kudu_answer answer;
    void *call = ps_kudu_server_take(server, client->settings.user, bytes, length, &answer);
    if (call != NULL && !ps_kudu_take_master(client, call, &answer))
        take_written(server, call, &answer);
}

static void unanswered(struct ps_framed_server *server, void *call, uint32_t id, bool reached,
                       const char *reason)
{
    struct ps_kudu_client *client = server->owner;
    if (ps_kudu_miss_master(client, call, reason))
        return;
    struct ps_kudu_batch *batch = call;
    struct ps_kudu_write *write = batch->framed.open ? write_of(batch, server, id) : NULL;
    if (write == NULL)
        return;
    batch->framed.reached |= reached;
    ps_kudu_batch_set_write(batch, write, reached ? PS_PART_UNKNOWN : PS_PART_AGAIN, reason);
    ps_framed_client_change(&client->framed, &batch->framed);
}

/* The writes for a server that cannot be reached end as AGAIN: another one may lead their tablets soon. */
static void lost(struct ps_framed_server *server, const char *reason)
{
    struct ps_kudu_client *client = server->owner;
    for (struct ps_framed_batch *open = client->framed.batches; open != NULL; open = open->next) {
        struct ps_kudu_batch *batch = (struct ps_kudu_batch *)open;
        for (uint32_t i = 0; i < batch->write_count; i++) {
            struct ps_kudu_write *write = &batch->writes[i];
            if (write->rows == 0 || write->state != PS_PART_WAITING)
                continue;
            const struct ps_kudu_row *row = &batch->rows[write->first];
            const struct ps_key_range *tablet =
                ps_key_ranges_find(&client->tablets, ps_kudu_row_key(batch, row), row->key);
            if (tablet != NULL && tablet->server == server)
                put_off(batch, write, reason);
        }
    }
    ps_key_ranges_forget_server(&client->tablets, server);
    ps_framed_client_pause(&client->framed, server);
    ps_kudu_lose_master(client, server, reason);
    ps_kudu_change_all(client);
}

static void up(struct ps_framed_server *server)
{
    ps_kudu_change_all(server->owner);
}

static const struct ps_framed_server_ops server_ops = {
    .introduce = introduce, .up = up, .frame = take_frame, .unanswered = unanswered, .lost = lost};

/* ---- the owner's calls ---- */

void ps_kudu_client_know(struct ps_kudu_client *client, struct ps_kudu_batch *batch)
{
    batch->next_known = client->known;
    client->known = batch;
}

bool ps_kudu_client_fits(const struct ps_kudu_client *client, const struct ps_kudu_batch *batch)
{
    return batch->table != NULL && batch->table == client->table;
}

void ps_kudu_client_refresh(struct ps_kudu_client *client)
{
    ps_kudu_want_table(client);
}

/* The rows of a write that is sent again are all the rows that it had, or it is another one. */
static void renew(struct ps_kudu_batch *batch, struct ps_kudu_write *write)
{
    bool whole = true;
    for (uint32_t i = write->first; i != PS_KUDU_NONE; i = batch->rows[i].next)
        whole &= batch->rows[i].state == PS_PART_WAITING;
    if (whole)
        write->state = PS_PART_WAITING;
    else
        ps_kudu_batch_dissolve(batch, write);
}

void ps_kudu_client_submit(struct ps_kudu_client *client, struct ps_kudu_batch *batch)
{
    batch->is_refused = false;
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->rows[i].state != PS_PART_DELIVERED && batch->rows[i].state != PS_PART_REJECTED)
            batch->rows[i].state = PS_PART_WAITING;
    for (uint32_t i = 0; i < batch->write_count; i++)
        if (batch->writes[i].rows > 0)
            renew(batch, &batch->writes[i]);
    ps_framed_client_submit(&client->framed, &batch->framed);
}

void ps_kudu_client_withdraw(struct ps_kudu_client *client, struct ps_kudu_batch *batch)
{
    ps_framed_client_withdraw(&client->framed, &batch->framed);
}

uint64_t ps_kudu_client_turn(struct ps_kudu_client *client, const struct ps_now *now)
{
    return ps_framed_client_turn(&client->framed, now);
}

const struct ps_kudu_client_counts *ps_kudu_client_counts(const struct ps_kudu_client *client)
{
    return &client->counts;
}

enum ps_status ps_kudu_client_open(struct ps_kudu_client **opened,
                                   const struct ps_kudu_client_settings *settings, struct ps_err *err)
{
    struct ps_kudu_client *client = calloc(1, sizeof *client);
    struct ps_random random;
    if (client == NULL)
        return ps_err_set(err, "no memory");
    client->settings = *settings;
    client->framed = (struct ps_framed_client){.server_settings = {.ops = &server_ops,
                                                                   .protocol = "Kudu's RPC",
                                                                   .connect_ns = settings->connect_ns,
                                                                   .call_ns = settings->call_ns,
                                                                   .negotiates = true},
                                               .rest_max_ns = settings->rest_max_ns,
                                               .push = push,
                                               .ask = ps_kudu_go_on_asking};
    if (ps_framed_client_open(&client->framed, settings->port, err) != PS_OK) {
        free(client);
        return PS_FAIL;
    }
    ps_random_init(&random);
    (void)snprintf(client->id, sizeof client->id, "%016llx%016llx",
                   (unsigned long long)ps_random_next(&random), (unsigned long long)ps_random_next(&random));
    for (unsigned i = 0; i < settings->master_count; i++) {
        const struct ps_kudu_master *master = &settings->masters[i];
        client->masters[i].server =
            ps_framed_client_server(&client->framed, master->host, strlen(master->host), master->port);
        if (client->masters[i].server == NULL) {
            ps_kudu_client_close(client);
            return ps_err_set(err, "no memory");
        }
    }
    *opened = client;
    return PS_OK;
}

void ps_kudu_client_close(struct ps_kudu_client *client)
{
    if (client == NULL)
        return;
    ps_kudu_close_lookup(client);
    ps_framed_client_close(&client->framed, NULL);
    free(client);
}
