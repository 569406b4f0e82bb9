/* SPDX-License-Identifier: BSD-2-Clause */
/* All policies, one a line: X(NAME) is NAME.c, which defines policy_NAME. The build reads this file too. */
X(demand)
X(window)
X(eager)
X(readahead)
X(leap)
X(null)
X(fifo)
X(random_page)
X(clock)
X(aging)
X(clean_first)
X(wsclock)
X(sieve)
X(s3fifo)
X(generations)
X(fixed)
X(ws)
X(pff)
X(fair)
X(largest)
X(squeeze)
#ifdef POLICIES_MORE
POLICIES_MORE /* those outside the tree: the build's option policies= */
#endif
