/* Slow work of a start or reload, on a helper thread: meanwhile control serves signals and the watchdog. Thread: control;
 * run_job and the jobs (ps_service_load_job, ps_service_build_job): the helper. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "commands/agent/service.h"
#include "core/helper/helper.h"
#include "stages/table.h"

#define HELPER_WAIT_MS 100

static void run_job(void *service_, void *)
{
    struct service *service = service_;
    service->job.run(service);
}

/* Serves signals and the watchdog until the job is done. Returns false when a signal to stop came first. */
static bool wait_for_job(struct service *service, int done_fd)
{
    for (;;) {
        struct pollfd ready[2] = {{.fd = done_fd, .events = POLLIN},
                                  {.fd = service->signal_fd, .events = POLLIN}};
        poll(ready, PS_COUNT_OF(ready), HELPER_WAIT_MS);
        ps_service_tell_watchdog(service);
        ps_service_read_signals(service);
        if (ready[0].revents != 0)
            return true;
        if (service->stops > 0)
            return false;
    }
}

void ps_service_load_job(struct service *service)
{
    service->job.status = ps_conf_load(&service->command, ps_stages, &service->job.conf);
}

void ps_service_build_job(struct service *service)
{
    service->job.status = ps_plan_build(service->job.plan, &service->job.err);
}

bool ps_service_run_aside(struct service *service, void (*run)(struct service *service))
{
    struct ps_err err = {0};
    int done_fd = eventfd(0, EFD_CLOEXEC);
    const struct ps_helper_settings settings = {.name = service->agent != NULL ? "reload" : "start",
                                                .room = 1,
                                                .wake_fd = done_fd,
                                                .run = run_job,
                                                .argument = service};
    struct ps_helper *helper = done_fd >= 0 ? ps_helper_create(&settings, &err) : NULL;
    service->job.run = run;
    service->job.err = (struct ps_err){0};
    bool done = false;
    if (helper != NULL) {
        (void)ps_helper_ask(helper, service);
        done = wait_for_job(service, done_fd);
        (void)ps_helper_destroy(helper, done ? PS_THREAD_PATIENT : 0);
    } else {
        ps_err_set(&service->job.err, "cannot start a thread for the %s: %s",
                   service->agent != NULL ? "reload" : "start",
                   done_fd >= 0 ? ps_err_join(&err) : strerror(errno));
    }
    if (done_fd >= 0)
        close(done_fd);
    if (helper != NULL && !done) {
        ps_log(PS_LOG_WARN, "agent", "asked to stop: %s",
               service->agent != NULL ? "the reload is abandoned" : "the agent has not started");
        service->abandoned = true;
    }
    return done;
}
