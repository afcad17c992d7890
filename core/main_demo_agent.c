#include "core/main_demo_agent.h"
#include "core/clock.h"
#include "core/page.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#define START_S 20U

/* A port nobody uses just now. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    uint16_t port = 0;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        port = ntohs(address.sin_port);
    close(fd);
    return port;
}

/* conf/examples beside the program's folder (installed) or above it (build/release). */
static bool find_config(const char *program, char *path, size_t room)
{
    static const char *const ways[] = {"/../conf/examples", "/../../conf/examples",
                                       "/../../../conf/examples"};
    const char *slash = strrchr(program, '/');
    for (size_t i = 0; slash != NULL && i < PS_COUNT_OF(ways); i++) {
        snprintf(path, room, "%.*s%s/quickstart.properties", (int)(slash - program), program, ways[i]);
        char *real = realpath(path, NULL);
        if (real != NULL) {
            snprintf(path, room, "%s", real);
            free(real);
            return true;
        }
    }
    return false;
}

static size_t on_data(char *data, size_t size, size_t count, void *argument)
{
    ps_page_append(argument, data, size * count);
    return size * count;
}

/* GET from the agent's metrics server; 0: no answer. */
static long get(const struct demo_agent *agent, const char *path, struct ps_page *page)
{
    char url[128];
    long status = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", agent->metrics_port, path);
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        return 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 2L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, page);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

static _Noreturn void exec_agent(const struct demo_agent *agent, const struct demo *demo, const char *program)
{
    char port[32], brokers[300], metrics[64];
    snprintf(port, sizeof port, "-Ddemo.port=%u", demo->port);
    snprintf(brokers, sizeof brokers, "-Ddemo.brokers=%s", demo->brokers);
    snprintf(metrics, sizeof metrics, "-Dflume.monitoring.port=%u", agent->metrics_port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* ^C is for the demo, which stops the agent in its turn */
    int log = open(agent->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    execl(program, "penstock", "agent", "-n", "quickstart", "-f", agent->config, port, brokers, metrics,
          "-Dflume.monitoring.type=http", "-Dpenstock.monitoring.host=127.0.0.1", (char *)NULL);
    _exit(127);
}

static enum ps_status wait_healthy(struct demo_agent *agent, struct ps_err *err)
{
    struct ps_page page = {0};
    long status = 0;
    for (unsigned i = 0; i < START_S * 20 && status != 200; i++) {
        if (!demo_agent_runs(agent)) {
            ps_page_fini(&page);
            return ps_err_set(err, "the agent ended; see %s", agent->log);
        }
        usleep(50000);
        ps_page_fini(&page);
        status = get(agent, "/healthz", &page);
    }
    if (status != 200)
        ps_err_set(err, "the agent is not well after %u s; see %s: %s", START_S, agent->log,
                   page.length > 0 ? page.text : "no answer");
    ps_page_fini(&page);
    return status == 200 ? PS_OK : PS_FAIL;
}

enum ps_status demo_agent_start(struct demo_agent *agent, const char *config, struct demo *demo,
                                struct ps_err *err)
{
    char program[512];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return ps_err_set(err, "cannot find the program itself: %s", strerror(errno));
    program[length] = '\0';
    if (config != NULL)
        snprintf(agent->config, sizeof agent->config, "%s", config);
    else if (!find_config(program, agent->config, sizeof agent->config))
        return ps_err_set(err, "no conf/examples/quickstart.properties near %s; name it with --config",
                          program);
    const char *temporary = getenv("TMPDIR");
    snprintf(agent->directory, sizeof agent->directory, "%s/penstock-demo-XXXXXX",
             temporary != NULL && strlen(temporary) < 32 ? temporary : "/tmp");
    if (mkdtemp(agent->directory) == NULL)
        return ps_err_set(err, "cannot make %s: %s", agent->directory, strerror(errno));
    snprintf(agent->log, sizeof agent->log, "%s/agent.log", agent->directory);
    demo->port = free_port();
    agent->metrics_port = free_port();
    agent->pid = fork();
    if (agent->pid < 0)
        return ps_err_set(err, "cannot start the agent: %s", strerror(errno));
    if (agent->pid == 0)
        exec_agent(agent, demo, program);
    return wait_healthy(agent, err);
}

bool demo_agent_runs(struct demo_agent *agent)
{
    if (agent->pid > 0 && waitpid(agent->pid, NULL, WNOHANG) != 0)
        agent->pid = 0;
    return agent->pid > 0;
}

uint64_t demo_agent_cpu_ns(const struct demo_agent *agent)
{
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)agent->pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        user = system = 0;
    fclose(file);
    return (user + system) * (PS_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

void demo_agent_fills(const struct demo_agent *agent, double fills[DEMO_GROUPS])
{
    static const char *const channels[DEMO_GROUPS] = {"CHANNEL.errors", "CHANNEL.rest"};
    struct ps_page page = {0};
    json_t *root = get(agent, "/metrics", &page) == 200 ? json_loadb(page.text, page.length, 0, NULL) : NULL;
    for (unsigned i = 0; i < DEMO_GROUPS; i++) {
        const char *fill =
            json_string_value(json_object_get(json_object_get(root, channels[i]), "ChannelFillPercentage"));
        if (fill != NULL)
            fills[i] = strtod(fill, NULL);
    }
    json_decref(root);
    ps_page_fini(&page);
}

bool demo_agent_stop(struct demo_agent *agent)
{
    int status = 0;
    if (agent->pid <= 0)
        return agent->directory[0] == '\0';
    kill(agent->pid, SIGTERM);
    pid_t ended = waitpid(agent->pid, &status, 0);
    agent->pid = 0;
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void demo_agent_clean(struct demo_agent *agent)
{
    if (agent->directory[0] == '\0')
        return;
    unlink(agent->log);
    rmdir(agent->directory);
}
