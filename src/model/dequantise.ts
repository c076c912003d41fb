/**
 * Converts int8 back to float32: millions of numbers for each token of an answer that reads through the index.
 * JavaScript converts them one at a time; SIMD takes eight per iteration (dequantise-wasm.ts). WebAssembly computes in
 * its own memory, so rows are copied through a stage, some tokens at a time, and can lie anywhere.
 */
import { CHANNELS_ALIGNED, dequantiseWasm, type Scale } from './dequantise-wasm.ts';

/** Most channels of a head, which are a multiple of CHANNELS_ALIGNED; the schema of bundles checks both. */
export const MOST_CHANNELS = 1_024;

/** Layout of the stage: byte offsets of the scales, the int8 values and the results. */
const [SCALES, WHOLE, SCALED] = [0, 4_096, 16_384];
const STAGED_VALUES = 8_192;
/** The stage is one page of WebAssembly memory. */
const STAGE_BYTES = 65_536;

/** `out[t, c] = whole[t, c] * scales[c]`: a scale for each channel. */
export function scaleChannels(whole: Int8Array, scales: Float32Array, out: Float32Array): void {
  const channels = scales.length;
  inTurns(channels, whole, out, (first, _last, end) => {
    if (first === 0) stage.scales.set(scales);
    stage.scaleChannels(WHOLE, SCALES, SCALED, end, channels);
  });
}

/** `out[t, c] = whole[t, c] * scales[t]`: a scale for each token. */
export function scaleTokens(whole: Int8Array, scales: Float32Array, out: Float32Array): void {
  if (scales.length === 0) return;
  const channels = whole.length / scales.length;
  inTurns(channels, whole, out, (first, last, end) => {
    stage.scales.set(scales.subarray(first, last));
    stage.scaleTokens(WHOLE, SCALES, SCALED, end, channels);
  });
}

/**
 * Calls `scale` for chunks of tokens that fit the stage, with the chunk's first token, its end, and the address where
 * its int8 values end.
 */
function inTurns(
  channels: number,
  whole: Int8Array,
  out: Float32Array,
  scale: (first: number, last: number, end: number) => void,
): void {
  if (channels % CHANNELS_ALIGNED !== 0 || channels > MOST_CHANNELS) {
    throw new RangeError(`channels are a multiple of ${CHANNELS_ALIGNED} up to ${MOST_CHANNELS}, not ${channels}`);
  }
  const most = Math.min(Math.floor(STAGED_VALUES / channels), stage.scales.length);
  const tokens = whole.length / channels;
  for (let first = 0; first < tokens; first += most) {
    const last = Math.min(first + most, tokens);
    const [from, to] = [first * channels, last * channels];
    stage.whole.set(whole.subarray(from, to));
    scale(first, last, WHOLE + to - from);
    out.set(stage.scaled.subarray(0, to - from), from);
  }
}

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(dequantiseWasm), { stage: { memory } });
const stage = {
  scales: new Float32Array(memory.buffer, SCALES, (WHOLE - SCALES) / 4),
  whole: new Int8Array(memory.buffer, WHOLE, STAGED_VALUES),
  scaled: new Float32Array(memory.buffer, SCALED, (STAGE_BYTES - SCALED) / 4),
  scaleChannels: exports['scaleChannels'] as Scale,
  scaleTokens: exports['scaleTokens'] as Scale,
};
