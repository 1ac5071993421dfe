/* A clock that runs faster, and a wall clock that can be set while the process runs. Preloaded (LD_PRELOAD); SOAK_CLOCK names
 * the file that all processes of one run share: see clock.rs. The wall and the monotonic clock run at the rate, all waits
 * are as much shorter, and `step_ns` moves the wall clock alone, as an operator, NTP or a suspended machine does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct shared {
    int64_t rate;     /* how much faster */
    int64_t began_ns; /* of the true monotonic clock, which is also where the fast one began; set by the first process */
    int64_t wall_ns;  /* what the wall clock showed then */
    int64_t step_ns;  /* what it was set by since */
};

static volatile struct shared *shared;
static long (*true_syscall)(long, ...);
static int (*true_clock)(clockid_t, struct timespec *);

static int64_t ns(const struct timespec *t) { return t->tv_sec * 1000000000LL + t->tv_nsec; }

static struct timespec spec(int64_t ns) {
    if (ns < 0) ns = 0;
    return (struct timespec){.tv_sec = ns / 1000000000LL, .tv_nsec = ns % 1000000000LL};
}

__attribute__((constructor)) static void begin(void) {
    true_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    true_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("SOAK_CLOCK");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED) return;
    struct timespec now;
    true_clock(CLOCK_MONOTONIC, &now);
    __sync_bool_compare_and_swap(&((struct shared *)at)->began_ns, 0, ns(&now));
    shared = at;
}

static int64_t true_monotonic(void) {
    struct timespec t;
    true_clock(CLOCK_MONOTONIC, &t);
    return ns(&t);
}

static int64_t passed(void) { return (true_monotonic() - shared->began_ns) * shared->rate; }

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

static int is_monotonic(clockid_t clock) {
    return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_BOOTTIME;
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    if (!true_clock) return (int)syscall(SYS_clock_gettime, clock, out);
    if (!shared || !(is_wall(clock) || is_monotonic(clock))) return true_clock(clock, out);
    *out = spec(is_wall(clock) ? shared->wall_ns + shared->step_ns + passed() : shared->began_ns + passed());
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec t;
    if (clock_gettime(CLOCK_REALTIME, &t)) return -1;
    out->tv_sec = t.tv_sec;
    out->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}

/* A wait, as long as it truly lasts. */
static struct timespec brief(const struct timespec *wait) { return spec((ns(wait) + shared->rate - 1) / shared->rate); }

/* A moment of the fast monotonic clock on the true one. */
static struct timespec truly(const struct timespec *at) {
    return spec(shared->began_ns + (ns(at) - shared->began_ns + shared->rate - 1) / shared->rate);
}

static int brief_ms(int wait) { return shared && wait > 0 ? (int)((wait + shared->rate - 1) / shared->rate) : wait; }

int epoll_wait(int fd, struct epoll_event *events, int most, int wait) {
    return epoll_pwait(fd, events, most, wait, NULL);
}

int epoll_pwait(int fd, struct epoll_event *events, int most, int wait, const sigset_t *mask) {
    return (int)true_syscall(SYS_epoll_pwait, fd, events, most, brief_ms(wait), mask, 8);
}

int poll(struct pollfd *fds, nfds_t count, int wait) {
    wait = brief_ms(wait);
    struct timespec t = spec((int64_t)wait * 1000000);
    return (int)true_syscall(SYS_ppoll, fds, count, wait < 0 ? NULL : &t, NULL, 8);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wait, struct timespec *left) {
    struct timespec t = *wait;
    if (shared && (flags & TIMER_ABSTIME)) {
        if (is_wall(clock)) t = spec(ns(wait) - shared->wall_ns - shared->step_ns + shared->began_ns);
        t = truly(&t);
        clock = CLOCK_MONOTONIC;
    } else if (shared) {
        t = brief(wait);
    }
    return true_syscall(SYS_clock_nanosleep, clock, flags, &t, left) < 0 ? errno : 0;
}

int nanosleep(const struct timespec *wait, struct timespec *left) {
    int error = clock_nanosleep(CLOCK_MONOTONIC, 0, wait, left);
    errno = error;
    return error ? -1 : 0;
}

int usleep(useconds_t wait) {
    struct timespec t = spec((int64_t)wait * 1000);
    return nanosleep(&t, NULL);
}

/* The standard library waits on futexes, until a moment of the monotonic clock. */
long syscall(long number, ...) {
    __builtin_va_list list;
    __builtin_va_start(list, number);
    long a[6];
    for (int n = 0; n < 6; n++) a[n] = __builtin_va_arg(list, long);
    __builtin_va_end(list);
    if (!true_syscall) true_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    struct timespec t;
    if (number == SYS_futex && shared && a[3]) {
        int what = (int)a[1] & FUTEX_CMD_MASK;
        if (what == FUTEX_WAIT) {
            t = brief((const struct timespec *)a[3]);
            a[3] = (long)&t;
        } else if (what == FUTEX_WAIT_BITSET && !((int)a[1] & FUTEX_CLOCK_REALTIME)) {
            t = truly((const struct timespec *)a[3]);
            a[3] = (long)&t;
        }
    }
    return true_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
