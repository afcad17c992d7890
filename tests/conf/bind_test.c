/* Conversion of text to typed values, and small text operations. tests/conf has the messages. */
#include "tests/support/support.h"

#include "conf/bind.h"
#include "conf/text.h"
#include "core/flow/limits.h"
#include "core/text/nearest.h"
#include "conf/validate/types.h"

#include <stddef.h>
#include <stdio.h>

struct plan {
    const char *text, *name;
    int64_t number, size, pause_ms, pause_s, many;
    double ratio;
    bool flag;
    int word;
    struct ps_texts list, commas, names, columns;
    struct ps_pairs headers, deeper, rest;
};

#define AT(field) offsetof(struct plan, field)

static const struct ps_option rows[] = {
    {.key = "text",
     .type = PS_OPTION_TEXT,
     .offset = AT(text),
     .fallback = "by default",
     .aliases = PS_WORDS("old", "older")},
    {.key = "name", .type = PS_OPTION_TEXT, .offset = AT(name), .flags = PS_OPTION_HEADER},
    {.key = "names", .type = PS_OPTION_LIST, .offset = AT(names), .flags = PS_OPTION_HEADER},
    {.key = "columns", .type = PS_OPTION_COMMAS, .offset = AT(columns), .flags = PS_OPTION_HEADER},
    {.key = "number", .type = PS_OPTION_INT, .offset = AT(number), .fallback = "7", .min = -5, .max = 100},
    {.key = "size", .type = PS_OPTION_SIZE, .offset = AT(size), .fallback = "64k"},
    {.key = "ratio", .type = PS_OPTION_DOUBLE, .offset = AT(ratio), .fallback = "0.5"},
    {.key = "flag", .type = PS_OPTION_BOOL, .offset = AT(flag), .fallback = "true"},
    {.key = "word",
     .type = PS_OPTION_ENUM,
     .offset = AT(word),
     .fallback = "two",
     .words = PS_WORDS("one", "two", "three")},
    {.key = "list", .type = PS_OPTION_LIST, .offset = AT(list), .fallback = "x y"},
    {.key = "commas", .type = PS_OPTION_COMMAS, .offset = AT(commas)},
    {.key = "headers.", .type = PS_OPTION_MAP, .offset = AT(headers), .flags = PS_OPTION_HEADER},
    {.key = "headers.deeper.", .type = PS_OPTION_MAP, .offset = AT(deeper)},
    {.key = "kafka.producer.", .type = PS_OPTION_MAP, .offset = AT(rest), .aliases = PS_WORDS("producer.")},
    {.key = "headers.named",
     .type = PS_OPTION_TEXT,
     .offset = AT(text),
     .flags = PS_OPTION_NO_EFFECT,
     .help = "nothing"},
    {.key = "pause",
     .type = PS_OPTION_INT,
     .offset = AT(pause_ms),
     .max = 86400000,
     .unit = "ms",
     .flags = PS_OPTION_EXTENSION},
    {.key = "rest", .type = PS_OPTION_INT, .offset = AT(pause_s), .unit = "s", .flags = PS_OPTION_EXTENSION},
    {.key = "many",
     .type = PS_OPTION_INT,
     .offset = AT(many),
     .unit = "events",
     .flags = PS_OPTION_EXTENSION},
    PS_OPTION_END,
};

struct fixture {
    struct ps_arena *arena;
    struct ps_problems problems;
    struct plan plan;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->arena = ps_arena_create();
    ps_problems_init(&fixture->problems, fixture->arena);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    ps_problems_fini(&fixture->problems);
    ps_arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

/* Binds key, value, key, value, ..., NULL. */
static enum ps_status bind(struct fixture *fixture, const char *const *words)
{
    static struct ps_pair pairs[32];
    size_t count = 0;
    for (; words[2 * count] != NULL; count++)
        pairs[count] = (struct ps_pair){words[2 * count], words[2 * count + 1], "t", (int)count + 1};
    struct ps_bind how = {.arena = fixture->arena, .problems = &fixture->problems, .prefix = "a1.sinks.k1."};
    memset(&fixture->plan, 0, sizeof fixture->plan);
    return ps_bind_options(&how, rows, NULL, &(struct ps_pairs){count, pairs}, &fixture->plan);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_defaults(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(bind(fixture, (const char *const[]){NULL}), PS_OK);
    assert_string_equal(fixture->plan.text, "by default");
    assert_int_equal(fixture->plan.number, 7);
    assert_int_equal(fixture->plan.size, 65536);
    assert_true(fixture->plan.ratio > 0.49 && fixture->plan.ratio < 0.51);
    assert_true(fixture->plan.flag);
    assert_int_equal(fixture->plan.word, 1);
    assert_int_equal(fixture->plan.list.count, 2);
    assert_int_equal(fixture->plan.commas.count, 0);
    assert_int_equal(fixture->problems.count, 0);
}

static void test_values(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        bind(fixture, WORDS("text", "t", "number", " -5 ", "size", "2G", "ratio", "1e3", "flag", "FALSE",
                            "word", "Three", "list", "a\tb  c", "commas", " a , b,, c ")),
        PS_OK);
    assert_string_equal(fixture->plan.text, "t");
    assert_int_equal(fixture->plan.number, -5);
    assert_int_equal(fixture->plan.size, INT64_C(2) << 30);
    assert_true(fixture->plan.ratio > 999.9);
    assert_false(fixture->plan.flag);
    assert_int_equal(fixture->plan.word, 2);
    assert_int_equal(fixture->plan.list.count, 3);
    assert_string_equal(fixture->plan.list.items[2], "c");
    assert_int_equal(fixture->plan.commas.count, 3);
    assert_string_equal(fixture->plan.commas.items[1], "b");
    assert_int_equal(fixture->problems.count, 0);
}

/* A header name beyond the longest length is refused; ps_name_intern would end the program. */
static void test_names_of_headers_have_a_longest_length(void **state)
{
    struct fixture *fixture = *state;
    char *longest = malloc(PS_HEADER_NAME_BYTES_MAX + 16);
    assert_non_null(longest);
    int start = sprintf(longest, "headers.");
    for (unsigned over = 0; over <= 1; over++) {
        memset(longest + start, 'n', PS_HEADER_NAME_BYTES_MAX + over);
        longest[start + (int)(PS_HEADER_NAME_BYTES_MAX + over)] = '\0';
        enum ps_status expected = over == 0 ? PS_OK : PS_FAIL;
        assert_int_equal(bind(fixture, WORDS("name", longest + start)), expected);
        assert_int_equal(bind(fixture, WORDS(longest, "value of a map")), expected);
        assert_int_equal(bind(fixture, WORDS("text", longest + start)), PS_OK);
        assert_int_equal(bind(fixture, WORDS("list", longest + start, "commas", longest + start)), PS_OK);
        assert_int_equal(fixture->problems.count, 2 * over);
        memcpy(longest, "producer.", 9); /* a map of other names */
        assert_int_equal(bind(fixture, WORDS(longest, "value")), PS_OK);
        assert_int_equal(fixture->plan.rest.count, 1);
        longest[8] = 'n';
        memcpy(longest, "first , ", 8); /* before the longest name of a list */
        assert_int_equal(bind(fixture, WORDS("columns", longest)), expected);
        longest[6] = ' ';
        assert_int_equal(bind(fixture, WORDS("names", longest)), expected);
        assert_int_equal(fixture->problems.count, 4 * over);
        memcpy(longest, "headers.", 8);
    }
    free(longest);
}

static void test_bad_values_fail_and_all_are_reported(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(bind(fixture, WORDS("number", "101", "size", "-1", "ratio", "nan", "word", "four")),
                     PS_FAIL);
    assert_int_equal(fixture->problems.dropped, 4);
    assert_int_equal(bind(fixture, WORDS("number", "99999999999999999999")), PS_FAIL);
    assert_int_equal(bind(fixture, WORDS("number", "0x10")), PS_FAIL);
    assert_int_equal(bind(fixture, WORDS("number", "5 0")), PS_FAIL);
    assert_int_equal(fixture->problems.dropped, 7);
    assert_int_equal(bind(fixture, WORDS("flag", "on")), PS_OK);
    assert_false(fixture->plan.flag);
    assert_int_equal(fixture->problems.warnings, 1);
}

static void test_own_keys_take_units(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(bind(fixture, WORDS("pause", " 1m30s ", "rest", "2000ms", "many", "10k")), PS_OK);
    assert_int_equal(fixture->plan.pause_ms, 90000);
    assert_int_equal(fixture->plan.pause_s, 2);
    assert_int_equal(fixture->plan.many, 10000);
    assert_int_equal(bind(fixture, WORDS("pause", "250", "rest", "7", "many", "1.5M")), PS_OK);
    assert_int_equal(fixture->plan.pause_ms, 250);
    assert_int_equal(fixture->plan.pause_s, 7);
    assert_int_equal(fixture->plan.many, 1500000);
    assert_int_equal(fixture->problems.count, 0);
    static const char *const wrong[][2] = {
        {"pause", "5us"}, {"pause", "2d"}, {"rest", "1500ms"}, {"rest", "5 seconds"}, {"many", "1.5"},
        {"many", "5s"},   {"many", ""},    {"number", "1k"}}; /* the last one is Flume's own: digits only */
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++)
        assert_int_equal(bind(fixture, WORDS(wrong[i][0], wrong[i][1])), PS_FAIL);
}

static void test_the_rows_own_key_wins_over_aliases(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(bind(fixture, WORDS("older", "3", "old", "2")), PS_OK);
    assert_string_equal(fixture->plan.text, "2");
    assert_int_equal(bind(fixture, WORDS("old", "2", "text", "1")), PS_OK);
    assert_string_equal(fixture->plan.text, "1");
}

static void test_maps_take_the_longest_prefix(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        bind(fixture, WORDS("headers.a", "1", "headers.deeper.b", "2", "headers.named", "n",
                            "kafka.producer.acks", "all", "producer.acks", "1", "headers.", "nothing")),
        PS_OK);
    assert_int_equal(fixture->plan.headers.count, 1);
    assert_string_equal(fixture->plan.headers.items[0].key, "a");
    assert_int_equal(fixture->plan.deeper.count, 1);
    assert_string_equal(ps_pairs_get(&fixture->plan.deeper, "b"), "2");
    assert_int_equal(fixture->plan.rest.count, 2);
    assert_string_equal(fixture->plan.rest.items[1].key, "acks");
    assert_int_equal(fixture->plan.rest.items[0].line, 4);
}

static void test_sizes_and_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t value; /* -1: refused */
    } sizes[] = {{"0", 0},          {"10", 10},  {"1k", 1024},     {"1 K", 1024},       {"64KiB", 65536},
                 {"2MiB", 2 << 20}, {"1ki", -1}, {"3mb", 3 << 20}, {"1g", 1 << 30},     {"", -1},
                 {"k", -1},         {"1x", -1},  {"1kk", -1},      {"9999999999g", -1}, {"1b", -1}};
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
        int64_t value = -2;
        bool good = ps_parse_size(sizes[i].text, &value);
        assert_int_equal(good, sizes[i].value >= 0);
        if (good)
            assert_int_equal(value, sizes[i].value);
    }
    int64_t value;
    assert_true(ps_parse_int("+9223372036854775807", &value));
    assert_int_equal(value, INT64_MAX);
    assert_false(ps_parse_int("9223372036854775808", &value));
    assert_false(ps_parse_int("", &value));
    assert_false(ps_parse_int("-", &value));
    assert_false(ps_parse_int("1_000", &value));
}

static void test_texts(void **state)
{
    struct fixture *fixture = *state;
    assert_string_equal(ps_text_trim(fixture->arena, " \t\r\n a b \001"), "a b");
    assert_string_equal(ps_text_trim(fixture->arena, "   "), "");
    struct ps_texts split = ps_text_split_spaces(fixture->arena, " a\tb  c ");
    assert_int_equal(split.count, 2);
    assert_string_equal(split.items[0], "a\tb");
    split = ps_texts_unique(fixture->arena, ps_text_split_blanks(fixture->arena, "b a b\na c"));
    assert_string_equal(ps_texts_join(fixture->arena, &split), "b, a, c");
}

static const char *nearest(const char *written, const char *const *words)
{
    struct ps_nearest near;
    ps_nearest_init(&near, written);
    while (*words != NULL)
        ps_nearest_offer(&near, *words++);
    return near.word;
}

static void test_nearest_words(void **state)
{
    const char *const *keys =
        WORDS("batchSize", "channels", "channel", "type", "capacity", "transactionCapacity");
    assert_string_equal(nearest("bachSize", keys), "batchSize");
    assert_string_equal(nearest("batchsize", keys), "batchSize");
    assert_string_equal(nearest("chanel", keys), "channel");
    assert_string_equal(nearest("tpye", keys), "type"); /* a swap is one mistake */
    assert_string_equal(nearest("transactitionCapacity", keys), "transactionCapacity");
    assert_null(nearest("zebra", keys));
    assert_null(nearest("tx", keys));
    char text[200];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_null(nearest(text, keys));
}

static void test_flume_types(void **state)
{
    assert_string_equal(ps_type_flume_name(PS_KIND_SOURCE, "TailDir"), "taildir");
    assert_string_equal(ps_type_flume_name(PS_KIND_SOURCE, "org.apache.flume.source.kafka.KafkaSource"),
                        "org.apache.flume.source.kafka.KafkaSource");
    assert_string_equal(ps_type_flume_name(PS_KIND_SINK, "org.apache.flume.rpc.avro.sink.AvroSink"), "avro");
    assert_string_equal(ps_type_flume_name(PS_KIND_SINK, "org.apache.flume.http.sink.httpsink"), "http");
    assert_null(ps_type_flume_name(PS_KIND_SINK, "taildir"));
    assert_null(ps_type_flume_name(PS_KIND_CHANNEL, "com.example.Channel"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_values),
        TEST(test_bad_values_fail_and_all_are_reported),
        TEST(test_names_of_headers_have_a_longest_length),
        TEST(test_own_keys_take_units),
        TEST(test_the_rows_own_key_wins_over_aliases),
        TEST(test_maps_take_the_longest_prefix),
        TEST(test_sizes_and_numbers),
        TEST(test_texts),
        TEST(test_nearest_words),
        TEST(test_flume_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
