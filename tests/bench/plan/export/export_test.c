/* The exports of a result: the CSV table, and HdrHistogram's formats, which an independent decoder reads back here.
 * tests/real/hdr_histogram_test.sh does it with HdrHistogram itself. */
#include "bench/plan/export/export.h"
#include "core/watch/histogram.h"
#include "tests/support/support.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

static json_t *document_of(const char *trials)
{
    char *text;
    assert_true(
        asprintf(&text,
                 "{\"started\":\"2026-11-20T11:32:08Z\",\"goals\":[{\"goal\":\"ndr\",\"lower\":1000}],"
                 "\"trials\":[%s]}",
                 trials) > 0);
    json_error_t error;
    json_t *document = json_loads(text, 0, &error);
    if (document == NULL)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return document;
}

/* Exports and returns the file's text, which the caller frees. */
static char *exported(enum ps_status (*export)(const json_t *, const char *, struct ps_err *),
                      const json_t *document)
{
    char path[] = "/tmp/penstock-export-XXXXXX";
    struct ps_err err = {0};
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    if (export(document, path, &err) != PS_OK)
        fail_msg("%s", err.text);
    FILE *from = fopen(path, "re");
    assert_non_null(from);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, from) > 0);
    fclose(from);
    unlink(path);
    return text;
}

static void test_csv(void **state)
{
    json_t *document = document_of(
        "{\"number\":1,\"goal\":\"p99<20ms\",\"rate\":1000,\"seconds\":0.5,\"verdict\":\"held\",\"offered\":"
        "500,"
        "\"received\":500,\"lost\":0,\"loss\":0.0,\"note\":null,\"latency_ns\":{\"p50\":1000,\"p99.9\":2000,"
        "\"max\":3000},\"cpu_seconds\":null},"
        "{\"number\":2,\"goal\":\"ndr\",\"rate\":2000.5,\"verdict\":\"failed\",\"note\":\"it said "
        "\\\"no\\\", "
        "then\\nended\"}, 7");
    char *text = exported(ps_export_csv, document);
    assert_string_equal(
        text,
        "number,goal,rate,seconds,verdict,offered,sent,achieved_rate,received,lost,duplicated,reordered,"
        "corrupted,"
        "loss,delay_growth_s,on_its_way,starved_connection,p50_ns,p90_ns,p99_ns,p99.9_ns,p99.99_ns,max_ns,"
        "cpu_seconds,rss_bytes,foreign_cpu,note\r\n"
        "1,p99<20ms,1000,0.5,held,500,,,500,0,,,,0,,,,1000,,,2000,,3000,,,,\r\n"
        "2,ndr,2000.5,,failed,,,,,,,,,,,,,,,,,,,,,,\"it said \"\"no\"\", then\nended\"\r\n"
        ",,,,,,,,,,,,,,,,,,,,,,,,,,\r\n");
    free(text);
    json_decref(document);
}

/* ---- percentiles ---- */

/* 1 to 1,000 us once each, 5 ms three times, 123.456789 ms once. The lines are those of HdrHistogram 2.1.11 (Histogram of
 * two digits, outputPercentileDistribution with 5 and 1e6), with a digit more. */
static void test_percentiles(void **state)
{
    struct ps_histogram *histogram = calloc(1, sizeof *histogram);
    assert_non_null(histogram);
    for (uint64_t i = 1; i <= 1000; i++)
        ps_histogram_record(histogram, i * 1000, 1);
    ps_histogram_record(histogram, 5000000, 3);
    ps_histogram_record(histogram, 123456789, 1);
    json_t *pairs = json_array();
    for (uint32_t i = 0; i < PS_HISTOGRAM_BUCKETS; i++)
        if (histogram->counts[i] > 0)
            json_array_append_new(pairs, json_pack("[I,I]", (json_int_t)ps_histogram_bucket_max(i),
                                                   (json_int_t)histogram->counts[i]));
    free(histogram);
    json_t *document =
        document_of("{\"number\":1,\"rate\":500,\"seconds\":4,\"verdict\":\"held\",\"histogram\":[[7,1]]},"
                    "{\"number\":2,\"rate\":1000,\"seconds\":4,\"verdict\":\"held\"},"
                    "{\"number\":3,\"rate\":1000,\"seconds\":1,\"verdict\":\"held\",\"histogram\":[[7,1]]},"
                    "{\"number\":4,\"rate\":1000,\"seconds\":4,\"verdict\":\"late\",\"histogram\":[[7,1]]},"
                    "{\"number\":5,\"rate\":1010,\"seconds\":4,\"verdict\":\"held\",\"histogram\":[[7,1]]}");
    json_object_set_new(json_array_get(json_object_get(document, "trials"), 1), "histogram", pairs);
    char *text = exported(ps_export_hgrm, document);
    static const char *const lines[] = {
        "       Value     Percentile TotalCount 1/(1-Percentile)\n\n",
        "       0.001 0.000000000000          1           1.00\n",
        "       0.101 0.100000000000        101           1.11\n",
        "       0.504 0.500000000000        503           2.00\n",
        "       0.557 0.550000000000        557           2.22\n",
        "       0.905 0.900000000000        905          10.00\n",
        "       0.983 0.975000000000        983          40.00\n"
        "       0.983 0.978125000000        983          45.71\n",
        "       0.999 0.994531250000        999         182.86\n"
        "       1.004 0.995312500000       1000         213.33\n"
        "       5.014 0.996093750000       1003         256.00\n",
        "       5.014 0.998828125000       1003         853.33\n"
        "     123.732 0.999023437500       1004        1024.00\n"
        "     123.732 1.000000000000       1004\n"
        "#[Mean    =        0.636, StdDeviation   =        3.897]\n"
        "#[Max     =      123.732, Total count    =         1004]\n"
        "#[Buckets =           36, SubBuckets     =          256]\n",
    };
    for (size_t i = 0; i < PS_COUNT_OF(lines); i++)
        if (strstr(text, lines[i]) == NULL)
            fail_msg("the lines\n%sare not in\n%s", lines[i], text);
    free(text);
    json_decref(document);
}

static void test_one_value(void **state)
{
    json_t *document = document_of("{\"rate\":1000,\"verdict\":\"held\",\"histogram\":[[1507327,7]]}");
    char *text = exported(ps_export_hgrm, document);
    assert_non_null(strstr(text, "\n\n       1.507 0.000000000000          7           1.00\n"
                                 "       1.507 1.000000000000          7\n#[Mean    =        1.503,"));
    free(text);
    json_decref(document);
}

/* ---- the log ---- */

static uint64_t big_endian(const uint8_t *at, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

static size_t base64_decode(const char *text, size_t length, uint8_t *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t count = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    assert_int_equal(length % 4, 0);
    for (size_t i = 0; i < length && text[i] != '='; i++) {
        const char *digit = strchr(digits, text[i]);
        assert_non_null(digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[count++] = (uint8_t)(bits >> have);
        }
    }
    return count;
}

static int64_t count_read(const uint8_t **at)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < 9; i++) {
        uint8_t byte = *(*at)++;
        number |= (uint64_t)(i < 8 ? byte & 0x7f : byte) << (7 * i);
        if (i == 8 || !(byte & 0x80))
            break;
    }
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

/* Reads the encoded histogram of a line. */
static void decode(const char *line, uint64_t counts[PS_HISTOGRAM_BUCKETS])
{
    static uint8_t packed[1 << 18], plain[1 << 18];
    const char *encoded = memrchr(line, ',', strcspn(line, "\n"));
    assert_non_null(encoded);
    encoded++;
    size_t length = base64_decode(encoded, strcspn(encoded, "\n"), packed);
    assert_int_equal(big_endian(packed, 4), 0x1c849314);
    assert_int_equal(big_endian(packed + 4, 4), length - 8);
    uLongf room = sizeof plain;
    assert_int_equal(uncompress(plain, &room, packed + 8, length - 8), Z_OK);
    assert_int_equal(big_endian(plain, 4), 0x1c849313);
    assert_int_equal(big_endian(plain + 4, 4), room - 40);
    assert_int_equal(big_endian(plain + 8, 4), 0);
    assert_int_equal(big_endian(plain + 12, 4), 2); /* significant digits */
    assert_int_equal(big_endian(plain + 16, 8), 1);
    assert_true(big_endian(plain + 24, 8) == (UINT64_C(1) << 43) - 1);
    assert_true(big_endian(plain + 32, 8) == UINT64_C(0x3ff0000000000000)); /* 1.0 */
    memset(counts, 0, PS_HISTOGRAM_BUCKETS * sizeof *counts);
    uint32_t bucket = 0;
    for (const uint8_t *at = plain + 40; at < plain + room;) {
        int64_t count = count_read(&at);
        assert_true(bucket < PS_HISTOGRAM_BUCKETS);
        if (count < 0)
            bucket += (uint32_t)-count;
        else
            counts[bucket++] = (uint64_t)count;
    }
}

static void test_log(void **state)
{
    json_t *document = document_of(
        "{\"number\":1,\"goal\":\"p99 < 2, 3\",\"rate\":1000,\"seconds\":0.5,\"verdict\":\"held\","
        "\"started_s\":2.125,\"histogram\":[[0,3],[127,1],[128,2],[300,5],[1507327,9000000000],["
        "8796093022207,1]]},"
        "{\"number\":2,\"rate\":5},"
        "{\"number\":3,\"goal\":\"ndr\",\"rate\":2000.4,\"seconds\":4,\"verdict\":\"late\",\"histogram\":[[1,"
        "1],"
        "[-5,1],[9e18,1],[5,0],\"x\",[7]]}");
    char *text = exported(ps_export_hlog, document);
    uint64_t *counts = calloc(PS_HISTOGRAM_BUCKETS, sizeof *counts), sum = 0;
    assert_non_null(counts);
    assert_non_null(strstr(text, "#[Histogram log format version 1.3]\n"
                                 "#[StartTime: 1795174328.000 (seconds since epoch), 2026-11-20T11:32:08Z]\n"
                                 "#[BaseTime: 1795174328.000 (seconds since epoch)]\n"
                                 "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                                 "\"Interval_Compressed_Histogram\"\n"));
    const char *line = strstr(text, "Tag=trial-1/p99_<_2__3/1000/held,2.125,0.500,8796093.022,HISTFAAA");
    assert_non_null(line);
    decode(line, counts);
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[127], 1);
    assert_int_equal(counts[128], 2);
    assert_int_equal(counts[ps_histogram_bucket(300)], 5);
    assert_true(counts[ps_histogram_bucket(1507327)] == 9000000000);
    assert_int_equal(counts[PS_HISTOGRAM_BUCKETS - 1], 1);
    for (uint32_t i = 0; i < PS_HISTOGRAM_BUCKETS; i++)
        sum += counts[i];
    assert_true(sum == 9000000012);
    assert_null(strstr(text, "trial-2/"));
    line = strstr(text, "Tag=trial-3/ndr/2000/late,2.625,4.000,"); /* begins where the one before it ended */
    if (line == NULL)
        fail_msg("%s", text);
    decode(line, counts);
    assert_int_equal(counts[1], 1);
    free(counts);
    free(text);
    json_decref(document);
}

static void test_nothing_to_export(void **state)
{
    struct ps_err err = {0};
    json_t *document = document_of("{\"rate\":1000,\"verdict\":\"held\"}");
    assert_int_equal(ps_export_hgrm(document, "/nowhere/x", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "no trial that met the goal has latencies"));
    assert_int_equal(ps_export_hlog(document, "/nowhere/x", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "no trial has latencies"));
    assert_int_equal(ps_export_csv(document, "/nowhere/x", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "/nowhere/x"));
    assert_non_null(strstr(err.text, "No such file"));
    json_decref(document);
    document = json_object();
    assert_int_equal(ps_export_hgrm(document, "/nowhere/x", &err), PS_FAIL);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_nothing_to_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
