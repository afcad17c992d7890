#include "stages/lib/flume_log/replay.h"
#include "core/array.h"

#include <stdlib.h>
#include <string.h>

struct ps_flume_transaction {
    uint64_t id, damages; /* `damages`: number of damages before its last record */
    uint64_t *pointers;
    size_t count, room;
    size_t inflight; /* number of the first `pointers` that were taken before the checkpoint */
    bool puts;
};

/* ---- the queue ---- */

static void append(struct ps_flume_replay *replay, uint64_t pointer)
{
    if (ps_number_map_remove(&replay->taken_early, pointer, NULL) ||
        ps_number_map_get(&replay->places, pointer, NULL))
        return;
    PS_ARRAY_GROW(replay->queue, replay->count, replay->room, "the events of a channel");
    PS_ASSERT(replay->count < UINT32_MAX);
    ps_number_map_put(&replay->places, pointer, (uint32_t)replay->count);
    replay->queue[replay->count++] = pointer;
}

static void take_out(struct ps_flume_replay *replay, uint64_t pointer)
{
    uint32_t place;
    if (ps_number_map_remove(&replay->places, pointer, &place))
        replay->queue[place] = 0;
    else
        ps_number_map_put(&replay->taken_early, pointer, 0);
}

/* Puts the event at the front of the queue, unless another transaction has delivered it: Flume gives an event back before it
 * numbers the rollback record, so the other transaction's commit may come first. */
static void give_back(struct ps_flume_replay *replay, uint64_t pointer)
{
    if (ps_number_map_remove(&replay->taken_early, pointer, NULL) ||
        ps_number_map_get(&replay->places, pointer, NULL))
        return;
    PS_ASSERT(replay->head > 0);
    replay->queue[--replay->head] = pointer;
    ps_number_map_put(&replay->places, pointer, (uint32_t)replay->head);
}

/* ---- transactions ---- */

/* Returns the key of a transaction in the map. A transaction has either puts or takes; if its number is damaged, both
 * may occur, and are kept apart. */
static uint64_t key_of(uint64_t id, bool puts)
{
    return id << 1 | (puts ? 1 : 0);
}

static struct ps_flume_transaction *transaction_of(struct ps_flume_replay *replay, uint64_t id, bool puts)
{
    uint32_t place;
    if (!ps_number_map_get(&replay->open, key_of(id, puts), &place)) {
        PS_ARRAY_GROW(replay->transactions, replay->transaction_count, replay->transaction_room,
                      "the transactions of a channel");
        place = (uint32_t)replay->transaction_count++;
        replay->transactions[place] = (struct ps_flume_transaction){.id = id, .puts = puts};
        ps_number_map_put(&replay->open, key_of(id, puts), place);
    }
    replay->transactions[place].damages = replay->damages;
    return &replay->transactions[place];
}

static void add(struct ps_flume_transaction *transaction, uint64_t pointer)
{
    PS_ARRAY_GROW(transaction->pointers, transaction->count, transaction->room, "a transaction of a channel");
    transaction->pointers[transaction->count++] = pointer;
}

/* Orders takes from before the checkpoint by their places in the logs, because the checkpoint does not have the order in which they go back. */
static int by_pointer(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static void give_all_back(struct ps_flume_replay *replay, struct ps_flume_transaction *transaction)
{
    size_t inflight = transaction->inflight;
    if (inflight > 0)
        qsort(transaction->pointers, inflight, sizeof *transaction->pointers, by_pointer);
    while (inflight > 0)
        give_back(replay, transaction->pointers[--inflight]);
}

/* Removes a transaction that has ended; the last one moves to its place. */
static void forget(struct ps_flume_replay *replay, struct ps_flume_transaction *transaction)
{
    struct ps_flume_transaction *last = &replay->transactions[--replay->transaction_count];
    ps_number_map_remove(&replay->open, key_of(transaction->id, transaction->puts), NULL);
    free(transaction->pointers);
    if (transaction == last)
        return;
    *transaction = *last;
    ps_number_map_put(&replay->open, key_of(transaction->id, transaction->puts),
                      (uint32_t)(transaction - replay->transactions));
}

/* Applies a transaction. Its records tell whether it has puts or takes, because the commit record's own value is not
 * protected by a checksum. */
static void commit(struct ps_flume_replay *replay, const struct ps_flume_transaction *transaction)
{
    for (size_t i = 0; i < transaction->count; i++) {
        if (transaction->puts)
            append(replay, transaction->pointers[i]);
        else if (i >= transaction->inflight)
            take_out(replay, transaction->pointers[i]);
    }
}

/* ---- what the reader calls ---- */

void ps_flume_replay_begin(struct ps_flume_replay *replay, const struct ps_flume_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    replay->after = checkpoint->order;
    replay->head = replay->count = checkpoint->take_count;
    replay->room = checkpoint->take_count + checkpoint->queue_count + 1;
    replay->queue = ps_must_alloc(replay->room, sizeof *replay->queue, "the events of a channel");
    for (size_t i = 0; i < checkpoint->queue_count; i++)
        append(replay, checkpoint->queue[i]);
    for (size_t i = 0; i < checkpoint->put_count; i++)
        add(transaction_of(replay, checkpoint->puts[i].transaction, true), checkpoint->puts[i].pointer);
    for (size_t i = 0; i < checkpoint->take_count; i++) {
        struct ps_flume_transaction *transaction =
            transaction_of(replay, checkpoint->takes[i].transaction, false);
        add(transaction, checkpoint->takes[i].pointer);
        transaction->inflight = transaction->count;
    }
}

void ps_flume_replay_record(struct ps_flume_replay *replay, const struct ps_flume_record *record,
                            uint64_t pointer)
{
    uint64_t id = record->frame.transaction;
    uint32_t place;
    if (record->frame.order <= replay->after)
        return;
    switch (record->frame.kind) {
    case PS_FLUME_PUT:
        replay->puts++;
        add(transaction_of(replay, id, true), pointer);
        return;
    case PS_FLUME_TAKE:
        replay->takes++;
        add(transaction_of(replay, id, false), record->pointer);
        return;
    case PS_FLUME_ROLLBACK:
        replay->rollbacks++;
        break;
    case PS_FLUME_COMMIT:
        replay->commits++;
        break;
    }
    for (unsigned puts = 0; puts < 2; puts++) {
        if (!ps_number_map_get(&replay->open, key_of(id, puts == 1), &place))
            continue;
        struct ps_flume_transaction *transaction = &replay->transactions[place];
        if (record->frame.kind == PS_FLUME_COMMIT)
            commit(replay, transaction);
        else
            give_all_back(replay, transaction);
        forget(replay, transaction);
    }
}

void ps_flume_replay_damage(struct ps_flume_replay *replay)
{
    replay->damages++;
}

static int by_id(const void *left, const void *right)
{
    const struct ps_flume_transaction *a = left, *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

void ps_flume_replay_end(struct ps_flume_replay *replay)
{
    if (replay->transaction_count > 0)
        qsort(replay->transactions, replay->transaction_count, sizeof *replay->transactions, by_id);
    for (size_t i = replay->transaction_count; i > 0; i--)
        give_all_back(replay, &replay->transactions[i - 1]);
    for (size_t i = 0; i < replay->transaction_count; i++) {
        struct ps_flume_transaction *transaction = &replay->transactions[i];
        if (transaction->puts && transaction->damages < replay->damages) {
            commit(replay, transaction);
            replay->uncertain += transaction->count;
        } else if (transaction->puts) {
            replay->uncommitted += transaction->count;
        }
        free(transaction->pointers);
    }
    replay->transaction_count = 0;
    ps_number_map_fini(&replay->open);
}

uint64_t ps_flume_replay_next(const struct ps_flume_replay *replay, size_t *at)
{
    while (*at < replay->count) {
        uint64_t pointer = replay->queue[(*at)++];
        if (pointer != 0)
            return pointer;
    }
    return 0;
}

void ps_flume_replay_fini(struct ps_flume_replay *replay)
{
    for (size_t i = 0; i < replay->transaction_count; i++)
        free(replay->transactions[i].pointers);
    free(replay->transactions);
    free(replay->queue);
    ps_number_map_fini(&replay->places);
    ps_number_map_fini(&replay->taken_early);
    ps_number_map_fini(&replay->open);
    *replay = (struct ps_flume_replay){0};
}
