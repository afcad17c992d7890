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
enum texts { NONE, SOME_WAIT, ONE_IS_READ, TEXTS };

struct situation {
    enum place place;
    enum texts texts; /* compressed files, one of which may be the file, compressed */
    bool of_text;     /* the position is one of a compressed file's text */
    bool taken, own,
        begun; /* another file goes on at it; it is the new file's own inode; some bytes were read */
    bool looked, is_late; /* the directory was looked at; 60 s have passed since */
};

/* A position of a file that is there counts until that file is identified; that of a missing file for 60 s from the first look on, and longer
 * while compressed files wait, because the missing file may be one of them. */
static bool counts(const struct situation *now)
{
    if (now->taken || now->own || !now->begun)
        return false;
    if (now->place != NOWHERE)
        return now->place == UNRESOLVED && !now->of_text;
    return now->texts != NONE || !now->looked || !now->is_late;
}

static void expect(const struct situation *now)
{
    struct ps_tail_place place = {
        .path = (char *)(uintptr_t) "/logs", .looked = now->looked, .looked_ns = PS_NS_PER_S};
    struct ps_tail_log log = {.identity = {.inode = OWN_INODE}};
    struct ps_tail_log there = {.number = 3,
                                .generation = 5,
                                .identity = {.inode = OTHER_INODE},
                                .resolved = now->place == RESOLVED,
                                .file = {.fd = -1}};
    struct ps_tail_log *by_inode = now->place != NOWHERE ? &there : NULL;
    struct ps_tail_position position = {.inode = now->own ? OWN_INODE : OTHER_INODE,
                                        .offset = now->begun ? 100 : 0,
                                        .text = now->of_text ? PS_TAIL_POSITION_OF_TEXT : 0,
                                        .path = (char *)(uintptr_t)(now->taken ? "" : "/logs/app")};
    struct ps_tail_fingerprint_entry entry = {.owner = NULL};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->places = &place;
    tailer->now_ns = PS_NS_PER_S + PS_TAIL_EARLIER_NS - !now->is_late;
    tailer->table.by_inode = &by_inode;
    tailer->table.room = tailer->table.count = 1;
    tailer->remembered.positions.items = &position;
    tailer->remembered.fingerprints = &entry;
    tailer->unpacking = now->texts == ONE_IS_READ ? &there : NULL;
    ps_tail_slots_grow(&tailer->texts, 4);
    if (now->texts == SOME_WAIT)
        ps_tail_slots_put(&tailer->texts, 1);
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &entry, ps_tail_head(HEAD, strlen(HEAD)),
                                  (uint32_t)strlen(HEAD));
    struct ps_tail_match *match =
        ps_tail_match_make(tailer, &log, HEAD " and more", strlen(HEAD " and more"), 100, NULL);
    if ((match != NULL) != counts(now))
        fail_msg("place %d, texts %d%s%s%s%s%s%s: the position is %sa candidate", (int)now->place,
                 (int)now->texts, now->of_text ? ", of a text" : "", now->taken ? ", taken" : "",
                 now->own ? ", own" : "", now->begun ? ", begun" : "", now->looked ? ", looked" : "",
                 now->is_late ? ", late" : "", match != NULL ? "" : "not ");
    if (match != NULL) {
        assert_int_equal(match->count, 1);
        assert_int_equal(match->items[0].kind, PS_TAIL_IS_REMEMBERED);
        assert_ptr_equal(match->items[0].position, &position);
        assert_int_equal(match->items[0].offset, 100);
        assert_int_equal(match->items[0].number, now->place == NOWHERE ? UINT32_MAX : 3);
        assert_int_equal(match->items[0].generation, now->place == NOWHERE ? 0 : 5);
        assert_int_equal(match->items[0].first, now->place == NOWHERE);
        assert_int_equal(match->items[0].gone, now->place == NOWHERE);
    }
    ps_tail_match_free(match);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    ps_tail_slots_free(&tailer->texts);
    free(tailer);
}

static void test_positions(void **unused)
{
    for (unsigned place = 0; place < PLACES; place++) {
        for (unsigned texts = 0; texts < TEXTS; texts++) {
            for (unsigned set = 0; set < 64; set++)
                expect(&(struct situation){.place = place,
                                           .texts = texts,
                                           .of_text = (set & 1) != 0,
                                           .taken = (set & 2) != 0,
                                           .own = (set & 4) != 0,
                                           .begun = (set & 8) != 0,
                                           .looked = (set & 16) != 0,
                                           .is_late = (set & 32) != 0});
        }
    }
}

/* ---- files that are followed ---- */

#define LATER_NS (1000 * PS_NS_PER_S)

/* A file that begins as the new one does. */
struct known {
    enum ps_tail_log_state state;
    bool own; /* it is the new file itself */
    bool resolved, compressed, stranger, named, cut_waits;
    bool is_text, of_text; /* of_text: the new file is compressed, too */
    bool delivered;        /* all that was read of it */
    bool is_late;          /* it has been gone for 60 s */
};

/* A file counts if it is known what it is, and it is read here: not a copy that waits, and of compressed files only those whose names are gone. A plain
 * file that has been gone for long, and is delivered, is kept for compressed files only. */
static bool log_counts(const struct known *now)
{
    bool forgotten =
        !now->named && now->state == PS_TAIL_LOG_CLOSED && now->delivered && now->is_late && !now->of_text;
    return !now->own && now->resolved && !now->compressed && !now->stranger &&
           now->state != PS_TAIL_LOG_COPY && !(now->is_text && now->named) && !forgotten;
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
                                .generation = 5,
                                .identity = {.inode = OTHER_INODE},
                                .state = now->state,
                                .resolved = now->resolved,
                                .compressed = now->compressed,
                                .stranger = now->stranger,
                                .named = now->named,
                                .cut_waits = now->cut_waits,
                                .text = {.kind = now->is_text ? PS_COMPRESSION_GZIP : PS_COMPRESSION_NONE},
                                .read_offset = 70,
                                .delivered_offset = now->delivered ? 70 : 60,
                                .size = 90,
                                .gone_ns = LATER_NS - PS_TAIL_EARLIER_NS + !now->is_late,
                                .file = {.fd = -1}};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    log.text.kind = now->of_text ? PS_COMPRESSION_ZSTD : PS_COMPRESSION_NONE;
    struct ps_tail_match *match = match_with(tailer, now->own ? &other : &log, &other.head, &other);
    if ((match != NULL) != log_counts(now))
        fail_msg("state %d%s%s%s%s%s%s%s%s%s%s: the file is %sa candidate", (int)now->state,
                 now->own ? ", own" : "", now->resolved ? ", resolved" : "",
                 now->compressed ? ", compressed" : "", now->stranger ? ", a stranger" : "",
                 now->named ? ", named" : "", now->cut_waits ? ", cut" : "", now->is_text ? ", a text" : "",
                 now->of_text ? ", of a text" : "", now->delivered ? ", delivered" : "",
                 now->is_late ? ", late" : "", match != NULL ? "" : "not ");
    if (match != NULL) {
        const struct ps_tail_candidate *found = &match->items[0];
        assert_int_equal(match->count, 1);
        assert_true(found->kind == PS_TAIL_IS_FOLLOWED && found->number == 3 && found->generation == 5 &&
                    found->identity.inode == OTHER_INODE && found->offset == 70 && found->distance == 10);
        assert_int_equal(found->first, !now->named || now->cut_waits);
        assert_int_equal(found->gone, !now->named);
        assert_int_equal(found->path != NULL, now->named && !now->is_text);
        if (found->path != NULL)
            assert_string_equal(found->path, "/logs/app.log");
    }
    tailer_free(tailer, match);
}

static void test_logs(void **unused)
{
    static const enum ps_tail_log_state states[] = {PS_TAIL_LOG_CLOSED, PS_TAIL_LOG_OPENING, PS_TAIL_LOG_OPEN,
                                                    PS_TAIL_LOG_COPY};
    for (unsigned set = 0; set < 1024 * PS_COUNT_OF(states); set++)
        expect_log(&(struct known){.state = states[set / 1024],
                                   .own = (set & 15) == 15, /* few are */
                                   .resolved = (set & 1) != 0,
                                   .compressed = (set & 2) != 0 && (set & 4) != 0,
                                   .stranger = (set & 2) != 0 && (set & 4) == 0,
                                   .named = (set & 8) != 0,
                                   .cut_waits = (set & 16) != 0,
                                   .is_text = (set & 32) != 0,
                                   .of_text = (set & 64) != 0,
                                   .delivered = (set & 128) != 0,
                                   .is_late = (set & 256) != 0});
}

/* What a file was before it was cut counts for some time, for a compressed file longer, if anything was read of it. */
static void test_what_files_were(void **unused)
{
    const uint64_t more_ns = PS_TAIL_TEXT_PAUSE_NS - PS_TAIL_EARLIER_NS;
    const uint64_t until[] = {0, LATER_NS - more_ns, LATER_NS - more_ns + 1, LATER_NS, LATER_NS + 1};
    assert_true(more_ns > 1);
    for (unsigned set = 0; set < 8 * PS_COUNT_OF(until); set++) {
        bool own = (set & 1) != 0, of_text = (set & 2) != 0, begun = (set & 4) != 0;
        uint64_t until_ns = until[set / 8];
        struct ps_tail_log log = {.identity = {.inode = OWN_INODE}, .number = 1};
        struct ps_tail_log other = {.number = 3, .generation = 5, .file = {.fd = -1}, .resolved = true};
        struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
        other.earlier.identity.inode = OTHER_INODE;
        other.earlier.until_ns = until_ns;
        other.earlier.read_offset = begun ? 70 : 0;
        log.text.kind = other.text.kind = of_text ? PS_COMPRESSION_ZSTD : PS_COMPRESSION_NONE;
        struct ps_tail_match *match = match_with(tailer, own ? &other : &log, &other.earlier_head, &other);
        bool counts_now = !own && begun && until_ns != 0 && until_ns + (of_text ? more_ns : 0) > LATER_NS;
        if ((match != NULL) != counts_now)
            fail_msg("%s%s%suntil %d: it is %sa candidate", own ? "own, " : "", of_text ? "of a text, " : "",
                     begun ? "begun, " : "", (int)(set / 8), match != NULL ? "" : "not ");
        if (match != NULL) {
            const struct ps_tail_candidate *found = &match->items[0];
            assert_true(found->kind == PS_TAIL_WAS_EARLIER && found->number == 3 && found->generation == 5 &&
                        found->identity.inode == OTHER_INODE && found->offset == 70 && found->first &&
                        !found->gone && found->path == NULL && found->fd == -1 && found->distance == 30);
        }
        tailer_free(tailer, match);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_positions), cmocka_unit_test(test_logs),
                                       cmocka_unit_test(test_what_files_were)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
