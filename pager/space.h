/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces: what lies where, who may touch it, and what each has cost. This is the pager's core. It makes no system
 * call; what must happen in page tables it asks of the backend, which the shell implements with system calls and the
 * host's tests with a model. */
#ifndef SPACE_H
#define SPACE_H

#include <quire/pager.h>

#include "frames.h"
#include "image.h"
#include "policy.h"

#define SPACES 256
#define FAULT_PAGES 16 /* the most that one fault brings in */

enum space_state { SPACE_FREE, SPACE_ALIVE, SPACE_ENDED };

struct space {
  uint64_t badge; /* generation * SPACES + index: the process id. 0: never used */
  uint64_t heap, brk;
  const struct image *image;
  const struct policy *policy;
  struct p_stats stats; /* resident, peak, shared, faults and so on; the rest is filled when asked */
  uint8_t state;
  bool quiet;      /* its death is not printed */
  q_handle task;   /* and the shell's: */
  uint64_t parent; /* 0: the boot options */
  bool orphan;     /* its parent has ended */
  bool client;     /* of a server, which spawns, reaps and kills for it */
  struct server *server;
  q_handle watch; /* endpoint that hears of its children's ends */
  uint64_t watch_bits;
  q_handle gift; /* came with a request that waits for a copy */
  q_token gift_token;
  struct p_death death;
};
extern struct space spaces[SPACES];

/* How a fault is to be answered. */
struct answer {
  uint64_t page, frame_prot; /* MAP one page; for more, the rest was mapped already */
  uint8_t reason;            /* P_REASON_*: refused; 0: map, or with frame_prot 0 retry */
};

/* ---- The core ---- */
static inline struct space *space_find(uint64_t id) {
  struct space *space = &spaces[id % SPACES];
  return space->badge == id && space->state != SPACE_FREE ? space : 0;
}
struct space *space_new(const struct image *image, const struct policy *policy); /* NULL: too many */
void space_end(struct space *space);  /* gives back everything it has; the slot stays, ENDED */
void space_free(struct space *space); /* nobody asks for its record any more */
/* NULL reason: the address may be touched so; *start and *end are its region's page bounds. */
unsigned space_refusal(const struct space *space, uint64_t va, unsigned kind, uint64_t sp);
void space_fault(struct space *space, uint64_t va, unsigned kind, uint64_t sp, struct answer *answer);
void space_undo(struct space *space, const struct answer *answer); /* the MAP failed: its frame comes back */
/* The old break, or a negated errno. */
int64_t space_sbrk(struct space *space, int64_t bytes, unsigned flags);
/* Writes argc, argv, the environment (the last so many of the strings) and the strings at the stack's top. sp, or a
 * negated errno. */
int64_t space_arguments(struct space *space, const char *text, uint64_t bytes, uint64_t environment);
/* Brings in all of the image and so much of the stack. False: no memory; what is there goes with the space. */
bool space_populate(struct space *space, uint64_t stack_bytes);
void cache_drop(void); /* frees the cached pages that nobody maps */
uint64_t cache_pages(void);
extern struct image images[IMAGES_MAX];
extern unsigned image_count;

/* ---- The backend ---- */
/* 0 or a Q_E_*; gives the kernel memory for page tables when it wants some. */
int backend_map(struct space *space, uint64_t va, uint64_t frame_prot);
/* Removes what is mapped in [va, va + pages) and calls removed() for each frame. */
void backend_unmap(struct space *space, uint64_t va, uint64_t pages, void (*removed)(struct space *, uint64_t frame));
bool backend_reclaim(uint64_t *block); /* a block that the kernel no longer needs */
#endif
