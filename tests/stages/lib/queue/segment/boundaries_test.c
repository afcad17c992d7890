/* A log at the sizes that its headers name, exactly there, a step less and a step more: a frame that fills its segment,
 * the end of a chunk and of a block, the ranges that a state has room for, the frames that are remembered, the window
 * of a search. Everything comes out once, in order and unchanged, from memory and after a restart. */
#include "tests/stages/lib/queue/segment/lossy_log.h"

#include <errno.h>
#include <stdlib.h>

#define FRAMES_MAX 9000U
#define PAYLOAD_MAX (3U << 20)
#define NEWS_FRAME_RANGES 4096U /* NEWS_MAX of log.c */

static struct ps_segment_log *lg;
static char *wanted, *got;
static uint32_t lengths[FRAMES_MAX];

static void open_log(uint64_t segment_bytes)
{
    lg = lossy_log_open((struct ps_segment_options){.directories.count = 1, .segment_bytes = segment_bytes});
}

static void make_log(uint64_t segment_bytes, bool direct)
{
    lossy_init(&disk);
    disk.direct = direct;
    open_log(segment_bytes);
}

/* The process dies, and another one opens the log. */
static void reopen(uint64_t segment_bytes)
{
    lossy_log_kill(lg);
    lossy_restart(&disk, NULL);
    open_log(segment_bytes);
}

static void end_log(void)
{
    lossy_log_kill(lg);
    lossy_fini(&disk);
}

/* Appends the frame, which is made in the log's memory if the log offers it and `lent` is set. */
static void append(uint64_t number, uint32_t length, bool lent)
{
    struct ps_segment_place place;
    assert_true(number < FRAMES_MAX && length <= PAYLOAD_MAX);
    lengths[number] = length;
    char *memory = lent ? ps_segment_log_lend(lg, length) : NULL;
    char *payload = memory != NULL ? memory : wanted;
    lossy_log_payload(payload, number, length);
    lossy_log_append(lg, payload, length, &place);
    assert_int_equal(place.number, number);
}

static void expect_whole(const struct ps_segment_place *place, uint64_t number)
{
    assert_int_equal(place->number, number);
    assert_int_equal(place->length, lengths[number]);
    lossy_log_payload(wanted, number, place->length);
    assert_int_equal(lossy_log_load(place, got, NULL), PS_SEGMENT_READ_WHOLE);
    assert_memory_equal(got, wanted, place->length);
}

static void expect_frame(uint64_t number)
{
    struct ps_segment_place place;
    assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
    expect_whole(&place, number);
}

static void expect_end(void)
{
    struct ps_segment_place place;
    assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_EMPTY);
    assert_int_equal(report_count, 0);
}

/* Frames 1 .. 4 come, now and after a restart. */
static void expect_four(uint64_t segment_bytes)
{
    for (unsigned life = 0; life < 2; life++) {
        for (uint64_t number = 1; number <= 4; number++)
            expect_frame(number);
        expect_end();
        if (life == 0)
            reopen(segment_bytes);
    }
    end_log();
}

/* The second frame ends where the segment has room for its end, or a little before, or beyond: in the last case
 * the frame is in the next segment. */
static void test_a_frame_fills_its_segment(void **state)
{
    const uint64_t segment_bytes = 8192;
    const uint32_t first = 100, fits = (uint32_t)(segment_bytes - PS_SEGMENT_HEAD_BYTES - ps_frame_span(100) -
                                                  ps_frame_span(0) - PS_FRAME_HEAD_BYTES);
    for (uint32_t length = fits - 17; length <= fits + 17; length++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            make_log(segment_bytes, kind >= 2);
            append(1, first, false);
            append(2, length, kind % 2 == 1);
            assert_int_equal(lg->count, length <= fits ? 1 : 2);
            append(3, 1, false);
            append(4, 0, false);
            lossy_log_sync(lg);
            assert_int_equal(lg->count, 2);
            expect_four(segment_bytes);
        }
    }
}

/* A frame alone is as long as a segment, a little less or more, or much longer: its segment has room for the frame and for its end, which is
 * written when the next frame needs another segment. (The disk refuses a write beyond what was allocated.) */
static void test_a_frame_longer_than_a_segment(void **state)
{
    const uint64_t segment_bytes = 8192;
    const uint32_t fits =
        (uint32_t)(segment_bytes - PS_SEGMENT_HEAD_BYTES - ps_frame_span(0) - PS_FRAME_HEAD_BYTES);
    for (uint32_t length = fits - 40; length <= fits + 400; length += length < fits + 80 ? 1 : 37) {
        for (unsigned kind = 0; kind < 4; kind++) {
            make_log(segment_bytes, kind >= 2);
            append(1, length, kind % 2 == 1);
            append(2, length, false);
            lossy_log_sync(lg);
            append(3, length + 1, kind % 2 == 1);
            append(4, 1, false);
            lossy_log_sync(lg);
            expect_four(segment_bytes);
        }
    }
}

/* The second frame ends at the end of a chunk or a block, or a little before or beyond. */
static void test_a_frame_ends_a_chunk(void **state)
{
    const uint64_t segment_bytes = 3 * PS_CHUNK_BYTES;
    const uint32_t first = 1000;
    uint64_t random = ps_test_seed();
    const uint64_t ends[] = {PS_SEGMENT_DIRECT_BYTES, PS_CHUNK_BYTES - PS_SEGMENT_DIRECT_BYTES,
                             PS_CHUNK_BYTES, 2 * PS_CHUNK_BYTES};
    for (unsigned i = 0; i < PS_COUNT_OF(ends); i++) {
        uint32_t at =
            (uint32_t)(ends[i] - PS_SEGMENT_HEAD_BYTES - ps_frame_span(first) - PS_FRAME_HEAD_BYTES);
        for (uint32_t length = at - 56; length <= at + 9; length += length + 9 < at ? 8 : 1) {
            unsigned kind = (unsigned)(ps_test_random(&random) % 4);
            make_log(segment_bytes, kind >= 2);
            append(1, first, kind % 2 == 1);
            if (kind == 3)
                lossy_log_sync(lg); /* the last block is written again */
            append(2, length, kind % 2 == 1);
            append(3, 9, kind % 2 == 1);
            append(4, 5000, kind % 2 == 1);
            lossy_log_sync(lg);
            expect_four(segment_bytes);
        }
    }
}

/* Every second frame was delivered, in as many ranges as a state holds, or a few more or fewer. No delivered frame comes
 * again, and no segment is removed before a state has its deliveries, even if the log is renewed before it writes. */
static void ranges_of_a_state(bool renewed)
{
    struct ps_err err = {0};
    for (unsigned ranges = PS_STATE_RANGES_MAX - 2; ranges <= PS_STATE_RANGES_MAX + 2; ranges++) {
        const uint64_t segment_bytes = 65536;
        struct ps_segment_place place;
        uint64_t last = 2 * (uint64_t)ranges + 1;
        make_log(segment_bytes, true);
        for (uint64_t number = 1; number <= last; number++)
            append(number, 3, false);
        lossy_log_sync(lg);
        for (uint64_t number = 1; number <= last; number++) {
            assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
            if (number % 2 == 0)
                ps_segment_log_take(lg, &place);
        }
        assert_int_equal(lg->taken.count, ranges);
        if (renewed)
            assert_int_equal(ps_segment_log_renew(lg, &err), PS_OK);
        lossy_log_sync(lg);
        size_t segments = lg->count;
        reopen(segment_bytes);
        assert_int_equal(lg->count, segments);
        for (uint64_t number = 1; number <= last; number += 2)
            expect_frame(number);
        expect_end();
        end_log();
    }
}

static void test_ranges_of_a_state(void **state)
{
    ranges_of_a_state(false);
    ranges_of_a_state(true);
}

/* ---- more delivered ranges than a state has room for ---- */

#define MANY_SEGMENT_BYTES 65536U

/* Makes a log of which every second frame of 1 .. 2 * ranges was delivered; the first sync of that is the caller's. */
static void many_ranges(unsigned ranges)
{
    struct ps_segment_place place;
    make_log(MANY_SEGMENT_BYTES, true);
    for (uint64_t number = 1; number <= 2 * (uint64_t)ranges; number++)
        append(number, 3, false);
    lossy_log_sync(lg);
    for (uint64_t number = 1; number <= 2 * (uint64_t)ranges; number++) {
        assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
        if (number % 2 == 0)
            ps_segment_log_take(lg, &place);
    }
    assert_int_equal(lg->taken.count, ranges);
}

/* Appends a frame, syncs it, and takes it. Returns whether the power stayed. */
static bool pass_one(uint64_t number)
{
    struct ps_segment_place place;
    struct ps_err err = {0};
    assert_true(number < FRAMES_MAX);
    lengths[number] = 1000;
    lossy_log_payload(wanted, number, lengths[number]);
    if (ps_segment_log_append(lg, wanted, lengths[number], 1, lengths[number], &place, &err) != PS_OK ||
        ps_segment_log_sync(lg, &err) != PS_OK)
        return false;
    expect_frame(number);
    assert_int_equal(place.number, number);
    ps_segment_log_take(lg, &place);
    return true;
}

/* Some frames wait, for a sink that does not deliver, and later ones come and go: their segments are removed, although the state has
 * no room for all delivered ranges. No frame comes again after a restart, and none is lost. */
static void test_segments_go_with_many_ranges(void **state)
{
    for (unsigned life = 0; life < 3; life++) {
        const unsigned ranges =
            life == 2 ? 4100 : PS_STATE_RANGES_MAX + 5; /* the others of 4100 fill a segment */
        struct ps_segment_place place;
        many_ranges(ranges);
        lossy_log_sync(lg);
        size_t before = lg->count;
        uint64_t last = 2 * (uint64_t)ranges + (life == 2 ? 12 : 10 * MANY_SEGMENT_BYTES / 1000);
        for (uint64_t number = 2 * (uint64_t)ranges + 1; number <= last; number++) {
            assert_true(pass_one(number));
            assert_in_range(lg->count, 1, before + 2);
        }
        if (life == 1) { /* another process closes the log as it ends */
            ps_segment_log_close(lg);
            lossy_restart(&disk, NULL);
            open_log(MANY_SEGMENT_BYTES);
        } else {
            lossy_log_sync(lg);
            reopen(MANY_SEGMENT_BYTES);
        }
        assert_in_range(lg->count, 1, before + 2);
        assert_int_equal(lg->events, ranges);
        for (uint64_t number = 1; number < 2 * (uint64_t)ranges; number += 2) {
            assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
            expect_whole(&place, number);
            ps_segment_log_take(lg, &place);
        }
        expect_end();
        assert_true(pass_one(last + 1));
        lossy_log_sync(lg);
        assert_int_equal(lg->count, 1);
        assert_int_equal(lg->events, 0);
        reopen(MANY_SEGMENT_BYTES);
        expect_end();
        end_log();
    }
}

/* The power goes at any call while that happens. What was acknowledged and not delivered comes, and of what was delivered only the
 * frame that was delivered last may come again. */
static void test_power_goes_with_many_ranges(void **state)
{
    const unsigned ranges = PS_STATE_RANGES_MAX + 5;
    const uint64_t first = 2 * (uint64_t)ranges + 1, last = first + 3 * MANY_SEGMENT_BYTES / 1000;
    uint64_t random = ps_test_seed() | 1;
    bool whole = false;
    for (uint64_t cut = 1; !whole; cut += 1 + ps_test_random(&random) % 5) {
        struct ps_segment_place place;
        struct ps_err err = {0};
        many_ranges(ranges);
        disk.power_until = disk.changes + cut;
        bool even_synced = ps_segment_log_sync(lg, &err) == PS_OK;
        uint64_t number = first;
        while (even_synced && number <= last && pass_one(number))
            number++;
        whole = number > last;
        lossy_log_kill(lg);
        lossy_restart(&disk, &random);
        open_log(MANY_SEGMENT_BYTES);
        assert_false(lossy_log_reported("missing") || lossy_log_reported(" lost with ") ||
                     lossy_log_reported("events are lost"));
        uint64_t next_odd = 1;
        while (ps_segment_log_feed(lg, &place, NULL) == PS_SEGMENT_FED) {
            expect_whole(&place, place.number);
            if (place.number >= first ? place.number + 1 < number : place.number % 2 == 0 && even_synced)
                fail_msg("power cut %u: frame %u comes again", (unsigned)cut, (unsigned)place.number);
            if (place.number < first && place.number % 2 == 1) {
                assert_int_equal(place.number, next_odd);
                next_odd += 2;
            }
        }
        assert_int_equal(next_odd, first);
        end_log();
    }
}

/* Appends the frame, unless it is promised already, and syncs it; renews the log after a failure. */
static void insist(uint64_t number)
{
    struct ps_segment_place place;
    struct ps_err err = {0};
    for (unsigned tries = 0; tries < 5; tries++) {
        lengths[number] = 1000;
        lossy_log_payload(wanted, number, lengths[number]);
        if ((ps_segment_log_promised(lg) >= number ||
             ps_segment_log_append(lg, wanted, lengths[number], 1, lengths[number], &place, &err) == PS_OK) &&
            ps_segment_log_sync(lg, &err) == PS_OK)
            return;
        while (ps_segment_log_renew(lg, &err) != PS_OK)
            assert_true(++tries < 5);
    }
    fail_msg("%s", err.text);
}

/* Any call fails once while that happens: the log is renewed, and in the end it has what was not delivered, and nothing else. */
static void test_a_call_fails_with_many_ranges(void **state)
{
    const unsigned ranges = PS_STATE_RANGES_MAX + 5;
    const uint64_t first = 2 * (uint64_t)ranges + 1, last = first + 2 * MANY_SEGMENT_BYTES / 1000;
    uint64_t random = ps_test_seed() | 1;
    bool whole = false;
    for (uint64_t at = 1; !whole; at += 1 + ps_test_random(&random) % 5) {
        struct ps_segment_place place;
        many_ranges(ranges);
        disk.fail_at = disk.changes + at;
        disk.fail_errno = EIO;
        for (uint64_t number = first; number <= last; number++) {
            insist(number);
            assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
            expect_whole(&place, number);
            ps_segment_log_take(lg, &place);
        }
        insist(last); /* syncs what was taken */
        whole = disk.changes < disk.fail_at;
        disk.fail_at = 0;
        assert_in_range(lg->count, 1, 12);
        reopen(MANY_SEGMENT_BYTES);
        assert_false(lossy_log_reported("missing") || lossy_log_reported(" lost with ") ||
                     lossy_log_reported("events are lost"));
        for (uint64_t number = 1; number < first; number += 2)
            expect_frame(number);
        assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_EMPTY);
        end_log();
    }
}

/* The ranges that the state has no room for begin the next segment, and with that the one before it is complete: all its frames were
 * delivered, and the frame before them was not. It is removed, and a restart does not miss it. `full`: at first there is no room for the
 * next segment. What is appended when there is room again is not behind the end of the last one. */
static void many_ranges_begin_a_segment(bool full)
{
    struct ps_err err = {0};
    static struct ps_segment_place places[FRAMES_MAX];
    uint64_t number = 1;
    make_log(MANY_SEGMENT_BYTES, true);
    for (; lg->count < 2; number++)
        append(number, 3, false);
    const uint64_t second = lg->segments[1].head.first, last = second + 2 * (PS_STATE_RANGES_MAX + 1250);
    for (; number <= last; number++)
        append(number, 3, false);
    lossy_log_sync(lg);
    for (number = 1; number <= last; number++) {
        assert_int_equal(ps_segment_log_feed(lg, &places[number], NULL), PS_SEGMENT_FED);
        if (number > 1 && (number < second || (number - second) % 2 == 1))
            ps_segment_log_take(lg, &places[number]);
    }
    lossy_log_sync(lg);
    append(last + 1, 60000, false); /* it stays, and fills its segment */
    append(last + 2, 6000, false);
    lossy_log_sync(lg);
    assert_int_equal(lg->segments[lg->count - 1].head.first, last + 2);
    expect_frame(last + 1);
    assert_int_equal(ps_segment_log_feed(lg, &places[last + 2], NULL), PS_SEGMENT_FED);
    ps_segment_log_take(lg, &places[last + 2]);
    assert_true(pass_one(last + 3));
    lossy_log_sync(lg);
    assert_int_equal(lg->segments[lg->count - 1].head.first, last + 2);
    ps_segment_log_take(lg, &places[1]); /* the first segment goes */
    if (full) {
        disk.allocate_max = 1;
        assert_int_equal(ps_segment_log_sync(lg, &err), PS_FAIL);
        disk.allocate_max = 0;
        assert_int_equal(ps_segment_log_renew(lg, &err), PS_OK);
    }
    if (full)
        append(last + 4, 3, false);
    lossy_log_sync(lg);
    assert_int_equal(lg->segments[0].head.first, second);
    assert_int_equal(lg->segments[lg->count - 1].head.first, last + 4);
    assert_int_equal(lg->segments[lg->count - 2].head.first, last + 1);
    reopen(MANY_SEGMENT_BYTES);
    assert_int_equal(report_count, 0);
    for (number = second; number <= last; number += 2)
        expect_frame(number);
    expect_frame(last + 1);
    if (full)
        expect_frame(last + 4);
    expect_end();
    end_log();
}

static void test_many_ranges_begin_a_segment(void **state)
{
    many_ranges_begin_a_segment(false);
    many_ranges_begin_a_segment(true);
}

/* While the state cannot be written, the ranges that it has no room for are not appended again with every sync. */
static void test_state_fails_with_many_ranges(void **state)
{
    const unsigned ranges = 4000;
    many_ranges(ranges);
    size_t before = lg->count;
    snprintf(disk.unwritable, sizeof disk.unwritable, "/state/state");
    uint64_t number = 2 * (uint64_t)ranges + 1;
    for (unsigned i = 0; i < 100; i++)
        assert_true(pass_one(number++));
    assert_in_range(lg->count, before, before + 6);
    unsigned told = 0;
    for (unsigned i = 0; i < report_count && i < PS_COUNT_OF(reports); i++)
        told += strstr(reports[i], "delivered segments stay on the disk for now: ") != NULL;
    assert_int_equal(told, 1);
    disk.unwritable[0] = '\0';
    ps_segment_log_close(lg);
    lossy_restart(&disk, NULL);
    open_log(MANY_SEGMENT_BYTES);
    for (number = 1; number < 2 * (uint64_t)ranges; number += 2)
        expect_frame(number);
    expect_end();
    end_log();
}

/* A segment is removed with the last of its frames, when the delivered range ends exactly where the next segment begins. */
static void test_the_last_frame_of_a_segment(void **state)
{
    struct ps_segment_place place;
    uint64_t last = 0;
    make_log(4096, false);
    while (lg->count < 3)
        append(++last, 100, false);
    lossy_log_sync(lg);
    for (uint64_t segment = 1; segment < 3; segment++) {
        uint64_t number = lg->segments[0].head.first, next = lg->segments[1].head.first;
        for (; number < next; number++) {
            if (number + 1 == next)
                lossy_log_sync(lg);
            assert_int_equal(lg->segments[0].head.segment, segment);
            assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
            assert_int_equal(place.number, number);
            ps_segment_log_take(lg, &place);
        }
        lossy_log_sync(lg);
        assert_int_equal(lg->segments[0].head.segment, segment + 1);
    }
    end_log();
}

/* One frame has at most NEWS_FRAME_RANGES ranges of delivered frames. */
static void test_ranges_of_a_frame(void **state)
{
    for (unsigned ranges = NEWS_FRAME_RANGES - 1; ranges <= NEWS_FRAME_RANGES + 1; ranges++) {
        const uint64_t segment_bytes = UINT64_C(2) << 20;
        struct ps_segment_place place;
        uint64_t last = 2 * (uint64_t)ranges;
        make_log(segment_bytes, false);
        for (uint64_t number = 1; number <= last; number++)
            append(number, 0, false);
        lossy_log_sync(lg);
        for (uint64_t number = 1; number <= last; number++) {
            assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
            if (number % 2 == 1)
                ps_segment_log_take(lg, &place);
        }
        lossy_log_sync(lg);
        reopen(segment_bytes);
        for (uint64_t number = 2; number <= last; number += 2)
            expect_frame(number);
        expect_end();
        end_log();
    }
}

/* The log feeds the latest PS_SEGMENT_RECENT_FRAMES frames from memory, and finds the earlier ones on the disk. */
static void test_frames_that_are_remembered(void **state)
{
    for (unsigned frames = PS_SEGMENT_RECENT_FRAMES - 2; frames <= PS_SEGMENT_RECENT_FRAMES + 2; frames++) {
        make_log(65536, true);
        for (uint64_t number = 1; number <= frames; number++)
            append(number, (uint32_t)(number % 50), false);
        lossy_log_sync(lg);
        for (uint64_t number = 1; number <= frames; number++)
            expect_frame(number);
        expect_end();
        end_log();
    }
}

/* The head of a frame is damaged, and the next frame begins where a search reads its next piece, or a little before
 * or after: the search finds it, and one frame is lost. */
static void test_next_to_a_search(void **state)
{
    const uint32_t piece = 1U << 20; /* SEARCH_BYTES of feed.c */
    for (unsigned pieces = 1; pieces <= 2; pieces++) {
        for (uint32_t more = 0; more <= 160; more += PS_FRAME_ALIGN) {
            const uint64_t segment_bytes = 4 * (uint64_t)piece;
            struct ps_segment_place place;
            make_log(segment_bytes, false);
            append(1, 10, false);
            append(2, pieces * piece - 100 - PS_FRAME_HEAD_BYTES + more, false);
            append(3, 20, false);
            lossy_log_sync(lg);
            append(4, 30, false);
            lossy_log_sync(lg);
            struct lossy_file *file = lossy_find(&disk, "/a/000000000001.segment");
            file->now[PS_SEGMENT_HEAD_BYTES + ps_frame_span(10) + 5] ^= 1;
            reopen(segment_bytes);
            uint64_t numbers[] = {1, 3, 4};
            for (unsigned i = 0; i < PS_COUNT_OF(numbers); i++) {
                assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
                expect_whole(&place, numbers[i]);
            }
            assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_EMPTY);
            assert_int_equal(report_count, 1);
            assert_non_null(strstr(reports[0], "1 frame, 2 to 2, is damaged: its events"));
            end_log();
        }
    }
}

/* The latest chunks are in memory: a frame that leaves memory while it waits is read from the disk, whole. */
static void test_chunks_that_are_kept(void **state)
{
    const uint64_t segment_bytes = UINT64_C(64) << 20;
    const uint32_t length = (uint32_t)(PS_CHUNK_BYTES - PS_FRAME_HEAD_BYTES); /* as long as a chunk */
    struct ps_segment_place places[PS_CHUNKS + 4];
    make_log(segment_bytes, true);
    for (uint64_t number = 1; number <= PS_CHUNKS + 3; number++) {
        append(number, length - (uint32_t)(number % 3) * 8, false);
        lossy_log_sync(lg);
        assert_int_equal(ps_segment_log_feed(lg, &places[number], NULL), PS_SEGMENT_FED);
        for (uint64_t earlier = 1; earlier <= number; earlier++)
            expect_whole(&places[earlier], earlier);
    }
    end_log();
}

static int make_memory(void **state)
{
    wanted = malloc(PAYLOAD_MAX);
    got = malloc(PAYLOAD_MAX);
    return wanted != NULL && got != NULL ? 0 : -1;
}

static int free_memory(void **state)
{
    free(wanted);
    free(got);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_frame_fills_its_segment),
        cmocka_unit_test(test_a_frame_longer_than_a_segment),
        cmocka_unit_test(test_a_frame_ends_a_chunk),
        cmocka_unit_test(test_ranges_of_a_state),
        cmocka_unit_test(test_segments_go_with_many_ranges),
        cmocka_unit_test(test_power_goes_with_many_ranges),
        cmocka_unit_test(test_a_call_fails_with_many_ranges),
        cmocka_unit_test(test_many_ranges_begin_a_segment),
        cmocka_unit_test(test_state_fails_with_many_ranges),
        cmocka_unit_test(test_ranges_of_a_frame),
        cmocka_unit_test(test_frames_that_are_remembered),
        cmocka_unit_test(test_next_to_a_search),
        cmocka_unit_test(test_chunks_that_are_kept),
        cmocka_unit_test(test_the_last_frame_of_a_segment),
    };
    return cmocka_run_group_tests(tests, make_memory, free_memory);
}
