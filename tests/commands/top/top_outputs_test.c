/* Whole outputs of `penstock top`: data/top.txt, data/screens.txt. */
#include "commands/top/top.h"
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/pages.h"
#include "tests/support/support.h"

static int pages(int argc, char **argv)
{
    return ps_test_pages(argc, argv, ps_test_penstock);
}

static void scrape(struct ps_scrape *to, double at_s, const char *file)
{
    static char text[65536];
    FILE *in = fopen(file, "re");
    assert_non_null(in);
    size_t length = fread(text, 1, sizeof text, in);
    fclose(in);
    ps_scrape_parse(to, text, length);
    to->at_s = at_s;
}

/* `draw BEFORE NOW [colour] [READY]`: the screen of two scrapes that are two seconds apart; BEFORE may be `-`. READY: a line of
 * /readyz, or `ready`. `fit ROWS COLUMNS BEFORE NOW`: the same, cut for a terminal, with colours. */
static int draw(int argc, char **argv)
{
    bool fits = strcmp(argv[0], "fit") == 0;
    int first = fits ? 3 : 1;
    struct ps_scrape before, now;
    struct top_view view;
    struct ps_arena *arena = ps_arena_create();
    bool colour = fits || (argc > first + 2 && strcmp(argv[first + 2], "colour") == 0);
    const char *ready = argc > first + 2 + (!fits && colour) ? argv[argc - 1] : NULL;
    bool has_before = strcmp(argv[first], "-") != 0;
    if (has_before)
        scrape(&before, 10, argv[first]);
    scrape(&now, 12, argv[first + 1]);
    ps_top_view(&view, arena, has_before ? &before : NULL, &now);
    view.uptime_s = 3725.9;
    view.ready = ready != NULL && strcmp(ready, "ready") == 0;
    view.not_ready = ready == NULL ? NULL : view.ready ? "" : ready;
    struct top_form form = {.colour = colour};
    if (fits) {
        form.rows = (unsigned)atoi(argv[1]);
        form.columns = (unsigned)atoi(argv[2]);
    }
    char *screen = NULL;
    size_t length;
    FILE *memory = open_memstream(&screen, &length);
    ps_top_draw(memory, &view, "http://h:1", "10:00:00", &form);
    fclose(memory);
    if (fits)
        ps_top_fit(stdout, screen, (unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
    else
        fputs(screen, stdout);
    free(screen);
    if (has_before)
        ps_scrape_fini(&before);
    ps_scrape_fini(&now);
    ps_arena_destroy(arena);
    return 0;
}

static const struct ps_test_output_command commands[] = {
    {"penstock", ps_test_penstock}, {"pages", pages}, {"draw", draw}, {"fit", draw}, {NULL, NULL}};

static void test_top(void **state)
{
    ps_test_outputs("tests/commands/top/data/top.txt", commands);
}

static void test_screens(void **state)
{
    ps_test_outputs("tests/commands/top/data/screens.txt", commands);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_top), TEST(test_screens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
