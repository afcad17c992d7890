/* The server of metrics: nobody listens, and its pages are asked for by the functions behind it when the agent has stopped its components, which is
 * the last moment at which a user could ask. The linker puts these functions in the place of core/watch/metrics/server.c (--wrap). */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/watch/metrics/server.h"
#include "tests/world/referee.h"

struct ps_metrics_server *__real_ps_metrics_server_start(const struct ps_metrics_server_settings *settings,
                                                         const struct ps_metrics_source *source,
                                                         struct ps_err *err);
void __real_ps_metrics_server_stop(struct ps_metrics_server *server);

static const struct ps_metrics_source *asked;

struct ps_metrics_server *__wrap_ps_metrics_server_start(const struct ps_metrics_server_settings *settings,
                                                         const struct ps_metrics_source *source,
                                                         struct ps_err *err)
{
    if (world->facts == NULL)
        return __real_ps_metrics_server_start(settings, source, err);
    asked = source;
    return (struct ps_metrics_server *)&asked;
}

void __wrap_ps_metrics_server_stop(struct ps_metrics_server *server)
{
    if (world->facts == NULL) {
        __real_ps_metrics_server_stop(server);
        return;
    }
    struct ps_metrics metrics;
    struct ps_page page = {0}, ready = {0};
    ps_metrics_take(&metrics, asked);
    ps_metrics_json(&metrics, &page);
    ps_metrics_ready(&metrics, ps_clock_now().mono_ns, &ready);
    struct world_life *life = world->facts;
    int lengths[2] = {snprintf(life->metrics, sizeof life->metrics, "%s", page.text == NULL ? "" : page.text),
                      snprintf(life->ready, sizeof life->ready, "%s", ready.text == NULL ? "" : ready.text)};
    if (lengths[0] >= (int)sizeof life->metrics || lengths[1] >= (int)sizeof life->ready)
        world_fatal("no room for /metrics or /readyz");
    char *count = strstr(life->metrics, "\"EventDrainSuccessCount\":\"");
    if (world->plant == PLANT_COUNTED && count != NULL)
        count[26] = count[26] == '9' ? '8' : (char)(count[26] + 1);
    if (world->plant == PLANT_UNREADY)
        strcat(life->ready, "sink k delivers nothing\n");
    ps_page_fini(&page);
    ps_page_fini(&ready);
    ps_metrics_fini(&metrics);
}
