#include "tests/world/sanitizer.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "tests/world/turn.h"

/* The environment of the program is made anew (run.c), so that the options are here. A life that ends by itself leaves what the process has; the
 * referee weighs it. Freed memory is kept from new users as long as a life is likely to use it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0:quarantine_size_mb=16:malloc_context_size=12:allocator_may_return_null=1";
}

/* A report begins: nothing else happens until the process is gone. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    world->kill_at = 0;
    world->calls_max = UINT64_MAX;
    turn_hold();
}

void __ubsan_on_report(void);
void __ubsan_on_report(void)
{
    __asan_on_error();
}

bool sanitizer_calls(const char *file, int number, const char *text, size_t length)
{
    if (file == NULL || (strstr(file, "libasan") == NULL && strstr(file, "libubsan") == NULL))
        return false;
    if (number != SYS_write || world->reason[0] != 0)
        return true;
    static const char *const words[] = {"ERROR: ", "runtime error: "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *found = memmem(text, length, words[i], strlen(words[i]));
        const char *line = found == NULL ? NULL : memrchr(text, '\n', (size_t)(found - text));
        line = line == NULL ? text : line + 1;
        if (found != NULL)
            snprintf(world->reason, sizeof world->reason, "%.*s", (int)strcspn(line, "\n"), line);
    }
    return true;
}

int64_t sanitizer_heap_bytes(void)
{
#ifdef __SANITIZE_ADDRESS__
    size_t __sanitizer_get_current_allocated_bytes(void);
    return (int64_t)__sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 heap = mallinfo2();
    return (int64_t)(heap.uordblks + heap.hblkhd);
#endif
}
