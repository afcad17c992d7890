/* The random numbers of files: drawn when reading begins, written to the position file, and used once they are there. Files that
 * are found together wait for one save. */
#include "stages/lib/tail/tailer/internal.h"

void ps_tail_log_numbers(struct ps_tail_log *log, const struct ps_tail_serial *serial)
{
    log->serial = *serial;
    log->serial_noted = false;
    log->serial_saved = serial->own != 0;
}

void ps_tail_log_numbers_forget(struct ps_tail_log *log)
{
    log->serial = (struct ps_tail_serial){0};
    log->serial_noted = log->serial_saved = false;
}

static void save_first(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->serial_noted = log->serial_saved = false;
    ps_tail_slots_put(&tailer->unsaved, log->number);
    ps_tail_log_changed(tailer, log);
}

void ps_tail_log_numbers_inherit(struct ps_tailer *tailer, struct ps_tail_log *log,
                                 const struct ps_tail_origin *origin, int64_t mark)
{
    log->serial = ps_tail_serial_of_copy(origin->serial, mark, mark == origin->read_offset);
    if (log->serial.own != 0)
        ps_tail_serial_give(origin->serial, origin->read_offset);
    save_first(tailer, log);
}

static bool gives_identities(const struct ps_tailer *tailer)
{
    return tailer->settings->identities && tailer->sink.keeping == NULL;
}

/* An empty file has no position that the next process could find it by, so its number would be lost. */
void ps_tail_log_number(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (log->serial.own != 0 || log->identity.head_length == 0 || !gives_identities(tailer))
        return;
    ps_tail_serial_draw(&log->serial, log->read_offset);
    save_first(tailer, log);
}

bool ps_tail_log_lacks_number(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    return log->serial.own == 0 && gives_identities(tailer) && !tailer->saves.failed;
}

bool ps_tail_log_is_numbered(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (PS_LIKELY(log->serial.own != 0 && log->serial_saved) || !gives_identities(tailer))
        return true;
    ps_tail_log_grow(tailer, log);
    if (log->identity.head_length == 0)
        return true; /* there is nothing to read yet */
    if (log->serial.own != 0 && !log->serial_noted) {
        ps_tail_slots_put(&tailer->unsaved, log->number);
        ps_tail_log_changed(tailer, log);
    }
    ps_tail_log_number(tailer, log);
    if (tailer->saves.failed || log->serial.own == 0)
        return true;
    log->waits = true;
    ps_tail_slots_put(&tailer->unnumbered, log->number);
    return false;
}

/* Returns whether a save may have the number of a file that waits. Its copy may have taken the number meanwhile: then the file goes on,
 * and gets another one if it has bytes. */
static bool can_be_saved(const struct ps_tail_log *log)
{
    return log->serial.own != 0 && log->identity.head_length > 0;
}

void ps_tail_numbers_saved(struct ps_tailer *tailer)
{
    for (uint32_t left = tailer->saves.failed ? 0 : tailer->unsaved.count; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->unsaved);
        struct ps_tail_log *log = tailer->table.logs[number];
        if (log == NULL)
            continue;
        log->serial_saved |= log->serial_noted && log->serial.own != 0;
        if (!log->serial_saved)
            ps_tail_slots_put(&tailer->unsaved, number);
    }
    for (uint32_t left = tailer->unnumbered.count; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->unnumbered);
        const struct ps_tail_log *log = tailer->table.logs[number];
        if (log != NULL && log->waits && !log->serial_saved && can_be_saved(log) && !tailer->saves.failed)
            ps_tail_slots_put(&tailer->unnumbered, number);
        else
            ps_tail_log_wait_no_more(tailer, number);
    }
}
