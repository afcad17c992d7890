/* See check.h. */
#include "conf/validate/check.h"

#include "conf/validate/clash.h"
#include "conf/validate/host.h"
#include "core/array.h"
#include "core/watch/metrics/server.h"

#include <stdlib.h>
#include <string.h>

struct use {
    const struct ps_conf_source *source; /* NULL: the metrics server */
    struct ps_listens listens;
    struct ps_host host;
    size_t order; /* position among all uses */
};

struct uses {
    const struct ps_conf_source *source; /* the source whose uses are being added */
    struct use *items;                   /* malloc'ed */
    size_t count, room;
};

/* ---- uses ---- */

static void add_use(void *argument, const struct ps_listens *address)
{
    struct uses *uses = argument;
    if (address->port == 0)
        return;
    PS_ARRAY_GROW(uses->items, uses->count, uses->room, "the ports of the configuration");
    struct use *use = &uses->items[uses->count];
    *use = (struct use){.source = uses->source, .listens = *address, .order = uses->count++};
    use->host = ps_host_read(address->host, address->host != NULL ? strlen(address->host) : 0);
}

static int compare_uses(const void *a_, const void *b_)
{
    const struct use *a = a_, *b = b_;
    if (a->listens.datagrams != b->listens.datagrams)
        return a->listens.datagrams ? 1 : -1;
    if (a->listens.port != b->listens.port)
        return a->listens.port < b->listens.port ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static bool same_port(const struct use *a, const struct use *b)
{
    return a->listens.port == b->listens.port && a->listens.datagrams == b->listens.datagrams;
}

/* ---- the check ---- */

/* Returns whether the hosts have an address in common. */
static bool hosts_overlap(const struct ps_host *a, const struct ps_host *b)
{
    return a->form == PS_HOST_EVERY || b->form == PS_HOST_EVERY || ps_hosts_equal(a, b);
}

static void report(struct ps_conf *conf, const struct use *use, const struct use *earlier)
{
    const struct ps_listens *listens = &use->listens;
    const char *as = "the metrics server (-Dflume.monitoring.port) does";
    struct ps_clash clash = {.part = &use->source->part,
                             .key = listens->key,
                             .cure = "set another port here, or for the metrics server"};
    if (earlier->source == use->source) {
        as = "it does already";
        clash.cure = "name each port once";
    } else if (earlier->source != NULL) {
        as = ps_arena_format(conf->arena, "source %s does", earlier->source->part.name);
        clash.cure = "set another port or address for one of the two";
        clash.other = &earlier->source->part;
        clash.other_key = earlier->listens.key;
    }
    bool every = listens->host == NULL || strcmp(listens->host, "::") == 0;
    ps_clash_report(conf, &clash,
                    ps_arena_format(conf->arena, "listens on %s:%u (%s), as %s", every ? "*" : listens->host,
                                    listens->port, listens->datagrams ? "UDP" : "TCP", as));
}

/* Reports each use of a port that clashes with an earlier use of the same port. */
static void check_port(struct ps_conf *conf, const struct use *uses, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (hosts_overlap(&uses[k].host, &uses[i].host)) {
                report(conf, &uses[i], &uses[k]);
                break;
            }
        }
    }
}

void ps_check_ports(struct ps_conf *conf)
{
    struct uses uses = {.count = 0};
    const struct ps_conf_monitoring *monitoring = &conf->monitoring;
    if (monitoring->on) {
        const struct ps_listens metrics = {.host = monitoring->host,
                                           .port = monitoring->port >= 0 ? (unsigned)monitoring->port
                                                                         : PS_METRICS_SERVER_PORT};
        add_use(&uses, &metrics);
    }
    for (size_t i = 0; i < conf->agent.source_count; i++) {
        uses.source = &conf->agent.sources[i];
        if (uses.source->part.ops->listens != NULL)
            uses.source->part.ops->listens(uses.source->part.plan, add_use, &uses);
    }
    if (uses.count > 1)
        qsort(uses.items, uses.count, sizeof *uses.items, compare_uses);
    for (size_t i = 0, end; i < uses.count; i = end) {
        for (end = i + 1; end < uses.count && same_port(&uses.items[i], &uses.items[end]);)
            end++;
        check_port(conf, &uses.items[i], end - i);
    }
    free(uses.items);
}
