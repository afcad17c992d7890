/* The suite of sinks, against the plug-in's. Its events arrive in a file, or at a Unix socket whose datagrams a thread
 * takes, so that the sink does not wait for long. */
#include "tests/plugin/program.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#define main ps_plugin_test_suite
#define ps_test_sinks_start ps_plugin_sinks_start
#define ps_test_sinks_stop ps_plugin_sinks_stop
static int ps_plugin_test_suite(void);
#include "tests/stages/conformance_sink_test.c"
#undef main

#define ARRIVED_BYTES ((size_t)16 << 20)

static struct ps_test_sink_adapter adapter;
const struct ps_test_sink_adapter *const ps_test_sink_adapters = &adapter;
const size_t ps_test_sink_adapter_count = 1;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *arrived; /* under `lock`, as its length */
static size_t arrived_length;
static int receiver = -1;

/* Takes what waits at the socket. Under `lock`. */
static void take_datagrams(void)
{
    for (;;) {
        ssize_t length =
            recv(receiver, arrived + arrived_length, ARRIVED_BYTES - arrived_length - 1, MSG_DONTWAIT);
        if (length < 0)
            return;
        arrived_length += (size_t)length;
        arrived[arrived_length++] = '\n';
    }
}

static void *receive(void *unused)
{
    for (;;) {
        struct pollfd ready = {.fd = receiver, .events = POLLIN};
        poll(&ready, 1, -1);
        pthread_mutex_lock(&lock);
        take_datagrams();
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void begin_datagrams(void)
{
    pthread_mutex_lock(&lock);
    take_datagrams();
    arrived_length = 0;
    pthread_mutex_unlock(&lock);
}

/* A datagram is in the socket's queue, or taken, when it is sent, so this does not wait. */
static const char *arrived_datagrams(void)
{
    pthread_mutex_lock(&lock);
    take_datagrams();
    arrived[arrived_length] = '\0';
    pthread_mutex_unlock(&lock);
    return arrived;
}

static void begin_file(void)
{
    if (truncate(ps_plugin_test.arrives, 0) != 0 && errno != ENOENT)
        fail_msg("%s: %s", ps_plugin_test.arrives, strerror(errno));
}

static const char *arrived_file(void)
{
    FILE *file = fopen(ps_plugin_test.arrives, "r");
    arrived_length = file != NULL ? fread(arrived, 1, ARRIVED_BYTES - 1, file) : 0;
    arrived[arrived_length] = '\0';
    if (file != NULL)
        fclose(file);
    return arrived;
}

int ps_plugin_sinks_start(void **state)
{
    pthread_t thread;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (ps_plugin_test.receives == NULL)
        return 0;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", ps_plugin_test.receives);
    (void)unlink(address.sun_path);
    receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (receiver < 0 || bind(receiver, (const struct sockaddr *)&address, sizeof address) != 0) {
        printf("cannot receive at %s: %s\n", address.sun_path, strerror(errno));
        return -1;
    }
    return pthread_create(&thread, NULL, receive, NULL);
}

int ps_plugin_sinks_stop(void **state)
{
    if (ps_plugin_test.receives != NULL)
        (void)unlink(ps_plugin_test.receives);
    return 0;
}

int ps_plugin_test_sink(void)
{
    adapter.ops = ps_plugin_test.ops;
    memcpy(adapter.keys, ps_plugin_test.keys, sizeof ps_plugin_test.keys);
    arrived = ps_must_alloc(1, ARRIVED_BYTES, "what arrives");
    if (ps_plugin_test.receives != NULL) {
        adapter.begin = begin_datagrams;
        adapter.arrived = arrived_datagrams;
    } else if (ps_plugin_test.arrives != NULL) {
        adapter.begin = begin_file;
        adapter.arrived = arrived_file;
    }
    return ps_plugin_test_suite();
}
