/* The structures in which a source of files keeps its state: sets of numbers, the position file, identities of files, and
 * troubles. Random sequences are compared with simple models, at lengths around each limit. */
#include "stages/lib/tail/position_file.h"
#include "stages/lib/tail/slots.h"
#include "stages/lib/tail/trouble.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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

/* ---- slots ---- */

#define ROOM_MAX 256U

/* The queue grows wherever its first number is; a number that was taken can be put again. */
static void test_slots(void **unused)
{
    for (unsigned round = 0; round < 30; round++) {
        struct ps_tail_slots slots = {.count = 0};
        uint32_t model[ROOM_MAX], count = 0, room = 0;
        bool in[ROOM_MAX] = {false};
        for (unsigned step = 0; step < 800; step++) {
            if (room == 0 || (room < ROOM_MAX && draw(60) == 0)) {
                room = room == 0 ? 4 : 2 * room;
                ps_tail_slots_grow(&slots, room);
            }
            bool filling = step / 100 % 2 == 0;
            if (draw(10) < (filling ? 8 : 3)) {
                uint32_t number = draw(3) == 0 ? room - 1 : (uint32_t)draw(room);
                ps_tail_slots_put(&slots, number);
                if (!in[number])
                    model[count++] = number;
                in[number] = true;
            } else if (count > 0) {
                assert_int_equal(ps_tail_slots_take(&slots), model[0]);
                in[model[0]] = false;
                memmove(model, model + 1, --count * sizeof *model);
            }
            assert_int_equal(slots.count, count);
        }
        ps_tail_slots_free(&slots);
        assert_int_equal(slots.count, 0);
    }
}

/* ---- the file ---- */

#define NUMBERS 150U /* of files; the file grows at 64 */

struct item {
    int64_t offset; /* -1: it has no position */
    uint64_t inode;
};

static const char *path_of(uint64_t inode)
{
    static char path[64];
    snprintf(path, sizeof path, "/logs/\"%llu\"", (unsigned long long)inode);
    return path;
}

static struct item draw_item(void)
{
    static uint64_t next_inode = 1;
    if (draw(4) == 0)
        return (struct item){.offset = -1};
    return (struct item){.offset = draw(2) == 0 ? (int64_t)draw(3) : (int64_t)(draw(UINT64_MAX) >> 1),
                         .inode = next_inode++};
}

static struct ps_tail_position position_of(const struct item *item)
{
    return (struct ps_tail_position){
        .inode = item->inode,
        .offset = item->offset,
        .path = (char *)(uintptr_t)path_of(item->inode),
        .identity = {.device = 3, .inode = item->inode, .head = item->inode ^ UINT64_MAX, .head_length = 9}};
}

static void expect_items(const struct ps_tail_positions *found, const struct item *items, size_t count,
                         size_t *expected)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].offset < 0)
            continue;
        ++*expected;
        const struct ps_tail_position *position = ps_tail_positions_find(found, items[i].inode);
        assert_non_null(position);
        assert_true(position->offset == items[i].offset);
        assert_string_equal(position->path, path_of(items[i].inode));
        assert_true(position->identity.head == (items[i].inode ^ UINT64_MAX));
    }
}

/* After a crash between the writes of the two files, the position file is the previous one. What is loaded are the positions
 * of the new write, which the second file has. */
static void expect_after_a_crash(const char *path, const char *before, size_t expected)
{
    struct ps_tail_positions found;
    struct ps_err err = {.length = 0};
    char *text = strdup(ps_test_folder_read("positions.json"));
    assert_non_null(text);
    assert_int_equal(unlink(path), 0);
    ps_test_folder_append("positions.json", before, strlen(before));
    assert_int_equal(ps_tail_positions_load(path, &found, &err), PS_OK);
    assert_int_equal(found.count, expected);
    ps_tail_positions_free(&found);
    assert_int_equal(unlink(path), 0);
    ps_test_folder_append("positions.json", text, strlen(text));
    free(text);
}

/* After a write the position file has the last note of each number, and nothing else. */
static void test_ledger(void **unused)
{
    for (unsigned round = 0; round < 6; round++) {
        char path[300];
        snprintf(path, sizeof path, "%s", ps_test_folder_path("positions.json"));
        struct ps_err err = {.length = 0};
        struct item remembered[NUMBERS], logs[NUMBERS];
        struct ps_tail_positions read = {.count = 0};
        struct ps_tail_notes notes = {.count = 0};
        struct ps_tail_position_file *file = ps_tail_position_file_create();
        (void)unlink(path);
        size_t read_count = round == 0 ? 0 : draw(NUMBERS);
        for (size_t i = 0; i < NUMBERS; i++)
            remembered[i].offset = logs[i].offset = -1;
        for (size_t i = 0; i < read_count; i++) {
            do
                remembered[i] = draw_item();
            while (remembered[i].offset < 0);
            struct ps_tail_position position = position_of(&remembered[i]);
            ps_tail_positions_add(&read, &position);
        }
        ps_tail_position_file_remember(file, &read);
        ps_tail_positions_free(&read); /* the file has copies */
        for (unsigned step = 0; step < 12; step++) {
            for (uint64_t more = draw(step == 3 ? 200 : 20); more > 0; more--) {
                bool old = read_count > 0 && draw(2) == 0;
                uint32_t number = (uint32_t)draw(old ? read_count : NUMBERS);
                struct item item = draw_item(), *place = old ? &remembered[number] : &logs[number];
                struct ps_tail_position position = position_of(&item);
                ps_tail_notes_add(&notes, number, old, item.offset < 0 ? NULL : &position);
                *place = item;
            }
            ps_tail_position_file_hold(file); /* as a job does */
            const char *text = ps_test_folder_read("positions.json");
            char *before = text != NULL ? strdup(text) : NULL;
            ps_tail_position_file_take(file, &notes);
            assert_int_equal(notes.count, 0);
            assert_int_equal(ps_tail_position_file_write(file, path, &err), PS_OK);
            ps_tail_position_file_drop(file);
            struct ps_tail_positions found;
            assert_int_equal(ps_tail_positions_load(path, &found, &err), PS_OK);
            size_t expected = 0;
            expect_items(&found, remembered, NUMBERS, &expected);
            expect_items(&found, logs, NUMBERS, &expected);
            assert_int_equal(found.count, expected);
            if (before != NULL)
                expect_after_a_crash(path, before, expected);
            free(before);
            assert_true(found.ours && !found.cut);
            ps_tail_positions_free(&found);
        }
        /* Notes that are never written. */
        struct item item = {.offset = 1, .inode = 1};
        struct ps_tail_position position = position_of(&item);
        ps_tail_notes_add(&notes, 0, false, &position);
        ps_tail_notes_free(&notes);
        ps_tail_position_file_drop(file);
    }
}

/* All that a note has of a position is written, and belongs to the list: what the caller had may be changed or freed. The marks behind the
 * position are not written. */
static void test_all_of_a_note(void **unused)
{
    char path[300], name[] = "/logs/app";
    struct ps_err err = {.length = 0};
    struct ps_tail_notes notes = {.count = 0};
    struct ps_tail_positions found;
    struct ps_tail_position_file *file = ps_tail_position_file_create();
    struct ps_tail_mark marks[] = {{.offset = 100, .hash = 7, .length = 64},
                                   {.offset = 200, .hash = UINT64_MAX, .length = 65},
                                   {.offset = 201, .hash = 9, .length = 66}};
    snprintf(path, sizeof path, "%s", ps_test_folder_path("all.json"));
    for (unsigned i = 0; i < 3; i++) {
        struct ps_tail_position position = {
            .inode = 100 + i,
            .offset = 200,
            .path = name,
            .identity = {.device = 3, .inode = 100 + i, .head = 5 + i, .head_length = 6 + i},
            .marks = {.items = marks, .count = 3},
            .serial = {.own = UINT64_MAX - i, .before = 8 + i, .from = 9 + i}};
        ps_tail_notes_add(&notes, i, i == 1, &position);
    }
    memset(marks, 0, sizeof marks);
    memset(name, '#', sizeof name - 1);
    ps_tail_position_file_take(file, &notes);
    assert_int_equal(ps_tail_position_file_write(file, path, &err), PS_OK);
    assert_int_equal(ps_tail_positions_load(path, &found, &err), PS_OK);
    assert_int_equal(found.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct ps_tail_position *position = ps_tail_positions_find(&found, 100 + i);
        assert_string_equal(position->path, "/logs/app");
        assert_true(position->identity.device == 3 && position->identity.head == 5 + i);
        assert_int_equal(position->identity.head_length, 6 + i);
        assert_true(position->serial.own == UINT64_MAX - i && position->serial.before == 8 + i);
        assert_int_equal(position->serial.from, 9 + i);
        assert_int_equal(position->marks.count, 2);
        assert_true(position->marks.items[0].hash == 7 && position->marks.items[0].length == 64);
        assert_true(position->marks.items[1].hash == UINT64_MAX && position->marks.items[1].offset == 200);
    }
    ps_tail_positions_free(&found);
    ps_tail_notes_free(&notes);
    ps_tail_position_file_drop(file);
}

/* ---- identities of files ---- */

static int file_of(const char *bytes, size_t length)
{
    int fd = open(ps_test_folder_path("file"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    return fd;
}

/* Pieces that continue, overlap, or leave a gap: the fingerprint covers the bytes that were seen from the beginning on,
 * and equals the one that is read from the file. */
static void test_identity_by_pieces(void **unused)
{
    static const size_t lengths[] = {0, 1, 2, 1022, 1023, 1024, 1025, 3000};
    static char bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + draw(26));
    for (unsigned round = 0; round < 200; round++) {
        size_t length = lengths[round % PS_COUNT_OF(lengths)];
        struct ps_tail_identity identity = {.head_length = 0}, read;
        size_t known = 0;
        for (unsigned pieces = 0; pieces < 12; pieces++) {
            size_t begin = draw(3) == 0 ? (size_t)draw(length + 1) : (known < length ? known : length);
            size_t piece = (size_t)draw(draw(2) == 0 ? 3 : length + 1);
            if (begin + piece > length)
                piece = length - begin;
            ps_tail_identity_extend(&identity, bytes + begin, piece, (int64_t)begin);
            if (begin <= known && begin + piece > known)
                known = begin + piece;
            size_t covered = known < PS_TAIL_HEAD_BYTES ? known : PS_TAIL_HEAD_BYTES;
            assert_int_equal(identity.head_length, covered);
            if (covered > 0)
                assert_true(identity.head == ps_tail_head(bytes, covered));
        }
        int fd = file_of(bytes, length);
        int64_t size = -1;
        assert_true(ps_tail_identity_read(fd, &read, &size));
        assert_int_equal(size, length);
        assert_int_equal(read.head_length, length < PS_TAIL_HEAD_BYTES ? length : PS_TAIL_HEAD_BYTES);
        assert_true(read.head == ps_tail_head(bytes, read.head_length));
        assert_true(ps_tail_identity_is_inode(&read, read.device, read.inode));
        assert_false(ps_tail_identity_is_inode(&read, read.device + 1, read.inode));
        assert_false(ps_tail_identity_is_inode(&read, read.device, read.inode + 1));
        assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_SAME);
        if (identity.head_length > 0) {
            assert_true(ps_tail_bytes_begin(&identity, bytes, identity.head_length));
            assert_false(ps_tail_bytes_begin(&identity, bytes, identity.head_length - 1));
            size_t place = draw(2) == 0 ? identity.head_length - 1 : (size_t)draw(identity.head_length);
            char other = (char)(bytes[place] ^ 1);
            assert_int_equal(pwrite(fd, &other, 1, (off_t)place), 1);
            assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_OTHER);
            assert_int_equal(pwrite(fd, bytes + place, 1, (off_t)place), 1);
            assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_SAME);
            assert_int_equal(ftruncate(fd, (off_t)identity.head_length - 1), 0);
            assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_OTHER);
            assert_int_equal(ps_tail_identity_begins(-1, &identity), PS_TAIL_SEEN_UNREADABLE);
        }
        close(fd);
        assert_false(ps_tail_identity_read(-1, &read, NULL));
    }
    const struct ps_tail_identity any = {.head_length = 0};
    assert_true(ps_tail_bytes_begin(&any, bytes, 0) && ps_tail_bytes_begin(&any, bytes, 5));
    int folder = open(ps_test_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct ps_tail_identity identity;
    errno = 0;
    assert_false(ps_tail_identity_read(folder, &identity, NULL));
    assert_int_equal(errno, ENOTSUP);
    close(folder);
}

/* A read at any offset is complete, or ends with the file. */
static void test_read_fully(void **unused)
{
    char bytes[300], got[400];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)draw(256);
    int fd = file_of(bytes, sizeof bytes);
    for (unsigned round = 0; round < 400; round++) {
        size_t offset = draw(4) == 0 ? 299 + (size_t)draw(3) : (size_t)draw(300), room = (size_t)draw(400);
        size_t expected = offset >= sizeof bytes ? 0 : sizeof bytes - offset;
        expected = expected < room ? expected : room;
        assert_int_equal(ps_tail_read_fully(fd, got, room, (int64_t)offset), expected);
        assert_true(expected == 0 || memcmp(got, bytes + offset, expected) == 0);
    }
    assert_int_equal(ps_tail_read_fully(-1, got, 1, 0), -1);
    close(fd);
}

/* ---- troubles ---- */

static void test_troubles(void **unused)
{
    struct ps_tail_trouble *trouble = ps_tail_trouble_create();
    char model[PS_TAIL_TROUBLE_KINDS][16] = {{'\0'}}, text[64];
    for (unsigned step = 0; step < 200; step++) {
        unsigned kind = (unsigned)draw(PS_TAIL_TROUBLE_KINDS), first = 0;
        if (draw(2) == 0)
            snprintf(model[kind], sizeof model[kind], "reason %u", step);
        else
            model[kind][0] = '\0';
        ps_tail_trouble_set(trouble, (enum ps_tail_trouble_kind)kind,
                            model[kind][0] != '\0' ? model[kind] : NULL);
        while (first < PS_TAIL_TROUBLE_KINDS && model[first][0] == '\0')
            first++;
        bool any = ps_tail_trouble_get(trouble, text, sizeof text);
        assert_int_equal(any, first < PS_TAIL_TROUBLE_KINDS);
        if (any)
            assert_string_equal(text, model[first]);
    }
    ps_tail_trouble_destroy(trouble);
    ps_tail_trouble_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),         cmocka_unit_test(test_ledger),
        cmocka_unit_test(test_all_of_a_note), cmocka_unit_test(test_identity_by_pieces),
        cmocka_unit_test(test_read_fully),    cmocka_unit_test(test_troubles)};
    return cmocka_run_group_tests(tests, setup, ps_test_folder_teardown);
}
