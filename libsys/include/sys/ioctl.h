/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests to devices. There is one, for the size of the console: LINES and COLUMNS of the environment, or 24 by
 * 80 (ENOTTY). */
#ifndef QUIRE_IOCTL_H
#define QUIRE_IOCTL_H

#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define FIONREAD 0x541b

struct winsize {
  unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel;
};

int ioctl(int fd, unsigned long request, ...);
#endif
