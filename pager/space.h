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

#define FAULT_PAGES POLICY_RANGE
_Static_assert(FAULT_PAGES <= Q_MAP_MAX, "one answer maps them");

enum space_state { SPACE_FREE, SPACE_ALIVE, SPACE_ENDED };

/* Outside of it nothing is mapped; inside it may be or not. */
struct extent {
  uint64_t start, end;
};
static inline void extent_add(struct extent *extent, uint64_t start, uint64_t end) {
  if (extent->start == extent->end)
    *extent = (struct extent){start, end};
  extent->start = start < extent->start ? start : extent->start;
  extent->end = end > extent->end ? end : extent->end;
}

struct absents {
  struct absent *newest, *oldest;
  uint64_t count;
};

struct policy_memory {
  struct policy_area
      heap; /* the program's own, as its policy of fetching is told of it; first, where a fault finds it at once */
  char fetch[POLICY_PROCESS],
      allocate[POLICY_PROCESS]; /* zeros when a program starts or gets other policies, a copy at fork */
  uint64_t last_fault;          /* likewise: time, ticks; 0: none yet */
  /* What that said last, and of a fault at which page. It is asked once of each, however often that is tried. */
  struct policy_range asked;
  uint64_t asked_of;
  bool open; /* that fault has not been answered yet */
  bool wide; /* of a page of the heap, it wanted more than that */
};

/* What map() made: sorted by address, apart, above the break and below the stack's gap. */
struct region {
  struct region *next, *prev, *child[2]; /* on the space's list, and in its tree (tree.c) */
  uint64_t room;
  uint32_t rank;
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
  uint64_t stack; /* the lowest page of the stack that was ever there */
  const struct image *image;
  const struct policy_set *policy;
  struct extent heap_touched;
  struct pool *pool;            /* that its pages are in; NULL: nothing of it is evicted */
  struct policy_memory *memory; /* what its policies of fetching and allocation keep of it; NULL: nothing */
  struct absents absents;       /* its pages that were, and are in a store (absent.h) */
  struct absents dropped;       /* and that are nowhere, as they had never been written */
  struct region *regions, *tree;
  unsigned region_count;
  uint64_t counted; /* pages of regions that are so */
  /* As `plain`, but its policy of fetching is to be asked, by this; NULL: it is not. */
  void (*hook)(const struct policy_area *area, uint64_t page, struct policy_range *range);

  struct p_stats stats; /* resident, peak, shared, faults and so on; the rest is filled when asked */
  uint8_t state;
  bool several;       /* it has, or had, more than one thread */
  bool plain;         /* nobody but the core has a say in its faults, and it is not `several`: space_note() */
  bool plain_several; /* the same, but it is */
  bool strict;        /* its growth is promised or refused */
  uint64_t promised;  /* pages */
  bool quiet;         /* its death is not printed */
  q_handle task;      /* and the shell's: */
  bool orphan;        /* its parent has ended */
  bool client;        /* of a server, which spawns, reaps and kills for it */
  struct space *parent, *children, *ended, *next, *prev; /* children: those that live */
  struct server *server;
  q_handle watch; /* endpoint that hears of its children's ends */
  uint64_t watch_bits;
  unsigned
      threads; /* the first one and those that thread() made; a program that makes some by P_HANDLE_TASK says so to nobody */
  struct thread *thread_list; /* those */
  q_handle gift;              /* came with a request that waits for a copy */
  q_token gift_token;
  struct strings *strings; /* of requests that wait for the rest of them */
  struct p_death death;
};
extern struct space **spaces; /* by the low bits of the id; a page of it gets a frame with its first space */
extern bool watched;          /* each fault is to be seen whole */
extern uint64_t promised;     /* pages, to all strict programs: 0 where there are none */

/* How a fault is to be answered. */
struct answer {
  uint64_t page, frame_prot; /* MAP from this page on */
  uint64_t expected;         /* the frame that this replaces | 1, or 0 */
  uint8_t reason;            /* P_REASON_*: refused; 0: map, or with frame_prot 0 retry */
  bool first;                /* the frame is mapped nowhere so far */
  uint8_t pages;             /* how many, of frames in a row */
  bool later;                /* not now: the page is on its way */
};

#define PAGE_OF(va) ((va) & ~(Q_PAGE_SIZE - 1ul))
#define PAGE_UP(va) PAGE_OF((va) + Q_PAGE_SIZE - 1)

/* ---- The core ---- */
/* What of the stack a thread with that sp may touch. RISC-V has no red zone: below the page of sp nothing is anybody's, unless
 * the thread's stack is elsewhere. */
static inline uint64_t stack_start(uint64_t sp) {
  return sp >= P_STACK_BASE && sp <= P_STACK_TOP ? PAGE_OF(sp) : P_STACK_BASE;
}
/* After every change of one of these. */
static inline void space_note(struct space *space) {
  bool core = space->state == SPACE_ALIVE && !space->pool && !promised && !watched;
  const struct policy *policy = space->policy->fetch.policy;
  space->plain = core && !policy->fault && !space->several;
  space->plain_several = core && !policy->fault && space->several;
  space->hook = core && !space->several ? policy->fault : NULL;
}
static inline void space_set_break(struct space *space, uint64_t brk) {
  space->brk = brk;
  if (space->memory)
    space->memory->heap.end = PAGE_UP(brk);
}
void spaces_begin(struct space **table); /* P_PROCESSES of them, on a page's boundary, that read as 0 */
void spaces_note(void);                  /* all of them: promised or watched has begun or ceased to be 0 */
static inline struct space *space_find(uint64_t id) {
  struct space *space = spaces[id % P_PROCESSES];
  return space && space->badge == id ? space : 0;
}
extern unsigned space_count, space_limit;
struct space *space_from(uint64_t *index); /* the first from there on, which *index then is behind; NULL: none */
/* NULL: no memory, or with space_count at its limit too many. */
struct space *space_new(const struct image *image, const struct policy_set *policy);
/* A space that stands on no list: what another one may become. */
void space_begin(struct space *space, uint64_t badge, const struct image *image, const struct policy_set *policy);
void space_clear(struct space *space); /* gives back its memory */
void space_adopt(struct space *parent, struct space *child);
void space_disown(struct space *child);
void space_end(struct space *space);  /* gives back everything it has; the slot stays, ENDED */
void space_free(struct space *space); /* nobody asks for its record any more */
/* NULL reason: the address may be touched so; *start and *end are its region's page bounds. */
unsigned space_refusal(const struct space *space, uint64_t va, unsigned kind, uint64_t sp);
/* there: the frame that is mapped | Q_FAULT_SOLE, 0: none. */
void space_fault(struct space *space, uint64_t va, unsigned kind, uint64_t sp, uint64_t there, struct answer *answer);
static inline __attribute__((always_inline)) void count_first_touch(struct space *space, uint64_t kind) {
  space->stats.faults[kind]++;
  if (++space->stats.resident > space->stats.peak)
    space->stats.peak = space->stats.resident;
}
/* The common fault where nothing is mapped, decided in a few instructions: the first touch of a page of the heap where no
 * policy has a say. The frame to be mapped there, readable and writable; 0: it is another fault, or there is no zeroed frame
 * at hand. */
static inline __attribute__((always_inline)) uint64_t space_fault_plain(struct space *space, uint64_t va,
                                                                        uint64_t kind, struct stock *stock) {
  if (__builtin_expect(!space->plain || va - space->heap >= space->brk - space->heap || kind >> 1, 0))
    return 0;
  uint64_t frame = frame_take_plain(stock);
  if (__builtin_expect(!frame, 0))
    return 0;
  count_first_touch(space, kind);
  return frame;
}
/* Whether it is worth asking the policy by space_fault_hooked(): not if it wanted more than the page when it was asked last, or has
 * been asked of the fault that is being answered. */
static inline bool space_is_hooked(const struct space *space) {
  return space->hook && !space->memory->wide && !space->memory->open;
}
/* Of a program whose policy says no more than that the page comes. What else it says is kept for space_fault(). If it says nothing,
 * ever, stock->asked is what is known of the fault then; nothing has been done before that is cleared. */
static inline __attribute__((always_inline)) uint64_t
space_fault_hooked(struct space *space, uint64_t va, uint64_t kind, q_token token, struct stock *stock) {
  if (!space->hook || va - space->heap >= space->brk - space->heap || kind >> 1)
    return 0;
  uint64_t page = PAGE_OF(va);
  struct policy_range range = {page, 1};
  stock->asked.badge = space->badge;
  stock->asked.token = token;
  space->hook(&space->memory->heap, page, &range);
  stock->asked.token = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  uint64_t frame = range.page == page && range.pages == 1 ? frame_take_plain(stock) : 0;
  if (!frame) {
    space->memory->asked = range;
    space->memory->asked_of = page;
    space->memory->open = true;
    space->memory->wide = range.pages > 1;
    return 0;
  }
  if (page == space->heap_touched.end)
    space->heap_touched.end = page + Q_PAGE_SIZE;
  else
    extent_add(&space->heap_touched, page, page + Q_PAGE_SIZE);
  count_first_touch(space, kind);
  return frame;
}
/* As space_fault_plain(), of a program that has, or had, several threads: other threads of the pager may be at others of its
 * faults just now. */
static inline __attribute__((always_inline)) uint64_t space_fault_several(struct space *space, uint64_t va,
                                                                          uint64_t kind, struct stock *stock) {
  if (!space->plain_several || va - space->heap >= space->brk - space->heap || kind >> 1)
    return 0;
  uint64_t frame = frame_take_plain(stock);
  if (!frame)
    return 0;
  struct p_stats *stats = &space->stats;
  __atomic_fetch_add(&stats->faults[kind], 1, __ATOMIC_RELAXED);
  uint64_t resident = __atomic_add_fetch(&stats->resident, 1, __ATOMIC_RELAXED),
           peak = __atomic_load_n(&stats->peak, __ATOMIC_RELAXED);
  while (resident > peak &&
         !__atomic_compare_exchange_n(&stats->peak, &peak, resident, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
  return frame;
}
/* The common fault where something is: a write to the heap or the stack that a fork took the right from. The frame that is to
 * be there, which is what was there if nobody else has it; 0: it is another fault, or no frame is at hand. Nobody was promised
 * anything, and the copy is charged as the page before it was. */
static inline __attribute__((always_inline)) uint64_t space_copy_plain(struct space *space, uint64_t va, uint64_t sp,
                                                                       uint64_t there, struct stock *stock) {
  uint64_t old = PAGE_OF(there), frame = old;
  bool heap = va - space->heap < space->brk - space->heap, stack = va >= stack_start(sp) && va < P_STACK_TOP;
  if (!space->plain || !(heap || stack) || frame_state(old) != STATE_USED)
    return 0;
  if (!(there & Q_FAULT_SOLE)) {
    if (!(frame = frame_pop(&stock->cold)))
      return 0;
    copy_page_here(frame_data(frame), frame_data(old));
  }
  space->stats.faults[Q_FAULT_WRITE]++;
  return frame;
}
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

/* ---- tree.c ---- */
/* The first that begins there or later; that ends behind it. NULL: none. */
struct region *region_from(const struct space *space, uint64_t at);
struct region *region_after(const struct space *space, uint64_t va);
void region_enter(struct space *space, struct region *region); /* it overlaps no other */
void region_leave(struct space *space, struct region *region);
/* That is large enough: where they fit; 0: there is none. */
uint64_t highest_gap(const struct space *space, uint64_t bytes);

/* ---- policies.c ---- */
void policies_begin(void);                                            /* lost.c: all of them are asked */
bool space_policy(struct space *space, const struct policy_set *set); /* false: no memory, as the next */
void space_policy_begin(struct space *space);                         /* they keep nothing of it so far */
bool space_policy_copy(const struct space *from, struct space *to);   /* with what they keep */
void space_policy_drop(struct space *space);

/* ---- ahead.c: what a policy brings in ---- */
extern bool count_untouched; /* what it brings in counts as touched only when it is */
/* The page that answer names is to be brought in. false: it is not the policy's business, or there are no frames. */
bool ahead_of_fault(struct space *space, uint64_t sp, struct answer *answer);
/* Whether the page is of memory that is zeros of the program's own where nothing is mapped, which is what a policy is asked of. */
bool ahead_covers(struct space *space, uint64_t page, uint64_t sp);
/* What the policy wants around a page that was evicted so many faults ago, if at all: that page at least. */
struct extent ahead_wanted(struct space *space, uint64_t page, uint64_t sp, uint64_t refault);
/* Cuts a run of up to 64 pages to those around this one that are not there. false: this one is. */
bool ahead_cut(const struct space *space, uint64_t page, struct extent *run);
void ahead_of_first_touch(struct space *space, uint64_t start, uint64_t end);
static inline void ahead_of_touch(struct space *space, uint64_t start, uint64_t end) { /* it has just been made */
  if (space->policy->fetch.policy->made && start < end && !space->pool)
    ahead_of_first_touch(space, start, end);
}
uint64_t untouched_pages(const struct space *space, uint64_t start, uint64_t end);
uint64_t untouched_in_all(const struct space *space);
/* Before these pages go: those that were brought in for nothing are counted. */
static inline void untouched_note(struct space *space, uint64_t start, uint64_t end) {
  if (__builtin_expect(count_untouched, 0))
    space->stats.untouched += untouched_pages(space, start, end);
}
/* The policy hears what the program says of memory that is one piece, and *run becomes what is to come at once. false: it has no hook
 * for that, or none for such memory. */
bool ahead_advised(struct space *space, unsigned advice, struct extent *run);
void ahead_bring(struct space *space,
                 struct extent run); /* of such memory what is not there, as far as frames are to spare */

/* ---- hooks.c, relief.c, advice.c: what else policies are asked, and told ---- */
bool policy_admits(const struct policy_set *set, enum policy_start how,
                   const struct space *asks); /* asks NULL: the boot */
static inline bool space_admits(const struct policy_set *set, enum policy_start how, const struct space *asks) {
  return !set->admit.policy || policy_admits(set, how, asks);
}
void space_figures(const struct space *space, struct p_figures *figures);
extern const struct policy_choice *pressing; /* the boot's policy of pressure; NULL: there is none */
void relief_begin(const struct policy_choice *choice);
void relief_mend(void);                                /* after a policy was lost (ask.h) */
enum relief { RELIEF_NONE, RELIEF_SOME, RELIEF_SELF }; /* SOME: try again; SELF: the program that asks is to end */
#define RELIEF_ROUNDS 4
enum relief relieve(struct space *asks); /* if there is a policy of pressure */
/* 0 or an errno value; P_ADVICE_* */
int space_advise(struct space *space, uint64_t start, uint64_t bytes, unsigned advice);

/* ---- promise.c ---- */
extern uint64_t promise_margin;           /* frames that are never promised */
bool promise_first(struct space *space);  /* of a new space. false: there is no room for it */
void promise_update(struct space *space); /* after any change of what it may touch */
void promise_end(struct space *space);
void promises_used(int64_t frames);
static inline void promises_use(const struct space *space, int64_t frames) { /* of its own it has so many more */
  if (__builtin_expect(space->strict, 0))
    promises_used(frames);
}
bool promise_room(uint64_t more); /* without what is withheld there are so many pages */
/* So many more may be promised, which promise_update() then counts. */
static inline bool promise_fits(const struct space *space, uint64_t more) {
  return !space->strict || promise_room(more);
}
static inline void promise_note(struct space *space) { /* the break has moved */
  if (__builtin_expect(space->strict, 0))
    promise_update(space);
}
uint64_t promises_withheld(void); /* frames that are promised and not yet taken */
bool promise_spare(void);         /* some frame is not withheld */
/* It may have a frame. */
static inline bool promise_allows(const struct space *space) {
  return !promised || space->strict || promise_spare();
}

/* ---- What all files of the core share ---- */
uint64_t frame_get(bool zeroed);         /* drops caches and reclaims blocks if it must; 0: none */
uint64_t frame_get_own(void);            /* a zeroed one for the pager's own tables */
uint64_t frames_get_row(uint64_t count); /* so many such in a row */
void space_removed(struct space *space, uint64_t frame, bool last); /* a mapping of the frame less; the last one */
void space_removed_all(struct space *space, const uint64_t *entries, uint64_t count); /* as backend_unmap() says it */
void give_back(struct space *space, uint64_t start, uint64_t end); /* removes the pages, and frees what nobody has */
void space_dropped(struct space *space, const uint64_t *entries, uint64_t count); /* as backend_drop() does */
const struct segment *find_segment(const struct space *space, uint64_t va);
unsigned page_prot(const struct space *space, uint64_t page);
static inline void stack_note(struct space *space, uint64_t page) {
  if (page >= P_STACK_BASE && page < space->stack)
    space->stack = page;
}
bool bring_in(struct space *space, unsigned kind, struct answer *answer); /* answer's page. false: no memory */
void charge(struct space *space, uint64_t pages);
char *space_page(struct space *space, uint64_t page); /* brings it in, where nothing is; NULL: no memory */
void cache_drop(void);                                /* frees the cached pages that nobody maps */
uint64_t cache_pages(void);
extern struct image *images; /* of the boot image */
extern unsigned image_count;

/* ---- check.c ---- */
#ifdef CHECK_INVARIANTS
void check_sometimes(void);
#else
static inline void check_sometimes(void) {
}
#endif

/* ---- The backend ---- */
/* 0 or a Q_E_*; gives the kernel memory for page tables when it wants some. */
int backend_map(struct space *space, uint64_t va, uint64_t frame_prot);
int backend_map_run(struct space *space, uint64_t va, uint64_t frame_prot, unsigned pages); /* of frames in a row */
/* Up to 64 pages from va on: which are there, and which of these were accessed since they came or `clear` was said. */
struct backend_pages {
  uint64_t present, accessed, dirty;
} backend_look(const struct space *space, uint64_t va, unsigned pages, bool clear);
void backend_clean(const struct space *space, uint64_t va); /* the page was not written, from now on */
/* Removes what is mapped in [va, va + pages) and calls removed() with some of the frames at a time: each | 1 if it is
 * mapped nowhere now. */
void backend_unmap(struct space *space, uint64_t va, uint64_t pages,
                   void (*removed)(struct space *, const uint64_t *entries, uint64_t count));
/* One page: its frame | 1 if it is mapped nowhere now | 2 if it was written; 0: nothing was there. */
uint64_t backend_unmap_page(struct space *space, uint64_t va);
/* The same where all of them go: calls removed() for those frames only that are mapped nowhere now. How many pages went. */
uint64_t backend_drop(struct space *space, uint64_t va, uint64_t pages,
                      void (*removed)(struct space *, const uint64_t *entries, uint64_t count));
/* Removes the first page that is there in [*va, end), whose address *va then is: its frame | 1 if it is mapped nowhere now;
 * 0: none. A page put back in its place needs no memory. */
uint64_t backend_take(struct space *space, uint64_t *va, uint64_t end);
int backend_protect(struct space *space, uint64_t va, uint64_t pages,
                    unsigned prot); /* what is there; as backend_map */
/* What is there becomes the child's, too. Both have the protection, or with 0 what each page has, but the right to write. */
int backend_share(struct space *parent, struct space *child, uint64_t va, uint64_t pages, unsigned prot);
void backend_end(struct space *space); /* another program than the one that is answered: chosen to end */
/* Of the table of spaces: from now on the page, which read as zeros, is this frame. Cannot fail. */
void backend_back(void *page, uint64_t frame);
uint64_t backend_time(void);           /* the time counter, ticks */
bool backend_reclaim(uint64_t *block); /* a block that the kernel no longer needs */
#endif
