/* kqueue and kevent, FreeBSD 12's layout, over epoll: READ, WRITE, TIMER, USER, SIGNAL and
 * PROC(NOTE_EXIT); VNODE and AIO are refused */
#define _GNU_SOURCE
#include "shim.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct freebsd_kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    uint32_t fflags;
    int64_t data;
    void *udata;
    uint64_t ext[4];
};

enum { READ = -1, WRITE = -2, PROC = -5, SIGNAL = -6, TIMER = -7, USER = -11 };

enum {
    ADD = 1,
    DELETE = 2,
    ENABLE = 4,
    DISABLE = 8,
    ONESHOT = 0x10,
    CLEAR = 0x20,
    RECEIPT = 0x40,
    DISPATCH = 0x80,
    FORCEONESHOT = 0x100,
    ERR = 0x4000,
    EOFF = 0x8000
};

struct note {
    struct note *next;
    struct freebsd_kevent k;
    int fd, own, on, always;
    uint32_t fired;
    int64_t count;
};

struct kq {
    struct kq *next;
    int fd;
    struct note *notes;
};
static struct kq *all;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER; /* one lock for all: these are tests */
static volatile int watched[32];
static volatile int64_t sigcount[32];
static int sigfd[32];

static struct kq *find(int fd) {
    for (struct kq *q = all; q; q = q->next)
        if (q->fd == fd) return q;
    return 0;
}

int kqueue_watches_signal(int s) {
    return watched[s & 31];
}

void kqueue_sees_signal(int s) {
    if (watched[s & 31]) {
        __sync_fetch_and_add(&sigcount[s & 31], 1);
        uint64_t one = 1;
        if (write(sigfd[s & 31], &one, 8) < 0) {
        }
    }
}

extern int __real_close(int);

/* A child process has no queue: it would share the parent's, and change it. */
static void forget_all(void) {
    pthread_mutex_init(&mu, 0);
    for (struct kq *q = all; q; q = q->next) {
        for (struct note *n = q->notes; n; n = n->next)
            if (n->fd >= 0) __real_close(n->fd);
        __real_close(q->fd);
    }
    all = 0;
}

static void watch_forks(void) {
    pthread_atfork(0, 0, forget_all);
}

int kqueue1(int fl) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    int fd = epoll_create1(fl & 0x100000 ? EPOLL_CLOEXEC : 0);
    if (fd < 0) return fd;
    struct kq *q = calloc(1, sizeof *q);
    q->fd = fd;
    pthread_mutex_lock(&mu);
    q->next = all;
    all = q;
    pthread_mutex_unlock(&mu);
    return fd;
}

int kqueue(void) {
    return kqueue1(0);
}

static uint32_t mask(struct note *n) {
    uint32_t m = n->k.filter == WRITE  ? EPOLLOUT
                 : n->k.filter == READ ? EPOLLIN | EPOLLRDHUP
                                       : EPOLLIN;
    if (n->k.flags & CLEAR && (n->k.filter == READ || n->k.filter == WRITE)) m |= EPOLLET;
    return m;
}

static int arm(struct kq *q, struct note *n, int op) {
    struct epoll_event e = {.events = n->on ? mask(n) : 0, .data.ptr = n};
    if (n->always) return 0;
    if (!n->on) { /* a disabled one must not wake the wait, not even for HUP */
        epoll_ctl(q->fd, EPOLL_CTL_DEL, n->fd, 0);
        return 0;
    }
    if (epoll_ctl(q->fd, op, n->fd, &e) == 0) return 0;
    if (errno == ENOENT) return epoll_ctl(q->fd, EPOLL_CTL_ADD, n->fd, &e);
    if (errno == EPERM) {
        n->always = 1;
        return 0;
    } /* a regular file is always ready */
    return -1;
}

static void drop(struct kq *q, struct note *n) {
    for (struct note **p = &q->notes; *p; p = &(*p)->next)
        if (*p == n) {
            *p = n->next;
            break;
        }
    if (n->fd >= 0) {
        epoll_ctl(q->fd, EPOLL_CTL_DEL, n->fd, 0);
        close(n->fd);
    }
    if (n->k.filter == SIGNAL) {
        watched[n->k.ident & 31] = 0;
        install_handler(n->k.ident);
    }
    free(n);
}

static void settimer(struct note *n) {
    struct itimerspec t = {{0, 0}, {0, 0}};
    uint32_t u = n->k.fflags;
    int64_t d = n->k.data, ns;
    if (u & 1)
        ns = d * 1000000000;
    else if (u & 4)
        ns = d * 1000;
    else if (u & 8)
        ns = d;
    else
        ns = d * 1000000;
    if (ns <= 0) ns = 1;
    t.it_value.tv_sec = ns / 1000000000;
    t.it_value.tv_nsec = ns % 1000000000;
    if (!(n->k.flags & ONESHOT) && !(u & 0x10)) t.it_interval = t.it_value;
    timerfd_settime(n->fd, u & 0x10 ? TFD_TIMER_ABSTIME : 0, &t, 0);
}

/* one change; 0 or a Linux errno */
static int change(struct kq *q, const struct freebsd_kevent *c) {
    struct note *n = q->notes;
    for (; n; n = n->next)
        if (n->k.ident == c->ident && n->k.filter == c->filter) break;
    if (!n && !(c->flags & ADD)) {
        if ((c->filter == READ || c->filter == WRITE) && fcntl((int)c->ident, F_GETFD) < 0)
            return EBADF;
        return ENOENT;
    }
    if (c->flags & DELETE && !(c->flags & ADD)) {
        drop(q, n);
        return 0;
    }
    if (!n) {
        int fd = -1;
        switch (c->filter) {
        case READ:
        case WRITE:
            fd = fcntl((int)c->ident, F_DUPFD_CLOEXEC, 0);
            if (fd < 0) return errno; /* also that no descriptor is left */
            break;
        case TIMER:
            fd = timerfd_create(c->fflags & 0x10 ? CLOCK_REALTIME : CLOCK_MONOTONIC,
                                TFD_CLOEXEC | TFD_NONBLOCK);
            break;
        case USER: fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); break;
        case SIGNAL:
            if (c->ident < 1 || c->ident > 31) return EINVAL;
            fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            break;
        case PROC:
            fd = syscall(SYS_pidfd_open, (pid_t)c->ident, 0);
            if (fd < 0) return ESRCH;
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            break;
        default: return EINVAL;
        }
        if (fd < 0) return errno;
        n = calloc(1, sizeof *n);
        n->k = *c;
        n->fd = fd;
        n->on = !(c->flags & DISABLE);
        n->k.flags &= ~(ADD | ENABLE | DISABLE | DELETE | RECEIPT);
        n->next = q->notes;
        q->notes = n;
        if (c->filter == USER) {
            n->k.fflags = c->fflags & 0xffffff;
            if (c->flags & CLEAR) n->k.flags |= CLEAR;
        }
        if (c->filter == SIGNAL) {
            n->k.flags |= CLEAR;
            sigfd[c->ident] = fd;
            sigcount[c->ident] = 0;
            watched[c->ident] = 1;
            install_handler(c->ident);
        }
        if (c->filter == TIMER) {
            n->k.flags |= CLEAR;
            settimer(n);
        }
        if (c->filter == PROC) n->k.flags |= ONESHOT;
        if (arm(q, n, EPOLL_CTL_ADD)) {
            int e = errno;
            drop(q, n);
            return e;
        }
    } else {
        int was = n->on;
        /* as FreeBSD's kqueue_register: udata always changes, the flags given when it was made
         * stay, ADD alone does not enable */
        n->k.udata = c->udata;
        if (c->filter == TIMER) {
            if (c->flags & ADD) {
                n->k.fflags = c->fflags;
                n->k.data = c->data;
                settimer(n);
            }
        } else if (c->filter != USER) {
            n->k.fflags = c->fflags;
            n->k.data = c->data;
        }
        if (c->flags & ENABLE)
            n->on = 1;
        else if (c->flags & DISABLE)
            n->on = 0;
        if (n->on || was) {
            if (arm(q, n, was ? EPOLL_CTL_MOD : EPOLL_CTL_ADD)) return errno;
        }
    }
    if (c->filter == USER) {
        uint32_t f = c->fflags & 0xffffff;
        switch (c->fflags & 0xc0000000) {
        case 0x40000000: n->k.fflags &= f; break;
        case 0x80000000: n->k.fflags |= f; break;
        case 0xc0000000: n->k.fflags = f; break;
        }
        if (c->fflags & 0x01000000) {
            uint64_t one = 1;
            if (write(n->fd, &one, 8) < 0) return errno;
        }
    }
    return 0;
}

/* what a ready note says; 0 when it turns out not to be ready */
static int report(struct kq *q, struct note *n, uint32_t ev, struct freebsd_kevent *o) {
    uint64_t v = 0;
    int x = 0;
    *o = n->k;
    o->flags |= 0;
    switch (n->k.filter) {
    case READ: {
        socklen_t l = sizeof x;
        int lis = 0;
        o->fflags = 0;
        if (getsockopt(n->fd, SOL_SOCKET, SO_ACCEPTCONN, &lis, &l) == 0 && lis) {
            o->data = 1;
            break;
        }
        if (n->always) {
            struct stat s;
            off_t p = lseek(n->fd, 0, SEEK_CUR);
            if (fstat(n->fd, &s) || p >= s.st_size) return 0;
            o->data = s.st_size - p;
            break;
        }
        o->data = ioctl(n->fd, FIONREAD, &x) == 0 ? x : 0;
        if (ev & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
            o->flags |= EOFF;
            l = sizeof x;
            if (ev & EPOLLERR && getsockopt(n->fd, SOL_SOCKET, SO_ERROR, &x, &l) == 0)
                o->fflags = freebsd_errno(x);
        }
        break;
    }
    case WRITE: {
        socklen_t l = sizeof x;
        o->fflags = 0;
        o->data = 65536;
        if (getsockopt(n->fd, SOL_SOCKET, SO_SNDBUF, &x, &l) == 0) o->data = x / 2;
        if (ev & (EPOLLHUP | EPOLLERR)) o->flags |= EOFF;
        break;
    }
    case TIMER:
        if (read(n->fd, &v, 8) != 8) return 0;
        o->data = v;
        break;
    case SIGNAL:
        if (read(n->fd, &v, 8) != 8) return 0;
        o->data = __sync_lock_test_and_set(&sigcount[n->k.ident], 0);
        break;
    case USER:
        o->data = 0;
        if (n->k.flags & (CLEAR | DISPATCH | ONESHOT)) {
            if (n->k.flags & CLEAR && read(n->fd, &v, 8) != 8) return 0;
        }
        break;
    case PROC: {
        siginfo_t si = {0};
        o->fflags = 0x80000000;
        o->flags |= EOFF;
        o->data = 0;
        if (waitid(P_PIDFD, n->fd, &si, WEXITED | WNOHANG | WNOWAIT) == 0)
            o->data =
                si.si_code == CLD_EXITED ? (si.si_status & 255) << 8 : freebsd_status(si.si_status);
        break;
    }
    }
    if (n->k.flags & ONESHOT)
        drop(q, n);
    else if (n->k.flags & DISPATCH) {
        n->on = 0;
        arm(q, n, EPOLL_CTL_MOD);
    }
    return 1;
}

int kevent(int fd, const struct freebsd_kevent *ch, int nch, struct freebsd_kevent *out, int nout,
           const struct timespec *to) {
    int got = 0;
    pthread_mutex_lock(&mu);
    struct kq *q = find(fd);
    if (!q) {
        pthread_mutex_unlock(&mu);
        errno = EBADF;
        return -1;
    }
    for (int i = 0; i < nch; i++) {
        struct freebsd_kevent c = ch[i];
        int e = change(q, &c);
        if (e || c.flags & RECEIPT) {
            if (got < nout) {
                out[got] = c;
                out[got].flags = ERR;
                out[got].data = freebsd_errno(e);
                got++;
            } else if (e) {
                pthread_mutex_unlock(&mu);
                errno = e;
                return -1;
            }
        }
    }
    pthread_mutex_unlock(&mu);
    if (got || nout <= 0) return got;
    struct timespec now, end = {0, 0};
    if (to) {
        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += to->tv_sec;
        end.tv_nsec += to->tv_nsec;
        if (end.tv_nsec >= 1000000000) end.tv_nsec -= 1000000000, end.tv_sec++;
    }
    for (;;) {
        struct epoll_event ev[64];
        int always = 0;
        pthread_mutex_lock(&mu);
        if ((q = find(fd)))
            for (struct note *n = q->notes, *nx; n && got < nout; n = nx) {
                nx = n->next;
                if (n->always && n->on && report(q, n, 0, out + got)) got++, always = 1;
            }
        pthread_mutex_unlock(&mu);
        struct timespec left, *lp = 0;
        if (to) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            left.tv_sec = end.tv_sec - now.tv_sec;
            left.tv_nsec = end.tv_nsec - now.tv_nsec;
            if (left.tv_nsec < 0) left.tv_nsec += 1000000000, left.tv_sec--;
            if (left.tv_sec < 0) left.tv_sec = left.tv_nsec = 0;
            lp = &left;
        }
        struct timespec zero = {0, 0};
        if (always) lp = &zero;
        if (got == nout) return got;
        int r = syscall(SYS_epoll_pwait2, fd, ev, nout - got < 64 ? nout - got : 64, lp, 0, 8);
        if (r < 0) {
            if (errno == EINTR) { /* a watched signal has its note ready now */
                int w = 0;
                for (int i = 1; i < 32; i++)
                    if (watched[i] && sigcount[i]) w = 1;
                if (w) {
                    errno = 0;
                    continue;
                }
            }
            return -1;
        }
        pthread_mutex_lock(&mu);
        q = find(fd);
        if (q)
            for (int i = 0; i < r; i++) {
                struct note *n = q->notes;
                while (n && n != ev[i].data.ptr)
                    n = n->next;
                if (n && n->on && report(q, n, ev[i].events, out + got)) got++;
            }
        pthread_mutex_unlock(&mu);
        if (got || (lp && !lp->tv_sec && !lp->tv_nsec)) return got;
    }
}

int __wrap_close(int fd) {
    pthread_mutex_lock(&mu);
    for (struct kq **p = &all; *p;) {
        struct kq *q = *p;
        if (q->fd == fd) {
            while (q->notes)
                drop(q, q->notes);
            *p = q->next;
            free(q);
            continue;
        }
        for (struct note *n = q->notes, *nx; n; n = nx) {
            nx = n->next;
            if ((n->k.filter == READ || n->k.filter == WRITE) && (int)n->k.ident == fd) drop(q, n);
        }
        p = &q->next;
    }
    pthread_mutex_unlock(&mu);
    return __real_close(fd);
}
