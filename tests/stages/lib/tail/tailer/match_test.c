/* Which positions of the position file a new file may go on at: each state of such a position, compared with the rule. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_positions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
