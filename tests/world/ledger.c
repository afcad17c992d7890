#include "tests/world/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ledger_begin(void)
{
    world->ledger = world_allocate(sizeof(struct ledger));
}

uint32_t ledger_add(void)
{
    struct ledger *ledger = world->ledger;
    if (ledger->count == LEDGER_EVENTS_MAX)
        world_fatal("more than %u events", LEDGER_EVENTS_MAX);
    return ledger->count++;
}

/* Most texts are short; some are long, so that they cross buffers and blocks. */
size_t ledger_text(uint32_t number, char to[LEDGER_TEXT_MAX])
{
    uint64_t hash = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    size_t length = (size_t)snprintf(to, LEDGER_TEXT_MAX, "event %u %08x ", number, (uint32_t)(hash >> 32));
    size_t more = hash % 16 == 0 ? hash / 16 % 1500 : hash / 16 % 60;
    for (size_t i = 0; i < more; i++)
        to[length++] = "abcdefghijklmnopqrstuvwxyz ./:=-"[(hash >> i % 59 & 31)];
    to[length++] = '.'; /* no text ends in a space */
    to[length] = 0;
    return length;
}

static void count_up(uint8_t *times)
{
    if (*times < UINT8_MAX)
        ++*times;
}

void ledger_sent(uint32_t number)
{
    count_up(&world->ledger->sent[number]);
}

void ledger_acknowledged(uint32_t number)
{
    world->ledger->acknowledged[number] = 1;
}

void ledger_arrived(const char *text, size_t length)
{
    struct ledger *ledger = world->ledger;
    char expected[LEDGER_TEXT_MAX];
    ledger->arrivals++;
    if (length > 6 && memcmp(text, "event ", 6) == 0) {
        uint32_t number = (uint32_t)strtoul(text + 6, NULL, 10);
        if (number < ledger->count && ledger->sent[number] > 0 && ledger_text(number, expected) == length &&
            memcmp(text, expected, length) == 0) {
            bool planted = number == 7;
            if (planted && world->plant == PLANT_LOST)
                return;
            if (planted && world->plant == PLANT_DOUBLED)
                count_up(&ledger->arrived[number]);
            if (!planted || world->plant != PLANT_INVENTED) {
                count_up(&ledger->arrived[number]);
                return;
            }
        }
    }
    if (ledger->invented++ == 0)
        snprintf(ledger->invention, sizeof ledger->invention, "%.*s", (int)length, text);
}

uint32_t ledger_lost(void)
{
    const struct ledger *ledger = world->ledger;
    uint32_t lost = 0;
    for (uint32_t i = 0; i < ledger->count; i++)
        lost += ledger->acknowledged[i] && ledger->arrived[i] == 0;
    return lost;
}

uint32_t ledger_doubled(void)
{
    const struct ledger *ledger = world->ledger;
    uint32_t doubled = 0;
    for (uint32_t i = 0; i < ledger->count; i++)
        doubled += ledger->arrived[i] > 1;
    return doubled;
}
