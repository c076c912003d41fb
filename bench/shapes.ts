/** Arithmetic on model shapes: bytes cached and operations. Pure functions, apart from `readShapes`. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { BundleConfig } from '../src/model/bundle.ts';
import { GRAPHS } from './machine.ts';

const size = z.int().positive();
const shape = z.object({
  layers: size,
  width: size,
  ffn: size,
  heads: size,
  kvHeads: size,
  headDim: size,
  vocabulary: size,
});

/** The shape of a decoder-only Transformer; models/training/transformer_graph.py writes it with the graph. */
export type TransformerShape = z.infer<typeof shape>;
export type ShapeName = 'transformer' | 'smollm2-135m';

export async function readShapes(): Promise<Record<ShapeName, TransformerShape>> {
  const text = await readFile(path.join(GRAPHS, 'shapes.json'), 'utf8');
  return z.object({ transformer: shape, 'smollm2-135m': shape }).parse(JSON.parse(text));
}

/** Whether the graph `transformer` still has the bundle's shape; its vocabulary may differ by a few answer tokens. */
export function hasBundleShape(s: TransformerShape, c: BundleConfig): boolean {
  return (
    s.layers === c.selfLayers + c.crossLayers &&
    s.width === c.width &&
    s.heads === c.crossHeads &&
    s.kvHeads === c.kvHeads &&
    s.headDim === c.headDim
  );
}

const FLOAT_BYTES = 4;

/** Bytes of the K and V of a token in every layer, float32. */
export function transformerBytesPerToken(s: TransformerShape): number {
  return 2 * s.layers * s.kvHeads * s.headDim * FLOAT_BYTES;
}

/** Bytes of the single K and V of a token, float32. */
export function yocoBytesPerToken(c: BundleConfig): number {
  return 2 * c.kvHeads * c.headDim * FLOAT_BYTES;
}

/** Floating-point operations of one layer for `n` new tokens that attend to `read` tokens each. */
function layerFlops(
  n: number,
  read: number,
  s: { width: number; ffn: number; heads: number; kvHeads: number; headDim: number },
): number {
  const weights = s.width * (2 * s.heads + 2 * s.kvHeads) * s.headDim + 3 * s.width * s.ffn;
  return n * (2 * weights + 4 * s.heads * s.headDim * read);
}

/** Operations for `n` new tokens after `length` cached ones, without logits. */
export function transformerFlops(s: TransformerShape, n: number, length: number): number {
  return s.layers * layerFlops(n, length + (n + 1) / 2, s);
}

/** Operations for `n` new tokens in the self-decoder with a full window; its query heads span the width. */
export function selfDecoderFlops(c: BundleConfig, ffn: number, n: number): number {
  const heads = c.width / c.headDim;
  const s = { width: c.width, ffn, heads, kvHeads: c.selfKvHeads, headDim: c.headDim };
  // The graph computes attention over the window and all new tokens, then masks it.
  return c.selfLayers * layerFlops(n, c.window + n, s) + n * 4 * c.width * c.kvHeads * c.headDim;
}

/** How many cached tokens fit into `bytes`. */
export function tokensThatFit(bytes: number, bytesPerToken: number): number {
  return Math.floor(bytes / bytesPerToken);
}
