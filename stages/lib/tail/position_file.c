#include "stages/lib/tail/position_file.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "rings/refcount.h"

#define PURPOSE "positions"

struct ps_tail_position_file {
    struct ps_refcount holders;
    struct ps_tail_positions remembered, logs; /* by number; path NULL: none */
    uint64_t hash;                             /* hash of the text of the position file */
};

struct ps_tail_position_file *ps_tail_position_file_create(void)
{
    struct ps_tail_position_file *file = ps_must_alloc(1, sizeof *file, PURPOSE);
    ps_refcount_init(&file->holders);
    return file;
}

void ps_tail_position_file_hold(struct ps_tail_position_file *file)
{
    ps_refcount_add(&file->holders);
}

void ps_tail_position_file_drop(struct ps_tail_position_file *file)
{
    if (!ps_refcount_drop(&file->holders))
        return;
    ps_tail_positions_free(&file->remembered);
    ps_tail_positions_free(&file->logs);
    free(file);
}

void ps_tail_position_file_remember(struct ps_tail_position_file *file, const struct ps_tail_positions *read)
{
    file->hash = read->hash;
    for (size_t i = 0; i < read->count; i++)
        ps_tail_positions_add(&file->remembered, &read->items[i]);
}

static void position_free(struct ps_tail_position *position)
{
    free(position->path);
    ps_tail_marks_free(&position->marks);
    *position = (struct ps_tail_position){.path = NULL};
}

/* Returns the entry of this number. */
static struct ps_tail_position *item_of(struct ps_tail_positions *positions, uint32_t number)
{
    if (number >= positions->room) {
        positions->room = 2 * (size_t)number + 64;
        positions->items =
            ps_must_realloc(positions->items, positions->room * sizeof *positions->items, PURPOSE);
    }
    while (positions->count <= number)
        positions->items[positions->count++] = (struct ps_tail_position){.path = NULL};
    return &positions->items[number];
}

void ps_tail_position_file_take(struct ps_tail_position_file *file, struct ps_tail_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        struct ps_tail_note *note = &notes->items[i];
        struct ps_tail_position *item =
            item_of(note->remembered ? &file->remembered : &file->logs, note->number);
        position_free(item);
        *item = note->position;
    }
    notes->count = 0;
}

static void list_add(struct ps_tail_positions *list, const struct ps_tail_positions *positions)
{
    for (size_t i = 0; i < positions->count; i++) {
        if (positions->items[i].path != NULL)
            list->items[list->count++] = positions->items[i];
    }
}

enum ps_status ps_tail_position_file_write(struct ps_tail_position_file *file, const char *path,
                                           struct ps_err *err)
{
    struct ps_tail_positions list = {.hash = file->hash};
    list.items = ps_must_alloc(file->remembered.count + file->logs.count + 1, sizeof *list.items, PURPOSE);
    list_add(&list, &file->remembered);
    list_add(&list, &file->logs);
    enum ps_status status = ps_tail_positions_save(path, &list, err);
    file->hash = list.hash;
    free(list.items); /* the file owns what the items point to */
    return status;
}

void ps_tail_notes_add(struct ps_tail_notes *notes, uint32_t number, bool remembered,
                       const struct ps_tail_position *position)
{
    PS_ARRAY_GROW(notes->items, notes->count, notes->room, PURPOSE);
    struct ps_tail_note *note = &notes->items[notes->count++];
    *note = (struct ps_tail_note){.number = number, .remembered = remembered};
    if (position == NULL)
        return;
    note->position = *position;
    note->position.path = ps_must_copy_text(position->path, PURPOSE);
    ps_tail_marks_copy(&note->position.marks, &position->marks, position->offset);
}

void ps_tail_notes_free(struct ps_tail_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        position_free(&notes->items[i].position);
    free(notes->items);
    *notes = (struct ps_tail_notes){.count = 0};
}
