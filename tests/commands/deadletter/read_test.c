/* Which letters of a directory are given: the filters one by one, the order, and lines that are no letters. */
#include "commands/deadletter/internal.h"

#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char given[256];
static unsigned stop_after; /* letters; 0: never */

static bool give(void *argument, const struct ps_deadletter *letter)
{
    unsigned *count = argument;
    snprintf(given + strlen(given), sizeof given - strlen(given), "%.*s ", (int)letter->body_length,
             letter->body);
    return ++*count != stop_after;
}

/* Reads the letters that the command wants into `given`. What is said about the others is dropped. */
static bool read_letters(struct ps_deadletter_command command, struct ps_deadletter_found *found)
{
    unsigned count = 0;
    struct ps_deadletter_marks *marks = ps_deadletter_marks_read(ps_test_folder());
    assert_non_null(marks);
    command.name = "show";
    command.directory = ps_test_folder();
    given[0] = '\0';
    int before = dup(2), nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(before >= 0 && dup2(nothing, 2) == 2);
    bool good = ps_deadletter_each(&command, marks, give, &count, found);
    assert_int_equal(dup2(before, 2), 2);
    close(before);
    close(nothing);
    ps_deadletter_marks_free(marks);
    return good;
}

static void expect(struct ps_deadletter_command command, const char *wanted)
{
    struct ps_deadletter_found found;
    if (command.replays_max == 0)
        command.replays_max = PS_DEADLETTER_REPLAYS_MAX;
    assert_true(read_letters(command, &found));
    assert_string_equal(given, wanted);
}

static void put(const char *file, const char *text)
{
    ps_test_folder_append(file, text, strlen(text));
}

/* Appends a letter. `replays`: how often it was replayed with its headers. */
static void put_letter(const char *file, const char *body, const char *time, const char *component,
                       const char *reason, unsigned replays)
{
    char line[512];
    snprintf(line, sizeof line,
             "{\"time\":\"%s\",\"agent\":\"%s\",\"component\":\"%s\",\"reason\":\"%s\",\"headers\":"
             "{\"penstock.replays\":\"%u\"},\"body\":\"%s\"}\n",
             time, body[0] == 'x' ? "a2" : "a1", component, reason, replays, body);
    put(file, line);
}

static int setup(void **state)
{
    int failed = ps_test_folder_setup(state);
    stop_after = 0;
    put_letter("2.jsonl", "d", "2026-11-28T10:00:03Z", "source r1", "line-too-long", 0);
    put_letter("2.jsonl", "x", "2026-11-28T10:00:04Z", "sink k1", "rejected", 0);
    put_letter("1.jsonl", "a", "2026-11-28T10:00:00Z", "sink k1", "rejected", 2);
    put_letter("1.jsonl", "b", "2026-11-28T10:00:01Z", "sink k12", "rejected", 3);
    put_letter("1.jsonl", "c", "2026-11-28T10:00:02Z", "interceptor i1 of source r1", "rule", 0);
    put_letter(".3.jsonl", "hidden", "2026-11-28T10:00:02Z", "sink k1", "rejected", 0);
    put_letter("3.json", "other", "2026-11-28T10:00:02Z", "sink k1", "rejected", 0);
    return failed;
}

#define LETTERS(...) ((struct ps_deadletter_command){__VA_ARGS__})

static void test_filters(void **state)
{
    expect(LETTERS(.limit = 0), "a b c d x ");
    expect(LETTERS(.agent = "a2"), "x ");
    expect(LETTERS(.agent = "a"), "");
    expect(LETTERS(.reason = "rejected"), "a b x ");
    expect(LETTERS(.reason = "reject"), "");
    expect(LETTERS(.component = "sink k1"), "a x ");
    expect(LETTERS(.component = "k1"), "a x ");
    expect(LETTERS(.component = "k12"), "b ");
    expect(LETTERS(.component = "k"), "");
    expect(LETTERS(.component = ""), "");
    expect(LETTERS(.component = "r1"), "c d ");
    expect(LETTERS(.component = "i1"), "c ");
    expect(LETTERS(.component = "source r1"), "c d ");
    expect(LETTERS(.component = "sink"), "a b x ");
    expect(LETTERS(.component = "1"), "");
    expect(LETTERS(.component = "k1", .reason = "rejected", .agent = "a1"), "a ");
}

/* The first time counts, the last one does not; both may be the beginning of a time. */
static void test_times(void **state)
{
    expect(LETTERS(.since = "2026-11-28T10:00:02Z"), "c d x ");
    expect(LETTERS(.until = "2026-11-28T10:00:02Z"), "a b ");
    expect(LETTERS(.since = "2026-11-28T10:00:01Z", .until = "2026-11-28T10:00:03Z"), "b c ");
    expect(LETTERS(.since = "2026-11-28T10:00:01Z", .until = "2026-11-28T10:00:01Z"), "");
    expect(LETTERS(.since = "2026-11-28"), "a b c d x ");
    expect(LETTERS(.until = "2026-11-28"), "");
    expect(LETTERS(.until = "2026-11-29"), "a b c d x ");
}

/* A body that came again as often as is allowed is put aside. */
static void test_states(void **state)
{
    expect(LETTERS(.state = "open"), "a c d x ");
    expect(LETTERS(.state = "aside"), "b ");
    expect(LETTERS(.state = "replayed"), "");
    expect(LETTERS(.state = "aside", .replays_max = 2), "a b ");
    expect(LETTERS(.state = "open", .replays_max = 4), "a b c d x ");
}

static void test_limits(void **state)
{
    expect(LETTERS(.limit = 1), "a ");
    expect(LETTERS(.limit = 4), "a b c d ");
    expect(LETTERS(.limit = 5), "a b c d x ");
    expect(LETTERS(.limit = 6), "a b c d x ");
    expect(LETTERS(.limit = 2, .reason = "rejected"), "a b "); /* of those that are wanted */
    stop_after = 4;
    expect(LETTERS(.limit = 0), "a b c d ");
}

/* Lines that are no letters are counted, and a last line without an end is another thing. */
static void test_other_lines(void **state)
{
    struct ps_deadletter_found found;
    const struct ps_deadletter_command all = {.replays_max = 3};
    assert_true(read_letters(all, &found));
    assert_true(found.files == 2 && found.letters == 5 && found.unreadable == 0 && found.torn == 0);
    struct stat first, second;
    assert_int_equal(stat(ps_test_folder_path("1.jsonl"), &first), 0);
    assert_int_equal(stat(ps_test_folder_path("2.jsonl"), &second), 0);
    const uint64_t bytes = (uint64_t)(first.st_size + second.st_size);
    assert_int_equal(found.bytes, bytes);
    put("1.jsonl", "{\"body\":\"torn\"}");
    assert_true(read_letters(all, &found));
    assert_string_equal(given, "a b c d x ");
    assert_true(found.letters == 5 && found.torn == 1 && found.bytes == bytes);
    put("2.jsonl",
        "no "
        "json\n[1]\n{\"time\":\"1\"}\n{\"body_base64\":\"*\"}\n{\"body_base64\":\"aA==\"}\n{\"body\":1}\n");
    assert_false(read_letters(all, &found));
    assert_string_equal(given, "a b c d x h ");
    assert_int_equal(found.unreadable, 5);
    assert_int_equal(found.letters, 6);
    assert_int_equal(mkdir(ps_test_folder_path("4.jsonl"), 0700), 0);
    put_letter("5.jsonl", "e", "2026-11-28T10:00:05Z", "sink k1", "rejected", 0);
    assert_false(read_letters(all, &found)); /* a folder of that name does not end the reading */
    assert_string_equal(given, "a b c d x h e ");
    assert_int_equal(found.files, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_filters), TEST(test_times), TEST(test_states),
                                       TEST(test_limits), TEST(test_other_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
