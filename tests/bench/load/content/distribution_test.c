/* Distributions draw what they should: chi-square against the exact probabilities, with fixed seeds, so that
 * the result is always the same. A correct table exceeds the bounds one time in a million. */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>

#include "bench/load/content/template.h"

#define DRAWS 1000000U

struct drawing {
    struct ps_arena *arena;
    struct ps_template *template;
    const struct ps_distribution *distribution;
};

/* `field` as written in a template. */
static struct drawing drawing_make(const char *field)
{
    struct drawing drawing = {.arena = ps_arena_create(), .template = calloc(1, sizeof *drawing.template)};
    struct ps_err err = {0};
    assert_non_null(drawing.template);
    if (ps_template_parse(drawing.template, drawing.arena, field, &err) != PS_OK)
        fail_msg("%s: %s", field, err.text);
    assert_int_equal(drawing.template->count, 1);
    drawing.distribution = &drawing.template->parts[0].distribution;
    return drawing;
}

static void drawing_free(struct drawing *drawing)
{
    ps_arena_destroy(drawing->arena);
    free(drawing->template);
}

/* Numbers as content makes them: from a counter. */
static uint64_t numbered(uint64_t seed, uint64_t i)
{
    return ps_mix_next(ps_mix(i ^ seed, UINT64_C(0x9e3779b97f4a7c15)));
}

/* Returns the value that chi-square with this number of degrees of freedom exceeds one time in a million (Wilson and
 * Hilferty). */
static double chi_square_max(unsigned freedom)
{
    double a = 2.0 / (9.0 * freedom), z = 4.7534;
    return freedom * pow(1 - a + z * sqrt(a), 3);
}

static void chi_square_check(const char *what, const uint64_t *seen, const double *expected, unsigned count)
{
    double sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += ((double)seen[i] - expected[i]) * ((double)seen[i] - expected[i]) / expected[i];
    if (sum > chi_square_max(count - 1))
        fail_msg("%s: chi-square %.1f of %u classes, more than %.1f", what, sum, count,
                 chi_square_max(count - 1));
}

static void test_uniform(void **state)
{
    struct drawing drawing = drawing_make("{int:uniform:-50..49}");
    uint64_t seen[100] = {0};
    double expected[100];
    for (uint64_t i = 0; i < DRAWS; i++) {
        int64_t value = ps_distribution_draw(drawing.distribution, numbered(1, i));
        assert_in_range(value + 50, 0, 99);
        seen[value + 50]++;
    }
    for (unsigned i = 0; i < 100; i++)
        expected[i] = DRAWS / 100.0;
    chi_square_check("uniform", seen, expected, 100);
    drawing_free(&drawing);
}

static void test_uniform_all(void **state)
{
    struct drawing drawing = drawing_make("{int:-9223372036854775808..9223372036854775807}");
    uint64_t negative = 0;
    for (uint64_t i = 0; i < DRAWS; i++)
        negative += ps_distribution_draw(drawing.distribution, numbered(2, i)) < 0;
    assert_in_range(negative, DRAWS / 2 - 2500, DRAWS / 2 + 2500);
    drawing_free(&drawing);
}

/* Compares the counts of each of the first ranks, then those of classes of growing width up to the end. */
static void zipf_check(uint64_t ranks, double s, uint64_t seed)
{
    enum { SINGLE = 320, CLASSES_MAX = 1200 };
    static uint64_t seen[CLASSES_MAX];
    static double expected[CLASSES_MAX];
    static uint64_t ends[CLASSES_MAX];
    char field[96];
    unsigned count = 0;
    double total = 0;
    snprintf(field, sizeof field, "{int:zipf:1..%llu,s=%g}", (unsigned long long)ranks, s);
    struct drawing drawing = drawing_make(field);
    memset(seen, 0, sizeof seen);
    for (uint64_t rank = 1; rank <= ranks; rank++)
        total += pow((double)rank, -s);
    double weight = 0;
    for (uint64_t rank = 1; rank <= ranks; rank++) {
        weight += pow((double)rank, -s);
        bool close = weight / total * DRAWS >= 20 && (rank <= SINGLE || rank % 37 == 0);
        if ((close && count < CLASSES_MAX - 1) || rank == ranks) {
            ends[count] = rank;
            expected[count++] = weight / total * DRAWS;
            weight = 0;
        }
    }
    if (count > 1 && expected[count - 1] < 20) { /* too few for a class: added to the previous one */
        expected[count - 2] += expected[count - 1];
        ends[count - 2] = ranks;
        count--;
    }
    for (uint64_t i = 0; i < DRAWS; i++) {
        uint64_t rank = (uint64_t)ps_distribution_draw(drawing.distribution, numbered(seed, i));
        assert_in_range(rank, 1, ranks);
        unsigned low = 0, high = count - 1;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if (ends[middle] >= rank)
                high = middle;
            else
                low = middle + 1;
        }
        seen[low]++;
    }
    chi_square_check(field, seen, expected, count);
    drawing_free(&drawing);
}

static void test_zipf(void **state)
{
    static const struct {
        uint64_t ranks;
        double s;
    } cases[] = {{2, 1},        {10, 1},      {256, 0.5},     {257, 1.2},    {1000, 1}, {5000, 0.2},
                 {100000, 1.1}, {1000000, 1}, {1000000, 0.8}, {300000, 2.5}, {50, 6}};
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++)
        zipf_check(cases[i].ranks, cases[i].s, i + 10);
}

/* The mean rank of a range that is too long to add up is compared with an integral. */
static void test_zipf_wide(void **state)
{
    struct drawing drawing = drawing_make("{int:zipf:1..281474976710656,s=0.5}");
    const double ranks = 0x1p48;
    double sum = 0;
    for (uint64_t i = 0; i < DRAWS; i++)
        sum += (double)ps_distribution_draw(drawing.distribution, numbered(30, i)) / ranks;
    double mean = sum / DRAWS; /* x^-1/2 on 0..1 has the mean 1/3 and the variance 4/45 */
    assert_true(fabs(mean - 1.0 / 3) < 5 * sqrt(4.0 / 45 / DRAWS));
    drawing_free(&drawing);
}

static double normal_below(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

static void test_normal(void **state)
{
    enum { CLASSES = 62 };
    struct drawing drawing = drawing_make("{float:normal:mean=120,sd=30,digits=9}");
    uint64_t seen[CLASSES] = {0};
    double expected[CLASSES], sum = 0, squares = 0;
    for (unsigned i = 0; i < CLASSES;
         i++) { /* -3.75, -3.625 ... 3.75, with the tails in the first and last */
        double low = -3.75 + 0.125 * (i - 1.0), high = low + 0.125;
        expected[i] =
            DRAWS * ((i == CLASSES - 1 ? 1 : normal_below(high)) - (i == 0 ? 0 : normal_below(low)));
    }
    for (uint64_t i = 0; i < DRAWS; i++) {
        double z = (ps_distribution_draw_real(drawing.distribution, numbered(40, i)) - 120) / 30;
        double at = floor((z + 3.75) / 0.125) + 1;
        seen[at < 0 ? 0 : at >= CLASSES ? CLASSES - 1 : (unsigned)at]++;
        sum += z;
        squares += z * z;
    }
    chi_square_check("normal", seen, expected, CLASSES);
    assert_true(fabs(sum / DRAWS) < 5 / sqrt(DRAWS));
    assert_true(fabs(squares / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    drawing_free(&drawing);
}

/* Values beyond the ziggurat's last layer, where the tail has its own algorithm, are as frequent as they should be. */
static void test_normal_tail(void **state)
{
    struct drawing drawing = drawing_make("{float:normal:mean=0,sd=1,digits=9}");
    uint64_t beyond = 0, further = 0;
    const uint64_t draws = 8 * DRAWS;
    for (uint64_t i = 0; i < draws; i++) {
        double z = fabs(ps_distribution_draw_real(drawing.distribution, numbered(50, i)));
        beyond += z > 3.5;
        further += z > 4;
    }
    double wanted = 2 * normal_below(-3.5) * (double)draws, rare = 2 * normal_below(-4) * (double)draws;
    assert_true(fabs((double)beyond - wanted) < 5 * sqrt(wanted));
    assert_true(fabs((double)further - rare) < 5 * sqrt(rare));
    drawing_free(&drawing);
}

static void test_normal_whole(void **state)
{
    struct drawing drawing = drawing_make("{int:normal:mean=5,sd=4,min=0,max=9}");
    uint64_t seen[10] = {0};
    double expected[10];
    for (unsigned i = 0; i < 10; i++) /* values beyond min and max become min and max */
        expected[i] = DRAWS * ((i == 9 ? 1 : normal_below((i + 0.5 - 5) / 4)) -
                               (i == 0 ? 0 : normal_below((i - 0.5 - 5) / 4)));
    for (uint64_t i = 0; i < DRAWS; i++) {
        int64_t value = ps_distribution_draw(drawing.distribution, numbered(60, i));
        assert_in_range(value, 0, 9);
        seen[value]++;
    }
    chi_square_check("normal, whole", seen, expected, 10);
    drawing_free(&drawing);
}

static void test_choice(void **state)
{
    struct drawing drawing = drawing_make("{int:choice:200=90,404=8,-500=2,7=0.5}");
    static const int64_t values[] = {200, 404, -500, 7};
    static const double weights[] = {90, 8, 2, 0.5};
    uint64_t seen[4] = {0};
    double expected[4];
    for (uint64_t i = 0; i < DRAWS; i++) {
        int64_t value = ps_distribution_draw(drawing.distribution, numbered(70, i));
        unsigned at = 0;
        while (at < 4 && values[at] != value)
            at++;
        assert_in_range(at, 0, 3);
        seen[at]++;
    }
    for (unsigned i = 0; i < 4; i++)
        expected[i] = DRAWS * weights[i] / 100.5;
    chi_square_check("choice", seen, expected, 4);
    drawing_free(&drawing);
}

static void test_alias_of_many(void **state)
{
    enum { COUNT = 400 };
    struct ps_arena *arena = ps_arena_create();
    struct ps_alias alias;
    double weights[COUNT], expected[COUNT], sum = 0;
    uint64_t seen[COUNT] = {0}, random = 5;
    for (unsigned i = 0; i < COUNT; i++)
        sum += weights[i] = 1 + (double)(ps_test_random(&random) % 1000);
    ps_alias_make(&alias, arena, weights, COUNT);
    for (uint64_t i = 0; i < DRAWS; i++)
        seen[ps_alias_draw(&alias, numbered(80, i))]++;
    for (unsigned i = 0; i < COUNT; i++)
        expected[i] = DRAWS * weights[i] / sum;
    /* texts expected less than once are too rare for a result */
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(expected[i] > 1);
    chi_square_check("alias", seen, expected, COUNT);
    ps_arena_destroy(arena);
}

static void test_constant(void **state)
{
    struct drawing whole = drawing_make("{int:42}"), real = drawing_make("{float:2.5}"),
                   narrow = drawing_make("{float:normal:mean=3,sd=0}");
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(ps_distribution_draw(whole.distribution, numbered(90, i)), 42);
        assert_true(ps_distribution_draw_real(real.distribution, numbered(90, i)) == 2.5);
        assert_true(ps_distribution_draw_real(narrow.distribution, numbered(90, i)) == 3);
    }
    drawing_free(&whole);
    drawing_free(&real);
    drawing_free(&narrow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform),       cmocka_unit_test(test_uniform_all),
        cmocka_unit_test(test_zipf),          cmocka_unit_test(test_zipf_wide),
        cmocka_unit_test(test_normal),        cmocka_unit_test(test_normal_tail),
        cmocka_unit_test(test_normal_whole),  cmocka_unit_test(test_choice),
        cmocka_unit_test(test_alias_of_many), cmocka_unit_test(test_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
