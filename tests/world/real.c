#include "tests/world/real.h"

#include <dlfcn.h>
#include <stddef.h>

#include "tests/world/shared.h"

/* clang-format off */
__asm__(".text\n"
        ".globl real_call, real_call_begin, real_call_end\n"
        ".type real_call, @function\n"
        "real_call_begin:\n"
        "real_call:\n"
        "  mov %rdi, %rax\n"
        "  mov %rsi, %rdi\n"
        "  mov %rdx, %rsi\n"
        "  mov %rcx, %rdx\n"
        "  mov %r8, %r10\n"
        "  mov %r9, %r8\n"
        "  mov 8(%rsp), %r9\n"
        "  syscall\n"
        "  ret\n"
        "real_call_end:\n"
        ".size real_call, .-real_call\n");
/* clang-format on */

void *real_function(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        world_fatal("libc has no function %s", name);
    return found;
}
