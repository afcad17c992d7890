#include "tests/world/context.h"

#include <asm/prctl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "tests/world/real.h"

#define REST_BYTES 8192U /* of stack, for the frames of the thread that rests */
#define FSGSBASE 2U      /* in AT_HWCAP2: programs may write FS themselves */
#define REGISTERS 6      /* that a function keeps for its caller */

void context_swap(void **from, void *to);
/* clang-format off */
__asm__(".text\n"
        ".globl context_swap\n"
        ".type context_swap, @function\n"
        "context_swap:\n"
        "  push %rbx\n"
        "  push %rbp\n"
        "  push %r12\n"
        "  push %r13\n"
        "  push %r14\n"
        "  push %r15\n"
        "  mov %rsp, (%rdi)\n"
        "  mov %rsi, %rsp\n"
        "  pop %r15\n"
        "  pop %r14\n"
        "  pop %r13\n"
        "  pop %r12\n"
        "  pop %rbp\n"
        "  pop %rbx\n"
        "  ret\n"
        ".size context_swap, .-context_swap\n");
/* clang-format on */

/* libc keeps the address of the variables in their first word. */
static unsigned long own_variables(void)
{
    unsigned long variables;
    __asm__("mov %%fs:0, %0" : "=r"(variables));
    return variables;
}

static void use_variables(unsigned long variables)
{
    static int can_write = -1;
    if (can_write < 0)
        can_write = (getauxval(AT_HWCAP2) & FSGSBASE) != 0;
    if (can_write)
        __asm__ volatile("wrfsbase %0" ::"r"(variables) : "memory");
    else
        real_call(SYS_arch_prctl, ARCH_SET_FS, (long)variables, 0, 0, 0, 0);
}

void context_prepare(struct context *context, void (*run)(void))
{
    uintptr_t top = ((uintptr_t)__builtin_frame_address(0) - REST_BYTES) & ~(uintptr_t)15;
    void **stack = (void **)top;
    *--stack = NULL; /* where `run` would return to, and the place that its frame expects */
    *--stack = (void *)run;
    for (int i = 0; i < REGISTERS; i++)
        *--stack = NULL;
    *context = (struct context){stack, own_variables()};
}

void context_switch(struct context *from, const struct context *to)
{
    from->variables = own_variables();
    use_variables(to->variables);
    context_swap(&from->stack, to->stack);
}
