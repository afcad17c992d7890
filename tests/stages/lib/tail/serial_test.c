/* The random numbers of files, in random histories of lines, copies, cuts and kills: no two lines of different contents have the same number
 * and offset, and a line that is read again from a file, or from the copy that took its number, has the one that it had. */
#include "stages/lib/tail/serial.h"

#include "tests/support/support.h"

#include <string.h>

static uint64_t state;

static uint64_t below(uint64_t limit)
{
    return ps_test_random(&state) % limit;
}

/* ---- events that came: number and offset, and the content ---- */

#define EVENTS_MAX 4096U

static struct {
    uint64_t number, content;
    int64_t offset;
} events[EVENTS_MAX];
static size_t event_count;

static void came(uint64_t number, int64_t offset, uint64_t content)
{
    if (number == 0)
        return;
    for (size_t i = 0; i < event_count; i++)
        if (events[i].number == number && events[i].offset == offset && events[i].content != content)
            fail_msg("two contents have number and offset of %lld", (long long)offset);
    if (event_count < EVENTS_MAX) {
        events[event_count].number = number;
        events[event_count].content = content;
        events[event_count++].offset = offset;
    }
}

/* ---- files ---- */

#define FILES 6U
#define LINES 40 /* of one file; a line has a byte */

struct file {
    struct ps_tail_serial serial;
    uint64_t lines[LINES]; /* contents */
    int64_t length, read;
};

static struct file files[FILES];
static uint64_t next_content;

static void write_lines(struct file *file)
{
    for (uint64_t count = below(6); count > 0 && file->length < LINES; count--)
        file->lines[file->length++] = ++next_content;
}

static void read_lines(struct file *file)
{
    for (uint64_t count = below(6); count > 0 && file->read < file->length; count--) {
        if (below(8) > 0) /* else they could not be saved, and the lines have no identity */
            ps_tail_serial_draw(&file->serial, file->read);
        came(file->serial.own != 0 ? ps_tail_serial_at(&file->serial, file->read) : 0, file->read,
             file->lines[file->read]);
        file->read++;
    }
}

/* The source dies: lines from an earlier position on are read again, with the numbers that were saved. */
static void read_again(const struct file *file)
{
    for (int64_t at = file->read - (int64_t)below(5); at < file->read; at++)
        if (at >= 0)
            came(ps_tail_serial_at(&file->serial, at), at, file->lines[at]);
}

/* The file is copied up to `length`; the copy goes on from `mark` when the file is cut or gone, or beside it. */
static void copy(struct file *to, struct file *from)
{
    int64_t mark = (int64_t)below((uint64_t)from->read + 1);
    if (below(2) == 0)
        mark = from->read;
    *to = *from;
    to->length = mark; /* other lines follow, unless it has all of the original */
    to->read = mark;
    if (mark == from->read && below(2) == 0)
        to->length = from->length;
    to->serial = ps_tail_serial_of_copy(&from->serial, mark, mark == from->read);
    if (to->serial.own != 0)
        ps_tail_serial_give(&from->serial, from->read);
    assert_true(to->serial.own == 0 || to->serial.own != from->serial.own);
}

static void test_histories(void **unused)
{
    state = ps_test_seed();
    for (unsigned round = 0; round < 300; round++) {
        memset(files, 0, sizeof files);
        event_count = 0;
        for (unsigned step = 0; step < 200; step++) {
            struct file *file = &files[below(FILES)], *other = &files[below(FILES)];
            switch (below(9)) {
            case 0:
                if (file != other)
                    copy(other, file);
                break;
            case 1: /* cut */
                if (below(3) == 0)
                    *file = (struct file){.length = 0};
                break;
            case 2:
                read_again(file);
                break;
            case 3:
            case 4:
                write_lines(file);
                break;
            default:
                read_lines(file);
            }
        }
    }
}

/* A whole copy goes on with the number; the original does not. Another copy has the number before the mark. */
static void test_first_and_second_copy(void **unused)
{
    struct ps_tail_serial original = {.own = 0}, first, second;
    ps_tail_serial_draw(&original, 0);
    const uint64_t number = original.own;
    assert_int_not_equal(number, 0);
    ps_tail_serial_draw(&original, 50);
    assert_int_equal(original.own, number);
    first = ps_tail_serial_of_copy(&original, 100, true);
    ps_tail_serial_give(&original, 100);
    second = ps_tail_serial_of_copy(&original, 100, true);
    assert_int_equal(ps_tail_serial_at(&first, 99), number);
    assert_int_equal(ps_tail_serial_at(&first, 100), number);
    assert_int_equal(ps_tail_serial_at(&second, 99), number);
    assert_int_equal(ps_tail_serial_at(&second, 100), 0);
    ps_tail_serial_draw(&original, 100);
    ps_tail_serial_draw(&second, 100);
    assert_int_equal(ps_tail_serial_at(&original, 99), number);
    assert_int_not_equal(original.own, number);
    assert_true(second.own != number && second.own != original.own && second.own != 0);
}

/* A copy of a part has the number before the mark; the original keeps it. */
static void test_copy_of_a_part(void **unused)
{
    struct ps_tail_serial original = {.own = 0};
    ps_tail_serial_draw(&original, 10);
    struct ps_tail_serial copy = ps_tail_serial_of_copy(&original, 60, false);
    assert_int_equal(ps_tail_serial_at(&copy, 59), original.own);
    assert_int_equal(ps_tail_serial_at(&copy, 60), 0);
    copy = ps_tail_serial_of_copy(&original, 5, false); /* before the number */
    assert_int_equal(ps_tail_serial_at(&copy, 4), 0);
    assert_int_equal(ps_tail_serial_at(&copy, 5), 0);
}

/* A copy that keeps the number of its original up to a mark is read again from before the mark: its lines there keep that number. */
static void test_drawn_before_the_mark(void **unused)
{
    struct ps_tail_serial serial = {.before = 7, .from = 100};
    ps_tail_serial_draw(&serial, 40);
    assert_int_equal(ps_tail_serial_at(&serial, 40), 7);
    assert_int_equal(ps_tail_serial_at(&serial, 99), 7);
    assert_int_not_equal(serial.own, 0);
    assert_true(ps_tail_serial_at(&serial, 100) == serial.own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_first_and_second_copy),
        cmocka_unit_test(test_drawn_before_the_mark),
        cmocka_unit_test(test_copy_of_a_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
