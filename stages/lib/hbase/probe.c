#include "core/probe.h"

#include "stages/lib/hadoop/framed_client.h"
#include "stages/lib/hadoop/probe_turns.h"
#include "stages/lib/hbase/client.h"
#include "stages/lib/hbase/meta.h"
#include "stages/lib/hbase/server.h"

#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 512U
#define FIRST_ROW                                                                                            \
    "\0" /* the region of this key is the table's first one; a row's key has at least one byte */

struct trial {
    struct ps_framed_client framed; /* must be first */
    const struct ps_hbase_client_settings *settings;
    const char *family;
    struct ps_hbase_registry *registry;
    struct ps_framed_server *server; /* the one that is asked; NULL: ZooKeeper is */
    struct ps_byte_buffer region;    /* its name; empty: hbase:meta is asked for it */
    bool sent, done, refused;        /* refused: the user may not read */
    const char *key;                 /* the one to blame */
    char reason[TEXT_BYTES];         /* "": all is there */
};

static void finish(struct trial *trial, const char *key, const char *reason)
{
    if (trial->done)
        return;
    trial->done = true;
    trial->key = key;
    snprintf(trial->reason, sizeof trial->reason, "%s", reason);
}

static void ask_server(struct trial *trial, const char *host, size_t length, unsigned port)
{
    trial->server = ps_hbase_server_of(&trial->framed, trial->settings->security, host, length, port);
    trial->sent = false;
    trial->framed.changed = true;
    if (trial->server == NULL)
        finish(trial, NULL, "no memory");
}

static void found_meta(void *owner, const struct ps_hbase_registry_answer *answer)
{
    struct trial *trial = owner;
    if (answer->found)
        ask_server(trial, answer->host, strlen(answer->host), answer->port);
    else
        finish(trial, "zookeeperQuorum", answer->reason);
}

/* The rows of hbase:meta from that of the first region backwards. */
static bool put_lookup(struct ps_byte_buffer *to, uint32_t id, const char *table)
{
    char row[TEXT_BYTES], stop[TEXT_BYTES];
    size_t name = strlen(table);
    if (name + 32 > sizeof row)
        return false;
    memcpy(row, table, name);
    memcpy(row + name, "," FIRST_ROW ",99999999999999", sizeof "," FIRST_ROW ",99999999999999" - 1);
    int stop_length = snprintf(stop, sizeof stop, "%s,,", table);
    return ps_hbase_put_meta_scan(to, id, row, name + sizeof "," FIRST_ROW ",99999999999999" - 1, stop,
                                  (size_t)stop_length, 1);
}

/* Sends the question, when its server is connected. */
static void go_on(struct ps_framed_client *framed)
{
    struct trial *trial = (struct trial *)framed;
    struct ps_framed_server *server = trial->server;
    if (trial->done || trial->sent || server == NULL || !ps_framed_server_is_ready(server))
        return;
    uint32_t id = ps_framed_server_next_id(server);
    size_t before = server->out.length;
    bool good = trial->region.length == 0
                    ? put_lookup(&server->out, id, trial->settings->table)
                    : ps_hbase_put_get(&server->out, id, trial->region.data, trial->region.length, FIRST_ROW,
                                       sizeof FIRST_ROW - 1, trial->family);
    if (!good) {
        finish(trial, NULL, "no memory");
        return;
    }
    trial->sent = true;
    ps_framed_server_called(server, trial, id, server->out.length - before);
}

static bool take_row(void *owner, const struct ps_hbase_meta_row *row)
{
    struct trial *trial = owner;
    if (row->is_other)
        return false;
    if (row->host == NULL || row->is_gone)
        finish(trial, "table", "no region server has its first region now");
    else if (ps_byte_buffer_append(&trial->region, row->region.name, row->region.name_length))
        ask_server(trial, row->host, row->host_length, row->port);
    else
        finish(trial, NULL, "no memory");
    return false;
}

static bool is_class(const struct ps_hbase_answer *answer, const char *name)
{
    return memmem(answer->class, answer->class_length, name, strlen(name)) != NULL;
}

static void take_answer(struct trial *trial, const struct ps_hbase_answer *answer)
{
    char reason[PS_HBASE_REASON_BYTES];
    if (answer->class != NULL) {
        bool is_family = is_class(answer, "NoSuchColumnFamilyException");
        ps_hbase_exception_print(reason, answer->class, answer->class_length, answer->text,
                                 answer->text_length);
        trial->refused = is_class(answer, "AccessDeniedException");
        finish(trial, is_family ? "columnFamily" : "table",
               is_family ? "the table has no such family" : reason);
    } else if (trial->region.length > 0) {
        finish(trial, NULL, "");
    } else if (!ps_hbase_meta_parse(answer->body, answer->body_length, trial->settings->table, take_row,
                                    trial)) {
        finish(trial, NULL, "hbase:meta has a row that is none of HBase's");
    } else if (trial->region.length == 0) {
        finish(trial, "table", "it does not exist");
    }
}

static bool introduce(struct ps_framed_server *server)
{
    const struct trial *trial = server->owner;
    return ps_hbase_server_introduce(server, trial->settings->user);
}

static void up(struct ps_framed_server *server)
{
    struct trial *trial = server->owner;
    trial->framed.changed = true;
}

static void take_frame(struct ps_framed_server *server, const uint8_t *bytes, size_t length)
{
    struct ps_hbase_answer answer;
    if (ps_hbase_server_take(server, bytes, length, &answer) != NULL)
        take_answer(server->owner, &answer);
}

static void unanswered(struct ps_framed_server *server, void *, uint32_t, bool, const char *reason)
{
    finish(server->owner, NULL, reason);
}

static void lost(struct ps_framed_server *server, const char *reason)
{
    struct trial *trial = server->owner;
    if (server == trial->server)
        finish(trial, NULL, reason);
}

static const struct ps_framed_server_ops server_ops = {
    .introduce = introduce, .up = up, .frame = take_frame, .unanswered = unanswered, .lost = lost};

static uint64_t turn(void *trial, const struct ps_now *now)
{
    return ps_framed_client_turn(trial, now);
}

/* `key`: NULL: the connection to a server is at fault, whose reason has its own cure if Kerberos is meant. */
static const char *cure_of(const char *key, const char *reason)
{
    if (key == NULL)
        return strcasestr(reason, "kerberos") == NULL ? "see whether this machine reaches the region servers "
                                                        "under the names that HBase has for them"
                                                      : NULL;
    return strcmp(key, "zookeeperQuorum") == 0 ? "see whether HBase runs, and znodeParent"
                                               : "create it, or correct table and columnFamily";
}

static void report(const struct ps_probe *probe, const struct trial *trial)
{
    char what[TEXT_BYTES];
    const char *key = trial->key, *reason = trial->done ? trial->reason : "no answer in time";
    snprintf(what, sizeof what, "table %.200s, family %.200s", trial->settings->table, trial->family);
    if (trial->done && reason[0] == '\0')
        ps_probe_ok(probe, "%s: the region server %s:%u answers", what, trial->server->host,
                    trial->server->port);
    else if (trial->refused)
        ps_probe_skipped(probe, what, "this user may not read it");
    else
        ps_probe_key_failed(probe, key, what, reason, cure_of(key, reason));
}

void ps_hbase_probe_table(const struct ps_probe *probe, const struct ps_hbase_client_settings *settings,
                          const char *family)
{
    uint64_t limit_ns = ps_probe_left_ms(probe) * PS_NS_PER_MS;
    struct trial trial = {
        .framed = {.server_settings = {.ops = &server_ops,
                                       .protocol = "HBase's RPC",
                                       .connect_ns = limit_ns,
                                       .call_ns = limit_ns,
                                       .transport = ps_hbase_security_transport(settings->security)},
                   .ask = go_on},
        .settings = settings,
        .family = family};
    struct ps_err err = {.length = 0};
    struct ps_port port;
    if (probe->local || limit_ns == 0 || !ps_probe_port_open(&port, probe))
        return;
    if (ps_framed_client_open(&trial.framed, &port, &err) != PS_OK) {
        ps_probe_failed(probe, settings->table, err.text, NULL);
    } else {
        const struct ps_hbase_registry_settings registry = {.loop = trial.framed.loop,
                                                            .quorum = settings->quorum,
                                                            .znode = settings->znode,
                                                            .timeout_ns = limit_ns,
                                                            .answered = found_meta,
                                                            .owner = &trial};
        const struct ps_now now = ps_clock_now();
        (void)ps_framed_client_turn(&trial.framed, &now); /* the loop knows the time */
        trial.registry = ps_hbase_registry_open(&registry);
        if (trial.registry != NULL)
            ps_hbase_registry_ask(trial.registry);
        ps_probe_turns(probe, port.epoll_fd, turn, &trial, &trial.done);
        report(probe, &trial);
        ps_hbase_registry_close(trial.registry);
        ps_byte_buffer_clear(&trial.region, 0);
        ps_framed_client_close(&trial.framed, ps_hbase_server_leave);
    }
    ps_probe_port_close(&port);
}
