#include "stages/lib/kafka/channel/burials.h"

#include <stdlib.h>
#include <string.h>

struct ps_kafka_burial {
    struct ps_kafka_burial *next;
    const char *reason;
    uint32_t length;
    size_t text_at; /* in `bytes`, behind the record */
    char bytes[];
};

struct ps_kafka_burial *ps_kafka_burial_make(const char *reason, const char *text, const char *bytes,
                                             uint32_t length)
{
    size_t text_bytes = strlen(text) + 1;
    struct ps_kafka_burial *burial = malloc(sizeof *burial + length + text_bytes);
    if (burial == NULL)
        return NULL;
    *burial = (struct ps_kafka_burial){.reason = reason, .length = length, .text_at = length};
    if (length > 0)
        memcpy(burial->bytes, bytes, length);
    memcpy(burial->bytes + length, text, text_bytes);
    return burial;
}

void ps_kafka_burial_free(struct ps_kafka_burial *burial)
{
    free(burial);
}

static void begin_again(struct ps_kafka_burials *burials)
{
    burials->next = burials->first;
    burials->port = NULL;
    burials->number = 0;
}

void ps_kafka_burials_add(struct ps_kafka_burials *burials, struct ps_kafka_burial *burial)
{
    if (burials->last != NULL)
        burials->last->next = burial;
    else
        burials->first = burial;
    burials->last = burial;
    begin_again(burials); /* nothing is put while the batch is open */
}

/* Whether its letterbox has less than was put: what was not written is withdrawn. */
static bool is_withdrawn(const struct ps_kafka_burials *burials)
{
    const struct ps_letterbox *box = burials->port->letterbox;
    return box == NULL || ps_letterbox_sent(box) < burials->number;
}

bool ps_kafka_burials_are_written(struct ps_kafka_burials *burials, struct ps_port *port)
{
    if (!ps_port_has_deadletter(port))
        return true;
    if (burials->port != port || is_withdrawn(burials))
        begin_again(burials);
    burials->port = port;
    for (; burials->next != NULL && ps_letterbox_has_room(port->letterbox);
         burials->next = burials->next->next) {
        const struct ps_kafka_burial *burial = burials->next;
        const struct ps_letter_reason reason = {burial->reason, burial->bytes + burial->text_at, 0};
        uint64_t number = ps_port_deadletter_bytes(port, burial->bytes, burial->length, &reason);
        if (number == 0)
            return false;
        burials->number = number;
    }
    return burials->next == NULL && ps_port_deadletter_written(port) >= burials->number;
}

void ps_kafka_burials_look(struct ps_kafka_burials *burials, const struct ps_port *port)
{
    if (PS_UNLIKELY(burials->port == port) && is_withdrawn(burials))
        begin_again(burials);
}

void ps_kafka_burials_clear(struct ps_kafka_burials *burials)
{
    while (burials->first != NULL) {
        struct ps_kafka_burial *burial = burials->first;
        burials->first = burial->next;
        free(burial);
    }
    *burials = (struct ps_kafka_burials){.first = NULL};
}
