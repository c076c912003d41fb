/** A bundle: one folder with all files of one model. It is validated and its checksums are verified on reading. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import { MAX_CHANNELS } from './dequantise.ts';
import { CHANNEL_ALIGNMENT } from './dequantise-wasm.ts';

export const BUNDLE_FORMAT = 7;

const size = z.int().positive();
const file = z.object({ bytes: size, sha256: z.string().regex(/^[0-9a-f]{64}$/) });

const FILES = [
  'vision.onnx',
  'self_decoder.onnx',
  'cross_decoder.onnx',
  // Shared by the graphs of both decoders, here and on a device.
  'decoders.weights',
  'kv_index.onnx',
  'stream_tags.bin',
  'embeddings.bin',
  'tokenizer.json',
] as const;

/** Used on a device (src/model/device); a bundle without them runs on the processor only. */
const DEVICE_FILES = [
  'device_self_decoder.onnx',
  'device_append.onnx',
  'device_window.onnx',
  'device_cross_decoder_1.onnx',
  'device_cross_decoder_4.onnx',
  'device_cross_decoder_16.onnx',
] as const;
export type BundleFile = (typeof FILES | typeof DEVICE_FILES)[number];

function listed<Name extends string, Entry>(names: readonly Name[], entry: Entry): Record<Name, Entry> {
  return Object.fromEntries(names.map((name) => [name, entry])) as Record<Name, Entry>;
}

const bundleConfig = z.object({
  format: z.int(),
  name: z.string().min(1),
  licence: z.string(),
  /** The self-decoder's layers: sliding-window attention or gated retention. It determines what a segment carries. */
  selfDecoder: z.enum(['window', 'retention']),
  /** Side length, in pixels, of the square picture that the model sees. */
  imageSize: size,
  tokensPerFrame: size,
  width: size,
  headDim: size.multipleOf(CHANNEL_ALIGNMENT).max(MAX_CHANNELS),
  selfLayers: size,
  selfKvHeads: size,
  crossLayers: size,
  crossHeads: size,
  /** Heads of the shared K and V. */
  kvHeads: size,
  /** How many streams one question may read. */
  streamTags: size,
  /** Rows of a segment's state in each layer: tokens that a window looks back, or half of a retention's `headDim`. */
  window: size,
  vocabulary: size,
  /** Opens a turn and carries its time. */
  startToken: z.int().nonnegative(),
  /** Ends a question, and an answer. */
  endToken: z.int().nonnegative(),
  maxAnswerTokens: size,
  /** Index of the answer token whose count all later tokens reuse, so that all digits belong to one number. */
  countedAt: z.int().nonnegative(),
  /** Whether an answer ends as soon as it has said its words a second time. */
  endsAtRepetition: z.boolean(),
  /** Ids of the tokens that an answer may hold, in the order of the logits. */
  answerTokens: z.array(z.int().nonnegative()).min(1),
  parameters: size,
  /** Frames of a page on a device. */
  devicePageFrames: size.optional(),
  files: z.object({ ...listed(FILES, file), ...listed(DEVICE_FILES, file.optional()) }),
});

export type BundleConfig = z.infer<typeof bundleConfig>;

export interface Bundle {
  readonly directory: string;
  readonly config: BundleConfig;
}

async function sha256(filename: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(filename), hash);
  return hash.digest('hex');
}

/**
 * Reads `config.json` and checks every file that it lists. Throws YocoError `bundle_not_found`, `bundle_damaged` or
 * `bundle_unsupported`; the detail names the file and the field.
 */
export async function readBundle(directory: string): Promise<Bundle> {
  const configFile = path.join(directory, 'config.json');
  let text: string;
  try {
    text = await readFile(configFile, 'utf8');
  } catch (cause) {
    throw new YocoError('bundle_not_found', { detail: `${configFile} cannot be read.`, cause });
  }
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new YocoError('bundle_damaged', { detail: `${configFile} is not JSON.`, cause });
  }
  const format = z.object({ format: z.number() }).safeParse(raw);
  if (format.success && format.data.format !== BUNDLE_FORMAT) {
    throw new YocoError('bundle_unsupported', {
      detail: `Its format is ${format.data.format}; this version reads ${BUNDLE_FORMAT}.`,
    });
  }
  const parsed = bundleConfig.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join('.') ?? '';
    throw new YocoError('bundle_damaged', {
      detail: `${configFile}: ${field}: ${issue?.message ?? ''}.`,
      param: field,
    });
  }
  const config = parsed.data;
  await Promise.all(
    [...FILES, ...DEVICE_FILES].map(async (name) => {
      const expected = config.files[name];
      if (expected === undefined) return;
      const filename = path.join(directory, name);
      const found = await stat(filename).catch(() => null);
      if (found === null) throw new YocoError('bundle_damaged', { detail: `${filename} is missing.` });
      if (found.size !== expected.bytes) {
        throw new YocoError('bundle_damaged', {
          detail: `${filename} has ${found.size} bytes, expected ${expected.bytes}.`,
        });
      }
      if ((await sha256(filename)) !== expected.sha256) {
        throw new YocoError('bundle_damaged', { detail: `${filename} does not match its checksum.` });
      }
    }),
  );
  return { directory, config };
}

/** Frames of a page on a device; undefined unless the bundle has all graphs for one. */
export function pageFramesOf({ devicePageFrames, files }: BundleConfig): number | undefined {
  return DEVICE_FILES.every((name) => files[name] !== undefined) ? devicePageFrames : undefined;
}

export function bundlePath(bundle: Bundle, name: BundleFile): string {
  return path.join(bundle.directory, name);
}
