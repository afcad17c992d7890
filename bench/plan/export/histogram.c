/* HdrHistogram's text formats. The V2 encoding: a header of 40 bytes (big endian), then the counts as ZigZag LEB128
 * (nine bytes at most), a run of zeros as its negated length; deflated (zlib), after a cookie and a length, in base64.
 * With two significant digits HdrHistogram has 128 linear steps in each power of two, and its index of a value is
 * ps_histogram_bucket's. */
#include "bench/plan/export/export.h"
#include "core/big_endian.h"
#include "bench/plan/result.h"
#include "bench/support/output.h"
#include "core/text/base64.h"
#include "core/watch/histogram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#define SIGNIFICANT_DIGITS 2U
#define HIGHEST_NS ((UINT64_C(1) << PS_HISTOGRAM_BITS_MAX) - 1)
#define NS_PER_MS 1e6
#define STEPS_PER_HALVING 5.0
#define COOKIE_V2 0x1c849313U            /* counts of variable length */
#define COOKIE_V2_COMPRESSED 0x1c849314U /* the same, deflated */
#define HEADER_BYTES 40U
#define COUNT_BYTES_MAX 9U

/* ---- the document's histograms ---- */

/* Reads a trial's histogram; false when it has no latencies. The document may come from elsewhere. */
static bool histogram_read(const json_t *trial, struct ps_histogram *histogram)
{
    size_t index;
    const json_t *pair;
    *histogram = (struct ps_histogram){0};
    json_array_foreach(json_object_get(trial, "histogram"), index, pair)
    {
        double value = json_number_value(json_array_get(pair, 0)),
               count = json_number_value(json_array_get(pair, 1));
        if (value >= 0 && value <= (double)HIGHEST_NS && count >= 1 && count <= 1e15)
            ps_histogram_record(histogram, (uint64_t)value, (uint64_t)count);
    }
    return histogram->count > 0;
}

/* Returns the smallest value that counts in the bucket; ps_histogram_bucket_max is the largest. */
static uint64_t bucket_min(uint32_t bucket)
{
    return bucket == 0 ? 0 : ps_histogram_bucket_max(bucket - 1) + 1;
}

static uint32_t bucket_last(const struct ps_histogram *histogram)
{
    return ps_histogram_bucket(histogram->max);
}

/* Returns the middle of a bucket, by HdrHistogram's rule, for mean and deviation. */
static double bucket_middle(uint32_t bucket)
{
    uint64_t min = bucket_min(bucket);
    return (double)(min + (ps_histogram_bucket_max(bucket) + 1 - min) / 2);
}

/* Puts a finished text in place and frees it. */
static enum ps_status text_put(FILE *file, char **text, const size_t *length, const char *option,
                               const char *path, struct ps_err *err)
{
    fclose(file);
    enum ps_status status = ps_output_write(path, *text, *length, err);
    if (status != PS_OK)
        ps_err_append(err, "writing %s", option);
    free(*text);
    return status;
}

/* ---- percentiles ---- */

/* Returns the level after `level`, both in per cent: each halving of the distance to 100 % has five steps. */
static double level_after(double level)
{
    double halvings = floor(log2(100 / (100 - level))) + 1;
    return level + 100 / (STEPS_PER_HALVING * exp2(halvings));
}

/* Writes a line for each level, with the smallest value at which that share of all values is reached. The highest value
 * has two lines: for the first level above those of the other values, and for 100 %. */
static void percentiles_write(FILE *file, const struct ps_histogram *histogram)
{
    double level = 0, value_ms = 0;
    uint64_t seen = 0;
    fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for (uint32_t i = 0; i <= bucket_last(histogram); i++) {
        if (histogram->counts[i] == 0)
            continue;
        seen += histogram->counts[i];
        value_ms = (double)ps_histogram_bucket_max(i) / NS_PER_MS;
        while (100 * (double)seen / (double)histogram->count >= level) {
            fprintf(file, "%12.3f %2.12f %10llu %14.2f\n", value_ms, level / 100, (unsigned long long)seen,
                    1 / (1 - level / 100));
            if (seen == histogram->count)
                break;
            level = level_after(level);
        }
    }
    fprintf(file, "%12.3f %2.12f %10llu\n", value_ms, 1.0, (unsigned long long)seen);
}

static void moments_write(FILE *file, const struct ps_histogram *histogram)
{
    double mean = 0, squares = 0, count = (double)histogram->count;
    uint32_t last = bucket_last(histogram);
    for (uint32_t i = 0; i <= last; i++)
        mean += bucket_middle(i) * ((double)histogram->counts[i] / count);
    for (uint32_t i = 0; i <= last; i++)
        squares += pow(bucket_middle(i) - mean, 2) * ((double)histogram->counts[i] / count);
    fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean / NS_PER_MS,
            sqrt(squares) / NS_PER_MS);
    fprintf(file, "#[Max     = %12.3f, Total count    = %12llu]\n",
            (double)ps_histogram_bucket_max(last) / NS_PER_MS, (unsigned long long)histogram->count);
    fprintf(file, "#[Buckets = %12u, SubBuckets     = %12u]\n", PS_HISTOGRAM_BITS_MAX - PS_HISTOGRAM_BITS,
            2U << PS_HISTOGRAM_BITS);
}

/* Reads the latencies at the first goal's result: the longest trial that held, at the highest rate up to the result. */
static bool result_histogram(const json_t *document, struct ps_histogram *histogram)
{
    struct ps_result_goal goal;
    size_t index;
    const json_t *trial, *best = NULL;
    double best_rate = 0, best_s = 0;
    if (!ps_result_goal(document, 0, &goal))
        return false;
    json_array_foreach(json_object_get(document, "trials"), index, trial)
    {
        const char *verdict = json_string_value(json_object_get(trial, "verdict"));
        double rate = json_number_value(json_object_get(trial, "rate")),
               seconds = json_number_value(json_object_get(trial, "seconds"));
        bool held = verdict != NULL && strcmp(verdict, ps_trial_verdict_text(PS_TRIAL_HELD)) == 0;
        bool better = rate > best_rate || (rate == best_rate && seconds >= best_s);
        if (!held || rate > goal.lower || !better || !histogram_read(trial, histogram))
            continue;
        best = trial;
        best_rate = rate;
        best_s = seconds;
    }
    return best != NULL && histogram_read(best, histogram);
}

enum ps_status ps_export_hgrm(const json_t *document, const char *path, struct ps_err *err)
{
    char *text;
    size_t length;
    struct ps_histogram *histogram = ps_must_alloc(1, sizeof *histogram, "a histogram");
    if (!result_histogram(document, histogram)) {
        free(histogram);
        return ps_err_set(err, "--hgrm: no trial that met the goal has latencies, which are measured only at "
                               "a far end (--from)");
    }
    FILE *file = ps_must_open_text(&text, &length, "the percentiles");
    percentiles_write(file, histogram);
    moments_write(file, histogram);
    free(histogram);
    return text_put(file, &text, &length, "--hgrm", path, err);
}

/* ---- the log ---- */

/* ZigZag, then seven bits a byte, the lowest first; the ninth byte has eight bits. */
static size_t count_write(uint8_t *to, int64_t count)
{
    uint64_t rest = ((uint64_t)count << 1) ^ (uint64_t)(count >> 63);
    size_t length = 0;
    for (; rest > 0x7f && length < COUNT_BYTES_MAX - 1; rest >>= 7)
        to[length++] = (uint8_t)(rest | 0x80);
    to[length++] = (uint8_t)rest;
    return length;
}

/* Encodes the histogram. Owns: the caller frees the result. */
static uint8_t *encode(const struct ps_histogram *histogram, size_t *length)
{
    const double ratio = 1; /* ratio of integers to doubles: not used */
    uint64_t ratio_bits;
    uint32_t last = bucket_last(histogram);
    uint8_t *plain = ps_must_alloc(1, HEADER_BYTES + (last + 1) * COUNT_BYTES_MAX, "a histogram");
    size_t at = HEADER_BYTES;
    for (uint32_t i = 0; i <= last;) {
        int64_t zeros = 0;
        for (; i <= last && histogram->counts[i] == 0; i++)
            zeros++;
        if (zeros > 0)
            at += count_write(plain + at, -zeros);
        if (i <= last)
            at += count_write(plain + at, (int64_t)histogram->counts[i++]);
    }
    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    ps_big_endian_put_32(plain, COOKIE_V2);
    ps_big_endian_put_32(plain + 4, (uint32_t)(at - HEADER_BYTES));
    ps_big_endian_put_32(plain + 8, 0); /* the index is not shifted */
    ps_big_endian_put_32(plain + 12, SIGNIFICANT_DIGITS);
    ps_big_endian_put_64(plain + 16, 1); /* the smallest value that differs from 0 */
    ps_big_endian_put_64(plain + 24, HIGHEST_NS);
    ps_big_endian_put_64(plain + 32, ratio_bits);
    uLongf deflated = compressBound(at);
    uint8_t *packed = ps_must_alloc(1, 8 + deflated, "a histogram");
    int code = compress(packed + 8, &deflated, plain, at);
    PS_ASSERT(code == Z_OK); /* the room is enough: only memory can fail */
    ps_big_endian_put_32(packed, COOKIE_V2_COMPRESSED);
    ps_big_endian_put_32(packed + 4, (uint32_t)deflated);
    free(plain);
    *length = 8 + deflated;
    return packed;
}

static void base64_write(FILE *file, const uint8_t *data, size_t length)
{
    char *text = ps_must_alloc(length / 3 + 1, 4, "a histogram");
    fwrite(text, 1, ps_base64_encode(text, data, length), file);
    free(text);
}

/* Writes a text as part of a tag, which ends at a comma or a blank. */
static void tag_write(FILE *file, const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        fputc(*text == ',' || (unsigned char)*text <= ' ' ? '_' : *text, file);
}

static void log_line(FILE *file, const json_t *trial, double start_s, const struct ps_histogram *histogram)
{
    size_t length;
    fprintf(file, "Tag=trial-%lld/", (long long)json_number_value(json_object_get(trial, "number")));
    tag_write(file, json_string_value(json_object_get(trial, "goal")));
    fprintf(file, "/%.0f/", json_number_value(json_object_get(trial, "rate")));
    tag_write(file, json_string_value(json_object_get(trial, "verdict")));
    fprintf(file, ",%.3f,%.3f,%.3f,", start_s, json_number_value(json_object_get(trial, "seconds")),
            (double)ps_histogram_bucket_max(bucket_last(histogram)) / NS_PER_MS);
    uint8_t *encoded = encode(histogram, &length);
    base64_write(file, encoded, length);
    free(encoded);
    fputc('\n', file);
}

/* Returns the start of the plan as seconds since the epoch; 0 when the document has none. */
static double start_of(const json_t *document)
{
    const char *started = json_string_value(json_object_get(document, "started"));
    struct tm tm = {0};
    return started != NULL && strptime(started, "%Y-%m-%dT%H:%M:%SZ", &tm) != NULL ? (double)timegm(&tm) : 0;
}

enum ps_status ps_export_hlog(const json_t *document, const char *path, struct ps_err *err)
{
    char *text;
    size_t length, index, written = 0;
    const json_t *trial;
    double start_s = start_of(document), after_s = 0;
    struct ps_histogram *histogram = ps_must_alloc(1, sizeof *histogram, "a histogram");
    FILE *file = ps_must_open_text(&text, &length, "the histogram log");
    fprintf(file,
            "#[Latencies in ns of the trials of penstock plan]\n"
            "#[Histogram log format version 1.3]\n"
            "#[StartTime: %.3f (seconds since epoch), %s]\n"
            "#[BaseTime: %.3f (seconds since epoch)]\n"
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
            start_s, start_s > 0 ? json_string_value(json_object_get(document, "started")) : "unknown",
            start_s);
    json_array_foreach(json_object_get(document, "trials"), index, trial)
    {
        const json_t *began = json_object_get(trial, "started_s");
        double began_s = json_is_number(began) ? json_number_value(began) : after_s;
        after_s = began_s + json_number_value(json_object_get(trial, "seconds"));
        if (!histogram_read(trial, histogram))
            continue;
        log_line(file, trial, began_s, histogram);
        written++;
    }
    free(histogram);
    if (written > 0)
        return text_put(file, &text, &length, "--hlog", path, err);
    fclose(file);
    free(text);
    return ps_err_set(err, "--hlog: no trial has latencies, which are measured only at a far end (--from)");
}
