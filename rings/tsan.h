/* Concurrency Kit's fences and atomics are inline assembly, which ThreadSanitizer does not see: a correct
 * ring gives false races. So each ring says, per slot, "what I wrote before is published" and "what I read
 * next was published"; tests/stress breaks one on purpose and expects the report. */
#pragma once

#if defined(__SANITIZE_THREAD__)
#define PS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PS_TSAN 1
#endif
#endif

#ifdef PS_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define PS_TSAN_ACQUIRE(address) __tsan_acquire((void *)(uintptr_t)(address))
#define PS_TSAN_RELEASE(address) __tsan_release((void *)(uintptr_t)(address))
#else
#define PS_TSAN_ACQUIRE(address) ((void)(address))
#define PS_TSAN_RELEASE(address) ((void)(address))
#endif
