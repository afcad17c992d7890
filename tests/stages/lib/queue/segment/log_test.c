/* A log on disk compared with a model: frames that were promised and not delivered come out again, in order and unchanged,
 * after a crash of the process, after a power cut at every call that changes the disk, and after damage, which is always
 * reported. */
#include "tests/stages/lib/queue/segment/lossy_log.h"

#include <errno.h>
#include <stdlib.h>

#define FRAMES_MAX 400U
#define SEGMENT_BYTES 4096U
#define LONG_BYTES 200000U /* several frames of such a length do not fit into a chunk */
#ifdef __SANITIZE_ADDRESS__
#define FLIP_STEP 23U /* from one flipped byte to the next */
#define DRAWS 3U      /* random power cuts at each call */
#else
#define FLIP_STEP 1U
#define DRAWS 12U
#endif

/* The calls to the log, by number of the frame. */
struct model {
    uint64_t seeds[FRAMES_MAX]; /* of the payload */
    uint32_t lengths[FRAMES_MAX];
    bool taken[FRAMES_MAX];
    uint64_t next, promised;
};

static struct model model;
static uint64_t random_state;
static bool direct; /* the disk can write past the page cache */
static uint64_t segment_bytes = SEGMENT_BYTES, first_segment_bytes;
static struct ps_key_ring *keys; /* NULL: not encrypted */

static struct ps_segment_log *open_log(void)
{
    struct ps_err err = {0};
    struct ps_segment_log *log =
        lossy_log_try((struct ps_segment_options){.segment_bytes = segment_bytes,
                                                  .first_segment_bytes = first_segment_bytes,
                                                  .keys = keys,
                                                  .active_key = keys != NULL ? "k1" : NULL},
                      &err);
    if (log == NULL && disk.power_until == 0)
        fail_msg("%s", err.text);
    return log;
}

static void start(void)
{
    lossy_init(&disk);
    disk.direct = direct;
    memset(&model, 0, sizeof model);
    model.next = 1;
}

static void payload_of(char *to, uint64_t seed, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        to[i] = (char)(seed >> (i % 8 * 8)) ^ (char)i;
}

/* Appends one frame, which is made in the log's memory or elsewhere. Returns false if the log could not. */
static bool append(struct ps_segment_log *log, uint32_t length)
{
    static char own[LONG_BYTES];
    struct ps_segment_place place;
    struct ps_err err = {0};
    uint64_t seed = ps_test_random(&random_state);
    assert_true(model.next < FRAMES_MAX && length <= sizeof own);
    char *lent = seed % 2 == 0 ? ps_segment_log_lend(log, length + (uint32_t)(seed % 100)) : NULL;
    char *payload = lent != NULL ? lent : own;
    payload_of(payload, seed, length);
    model.seeds[model.next] = seed; /* also if it fails: the frame may be on the disk */
    model.lengths[model.next] = length;
    if (ps_segment_log_append(log, payload, length, length % 7, length, &place, &err) != PS_OK)
        return false;
    assert_int_equal(place.number, model.next);
    model.next++;
    return true;
}

static bool sync_log(struct ps_segment_log *log)
{
    struct ps_err err = {0};
    if (ps_segment_log_sync(log, &err) != PS_OK)
        return false;
    model.promised = model.next - 1;
    assert_int_equal(ps_segment_log_promised(log), model.promised);
    return true;
}

static void expect_frame(const struct ps_segment_place *place)
{
    static char wanted[LONG_BYTES], got[LONG_BYTES];
    assert_in_range(place->number, 1, model.next);
    assert_int_equal(place->length, model.lengths[place->number]);
    assert_int_equal(place->count, place->length % 7);
    payload_of(wanted, model.seeds[place->number], place->length);
    assert_true(lossy_log_load(place, got, NULL) == PS_SEGMENT_READ_WHOLE);
    assert_memory_equal(got, wanted, place->length);
}

static bool feed(struct ps_segment_log *log, struct ps_segment_place *place)
{
    bool fed = ps_segment_log_feed(log, place, NULL) == PS_SEGMENT_FED;
    if (fed)
        expect_frame(place);
    return fed;
}

static void take(struct ps_segment_log *log, const struct ps_segment_place *place)
{
    ps_segment_log_take(log, place);
    model.taken[place->number] = true;
}

/* Asserts that the log counts its contents correctly: frames that were appended and not taken. */
static void expect_fill(const struct ps_segment_log *log)
{
    struct ps_segment_fill fill;
    uint64_t events = 0, bytes = 0;
    for (uint64_t number = 1; number < model.next; number++) {
        events += model.taken[number] ? 0 : model.lengths[number] % 7;
        bytes += model.taken[number] ? 0 : model.lengths[number];
    }
    ps_segment_log_fill(log, &fill);
    assert_int_equal(fill.events, events);
    assert_int_equal(fill.bytes, bytes);
}

/* Everything that the model has comes out, in order; with `taken_may_come` taken frames may come as well. */
static void expect_rest(struct ps_segment_log *log, bool taken_may_come)
{
    struct ps_segment_place place;
    uint64_t last = 0;
    while (feed(log, &place)) {
        assert_true(place.number > last);
        for (uint64_t number = last + 1; number < place.number; number++)
            assert_true(model.taken[number]);
        assert_true(!model.taken[place.number] || taken_may_come);
        last = place.number;
        ps_segment_log_take(log, &place);
    }
    for (uint64_t number = last + 1; number <= model.promised; number++)
        assert_true(model.taken[number]);
    struct ps_segment_fill fill;
    ps_segment_log_fill(log, &fill);
    assert_int_equal(fill.events, 0);
    assert_int_equal(fill.bytes, 0);
    assert_int_equal(fill.frames_lost, 0);
}

/* ---- tests ---- */

static void test_comes_out(void **state)
{
    start();
    struct ps_segment_log *log = open_log();
    struct ps_segment_place place;
    struct ps_segment_fill fill;
    assert_false(feed(log, &place));
    assert_true(append(log, 100) && append(log, 0) && append(log, 300));
    assert_false(feed(log, &place)); /* nothing is promised */
    assert_true(sync_log(log));
    assert_true(feed(log, &place));
    take(log, &place);
    assert_true(append(log, 2 * SEGMENT_BYTES) && append(log, 5)); /* longer than a segment */
    assert_true(sync_log(log));
    ps_segment_log_fill(log, &fill);
    assert_int_equal(fill.events, 0 % 7 + 300 % 7 + 2 * SEGMENT_BYTES % 7 + 5);
    assert_int_equal(fill.bytes, 300 + 2 * SEGMENT_BYTES + 5);
    ps_segment_log_close(log);
    log = open_log();
    assert_int_equal(report_count, 0);
    expect_rest(log, false);
    assert_true(sync_log(log));
    ps_segment_log_fill(log, &fill);
    assert_true(fill.segments <= 2); /* earlier ones are removed */
    ps_segment_log_close(log);
    lossy_fini(&disk);
}

static void copy_file(const char *from_path, const char *to_path)
{
    static char bytes[4 * SEGMENT_BYTES];
    int from = files.open(files.argument, from_path, false);
    int to = files.open(files.argument, to_path, true);
    assert_true(from >= 0 && to >= 0);
    ssize_t length = files.read(files.argument, from, bytes, sizeof bytes, 0);
    assert_true(length > 0 && files.allocate(files.argument, to, (uint64_t)length) == 0);
    assert_int_equal(files.write(files.argument, to, bytes, (size_t)length, 0), length);
    files.close(files.argument, from);
    files.close(files.argument, to);
}

/* A copy of a segment in the other directory: the file in the first directory is read, whichever is the copy. The other one is
 * reported and not changed, and every frame comes out once. */
static void test_number_twice(void **state)
{
    static const struct {
        const char *own, *copy;
    } rows[] = {{"/b/000000000001.segment", "/a/000000000001.segment"},
                {"/a/000000000002.segment", "/b/000000000002.segment"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char wanted[200];
        start();
        struct ps_segment_log *log = open_log();
        assert_true(append(log, 2 * SEGMENT_BYTES) && append(log, 100) && append(log, 50) && sync_log(log));
        ps_segment_log_close(log);
        copy_file(rows[i].own, rows[i].copy);
        log = open_log();
        assert_int_equal(report_count, 1);
        snprintf(wanted, sizeof wanted,
                 "/b%s: /a also has a segment with this number: the channel does not read this file",
                 strrchr(rows[i].own, '/'));
        assert_string_equal(reports[0], wanted);
        expect_rest(log, false);
        ps_segment_log_close(log);
        lossy_fini(&disk);
    }
}

/* Frames that are made in the log's memory, where chunks end before they are full and segments are several chunks long. */
static void test_chunks_end_early(void **state)
{
    struct ps_segment_place place;
    segment_bytes = UINT64_C(3) << 20;
    start();
    struct ps_segment_log *log = open_log();
    for (unsigned i = 0; i < 80; i++) {
        assert_true(append(log, (uint32_t)(ps_test_random(&random_state) % LONG_BYTES)));
        assert_true(ps_test_random(&random_state) % 3 > 0 || sync_log(log));
        if (ps_test_random(&random_state) % 3 == 0 && feed(log, &place))
            take(log, &place);
    }
    assert_true(sync_log(log));
    expect_fill(log);
    ps_segment_log_close(log);
    log = open_log();
    assert_int_equal(report_count, 0);
    expect_rest(log, false);
    ps_segment_log_close(log);
    lossy_fini(&disk);
    segment_bytes = SEGMENT_BYTES;
}

/* The first segment is small, and each full segment is followed by a larger one, also after a restart. A failed write does not
 * make the next segment larger. */
static void test_first_segments_are_small(void **state)
{
    const uint64_t sizes[] = {1024, 8192, 10000, 10000};
    uint64_t before = segment_bytes, first_before = first_segment_bytes;
    segment_bytes = 10000;
    first_segment_bytes = 1024;
    start();
    for (unsigned life = 0; life < 2; life++) {
        struct ps_segment_log *log = open_log();
        struct ps_err err = {0};
        size_t old = log->count;
        for (unsigned i = 0; i < 3; i++) { /* a disk that fails again and again */
            assert_true(append(log, 10));
            disk.fail_at = disk.changes + 1;
            disk.fail_errno = EIO;
            assert_false(sync_log(log));
            model.next = model.promised + 1;
            assert_int_equal(ps_segment_log_renew(log, &err), PS_OK);
        }
        while (log->count < old + PS_COUNT_OF(sizes))
            assert_true(append(log, 500) && sync_log(log));
        for (size_t i = 0; i < PS_COUNT_OF(sizes); i++)
            assert_int_equal(log->segments[old + i].size, sizes[i]);
        disk.allocate_max = 5000; /* a disk, or a quota of the user, with room for small ones */
        disk.allocate_errno = life == 0 ? ENOSPC : EDQUOT;
        for (old = log->count; log->count < old + 2;)
            assert_true(append(log, 500) && sync_log(log));
        assert_int_equal(log->segments[old].size, 1250);
        assert_int_equal(log->segments[old + 1].size, 1250);
        disk.allocate_max = 1000; /* too little for the smallest */
        while (append(log, 500) && sync_log(log)) {
        }
        model.next = model.promised + 1;
        disk.allocate_max = 0;
        assert_int_equal(ps_segment_log_renew(log, &err), PS_OK);
        assert_int_equal(log->segments[log->count - 1].size, 1024);
        ps_segment_log_close(log);
    }
    struct ps_segment_log *log = open_log();
    assert_int_equal(report_count, 0);
    expect_rest(log, false);
    ps_segment_log_close(log);
    lossy_fini(&disk);
    segment_bytes = before;
    first_segment_bytes = first_before;
}

/* Only the process ends, not the machine: written frames are there, promised or not, and frames that were taken and
 * noted are not fed again. */
static void test_killed(void **state)
{
    random_state = ps_test_seed();
    for (unsigned round = 0; round < 200; round++) {
        start();
        struct ps_segment_log *log = open_log();
        for (unsigned turn = 0, turns = 1 + (unsigned)(ps_test_random(&random_state) % 60); turn < turns;
             turn++) {
            struct ps_segment_place place;
            uint64_t what = ps_test_random(&random_state) % 8;
            if (what < 4 && model.next + 1 < FRAMES_MAX)
                assert_true(append(log, (uint32_t)(ps_test_random(&random_state) % 900)));
            else if (what < 6)
                assert_true(sync_log(log));
            else if (feed(log, &place) && what == 6)
                take(log, &place);
        }
        bool noted = sync_log(log);
        assert_true(noted);
        lossy_restart(&disk, NULL); /* without a close */
        struct ps_segment_log *again = open_log();
        assert_int_equal(report_count, 0);
        expect_fill(again);
        expect_rest(again, false);
        ps_segment_log_close(again);
        ps_segment_log_close(log); /* frees it; what it writes to the disk no longer matters */
        lossy_fini(&disk);
    }
}

/* A small workload: 40 frames in groups, some of which are taken. Ends when the power is cut. */
static void workload(uint64_t seed)
{
    random_state = seed;
    struct ps_segment_log *log = open_log();
    if (log == NULL)
        return;
    bool works = true;
    for (unsigned group = 0; works && group < 10; group++) {
        struct ps_segment_place place;
        for (unsigned i = 0; works && i < 4; i++)
            works = append(log, (uint32_t)(ps_test_random(&random_state) % 700));
        works = works && sync_log(log);
        for (unsigned i = 0; works && i < 3; i++) {
            if (feed(log, &place))
                take(log, &place);
        }
    }
    ps_segment_log_close(log);
}

/* The power goes at each call that changes the disk, and the unsynced writes that survive are random. */
static void test_power_cuts(void **state)
{
    uint64_t seed = ps_test_seed();
    start();
    workload(seed);
    uint64_t calls = disk.changes;
    lossy_fini(&disk);
    assert_true(calls > 50);
    for (uint64_t cut = 1; cut <= calls + 1; cut++) {
        for (unsigned draw = 0; draw < (keys != NULL ? 3 : DRAWS); draw++) {
            uint64_t random = seed * 1000 + cut * 16 + draw + 1;
            start();
            disk.power_until = cut;
            workload(seed);
            lossy_restart(&disk, &random);
            struct ps_segment_log *log = open_log();
            expect_rest(log, true);
            ps_segment_log_close(log);
            lossy_fini(&disk);
        }
    }
}

/* Frames that another process reads after a kill may not have reached the disk. Then they are promised, so a power cut
 * must not lose them. */
static void test_killed_then_power_cut(void **state)
{
    random_state = ps_test_seed();
    for (unsigned round = 0; round < 40; round++) {
        start();
        struct ps_segment_log *log = open_log(), *second;
        assert_true(append(log, 300) && sync_log(log));
        assert_true(append(log, 500) && append(log, 600));
        disk.fail_at = disk.changes + 2; /* the write is done, the sync is not */
        disk.fail_errno = EIO;
        assert_false(sync_log(log));
        second = open_log(); /* as another process, while the system lives on */
        model.promised = ps_segment_log_promised(second);
        assert_int_equal(model.promised, 3);
        lossy_restart(&disk, &random_state);
        struct ps_segment_log *third = open_log();
        expect_rest(third, false);
        disk.power_until = 1; /* closing frees, and changes nothing */
        ps_segment_log_close(third);
        ps_segment_log_close(second);
        ps_segment_log_close(log);
        lossy_fini(&disk);
    }
}

static size_t files_there(void)
{
    size_t count = 0;
    for (size_t i = 0; i < disk.count; i++)
        count += disk.files[i].there;
    return count;
}

/* One call fails and those after it work: the log begins another segment, and what was not promised is appended again. */
static void test_failing_calls(void **state)
{
    uint64_t seed = ps_test_seed();
    static const int errors[] = {EIO, ENOSPC};
    for (uint64_t at = 4;; at++) { /* earlier calls make the log's files: opening would fail */
        start();
        random_state = seed;
        struct ps_segment_log *log = open_log();
        size_t others = files_there() - log->count;
        disk.fail_at = at;
        disk.fail_errno = errors[at % 2];
        unsigned failures = 0;
        for (unsigned group = 0; group < 10; group++) {
            struct ps_segment_place place;
            struct ps_err err = {0};
            bool works = false;
            while (!works) {
                works = true;
                for (unsigned i = 0; works && i < 4; i++)
                    works = append(log, (uint32_t)(ps_test_random(&random_state) % 700));
                works = works && sync_log(log);
                if (works)
                    break;
                assert_true(++failures < 3);
                for (size_t before = files_there(); ps_segment_log_renew(log, &err) != PS_OK;) {
                    assert_true(++failures < 3);
                    assert_int_equal(files_there(),
                                     before); /* on a full disk this is tried again and again */
                }
                model.promised = ps_segment_log_promised(log);
                model.next = model.promised + 1;
            }
            for (unsigned i = 0; i < 3; i++) {
                if (feed(log, &place))
                    take(log, &place);
            }
        }
        bool reached = disk.changes >= at;
        /* A segment that could not be begun is not left behind: on a full disk that is tried again and again. (What could not be
         * removed stays until the next recovery.) */
        if (failures > 0)
            assert_int_equal(files_there(), others + log->count);
        if (at % 3 == 0) {
            lossy_restart(&disk, at % 2 == 0 ? NULL : &random_state);
            struct ps_segment_log *again = open_log();
            expect_rest(again, true);
            ps_segment_log_close(again);
            disk.power_until = 1; /* closing the first one frees, and changes nothing */
        } else {
            expect_rest(log, false);
        }
        ps_segment_log_close(log);
        lossy_fini(&disk);
        if (!reached)
            break;
    }
}

/* Makes a log of 24 promised frames, of which the first five were delivered. */
static void make_log(uint64_t seed, bool closed)
{
    start();
    random_state = seed;
    struct ps_segment_log *log = open_log();
    struct ps_segment_place place;
    for (unsigned group = 0; group < 6; group++) {
        for (unsigned i = 0; i < 4; i++)
            assert_true(append(log, 1 + (uint32_t)(ps_test_random(&random_state) % 700)));
        assert_true(sync_log(log));
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_true(feed(log, &place));
        take(log, &place);
    }
    assert_true(sync_log(log));
    if (!closed) {
        struct lossy_disk copy = disk; /* closing no longer changes it */
        disk.power_until = 1;
        ps_segment_log_close(log);
        disk.power_until = copy.power_until;
    } else {
        ps_segment_log_close(log);
    }
    lossy_restart(&disk, NULL);
}

/* Reads everything. Returns how many frames are missing of those that were not taken. */
static unsigned count_missing(void)
{
    static char payload[3 * SEGMENT_BYTES], wanted[3 * SEGMENT_BYTES];
    bool came[FRAMES_MAX] = {false};
    struct ps_segment_place place;
    struct ps_segment_fill fill;
    unsigned missing = 0;
    struct ps_segment_log *log = open_log();
    while (ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED) {
        assert_in_range(place.number, 1, model.next - 1);
        assert_false(came[place.number]);
        if (lossy_log_load(&place, payload, NULL) != PS_SEGMENT_READ_WHOLE) {
            ps_segment_log_lost(log, &place);
            continue;
        }
        assert_int_equal(place.length, model.lengths[place.number]);
        payload_of(wanted, model.seeds[place.number], place.length);
        assert_memory_equal(payload, wanted, place.length);
        came[place.number] = true;
        ps_segment_log_take(log, &place);
    }
    for (uint64_t number = 1; number <= model.promised; number++)
        missing += !came[number] && !model.taken[number];
    ps_segment_log_fill(log, &fill);
    assert_int_equal(fill.events, 0);
    ps_segment_log_close(log);
    return missing;
}

/* Every byte of every file is flipped, one at a time: only the frame that contains it is lost, and each loss is
 * reported. A flipped byte in the head of a segment loses the whole segment; one in the state loses nothing. */
static void test_flipped_bytes(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned closed = keys != NULL ? 1 : 0; closed < 2; closed++) {
        make_log(seed, closed == 1);
        struct lossy_disk whole = disk;
        for (size_t f = 0; f < whole.count; f++) {
            const char *path = whole.files[f].path;
            bool is_state = strcmp(path, "/state/state") == 0;
            size_t length = whole.files[f].there ? whole.files[f].now_length : 0;
            for (size_t at = 0; at < length; at += is_state ? 97 : FLIP_STEP) {
                lossy_copy(&disk, &whole);
                struct lossy_file *file = &disk.files[f];
                file->now[at] = (char)(file->now[at] ^ (char)(1U << at % 8));
                unsigned missing = count_missing();
                if (missing > 0 && report_count == 0)
                    fail_msg("byte %zu of %s: %u frames are missing without a word", at, path, missing);
                if (is_state || at < (keys != NULL ? PS_SEGMENT_SEALED_HEAD_BYTES : PS_SEGMENT_HEAD_BYTES))
                    assert_true(!is_state || missing == 0);
                else
                    assert_in_range(missing, 0, 1);
                lossy_fini(&disk);
            }
        }
        lossy_fini(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_out),
        cmocka_unit_test(test_number_twice),
        cmocka_unit_test(test_chunks_end_early),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_killed_then_power_cut),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_first_segments_are_small),
    };
    int failed = cmocka_run_group_tests_name("through the page cache", tests, NULL, NULL);
    direct = true;
    first_segment_bytes =
        1024; /* SEGMENT_BYTES is reached in steps: power cuts also meet files of each size */
    failed += cmocka_run_group_tests_name("past the page cache", tests, NULL, NULL);
    struct ps_err err = {0};
    keys = ps_key_ring_create();
    failed +=
        ps_key_ring_add(keys, "k1", (const uint8_t *)"0123456789abcdefghijklmnopqrstuv", 32, &err) != PS_OK;
    failed += cmocka_run_group_tests_name("encrypted", tests, NULL, NULL);
    ps_key_ring_destroy(keys);
    ps_sealer_fini(&sealer);
    return failed;
}
