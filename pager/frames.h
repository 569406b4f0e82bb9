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

#define FRAMES_HOT 64

#define STOCKS 8 /* harts that Quire uses at most */

/* The last plain answer to a fault of a program of several threads: harts.c. */
struct sent {
  uint64_t badge; /* the program's; 0: it is not to be taken back any more */
  q_token token;
  bool spent; /* the token is: it need not be asked about again */
};

/* A plain fault that a policy is just being asked of (main.c), for the case that it does not say anything (watch.c). */
struct asked_fault {
  q_token token; /* 0: none is */
  uint64_t badge;
};

/* Frames that one thread of the pager hands out first, the last one first: they are off all lists already, and USED by their
 * state. Each is a stack with 0 below. Hot ones are zeroed. */
struct stock {
  uint32_t lock; /* these three: harts.c */
  bool doubt;
  struct sent sent;
  uint64_t *hot, *cold, hot_stack[1 + FRAMES_HOT], cold_stack[1 + FRAMES_HOT];
  uint64_t misses; /* frames that were zeroed when they were needed */
  struct asked_fault asked;
} __attribute__((aligned(64)));

/* On the hot path, hence here. */
struct frames {
  struct stock *stock; /* of the thread that is at it */
  unsigned stock_count;
  char *window;  /* the frame at physical address p is at window + p */
  uint64_t base; /* physical address of frame 0 */
  uint64_t count;
  struct link {
    uint32_t next, prev; /* in a free list, as frame number + 1. CACHED, OBJECT: next is not 0 while it is mapped
                            anywhere; prev is the number of objects that hold it */
  } * link;              /* there for those of blocks that are `linked` */
  uint8_t *state;
  uint16_t *block_free; /* free frames of each 2 MiB block */
  bool *linked;         /* for each block */
  uint64_t unlinked;    /* blocks that are not: each may want a frame for it yet */
  union {
    struct {
      uint32_t ready;      /* head */
      uint32_t zero_block; /* bytes that cbo.zero zeroes; 0: there is none, a frame is zeroed by stores */
    };
    uint64_t not_stores; /* not 0: a frame is not just zeroed here and now. One look tells both */
  };
  uint32_t free;             /* head */
  uint64_t virgin;           /* no VIRGIN frame is below this number */
  uint64_t total;            /* frames there ever were */
  uint64_t zeroed, unzeroed; /* free now beside those: READY ones, and the others, the reserve among them */
  uint64_t own, donated;     /* of total: OWN and DONATED ones */
  uint64_t tables;           /* of own: they hold links, or will */
  uint64_t aside;            /* the first of those that will, physical address, and how many there are */
  unsigned asides;
  unsigned together;         /* of those that are to be set aside the next time */
  uint64_t reserve;          /* physical address of the reserve block; 0 none */
  uint64_t made_ready, idly; /* READY ones there ever were; of these used for nothing that had to be zero */
  void (*wanted)(void);      /* not NULL: to be called when there is no READY one; it must not touch frames */
};
extern struct frames frames;
extern struct stock stocks[STOCKS];
static inline uint64_t frames_hot(void) { /* of all stocks, as the next two */
  uint64_t count = 0;
  for (const struct stock *stock = stocks; stock < stocks + frames.stock_count; stock++)
    count += (uint64_t)(stock->hot - stock->hot_stack);
  return count;
}
static inline uint64_t frames_cold(void) {
  uint64_t count = 0;
  for (const struct stock *stock = stocks; stock < stocks + frames.stock_count; stock++)
    count += (uint64_t)(stock->cold - stock->cold_stack);
  return count;
}
static inline uint64_t frames_missed(void) {
  uint64_t count = 0;
  for (const struct stock *stock = stocks; stock < stocks + frames.stock_count; stock++)
    count += stock->misses;
  return count;
}
static inline uint64_t frames_available(void) {
  return frames_hot() + frames_cold() + frames.zeroed + frames.unzeroed;
}

/* Bytes that frames_init() needs at `memory`, in the window, in whole pages, for RAM of that size. At `links` there need be
 * nothing: the frame that a page there comes to lie in is given to frames_back(), which makes that so and cannot fail. */
uint64_t frames_memory(uint64_t ram_bytes);
void frames_init(char *window, uint64_t ram_base, uint64_t ram_end, void *memory, struct link *links);
void frames_share(unsigned threads); /* so many stocks instead of one */
void frames_back(void *page, uint64_t frame);
void frames_zero_by(uint64_t block);            /* cbo.zero, which zeroes so many bytes; 0: stores */
void frames_add(uint64_t base, uint64_t bytes); /* free ones, once, at boot */
void frames_reserve(void);                      /* sets a block aside, if there is none and one is whole */
uint64_t frame_take_zeroed(void);               /* 0: none, as from the next */
uint64_t frame_take_slow(bool zero);
void frames_cool(void); /* all stocks back to where they can be told from used ones */
/* Zeroed frames in a row, up to so many, about where the next frame would come from. How many; 0: none is left. */
unsigned frames_take_run(unsigned most, uint64_t *pa);
/* Just so many (1 to 512), in a row and zeroed, wherever they are: it looks at each frame. 0: there are none. */
uint64_t frames_take_row(uint64_t count);
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

static inline __attribute__((always_inline)) void zero_pages_here(void *page, uint64_t count) {
#ifdef __riscv
  char *at = (char *)page + 1024, *end = at + count * Q_PAGE_SIZE;
  __asm__ volatile("1: .set offset, -1024\n .rept 256\n sd zero, offset(%0)\n .set offset, offset + 8\n .endr\n"
                   "add %0, %0, %2\n bne %0, %1, 1b"
                   : "+r"(at)
                   : "r"(end), "r"(2048l)
                   : "memory");
#else
  __builtin_memset(page, 0, count * Q_PAGE_SIZE);
#endif
}
static inline __attribute__((always_inline)) void zero_page_here(void *page) {
  zero_pages_here(page, 1);
}
void zero_page(void *page); /* the same, as a call, or by blocks where that can be */
void zero_pages(void *page, uint64_t count);
void zero_blocks(char *page, uint64_t count, uint64_t bytes); /* the pages, by blocks of so many bytes */

/* 512 loads and stores each, and a little. */
static inline __attribute__((always_inline)) void copy_page_here(void *to, const void *from) {
#ifdef __riscv
  const char *at = from, *end = at + Q_PAGE_SIZE;
  uint64_t a, b, c, d;
  __asm__ volatile("1: .set offset, 0\n .rept 16\n ld %2, offset(%1)\n ld %3, offset + 8(%1)\n"
                   "ld %4, offset + 16(%1)\n ld %5, offset + 24(%1)\n sd %2, offset(%0)\n sd %3, offset + 8(%0)\n"
                   "sd %4, offset + 16(%0)\n sd %5, offset + 24(%0)\n .set offset, offset + 32\n .endr\n"
                   "addi %0, %0, 512\n addi %1, %1, 512\n bne %1, %6, 1b"
                   : "+r"(to), "+r"(at), "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
                   : "r"(end)
                   : "memory");
#else
  __builtin_memcpy(to, from, Q_PAGE_SIZE);
#endif
}
void copy_page(void *to, const void *from);

static inline __attribute__((always_inline)) uint64_t frame_pop(uint64_t **last) { /* 0: none is left */
  uint64_t pa = **last;
  if (pa)
    --*last;
  return pa;
}

/* A zeroed frame, if that takes no more than to zero one; 0: none so. Of `frames` it only reads. */
static inline __attribute__((always_inline)) uint64_t frame_take_plain(struct stock *stock) {
  uint64_t pa = frame_pop(&stock->hot);
  if (__builtin_expect(pa != 0, 1))
    return pa;
  if (frames.not_stores || frames.wanted || !(pa = frame_pop(&stock->cold)))
    return 0;
  stock->misses++;
  zero_page_here(frame_data(pa));
  return pa;
}

#endif
