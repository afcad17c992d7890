/* Makes text from outside printable, so that one message is one line and no sender can send control sequences to a
 * terminal. Thread: any. */
#pragma once

#include "core/arena.h"

#include <stdio.h>

/* Writes a byte as itself, or a control character (below 0x20, 0x7f) as \n, \r, \t or \xHH. Returns the number of
 * bytes written: 1, 2 or 4. */
size_t ps_printable_byte(char out[4], unsigned char byte);

/* Writes bytes: control characters, U+0080 to U+009F and bytes that are not UTF-8 as ps_printable_byte does or as
 * \xHH. */
void ps_printable_write(FILE *to, const char *text, size_t length);

/* Writes at most room - 1 bytes and a NUL: control characters, U+0080 to U+009F included, as spaces. `text` may be
 * `to`. Returns the number of bytes before the NUL. */
size_t ps_printable_copy(char *to, size_t room, const char *text, size_t length);

/* Copies text for a message: "; " for a newline, "?" for every other control character, U+0080 to U+009F included.
 * Returns NULL for NULL. Owns: the arena. */
char *ps_printable_line(struct ps_arena *arena, const char *text);
