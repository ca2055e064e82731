/** Draws the pictures that the made-up job refers to: scenes with one thing each, and the thing's labels. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random, seedOf } from '#core/random';
import { kinds, palette, variants } from '../core/pages/report-data.ts';

/** Each thing in a box of 40 × 40. */
const things = [
  '<circle cx="20" cy="20" r="17"/>',
  '<path d="M4 18L20 4L36 18V37H4Z"/>',
  '<path d="M20 2L35 26H24V38H16V26H5Z"/>',
  '<path d="M2 26H38L32 36H8ZM19 3V24H35Z"/>',
  '<path d="M2 26V20L9 18L14 10H28L33 18L38 20V28H2Z"/><circle cx="11" cy="29" r="5"/><circle cx="30" cy="29" r="5"/>',
  '<path d="M20 2L25 15L38 15L28 23L32 37L20 29L8 37L12 23L2 15L15 15Z"/>',
  '<path d="M3 20C10 6 24 6 31 18L38 10V30L31 22C24 34 10 34 3 20Z"/>',
  '<circle cx="20" cy="9" r="8"/><circle cx="9" cy="18" r="8"/><circle cx="31" cy="18" r="8"/><circle cx="14" cy="30" r="8"/><circle cx="27" cy="30" r="8"/>',
  '<path d="M7 8H28V13H36V27H28V35H7ZM28 17V23H32V17Z" fill-rule="evenodd"/>',
  '<path d="M2 14C10 6 16 10 20 18C24 10 30 6 38 14C30 13 25 18 20 30C15 18 10 13 2 14Z"/>',
  '<path d="M2 36L14 8L21 20L27 12L38 36Z"/>',
  '<path d="M16 2H24V12C30 15 30 20 30 24V38H10V24C10 20 10 15 16 12Z"/>',
];

/** Writes `thumbnails/` and `overlays/` below the folder. */
export async function drawPictures(folder: string): Promise<void> {
  await mkdir(join(folder, 'thumbnails'), { recursive: true });
  await mkdir(join(folder, 'overlays'), { recursive: true });
  for (let kind = 0; kind < kinds; kind++) {
    for (let variant = 0; variant < variants; variant++) {
      const { scene, labels } = draw(kind, new Random(seedOf('picture', kind, variant)));
      await sharp(Buffer.from(scene))
        .jpeg({ quality: 82 })
        .toFile(join(folder, `thumbnails/${kind}-${variant}.jpg`));
      await sharp(Buffer.from(labels))
        .png()
        .toFile(join(folder, `overlays/${kind}-${variant}.png`));
    }
  }
}

function draw(kind: number, random: Random): { scene: string; labels: string } {
  const hue = random.integer(360);
  const size = 1.4 + random.uniform() * 1.1;
  const place = `translate(${10 + random.uniform() * (140 - 40 * size)} ${8 + random.uniform() * (104 - 40 * size)}) scale(${size}) rotate(${random.integer(24) - 12} 20 20)`;
  const thing = (style: string) => `<g transform="${place}" ${style}>${things[kind]}</g>`;
  const slip = `transform="translate(${random.integer(9) - 4} ${random.integer(7) - 3})"`;
  const frame = (inside: string) => `<svg xmlns="http://www.w3.org/2000/svg" width="160" height="120">${inside}</svg>`;
  const horizon = 50 + random.integer(30);
  const scene = `<defs><linearGradient id="s" x2="0" y2="1"><stop stop-color="hsl(${200 + random.integer(40)},45%,${55 + random.integer(25)}%)"/><stop offset="1" stop-color="hsl(30,30%,85%)"/></linearGradient>
<linearGradient id="t"><stop stop-color="hsl(${hue},55%,62%)"/><stop offset="1" stop-color="hsl(${hue},60%,34%)"/></linearGradient></defs>
<rect width="160" height="120" fill="url(#s)"/><path d="M0 ${horizon}Q60 ${horizon - 18} 160 ${horizon + 6}V120H0Z" fill="hsl(${80 + random.integer(70)},22%,${36 + random.integer(18)}%)"/>${thing('fill="url(#t)"')}`;
  return {
    scene: frame(scene),
    labels: frame(`<g ${slip}>${thing(`fill="${palette[kind]}" shape-rendering="crispEdges"`)}</g>`),
  };
}
