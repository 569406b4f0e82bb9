/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a flattened device tree (Devicetree Specification v0.4, chapter 5) through one cursor that cannot leave the block
 * it was given, so that nothing has to be checked beforehand. Makes no calls but to string functions. */
#include "devicetree.h"

#include <string.h>

#define MAGIC 0xd00dfeed
#define HEADER_BYTES 40
#define VERSION 17
#define DEPTH 16
#define PAGE_BYTES 4096
#define SUPERVISOR_EXTERNAL 9
enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, END = 9 };

struct span { /* bytes that are still to be read; NULL for a property that is not there */
  const uint8_t *at, *end;
};

struct token {
  uint64_t kind;
  const char *name;
  struct span data; /* of a property */
};

struct node {
  const struct tree *tree;
  const struct node *parent; /* NULL for the root */
  unsigned depth;
  const char *name;
  struct span inside;  /* the structure block from its first property on */
  const char *console; /* what remains of the console's path below this node; NULL if it is not on that path */
  uint64_t address_cells, size_cells;
};

struct tree {
  struct span structure, strings, reservations;
  struct span contexts; /* of the PLIC: they name harts that may stand behind it in the tree */
  struct node aliases;
  const char *console; /* path or alias, perhaps with options behind a ':' */
  const char *error;   /* what is wrong with the tree; NULL so far nothing */
};

/* ---- The cursor ------------------------------------------------------------------------------------------------------ */
static uint32_t be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool take(struct span *from, uint64_t bytes, struct span *out) {
  if (bytes > (uint64_t)(from->end - from->at))
    return false;
  *out = (struct span){from->at, from->at + bytes};
  from->at = out->end;
  return true;
}

/* One or two cells: more than that no address of ours needs, and a number of none is not worth a special case. */
static bool take_cells(struct span *from, uint64_t count, uint64_t *value) {
  struct span cells;
  if (count - 1 > 1 || !take(from, 4 * count, &cells))
    return false;
  *value = count == 1 ? be32(cells.at) : (uint64_t)be32(cells.at) << 32 | be32(cells.at + 4);
  return true;
}

/* NULL if it does not end inside. */
static const char *take_string(struct span *from) {
  struct span text;
  const uint8_t *end = from->at;
  while (end < from->end && *end)
    end++;
  return take(from, (uint64_t)(end - from->at) + 1, &text) ? (const char *)text.at : NULL;
}

static bool take_token(const struct tree *tree, struct span *from, struct token *out) {
  uint64_t header;
  struct span skipped, strings = tree->strings;
  do
    if (!take_cells(from, 1, &out->kind))
      return false;
  while (out->kind == NOP);
  if (out->kind == BEGIN_NODE && !(out->name = take_string(from)))
    return false;
  if (out->kind == PROP && (!take_cells(from, 2, &header) || !take(from, header >> 32, &out->data) ||
                            !take(&strings, (uint32_t)header, &skipped) || !(out->name = take_string(&strings))))
    return false;
  return take(from, (uint64_t)(tree->structure.at - from->at) & 3, &skipped);
}

/* ---- Looking at one node --------------------------------------------------------------------------------------------- */
static const char *after(const char *text, const char *prefix) {
  size_t length = strlen(prefix);
  return strncmp(text, prefix, length) ? NULL : text + length;
}

/* True if a word ends where this begins. */
static bool ends(const char *rest, char separator) {
  return rest && (!*rest || *rest == separator);
}

/* The name may go on with a ':' and what is no part of it. */
static struct span find(const struct node *node, const char *name) {
  struct span from = node->inside;
  struct token token;
  while (take_token(node->tree, &from, &token) && token.kind == PROP)
    if (ends(after(name, token.name), ':'))
      return token.data;
  return (struct span){NULL, NULL};
}

static uint64_t number(const struct node *node, const char *name, uint64_t otherwise) {
  struct span p = find(node, name);
  uint64_t value;
  return take_cells(&p, (uint64_t)(p.end - p.at) / 4, &value) && p.at == p.end ? value : otherwise;
}

static const char *string(const struct node *node, const char *name) {
  struct span p = find(node, name);
  const char *text = take_string(&p);
  return text ? text : "";
}

static bool lists(struct span list, const char *value) {
  for (const char *text; (text = take_string(&list));)
    if (!strcmp(text, value))
      return true;
  return false;
}

/* True if the value is one of the property's strings. */
static bool has(const struct node *node, const char *name, const char *value) {
  return lists(find(node, name), value);
}

static bool enabled(const struct node *node) {
  return !find(node, "status").at || has(node, "status", "okay") || has(node, "status", "ok");
}

/* One step up through the `ranges` of a bus; without it what is below cannot be addressed. */
static bool translate(const struct node *bus, struct fdt_range *range) {
  struct span ranges = find(bus, "ranges");
  bool same = ranges.at && ranges.at == ranges.end; /* empty: the same addresses */
  uint64_t from, to, bytes;
  while (take_cells(&ranges, bus->address_cells, &from) && take_cells(&ranges, bus->parent->address_cells, &to) &&
         take_cells(&ranges, bus->size_cells, &bytes))
    if (range->base >= from && range->base - from < bytes && range->bytes <= bytes - (range->base - from)) {
      range->base += to - from;
      return true;
    }
  return same;
}

static bool reg(const struct node *node, unsigned index, struct fdt_range *out) {
  struct span p = find(node, "reg");
  const struct node *bus = node->parent;
  struct fdt_range range;
  do
    if (!take_cells(&p, bus->address_cells, &range.base) || !take_cells(&p, bus->size_cells, &range.bytes))
      return false;
  while (index--);
  for (; bus->parent; bus = bus->parent)
    if (!translate(bus, &range))
      return false;
  if (range.base + range.bytes < range.base)
    return false;
  *out = range;
  return true;
}

/* ---- What each kind of node tells ------------------------------------------------------------------------------------ */
/* Nothing may be left out silently: what firmware reserves would be handed out as free. */
static void add(struct tree *tree, struct fdt_range range, struct fdt_range *list, unsigned *count, unsigned max) {
  if (range.base + range.bytes < range.base)
    tree->error = "device tree: a range past the end of 64 bits";
  else if (range.bytes && *count == max)
    tree->error = "device tree: more memory or reserved ranges than there is room for";
  else if (range.bytes)
    list[(*count)++] = range;
}

static void add_all(struct tree *tree, const struct node *node, struct fdt_range *list, unsigned *count,
                    unsigned max) {
  struct span all = find(node, "reg");
  struct fdt_range range;
  uint64_t i = 0, entry = 4 * (node->parent->address_cells + node->parent->size_cells);
  for (; reg(node, (unsigned)i, &range); i++)
    add(tree, range, list, count, max);
  if ((uint64_t)(all.end - all.at) != i * entry)
    tree->error = "device tree: a memory or reserved range that has no address";
}

/* By either property that may say so; `name` with the '_' that stands before it in the older one. */
static bool has_extension(const struct node *node, const char *name) {
  const char *isa = string(node, "riscv,isa");
  while (*isa && !ends(after(isa, name), '_'))
    isa++;
  return *isa || has(node, "riscv,isa-extensions", name + 1);
}

/* A size that does not divide a page is of no use. */
static uint64_t zero_block(const struct node *node) {
  uint64_t bytes = has_extension(node, "_zicboz") ? number(node, "riscv,cboz-block-size", 0) : 0;
  return bytes <= PAGE_BYTES && !(bytes & (bytes - 1)) ? bytes : 0;
}

static bool is_hart(const struct node *node) {
  return node->depth == 2 && !strcmp(node->parent->name, "cpus") && has(node, "device_type", "cpu") &&
         enabled(node) && find(node, "reg").at;
}

static void read_hart(const struct node *node, struct machine *m) {
  uint64_t block = zero_block(node);
  m->zero_block = !m->harts || m->zero_block == block ? block : 0;
  m->hart[m->harts++] = (struct fdt_hart){number(node, "reg", 0), 0, -1};
  m->sstc = m->sstc && has_extension(node, "_sstc");
  m->timebase = (uint32_t)number(node, "timebase-frequency", m->timebase);
}

static void read_chosen(struct tree *tree, const struct node *node, struct machine *m) {
  tree->console = string(node, "stdout-path");
  m->bootargs = string(node, "bootargs");
  m->initrd = number(node, "linux,initrd-start", 0);
  m->initrd_end = number(node, "linux,initrd-end", 0);
}

static uint32_t interrupt(const struct node *node) {
  struct span interrupts = find(node, "interrupts");
  uint64_t source = 0;
  take_cells(&interrupts, 1, &source);
  return (uint32_t)source;
}

static void read_virtio(const struct node *node, struct machine *m) {
  struct fdt_device *device = &m->virtio[m->virtios];
  if (m->virtios == FDT_VIRTIO || !enabled(node) || !reg(node, 0, &device->registers))
    return;
  device->irq = interrupt(node);
  m->virtios++;
}

static void read_device(struct tree *tree, const struct node *node, struct machine *m) {
  struct span compatible = find(node, "compatible");
  bool plic = lists(compatible, "riscv,plic0") || lists(compatible, "sifive,plic-1.0.0");
  if (plic && !m->plic.bytes && reg(node, 0, &m->plic)) {
    m->plic_sources = (uint32_t)number(node, "riscv,ndev", 0);
    tree->contexts = find(node, "interrupts-extended");
  }
  if (ends(node->console, ':') && lists(compatible, "ns16550a") && reg(node, 0, &m->uart))
    m->uart_irq = interrupt(node);
  if (lists(compatible, "virtio,mmio"))
    read_virtio(node, m);
}

static void read_node(struct tree *tree, const struct node *node, struct machine *m) {
  bool top = node->depth == 1;
  if (top && !strcmp(node->name, "chosen"))
    read_chosen(tree, node, m);
  else if (top && !strcmp(node->name, "aliases"))
    tree->aliases = *node;
  else if (top && !strcmp(node->name, "cpus"))
    m->timebase = (uint32_t)number(node, "timebase-frequency", m->timebase);
  else if (top && has(node, "device_type", "memory") && enabled(node))
    add_all(tree, node, m->memory, &m->memories, FDT_MEMORIES);
  else if (node->depth == 2 && !strcmp(node->parent->name, "reserved-memory"))
    add_all(tree, node, m->reserved, &m->reserves, FDT_RESERVED);
  else if (is_hart(node) && m->harts == DEVICETREE_HARTS)
    tree->error = "device tree: more harts than there is room for";
  else if (is_hart(node))
    read_hart(node, m);
  else if (is_hart(node->parent) && find(node, "interrupt-controller").at)
    m->hart[m->harts - 1].phandle = (uint32_t)number(node, "phandle", 0);
  else
    read_device(tree, node, m);
}

/* ---- Walking --------------------------------------------------------------------------------------------------------- */
static const char *below(const char *path, const char *name) {
  return path && *path == '/' ? after(path + 1, name) : NULL;
}

static void enter(struct tree *tree, struct node *node, unsigned depth, const char *name, struct span inside) {
  const struct node *parent = depth ? node - 1 : NULL;
  *node =
      (struct node){tree, parent, depth, name, inside, parent ? below(parent->console, name) : tree->console, 0, 0};
  node->address_cells = number(node, "#address-cells", 2);
  node->size_cells = number(node, "#size-cells", 1);
}

static const char *walk(struct tree *tree, struct machine *m) {
  struct node node[DEPTH];
  struct span at = tree->structure;
  struct token token;
  unsigned depth = 0;
  uint64_t before = END_NODE;
  do {
    if (!take_token(tree, &at, &token))
      return "device tree: the structure block is cut short, or a name in it";
    if (token.kind == BEGIN_NODE && depth == DEPTH)
      return "device tree: nodes nest too deep";
    if (token.kind == BEGIN_NODE) {
      enter(tree, &node[depth], depth, token.name, at);
      if (depth++)
        read_node(tree, &node[depth - 1], m);
    } else if (token.kind == END_NODE && depth) {
      depth--;
    } else if (token.kind != PROP || before == END_NODE) {
      return "device tree: a token where it cannot be";
    }
    before = token.kind;
  } while (depth);
  return take_token(tree, &at, &token) && token.kind == END ? tree->error : "device tree: not exactly one root node";
}

static const char *read_reservations(struct tree *tree, struct machine *m) {
  struct span block = tree->reservations;
  struct fdt_range range;
  while (take_cells(&block, 2, &range.base) && take_cells(&block, 2, &range.bytes)) {
    if (!range.base && !range.bytes)
      return NULL;
    add(tree, range, m->reserved, &m->reserves, FDT_RESERVED);
  }
  return "device tree: the memory reservation block does not end";
}

/* The place of an entry is the number of its context (specification of the PLIC's binding in Linux). */
static void read_contexts(struct span contexts, struct machine *m) {
  uint64_t entry;
  for (int32_t context = 0; take_cells(&contexts, 2, &entry); context++)
    for (struct fdt_hart *hart = m->hart; hart < m->hart + m->harts; hart++)
      if (entry == ((uint64_t)hart->phandle << 32 | SUPERVISOR_EXTERNAL))
        hart->plic_context = context;
}

static const char *check_machine(const struct machine *m) {
  return !m->memories                ? "device tree: no memory"
         : !m->harts                 ? "device tree: no usable hart"
         : !m->timebase              ? "device tree: no timebase-frequency"
         : m->initrd > m->initrd_end ? "device tree: the initrd ends before it starts"
                                     : NULL;
}

static bool block(struct span tree, uint32_t offset, uint32_t bytes, struct span *out) {
  struct span skipped;
  return take(&tree, offset, &skipped) && take(&tree, bytes, out);
}

static const char *open_tree(const uint8_t *blob, size_t available, struct tree *tree) {
  if (available < HEADER_BYTES || be32(blob) != MAGIC)
    return "device tree: no magic number";
  uint32_t total = be32(blob + 4), reservations = be32(blob + 16);
  struct span whole = {blob, blob + total};
  if (total > available || total < HEADER_BYTES)
    return "device tree: its size is not that of the memory it lies in";
  if (be32(blob + 20) < VERSION || be32(blob + 24) > VERSION)
    return "device tree: a version other than 17";
  if (!block(whole, be32(blob + 8), be32(blob + 36), &tree->structure) ||
      !block(whole, be32(blob + 12), be32(blob + 32), &tree->strings) ||
      !block(whole, reservations, total - reservations, &tree->reservations))
    return "device tree: a block outside the tree";
  return NULL;
}

const char *fdt_read(const void *blob, size_t available, struct machine *m) {
  struct tree tree = {.aliases.tree = &tree, .console = ""};
  const char *error = open_tree(blob, available, &tree);
  for (unsigned pass = 0; pass < 2 && !error; pass++) { /* the second knows which node is the console */
    *m = (struct machine){.bytes = be32((const uint8_t *)blob + 4), .sstc = true, .bootargs = ""};
    error = read_reservations(&tree, m);
    if (!error)
      error = walk(&tree, m);
    if (*tree.console != '/')
      tree.console = string(&tree.aliases, tree.console);
  }
  read_contexts(tree.contexts, m);
  return error ? error : check_machine(m);
}
