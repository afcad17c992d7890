#include "stages/lib/hadoop/probe_turns.h"
#include "stages/lib/kudu/sink/sink.h"

#include <stdio.h>
#include <string.h>

static uint64_t turn(void *client, const struct ps_now *now)
{
    return ps_kudu_client_turn(client, now);
}

static void done(struct ps_kudu_batch *batch)
{
    bool *is_done = batch->framed.owner;
    *is_done = true;
}

static void report(const struct ps_probe *probe, const struct ps_kudu_plan *plan,
                   const struct ps_kudu_batch *batch)
{
    char what[320], reason[PS_KUDU_REASON_BYTES], keys[200] = "";
    const struct ps_kudu_table *table = batch->table;
    snprintf(what, sizeof what, "table %.250s", plan->table);
    if (table == NULL) {
        const char *cause = batch->is_refused ? batch->framed.reasons[0] : "no answer in time";
        ps_probe_key_failed(probe, "tableName", what, cause,
                            strstr(cause, "not exist") != NULL || strstr(cause, "not found") != NULL
                                ? "create it, or correct tableName"
                                : NULL);
        return;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        size_t used = strlen(keys);
        if (table->columns[i].is_key)
            snprintf(keys + used, sizeof keys - used, "%s%.60s", used > 0 ? ", " : "",
                     table->columns[i].name);
    }
    if (ps_kudu_producer_fits(&plan->producer, table, reason))
        ps_probe_ok(probe, "%s: %u columns, of the key: %s", what, table->count, keys);
    else
        ps_probe_failed(probe, what, reason, "correct producer.*, or alter the table");
}

void ps_kudu_probe_table(const struct ps_probe *probe, const struct ps_kudu_plan *plan)
{
    struct ps_kudu_client_settings settings = plan->client;
    struct ps_kudu_batch batch = {.table = NULL};
    struct ps_kudu_client *client;
    struct ps_err err = {.length = 0};
    struct ps_port port;
    bool is_done = false;
    if (probe->local || ps_probe_left_ms(probe) == 0 || !ps_probe_port_open(&port, probe))
        return;
    settings.port = &port;
    settings.done = done;
    settings.connect_ns = settings.call_ns = ps_probe_left_ms(probe) * PS_NS_PER_MS;
    batch.framed.owner = &is_done;
    if (ps_kudu_client_open(&client, &settings, &err) != PS_OK) {
        ps_probe_failed(probe, plan->table, err.text, NULL);
    } else {
        ps_kudu_client_know(client, &batch);
        ps_kudu_client_submit(client, &batch);
        ps_probe_turns(probe, port.epoll_fd, turn, client, &is_done);
        report(probe, plan, &batch);
        ps_kudu_client_withdraw(client, &batch);
        ps_kudu_batch_free(&batch);
        ps_kudu_client_close(client);
    }
    ps_probe_port_close(&port);
}
