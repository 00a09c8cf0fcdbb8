/* Signals, their handlers and masks. */
#define _GNU_SOURCE
#include "shim.h"
#include <poll.h>
#include <pthread.h>
#include <string.h>

static const u8 linux_signals[32] = {
    0,       1,      2,  3,  4,  5,      6,       16,      8,       9,       SIGBUS,
    SIGSEGV, SIGSYS, 13, 14, 15, SIGURG, SIGSTOP, SIGTSTP, SIGCONT, SIGCHLD, 21,
    22,      SIGIO,  24, 25, 26, 27,     28,      SIGPWR,  SIGUSR1, SIGUSR2};

int linux_signal(int f) {
    return f > 0 && f < 32 ? linux_signals[f] : f;
}

int freebsd_signal(int l) {
    for (int i = 1; i < 32; i++)
        if (linux_signals[i] == l) return i;
    return l;
}

struct freebsd_sigaction {
    void *h;
    int flags;
    u32 mask[4];
};

struct freebsd_siginfo {
    int signo, err, code, pid;
    u32 uid;
    int status;
    void *addr;
    u64 value;
    long band;
    int spare[7];
};
static struct freebsd_sigaction actions[32];

static void call_handler(int l, siginfo_t *si, void *uc) {
    int f = freebsd_signal(l), saved = errno, savedf = last_error;
    errno = 0;
    kqueue_sees_signal(f);
    void *h = actions[f & 31].h;
    if (h != (void *)0 && h != (void *)1) {
        struct freebsd_siginfo i = {.signo = f,
                                    .code = si->si_code,
                                    .pid = si->si_pid,
                                    .uid = si->si_uid,
                                    .addr = si->si_addr};
        if (actions[f].flags & 0x40)
            ((void (*)(int, void *, void *))h)(f, &i, uc);
        else
            ((void (*)(int))h)(f);
    }
    last_error = savedf;
    errno = saved;
}

int install_handler(int f) {
    struct sigaction n = {0};
    struct freebsd_sigaction *a = &actions[f & 31];
    int watched = kqueue_watches_signal(f);
    if (!watched && (a->h == (void *)0 || a->h == (void *)1))
        n.sa_handler = a->h ? SIG_IGN : SIG_DFL;
    else {
        n.sa_sigaction = call_handler;
        n.sa_flags = SA_SIGINFO | SA_RESTART | (a->flags & 1 ? SA_ONSTACK : 0) |
                     (a->flags & 0x10 ? SA_NODEFER : 0);
        if (a->h > (void *)1 && !(a->flags & 2)) n.sa_flags &= ~SA_RESTART;
    }
    if (a->flags & 8) n.sa_flags |= SA_NOCLDSTOP;
    if (a->flags & 0x20) n.sa_flags |= SA_NOCLDWAIT;
    return sigaction(linux_signal(f), &n, 0);
}

extern int __real_sigaction(int, const struct sigaction *, struct sigaction *);

int __wrap_sigaction(int f, const struct freebsd_sigaction *n, struct freebsd_sigaction *o) {
    if (f < 1 || f > 31) {
        errno = EINVAL;
        return -1;
    }
    if (o) *o = actions[f];
    if (!n) return 0;
    actions[f] = *n;
    return install_handler(f);
}

void *__wrap_signal(int f, void *h) {
    struct freebsd_sigaction n = {h, 2, {0}}, o;
    return __wrap_sigaction(f, &n, &o) ? (void *)-1 : o.h;
}

int __wrap_kill(int p, int s) {
    return kill(p, linux_signal(s));
}

int __wrap_raise(int s) {
    return raise(linux_signal(s));
}

void linux_mask(const u32 *m, sigset_t *s) {
    sigemptyset(s);
    for (int i = 1; i < 32; i++)
        if (m[0] >> (i - 1) & 1) sigaddset(s, linux_signal(i));
}

void freebsd_mask(const sigset_t *s, u32 *m) {
    memset(m, 0, 16);
    for (int i = 1; i < 32; i++)
        if (sigismember(s, linux_signal(i)) == 1) m[0] |= 1u << (i - 1);
}

int __wrap_sigemptyset(u32 *m) {
    memset(m, 0, 16);
    return 0;
}

int __wrap_sigfillset(u32 *m) {
    memset(m, 255, 16);
    return 0;
}

int __wrap_sigaddset(u32 *m, int s) {
    m[0] |= 1u << (s - 1);
    return 0;
}

int __wrap_sigdelset(u32 *m, int s) {
    m[0] &= ~(1u << (s - 1));
    return 0;
}

int __wrap_sigismember(const u32 *m, int s) {
    return m[0] >> (s - 1) & 1;
}

static int change_mask(int (*fn)(int, const sigset_t *, sigset_t *), int how, const u32 *n,
                       u32 *o) {
    sigset_t a, b;
    if (n) linux_mask(n, &a);
    int r = fn(how - 1, n ? &a : 0, &b);
    if (!r && o) freebsd_mask(&b, o);
    return r;
}

int __wrap_pthread_sigmask(int how, const u32 *n, u32 *o) {
    return change_mask(pthread_sigmask, how, n, o);
}

int __wrap_sigprocmask(int how, const u32 *n, u32 *o) {
    return change_mask(sigprocmask, how, n, o);
}

struct freebsd_stack {
    void *sp;
    size_t size;
    int flags;
};

int __wrap_sigaltstack(const struct freebsd_stack *n, struct freebsd_stack *o) {
    stack_t a, b;
    if (n) {
        a.ss_sp = n->sp;
        a.ss_size = n->size;
        a.ss_flags = n->flags & 4 ? SS_DISABLE : 0;
    }
    extern int __real_sigaltstack(const stack_t *, stack_t *);
    int r = __real_sigaltstack(n ? &a : 0, &b);
    if (!r && o) {
        o->sp = b.ss_sp;
        o->size = b.ss_size;
        o->flags = (b.ss_flags & SS_DISABLE ? 4 : 0) | (b.ss_flags & SS_ONSTACK);
    }
    return r;
}

int __wrap_pthread_kill(pthread_t t, int s) {
    return freebsd_errno(pthread_kill(t, linux_signal(s)));
}

int __wrap_killpg(int p, int s) {
    return killpg(p, linux_signal(s));
}

int __wrap_sigwait(const u32 *m, int *o) {
    sigset_t s;
    linux_mask(m, &s);
    int n, r = sigwait(&s, &n);
    if (!r) *o = freebsd_signal(n);
    return freebsd_errno(r);
}

int __wrap_sigsuspend(const u32 *m) {
    sigset_t s;
    linux_mask(m, &s);
    return sigsuspend(&s);
}

int __wrap_sigpending(u32 *m) {
    sigset_t s;
    int r = sigpending(&s);
    if (!r) freebsd_mask(&s, m);
    return r;
}

int __wrap_ppoll(struct pollfd *f, nfds_t n, const struct timespec *t, const u32 *m) {
    sigset_t s;
    if (m) linux_mask(m, &s);
    return ppoll(f, n, t, m ? &s : 0);
}
