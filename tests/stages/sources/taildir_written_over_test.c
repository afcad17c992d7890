/* Source taildir with penstock.decompress = auto: a compressed file is written over in place, and a part of the file has no text. */
#include "stages/lib/tail/tailer/tailer.h"
#include "tests/stages/sources/taildir_packed.h"

#include <fcntl.h>

/* A compressed file is overwritten: its inode has other contents. */
static void test_written_over(void **unused)
{
    compressed("app.1.gz", "one\ntwo\n");
    PS_START(AUTO);
    expect("one two");
    size_t length = pack("app.1.gz", "three\n", 6, packed, sizeof packed);
    int fd = open(ps_test_folder_path("app.1.gz"), O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, packed, length), length);
    assert_int_equal(close(fd), 0);
    expect("three");
    assert_int_equal(truncate(ps_test_folder_path("app.1.gz"), 0), 0);
    append("app.1.gz", "four\n");
    expect("four");
    fence();
    ps_test_stage_fini(&stage);
}

/* The text is written over by one that has the same first 1,024 bytes: it is read from its beginning, also if its former lines were skipped. */
static void written_over_alike(const char *skips, unsigned former, bool stopped)
{
    enum { LINE_BYTES = 64, COUNT = 64, ALIKE = 20 };
    size_t bytes = lines_make(text, 0, COUNT, LINE_BYTES);
    compressed_text("app.1.gz", text, bytes);
    PS_START(AUTO, "skipToEnd", skips);
    work_until((enum ps_counter)PS_TAIL_COUNTER_files, 1);
    if (former > 0)
        expect_numbers(0, former);
    fence();
    if (stopped)
        ps_test_stage_close(&stage);
    lines_make(text + (size_t)ALIKE * LINE_BYTES, 100000, COUNT - ALIKE, LINE_BYTES);
    size_t more = lines_make(text + bytes, 200000, 2000, LINE_BYTES); /* longer than before: nothing is cut */
    size_t length = pack("app.1.gz", text, bytes + more, packed, sizeof packed);
    int fd = open(ps_test_folder_path("app.1.gz"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, packed, length, 0), length);
    assert_int_equal(close(fd), 0);
    if (stopped)
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, COUNT + 2000, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, COUNT + 2000);
    for (unsigned i = 0; i < COUNT + 2000; i++)
        assert_int_equal(strtoul(stage.events[i].body, NULL, 10), i < ALIKE   ? i
                                                                  : i < COUNT ? 100000 + i - ALIKE
                                                                              : 200000 + i - COUNT);
    ps_test_source_clear(&stage);
    fence();
    ps_test_stage_fini(&stage);
    fresh_folder();
}

static void test_written_over_alike(void **unused)
{
    for (unsigned stopped = 0; stopped < 2; stopped++) {
        written_over_alike("false", 64, stopped > 0);
        written_over_alike("true", 0, stopped > 0);
    }
}

/* A long part of the file has no text (a skippable frame of zstd): looking for the next text takes several turns of the thread. It comes after
 * a piece of 64 KiB, because only a read that has found no text yet ends early. */
static void test_without_text(void **unused)
{
    enum { SKIPPED = 32 << 20, LINE_BYTES = 64, COUNT = 65536 / LINE_BYTES };
    static const unsigned char head[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, SKIPPED >> 24};
    size_t bytes = lines_make(text, 0, COUNT, LINE_BYTES);
    size_t length = pack("app.1.zst", text, bytes, packed, sizeof packed);
    ps_test_folder_append("packing", packed, length);
    ps_test_folder_append("packing", head, sizeof head);
    assert_int_equal(truncate(ps_test_folder_path("packing"), (off_t)(length + sizeof head) + SKIPPED), 0);
    bytes = lines_make(text, COUNT, 1, LINE_BYTES);
    ps_test_folder_append("packing", packed, pack("app.1.zst", text, bytes, packed, sizeof packed));
    move("packing", "app.1.zst");
    PS_START(AUTO);
    expect_numbers(0, COUNT + 1);
    fence();
    ps_test_stage_fini(&stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(written_over), TEST(written_over_alike), TEST(without_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
