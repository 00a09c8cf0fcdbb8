/* Processes that are started and waited for. */
#define _GNU_SOURCE
#include "shim.h"
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

int freebsd_status(int s) {
    return WIFSIGNALED(s)  ? (s & ~0x7f) | freebsd_signal(WTERMSIG(s))
           : WIFSTOPPED(s) ? 0x7f | freebsd_signal(WSTOPSIG(s)) << 8
                           : s;
}

extern int __real_waitpid(int, int *, int);

int __wrap_waitpid(int p, int *s, int o) {
    int t = 0, r = __real_waitpid(p, &t, o);
    if (s && r > 0) *s = freebsd_status(t);
    return r;
}

extern int __real_wait4(int, int *, int, void *);

int __wrap_wait4(int p, int *s, int o, void *ru) {
    int t = 0, r = __real_wait4(p, &t, o, ru);
    if (s && r > 0) *s = freebsd_status(t);
    return r;
}

/* process spawning: the attribute types are pointers there */
typedef posix_spawnattr_t *freebsd_spawnattr;
typedef posix_spawn_file_actions_t *freebsd_file_actions;
extern int __real_posix_spawnattr_init(posix_spawnattr_t *),
    __real_posix_spawnattr_destroy(posix_spawnattr_t *),
    __real_posix_spawnattr_setflags(posix_spawnattr_t *, short),
    __real_posix_spawnattr_setpgroup(posix_spawnattr_t *, int),
    __real_posix_spawn_file_actions_init(posix_spawn_file_actions_t *),
    __real_posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *),
    __real_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *, int, int),
    __real_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *),
    __real_posix_spawnp(pid_t *, const char *, const posix_spawn_file_actions_t *,
                        const posix_spawnattr_t *, char *const *, char *const *);

int __wrap_posix_spawnattr_init(freebsd_spawnattr *a) {
    *a = malloc(sizeof **a);
    return __real_posix_spawnattr_init(*a);
}

int __wrap_posix_spawnattr_destroy(freebsd_spawnattr *a) {
    free(*a);
    return 0;
}

int __wrap_posix_spawnattr_setflags(freebsd_spawnattr *a, short f) {
    short l = 0;
    if (f & 2) l |= POSIX_SPAWN_SETPGROUP;
    if (f & 0x10) l |= POSIX_SPAWN_SETSIGDEF;
    if (f & 0x20) l |= POSIX_SPAWN_SETSIGMASK;
    if (f & 1) l |= POSIX_SPAWN_RESETIDS;
    return __real_posix_spawnattr_setflags(*a, l);
}

int __wrap_posix_spawnattr_setpgroup(freebsd_spawnattr *a, int p) {
    return __real_posix_spawnattr_setpgroup(*a, p);
}

extern int __real_posix_spawnattr_setsigmask(posix_spawnattr_t *, const sigset_t *),
    __real_posix_spawnattr_setsigdefault(posix_spawnattr_t *, const sigset_t *);

int __wrap_posix_spawnattr_setsigmask(freebsd_spawnattr *a, const u32 *m) {
    sigset_t s;
    linux_mask(m, &s);
    return __real_posix_spawnattr_setsigmask(*a, &s);
}

int __wrap_posix_spawnattr_setsigdefault(freebsd_spawnattr *a, const u32 *m) {
    sigset_t s;
    linux_mask(m, &s);
    return __real_posix_spawnattr_setsigdefault(*a, &s);
}

int __wrap_posix_spawn_file_actions_init(freebsd_file_actions *a) {
    *a = malloc(sizeof **a);
    return __real_posix_spawn_file_actions_init(*a);
}

int __wrap_posix_spawn_file_actions_destroy(freebsd_file_actions *a) {
    __real_posix_spawn_file_actions_destroy(*a);
    free(*a);
    return 0;
}

int __wrap_posix_spawn_file_actions_adddup2(freebsd_file_actions *a, int x, int y) {
    return __real_posix_spawn_file_actions_adddup2(*a, x, y);
}

int __wrap_posix_spawn_file_actions_addchdir_np(freebsd_file_actions *a, const char *p) {
    return __real_posix_spawn_file_actions_addchdir_np(*a, p);
}

int __wrap_posix_spawnp(pid_t *p, const char *f, freebsd_file_actions *x, freebsd_spawnattr *a,
                        char *const *v, char *const *e) {
    return freebsd_errno(__real_posix_spawnp(p, f, x ? *x : 0, a ? *a : 0, v, e));
}
