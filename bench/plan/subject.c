/* Starts, watches and stops a subject. */
#include "bench/plan/subject.h"
#include "bench/plan/cpu_shares.h"
#include "bench/support/measure.h"
#include "bench/support/port.h"
#include "stages/lib/net/port_owner.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define START_S 30.0
#define EMPTY_S 10.0
#define STOP_MS 8000U

void ps_subject_note(struct ps_subject *subject, const char *format, ...)
{
    va_list arguments;
    if (subject->note_count == PS_SUBJECT_NOTES_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(subject->notes[subject->note_count++], sizeof subject->notes[0], format, arguments);
    va_end(arguments);
}

enum ps_status ps_subject_text(char *to, struct ps_err *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, PS_SUBJECT_TEXT_BYTES, format, arguments);
    va_end(arguments);
    return length >= 0 && length < (int)PS_SUBJECT_TEXT_BYTES ? PS_OK
                                                              : ps_err_set(err, "`%s...` is too long", to);
}

static enum ps_status directory_make(struct ps_subject *subject, struct ps_err *err)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(subject->directory, sizeof subject->directory, "%s/penstock-plan-XXXXXX",
             temporary != NULL && temporary[0] != '\0' && strlen(temporary) < 100 ? temporary : "/tmp");
    if (mkdtemp(subject->directory) != NULL)
        return PS_OK;
    ps_err_set(err, "cannot create a directory %s: %s", subject->directory, strerror(errno));
    subject->directory[0] = '\0';
    return PS_FAIL;
}

static void path_in(const struct ps_subject *subject, const char *name, char *path, size_t room)
{
    snprintf(path, room, "%s/%s", subject->directory, name);
}

static bool stopped(const struct ps_subject *subject)
{
    return subject->config->stop != NULL && *subject->config->stop != 0;
}

/* ---- the broker ---- */

static enum ps_status broker_start(struct ps_subject *subject, struct ps_err *err)
{
    static const char *const arguments[] = {"mock-broker", "--with-parent", NULL};
    char log[PS_SUBJECT_TEXT_BYTES + 16];
    path_in(subject, "broker.log", log, sizeof log);
    if (ps_process_start(&subject->broker, subject->config->program, arguments, log, false, err) != PS_OK)
        return PS_FAIL;
    const char *line = NULL;
    for (double end_s = ps_now_s() + START_S; line == NULL && ps_now_s() < end_s && !stopped(subject);
         ps_sleep_s(0.01)) {
        line = ps_process_line(&subject->broker);
        if (line == NULL && !ps_process_runs(&subject->broker))
            break;
    }
    if (line == NULL && stopped(subject))
        return ps_err_set(err, "interrupted before the embedded broker had started");
    if (line == NULL) {
        ps_err_set(err, "the embedded broker does not start");
        ps_process_explain(&subject->broker, "it", err);
        return PS_FAIL;
    }
    snprintf(subject->brokers, sizeof subject->brokers, "%s", line);
    subject->embedded_broker = true;
    ps_subject_note(subject, "the broker is librdkafka's mock cluster on this machine: it keeps nothing on "
                             "disk and replicates nothing (--brokers names real ones)");
    return PS_OK;
}

/* ---- the agent ---- */

static enum ps_status agent_start(struct ps_subject *subject, struct ps_err *err)
{
    const struct ps_subject_config *config = subject->config;
    const char *arguments[PS_PROCESS_ARGUMENTS_MAX] = {"agent", "-n", config->agent};
    unsigned count = 3, port = ps_unused_port(SOCK_STREAM);
    char log[PS_SUBJECT_TEXT_BYTES + 16], file[PS_SUBJECT_TEXT_BYTES + 32], port_option[64];
    path_in(subject, "agent.log", log, sizeof log);
    path_in(subject, "plan.properties", file, sizeof file);
    snprintf(port_option, sizeof port_option, "-Dflume.monitoring.port=%u", port);
    snprintf(subject->metrics_url, sizeof subject->metrics_url, "http://127.0.0.1:%u", port);
    for (unsigned i = 0; i < config->agent_argument_count; i++)
        arguments[count++] = config->agent_arguments[i];
    const char *own[] = {"-f",
                         file,
                         "--no-reload-conf",
                         "-Dflume.monitoring.type=http",
                         "-Dpenstock.monitoring.host=127.0.0.1",
                         port_option};
    for (size_t i = 0; i < PS_COUNT_OF(own); i++)
        arguments[count++] = own[i];
    if (ps_process_start(&subject->agent, config->program, arguments, log, true, err) != PS_OK)
        return PS_FAIL;
    subject->pid = (int)subject->agent.pid;
    for (double end_s = ps_now_s() + START_S; ps_now_s() < end_s && !stopped(subject); ps_sleep_s(0.05)) {
        if (!ps_process_runs(&subject->agent))
            break;
        if (ps_scrape_is_up(subject->metrics_url))
            return PS_OK;
    }
    if (stopped(subject))
        return ps_err_set(err, "interrupted before the agent was ready");
    ps_err_set(err, "the agent does not %s", ps_process_runs(&subject->agent) ? "get ready" : "start");
    ps_process_explain(&subject->agent, "it", err);
    return PS_FAIL;
}

static enum ps_status file_start(struct ps_subject *subject, struct ps_err *err)
{
    const struct ps_subject_config *config = subject->config;
    bool wants_broker = false;
    if (ps_subject_wants_broker(config, &wants_broker, err) != PS_OK)
        return PS_FAIL;
    if (wants_broker && config->brokers != NULL)
        snprintf(subject->brokers, sizeof subject->brokers, "%s", config->brokers);
    else if (wants_broker && broker_start(subject, err) != PS_OK)
        return PS_FAIL;
    if (ps_subject_derive(subject, err) != PS_OK || ps_subject_topics_look(subject, err) != PS_OK)
        return PS_FAIL;
    return agent_start(subject, err);
}

/* Finds the process that listens where the load goes, when that is on this machine. The CPU time of this process counts
 * as the subject's, not as another program's. */
static void pid_find(struct ps_subject *subject)
{
    const char *host = strstr(subject->target, "://"), *end, *colon;
    char owner[256];
    if (subject->pid > 0 || host == NULL)
        return;
    host += 3;
    end = host + strcspn(host, "/?,");
    for (colon = end; colon > host && *colon != ':'; colon--)
        ;
    bool local = strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost:", 10) == 0 ||
                 strncmp(host, "[::1]:", 6) == 0;
    if (!local || *colon != ':')
        return;
    unsigned port = (unsigned)strtoul(colon + 1, NULL, 10);
    pid_t found = ps_port_owner(port, false, owner, sizeof owner);
    if (found == 0)
        found = ps_port_owner(port, true, owner, sizeof owner);
    subject->pid = found > 0 ? (int)found : 0;
}

enum ps_status ps_subject_start(struct ps_subject *subject, const struct ps_subject_config *config,
                                struct ps_err *err)
{
    *subject = (struct ps_subject){.config = config, .pid = config->pid};
    subject->agent.out = subject->broker.out = -1;
    subject->kind = config->agent != NULL           ? PS_SUBJECT_AGENT_FILE
                    : config->agent_metrics != NULL ? PS_SUBJECT_RUNNING_AGENT
                                                    : PS_SUBJECT_FOREIGN;
    if (config->target != NULL)
        snprintf(subject->target, sizeof subject->target, "%s", config->target);
    for (unsigned i = 0; i < config->from_count; i++)
        snprintf(subject->from[i], sizeof subject->from[i], "%s", config->from[i]);
    subject->from_count = config->from_count;
    if (directory_make(subject, err) != PS_OK)
        return PS_FAIL;
    if (config->agent != NULL)
        return file_start(subject, err);
    pid_find(subject);
    if (ps_subject_topics_look(subject, err) != PS_OK)
        return PS_FAIL;
    if (config->agent_metrics == NULL)
        return PS_OK;
    struct ps_scrape scrape;
    snprintf(subject->metrics_url, sizeof subject->metrics_url, "%s", config->agent_metrics);
    if (ps_scrape_get(&scrape, subject->metrics_url, err) != PS_OK)
        return ps_err_append(err, "--agent-metrics: the agent has to run with -Dflume.monitoring.type=http");
    ps_scrape_fini(&scrape);
    if (subject->from_count == 0)
        ps_subject_note(subject, "no far end is named: the events that arrived are counted by the agent's "
                                 "own counters, and latency is not known");
    return PS_OK;
}

/* ---- between trials, and at the end ---- */

/* Removes the files of a directory: all, or all but the newest. */
static void directory_empty(const char *directory, bool but_newest)
{
    char newest[PS_SUBJECT_TEXT_BYTES + 300] = "", path[PS_SUBJECT_TEXT_BYTES + 300];
    struct timespec newest_time = {0};
    for (unsigned pass = but_newest ? 0 : 1; pass < 2; pass++) {
        DIR *list = opendir(directory);
        const struct dirent *entry;
        while (list != NULL && (entry = readdir(list)) != NULL) {
            struct stat facts;
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
            if (lstat(path, &facts) != 0 || !S_ISREG(facts.st_mode))
                continue;
            bool newer =
                facts.st_mtim.tv_sec > newest_time.tv_sec ||
                (facts.st_mtim.tv_sec == newest_time.tv_sec && facts.st_mtim.tv_nsec >= newest_time.tv_nsec);
            if (pass == 0 && newer) {
                newest_time = facts.st_mtim;
                memcpy(newest, path, sizeof newest);
            } else if (pass == 1 && strcmp(path, newest) != 0) {
                unlink(path);
            }
        }
        if (list != NULL)
            closedir(list);
    }
}

bool ps_subject_settle(struct ps_subject *subject, struct ps_err *err)
{
    for (double end_s = ps_now_s() + EMPTY_S;
         subject->metrics_url[0] != '\0' && ps_now_s() < end_s && !stopped(subject); ps_sleep_s(0.1)) {
        struct ps_scrape scrape;
        if (ps_scrape_get(&scrape, subject->metrics_url, err) != PS_OK)
            break;
        double waiting = ps_scrape_sum(&scrape, "penstock_channel_size_events");
        ps_scrape_fini(&scrape);
        if (waiting <= 0)
            break;
    }
    if (subject->roll_directory[0] != '\0')
        directory_empty(subject->roll_directory, true);
    if (subject->kind == PS_SUBJECT_AGENT_FILE && !ps_process_runs(&subject->agent)) {
        ps_err_set(err, "the agent ended (%d)", ps_process_exit_code(&subject->agent));
        ps_process_explain(&subject->agent, "it", err);
        return false;
    }
    if (subject->embedded_broker && !ps_process_runs(&subject->broker)) {
        ps_err_set(err, "the embedded broker ended (%d)", ps_process_exit_code(&subject->broker));
        return false;
    }
    return true;
}

void ps_subject_setup(const struct ps_subject *subject, struct ps_trial_setup *setup)
{
    setup->program = subject->config->program;
    setup->target = subject->target;
    for (unsigned i = 0; i < subject->from_count; i++)
        setup->from[i] = subject->from[i];
    setup->from_count = subject->from_count;
    setup->directory = subject->directory;
    setup->metrics_url = subject->metrics_url[0] != '\0' ? subject->metrics_url : NULL;
    setup->pid = subject->pid;
}

void ps_subject_stop(struct ps_subject *subject)
{
    ps_process_end(&subject->agent, STOP_MS);
    ps_process_end(&subject->broker, STOP_MS);
    if (subject->roll_directory[0] != '\0') {
        directory_empty(subject->roll_directory, false);
        rmdir(subject->roll_directory);
    }
    if (subject->directory[0] != '\0') {
        directory_empty(subject->directory, false);
        rmdir(subject->directory);
    }
    subject->directory[0] = subject->roll_directory[0] = '\0';
}
