/** Whether an optimal assignment could be exchanged for another of the same total. */
import type { Optimum } from './hungarian.ts';

/**
 * True if some pair of positive weight lies on an alternating cycle of pairs without reduced cost, so that exchanging along
 * the cycle gives another optimum. Every optimum has only such pairs, whatever the dual prices, so no cycle means no
 * other optimum. Strongly connected components by Tarjan (SIAM J. Comput. 1, 1972), without recursion.
 *
 * Nodes are rows; an edge leads to the owner of a column one could take instead. One more node stands for all rows that
 * are missing to a square: it owns the free columns and may take any column whose price is 0.
 */
export function hasAlternatingCycle(optimum: Optimum): boolean {
  const { weights, rows, columns, columnOf } = optimum;
  const component = componentsOf(optimum);
  const size = new Int32Array(rows + 1);
  for (const id of component) size[id]!++;
  for (let row = 0; row < rows; row++) {
    if (weights[row * columns + columnOf[row]!]! > 0 && size[component[row]!]! > 1) return true;
  }
  return false;
}

/** Next node after `position` that `node` has an edge to, and the position to go on from; −1 where there is none. */
function nextEdge(optimum: Optimum, node: number, position: number): { to: number; position: number } {
  const { weights, rows, columns, columnOf, rowOf, rowPrice, columnPrice } = optimum;
  for (let at = position; at < (node < rows ? columns : rows); at++) {
    if (node === rows) {
      if (columnPrice[columnOf[at]!] === 0) return { to: at, position: at + 1 };
    } else if (columnOf[node] !== at && -weights[node * columns + at]! - rowPrice[node]! - columnPrice[at]! === 0) {
      return { to: rowOf[at] === -1 ? rows : rowOf[at]!, position: at + 1 };
    }
  }
  return { to: -1, position };
}

/** Component of each row and of the node for missing rows. [rows + 1] */
function componentsOf(optimum: Optimum): Int32Array {
  const nodes = optimum.rows + 1;
  const component = new Int32Array(nodes).fill(-1);
  const order = new Int32Array(nodes).fill(-1);
  const low = new Int32Array(nodes);
  const position = new Int32Array(nodes);
  const open: number[] = [];
  const path: number[] = [];
  let visited = 0;
  let components = 0;
  const enter = (node: number) => {
    order[node] = low[node] = visited++;
    open.push(node);
    path.push(node);
  };
  const leave = (node: number) => {
    path.pop();
    if (path.length > 0) low[path.at(-1)!] = Math.min(low[path.at(-1)!]!, low[node]!);
    if (low[node] !== order[node]) return;
    while (component[node] === -1) component[open.pop()!] = components;
    components++;
  };
  for (let first = 0; first < nodes; first++) {
    if (order[first] === -1) enter(first);
    while (path.length > 0) {
      const node = path.at(-1)!;
      const edge = nextEdge(optimum, node, position[node]!);
      position[node] = edge.position;
      if (edge.to === -1) leave(node);
      else if (order[edge.to] === -1) enter(edge.to);
      else if (component[edge.to] === -1) low[node] = Math.min(low[node]!, order[edge.to]!);
    }
  }
  return component;
}
