#include "stages/lib/tail/serial.h"

#include <sys/random.h>

/* Ends the lines of the former number at `offset`. If they ended earlier, the lines between have no number, and
 * the former number is dropped, because a copy may have given it to lines at the offsets between. */
static void end_before(struct ps_tail_serial *serial, int64_t offset)
{
    if (offset > serial->from)
        serial->before = 0;
    serial->from = offset;
    serial->own = 0;
}

void ps_tail_serial_draw(struct ps_tail_serial *serial, int64_t offset)
{
    uint64_t number;
    if (serial->own != 0 || getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return;
    end_before(serial, offset > serial->from ? offset : serial->from);
    serial->own = number;
}

struct ps_tail_serial ps_tail_serial_of_copy(const struct ps_tail_serial *original, int64_t mark, bool whole)
{
    struct ps_tail_serial copy = *original;
    if (copy.own == 0 || mark < copy.from)
        end_before(&copy, mark);
    else if (!whole)
        ps_tail_serial_give(&copy, mark);
    return copy;
}

void ps_tail_serial_give(struct ps_tail_serial *serial, int64_t offset)
{
    if (serial->own == 0)
        return;
    *serial = (struct ps_tail_serial){.before = serial->own, .from = offset};
}
