/* Files, directories and what is known of them. */
#define _GNU_SOURCE
#include "shim.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const int open_flags[][2] = {
    {4, O_NONBLOCK},     {8, O_APPEND},          {0x80, O_SYNC},       {0x100, O_NOFOLLOW},
    {0x200, O_CREAT},    {0x400, O_TRUNC},       {0x800, O_EXCL},      {0x8000, O_NOCTTY},
    {0x10000, O_DIRECT}, {0x20000, O_DIRECTORY}, {0x100000, O_CLOEXEC}};

int linux_open_flags(int f) {
    int r = f & 3;
    for (size_t i = 0; i < sizeof open_flags / sizeof *open_flags; i++)
        if (f & open_flags[i][0]) r |= open_flags[i][1];
    return r;
}

int freebsd_open_flags(int l) {
    int r = l & 3;
    for (size_t i = 0; i < sizeof open_flags / sizeof *open_flags; i++)
        if ((l & open_flags[i][1]) == open_flags[i][1]) r |= open_flags[i][0];
    return r;
}

extern int __real_open(const char *, int, ...), __real_openat(int, const char *, int, ...),
    __real_fcntl(int, int, ...), __real_ioctl(int, unsigned long, ...), __real_pipe2(int *, int);
#define DIRECTORY(d) ((d) == -100 ? AT_FDCWD : (d))

int __wrap_open(const char *p, int f, ...) {
    va_list a;
    va_start(a, f);
    int m = va_arg(a, int);
    va_end(a);
    return __real_open(p, linux_open_flags(f), m);
}

int __wrap_openat(int d, const char *p, int f, ...) {
    va_list a;
    va_start(a, f);
    int m = va_arg(a, int);
    va_end(a);
    return __real_openat(DIRECTORY(d), p, linux_open_flags(f), m);
}

int __wrap_fcntl(int fd, int c, ...) {
    va_list a;
    va_start(a, c);
    long x = va_arg(a, long);
    va_end(a);
    int r;
    switch (c) {
    case 3: r = __real_fcntl(fd, F_GETFL); return r < 0 ? r : freebsd_open_flags(r);
    case 4: return __real_fcntl(fd, F_SETFL, linux_open_flags((int)x));
    case 17: return __real_fcntl(fd, F_DUPFD_CLOEXEC, (int)x);
    case 0:
    case 1:
    case 2: return __real_fcntl(fd, c, (int)x);
    }
    errno = EINVAL;
    return -1;
}

int __wrap_ioctl(int fd, unsigned long r, ...) {
    va_list a;
    va_start(a, r);
    void *x = va_arg(a, void *);
    va_end(a);
    switch (r) {
    case 0x8004667e: return __real_ioctl(fd, FIONBIO, x);
    case 0x20006601: return __real_ioctl(fd, FIOCLEX, x);
    case 0x4004667f: return __real_ioctl(fd, FIONREAD, x);
    case 0x40087468: return __real_ioctl(fd, TIOCGWINSZ, x);
    }
    errno = ENOTTY;
    return -1;
}

int __wrap_pipe2(int *p, int f) {
    return __real_pipe2(p, linux_open_flags(f));
}

struct freebsd_stat {
    u64 dev, ino, nlink;
    u16 mode, pad0;
    u32 uid, gid, pad1;
    u64 rdev;
    struct timespec at, mt, ct, bt;
    int64_t size, blocks;
    int blksize;
    u32 flags;
    u64 gen, spare[10];
};

static int stat_of(int r, const struct stat *s, struct freebsd_stat *f) {
    if (r) return r;
    memset(f, 0, sizeof *f);
    f->dev = s->st_dev;
    f->ino = s->st_ino;
    f->nlink = s->st_nlink;
    f->mode = s->st_mode;
    f->uid = s->st_uid;
    f->gid = s->st_gid;
    f->rdev = s->st_rdev;
    f->at = s->st_atim;
    f->mt = s->st_mtim;
    f->ct = s->st_ctim;
    f->bt = s->st_mtim;
    f->size = s->st_size;
    f->blocks = s->st_blocks;
    f->blksize = s->st_blksize;
    return 0;
}

int __wrap_stat(const char *p, struct freebsd_stat *f) {
    struct stat s;
    return stat_of(fstatat(AT_FDCWD, p, &s, 0), &s, f);
}

int __wrap_lstat(const char *p, struct freebsd_stat *f) {
    struct stat s;
    return stat_of(fstatat(AT_FDCWD, p, &s, AT_SYMLINK_NOFOLLOW), &s, f);
}

int __wrap_fstat(int fd, struct freebsd_stat *f) {
    struct stat s;
    return stat_of(fstatat(fd, "", &s, AT_EMPTY_PATH), &s, f);
}

extern int __real_fstatat(int, const char *, struct stat *, int);
int fstatat(int, const char *, struct stat *, int);

int __wrap_unlinkat(int d, const char *p, int f) {
    extern int __real_unlinkat(int, const char *, int);
    return __real_unlinkat(DIRECTORY(d), p, f & 0x800 ? AT_REMOVEDIR : 0);
}

struct freebsd_dirent {
    u64 fileno;
    int64_t off;
    u16 reclen;
    u8 type, pad0;
    u16 namlen, pad1;
    char name[256];
};
extern struct dirent *__real_readdir(DIR *);

struct freebsd_dirent *__wrap_readdir(DIR *d) {
    static __thread struct freebsd_dirent f;
    struct dirent *e = __real_readdir(d);
    if (!e) return 0;
    f.fileno = e->d_ino;
    f.off = e->d_off;
    f.reclen = sizeof f;
    f.type = e->d_type;
    f.namlen = strlen(e->d_name);
    strcpy(f.name, e->d_name);
    return &f;
}

int __wrap_readdir_r(DIR *d, struct freebsd_dirent *o, struct freebsd_dirent **r) {
    errno = 0;
    struct freebsd_dirent *e = __wrap_readdir(d);
    if (!e) {
        *r = 0;
        return freebsd_errno(errno);
    }
    *o = *e;
    *r = o;
    return 0;
}

int linux_at_flags(int f) {
    return (f & 0x200 ? AT_SYMLINK_NOFOLLOW : 0) | (f & 0x400 ? AT_SYMLINK_FOLLOW : 0) |
           (f & 0x4000 ? AT_EMPTY_PATH : 0);
}

int __wrap_fstatat(int d, const char *p, struct freebsd_stat *f, int fl) {
    struct stat s;
    return stat_of(__real_fstatat(d, p, &s, linux_at_flags(fl)), &s, f);
}

int __wrap_linkat(int a, const char *p, int b, const char *q, int f) {
    return linkat(a, p, b, q, linux_at_flags(f));
}

int __wrap_dup3(int a, int b, int f) {
    return dup3(a, b, linux_open_flags(f));
}

static void linux_times(const struct timespec *t, struct timespec *l) {
    for (int i = 0; i < 2; i++) {
        l[i] = t[i];
        if (t[i].tv_nsec == -1) l[i].tv_nsec = UTIME_NOW;
        if (t[i].tv_nsec == -2) l[i].tv_nsec = UTIME_OMIT;
    }
}

int __wrap_futimens(int fd, const struct timespec *t) {
    struct timespec l[2];
    if (t) linux_times(t, l);
    return futimens(fd, t ? l : 0);
}

int __wrap_utimensat(int d, const char *p, const struct timespec *t, int f) {
    struct timespec l[2];
    if (t) linux_times(t, l);
    return utimensat(d, p, t ? l : 0, linux_at_flags(f));
}
