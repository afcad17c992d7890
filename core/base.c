#include "core/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *ps_must_alloc(size_t count, size_t bytes, const char *purpose)
{
    void *memory = calloc(count, bytes);
    if (memory == NULL && count > 0 && bytes > 0)
        ps_out_of_memory(count > SIZE_MAX / bytes ? SIZE_MAX : count * bytes, purpose);
    return memory;
}

void *ps_must_alloc_aligned(size_t bytes, const char *purpose)
{
    bytes = (bytes + PS_CACHE_GAP - 1) & ~(size_t)(PS_CACHE_GAP - 1);
    void *memory = aligned_alloc(PS_CACHE_GAP, bytes);
    if (memory == NULL)
        ps_out_of_memory(bytes, purpose);
    return memset(memory, 0, bytes);
}

void *ps_must_realloc(void *memory, size_t bytes, const char *purpose)
{
    void *more = realloc(memory, bytes);
    if (more == NULL)
        ps_out_of_memory(bytes, purpose);
    return more;
}

char *ps_must_copy_text(const char *text, const char *purpose)
{
    char *copy = strdup(text);
    if (copy == NULL)
        ps_out_of_memory(strlen(text) + 1, purpose);
    return copy;
}

/* A text that is written. open_memstream would drop bytes for which there is no memory, and report it by neither ferror nor fclose. */
struct text {
    char **text;
    size_t *length, room;
    const char *purpose;
};

static ssize_t text_write(void *text_, const char *bytes, size_t count)
{
    struct text *text = text_;
    size_t length = *text->length;
    if (length + count >= text->room) {
        text->room = 2 * text->room + count;
        *text->text = ps_must_realloc(*text->text, text->room, text->purpose);
    }
    memcpy(*text->text + length, bytes, count);
    (*text->text)[length + count] = '\0';
    *text->length = length + count;
    return (ssize_t)count;
}

static int text_end(void *text)
{
    free(text);
    return 0;
}

FILE *ps_must_open_text(char **text, size_t *length, const char *purpose)
{
    struct text *state = ps_must_alloc(1, sizeof *state, purpose);
    *state = (struct text){.text = text, .length = length, .room = 1, .purpose = purpose};
    *text = ps_must_alloc(1, 1, purpose);
    *length = 0;
    FILE *stream = fopencookie(state, "w", (cookie_io_functions_t){.write = text_write, .close = text_end});
    if (stream == NULL)
        ps_out_of_memory(0, purpose);
    return stream;
}

bool ps_is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}
