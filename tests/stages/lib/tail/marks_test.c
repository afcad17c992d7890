/* Marks in a file, and the index of files by their beginning: random sequences are compared with what the headers
 * promise, at lengths around each limit. */
#include "stages/lib/tail/fingerprint_index.h"
#include "stages/lib/tail/marks.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define ROUNDS 40U

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static int setup(void **unused)
{
    state = ps_test_seed() | 1;
    return ps_test_folder_setup(unused);
}

/* ---- marks: the bytes ---- */

static int file_with(const char *bytes, size_t length)
{
    const char *path = ps_test_folder_path("file");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    return fd;
}

/* One byte differs: the mark is found if and only if this byte is not among the last 256 (or all, if there are
 * fewer). */
static void flips(int fd, char *bytes, size_t length, const struct ps_tail_mark *mark, size_t covered)
{
    static const size_t from_end[] = {1, 2, 7, 8, 9, 63, 64, 65, 128, 255, 256, 257, 300};
    for (size_t i = 0; i < PS_COUNT_OF(from_end); i++) {
        if (from_end[i] > length)
            continue;
        size_t place = length - from_end[i];
        bytes[place] ^= 1;
        assert_int_equal(pwrite(fd, bytes + place, 1, (off_t)place), 1);
        bool same = from_end[i] > covered;
        assert_int_equal(ps_tail_mark_is_in(fd, mark), same ? PS_TAIL_SEEN_SAME : PS_TAIL_SEEN_OTHER);
        assert_int_equal(ps_tail_mark_is_before(bytes + length, length, mark), same);
        bytes[place] ^= 1;
        assert_int_equal(pwrite(fd, bytes + place, 1, (off_t)place), 1);
        assert_int_equal(ps_tail_mark_is_in(fd, mark), PS_TAIL_SEEN_SAME);
    }
}

static void test_mark_lengths(void **unused)
{
    static const size_t lengths[] = {1, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1000};
    char bytes[1000];
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        size_t length = lengths[i], covered = length < PS_TAIL_MARK_BYTES ? length : PS_TAIL_MARK_BYTES;
        for (size_t k = 0; k < length; k++)
            bytes[k] = (char)('a' + draw(26));
        int fd = file_with(bytes, length);
        struct ps_tail_mark whole = ps_tail_mark_of((int64_t)length, bytes, length);
        assert_int_equal(whole.length, covered);
        assert_int_equal(whole.offset, length);
        assert_false(whole.ends_batch);
        flips(fd, bytes, length, &whole, covered);
        /* These bytes follow others in the file. */
        struct ps_tail_mark part = ps_tail_mark_of((int64_t)length + 1, bytes, length);
        assert_int_equal(part.length, length < PS_TAIL_MARK_BYTES_MIN ? 0 : covered);
        assert_int_equal(part.offset, length + 1);
        assert_int_equal(ps_tail_mark_is_before(bytes + length, length, &part), part.length > 0);
        /* The same bytes, one byte further in the file. */
        if (part.length > 0)
            assert_int_equal(ps_tail_mark_is_in(fd, &part), PS_TAIL_SEEN_OTHER);
        /* Fewer bytes than the mark covers; a file that ends one byte before it. */
        assert_false(ps_tail_mark_is_before(bytes + length, covered - 1, &whole));
        assert_int_equal(ftruncate(fd, (off_t)length - 1), 0);
        assert_int_equal(ps_tail_mark_is_in(fd, &whole), PS_TAIL_SEEN_OTHER);
        close(fd);
        assert_int_equal(ps_tail_mark_is_in(-1, &whole), PS_TAIL_SEEN_UNREADABLE);
        assert_int_equal(errno, EBADF);
    }
    const struct ps_tail_mark unknown = {.offset = 5};
    assert_int_equal(ps_tail_mark_is_in(-1, &unknown), PS_TAIL_SEEN_OTHER);
    assert_false(ps_tail_mark_is_before(bytes, 0, &unknown));
}

/* ---- marks: which are kept ---- */

static struct ps_tail_mark mark_at(int64_t offset)
{
    return (struct ps_tail_mark){.offset = offset, .hash = (uint64_t)offset * 3, .length = 64};
}

static void expect_sorted(const struct ps_tail_marks *marks)
{
    assert_true(marks->count <= marks->room);
    for (uint32_t i = 0; i < marks->count; i++) {
        assert_true(i == 0 || marks->items[i - 1].offset < marks->items[i].offset);
        assert_true(marks->items[i].hash == (uint64_t)marks->items[i].offset * 3);
    }
}

static bool has(const struct ps_tail_marks *marks, int64_t offset)
{
    struct ps_tail_mark mark = ps_tail_marks_at(marks, offset);
    assert_int_equal(mark.offset, offset);
    assert_true(mark.length == 0 || mark.hash == (uint64_t)offset * 3);
    return mark.length > 0;
}

/* A copy has the marks up to the offset (random, near a mark), in its own memory. */
static void expect_copies(const struct ps_tail_marks *marks)
{
    struct ps_tail_marks copy;
    int64_t offset = marks->count == 0 ? 7 : marks->items[draw(marks->count)].offset + (int64_t)draw(3) - 1;
    ps_tail_marks_copy(&copy, marks, offset);
    uint32_t count = 0;
    while (count < marks->count && marks->items[count].offset <= offset)
        count++;
    assert_int_equal(copy.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(copy.items[i].offset, marks->items[i].offset);
        assert_int_equal(copy.items[i].ends_batch, marks->items[i].ends_batch);
    }
    ps_tail_marks_free(&copy);
    assert_int_equal(copy.count, 0);
}

/* Up to `lag` marks are not delivered, and one of `batch` ends a batch. The first mark, the latest 16, the one at the
 * delivered position and the ends of later batches are kept; of the others no more than 64. */
static void add_many(unsigned count, unsigned lag, unsigned batch)
{
    int64_t *offsets = calloc(count, sizeof *offsets);
    bool *ends = calloc(count, sizeof *ends);
    struct ps_tail_marks marks = {.count = 0};
    assert_true(offsets != NULL && ends != NULL);
    unsigned done = 0, most = 0; /* number of the latest delivered mark; highest number of ends under way */
    for (unsigned i = 0; i < count; i++) {
        offsets[i] = (i == 0 ? 0 : offsets[i - 1]) + 1 + (int64_t)draw(9);
        const struct ps_tail_mark mark = mark_at(offsets[i]), nothing = {.offset = offsets[i]};
        ps_tail_marks_add(&marks, &nothing, offsets[done]); /* a mark without bytes is not added */
        ps_tail_marks_add(&marks, &mark, offsets[done]);
        ps_tail_marks_end_batch(&marks, offsets[i] - 1); /* no mark is there */
        assert_false(marks.items[marks.count - 1].ends_batch);
        ends[i] = i % batch == 0;
        if (ends[i])
            ps_tail_marks_end_batch(&marks, offsets[i]);
        if (i > 0)
            ps_tail_marks_end_batch(&marks, offsets[i - 1]); /* no longer the latest mark: ignored */
        expect_sorted(&marks);
        unsigned under_way = 0;
        for (unsigned k = 0; k <= i; k++) {
            bool needed = k == 0 || i - k < 16 || k == done || (k > done && ends[k]);
            under_way += k >= done && ends[k];
            if (needed && !has(&marks, offsets[k]))
                fail_msg("of %u marks the one of number %u is gone; delivered: number %u", i + 1, k, done);
        }
        most = under_way > most ? under_way : most;
        if (marks.count > PS_TAIL_MARKS_MAX + 6 * most)
            fail_msg("%u marks, and at most %u ends of batches were under way", marks.count, most);
        if (lag == 0)
            assert_true(marks.count <= PS_TAIL_MARKS_MAX);
        if (lag == 0)
            done = i;
        else if (i - done > lag || (done < i && draw(40) == 0))
            done += 1 + (unsigned)draw(i - done);
        while (!has(
            &marks,
            offsets
                [done])) /* the positions of a whole batch still have their mark, and so does the latest one */
            done++;
        assert_false(has(&marks, offsets[i] + 1));
    }
    expect_copies(&marks);
    if (count > 100)
        assert_true(marks.count >= PS_TAIL_MARKS_MAX / 2); /* they are thinned out, not dropped */
    ps_tail_marks_free(&marks);
    free(offsets);
    free(ends);
}

static void test_marks_kept(void **unused)
{
    static const unsigned counts[] = {1, 4, 5, 15, 16, 17, 63, 64, 65, 66, 130, 400};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        for (unsigned lag = 0; lag <= 120; lag += 30)
            add_many(counts[i], lag, 1 + (unsigned)draw(12));
    }
}

/* Nothing is delivered any more: the number of marks is still bounded, and the latest ones are kept. */
static void test_marks_are_bounded(void **unused)
{
    struct ps_tail_marks marks = {.count = 0};
    for (int64_t i = 1; i <= 20000; i++) {
        const struct ps_tail_mark mark = mark_at(i * 4);
        ps_tail_marks_add(&marks, &mark, 0);
        ps_tail_marks_end_batch(&marks, i * 4);
        assert_true(marks.room <= 8192 && marks.count <= marks.room);
        if (i <= 3500)
            assert_int_equal(marks.count, i);
        if (i % 997 == 0)
            for (int64_t k = i; k > i - 16; k--)
                assert_true(has(&marks, k * 4));
    }
    expect_sorted(&marks);
    ps_tail_marks_free(&marks);
}

static void test_marks_trim(void **unused)
{
    for (unsigned count = 0; count <= 70; count++) {
        struct ps_tail_marks marks = {.count = 0};
        for (unsigned i = 1; i <= count; i++) {
            const struct ps_tail_mark mark = mark_at(i);
            ps_tail_marks_add(&marks, &mark, i);
        }
        for (unsigned again = 0; again < 3; again++) { /* a file is closed again */
            ps_tail_marks_trim(&marks);
            expect_sorted(&marks);
            assert_true(marks.room <= 8);
            assert_int_equal(marks.count, count + again < 8 ? count + again : 8);
            for (unsigned i = 0; i < marks.count; i++)
                assert_true(has(&marks, count + again - i));
            const struct ps_tail_mark mark = mark_at(count + again + 1);
            ps_tail_marks_add(&marks, &mark, 0);
        }
        ps_tail_marks_free(&marks);
    }
}

/* ---- files by their beginning ---- */

#define ENTRIES 200U
#define BASES 3U
#define BASE_BYTES (PS_TAIL_HEAD_BYTES + 8U)

static struct {
    struct ps_tail_fingerprint_entry entry;
    uint64_t order; /* when it was added; the latest is found first */
    unsigned base;
    uint32_t length; /* 0: not in the index */
} entries[ENTRIES];
static char bases[BASES][BASE_BYTES]; /* the second and third begin like the first */

struct visits {
    unsigned count, most;
    size_t found[ENTRIES];
};

static bool visit(void *argument, struct ps_tail_fingerprint_entry *entry)
{
    struct visits *visits = argument;
    assert_true(visits->count < ENTRIES);
    visits->found[visits->count] = (size_t)(uintptr_t)entry->owner;
    return ++visits->count < visits->most;
}

/* A length near the limits, or any. */
static uint32_t draw_length(void)
{
    static const uint32_t lengths[] = {0, 1, 2, 99, 100, 101, 1022, 1023, 1024};
    return draw(2) == 0 ? lengths[draw(PS_COUNT_OF(lengths))] : (uint32_t)draw(PS_TAIL_HEAD_BYTES + 1);
}

/* The entry that the model finds next: longer ones first, of equal lengths the latest. ENTRIES: none. */
static size_t next_of(const char *bytes, size_t length, const bool *seen)
{
    size_t best = ENTRIES;
    for (size_t i = 0; i < ENTRIES; i++) {
        if (seen[i] || entries[i].length == 0 || entries[i].length > length ||
            memcmp(bases[entries[i].base], bytes, entries[i].length) != 0)
            continue;
        if (best == ENTRIES || entries[i].length > entries[best].length ||
            (entries[i].length == entries[best].length && entries[i].order > entries[best].order))
            best = i;
    }
    return best;
}

static void expect_found(const struct ps_tail_fingerprint_index *index, const char *bytes, size_t length)
{
    bool seen[ENTRIES] = {false};
    struct visits visits = {.most = draw(3) == 0 ? 1 + (unsigned)draw(5) : ENTRIES + 1};
    ps_tail_fingerprint_index_find(index, bytes, length, visit, &visits);
    for (unsigned i = 0; i < visits.count; i++) {
        size_t expected = next_of(bytes, length, seen);
        if (visits.found[i] != expected)
            fail_msg("visit %u of %zu bytes is entry %zu, not %zu", i, length, visits.found[i], expected);
        seen[expected] = true;
    }
    if (visits.count < visits.most)
        assert_int_equal(next_of(bytes, length, seen), ENTRIES);
}

/* No bytes beyond 1,024 are used, whatever the caller has. */
static void test_heads(void **unused)
{
    for (unsigned round = 0; round < ROUNDS / 4; round++) {
        struct ps_tail_fingerprint_index index = {.room = 0};
        memset(entries, 0, sizeof entries);
        memset(bases[0], 'x', sizeof bases[0]);
        for (unsigned i = 1; i < BASES; i++) {
            memcpy(bases[i], bases[0], sizeof bases[i]);
            bases[i][i == 1 ? 100 : 1023] = 'y';
        }
        uint64_t order = 0;
        uint32_t count = 0;
        unsigned many = round % 2 == 0 ? ENTRIES : 20;
        for (unsigned step = 0; step < 600; step++) {
            size_t which = draw(many);
            uint32_t length = draw(6) == 0 ? 0 : draw_length();
            unsigned base = (unsigned)draw(BASES);
            uint64_t head = ps_tail_head(bases[base], length);
            bool same = entries[which].length == length &&
                        (length == 0 || memcmp(bases[entries[which].base], bases[base], length) == 0);
            count += length > 0 ? 1 : 0;
            count -= entries[which].length > 0 ? 1 : 0;
            entries[which].entry.owner = (void *)(uintptr_t)which;
            ps_tail_fingerprint_index_put(&index, &entries[which].entry, head, length);
            if (!same)
                entries[which].order = ++order;
            entries[which].base = base;
            entries[which].length = length;
            assert_int_equal(index.count, count);
            if (step % 8 == 0)
                expect_found(&index, bases[draw(BASES)], draw(4) == 0 ? BASE_BYTES - draw(9) : draw_length());
        }
        for (unsigned i = 0; i < many; i++)
            ps_tail_fingerprint_index_put(&index, &entries[i].entry, 0, 0);
        assert_int_equal(index.count, 0);
        for (unsigned i = 0; i <= PS_TAIL_HEAD_BYTES; i++)
            assert_int_equal(index.lengths[i], 0);
        ps_tail_fingerprint_index_free(&index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mark_lengths), cmocka_unit_test(test_marks_kept),
                                       cmocka_unit_test(test_marks_are_bounded),
                                       cmocka_unit_test(test_marks_trim), cmocka_unit_test(test_heads)};
    return cmocka_run_group_tests(tests, setup, ps_test_folder_teardown);
}
