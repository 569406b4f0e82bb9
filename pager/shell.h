/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's thin shell: messages in, system calls out. All decisions are the core's (space.h). */
#ifndef SHELL_H
#define SHELL_H

#include <quire/sys.h>

#include "space.h"

#define DEFER (-1) /* a handler's result: no answer now; the message comes again */
#define HEARD (-2) /* no answer at all */

extern const struct q_boot *boot;
extern struct policy_set policy; /* of programs; of servers: */
extern const struct policy_set policy_none;
extern bool strict; /* all programs are */

/* main.c */
_Noreturn void give_up(const char *why); /* says so; the machine is off then */
#define MISSING_SERVER "a server is missing"

/* options.c */
void options_read(void);
bool options_run(void); /* starts the programs that they name. false: none runs */

/* requests.c: an errno value for the label of the reply, whose words it fills; or DEFER or HEARD. */
int request(struct space *caller, struct q_received *m, struct q_reply *r);
/* The handlers, which return the same. */
#define X(n, name) int do_##name(struct space *caller, struct q_received *m, struct q_reply *r);
P_REQUESTS(X)
#undef X
/* 0, DEFER, or an errno value. */
int transfer(struct q_received *m, unsigned direction, uint64_t offset, const void *own, uint64_t bytes);
/* The same, and how much of it is done if it is DEFER. */
int transfer_some(struct q_received *m, unsigned direction, uint64_t offset, const void *own, uint64_t bytes,
                  uint64_t *done);
/* The caller itself (0), or a child of it, if it may have that done. 0 or an errno value. */
int request_target(struct space *caller, uint64_t id, struct space **space);
q_handle gift_take(struct space *caller, q_token token); /* what came with the call when it came first; 0: nothing */
void gift_drop(struct space *caller);
/* strings.c: reads the caller's readable buffer: as transfer(), or ENOMEM; with DEFER what has been read so far is kept, until */
int strings_read(struct space *caller, struct q_received *m, char *text, uint64_t bytes);
void strings_drop(struct space *caller, q_token token); /* whoever asked is gone */
void strings_drop_all(struct space *caller);

/* process.c */
struct spawn {
  struct space *parent; /* NULL: the boot options */
  const char *text;     /* strings: name, arguments, environment */
  uint64_t bytes, environment;
  unsigned flags; /* P_SPAWN_* */
  q_handle gift;
  uint64_t badge;        /* instead of that: of a handle to the endpoint of its parent, which is a server; 0: none */
  struct object *object; /* that is the program; NULL: one of the boot image */
  struct server *server; /* NULL: an ordinary program */
};
int64_t process_spawn(const struct spawn *spawn);                                                  /* id or -errno */
int64_t process_fork(struct space *original, const struct spawn *spawn, uint64_t pc, uint64_t sp); /* the same */
int process_exec(struct space *space, const struct spawn *spawn); /* 0 or an errno value */
extern struct p_death ended;                                      /* faults, ahead and untouched of all that ended */
const char *spawn_error(int64_t error);                           /* of a program of the boot options */
void process_end(struct space *space,
                 const struct p_death *death); /* prints what is worth printing, tells its parent */
void fault_refused(struct space *space, const struct q_received *m, unsigned reason);
void exception(struct space *space, const struct q_received *m);
bool donate(void); /* a block for the kernel's objects */
/* Whatever wants kernel memory is tried again after each donation. */
#define WITH_MEMORY(call)                                                                                            \
  ({                                                                                                                 \
    int64_t result_;                                                                                                 \
    do                                                                                                               \
      result_ = (call);                                                                                              \
    while (result_ == -Q_E_NOMEM && donate());                                                                       \
    result_;                                                                                                         \
  })
void process_kill(struct space *space);
int64_t give(struct space *space, q_handle handle, uint64_t rights, uint64_t badge);

/* What the pager needs only now and then, in the block of its image: memory comes when it is wanted first, and stays. */
#define PLACE_SPACES 0x40100000 /* the table of spaces */
#define PLACE_STRINGS (PLACE_SPACES + P_PROCESSES * 8)
#define PLACE_RING (PLACE_STRINGS + 0x10000)
#define PLACE_DEVICE (PLACE_RING + 0x10000) /* a device's registers, for a moment */
#define PLACES_END (PLACE_DEVICE + Q_PAGE_SIZE)
_Static_assert(PLACE_SPACES / Q_BLOCK_SIZE == (PLACES_END - 1) / Q_BLOCK_SIZE, "one page table, which is there");
bool place_back(uint64_t place, uint64_t *there, uint64_t bytes); /* so many are there then. false: no memory */

/* threads.c */
void threads_forget(struct space *space); /* but the first: their task has ended, or will at once */

/* harts.c */
uint64_t harts_memory(void);      /* bytes that harts_start() needs */
bool harts_start(char *memory);   /* false: no kernel memory for all the threads */
void harts_first(uint64_t stack); /* of the thread that is there already */
q_handle thread_of(uint64_t number);
uint64_t stack_of(uint64_t number); /* with which it began */
_Noreturn void pager_serve(uint64_t number);
extern uint64_t contended; /* how often a thread had to wait for a lock */
void lock_wait(uint32_t *word);
#ifdef CHECK_INVARIANTS
void order_taking(const uint32_t *word); /* as harts.c says they may be */
void order_releasing(const uint32_t *word);
#else
#define order_taking(word) ((void)0)
#define order_releasing(word) ((void)0)
#endif
static inline void take(uint32_t *word) {
  order_taking(word);
  if (__builtin_expect(__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE), 0))
    lock_wait(word);
}
static inline void release(uint32_t *word) {
  order_releasing(word);
  __atomic_store_n(word, 0, __ATOMIC_RELEASE);
}
void take_all(struct stock *own); /* which is taken */
void release_all(void);
void doubt_received(
    void); /* what other threads have received and not looked at yet may be of threads that are no more */
/* A plain answer has come to nothing. Whether what it was counted as is gone already. */
bool sent_gone(q_token token, int64_t error);
void sent_forget(const struct space *space); /* its memory goes as a whole, and nobody waits for an answer any more */
/* Nobody waits for the answer to that fault. A program may end its threads without asking, and then give back what one of them was
 * just touching. */
bool fault_gone(const struct q_received *m);
bool nobody_waits(struct stock *own, const struct q_received *m); /* it is so */
/* Before a request changes what plain answers rely on: of those to faults of that space none is on its way any more. false: the
 * caller is gone. A program may end a thread of its own whose request another thread of the pager has received; and then it has one
 * thread, which gets plain answers beside that request. */
bool settle(struct space *space, const struct q_received *m);

/* watch.c: hooks that do not return */
bool watch_start(void);                      /* false: no kernel memory */
void watch_begin(void);                      /* before any policy is asked of anything: else nobody need watch */
_Noreturn void pager_again(uint64_t number); /* main.c: where a thread begins whose plain fault's hook was left */

/* pressure.c */
const char *pressure_options(uint64_t ram_bytes); /* of the boot; what is wrong with them, or NULL */
const char *pressure_lacks(void);                 /* likewise, what policy= or budget= needs besides */
uint64_t pressure_memory(uint64_t ram_bytes);     /* bytes that pressure_begin() needs; 0: none are asked for */
void pressure_begin(char *memory, uint64_t ram_bytes);
/* The message is answered anew when something has come from the store or got there. false: no memory. */
bool hold(const struct q_received *m);
extern unsigned held_count;
bool unhold(struct q_received *m); /* the one that has waited longest; false: none waits */

void answer_held(void);                      /* main.c: all of them once more */
bool clock_start(void);                      /* false: no kernel memory for its thread */
void clock_call(const struct q_received *m); /* of the store's clock, whose badge is 0, and its label 1 */
extern q_token clock_parked;                 /* the call that is not answered yet */
void clock_go_on(void);
static inline void clock_look(void) { /* after messages that may have sent something to the store */
  if (clock_parked)
    clock_go_on();
}

/* idle.c: frames zeroed beforehand */
bool idle_option(const char *text); /* "LOW,HIGH", or "0"; false: it is neither */
bool idle_start(void);
void idle_call(const struct q_received *m, struct q_reply *r); /* of the idle thread, whose badge is 0 */
extern q_token idle_parked;                                    /* the call that is not answered yet */
void idle_go_on(void);
extern uint64_t idle_low;
/* After messages that may have made ready frames scarce, or frames free. */
static inline void idle_look(void) {
  if (idle_parked && frames.zeroed < idle_low && frames.unzeroed)
    idle_go_on();
}

bool descends(const struct space *space, const struct space *from); /* requests.c */
bool is_own_file(uint64_t frame);                                   /* it was the pager's in the boot image */

/* server.c: the programs that serve= names */
bool server_add(const char *words);
unsigned servers_count(void);
bool servers_start(void);                                           /* all of them; else it has said why not */
int64_t server_handles(struct space *space, struct server *server); /* those of P_HANDLE_OWN and on */
q_handle server_endpoint(const struct server *server);
void server_ended(struct server *server, const struct p_death *death);
void close_down(uint64_t status); /* the machine is off once the first server has exited; at once if there is none */
int server_initrd(struct space *space, uint64_t *words);
int server_device(struct space *space, uint64_t which, uint64_t *words);
int server_area(struct space *space, uint64_t pages, uint64_t below, uint64_t *words);
/* The driver of store=disk, a server below the pager itself. */
void disk_notified(void); /* the driver has */

/* trace.c */
bool trace_control(unsigned operation, uint64_t owner, uint64_t id); /* false: no memory */
void trace_fault(const struct space *space, const struct q_received *m, const struct answer *answer);
unsigned trace_count(uint64_t *lost);   /* that wait; adds to *lost those that did not fit */
const struct p_trace *trace_next(void); /* the oldest of them; and it need not be kept: */
void trace_consumed(void);
/* The fault is not answered yet: it waits for the store. Only where faults are watched. */
void trace_waits(const struct space *space, const struct q_received *m);
extern bool traced;                          /* else these two have nothing to do: */
void trace_begun(const struct space *space); /* a new program is about to run */
void trace_ended(const struct space *space); /* it records no more; its death is known */

__attribute__((format(printf, 1, 2))) void say(const char *format, ...); /* one line to the console */
#endif
