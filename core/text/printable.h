/* Makes text from outside printable, so that one message is one line and no sender can send control sequences to a
 * terminal. Thread: any. */
#pragma once

#include "core/arena.h"

#include <stdio.h>

/* Writes a byte as itself, or a control character (below 0x20, 0x7f) as \n, \r, \t or \xHH. Returns the number of
 * bytes written: 1, 2 or 4. */
size_t ps_printable_byte(char out[4], unsigned char byte);

/* Returns the length of the character at the beginning of the text if it is UTF-8 for one that nobody sees, or that
 * changes how the text around it looks: U+0080 to U+009F, the marks that change the direction of writing, characters
 * without a width, line and paragraph separators, tags. Else 0. */
size_t ps_printable_hidden(const char *text, size_t length);

/* Puts the printable form of the first character or byte of the text into `out` (`*out_length` bytes), and returns how
 * many bytes of the text it stands for. `*good`: 0 at the first call; the caller keeps it between calls. A hidden
 * character, and a byte that is not UTF-8, becomes \xHH for each byte, another one what ps_printable_byte makes of it. */
size_t ps_printable_next(char out[16], size_t *out_length, const char *text, size_t length, size_t *good);

/* Puts the printable form of a text into `out`, which has room for 4 * length bytes. Returns the bytes written. */
size_t ps_printable_put(char *out, const char *text, size_t length);

/* Writes the printable form of a text. */
void ps_printable_write(FILE *to, const char *text, size_t length);

/* Writes at most room - 1 bytes and a NUL: control characters and hidden ones as spaces. `text` may be
 * `to`. Returns the number of bytes before the NUL. */
size_t ps_printable_copy(char *to, size_t room, const char *text, size_t length);

/* Copies text for a message: "; " for a newline, "?" for every other control character and every hidden one.
 * Returns NULL for NULL. Owns: the arena. */
char *ps_printable_line(struct ps_arena *arena, const char *text);
