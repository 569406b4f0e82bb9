/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of a program on standard error (4.4BSD, err(3)), after its name. */
#ifndef QUIRE_ERR_H
#define QUIRE_ERR_H

__attribute__((noreturn, format(printf, 2, 3))) void err(int status, const char *format, ...);
__attribute__((noreturn, format(printf, 2, 3))) void errx(int status, const char *format, ...);
__attribute__((format(printf, 1, 2))) void warn(const char *format, ...);
__attribute__((format(printf, 1, 2))) void warnx(const char *format, ...);
#endif
