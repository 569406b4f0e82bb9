/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract between the UART driver and the server above it. The driver answers every request at once; when there is
 * input, or room again after a short write, and when it begins (what another said before it died is void), it notifies
 * P_BIT_BELOW at the endpoint of the server above. */
#ifndef QUIRE_UART_H
#define QUIRE_UART_H

#include <quire/pager.h>

/* ---- Requests: call(P_HANDLE_BELOW, label, ...). The reply's label is 0 or an errno value. ------------------------- */
#define UART_REQUESTS(X)                                                                                             \
  X(1, write)                                                                                                        \
  X(2, read)                                                                                                         \
  X(3, stats)

enum uart_request {
#define X(n, name) UART_##name = n,
  UART_REQUESTS(X)
#undef X
};

/* write(readable buffer)   -> a2 bytes taken, as many as there is room for. The buffer must be resident (EFAULT).
 * read(writable buffer)    -> a2 bytes, as many as there are.
 * stats()                  -> a2 bytes received, a3 bytes lost because UART_INPUT of them waited already, a4 overruns
 *                          that the device reported (each at least one byte lost), a5 bytes sent.
 */
#define UART_INPUT 4096  /* received and not read yet */
#define UART_OUTPUT 8192 /* written and not sent yet */
#define UART_TURN 256    /* sent at once, if the device takes so much; then others are heard */
#endif
