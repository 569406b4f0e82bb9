/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's frames: which are free, which of these are zeroed already, and whole 2 MiB blocks to donate. Knows nothing
 * of programs. Frames are named by physical address. */
#ifndef FRAMES_H
#define FRAMES_H

#include <quire/abi.h>
#include <stdbool.h>

enum frame_state {
  STATE_NONE,    /* never free here: the kernel's or the firmware's, or the pager's own image and tables */
  STATE_VIRGIN,  /* free, never used since boot */
  STATE_FREE,    /* free, content unknown */
  STATE_READY,   /* free and zeroed */
  STATE_USED,    /* holds a page of one program */
  STATE_CACHED,  /* holds a read-only page of an image, for all its instances */
  STATE_OBJECT,  /* holds a page of one or more objects (object.h) */
  STATE_OWN,     /* holds the pager's own tables (slab.h) */
  STATE_RESERVE, /* in the block kept back for the kernel's objects */
  STATE_DONATED  /* the kernel's, from here */
};

#define FRAMES_HOT 16

/* On the hot path, hence here. */
struct frames {
  /* The last of some frames that are off all lists already, and USED by their state: handed out first, the last one first.
   * Below them is 0. Hot ones are zeroed. */
  uint64_t *hot, *cold, hot_stack[1 + FRAMES_HOT], cold_stack[1 + FRAMES_HOT];
  char *window;  /* the frame at physical address p is at window + p */
  uint64_t base; /* physical address of frame 0 */
  uint64_t count;
  struct link {
    uint32_t next, prev; /* in a free list, as frame number + 1. CACHED, OBJECT: next is not 0 while it is mapped
                            anywhere; prev is the number of objects that hold it */
  } * link;              /* there for those of blocks that are `linked` */
  uint8_t *state;
  uint16_t *block_free;      /* free frames of each 2 MiB block */
  bool *linked;              /* for each block */
  uint64_t unlinked;         /* blocks that are not: each may want a frame for it yet */
  uint32_t ready, free;      /* heads */
  uint64_t virgin;           /* no VIRGIN frame is below this number */
  uint64_t total;            /* frames there ever were */
  uint64_t zeroed, unzeroed; /* free now beside those: READY ones, and the others, the reserve among them */
  uint64_t own, donated;     /* of total: OWN and DONATED ones */
  uint64_t tables;           /* of own: they hold links, or will */
  uint64_t aside;            /* the first of those that will, physical address, and how many there are */
  unsigned asides;
  uint64_t reserve;          /* physical address of the reserve block; 0 none */
  uint64_t made_ready, idly; /* READY ones there ever were; of these used for nothing that had to be zero */
  uint64_t misses;           /* frames that were zeroed when they were needed */
  void (*wanted)(void);      /* not NULL: to be called when there is no READY one; it must not touch frames */
};
extern struct frames frames;
static inline uint64_t frames_hot(void) {
  return (uint64_t)(frames.hot - frames.hot_stack);
}
static inline uint64_t frames_cold(void) {
  return (uint64_t)(frames.cold - frames.cold_stack);
}
static inline uint64_t frames_available(void) {
  return frames_hot() + frames_cold() + frames.zeroed + frames.unzeroed;
}

/* Bytes that frames_init() needs at `memory`, in the window, in whole pages, for RAM of that size. At `links` there need be
 * nothing: the frame that a page there comes to lie in is given to frames_back(), which makes that so and cannot fail. */
uint64_t frames_memory(uint64_t ram_bytes);
void frames_init(char *window, uint64_t ram_base, uint64_t ram_end, void *memory, struct link *links);
void frames_back(void *page, uint64_t frame);
void frames_add(uint64_t base, uint64_t bytes); /* free ones, once, at boot */
void frames_reserve(void);                      /* sets a block aside, if there is none and one is whole */
uint64_t frame_take_zeroed(void);               /* 0: none, as from the next */
uint64_t frame_take_slow(bool zero);
void frames_cool(void); /* the hot ones back to where they can be told from used ones */
/* Zeroed frames in a row, up to so many, about where the next frame would come from. How many; 0: none is left. */
unsigned frames_take_run(unsigned most, uint64_t *pa);
void frame_give(uint64_t pa);        /* USED, CACHED, OBJECT or OWN becomes FREE */
bool block_take(uint64_t *block);    /* a whole free block leaves, for donation; the reserve comes last */
void block_return(uint64_t block);   /* it came back scrubbed */
bool frames_prepare(uint64_t count); /* zeroes free frames beforehand, until so many are READY */
bool frame_prepare(void);            /* one; false: none is left that is not */

/* Frames that will be needed to describe those never used yet. */
static inline uint64_t links_to_come(void) {
  return frames.unlinked > frames.asides ? frames.unlinked - frames.asides : 0;
}
static inline uint64_t frame_number(uint64_t pa) {
  return (pa - frames.base) >> Q_PAGE_SHIFT;
}
static inline enum frame_state frame_state(uint64_t pa) {
  return frames.state[frame_number(pa)];
}
/* CACHED or OBJECT: the first mapping of it is about to come, or the last has gone. */
static inline void frame_mapped(uint64_t pa, bool mapped) {
  frames.link[frame_number(pa)].next = mapped;
}
static inline void *frame_data(uint64_t pa) {
  return frames.window + pa;
}

static inline __attribute__((always_inline)) void zero_page_here(void *page) {
#ifdef __riscv
  char *at = (char *)page + 1024, *end = at + Q_PAGE_SIZE;
  __asm__ volatile("1: .set offset, -1024\n .rept 256\n sd zero, offset(%0)\n .set offset, offset + 8\n .endr\n"
                   "add %0, %0, %2\n bne %0, %1, 1b"
                   : "+r"(at)
                   : "r"(end), "r"(2048l)
                   : "memory");
#else
  __builtin_memset(page, 0, Q_PAGE_SIZE);
#endif
}
void zero_page(void *page); /* the same, as a call */

static inline void copy_page(void *to, const void *from) {
  uint64_t *t = to;
  const uint64_t *f = from;
  for (unsigned i = 0; i < Q_PAGE_SIZE / 8; i += 16, t += 16, f += 16) {
    uint64_t part[16];
#pragma GCC unroll 16
    for (unsigned j = 0; j < 16; j++)
      part[j] = f[j];
#pragma GCC unroll 16
    for (unsigned j = 0; j < 16; j++)
      t[j] = part[j];
  }
}

static inline __attribute__((always_inline)) uint64_t frame_pop(uint64_t **last) { /* 0: none is left */
  uint64_t pa = **last;
  if (pa)
    --*last;
  return pa;
}

/* A zeroed frame, if that takes no more than to zero one; 0: none so. */
static inline __attribute__((always_inline)) uint64_t frame_take_plain(void) {
  uint64_t pa = frame_pop(&frames.hot);
  if (__builtin_expect(pa != 0, 1))
    return pa;
  if (frames.ready || frames.wanted || !(pa = frame_pop(&frames.cold)))
    return 0;
  frames.misses++;
  zero_page_here(frame_data(pa));
  return pa;
}

#endif
