/* A disk that cannot be read, once or for a while: the log takes nothing for lost, delivered or never written. It does
 * not open, or does not feed, then goes on from the same place when the disk works again. A block that is given up
 * (zeros take its place, as with `penstock channel repair --give-up-unreadable`) costs only the frames in it. */
#include "stages/lib/queue/segment/give_up.h"

#include "tests/stages/lib/queue/segment/lossy_log.h"

#define FRAMES 30U
#define DELIVERED 5U
#define SEGMENT_BYTES 12288U /* three blocks: a file is given up by blocks of 4,096 bytes */
#define TRIES_MAX 200U

static struct ps_segment_log *lg;
static uint32_t lengths[FRAMES + 1];
static struct {
    char path[256];
    uint64_t from, to; /* the range of its bytes in that file, with the head */
} places[FRAMES + 1];

static bool open_log(bool gives_up, struct ps_err *err)
{
    lg = lossy_log_try(
        (struct ps_segment_options){.segment_bytes = SEGMENT_BYTES, .keeps_behind_holes = gives_up}, err);
    return lg != NULL;
}

/* Writes FRAMES frames, with a sync after every third, and delivers the first DELIVERED; then the process dies. */
static void make_log(uint64_t seed)
{
    char payload[1024];
    struct ps_segment_place place;
    struct ps_err err = {0};
    uint64_t random = seed;
    lossy_init(&disk);
    assert_true(open_log(false, &err));
    for (uint64_t number = 1; number <= FRAMES; number++) {
        lengths[number] = 1 + (uint32_t)(ps_test_random(&random) % 900);
        lossy_log_payload(payload, number, lengths[number]);
        lossy_log_append(lg, payload, lengths[number], &place);
        ps_segment_path(places[number].path, place.directory, place.segment);
        places[number].from = place.offset - PS_FRAME_HEAD_BYTES;
        places[number].to = place.offset + place.length;
        if (number % 3 == 0)
            lossy_log_sync(lg);
        for (unsigned i = 0; number == FRAMES - 6 && i < DELIVERED;
             i++) { /* recovery reads this in the tail */
            assert_int_equal(ps_segment_log_feed(lg, &place, &err), PS_SEGMENT_FED);
            ps_segment_log_take(lg, &place);
        }
    }
    lossy_log_kill(lg);
    lossy_restart(&disk, NULL);
}

static size_t files_there(void)
{
    size_t count = 0;
    for (size_t i = 0; i < disk.count; i++)
        count += disk.files[i].there;
    return count;
}

static unsigned undelivered; /* frames that came, without those that were delivered before */

/* Feeds and loads up to the first failure. Returns the number of the next frame; adds the frames that came to *came. */
static uint64_t read_on(uint64_t next, unsigned *came, struct ps_err *err)
{
    static struct ps_segment_place place; /* of a frame that was fed and could not be loaded */
    static bool fed;
    char payload[2048], wanted[1024];
    fed = fed && next > 0;
    next = next > 0 ? next : 1;
    for (;;) {
        enum ps_segment_fed result = fed ? PS_SEGMENT_FED : ps_segment_log_feed(lg, &place, err);
        fed = result == PS_SEGMENT_FED;
        if (!fed)
            return next;
        enum ps_segment_read read = lossy_log_load(&place, payload, err);
        if (read == PS_SEGMENT_READ_FAILED)
            return next;
        fed = false;
        if (read == PS_SEGMENT_READ_NOTHING) {
            ps_segment_log_lost(lg, &place);
            continue;
        }
        assert_true(place.number >= next);
        assert_int_equal(place.length, lengths[place.number]);
        lossy_log_payload(wanted, place.number, place.length);
        assert_memory_equal(payload, wanted, place.length);
        ps_segment_log_take(lg, &place);
        next = place.number + 1;
        undelivered += place.number > DELIVERED;
        (*came)++;
    }
}

/* Opens and reads everything, with a retry after each failure. No loss is reported. */
static void expect_all(void)
{
    struct ps_err err = {0};
    struct ps_segment_fill fill;
    unsigned tries = 0, came = 0;
    size_t there = files_there();
    for (; !open_log(false, &err); tries++) {
        assert_true(tries < TRIES_MAX && strstr(err.text, "cannot be read: Input/output error") != NULL);
        assert_non_null(strstr(err.text, "--give-up-unreadable"));
        assert_int_equal(files_there(), there);
    }
    for (uint64_t next = read_on(0, &came, &err); next <= FRAMES;
         next = read_on(next, &came, &err), tries++) {
        assert_true(tries < TRIES_MAX && strstr(err.text, "cannot be read: Input/output error") != NULL);
        lossy_log_sync(lg); /* writes still work, and delivered segments are removed */
    }
    assert_int_equal(came, FRAMES - DELIVERED);
    assert_int_equal(report_count, 0);
    ps_segment_log_fill(lg, &fill);
    assert_int_equal(fill.frames_lost, 0);
    assert_int_equal(fill.events, 0);
    lossy_log_kill(lg);
}

/* Each read fails once; then every nth read fails, for the 20 largest n. */
static void test_each_read_fails(void **state)
{
    make_log(ps_test_seed());
    struct lossy_disk whole = disk;
    uint64_t reads = UINT64_MAX;
    for (uint64_t at = 1; at <= reads; at++) {
        lossy_copy(&disk, &whole);
        disk.read_fail_at = at;
        expect_all();
        if (disk.reads < at)
            reads = 0;
        lossy_fini(&disk);
    }
    lossy_copy(&disk, &whole);
    expect_all();
    reads = disk.reads;
    assert_true(reads > 60); /* reads while opening and feeding */
    lossy_fini(&disk);
    /* Opening starts again after a failure, so it needs many successful reads in a row. */
    for (uint64_t every = reads; every > reads - 20; every--) {
        lossy_copy(&disk, &whole);
        disk.read_fail_every = every;
        expect_all();
        lossy_fini(&disk);
    }
    lossy_fini(&whole);
}

/* Each sector of each file in turn is unreadable until a read has failed. Once it can be read again, everything that was promised comes. */
static void ask_each_sector(uint64_t seed, unsigned *refused, unsigned *stood_still)
{
    make_log(seed);
    struct lossy_disk whole = disk;
    for (size_t f = 0; f < whole.count; f++) {
        for (size_t at = 0; whole.files[f].there && at < whole.files[f].now_length;
             at += LOSSY_SECTOR_BYTES) {
            struct ps_err err = {0};
            unsigned came = 0;
            lossy_copy(&disk, &whole);
            snprintf(disk.unreadable, sizeof disk.unreadable, "%s", whole.files[f].path);
            disk.unreadable_from = at;
            disk.unreadable_to = at + LOSSY_SECTOR_BYTES;
            if (open_log(false, &err)) {
                uint64_t next = read_on(0, &came, &err);
                *stood_still += next <= FRAMES;
                for (unsigned again = 0; again < 2; again++)
                    assert_int_equal(read_on(next, &came, &err), next); /* it waits at the same frame */
                disk.unreadable[0] = '\0';
                assert_int_equal(read_on(next, &came, &err), FRAMES + 1);
                assert_int_equal(came, FRAMES - DELIVERED);
                assert_int_equal(report_count, 0);
                lossy_log_kill(lg);
            } else {
                (*refused)++;
                assert_non_null(strstr(err.text, "cannot be read: Input/output error"));
                disk.unreadable[0] = '\0';
                expect_all();
            }
            lossy_fini(&disk);
        }
    }
    lossy_fini(&whole);
}

/* In one of 25 logs that are drawn, hardly a sector stops the reading of one that is open: then others are drawn. */
static void test_each_sector(void **state)
{
    uint64_t seed = ps_test_seed();
    unsigned refused = 0, stood_still = 0;
    for (unsigned logs = 0; logs < 10 && stood_still <= 5; logs++)
        ask_each_sector(ps_test_random(&seed), &refused, &stood_still);
    assert_true(refused > 10 && stood_still > 5);
}

static unsigned gaps;
static uint64_t gap_from, gap_to;

static void gap_seen(void *argument, uint64_t offset, uint64_t length)
{
    gaps++;
    gap_from = offset;
    gap_to = offset + length;
}

/* Replaces a file by a copy in which unreadable blocks are zero. */
static void give_up(const char *path)
{
    char copy[300];
    struct ps_err err = {0};
    files = lossy_files(&disk);
    snprintf(copy, sizeof copy, "%s.copy", path);
    gaps = 0;
    assert_int_equal(ps_segment_give_up(&files, path, copy, gap_seen, NULL, &err), PS_OK);
    assert_int_equal(gaps, 1);
    struct lossy_file *from = lossy_find(&disk, path), *to = lossy_find(&disk, copy);
    assert_int_equal(to->now_length, from->now_length);
    for (size_t at = 0; at < from->now_length; at++) {
        bool lost = at >= gap_from && at < gap_to;
        assert_int_equal(to->now[at], lost ? 0 : from->now[at]);
    }
    from->there = false;
    snprintf(to->path, sizeof to->path, "%s", path);
    disk.unreadable[0] = '\0';
}

/* Returns whether frame `number` has bytes in the block that was given up. */
static bool is_given_up(uint64_t number, const char *path)
{
    return strcmp(places[number].path, path) == 0 && places[number].from < gap_to &&
           places[number].to > gap_from;
}

/* Each block is given up: its frames are reported, later ones come. */
static void test_given_up(void **state)
{
    make_log(ps_test_seed());
    struct lossy_disk whole = disk;
    for (size_t f = 0; f < whole.count; f++) {
        const char *path = whole.files[f].path;
        if (!whole.files[f].there || strstr(path, ".segment") == NULL)
            continue;
        /* The first block has the head: without it nothing of the file is known. */
        for (size_t at = 4096; at < whole.files[f].now_length; at += LOSSY_SECTOR_BYTES) {
            struct ps_err err = {0};
            unsigned came = 0, there = 0;
            lossy_copy(&disk, &whole);
            snprintf(disk.unreadable, sizeof disk.unreadable, "%s", path);
            disk.unreadable_from = at;
            disk.unreadable_to = at + LOSSY_SECTOR_BYTES;
            give_up(path);
            for (uint64_t number = DELIVERED + 1; number <= FRAMES; number++)
                there += !is_given_up(number, path);
            assert_true(open_log(true, &err));
            lossy_log_kill(lg); /* repair ends here: its findings are in the state */
            disk.power_until = 0;
            bool said = report_count > 0;
            assert_true(open_log(false, &err));
            undelivered = 0;
            uint64_t next = read_on(0, &came, &err);
            if (undelivered < there)
                fail_msg("%s, byte %zu: %u of %u frames came", path, at, undelivered, there);
            said |= report_count > 0;
            /* The last frames may be gone completely: `repair` names the bytes that it gives up. Delivered frames come again if
             * the block had the mark of their delivery. */
            assert_true(said || next == DELIVERED + 1 + undelivered);
            lossy_log_kill(lg);
            lossy_fini(&disk);
        }
    }
    lossy_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_read_fails),
        cmocka_unit_test(test_each_sector),
        cmocka_unit_test(test_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
