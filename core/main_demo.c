/* penstock demo: the main job on one machine. Starts a broker (librdkafka's mock cluster), a real `penstock
 * agent`, a verifier at the far end and a generator, shows a line a second, and accounts for every event at
 * the end. */
#include "core/main_demo.h"
#include "core/clock.h"
#include "core/main.h"
#include "core/main_demo_agent.h"
#include "stages/kafka_mock.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_S 20U  /* how long a part may take to come up */
#define SETTLE_S 10U /* how long nothing may arrive after the last event was sent */

const char *const demo_topics[DEMO_GROUPS] = {"quickstart.errors", "quickstart.rest"};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- processes ---- */

/* A child that dies with us. Its ^C is ours to handle. */
static pid_t spawn(int (*body)(struct demo *demo), struct demo *demo)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    if (getppid() != parent)
        _exit(1);
    _exit(body(demo));
}

static void end(pid_t child, int signal_number)
{
    if (child <= 0)
        return;
    if (signal_number != 0)
        kill(child, signal_number);
    waitpid(child, NULL, 0);
}

int demo_broker(struct demo *demo)
{
    struct ps_err err = {0};
    struct ps_kafka_mock *mock = ps_kafka_mock_create(1, &err);
    bool good = mock != NULL;
    for (unsigned i = 0; good && i < DEMO_GROUPS; i++)
        good = ps_kafka_mock_topic(mock, demo_topics[i], DEMO_PARTITIONS, &err) == PS_OK;
    if (!good) {
        fprintf(stderr, "penstock demo: broker: %s\n", err.text);
        return 1;
    }
    snprintf(demo->brokers, sizeof demo->brokers, "%s", ps_kafka_mock_bootstrap(mock));
    ps_flag_set(&demo->broker_ready, true);
    for (;;)
        pause();
}

/* False: the child ended, or took too long. */
static bool wait_flag(const struct ps_flag *flag, pid_t child, const char *what)
{
    for (unsigned i = 0; i < START_S * 100 && !interrupted; i++) {
        if (ps_flag_get(flag))
            return true;
        if (waitpid(child, NULL, WNOHANG) != 0)
            break;
        usleep(10000);
    }
    fprintf(stderr, "penstock demo: the %s did not start\n", what);
    return false;
}

/* ---- the run ---- */

struct run {
    struct demo *demo;
    struct demo_agent agent;
    pid_t broker, verifier, generator;
    uint64_t start_ns, end_ns; /* of the load: first event due, last event delivered */
    uint64_t start_cpu_ns, end_cpu_ns;
};

static void progress_line(const struct run *run, uint64_t seconds, uint64_t delivered_before, uint64_t cpu_ns)
{
    const struct demo *demo = run->demo;
    uint64_t sent = demo_read(&demo->sent), delivered = demo_read(&demo->delivered);
    double fills[DEMO_GROUPS] = {0};
    demo_agent_fills(&run->agent, fills);
    printf("%4llu s   in %10llu   delivered %10llu   %8llu events/s   agent CPU %3llu %%   channels %.1f %% "
           "%.1f %%\n",
           (unsigned long long)seconds, (unsigned long long)sent, (unsigned long long)delivered,
           (unsigned long long)(delivered - delivered_before), (unsigned long long)(cpu_ns / 10000000),
           fills[0], fills[1]);
    fflush(stdout);
}

/* A line a second until everything sent has arrived, or nothing arrives any more. */
static bool watch(struct run *run)
{
    struct demo *demo = run->demo;
    uint64_t delivered = 0, cpu_ns = run->start_cpu_ns, quiet_since_ns = run->start_ns;
    for (uint64_t second = 1; !interrupted; second++) {
        uint64_t until_ns = run->start_ns + second * PS_NS_PER_S, seen = demo_read(&demo->delivered);
        while (ps_clock_now().mono_ns < until_ns && !interrupted) {
            usleep(5000);
            bool sent_all = ps_flag_get(&demo->sent_all);
            if (demo_read(&demo->delivered) != seen || !sent_all) {
                seen = demo_read(&demo->delivered);
                quiet_since_ns = ps_clock_now().mono_ns;
            }
            if (sent_all && seen == demo->planned * demo->connections && run->end_ns == 0) {
                run->end_ns = quiet_since_ns;
                run->end_cpu_ns = demo_agent_cpu_ns(&run->agent);
            }
        }
        uint64_t cpu_before_ns = cpu_ns;
        cpu_ns = demo_agent_cpu_ns(&run->agent);
        if (run->end_ns != 0)
            return true;
        progress_line(run, second, delivered, cpu_ns - cpu_before_ns);
        delivered = demo_read(&demo->delivered);
        if (ps_flag_get(&demo->sent_failed) || ps_flag_get(&demo->verifier_failed) ||
            !demo_agent_runs(&run->agent))
            return false;
        if (ps_clock_now().mono_ns - quiet_since_ns > SETTLE_S * PS_NS_PER_S)
            break;
    }
    run->end_ns = quiet_since_ns;
    run->end_cpu_ns = cpu_ns;
    return !interrupted;
}

static void summary(const struct run *run, uint64_t sent, uint64_t lost)
{
    const struct demo *demo = run->demo;
    double seconds = (double)(run->end_ns - run->start_ns) / 1e9;
    double cpu_s = (double)(run->end_cpu_ns - run->start_cpu_ns) / 1e9;
    printf("\n  sent        %12llu events over %u connections in %.1f s\n", (unsigned long long)sent,
           demo->connections, seconds);
    printf("  delivered   %12llu\n", (unsigned long long)demo->delivered);
    printf("  lost        %12llu\n", (unsigned long long)lost);
    printf("  duplicated  %12llu\n", (unsigned long long)demo->duplicated);
    printf("  reordered   %12llu\n", (unsigned long long)demo->reordered);
    printf("  rate        %12.0f events/s (the generator's: --rate)\n",
           seconds > 0 ? (double)demo->delivered / seconds : 0);
    printf("  CPU         %12.0f events per CPU-second of the agent (%.2f s used)\n",
           cpu_s > 0 ? (double)demo->delivered / cpu_s : 0, cpu_s);
    printf("  latency     p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms, from due to read at the far "
           "end\n",
           (double)ps_histogram_percentile(&demo->latency_ns, 50) / 1e6,
           (double)ps_histogram_percentile(&demo->latency_ns, 99) / 1e6,
           (double)ps_histogram_percentile(&demo->latency_ns, 99.9) / 1e6,
           (double)demo->latency_ns.max / 1e6);
    if (demo->foreign > 0)
        printf("  foreign     %12llu records that are no event of this run\n",
               (unsigned long long)demo->foreign);
    if (demo->discarded > 0)
        printf("\nNot verified: the embedded broker keeps only about 5 MB of a partition and threw %llu "
               "records away\n"
               "before they were read. Try a lower --rate.\n",
               (unsigned long long)demo->discarded);
}

/* Where to look while it runs. */
static void hints(const struct run *run)
{
    printf("broker      %s (librdkafka's mock cluster: memory only)\n", run->demo->brokers);
    printf("agent       process %d, syslog on 127.0.0.1:%u, file %s\n", (int)run->agent.pid, run->demo->port,
           run->agent.config);
    printf("log         %s\n", run->agent.log);
    printf("metrics     curl http://127.0.0.1:%u/metrics/prometheus\n", run->agent.metrics_port);
    printf("channel     penstock tail rest -n 5 -u http://127.0.0.1:%u\n", run->agent.metrics_port);
    for (unsigned i = 0; i < DEMO_GROUPS; i++)
        printf("topic       kcat -b %s -t %s -C -o -5 -e -q\n", run->demo->brokers, demo_topics[i]);
    printf("\n");
    fflush(stdout);
}

static bool start(struct run *run, const char *config)
{
    struct demo *demo = run->demo;
    struct ps_err err = {0};
    run->broker = spawn(demo_broker, demo);
    if (run->broker < 0 || !wait_flag(&demo->broker_ready, run->broker, "broker"))
        return false;
    if (demo_agent_start(&run->agent, config, demo, &err) != PS_OK) {
        fprintf(stderr, "penstock demo: %s\n", err.text);
        return false;
    }
    run->verifier = spawn(demo_verify, demo);
    return run->verifier > 0 && wait_flag(&demo->verifier_ready, run->verifier, "verifier");
}

/* 0: nothing lost, duplicated or reordered. 1: something was. 2: it could not be found out. */
static int run_load(struct run *run)
{
    struct demo *demo = run->demo;
    hints(run);
    run->start_cpu_ns = demo_agent_cpu_ns(&run->agent);
    run->start_ns = ps_clock_now().mono_ns;
    run->generator = spawn(demo_generate, demo);
    bool good = watch(run);
    uint64_t sent = demo->planned * demo->connections, delivered = demo_read(&demo->delivered);
    if (!good) {
        fprintf(stderr, "penstock demo: ended early; see %s\n", run->agent.log);
        sent = demo_read(&demo->sent);
    }
    uint64_t lost = sent - delivered;
    summary(run, sent, lost);
    if (good && demo->keep) {
        printf("\nHeld open with a few events a second; ^C ends it.\n\n");
        hints(run);
        while (!interrupted)
            usleep(100000);
        interrupted = 0;
    }
    if (!good || demo->discarded > 0 || demo->foreign > 0)
        return 2;
    return lost == 0 && demo->duplicated == 0 && demo->reordered == 0 ? 0 : 1;
}

static int demo_run(struct demo *demo, const char *config)
{
    struct run run = {.demo = demo};
    int code = start(&run, config) ? run_load(&run) : 2;
    ps_flag_set(&demo->finish, true);
    end(run.generator, 0);
    bool drained = demo_agent_stop(&run.agent);
    end(run.verifier, 0);
    end(run.broker, SIGKILL);
    if (!drained && code == 0) {
        fprintf(stderr, "penstock demo: the agent did not stop well; see %s\n", run.agent.log);
        code = 1;
    }
    if (code == 0)
        demo_agent_clean(&run.agent);
    return code;
}

/* ---- options ---- */

static void usage(FILE *file)
{
    fputs("usage: penstock demo [--rate EVENTS] [--seconds S] [--connections N] [--config FILE] [--keep]\n"
          "\n"
          "Runs the main job on this machine: a generator sends syslog over TCP to a real agent, which sorts "
          "it into\n"
          "two Kafka topics of an embedded broker; a verifier reads them and accounts for every event.\n"
          "\n"
          "  --rate EVENTS      events a second (default 200000)\n"
          "  --seconds S        how long (default 15)\n"
          "  --connections N    TCP connections (default 4, at most 64)\n"
          "  --config FILE      the agent file (default conf/examples/quickstart.properties beside the "
          "program)\n"
          "  --keep             hold it open afterwards, to look around\n"
          "\n"
          "Exit code: 0 when nothing was lost, duplicated or reordered, 1 when something was, 2 when it "
          "could not be\n"
          "found out.\n",
          file);
}

static bool number_parse(const char *text, unsigned long min, unsigned long max, unsigned long *number)
{
    char *stop;
    errno = 0;
    *number = strtoul(text, &stop, 10);
    if (text[0] >= '0' && text[0] <= '9' && *stop == '\0' && errno == 0 && *number >= min && *number <= max)
        return true;
    fprintf(stderr, "penstock demo: %s is not a number from %lu to %lu\n", text, min, max);
    return false;
}

int ps_main_demo(int argc, char **argv)
{
    static const struct option options[] = {
        {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {"connections", required_argument, NULL, 'n'},
        {"config", required_argument, NULL, 'c'},
        {"keep", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    unsigned long rate = 200000, seconds = 15, connections = 4;
    const char *config = NULL;
    bool keep = false, good = true;
    int option;
    optind = 0;
    while (good && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'r')
            good = number_parse(optarg, 1, 10000000, &rate);
        else if (option == 's')
            good = number_parse(optarg, 1, 3600, &seconds);
        else if (option == 'n')
            good = number_parse(optarg, 1, DEMO_CONNECTIONS_MAX, &connections);
        else if (option == 'c')
            config = optarg;
        else if (option == 'k')
            keep = true;
        else if (option == 'h')
            return usage(stdout), 0;
        else
            return usage(stderr), 2;
    }
    if (!good || optind != argc || connections > rate)
        return usage(stderr), 2;
    struct demo *demo = mmap(NULL, sizeof *demo, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (demo == MAP_FAILED) {
        perror("penstock demo");
        return 2;
    }
    demo->rate = rate;
    demo->seconds = (unsigned)seconds;
    demo->connections = (unsigned)connections;
    demo->planned = rate * seconds / connections;
    demo->keep = keep;
    snprintf(demo->run_id, sizeof demo->run_id, "%08llx%08x",
             (unsigned long long)ps_clock_now().wall_ms & 0xffffffff, (unsigned)getpid());
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    signal(SIGPIPE, SIG_IGN);
    int code = demo_run(demo, config);
    munmap(demo, sizeof *demo);
    return code;
}
