#include "stages/lib/tail/slots.h"

#include <stdlib.h>
#include <string.h>

#define PURPOSE "files that are followed"

void ps_tail_slots_grow(struct ps_tail_slots *slots, uint32_t room)
{
    uint32_t *numbers = ps_must_alloc(room, sizeof *numbers, PURPOSE);
    for (uint32_t i = 0; i < slots->count; i++)
        numbers[i] = slots->numbers[(slots->first + i) & (slots->room - 1)];
    free(slots->numbers);
    slots->numbers = numbers;
    slots->has = ps_must_realloc(slots->has, room * sizeof *slots->has, PURPOSE);
    memset(slots->has + slots->room, 0, (room - slots->room) * sizeof *slots->has);
    slots->first = 0;
    slots->room = room;
}

void ps_tail_slots_put(struct ps_tail_slots *slots, uint32_t number)
{
    PS_ASSERT(number < slots->room);
    if (slots->has[number])
        return;
    slots->has[number] = true;
    slots->numbers[(slots->first + slots->count++) & (slots->room - 1)] = number;
}

uint32_t ps_tail_slots_take(struct ps_tail_slots *slots)
{
    PS_ASSERT(slots->count > 0);
    uint32_t number = slots->numbers[slots->first];
    slots->first = (slots->first + 1) & (slots->room - 1);
    slots->count--;
    slots->has[number] = false;
    return number;
}

void ps_tail_slots_free(struct ps_tail_slots *slots)
{
    free(slots->numbers);
    free(slots->has);
    *slots = (struct ps_tail_slots){.count = 0};
}
