/* Sockets, addresses, options and messages. */
#define _GNU_SOURCE
#include "shim.h"
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int linux_family(int f) {
    return f == 28 ? AF_INET6 : f;
}

static int linux_address(const void *f, socklen_t n, struct sockaddr_storage *s) {
    memset(s, 0, sizeof *s);
    if (n > sizeof *s) n = sizeof *s;
    if (n < 2) return n;
    memcpy(s, f, n);
    s->ss_family = linux_family(((const u8 *)f)[1]);
    return n;
}

static void freebsd_address(const struct sockaddr_storage *s, socklen_t n, void *f, socklen_t *fn) {
    if (!f || !fn) return;
    u8 b[256];
    memset(b, 0, sizeof b);
    if (n > sizeof *s) n = sizeof *s;
    memcpy(b, s, n);
    if (s->ss_family == AF_UNIX && n > 2)
        n = 2 + strnlen(((struct sockaddr_un *)s)->sun_path, n - 2) + 1;
    if (n >= 2) {
        b[0] = n;
        b[1] = s->ss_family == AF_INET6 ? 28 : s->ss_family;
    }
    memcpy(f, b, *fn < n ? *fn : n);
    *fn = n;
}

static int linux_socket_type(int t) {
    return (t & 0xfffffff) | (t & 0x10000000 ? SOCK_CLOEXEC : 0) |
           (t & 0x20000000 ? SOCK_NONBLOCK : 0);
}

extern int __real_socket(int, int, int), __real_socketpair(int, int, int, int *),
    __real_bind(int, const void *, socklen_t), __real_connect(int, const void *, socklen_t),
    __real_accept4(int, void *, socklen_t *, int), __real_getsockname(int, void *, socklen_t *),
    __real_getpeername(int, void *, socklen_t *),
    __real_setsockopt(int, int, int, const void *, socklen_t),
    __real_getsockopt(int, int, int, void *, socklen_t *);

int __wrap_socket(int d, int t, int p) {
    return __real_socket(linux_family(d), linux_socket_type(t), p);
}

int __wrap_socketpair(int d, int t, int p, int *v) {
    return __real_socketpair(linux_family(d), linux_socket_type(t), p, v);
}

int __wrap_bind(int s, const void *a, socklen_t n) {
    struct sockaddr_storage l;
    n = linux_address(a, n, &l);
    return __real_bind(s, &l, n);
}

int __wrap_connect(int s, const void *a, socklen_t n) {
    struct sockaddr_storage l;
    n = linux_address(a, n, &l);
    return __real_connect(s, &l, n);
}

int __wrap_accept4(int s, void *a, socklen_t *n, int f) {
    struct sockaddr_storage l;
    socklen_t k = sizeof l;
    int r = __real_accept4(s, &l, &k, linux_socket_type(f));
    if (r >= 0) freebsd_address(&l, k, a, n);
    return r;
}

int __wrap_accept(int s, void *a, socklen_t *n) {
    return __wrap_accept4(s, a, n, 0);
}

int __wrap_getsockname(int s, void *a, socklen_t *n) {
    struct sockaddr_storage l;
    socklen_t k = sizeof l;
    int r = __real_getsockname(s, &l, &k);
    if (!r) freebsd_address(&l, k, a, n);
    return r;
}

int __wrap_getpeername(int s, void *a, socklen_t *n) {
    struct sockaddr_storage l;
    socklen_t k = sizeof l;
    int r = __real_getpeername(s, &l, &k);
    if (!r) freebsd_address(&l, k, a, n);
    return r;
}

static int linux_option(int *lv, int *n) {
    if (*lv == 0xffff) {
        *lv = SOL_SOCKET;
        switch (*n) {
        case 4: *n = SO_REUSEADDR; return 0;
        case 8: *n = SO_KEEPALIVE; return 0;
        case 0x20: *n = SO_BROADCAST; return 0;
        case 0x80: *n = SO_LINGER; return 0;
        case 0x200: *n = SO_REUSEPORT; return 0;
        case 0x1001: *n = SO_SNDBUF; return 0;
        case 0x1002: *n = SO_RCVBUF; return 0;
        case 0x1005: *n = SO_SNDTIMEO; return 0;
        case 0x1006: *n = SO_RCVTIMEO; return 0;
        case 0x1007: *n = SO_ERROR; return 0;
        case 0x1008: *n = SO_TYPE; return 0;
        case 2: *n = SO_ACCEPTCONN; return 0;
        case 0x100: *n = SO_OOBINLINE; return 0;
        case 0x1019: *n = SO_DOMAIN; return 0;
        case 0x1016: *n = SO_PROTOCOL; return 0;
        case 0x800: return 1;
        }
        return -1;
    }
    if (*lv == 6) switch (*n) {
        case 1: return 0;
        case 2: *n = 2; return 0;
        case 0x100: *n = 4; return 0;
        case 0x200: *n = 5; return 0;
        case 0x400: *n = 6; return 0;
        default: return -1;
        }
    if (*lv == 41) switch (*n) {
        case 27: *n = 26; return 0;
        case 4: *n = 16; return 0;
        case 9: *n = 17; return 0;
        case 10: *n = 18; return 0;
        case 11: *n = 19; return 0;
        case 12: *n = 20; return 0;
        case 13: *n = 21; return 0;
        default: return -1;
        }
    if (*lv == 0) switch (*n) {
        case 3: *n = 1; return 0;
        case 4: *n = 2; return 0;
        case 9: *n = 32; return 0;
        case 10: *n = 33; return 0;
        case 11: *n = 34; return 0;
        case 12: *n = 35; return 0;
        case 13: *n = 36; return 0;
        default: return -1;
        }
    return -1;
}

int __wrap_setsockopt(int s, int lv, int n, const void *v, socklen_t k) {
    int o = linux_option(&lv, &n);
    if (o > 0) return 0;
    if (o < 0) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return __real_setsockopt(s, lv, n, v, k);
}

int __wrap_getsockopt(int s, int lv, int n, void *v, socklen_t *k) {
    int o = linux_option(&lv, &n);
    if (o) {
        errno = ENOPROTOOPT;
        return -1;
    }
    int r = __real_getsockopt(s, lv, n, v, k);
    if (!r && lv == SOL_SOCKET && n == SO_ERROR) *(int *)v = freebsd_errno(*(int *)v);
    return r;
}

static int linux_message_flags(int f) {
    int r = f & 7;
    if (f & 0x40) r |= MSG_WAITALL;
    if (f & 0x80) r |= MSG_DONTWAIT;
    if (f & 0x20000) r |= MSG_NOSIGNAL;
    if (f & 0x40000) r |= MSG_CMSG_CLOEXEC;
    return r;
}

extern ssize_t __real_send(int, const void *, size_t, int), __real_recv(int, void *, size_t, int),
    __real_sendto(int, const void *, size_t, int, const void *, socklen_t),
    __real_recvfrom(int, void *, size_t, int, void *, socklen_t *),
    __real_sendmsg(int, const struct msghdr *, int), __real_recvmsg(int, struct msghdr *, int);

ssize_t __wrap_send(int s, const void *b, size_t n, int f) {
    return __real_send(s, b, n, linux_message_flags(f));
}

ssize_t __wrap_recv(int s, void *b, size_t n, int f) {
    return __real_recv(s, b, n, linux_message_flags(f));
}

ssize_t __wrap_sendto(int s, const void *b, size_t n, int f, const void *a, socklen_t k) {
    struct sockaddr_storage l;
    if (!a) return __real_send(s, b, n, linux_message_flags(f));
    k = linux_address(a, k, &l);
    return __real_sendto(s, b, n, linux_message_flags(f), &l, k);
}

ssize_t __wrap_recvfrom(int s, void *b, size_t n, int f, void *a, socklen_t *k) {
    struct sockaddr_storage l;
    socklen_t c = sizeof l;
    memset(&l, 0, sizeof l);
    ssize_t r = __real_recvfrom(s, b, n, linux_message_flags(f), &l, &c);
    if (r >= 0) freebsd_address(&l, c, a, k);
    return r;
}

struct freebsd_msghdr {
    void *name;
    u32 namelen;
    struct iovec *iov;
    int iovlen;
    void *ctl;
    u32 ctllen;
    int flags;
};

struct freebsd_cmsghdr {
    u32 len;
    int level, type;
};

ssize_t __wrap_sendmsg(int s, const struct freebsd_msghdr *m, int f) {
    struct sockaddr_storage l;
    struct msghdr h = {0};
    char c[16384];
    size_t o = 0;
    if (m->name) {
        h.msg_namelen = linux_address(m->name, m->namelen, &l);
        h.msg_name = &l;
    }
    h.msg_iov = m->iov;
    h.msg_iovlen = m->iovlen;
    for (u32 i = 0; m->ctl && i + 12 <= m->ctllen;) {
        struct freebsd_cmsghdr *q = (void *)((char *)m->ctl + i);
        if (q->len < 12) break;
        u32 d = q->len > 16 ? q->len - 16 : 0;
        struct cmsghdr *w = (void *)(c + o);
        if (o + CMSG_SPACE(d) > sizeof c) break;
        w->cmsg_len = CMSG_LEN(d);
        w->cmsg_level = q->level == 0xffff ? SOL_SOCKET : q->level;
        w->cmsg_type = q->level == 0xffff && q->type == 1 ? SCM_RIGHTS : q->type;
        memcpy(CMSG_DATA(w), (char *)q + 16, d);
        o += CMSG_SPACE(d);
        i += (q->len + 7) & ~7u;
    }
    if (o) {
        h.msg_control = c;
        h.msg_controllen = o;
    }
    return __real_sendmsg(s, &h, linux_message_flags(f));
}

ssize_t __wrap_recvmsg(int s, struct freebsd_msghdr *m, int f) {
    struct sockaddr_storage l;
    memset(&l, 0, sizeof l);
    char c[16384];
    struct msghdr h = {.msg_name = m->name ? &l : 0,
                       .msg_namelen = m->name ? sizeof l : 0,
                       .msg_iov = m->iov,
                       .msg_iovlen = m->iovlen,
                       .msg_control = m->ctllen ? c : 0,
                       .msg_controllen = m->ctllen < sizeof c ? m->ctllen : sizeof c};
    ssize_t r = __real_recvmsg(s, &h, linux_message_flags(f));
    if (r < 0) return r;
    if (m->name) freebsd_address(&l, h.msg_namelen, m->name, &m->namelen);
    u32 o = 0;
    m->flags = (h.msg_flags & MSG_TRUNC ? 0x10 : 0) | (h.msg_flags & MSG_CTRUNC ? 0x20 : 0);
    if (h.msg_control)
        for (struct cmsghdr *w = CMSG_FIRSTHDR(&h); w; w = CMSG_NXTHDR(&h, w)) {
            u32 d = w->cmsg_len - CMSG_LEN(0);
            if (o + 16 + d > m->ctllen) {
                m->flags |= 0x20;
                break;
            }
            struct freebsd_cmsghdr *q = (void *)((char *)m->ctl + o);
            q->len = 16 + d;
            q->level = w->cmsg_level == SOL_SOCKET ? 0xffff : w->cmsg_level;
            q->type = w->cmsg_type;
            memcpy((char *)q + 16, CMSG_DATA(w), d);
            o += (16 + d + 7) & ~7u;
            if (o > m->ctllen) o = m->ctllen;
        }
    m->ctllen = o;
    return r;
}

struct freebsd_addrinfo {
    int flags, family, socktype, protocol;
    u32 addrlen;
    char *canon;
    void *addr;
    struct freebsd_addrinfo *next;
};

extern int __real_getaddrinfo(const char *, const char *, const struct addrinfo *,
                              struct addrinfo **);

int __wrap_getaddrinfo(const char *n, const char *s, const struct freebsd_addrinfo *h,
                       struct freebsd_addrinfo **r) {
    struct addrinfo lh = {0}, *lr;
    if (h) {
        lh.ai_flags = h->flags & 7;
        lh.ai_family = linux_family(h->family);
        lh.ai_socktype = h->socktype;
        lh.ai_protocol = h->protocol;
    }
    int e = __real_getaddrinfo(n, s, h ? &lh : 0, &lr);
    if (e) return -e;
    struct freebsd_addrinfo **t = r;
    *r = 0;
    for (struct addrinfo *i = lr; i; i = i->ai_next) {
        struct freebsd_addrinfo *f = calloc(1, sizeof *f + 128);
        f->family = i->ai_family == AF_INET6 ? 28 : i->ai_family;
        f->socktype = i->ai_socktype;
        f->protocol = i->ai_protocol;
        f->addr = f + 1;
        f->addrlen = 128;
        struct sockaddr_storage st;
        memset(&st, 0, sizeof st);
        memcpy(&st, i->ai_addr, i->ai_addrlen);
        freebsd_address(&st, i->ai_addrlen, f->addr, &f->addrlen);
        *t = f;
        t = &f->next;
    }
    freeaddrinfo(lr);
    return 0;
}

extern void __real_freeaddrinfo(struct addrinfo *);

void __wrap_freeaddrinfo(struct freebsd_addrinfo *f) {
    while (f) {
        struct freebsd_addrinfo *n = f->next;
        free(f);
        f = n;
    }
}
