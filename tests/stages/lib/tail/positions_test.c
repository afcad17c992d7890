#include "stages/lib/tail/positions.h"
#include "core/clock.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

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

/* Every set of members that an entry may have, in each of the two files. An entry of the position file is a position with inode, pos and file; one
 * of the identities with inode, device, head and length, or, with positions and before, the one that names the position files. Any other
 * entry is a mistake, which ends the text. */
static void test_members(void **unused)
{
    enum { INODE, POS, FILE_NAME, DEVICE, HEAD, LENGTH, POSITIONS, BEFORE, MEMBERS };
    static const char *const members[MEMBERS] = {"\"inode\":3",     "\"pos\":5",   "\"file\":\"/a\"",
                                                 "\"device\":2",    "\"head\":11", "\"length\":4",
                                                 "\"positions\":7", "\"before\":8"};
    for (unsigned set = 0; set < 2U << MEMBERS; set++) {
        char text[256] = "[{";
        bool identities = set >> MEMBERS != 0;
        for (unsigned i = 0; i < MEMBERS; i++)
            if ((set >> i & 1U) != 0)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[2] != '\0' ? "," : "",
                         members[i]);
        snprintf(text + strlen(text), sizeof text - strlen(text), "}]\n");
#define HAS(member) ((set >> (member)&1U) != 0)
        bool position = identities ? HAS(INODE) && HAS(DEVICE) && HAS(HEAD) && HAS(LENGTH)
                                   : HAS(INODE) && HAS(POS) && HAS(FILE_NAME);
        bool good = position || (identities && HAS(POSITIONS) && HAS(BEFORE));
        ps_tail_positions_parse(text, strlen(text), identities, &positions);
        if (positions.count != position || positions.cut == good)
            fail_msg("%s as an entry of the %s: %zu positions%s", text,
                     identities ? "identities" : "position file", positions.count,
                     positions.cut ? ", cut" : "");
        assert_int_equal(positions.goes_with, HAS(POSITIONS) ? 7 : 0);
        assert_int_equal(positions.goes_with_earlier, HAS(BEFORE) ? 8 : 0);
        if (position) {
            const struct ps_tail_position *item = &positions.items[0];
            assert_int_equal(item->inode, 3);
            assert_int_equal(item->offset, HAS(POS) ? 5 : 0);
            assert_int_equal(item->identity.device, HAS(DEVICE) ? 2 : 0);
            assert_int_equal(item->identity.head, HAS(HEAD) ? 11 : 0);
            assert_int_equal(item->identity.head_length, HAS(LENGTH) ? 4 : 0);
        }
#undef HAS
        ps_tail_positions_free(&positions);
    }
}

static void test_depth(void **unused)
{
    char text[5000] = "[{\"x\":";
    memset(text + strlen(text), '[', 4000);
    parse(text);
    assert_true(positions.cut);
    ps_tail_positions_free(&positions);
    for (int levels = 32; levels <= 33; levels++) { /* depth of nested values that are skipped: 32 at most */
        snprintf(text, sizeof text, "[{\"x\":%.*s%.*s,\"inode\":1,\"pos\":2,\"file\":\"/a\"}]", levels,
                 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", levels, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
        parse(text);
        assert_int_equal(positions.cut, levels > 32);
        assert_int_equal(positions.count, levels > 32 ? 0 : 1);
        ps_tail_positions_free(&positions);
    }
}

static void test_same_inode_twice(void **unused)
{
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
    /* written by Flume meanwhile: fingerprints are ignored */
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[{\"inode\":5,\"pos\":80,\"file\":\"/x\"}]", file);
    fclose(file);
    assert_int_equal(ps_tail_positions_load(path, &again, &err), PS_OK);
    assert_int_equal(again.items[0].identity.device, 0);
    ps_tail_positions_free(&again);
    ps_tail_positions_free(&positions);
}

/* The marks of a file, and a text of them with a mistake. */
static void test_marks(void **unused)
{
    struct ps_err err;
    struct ps_tail_positions again;
    struct ps_tail_mark items[20];
    char last[300];
    memset(last, 'x', sizeof last);
    for (unsigned i = 0; i < PS_COUNT_OF(items); i++) {
        last[299] = (char)i;
        items[i] = ps_tail_mark_of(1000 * (i + 1), last, sizeof last);
    }
    const struct ps_tail_position position = {.inode = 5,
                                              .offset = 15000,
                                              .path = (char *)(uintptr_t) "/x",
                                              .identity = {.device = 3, .inode = 5, .head_length = 7},
                                              .marks = {.items = items, .count = PS_COUNT_OF(items)}};
    ps_tail_positions_add(&positions, &position);
    const char *path = ps_test_folder_path("positions.json");
    assert_int_equal(ps_tail_positions_save(path, &positions, &err), PS_OK);
    assert_int_equal(ps_tail_positions_load(path, &again, &err), PS_OK);
    assert_int_equal(again.count, 1);
    const struct ps_tail_marks *marks = &again.items[0].marks;
    assert_int_equal(marks->count, 15); /* marks after the position are not written */
    for (unsigned i = 0; i < 15; i++) {
        assert_int_equal(marks->items[i].offset, items[i].offset);
        assert_int_equal(marks->items[i].length, PS_TAIL_MARK_BYTES);
        assert_true(marks->items[i].hash == items[i].hash);
        assert_true(i == 0 || marks->items[i].hash != marks->items[i - 1].hash);
    }
    ps_tail_positions_free(&again);
    ps_tail_positions_free(&positions);
    static const char text[] =
        "[{\"inode\":1,\"pos\":900,\"file\":\"/a\",\"device\":1,\"head\":1,\"length\":1,"
        "\"marks\":\"300 -5 256 900 7 256 800 1 1\"}]\n";
    ps_tail_positions_parse(text, sizeof text - 1, true, &positions);
    assert_int_equal(positions.count, 1);
    assert_int_equal(positions.items[0].marks.count, 2);
    assert_true(ps_tail_marks_at(&positions.items[0].marks, 900).hash == 7);
    assert_int_equal(ps_tail_marks_at(&positions.items[0].marks, 800).length, 0);
    ps_tail_positions_free(&positions);
}

/* Escapes of a path, as any JSON writer may use them, at each end of the ranges of surrogates. A half without its other
 * half is a replacement character; a first half with a wrong second one is damage. */
static void test_escapes(void **unused)
{
    static const struct {
        const char *text, *path; /* NULL: `text` is cut off there */
    } cases[] = {
        {"/a\\u0041", "/aA"},
        {"/a\\u00e4\\u20AC", "/a\303\244\342\202\254"},
        {"/\\\"\\\\\\/\\b\\f\\n\\r\\t", "/\"\\/\b\f\n\r\t"},
        {"/\\ud7ff", "/\355\237\277"},
        {"/\\ue000", "/\356\200\200"},
        {"/\\ud800\\udc00", "/\360\220\200\200"},
        {"/\\udbff\\udfff", "/\364\217\277\277"},
        {"/\\ud83d\\ude00x", "/\360\237\230\200x"},
        {"/\\ud83d", "/\357\277\275"},
        {"/\\ud83dx", "/\357\277\275x"},
        {"/\\ude00", "/\357\277\275"},
        {"/\\ud83d\\udbff", NULL},
        {"/\\ud83d\\ue000", NULL},
        {"/\\ud83d\\u0041", NULL},
        {"/\\ud83d\\ude0", NULL},
        {"/\\ud83d\\ude0x", NULL},
        {"/\\u004", NULL},
        {"/\\u004x", NULL},
        {"/\\x", NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "[{\"inode\":1,\"pos\":9,\"file\":\"%s\"}]\n", cases[i].text);
        ps_tail_positions_parse(text, strlen(text), false, &positions);
        if (positions.count != (cases[i].path != NULL) || positions.cut != (cases[i].path == NULL))
            fail_msg("%s: %u positions", cases[i].text, (unsigned)positions.count);
        if (cases[i].path != NULL)
            assert_string_equal(positions.items[0].path, cases[i].path);
        ps_tail_positions_free(&positions);
    }
}

/* A file that was edited or damaged: marks are read up to the first impossible one. It covers bytes before the file's
 * beginning, or more bytes than a mark may have, or is not after the mark before it. */
static void test_marks_that_cannot_be(void **unused)
{
    static const struct {
        const char *marks;
        unsigned taken;
    } cases[] = {
        {"300 1 256 600 1 256", 2},
        {"256 1 256 600 1 256", 2}, /* all bytes from the file's beginning */
        {"255 1 256 600 1 256", 0},
        {"1 1 1 600 1 256", 2},
        {"1 1 2 600 1 256", 0},
        {"300 1 257 600 1 256", 0},
        {"300 1 0 600 1 256", 0},
        {"300 1 -1 600 1 256", 0},
        {"0 1 1 600 1 256", 0},
        {"-5 1 1 600 1 256", 0},
        {"300 1 256 300 1 256", 1},
        {"300 1 256 299 1 256", 1},
        {"300 1 256 301 1 256", 2},
        {"300 1 256 600 1 601", 1},
        {"300 1 256 600 1", 1},
        {"300 1 256 600", 1},
        {"300 1 256 x", 1},
        {"300", 0},
        {"", 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "[{\"inode\":1,\"pos\":900,\"file\":\"/a\",\"device\":1,\"head\":1,\"length\":1,"
                 "\"marks\":\"%s\"}]\n",
                 cases[i].marks);
        ps_tail_positions_parse(text, strlen(text), true, &positions);
        assert_int_equal(positions.count, 1);
        if (positions.items[0].marks.count != cases[i].taken)
            fail_msg("\"%s\": %u marks are taken, not %u", cases[i].marks, positions.items[0].marks.count,
                     cases[i].taken);
        ps_tail_positions_free(&positions);
    }
}

static void save_one(int64_t offset, uint64_t head)
{
    struct ps_err err;
    positions.count = 0;
    positions.room = 0;
    ps_tail_positions_add(
        &positions,
        &(struct ps_tail_position){.inode = 5,
                                   .offset = offset,
                                   .path = (char *)(uintptr_t) "/a",
                                   .identity = {.device = 3, .inode = 5, .head = head, .head_length = 9}});
    assert_int_equal(ps_tail_positions_save(ps_test_folder_path("positions.json"), &positions, &err), PS_OK);
    uint64_t hash = positions.hash;
    ps_tail_positions_free(&positions);
    positions.hash = hash;
}

static void load_one(int64_t offset, uint64_t head, uint64_t device)
{
    struct ps_err err;
    struct ps_tail_positions again;
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("positions.json"), &again, &err), PS_OK);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.items[0].offset, offset);
    assert_int_equal(again.items[0].identity.head, head);
    assert_int_equal(again.items[0].identity.device, device);
    ps_tail_positions_free(&again);
}

static void write_one(const char *text)
{
    FILE *file = fopen(ps_test_folder_path("positions.json"), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A crash between the two files does not pair the position of the old content with the new content of a file. */
static void test_crash_between_the_files(void **unused)
{
    positions = (struct ps_tail_positions){.count = 0};
    save_one(42290, 111);
    save_one(500, 222);
    load_one(500, 222, 3);
    write_one("[{\"inode\":5,\"pos\":42290,\"file\":\"/a\"}]\n"); /* the previous position file */
    load_one(500, 222, 3);
    write_one("[{\"inode\":5,\"pos\":0,\"file\":\"/a\"}]\n"); /* by hand: to read it again */
    load_one(0, 0, 0);
    write_one("[ {\"inode\":5,\"pos\":500,\"file\":\"/a\"} ]\n"); /* changed by hand as well */
    load_one(500, 222, 3);
    positions = (struct ps_tail_positions){.count = 0};
}

/* Identities that an older agent wrote without the positions. */
static void test_identities_without_positions(void **unused)
{
    static const char identities[] = "[{\"inode\":5,\"device\":3,\"head\":7,\"length\":9}]\n";
    write_one("[{\"inode\":5,\"pos\":77,\"file\":\"/a\"}]\n");
    ps_test_folder_append("positions.json.identities", identities, strlen(identities));
    load_one(77, 7, 3);
}

/* Returns the status of a save of one position. */
static enum ps_status try_save(int64_t offset, uint64_t head)
{
    struct ps_err err = {.length = 0};
    const struct ps_tail_position position = {
        .inode = 5,
        .offset = offset,
        .path = (char *)(uintptr_t) "/a",
        .identity = {.device = 3, .inode = 5, .head = head, .head_length = 9}};
    ps_tail_positions_add(&positions, &position);
    enum ps_status status = ps_tail_positions_save(ps_test_folder_path("positions.json"), &positions, &err);
    assert_true(status == PS_OK || err.length > 0);
    uint64_t hash = positions.hash;
    ps_tail_positions_free(&positions);
    positions = (struct ps_tail_positions){.hash = hash};
    return status;
}

/* Each call of a save, and then of a load, fails once: a file keeps one of the two positions, with the fingerprint of
 * that position, or it is not loaded; the next save and load work, and a second failure is treated like the first. */
static void each_call(int error)
{
    positions = (struct ps_tail_positions){.count = 0};
    save_one(0, 100);
    ps_test_call_error = error;
    bool reached = true;
    unsigned call = 1, failures = 0;
    for (int64_t last = 0; reached; call++, last++) {
        struct ps_err err = {.length = 0};
        struct ps_tail_positions again = {.count = 0};
        ps_test_call_fails = call;
        enum ps_status saved = try_save(last + 1, 101 + (uint64_t)last);
        enum ps_status loaded = PS_FAIL;
        reached = ps_test_call_fails == 0;
        for (unsigned tries = 0; tries < 2 && loaded != PS_OK; tries++) {
            loaded = ps_tail_positions_load(ps_test_folder_path("positions.json"), &again, &err);
            ps_test_call_fails = 0;
        }
        failures += saved != PS_OK;
        assert_int_equal(loaded, PS_OK);
        assert_int_equal(again.count, 1);
        int64_t offset = again.items[0].offset;
        if (offset != last + 1 && (saved == PS_OK || offset != last))
            fail_msg("position %lld, and %lld was saved, after %s failed", (long long)offset,
                     (long long)last + 1, ps_test_call_failed);
        if (again.items[0].identity.head != 100 + (uint64_t)offset)
            fail_msg("position %lld has the fingerprint of another one after %s failed", (long long)offset,
                     ps_test_call_failed);
        ps_tail_positions_free(&again);
        assert_int_equal(try_save(last + 1, 101 + (uint64_t)last), PS_OK);
        load_one(last + 1, 101 + (uint64_t)last, 3);
    }
    assert_true(failures > 3);
}

static void test_each_call(void **unused)
{
    static const int errors[] = {EIO, ENOSPC, EACCES, EMFILE};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++)
        each_call(errors[i]);
    positions = (struct ps_tail_positions){.count = 0};
}

/* When the file was made, or else when the position was known, is only in the second file, and comes back from it. */
static void test_births(void **unused)
{
    struct ps_err err;
    struct ps_tail_positions again;
    char text[1000];
    static const struct {
        uint64_t born_ns;
        int64_t known_ms, known_back_ms;
        const char *member; /* NULL: none of both */
    } rows[] = {
        {0, 0, 0, NULL},
        {UINT64_C(1764337163123456789), 0, 0, "\"length\":9,\"born\":1764337163123456789}"},
        {UINT64_MAX - 1, 0, 0, "\"length\":9,\"born\":-2}"},
        {0, 1764337163123, 1764337163123, "\"length\":9,\"known\":1764337163123}"},
        {7, 1764337163123, 0, "\"length\":9,\"born\":7}"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_tail_positions written = {.count = 0};
        ps_tail_positions_add(
            &written,
            &(struct ps_tail_position){
                .inode = 5,
                .offset = 77,
                .path = (char *)(uintptr_t) "/a",
                .known_ms = rows[i].known_ms,
                .identity = {
                    .device = 3, .inode = 5, .head = 7, .head_length = 9, .born_ns = rows[i].born_ns}});
        assert_int_equal(ps_tail_positions_save(ps_test_folder_path("positions.json"), &written, &err),
                         PS_OK);
        ps_tail_positions_free(&written);
        read_file("positions.json", text, sizeof text);
        assert_string_equal(text, "[{\"inode\":5,\"pos\":77,\"file\":\"/a\"}]\n");
        read_file("positions.json.identities", text, sizeof text);
        if (rows[i].member != NULL)
            assert_non_null(strstr(text, rows[i].member));
        else
            assert_true(strstr(text, "born") == NULL && strstr(text, "known") == NULL);
        for (unsigned moved = 0; moved < 2; moved++) {
            if (moved > 0) /* by somebody: nothing more is known than the inode */
                write_one("[{\"inode\":5,\"pos\":70,\"file\":\"/a\"}]\n");
            assert_int_equal(ps_tail_positions_load(ps_test_folder_path("positions.json"), &again, &err),
                             PS_OK);
            assert_true(again.items[0].identity.born_ns == (moved > 0 ? 0 : rows[i].born_ns));
            assert_true(again.items[0].known_ms == (moved > 0 ? 0 : rows[i].known_back_ms));
            ps_tail_positions_free(&again);
        }
    }
    ps_tail_positions_parse("[{\"inode\":5,\"device\":3,\"head\":7,\"length\":9,\"known\":-1}]\n", 56, true,
                            &again);
    assert_true(again.cut);
    ps_tail_positions_free(&again);
}

/* Positions that were written long ago do not become newer when their file is touched or copied: a file that was made
 * since may have the inode of one that was deleted. */
static void test_touched(void **unused)
{
    struct ps_err err;
    struct ps_tail_positions again;
    const struct timespec later[2] = {{.tv_sec = 4102444800}, {.tv_sec = 4102444800}}; /* 2100 */
    const struct timespec before[2] = {{.tv_sec = 86400}, {.tv_sec = 86400}};
    uint64_t now_ns = (uint64_t)ps_clock_now().wall_ms * PS_NS_PER_MS;
    positions = (struct ps_tail_positions){.count = 0};
    save_one(42290, 111);
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("positions.json"), later, 0), 0);
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("positions.json"), &again, &err), PS_OK);
    assert_true(again.saved_ns >= now_ns &&
                again.saved_ns <= (uint64_t)ps_clock_now().wall_ms * PS_NS_PER_MS);
    assert_false(again.clock_was_set_back);
    ps_tail_positions_free(&again);
    assert_int_equal(unlink(ps_test_folder_path("positions.json.identities")), 0);
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("positions.json"), &again, &err), PS_OK);
    assert_true(again.clock_was_set_back); /* nothing but the future time of modification is left */
    ps_tail_positions_free(&again);
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("positions.json"), before, 0), 0);
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("positions.json"), &again, &err), PS_OK);
    assert_true(again.saved_ns == 86400 * PS_NS_PER_S);
    assert_false(again.clock_was_set_back);
    ps_tail_positions_free(&again);
    positions = (struct ps_tail_positions){.count = 0};
}

static void test_errors(void **unused)
{
    struct ps_err err;
    assert_int_equal(ps_tail_positions_load(ps_test_folder_path("missing"), &positions, &err), PS_OK);
    assert_int_equal(positions.count, 0);
    assert_int_equal(ps_tail_positions_load(ps_test_folder(), &positions, &err), PS_FAIL);
    assert_int_equal(ps_tail_positions_save(ps_test_folder_path("no/folder"), &positions, &err), PS_FAIL);
}

/* The position file may be a symbolic link, and stays one. */
static void test_link(void **unused)
{
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
                                       TEST(members),
                                       TEST(depth),
                                       TEST(same_inode_twice),
                                       TEST(saved_and_loaded),
                                       TEST(births),
                                       TEST(marks),
                                       TEST(marks_that_cannot_be),
                                       TEST(escapes),
                                       TEST(touched),
                                       TEST(crash_between_the_files),
                                       TEST(identities_without_positions),
                                       TEST(each_call),
                                       TEST(errors),
                                       TEST(link)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
