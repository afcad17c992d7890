/* Exact sizes, correct stamps, and events that are the same whichever writer renders them. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "bench/support/stamp.h"
#include "tests/support/content.h"

/* ---- sizes ---- */

/* Every size from 64 bytes is met exactly; where octet counting cannot give it, one byte less. */
static void test_sizes(void **state)
{
    static const char *const formats[] = {"rfc3164", "fixed", "json", "combined", "keyvalue", "rfc5424"};
    static const uint32_t least[] = {63, 38, 52, 109, 40, 79}; /* without framing */
    for (uint32_t size = 36; size < 1100; size += size < 300 || (size >= 980 && size < 1020) ? 1 : 20) {
        for (unsigned i = 0; i < PS_COUNT_OF(formats) * PS_COUNT_OF(ps_test_framings); i++) {
            struct ps_content_config config = {.format = formats[i % 6],
                                               .size_bytes = size,
                                               .stamp = true,
                                               .framing = ps_test_framings[i / 6]};
            uint32_t framing = config.framing == PS_FRAMING_NONE      ? 0
                               : config.framing == PS_FRAMING_NEWLINE ? 1
                               : least[i % 6] < 100                   ? 3
                                                                      : 4;
            struct ps_content *content;
            if (size < least[i % 6] + framing) {
                assert_int_equal(ps_content_create(&content, &config, NULL), PS_FAIL);
                continue;
            }
            content = ps_test_content(&config);
            struct ps_test_events rendered;
            uint32_t wanted = size;
            if (config.framing == PS_FRAMING_OCTET_COUNTED && (size == 103 || size == 1004))
                wanted--;
            assert_int_equal(ps_content_event_bytes_max(content), wanted);
            assert_true(ps_content_event_bytes_mean(content) == wanted);
            ps_test_events_render(&rendered, content, 3, 0, 20, UINT64_MAX, 1000);
            for (uint32_t k = 0; k < 20; k++) {
                assert_int_equal(ps_test_event(&rendered, k).length, wanted);
                ps_test_unframed(ps_test_event(&rendered, k), config.framing);
            }
            free(rendered.bytes);
            ps_content_destroy(content);
        }
    }
}

static void test_size_distribution(void **state)
{
    for (unsigned i = 0; i < PS_COUNT_OF(ps_test_framings); i++) {
        struct ps_content_config config = {
            .template = "{size:normal:mean=300,sd=60,min=100,max=500}{seq:width=9} {stamp} {words:3..6}",
            .stamp = true,
            .framing = ps_test_framings[i]};
        struct ps_content *content = ps_test_content(&config);
        struct ps_test_events rendered;
        double sum = 0, squares = 0;
        ps_test_events_render(&rendered, content, 1, 0, PS_TEST_EVENTS_MAX, UINT64_MAX, 1000);
        for (uint32_t k = 0; k < PS_TEST_EVENTS_MAX; k++) {
            uint32_t length = ps_test_event(&rendered, k).length;
            assert_in_range(length, 99, 500);
            ps_test_unframed(ps_test_event(&rendered, k), config.framing);
            sum += length;
            squares += (double)length * length;
        }
        double mean = sum / PS_TEST_EVENTS_MAX, deviation = sqrt(squares / PS_TEST_EVENTS_MAX - mean * mean);
        assert_true(fabs(mean - 300) < 10);
        assert_true(fabs(deviation - 60) < 10);
        assert_true(fabs(ps_content_event_bytes_mean(content) - 300) < 10);
        free(rendered.bytes);
        ps_content_destroy(content);
    }
}

/* ---- stamps ---- */

static void stamp_check(const struct ps_content_config *config)
{
    struct ps_content *content = ps_test_content(config);
    struct ps_test_events rendered;
    const uint64_t first = UINT64_C(99999999), last = first + PS_TEST_EVENTS_MAX - 1;
    ps_test_events_render(&rendered, content, 42, first, PS_TEST_EVENTS_MAX, last, 1001001);
    for (uint32_t i = 0; i < PS_TEST_EVENTS_MAX; i++) {
        struct ps_slice event = ps_test_unframed(ps_test_event(&rendered, i), config->framing);
        struct ps_stamp stamp;
        size_t at;
        assert_int_equal(ps_stamp_find(event.data, event.length, &stamp, &at), PS_STAMP_GOOD);
        assert_int_equal(stamp.run, config->run);
        assert_int_equal(stamp.source, 42);
        assert_int_equal(stamp.sequence, first + i);
        assert_int_equal(stamp.due_us, rendered.due_ns[i] / 1000);
        assert_int_equal(stamp.last, i == PS_TEST_EVENTS_MAX - 1);
        size_t end = at + PS_STAMP_BYTES + stamp.covered;
        assert_in_range(end, 1, event.length);
        assert_true(end == event.length || event.data[end] == '"');
        if (i % 50 != 0)
            continue;
        for (size_t k = at + PS_STAMP_BYTES; k < end; k++) { /* a byte that the stamp covers */
            char *byte = rendered.bytes + (event.data - rendered.bytes) + k;
            *byte ^= 1;
            assert_int_equal(ps_stamp_find(event.data, event.length, &stamp, NULL), PS_STAMP_CHANGED);
            *byte ^= 1;
        }
    }
    free(rendered.bytes);
    ps_content_destroy(content);
}

static void test_stamps(void **state)
{
    static const char *const templates[] = {"{stamp}",
                                            "a {stamp} b {seq} {words}",
                                            "{\"m\":\"{stamp}{words} it\",\"n\":\"{int:1..1000}\"}",
                                            "{size:uniform:90..400}{words} \"{stamp}{pad}\" {words:1..3}",
                                            "{size:300}{pad}{words} {stamp} {float:0..1000} tail",
                                            "{size:300}{\"m\":\"{stamp} {pad}\"} {words:1..3}",
                                            "{size:300}{pad}{words} \"{stamp} {float:0..1000}\" tail"};
    for (unsigned i = 0; i < PS_COUNT_OF(templates) * 3; i++) {
        struct ps_content_config config = {.template = templates[i / 3],
                                           .stamp = true,
                                           .run = 0xabcdef,
                                           .seed = i,
                                           .framing = ps_test_framings[i % 3]};
        stamp_check(&config);
    }
    for (unsigned i = 0; ps_content_formats[i / 6].name != NULL; i++) {
        struct ps_content_config config = {.format = ps_content_formats[i / 6].name,
                                           .stamp = true,
                                           .run = 0xabcdef,
                                           .size_bytes = i % 2 ? 256 : 0,
                                           .framing = ps_test_framings[i / 2 % 3]};
        stamp_check(&config);
    }
}

/* The bytes a stamp covers are limited; the event is not. */
static void test_stamp_of_giant(void **state)
{
    struct ps_content_config config = {.format = "fixed", .size_bytes = 300000, .stamp = true, .run = 1};
    struct ps_content *content = ps_test_content(&config);
    struct ps_test_events rendered;
    struct ps_stamp stamp;
    ps_test_events_render(&rendered, content, 0, 0, 3, 2, 1);
    assert_int_equal(ps_test_event(&rendered, 2).length, 300000);
    assert_int_equal(ps_stamp_find(ps_test_event(&rendered, 2).data, 300000, &stamp, NULL), PS_STAMP_GOOD);
    assert_int_equal(stamp.covered, PS_STAMP_COVERED_MAX);
    free(rendered.bytes);
    ps_content_destroy(content);
}

/* ---- the same whichever writer renders it ---- */

static const char *const pieces[] = {
    "text ",
    "a longer text that is copied in more than one piece of sixteen bytes, and a bit more than that, \"",
    "\"",
    "x",
    "{int:1..100}",
    "{int:0..9}",
    "{int:100..999}",
    "{int:zipf:1..1000000,s=1.1}",
    "{int:normal:mean=50,sd=20}",
    "{int:-100000..100000}",
    "{int:1..9,width=12}",
    "{float:0..1}",
    "{float:normal:mean=0,sd=1000,digits=6}",
    "{seq}",
    "{seq:width=5}",
    "{source}",
    "{source:width=6}",
    "{host}",
    "{time}",
    "{time:rfc3339_us}",
    "{time:rfc3164}",
    "{time:clf}",
    "{time:epoch_ns}",
    "{time:%A %B}",
    "{uuid}",
    "{hex:7}",
    "{hex:100}",
    "{ip}",
    "{ip:10.1.2.0/24}",
    "{words:1..20}",
    "{words:2}",
    "{choice:a,bb,ccc}",
    "{choice:GET,PUT}",
    "{choice:,a very long text that one would hardly choose,short}",
    "{choice:0123456789abcdef0123456789,0123456789ABCDEF0123456789}",
};

static void template_random(char *template, size_t room, uint64_t *random)
{
    static const char *const sizes[] = {"{size:uniform:1..900}", "{size:normal:mean=700,sd=200}",
                                        "{size:1000}", "{size:choice:64=50,512=30,1500=20}"};
    unsigned count = 1 + (unsigned)(ps_test_random(random) % 12),
             size = (unsigned)(ps_test_random(random) % 8);
    int stamp = (int)(ps_test_random(random) % count), pad = (int)(ps_test_random(random) % 13);
    *template = '\0';
    if (size < PS_COUNT_OF(sizes))
        strcat(template, sizes[size]);
    for (unsigned i = 0; i < count; i++) {
        if ((int)i == stamp)
            strcat(template, "{stamp}");
        if ((int)i == pad)
            strcat(template, "{pad}");
        strcat(template, pieces[ps_test_random(random) % PS_COUNT_OF(pieces)]);
    }
    assert_true(strlen(template) < room);
}

/* Renders the same events in parts: other writers, other batches, too little room, other sources in
 * between. */
static void parts_check(const struct ps_content *content, const struct ps_test_events *whole, uint32_t source,
                        uint64_t first, uint64_t *random)
{
    uint32_t max = ps_content_event_bytes_max(content), other_ends[4], ends[PS_TEST_EVENTS_MAX];
    struct ps_content_writer *writer = NULL;
    char *other = malloc((size_t)max * 4);
    for (uint32_t at = 0; at < whole->count;) {
        uint32_t count = 1 + (uint32_t)(ps_test_random(random) % 40);
        size_t room = max + ps_test_random(random) % ((size_t)max * 20);
        count = count < whole->count - at ? count : whole->count - at;
        if (writer == NULL || ps_test_random(random) % 4 == 0) {
            ps_content_writer_destroy(writer);
            writer = ps_content_writer_create(content);
        }
        if (ps_test_random(random) % 3 == 0) {
            uint64_t due_ns[4] = {0, PS_TEST_START_NS, 5 * PS_TEST_SECOND_NS, PS_TEST_START_NS * 2};
            struct ps_content_order order = {source + 1, ps_test_random(random) >> 30, UINT64_MAX, due_ns, 4};
            ps_content_render(writer, &order, other, (size_t)max * 4, other_ends);
        }
        char *bytes = malloc(room);
        struct ps_content_order order = {source, first + at, first + whole->count - 1, whole->due_ns + at,
                                         count};
        uint32_t done = ps_content_render(writer, &order, bytes, room, ends);
        assert_in_range(done, 1, count);
        uint32_t start = at == 0 ? 0 : whole->ends[at - 1];
        for (uint32_t i = 0; i < done; i++)
            assert_int_equal(ends[i], whole->ends[at + i] - start);
        assert_memory_equal(bytes, whole->bytes + start, ends[done - 1]);
        if (done < count) /* the next event would not have fitted */
            assert_true(whole->ends[at + done] - start > room);
        free(bytes);
        at += done;
    }
    free(other);
    ps_content_writer_destroy(writer);
}

static void test_parts(void **state)
{
    uint64_t random = ps_test_seed();
    char template[4096];
    unsigned rendered = 0;
    for (unsigned i = 0; i < 300; i++) {
        template_random(template, sizeof template, &random);
        struct ps_content_config config = {.template = template,
                                           .stamp = true,
                                           .run = 9,
                                           .seed = ps_test_random(&random),
                                           .framing = ps_test_framings[i % 3]};
        struct ps_content *content;
        struct ps_err err = {0};
        if (ps_content_create(&content, &config, &err) != PS_OK) { /* a size too small for its fields */
            if (strstr(err.text, "its fields need") == NULL)
                fail_msg("%s: %s", template, err.text);
            continue;
        }
        struct ps_test_events whole;
        uint64_t first = ps_test_random(&random) >> 24;
        uint32_t source = (uint32_t)(ps_test_random(&random) % PS_STAMP_SOURCE_MAX);
        ps_test_events_render(&whole, content, source, first, 200, first + 199, 7654321);
        for (uint32_t k = 0; k < whole.count; k++) {
            struct ps_slice event = ps_test_unframed(ps_test_event(&whole, k), config.framing);
            struct ps_stamp stamp;
            if (ps_stamp_find(event.data, event.length, &stamp, NULL) != PS_STAMP_GOOD)
                fail_msg("%s: no stamp in %.*s", template, (int)event.length, event.data);
            assert_in_range(ps_test_event(&whole, k).length, 1, ps_content_event_bytes_max(content));
        }
        parts_check(content, &whole, source, first, &random);
        rendered++;
        free(whole.bytes);
        ps_content_destroy(content);
    }
    assert_in_range(rendered, 100, 300);
}

struct half {
    const struct ps_content *content;
    struct ps_test_events rendered;
    uint64_t first;
};

static void *half_render(void *argument)
{
    struct half *half = argument;
    ps_test_events_render(&half->rendered, half->content, 4, half->first, PS_TEST_EVENTS_MAX / 2, UINT64_MAX,
                          12345);
    return NULL;
}

static void test_threads(void **state)
{
    for (unsigned i = 0; ps_content_formats[i].name != NULL; i++) {
        struct ps_content_config config = {
            .format = ps_content_formats[i].name, .stamp = true, .seed = 77, .framing = PS_FRAMING_NEWLINE};
        struct ps_content *content = ps_test_content(&config), *again = ps_test_content(&config);
        struct half halves[2] = {{.content = content, .first = 500},
                                 {.content = content, .first = 500 + PS_TEST_EVENTS_MAX / 2}};
        struct ps_test_events whole;
        pthread_t threads[2];
        for (unsigned k = 0; k < 2; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, half_render, &halves[k]), 0);
        ps_test_events_render(&whole, again, 4, 500, PS_TEST_EVENTS_MAX, UINT64_MAX, 12345);
        uint32_t at = 0;
        for (unsigned k = 0; k < 2; k++) {
            assert_int_equal(pthread_join(threads[k], NULL), 0);
            uint32_t length = halves[k].rendered.ends[PS_TEST_EVENTS_MAX / 2 - 1];
            assert_memory_equal(whole.bytes + at, halves[k].rendered.bytes, length);
            at += length;
            free(halves[k].rendered.bytes);
        }
        assert_int_equal(at, whole.ends[PS_TEST_EVENTS_MAX - 1]);
        free(whole.bytes);
        ps_content_destroy(content);
        ps_content_destroy(again);
    }
}

/* The output ends at each byte: the events that fit are rendered, and no byte is written beyond the end. */
static void test_room(void **state)
{
    struct ps_content_config config = {.template = "{words:1..9} {int:1..1000000}",
                                       .framing = PS_FRAMING_NEWLINE};
    struct ps_content *content = ps_test_content(&config);
    struct ps_content_writer *writer = ps_content_writer_create(content);
    struct ps_test_events whole;
    ps_test_events_render(&whole, content, 0, 0, 50, UINT64_MAX, 1);
    for (size_t room = 0; room < whole.ends[49]; room++) {
        char *bytes = malloc(room + 1);
        uint32_t ends[50], fit = 0;
        bytes[room] = '#';
        struct ps_content_order order = {0, 0, UINT64_MAX, whole.due_ns, 50};
        while (whole.ends[fit] <= room)
            fit++;
        assert_int_equal(ps_content_render(writer, &order, bytes, room, ends), fit);
        assert_int_equal(bytes[room], '#');
        if (fit > 0)
            assert_memory_equal(bytes, whole.bytes, ends[fit - 1]);
        free(bytes);
    }
    free(whole.bytes);
    ps_content_writer_destroy(writer);
    ps_content_destroy(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),  cmocka_unit_test(test_size_distribution),
        cmocka_unit_test(test_stamps), cmocka_unit_test(test_stamp_of_giant),
        cmocka_unit_test(test_parts),  cmocka_unit_test(test_threads),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
