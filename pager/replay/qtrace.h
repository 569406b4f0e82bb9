/* SPDX-License-Identifier: BSD-2-Clause */
/* The binary format of traces of memory references. A file is QTRACE_MAGIC, 8 bytes, then records of 16 bytes in the order of
 * the references, up to its end. All numbers are little-endian.
 *
 *   bytes 0-7    address of the page (a multiple of 4096) | kind in bits 0-1; bits 2-11 are 0
 *   bytes 8-11   the process: any number that tells address spaces apart
 *   bytes 12-15  0 */
#ifndef QTRACE_H
#define QTRACE_H

#include <stdint.h>

#define QTRACE_MAGIC "QTRACE1\n"
#define QTRACE_HEAD 8 /* bytes */

enum qtrace_kind { QTRACE_READ, QTRACE_WRITE, QTRACE_EXECUTE, QTRACE_KINDS };

struct qtrace_record {
  uint64_t page_kind;
  uint32_t process, zero;
};
#endif
