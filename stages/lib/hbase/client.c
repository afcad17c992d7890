#include "stages/lib/hbase/client.h"

#include "stages/lib/hbase/meta.h"
#include "stages/lib/hbase/multi.h"
#include "stages/lib/hbase/server.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOKUP_ROWS 8U /* regions that a look-up asks for: that of the row, and those before it */
#define REGISTRY_NS (15 * PS_NS_PER_S)

/* The region's name that no real one of this beginning is behind. */
#define LAST_ID ",99999999999999"

struct lookup {
    bool wanted, sent;
    bool located; /* the answer has the region of the row */
    size_t key_length;
    uint64_t rest_ns; /* none begins before */
    unsigned failures;
    char key[PS_HBASE_ROW_BYTES_MAX], reason[PS_HBASE_REASON_BYTES];
};

struct ps_hbase_client {
    struct ps_framed_client framed; /* must be first */
    struct ps_hbase_client_settings settings;
    struct ps_hbase_registry *registry;
    bool asks; /* the registry */
    struct ps_framed_server *meta;
    struct ps_key_ranges regions;
    struct lookup lookup;
    struct ps_hbase_client_counts counts;
    struct ps_byte_buffer row; /* of a look-up's request */
};

static uint64_t now_ns(const struct ps_hbase_client *client)
{
    return ps_framed_client_now_ns(&client->framed);
}

static void change_all(struct ps_hbase_client *client)
{
    ps_framed_client_change_all(&client->framed);
}

/* ---- servers ---- */

static void pause_server(struct ps_hbase_client *client, struct ps_framed_server *server)
{
    ps_framed_client_pause(&client->framed, server);
}

/* Returns the server; NULL: there is no memory. */
static struct ps_framed_server *server_of(struct ps_hbase_client *client, const char *host, size_t length,
                                          unsigned port)
{
    return ps_hbase_server_of(&client->framed, client->settings.security, host, length, port);
}

/* ---- look-ups ---- */

/* The look-up has ended; the mutations that wait for it go on. Without a region for them they end as AGAIN. */
static void end_lookup(struct ps_hbase_client *client, const char *reason)
{
    struct lookup *lookup = &client->lookup;
    lookup->wanted = lookup->sent = false;
    if (reason == NULL) {
        lookup->failures = 0;
        lookup->rest_ns = 0;
    } else {
        (void)snprintf(lookup->reason, sizeof lookup->reason, "%s", reason);
        lookup->rest_ns = now_ns(client) + ps_framed_rest_ns(lookup->failures++, client->framed.rest_max_ns);
    }
    change_all(client);
}

static void found_meta(void *owner, const struct ps_hbase_registry_answer *answer)
{
    struct ps_hbase_client *client = owner;
    client->asks = false;
    if (answer->found)
        client->meta = server_of(client, answer->host, strlen(answer->host), answer->port);
    if (client->meta == NULL && client->lookup.wanted)
        end_lookup(client, answer->found ? "no memory" : answer->reason);
    client->framed.changed = true;
}

/* Sends the look-up, when its server is known and connected. */
static void go_on_looking(struct ps_framed_client *framed)
{
    struct ps_hbase_client *client = (struct ps_hbase_client *)framed;
    struct lookup *lookup = &client->lookup;
    struct ps_framed_server *server = client->meta;
    struct ps_byte_buffer *row = &client->row;
    const char *table = client->settings.table;
    if (!lookup->wanted || lookup->sent)
        return;
    if (server == NULL) {
        client->asks = true;
        ps_hbase_registry_ask(client->registry);
        return;
    }
    if (ps_framed_client_rests(&client->framed, server)) {
        client->meta = NULL;
        end_lookup(client, "the server of hbase:meta cannot be used now");
        return;
    }
    if (!ps_framed_server_is_ready(server))
        return;
    size_t name = strlen(table), before = server->out.length;
    ps_byte_buffer_clear(row, SIZE_MAX);
    uint32_t id = ps_framed_server_next_id(server);
    bool good = ps_byte_buffer_reserve(row, 2 * name + lookup->key_length + 32);
    if (good) {
        ps_byte_buffer_put(row, table, name);
        ps_byte_buffer_put(row, ",", 1);
        ps_byte_buffer_put(row, lookup->key, lookup->key_length);
        ps_byte_buffer_put(row, LAST_ID, sizeof LAST_ID - 1);
        size_t begin = row->length;
        ps_byte_buffer_put(row, table, name);
        ps_byte_buffer_put(row, ",,", 2);
        good = ps_hbase_put_meta_scan(&server->out, id, row->data, begin, row->data + begin,
                                      row->length - begin, LOOKUP_ROWS);
    }
    if (!good) {
        end_lookup(client, "no memory");
        return;
    }
    lookup->sent = true;
    lookup->located = false;
    client->counts.lookups++;
    ps_framed_server_called(server, lookup, id, server->out.length - before);
}

/* Wants the place of this row. */
static void want(struct ps_hbase_client *client, const char *key, size_t length)
{
    struct lookup *lookup = &client->lookup;
    if (lookup->wanted)
        return;
    lookup->wanted = true;
    lookup->key_length = length;
    memcpy(lookup->key, key, length);
    client->framed.changed = true;
}

struct rows {
    struct ps_hbase_client *client;
    unsigned count;
    bool no_server, gone, no_memory;
};

static bool take_row(void *owner, const struct ps_hbase_meta_row *row)
{
    struct rows *rows = owner;
    struct ps_hbase_client *client = rows->client;
    if (row->is_other)
        return false;
    bool is_first = rows->count++ == 0;
    if (row->is_gone || row->host == NULL) {
        rows->no_server |= is_first && !row->is_gone;
        rows->gone |= is_first && row->is_gone;
        return true;
    }
    struct ps_key_range region = row->region;
    region.server = server_of(client, row->host, row->host_length, row->port);
    rows->no_memory |= region.server == NULL || !ps_key_ranges_add(&client->regions, &region);
    return !rows->no_memory;
}

static void take_lookup(struct ps_hbase_client *client, const struct ps_hbase_answer *answer)
{
    const struct lookup *lookup = &client->lookup;
    struct rows rows = {.client = client};
    char reason[PS_HBASE_REASON_BYTES];
    if (answer->class != NULL) {
        ps_hbase_exception_print(reason, answer->class, answer->class_length, answer->text,
                                 answer->text_length);
        client->meta = NULL; /* it may have moved */
        end_lookup(client, reason);
        return;
    }
    bool good =
        ps_hbase_meta_parse(answer->body, answer->body_length, client->settings.table, take_row, &rows);
    if (!good)
        end_lookup(client, "hbase:meta has a row that is none of HBase's");
    else if (ps_key_ranges_find(&client->regions, lookup->key, lookup->key_length) != NULL)
        end_lookup(client, NULL);
    else if (rows.no_memory)
        end_lookup(client, "no memory");
    else if (rows.count == 0) {
        (void)snprintf(reason, sizeof reason, "the table %.150s does not exist", client->settings.table);
        end_lookup(client, reason);
    } else
        end_lookup(client, rows.no_server
                               ? "no region server has the region now"
                               : "hbase:meta has no region for the row now: it may be in transition");
}

/* ---- sending ---- */

static const char *key_of(const struct ps_hbase_batch *batch, const struct ps_hbase_mutation *mutation)
{
    return batch->bytes.data + mutation->key_at;
}

/* Decides for one mutation that waits: adds it to the request of its server, leaves it, or ends it. */
static void place(struct ps_hbase_client *client, struct ps_hbase_batch *batch, uint32_t number)
{
    struct ps_hbase_mutation *mutation = &batch->mutations[number];
    struct ps_key_range *region =
        ps_key_ranges_find(&client->regions, key_of(batch, mutation), mutation->key_length);
    if (region == NULL) {
        if (now_ns(client) < client->lookup.rest_ns)
            ps_hbase_batch_set(batch, mutation, PS_PART_AGAIN, client->lookup.reason);
        else
            want(client, key_of(batch, mutation), mutation->key_length);
        return;
    }
    struct ps_framed_server *server = region->server;
    if (ps_framed_client_rests(&client->framed, server)) {
        char reason[PS_HBASE_REASON_BYTES];
        (void)snprintf(reason, sizeof reason, "%.200s:%u rests after a failure", server->host, server->port);
        ps_hbase_batch_set(batch, mutation, PS_PART_AGAIN, reason);
    } else if (ps_framed_server_is_ready(server)) {
        ps_hbase_multi_add(batch, region, number);
    }
}

static void mark_sent(struct ps_hbase_batch *batch, const struct ps_framed_server *server, bool sent)
{
    for (struct ps_key_range *region = server->ranges; region != NULL; region = region->next_of_server) {
        for (uint32_t number = region->first; number != UINT32_MAX; number = batch->mutations[number].next) {
            struct ps_hbase_mutation *mutation = &batch->mutations[number];
            mutation->server = server;
            ps_hbase_batch_set(batch, mutation, sent ? PS_PART_SENT : PS_PART_AGAIN,
                               sent ? NULL : "no memory");
        }
        region->rows = 0;
    }
}

static void send_to(struct ps_hbase_client *client, struct ps_hbase_batch *batch,
                    struct ps_framed_server *server)
{
    uint32_t id = ps_framed_server_next_id(server);
    size_t bytes = ps_hbase_multi_put(batch, server, id, client->settings.nonce_group);
    mark_sent(batch, server, bytes > 0);
    server->ranges = NULL;
    if (bytes > 0)
        ps_framed_server_called(server, batch, id, bytes);
}

static void push(struct ps_framed_client *framed, struct ps_framed_batch *framed_batch)
{
    struct ps_hbase_client *client = (struct ps_hbase_client *)framed;
    struct ps_hbase_batch *batch = (struct ps_hbase_batch *)framed_batch;
    bool open = false;
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->mutations[i].state == PS_PART_WAITING)
            place(client, batch, i);
    for (struct ps_framed_server *server = client->framed.servers; server != NULL; server = server->next)
        if (server->ranges != NULL)
            send_to(client, batch, server);
    for (uint32_t i = 0; i < batch->count && !open; i++)
        open = batch->mutations[i].state == PS_PART_WAITING || batch->mutations[i].state == PS_PART_SENT;
    if (open)
        return;
    ps_framed_client_withdraw(framed, framed_batch);
    client->settings.done(batch);
}

/* ---- answers ---- */

/* An answer to a Multi. */
struct taken {
    struct ps_hbase_client *client;
    struct ps_hbase_batch *batch;
    struct ps_framed_server *server;
    uint32_t call;
    /* number of the list of mutations of which the region has taken one; UINT32_MAX: none yet */
    uint32_t noted;
};

/* A region takes rows: what it refuses is for the row's sake. */
static void note_taken(struct taken *taken, const struct ps_hbase_mutation *mutation)
{
    const char *key = key_of(taken->batch, mutation);
    struct ps_key_range *region = NULL;
    if (taken->noted != mutation->action)
        region = ps_key_ranges_find(&taken->client->regions, key, mutation->key_length);
    if (region != NULL)
        region->taken_ns = now_ns(taken->client);
    taken->noted = mutation->action;
}

/* Returns whether the row itself is refused. A server answers all rows of a list with the exception that one of them causes, so that a row
 * that was refused is sent again in a list of its own. If the server refuses that list as well, `doubted` is about a region or a table that takes
 * nothing, such as one that is read only, unless the region has taken another row since. No single event causes the refusal of a sum of
 * increments (coalesceIncrements). */
static bool is_final(const struct ps_hbase_client *client, const struct ps_hbase_batch *batch,
                     const struct ps_hbase_mutation *mutation, bool doubted)
{
    if (!mutation->alone || mutation->event == PS_HBASE_EVERY_EVENT)
        return false;
    const struct ps_key_range *region =
        ps_key_ranges_find(&client->regions, key_of(batch, mutation), mutation->key_length);
    return !doubted || (region != NULL && region->taken_ns >= mutation->refused_ns);
}

/* Carries out what an exception means for one mutation. */
static void judge(struct taken *taken, struct ps_hbase_mutation *mutation, enum ps_hbase_meaning meaning,
                  const char *reason)
{
    struct ps_hbase_client *client = taken->client;
    struct ps_hbase_batch *batch = taken->batch;
    const char *key = key_of(batch, mutation);
    switch (meaning) {
    case PS_HBASE_DONE:
        mutation->state = PS_PART_DELIVERED;
        note_taken(taken, mutation);
        return;
    case PS_HBASE_REFUSED:
    case PS_HBASE_DOUBTED:
        if (is_final(client, batch, mutation, meaning == PS_HBASE_DOUBTED)) {
            ps_hbase_batch_set(batch, mutation, PS_PART_REJECTED, reason);
            return;
        }
        if (!mutation->alone)
            mutation->refused_ns = now_ns(client);
        mutation->alone = true;
        break;
    case PS_HBASE_RELOCATE:
        client->counts.relocated++;
        ps_key_ranges_forget(&client->regions, key, mutation->key_length);
        break;
    case PS_HBASE_STOPPED:
        client->counts.relocated++;
        break;
    case PS_HBASE_BUSY:
        client->counts.overloaded++;
        batch->busy = true;
        break;
    case PS_HBASE_REPEAT:
    case PS_HBASE_NO_TABLE:
        break;
    }
    ps_hbase_batch_set(batch, mutation, PS_PART_AGAIN, reason);
}

/* Carries out what it means for the server. */
static void judge_server(struct ps_hbase_client *client, struct ps_framed_server *server,
                         enum ps_hbase_meaning meaning, bool whole)
{
    if (meaning == PS_HBASE_STOPPED) {
        ps_key_ranges_forget_server(&client->regions, server);
        pause_server(client, server);
    } else if (meaning == PS_HBASE_BUSY && whole && !ps_framed_client_rests(&client->framed, server)) {
        pause_server(client, server);
    }
}

static void take_result(void *owner, const struct ps_hbase_result *result)
{
    struct taken *taken = owner;
    struct ps_hbase_batch *batch = taken->batch;
    char reason[PS_HBASE_REASON_BYTES];
    enum ps_hbase_meaning meaning = PS_HBASE_DONE;
    if (result->class != NULL) {
        meaning = ps_hbase_exception_meaning(result->class, result->class_length, result->text,
                                             result->text_length);
        ps_hbase_exception_print(reason, result->class, result->class_length, result->text,
                                 result->text_length);
        judge_server(taken->client, taken->server, meaning, false);
    }
    bool together = result->number == UINT32_MAX;
    for (uint32_t i = together ? 0 : result->number; i < batch->count; i++) {
        struct ps_hbase_mutation *mutation = &batch->mutations[i];
        if (mutation->state == PS_PART_SENT && mutation->server == taken->server &&
            mutation->call == taken->call && mutation->action == result->action)
            judge(taken, mutation, meaning, reason);
        if (!together)
            break;
    }
}

/* Ends the mutations of the call about which nothing was said yet. */
static void end_others(struct taken *taken, enum ps_hbase_meaning meaning, bool unknown, const char *reason)
{
    struct ps_hbase_batch *batch = taken->batch;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct ps_hbase_mutation *mutation = &batch->mutations[i];
        if (mutation->state != PS_PART_SENT || mutation->server != taken->server ||
            mutation->call != taken->call)
            continue;
        if (unknown)
            ps_hbase_batch_set(batch, mutation, PS_PART_UNKNOWN, reason);
        else
            judge(taken, mutation, meaning, reason);
    }
}

static void answered(struct ps_framed_server *server, void *call, const struct ps_hbase_answer *answer)
{
    struct ps_hbase_client *client = server->owner;
    if (call == &client->lookup) {
        server->failures = 0;
        take_lookup(client, answer);
        return;
    }
    struct taken taken = {client, call, server, answer->call_id, UINT32_MAX};
    if (!taken.batch->framed.open)
        return; /* it was withdrawn */
    taken.batch->framed.reached = true;
    if (answer->class != NULL) {
        char reason[PS_HBASE_REASON_BYTES];
        enum ps_hbase_meaning meaning = ps_hbase_exception_meaning(answer->class, answer->class_length,
                                                                   answer->text, answer->text_length);
        ps_hbase_exception_print(reason, answer->class, answer->class_length, answer->text,
                                 answer->text_length);
        judge_server(client, server, meaning, true);
        end_others(&taken, meaning, meaning == PS_HBASE_DONE, reason);
    } else {
        server->failures = 0;
        bool good = ps_hbase_multi_parse(answer->body, answer->body_length, take_result, &taken);
        end_others(&taken, PS_HBASE_REPEAT, true,
                   good ? "the answer lacks the mutation" : "the answer is none of HBase's");
    }
    change_all(client); /* others may have waited for room */
}

static void unanswered(struct ps_framed_server *server, void *call, uint32_t, bool reached,
                       const char *reason)
{
    struct ps_hbase_client *client = server->owner;
    if (call == &client->lookup) {
        client->meta = NULL;
        end_lookup(client, reason);
        return;
    }
    struct ps_hbase_batch *batch = call;
    if (!batch->framed.open)
        return;
    batch->framed.reached |= reached;
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->mutations[i].state == PS_PART_SENT && batch->mutations[i].server == server)
            ps_hbase_batch_set(batch, &batch->mutations[i], reached ? PS_PART_UNKNOWN : PS_PART_AGAIN,
                               reason);
    ps_framed_client_change(&client->framed, &batch->framed);
}

/* The mutations of a server that cannot be reached end as AGAIN: their regions may be with another one soon. */
static void lost(struct ps_framed_server *server, const char *reason)
{
    struct ps_hbase_client *client = server->owner;
    for (struct ps_framed_batch *open = client->framed.batches; open != NULL; open = open->next) {
        struct ps_hbase_batch *batch = (struct ps_hbase_batch *)open;
        for (uint32_t i = 0; i < batch->count; i++) {
            struct ps_hbase_mutation *mutation = &batch->mutations[i];
            const struct ps_key_range *region =
                mutation->state == PS_PART_WAITING
                    ? ps_key_ranges_find(&client->regions, key_of(batch, mutation), mutation->key_length)
                    : NULL;
            if (region != NULL && region->server == server)
                ps_hbase_batch_set(batch, mutation, PS_PART_AGAIN, reason);
        }
    }
    if (client->meta == server) {
        client->meta = NULL;
        if (client->lookup.wanted)
            end_lookup(client, reason);
    }
    ps_key_ranges_forget_server(&client->regions, server);
    pause_server(client, server);
    change_all(client);
}

static void take_frame(struct ps_framed_server *server, const uint8_t *bytes, size_t length)
{
    struct ps_hbase_answer answer;
    void *call = ps_hbase_server_take(server, bytes, length, &answer);
    if (call != NULL)
        answered(server, call, &answer);
}

static bool introduce(struct ps_framed_server *server)
{
    const struct ps_hbase_client *client = server->owner;
    return ps_hbase_server_introduce(server, client->settings.user);
}

static void up(struct ps_framed_server *server)
{
    struct ps_hbase_client *client = server->owner;
    change_all(client); /* a look-up may wait for it, too */
}

/* ---- the owner's calls ---- */

void ps_hbase_client_submit(struct ps_hbase_client *client, struct ps_hbase_batch *batch)
{
    batch->busy = false;
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->mutations[i].state != PS_PART_DELIVERED && batch->mutations[i].state != PS_PART_REJECTED)
            batch->mutations[i].state = PS_PART_WAITING;
    ps_framed_client_submit(&client->framed, &batch->framed);
}

void ps_hbase_client_withdraw(struct ps_hbase_client *client, struct ps_hbase_batch *batch)
{
    ps_framed_client_withdraw(&client->framed, &batch->framed);
}

uint64_t ps_hbase_client_turn(struct ps_hbase_client *client, const struct ps_now *now)
{
    return ps_framed_client_turn(&client->framed, now);
}

const struct ps_hbase_client_counts *ps_hbase_client_counts(const struct ps_hbase_client *client)
{
    return &client->counts;
}

static const struct ps_framed_server_ops server_ops = {
    .introduce = introduce, .up = up, .frame = take_frame, .unanswered = unanswered, .lost = lost};

enum ps_status ps_hbase_client_open(struct ps_hbase_client **opened,
                                    const struct ps_hbase_client_settings *settings, struct ps_err *err)
{
    struct ps_hbase_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return ps_err_set(err, "no memory");
    client->settings = *settings;
    client->framed = (struct ps_framed_client){
        .server_settings = {.ops = &server_ops,
                            .protocol = "HBase's RPC",
                            .connect_ns = settings->connect_ns,
                            .call_ns = settings->call_ns,
                            .transport = ps_hbase_security_transport(settings->security)},
        .rest_max_ns = settings->rest_max_ns,
        .push = push,
        .ask = go_on_looking};
    if (ps_framed_client_open(&client->framed, settings->port, err) != PS_OK) {
        free(client);
        return PS_FAIL;
    }
    const struct ps_hbase_registry_settings registry = {.loop = client->framed.loop,
                                                        .quorum = settings->quorum,
                                                        .znode = settings->znode,
                                                        .timeout_ns = REGISTRY_NS,
                                                        .answered = found_meta,
                                                        .owner = client};
    client->registry = ps_hbase_registry_open(&registry);
    *opened = client;
    if (client->registry != NULL)
        return PS_OK;
    ps_hbase_client_close(client);
    *opened = NULL;
    return ps_err_set(err, "no memory");
}

void ps_hbase_client_close(struct ps_hbase_client *client)
{
    if (client == NULL)
        return;
    ps_hbase_registry_close(client->registry);
    ps_key_ranges_free(&client->regions);
    ps_byte_buffer_clear(&client->row, 0);
    ps_framed_client_close(&client->framed, ps_hbase_server_leave);
    free(client);
}
