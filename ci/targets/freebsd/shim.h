/* What the files of this folder share. They stand between a program that was compiled for FreeBSD
 * (amd64, FreeBSD 12 or later) and glibc: the linker sends the program's calls of NAME to
 * __wrap_NAME, which translates numbers and structures both ways. The program then runs on Linux,
 * and its code for FreeBSD is what runs. */
#pragma once
#include <errno.h>
#include <signal.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

/* Of the name's system, from the other's. */
int freebsd_errno(int error);
int freebsd_signal(int signal);
int linux_signal(int signal);
int freebsd_status(int status);
int linux_clock(int clock);
int linux_open_flags(int flags);
void linux_mask(const u32 *mask, sigset_t *result);
void freebsd_mask(const sigset_t *mask, u32 *result);

/* The handler of a signal is set for the program, for a queue of events, or for both. */
int install_handler(int signal);
int kqueue_watches_signal(int signal);
void kqueue_sees_signal(int signal);

/* The number that the program saw last, in FreeBSD's terms; a handler leaves it as it was. */
extern __thread int last_error;
