#include "stages/lib/slab.h"

#include <stdlib.h>
#include <string.h>

void ps_slab_init(struct ps_slab *slab, struct ps_block_cache *blocks)
{
    *slab = (struct ps_slab){.blocks = blocks, .limit_bytes = UINT64_MAX};
}

void ps_slab_fini(struct ps_slab *slab)
{
    PS_ASSERT(slab->held_bytes == 0);
    for (struct ps_slab_page *page; (page = slab->spare) != NULL;) {
        slab->spare = page->next;
        free(page);
    }
}

static unsigned class_of(uint32_t room)
{
    unsigned class = 0;
    while (PS_SLAB_BYTES_MIN << 2 * class < room)
        class ++;
    return class;
}

/* Returns the share of the budget that a whole block of this size takes. */
static uint64_t block_cost(uint32_t size)
{
    return ((uint64_t)size + PS_BLOCK_BYTES - 1) / PS_BLOCK_BYTES * PS_BLOCK_BYTES;
}

/* ---- pages ---- */

static void page_link(struct ps_slab *slab, struct ps_slab_page *page)
{
    struct ps_slab_page **place = &slab->open[page->class];
    page->next = *place;
    page->place = place;
    if (page->next != NULL)
        page->next->place = &page->next;
    *place = page;
}

static void page_unlink(struct ps_slab_page *page)
{
    *page->place = page->next;
    if (page->next != NULL)
        page->next->place = page->place;
    page->place = NULL;
}

static bool page_has_room(const struct ps_slab_page *page)
{
    return page->free != NULL || page->carved_bytes < page->block->size;
}

static enum ps_slab_result page_open(struct ps_slab *slab, unsigned class)
{
    if (slab->held_bytes + PS_BLOCK_BYTES > slab->limit_bytes)
        return PS_SLAB_LIMIT;
    struct ps_slab_page *page = slab->spare;
    if (page != NULL)
        slab->spare = page->next;
    else if ((page = malloc(sizeof *page)) == NULL)
        return PS_SLAB_MEMORY;
    struct ps_block *block = ps_block_take(slab->blocks);
    *page = (struct ps_slab_page){.block = block, .class = class};
    if (block == NULL) {
        page->next = slab->spare;
        slab->spare = page;
        return PS_SLAB_MEMORY;
    }
    slab->held_bytes += PS_BLOCK_BYTES;
    page_link(slab, page);
    return PS_SLAB_OK;
}

static void page_give(struct ps_slab *slab, struct ps_slab_page *page, char *data)
{
    if (page->place == NULL)
        page_link(slab, page);
    memcpy(data, &page->free, sizeof(void *));
    page->free = data;
    if (--page->used > 0)
        return;
    page_unlink(page);
    ps_block_drop(slab->blocks, page->block);
    slab->held_bytes -= PS_BLOCK_BYTES;
    page->next = slab->spare;
    slab->spare = page;
}

/* ---- buffers ---- */

static enum ps_slab_result take_block(struct ps_slab *slab, uint32_t room, struct ps_buffer *buffer)
{
    if (slab->held_bytes + block_cost(room) > slab->limit_bytes)
        return PS_SLAB_LIMIT;
    struct ps_block *block =
        room > PS_BLOCK_BYTES ? ps_block_take_oversize(slab->blocks, room) : ps_block_take(slab->blocks);
    if (block == NULL)
        return PS_SLAB_MEMORY;
    slab->held_bytes += block_cost(block->size);
    *buffer = (struct ps_buffer){.data = block->base, .room = block->size, .block = block};
    return PS_SLAB_OK;
}

static enum ps_slab_result take(struct ps_slab *slab, uint32_t room, struct ps_buffer *buffer)
{
    if (room > PS_SLAB_CARVED_MAX)
        return take_block(slab, room, buffer);
    unsigned class = class_of(room);
    if (slab->open[class] == NULL) {
        enum ps_slab_result opened = page_open(slab, class);
        if (opened != PS_SLAB_OK)
            return opened;
    }
    struct ps_slab_page *page = slab->open[class];
    uint32_t piece = PS_SLAB_BYTES_MIN << 2 * class;
    char *data = page->free;
    if (data != NULL) {
        memcpy(&page->free, data, sizeof(void *));
    } else {
        data = page->block->base + page->carved_bytes;
        page->carved_bytes += piece;
    }
    page->used++;
    if (!page_has_room(page))
        page_unlink(page);
    *buffer = (struct ps_buffer){.data = data, .room = piece, .page = page};
    return PS_SLAB_OK;
}

enum ps_slab_result ps_buffer_extend(struct ps_slab *slab, struct ps_buffer *buffer, uint32_t room)
{
    if (room <= buffer->room)
        return PS_SLAB_OK;
    struct ps_buffer larger;
    enum ps_slab_result taken = take(slab, room, &larger);
    if (taken != PS_SLAB_OK)
        return taken;
    if (buffer->length > 0)
        memcpy(larger.data, buffer->data, buffer->length);
    larger.length = buffer->length;
    ps_buffer_free(slab, buffer);
    *buffer = larger;
    return PS_SLAB_OK;
}

bool ps_buffer_grow(struct ps_slab *slab, struct ps_buffer *buffer, uint32_t room)
{
    return ps_buffer_extend(slab, buffer, room) == PS_SLAB_OK;
}

void ps_buffer_free(struct ps_slab *slab, struct ps_buffer *buffer)
{
    if (buffer->block != NULL) {
        slab->held_bytes -= block_cost(buffer->block->size);
        ps_block_drop(slab->blocks, buffer->block);
    } else if (buffer->data != NULL) {
        page_give(slab, buffer->page, buffer->data);
    }
    *buffer = (struct ps_buffer){0};
}
