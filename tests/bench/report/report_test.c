/* The report's page: numbers, axes, positions of labels, foreign text, and the content of sections.
 * tests/e2e/report_test.sh tests its appearance. */
#include "bench/report/report.h"
#include "bench/report/figure.h"
#include "bench/report/internal.h"
#include "bench/report/svg.h"
#include "tests/support/source_tree.h"
#include "tests/support/support.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define NARROW "\u202f"

static char folder[] = "/tmp/penstock-report-XXXXXX";

/* ---- numbers ---- */

static void test_figures_are_for_people(void **state)
{
    assert_string_equal(ps_figure_count(0).text, "0");
    assert_string_equal(ps_figure_count(999).text, "999");
    assert_string_equal(ps_figure_count(812345).text, "812,345");
    assert_string_equal(ps_figure_count(1e9).text, "1,000,000,000");
    assert_string_equal(ps_figure_count(-1234).text, "-1,234");
    assert_string_equal(ps_figure_count((double)NAN).text, "–");
    assert_string_equal(ps_figure_count(INFINITY).text, "–");
    assert_string_equal(ps_figure_count(1e17).text, "1.00e+17");
    assert_string_equal(ps_figure_short(812000).text, "812" NARROW "k");
    assert_string_equal(ps_figure_short(1.25e6).text, "1.25" NARROW "M");
    assert_string_equal(ps_figure_short(999999).text, "1" NARROW "M");
    assert_string_equal(ps_figure_short(0.5).text, "0.5");
    assert_string_equal(ps_figure_ns(0).text, "0" NARROW "s");
    assert_string_equal(ps_figure_ns(999).text, "999" NARROW "ns");
    assert_string_equal(ps_figure_ns(1000).text, "1" NARROW "µs");
    assert_string_equal(ps_figure_ns(18.44e6).text, "18.4" NARROW "ms");
    assert_string_equal(ps_figure_ns(999.9e6).text, "1" NARROW "s");
    assert_string_equal(ps_figure_ns(100e9).text, "1" NARROW "min 40" NARROW "s");
    assert_string_equal(ps_figure_share(0.97).text, "97" NARROW "%");
    assert_string_equal(ps_figure_share(0.041).text, "4.1" NARROW "%");
    assert_string_equal(ps_figure_share(0.001).text, "0.1" NARROW "%");
    assert_string_equal(ps_figure_share(0).text, "0" NARROW "%");
    assert_string_equal(ps_figure_share(1e-6).text, "0.0001" NARROW "%");
    assert_string_equal(ps_figure_share(1.6e-12).text, "0" NARROW "%");
    assert_string_equal(ps_figure_bytes(999).text, "999" NARROW "B");
    assert_string_equal(ps_figure_bytes(1099.5e9).text, "1" NARROW "TiB");
    assert_string_equal(ps_figure_seconds(158.4).text, "2" NARROW "min 38" NARROW "s");
    assert_string_equal(ps_figure_seconds(259200).text, "3" NARROW "d");
    assert_string_equal(ps_figure_number(0.00981).text, "0.00981");
}

/* ---- axes ---- */

static double random_value(uint64_t *seed)
{
    double size = pow(10, (double)(ps_test_random(seed) % 36) - 18);
    return size * (double)(ps_test_random(seed) % 10000) / 1000;
}

static void check_axis(const struct ps_axis *axis, double low, double high, unsigned ticks_max)
{
    assert_true(axis->low < axis->high);
    assert_true(axis->low <= low * (1 + 1e-9) && axis->high >= high * (1 - 1e-9));
    assert_in_range(axis->tick_count, 1, ticks_max);
    for (unsigned index = 0; index < axis->tick_count; index++) {
        assert_true(axis->ticks[index] >= axis->low * (1 - 1e-9) &&
                    axis->ticks[index] <= axis->high * (1 + 1e-9));
        assert_true(index == 0 || axis->ticks[index] > axis->ticks[index - 1]);
    }
    assert_true(fabs(ps_axis_at(axis, low) - 300) <= 300 && fabs(ps_axis_at(axis, high) - 300) <= 300);
    assert_true(ps_axis_at(axis, low) >= ps_axis_at(axis, high)); /* it points upwards */
}

static void test_axes_cover_what_they_show(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned round = 0; round < 20000; round++) {
        double one = random_value(&seed), other = round % 5 ? random_value(&seed) : one;
        double low = fmin(one, other), high = fmax(one, other);
        unsigned ticks_max = 2 + (unsigned)(ps_test_random(&seed) % 15);
        struct ps_axis linear = ps_axis_linear(high, low, ticks_max, 600, 0);
        check_axis(&linear, low, high, ticks_max);
        if (low <= 0 || high / low > 1e14)
            continue;
        struct ps_axis log = ps_axis_log(low, high, ticks_max, 600, 0);
        check_axis(&log, low, high, ticks_max);
    }
}

static void test_ticks_are_round(void **state)
{
    struct ps_axis axis = ps_axis_linear(0, 870000, 9, 0, 100);
    assert_int_equal(axis.tick_count, 6);
    assert_true(axis.ticks[1] == 200000 && axis.ticks[5] == 1000000);
    axis = ps_axis_log(3e3, 2.5e10, 10, 0, 100); /* eight decades */
    assert_true(axis.low == 1e3 && axis.high > 0.99e11);
    assert_int_equal(axis.tick_count, 9);
    axis = ps_axis_log(550e3, 76e6, 10, 0, 100);
    assert_int_equal(axis.tick_count, 8); /* 0.5, 1, 2, 5, 10, 20, 50, 100 ms */
    assert_true(fabs(axis.ticks[0] / 500e3 - 1) < 1e-9);
    axis = ps_axis_linear((double)NAN, INFINITY, 5, 0, 100);
    assert_true(axis.low < axis.high);
    axis = ps_axis_log(-1, (double)NAN, 5, 0, 100);
    assert_true(axis.low > 0 && axis.low < axis.high);
    assert_true(ps_axis_at(&axis, (double)NAN) == 0); /* somewhere on the picture */
}

/* ---- labels ---- */

static void test_labels_keep_their_distance(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned round = 0; round < 20000; round++) {
        double wanted[PS_SVG_LABELS_MAX], places[PS_SVG_LABELS_MAX];
        unsigned count = 1 + (unsigned)(ps_test_random(&seed) % PS_SVG_LABELS_MAX);
        bool touch = false;
        for (unsigned index = 0; index < count; index++) {
            wanted[index] = places[index] = (double)(ps_test_random(&seed) % 400) / 2;
            for (unsigned before = 0; before < index; before++)
                touch = touch || fabs(wanted[before] - wanted[index]) < 15;
        }
        ps_svg_spread(places, count, 15, 0, 200);
        for (unsigned index = 0; index < count; index++) {
            assert_true(places[index] >= -1e-6 && places[index] <= 200 + 1e-6);
            assert_true(touch || fabs(places[index] - wanted[index]) < 1e-6);
            for (unsigned other = 0; other < index; other++) {
                assert_true(fabs(places[other] - places[index]) >= 15 - 1e-6);
                assert_true(wanted[other] <= wanted[index] ? places[other] < places[index]
                                                           : places[other] > places[index]);
            }
        }
    }
}

static void test_text_keeps_clear(void **state)
{
    struct ps_html html = {0};
    struct ps_svg svg = {.html = &html, .width = 300, .height = 100};
    const struct ps_svg_place places[] = {
        {-50, 50, PS_ANCHOR_START}, {100, 50, PS_ANCHOR_MIDDLE}, {100, 90, PS_ANCHOR_START}};
    assert_true(ps_svg_text_somewhere(&svg, places, 3, "label", "first"));
    assert_non_null(strstr(html.data, "x=\"100.0\" y=\"50.0\"")); /* the first place is off the picture */
    assert_true(ps_svg_text_somewhere(&svg, places, 3, "label", "second"));
    assert_non_null(strstr(html.data, "y=\"90.0\""));
    assert_false(ps_svg_text_somewhere(&svg, places, 3, "label", "third"));
    assert_null(strstr(html.data, "third"));

    const struct ps_svg_place free_places[] = {{200, 30, PS_ANCHOR_START}, {200, 60, PS_ANCHOR_START}};
    ps_svg_avoid(&svg, 180, 0, 260, 45); /* crosses the first */
    assert_true(ps_svg_text_somewhere(&svg, free_places, 2, "label", "clear"));
    assert_non_null(strstr(html.data, "x=\"200.0\" y=\"60.0\""));
    assert_true(ps_svg_text_somewhere(&svg, free_places, 2, "label", "across")); /* better than no label */
    assert_non_null(strstr(html.data, "x=\"200.0\" y=\"30.0\""));
    ps_html_fini(&html);
}

static void test_long_text_is_cut_between_characters(void **state)
{
    char cut[64];
    assert_string_equal(ps_svg_text_cut("short", 100, cut, sizeof(cut)), "short");
    ps_svg_text_cut("日本語のチャンネル名", 60, cut, sizeof(cut));
    assert_true(strlen(cut) % 3 == 0 && strlen(cut) >= 6);
    assert_string_equal(cut + strlen(cut) - 3, "…");
    char tiny[8];
    ps_svg_text_cut("a name much too long", 1000, tiny, sizeof(tiny));
    assert_true(strlen(tiny) < sizeof(tiny));
    assert_string_equal(tiny + strlen(tiny) - 3, "…");
    for (double width = 0; width < 200; width += 1)
        assert_true(ps_svg_text_width(ps_svg_text_cut("any width at all", width, cut, sizeof(cut))) <=
                    fmax(width, PS_SVG_TEXT));
}

/* ---- text from outside ---- */

static void assert_text(const char *text, const char *expected)
{
    struct ps_html html = {0};
    ps_html_raw(&html, "");
    ps_html_text(&html, text);
    assert_string_equal(html.data, expected);
    ps_html_fini(&html);
}

static void test_text_is_never_markup(void **state)
{
    assert_text("<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;");
    assert_text("plain äöü 日本 😀", "plain äöü 日本 😀");
    assert_text("a\u202e"
                "b\u2066"
                "c\a\x7f",
                "a\ufffd"
                "b\ufffd"
                "c\ufffd\ufffd");
    assert_text("\xff\xc0\xaf\xe2\x82", "\ufffd\ufffd\ufffd\ufffd\ufffd"); /* no UTF-8, cut UTF-8 */
    assert_text("\xed\xa0\x80", "\ufffd");                                 /* half a surrogate */
    assert_text("\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd");           /* beyond U+10FFFF */
    assert_text(NULL, "");
    char *many = malloc(10001);
    assert_non_null(many);
    memset(many, '<', 10000);
    many[10000] = '\0';
    struct ps_html html = {0};
    ps_html_text(&html, many);
    assert_int_equal(html.length, PS_HTML_TEXT_MAX * 4 + strlen("…"));
    ps_html_fini(&html);
    free(many);
}

/* ---- the page ---- */

static json_t *sample(void)
{
    json_t *result = json_load_file(ps_test_source_path("tests/bench/data/plan-result.json"), 0, NULL);
    assert_non_null(result);
    return result;
}

static void assert_page(const json_t *result, const char *there, const char *not_there)
{
    struct ps_html html = {0};
    assert_true(ps_report_page(&html, result));
    assert_non_null(strstr(html.data, there));
    if (not_there)
        assert_null(strstr(html.data, not_there));
    assert_non_null(strstr(html.data, "</html>"));
    ps_html_fini(&html);
}

static void test_what_is_missing_is_said(void **state)
{
    assert_page(NULL, "No goal was measured", "<figure");
    json_t *result = json_object();
    assert_page(result, "Not measured: no trial has a latency", "<figure");
    json_decref(result);
    result = sample();
    assert_page(result, "quickstart holds <span class=\"nobreak\">812,000 events/s</span> with no event lost",
                "Not measured");
    json_object_set_new(result, "scaling", json_null());
    json_object_set_new(result, "projection", json_string("soon"));
    assert_page(result, "Not measured: only one number of workers", "id=\"scaling-curve\"");
    assert_page(result, "Not measured: no rate was asked for", "It assumes");
    json_decref(result);
}

static void test_goals_are_put_into_words(void **state)
{
    char words[96];
    struct ps_report_goal goal = {.loss_max = 0, .percentile = (double)NAN, .latency_limit_ns = (double)NAN};
    assert_string_equal(ps_report_goal_words(&goal, words, sizeof(words)), "no event lost");
    goal.loss_max = 0.001;
    assert_string_equal(ps_report_goal_words(&goal, words, sizeof(words)), "at most 0.1" NARROW "% lost");
    goal.percentile = 99.9;
    goal.latency_limit_ns = 20e6;
    assert_string_equal(ps_report_goal_words(&goal, words, sizeof(words)), "p99.9 below 20" NARROW "ms");
    goal = (struct ps_report_goal){.text = "as <fast> as it goes", .loss_max = (double)NAN};
    assert_string_equal(ps_report_goal_words(&goal, words, sizeof(words)), "as <fast> as it goes");
}

/* Latency of an M/M/1 queue: the knee is near its capacity; a flat curve has none. */
static void test_the_knee_is_found(void **state)
{
    json_t *result = json_object(), *trials = json_array();
    for (unsigned step = 1; step <= 9; step++)
        json_array_append_new(trials,
                              json_pack("{s:f, s:s, s:{s:f, s:f}}", "rate", step * 1000.0, "verdict", "held",
                                        "latency_ns", "p50", 1e6, "p99", step < 8 ? 1e6 + step : step * 1e8));
    json_object_set_new(result, "trials", trials);
    assert_page(result, "knee: 7\u202fk/s", NULL);
    size_t index;
    json_t *trial;
    json_array_foreach(trials, index, trial) json_object_set_new(json_object_get(trial, "latency_ns"), "p99",
                                                                 json_real(1e6 + (double)index * 1e5));
    assert_page(result, "p99", "knee:");
    json_decref(result);
}

static void test_commands_can_be_pasted(void **state)
{
    json_t *result = json_pack("{s:[s,s,s,s,s]}", "command", "penstock", "plan", "p99<20ms", "it's", "");
    assert_page(
        result,
        "<pre><code>penstock plan &#39;p99&lt;20ms&#39; &#39;it&#39;\\&#39;&#39;s&#39; &#39;&#39;</code>",
        NULL);
    json_decref(result);
}

/* ---- files ---- */

static unsigned count_files(void)
{
    DIR *directory = opendir(folder);
    unsigned count = 0;
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void test_the_page_appears_whole(void **state)
{
    json_t *result = sample();
    struct ps_err err = {0};
    char path[128];
    snprintf(path, sizeof(path), "%s/out.html", folder);
    assert_int_equal(ps_report_write(result, path, &err), PS_OK);
    assert_int_equal(ps_report_write(result, path, &err), PS_OK); /* over the old one */
    assert_int_equal(count_files(), 1);
    unlink(path);

    snprintf(path, sizeof(path), "%s/nowhere/out.html", folder);
    assert_int_equal(ps_report_write(result, path, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "nowhere"));
    assert_int_equal(ps_report_write(result, folder, &err), PS_FAIL); /* a directory is not replaced */
    assert_non_null(strstr(err.text, folder));
    assert_int_equal(ps_report_write(result, "/dev/null", &err), PS_OK); /* nor is a device */
    assert_int_equal(access("/dev/null", W_OK), 0);
    assert_int_equal(count_files(), 0);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_are_for_people),
        cmocka_unit_test(test_axes_cover_what_they_show),
        cmocka_unit_test(test_ticks_are_round),
        cmocka_unit_test(test_labels_keep_their_distance),
        cmocka_unit_test(test_text_keeps_clear),
        cmocka_unit_test(test_long_text_is_cut_between_characters),
        cmocka_unit_test(test_text_is_never_markup),
        cmocka_unit_test(test_what_is_missing_is_said),
        cmocka_unit_test(test_goals_are_put_into_words),
        cmocka_unit_test(test_the_knee_is_found),
        cmocka_unit_test(test_commands_can_be_pasted),
        cmocka_unit_test(test_the_page_appears_whole),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
