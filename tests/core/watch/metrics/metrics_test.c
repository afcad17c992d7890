/* The metrics pages of a provider with known numbers, fetched over HTTP. The expected field names and
 * value forms of the JSON are those of answers of Flume 1.11. */
#include "core/flow/bump.h"
#include "core/watch/metrics/server.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

/* ---- the provider ---- */

static struct {
    struct sink_state {
        enum ps_metrics_state sink;
        const char *error;
    } state;
    uint64_t heartbeat_ns;
    bool parked, stopping;
    struct ps_histogram latency;
    struct ps_tap *tap;
} engine;

static void visit(void *argument, const struct ps_metrics_visitor *visitor)
{
    static const char *const source_extra[] = {"rejectedClients", NULL};
    static const char *const sink_extra[] = {"queueSize_now", "rtt_us_now", "txBytes", NULL};
    static const char *const sink_help[] = {"Records that wait in the library", NULL};
    struct ps_metrics_component source = {.kind = PS_KIND_SOURCE,
                                          .name = "r1",
                                          .type = "syslogtcp",
                                          .start_ms = 1795164296406,
                                          .instances = 2,
                                          .extra = source_extra};
    source.counters[PS_COUNTER_EventReceivedCount] = 100;
    source.counters[PS_COUNTER_EventAcceptedCount] = UINT64_MAX;
    source.counters[PS_COUNTER_blocked_ns] = 1500000000;
    source.counters[PS_COUNTER_extra] = 7;
    static const enum ps_counter source_json[] = {PS_COUNTER_KafkaEventGetTimer, PS_COUNTER_KafkaCommitTimer,
                                                  PS_COUNTER_KafkaEmptyCount, PS_COUNTER_COUNT};
    static const enum ps_counter sink_json[] = {PS_COUNTER_KafkaEventSendTimer, PS_COUNTER_RollbackCount,
                                                PS_COUNTER_COUNT};
    struct ps_metrics_component quoted = {
        .kind = PS_KIND_SOURCE, .name = "k\"\\\n2", .type = "kafka", .start_ms = 1, .stop_ms = 2};
    quoted.json_counters = source_json;
    quoted.counters[PS_COUNTER_KafkaCommitTimer] = 1234;
    static const struct ps_series hits[] = {
        {.name = "rule_hits", .help = "Hits", .label = "rule", .label_value = "a\"b", .value = 12345678901},
        {"rules_loaded_seconds", "When", "file", "f", .gauge = true, .value = 1.5},
        {.name = "rule_hits", .help = "Hits", .label = "rule", .label_value = "c", .value = 0},
    };
    struct ps_metrics_component interceptor = {
        .kind = PS_KIND_INTERCEPTOR, .name = "r1/i1", .type = "rules", .series = hits};
    interceptor.series_count = PS_COUNT_OF(hits);
    struct ps_metrics_component second = {
        .kind = PS_KIND_INTERCEPTOR, .name = "r1/i2", .type = "rules", .series = &hits[2], .series_count = 1};
    struct ps_metrics_component channel = {
        .kind = PS_KIND_CHANNEL, .name = "c1", .type = "memory", .start_ms = 3, .fill = {2, 300, 20, 4000}};
    struct ps_metrics_component sink = {.kind = PS_KIND_SINK,
                                        .name = "k1",
                                        .type = "kafka",
                                        .json_counters = sink_json,
                                        .start_ms = 4,
                                        .state = engine.state.sink,
                                        .error = engine.state.error,
                                        .extra = sink_extra,
                                        .extra_help = sink_help,
                                        .latency_ns = &engine.latency,
                                        .batch_events = &engine.latency};
    sink.counters[PS_COUNTER_extra] = 42;
    sink.counters[PS_COUNTER_extra + 1] = 1500;
    sink.counters[PS_COUNTER_extra + 2] = 9;
    struct ps_metrics_component file = {.kind = PS_KIND_SINK,
                                        .name = "k2",
                                        .type = "file_roll",
                                        .start_ms = 5,
                                        .batch_events = &engine.latency};
    visitor->process(visitor->argument, &(struct ps_metrics_process){.agent = "a1",
                                                                     .start_ms = 1500,
                                                                     .budget_bytes = 1 << 20,
                                                                     .reload_count = 3,
                                                                     .stopping = engine.stopping});
    visitor->component(visitor->argument, &source);
    visitor->component(visitor->argument, &quoted);
    visitor->link(visitor->argument, &(struct ps_metrics_link){PS_KIND_SOURCE, quoted.name, "c1"});
    visitor->component(visitor->argument, &interceptor);
    visitor->component(visitor->argument, &second);
    visitor->component(visitor->argument, &channel);
    visitor->component(visitor->argument, &sink);
    visitor->component(visitor->argument, &file);
    visitor->ring(
        visitor->argument,
        &(struct ps_metrics_ring){.channel = "c1", .producer = 0, .consumer = 1, .size = 5, .capacity = 64});
    visitor->worker(visitor->argument, &(struct ps_metrics_worker){.id = 0,
                                                                   .cpu = -1,
                                                                   .cycles = 1000,
                                                                   .busy_ns = 2500000000,
                                                                   .slow_cycles = 3,
                                                                   .heartbeat_ns = engine.heartbeat_ns,
                                                                   .parked = engine.parked});
}

static unsigned taps(void *argument, const char *name, void (*look)(void *argument, struct ps_tap *tap),
                     void *look_argument)
{
    if (strcmp(name, "c1") != 0)
        return 0;
    look(look_argument, engine.tap);
    return 1;
}

static const struct ps_metrics_source provider = {.visit = visit, .taps = taps};

/* ---- a client ---- */

struct reply {
    long status;
    char type[128];
    char body[1 << 19];
    size_t length;
};

static struct ps_metrics_server *server;
static struct reply reply;

static size_t on_body(char *data, size_t size, size_t count, void *argument)
{
    struct reply *into = argument;
    size_t length = size * count;
    assert_true(into->length + length < sizeof into->body);
    memcpy(into->body + into->length, data, length);
    into->length += length;
    return length;
}

static void request_of(struct ps_metrics_server *to, const char *method, const char *path)
{
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", ps_metrics_server_port(to), path);
    memset(&reply, 0, sizeof reply);
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        fail_msg("%s %s: %s", method, url, curl_easy_strerror(code));
    const char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    snprintf(reply.type, sizeof reply.type, "%s", type != NULL ? type : "");
    curl_easy_cleanup(curl);
}

static void request(const char *method, const char *path)
{
    request_of(server, method, path);
}

static int setup(void **state)
{
    struct ps_err err;
    memset(&engine.state, 0, sizeof engine.state);
    engine.heartbeat_ns = ps_clock_now().mono_ns;
    engine.parked = engine.stopping = false;
    engine.tap = ps_tap_create();
    server =
        ps_metrics_server_start(&(struct ps_metrics_server_settings){.host = "127.0.0.1"}, &provider, &err);
    return server == NULL || engine.tap == NULL;
}

static int teardown(void **state)
{
    ps_metrics_server_stop(server);
    ps_tap_destroy(engine.tap);
    return 0;
}

/* ---- Flume's JSON ---- */

/* Asserts that the object has exactly these fields, all of them strings. */
static void expect_fields(json_t *object, const char *const *fields, size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            fail_msg("%s is not a string", key);
    }
    for (size_t i = 0; i < count; i++) {
        if (json_object_get(object, fields[i]) == NULL)
            fail_msg("no field %s", fields[i]);
    }
    assert_int_equal(json_object_size(object), count);
}

static const char *field(json_t *root, const char *component, const char *name)
{
    return json_string_value(json_object_get(json_object_get(root, component), name));
}

static void test_json(void **state)
{
    static const char *const source[] = {"AppendBatchAcceptedCount",
                                         "GenericProcessingFail",
                                         "EventAcceptedCount",
                                         "AppendReceivedCount",
                                         "StartTime",
                                         "ChannelWriteFail",
                                         "AppendBatchReceivedCount",
                                         "EventReceivedCount",
                                         "Type",
                                         "EventReadFail",
                                         "AppendAcceptedCount",
                                         "OpenConnectionCount",
                                         "StopTime"};
    static const char *const kafka_source[] = {"AppendBatchAcceptedCount",
                                               "EventAcceptedCount",
                                               "AppendReceivedCount",
                                               "AppendBatchReceivedCount",
                                               "EventReceivedCount",
                                               "AppendAcceptedCount",
                                               "OpenConnectionCount",
                                               "KafkaEventGetTimer",
                                               "KafkaCommitTimer",
                                               "KafkaEmptyCount",
                                               "Type",
                                               "StartTime",
                                               "StopTime"};
    static const char *const channel[] = {"ChannelCapacity",
                                          "ChannelFillPercentage",
                                          "Type",
                                          "ChannelSize",
                                          "EventTakeSuccessCount",
                                          "StartTime",
                                          "EventTakeAttemptCount",
                                          "EventPutAttemptCount",
                                          "EventPutSuccessCount",
                                          "StopTime"};
    static const char *const file_roll[] = {"ConnectionCreatedCount",
                                            "BatchCompleteCount",
                                            "EventWriteFail",
                                            "BatchEmptyCount",
                                            "EventDrainAttemptCount",
                                            "StartTime",
                                            "BatchUnderflowCount",
                                            "ChannelReadFail",
                                            "ConnectionFailedCount",
                                            "Type",
                                            "ConnectionClosedCount",
                                            "EventDrainSuccessCount",
                                            "StopTime"};
    static const char *const kafka_sink[] = {"ConnectionCreatedCount",
                                             "BatchCompleteCount",
                                             "BatchEmptyCount",
                                             "EventDrainAttemptCount",
                                             "StartTime",
                                             "BatchUnderflowCount",
                                             "ConnectionFailedCount",
                                             "Type",
                                             "ConnectionClosedCount",
                                             "EventDrainSuccessCount",
                                             "StopTime",
                                             "KafkaEventSendTimer",
                                             "RollbackCount"};
    request("GET", "/metrics");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.type, "application/json;charset=utf-8");
    json_error_t error;
    json_t *root = json_loadb(reply.body, reply.length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(json_object_size(root), 5); /* no interceptors */
    expect_fields(json_object_get(root, "SOURCE.r1"), source, PS_COUNT_OF(source));
    expect_fields(json_object_get(root, "SOURCE.k\"\\\n2"), kafka_source, PS_COUNT_OF(kafka_source));
    expect_fields(json_object_get(root, "CHANNEL.c1"), channel, PS_COUNT_OF(channel));
    expect_fields(json_object_get(root, "SINK.k1"), kafka_sink, PS_COUNT_OF(kafka_sink));
    expect_fields(json_object_get(root, "SINK.k2"), file_roll, PS_COUNT_OF(file_roll));
    assert_string_equal(field(root, "SOURCE.r1", "Type"), "SOURCE");
    assert_string_equal(field(root, "SOURCE.r1", "StartTime"), "1795164296406");
    assert_string_equal(field(root, "SOURCE.r1", "StopTime"), "0");
    assert_string_equal(field(root, "SOURCE.r1", "EventReceivedCount"), "100");
    assert_string_equal(field(root, "SOURCE.r1", "EventAcceptedCount"), "18446744073709551615");
    assert_string_equal(field(root, "CHANNEL.c1", "ChannelSize"), "2");
    assert_string_equal(field(root, "CHANNEL.c1", "ChannelCapacity"), "300");
    assert_string_equal(field(root, "CHANNEL.c1", "ChannelFillPercentage"), "0.6666666666666667");
    json_decref(root);
}

static void test_other_paths(void **state)
{
    request("GET", "/");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.type, "text/html;charset=utf-8");
    assert_string_equal(reply.body, "For Flume metrics please click <a href = \"./metrics\"> here</a>.");
    request("GET", "/nope");
    assert_int_equal(reply.status, 404);
    request("GET", "/metrics/");
    assert_int_equal(reply.status, 404);
    request("HEAD", "/metrics");
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.length, 0);
}

/* ---- Prometheus ---- */

static bool has_line(const char *line)
{
    size_t length = strlen(line);
    for (const char *at = reply.body; (at = strstr(at, line)) != NULL; at++)
        if ((at == reply.body || at[-1] == '\n') && at[length] == '\n')
            return true;
    return false;
}

static void expect_line(const char *line)
{
    if (!has_line(line))
        fail_msg("no line %s in\n%s", line, reply.body);
}

/* Asserts that every family begins with HELP and TYPE, occurs once, and is followed by its samples. */
static void expect_exposition(void)
{
    char seen[256][128], family[128] = "";
    size_t count = 0;
    char *rest = reply.body, *line;
    assert_int_equal(reply.body[reply.length - 1], '\n');
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        if (strncmp(line, "# HELP ", 7) == 0) {
            sscanf(line + 7, "%127s", family);
            for (size_t i = 0; i < count; i++)
                assert_string_not_equal(seen[i], family);
            assert_true(count < PS_COUNT_OF(seen));
            strcpy(seen[count++], family);
            line = strsep(&rest, "\n");
            assert_non_null(line);
            assert_memory_equal(line, "# TYPE ", 7);
            assert_memory_equal(line + 7, family, strlen(family));
        } else {
            assert_memory_equal(line, family, strlen(family));
            char *end;
            strtod(strrchr(line, ' ') + 1, &end);
            assert_int_equal(*end, '\0');
        }
    }
    assert_true(count > 40);
}

static void test_prometheus(void **state)
{
    memset(&engine.latency, 0, sizeof engine.latency);
    ps_histogram_record(&engine.latency, 900000, 10);
    ps_histogram_record(&engine.latency, 90000000, 5);
    request("GET", "/metrics/prometheus");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.type, "text/plain; version=0.0.4; charset=utf-8");
    expect_line("penstock_source_events_received_total{component=\"r1\"} 100");
    expect_line("penstock_source_events_received_total{component=\"k\\\"\\\\\\n2\"} 0");
    expect_line("penstock_source_blocked_seconds_total{component=\"r1\"} 1.5");
    expect_line("# TYPE penstock_source_open_connections gauge");
    expect_line("# TYPE penstock_sink_batch_events histogram");
    expect_line("penstock_sink_batch_events_count{component=\"k1\"} 15");
    expect_line("penstock_sink_batch_events_count{component=\"k2\"} 15");
    expect_line("penstock_source_kafka_commit_seconds_total{component=\"k\\\"\\\\\\n2\"} 1.234");
    expect_line("penstock_source_rejected_clients_total{component=\"r1\"} 7");
    expect_line("# HELP penstock_sink_queue_size Records that wait in the library");
    expect_line("# HELP penstock_sink_rtt_seconds Gauge of this component type, see its page");
    expect_line("# HELP penstock_sink_tx_bytes_total Counter of this component type, see its page");
    expect_line("penstock_sink_queue_size{component=\"k1\"} 42");
    expect_line("penstock_sink_rtt_seconds{component=\"k1\"} 0.0015");
    expect_line("penstock_sink_tx_bytes_total{component=\"k1\"} 9");
    expect_line("penstock_channel_size_events{component=\"c1\"} 2");
    expect_line("penstock_channel_capacity_events{component=\"c1\"} 300");
    expect_line("penstock_channel_size_bytes{component=\"c1\"} 20");
    expect_line("penstock_channel_capacity_bytes{component=\"c1\"} 4000");
    expect_line("penstock_ring_size_leases{channel=\"c1\",producer=\"0\",consumer=\"1\"} 5");
    expect_line("penstock_worker_busy_seconds_total{worker=\"0\",cpu=\"-1\"} 2.5");
    expect_line("penstock_worker_slow_cycles_total{worker=\"0\",cpu=\"-1\"} 3");
    expect_line("penstock_sink_latency_seconds_bucket{component=\"k1\",le=\"0.001\"} 10");
    expect_line("penstock_sink_latency_seconds_bucket{component=\"k1\",le=\"0.1\"} 15");
    expect_line("penstock_sink_latency_seconds_bucket{component=\"k1\",le=\"+Inf\"} 15");
    expect_line("penstock_sink_latency_seconds_count{component=\"k1\"} 15");
    expect_line("penstock_component_up{kind=\"sink\",component=\"k1\"} 1");
    expect_line(
        "penstock_component_channel_info{kind=\"source\",component=\"k\\\"\\\\\\n2\",channel=\"c1\"} 1");
    expect_line("penstock_reloads_total{result=\"ok\"} 3");
    expect_line("penstock_configuration_reload_successful 1");
    expect_line("penstock_memory_budget_bytes 1048576");
    expect_line("penstock_interceptor_rule_hits_total{component=\"r1/i1\",rule=\"a\\\"b\"} 12345678901");
    expect_line("penstock_interceptor_rule_hits_total{component=\"r1/i1\",rule=\"c\"} 0");
    expect_line("penstock_interceptor_rule_hits_total{component=\"r1/i2\",rule=\"c\"} 0");
    expect_line("penstock_interceptor_rules_loaded_seconds{component=\"r1/i1\",file=\"f\"} 1.5");
    assert_null(strstr(strstr(reply.body, "# TYPE penstock_interceptor_rule_hits_total") + 1,
                       "# TYPE penstock_interceptor_rule_hits_total")); /* one family, one head */
    const char *dump = getenv("PENSTOCK_DUMP");                         /* for promtool check metrics */
    if (dump != NULL) {
        FILE *file = fopen(dump, "w");
        assert_non_null(file);
        fwrite(reply.body, 1, reply.length, file);
        fclose(file);
    }
    expect_exposition();
}

static void test_prometheus_at_metrics(void **state)
{
    struct ps_err err;
    struct ps_metrics_server *second = ps_metrics_server_start(
        &(struct ps_metrics_server_settings){.host = "127.0.0.1", .prometheus = true}, &provider, &err);
    assert_non_null(second);
    request_of(second, "GET", "/metrics");
    assert_memory_equal(reply.body, "# HELP penstock_", 16);
    ps_metrics_server_stop(second);
}

/* ---- health ---- */

static void test_health(void **state)
{
    request("GET", "/healthz");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "ok\n");
    engine.state.sink = PS_METRICS_OPENING;
    engine.state.error = "cannot reach 10.0.0.1:9092";
    request("GET", "/healthz");
    assert_int_equal(reply.status, 503);
    assert_string_equal(reply.body, "sink k1 is not open: cannot reach 10.0.0.1:9092\n");
    engine.stopping = true;
    request("GET", "/healthz");
    assert_int_equal(reply.status, 503);
    assert_memory_equal(reply.body, "the agent is stopping\n", 22);
}

/* tests/core/watch/health_test.c tests the text of the answers. */
static void test_ready_and_live(void **state)
{
    engine.state.sink = PS_METRICS_OPENING;
    request("GET", "/readyz");
    assert_int_equal(reply.status, 503);
    assert_string_equal(reply.body, "sink k1 is not open\n");
    request("GET", "/livez");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "ok\n");
}

/* ---- tail ---- */

static struct ps_flag worker_stop;

static void *worker(void *argument)
{
    struct ps_batch *batch = argument;
    while (!ps_flag_get(&worker_stop)) {
        ps_tap_offer(engine.tap, ps_batch_chain(batch));
        usleep(100);
    }
    return NULL;
}

static void test_tail(void **state)
{
    struct ps_err err;
    struct ps_depot *depot = ps_depot_create(UINT64_C(32) << 20, &err);
    struct ps_pool *pool = ps_pool_create(depot, 0);
    struct ps_bump bump;
    ps_bump_init(&bump, pool);
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){.mono_ns = 1});
    assert_non_null(ps_batch_add_copy(batch, "hello", 5));
    ps_batch_chain(batch)->count = 1;
    pthread_t thread;
    ps_flag_set(&worker_stop, false);
    pthread_create(&thread, NULL, worker, batch);
    request("GET", "/tail?component=c1&count=3");
    assert_int_equal(reply.status, 200);
    static const char line[] = "{\"headers\":{},\"body\":\"hello\",\"bytes\":5}\n";
    assert_int_equal(reply.length, 3 * (sizeof line - 1));
    assert_memory_equal(reply.body, line, sizeof line - 1);
    assert_false(ps_flag_get(&engine.tap->wanted));
    request("GET", "/tail?component=c1&count=4294967297&wait=1"); /* as many as are possible, not one */
    assert_true(reply.length >= 2 * (sizeof line - 1));
    static const char *const tens[] = {"", "&count=", "&count=x3", "&count=-3", "&count=:3", "&count=/3"};
    for (size_t i = 0; i < PS_COUNT_OF(tens); i++) { /* what is no number counts as not given */
        char path[64] = "/tail?component=c1";
        request("GET", strcat(path, tens[i]));
        assert_int_equal(reply.length, 10 * (sizeof line - 1));
    }
    request("GET", "/tail?component=c1&count=0");
    assert_int_equal(reply.length, 0);
    ps_flag_set(&worker_stop, true);
    pthread_join(thread, NULL);
    request("GET", "/tail?component=c1&count=3&wait=0"); /* no event: an empty answer, not an error */
    assert_int_equal(reply.status, 200);
    request("GET", "/tail?component=c9");
    assert_int_equal(reply.status, 404);
    assert_string_equal(reply.body, "no channel, sink, source or interceptor (SOURCE.INTERCEPTOR) c9\n");
    request("GET", "/tail");
    assert_int_equal(reply.status, 400);
    ps_batch_close(batch);
    ps_batch_give(batch);
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    ps_depot_destroy(depot);
}

static void *long_tail(void *argument)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/tail?component=c1&wait=60",
             ps_metrics_server_port(server));
    struct reply *mine = calloc(1, sizeof *mine);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, mine);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 45L); /* less than the request's wait of 60 s */
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    free(mine);
    return code != CURLE_OPERATION_TIMEDOUT ? argument : NULL; /* answered or disconnected, without delay */
}

/* Stopping the server ends a /tail request in progress. */
static void test_stop_during_tail(void **state)
{
    pthread_t thread;
    pthread_create(&thread, NULL, long_tail, &engine);
    while (!ps_flag_get(&engine.tap->wanted))
        usleep(1000);
    ps_metrics_server_stop(server);
    server = NULL;
    void *answered;
    pthread_join(thread, &answered);
    assert_non_null(answered);
    assert_false(ps_flag_get(&engine.tap->wanted));
}

/* ---- start ---- */

static void test_port_in_use(void **state)
{
    struct ps_err err;
    char want[128];
    uint16_t port = ps_metrics_server_port(server);
    assert_null(ps_metrics_server_start(
        &(struct ps_metrics_server_settings){.host = "127.0.0.1", .port = port}, &provider, &err));
    snprintf(
        want, sizeof want,
        "metrics server: cannot listen on 127.0.0.1 port %u (flume.monitoring.port): Address already in use",
        port);
    assert_string_equal(err.text, want);
    assert_null(ps_metrics_server_start(&(struct ps_metrics_server_settings){.host = "256.1.1.1.invalid"},
                                        &provider, &err));
    assert_non_null(strstr(err.text, "cannot resolve the address"));
}

static void test_every_address(void **state)
{
    struct ps_err err;
    struct ps_metrics_server *every =
        ps_metrics_server_start(&(struct ps_metrics_server_settings){0}, &provider, &err);
    assert_non_null(every);
    request_of(every, "GET", "/healthz");
    assert_int_equal(reply.status, 200);
    ps_metrics_server_stop(every);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prometheus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prometheus_at_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_health, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ready_and_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_during_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_address, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
