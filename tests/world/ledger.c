#include "tests/world/ledger.h"
#include "tests/world/referee.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ledger_begin(void)
{
    world->ledger = world_allocate(sizeof(struct ledger));
    memset(world->ledger->required, 1, sizeof world->ledger->required);
    memset(world->ledger->allowed, 1, sizeof world->ledger->allowed);
}

void ledger_keep(void)
{
    struct ledger *ledger = world->ledger;
    ledger->keeps = true;
    ledger->kept = world_allocate(ledger->kept_room = 4096);
}

static void keep_bytes(struct ledger *ledger, const char *bytes, size_t length)
{
    size_t room = ledger->kept_room;
    while (ledger->kept_length + length > room)
        room *= 2;
    ledger->kept = world_grow(ledger->kept, ledger->kept_room, room);
    ledger->kept_room = room;
    memcpy(ledger->kept + ledger->kept_length, bytes, length);
    ledger->kept_length += length;
}

static void keep(struct ledger *ledger, const char *text, size_t length)
{
    keep_bytes(ledger, text, length);
    keep_bytes(ledger, "\n", 1);
}

uint32_t ledger_add(void)
{
    struct ledger *ledger = world->ledger;
    if (ledger->count == LEDGER_EVENTS_MAX)
        world_fatal("more than %u events", LEDGER_EVENTS_MAX);
    return ledger->count++;
}

uint16_t ledger_stream(void)
{
    return ++world->ledger->streams;
}

void ledger_ordered(uint32_t number, uint16_t stream)
{
    world->ledger->stream[number] = stream;
}

void ledger_written(uint32_t number, uint32_t label, uint32_t inode, uint64_t begin, uint64_t end)
{
    struct ledger *ledger = world->ledger;
    ledger->label[number] = label;
    ledger->file[number] = ledger->holder[number] = inode;
    ledger->file_begin[number] = (uint32_t)begin;
    ledger->file_end[number] = (uint32_t)end;
}

void ledger_moved(uint32_t inode, uint32_t to)
{
    struct ledger *ledger = world->ledger;
    for (uint32_t i = 0; i < ledger->count; i++)
        if (ledger->holder[i] == inode) {
            ledger->file[i] = 0;
            ledger->holder[i] = to;
        }
}

void ledger_held(uint32_t number)
{
    world->ledger->held_life[number] = world->life;
}

static bool is_gone(uint32_t number)
{
    uint32_t life = world->ledger->held_life[number];
    return life > 0 && (life != world->life || (world->facts != NULL && world->facts->reloads));
}

bool ledger_has_all_of(uint32_t inode)
{
    for (uint32_t i = 0; i < world->ledger->count; i++)
        if (world->ledger->holder[i] == inode && (ledger_is_lost(i) || !world->ledger->acknowledged[i]))
            return false;
    return true;
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
    world->ledger->acknowledgements += world->ledger->acknowledged[number] == 0;
    world->ledger->acknowledged[number] = 1;
}

void ledger_forgiven(uint32_t number)
{
    world->ledger->acknowledgements -= world->ledger->acknowledged[number] != 0;
    world->ledger->acknowledged[number] = 0;
}

void ledger_repeated(uint32_t number)
{
    count_up(&world->ledger->repeated[number]);
    world->ledger->repeats++;
}

void ledger_at(unsigned far_end)
{
    world->ledger->far_end = far_end;
    world->ledger->place = 0;
}

/* Returns whether this is the text of an event that was sent, and that belongs to the far end. */
static bool is_known(uint32_t number, const char *text, size_t length)
{
    const struct ledger *ledger = world->ledger;
    char expected[LEDGER_TEXT_MAX];
    if (number >= ledger->count || ledger->sent[number] == 0 || ledger_text(number, expected) != length)
        return false;
    if (ledger->last != 0)
        expected[length - 1] = ledger->last;
    unsigned far_end = ledger->far_end ^ (world->plant == PLANT_ASTRAY && number == 7);
    return memcmp(text, expected, length) == 0 && (ledger->allowed[number % 10] >> far_end & 1) != 0;
}

static void log_arrival(uint32_t number)
{
    struct ledger *ledger = world->ledger;
    size_t size = sizeof *ledger->log;
    if (ledger->logged == ledger->log_room) {
        size_t room = ledger->log_room == 0 ? 1024 : 2 * ledger->log_room;
        ledger->log = world_grow(ledger->log, ledger->log_room * size, room * size);
        ledger->log_room = room;
    }
    ledger->log[ledger->logged++] = (struct arrival){.number = number,
                                                     .life = (uint16_t)(world->life - 1),
                                                     .place = ledger->place,
                                                     .far_end = ledger->far_end,
                                                     .at_ns = world->now_ns};
    count_up(&ledger->arrived[ledger->far_end][number]);
}

void ledger_arrived(const char *text, size_t length)
{
    struct ledger *ledger = world->ledger;
    ledger->arrivals++;
    if (ledger->keeps) {
        keep(ledger, text, length);
        return;
    }
    bool is_event = length > 6 && memcmp(text, "event ", 6) == 0;
    uint32_t number = is_event ? (uint32_t)strtoul(text + 6, NULL, 10) : 0;
    bool is_planted = number == 7;
    if (!is_event || !is_known(number, text, length) || (is_planted && world->plant == PLANT_INVENTED)) {
        if (ledger->invented++ == 0)
            snprintf(ledger->invention, sizeof ledger->invention, "%.*s", (int)length, text);
        return;
    }
    if (is_planted && (world->plant == PLANT_LOST || world->plant == PLANT_SWAPPED))
        return;
    log_arrival(number);
    if (is_planted && world->plant == PLANT_DOUBLED)
        log_arrival(number);
    if (number == 8 && world->plant == PLANT_SWAPPED)
        log_arrival(7);
}

bool ledger_is_lost(uint32_t number)
{
    const struct ledger *ledger = world->ledger;
    bool lost = false;
    for (unsigned i = 0; i < LEDGER_FAR_ENDS; i++)
        lost |= (ledger->required[number % 10] >> i & 1) != 0 && ledger->arrived[i][number] == 0;
    return ledger->acknowledged[number] && lost && !is_gone(number);
}

uint32_t ledger_lost(void)
{
    uint32_t lost = 0;
    for (uint32_t i = 0; i < world->ledger->count; i++)
        lost += ledger_is_lost(i);
    return lost;
}

uint32_t ledger_doubled_at(unsigned far_end)
{
    const struct ledger *ledger = world->ledger;
    uint32_t doubled = 0;
    for (uint32_t i = 0; i < ledger->count; i++)
        doubled += ledger->arrived[far_end][i] > 1 + ledger->repeated[i];
    return doubled;
}

uint32_t ledger_doubled(void)
{
    uint32_t doubled = 0;
    for (unsigned i = 0; i < LEDGER_FAR_ENDS; i++)
        doubled += ledger_doubled_at(i);
    return doubled;
}

/* ---- headers ---- */

void ledger_expect_header(enum ledger_header_kind kind, const char *name, const char *text)
{
    struct ledger *ledger = world->ledger;
    if (ledger->header_count == LEDGER_HEADERS_MAX)
        world_fatal("more than %u headers", LEDGER_HEADERS_MAX);
    ledger->headers[ledger->header_count++] = (struct ledger_header){kind, name, text};
}

static bool is_uuid(const struct ledger_pair *pair)
{
    bool good = pair->value_length == 36;
    for (size_t i = 0; good && i < 36; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        good = memchr(is_dash ? "-" : "0123456789abcdef", pair->value[i], is_dash ? 1 : 16) != NULL;
    }
    return good;
}

static bool is_time(const struct ledger_pair *pair)
{
    uint64_t first_ms = (uint64_t)WORLD_WALL_START_S * 1000, value = 0;
    for (size_t i = 0; i < pair->value_length; i++) {
        if (pair->value[i] < '0' || pair->value[i] > '9' || i > 18)
            return false;
        value = value * 10 + (uint64_t)(pair->value[i] - '0');
    }
    return value >= first_ms && value <= first_ms + world->now_ns / 1000000;
}

/* Compares with a text in which the label stands for `#`. */
static bool is_labelled(const struct ledger_pair *pair, const char *text, uint32_t label)
{
    char expected[128];
    size_t hash = strcspn(text, "#"), length;
    snprintf(expected, sizeof expected, "%.*s%u%s", (int)hash, text, label, text + hash + 1);
    length = strlen(expected);
    bool is_beginning = expected[length - 1] == '*';
    length -= is_beginning;
    return (is_beginning ? pair->value_length >= length : pair->value_length == length) &&
           memcmp(pair->value, expected, length) == 0;
}

static bool is_as_expected(const struct ledger_header *header, uint32_t number,
                           const struct ledger_event *event)
{
    char digits[16];
    uint32_t value = header->kind == HEADER_DIGIT    ? number % 10
                     : header->kind == HEADER_OFFSET ? world->ledger->file_begin[number]
                                                     : number;
    snprintf(digits, sizeof digits, "%u", value);
    const char *text = header->text == NULL ? digits : header->text;
    for (unsigned i = 0; i < event->count; i++) {
        const struct ledger_pair *pair = &event->headers[i];
        if (pair->name_length != strlen(header->name) ||
            memcmp(pair->name, header->name, pair->name_length) != 0)
            continue;
        if (header->kind == HEADER_TIME)
            return is_time(pair);
        if (header->kind == HEADER_UUID)
            return is_uuid(pair);
        if (header->kind == HEADER_ANY)
            return pair->value_length > 0;
        if (header->kind == HEADER_LABEL)
            return is_labelled(pair, text, world->ledger->label[number]);
        return pair->value_length == strlen(text) && memcmp(pair->value, text, pair->value_length) == 0;
    }
    return false;
}

static void keep_event(struct ledger *ledger, const struct ledger_event *event)
{
    keep_bytes(ledger, "{", 1);
    for (unsigned i = 0; i < event->count; i++) {
        const struct ledger_pair *pair = &event->headers[i];
        keep_bytes(ledger, ", ", i == 0 ? 0 : 2);
        keep_bytes(ledger, pair->name, pair->name_length);
        keep_bytes(ledger, "=", 1);
        keep_bytes(ledger, pair->value, pair->value_length);
    }
    keep_bytes(ledger, "} ", 2);
    keep(ledger, event->body, event->length);
}

void ledger_arrived_event(const struct ledger_event *event)
{
    struct ledger *ledger = world->ledger;
    if (ledger->keeps && ledger->keeps_headers) {
        keep_event(ledger, event);
        return;
    }
    ledger_arrived(event->body, event->length);
    uint32_t number =
        event->length > 6 ? (uint32_t)strtoul(event->body + 6, NULL, 10) % LEDGER_EVENTS_MAX : 0;
    bool good =
        ledger->more_headers ? event->count >= ledger->header_count : event->count == ledger->header_count;
    for (unsigned i = 0; good && i < ledger->header_count; i++)
        good = is_as_expected(&ledger->headers[i], number, event);
    if (!good || (number == 7 && world->plant == PLANT_HEADER))
        ledger->wrong_headers++;
}
