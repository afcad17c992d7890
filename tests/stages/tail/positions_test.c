#include "stages/tail/positions.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_tail_positions positions;

static void parse(const char *text)
{
    ps_tail_positions_parse(text, strlen(text), false, &positions);
}

/* As Flume 1.11 writes them (Gson, which escapes more than it must). */
static void test_flumes(void **unused)
{
    (void)unused;
    parse("[{\"inode\":2496272,\"pos\":12,\"file\":\"/tmp/flume/log\\u003da/\\u0026\\\\x \\ud83d\\ude00\"},"
          "{\"inode\":9223372036854775807,\"pos\":0,\"file\":\"/b\"}]");
    assert_int_equal(positions.count, 2);
    assert_false(positions.cut);
    assert_false(positions.ours);
    assert_true(positions.items[0].inode == 2496272 && positions.items[0].offset == 12);
    assert_string_equal(positions.items[0].path, "/tmp/flume/log=a/&\\x \xf0\x9f\x98\x80");
    assert_true(positions.items[1].inode == INT64_MAX);
    ps_tail_positions_free(&positions);
}

static void test_forms(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        size_t count;
        bool cut;
    } cases[] = {
        {"", 0, false},
        {" \n", 0, false},
        {"[]", 0, false},
        {" [ { \"file\" : \"/a\" , \"pos\" : \"5\" , \"inode\" : 1 , \"x\" : [1,{\"y\":null}] } ] ", 1,
         false},
        {"[{\"inode\":1,\"pos\":2,\"file\":\"/a\"},{\"inode\":2,\"pos\":3,\"fi", 1,
         true}, /* cut off by a crash */
        {"[{\"inode\":1,\"pos\":2,\"file\":\"/a\"}", 1, true},
        {"[{\"inode\":1,\"pos\":2}]", 0, true},
        {"[{\"inode\":1,\"pos\":-2,\"file\":\"/a\"}]", 0, true},
        {"[{\"inode\":1,\"pos\":99999999999999999999,\"file\":\"/a\"}]", 0, true},
        {"[{\"inode\":1,\"pos\":2.5,\"file\":\"/a\"}]", 0, true},
        {"[{\"inode\":1,\"pos\":2,\"file\":\"\\ud800x\"}]", 1, false},
        {"[{\"inode\":1,\"pos\":2,\"file\":\"\\u12\"}]", 0, true},
        {"[[[[[[[[", 0, true},
        {"{}", 0, true},
        {"nonsense", 0, true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        parse(cases[i].text);
        if (positions.count != cases[i].count || positions.cut != cases[i].cut)
            fail_msg("%s: %zu positions%s", cases[i].text, positions.count, positions.cut ? ", cut" : "");
        ps_tail_positions_free(&positions);
    }
}

static void test_depth(void **unused)
{
    (void)unused;
    char text[5000] = "[{\"x\":";
    memset(text + strlen(text), '[', 4000);
    parse(text);
    assert_true(positions.cut);
    ps_tail_positions_free(&positions);
}

static void test_same_inode_twice(void **unused)
{
    (void)unused;
    parse("[{\"inode\":7,\"pos\":1,\"file\":\"/a\"},{\"inode\":3,\"pos\":2,\"file\":\"/b\"},"
          "{\"inode\":7,\"pos\":5,\"file\":\"/c\"}]");
    ps_tail_positions_sort(&positions);
    assert_int_equal(positions.count, 2);
    assert_int_equal(ps_tail_positions_find(&positions, 7)->offset, 5);
    assert_string_equal(ps_tail_positions_find(&positions, 3)->path, "/b");
    assert_null(ps_tail_positions_find(&positions, 4));
    ps_tail_positions_free(&positions);
}

static void read_file(const char *name, char *text, size_t room)
{
    FILE *file = fopen(ps_test_folder_path(name), "r");
    assert_non_null(file);
    text[fread(text, 1, room - 1, file)] = '\0';
    fclose(file);
}

static void test_saved_and_loaded(void **unused)
{
    (void)unused;
    struct ps_err err;
    struct ps_tail_positions again;
    char text[1000];
    ps_tail_positions_add(
        &positions, &(struct ps_tail_position){
                        .inode = 5,
                        .offset = 77,
                        .path = (char *)(uintptr_t) "/var/log/a \"b\"\n",
                        .identity = {.device = 3, .inode = 5, .head = UINT64_MAX - 1, .head_length = 1024}});
    ps_tail_positions_add(&positions, &(struct ps_tail_position){
                                          .inode = 4, .offset = 0, .path = (char *)(uintptr_t) "/other"});
    const char *path = ps_test_folder_path("positions.json");
    assert_int_equal(ps_tail_positions_save(path, &positions, &err), PS_OK);
    read_file("positions.json", text, sizeof text);
    assert_string_equal(text, "[{\"inode\":5,\"pos\":77,\"file\":\"/var/log/a \\\"b\\\"\\n\"},"
                              "{\"inode\":4,\"pos\":0,\"file\":\"/other\"}]\n");
    path = ps_test_folder_path("positions.json");
    assert_int_equal(ps_tail_positions_load(path, &again, &err), PS_OK);
    assert_true(again.ours);
    assert_int_equal(again.count, 2);
    const struct ps_tail_position *position = ps_tail_positions_find(&again, 5);
    assert_string_equal(position->path, "/var/log/a \"b\"\n");
    assert_true(position->identity.head == UINT64_MAX - 1 && position->identity.device == 3);
    assert_int_equal(position->identity.head_length, 1024);
    assert_int_equal(ps_tail_positions_find(&again, 4)->identity.device, 0);
    ps_tail_positions_free(&again);
    /* written by Flume since: fingerprints count no more */
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[{\"inode\":5,\"pos\":80,\"file\":\"/x\"}]", file);
    fclose(file);
    assert_int_equal(ps_tail_positions_load(path, &again, &err), PS_OK);
    assert_int_equal(again.items[0].identity.device, 0);
    ps_tail_positions_free(&again);
    ps_tail_positions_free(&positions);
}

static void save(uint64_t inode, int64_t offset, uint64_t head)
{
    struct ps_err err;
    ps_tail_positions_add(&positions,
                          &(struct ps_tail_position){
                              .inode = inode,
                              .offset = offset,
                              .path = (char *)(uintptr_t) "/log",
                              .identity = {.device = 3, .inode = inode, .head = head, .head_length = 9}});
    assert_int_equal(ps_tail_positions_save(ps_test_folder_path("p"), &positions, &err), PS_OK);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(ps_test_folder_path(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void set_time(const char *name, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path(name), times, 0), 0);
}

/* A kill between the two files: the inode is another file's by then, and another inode's file is gone. */
static void test_identities_are_newer(void **unused)
{
    (void)unused;
    struct ps_err err;
    struct ps_tail_positions again;
    char text[1000];
    save(7, 1000, 1);
    save(5, 4136, 2);
    ps_tail_positions_free(&positions);
    read_file("p", text, sizeof text);
    save(5, 20, 3);
    ps_tail_positions_free(&positions);
    write_file("p", text);
    set_time("p.identities", 1000);
    set_time("p", 999);
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("p"), &again, &err), PS_OK);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.items[0].inode, 5);
    assert_int_equal(again.items[0].offset, 20);
    assert_true(again.items[0].identity.head == 3);
    ps_tail_positions_free(&again);
    set_time("p", 1001); /* edited since: its positions count */
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("p"), &again, &err), PS_OK);
    assert_int_equal(again.count, 2);
    assert_int_equal(ps_tail_positions_find(&again, 5)->offset, 4136);
    ps_tail_positions_free(&again);
    write_file("p.identities",
               "[{\"inode\":5,\"device\":3,\"head\":4,\"length\":9}]\n"); /* an older version's */
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("p"), &again, &err), PS_OK);
    assert_int_equal(again.count, 2);
    assert_int_equal(ps_tail_positions_find(&again, 5)->offset, 4136);
    assert_true(ps_tail_positions_find(&again, 5)->identity.head == 4);
    ps_tail_positions_free(&again);
}

static void test_errors(void **unused)
{
    (void)unused;
    struct ps_err err;
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("missing"), &positions, &err), PS_OK);
    assert_int_equal(positions.count, 0);
    assert_int_equal(ps_tail_positions_load(ps_test_folder(), &positions, &err), PS_FAIL);
    assert_int_equal(ps_tail_positions_save(ps_test_folder_path("no/folder"), &positions, &err), PS_FAIL);
}

/* A link to the position file stays one. */
static void test_link(void **unused)
{
    (void)unused;
    struct ps_err err;
    struct stat status;
    ps_test_folder_append("real", "[]", 2);
    assert_int_equal(symlink("real", ps_test_folder_path("link")), 0);
    assert_int_equal(ps_tail_positions_save(ps_test_folder_path("link"), &positions, &err), PS_OK);
    assert_int_equal(lstat(ps_test_folder_path("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(flumes),
                                       TEST(forms),
                                       TEST(depth),
                                       TEST(same_inode_twice),
                                       TEST(saved_and_loaded),
                                       TEST(identities_are_newer),
                                       TEST(errors),
                                       TEST(link)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
