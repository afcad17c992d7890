/* Rings and inboxes that are broken on purpose: entries passed through Concurrency Kit without the announcements
 * of rings/tsan.h, through a ring without any memory order, and through an inbox whose put, or whose take, has
 * none. ThreadSanitizer must report all of them, in a child process and by its exit code, and must report neither
 * the ring that announces nor the inbox. This finds a suppression that hides too much. */
#include "rings/inbox.h"
#include "rings/spsc.h"
#include "rings/tsan.h"
#include "tests/support/support.h"

#include <ck_ring.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITEMS 2000U
#define TSAN_EXIT_CODE 66

struct broken {
    ck_ring_t ring;
    ck_ring_buffer_t slots[64];
    uint64_t payloads[ITEMS];
    uint64_t sum;
    struct ps_spsc *good;
    void *slot; /* the ring without memory order: one entry, NULL = free */
    struct ps_inbox inbox;
    struct ps_inbox_node nodes[ITEMS], *taken; /* nodes: by payload; taken: those not returned yet */
    bool put_relaxed, take_relaxed;
};

static bool push_unannounced(struct broken *broken, void *entry)
{
    return ck_ring_enqueue_spsc(&broken->ring, broken->slots, entry);
}

static void *pop_unannounced(struct broken *broken)
{
    void *entry = NULL;
    return ck_ring_dequeue_spsc(&broken->ring, broken->slots, &entry) ? entry : NULL;
}

static bool push_relaxed(struct broken *broken, void *entry)
{
    if (__atomic_load_n(&broken->slot, __ATOMIC_RELAXED) != NULL)
        return false;
    __atomic_store_n(&broken->slot, entry, __ATOMIC_RELAXED);
    return true;
}

static void *pop_relaxed(struct broken *broken)
{
    void *entry = __atomic_load_n(&broken->slot, __ATOMIC_RELAXED);
    if (entry != NULL)
        __atomic_store_n(&broken->slot, NULL, __ATOMIC_RELAXED);
    return entry;
}

static bool push_good(struct broken *broken, void *entry)
{
    return ps_spsc_push(broken->good, entry);
}

static void *pop_good(struct broken *broken)
{
    return ps_spsc_pop(broken->good);
}

/* The entry's node; as many puts as ITEMS fit. */
static bool push_inbox(struct broken *broken, void *entry)
{
    struct ps_inbox_node *node = &broken->nodes[(uint64_t *)entry - broken->payloads];
    if (!broken->put_relaxed) {
        ps_inbox_put(&broken->inbox, node);
        return true;
    }
    node->next = __atomic_load_n(&broken->inbox.newest, __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n(&broken->inbox.newest, &node->next, node, true, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

static void *pop_inbox(struct broken *broken)
{
    if (broken->taken == NULL)
        broken->taken = broken->take_relaxed
                            ? __atomic_exchange_n(&broken->inbox.newest, NULL, __ATOMIC_RELAXED)
                            : ps_inbox_take(&broken->inbox);
    if (broken->taken == NULL)
        return NULL;
    uint64_t *entry = &broken->payloads[broken->taken - broken->nodes];
    broken->taken = broken->taken->next;
    return entry;
}

static bool (*push)(struct broken *broken, void *entry);
static void *(*pop)(struct broken *broken);

static void *produce(void *argument)
{
    struct broken *broken = argument;
    for (uint64_t i = 0; i < ITEMS; i++) {
        broken->payloads[i] = i;
        while (!push(broken, &broken->payloads[i]))
            ps_test_yield();
    }
    return NULL;
}

static struct broken broken;

static int hand_over(void)
{
    pthread_t thread;
    ck_ring_init(&broken.ring, 64);
    broken.good = ps_spsc_create(63);
    if (pthread_create(&thread, NULL, produce, &broken) != 0)
        return 1;
    for (unsigned i = 0; i < ITEMS;) {
        uint64_t *entry = pop(&broken);
        if (entry == NULL) {
            ps_test_yield();
            continue;
        }
        broken.sum += *entry;
        i++;
    }
    pthread_join(thread, NULL);
    ps_spsc_destroy(broken.good);
    return broken.sum == (uint64_t)ITEMS * (ITEMS - 1) / 2 ? 0 : 1;
}

static int child(const char *which)
{
    if (strcmp(which, "unannounced") == 0) {
        push = push_unannounced;
        pop = pop_unannounced;
    } else if (strcmp(which, "relaxed") == 0) {
        push = push_relaxed;
        pop = pop_relaxed;
    } else if (strncmp(which, "inbox", 5) == 0) {
        push = push_inbox;
        pop = pop_inbox;
        broken.put_relaxed = strcmp(which, "inbox-put") == 0;
        broken.take_relaxed = strcmp(which, "inbox-take") == 0;
    } else {
        push = push_good;
        pop = pop_good;
    }
    return hand_over();
}

#ifdef PS_TSAN
static char self[4096];

static int exit_code_of(const char *which)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(99);
        execl(self, self, which, (char *)NULL);
        _exit(98);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_broken_rings_are_caught(void **state)
{
    assert_int_equal(exit_code_of("good"), 0);
    assert_int_equal(exit_code_of("unannounced"), TSAN_EXIT_CODE);
    assert_int_equal(exit_code_of("relaxed"), TSAN_EXIT_CODE);
    assert_int_equal(exit_code_of("inbox"), 0);
    assert_int_equal(exit_code_of("inbox-put"), TSAN_EXIT_CODE);
    assert_int_equal(exit_code_of("inbox-take"), TSAN_EXIT_CODE);
}
#endif

int main(int argc, char **argv)
{
    if (argc > 1)
        return child(argv[1]);
#ifdef PS_TSAN
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_broken_rings_are_caught)};
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    puts("SKIP: needs ThreadSanitizer (the tsan preset)");
    return 77;
#endif
}
