/* Contexts: all threads of a life run on one thread of the kernel, each with its own stack and its own thread-local variables, and a change from
 * one to another is some instructions. A change by futexes took 3 us, and a time slice of every neighbour on a machine that has something else
 * to do. x86-64 alone. */
#pragma once

struct context {
    void *stack;             /* its pointer while the context rests */
    unsigned long variables; /* where its thread-local variables are: the register FS */
};

/* For a thread that will rest: makes a context on the calling thread's own stack, below the frame of the caller, with its thread-local variables. The
 * context begins in `run`, which never returns. The caller may use 8 KiB of stack as long as the context lives. */
void context_prepare(struct context *context, void (*run)(void));

/* Keeps the running context in `from` and goes on in `to`. */
void context_switch(struct context *from, const struct context *to);
