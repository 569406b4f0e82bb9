/* SPDX-License-Identifier: BSD-2-Clause */
/* What a policy is told, and what it may decide. A policy is one file in policy/, which is built into the pager and
 * into the replayer of traces (replay/) from the same source; docs/policies.md says how to write one.
 *
 * A pager hears of faults, not of hits: whether a page has been used since shows only in its accessed bit, which a
 * policy may ask for. Time is therefore counted in faults.
 *
 * Policies propose and the pager disposes: what a hook asks for is checked, cut to what can be had, and replaced by a
 * safe choice where it is wrong, which is counted. A policy calls nothing but the functions below and has no memory
 * of its own but what it declares; so it can waste, and break nothing. */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- What comes ---------------------------------------------------------------------------------------------------------- */
enum policy_kind { POLICY_IMAGE, POLICY_HEAP, POLICY_STACK, POLICY_MAPPING };

struct policy_area {
  uint64_t id; /* of the program */
  enum policy_kind kind;
  uint64_t start, end; /* page addresses; of the stack, what may be touched */
  const void *options; /* what option() has read */
  void *process;       /* process_bytes for each program that has this policy: zeros when it starts, a copy at fork */
  uint64_t refault;    /* how many faults ago the page that faults was evicted; 0: it was not, or that is not known */
};

struct policy_range {
  uint64_t page;  /* first page to bring in */
  uint64_t pages; /* 1 and up */
};

/* What a program says of memory beforehand, which changes nothing but when its pages come. */
enum policy_advice { POLICY_NORMAL, POLICY_RANDOM, POLICY_SEQUENTIAL, POLICY_WILLNEED };

/* ---- What goes ----------------------------------------------------------------------------------------------------------- */
/* Pages that compete for the same frames: those of one program, or of all. Each that is there has an index. */
struct policy_pool {
  uint32_t size;     /* all indices are below */
  uint32_t resident; /* pages that are there */
  uint32_t budget;   /* the most that may be there: size or less */
  uint64_t now;      /* faults so far, the one that is being answered included */
  uint64_t refault;  /* in mapped(), for POLICY_DEMAND: as in struct policy_area. Else 0 */
  const void *options;
  void *state; /* state_bytes: zeros at first */
  char *notes; /* note_bytes for each index, one after the other: zeros when a page comes */
  size_t note_bytes;
};

struct policy_page {
  uint64_t process; /* id of the program */
  uint64_t address; /* of the page */
};

/* A fork by itself moves no page: the parent's stay, and the child's are in no pool before they are written. */
enum policy_reason {
  POLICY_DEMAND, /* came: it was touched */
  POLICY_AROUND, /* came beside one that was touched, or before any touch */
  POLICY_COPY, /* by a write to a page shared since a fork: it went, its copy came; or it came, left by all others */
  POLICY_CARRIED, /* came and went: another policy has had it, or gets it, which is no change to the page */
  POLICY_EVICTED, /* went, as proposed */
  POLICY_GIVEN,   /* went: the program has unmapped it, or may not touch it for now */
  POLICY_EXIT     /* went with the program */
};

/* What the pager, and so the replayer, makes of what a policy wants. */
#define POLICY_LEAST 4   /* pages of a budget, whatever is said: an instruction may lie in two, and touch two */
#define POLICY_RANGE 64  /* pages that come at one fault, at most */
#define POLICY_BESIDE 4  /* the part of a budget (a quarter) that comes beside the page that faulted, at most */
#define POLICY_VICTIMS 8 /* that are asked for at once, at most */

/* The note of a page, as the policy's own type. */
#define POLICY_NOTE(pool, index, type) ((type *)(void *)((pool)->notes + (size_t)(index) * sizeof(type)))

/* Whether the page was touched since this was asked last; at first, since it came. The touch that brought it in
 * counts where hardware sets the bit; in the replayer only with --enter set.
 * Asking costs a system call. */
bool policy_accessed(struct policy_pool *pool, uint32_t index);
/* Whether to evict it means to write it. */
bool policy_dirty(struct policy_pool *pool, uint32_t index);
/* Begins to write a dirty page to its store, and leaves it where it is, so that it can go at once later. true: it is
 * clean, or will be. false: not now, and never in mapped() and unmapped(). */
bool policy_write(struct policy_pool *pool, uint32_t index);
struct policy_page policy_page(const struct policy_pool *pool, uint32_t index);
/* The same numbers in each run: from the boot option seed=. */
uint64_t policy_random(struct policy_pool *pool);

/* ---- How much ------------------------------------------------------------------------------------------------------------ */
#define POLICY_OPTIONS 16
#define POLICY_PROCESS 128
#define POLICY_STATE 4096
#define POLICY_EACH 64

struct policy_need {
  uint64_t id; /* of the program */
  const void *options;
  void *process;     /* as in struct policy_area */
  uint64_t ticks;    /* of the time counter, since its last fault */
  uint32_t resident; /* its pages */
  uint32_t budget;   /* what it may have now: from POLICY_LEAST up, if there are so many */
  uint32_t most;     /* and at most, given what all others have */
  uint32_t (*used)(const struct policy_need *need); /* how many of its pages were touched since this was asked last */
};

enum policy_start { POLICY_SPAWN, POLICY_EXEC, POLICY_FORK };

/* A program wants to begin, or to become another, or two. */
struct policy_admission {
  const void *options;
  enum policy_start how;
  uint64_t asks;     /* id of the program that becomes another or two, or spawns; 0: the boot options name it */
  uint64_t programs; /* that there are, without servers, and at exec without the one that becomes another */
  uint64_t wanted; /* pages that these may have: their budgets, or what they have where they have none of their own */
  uint64_t budget; /* that it would begin with; 0: none */
  uint64_t frames; /* for programs: free, or theirs already */
};

/* ---- When there is none -------------------------------------------------------------------------------------------------- */
/* A program that may be squeezed or ended: no server, and none whose memory is promised. */
struct policy_candidate {
  uint64_t id;
  uint64_t resident;         /* its pages */
  uint64_t budget;           /* what it may have; 0: any number */
  uint64_t faults, refaults; /* so far; of these, for pages that had been evicted and written */
  bool evictable;            /* it can be squeezed: it has a budget, of its own or with others */
};

struct policy_shortage {
  const void *options;
  uint64_t asks; /* id of the program that wants a frame; it is one of these if it may be: */
  const struct policy_candidate *candidate;
  uint32_t count; /* up to POLICY_CANDIDATES, the largest */
};
#define POLICY_CANDIDATES 32

enum policy_relief {
  POLICY_NONE,    /* as without a policy: it evicts a page of its own, and ends if there is none */
  POLICY_SQUEEZE, /* so many pages of that program go, up to POLICY_SQUEEZED */
  POLICY_END      /* that program ends */
};
#define POLICY_SQUEEZED 64

struct policy_verdict {
  enum policy_relief relief;
  uint64_t id;
  uint32_t pages;
};

/* ---- Figures ------------------------------------------------------------------------------------------------------------- */
#define POLICY_FIGURES 4

struct policy_asked {
  const void *options;
  const struct policy_pool *pool; /* of a policy of replacement, else NULL */
  const void *process;            /* of the others: as in struct policy_area. NULL: the program has none yet */
};

/* All hooks may be NULL, and cost nothing then. One that has not returned after two seconds is left; nothing of its
 * policy is asked any more then, and another is in its place: demand for fetching, null for replacement, and none for
 * the rest. */
struct policy {
  const char *name, *usage; /* both are needed; usage: its words, with all that may be said */
  /* Takes what stands after the name and a comma into `options`, POLICY_OPTIONS bytes of zeros; it is called with ""
   * if nothing stands there. false: it is not understood. NULL: nothing may stand there. */
  bool (*option)(const char *text, void *options);
  /* A policy that declares more than may be is refused. */
  size_t process_bytes;          /* at most POLICY_PROCESS */
  size_t state_bytes;            /* of a pool: at most POLICY_STATE */
  size_t note_bytes, each_bytes; /* each_bytes: added to state_bytes for each index. Together at most POLICY_EACH */

  /* Fetching. A page of zeros is touched, or one that was evicted. On entry *range is that page, which comes whatever
   * the policy says. NULL: it alone. On several harts it is asked of several programs at once: it keeps nothing but
   * in area->process. */
  void (*fault)(const struct policy_area *area, uint64_t page, struct policy_range *range);
  /* Memory begins to be: an image at exec and spawn, what sbrk and mmap add. On entry *range is all of it. NULL:
   * nothing comes before it is touched. */
  void (*made)(const struct policy_area *area, struct policy_range *range);
  /* On entry *range is what the program speaks of, in this area. For POLICY_WILLNEED *range then is what comes at
   * once as far as it is not there: at most 512 pages. NULL: what was evicted of it comes back. */
  void (*advice)(const struct policy_area *area, enum policy_advice advice, struct policy_range *range);

  /* Replacement, which is what has victims(). */
  void (*begun)(struct policy_pool *pool); /* before any page: state is zeros */
  void (*mapped)(struct policy_pool *pool, uint32_t index, enum policy_reason reason);
  void (*unmapped)(struct policy_pool *pool, uint32_t index, enum policy_reason reason);
  /* Pages to evict, best first, each once: up to `most` of them. How many. Those that can't be (needed or on their
   * way just now, or the store is full) stay, which counts as wrong, too, and another page goes. */
  uint32_t (*victims)(struct policy_pool *pool, uint32_t *victim, uint32_t most);
  void (*tick)(struct policy_pool *pool);                 /* at each fault, before it is answered */
  void (*cold)(struct policy_pool *pool, uint32_t index); /* the program says that it will not use the page soon */
  /* A program's pages will be in the pool: a new one, one that has become another (which has ended, by the same id),
   * or a double of one that may be in another pool. They are no more in it. */
  void (*started)(struct policy_pool *pool, uint64_t process);
  void (*forked)(struct policy_pool *pool, uint64_t parent, uint64_t process);
  void (*ended)(struct policy_pool *pool, uint64_t process);

  /* Allocation: at a fault of the program, what it may have from now on; cut to what can be. */
  uint32_t (*budget)(struct policy_need *need);

  /* Admission: false: not now, nothing is made, and who asked hears EAGAIN. */
  bool (*admit)(const struct policy_admission *admission);

  /* Pressure: a page is wanted, no frame is to be had. *verdict is POLICY_NONE. Only the boot's policy is asked. */
  void (*pressure)(const struct policy_shortage *shortage, struct policy_verdict *verdict);

  /* Up to POLICY_FIGURES values for people, which are zeros on entry, and what each is called, in 15 characters. */
  void (*statistics)(const struct policy_asked *asked, uint64_t *figure);
  const char *figures[POLICY_FIGURES];
};

/* ---- Which --------------------------------------------------------------------------------------------------------------- */
struct policy_choice {
  const struct policy *policy;
  uint64_t options[POLICY_OPTIONS / 8];
};

/* One for each task. A word chooses for those that it has hooks for: "window,8+clock". */
struct policy_set {
  const char *words;
  struct policy_choice fetch; /* demand, where no word says anything */
  /* NULL policies: no page goes, no budget changes, all are admitted, and nobody is squeezed or ended for others. */
  struct policy_choice replace, allocate, admit, press;
  bool lost; /* one of these did not return from a hook, and is not asked any more */
};
extern const struct policy *const policies[]; /* all, then NULL */
/* What the words mean. false: they are not understood, or do not go together. *set keeps the pointer to them. */
bool policy_choose(const char *words, struct policy_set *set);
#define POLICY_WRONG 192
/* What is wrong then: with which word, and what to write instead. */
extern struct policy_wrong {
  bool unknown; /* it is no policy's name */
  char text[POLICY_WRONG];
} policy_wrong;
bool policy_option(const struct policy *policy, const char *text, void *options); /* asks it; its hook is there */
extern const struct policy policy_demand;

/* ---- For policies -------------------------------------------------------------------------------------------------------- */
/* The window of so many pages, a power of two, that holds the page. */
static inline struct policy_range policy_window_of(uint64_t page, uint64_t pages) {
  return (struct policy_range){page & ~(pages * 4096 - 1), pages};
}
/* Reads a number within bounds that is all of the text; `otherwise` if there is no text. false: it is none such. */
bool policy_number(const char *text, uint64_t least, uint64_t most, uint64_t otherwise, uint64_t *number);
/* The same of two with a comma between them: what is left out stays what it is. */
bool policy_numbers(const char *text, uint64_t least, uint64_t most, uint64_t number[2]);
#endif
