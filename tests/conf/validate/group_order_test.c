/* The order of a group's sinks against java.util.HashSet: the expected orders were printed by
 * `new ArrayList<>(new HashSet<>(List.of(..)))` of OpenJDK 17. */
#include "conf/validate/group_order.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

static void expect(const char *written, const char *expected)
{
    char text[512], got[512] = "";
    const char *names[32];
    size_t count = 0;
    snprintf(text, sizeof text, "%s", written);
    for (char *name = strtok(text, " "); name != NULL; name = strtok(NULL, " "))
        names[count++] = name;
    ps_group_order(names, count, count);
    for (size_t i = 0; i < count; i++)
        strcat(strcat(got, i > 0 ? " " : ""), names[i]);
    assert_string_equal(got, expected);
}

static void test_orders(void **state)
{
    expect("k2 k1 k3", "k1 k2 k3");
    expect("near far", "far near");
    expect("avroSink2 avroSink1", "avroSink1 avroSink2");
    expect("sink1_3 sink1_1 sink1_2", "sink1_1 sink1_2 sink1_3");
    expect("HDFS1 es kafka-out k k10 k9", "k k10 kafka-out HDFS1 es k9");
    expect("é ü € 😀 x", "😀 x é ü €");
    expect("a b c d e f g h i j k l m n o p", "a b c d e f g h i j k l m n o p");
    expect("s1 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 s12 s13", "s3 s4 s5 s6 s7 s8 s9 s11 s10 s13 s12 s1 s2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_orders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
