/* The metrics of the Java process: components that appear, change and disappear, in Flume's JSON and in the text of
 * Prometheus. */
#include "core/watch/metrics/foreign.h"

#include "core/watch/metrics/metrics.h"
#include "core/watch/page.h"
#include "tests/support/support.h"

#include <string.h>

static int forget(void **unused)
{
    ps_foreign_clear();
    return 0;
}

/* Returns the JSON of an agent with a source r1. The caller frees the page. */
static struct ps_page json(void)
{
    struct ps_metrics_component source = {.kind = PS_KIND_SOURCE, .name = "r1"};
    struct ps_metrics metrics = {.components = &source, .component_count = 1};
    struct ps_page page = {0};
    ps_metrics_json(&metrics, &page);
    return page;
}

static bool json_has(const char *text)
{
    struct ps_page page = json();
    bool has = strstr(page.text, text) != NULL;
    ps_page_fini(&page);
    return has;
}

/* A component of the agent is reported with the counters of its class; other components are added. */
static void test_json(void **unused)
{
    assert_true(json_has("{\"SOURCE.r1\":{\"Type\":\"SOURCE\",\"StartTime\":\"0\""));
    ps_foreign_set_component("SOURCE.r1", "Type\tSOURCE\nEventReceivedCount\t7\n");
    ps_foreign_set_component("SINK.k\"9", "Odd\ta \"b\"\\\n");
    struct ps_page page = json();
    assert_string_equal(page.text, "{\"SOURCE.r1\":{\"Type\":\"SOURCE\",\"EventReceivedCount\":\"7\"},"
                                   "\"SINK.k\\\"9\":{\"Odd\":\"a \\\"b\\\"\\\\\"}}");
    ps_page_fini(&page);
    ps_foreign_set_component("SINK.k\"9", "Odd\tnew\n");
    assert_true(json_has("\"SINK.k\\\"9\":{\"Odd\":\"new\"}"));
    ps_foreign_set_component("SOURCE.r1", "");
    assert_true(json_has("\"SOURCE.r1\":{\"Type\":\"SOURCE\",\"StartTime\":\"0\""));
    ps_foreign_set_component("SOURCE.r8", "");
    assert_false(json_has("r8"));
    ps_foreign_clear();
    assert_false(json_has("Odd"));
}

/* A text that was cut within a line, and a line without a value. */
static void test_torn_attributes(void **unused)
{
    ps_foreign_set_component("SINK.k1", "A\t1\nno value\nB\t\nC\t3");
    assert_true(json_has("\"SINK.k1\":{\"A\":\"1\",\"B\":\"\"}"));
}

static void test_prometheus(void **unused)
{
    struct ps_page page = {0};
    ps_foreign_prometheus(&page);
    assert_int_equal(page.length, 0);
    struct ps_foreign_number number = {"penstock_java_x_bytes", "Bytes of x", "gauge", 1};
    ps_foreign_set_number(&number);
    number.value = 1.5e9;
    ps_foreign_set_number(&number);
    ps_foreign_set_component("CHANNEL.c1",
                             "Type\tCHANNEL\nChannelSize\t12\nChannelFillPercentage\t1.2E1\nEmpty\t\n"
                             "Hexadecimal\t0x1F\nTagged\tnan(7)\nNone\tNaN\nLeast\t-Infinity\nWord\tinf\n");
    ps_foreign_prometheus(&page);
    assert_string_equal(
        page.text,
        "# HELP penstock_java_x_bytes Bytes of x\n# TYPE penstock_java_x_bytes gauge\n"
        "penstock_java_x_bytes 1500000000\n"
        "# HELP penstock_java_attribute Attributes of the MBeans of Flume's counters in the Java process\n"
        "# TYPE penstock_java_attribute gauge\n"
        "penstock_java_attribute{component=\"CHANNEL.c1\",attribute=\"ChannelSize\"} 12\n"
        "penstock_java_attribute{component=\"CHANNEL.c1\",attribute=\"ChannelFillPercentage\"} 1.2E1\n"
        "penstock_java_attribute{component=\"CHANNEL.c1\",attribute=\"None\"} NaN\n"
        "penstock_java_attribute{component=\"CHANNEL.c1\",attribute=\"Least\"} -Infinity\n");
    ps_page_fini(&page);
}

static void test_limit(void **unused)
{
    struct ps_foreign foreign;
    char name[32];
    for (unsigned i = 0; i < PS_FOREIGN_COMPONENTS_MAX + 5; i++) {
        snprintf(name, sizeof name, "SINK.k%u", i);
        ps_foreign_set_component(name, "A\t1\n");
    }
    ps_foreign_set_component("SINK.k0", "A\t2\n");
    ps_foreign_take(&foreign);
    assert_int_equal(foreign.component_count, PS_FOREIGN_COMPONENTS_MAX);
    assert_string_equal(ps_foreign_find(&foreign, "SINK.k0"), "A\t2\n");
    assert_null(ps_foreign_find(&foreign, "SINK.k1000"));
    ps_foreign_fini(&foreign);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_json, forget),
        cmocka_unit_test_teardown(test_torn_attributes, forget),
        cmocka_unit_test_teardown(test_prometheus, forget),
        cmocka_unit_test_teardown(test_limit, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
