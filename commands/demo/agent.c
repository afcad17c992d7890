#include "commands/demo/agent.h"
#include "bench/plan/scrape.h"
#include "bench/support/measure.h"
#include "bench/support/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_S 20U
#define STOP_MS 60000U /* above penstock.drain.timeout */

/* Finds conf/examples beside the program's folder (installed) or above it (build/release). */
static enum ps_status find_config(char *path, size_t room, struct ps_err *err)
{
    static const char *const ways[] = {"/../conf/examples", "/../../conf/examples",
                                       "/../../../conf/examples"};
    char program[512];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return ps_err_set(err, "cannot find the file of this program (/proc/self/exe): %s", strerror(errno));
    program[length] = '\0';
    const char *slash = strrchr(program, '/');
    for (size_t i = 0; slash != NULL && i < PS_COUNT_OF(ways); i++) {
        snprintf(path, room, "%.*s%s/quickstart.properties", (int)(slash - program), program, ways[i]);
        char *real = realpath(path, NULL);
        if (real != NULL) {
            snprintf(path, room, "%s", real);
            free(real);
            return PS_OK;
        }
    }
    return ps_err_set(err, "no conf/examples/quickstart.properties near %s; name it with --config", program);
}

#define URL_BYTES 64U

static const char *metrics_url(const struct demo_agent *agent, char url[static URL_BYTES])
{
    snprintf(url, URL_BYTES, "http://127.0.0.1:%u", agent->metrics_port);
    return url;
}

static enum ps_status wait_up(struct demo_agent *agent, const struct demo *demo, struct ps_err *err)
{
    char url[URL_BYTES];
    double end_s = ps_now_s() + START_S;
    while (ps_now_s() < end_s && *demo->interrupts == 0) {
        if (!demo_agent_runs(agent))
            return ps_err_set(err, "the agent ended; see %s", agent->process.log);
        if (ps_scrape_is_up(metrics_url(agent, url)))
            return PS_OK;
        ps_sleep_s(0.05);
    }
    if (*demo->interrupts > 0)
        return ps_err_set(err, "interrupted");
    return ps_err_set(err, "the agent is not ready after %u s; see %s", START_S, agent->process.log);
}

enum ps_status demo_agent_start(struct demo_agent *agent, const struct demo *demo, struct ps_err *err)
{
    char port[32], brokers[300], metrics[64], log[DEMO_PATH_BYTES];
    if (demo->config != NULL)
        snprintf(agent->config, sizeof agent->config, "%s", demo->config);
    else if (find_config(agent->config, sizeof agent->config, err) != PS_OK)
        return PS_FAIL;
    agent->port = (uint16_t)ps_unused_port(SOCK_STREAM);
    agent->metrics_port = (uint16_t)ps_unused_port(SOCK_STREAM);
    snprintf(port, sizeof port, "-Ddemo.port=%u", agent->port);
    snprintf(brokers, sizeof brokers, "-Ddemo.brokers=%s", demo->brokers);
    snprintf(metrics, sizeof metrics, "-Dflume.monitoring.port=%u", agent->metrics_port);
    demo_path(demo, "agent.log", log);
    const char *arguments[] = {"agent",
                               "-n",
                               "quickstart",
                               "-f",
                               agent->config,
                               port,
                               brokers,
                               metrics,
                               "-Dflume.monitoring.type=http",
                               "-Dpenstock.monitoring.host=127.0.0.1",
                               NULL};
    if (ps_process_start(&agent->process, NULL, arguments, log, true, err) != PS_OK)
        return PS_FAIL;
    return wait_up(agent, demo, err);
}

bool demo_agent_runs(struct demo_agent *agent)
{
    return ps_process_runs(&agent->process);
}

double demo_agent_cpu_s(const struct demo_agent *agent)
{
    return agent->process.pid > 0 ? ps_usage_of((int)agent->process.pid).cpu_s : 0;
}

/* Returns the value `what` of the channel `name`; 0 if there is no such channel. */
static double channel_value(const struct ps_scrape *page, const char *what, const char *name)
{
    char component[256];
    for (unsigned i = 0; i < page->count; i++) {
        const struct ps_scrape_sample *sample = &page->samples[i];
        if (strcmp(sample->name, what) == 0 &&
            ps_scrape_label(sample, "component", component, sizeof component) && strcmp(component, name) == 0)
            return sample->value;
    }
    return 0;
}

bool demo_agent_look(const struct demo_agent *agent, struct demo_agent_look *look)
{
    static const char *const channels[DEMO_TOPICS] = {"errors", "rest"};
    struct ps_scrape page;
    char url[URL_BYTES];
    *look = (struct demo_agent_look){0};
    if (ps_scrape_get(&page, metrics_url(agent, url), NULL) != PS_OK)
        return false;
    look->accepted = ps_scrape_sum(&page, "penstock_source_events_accepted_total");
    look->delivered = ps_scrape_sum(&page, "penstock_sink_events_delivered_total");
    look->waiting = ps_scrape_sum(&page, "penstock_channel_size_events");
    for (unsigned i = 0; i < DEMO_TOPICS; i++) {
        double capacity = channel_value(&page, "penstock_channel_capacity_events", channels[i]);
        if (capacity > 0)
            look->fills[i] =
                100 * channel_value(&page, "penstock_channel_size_events", channels[i]) / capacity;
    }
    ps_scrape_fini(&page);
    return true;
}

bool demo_agent_stop(struct demo_agent *agent)
{
    ps_process_end(&agent->process, STOP_MS);
    return ps_process_exit_code(&agent->process) == 0;
}
