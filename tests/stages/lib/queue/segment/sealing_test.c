/* An encrypted log: frames that were moved or changed, with right checksums, are noticed; nothing is encrypted twice at one place with
 * one key. */
#include "tests/stages/lib/queue/segment/lossy_log.h"

#include <errno.h>
#include <stdlib.h>

#include "core/crc32c.h"

#define SEGMENT_BYTES 4096U
#define TEXT "the quick brown fox jumps over the lazy dog" /* body of each event */

/* "a16 b32": key a of 16 bytes, key b of 32; "b32x": another key with the name b. */
static struct ps_key_ring *make_keys(const char *names)
{
    struct ps_key_ring *ring = ps_key_ring_create();
    struct ps_err err = {0};
    for (const char *at = names; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " ")) {
        uint8_t bytes[PS_KEY_BYTES_MAX];
        char name[2] = {at[0], '\0'};
        memset(bytes, at[3] == 'x' ? 0x55 : at[0], sizeof bytes);
        assert_int_equal(ps_key_ring_add(ring, name, bytes, (size_t)atoi((char[]){at[1], at[2], '\0'}), &err),
                         PS_OK);
    }
    return ring;
}

static struct ps_segment_log *open_log(const struct ps_key_ring *keys, const char *active)
{
    return lossy_log_open((struct ps_segment_options){
        .segment_bytes = SEGMENT_BYTES, .keys = keys, .active_key = active, .plain = active == NULL});
}

/* Appends frames with TEXT and their numbers, and syncs. */
static void put(struct ps_segment_log *log, unsigned first, unsigned last)
{
    for (unsigned number = first; number <= last; number++) {
        struct ps_segment_place place;
        char payload[128];
        int length = snprintf(payload, sizeof payload, "%s %03u", TEXT, number);
        lossy_log_append(log, payload, (uint32_t)length, &place);
        assert_int_equal(place.number, number);
    }
    lossy_log_sync(log);
}

/* Reads what comes, and returns the numbers: "1-3 7". Takes the frames if `takes`. */
static const char *come(struct ps_segment_log *log, bool takes)
{
    static char text[512];
    struct ps_segment_place place;
    unsigned first = 0, last = 0;
    size_t length = 0;
    text[0] = '\0';
    while (ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED) {
        char payload[256], wanted[128];
        int wanted_length = snprintf(wanted, sizeof wanted, "%s %03u", TEXT, (unsigned)place.number);
        if (lossy_log_load(&place, payload, NULL) != PS_SEGMENT_READ_WHOLE) {
            ps_segment_log_lost(log, &place);
            continue;
        }
        assert_int_equal(place.length, wanted_length);
        assert_memory_equal(payload, wanted, (size_t)wanted_length);
        if (takes)
            ps_segment_log_take(log, &place);
        if (first > 0 && place.number != last + 1) {
            length += (size_t)snprintf(text + length, sizeof text - length, "%u-%u ", first, last);
            first = 0;
        }
        first = first > 0 ? first : (unsigned)place.number;
        last = (unsigned)place.number;
    }
    if (first > 0)
        snprintf(text + length, sizeof text - length, "%u-%u", first, last);
    return text;
}

/* ---- tests ---- */

/* ---- frames that were changed and have correct checksums ---- */

static struct lossy_file *segment_file(unsigned number)
{
    char path[64];
    snprintf(path, sizeof path, "/%c/%012u.segment", number % 2 == 0 ? 'a' : 'b', number);
    struct lossy_file *file = lossy_find(&disk, path);
    assert_non_null(file);
    return file;
}

/* Writes the head again with a correct checksum for `salt`. */
static void make_right(char *at, uint32_t salt, struct ps_frame frame)
{
    frame.checksum = ps_frame_checksum(salt, at + PS_FRAME_HEAD_BYTES, frame.length);
    ps_frame_write(at, &frame, salt);
}

enum change {
    NO_CHANGE,
    SWAPPED,
    FROM_ANOTHER_SEGMENT,
    OTHER_COUNT,
    OTHER_PROMISED,
    OTHER_CIPHERTEXT,
    OTHER_TAG,
    SHORTER_THAN_A_TAG,
    CHANGES
};

static void change_frames(enum change change)
{
    struct ps_segment_head head, other_head;
    struct ps_frame one, two;
    char *file = segment_file(1)->now, *other = segment_file(2)->now, copy[512];
    assert_true(ps_segment_head_read(file, &head) && ps_segment_head_read(other, &other_head));
    char *first = file + PS_SEGMENT_SEALED_HEAD_BYTES;
    assert_true(ps_frame_read(first, head.salt, &one));
    char *second = first + ps_frame_span(one.length);
    assert_true(ps_frame_read(second, head.salt, &two));
    size_t span = (size_t)ps_frame_span(one.length);
    assert_int_equal(one.length, two.length);
    switch (change) {
    case SWAPPED: /* each has the other's payload and tag */
        memcpy(copy, first + PS_FRAME_HEAD_BYTES, one.length);
        memcpy(first + PS_FRAME_HEAD_BYTES, second + PS_FRAME_HEAD_BYTES, one.length);
        memcpy(second + PS_FRAME_HEAD_BYTES, copy, one.length);
        make_right(second, head.salt, two);
        break;
    case FROM_ANOTHER_SEGMENT: /* at the same place, with the same number */
        memcpy(first, other + PS_SEGMENT_SEALED_HEAD_BYTES, span);
        break;
    case OTHER_COUNT:
        one.count = 7;
        break;
    case OTHER_PROMISED:
        one.promised = 1;
        break;
    case OTHER_CIPHERTEXT:
        first[PS_FRAME_HEAD_BYTES] = (char)(first[PS_FRAME_HEAD_BYTES] ^ 1);
        break;
    case OTHER_TAG:
        first[PS_FRAME_HEAD_BYTES + one.length - 1] =
            (char)(first[PS_FRAME_HEAD_BYTES + one.length - 1] ^ 0x80);
        break;
    case SHORTER_THAN_A_TAG:
        one.length = PS_SEAL_TAG_BYTES - 1;
        break;
    case NO_CHANGE:
    case CHANGES:
        break;
    }
    make_right(first, head.salt, one);
}

static void test_changes_are_noticed(void **state)
{
    struct ps_key_ring *keys = make_keys("a32");
    for (enum change change = NO_CHANGE; change < CHANGES; change++) {
        lossy_init(&disk);
        struct ps_segment_log *log = open_log(keys, "a");
        put(log, 1, 40);
        ps_segment_log_close(log);
        change_frames(change);
        log = open_log(keys, "a");
        const char *wanted = change == NO_CHANGE ? "1-40" : change == SWAPPED ? "3-40" : "2-40";
        assert_string_equal(come(log, true), wanted);
        assert_int_equal(report_count > 0, change != NO_CHANGE);
        struct ps_segment_fill fill;
        struct ps_err err = {0};
        assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
        ps_segment_log_close(log);
        log = open_log(keys, "a"); /* the lost frame is not searched for again */
        ps_segment_log_fill(log, &fill);
        assert_int_equal(fill.events, 0);
        assert_string_equal(come(log, true), "");
        ps_segment_log_close(log);
        lossy_fini(&disk);
    }
    ps_key_ring_destroy(keys);
}

/* Frames with a valid head, any length, and the right checksum of the payload: one without room for its tag is damaged,
 * and one that has only a tag has no event. Neither is delivered; later frames are. */
static void test_lengths_around_the_tag(void **state)
{
    static const uint32_t lengths[] = {0, 1, PS_SEAL_TAG_BYTES - 1, PS_SEAL_TAG_BYTES, PS_SEAL_TAG_BYTES + 1};
    struct ps_key_ring *keys = make_keys("a32");
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        struct ps_segment_head head;
        struct ps_segment_place place;
        struct ps_frame frame;
        lossy_init(&disk);
        struct ps_segment_log *log = open_log(keys, "a");
        put(log, 1, 40);
        ps_segment_log_close(log);
        char *file = segment_file(1)->now, *first = file + PS_SEGMENT_SEALED_HEAD_BYTES;
        assert_true(ps_segment_head_read(file, &head));
        assert_true(ps_frame_read(first, head.salt, &frame));
        frame.length = lengths[i];
        make_right(first, head.salt, frame);
        log = open_log(keys, "a");
        unsigned whole_count = 0;
        while (ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED) {
            char payload[256];
            assert_in_range(place.length, 0, sizeof payload);
            bool whole = lossy_log_load(&place, payload, NULL) == PS_SEGMENT_READ_WHOLE;
            assert_int_equal(whole, place.number > 1);
            assert_true(whole || lengths[i] >= PS_SEAL_TAG_BYTES);
            whole_count += whole;
            if (!whole)
                ps_segment_log_lost(log, &place);
        }
        assert_true(report_count > 0);
        assert_int_equal(whole_count, 39);
        ps_segment_log_close(log);
        lossy_fini(&disk);
    }
    ps_key_ring_destroy(keys);
}

/* The head of a segment cannot be changed either, as that changes the key. */
static void test_a_changed_head(void **state)
{
    struct ps_key_ring *keys = make_keys("a32");
    struct ps_segment_head head;
    for (unsigned what = 0; what < 3; what++) {
        lossy_init(&disk);
        struct ps_segment_log *log = open_log(keys, "a");
        put(log, 1, 10);
        ps_segment_log_close(log);
        assert_true(ps_segment_head_read(segment_file(1)->now, &head));
        head.sealing.salt[3] ^= what == 0;
        head.sealing.tag[15] ^= what == 1;
        head.salt ^= what == 2;
        ps_segment_head_write(segment_file(1)->now, &head);
        log = open_log(keys, "a");
        assert_true(lossy_log_reported("differs from the key"));
        assert_string_equal(come(log, true), "");
        ps_segment_log_close(log);
        lossy_fini(&disk);
    }
    ps_key_ring_destroy(keys);
}

/* ---- nonces ---- */

/* With one key and nonce, two ciphertexts would begin alike where their plain texts do. All events here begin alike, so
 * no two frames of one or two files may begin alike, whatever failed, and however often the log was opened. */
static void test_no_nonce_comes_twice(void **state)
{
    enum { FRAMES = 3000, ROUNDS = 30 };
    static char begins[FRAMES][16];
    struct ps_key_ring *keys = make_keys("a16");
    uint64_t random = ps_test_seed();
    size_t count = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        lossy_init(&disk);
        unsigned number = 1;
        for (unsigned life = 0; life < 3; life++) {
            struct ps_segment_log *log = open_log(keys, "a");
            for (unsigned turn = 0; turn < 8; turn++) {
                char payload[100] = TEXT;
                struct ps_segment_place place;
                struct ps_err err = {0};
                disk.fail_errno = EIO;
                disk.fail_at =
                    ps_test_random(&random) % 4 == 0 ? disk.changes + 1 + ps_test_random(&random) % 3 : 0;
                bool good =
                    ps_segment_log_append(log, payload, sizeof payload, 1, 1, &place, &err) == PS_OK &&
                    ps_segment_log_sync(log, &err) == PS_OK;
                disk.fail_at = 0;
                if (!good)
                    assert_int_equal(ps_segment_log_renew(log, &err), PS_OK);
                number++;
            }
            ps_segment_log_close(log);
            lossy_restart(&disk, ps_test_random(&random) % 2 == 0 ? NULL : &random);
        }
        for (size_t i = 0; i < disk.count; i++) {
            const struct lossy_file *file = &disk.files[i];
            struct ps_segment_head head;
            struct ps_frame frame;
            if (!file->there || strstr(file->path, ".segment") == NULL ||
                file->now_length < PS_SEGMENT_SEALED_HEAD_BYTES || !ps_segment_head_read(file->now, &head))
                continue;
            for (size_t at = PS_SEGMENT_SEALED_HEAD_BYTES; at + 200 < file->now_length; at += PS_FRAME_ALIGN)
                if (ps_frame_read(file->now + at, head.salt, &frame) && frame.kind == PS_FRAME_EVENTS) {
                    assert_true(count < FRAMES);
                    memcpy(begins[count++], file->now + at + PS_FRAME_HEAD_BYTES, sizeof begins[0]);
                }
        }
        lossy_fini(&disk);
    }
    assert_true(count > ROUNDS * 8);
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            assert_memory_not_equal(begins[i], begins[k], sizeof begins[0]);
    ps_key_ring_destroy(keys);
}

static int free_sealer(void **state)
{
    ps_sealer_fini(&sealer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_are_noticed),
        cmocka_unit_test(test_lengths_around_the_tag),
        cmocka_unit_test(test_a_changed_head),
        cmocka_unit_test(test_no_nonce_comes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, free_sealer);
}
