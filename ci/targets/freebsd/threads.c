/* Threads and what they wait for. */
#define _GNU_SOURCE
#include "shim.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern int __real_clock_gettime(int, struct timespec *);

struct umtx_time {
    struct timespec t;
    u32 flags, clock;
};

int _umtx_op(void *o, int op, unsigned long v, void *u1, void *u2) {
    struct timespec abs, *tp = 0;
    int rt = 0;
    switch (op) {
    case 15:
    case 11:
        if (u2) {
            struct umtx_time *t = u2;
            rt = linux_clock((u1 && (size_t)u1 < sizeof *t) ? 0 : t->clock) == CLOCK_REALTIME;
            abs = t->t;
            if (!((size_t)u1 >= sizeof *t && t->flags & 1)) {
                struct timespec now;
                __real_clock_gettime(rt ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
                abs.tv_sec += now.tv_sec;
                abs.tv_nsec += now.tv_nsec;
                if (abs.tv_nsec >= 1000000000) abs.tv_nsec -= 1000000000, abs.tv_sec++;
            }
            tp = &abs;
        }
        if (syscall(SYS_futex, o,
                    FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | (rt ? FUTEX_CLOCK_REALTIME : 0),
                    (u32)v, tp, 0, FUTEX_BITSET_MATCH_ANY) < 0) {
            if (errno == EAGAIN) {
                errno = 0;
                return 0;
            }
            return -1;
        }
        return 0;
    case 16:
    case 3:
        return syscall(SYS_futex, o, FUTEX_WAKE_PRIVATE, v > 0x7fffffff ? 0x7fffffff : v) < 0 ? -1
                                                                                              : 0;
    }
    errno = ENOSYS;
    return -1;
}

int pthread_getthreadid_np(void) {
    return syscall(SYS_gettid);
}

int thr_self(long *id) {
    *id = syscall(SYS_gettid);
    return 0;
}

typedef pthread_attr_t *freebsd_attr;
extern int __real_pthread_attr_init(pthread_attr_t *),
    __real_pthread_attr_destroy(pthread_attr_t *),
    __real_pthread_attr_setstacksize(pthread_attr_t *, size_t),
    __real_pthread_attr_getstack(const pthread_attr_t *, void **, size_t *),
    __real_pthread_attr_getguardsize(const pthread_attr_t *, size_t *),
    __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *),
    __real_pthread_setname_np(pthread_t, const char *);

int __wrap_pthread_attr_init(freebsd_attr *a) {
    *a = malloc(sizeof **a);
    return __real_pthread_attr_init(*a);
}

int __wrap_pthread_attr_destroy(freebsd_attr *a) {
    int r = __real_pthread_attr_destroy(*a);
    free(*a);
    return r;
}

int __wrap_pthread_attr_setstacksize(freebsd_attr *a, size_t n) {
    return __real_pthread_attr_setstacksize(*a, n);
}

int __wrap_pthread_attr_getstack(freebsd_attr *a, void **p, size_t *n) {
    return __real_pthread_attr_getstack(*a, p, n);
}

int __wrap_pthread_attr_getguardsize(freebsd_attr *a, size_t *n) {
    return __real_pthread_attr_getguardsize(*a, n);
}

int pthread_attr_get_np(pthread_t t, freebsd_attr *a) {
    return pthread_getattr_np(t, *a);
}

int __wrap_pthread_create(pthread_t *t, freebsd_attr *a, void *(*f)(void *), void *x) {
    return freebsd_errno(__real_pthread_create(t, a ? *a : 0, f, x));
}

int __wrap_pthread_setname_np(pthread_t t, const char *n) {
    char b[16];
    strncpy(b, n, 15);
    b[15] = 0;
    return __real_pthread_setname_np(t, b);
}

void pthread_set_name_np(pthread_t t, const char *n) {
    __wrap_pthread_setname_np(t, n);
}

/* mutexes and the like are pointers there, NULL until first use */
#define LAZY(T, NAME, INIT)                                           \
    static T *NAME(void **p) {                                        \
        T *m = *(T *volatile *)p;                                     \
        if ((uintptr_t)m > 2) return m;                               \
        T *n = malloc(sizeof *n);                                     \
        INIT;                                                         \
        if (!__sync_bool_compare_and_swap(p, (void *)m, (void *)n)) { \
            free(n);                                                  \
            return *(T *volatile *)p;                                 \
        }                                                             \
        return n;                                                     \
    }
LAZY(pthread_mutex_t, mutex_of, pthread_mutex_init(n, 0))
LAZY(pthread_cond_t, condition_of, pthread_cond_init(n, 0))
LAZY(pthread_rwlock_t, lock_of, pthread_rwlock_init(n, 0))

int __wrap_pthread_mutexattr_init(pthread_mutexattr_t **a) {
    *a = malloc(sizeof **a);
    return pthread_mutexattr_init(*a);
}

int __wrap_pthread_mutexattr_destroy(pthread_mutexattr_t **a) {
    free(*a);
    return 0;
}

int __wrap_pthread_mutexattr_settype(pthread_mutexattr_t **a, int t) {
    return pthread_mutexattr_settype(*a, t == 1   ? PTHREAD_MUTEX_ERRORCHECK
                                         : t == 2 ? PTHREAD_MUTEX_RECURSIVE
                                                  : PTHREAD_MUTEX_NORMAL);
}

int __wrap_pthread_condattr_init(pthread_condattr_t **a) {
    *a = malloc(sizeof **a);
    return pthread_condattr_init(*a);
}

int __wrap_pthread_condattr_destroy(pthread_condattr_t **a) {
    free(*a);
    return 0;
}

int __wrap_pthread_condattr_setclock(pthread_condattr_t **a, int c) {
    return pthread_condattr_setclock(*a, linux_clock(c));
}

int __wrap_pthread_mutex_init(void **m, pthread_mutexattr_t **a) {
    pthread_mutex_t *n = malloc(sizeof *n);
    *m = n;
    return pthread_mutex_init(n, a ? *a : 0);
}

int __wrap_pthread_mutex_destroy(void **m) {
    if ((uintptr_t)*m > 2) free(*m);
    *m = 0;
    return 0;
}

int __wrap_pthread_mutex_lock(void **m) {
    return freebsd_errno(pthread_mutex_lock(mutex_of(m)));
}

int __wrap_pthread_mutex_trylock(void **m) {
    return freebsd_errno(pthread_mutex_trylock(mutex_of(m)));
}

int __wrap_pthread_mutex_unlock(void **m) {
    return freebsd_errno(pthread_mutex_unlock(mutex_of(m)));
}

int __wrap_pthread_cond_init(void **c, pthread_condattr_t **a) {
    pthread_cond_t *n = malloc(sizeof *n);
    *c = n;
    return pthread_cond_init(n, a ? *a : 0);
}

int __wrap_pthread_cond_destroy(void **c) {
    if ((uintptr_t)*c > 2) free(*c);
    *c = 0;
    return 0;
}

int __wrap_pthread_cond_wait(void **c, void **m) {
    return freebsd_errno(pthread_cond_wait(condition_of(c), mutex_of(m)));
}

int __wrap_pthread_cond_timedwait(void **c, void **m, const struct timespec *t) {
    return freebsd_errno(pthread_cond_timedwait(condition_of(c), mutex_of(m), t));
}

int __wrap_pthread_cond_signal(void **c) {
    return pthread_cond_signal(condition_of(c));
}

int __wrap_pthread_cond_broadcast(void **c) {
    return pthread_cond_broadcast(condition_of(c));
}

int __wrap_pthread_rwlock_rdlock(void **l) {
    return freebsd_errno(pthread_rwlock_rdlock(lock_of(l)));
}

int __wrap_pthread_rwlock_wrlock(void **l) {
    return freebsd_errno(pthread_rwlock_wrlock(lock_of(l)));
}

int __wrap_pthread_rwlock_unlock(void **l) {
    return freebsd_errno(pthread_rwlock_unlock(lock_of(l)));
}
