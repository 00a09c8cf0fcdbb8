/* Symbols that are looked up by name: what is found is glibc's own. */
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>

extern void *__real_dlsym(void *, const char *);

/* RTLD_DEFAULT is -2 there. */
void *__wrap_dlsym(void *h, const char *n) {
    return __real_dlsym(h == (void *)-2 ? RTLD_DEFAULT : h, n);
}
