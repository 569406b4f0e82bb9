/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a flattened device tree (Devicetree Specification v0.4, chapter 5). First the whole structure is checked once;
 * after that every offset that the structure yields is known to be inside it. Makes no calls but to string functions. */
#include "devicetree.h"

#include <string.h>

#define MAGIC 0xd00dfeed
#define BEGIN_NODE 1
#define END_NODE 2
#define PROP 3
#define NOP 4
#define END 9
#define DEPTH 16

struct tree {
  const uint8_t *blob;
  uint32_t structure, end; /* offsets of the structure block */
  uint32_t strings, strings_end;
};

struct prop {
  const uint8_t *data;
  uint32_t bytes; /* 0 with data NULL: absent */
};

static uint32_t be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Up to two cells; more than that no address of ours needs. */
static uint64_t cells(const uint8_t *p, unsigned count) {
  uint64_t value = 0;
  for (unsigned i = 0; i < count; i++)
    value = value << 32 | be32(p + 4 * i);
  return value;
}

/* Length of the string at offset, or -1 if it does not end before `end`. */
static int64_t string_length(const uint8_t *blob, uint32_t offset, uint32_t end) {
  for (uint32_t at = offset; at < end; at++)
    if (!blob[at])
      return at - offset;
  return -1;
}

/* The token after the one at *at, which is skipped with what belongs to it. False: it does not fit. */
static bool skip(const struct tree *t, uint32_t *at) {
  uint32_t token = be32(t->blob + *at), next = *at + 4;
  if (token == BEGIN_NODE) {
    int64_t length = string_length(t->blob, next, t->end);
    if (length < 0)
      return false;
    next += ((uint32_t)length + 4) & ~3u;
  } else if (token == PROP) {
    if (t->end - next < 8)
      return false;
    uint32_t bytes = be32(t->blob + next);
    if (bytes > t->end - next - 8)
      return false;
    next += 8 + ((bytes + 3) & ~3u);
  }
  *at = next;
  return next <= t->end && t->end - next >= 4;
}

static const char *check_token(const struct tree *t, uint32_t at, unsigned *depth, bool *props) {
  switch (be32(t->blob + at)) {
  case BEGIN_NODE:
    *props = true;
    return ++*depth > DEPTH ? "device tree: nodes nest too deep" : NULL;
  case END_NODE:
    *props = false;
    return (*depth)-- ? NULL : "device tree: an END_NODE without its node";
  case PROP:
    if (!*props)
      return "device tree: a property outside a node or after its children";
    if (t->end - at < 12 || be32(t->blob + at + 8) >= t->strings_end - t->strings ||
        string_length(t->blob, t->strings + be32(t->blob + at + 8), t->strings_end) < 0)
      return "device tree: a property name outside the strings block";
    return NULL;
  case NOP:
    return NULL;
  default:
    return "device tree: an unknown token";
  }
}

static const char *check_structure(const struct tree *t) {
  unsigned depth = 0, roots = 0;
  bool props = false;
  uint32_t at = t->structure;
  while (be32(t->blob + at) != END) {
    const char *error = check_token(t, at, &depth, &props);
    if (error)
      return error;
    roots += depth == 1 && be32(t->blob + at) == BEGIN_NODE;
    if (!skip(t, &at))
      return "device tree: the structure block is cut short";
  }
  return depth || roots != 1 ? "device tree: not exactly one whole root node" : NULL;
}

uint32_t fdt_bytes(const void *blob) {
  const uint8_t *p = blob;
  return be32(p) == MAGIC ? be32(p + 4) : 0;
}

static bool block_inside(uint32_t offset, uint32_t bytes, uint32_t total) {
  return offset <= total && bytes <= total - offset;
}

static const char *open_tree(const uint8_t *blob, size_t available, struct tree *t) {
  if (available < 40 || be32(blob) != MAGIC)
    return "device tree: no magic number";
  uint32_t total = be32(blob + 4), structure = be32(blob + 8), strings = be32(blob + 12);
  uint32_t strings_bytes = be32(blob + 32), structure_bytes = be32(blob + 36);
  if (total > available || total < 40)
    return "device tree: its size is not that of the memory it lies in";
  if (be32(blob + 20) < 17 || be32(blob + 24) > 17)
    return "device tree: a version other than 17";
  if (structure % 4 || structure_bytes < 4 || !block_inside(structure, structure_bytes, total) ||
      !block_inside(strings, strings_bytes, total))
    return "device tree: a block outside the tree";
  *t = (struct tree){blob, structure, structure + structure_bytes, strings, strings + strings_bytes};
  return check_structure(t);
}

/* ---- Looking at one node, named by the offset of its BEGIN_NODE ------------------------------------------------------ */
static const char *node_name(const struct tree *t, uint32_t node) {
  return (const char *)t->blob + node + 4;
}

/* The property whose name is the first `length` characters of `name`. */
static struct prop find_n(const struct tree *t, uint32_t node, const char *name, size_t length) {
  uint32_t at = node;
  while (skip(t, &at)) {
    const uint8_t *p = t->blob + at;
    uint32_t token = be32(p);
    const char *own = token == PROP ? (const char *)t->blob + t->strings + be32(p + 8) : "";
    if (token == PROP && strlen(own) == length && !memcmp(own, name, length))
      return (struct prop){p + 12, be32(p + 4)};
    if (token != PROP && token != NOP)
      break;
  }
  return (struct prop){NULL, 0};
}

static struct prop find(const struct tree *t, uint32_t node, const char *name) {
  return find_n(t, node, name, strlen(name));
}

static uint32_t find_u32(const struct tree *t, uint32_t node, const char *name, uint32_t otherwise) {
  struct prop p = find(t, node, name);
  return p.bytes == 4 ? be32(p.data) : otherwise;
}

/* The property as a string that ends inside it; "" if it is none. */
static const char *as_string(struct prop p) {
  return p.bytes && !p.data[p.bytes - 1] ? (const char *)p.data : "";
}

static const char *find_string(const struct tree *t, uint32_t node, const char *name) {
  return as_string(find(t, node, name));
}

static bool compatible(const struct tree *t, uint32_t node, const char *with) {
  struct prop p = find(t, node, "compatible");
  for (uint32_t at = 0; at < p.bytes && !p.data[p.bytes - 1]; at += (uint32_t)strlen((const char *)p.data + at) + 1)
    if (!strcmp((const char *)p.data + at, with))
      return true;
  return false;
}

static bool enabled(const struct tree *t, uint32_t node) {
  const char *status = find_string(t, node, "status");
  return !*status || !strcmp(status, "okay") || !strcmp(status, "ok");
}

/* ---- Addresses: a node's path of parents is known while the tree is walked -------------------------------------------- */
struct path {
  uint32_t node[DEPTH];
  unsigned depth; /* node[depth] is the one looked at */
};

static bool cell_counts(const struct tree *t, uint32_t parent, unsigned *address, unsigned *size) {
  *address = find_u32(t, parent, "#address-cells", 2);
  *size = find_u32(t, parent, "#size-cells", 1);
  return *address - 1 < 2 && *size <= 2;
}

/* One step up through the `ranges` of a bus; without it what is below cannot be addressed. */
static bool translate(const struct tree *t, const struct path *path, unsigned bus, struct fdt_range *range) {
  struct prop ranges = find(t, path->node[bus], "ranges");
  unsigned child, size, parent, unused;
  if (!ranges.data || !cell_counts(t, path->node[bus], &child, &size) ||
      !cell_counts(t, path->node[bus - 1], &parent, &unused))
    return false;
  unsigned entry = 4 * (child + parent + size);
  for (uint32_t at = 0; at + entry <= ranges.bytes; at += entry) {
    uint64_t from = cells(ranges.data + at, child), to = cells(ranges.data + at + 4 * child, parent);
    uint64_t bytes = cells(ranges.data + at + 4 * (child + parent), size);
    if (range->base >= from && range->base - from < bytes && range->bytes <= bytes - (range->base - from)) {
      range->base = range->base - from + to;
      return true;
    }
  }
  return !ranges.bytes; /* empty: the same addresses */
}

static bool reg(const struct tree *t, const struct path *path, unsigned index, struct fdt_range *out) {
  unsigned address, size;
  struct prop p = find(t, path->node[path->depth], "reg");
  if (!path->depth || !cell_counts(t, path->node[path->depth - 1], &address, &size))
    return false;
  uint32_t entry = 4 * (address + size);
  if (p.bytes / entry <= index)
    return false;
  struct fdt_range r = {cells(p.data + index * entry, address), cells(p.data + index * entry + 4 * address, size)};
  for (unsigned bus = path->depth - 1; bus; bus--)
    if (!translate(t, path, bus, &r))
      return false;
  if (r.base + r.bytes < r.base)
    return false;
  *out = r;
  return true;
}

/* ---- What each kind of node tells ------------------------------------------------------------------------------------ */
/* Nothing may be left out silently: what firmware reserves would be handed out as free. */
static const char *read_ranges(const struct tree *t, const struct path *path, struct fdt_range *list, unsigned *count,
                               unsigned max) {
  struct fdt_range range;
  unsigned address, size, i = 0;
  for (; reg(t, path, i, &range); i++) {
    if (!range.bytes)
      continue;
    if (*count == max)
      return "device tree: more memory or reserved ranges than there is room for";
    list[(*count)++] = range;
  }
  uint32_t bytes = find(t, path->node[path->depth], "reg").bytes;
  if (bytes && (!cell_counts(t, path->node[path->depth - 1], &address, &size) || bytes != i * 4 * (address + size)))
    return "device tree: a memory or reserved range that has no address";
  return NULL;
}

static bool isa_has(const char *isa, const char *extension) {
  size_t length = strlen(extension);
  for (; *isa; isa++)
    if (*isa == '_' && !memcmp(isa + 1, extension, strnlen(isa + 1, length)) && strnlen(isa + 1, length) == length &&
        (isa[1 + length] == '_' || !isa[1 + length]))
      return true;
  return false;
}

static const char *read_hart(const struct tree *t, const struct path *path, struct machine *m) {
  uint32_t node = path->node[path->depth];
  struct prop id = find(t, node, "reg");
  if (!enabled(t, node) || (id.bytes != 4 && id.bytes != 8))
    return NULL;
  if (m->harts == DEVICETREE_HARTS)
    return "device tree: more harts than there is room for";
  m->sstc = m->sstc && isa_has(find_string(t, node, "riscv,isa"), "sstc");
  m->hart[m->harts++] = (struct fdt_hart){cells(id.data, id.bytes / 4), 0, -1};
  if (!m->timebase)
    m->timebase = find_u32(t, node, "timebase-frequency", 0);
  return NULL;
}

static void read_chosen(const struct tree *t, uint32_t node, struct machine *m) {
  struct prop start = find(t, node, "linux,initrd-start"), end = find(t, node, "linux,initrd-end");
  m->bootargs = find_string(t, node, "bootargs");
  if ((start.bytes == 4 || start.bytes == 8) && (end.bytes == 4 || end.bytes == 8)) {
    m->initrd = cells(start.data, start.bytes / 4);
    m->initrd_end = cells(end.data, end.bytes / 4);
  }
}

static const char *read_node(const struct tree *t, const struct path *path, struct machine *m) {
  uint32_t node = path->node[path->depth];
  const char *name = node_name(t, node), *type = find_string(t, node, "device_type");
  if (path->depth == 1 && !strcmp(type, "memory") && enabled(t, node))
    return read_ranges(t, path, m->memory, &m->memories, FDT_MEMORIES);
  if (path->depth == 1 && !strcmp(name, "chosen"))
    read_chosen(t, node, m);
  if (path->depth == 1 && !strcmp(name, "cpus"))
    m->timebase = find_u32(t, node, "timebase-frequency", m->timebase);
  if (path->depth == 2 && !strcmp(node_name(t, path->node[1]), "reserved-memory"))
    return read_ranges(t, path, m->reserved, &m->reserves, FDT_RESERVED);
  if (path->depth == 2 && !strcmp(type, "cpu"))
    return read_hart(t, path, m);
  if (path->depth == 3 && find(t, node, "interrupt-controller").data && m->harts &&
      find_string(t, path->node[2], "device_type")[0] == 'c')
    m->hart[m->harts - 1].phandle = find_u32(t, node, "phandle", 0);
  return NULL;
}

static void read_plic(const struct tree *t, const struct path *path, struct machine *m) {
  uint32_t node = path->node[path->depth];
  if (!compatible(t, node, "riscv,plic0") && !compatible(t, node, "sifive,plic-1.0.0"))
    return;
  struct prop contexts = find(t, node, "interrupts-extended");
  if (m->plic.bytes || !reg(t, path, 0, &m->plic)) {
    return;
  }
  m->plic_sources = find_u32(t, node, "riscv,ndev", 0);
  for (uint32_t i = 0; i < contexts.bytes / 8; i++)
    for (unsigned hart = 0; hart < m->harts; hart++)
      if (be32(contexts.data + 8 * i) == m->hart[hart].phandle && be32(contexts.data + 8 * i + 4) == 9)
        m->hart[hart].plic_context = (int32_t)i;
}

/* True if the node's path from the root is `wanted`, up to a ':' with options. */
static bool path_is(const struct tree *t, const struct path *path, const char *wanted) {
  for (unsigned i = 1; i <= path->depth; i++) {
    const char *name = node_name(t, path->node[i]);
    size_t length = strlen(name);
    if (*wanted++ != '/' || strnlen(wanted, length) != length || memcmp(wanted, name, length))
      return false;
    wanted += length;
  }
  return !*wanted || *wanted == ':';
}

static void read_uart(const struct tree *t, const struct path *path, const char *console, struct machine *m) {
  uint32_t node = path->node[path->depth];
  struct prop interrupts = find(t, node, "interrupts");
  if (!*console || !path_is(t, path, console) || !compatible(t, node, "ns16550a") || !reg(t, path, 0, &m->uart))
    return;
  m->uart_irq = interrupts.bytes >= 4 ? be32(interrupts.data) : 0;
}

/* ---- Walking --------------------------------------------------------------------------------------------------------- */
struct wanted {
  uint32_t chosen, aliases;
  const char *console;
};

/* The second pass: what refers to nodes that the first pass has found. */
static const char *second(const struct tree *t, const struct path *path, struct machine *m, struct wanted *w) {
  read_plic(t, path, m);
  read_uart(t, path, w->console, m);
  return NULL;
}

static const char *first(const struct tree *t, const struct path *path, struct machine *m, struct wanted *w) {
  const char *name = node_name(t, path->node[path->depth]);
  if (path->depth == 1 && !strcmp(name, "chosen"))
    w->chosen = path->node[1];
  if (path->depth == 1 && !strcmp(name, "aliases"))
    w->aliases = path->node[1];
  return read_node(t, path, m);
}

typedef const char *visitor(const struct tree *, const struct path *, struct machine *, struct wanted *);

static const char *walk(const struct tree *t, visitor *visit, struct machine *m, struct wanted *w) {
  struct path path = {.depth = 0};
  unsigned open = 0;
  const char *error = NULL;
  for (uint32_t at = t->structure; be32(t->blob + at) != END && !error; skip(t, &at)) {
    if (be32(t->blob + at) == END_NODE)
      open--;
    if (be32(t->blob + at) != BEGIN_NODE)
      continue;
    path.depth = open++;
    path.node[path.depth] = at;
    error = visit(t, &path, m, w);
  }
  return error;
}

static const char *read_reservations(const struct tree *t, uint32_t total, struct machine *m) {
  for (uint32_t at = be32(t->blob + 16); at % 8 == 0 && at <= total && total - at >= 16; at += 16) {
    struct fdt_range range = {cells(t->blob + at, 2), cells(t->blob + at + 8, 2)};
    if (!range.base && !range.bytes)
      return NULL;
    if (range.base + range.bytes < range.base)
      return "device tree: a reservation past the end of 64 bits";
    if (m->reserves == FDT_RESERVED)
      return "device tree: more memory or reserved ranges than there is room for";
    m->reserved[m->reserves++] = range;
  }
  return "device tree: the memory reservation block does not end";
}

static const char *check_machine(const struct machine *m) {
  if (!m->memories)
    return "device tree: no memory";
  if (!m->harts)
    return "device tree: no usable hart";
  if (!m->timebase)
    return "device tree: no timebase-frequency";
  return m->initrd > m->initrd_end ? "device tree: the initrd ends before it starts" : NULL;
}

const char *fdt_read(const void *blob, size_t available, struct machine *m) {
  struct tree t;
  struct wanted w = {0, 0, ""};
  *m = (struct machine){.sstc = true, .bootargs = ""};
  const char *error = open_tree(blob, available, &t);
  if (!error)
    error = read_reservations(&t, be32(t.blob + 4), m);
  if (!error)
    error = walk(&t, first, m, &w);
  if (error)
    return error;
  if (w.chosen)
    w.console = find_string(&t, w.chosen, "stdout-path");
  if (*w.console && *w.console != '/') /* an alias, perhaps with options behind it */
    w.console = w.aliases ? as_string(find_n(&t, w.aliases, w.console, strcspn(w.console, ":"))) : "";
  error = walk(&t, second, m, &w);
  return error ? error : check_machine(m);
}
