#include "stages/lib/kafka/channel/dead_letters.h"

#include <stdlib.h>
#include <string.h>

struct ps_kafka_dead_letter {
    struct ps_kafka_dead_letter *next;
    const char *reason;
    uint32_t length;
    size_t text_at; /* offset in `bytes`, after the record */
    char bytes[];
};

struct ps_kafka_dead_letter *ps_kafka_dead_letter_make(const char *reason, const char *text,
                                                       const char *bytes, uint32_t length)
{
    size_t text_bytes = strlen(text) + 1;
    struct ps_kafka_dead_letter *letter = malloc(sizeof *letter + length + text_bytes);
    if (letter == NULL)
        return NULL;
    *letter = (struct ps_kafka_dead_letter){.reason = reason, .length = length, .text_at = length};
    if (length > 0)
        memcpy(letter->bytes, bytes, length);
    memcpy(letter->bytes + length, text, text_bytes);
    return letter;
}

void ps_kafka_dead_letter_free(struct ps_kafka_dead_letter *letter)
{
    free(letter);
}

static void begin_again(struct ps_kafka_dead_letters *dead_letters)
{
    dead_letters->next = dead_letters->first;
    dead_letters->port = NULL;
    dead_letters->number = 0;
}

void ps_kafka_dead_letters_add(struct ps_kafka_dead_letters *dead_letters,
                               struct ps_kafka_dead_letter *letter)
{
    if (dead_letters->last != NULL)
        dead_letters->last->next = letter;
    else
        dead_letters->first = letter;
    dead_letters->last = letter;
    begin_again(dead_letters); /* letters are put after the batch is complete */
}

/* Returns whether the dead_letter_queue has fewer letters than were put, because unwritten letters were withdrawn. */
static bool is_withdrawn(const struct ps_kafka_dead_letters *dead_letters)
{
    const struct ps_dead_letter_queue *queue = dead_letters->port->dead_letter_queue;
    return queue == NULL || ps_dead_letter_queue_sent(queue) < dead_letters->number;
}

bool ps_kafka_dead_letters_are_written(struct ps_kafka_dead_letters *dead_letters, struct ps_port *port)
{
    if (!ps_port_has_deadletter(port))
        return true;
    if (dead_letters->port != port || is_withdrawn(dead_letters))
        begin_again(dead_letters);
    dead_letters->port = port;
    for (; dead_letters->next != NULL && ps_dead_letter_queue_has_room(port->dead_letter_queue);
         dead_letters->next = dead_letters->next->next) {
        const struct ps_kafka_dead_letter *letter = dead_letters->next;
        const struct ps_dead_letter_reason reason = {letter->reason, letter->bytes + letter->text_at, 0};
        uint64_t number = ps_port_deadletter_bytes(port, letter->bytes, letter->length, &reason);
        if (number == 0)
            return false;
        dead_letters->number = number;
    }
    return dead_letters->next == NULL && ps_port_deadletter_written(port) >= dead_letters->number;
}

void ps_kafka_dead_letters_look(struct ps_kafka_dead_letters *dead_letters, const struct ps_port *port)
{
    if (PS_UNLIKELY(dead_letters->port == port) && is_withdrawn(dead_letters))
        begin_again(dead_letters);
}

void ps_kafka_dead_letters_clear(struct ps_kafka_dead_letters *dead_letters)
{
    while (dead_letters->first != NULL) {
        struct ps_kafka_dead_letter *letter = dead_letters->first;
        dead_letters->first = letter->next;
        free(letter);
    }
    *dead_letters = (struct ps_kafka_dead_letters){.first = NULL};
}
