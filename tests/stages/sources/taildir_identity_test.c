/* Source taildir whose lines have identities: the same line has the same one after a stop, a kill, a rename and a copy; no other line
 * gets it. taildir_schedule_test.c has random histories. */
#include "stages/lib/tail/tailer/tailer.h"
#include "tests/stages/sources/taildir_support.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>

#define SAVED_LONG_AGO "writePosInterval", "3600000" /* only the saves that new files wait for */

static void start_identities(const char *const *keys)
{
    const char *all[64] = {NULL};
    size_t count = 0;
    for (; *keys != NULL; keys++)
        all[count++] = *keys;
    const char *const usual[] = {"filegroups", "g", "filegroups.g", pattern, "positionFile", positions};
    memcpy(&all[count], usual, sizeof usual);
    ps_test_stage_start_identities(&stage, &ps_source_taildir, all);
}
#define START(...) start_identities(PS_KEYS(__VA_ARGS__))

/* ---- identities that came ---- */

#define CAME_MAX 64U

static struct {
    char body[32], identity[64];
} came[CAME_MAX]; /* first deliveries */
static size_t came_count;

/* Returns the identity of the line, and forgets it. Lines have different bodies, unless they came before. */
static const char *identity_of(const char *body)
{
    for (size_t i = came_count; i-- > 0;)
        if (strcmp(came[i].body, body) == 0)
            return came[i].identity;
    fail_msg("%s did not come", body);
    return NULL;
}

/* Waits for `count` lines, and notes them. */
static void take(size_t count)
{
    ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(came_count < CAME_MAX);
        snprintf(came[came_count].body, sizeof came[0].body, "%.31s", stage.events[i].body);
        snprintf(came[came_count++].identity, sizeof came[0].identity, "%s", stage.events[i].identity);
    }
    ps_test_source_clear(&stage);
}

/* Takes lines that came before; they have their former identities. */
static void take_again(size_t count)
{
    ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(stage.events[i].identity, identity_of(stage.events[i].body));
    ps_test_source_clear(&stage);
}

static unsigned long long number_of(const char *identity)
{
    unsigned long long number;
    assert_int_equal(sscanf(identity, "taildir:%16llx/", &number), 1);
    return number;
}

static const char *place_of(const char *identity)
{
    assert_int_equal(strncmp(identity, "taildir:", 8), 0);
    assert_int_equal(identity[24], '/');
    return identity + 25;
}

static void assert_all_differ(void)
{
    for (size_t i = 0; i < came_count; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(came[i].identity, came[k].identity);
}

/* ---- kills ---- */

static char kept[2][8192];
static size_t kept_length[2];

static const char *file_of(unsigned which)
{
    static char path[600];
    snprintf(path, sizeof path, "%s%s", positions, which == 0 ? "" : ".identities");
    return path;
}

static const char *text_of(unsigned which)
{
    FILE *file = fopen(file_of(which), "r");
    kept_length[which] = file != NULL ? fread(kept[which], 1, sizeof kept[which] - 1, file) : 0;
    kept[which][kept_length[which]] = '\0';
    if (file != NULL)
        fclose(file);
    return kept[which];
}

/* SIGKILL: the next process finds the files as they are now. */
static void kill_source(void)
{
    (void)text_of(0);
    (void)text_of(1);
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage);
    ps_test_source_clear(&stage);
    for (unsigned i = 0; i < 2; i++) {
        FILE *file = fopen(file_of(i), "w");
        assert_non_null(file);
        assert_int_equal(fwrite(kept[i], 1, kept_length[i], file), kept_length[i]);
        fclose(file);
    }
}

static void open_again(void)
{
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}

static int begin(void **state)
{
    came_count = 0;
    return setup(state);
}

/* ---- the tests ---- */

/* The offset of the line follows the number of its file. */
static void test_number_and_offset(void **unused)
{
    append("app.log", "one\ntwo\r\n\nfour\n");
    append("app.other", "five\n");
    START(SAVED_LONG_AGO);
    take(5);
    assert_string_equal(place_of(identity_of("one")), "0");
    assert_string_equal(place_of(identity_of("two")), "4");
    assert_string_equal(place_of(identity_of("")), "9");
    assert_string_equal(place_of(identity_of("four")), "10");
    assert_int_equal(number_of(identity_of("one")), number_of(identity_of("four")));
    assert_int_not_equal(number_of(identity_of("one")), number_of(identity_of("five")));
    /* They were on the disk before a line came, and Flume's file has nothing that Flume does not know. */
    char number[64];
    snprintf(number, sizeof number, "\"number\":%lld", (long long)number_of(identity_of("one")));
    assert_non_null(strstr(text_of(1), number));
    assert_null(strstr(text_of(0), "number"));
    append("app.log", "six\n");
    take(1);
    assert_string_equal(place_of(identity_of("six")), "15");
    assert_all_differ();
    ps_test_stage_fini(&stage);
}

/* Without a sink that reads them no file waits, and the files have no numbers. */
static void test_nobody_asked(void **unused)
{
    append("app.log", "one\n");
    PS_START("writePosInterval", "3600000");
    take(1);
    assert_string_equal(identity_of("one"), "");
    assert_int_equal(access(positions, F_OK), -1);
    ps_test_stage_fini(&stage);
    START(NULL); /* numbers begin where reading goes on */
    append("app.log", "two\n");
    take(1);
    assert_string_equal(place_of(identity_of("two")), "4");
    ps_test_stage_fini(&stage);
}

static void test_stop_and_kill(void **unused)
{
    append("app.log", "one\ntwo\n");
    START(SAVED_LONG_AGO);
    take(2);
    kill_source();
    append("app.log", "three\n");
    open_again();
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    stage.event_count--; /* `three` is new */
    take_again(2);
    restart();
    append("app.log", "four\n");
    take(1);
    assert_string_equal(place_of(identity_of("four")), "14");
    assert_int_equal(number_of(identity_of("four")), number_of(identity_of("one")));
    ps_test_stage_fini(&stage);
}

/* The file keeps its number under another name; the file that gets its name has its own. */
static void test_renamed(void **unused)
{
    append("app.log", "one\ntwo\n");
    START(SAVED_LONG_AGO);
    take(2);
    move("app.log", "app.log.1");
    append("app.log", "six\n");
    take(1);
    append("app.log.1", "seven\n");
    take(1);
    assert_int_equal(number_of(identity_of("seven")), number_of(identity_of("one")));
    kill_source();
    move("app.log.1", "app.log.2");
    move("app.log", "app.log.1");
    open_again();
    take_again(2); /* the save for the number of the second file had the position behind `two` */
    assert_all_differ();
    ps_test_stage_fini(&stage);
}

/* A file that is cut, while the agent runs or is stopped, gets another number. */
static void test_cut(void **unused)
{
    append("app.log", "one\ntwo\nthree\n");
    START(NULL);
    take(3);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "1\n2\n");
    take(2);
    assert_string_equal(place_of(identity_of("1")), "0");
    kill_source();
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "x\n");
    open_again();
    take(1);
    assert_all_differ();
    ps_test_stage_fini(&stage);
}

/* A file that is cut, and empty for a while, gets its number with its first line: at the next start, the position of an empty file is not
 * taken, and its number would be lost. */
static void test_empty_for_a_while(void **unused)
{
    append("app.log", "one\ntwo\nthree\n");
    START(SAVED_LONG_AGO);
    take(3);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    ps_test_source_settle(&stage, 0, 100);
    append("app.log", "1\n2\n");
    take(2);
    kill_source();
    open_again();
    take_again(2);
    assert_all_differ();
    ps_test_stage_fini(&stage);
}

/* A file of which no position was saved is cut while the agent is down, and begins as before. */
static void test_cut_and_begins_alike(void **unused)
{
    char banner[2001];
    memset(banner, '#', sizeof banner);
    banner[sizeof banner - 2] = '\n';
    banner[sizeof banner - 1] = '\0';
    append("app.log", banner);
    append("app.log", "one\n");
    START(SAVED_LONG_AGO);
    take(2);
    kill_source();
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    uint64_t cut = ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_truncated);
    open_again();
    work_until((enum ps_counter)PS_TAIL_COUNTER_truncated, cut + 1);
    append("app.log", banner);
    append("app.log", "two\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[1].body, "two");
    assert_string_equal(place_of(stage.events[1].identity), "2000");
    assert_int_not_equal(number_of(stage.events[1].identity), number_of(identity_of("one")));
    ps_test_stage_fini(&stage);
}

/* The inode is used again, and so is the path. */
static void test_replaced(void **unused)
{
    append("app.log", "one\ntwo\n");
    START(NULL);
    take(2);
    append("fresh", "1\n2\n");
    move("fresh", "app.log");
    take(2);
    ps_test_stage_close(&stage);
    int fd = open(ps_test_folder_path("app.log"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, "a\nb\nc\n", 6), 6);
    close(fd);
    open_again();
    take(3);
    assert_all_differ();
    ps_test_stage_fini(&stage);
}

/* Writes 10 long lines, by which a copy is recognised. Returns the number of bytes. */
static size_t append_long(const char *name)
{
    char text[4000];
    size_t length = 0;
    for (unsigned i = 0; i < 10; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%u.%0200u\n", i, i);
    append(name, text);
    return length;
}

#define LONG(digit) digit ".00000000000000000000000000000"

/* copytruncate: the copy has the number, also if the source is killed before the copy was read on; the cut file gets another one. */
static void copied_and_cut(bool killed)
{
    (void)append_long("app.log");
    START("writePosInterval", killed ? "20" : "3600000");
    take(10);
    if (killed) {
        restart(); /* the position is saved */
        append("app.log", "last\n");
        take(1);
        kill_source();
    } else {
        append("app.log", "last\n");
    }
    (void)append_long("app.log.1");
    append("app.log.1", "last\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "new\n");
    if (killed) {
        open_again();
        ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
        bool is_first = strcmp(stage.events[0].body, "last") == 0;
        assert_string_equal(stage.events[is_first ? 0 : 1].body, "last");
        assert_string_equal(stage.events[is_first ? 0 : 1].identity, identity_of("last"));
        assert_int_not_equal(number_of(stage.events[is_first ? 1 : 0].identity),
                             number_of(identity_of(LONG("0"))));
    } else {
        take(2);
        assert_int_equal(number_of(identity_of("last")), number_of(identity_of(LONG("0"))));
        assert_int_not_equal(number_of(identity_of("new")), number_of(identity_of(LONG("0"))));
        assert_all_differ();
        append("app.log", "newer\n");
        append("app.log.1", "odd\n"); /* somebody writes to the copy */
        take(2);
        assert_int_equal(number_of(identity_of("newer")), number_of(identity_of("new")));
        assert_all_differ();
    }
    ps_test_stage_fini(&stage);
}

static void test_copied_and_cut(void **unused)
{
    copied_and_cut(false);
}

static void test_copied_and_cut_and_killed(void **unused)
{
    copied_and_cut(true);
}

#define SLOW_MS 500U

static _Atomic bool save_is_slow; /* the next one */

/* Replaces libc's function: the source's thread calls it when it has written the position file. After a slow save the source saves nothing for ten
 * times as long. */
int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "rename");
        memcpy(&real, &found, sizeof real);
    }
    if (strcmp(to, positions) == 0 && atomic_exchange(&save_is_slow, false))
        usleep(SLOW_MS * 1000);
    return real(from, to);
}

/* The same as wait_for_open, and the stage's clock is slow: nothing is saved meanwhile. */
static void wait_for_open_before_the_save(unsigned count)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_open_files) != count) {
        (void)ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(2000);
        assert_true(ps_test_patient_ns() < until);
    }
}

/* A file is copied and cut while it waits for the save of its number: the copy takes the number, and the file waits no longer for it. */
static void test_copied_and_cut_before_its_number_is_saved(void **unused)
{
    (void)append_long("app.log");
    save_is_slow = true;
    START(SAVED_LONG_AGO);
    take(10);
    (void)append_long("fresh");
    move(
        "fresh",
        "app.log"); /* as an editor does: the new file has the number, which is saved with the new inode first */
    wait_for_open_before_the_save(2);
    append("app.log", "last\n");
    ps_test_source_settle(&stage, 0, 10);
    (void)append_long("fresh");
    append("fresh", "last\n");
    move("fresh", "app.log.1");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    wait_for_open_before_the_save(3);
    append("app.log", "new\n");
    ps_test_stage_pass_ms(&stage, 10 * SLOW_MS);
    take(2);
    assert_int_equal(number_of(identity_of("last")), number_of(identity_of(LONG("0"))));
    assert_int_not_equal(number_of(identity_of("new")), number_of(identity_of(LONG("0"))));
    assert_all_differ();
    ps_test_stage_fini(&stage);
}

/* Makes the position file name another inode instead of the inode of `from`. */
static void inode_replace(unsigned long from, unsigned long to)
{
    char before[32], after[32], changed[8192];
    snprintf(before, sizeof before, "\"inode\":%lu,", from);
    snprintf(after, sizeof after, "\"inode\":%lu,", to);
    for (unsigned i = 0; i < 2; i++) {
        const char *text = text_of(i), *at = strstr(text, before);
        assert_non_null(at);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, after, at + strlen(before));
        FILE *file = fopen(file_of(i), "w");
        assert_non_null(file);
        assert_true(fputs(changed, file) >= 0);
        fclose(file);
    }
}

/* The same if the copy has the inode of a deleted file that the position file still names: both the copy and the cut file begin
 * differently from what their inodes' positions have. */
static void test_copy_has_an_inode_of_a_deleted_file(void **unused)
{
    (void)append_long("app.log");
    append("app.other", "the first line of a file that is gone soon\n");
    START(SAVED_LONG_AGO);
    take(11);
    restart(); /* the positions are saved */
    append("app.log", "last\n");
    take(1);
    kill_source();
    (void)append_long("app.log.1");
    append("app.log.1", "last\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "new\n");
    inode_replace(inode_of("app.other"), inode_of("app.log.1"));
    assert_int_equal(unlink(ps_test_folder_path("app.other")), 0);
    uint64_t cut = ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_truncated);
    open_again();
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 2, 100);
    bool is_first = strcmp(stage.events[0].body, "last") == 0;
    assert_int_equal(stage.event_count, 2);
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_truncated), cut + 2);
    assert_string_equal(stage.events[is_first ? 0 : 1].body, "last");
    assert_string_equal(stage.events[is_first ? 0 : 1].identity, identity_of("last"));
    assert_int_not_equal(number_of(stage.events[is_first ? 1 : 0].identity),
                         number_of(identity_of(LONG("0"))));
    ps_test_stage_fini(&stage);
}

/* A rest without a newline is a line of its own; what the file has at its place later has another identity. */
static void test_rest(void **unused)
{
    append("app.log", "one\nre");
    START(SAVED_LONG_AGO, "idleTimeout", "50");
    take(2);
    assert_string_equal(place_of(identity_of("re")), "4/2");
    append("app.log", "st\ntwo\n");
    take(2);
    assert_string_equal(place_of(identity_of("st")), "6");
    kill_source();
    open_again();
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[1].body, "rest");
    assert_string_equal(place_of(stage.events[1].identity), "4");
    assert_string_equal(stage.events[2].identity, identity_of("two"));
    assert_all_differ();
    ps_test_stage_fini(&stage);
}

/* Another penstock.line.max cuts long lines into other pieces, which have other identities; lines that stay whole keep theirs. */
static void test_other_pieces(void **unused)
{
    append("app.log", "abcdefghijklmnop\none\n");
    START(SAVED_LONG_AGO, "penstock.line.max", "10");
    take(3);
    assert_string_equal(place_of(identity_of("abcdefghij")), "0/10");
    assert_string_equal(place_of(identity_of("klmnop")), "10");
    kill_source();
    ps_test_stage_fini(&stage);
    START(SAVED_LONG_AGO, "penstock.line.max", "12");
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    assert_string_equal(place_of(stage.events[0].identity), "0/12");
    assert_string_equal(place_of(stage.events[1].identity), "12");
    assert_string_equal(stage.events[2].identity, identity_of("one"));
    ps_test_stage_fini(&stage);
}

/* The files of an older penstock have no numbers: the source reads on, and draws them. */
static void test_older_files(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    take(1);
    ps_test_stage_close(&stage);
    assert_null(strstr(text_of(1), "number"));
    ps_test_stage_fini(&stage);
    came_count = 0;
    append("app.log", "two\nthree\n");
    START(NULL);
    take(2);
    assert_string_equal(place_of(identity_of("two")), "4");
    unsigned long long number = number_of(identity_of("two"));
    ps_test_stage_close(&stage);
    append("app.log", "four\n");
    open_again();
    take(1);
    assert_int_equal(number_of(identity_of("four")), number);
    ps_test_stage_fini(&stage);
    /* Flume has written its own file since: the number is lost, and another one is drawn */
    char flume[700];
    snprintf(flume, sizeof flume, "[{\"inode\":%lu,\"pos\":19,\"file\":\"%s\"}]", inode_of("app.log"),
             ps_test_folder_path("app.log"));
    write_positions(flume);
    append("app.log", "five\n");
    START(NULL);
    take(1);
    assert_string_equal(place_of(identity_of("five")), "19");
    assert_int_not_equal(number_of(identity_of("five")), number);
    ps_test_stage_fini(&stage);
}

/* While the position file cannot be written, lines come without identities; then with them. */
static void test_cannot_be_written(void **unused)
{
    append("app.log", "one\n");
    START("writePosInterval", "20");
    take(1);
    char state_path[256], away[256];
    snprintf(state_path, sizeof state_path, "%s", ps_test_folder_path("state"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    assert_int_equal(rename(state_path, away), 0);
    ps_test_folder_append("state", "", 0);
    append("app.other", "two\n");
    take(1);
    assert_string_equal(identity_of("two"), "");
    append("app.log", "three\n"); /* its number is on the disk */
    take(1);
    assert_int_equal(number_of(identity_of("three")), number_of(identity_of("one")));
    assert_int_equal(unlink(state_path), 0);
    assert_int_equal(rename(away, state_path), 0);
    for (unsigned i = 0;; i++) {
        char line[16];
        snprintf(line, sizeof line, "%u\n", i);
        append("app.other", line);
        came_count = 0;
        take(1);
        line[strlen(line) - 1] = '\0';
        if (identity_of(line)[0] != '\0')
            break;
        ps_test_source_settle(&stage, 0, 20);
    }
    ps_test_stage_fini(&stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_number_and_offset),
        TEST(test_nobody_asked),
        TEST(test_stop_and_kill),
        TEST(test_renamed),
        TEST(test_cut),
        TEST(test_empty_for_a_while),
        TEST(test_cut_and_begins_alike),
        TEST(test_replaced),
        TEST(test_copied_and_cut),
        TEST(test_copied_and_cut_and_killed),
        TEST(test_copied_and_cut_before_its_number_is_saved),
        TEST(test_copy_has_an_inode_of_a_deleted_file),
        TEST(test_rest),
        TEST(test_other_pieces),
        TEST(test_older_files),
        TEST(test_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
