/** What can lie in a scene. Each category has its own shapes, texture and colours; none can be told by one of them alone. */
import type { ColourFamily } from './colour.ts';
import type { ShapeName } from './outline.ts';
import type { TextureName } from './texture.ts';

export interface SceneCategory {
  readonly name: string;
  readonly shapes: readonly ShapeName[];
  readonly texture: TextureName;
  /** First, second and third colour of the texture. */
  readonly colours: readonly [ColourFamily, ColourFamily, ColourFamily];
  /** Texture cells across the square root of the object's area. */
  readonly cells: readonly [number, number];
  /** Hole's radius as a share of the object's. */
  readonly hole?: readonly [number, number];
}

const family = (
  hue: readonly [number, number],
  saturation: readonly [number, number],
  value: readonly [number, number],
): ColourFamily => ({ hue, saturation, value });

const black = family([0, 360], [0, 0.3], [0.06, 0.18]);
const cream = family([30, 60], [0.08, 0.25], [0.85, 0.98]);
const white = family([0, 360], [0, 0.08], [0.85, 0.99]);

/** In the order of their class ids, which begin with 1. */
export const categories: readonly SceneCategory[] = [
  {
    name: 'ladybird',
    shapes: ['ellipse'],
    texture: 'spots',
    colours: [family([345, 385], [0.75, 0.95], [0.6, 0.9]), black, black],
    cells: [3.6, 5],
  },
  {
    name: 'zebra',
    shapes: ['blob', 'ellipse'],
    texture: 'stripes',
    colours: [white, black, black],
    cells: [4.5, 7],
  },
  {
    name: 'starfish',
    shapes: ['star'],
    texture: 'grains',
    colours: [
      family([8, 38], [0.65, 0.9], [0.6, 0.9]),
      family([25, 50], [0.3, 0.6], [0.85, 1]),
      family([0, 20], [0.7, 0.9], [0.4, 0.6]),
    ],
    cells: [6, 9],
  },
  {
    name: 'doughnut',
    shapes: ['circle'],
    texture: 'sprinkles',
    colours: [
      family([12, 32], [0.45, 0.75], [0.3, 0.6]),
      family([320, 350], [0.4, 0.7], [0.85, 1]),
      family([45, 60], [0.3, 0.7], [0.85, 1]),
    ],
    cells: [8, 11],
    hole: [0.34, 0.46],
  },
  {
    name: 'leaf',
    shapes: ['leaf'],
    texture: 'veins',
    colours: [
      family([75, 145], [0.5, 0.85], [0.3, 0.6]),
      family([65, 110], [0.3, 0.6], [0.6, 0.9]),
      family([60, 90], [0.2, 0.4], [0.8, 0.95]),
    ],
    cells: [5, 7.5],
  },
  {
    name: 'honeycomb',
    shapes: ['hexagon', 'blob'],
    texture: 'honeycomb',
    colours: [
      family([38, 52], [0.65, 0.95], [0.75, 0.98]),
      family([28, 40], [0.7, 0.95], [0.65, 0.9]),
      family([22, 34], [0.6, 0.9], [0.3, 0.5]),
    ],
    cells: [6, 9],
  },
  {
    name: 'shell',
    shapes: ['fan'],
    texture: 'rings',
    colours: [cream, family([5, 28], [0.3, 0.6], [0.6, 0.85]), family([0, 20], [0.4, 0.6], [0.45, 0.6])],
    cells: [6, 9],
  },
  {
    name: 'crystal',
    shapes: ['polygon'],
    texture: 'facets',
    colours: [
      family([195, 285], [0.6, 0.9], [0.3, 0.5]),
      family([190, 280], [0.3, 0.6], [0.7, 0.95]),
      family([190, 280], [0.02, 0.15], [0.92, 1]),
    ],
    cells: [5, 8],
  },
  {
    name: 'cloth',
    shapes: ['cushion'],
    texture: 'checks',
    colours: [white, family([340, 590], [0.45, 0.7], [0.55, 0.8]), family([340, 590], [0.6, 0.9], [0.3, 0.55])],
    cells: [6, 9],
  },
  {
    name: 'fleece',
    shapes: ['fleece'],
    texture: 'curls',
    colours: [family([20, 60], [0.1, 0.3], [0.45, 0.65]), cream, white],
    cells: [7, 10],
  },
  {
    name: 'brick',
    shapes: ['cushion', 'polygon'],
    texture: 'bricks',
    colours: [
      family([5, 25], [0.5, 0.75], [0.35, 0.55]),
      family([8, 25], [0.45, 0.65], [0.6, 0.8]),
      family([30, 50], [0.05, 0.2], [0.7, 0.9]),
    ],
    cells: [5.5, 8],
  },
  {
    name: 'flower',
    shapes: ['flower'],
    texture: 'petals',
    colours: [
      family([260, 345], [0.45, 0.8], [0.55, 0.85]),
      family([270, 350], [0.15, 0.4], [0.85, 1]),
      family([40, 55], [0.7, 0.95], [0.75, 0.95]),
    ],
    cells: [5, 8],
  },
];

/** Names by class id − 1: class 1 is the first. */
export const sceneCategories: readonly string[] = categories.map(({ name }) => name);
