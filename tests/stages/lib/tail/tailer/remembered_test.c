/* Positions of the position file that no file has taken yet: how long each is kept, how many are looked at in a tick, and which group a position
 * belongs to. */
#include "stages/lib/tail/sink_source.h"
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/support.h"

#include <stdio.h>

#define NOW_NS (1000 * PS_NS_PER_S)
#define TICK_MAX 1000U /* positions of one tick */
#define WALK_NS (5 * PS_NS_PER_S)
#define INODE 4711U

static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters};
static const struct ps_tail_settings settings = {.identities = false};
static const struct ps_tail_sink_source keeping = {.owner = "0123456789abcdef"};
static struct ps_tail_place places[2];
static struct ps_tailer *tailer;

static int setup(void **unused)
{
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    places[0] = (struct ps_tail_place){.path = (char *)(uintptr_t) "/other", .looked = true};
    places[1] = (struct ps_tail_place){.path = (char *)(uintptr_t) "/logs", .looked = true};
    tailer->settings = &settings;
    tailer->port = &port;
    tailer->places = places;
    tailer->place_count = 2;
    tailer->sink.keeping = &keeping;
    tailer->now_ns = NOW_NS;
    return 0;
}

static int teardown(void **unused)
{
    ps_tail_logs_free(tailer);
    ps_tail_gone_free(&tailer->sink.gone);
    ps_tail_notes_free(&tailer->saves.notes);
    ps_tail_remembered_free(&tailer->remembered);
    free(tailer);
    return 0;
}

static void remember(const char *path, uint64_t device, size_t count)
{
    struct ps_tail_remembered *remembered = &tailer->remembered;
    for (size_t i = 0; i < count; i++)
        ps_tail_positions_add(&remembered->positions,
                              &(struct ps_tail_position){.inode = INODE + i,
                                                         .path = (char *)(uintptr_t)path,
                                                         .identity = {.device = device, .inode = INODE + i}});
    remembered->kept = ps_must_alloc(count, sizeof *remembered->kept, "a test");
    remembered->left = count;
    for (size_t i = 0; i < count; i++)
        remembered->kept[i] = true;
}

/* ---- how long ---- */

enum there { NOBODY, UNKNOWN, KNOWN, OF_ANOTHER_DEVICE, TWO, THERES };
enum where { HERE, ELSEWHERE, TAKEN, WHERES };

struct situation {
    enum there there; /* files with the position's inode */
    enum where where;
    bool looked, is_late;
    bool has_device;
};

/* A position is kept for a file with its inode that is not identified yet, until the directory was looked at, and for a minute longer if its file
 * may come back. */
static bool is_kept(const struct situation *now)
{
    bool is_there = now->there == KNOWN || now->there == TWO;
    if (now->where == TAKEN)
        return false;
    if (now->there == UNKNOWN || now->there == TWO)
        return true;
    return now->where == HERE && (!now->looked || (!now->is_late && now->has_device && !is_there));
}

static void log_add(uint64_t device, bool resolved)
{
    ps_tail_log_add(tailer, 0,
                    &(struct ps_tail_change){.group = 0, .device = device, .inode = INODE, .name = "x"})
        ->resolved = resolved;
}

static void expect(const struct situation *now)
{
    static const char *const paths[] = {"/logs/app", "/nowhere/app", ""};
    setup(NULL);
    remember(paths[now->where], now->has_device ? 3 : 0, 1);
    if (now->there == KNOWN || now->there == TWO)
        log_add(3, true);
    if (now->there == OF_ANOTHER_DEVICE)
        log_add(4, true);
    if (now->there == UNKNOWN || now->there == TWO)
        log_add(4, false);
    if (now->there == TWO) /* also behind one that is known, whatever their order */
        log_add(5, true);
    places[1].looked = now->looked;
    places[1].looked_ns = NOW_NS - PS_TAIL_EARLIER_NS + !now->is_late;
    assert_int_equal(ps_tail_remembered_tick(tailer), NOW_NS + WALK_NS);
    if (tailer->remembered.kept[0] != is_kept(now))
        fail_msg("there %d, where %d%s%s%s: it is %skept", (int)now->there, (int)now->where,
                 now->looked ? ", looked" : "", now->is_late ? ", late" : "",
                 now->has_device ? ", device" : "", is_kept(now) ? "not " : "");
    assert_int_equal(tailer->remembered.left, is_kept(now));
    assert_int_equal(tailer->saves.notes.count, !is_kept(now));
    if (!is_kept(now)) {
        const struct ps_tail_note *note = &tailer->saves.notes.items[0];
        assert_true(note->remembered && note->number == 0 && note->position.path == NULL);
    }
    /* The sink forgets it, unless a file goes on at it. */
    assert_int_equal(tailer->sink.gone.count, !is_kept(now) && now->where != TAKEN);
    assert_int_equal(ps_tail_remembered_tick(tailer), is_kept(now) ? NOW_NS + WALK_NS : PS_NEVER);
    teardown(NULL);
}

static void test_kept(void **unused)
{
    for (unsigned there = 0; there < THERES; there++)
        for (unsigned where = 0; where < WHERES; where++)
            for (unsigned set = 0; set < 8; set++)
                expect(&(struct situation){.there = (enum there)there,
                                           .where = (enum where)where,
                                           .looked = (set & 1) != 0,
                                           .is_late = (set & 2) != 0,
                                           .has_device = (set & 4) != 0});
}

/* ---- how many ---- */

/* Each is looked at in its turn, and dropped once; the next walk begins 5 s after the end of this one. */
static void test_many(void **unused)
{
    enum { MANY = 2 * TICK_MAX + 1 };
    remember("/nowhere/app", 3, MANY);
    places[0].path = (char *)(uintptr_t) "/nowhere";
    places[0].looked = false; /* all are kept */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ps_tail_remembered_tick(tailer), NOW_NS);
        assert_int_equal(tailer->remembered.at, (i + 1) * TICK_MAX);
    }
    assert_int_equal(ps_tail_remembered_tick(tailer), NOW_NS + WALK_NS);
    assert_int_equal(tailer->remembered.left, MANY);
    places[0].looked = true;
    places[0].looked_ns = 0;
    tailer->now_ns = NOW_NS + WALK_NS - 1;
    assert_int_equal(ps_tail_remembered_tick(tailer), NOW_NS + WALK_NS);
    assert_int_equal(tailer->remembered.left, MANY);
    tailer->now_ns++;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ps_tail_remembered_tick(tailer), tailer->now_ns);
        assert_int_equal(tailer->remembered.left, MANY - (i + 1) * TICK_MAX);
    }
    (void)ps_tail_remembered_tick(tailer);
    assert_int_equal(tailer->remembered.left, 0);
    assert_int_equal(tailer->saves.notes.count, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(tailer->saves.notes.items[i].number, i);
    assert_int_equal(ps_tail_remembered_tick(tailer), PS_NEVER);
}

/* A position that was taken is dropped once, and is no longer one of a path. */
static void test_taken(void **unused)
{
    remember("/logs/app", 3, 3);
    for (unsigned again = 0; again < 2; again++) {
        ps_tail_position_taken(tailer, &tailer->remembered.positions.items[1]);
        assert_int_equal(tailer->remembered.left, 2);
        assert_int_equal(tailer->saves.notes.count, 1);
        assert_int_equal(tailer->saves.notes.items[0].number, 1);
        assert_true(tailer->remembered.kept[0] && !tailer->remembered.kept[1] && tailer->remembered.kept[2]);
    }
    assert_string_equal(tailer->remembered.positions.items[1].path, "");
    assert_string_equal(tailer->remembered.positions.items[2].path, "/logs/app");
    assert_int_equal(tailer->sink.gone.count, 0);
}

/* ---- young files ---- */

/* A file is young if it was made after the last save, or up to 10 s before. Without times, and after another program's save, none is. */
static void test_young(void **unused)
{
    const uint64_t saved_ns = 1000 * PS_NS_PER_S;
    struct ps_tail_positions *positions = &tailer->remembered.positions;
    positions->ours = true;
    positions->saved_ns = saved_ns;
    assert_true(ps_tail_is_young(tailer, saved_ns + 1));
    assert_true(ps_tail_is_young(tailer, saved_ns - PS_TAIL_GRACE_NS));
    assert_false(ps_tail_is_young(tailer, saved_ns - PS_TAIL_GRACE_NS - 1));
    assert_false(ps_tail_is_young(tailer, 0));
    positions->saved_ns = 0;
    assert_false(ps_tail_is_young(tailer, saved_ns));
    positions->saved_ns = 5; /* so that 0 would be young */
    assert_false(ps_tail_is_young(tailer, 0));
    positions->saved_ns = saved_ns;
    positions->ours = false;
    assert_false(ps_tail_is_young(tailer, saved_ns + 1));
}

/* A file with the position's inode is its file if both were made at the same time, or, without the position's time, 10 s before it was known. */
static void test_inode_of_another(void **unused)
{
    const uint64_t known_ns = 1000 * PS_NS_PER_S, before_ns = known_ns - PS_TAIL_GRACE_NS;
    static const struct ps_tail_identity identity = {.device = 3, .inode = 5, .born_ns = 77};
    struct ps_tail_position position = {.identity = identity};
    struct ps_tail_identity file = identity;
    assert_true(ps_tail_position_is_of(&position, &file));
    file.inode = 6;
    assert_false(ps_tail_position_is_of(&position, &file));
    file = identity;
    file.device = 4; /* the machine was started again */
    assert_true(ps_tail_position_is_of(&position, &file));
    file = identity;
    for (uint64_t born_ns = 76; born_ns <= 78; born_ns++) {
        file.born_ns = born_ns;
        assert_int_equal(ps_tail_position_is_of(&position, &file), born_ns == 77);
    }
    file.born_ns = 0; /* the file system does not tell it */
    assert_false(ps_tail_position_is_of(&position, &file));
    position.known_ms = (int64_t)(known_ns / PS_NS_PER_MS);
    file.born_ns = 1; /* the time of the birth counts, if it is there */
    assert_false(ps_tail_position_is_of(&position, &file));
    position.identity.born_ns = 0;
    assert_true(ps_tail_position_is_of(&position, &file));
    file.born_ns = before_ns - 1;
    assert_true(ps_tail_position_is_of(&position, &file));
    file.device = 4; /* another file system may have had the inode long before */
    assert_false(ps_tail_position_is_of(&position, &file));
    file.device = 3;
    file.born_ns = before_ns;
    assert_false(ps_tail_position_is_of(&position, &file));
    file.born_ns = 0;
    assert_false(ps_tail_position_is_of(&position, &file));
    position.known_ms = 0;
    file.born_ns = 1;
    assert_false(ps_tail_position_is_of(&position, &file));
}

/* ---- groups ---- */

/* The number of the filter for names that begin with "app". */
static int match(void *number, const char *name, size_t length)
{
    return length >= 3 && strncmp(name, "app", 3) == 0 ? *(int *)number : -1;
}

/* Any name. */
static int match_all(void *number, const char *name, size_t length)
{
    return *(int *)number;
}

/* The group is that of the file's own directory, however the directories are written, and whatever their order is. */
static void test_groups(void **unused)
{
    static const struct {
        const char *path;
        int group;
    } rows[] = {
        {"/logs/app.1", 1},      {"/logs/other", -1},   {"/logs/in/app", 2},   {"/logs/in/other", 2},
        {"/logs/in/no/app", -1}, {"/logs.app/app", -1}, {"/app", -1},          {"/logs//app", 1},
        {"/logs/in", -1},        {"/logs/i", -1},       {"/logs/app/app", -1}, {"/logs", -1},
    };
    static int one = 1, two = 2;
    static const char *const paths[] = {"/logs/", "/logs/in"};
    for (unsigned swap = 0; swap < 2; swap++) {
        struct ps_tail_remembered *remembered = &tailer->remembered;
        if (swap > 0) {
            teardown(NULL);
            setup(NULL);
            remembered = &tailer->remembered;
        }
        for (size_t i = 0; i < 2; i++) {
            size_t which = i ^ swap;
            const struct ps_tail_filter filter = {.match = which == 0 ? match : match_all,
                                                  .argument = which == 0 ? &one : &two};
            places[i].path = (char *)(uintptr_t)paths[which];
            places[i].directory = ps_tail_directory_create(paths[which], &filter, true);
        }
        for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
            ps_tail_positions_add(
                &remembered->positions,
                &(struct ps_tail_position){.inode = 1 + i, .path = (char *)(uintptr_t)rows[i].path});
        remembered->fingerprints =
            ps_must_alloc(PS_COUNT_OF(rows), sizeof *remembered->fingerprints, "a test");
        remembered->kept = ps_must_alloc(PS_COUNT_OF(rows), sizeof *remembered->kept, "a test");
        remembered->was_read = true;
        assert_true(ps_tail_load_go_on(tailer));
        assert_int_equal(remembered->at, 0);
        for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
            assert_true(remembered->kept[i]);
            if (remembered->positions.items[i].group != rows[i].group)
                fail_msg("%s: group %d, and not %d", rows[i].path, remembered->positions.items[i].group,
                         rows[i].group);
        }
        for (size_t i = 0; i < 2; i++)
            ps_tail_directory_destroy(places[i].directory);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept), TEST(many),  TEST(taken), TEST(young),
                                       TEST(inode_of_another),      TEST(groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
