/* Memory, clocks, limits, and what the system says of itself. */
#define _GNU_SOURCE
#include "shim.h"
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

int linux_clock(int c) {
    switch (c) {
    case 4:
    case 5:
    case 7:
    case 8:
    case 11:
    case 12: return CLOCK_MONOTONIC;
    case 14: return CLOCK_THREAD_CPUTIME_ID;
    case 15: return CLOCK_PROCESS_CPUTIME_ID;
    default: return CLOCK_REALTIME;
    }
}

extern int __real_clock_gettime(int, struct timespec *),
    __real_clock_nanosleep(int, int, const struct timespec *, struct timespec *);

int __wrap_clock_gettime(int c, struct timespec *t) {
    return __real_clock_gettime(linux_clock(c), t);
}

int __wrap_clock_nanosleep(int c, int f, const struct timespec *t, struct timespec *r) {
    return freebsd_errno(__real_clock_nanosleep(linux_clock(c), f, t, r));
}

int __wrap_clock_getres(int c, struct timespec *t) {
    return clock_getres(linux_clock(c), t);
}

extern void *__real_mmap(void *, size_t, int, int, int, off_t);

void *__wrap_mmap(void *a, size_t n, int prot, int f, int fd, off_t o) {
    int l = f & 0x13;
    if (f & 0x1000) l |= MAP_ANONYMOUS;
    if (f & 0x400) l |= MAP_ANONYMOUS | MAP_PRIVATE | MAP_STACK;
    if (f & 0x2000) l |= MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, prot = 0, fd = -1;
    if (f & 0x40) l |= MAP_NORESERVE;
    return __real_mmap(a, n, prot, l, fd, o);
}

int __wrap_madvise(void *a, size_t n, int v) {
    return madvise(a, n, v == 5 ? MADV_FREE : v);
}

/* limits: RLIM_INFINITY is the largest signed number there */
static int linux_limit(int r) {
    switch (r) {
    case 6: return RLIMIT_MEMLOCK;
    case 7: return RLIMIT_NPROC;
    case 8: return RLIMIT_NOFILE;
    case 10: return RLIMIT_AS;
    default: return r <= 5 ? r : -1;
    }
}

extern int __real_getrlimit(int, struct rlimit *), __real_setrlimit(int, const struct rlimit *);

int __wrap_getrlimit(int w, struct rlimit *l) {
    int r = __real_getrlimit(linux_limit(w), l);
    if (!r) {
        if (l->rlim_cur > INT64_MAX) l->rlim_cur = INT64_MAX;
        if (l->rlim_max > INT64_MAX) l->rlim_max = INT64_MAX;
    }
    return r;
}

int __wrap_setrlimit(int w, const struct rlimit *l) {
    struct rlimit n = *l;
    if (n.rlim_cur == INT64_MAX) n.rlim_cur = RLIM_INFINITY;
    if (n.rlim_max == INT64_MAX) n.rlim_max = RLIM_INFINITY;
    return __real_setrlimit(linux_limit(w), &n);
}

int __wrap_posix_fallocate(int fd, off_t o, off_t n) {
    return freebsd_errno(posix_fallocate(fd, o, n));
}

int __wrap_posix_fadvise(int fd, off_t o, off_t n, int a) {
    return freebsd_errno(posix_fadvise(fd, o, n, a));
}

extern long __real_sysconf(int);

long __wrap_sysconf(int n) {
    switch (n) {
    case 47: return __real_sysconf(_SC_PAGESIZE);
    case 57:
    case 58: return __real_sysconf(_SC_NPROCESSORS_ONLN);
    case 56: return 1024;
    case 70:
    case 71: return 16384;
    case 72: return 255;
    case 5: return __real_sysconf(_SC_OPEN_MAX);
    }
    errno = EINVAL;
    return -1;
}

int sysctl(const int *m, u32 n, void *o, size_t *len, const void *nw, size_t nl) {
    (void)nw;
    (void)nl;
    if (n >= 4 && m[0] == 1 && m[1] == 14 && m[2] == 12) { /* kern.proc.pathname */
        char b[4096];
        ssize_t k = readlink("/proc/self/exe", b, sizeof b - 1);
        if (k < 0) return -1;
        b[k++] = 0;
        if (o) {
            if (*len < (size_t)k) {
                errno = ENOMEM;
                return -1;
            }
            memcpy(o, b, k);
        }
        *len = k;
        return 0;
    }
    if (n == 2 && m[0] == 6 && m[1] == 3 && o && *len >= 4) {
        *(int *)o = __real_sysconf(_SC_NPROCESSORS_ONLN);
        *len = 4;
        return 0;
    }
    errno = ENOENT;
    return -1;
}

int sysctlbyname(const char *s, void *o, size_t *n, const void *a, size_t b) {
    (void)a;
    (void)b;
    if (!strcmp(s, "kern.ipc.somaxconn") && o && *n >= 4) {
        *(int *)o = 128;
        *n = 4;
        return 0;
    }
    errno = ENOENT;
    return -1;
}

int cpuset_getaffinity(int l, int w, int64_t id, size_t n, void *m) {
    (void)l;
    (void)w;
    (void)id;
    memset(m, 0, n);
    cpu_set_t c;
    if (sched_getaffinity(0, sizeof c, &c)) return -1;
    memcpy(m, &c, n < sizeof c ? n : sizeof c);
    return 0;
}

int cpuset_setaffinity(int l, int w, int64_t id, size_t n, const void *m) {
    (void)l;
    (void)w;
    (void)id;
    (void)n;
    (void)m;
    return 0;
}
