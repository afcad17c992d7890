/* The output of verify: each figure has a different number, and the whole text and the whole object are compared. Then the
 * limits of lists: ranges of a source, rows of the table, sources of the object. */
#include "bench/verify/outcome_internal.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN 0x3fa9c2U
#define OTHER_RUN 0x00001aU

static struct ps_account *account;
static struct ps_expected expected;
static struct ps_verdict verdict;
static struct ps_outcome outcome;
static struct ps_manifest_source entries[16384];

static int setup(void **state)
{
    memset(&expected, 0, sizeof expected);
    account = ps_account_create(UINT64_C(256) << 20, false, 0);
    assert_non_null(account);
    account->start_mono_ns = 1000;
    account->start_wall_ns = UINT64_C(1795680000000000000);
    account->records = 901;
    account->foreign = 902;
    account->broken = 903;
    account->untracked = 904;
    account->clock_step_ns = -1234567;
    verdict = (struct ps_verdict){.known = PS_KNOWN_MANIFEST,
                                  .complete = true,
                                  .lost = 11,
                                  .lost_at_least = 11,
                                  .sent = 5000,
                                  .failed = 12,
                                  .not_written = 23,
                                  .half_written = 24,
                                  .broken = 903,
                                  .tally = {4001, 13, 14, 15, 16, 0},
                                  .other_runs = 17,
                                  .early = 18,
                                  .due_before = 19,
                                  .source_count = 2,
                                  .run_count = 1,
                                  .run = RUN,
                                  .run_known = true,
                                  .facts = {.memory_bytes = 20, .memory_bytes_max = 21, .order_blind = 22},
                                  .exit_code = 1};
    outcome = (struct ps_outcome){.account = account,
                                  .expected = &expected,
                                  .verdict = &verdict,
                                  .seconds = 12.3456,
                                  .last_s = 7.8905,
                                  .ended = "idle"};
    return 0;
}

static int teardown(void **state)
{
    ps_account_destroy(account);
    return 0;
}

/* Lets the events arrive that `numbers` names ("0-4,7"). */
static struct ps_source *arrive(uint32_t run, uint32_t source, const char *numbers)
{
    struct ps_run *of = ps_tracker_run(account->tracker, run);
    struct ps_source *to = ps_tracker_source(account->tracker, of, source);
    for (const char *at = numbers; *at != '\0'; at += *at == ',') {
        char *end;
        uint64_t first = strtoull(at, &end, 10), last = *end == '-' ? strtoull(end + 1, &end, 10) : first;
        for (; first <= last; first++)
            ps_tracker_add(account->tracker, of, to, &(struct ps_stamp){run, source, first, 0, 10, false},
                           source);
        at = end;
    }
    return to;
}

static void manifest(uint32_t run, uint32_t first, uint32_t sources, uint64_t events)
{
    struct ps_manifest *to = &expected.manifests[expected.manifest_count++];
    *to = (struct ps_manifest){.run = run, .source_count = sources, .sources = entries};
    for (uint32_t i = 0; i < sources; i++)
        entries[i] = (struct ps_manifest_source){
            .source = first + i, .events = events, .completed = events, .unfinished_from = events};
}

static char *printed(bool json)
{
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    struct ps_live live = {.to = memory, .json = json};
    assert_non_null(memory);
    ps_outcome_summary(&live, &outcome);
    fclose(memory);
    return text;
}

static void says(const char *text)
{
    char *found = printed(false);
    if (strcmp(found, text) != 0)
        fail_msg("not as expected:\n%s", found);
    free(found);
}

/* Expects that the text has these parts, in this order. */
#define SAYS_PARTS(...) says_parts((const char *const[]){__VA_ARGS__, NULL})
static void says_parts(const char *const *parts)
{
    char *found = printed(false), *at = found;
    for (; *parts != NULL; parts++) {
        char *part = strstr(at, *parts);
        if (part == NULL)
            fail_msg("`%s` is missing in\n%s", *parts, at);
        at = part + strlen(*parts);
    }
    free(found);
}

static void says_not(const char *part)
{
    char *found = printed(false);
    if (strstr(found, part) != NULL)
        fail_msg("`%s` must not be in\n%s", part, found);
    free(found);
}

/* Returns the object; the caller drops it. */
static json_t *object(void)
{
    char *text = printed(true);
    json_error_t error;
    json_t *found = json_loads(text, 0, &error);
    assert_non_null(found);
    free(text);
    return found;
}

/* Compares the members of `wanted` (in JSON, with ' for "). */
static void has(const json_t *found, const char *wanted)
{
    char *quoted = strdup(wanted);
    json_error_t error;
    const char *key;
    json_t *value;
    for (char *at = quoted; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    json_t *all = json_loads(quoted, 0, &error);
    assert_non_null(all);
    json_object_foreach(all, key, value) if (!json_equal(json_object_get(found, key), value))
    {
        char *is = json_dumps(json_object_get(found, key), JSON_ENCODE_ANY);
        fail_msg("%s: %s", key, is != NULL ? is : "missing");
    }
    json_decref(all);
    free(quoted);
}

static void object_has(const char *wanted)
{
    json_t *found = object();
    has(found, wanted);
    json_decref(found);
}

/* Sets up four sources: one with each kind of fault, one without a fault, one from which no event came, and one that
 * had nothing to send. */
static void two_sources(void)
{
    manifest(RUN, 1, 4, 10);
    entries[3] = (struct ps_manifest_source){.source = entries[3].source};
    arrive(RUN, 1, "0-2,5,7-8")->tally = (struct ps_tracker_counts){31, 32, 33, 34, 35, 0};
    arrive(RUN, 2, "0-9")->tally = (struct ps_tracker_counts){10, 0, 0, 0, 0, 0};
    struct ps_histogram *latency = &ps_tracker_find(account->tracker, RUN)->latency_ns;
    memset(latency, 0, sizeof *latency);
    for (uint64_t i = 1; i <= 10000; i++)
        ps_histogram_record(latency, PS_NS_PER_S / i, 1);
}

static void test_text(void **state)
{
    two_sources();
    says(
        "run 3fa9c2, 12.3 s, ended: idle\n"
        "\n"
        "  received               4,001  of 4,977 that load wrote, by the manifest\n"
        "  lost                      11\n"
        "  not written               23  by load: the target refused them, or took no more; the pipeline did "
        "not lose them\n"
        "  half written              24  by load, when it ended\n"
        "  duplicated                13\n"
        "  reordered                 14\n"
        "  corrupted                 15\n"
        "  cut                       16  the ends of these events are missing\n"
        "  broken                   903  the stamp itself is damaged or cut\n"
        "  foreign                  902  without a stamp\n"
        "  other runs                17\n"
        "\n"
        "  latency from due time   p50 201 us  p90 999 us  p99 9.96 ms  p99.9 91.2 ms  p99.99 501 ms  max 1 "
        "s\n"
        "  18 events arrived before they were due: the clocks of sender and verifier differ\n"
        "  19 events were due before verify began: their latency counts until they were read\n"
        "\n"
        "  source        received         lost   duplicated    reordered    corrupted\n"
        "       1              31            4           32           33           69  lost: 3-4, 6, 9\n"
        "       3               0           10            0            0            0  lost: 0-9\n"
        "       2              10            0            0            0            0\n"
        "       4               0            0            0            0            0\n"
        "\n"
        "the order of 22 events could not be judged: give more --memory\n"
        "\n"
        "11 lost, 13 duplicated, 14 reordered, 934 corrupted\n");
}

static void test_object(void **state)
{
    two_sources();
    object_has(
        "{'type':'summary','run':'3fa9c2','runs':1,'ended':'idle','seconds':12.346,'last_arrival':7.891,'"
        "received':4001,"
        "'records':901,'lost':11,'lost_at_least':11,'complete':true,'incomplete_because':null,'known_by':'"
        "manifest','sent':5000,"
        "'failed_at_load':12,'not_written':23,'half_written':24,'duplicated':13,'reordered':14,'corrupted':"
        "15,'cut':16,'broken':903,'foreign':"
        "902,'other_runs':17,"
        "'unknown':0,'untracked':904,'order_unknown':22,'lossy_far_end':null,'remark':null,'latency_ns':{'"
        "p50':200703,'p90':999423,"
        "'p99':9961471,'p99.9':91226111,'p99.99':501219327,'max':1000000000},'early':18,'due_before_start':"
        "19,'clock_step_ms':-1.235,"
        "'memory_bytes':21,'sources':[{'source':1,'received':31,'lost':4,'duplicated':32,'reordered':33,'"
        "corrupted':34,'cut':35,"
        "'lost_ranges':[[3,4],[6,6],[9,9]],'end_known':true},{'source':2,'received':10,'lost':0,'duplicated':"
        "0,'reordered':0,"
        "'corrupted':0,'cut':0,'lost_ranges':[],'end_known':true},{'source':3,'received':0,'lost':10,'"
        "duplicated':0,'reordered':0,"
        "'corrupted':0,'cut':0,'lost_ranges':[[0,9]],'end_known':true},{'source':4,'received':0,'lost':0,'"
        "duplicated':0,'reordered':0,"
        "'corrupted':0,'cut':0,'lost_ranges':[],'end_known':true}],'sources_omitted':0,'exit_code':1}");
    json_t *found = object();
    assert_null(json_object_get(found, "histogram"));
    assert_null(json_object_get(found, "arrivals"));
    assert_null(json_object_get(json_array_get(json_object_get(found, "sources"), 0), "lost_ranges_more"));
    json_decref(found);
}

/* An unknown figure is null in the object and `unknown` in the text. */
static void test_unknown(void **state)
{
    struct ps_source *one = arrive(RUN, 1, "0,2,4");
    one->tally = (struct ps_tracker_counts){3, 0, 0, 0, 0, 1};
    verdict.complete = verdict.run_known = false;
    verdict.known = PS_KNOWN_NOT;
    verdict.exit_code = 2;
    verdict.tally = (struct ps_tracker_counts){.received = 3, .unknown = 5};
    verdict.other_runs = verdict.not_written = verdict.half_written = verdict.broken = verdict.early =
        verdict.due_before = verdict.facts.order_blind = 0;
    account->broken = account->foreign = 0;
    outcome.last_s = -1;
    snprintf(verdict.why, sizeof verdict.why, "%s", "name a manifest");
    says("1 run, 12.3 s, ended: idle\n"
         "\n"
         "  received                   3\n"
         "  lost                 unknown  at least 11\n"
         "  duplicated                 0\n"
         "  reordered                  0\n"
         "  corrupted                  0\n"
         "  unknown                    5  it is no longer known whether they had arrived before\n"
         "\n"
         "  source        received         lost   duplicated    reordered    corrupted\n"
         "       1               3            ?            0            0            0  lost: 1, 3\n"
         "\n"
         "the number of lost events is not known: name a manifest\n"
         "\n"
         "it is not known whether events were lost\n");
    object_has("{'run':null,'last_arrival':null,'lost':null,'lost_at_least':11,'complete':false,'incomplete_"
               "because':'name a manifest','known_by':null,"
               "'sent':null,'unknown':5,'exit_code':2,'sources':[{'source':1,'received':3,'lost':null,'"
               "duplicated':0,'reordered':0,'corrupted':0,'cut':0,"
               "'lost_ranges':[[1,1],[3,3]],'end_known':false}]}");
    verdict.exit_code = 1;
    SAYS_PARTS("\nat least 11 lost, 0 duplicated, 0 reordered, 0 corrupted\n");
}

/* Each optional line has its own cause, and is left out without it. */
static void test_lines(void **state)
{
    verdict.tally = (struct ps_tracker_counts){.received = 1};
    verdict.lost = verdict.lost_at_least = verdict.not_written = verdict.half_written = verdict.broken =
        verdict.other_runs = verdict.early = verdict.due_before = verdict.facts.order_blind = 0;
    account->broken = account->foreign = 0;
    verdict.exit_code = 0;
    verdict.known = PS_KNOWN_MARKS;
    says("run 3fa9c2, 12.3 s, ended: idle\n"
         "\n"
         "  received                   1\n"
         "  lost                       0\n"
         "  duplicated                 0\n"
         "  reordered                  0\n"
         "  corrupted                  0\n"
         "\n"
         "all there, once, in order and whole\n");
    object_has("{'known_by':'last marks','sent':null}");
    verdict.known = PS_KNOWN_EVENTS;
    SAYS_PARTS("  received                   1  of 5,000 sent, by --events\n");
    object_has("{'known_by':'events','sent':5000}");
    verdict.not_written = 5000; /* the target took nothing */
    verdict.tally.received = 0;
    SAYS_PARTS("  received                   0  of 0 that load wrote, by --events\n",
               "  not written            5,000", "\nload wrote nothing: there was nothing to verify\n");
    says_not("all there");
    says_not("all that load wrote");
    verdict.not_written = 0;
    verdict.tally.received = 1;
    verdict.broken = 1;
    SAYS_PARTS("  cut                        0  the ends", "\n  broken                     1  the stamp");
    verdict.broken = 0;
    verdict.tally.cut = 1;
    SAYS_PARTS("  cut                        1  the ends", "\n  broken                     0  the stamp");
    verdict.other_runs = 2;
    verdict.tally.received = 0;
    SAYS_PARTS("  other runs                 2  and none of the expected run");
    verdict.tally.received = 1;
    says_not("and none of the expected run");
    outcome.remark = "a file is damaged";
    SAYS_PARTS("\nthe far end: a file is damaged\n");
    object_has("{'remark':'a file is damaged','lossy_far_end':null}");
    outcome.lossy = true;
    object_has("{'remark':null,'lossy_far_end':'a file is damaged'}");
}

/* No run is asked for: sources name their run, and sources of runs that do not count are left out. */
static void test_runs(void **state)
{
    arrive(RUN, 5, "0-1");
    arrive(OTHER_RUN, 5, "0,2");
    verdict.run_count = 2;
    verdict.run_known = false;
    verdict.tally = (struct ps_tracker_counts){.received = 4};
    SAYS_PARTS("2 runs, 12.3 s", "  run    source ", "\n  00001a      5 ", "  lost: 1\n  3fa9c2      5 ");
    object_has("{'runs':2,'sources':[{'run':'3fa9c2','source':5,'received':2,'lost':null,'duplicated':0,'"
               "reordered':0,'corrupted':0,'cut':0,'lost_ranges':[],"
               "'end_known':false},{'run':'00001a','source':5,'received':2,'lost':null,'duplicated':0,'"
               "reordered':0,'corrupted':0,'cut':0,"
               "'lost_ranges':[[1,1]],'end_known':false}]}");
    manifest(OTHER_RUN, 5, 2, 3);
    object_has("{'sources':[{'run':'00001a','source':5,'received':2,'lost':1,'duplicated':0,'reordered':0,'"
               "corrupted':0,'cut':0,'lost_ranges':[[1,1]],"
               "'end_known':true},{'run':'00001a','source':6,'received':0,'lost':3,'duplicated':0,'reordered'"
               ":0,'corrupted':0,'cut':0,"
               "'lost_ranges':[[0,2]],'end_known':true}]}");
}

/* A source has exactly as many lost ranges as are shown, then one more. */
static void test_ranges(void **state)
{
    for (unsigned extra = 0; extra < 2; extra++) {
        char numbers[2048] = "", shown[64] = "";
        size_t length = 0;
        for (unsigned i = 0; i < 7 + extra; i++)
            length +=
                (size_t)snprintf(numbers + length, sizeof numbers - length, "%s%u", i > 0 ? "," : "", 2 * i);
        length = 0;
        for (unsigned i = 0; i < 6; i++)
            length +=
                (size_t)snprintf(shown + length, sizeof shown - length, "%s%u", i > 0 ? ", " : "", 2 * i + 1);
        snprintf(shown + length, sizeof shown - length, "%s\n", extra > 0 ? ", ..." : "");
        arrive(RUN, extra, numbers);
        SAYS_PARTS("  lost: ", shown);
        length = 0;
        for (unsigned i = 0; i < PS_OUTCOME_RANGES_MAX + 1 + extra; i++)
            length +=
                (size_t)snprintf(numbers + length, sizeof numbers - length, "%s%u", i > 0 ? "," : "", 2 * i);
        arrive(RUN, 10 + extra, numbers);
        json_t *found = object(), *one = json_array_get(json_object_get(found, "sources"), 1 + 2 * extra);
        if (extra > 0)
            one = json_array_get(json_object_get(found, "sources"), 3);
        assert_int_equal(json_integer_value(json_object_get(one, "source")), 10 + extra);
        assert_int_equal(json_array_size(json_object_get(one, "lost_ranges")), PS_OUTCOME_RANGES_MAX);
        assert_int_equal(json_is_true(json_object_get(one, "lost_ranges_more")), extra);
        json_decref(found);
    }
}

/* The table has all sources if there are up to 16; if there are more, only those with faults, at most 50. */
static void test_rows(void **state)
{
    for (uint32_t i = 0; i < 16; i++)
        arrive(RUN, i, i == 7 ? "0,2" : "0-2");
    SAYS_PARTS("\n       7 ", "  lost: 1\n       0 ", "\n      15 ", "\n\nthe order");
    arrive(RUN, 16, "0-2");
    SAYS_PARTS(" corrupted\n       7 ", "  lost: 1\n\nthe order");
    arrive(RUN, 7, "1")->tally.reordered = 0;
    says_not("source  "); /* no source has a fault */
    for (uint32_t i = 100; i < 150; i++)
        arrive(RUN, i, "0,2");
    says_not("more source");
    arrive(RUN, 150, "0,2");
    SAYS_PARTS("\n     149 ", "  lost: 1\n  and 1 more source\n");
    arrive(RUN, 151, "0,2");
    SAYS_PARTS("\n     149 ", "  lost: 1\n  and 2 more sources\n");
}

/* Sources with a fault of any kind come first. */
static void test_wrong(void **state)
{
    for (unsigned i = 0; i < 20; i++)
        arrive(RUN, i, "0-2");
    for (unsigned kind = 0; kind < 6; kind++) {
        struct ps_source *one = arrive(RUN, 20 + kind, "0-2");
        uint64_t *const counts[] = {&one->tally.duplicated, &one->tally.reordered, &one->tally.changed,
                                    &one->tally.cut, &one->tally.unknown};
        says_not("source  ");
        char row[32];
        if (kind < 5)
            *counts[kind] = 1;
        else
            arrive(RUN, 20 + kind, "4");
        snprintf(row, sizeof row, "\n      %u ", 20 + kind);
        SAYS_PARTS(" corrupted", row, "\n\nthe order");
        if (kind < 5)
            *counts[kind] = 0;
        else
            arrive(RUN, 20 + kind, "3");
    }
}

/* The object has at most 10,000 sources; of more, those with faults come first. */
static void test_many_sources(void **state)
{
    manifest(RUN, 0, PS_OUTCOME_SOURCES_MAX, 1);
    verdict.source_count = 0;
    entries[0] = (struct ps_manifest_source){.source = 0};
    for (unsigned extra = 0; extra < 2; extra++) {
        expected.manifests[0].source_count = PS_OUTCOME_SOURCES_MAX + extra;
        entries[PS_OUTCOME_SOURCES_MAX] = (struct ps_manifest_source){
            .source = PS_OUTCOME_SOURCES_MAX, .events = 1, .completed = 1, .unfinished_from = 1};
        json_t *found = object(), *sources = json_object_get(found, "sources");
        assert_int_equal(json_array_size(sources), PS_OUTCOME_SOURCES_MAX);
        assert_int_equal(json_integer_value(json_object_get(found, "sources_omitted")), extra);
        assert_int_equal(json_integer_value(json_object_get(json_array_get(sources, 0), "source")), extra);
        json_decref(found);
    }
    expected.manifests[0].source_count = PS_OUTCOME_SOURCES_MAX;
    verdict.source_count = 1; /* the total counts both lists */
    json_t *found = object();
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(found, "sources"), 0), "source")),
        1);
    json_decref(found);
}

static void test_histogram_and_arrivals(void **state)
{
    struct ps_run *run = ps_tracker_run(account->tracker, RUN);
    uint64_t large = (UINT64_C(1) << 30) + 1;
    ps_histogram_record(&run->latency_ns, 0, 2);
    ps_histogram_record(&run->latency_ns, 100, 3);
    ps_histogram_record(&run->latency_ns, large, 4); /* a bucket ends later: the maximum is exact */
    ps_account_count_arrivals(account, 1000);
    ps_arrivals_add(account->arrivals, 1, account->start_mono_ns + 2500);
    outcome.histogram = true;
    object_has("{'histogram':[[0,2],[100,3],[1073741825,4]],"
               "'arrivals':{'start_unix_ns':1795680000000002000,'step_ns':1000,'received':[[0],[1]]}}");
}

static void test_progress(void **state)
{
    static const char *const lines[] = {
        ("\r\033[K   3 s  21 of 27  1,235 /s  \033[31mdup 22  reord 23  corr 49\033[0m  p50 201 us  p99 9.96 "
         "ms\033[0m"),
        "\r\033[K   3 s  21  1,235 /s  \033[31mdup 0  reord 0  corr 1\033[0m  p50 201 us  p99 9.96 ms\033[0m",
        "\r\033[K   3 s  21  1,235 /s  dup 0  reord 0  corr 0\033[0m  p50 201 us  p99 9.96 ms\033[0m",
    };
    struct ps_histogram *latency = calloc(1, sizeof *latency);
    char *text = NULL;
    size_t length;
    for (uint64_t i = 1; i <= 10000; i++)
        ps_histogram_record(latency, PS_NS_PER_S / i, 1);
    struct ps_outcome_second second = {.t_s = 3.14159,
                                       .rate = 1234.56,
                                       .tally = {21, 22, 23, 24, 25, 26},
                                       .sent = 27,
                                       .foreign = 28,
                                       .latency_ns = latency};
    json_t *found = ps_outcome_json_progress(&second);
    has(found, "{'type':'progress','t':3.142,'received':21,'duplicated':22,'reordered':23,'corrupted':24,'"
               "foreign':28,'rate':1234.6,"
               "'latency_ns':{'p0':100351,'p50':200703,'p99':9961471,'max':1000000000}}");
    json_decref(found);
    for (unsigned i = 0; i < 3; i++) {
        FILE *memory = open_memstream(&text, &length);
        struct ps_live live = {.to = memory, .moves = true, .colour = true};
        ps_outcome_progress(&live, &second);
        fclose(memory);
        assert_string_equal(text, lines[i]);
        free(text);
        second.sent = 0;
        second.tally.cut = second.tally.duplicated = second.tally.reordered = 0;
        second.tally.changed = i == 0;
    }
    free(latency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_object, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_histogram_and_arrivals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_progress, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
