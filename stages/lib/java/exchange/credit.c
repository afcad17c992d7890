#include "stages/lib/java/exchange/credit.h"

#include "rings/word.h"
#include "stages/lib/java/exchange/message.h"

/* Maximum number of events that a class promises before they are in the channels; fewer if the events are
 * large, because a channel takes promised events even beyond its byte limit. */
#define EVENTS_MAX 4096U
#define BYTES_MAX (UINT64_C(8) << 20)
/* A class that makes no call for this time gives its room in the channels back. */
#define PAUSE_NS (100 * PS_NS_PER_MS)
/* After this many calls without a pause, room in advance is worth the two messages that it takes. */
#define CALLS_MIN 16U

void ps_java_credit_calls(struct ps_java_credit *credit, uint64_t calls, const struct ps_now *now)
{
    if (now->mono_ns - credit->last_ns >= PAUSE_NS)
        credit->calls = 0;
    credit->calls += calls;
    credit->last_ns = now->mono_ns;
}

static bool grows(const struct ps_java_credit *credit)
{
    return credit->calls >= CALLS_MIN && !credit->returns;
}

uint64_t ps_java_credit_wanted(const struct ps_java_credit *credit)
{
    uint64_t promised = credit->most - credit->put, most = EVENTS_MAX;
    if (credit->event_bytes > BYTES_MAX / EVENTS_MAX)
        most = BYTES_MAX / credit->event_bytes;
    return grows(credit) && promised < most ? most : promised;
}

void ps_java_credit_given(struct ps_java_credit *credit, uint64_t events)
{
    if (grows(credit) && events > credit->most - credit->put)
        credit->most = credit->put + events;
}

bool ps_java_credit_use(struct ps_java_credit *credit, uint64_t first, uint64_t events)
{
    if (first != credit->used || events > credit->most - credit->used)
        return false;
    credit->used += events;
    return true;
}

bool ps_java_credit_left(const struct ps_java_credit *credit, const char *end, uint32_t *bytes,
                         uint32_t *events)
{
    const struct ps_java_promised *noted = (const void *)(end - sizeof *noted);
    uint64_t size = ps_word_get(&noted->size);
    *bytes = (uint32_t)size;
    *events = (uint32_t)(size >> 32);
    return ps_word_get(&noted->first) == credit->used;
}

bool ps_java_credit_is_idle(const struct ps_java_credit *credit, const struct ps_now *now, uint64_t *due_ns)
{
    if (credit->most == credit->used || credit->returns)
        return false;
    uint64_t idle_ns = credit->last_ns + PAUSE_NS;
    if (now->mono_ns >= idle_ns)
        return true;
    *due_ns = idle_ns < *due_ns ? idle_ns : *due_ns;
    return false;
}

void ps_java_credit_ask(struct ps_java_credit *credit)
{
    credit->returns = true;
    credit->calls = 0;
}

bool ps_java_credit_return(struct ps_java_credit *credit, uint64_t used)
{
    if (!credit->returns || used != credit->used)
        return false;
    credit->returns = false;
    credit->most = used;
    return true;
}
