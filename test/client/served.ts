/** Services for tests that come from outside: the built command on a small model, and the application with a store for jobs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type HttpServer, listen } from '#adapters/http/http-server';
import type { ObjectStore } from '#pipeline/ports';
import type { ServeOptions, ServePorts } from '#pipeline/serve/api-ports';
import { type Running, start } from '../command-line.ts';
import { type ApiWorld, apiWorld } from '../pipeline/serve/api-world.ts';
import { type SmallModel, smallModelFiles } from '../pipeline/serve/small-model.ts';
import { scratchRoom } from '../scratch-rooms.ts';

/** To be called inside a suite: `selflabel serve` on a small model. @returns its address, once it serves */
export function servedModel(model: SmallModel = {}): () => string {
  const folder = join(scratchRoom(), 'model');
  let running: Running;
  let address = '';
  beforeAll(async () => {
    mkdirSync(folder);
    const { onnx, card, classes } = smallModelFiles(model);
    writeFileSync(join(folder, 'model.onnx'), onnx);
    writeFileSync(join(folder, 'card.json'), card);
    writeFileSync(join(folder, 'classes.json'), classes);
    running = start(['serve', folder, '--port', '0', '--threads', '1', '--quiet']);
    address = await new Promise((resolve, reject) => {
      let said = '';
      running.child.stderr!.on('data', text => {
        said += text;
        const found = /on (http:\/\/\S+)/.exec(said);
        if (found) resolve(found[1]!);
      });
      running.child.once('exit', code => reject(new Error(`serve ended with ${code}: ${said}`)));
    });
  });
  afterAll(async () => {
    running?.child.kill('SIGTERM');
    await running?.outcome;
  });
  return () => address;
}

/** To be called inside a suite: the application with a store in memory, behind a port. @param more other ports */
export function servedWorld(
  options: ServeOptions = {},
  more: (store: () => ObjectStore) => Partial<ServePorts> = () => ({}),
): { world: ApiWorld; address: () => string } {
  const world: ApiWorld = apiWorld(
    options,
    more(() => world.store),
  );
  let server: HttpServer;
  beforeAll(async () => {
    server = await listen(world.app, { host: '127.0.0.1', port: 0 });
  });
  afterAll(() => server?.stop(1));
  return { world, address: () => `http://127.0.0.1:${server.port}` };
}
