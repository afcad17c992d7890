/* The C library's sched_setscheduler, without SCHED_IDLE: a thread or process of that kind gets no CPU while the machine has
 * other work, and a run of all tests keeps it busy until its end. Part of all test programs, and of not_idle.so, which
 * scripts preload into the program where they wait for rules. */
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

int sched_setscheduler(pid_t pid, int policy, const struct sched_param *parameters)
{
    return policy == SCHED_IDLE ? 0 : (int)syscall(SYS_sched_setscheduler, pid, policy, parameters);
}
