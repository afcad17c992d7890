#include "tests/world/guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "tests/world/real.h"
#include "tests/world/sanitizer.h"
#include "tests/world/turn.h"

/* Memory and threads of libc's inside. */
static const int harmless[] = {
    SYS_mmap,        SYS_munmap,          SYS_mprotect,       SYS_mremap,       SYS_madvise,
    SYS_brk,         SYS_futex,           SYS_clone,          SYS_clone3,       SYS_set_robust_list,
    SYS_rseq,        SYS_rt_sigaction,    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
    SYS_exit,        SYS_exit_group,      SYS_tgkill,         SYS_gettid,       SYS_getpid,
    SYS_arch_prctl,  SYS_set_tid_address, SYS_prctl,          SYS_membarrier,   SYS_sched_getaffinity,
    SYS_sched_yield, SYS_prlimit64,       SYS_sysinfo /* qsort */};
#define HARMLESS (sizeof harmless / sizeof *harmless)

static void on_call(int number, siginfo_t *info, void *context_)
{
    (void)number;
    ucontext_t *context = context_;
    greg_t *registers = context->uc_mcontext.gregs;
    if (turn_is_ours()) {
        Dl_info place = {0};
        dladdr(info->si_call_addr, &place);
        if (sanitizer_calls(place.dli_fname, info->si_syscall, (const char *)registers[REG_RSI],
                            (size_t)registers[REG_RDX]))
            goto real;
        char reason[200];
        snprintf(reason, sizeof reason, "system call %d of %s in %s%s%s", info->si_syscall,
                 place.dli_sname == NULL ? "?" : place.dli_sname,
                 place.dli_fname == NULL ? "?" : place.dli_fname, info->si_syscall == SYS_openat ? ": " : "",
                 info->si_syscall == SYS_openat ? (const char *)registers[REG_RSI] : "");
        turn_end_life(WORLD_ESCAPED, 0, reason);
    }
real:
    registers[REG_RAX] =
        real_call(info->si_syscall, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                  registers[REG_R10], registers[REG_R8], registers[REG_R9]);
}

void guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSYS, &action, NULL);
    uint64_t begin = (uint64_t)(uintptr_t)real_call_begin, end = (uint64_t)(uintptr_t)real_call_end;
    struct sock_filter filter[16 + 2 * HARMLESS];
    size_t length = 0;
#define ADD(...) filter[length++] = (struct sock_filter)__VA_ARGS__
    /* The instruction pointer is within real_call: its high half equal, its low half in the range. */
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(begin >> 32), 0, 4));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)begin, 0, 2));
    ADD(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)end, 1, 0));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    for (size_t i = 0; i < HARMLESS; i++) {
        ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)harmless[i], 0, 1));
        ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));
#undef ADD
    struct sock_fprog program = {(unsigned short)length, filter};
    if (real_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0) != 0 ||
        real_call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program, 0, 0, 0) != 0)
        world_fatal("the filter of system calls cannot be installed");
}
