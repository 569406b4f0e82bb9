/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls as C functions; the contract of each is in quire/abi.h. All return 0 or a positive value, or a negated
 * Q_E_*. Everything is inlined, so that messages stay in registers. */
#ifndef QUIRE_SYS_H
#define QUIRE_SYS_H

#include <quire/abi.h>

#define Q_INLINE static inline __attribute__((always_inline))

struct q_args { /* a0-a6 in; a0-a3 out */
  uint64_t a0, a1, a2, a3, a4, a5, a6;
};

/* The kernel keeps ra, sp, gp, tp and s0-s11; all else is gone after a call. (reply_recv: not s1-s11.) */
Q_INLINE struct q_args q_syscall(uint64_t number, struct q_args in) {
  register uint64_t a0 __asm__("a0") = in.a0;
  register uint64_t a1 __asm__("a1") = in.a1;
  register uint64_t a2 __asm__("a2") = in.a2;
  register uint64_t a3 __asm__("a3") = in.a3;
  register uint64_t a4 __asm__("a4") = in.a4;
  register uint64_t a5 __asm__("a5") = in.a5;
  register uint64_t a6 __asm__("a6") = in.a6;
  register uint64_t a7 __asm__("a7") = number;
  __asm__ volatile("ecall"
                   : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6), "+r"(a7)
                   :
                   : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "memory");
  return (struct q_args){a0, a1, a2, a3, a4, a5, 0};
}

#define Q_SYSCALL(name, ...) ((int64_t)q_syscall(Q_SYS_##name, (struct q_args){__VA_ARGS__}).a0)
#define Q_OPERATION(call, op, handle, ...) Q_SYSCALL(call, handle, Q_##call##_##op, __VA_ARGS__)

Q_INLINE int64_t q_first_result(struct q_args out, uint64_t *result) {
  *result = out.a1;
  return (int64_t)out.a0;
}
#define Q_RESULT(call, op, result, handle, ...)                                                                      \
  q_first_result(q_syscall(Q_SYS_##call, (struct q_args){handle, Q_##call##_##op, __VA_ARGS__}), result)

Q_INLINE int64_t q_null(void) {
  return Q_SYSCALL(null, 0);
}

/* ---- Messages ---- */
struct q_call { /* in and out: label, word, handle */
  uint64_t label, word[4];
  q_handle handle;
  const void *read; /* what the server may read */
  uint64_t read_bytes;
  void *write; /* what it may write */
  uint64_t write_bytes;
};

Q_INLINE int64_t q_call(q_handle endpoint, struct q_call *c) {
  register uint64_t a0 __asm__("a0") = endpoint;
  register uint64_t a1 __asm__("a1") = c->label;
  register uint64_t a2 __asm__("a2") = c->word[0];
  register uint64_t a3 __asm__("a3") = c->word[1];
  register uint64_t a4 __asm__("a4") = c->word[2];
  register uint64_t a5 __asm__("a5") = c->word[3];
  register uint64_t a6 __asm__("a6") = 0;
  register uint64_t a7 __asm__("a7") = Q_SYS_call;
  register uint64_t t0 __asm__("t0") = c->handle;
  register uint64_t t1 __asm__("t1") = (uint64_t)c->read;
  register uint64_t t2 __asm__("t2") = c->read_bytes;
  register uint64_t t3 __asm__("t3") = (uint64_t)c->write;
  register uint64_t t4 __asm__("t4") = c->write_bytes;
  __asm__ volatile("ecall"
                   : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6), "+r"(a7), "+r"(t0),
                     "+r"(t1), "+r"(t2), "+r"(t3), "+r"(t4)
                   :
                   : "t5", "t6", "memory");
  c->label = a1;
  c->word[0] = a2, c->word[1] = a3, c->word[2] = a4, c->word[3] = a5;
  c->handle = t0;
  return (int64_t)a0;
}

struct q_reply {
  uint64_t label, word[4];
  q_token token; /* 0: nothing to reply to */
  q_handle handle;
};

struct q_received {
  int64_t kind; /* Q_MSG_*, or a negated error */
  uint64_t label, word[4];
  q_token token;
  uint64_t badge;
  q_handle handle;
  uint64_t read_bytes, write_bytes, error;
};

/* endpoint 0: only replies. */
Q_INLINE void q_reply_recv(q_handle endpoint, const struct q_reply *r, struct q_received *m) {
  register uint64_t a0 __asm__("a0") = endpoint;
  register uint64_t a1 __asm__("a1") = r->label;
  register uint64_t a2 __asm__("a2") = r->word[0];
  register uint64_t a3 __asm__("a3") = r->word[1];
  register uint64_t a4 __asm__("a4") = r->word[2];
  register uint64_t a5 __asm__("a5") = r->word[3];
  register uint64_t a6 __asm__("a6") = r->token;
  register uint64_t a7 __asm__("a7") = Q_SYS_reply_recv;
  register uint64_t t0 __asm__("t0") = r->handle;
  register uint64_t t1 __asm__("t1");
  register uint64_t t2 __asm__("t2");
  register uint64_t t3 __asm__("t3");
  __asm__ volatile("ecall"
                   : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6), "+r"(a7), "+r"(t0),
                     "=r"(t1), "=r"(t2), "=r"(t3)
                   :
                   : "t4", "t5", "t6", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "memory");
  *m = (struct q_received){(int64_t)a0, a1, {a2, a3, a4, a5}, a6, a7, t0, t1, t2, t3};
}

Q_INLINE void q_recv(q_handle endpoint, struct q_received *m) {
  q_reply_recv(endpoint, &(struct q_reply){0}, m);
}

Q_INLINE int64_t q_reply(const struct q_reply *r) {
  struct q_received m;
  q_reply_recv(0, r, &m);
  return m.kind;
}

Q_INLINE int64_t q_copy(q_token token, unsigned direction, uint64_t offset, const void *own, uint64_t bytes,
                        uint64_t *done) {
  struct q_args in = {token, direction, offset, (uint64_t)own, bytes, 0};
  return q_first_result(q_syscall(Q_SYS_copy, in), done);
}

struct q_copied {
  uint64_t done;
  q_token pending; /* with Q_E_PENDING: of whom a page is not there */
};

/* From the readable buffer of one caller to the writable buffer of another. */
Q_INLINE int64_t q_copy_between(q_token from, uint64_t offset, q_token to, uint64_t to_offset, uint64_t bytes,
                                struct q_copied *result) {
  struct q_args in = {from, Q_COPY_BETWEEN, offset, to, bytes, 0, to_offset}, out = q_syscall(Q_SYS_copy, in);
  *result = (struct q_copied){out.a1, out.a2};
  return (int64_t)out.a0;
}

Q_INLINE int64_t q_notify(q_handle endpoint, uint64_t bits) {
  return Q_SYSCALL(notify, endpoint, bits);
}

/* ---- Memory ---- */
Q_INLINE int64_t q_map(q_handle pager, q_handle task, uint64_t va, uint64_t frame_prot, uint64_t pages,
                       uint64_t expected) {
  return Q_SYSCALL(map, pager, task, va, frame_prot, pages, expected);
}

struct q_unmapped {
  uint64_t written, next, remain, removed;
};

Q_INLINE int64_t q_unmap(q_handle pager, q_handle task, uint64_t va, uint64_t pages, uint64_t *array,
                         uint64_t entries, struct q_unmapped *result) {
  struct q_args in = {pager, task, va, pages, (uint64_t)array, entries};
  struct q_args out = q_syscall(Q_SYS_unmap, in);
  *result = (struct q_unmapped){out.a1, out.a2, out.a3, out.a4};
  return (int64_t)out.a0;
}

/* One page. *entry: what the array would have said; 0: nothing was there. */
Q_INLINE int64_t q_unmap_page(q_handle pager, q_handle task, uint64_t va, uint64_t *entry) {
  return q_first_result(q_syscall(Q_SYS_unmap, (struct q_args){pager, task, va, 1, 0, 0}), entry);
}

Q_INLINE int64_t q_protect(q_handle pager, q_handle task, uint64_t va, uint64_t pages, uint64_t prot) {
  return Q_SYSCALL(protect, pager, task, va, pages, prot);
}

/* The pages of the first that are there become pages of the second, too, and both have the protection; with 0 what each has, but
 * the right to write. */
Q_INLINE int64_t q_share(q_handle pager, q_handle from, q_handle to, uint64_t va, uint64_t pages, uint64_t prot) {
  return Q_SYSCALL(protect, pager, from, va, pages, prot, to);
}

struct q_harvested {
  uint64_t accessed, dirty, present;
};

Q_INLINE int64_t q_harvest(q_handle pager, q_handle task, uint64_t va, uint64_t pages, uint64_t clear,
                           struct q_harvested *result) {
  struct q_args out = q_syscall(Q_SYS_harvest, (struct q_args){pager, task, va, pages, clear, 0});
  *result = (struct q_harvested){out.a1, out.a2, out.a3};
  return (int64_t)out.a0;
}

/* ---- Tasks and threads ---- */
Q_INLINE int64_t q_task_create(q_handle pager, uint64_t badge, uint64_t quota, q_handle *task) {
  return Q_RESULT(task, create, task, pager, badge, quota);
}
Q_INLINE int64_t q_task_stop(q_handle task) {
  return Q_OPERATION(task, stop, task, 0);
}
Q_INLINE int64_t q_task_give(q_handle task, q_handle handle, uint64_t rights, uint64_t badge, q_handle *there) {
  return Q_RESULT(task, give, there, task, handle, rights, badge);
}
Q_INLINE int64_t q_task_supervise(q_handle task, q_handle endpoint, uint64_t badge) {
  return Q_OPERATION(task, supervise, task, endpoint, badge);
}
Q_INLINE int64_t q_task_quota(q_handle pager, q_handle task, uint64_t pages) {
  return Q_OPERATION(task, quota, pager, task, pages);
}
Q_INLINE int64_t q_thread_create(q_handle task, uint64_t priority, q_handle *thread) {
  return Q_RESULT(thread, create, thread, task, priority);
}
/* One that starts at once, and that nobody has a handle to. */
Q_INLINE int64_t q_thread_begin(q_handle task, uint64_t priority, uint64_t pc, uint64_t sp, uint64_t argument) {
  return Q_OPERATION(thread, create, task, priority, pc, sp, argument);
}
Q_INLINE int64_t q_thread_start(q_handle thread, uint64_t pc, uint64_t sp, uint64_t argument) {
  return Q_OPERATION(thread, start, thread, pc, sp, argument);
}
Q_INLINE int64_t q_thread_stop(q_handle thread) {
  return Q_OPERATION(thread, stop, thread, 0);
}
/* One that was stopped, where it was. */
Q_INLINE int64_t q_thread_resume(q_handle thread) {
  return q_thread_start(thread, 0, 0, 0);
}
Q_INLINE int64_t q_thread_priority(q_handle thread, uint64_t priority) {
  return Q_OPERATION(thread, priority, thread, priority);
}

/* ---- Pager objects ---- */
Q_INLINE int64_t q_pager_create(q_handle parent, q_handle *pager, q_handle *endpoint) {
  struct q_args out = q_syscall(Q_SYS_pager, (struct q_args){parent, Q_pager_create, 0, 0, 0, 0});
  *pager = out.a1;
  *endpoint = out.a2;
  return (int64_t)out.a0;
}
Q_INLINE int64_t q_pager_window(q_handle pager, q_handle task) {
  return Q_OPERATION(pager, window, pager, task);
}
Q_INLINE int64_t q_pager_donate(q_handle pager, uint64_t block) {
  return Q_OPERATION(pager, donate, pager, block);
}
Q_INLINE int64_t q_pager_reclaim(q_handle pager, uint64_t *block) {
  return Q_RESULT(pager, reclaim, block, pager, 0);
}
Q_INLINE int64_t q_pager_grant(q_handle from, q_handle to, uint64_t block) {
  return Q_OPERATION(pager, grant, from, to, block);
}
struct q_pager_frames {
  uint64_t owned, donated, donated_free;
};
Q_INLINE int64_t q_pager_info(q_handle pager, struct q_pager_frames *result) {
  struct q_args out = q_syscall(Q_SYS_handle, (struct q_args){pager, Q_handle_info, 0, 0, 0, 0});
  *result = (struct q_pager_frames){out.a1, out.a2, out.a3};
  return (int64_t)out.a0;
}

/* ---- Handles and small objects ---- */
struct q_task_state {
  uint64_t threads, state, waits_for;
};
Q_INLINE int64_t q_task_info(q_handle task, struct q_task_state *result) {
  struct q_args out = q_syscall(Q_SYS_handle, (struct q_args){task, Q_handle_info, 0, 0, 0, 0});
  *result = (struct q_task_state){out.a1, out.a2, out.a3};
  return (int64_t)out.a0;
}
Q_INLINE int64_t q_handle_dup(q_handle handle, uint64_t rights, uint64_t badge, q_handle *copy) {
  return Q_RESULT(handle, dup, copy, handle, rights, badge);
}
Q_INLINE int64_t q_handle_close(q_handle handle) {
  return Q_OPERATION(handle, close, handle, 0);
}
Q_INLINE int64_t q_handle_destroy(q_handle handle) {
  return Q_OPERATION(handle, destroy, handle, 0);
}
Q_INLINE int64_t q_endpoint_create(q_handle *endpoint) {
  return Q_RESULT(object, endpoint, endpoint, 0, 0);
}
Q_INLINE int64_t q_irq_create(q_handle machine, uint64_t source, q_handle endpoint, uint64_t bits, q_handle *irq) {
  return Q_RESULT(object, irq, irq, machine, source, endpoint, bits);
}
Q_INLINE int64_t q_irq_ack(q_handle irq) {
  return Q_SYSCALL(notify, irq, 0);
}

/* ---- Time and the machine ---- */
Q_INLINE int64_t q_sleep_until(uint64_t ticks) {
  return Q_SYSCALL(sleep, ticks);
}
Q_INLINE int64_t q_yield(void) {
  return Q_SYSCALL(sleep, 0);
}
/* *remain: bytes not written; 0 but with Q_E_FULL. */
Q_INLINE int64_t q_machine_write_some(q_handle machine, const void *text, uint64_t bytes, uint64_t *remain) {
  return Q_RESULT(machine, write, remain, machine, (uint64_t)text, bytes);
}
Q_INLINE int64_t q_machine_write(q_handle machine, const void *text, uint64_t bytes) {
  return Q_OPERATION(machine, write, machine, (uint64_t)text, bytes);
}
Q_INLINE int64_t q_machine_log(q_handle machine, void *text, uint64_t bytes, uint64_t *got) {
  return Q_RESULT(machine, log, got, machine, (uint64_t)text, bytes);
}
Q_INLINE int64_t q_machine_off(q_handle machine, uint64_t status) {
  return Q_OPERATION(machine, off, machine, status);
}
Q_INLINE int64_t q_machine_info(q_handle machine, struct q_info *info) {
  return Q_OPERATION(machine, info, machine, (uint64_t)info);
}
Q_INLINE uint64_t q_instret(void) {
  uint64_t value;
  __asm__ volatile("rdinstret %0" : "=r"(value)::"memory");
  return value;
}
Q_INLINE uint64_t q_time(void) {
  uint64_t value;
  __asm__ volatile("rdtime %0" : "=r"(value)::"memory");
  return value;
}
#endif
