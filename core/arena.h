/* Memory that is freed together: strings and small tables that live as long as a plan, or as a snapshot of metrics.
 * Thread: one at a time, the one that made it; of a plan, the control thread. Never used in `work`. */
#pragma once

#include "core/base.h"

struct ps_arena;

/* Never NULL: without memory the process ends (ps_must_alloc). */
struct ps_arena *ps_arena_create(void);
void ps_arena_destroy(struct ps_arena *arena);

/* Adds a function that releases what belongs to the arena besides its memory. ps_arena_end calls the
 * functions, the last added first; so does ps_arena_destroy before it frees the memory. */
void ps_arena_at_end(struct ps_arena *arena, void (*end)(void *argument), void *argument);
void ps_arena_end(struct ps_arena *arena);

/* Returns zeroed memory, aligned to 16 bytes. Ends the process when there is no memory (ps_must_alloc). */
void *ps_arena_alloc(struct ps_arena *arena, size_t bytes);
/* Makes room for one more item after the `count` items at `items`, which is memory of the arena, or NULL. The room
 * doubles. Returns the items, which may have moved. */
void *ps_arena_grow(struct ps_arena *arena, const void *items, size_t count, size_t item_bytes);
/* Return a terminated copy of the text, or of printf's output. Without memory they end the process as above. */
char *ps_arena_copy(struct ps_arena *arena, const char *text, size_t length);
char *ps_arena_text(struct ps_arena *arena, const char *text);
char *ps_arena_format(struct ps_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
