/* The real system, for the world itself: its own `syscall` instruction, which the guard lets through, and libc's functions
 * behind those that the world defines. */
#pragma once

/* Makes a system call. Returns its result, or the negative errno. */
long real_call(long number, long a, long b, long c, long d, long e, long f);
/* The ends of the code that holds the instruction: the guard compares addresses with them. */
extern const char real_call_begin[], real_call_end[];

/* Returns libc's own function of this name. */
void *real_function(const char *name);

/* Declares `real_NAME`, a pointer to libc's own function of the same type, found at the first call. */
#define REAL(name)                                                                                           \
    static __typeof__(&name) real_##name;                                                                    \
    if (real_##name == NULL)                                                                                 \
    real_##name = (__typeof__(&name))real_function(#name)
