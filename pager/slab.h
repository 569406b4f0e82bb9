/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for the pager's own tables: items of one size, in frames that go back when they hold none (Bonwick, "The slab
 * allocator", USENIX Summer 1994). */
#ifndef SLAB_H
#define SLAB_H

#include <stdbool.h>
#include <stddef.h>

struct slab {
  size_t bytes; /* of an item: at most half a page */
  bool tables;  /* its frames are counted as frames.tables: they describe other frames, or what was in some */
  struct slab_page *room;
};

void *slab_take(struct slab *slab); /* with whatever is in it; NULL: no memory */
void slab_give(struct slab *slab, void *item);
#endif
