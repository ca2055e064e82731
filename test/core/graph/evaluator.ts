/** A slow, plain evaluator of graphs in float64, written from the ONNX definitions: the second opinion beside ONNX Runtime. A table of operators, hence long. */
import type { Attributes, Op } from '#core/graph/ops';
import { constantData, nodesBelow, type Tensor } from '#core/graph/tensor';

/** Row-major numbers; booleans are 0 and 1. */
export interface Value {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

type Index = readonly number[];

const count = (dims: Index) => dims.reduce((a, b) => a * b, 1);
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const sum = (numbers: Index) => numbers.reduce((a, b) => a + b, 0);
const withAxis = (index: Index, axis: number, value: number) => index.map((at, i) => (i === axis ? value : at));

/** Every index tuple of a shape, in row-major order. */
function indices(dims: Index): Index[] {
  return dims.reduce<Index[]>((all, size) => all.flatMap(index => range(size).map(i => [...index, i])), [[]]);
}

const build = (dims: Index, value: (index: Index) => number): Value => ({ dims, data: indices(dims).map(value) });

function at({ dims, data }: Value, index: Index): number {
  return data[index.reduce((offset, i, axis) => offset * dims[axis]! + i, 0)]!;
}

/** The element, or a fill value outside. */
const atOr = (x: Value, index: Index, outside: number) =>
  index.every((i, axis) => i >= 0 && i < x.dims[axis]!) ? at(x, index) : outside;

const broadcastDims = (shapes: readonly Index[]) =>
  range(Math.max(...shapes.map(dims => dims.length)))
    .map(fromEnd => shapes.map(dims => dims[dims.length - 1 - fromEnd] ?? 1))
    .map(sizes => sizes.reduce((a, b) => (a === 1 ? b : a)))
    .reverse();

const broadcastAt = (x: Value, index: Index) =>
  at(
    x,
    x.dims.map((size, axis) => (size === 1 ? 0 : index[index.length - x.dims.length + axis]!)),
  );

type Rule<O extends Op> = (inputs: readonly Value[], attributes: Attributes[O]) => readonly Value[];

const elementwise =
  (f: (...numbers: number[]) => number): Rule<Op> =>
  inputs => [build(broadcastDims(inputs.map(x => x.dims)), index => f(...inputs.map(x => broadcastAt(x, index))))];

const along =
  (f: (numbers: Index, i: number) => number) =>
  ([x]: readonly Value[], { axis }: { axis: number }) => [
    build(x!.dims, index =>
      f(
        range(x!.dims[axis]!).map(i => at(x!, withAxis(index, axis, i))),
        index[axis]!,
      ),
    ),
  ];

const reduction =
  (f: (numbers: Index) => number) =>
  ([x]: readonly Value[], { axes, keepdims }: { axes: Index; keepdims: 0 | 1 }) => {
    const reduced = x!.dims.map((size, i) => (axes.includes(i) ? size : 1));
    const kept = build(
      x!.dims.map((size, i) => (axes.includes(i) ? 1 : size)),
      index =>
        f(
          indices(reduced).map(offset =>
            at(
              x!,
              offset.map((o, i) => o + index[i]!),
            ),
          ),
        ),
    );
    return [keepdims ? kept : { ...kept, dims: kept.dims.filter((_, i) => !axes.includes(i)) }];
  };

const reshaped = ({ data }: Value, dims: Index): Value => ({ data, dims });

interface Windows {
  strides: Index;
  pads: Index;
  dilations: Index;
  ceil_mode?: 0 | 1;
}

/** Number of window positions along each axis. */
function positions(spatial: Index, kernel: Index, { strides, pads, dilations, ceil_mode }: Windows): number[] {
  return spatial.map((size, i) => {
    const [before, after] = [pads[i]!, pads[i + spatial.length]!];
    const extent = (kernel[i]! - 1) * dilations[i]! + 1;
    const starts = range(size + before + after + strides[i]!)
      .map(n => n * strides[i]!)
      .filter(start => start + extent <= size + before + after + (ceil_mode ? strides[i]! - 1 : 0));
    return starts.filter(start => !ceil_mode || start < size + before).length;
  });
}

const windowAt = (out: Index, k: Index, { strides, pads, dilations }: Windows) =>
  out.map((o, i) => o * strides[i]! - pads[i]! + k[i]! * dilations[i]!);

function pool(
  x: Value,
  attributes: Windows & { kernel_shape: Index },
  f: (values: number[], places: Index[]) => number,
) {
  const [n, c, ...spatial] = x.dims;
  const dims = [n!, c!, ...positions(spatial, attributes.kernel_shape, attributes)];
  return [
    build(dims, ([image, channel, ...out]) => {
      const places = indices(attributes.kernel_shape).map(k => windowAt(out, k, attributes));
      return f(
        places.map(place => atOr(x, [image!, channel!, ...place], Number.NaN)),
        places,
      );
    }),
  ];
}

/** Source positions and weights of one output position of Resize along one axis. */
function taps(out: number, length: number, size: number, scale: number, a: Attributes['Resize']): [number, number][] {
  const x = {
    half_pixel: (out + 0.5) / scale - 0.5,
    pytorch_half_pixel: length > 1 ? (out + 0.5) / scale - 0.5 : 0,
    align_corners: length > 1 ? (out * (size - 1)) / (length - 1) : 0,
    asymmetric: out / scale,
  }[a.coordinate_transformation_mode];
  const inside = (i: number) => Math.min(Math.max(i, 0), size - 1);
  if (a.mode === 'nearest') {
    const half = x - Math.floor(x) === 0.5;
    const nearest = {
      floor: Math.floor(x),
      ceil: Math.ceil(x),
      round_prefer_floor: half ? Math.floor(x) : Math.round(x),
      round_prefer_ceil: half ? Math.ceil(x) : Math.round(x),
    }[a.nearest_mode];
    return [[inside(nearest), 1]];
  }
  const support = a.antialias && scale < 1 ? 1 / scale : 1;
  const near = range(2 * Math.ceil(support) + 3).map(i => Math.floor(x) - Math.ceil(support) - 1 + i);
  const weighted = near.map((i): [number, number] => [inside(i), Math.max(0, 1 - Math.abs(i - x) / support)]);
  const total = sum(weighted.map(([, weight]) => weight));
  return weighted.filter(([, weight]) => weight > 0).map(([i, weight]) => [i, weight / total]);
}

function resized(x: Value, dims: Index, scales: Index, attributes: Attributes['Resize']): Value {
  return build(dims, index => {
    const perAxis = index.map((out, i) => taps(out, dims[i]!, x.dims[i]!, scales[i]!, attributes));
    return sum(
      indices(perAxis.map(list => list.length)).map(choice => {
        const chosen = choice.map((tap, axis) => perAxis[axis]![tap]!);
        return (
          at(
            x,
            chosen.map(([i]) => i),
          ) * chosen.reduce((weight, [, w]) => weight * w, 1)
        );
      }),
    );
  });
}

function product(a: Value, b: Value): Value {
  const left = a.dims.length === 1 ? reshaped(a, [1, ...a.dims]) : a;
  const right = b.dims.length === 1 ? reshaped(b, [...b.dims, 1]) : b;
  const batch = broadcastDims([left.dims.slice(0, -2), right.dims.slice(0, -2), []]);
  const [rows, inner, columns] = [left.dims.at(-2)!, left.dims.at(-1)!, right.dims.at(-1)!];
  const pick = (x: Value, outer: Index, i: number, j: number) => {
    const skipped = outer.length - (x.dims.length - 2);
    return at(x, [...x.dims.slice(0, -2).map((size, k) => (size === 1 ? 0 : outer[k + skipped]!)), i, j]);
  };
  const full = build([...batch, rows, columns], index => {
    const outer = index.slice(0, -2);
    const [i, j] = index.slice(-2) as [number, number];
    return sum(range(inner).map(k => pick(left, outer, i, k) * pick(right, outer, k, j)));
  });
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [rows]), ...(b.dims.length === 1 ? [] : [columns])];
  return reshaped(full, dims);
}

const transposed = (x: Value, perm: Index) =>
  build(
    perm.map(axis => x.dims[axis]!),
    index =>
      at(
        x,
        x.dims.map((_, axis) => index[perm.indexOf(axis)]!),
      ),
  );

/** As Python's slice(start, stop, step).indices(size). */
function sliceIndices(size: number, start: number, stop: number, step: number): number[] {
  const clip = (i: number) => Math.min(Math.max(i < 0 ? i + size : i, step < 0 ? -1 : 0), step < 0 ? size - 1 : size);
  const result: number[] = [];
  for (let i = clip(start); step > 0 ? i < clip(stop) : i > clip(stop); i += step) result.push(i);
  return result;
}

function padIndex(i: number, size: number, mode: 'constant' | 'reflect' | 'edge'): number {
  if (mode === 'edge') return Math.min(Math.max(i, 0), size - 1);
  if (mode === 'reflect') return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
  return i;
}

/** The error function by its Taylor series, exact enough in float64 for |x| < 5. */
function erf(x: number): number {
  let [total, term] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= -(x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

const rules: { readonly [O in Op]: Rule<O> } = {
  Add: elementwise((a, b) => a + b!),
  Sub: elementwise((a, b) => a - b!),
  Mul: elementwise((a, b) => a * b!),
  Div: elementwise((a, b) => a / b!),
  Pow: elementwise((a, b) => a ** b!),
  Max: elementwise((a, b) => Math.max(a, b!)),
  Min: elementwise((a, b) => Math.min(a, b!)),
  Equal: elementwise((a, b) => Number(a === b)),
  Greater: elementwise((a, b) => Number(a > b!)),
  GreaterOrEqual: elementwise((a, b) => Number(a >= b!)),
  Less: elementwise((a, b) => Number(a < b!)),
  Sqrt: elementwise(Math.sqrt),
  Exp: elementwise(Math.exp),
  Log: elementwise(Math.log),
  Abs: elementwise(Math.abs),
  Neg: elementwise(x => -x),
  Relu: elementwise(x => Math.max(0, x)),
  Sigmoid: elementwise(x => 1 / (1 + Math.exp(-x))),
  Tanh: elementwise(Math.tanh),
  Erf: elementwise(erf),
  Gelu: ([x], { approximate }) =>
    elementwise(v =>
      approximate === 'tanh'
        ? (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))
        : (v / 2) * (1 + erf(v / Math.SQRT2)),
    )([x!], {}),
  HardSigmoid: ([x], { alpha, beta }) => elementwise(v => Math.min(Math.max(alpha * v + beta, 0), 1))([x!], {}),
  HardSwish: elementwise(x => x * Math.min(Math.max(x / 6 + 0.5, 0), 1)),
  Not: elementwise(x => 1 - x),
  Identity: inputs => inputs,
  Clip: ([x], { min = -Infinity, max = Infinity }) => elementwise(v => Math.min(Math.max(v, min), max))([x!], {}),
  Cast: ([x], { to }) =>
    elementwise(v => (to === 'bool' ? Number(v !== 0) : to.includes('int') ? Math.trunc(v) : v))([x!], {}),
  Where: elementwise((condition, a, b) => (condition ? a! : b!)),
  BatchNormalization: ([x, scale, bias, mean, variance], { epsilon }) => [
    build(x!.dims, index => {
      const c = index[1]!;
      const normal = (at(x!, index) - mean!.data[c]!) / Math.sqrt(variance!.data[c]! + epsilon);
      return normal * scale!.data[c]! + bias!.data[c]!;
    }),
  ],
  LayerNormalization: ([x, scale, bias], { axis, epsilon }) => {
    const inner = x!.dims.map((size, i) => (i < axis ? 1 : size));
    return [
      build(x!.dims, index => {
        const row = indices(inner).map(offset =>
          at(
            x!,
            offset.map((o, i) => (i < axis ? index[i]! : o)),
          ),
        );
        const mean = sum(row) / row.length;
        const variance = sum(row.map(v => (v - mean) ** 2)) / row.length;
        const normal = (at(x!, index) - mean) / Math.sqrt(variance + epsilon);
        return normal * broadcastAt(scale!, index) + (bias ? broadcastAt(bias, index) : 0);
      }),
    ];
  },
  Softmax: along((xs, i) => Math.exp(xs[i]!) / sum(xs.map(Math.exp))),
  LogSoftmax: along((xs, i) => xs[i]! - Math.log(sum(xs.map(Math.exp)))),
  ReduceSum: reduction(sum),
  ReduceMean: reduction(xs => sum(xs) / xs.length),
  ReduceMax: reduction(xs => Math.max(...xs)),
  ReduceMin: reduction(xs => Math.min(...xs)),
  ReduceL2: reduction(xs => Math.hypot(...xs)),
  ArgMax: (inputs, { axis, keepdims }) =>
    reduction(xs => xs.indexOf(Math.max(...xs)))(inputs, { axes: [axis], keepdims }),
  TopK: ([x], { k, axis, largest }) => {
    const dims = withAxis(x!.dims, axis, k);
    const ranked = (index: Index) =>
      range(x!.dims[axis]!).sort((i, j) => {
        const difference = at(x!, withAxis(index, axis, j)) - at(x!, withAxis(index, axis, i));
        return largest ? difference : -difference;
      })[index[axis]!]!;
    return [build(dims, index => at(x!, withAxis(index, axis, ranked(index)))), build(dims, ranked)];
  },
  Reshape: ([x, target]) => {
    const wanted = target!.data.map((size, i) => (size === 0 ? x!.dims[i]! : size));
    const rest = count(x!.dims) / count(wanted.filter(size => size !== -1));
    return [
      reshaped(
        x!,
        wanted.map(size => (size === -1 ? rest : size)),
      ),
    ];
  },
  Transpose: ([x], { perm }) => [transposed(x!, perm)],
  Concat: (inputs, { axis }) => {
    const owners = inputs.flatMap(x => range(x.dims[axis]!).map(i => [x, i] as const));
    return [
      build(withAxis(inputs[0]!.dims, axis, owners.length), index => {
        const [x, i] = owners[index[axis]!]!;
        return at(x, withAxis(index, axis, i));
      }),
    ];
  },
  Split: ([x], { axis, split }) =>
    split.map((size, piece) => {
      const before = sum(split.slice(0, piece));
      return build(withAxis(x!.dims, axis, size), index => at(x!, withAxis(index, axis, index[axis]! + before)));
    }),
  Slice: ([x], { starts, ends, axes, steps }) => {
    const chosen = x!.dims.map((size, axis) => {
      const i = axes.indexOf(axis);
      return i < 0 ? range(size) : sliceIndices(size, starts[i]!, ends[i]!, steps[i]!);
    });
    return [
      build(
        chosen.map(list => list.length),
        index =>
          at(
            x!,
            index.map((i, axis) => chosen[axis]![i]!),
          ),
      ),
    ];
  },
  Gather: ([x, list], { axis }) => {
    const rank = list!.dims.length;
    return [
      build([...x!.dims.slice(0, axis), ...list!.dims, ...x!.dims.slice(axis + 1)], index => {
        const i = at(list!, index.slice(axis, axis + rank));
        const size = x!.dims[axis]!;
        return at(x!, [...index.slice(0, axis), i < 0 ? i + size : i, ...index.slice(axis + rank)]);
      }),
    ];
  },
  GatherElements: ([x, list], { axis }) => [
    build(list!.dims, index => {
      const i = at(list!, index);
      return at(x!, withAxis(index, axis, i < 0 ? i + x!.dims[axis]! : i));
    }),
  ],
  ScatterElements: ([x, list, updates], { axis, reduction }) => {
    const data = [...x!.data];
    for (const index of indices(list!.dims)) {
      const i = at(list!, index);
      const place = withAxis(index, axis, i < 0 ? i + x!.dims[axis]! : i);
      const offset = place.reduce((sum, p, k) => sum * x!.dims[k]! + p, 0);
      data[offset] = (reduction === 'add' ? data[offset]! : 0) + at(updates!, index);
    }
    return [{ dims: x!.dims, data }];
  },
  Shape: ([x]) => [{ dims: [x!.dims.length], data: x!.dims }],
  Unsqueeze: ([x], { axes }) => {
    const rest = [...x!.dims];
    const rank = rest.length + axes.length;
    return [
      reshaped(
        x!,
        range(rank).map(axis => (axes.includes(axis) ? 1 : rest.shift()!)),
      ),
    ];
  },
  Squeeze: ([x], { axes }) => [
    reshaped(
      x!,
      x!.dims.filter((_, i) => !axes.includes(i)),
    ),
  ],
  Expand: ([x, dims]) => [build(broadcastDims([x!.dims, dims!.data]), index => broadcastAt(x!, index))],
  Pad: ([x], { pads, mode, value }) => {
    const rank = x!.dims.length;
    const dims = x!.dims.map((size, i) => size + pads[i]! + pads[i + rank]!);
    return [
      build(dims, index =>
        atOr(
          x!,
          index.map((i, axis) => padIndex(i - pads[axis]!, x!.dims[axis]!, mode)),
          value,
        ),
      ),
    ];
  },
  Resize: ([x, sizes], attributes) => {
    const scales = attributes.scales ?? sizes!.data.map((size, i) => size / x!.dims[i]!);
    const dims = sizes?.data ?? x!.dims.map((size, i) => Math.floor(size * scales[i]!));
    return [resized(x!, dims, scales, attributes)];
  },
  ConstantOfShape: ([dims], { value }) => [build(dims!.data, () => Number(constantData(value)[0]))],
  Range: ([start, limit, delta]) => {
    const length = Math.max(0, Math.ceil((limit!.data[0]! - start!.data[0]!) / delta!.data[0]!));
    return [build([length], ([i]) => start!.data[0]! + i! * delta!.data[0]!)];
  },
  MatMul: ([a, b]) => [product(a!, b!)],
  Gemm: ([a, b, c], { alpha, beta, transA, transB }) => {
    const ab = product(transA ? transposed(a!, [1, 0]) : a!, transB ? transposed(b!, [1, 0]) : b!);
    return [build(ab.dims, index => alpha * at(ab, index) + (c ? beta * broadcastAt(c, index) : 0))];
  },
  Conv: ([x, w, b], attributes) => {
    const [n, , ...spatial] = x!.dims;
    const [m, depth, ...kernel] = w!.dims;
    const offsets = indices([depth!, ...kernel]);
    return [
      build([n!, m!, ...positions(spatial, kernel, attributes)], ([image, channel, ...out]) => {
        const group = Math.floor(channel! / (m! / attributes.group));
        const terms = offsets.map(([c, ...k]) => {
          const place = windowAt(out, k, attributes);
          return atOr(x!, [image!, group * depth! + c!, ...place], 0) * at(w!, [channel!, c!, ...k]);
        });
        return sum(terms) + (b?.data[channel!] ?? 0);
      }),
    ];
  },
  ConvTranspose: ([x, w, b], { strides, pads, dilations, group, output_padding }) => {
    const [n, c, ...spatial] = x!.dims;
    const [, depth, ...kernel] = w!.dims;
    const sizes = spatial.map((size, i) => {
      const [before, after] = [pads[i]!, pads[i + spatial.length]!];
      return (size - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1 + output_padding[i]! - before - after;
    });
    const perGroup = c! / group;
    const offsets = indices([perGroup, ...kernel]);
    return [
      build([n!, depth! * group, ...sizes], ([image, channel, ...out]) => {
        const g = Math.floor(channel! / depth!);
        const terms = offsets.map(([i, ...k]) => {
          const place = out.map((o, axis) => (o + pads[axis]! - k[axis]! * dilations[axis]!) / strides[axis]!);
          if (!place.every(Number.isInteger)) return 0;
          const source = g * perGroup + i!;
          return atOr(x!, [image!, source, ...place], 0) * at(w!, [source, channel! % depth!, ...k]);
        });
        return sum(terms) + (b?.data[channel!] ?? 0);
      }),
    ];
  },
  AveragePool: ([x], attributes) => {
    const { pads, count_include_pad } = attributes;
    const spatial = x!.dims.slice(2);
    const inPadding = (place: Index) =>
      place.every((i, axis) => i >= -pads[axis]! && i < spatial[axis]! + pads[axis + spatial.length]!);
    return pool(x!, attributes, (values, places) => {
      const present = values.filter(value => !Number.isNaN(value));
      return sum(present) / (count_include_pad ? places.filter(inPadding).length : present.length);
    });
  },
  MaxPool: ([x], attributes) => {
    const largest = (values: number[]) => Math.max(...values.filter(value => !Number.isNaN(value)));
    const spatial = x!.dims.slice(2);
    const stood = (values: number[], places: Index[]) =>
      places[values.indexOf(largest(values))]!.reduce((offset, i, axis) => offset * spatial[axis]! + i, 0);
    const [values, inMap] = [pool(x!, attributes, largest)[0]!, pool(x!, attributes, stood)[0]!];
    const each = count(values.dims.slice(2));
    const data = inMap.data.map((place, i) => Math.floor(i / each) * count(spatial) + place);
    return [values, { dims: values.dims, data }];
  },
  GlobalAveragePool: ([x]) =>
    reduction(xs => sum(xs) / xs.length)([x!], { axes: range(x!.dims.length).slice(2), keepdims: 1 }),
  Imported: (_inputs, { opType }) => {
    throw new Error(`the evaluator knows no imported ${opType}`);
  },
};

/** The values of the given tensors for these inputs, by name. */
export function evaluate(outputs: readonly Tensor[], feeds: Readonly<Record<string, Value>>): Value[] {
  const values = new Map<Tensor, Value>();
  const valuesOf = (tensor: Tensor): Value => {
    if (tensor.kind === 'input') return feeds[tensor.name]!;
    if (tensor.kind === 'node') return values.get(tensor)!;
    return { dims: tensor.dims, data: Array.from<number | bigint, number>(constantData(tensor), Number) };
  };
  for (const node of nodesBelow(outputs)) {
    const rule = rules[node.op] as Rule<Op>;
    const results = rule(node.inputs.map(valuesOf), node.attributes);
    for (const output of node.outputs) values.set(output, results[output.index]!);
  }
  return outputs.map(valuesOf);
}
