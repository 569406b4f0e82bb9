/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces: what lies where, who may touch it, and what each has cost. This is the pager's core. It makes no system
 * call; what must happen in page tables it asks of the backend, which the shell implements with system calls and the
 * host's tests with a model. */
#ifndef SPACE_H
#define SPACE_H

#include <quire/pager.h>

#include "frames.h"
#include "image.h"
#include "object.h"
#include "policy.h"

#define FAULT_PAGES Q_MAP_MAX /* the most that one fault brings in */

enum space_state { SPACE_FREE, SPACE_ALIVE, SPACE_ENDED };

/* Outside of it nothing is mapped; inside it may be or not. */
struct extent {
  uint64_t start, end;
};

/* What map() made: sorted by address, apart, above the break and below the stack's gap. */
struct region {
  struct region *next;
  uint64_t start, end;   /* page addresses */
  struct object *object; /* NULL: zeros of the program's own */
  uint64_t offset;       /* of start in the object, in pages */
  struct extent touched;
  uint8_t prot; /* Q_PROT_*; 0: no access */
  bool shared;  /* what is written is the object's, else the program's own */
  bool counted; /* its pages are promised: they may be written, or could be when they came */
};

struct space {
  uint64_t badge; /* generation * P_PROCESSES + index: the process id */
  uint64_t heap, brk;
  const struct image *image;
  const struct policy *policy;
  struct extent heap_touched;
  struct region *regions;
  unsigned region_count;
  struct p_stats stats; /* resident, peak, shared, faults and so on; the rest is filled when asked */
  uint8_t state;
  bool strict;                                           /* its growth is promised or refused */
  uint64_t promised;                                     /* pages */
  bool quiet;                                            /* its death is not printed */
  q_handle task;                                         /* and the shell's: */
  bool orphan;                                           /* its parent has ended */
  bool client;                                           /* of a server, which spawns, reaps and kills for it */
  struct space *parent, *children, *ended, *next, *prev; /* children: those that live */
  struct server *server;
  q_handle watch; /* endpoint that hears of its children's ends */
  uint64_t watch_bits;
  q_handle gift; /* came with a request that waits for a copy */
  q_token gift_token;
  struct p_death death;
};
extern struct space *spaces[P_PROCESSES];

/* How a fault is to be answered. */
struct answer {
  uint64_t page, frame_prot; /* MAP from this page on */
  uint64_t expected;         /* the frame that this replaces | 1, or 0 */
  uint8_t reason;            /* P_REASON_*: refused; 0: map, or with frame_prot 0 retry */
  bool first;                /* the frame is mapped nowhere so far */
  uint8_t pages;             /* how many, of frames in a row */
};

/* ---- The core ---- */
static inline struct space *space_find(uint64_t id) {
  struct space *space = spaces[id % P_PROCESSES];
  return space && space->badge == id ? space : 0;
}
extern unsigned space_count, space_limit;
/* NULL: no memory, or with space_count at its limit too many. */
struct space *space_new(const struct image *image, const struct policy *policy);
/* A space that stands on no list: what another one may become. */
void space_begin(struct space *space, uint64_t badge, const struct image *image, const struct policy *policy);
void space_clear(struct space *space); /* gives back its memory */
void space_adopt(struct space *parent, struct space *child);
void space_disown(struct space *child);
void space_end(struct space *space);  /* gives back everything it has; the slot stays, ENDED */
void space_free(struct space *space); /* nobody asks for its record any more */
/* NULL reason: the address may be touched so; *start and *end are its region's page bounds. */
unsigned space_refusal(const struct space *space, uint64_t va, unsigned kind, uint64_t sp);
/* there: the frame that is mapped | Q_FAULT_SOLE, 0: none. */
void space_fault(struct space *space, uint64_t va, unsigned kind, uint64_t sp, uint64_t there, struct answer *answer);
void space_undo(struct space *space, const struct answer *answer); /* the MAP failed: its frame comes back */
/* The old break, or a negated errno. */
int64_t space_sbrk(struct space *space, int64_t bytes, unsigned flags);
/* The child, which is new, gets the parent's memory, to be copied page by page when it is written. 0 or an errno value. */
int space_fork(struct space *parent, struct space *child);
/* The space gives up its memory and gets what next has. Its task is then next's. */
void space_become(struct space *space, struct space *next);
/* A page of a server becomes the object's, or its own again. 0 or an errno value. */
int space_freeze(struct space *space, uint64_t va, struct object *object, uint64_t index);
int space_thaw(struct space *space, uint64_t va);
/* An object's hold goes. */
void space_drop_object(struct object *object);
/* Writes argc, argv, the environment (the last so many of the strings) and the strings at the stack's top. sp, or a
 * negated errno. */
int64_t space_arguments(struct space *space, const char *text, uint64_t bytes, uint64_t environment);
/* A new image is there, as far as it is to be before it is touched. */
void space_begun(struct space *space);
/* Brings in all of the image and so much of the stack. False: no memory; what is there goes with the space. */
bool space_populate(struct space *space, uint64_t stack_bytes);

/* ---- region.c ---- */
#define REGIONS_MAX 8192 /* of a space: bounds what a walk over them costs */
struct region *region_find(const struct space *space, uint64_t va);
struct map_request {
  uint64_t address, bytes;
  unsigned flags;        /* Q_PROT_* | P_MAP_* */
  struct object *object; /* NULL: zeros */
  uint64_t offset;       /* bytes */
};
int64_t space_map(struct space *space, const struct map_request *wanted); /* address, or a negated errno value */
int space_unmap(struct space *space, uint64_t start, uint64_t bytes);     /* 0 or an errno value, as the next */
int space_protect(struct space *space, uint64_t start, uint64_t bytes, unsigned prot);
bool regions_copy(const struct space *parent, struct space *child); /* false: no memory, and the child has none */
void regions_drop(struct space *space);                             /* whose pages are gone already */
/* Where the lowest begins: the break's limit. */
static inline uint64_t regions_start(const struct space *space) {
  return space->regions ? space->regions->start : P_BREAK_MAX;
}

/* ---- ahead.c: what a policy brings in ---- */
extern bool count_untouched; /* what it brings in counts as touched only when it is */
/* The page that answer names is to be brought in. false: it is not the policy's business, or there are no frames. */
bool ahead_of_fault(struct space *space, uint64_t sp, struct answer *answer);
void ahead_of_first_touch(struct space *space, uint64_t start, uint64_t end);
static inline void ahead_of_touch(struct space *space, uint64_t start, uint64_t end) { /* it has just been made */
  if (space->policy->made && start < end)
    ahead_of_first_touch(space, start, end);
}
uint64_t untouched_pages(const struct space *space, uint64_t start, uint64_t end);
uint64_t untouched_in_all(const struct space *space);
/* Before these pages go: those that were brought in for nothing are counted. */
static inline void untouched_note(struct space *space, uint64_t start, uint64_t end) {
  if (__builtin_expect(count_untouched, 0))
    space->stats.untouched += untouched_pages(space, start, end);
}
static inline void extent_add(struct extent *extent, uint64_t start, uint64_t end) {
  if (extent->start == extent->end)
    *extent = (struct extent){start, end};
  extent->start = start < extent->start ? start : extent->start;
  extent->end = end > extent->end ? end : extent->end;
}

/* ---- promise.c ---- */
extern uint64_t promise_margin;           /* frames that are never promised */
extern uint64_t promised;                 /* pages, to all strict programs: 0 where there are none */
bool promise_first(struct space *space);  /* of a new space. false: there is no room for it */
void promise_update(struct space *space); /* after any change of what it may touch */
void promise_end(struct space *space);
void promises_use(const struct space *space, int64_t frames); /* of its own it has so many more */
bool promise_room(uint64_t more);                             /* without what is withheld there are so many pages */
/* So many more may be promised, which promise_update() then counts. */
static inline bool promise_fits(const struct space *space, uint64_t more) {
  return !space->strict || promise_room(more);
}
uint64_t promises_withheld(void); /* frames that are promised and not yet taken */
bool promise_spare(void);         /* some frame is not withheld */
/* It may have a frame. */
static inline bool promise_allows(const struct space *space) {
  return !promised || space->strict || promise_spare();
}

/* ---- What all files of the core share ---- */
#define PAGE_OF(va) ((va) & ~(Q_PAGE_SIZE - 1ul))
#define PAGE_UP(va) PAGE_OF((va) + Q_PAGE_SIZE - 1)
uint64_t frame_get(bool zeroed); /* drops caches and reclaims blocks if it must; 0: none */
uint64_t frame_get_own(void);    /* a zeroed one for the pager's own tables */
void space_removed(struct space *space, uint64_t frame, bool last); /* a mapping of the frame less; the last one */
const struct segment *find_segment(const struct space *space, uint64_t va);
uint64_t stack_start(uint64_t sp); /* of the stack, what a thread with that sp may touch */
bool bring_in(struct space *space, unsigned kind, struct answer *answer); /* answer's page. false: no memory */
void charge(struct space *space, uint64_t pages);
char *space_page(struct space *space, uint64_t page); /* brings it in, where nothing is; NULL: no memory */
void cache_drop(void);                                /* frees the cached pages that nobody maps */
uint64_t cache_pages(void);
extern struct image *images; /* of the boot image */
extern unsigned image_count;

/* ---- check.c ---- */
#ifdef CHECK_INVARIANTS
void check_pager(void);
#else
static inline void check_pager(void) {
}
#endif

/* ---- The backend ---- */
/* 0 or a Q_E_*; gives the kernel memory for page tables when it wants some. */
int backend_map(struct space *space, uint64_t va, uint64_t frame_prot);
int backend_map_run(struct space *space, uint64_t va, uint64_t frame_prot, unsigned pages); /* of frames in a row */
/* Up to 64 pages from va on: which are there, and which of these were accessed since they came or `clear` was said. */
struct backend_pages {
  uint64_t present, accessed;
} backend_look(const struct space *space, uint64_t va, unsigned pages, bool clear);
/* Removes what is mapped in [va, va + pages) and calls removed() for each frame. */
void backend_unmap(struct space *space, uint64_t va, uint64_t pages,
                   void (*removed)(struct space *, uint64_t frame, bool last));
/* Removes the first page that is there in [*va, end), whose address *va then is: its frame | 1 if it is mapped nowhere now;
 * 0: none. A page put back in its place needs no memory. */
uint64_t backend_take(struct space *space, uint64_t *va, uint64_t end);
int backend_protect(struct space *space, uint64_t va, uint64_t pages,
                    unsigned prot); /* what is there; as backend_map */
/* The same, and the child gets it, too. */
int backend_share(struct space *parent, struct space *child, uint64_t va, uint64_t pages, unsigned prot);
bool backend_reclaim(uint64_t *block); /* a block that the kernel no longer needs */
#endif
