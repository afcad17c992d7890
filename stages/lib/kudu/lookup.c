/* Finds the master that leads, opens the table, and finds tablets: one question at a time. */
#include "stages/lib/kudu/internal.h"
#include "stages/lib/kudu/master.h"

#include <stdio.h>

#define BLOCKED_NS (200 * PS_NS_PER_MS)

/* ---- masters ---- */

/* The question has ended; what waits for it goes on. With a reason there is no answer. */
static void end_question(struct ps_kudu_client *client, const char *reason)
{
    struct ps_kudu_question *question = &client->question;
    /* the next question is for a table that somebody wants meanwhile; rows without a tablet ask again */
    question->wants_table = question->wants_table && question->sent && !question->sent_table;
    question->wants_tablet = question->sent = false;
    if (reason == NULL) {
        question->failures = 0;
        question->rest_ns = 0;
    } else {
        if (reason != question->reason) /* a master has noted it */
            (void)snprintf(question->reason, sizeof question->reason, "%s", reason);
        question->rest_ns =
            ps_kudu_now_ns(client) + ps_framed_rest_ns(question->failures++, client->framed.rest_max_ns);
    }
    ps_kudu_change_all(client);
}

/* The leader is another one, or is not known. */
static void lose_leader(struct ps_kudu_client *client)
{
    client->leader = NULL;
    for (unsigned i = 0; i < client->settings.master_count; i++)
        client->masters[i].state = PS_KUDU_MASTER_TO_ASK;
}

/* Asks each master whether it leads. Those that cannot be asked, or say no, are not asked again for this question. */
static void find_leader(struct ps_kudu_client *client)
{
    unsigned asked = 0;
    for (unsigned i = 0; i < client->settings.master_count; i++) {
        struct ps_framed_server *server = client->masters[i].server;
        if (client->masters[i].state == PS_KUDU_MASTER_TO_ASK &&
            ps_framed_client_rests(&client->framed, server))
            client->masters[i].state = PS_KUDU_MASTER_NO; /* `lost` has noted the reason */
        if (client->masters[i].state == PS_KUDU_MASTER_TO_ASK && ps_framed_server_is_ready(server)) {
            size_t before = server->out.length;
            uint32_t call = ps_framed_server_next_id(server);
            bool good = ps_kudu_put_connect(&server->out, call, ps_kudu_call_ms(client));
            client->masters[i].state = good ? PS_KUDU_MASTER_ASKED : PS_KUDU_MASTER_NO;
            if (good)
                ps_framed_server_called(server, &client->masters[i], call, server->out.length - before);
        }
        asked += client->masters[i].state != PS_KUDU_MASTER_NO;
    }
    if (asked > 0)
        return;
    lose_leader(client);
    end_question(client, client->question.reason);
}

static void take_connected(struct ps_kudu_client *client, unsigned number,
                           const struct ps_kudu_answer *answer)
{
    struct ps_kudu_master_answer said;
    bool is_leader = false;
    client->masters[number].state = PS_KUDU_MASTER_NO;
    client->framed.changed = true;
    if (answer->is_error) {
        ps_kudu_print(client->question.reason, &answer->error, true);
        return;
    }
    client->masters[number].server->failures = 0;
    bool good = ps_kudu_parse_connected(answer->body, answer->body_length, &said, &is_leader);
    if (good && said.error == 0 && is_leader)
        client->leader = client->masters[number].server;
    else if (good && said.error != 0)
        ps_kudu_print(client->question.reason, &said.status, false);
    else
        (void)snprintf(client->question.reason, sizeof client->question.reason, "%s",
                       good ? "no master leads now" : "the master's answer is none of Kudu's");
}

void ps_kudu_go_on_asking(struct ps_framed_client *framed)
{
    struct ps_kudu_client *client = (struct ps_kudu_client *)framed;
    struct ps_kudu_question *question = &client->question;
    if (question->sent || !(question->wants_table || question->wants_tablet))
        return;
    if (client->leader != NULL && ps_framed_client_rests(framed, client->leader))
        lose_leader(client);
    if (client->leader == NULL) {
        find_leader(client);
        return;
    }
    struct ps_framed_server *server = client->leader;
    if (!ps_framed_server_is_ready(server))
        return;
    size_t before = server->out.length;
    uint32_t call = ps_framed_server_next_id(server);
    question->sent_table = question->wants_table || client->table == NULL;
    bool good = question->sent_table
                    ? ps_kudu_put_open(&server->out, call, ps_kudu_call_ms(client), client->settings.table)
                    : ps_kudu_put_locate(&server->out, call, ps_kudu_call_ms(client), client->table,
                                         question->key.data, question->key.length);
    if (!good) {
        end_question(client, "no memory");
        return;
    }
    question->sent = true;
    client->counts.lookups += !question->sent_table;
    ps_framed_server_called(server, question, call, server->out.length - before);
}

void ps_kudu_want_table(struct ps_kudu_client *client)
{
    client->question.wants_table = true;
    client->framed.changed = true;
}

/* Wants the place of the tablet with this key. */
static void want_tablet(struct ps_kudu_client *client, const char *key, size_t length)
{
    struct ps_kudu_question *question = &client->question;
    if (question->wants_tablet || question->wants_table)
        return;
    ps_byte_buffer_clear(&question->key, SIZE_MAX);
    question->wants_tablet = ps_byte_buffer_append(&question->key, key, length);
    client->framed.changed = true;
}

static void set_table(struct ps_kudu_client *client, struct ps_kudu_table *table)
{
    ps_kudu_table_release(client->table);
    client->table = table;
    ps_key_ranges_forget_server(&client->tablets, NULL);
    client->blocked.until_ns = 0;
}

/* An error of the leader. It may lead no more. */
static void take_master_error(struct ps_kudu_client *client, const struct ps_kudu_master_answer *said)
{
    char reason[PS_KUDU_REASON_BYTES];
    ps_kudu_print(reason, &said->status, false);
    if (said->error == PS_KUDU_MASTER_NOT_LEADER || said->error == PS_KUDU_MASTER_NOT_READY)
        lose_leader(client);
    if (said->error == PS_KUDU_MASTER_NO_TABLE || said->error == PS_KUDU_MASTER_TABLE_DELETED) {
        if (client->table != NULL && !client->question.sent_table) { /* it may have been made again */
            set_table(client, NULL);
            end_question(client, NULL);
            return;
        }
        set_table(client, NULL);
        (void)snprintf(reason, sizeof reason, "the table %.150s does not exist", client->settings.table);
    }
    end_question(client, reason);
}

static void take_opened(struct ps_kudu_client *client, const struct ps_kudu_answer *answer)
{
    struct ps_kudu_master_answer said;
    struct ps_kudu_table *table = NULL;
    struct ps_slice token = {.length = 0};
    const char *reason = "the master's answer is none of Kudu's";
    bool good = ps_kudu_parse_opened(answer->body, answer->body_length, &said, &table, &token, &reason);
    if (good && said.error != 0) {
        take_master_error(client, &said);
        return;
    }
    ps_byte_buffer_clear(&client->token, SIZE_MAX);
    if (table == NULL || !ps_byte_buffer_append(&client->token, token.data, token.length)) {
        ps_kudu_table_release(table);
        end_question(client, table == NULL ? reason : "no memory");
        return;
    }
    if (client->table != NULL && ps_kudu_table_is_same(client->table, table))
        ps_kudu_table_release(table);
    else
        set_table(client, table);
    end_question(client, NULL);
}

/* ---- tablets ---- */

static int compare(struct ps_slice a, const char *b, size_t b_length)
{
    size_t least = a.length < b_length ? a.length : b_length;
    int order = least > 0 ? memcmp(a.data, b, least) : 0;
    return order != 0 ? order : (a.length > b_length) - (a.length < b_length);
}

struct located {
    struct ps_kudu_client *client;
    struct ps_slice before,
        after; /* end of the last tablet before the key, and start of the first one behind it */
    bool has_after, leaderless, no_memory;
};

static void take_tablet(void *owner, const struct ps_kudu_tablet *tablet)
{
    struct located *located = owner;
    struct ps_kudu_client *client = located->client;
    const struct ps_byte_buffer *key = &client->question.key;
    bool begins = compare(tablet->start, key->data, key->length) <= 0;
    bool ends = tablet->end.length > 0 && compare(tablet->end, key->data, key->length) <= 0;
    if (!begins && !located->has_after) {
        located->after = tablet->start;
        located->has_after = true;
    } else if (ends) {
        located->before = tablet->end;
    } else if (begins && tablet->host.length == 0) {
        located->leaderless = true;
        located->before = tablet->start;
        located->after = tablet->end;
        located->has_after = true;
    }
    if (tablet->host.length == 0)
        return;
    struct ps_key_range range = {.name = tablet->id.data,
                                 .start = tablet->start.data,
                                 .end = tablet->end.data,
                                 .name_length = tablet->id.length,
                                 .start_length = tablet->start.length,
                                 .end_length = tablet->end.length};
    range.server =
        ps_framed_client_server(&client->framed, tablet->host.data, tablet->host.length, tablet->port);
    located->no_memory |= range.server == NULL || !ps_key_ranges_add(&client->tablets, &range);
}

/* Notes that no server takes the keys around that of the question. */
static bool block(struct ps_kudu_client *client, const struct located *located)
{
    struct ps_kudu_blocked *blocked = &client->blocked;
    ps_byte_buffer_clear(&blocked->keys, SIZE_MAX);
    if (!ps_byte_buffer_append(&blocked->keys, located->before.data, located->before.length) ||
        !ps_byte_buffer_append(&blocked->keys, located->after.data, located->after.length))
        return false;
    blocked->start_length = located->before.length;
    blocked->has_end = located->has_after && located->after.length > 0;
    blocked->until_ns = ps_kudu_now_ns(client) + BLOCKED_NS;
    blocked->reason = located->leaderless ? "the tablet of the row has no leader now"
                                          : "no partition of the table covers the row";
    if (!located->leaderless) /* a range that was added may have hash buckets of its own: other keys */
        ps_kudu_want_table(client);
    return true;
}

static bool is_blocked(const struct ps_kudu_client *client, const char *key, size_t length)
{
    const struct ps_kudu_blocked *blocked = &client->blocked;
    if (ps_kudu_now_ns(client) >= blocked->until_ns)
        return false;
    struct ps_slice start = {blocked->keys.data, (uint32_t)blocked->start_length};
    struct ps_slice end = {blocked->keys.data + blocked->start_length,
                           (uint32_t)(blocked->keys.length - blocked->start_length)};
    return compare(start, key, length) <= 0 && (!blocked->has_end || compare(end, key, length) > 0);
}

static void take_located(struct ps_kudu_client *client, const struct ps_kudu_answer *answer)
{
    struct located located = {.client = client, .before = {"", 0}, .after = {"", 0}};
    struct ps_kudu_master_answer said;
    const struct ps_byte_buffer *key = &client->question.key;
    if (!ps_kudu_parse_located(answer->body, answer->body_length, &said, take_tablet, &located))
        end_question(client, "the master's answer is none of Kudu's");
    else if (said.error != 0)
        take_master_error(client, &said);
    else if (ps_key_ranges_find(&client->tablets, key->data, key->length) != NULL)
        end_question(client, NULL);
    else
        end_question(client, located.no_memory || !block(client, &located) ? "no memory" : NULL);
}

static void take_answer_of_leader(struct ps_kudu_client *client, const struct ps_kudu_answer *answer)
{
    char reason[PS_KUDU_REASON_BYTES];
    if (answer->is_error) {
        ps_kudu_print(reason, &answer->error, true);
        lose_leader(client);
        end_question(client, reason);
        return;
    }
    if (client->question.sent_table)
        take_opened(client, answer);
    else if (client->table != NULL)
        take_located(client, answer);
    else
        end_question(client, "the table has changed");
}

struct ps_key_range *ps_kudu_tablet_of(struct ps_kudu_client *client, struct ps_kudu_batch *batch,
                                       const struct ps_kudu_row *row, const char **reason)
{
    const char *key = ps_kudu_row_key(batch, row);
    struct ps_key_range *tablet = ps_key_ranges_find(&client->tablets, key, row->key);
    *reason = NULL;
    if (tablet != NULL)
        return tablet;
    if (is_blocked(client, key, row->key)) {
        *reason = client->blocked.reason;
        batch->framed.reached = true; /* as if a server had refused it: it costs an attempt */
    } else if (ps_kudu_now_ns(client) < client->question.rest_ns) {
        *reason = client->question.reason;
    } else {
        want_tablet(client, key, row->key);
    }
    return NULL;
}

/* ---- what client.c hands on ---- */

bool ps_kudu_take_master(struct ps_kudu_client *client, void *call, const struct ps_kudu_answer *answer)
{
    if (call == &client->question) {
        if (client->leader != NULL)
            client->leader->failures = 0;
        take_answer_of_leader(client, answer);
        return true;
    }
    for (unsigned i = 0; i < client->settings.master_count; i++) {
        if (call != &client->masters[i])
            continue;
        take_connected(client, i, answer);
        return true;
    }
    return false;
}

static void note(struct ps_kudu_client *client, const char *reason)
{
    (void)snprintf(client->question.reason, sizeof client->question.reason, "%s", reason);
    client->framed.changed = true;
}

bool ps_kudu_miss_master(struct ps_kudu_client *client, void *call, const char *reason)
{
    if (call == &client->question) {
        lose_leader(client);
        end_question(client, reason);
        return true;
    }
    for (unsigned i = 0; i < client->settings.master_count; i++) {
        if (call != &client->masters[i])
            continue;
        client->masters[i].state = PS_KUDU_MASTER_NO;
        note(client, reason);
        return true;
    }
    return false;
}

void ps_kudu_lose_master(struct ps_kudu_client *client, const struct ps_framed_server *server,
                         const char *reason)
{
    for (unsigned i = 0; i < client->settings.master_count; i++) {
        if (client->masters[i].server != server || client->leader == server)
            continue;
        client->masters[i].state = PS_KUDU_MASTER_NO;
        note(client, reason);
    }
    if (client->leader != server)
        return;
    lose_leader(client);
    if (client->question.wants_table || client->question.wants_tablet)
        end_question(client, reason);
}

void ps_kudu_close_lookup(struct ps_kudu_client *client)
{
    ps_kudu_table_release(client->table);
    ps_byte_buffer_clear(&client->token, 0);
    ps_byte_buffer_clear(&client->question.key, 0);
    ps_byte_buffer_clear(&client->blocked.keys, 0);
    ps_key_ranges_free(&client->tablets);
}
