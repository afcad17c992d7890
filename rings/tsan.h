/* Annotations for ThreadSanitizer, which does not see Concurrency Kit's inline assembly and would report races in a correct
 * ring. Each ring announces, for each slot, that earlier writes are published, and that the next reads are of published
 * data. tests/stress/rings_broken_test.c leaves them out and expects the report. */
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
