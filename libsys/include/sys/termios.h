/* SPDX-License-Identifier: BSD-2-Clause */
/* Terminals (POSIX.1-2017, termios.h), of which picolibc has the first line only. Of the console ICANON,
 * ECHO and ISIG can be changed; the rest of what tcsetattr() is given changes nothing. */
#ifndef QUIRE_TERMIOS_H
#define QUIRE_TERMIOS_H

#include <sys/types.h>

typedef unsigned tcflag_t, speed_t;
typedef unsigned char cc_t;

enum { VEOF, VEOL, VERASE, VINTR, VKILL, VMIN, VQUIT, VSTART, VSTOP, VSUSP, VTIME, NCCS };

struct termios {
  tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
  cc_t c_cc[NCCS];
  speed_t c_ispeed, c_ospeed;
};

#define BRKINT 1 /* c_iflag */
#define ICRNL 2
#define IGNBRK 4
#define IGNCR 8
#define IGNPAR 16
#define INLCR 32
#define INPCK 64
#define ISTRIP 128
#define IXANY 256
#define IXOFF 512
#define IXON 1024
#define PARMRK 2048

#define OPOST 1 /* c_oflag */
#define ONLCR 2

#define CSIZE 3 /* c_cflag */
#define CS5 0
#define CS6 1
#define CS7 2
#define CS8 3
#define CSTOPB 4
#define CREAD 8
#define PARENB 16
#define PARODD 32
#define HUPCL 64
#define CLOCAL 128
#define CRTSCTS 256 /* not of POSIX, but programs expect it */

#define ECHO 1 /* c_lflag */
#define ECHOE 2
#define ECHOK 4
#define ECHONL 8
#define ICANON 16
#define IEXTEN 32
#define ISIG 64
#define NOFLSH 128
#define TOSTOP 256

#define TCSANOW 0
#define TCSADRAIN 1
#define TCSAFLUSH 2
#define TCIFLUSH 0
#define TCOFLUSH 1
#define TCIOFLUSH 2
#define TCOOFF 0
#define TCOON 1
#define TCIOFF 2
#define TCION 3

#define B0 0 /* all that POSIX names, and those above them that programs expect */
#define B50 50
#define B75 75
#define B110 110
#define B134 134
#define B150 150
#define B200 200
#define B300 300
#define B600 600
#define B1200 1200
#define B1800 1800
#define B2400 2400
#define B4800 4800
#define B9600 9600
#define B19200 19200
#define B38400 38400
#define B57600 57600
#define B115200 115200
#define B230400 230400

int tcgetattr(int fd, struct termios *to);
int tcsetattr(int fd, int when, const struct termios *wanted);
void cfmakeraw(struct termios *t);
int tcdrain(int fd);
int tcflow(int fd, int action);
int tcflush(int fd, int queue);
int tcsendbreak(int fd, int duration);
speed_t cfgetispeed(const struct termios *t);
speed_t cfgetospeed(const struct termios *t);
int cfsetispeed(struct termios *t, speed_t speed);
int cfsetospeed(struct termios *t, speed_t speed);
#endif
