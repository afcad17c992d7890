/* For the tests of the source taildir with penstock.decompress = auto: compressed files of numbered lines. */
#pragma once

#include "tests/stages/sources/taildir_support.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define AUTO "penstock.decompress", "auto"

static unsigned fences;

static inline void write_bytes(const char *name, const void *bytes, size_t length)
{
    assert_true(unlink(ps_test_folder_path("packing")) == 0 || errno == ENOENT);
    ps_test_folder_append("packing", bytes, length);
    move("packing", name);
}

/* Appends a member of gzip, or a frame of zstd if the name says so, to `packed`. */
static inline size_t pack(const char *name, const char *text, size_t length, char *packed, size_t room)
{
    if (strstr(name, ".zst") != NULL) {
        size_t made = ZSTD_compress(packed, room, text, length, 3);
        assert_false(ZSTD_isError(made));
        return made;
    }
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)text,
                       .avail_in = (unsigned)length,
                       .next_out = (unsigned char *)packed,
                       .avail_out = (unsigned)room};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

static char packed[4 << 20], text[2 << 20];

static inline void compressed_text(const char *name, const char *from, size_t length)
{
    write_bytes(name, packed, pack(name, from, length, packed, sizeof packed));
}

static inline void compressed(const char *name, const char *from)
{
    compressed_text(name, from, strlen(from));
}

/* Waits until the source has checked all existing files, and expects no line of them: files have their turns in the
 * order in which they are found. */
static inline void fence(void)
{
    for (unsigned i = 0; i < 2; i++) {
        char name[32], line[32];
        snprintf(name, sizeof name, "app.fence.%u.gz", ++fences);
        snprintf(line, sizeof line, "fence-%u\n", fences);
        char bytes[256];
        write_bytes(name, bytes, pack(name, line, strlen(line), bytes, sizeof bytes));
        line[strlen(line) - 1] = '\0';
        expect(line);
    }
}

/* Writes lines of `bytes` bytes from `first` on into `to`; returns their length. */
static inline size_t lines_make(char *to, unsigned first, unsigned count, unsigned bytes)
{
    size_t length = 0;
    for (unsigned i = first; i < first + count; i++)
        length += (size_t)sprintf(to + length, "%0*u\n", (int)bytes - 1, i);
    return length;
}

/* Waits for the lines with these numbers, in order, and forgets them. */
static inline void expect_numbers(unsigned first, unsigned count)
{
    ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(strtoul(stage.events[i].body, NULL, 10), first + i);
    ps_test_source_clear(&stage);
}

static inline void fresh_folder(void)
{
    ps_test_folder_teardown(NULL);
    setup(NULL);
}
