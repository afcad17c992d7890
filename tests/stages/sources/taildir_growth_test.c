/* Source taildir with as many files as its table has room for, and a few more or less, while files come, grow, are renamed within and
 * out of their group, linked, copied and truncated, and deleted, in random order, with restarts: each line comes once. The numbers of the
 * files that something happens to are mostly those that the table got last. */
#include "tests/stages/sources/taildir_support.h"

#include "tests/support/support.h"

#include <fcntl.h>

#define FILES_MAX 400U
#define LINES_MAX 64U
#define ROUNDS 10U

enum kind { ABSENT, PLAIN, LOOSE, LINKED };

static struct {
    enum kind kind;
    char name[24]; /* of the file, not of a link to it */
    unsigned lines;
    bool came[LINES_MAX];
    bool told; /* the last round did something with it that the source must learn first */
} files[FILES_MAX];
static unsigned file_count, written, taken, copies;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static void line_write(unsigned number)
{
    char line[32];
    assert_true(files[number].lines < LINES_MAX);
    snprintf(line, sizeof line, "%u %u\n", number, files[number].lines++);
    append(files[number].name, line);
    written++;
}

static void file_make(void)
{
    char link[24];
    unsigned number = file_count++;
    assert_true(number < FILES_MAX);
    bool linked = draw(8) == 0;
    files[number].kind = linked ? LINKED : PLAIN;
    snprintf(files[number].name, sizeof files[number].name, linked ? "real.%u" : "app.%u", number);
    line_write(number);
    if (draw(2) == 0)
        line_write(number);
    if (!linked)
        return;
    snprintf(link, sizeof link, "app.%u", number);
    assert_int_equal(symlink(ps_test_folder_path(files[number].name), ps_test_folder_path(link)), 0);
}

static void take(void)
{
    for (size_t i = 0; i < stage.event_count; i++) {
        unsigned number, line;
        assert_int_equal(sscanf(stage.events[i].body, "%u %u", &number, &line), 2);
        assert_true(number < file_count && line < files[number].lines);
        if (files[number].came[line])
            fail_msg("line %u of %s came twice", line, files[number].name);
        if (line > 0 && !files[number].came[line - 1])
            fail_msg("line %u of %s came before the one above", line, files[number].name);
        files[number].came[line] = true;
        taken++;
    }
    ps_test_source_clear(&stage);
}

static void work(void)
{
    ps_test_stage_real_clock(&stage);
    if (ps_test_source_work(&stage) == PS_IDLE)
        usleep(200);
    ps_test_source_close_batch(&stage);
    take();
}

static void tell_missing(void)
{
    for (unsigned i = 0; i < file_count; i++)
        for (unsigned line = 0; line < files[i].lines; line++)
            if (!files[i].came[line])
                print_message("line %u of %s did not come\n", line, files[i].name);
}

static void wait_for_all(void)
{
    uint64_t until = ps_test_patience_end_ns();
    while (taken < written) {
        unsigned before = taken;
        work();
        if (taken > before)
            until = ps_test_patience_end_ns();
        if (ps_test_patient_ns() > until) {
            tell_missing();
            fail_msg("%u of %u lines of %u files came", taken, written, file_count);
        }
    }
}

static void copy_and_cut(unsigned number)
{
    static char text[LINES_MAX * 32];
    char copy[32];
    int fd = open(ps_test_folder_path(files[number].name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t length = read(fd, text, sizeof text);
    assert_true(length >= 0 && length < (ssize_t)sizeof text);
    close(fd);
    snprintf(copy, sizeof copy, "app.copy.%u", copies++);
    ps_test_folder_append(copy, text, (size_t)length);
    assert_int_equal(truncate(ps_test_folder_path(files[number].name), 0), 0);
}

/* Everything was delivered. Something happens to the file. */
static void disturb(unsigned number)
{
    char before[24];
    strcpy(before, files[number].name);
    files[number].told = true;
    switch (files[number].kind == PLAIN ? draw(5) : 4) {
    case 0:
        snprintf(files[number].name, sizeof files[number].name, "app.%u.%u", number, (unsigned)draw(1000000));
        move(before, files[number].name);
        break;
    case 1:
        snprintf(files[number].name, sizeof files[number].name, "old.%u", number);
        move(before, files[number].name);
        files[number].kind = LOOSE;
        break;
    case 2:
        copy_and_cut(number);
        line_write(number); /* an empty file without a name of its group is not known again after a restart */
        break;
    case 3:
        if (files[number].kind == PLAIN) {
            assert_int_equal(unlink(ps_test_folder_path(before)), 0);
            files[number].kind = ABSENT;
        }
        break;
    default:
        line_write(number);
        break;
    }
}

static unsigned last_ones(void)
{
    return draw(3) == 0 ? (unsigned)draw(file_count)
                        : file_count - 1 - (unsigned)draw(file_count < 8 ? file_count : 8);
}

static void history(unsigned first)
{
    memset(files, 0, sizeof files);
    file_count = written = taken = copies = 0;
    while (file_count < first)
        file_make();
    PS_START("writePosInterval", "100", NULL);
    wait_for_all();
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < file_count; i++)
            files[i].told = false;
        for (unsigned times = (unsigned)draw(12); times > 0; times--) {
            unsigned number = last_ones();
            if (files[number].kind != ABSENT && !files[number].told)
                disturb(number);
        }
        for (unsigned more = (unsigned)draw(4); more > 0; more--)
            file_make();
        wait_for_all();
        if (draw(4) == 0)
            restart();
        for (unsigned i = 0; i < file_count; i++) /* every file goes on, wherever it is now */
            if (files[i].kind != ABSENT && (round + 1 == ROUNDS || draw(8) == 0))
                line_write(i);
        wait_for_all();
    }
    for (unsigned i = 0; i < 100; i++)
        work();
    assert_int_equal(taken, written);
    ps_test_stage_fini(&stage);
}

static void play(unsigned around)
{
    history(around - 3 + (unsigned)draw(7));
}

static void test_around_64_files(void **unused)
{
    play(64);
}

static void test_around_128_files(void **unused)
{
    play(128);
}

static void test_around_256_files(void **unused)
{
    play(256);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(around_64_files), TEST(around_128_files), TEST(around_256_files)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
