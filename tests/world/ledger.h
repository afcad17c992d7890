/* What peers sent, what was acknowledged to them, and what arrived. Each event has a number, from which its text follows. */
#pragma once

#include "tests/world/shared.h"

#define LEDGER_EVENTS_MAX 20000U
#define LEDGER_TEXT_MAX 2048U

struct ledger {
    uint32_t count;
    uint8_t acknowledged[LEDGER_EVENTS_MAX];
    uint8_t sent[LEDGER_EVENTS_MAX]; /* times, completely; 255: 255 and more */
    uint8_t arrived[LEDGER_EVENTS_MAX];
    uint64_t arrivals;
    uint32_t invented;   /* arrived, and was never sent */
    char invention[128]; /* the first one */
};

void ledger_begin(void);
/* Returns the number of a new event. */
uint32_t ledger_add(void);
/* Writes the text of an event, without a newline. Returns its length. */
size_t ledger_text(uint32_t number, char to[LEDGER_TEXT_MAX]);
void ledger_sent(uint32_t number);
void ledger_acknowledged(uint32_t number);
/* Counts an event that arrived, by its text. */
void ledger_arrived(const char *text, size_t length);
/* Returns how many were acknowledged and have not arrived. */
uint32_t ledger_lost(void);
/* Returns how many arrived more than once. */
uint32_t ledger_doubled(void);
