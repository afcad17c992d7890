/* Which files, and which positions of the position file, a new file is compared with: each state of them, against the rule. */
#include "stages/lib/tail/tailer/match.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "the same first bytes"
#define OWN_INODE 7U
#define OTHER_INODE 8U

/* Where the file of the position is: another file has its inode, which is identified or not yet, or none has. */
enum place { NOWHERE, UNRESOLVED, RESOLVED, PLACES };

struct situation {
    enum place place;
    bool taken, own,
        begun; /* another file goes on at it; it is the new file's own inode; some bytes were read */
    bool looked, is_late; /* the directory was looked at; 60 s have passed since */
};

/* A position of a file that is there counts until that file is identified; that of a missing file for 60 s from the first look on. */
static bool counts(const struct situation *now)
{
    if (now->taken || now->own || !now->begun)
        return false;
    if (now->place != NOWHERE)
        return now->place == UNRESOLVED;
    return !now->looked || !now->is_late;
}

static void expect(const struct situation *now)
{
    struct ps_tail_place place = {
        .path = (char *)(uintptr_t) "/logs", .looked = now->looked, .looked_ns = PS_NS_PER_S};
    struct ps_tail_log log = {.identity = {.inode = OWN_INODE}};
    struct ps_tail_log there = {.number = 3,
                                .pass = 5,
                                .identity = {.inode = OTHER_INODE},
                                .resolved = now->place == RESOLVED,
                                .file = {.fd = -1}};
    struct ps_tail_log *by_inode = now->place != NOWHERE ? &there : NULL;
    struct ps_tail_position position = {.inode = now->own ? OWN_INODE : OTHER_INODE,
                                        .offset = now->begun ? 100 : 0,
                                        .path = (char *)(uintptr_t)(now->taken ? "" : "/logs/app")};
    struct ps_tail_fingerprint_entry entry = {.owner = NULL};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->places = &place;
    tailer->now_ns = PS_NS_PER_S + PS_TAIL_EARLIER_NS - !now->is_late;
    tailer->table.by_inode = &by_inode;
    tailer->table.room = tailer->table.count = 1;
    tailer->remembered.positions.items = &position;
    tailer->remembered.fingerprints = &entry;
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &entry, ps_tail_head(HEAD, strlen(HEAD)),
                                  (uint32_t)strlen(HEAD));
    struct ps_tail_match *match =
        ps_tail_match_make(tailer, &log, HEAD " and more", strlen(HEAD " and more"), 100, NULL);
    if ((match != NULL) != counts(now))
        fail_msg("place %d%s%s%s%s%s: the position is %sa candidate", (int)now->place,
                 now->taken ? ", taken" : "", now->own ? ", own" : "", now->begun ? ", begun" : "",
                 now->looked ? ", looked" : "", now->is_late ? ", late" : "", match != NULL ? "" : "not ");
    if (match != NULL) {
        assert_int_equal(match->count, 1);
        assert_int_equal(match->items[0].kind, PS_TAIL_IS_REMEMBERED);
        assert_ptr_equal(match->items[0].position, &position);
        assert_int_equal(match->items[0].offset, 100);
        assert_int_equal(match->items[0].number, now->place == NOWHERE ? UINT32_MAX : 3);
        assert_int_equal(match->items[0].pass, now->place == NOWHERE ? 0 : 5);
        assert_int_equal(match->items[0].first, now->place == NOWHERE);
        assert_int_equal(match->items[0].gone, now->place == NOWHERE);
    }
    ps_tail_match_free(match);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
}

static void test_positions(void **unused)
{
    for (unsigned place = 0; place < PLACES; place++) {
        for (unsigned set = 0; set < 32; set++)
            expect(&(struct situation){.place = place,
                                       .taken = (set & 1) != 0,
                                       .own = (set & 2) != 0,
                                       .begun = (set & 4) != 0,
                                       .looked = (set & 8) != 0,
                                       .is_late = (set & 16) != 0});
    }
}

/* ---- files that are followed ---- */

#define LATER_NS (1000 * PS_NS_PER_S)

/* A file that begins as the new one does. */
struct known {
    enum ps_tail_log_state state;
    bool own; /* it is the new file itself */
    bool resolved, compressed, stranger, named, cut_waits;
    bool delivered; /* all that was read of it */
    bool is_late;   /* it has been gone for 60 s */
};

/* A file counts if it is known what it is, and it is read here: not a copy that waits, and not a compressed file. One that has been gone for long,
 * and is delivered, does not count. */
static bool log_counts(const struct known *now)
{
    bool forgotten = !now->named && now->state == PS_TAIL_LOG_CLOSED && now->delivered && now->is_late;
    return !now->own && now->resolved && !now->compressed && !now->stranger &&
           now->state != PS_TAIL_LOG_COPY && !forgotten;
}

static struct ps_tail_match *match_with(struct ps_tailer *tailer, struct ps_tail_log *log,
                                        struct ps_tail_fingerprint_entry *entry, struct ps_tail_log *owner)
{
    static struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs", .looked = true};
    entry->owner = owner;
    tailer->places = &place;
    tailer->now_ns = LATER_NS;
    ps_tail_fingerprint_index_put(&tailer->fingerprints, entry, ps_tail_head(HEAD, strlen(HEAD)),
                                  (uint32_t)strlen(HEAD));
    return ps_tail_match_make(tailer, log, HEAD " and more", strlen(HEAD " and more"), 100, NULL);
}

static void tailer_free(struct ps_tailer *tailer, struct ps_tail_match *match)
{
    ps_tail_match_free(match);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
}

static void expect_log(const struct known *now)
{
    struct ps_tail_log log = {.identity = {.inode = OWN_INODE}, .number = 1},
                       other = {.name = (char *)(uintptr_t) "app.log",
                                .number = 3,
                                .pass = 5,
                                .identity = {.inode = OTHER_INODE},
                                .state = now->state,
                                .resolved = now->resolved,
                                .compressed = now->compressed,
                                .stranger = now->stranger,
                                .named = now->named,
                                .cut_waits = now->cut_waits,
                                .read_offset = 70,
                                .delivered_offset = now->delivered ? 70 : 60,
                                .size = 90,
                                .gone_ns = LATER_NS - PS_TAIL_EARLIER_NS + !now->is_late,
                                .file = {.fd = -1}};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    struct ps_tail_match *match = match_with(tailer, now->own ? &other : &log, &other.head, &other);
    if ((match != NULL) != log_counts(now))
        fail_msg(
            "state %d%s%s%s%s%s%s%s%s: the file is %sa candidate", (int)now->state, now->own ? ", own" : "",
            now->resolved ? ", resolved" : "", now->compressed ? ", compressed" : "",
            now->stranger ? ", a stranger" : "", now->named ? ", named" : "", now->cut_waits ? ", cut" : "",
            now->delivered ? ", delivered" : "", now->is_late ? ", late" : "", match != NULL ? "" : "not ");
    if (match != NULL) {
        const struct ps_tail_candidate *found = &match->items[0];
        assert_int_equal(match->count, 1);
        assert_true(found->kind == PS_TAIL_IS_FOLLOWED && found->number == 3 && found->pass == 5 &&
                    found->identity.inode == OTHER_INODE && found->offset == 70 && found->distance == 10);
        assert_int_equal(found->first, !now->named || now->cut_waits);
        assert_int_equal(found->gone, !now->named);
        assert_int_equal(found->path != NULL, now->named);
        if (found->path != NULL)
            assert_string_equal(found->path, "/logs/app.log");
    }
    tailer_free(tailer, match);
}

static void test_logs(void **unused)
{
    static const enum ps_tail_log_state states[] = {PS_TAIL_LOG_CLOSED, PS_TAIL_LOG_OPENING, PS_TAIL_LOG_OPEN,
                                                    PS_TAIL_LOG_COPY};
    for (unsigned set = 0; set < 128 * PS_COUNT_OF(states); set++)
        expect_log(&(struct known){.state = states[set / 128],
                                   .own = (set & 15) == 15, /* few are */
                                   .resolved = (set & 1) != 0,
                                   .compressed = (set & 2) != 0 && (set & 4) != 0,
                                   .stranger = (set & 2) != 0 && (set & 4) == 0,
                                   .named = (set & 8) != 0,
                                   .cut_waits = (set & 16) != 0,
                                   .delivered = (set & 32) != 0,
                                   .is_late = (set & 64) != 0});
}

/* What a file was before it was cut counts for some time, if anything was read of it. */
static void test_what_files_were(void **unused)
{
    const uint64_t until[] = {0, LATER_NS, LATER_NS + 1};
    for (unsigned set = 0; set < 4 * PS_COUNT_OF(until); set++) {
        bool own = (set & 1) != 0, begun = (set & 2) != 0;
        uint64_t until_ns = until[set / 4];
        struct ps_tail_log log = {.identity = {.inode = OWN_INODE}, .number = 1};
        struct ps_tail_log other = {.number = 3, .pass = 5, .file = {.fd = -1}, .resolved = true};
        struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
        other.earlier.identity.inode = OTHER_INODE;
        other.earlier.until_ns = until_ns;
        other.earlier.read_offset = begun ? 70 : 0;
        struct ps_tail_match *match = match_with(tailer, own ? &other : &log, &other.earlier_head, &other);
        bool counts_now = !own && begun && until_ns != 0 && until_ns > LATER_NS;
        if ((match != NULL) != counts_now)
            fail_msg("%s%suntil %d: it is %sa candidate", own ? "own, " : "", begun ? "begun, " : "",
                     (int)(set / 4), match != NULL ? "" : "not ");
        if (match != NULL) {
            const struct ps_tail_candidate *found = &match->items[0];
            assert_true(found->kind == PS_TAIL_WAS_EARLIER && found->number == 3 && found->pass == 5 &&
                        found->identity.inode == OTHER_INODE && found->offset == 70 && found->first &&
                        !found->gone && found->path == NULL && found->fd == -1 && found->distance == 30);
        }
        tailer_free(tailer, match);
    }
}

/* ---- which files, and their order ---- */

#define MANY (2 * PS_TAIL_CANDIDATES_MAX + 3)

/* Of more files than there are places, those are compared that are cut or gone, then those whose size is closest to that of the new one: each of
 * them, in this order. The others leave a hint. */
static void test_closest(void **unused)
{
    uint64_t state = ps_test_seed() | 1;
    for (unsigned round = 0; round < 200; round++) {
        static struct ps_tail_log others[MANY];
        struct ps_tail_log log = {.identity = {.inode = OWN_INODE}, .number = 500};
        struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
        static struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs", .looked = true};
        unsigned count = 1 + (unsigned)(ps_test_random(&state) % MANY), firsts = 0;
        int64_t distances[MANY];
        tailer->places = &place;
        tailer->now_ns = LATER_NS;
        memset(others, 0, sizeof others);
        for (unsigned i = 0; i < count; i++) {
            int64_t distance = 10 * (int64_t)i + (int64_t)(ps_test_random(&state) % 10); /* all different */
            bool shorter = distance <= 100 && ps_test_random(&state) % 2 == 0;
            others[i] = (struct ps_tail_log){.name = (char *)(uintptr_t) "app.log",
                                             .number = i,
                                             .pass = 1,
                                             .resolved = true,
                                             .named = true,
                                             .cut_waits = ps_test_random(&state) % 4 <= round % 4,
                                             .read_offset = shorter ? 100 - distance : 100 + distance,
                                             .file = {.fd = -1}};
            others[i].head.owner = &others[i];
            distances[i] = distance;
            const struct ps_tail_mark mark = {.offset = others[i].read_offset, .hash = i, .length = 64};
            ps_tail_marks_add(&others[i].marks, &mark, 0);
            firsts += others[i].cut_waits;
        }
        for (unsigned k = 0; k < count; k++) /* in another order than that of the distances */
            ps_tail_fingerprint_index_put(&tailer->fingerprints, &others[(k * 7 + round) % count].head,
                                          ps_tail_head(HEAD, strlen(HEAD)), (uint32_t)strlen(HEAD));
        for (unsigned k = 0; k < count; k++)
            ps_tail_fingerprint_index_put(&tailer->fingerprints, &others[k].head,
                                          ps_tail_head(HEAD, strlen(HEAD)), (uint32_t)strlen(HEAD));
        struct ps_tail_match *match =
            ps_tail_match_make(tailer, &log, HEAD " and more", strlen(HEAD " and more"), 100, NULL);
        assert_non_null(match);
        assert_int_equal(match->count, count < PS_TAIL_CANDIDATES_MAX ? count : PS_TAIL_CANDIDATES_MAX);
        unsigned at = 0;
        for (unsigned pass = 0; pass < 2; pass++) {
            for (unsigned i = 0; i < count && at < match->count; i++) {
                if (others[i].cut_waits != (pass == 0))
                    continue;
                if (match->items[at].number != i || match->items[at].distance != distances[i])
                    fail_msg("%u files, %u of them first: place %u has file %u, and not %u", count, firsts,
                             at, match->items[at].number, i);
                assert_int_equal(match->items[at].first, pass == 0);
                assert_int_equal(match->items[at].marks.count, 1);
                assert_int_equal(match->items[at].marks.items[0].hash, i);
                at++;
            }
        }
        assert_int_equal(match->visits, count);
        assert_int_equal(match->hint_count, count > PS_TAIL_CANDIDATES_MAX ? count : 0);
        for (uint32_t i = 0; i < match->hint_count; i++) {
            const struct ps_tail_log *owner = match->hints[i].entry->owner;
            assert_true(match->hints[i].mark.offset == owner->read_offset &&
                        match->hints[i].mark.hash == owner->number);
        }
        for (unsigned i = 0; i < count; i++)
            ps_tail_marks_free(&others[i].marks);
        tailer_free(tailer, match);
    }
}

/* ---- a comparison that failed ---- */

/* The new file is compared again as long as it cannot be read itself; for an original that cannot be read it waits 10 s. */
static void test_errors(void **unused)
{
    static const struct {
        int own, other;
        bool unreadable;
        uint64_t since_ns; /* before now */
        int error;
    } rows[] = {
        {0, 0, false, 0, 0},        {0, 0, true, PS_TAIL_GRACE_NS, 0},     {5, 0, false, 0, 5},
        {5, 6, false, 0, 5},        {5, 6, true, PS_TAIL_GRACE_NS, 5},     {0, 6, false, 0, 6},
        {0, 6, true, 0, 6},         {0, 6, true, PS_TAIL_GRACE_NS - 1, 6}, {0, 6, true, PS_TAIL_GRACE_NS, 0},
        {0, 6, false, LATER_NS, 6},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_tail_match match = {.own_error = rows[i].own, .other_error = rows[i].other};
        const struct ps_tail_log log = {.unreadable = rows[i].unreadable,
                                        .unreadable_ns = LATER_NS - rows[i].since_ns};
        struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
        tailer->now_ns = LATER_NS;
        assert_int_equal(ps_tail_match_error(tailer, &log, &match), rows[i].error);
        free(tailer);
    }
}

/* ---- the answer ---- */

static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters};
static const struct ps_tail_settings answer_settings = {.skip_to_end = false};
static struct ps_tail_place answer_place = {.path = (char *)(uintptr_t) "/logs", .looked = true};

/* What the comparison found, and what has happened to the other file since the worker chose it. */
struct answer {
    const char *what;
    enum ps_tail_matched matched;
    enum ps_tail_candidate_kind kind;
    bool found, alive, unread, pending, hinted; /* of the match */
    bool unsure, shared;                        /* of the candidate, whose offset is 100 */
    int64_t mark, size;                         /* up to where both are the same; of the new file */
    int64_t more;                               /* read of the other file since */
    bool gone, taken;                           /* the other file; the position */
    bool away;                                  /* the other file had lost its name */
    bool runs;                                  /* the source does not end */
    bool waited;                                /* the new file has waited long enough */
    bool whole;                                 /* result: no other file is a copy of the other one */
    bool grew;                                  /* result: it is compared again */
};

#define FOLLOWED .kind = PS_TAIL_IS_FOLLOWED
#define EARLIER .kind = PS_TAIL_WAS_EARLIER
#define REMEMBERED .kind = PS_TAIL_IS_REMEMBERED

static const struct answer answers[] = {
    {"nothing is like it", PS_TAIL_MATCH_NONE, FOLLOWED},
    {"hints", PS_TAIL_MATCH_AGAIN, FOLLOWED, .hinted = true, .found = true, .mark = 100, .size = 100},
    {"it may grow", PS_TAIL_MATCH_COPY, FOLLOWED, .pending = true, .size = 50},
    {"it may have grown", PS_TAIL_MATCH_NONE, FOLLOWED, .pending = true, .size = 50, .waited = true},
    {"it may grow, and is a copy of another", PS_TAIL_MATCH_COPY, FOLLOWED, .pending = true, .alive = true,
     .found = true, .mark = 50, .size = 50, .waited = true},
    {"the other file differed", PS_TAIL_MATCH_NONE, FOLLOWED, .unsure = true},
    {"and was read further", PS_TAIL_MATCH_AGAIN, FOLLOWED, .unsure = true, .more = 1},
    {"was read further, but was certain", PS_TAIL_MATCH_NONE, FOLLOWED, .more = 1},
    {"differed, and began anew", PS_TAIL_MATCH_AGAIN, FOLLOWED, .unsure = true, .gone = true},
    {"what it was differed", PS_TAIL_MATCH_NONE, EARLIER, .unsure = true, .more = 1},
    {"what it was differed, and it began anew", PS_TAIL_MATCH_AGAIN, EARLIER, .unsure = true, .gone = true},
    {"the position differed", PS_TAIL_MATCH_NONE, REMEMBERED, .unsure = true},
    {"the position differed, and was taken", PS_TAIL_MATCH_AGAIN, REMEMBERED, .unsure = true, .taken = true},
    {"both share what was read", PS_TAIL_MATCH_NONE, FOLLOWED, .shared = true},
    {"both share it, and more was read", PS_TAIL_MATCH_AGAIN, FOLLOWED, .shared = true, .more = 1},
    {"both share it, and it began anew", PS_TAIL_MATCH_NONE, FOLLOWED, .shared = true, .gone = true},
    {"a copy of a file that is there", PS_TAIL_MATCH_COPY, FOLLOWED, .found = true, .alive = true,
     .mark = 100, .size = 100},
    {"a copy of what is not read yet", PS_TAIL_MATCH_COPY, FOLLOWED, .found = true, .alive = true,
     .unread = true, .size = 100, .grew = true},
    {"a copy of a file that began anew since", PS_TAIL_MATCH_AGAIN, FOLLOWED, .found = true, .alive = true,
     .mark = 100, .size = 100, .gone = true},
    {"all of a cut file", PS_TAIL_MATCH_GOES_ON, FOLLOWED, .found = true, .mark = 100, .size = 100,
     .whole = true},
    /* it was cut, and begins as before up to its position: nobody has noticed */
    {"all of it, which was read further", PS_TAIL_MATCH_GOES_ON, FOLLOWED, .found = true, .mark = 100,
     .size = 100, .more = 1},
    {"more than all of it", PS_TAIL_MATCH_GOES_ON, FOLLOWED, .found = true, .mark = 100, .size = 101,
     .whole = true},
    {"more, and it was read further", PS_TAIL_MATCH_AGAIN, FOLLOWED, .found = true, .mark = 100, .size = 101,
     .more = 1},
    {"a part of a cut file", PS_TAIL_MATCH_GOES_ON, FOLLOWED, .found = true, .mark = 60, .size = 70},
    {"all of what it was", PS_TAIL_MATCH_GOES_ON, EARLIER, .found = true, .mark = 100, .size = 101, .more = 1,
     .whole = true},
    {"a part of what it was", PS_TAIL_MATCH_GOES_ON, EARLIER, .found = true, .mark = 60, .size = 70},
    {"it may grow, and the source ends, which alone knows what another file was", PS_TAIL_MATCH_GOES_ON,
     EARLIER, .found = true, .pending = true, .mark = 100, .size = 101, .whole = true},
    {"it may grow, and the source ends after another file was cut", PS_TAIL_MATCH_GOES_ON, FOLLOWED,
     .found = true, .pending = true, .mark = 100, .size = 101, .whole = true},
    {"it may grow, and the source ends when it has a part of what another file was", PS_TAIL_MATCH_COPY,
     EARLIER, .found = true, .pending = true, .mark = 60, .size = 70},
    {"it may grow, and the source runs", PS_TAIL_MATCH_COPY, EARLIER, .found = true, .pending = true,
     .mark = 100, .size = 101, .runs = true},
    {"it may grow, and the next process knows the position", PS_TAIL_MATCH_COPY, REMEMBERED, .found = true,
     .pending = true, .mark = 60, .size = 70},
    {"it may grow, and the next process knows the file that is gone", PS_TAIL_MATCH_COPY, FOLLOWED,
     .found = true, .pending = true, .mark = 60, .size = 70, .away = true},
    {"a position", PS_TAIL_MATCH_GOES_ON, REMEMBERED, .found = true, .mark = 60, .size = 70},
    {"a position that was taken", PS_TAIL_MATCH_AGAIN, REMEMBERED, .found = true, .mark = 60, .size = 70,
     .taken = true},
};

static void expect_answer(const struct answer *now)
{
    static const char *const names[] = {"app.1", "app.2"};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, "a test");
    struct ps_tail_candidate *candidate = &match->items[0];
    struct ps_tail_log *logs[2];
    bool kept = true;
    char path[] = "/logs/app.0";
    struct ps_tail_position position = {.inode = 9, .offset = 100, .path = path};
    tailer->settings = &answer_settings;
    tailer->port = &port;
    tailer->places = &answer_place;
    tailer->now_ns = LATER_NS;
    tailer->draining = !now->runs; /* while it ends, nothing is opened */
    tailer->remembered.positions.items = &position;
    tailer->remembered.kept = &kept;
    tailer->remembered.left = 1;
    for (size_t i = 0; i < 2; i++)
        logs[i] =
            ps_tail_log_add(tailer, 0,
                            &(struct ps_tail_change){
                                .device = 1, .inode = OWN_INODE + i, .name = (char *)(uintptr_t)names[i]});
    struct ps_tail_log *log = logs[0], *other = logs[1];
    other->resolved = true;
    other->identity.head_length = 10;
    ps_tail_log_move(tailer, other, 100 + now->more, 100 + now->more);
    other->earlier.read_offset = other->earlier.delivered_offset = 100;
    other->earlier.until_ns = LATER_NS + 5;
    tailer->left = other;
    log->copy.since_ns = now->waited ? 1 : 0;
    log->copy.size = now->waited ? now->size : 0;
    if (now->taken)
        path[0] = '\0';
    candidate->kind = now->kind;
    candidate->number = other->number;
    candidate->pass = other->pass;
    candidate->position = &position;
    candidate->offset = 100;
    candidate->gone = now->away;
    candidate->unsure = now->unsure;
    candidate->shared = now->shared;
    if (now->gone)
        other->pass++;
    match->count = 1;
    match->found = now->found ? 0 : -1;
    match->alive = now->alive;
    match->unread = now->unread;
    match->pending = now->pending;
    match->hinted = now->hinted;
    match->offset = match->mark.offset = now->mark;
    match->size = now->size;
    enum ps_tail_matched matched = ps_tail_match_take(tailer, log, match);
    if (matched != now->matched)
        fail_msg("%s: answer %d, and not %d", now->what, (int)matched, (int)now->matched);
    bool goes_on = matched == PS_TAIL_MATCH_GOES_ON, waits = matched == PS_TAIL_MATCH_COPY;
    assert_int_equal(log->resolved, goes_on);
    assert_int_equal(log->read_offset, goes_on ? now->mark : 0);
    assert_int_equal(log->state, waits ? PS_TAIL_LOG_COPY : PS_TAIL_LOG_CLOSED);
    assert_int_equal(log->copy.original == other, waits && now->alive);
    assert_int_equal(log->copy.pends, waits && now->pending && !now->alive);
    assert_int_equal(log->copy.grew, now->grew);
    assert_int_equal(kept, !(goes_on && now->kind == PS_TAIL_IS_REMEMBERED));
    assert_int_equal(other->identity.head_length == 0, now->whole && now->kind == PS_TAIL_IS_FOLLOWED);
    assert_int_equal(other->earlier.until_ns == 0, now->whole && now->kind == PS_TAIL_WAS_EARLIER);
    /* Bytes that were read ahead are given up where the new file has them. */
    bool drops = now->kind == PS_TAIL_IS_FOLLOWED &&
                 (goes_on || (now->shared && !now->gone) ||
                  (now->found && !now->alive && !now->hinted && matched == PS_TAIL_MATCH_AGAIN));
    assert_int_equal(tailer->left == NULL, drops);
    ps_tail_logs_free(tailer);
    ps_tail_notes_free(&tailer->saves.notes);
    tailer_free(tailer, match);
}

static void test_answers(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(answers); i++)
        expect_answer(&answers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_positions),
                                       cmocka_unit_test(test_logs),    cmocka_unit_test(test_what_files_were),
                                       cmocka_unit_test(test_closest), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
