/* Error numbers: those of glibc are turned into those of FreeBSD when the program asks. */
#define _GNU_SOURCE
#include "shim.h"
#include <string.h>
#include <stddef.h>

/* errno: glibc's own is turned into FreeBSD's number when the program asks for it */
static const u8 freebsd_errors[134] = {
    [EAGAIN] = 35,       [EDEADLK] = 11,         [EINPROGRESS] = 36,     [EALREADY] = 37,
    [ENOTSOCK] = 38,     [EDESTADDRREQ] = 39,    [EMSGSIZE] = 40,        [EPROTOTYPE] = 41,
    [ENOPROTOOPT] = 42,  [EPROTONOSUPPORT] = 43, [ESOCKTNOSUPPORT] = 44, [EOPNOTSUPP] = 45,
    [EPFNOSUPPORT] = 46, [EAFNOSUPPORT] = 47,    [EADDRINUSE] = 48,      [EADDRNOTAVAIL] = 49,
    [ENETDOWN] = 50,     [ENETUNREACH] = 51,     [ENETRESET] = 52,       [ECONNABORTED] = 53,
    [ECONNRESET] = 54,   [ENOBUFS] = 55,         [EISCONN] = 56,         [ENOTCONN] = 57,
    [ESHUTDOWN] = 58,    [ETOOMANYREFS] = 59,    [ETIMEDOUT] = 60,       [ECONNREFUSED] = 61,
    [ELOOP] = 62,        [ENAMETOOLONG] = 63,    [EHOSTDOWN] = 64,       [EHOSTUNREACH] = 65,
    [ENOTEMPTY] = 66,    [EUSERS] = 68,          [EDQUOT] = 69,          [ESTALE] = 70,
    [EREMOTE] = 71,      [ENOLCK] = 77,          [ENOSYS] = 78,          [EIDRM] = 82,
    [ENOMSG] = 83,       [EOVERFLOW] = 84,       [ECANCELED] = 85,       [EILSEQ] = 86,
    [ENODATA] = 87,      [EBADMSG] = 89,         [EMULTIHOP] = 90,       [ENOLINK] = 91,
    [EPROTO] = 92,       [ENOTRECOVERABLE] = 95, [EOWNERDEAD] = 96};

int freebsd_errno(int e) {
    return e > 0 && e < 134 && freebsd_errors[e] ? freebsd_errors[e] : e;
}

__thread int last_error;

int *__error(void) {
    if (errno) {
        last_error = freebsd_errno(errno);
        errno = 0;
    }
    return &last_error;
}

static int linux_errno(int f) {
    for (int i = 1; i < 134; i++)
        if (freebsd_errors[i] == f) return i;
    return f;
}

extern int __real_strerror_r(int, char *, size_t), __real___xpg_strerror_r(int, char *, size_t);
int __xpg_strerror_r(int, char *, size_t);

int __wrap_strerror_r(int e, char *b, size_t n) {
    return __xpg_strerror_r(linux_errno(e), b, n);
}
