/* SPDX-License-Identifier: BSD-2-Clause */
#define DEADLY 0xdeadul /* a mask, or a process id, that kills the server that is asked for it */
