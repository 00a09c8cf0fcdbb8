/* Terminals, whose attributes have another form: control flags are Linux's, four bits further up. */
#define _GNU_SOURCE
#include "shim.h"

#include <string.h>
#include <termios.h>

struct freebsd_termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t cc[20];
    uint32_t ispeed, ospeed;
};

/* FreeBSD's flag, and Linux's. Below 0x200 those of input are alike. */
typedef const uint32_t pairs[][2];
static pairs input = {{0x200, IXON}, {0x400, IXOFF}, {0x800, IXANY}, {0x2000, IMAXBEL}};
static pairs output = {{1, OPOST}, {2, ONLCR}, {0x10, OCRNL}, {0x20, ONOCR}, {0x40, ONLRET}};
static pairs local = {{1, ECHOKE},         {2, ECHOE},           {4, ECHOK},
                      {8, ECHO},           {0x10, ECHONL},       {0x20, ECHOPRT},
                      {0x40, ECHOCTL},     {0x80, ISIG},         {0x100, ICANON},
                      {0x400, IEXTEN},     {0x400000, TOSTOP},   {0x800000, FLUSHO},
                      {0x20000000, PENDIN}, {0x80000000, NOFLSH}};
static const uint8_t characters[][2] = {
    {0, VEOF},   {1, VEOL},   {2, VEOL2},  {3, VERASE}, {4, VWERASE}, {5, VKILL},
    {6, VREPRINT}, {8, VINTR},  {9, VQUIT},  {10, VSUSP}, {12, VSTART}, {13, VSTOP},
    {14, VLNEXT}, {15, VDISCARD}, {16, VMIN}, {17, VTIME}};

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define ALIKE 0x1ffu
#define CONTROL 0xff0u

static uint32_t translated(uint32_t flags, const uint32_t (*list)[2], size_t count, int from) {
    uint32_t result = 0;
    for (size_t i = 0; i < count; i++)
        if ((flags & list[i][from]) == list[i][from]) result |= list[i][!from];
    return result;
}

static void to_freebsd(const struct termios *l, struct freebsd_termios *f) {
    memset(f, 0, sizeof *f);
    f->iflag = (l->c_iflag & ALIKE) | translated(l->c_iflag, input, COUNT(input), 1);
    f->oflag = translated(l->c_oflag, output, COUNT(output), 1);
    f->cflag = (l->c_cflag & CONTROL) << 4;
    f->lflag = translated(l->c_lflag, local, COUNT(local), 1);
    for (size_t i = 0; i < COUNT(characters); i++)
        f->cc[characters[i][0]] = l->c_cc[characters[i][1]];
    f->ispeed = f->ospeed = 38400;
}

/* Its speeds stay what they are. */
static void to_linux(const struct freebsd_termios *f, struct termios *l) {
    l->c_iflag = (f->iflag & ALIKE) | translated(f->iflag, input, COUNT(input), 0);
    l->c_oflag = translated(f->oflag, output, COUNT(output), 0);
    l->c_cflag = (l->c_cflag & ~CONTROL) | (f->cflag >> 4 & CONTROL);
    l->c_lflag = translated(f->lflag, local, COUNT(local), 0);
    for (size_t i = 0; i < COUNT(characters); i++)
        l->c_cc[characters[i][1]] = f->cc[characters[i][0]];
}

extern int __real_tcgetattr(int, struct termios *);
extern int __real_tcsetattr(int, int, const struct termios *);
extern void __real_cfmakeraw(struct termios *);

int __wrap_tcgetattr(int fd, struct freebsd_termios *f) {
    struct termios l;
    int r = __real_tcgetattr(fd, &l);
    if (!r) to_freebsd(&l, f);
    return r;
}

int __wrap_tcsetattr(int fd, int when, const struct freebsd_termios *f) {
    struct termios l;
    int r = __real_tcgetattr(fd, &l);
    if (r) return r;
    to_linux(f, &l);
    return __real_tcsetattr(fd, when, &l);
}

void __wrap_cfmakeraw(struct freebsd_termios *f) {
    struct termios l = {0};
    to_linux(f, &l);
    __real_cfmakeraw(&l);
    to_freebsd(&l, f);
}
