/**
 * Converts int8 back to float32: millions of numbers for each token of an answer that reads through the index.
 * JavaScript converts them one at a time; SIMD takes eight per iteration (dequantise-wasm.ts). WebAssembly computes in
 * its own memory, so rows are copied through a stage, some tokens at a time, and can lie anywhere.
 */
import { CHANNEL_ALIGNMENT, dequantiseWasm, type ScaleFunction } from './dequantise-wasm.ts';

/** Most channels of a head, which are a multiple of CHANNEL_ALIGNMENT; the schema of bundles checks both. */
export const MAX_CHANNELS = 1_024;

/** Layout of the stage: byte offsets of the scales, the int8 values and the results. */
const [SCALES_OFFSET, QUANTISED_OFFSET, SCALED_OFFSET] = [0, 4_096, 16_384];
const STAGED_VALUES = 8_192;
/** The stage is one page of WebAssembly memory. */
const STAGE_BYTES = 65_536;

/** `out[t, c] = quantised[t, c] * scales[c]`: a scale for each channel. */
export function scaleChannels(quantised: Int8Array, scales: Float32Array, out: Float32Array): void {
  const channels = scales.length;
  forEachChunk(channels, quantised, out, (first, _last, end) => {
    if (first === 0) stage.scales.set(scales);
    stage.scaleChannels(QUANTISED_OFFSET, SCALES_OFFSET, SCALED_OFFSET, end, channels);
  });
}

/** `out[t, c] = quantised[t, c] * scales[t]`: a scale for each token. */
export function scaleTokens(quantised: Int8Array, scales: Float32Array, out: Float32Array): void {
  if (scales.length === 0) return;
  const channels = quantised.length / scales.length;
  forEachChunk(channels, quantised, out, (first, last, end) => {
    stage.scales.set(scales.subarray(first, last));
    stage.scaleTokens(QUANTISED_OFFSET, SCALES_OFFSET, SCALED_OFFSET, end, channels);
  });
}

/**
 * Calls `scale` for chunks of tokens that fit the stage, with the chunk's first token, its end, and the address where
 * its int8 values end.
 */
function forEachChunk(
  channels: number,
  quantised: Int8Array,
  out: Float32Array,
  scale: (first: number, last: number, end: number) => void,
): void {
  if (channels % CHANNEL_ALIGNMENT !== 0 || channels > MAX_CHANNELS) {
    throw new RangeError(`channels are a multiple of ${CHANNEL_ALIGNMENT} up to ${MAX_CHANNELS}, not ${channels}`);
  }
  const chunkTokens = Math.min(Math.floor(STAGED_VALUES / channels), stage.scales.length);
  const tokens = quantised.length / channels;
  for (let first = 0; first < tokens; first += chunkTokens) {
    const last = Math.min(first + chunkTokens, tokens);
    const [from, to] = [first * channels, last * channels];
    stage.quantised.set(quantised.subarray(from, to));
    scale(first, last, QUANTISED_OFFSET + to - from);
    out.set(stage.scaled.subarray(0, to - from), from);
  }
}

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(dequantiseWasm), { stage: { memory } });
const stage = {
  scales: new Float32Array(memory.buffer, SCALES_OFFSET, (QUANTISED_OFFSET - SCALES_OFFSET) / 4),
  quantised: new Int8Array(memory.buffer, QUANTISED_OFFSET, STAGED_VALUES),
  scaled: new Float32Array(memory.buffer, SCALED_OFFSET, (STAGE_BYTES - SCALED_OFFSET) / 4),
  scaleChannels: exports['scaleChannels'] as ScaleFunction,
  scaleTokens: exports['scaleTokens'] as ScaleFunction,
};
