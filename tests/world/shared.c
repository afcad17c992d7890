#include "tests/world/shared.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/world/real.h"

void world_map(void)
{
    void *at = (void *)WORLD_ADDRESS;
    int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
    if (real_call(SYS_mmap, (long)at, WORLD_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0) != (long)at)
        world_fatal("no memory at %p for the world", at);
}

void world_reset(uint64_t seed)
{
    real_call(SYS_madvise, (long)WORLD_ADDRESS, WORLD_BYTES, MADV_REMOVE, 0, 0, 0);
    world->random = seed;
    world->has_births = seed % 2 == 1;
    world->lists_backwards = seed % 2 == 1;
    world->used = (sizeof *world + 4095) & ~(size_t)4095;
    static const uint32_t blocks[] = {0, UINT32_C(1) << 21, UINT32_C(1) << 17, UINT32_C(1) << 13};
    world->blocks_most = blocks[seed * UINT64_C(0x9e3779b97f4a7c15) >> 62];
    world->cache = seed % 7 == 3 ? CACHE_COLD : seed % 7 == 5 ? CACHE_BLOCKING : CACHE_WARM;
    world->calls_max = UINT64_C(20000000);
    world->has_compiler = seed % 2 == 1;
}

static unsigned class_of(size_t bytes)
{
    unsigned class = 5;
    while (((size_t)1 << class) < bytes)
        class ++;
    return class;
}

void *world_allocate(size_t bytes)
{
    unsigned class = class_of(bytes);
    size_t size = (size_t)1 << class;
    void *block = world->free_blocks[class];
    if (block != NULL) {
        memcpy(&world->free_blocks[class], block, sizeof block);
        memset(block, 0, bytes);
        return block;
    }
    if (size > WORLD_BYTES - world->used)
        world_fatal("the world's memory is full: %zu bytes were asked for", bytes);
    block = (char *)WORLD_ADDRESS + world->used;
    world->used += size;
    return block;
}

void world_free(void *block, size_t bytes)
{
    if (block == NULL)
        return;
    unsigned class = class_of(bytes);
    memcpy(block, &world->free_blocks[class], sizeof block);
    world->free_blocks[class] = block;
}

void *world_grow(void *block, size_t old_bytes, size_t bytes)
{
    if (block != NULL && class_of(old_bytes) == class_of(bytes)) {
        if (bytes > old_bytes)
            memset((char *)block + old_bytes, 0, bytes - old_bytes);
        return block;
    }
    void *grown = world_allocate(bytes);
    if (block != NULL) {
        memcpy(grown, block, old_bytes < bytes ? old_bytes : bytes);
        world_free(block, old_bytes);
    }
    return grown;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
uint64_t world_draw(void)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t world_below(uint64_t limit)
{
    return (uint64_t)(((unsigned __int128)world_draw() * limit) >> 64);
}

bool world_chance(uint32_t share)
{
    return share > 0 && (world_draw() >> 48) < share;
}

void world_note(uint64_t value)
{
    world->history = (world->history ^ value) * UINT64_C(0x100000001b3); /* FNV-1a, by words */
    world->history ^= world->history >> 29;
}

void world_note_bytes(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word;
        __builtin_memcpy(&word, at, sizeof word);
        world_note(word);
    }
    for (; length > 0; at++, length--)
        world_note(*at);
}

void world_fatal(const char *format, ...)
{
    char line[512] = "world: ";
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + 7, sizeof line - 8, format, arguments);
    va_end(arguments);
    size_t end = 7 + (length < 0 ? 0 : (size_t)length < sizeof line - 8 ? (size_t)length : sizeof line - 9);
    line[end++] = '\n';
    real_call(SYS_write, 2, (long)line, (long)end, 0, 0, 0);
    real_call(SYS_exit_group, 99, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}
