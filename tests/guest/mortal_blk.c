/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of a disk, which dies when its first answers are out and others are not, all instances but the fifth. liar_blk
 * does not die then, but says that it has done what nobody asked for; of doomed_blk all later instances die as they begin. */
#include <quire/blk.h>
#include <quire/proc.h>

#include <stddef.h>

#define LIVES 5
enum { DIES, LIES, DOOMED };
#define AREA_PAGES 3 /* the driver's own */

int blk_main(void);
static volatile struct blk_ring *ring;
static uint32_t life; /* of the instance before this one */

static _Noreturn void die(void) {
  for (;;)
    __asm__ volatile("ebreak");
}

static void die_later(void *argument) {
  (void)argument;
  while (ring->life == life || !ring->completions_end || ring->completions_end == ring->requests_end)
    q_sleep_until(q_time() + 1);
  if (FAULT == LIES) {
    ring->completions_end += 2 * BLK_ENTRIES;
    q_notify(P_HANDLE_ABOVE, P_BIT_BELOW);
  }
  die();
}

int main(void) {
  static struct p_thread thread;
  struct q_call c = {.label = P_area, .word = {AREA_PAGES}};
  if (q_call(P_HANDLE_PAGER, &c) < 0 || c.label)
    return 2;
  ring = (struct blk_ring *)c.word[0];
  life = ring->life;
  if (FAULT == DOOMED && life)
    die();
  if (life < LIVES - 1 && p_thread_start(&thread, die_later, NULL, Q_PRIORITY_SERVER))
    return 1;
  return blk_main();
}
