/* What the agent asks the machine: who it is, how large it is, random numbers, memory, limits. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "tests/world/clock.h"
#include "tests/world/descriptor.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

#define CPUS 2
#define MEMORY_BYTES (UINT64_C(4) << 30)
#define PAGE_BYTES 4096

/* ---- who it is ---- */

pid_t getpid(void)
{
    return turn_is_ours() ? 100 : (pid_t)real_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

pid_t getppid(void)
{
    return 1;
}

pid_t gettid(void)
{
    return turn_is_ours() ? 99 + (pid_t)turn_thread() : (pid_t)real_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

uid_t getuid(void)
{
    return 1000;
}

uid_t geteuid(void)
{
    return 1000;
}

gid_t getgid(void)
{
    return 1000;
}

gid_t getegid(void)
{
    return 1000;
}

static struct passwd user = {.pw_name = (char *)"flume",
                             .pw_passwd = (char *)"x",
                             .pw_uid = 1000,
                             .pw_gid = 1000,
                             .pw_gecos = (char *)"",
                             .pw_dir = (char *)"/w",
                             .pw_shell = (char *)"/bin/sh"};

struct passwd *getpwuid(uid_t uid)
{
    (void)uid;
    return &user;
}

struct passwd *getpwnam(const char *name)
{
    (void)name;
    return &user;
}

int getpwuid_r(uid_t uid, struct passwd *restrict to, char *restrict room, size_t length,
               struct passwd **restrict found)
{
    (void)uid, (void)room, (void)length;
    *to = user;
    *found = to;
    return 0;
}

int gethostname(char *name, size_t room)
{
    strncpy(name, "world", room);
    return 0;
}

int uname(struct utsname *to)
{
    *to = (struct utsname){
        .sysname = "Linux", .nodename = "world", .release = "6.1.0", .version = "#1", .machine = "x86_64"};
    return 0;
}

/* ---- how large it is ---- */

long sysconf(int name)
{
    REAL(sysconf);
    switch (name) {
    case _SC_NPROCESSORS_ONLN:
    case _SC_NPROCESSORS_CONF:
        return CPUS;
    case _SC_PAGESIZE:
        return PAGE_BYTES;
    case _SC_PHYS_PAGES:
    case _SC_AVPHYS_PAGES:
        return MEMORY_BYTES / PAGE_BYTES;
    case _SC_OPEN_MAX:
        return DESCRIPTORS_MAX;
    default:
        return real_sysconf(name);
    }
}

int get_nprocs(void)
{
    return CPUS;
}

int get_nprocs_conf(void)
{
    return CPUS;
}

int sysinfo(struct sysinfo *to)
{
    *to = (struct sysinfo){.uptime = (long)(clock_read(CLOCK_BOOTTIME) / WORLD_NS_PER_S),
                           .totalram = MEMORY_BYTES,
                           .freeram = MEMORY_BYTES / 2,
                           .procs = 10,
                           .mem_unit = 1};
    return 0;
}

static void fill_cpus(size_t size, cpu_set_t *cpus)
{
    memset(cpus, 0, size);
    for (int cpu = 0; cpu < CPUS; cpu++)
        CPU_SET_S((size_t)cpu, size, cpus);
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *cpus)
{
    (void)pid;
    if (!turn_is_ours())
        return (int)descriptor_result(
                   real_call(SYS_sched_getaffinity, pid, (long)size, (long)cpus, 0, 0, 0)) < 0
                   ? -1
                   : 0;
    fill_cpus(size, cpus);
    return 0;
}

int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *cpus)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_sched_setaffinity, pid, (long)size, (long)cpus, 0, 0, 0));
    return 0;
}

int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *cpus)
{
    (void)thread;
    fill_cpus(size, cpus);
    return 0;
}

int pthread_setaffinity_np(pthread_t thread, size_t size, const cpu_set_t *cpus)
{
    (void)thread, (void)size, (void)cpus;
    return 0;
}

/* The real thread stays on the runner's CPU. */
int pthread_attr_setaffinity_np(pthread_attr_t *attributes, size_t size, const cpu_set_t *cpus)
{
    (void)attributes, (void)size, (void)cpus;
    return 0;
}

int sched_setscheduler(pid_t pid, int policy, const struct sched_param *parameters)
{
    (void)pid, (void)policy, (void)parameters;
    return 0;
}

int setpriority(__priority_which_t which, id_t who, int value)
{
    (void)which, (void)who, (void)value;
    return 0;
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *to)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_getrlimit, (long)resource, (long)to, 0, 0, 0, 0));
    *to = resource == RLIMIT_NOFILE  ? (struct rlimit){DESCRIPTORS_MAX, DESCRIPTORS_MAX}
          : resource == RLIMIT_STACK ? (struct rlimit){8 << 20, RLIM_INFINITY}
                                     : (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    return 0;
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    (void)resource, (void)limit;
    return 0;
}

int getrusage(__rusage_who_t who, struct rusage *to)
{
    (void)who;
    uint64_t us = world->now_ns / 1000;
    *to = (struct rusage){.ru_utime = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)},
                          .ru_maxrss = 20000};
    return 0;
}

int prctl(int option, ...)
{
    (void)option;
    return 0;
}

/* ---- terminals: there is none ---- */

int isatty(int fd)
{
    (void)fd;
    errno = ENOTTY;
    return 0;
}

int tcgetattr(int fd, struct termios *to)
{
    (void)fd, (void)to;
    errno = ENOTTY;
    return -1;
}

/* ---- the system's log: nobody reads it ---- */

void openlog(const char *name, int options, int facility)
{
}

void syslog(int priority, const char *format, ...)
{
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
}

void closelog(void)
{
}

/* ---- random numbers ---- */

static void fill_random(void *to, size_t length)
{
    for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
        uint64_t number = world_draw();
        memcpy((char *)to + i, &number, length - i < sizeof number ? length - i : sizeof number);
    }
}

ssize_t getrandom(void *to, size_t length, unsigned flags)
{
    if (!turn_is_ours())
        return descriptor_result(real_call(SYS_getrandom, (long)to, (long)length, flags, 0, 0, 0));
    call_enter("getrandom", length, 0);
    fill_random(to, length);
    return (ssize_t)length;
}

int getentropy(void *to, size_t length)
{
    getrandom(to, length, 0);
    return 0;
}

/* libexpat salts its hash tables with it. */
void arc4random_buf(void *to, size_t length)
{
    getrandom(to, length, 0);
}

/* OpenSSL adds the processor's counter to its seed, so the product gets its random bytes here. */
int RAND_bytes(unsigned char *to, int length);
int RAND_bytes(unsigned char *to, int length)
{
    getrandom(to, (size_t)length, 0);
    return 1;
}

/* ---- memory ---- */

/* A shared mapping of a file is memory of the process: one agent has it. */
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    struct description *open =
        turn_is_ours() && fd >= 0 && (flags & MAP_ANONYMOUS) == 0 ? descriptor_get(fd) : NULL;
    int real_fd = turn_is_ours() ? descriptor_real(fd) : fd;
    bool is_file = open != NULL && open->kind == &kind_file;
    long result = real_call(SYS_mmap, (long)at, (long)length, is_file ? protection | PROT_WRITE : protection,
                            is_file ? MAP_PRIVATE | MAP_ANONYMOUS | (flags & MAP_FIXED) : flags,
                            is_file ? -1 : real_fd, is_file ? 0 : offset);
    if (result < 0 && result > -4096)
        return (void *)descriptor_result(result);
    if (is_file)
        disk_read(open->inode, (uint64_t)offset, (void *)result, length);
    return (void *)result;
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    return mmap(at, length, protection, flags, fd, offset);
}

int memfd_create(const char *name, unsigned flags)
{
    call_enter("memfd_create", flags, 0);
    struct disk_inode *inode = world_allocate(sizeof *inode);
    inode->mode = S_IFREG | 0600;
    inode->last_change = &inode->changes;
    struct description *open;
    int fd = descriptor_open(&kind_file, NULL, O_RDWR, (flags & MFD_CLOEXEC) != 0, &open);
    if (fd >= 0) {
        open->inode = inode;
        open->path = strdup(name);
        disk_opened(inode);
    }
    return (int)descriptor_result(call_leave(fd));
}

/* ---- syscall(2) ---- */

static long futex_call(uint32_t *word, int operation, uint32_t value, const struct timespec *span)
{
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value)
            return -EAGAIN;
        return turn_wait(word, clock_after(span)) ? 0 : -ETIMEDOUT;
    case FUTEX_WAKE:
        return turn_wake(word, value > TURN_THREADS_MAX ? TURN_THREADS_MAX : value);
    default:
        return -ENOSYS;
    }
}

long syscall(long number, ...)
{
    va_list arguments;
    va_start(arguments, number);
    long a = va_arg(arguments, long), b = va_arg(arguments, long), c = va_arg(arguments, long),
         d = va_arg(arguments, long);
    long e = va_arg(arguments, long), f = va_arg(arguments, long);
    va_end(arguments);
    if (!turn_is_ours())
        return descriptor_result(real_call(number, a, b, c, d, e, f));
    call_enter("syscall", (uint64_t)number, 0);
    switch (number) {
    case SYS_futex:
        return descriptor_result(
            call_leave(futex_call((uint32_t *)a, (int)b, (uint32_t)c, (const struct timespec *)d)));
    case SYS_gettid:
        return gettid();
    case SYS_getrandom:
        return getrandom((void *)a, (size_t)b, (unsigned)c);
    case SYS_membarrier:
        return 0;
    case SYS_rt_sigprocmask:
        return descriptor_result(real_call(number, a, b, c, d, e, f));
    case SYS_pidfd_open:
    case SYS_ioprio_set:
    case SYS_sched_setattr:
        return descriptor_result(-ENOSYS);
    default:
        world_fatal("syscall(%ld) is not known", number);
    }
}

/* ---- the end ---- */

void exit(int code)
{
    if (turn_is_ours()) {
        call_enter("exit", (uint64_t)code, 0);
        turn_end_life(WORLD_EXIT, code, "");
    }
    REAL(exit);
    real_exit(code);
    __builtin_unreachable();
}

void _exit(int code)
{
    if (turn_is_ours()) {
        world->end = WORLD_EXIT;
        world->exit_code = code;
    }
    real_call(SYS_exit_group, code, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

void _Exit(int code)
{
    _exit(code);
}
