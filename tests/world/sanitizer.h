/* AddressSanitizer and UndefinedBehaviorSanitizer in builds that have them: their options, their system calls, and what they say. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns whether a system call is a sanitizer's: the library `file` made it, with these second and third arguments. What it prints becomes the
 * reason of the life's end. Called by the guard. */
bool sanitizer_calls(const char *file, int number, const char *text, size_t length);
/* Returns how much memory the process has allocated. */
int64_t sanitizer_heap_bytes(void);
