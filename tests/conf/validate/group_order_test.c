/* The order of a group's sinks against java.util.HashSet: the expected orders were printed by
 * `new ArrayList<>(new HashSet<>(List.of(..)))` of OpenJDK 17. */
#include "conf/validate/group_order.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

static void expect(const char *written, const char *expected)
{
    char text[1024], got[1024] = "";
    const char *names[64];
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

/* Names beyond the first 65,536 characters, in a table whose buckets depend on both of their UTF-16 units. */
static void test_surrogates(void **state)
{
    expect("😀0 𝄞0 𐀀0 \U0010FFFD0 k0 😀1 𝄞1 𐀀1 \U0010FFFD1 k1 "
           "😀2 𝄞2 𐀀2 \U0010FFFD2 k2 😀3 𝄞3 𐀀3 \U0010FFFD3 k3 "
           "😀4 𝄞4 𐀀4 \U0010FFFD4 k4 😀5 𝄞5 𐀀5 \U0010FFFD5 k5 "
           "😀6 𝄞6 𐀀6 \U0010FFFD6 k6 😀7 𝄞7 𐀀7 \U0010FFFD7 k7 "
           "😀8 𝄞8 𐀀8 \U0010FFFD8 k8 😀9 𝄞9 𐀀9 \U0010FFFD9 k9 "
           "😀10 𝄞10 𐀀10 \U0010FFFD10 k10 😀11 𝄞11 𐀀11 \U0010FFFD11 k11",
           "𝄞10 𝄞11 k0 k1 k2 k3 k4 k5 k6 k7 "
           "k8 k9 \U0010FFFD11 \U0010FFFD10 𝄞0 \U0010FFFD2 𝄞1 \U0010FFFD3 \U0010FFFD4 \U0010FFFD5 "
           "\U0010FFFD0 \U0010FFFD1 𝄞8 𝄞9 𝄞6 𐀀11 k11 𝄞7 k10 𝄞4 "
           "\U0010FFFD6 𝄞5 \U0010FFFD7 𝄞2 \U0010FFFD8 😀11 𝄞3 \U0010FFFD9 😀10 😀1 "
           "😀2 😀0 𐀀5 😀9 𐀀4 😀7 𐀀7 𐀀6 😀8 𐀀1 "
           "😀5 𐀀0 😀6 𐀀10 😀3 𐀀3 𐀀2 😀4 𐀀9 𐀀8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_orders), cmocka_unit_test(test_surrogates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
