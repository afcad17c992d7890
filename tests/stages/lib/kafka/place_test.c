/* The place of a Kafka client: what one life of an agent notes, the next one finds, and nobody else does. */
#include "stages/lib/kafka/place.h"

#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMBERS "client-1\tclient-2\t"

static struct ps_kafka_place open_place(const char *in, unsigned instance)
{
    struct ps_kafka_place place;
    const struct ps_kafka_place_plan plan = {in, "source-r1"};
    ps_kafka_place_open(&place, &plan, instance, "test t1");
    return place;
}

/* Opens the place, notes the members, and closes it. Copies its number. */
static void live(const char *in, const char *members, char number[PS_KAFKA_PLACE_NUMBER_BYTES])
{
    struct ps_kafka_place place = open_place(in, 0);
    assert_true(place.is_open);
    ps_kafka_place_note(&place, "g", members);
    memcpy(number, place.number, PS_KAFKA_PLACE_NUMBER_BYTES);
    ps_kafka_place_close(&place);
}

static void test_next_life(void **state)
{
    char number[PS_KAFKA_PLACE_NUMBER_BYTES], below[512];
    snprintf(below, sizeof below, "%s/not/there/yet", ps_test_folder());
    live(below, MEMBERS, number);
    struct ps_kafka_place place = open_place(below, 0);
    assert_string_equal(place.number, number);
    assert_string_equal(place.group, "g");
    assert_string_equal(place.members, MEMBERS);
    ps_kafka_place_note(&place, "g", "");
    ps_kafka_place_close(&place);
    place = open_place(below, 0);
    assert_string_equal(place.number, number);
    assert_string_equal(place.members, "");
    ps_kafka_place_close(&place);
}

/* Two clients of one name at the same time, and two instances, each have a place of their own, and find it again. */
static void test_two_clients(void **state)
{
    const char *directory = ps_test_folder();
    struct ps_kafka_place one = open_place(directory, 0), two = open_place(directory, 0),
                          other = open_place(directory, 1);
    char numbers[2][PS_KAFKA_PLACE_NUMBER_BYTES];
    assert_true(one.is_open && two.is_open && other.is_open);
    assert_string_not_equal(one.number, two.number);
    assert_string_not_equal(one.number, other.number);
    ps_kafka_place_note(&one, "g", "one\t");
    ps_kafka_place_note(&two, "g", "two\t");
    memcpy(numbers[0], one.number, sizeof numbers[0]);
    memcpy(numbers[1], two.number, sizeof numbers[1]);
    ps_kafka_place_close(&two);
    two = open_place(directory, 0); /* the first one is in use */
    assert_string_equal(two.number, numbers[1]);
    assert_string_equal(two.members, "two\t");
    ps_kafka_place_close(&one);
    ps_kafka_place_close(&two);
    ps_kafka_place_close(&other);
    one = open_place(directory, 0);
    assert_string_equal(one.number, numbers[0]);
    assert_string_equal(one.members, "one\t");
    ps_kafka_place_close(&one);
}

/* A copy does not speak for its original, which may be in use; a directory that was moved does. */
static void test_copy(void **state)
{
    char original[512], copy[512], moved[512], number[PS_KAFKA_PLACE_NUMBER_BYTES];
    snprintf(original, sizeof original, "%s/original", ps_test_folder());
    snprintf(copy, sizeof copy, "%s/copy", ps_test_folder());
    snprintf(moved, sizeof moved, "%s/moved", ps_test_folder());
    live(original, MEMBERS, number);
    assert_int_equal(mkdir(copy, 0755), 0);
    const char *text = ps_test_folder_read("original/source-r1-0");
    assert_non_null(text);
    ps_test_folder_append("copy/source-r1-0", text, strlen(text));
    struct ps_kafka_place place = open_place(copy, 0);
    assert_true(place.is_open);
    assert_string_not_equal(place.number, number);
    assert_string_equal(place.members, "");
    ps_kafka_place_close(&place);
    assert_int_equal(rename(original, moved), 0);
    place = open_place(moved, 0);
    assert_string_equal(place.number, number);
    assert_string_equal(place.members, MEMBERS);
    ps_kafka_place_close(&place);
}

/* A file that was cut at any byte, or has other bytes, names no member; its number is whole or new. */
static void test_damage(void **state)
{
    static const char odd[] = "penstock's place of a Kafka client\nnumber ../../..\nend\n";
    const char *directory = ps_test_folder(), *path = ps_test_folder_path("source-r1-0");
    char number[PS_KAFKA_PLACE_NUMBER_BYTES];
    live(directory, MEMBERS, number);
    for (size_t length = strlen(ps_test_folder_read("source-r1-0")); length-- > 0;) {
        live(directory, MEMBERS, number);
        assert_int_equal(truncate(path, (off_t)length), 0);
        struct ps_kafka_place place = open_place(directory, 0);
        assert_true(place.is_open);
        assert_string_equal(place.members, "");
        assert_string_not_equal(place.number, number);
        assert_int_equal(strspn(place.number, "0123456789abcdef"), PS_KAFKA_PLACE_NUMBER_BYTES - 1);
        ps_kafka_place_close(&place);
    }
    assert_int_equal(truncate(path, 0), 0);
    ps_test_folder_append("source-r1-0", odd, sizeof odd - 1);
    struct ps_kafka_place place = open_place(directory, 0);
    assert_true(place.is_open);
    assert_int_equal(strspn(place.number, "0123456789abcdef"), PS_KAFKA_PLACE_NUMBER_BYTES - 1);
    ps_kafka_place_close(&place);
}

/* What a line cannot hold is not remembered, and hides nothing else. */
static void test_odd_texts(void **state)
{
    const char *directory = ps_test_folder();
    static char longest[PS_KAFKA_PLACE_MEMBERS_BYTES], group[PS_KAFKA_PLACE_GROUP_BYTES + 1];
    char number[PS_KAFKA_PLACE_NUMBER_BYTES];
    memset(longest, 'm', sizeof longest - 1);
    memset(group, 'g', sizeof group - 1);
    live(directory, longest, number);
    struct ps_kafka_place place = open_place(directory, 0);
    assert_string_equal(place.members, longest);
    ps_kafka_place_note(&place, group, "m\t");
    assert_string_equal(place.members, "");
    ps_kafka_place_note(&place, "g", "m\nend\n");
    assert_string_equal(place.members, "");
    group[PS_KAFKA_PLACE_GROUP_BYTES - 1] = '\0';
    ps_kafka_place_note(&place, group, "m\t");
    ps_kafka_place_close(&place);
    place = open_place(directory, 0);
    assert_string_equal(place.number, number);
    assert_string_equal(place.group, group);
    assert_string_equal(place.members, "m\t");
    ps_kafka_place_close(&place);
}

/* Without a directory that can be used there is no place, and nothing fails. */
static void test_no_directory(void **state)
{
    ps_test_folder_append("file", "", 0);
    struct ps_kafka_place place = open_place(ps_test_folder_path("file"), 0);
    assert_false(place.is_open);
    ps_kafka_place_note(&place, "g", MEMBERS);
    ps_kafka_place_close(&place);
    place = open_place(NULL, 0);
    assert_false(place.is_open);
    ps_kafka_place_close(&place);
}

/* A client that cannot open tries again and again: a state that lasts is logged once, and its end. */
static void test_said_once(void **state)
{
    int told = 0;
    struct ps_kafka_place place;
    const char *in = ps_test_folder_path("late");
    const struct ps_kafka_place_plan plan = {in, "source-r1", &told}, unknown = {"", "source-r1", &told};
    uint64_t warnings = ps_log_count(PS_LOG_WARN), notes = ps_log_count(PS_LOG_INFO);
    ps_test_folder_append("late", "", 0);
    for (unsigned i = 0; i < 3; i++)
        ps_kafka_place_open(&place, &plan, 0, "test t1");
    assert_int_equal(ps_log_count(PS_LOG_WARN) - warnings, 1);
    for (unsigned i = 0; i < 3; i++)
        ps_kafka_place_open(&place, &unknown, 0, "test t1");
    assert_int_equal(ps_log_count(PS_LOG_WARN) - warnings, 2); /* another reason */
    assert_int_equal(ps_log_count(PS_LOG_INFO), notes);
    assert_int_equal(unlink(in), 0);
    for (unsigned i = 0; i < 3; i++) {
        ps_kafka_place_open(&place, &plan, 0, "test t1");
        assert_true(place.is_open);
        ps_kafka_place_close(&place);
    }
    assert_int_equal(ps_log_count(PS_LOG_WARN) - warnings, 2);
    assert_int_equal(ps_log_count(PS_LOG_INFO) - notes, 1);
}

int main(void)
{
#define TEST(function)                                                                                       \
    cmocka_unit_test_setup_teardown(function, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_next_life), TEST(test_two_clients), TEST(test_copy),
                                       TEST(test_damage),    TEST(test_odd_texts),   TEST(test_no_directory),
                                       TEST(test_said_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
