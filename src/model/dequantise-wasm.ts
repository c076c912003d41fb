/**
 * The loops of `dequantise.ts` as a WebAssembly module with 128-bit SIMD, which every Node version of `engines`
 * supports. It is assembled here, after https://webassembly.github.io/spec/core/binary/, because a compiler for two
 * loops would be one more dependency.
 *
 *     import stage.memory
 *     export scaleChannels, scaleTokens: Scale
 */

/** Values per iteration of the loops. */
export const CHANNEL_ALIGNMENT = 8;

/**
 * Scales the int8 values from address `source` to `sourceEnd`, exclusive: token by token, `channels` each. Their
 * float32 scales begin at `scales`; the results go to `target`. Needs at least one token.
 */
export type ScaleFunction = (
  source: number,
  scales: number,
  target: number,
  sourceEnd: number,
  channels: number,
) => void;

type Code = readonly number[];

/** LEB128. */
const leb128 = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)]);
const sized = (bytes: Code): Code => [...leb128(bytes.length), ...bytes];
const list = (items: readonly Code[]): Code => [...leb128(items.length), ...items.flat()];
const text = (ascii: string): Code => sized([...Buffer.from(ascii, 'ascii')]);

const I32 = 0x7f;
const V128 = 0x7b;
const [LOOP, END, BRANCH_IF, NO_RESULT] = [0x03, 0x0b, 0x0d, 0x40];
const [LESS_UNSIGNED, ADD] = [0x49, 0x6a];
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const simd = (operation: number, ...operands: number[]): Code => [0xfd, ...leb128(operation), ...operands];
/** v128.load: alignment as a power of two, then the offset. */
const load = (offset: number): Code => simd(0x00, 4, offset);
/** v128.load8x8_s: eight int8 as int16. */
const loadEight = simd(0x01, 3, 0);
/** v128.load32_splat: one number, four times. */
const loadSplat = simd(0x09, 2, 0);
const store = (offset: number): Code => simd(0x0b, 4, offset);
/** i32x4.extend_low_i16x8_s and _high_: widen four of eight int16. */
const [lowFour, highFour] = [simd(0xa7), simd(0xa8)];
/** f32x4.convert_i32x4_s, f32x4.mul. */
const [toFloats, multiply] = [simd(0xfa), simd(0xe6)];

// The parameters of Scale, then its locals: the token's end, the address of its next scales, eight values, and one
// scale four times.
const [SOURCE, SCALES, TARGET, SOURCE_END, CHANNELS, TOKEN_END, NEXT, EIGHT, SPLAT] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const locals = [
  [2, I32],
  [2, V128],
];

/** Adds `bytes` to a local. Must be below 64, where an operand of i32.const is encoded as itself. */
const advance = (local: number, bytes: number): Code => [...get(local), 0x41, bytes, ADD, ...set(local)];

/** Runs `body` once, then repeats it while one local is less than the other. */
const doWhile = (body: Code, local: number, end: number): Code => {
  const more = [...get(local), ...get(end), LESS_UNSIGNED, BRANCH_IF, 0];
  return [LOOP, NO_RESULT, ...body, ...more, END];
};

/** Stores four values of EIGHT times what `scales` loads. */
const storeFour = (four: Code, scales: Code, offset: number): Code => {
  const values = [...get(EIGHT), ...four, ...toFloats];
  return [...get(TARGET), ...values, ...scales, ...multiply, ...store(offset)];
};

/** Scales eight channels of a token. `low` and `high` load the scales of either half. */
const scaleEight = (low: Code, high: Code): Code => {
  const loaded = [...get(SOURCE), ...loadEight, ...set(EIGHT)];
  const stored = [...storeFour(lowFour, low, 0), ...storeFour(highFour, high, 16)];
  return [...loaded, ...stored, ...advance(SOURCE, CHANNEL_ALIGNMENT), ...advance(TARGET, 4 * CHANNEL_ALIGNMENT)];
};

/** For each token: `begin`, then `eight` for every eight channels. */
const tokenByToken = (begin: Code, eight: Code): Code => {
  const tokenEnd = [...get(SOURCE), ...get(CHANNELS), ADD, ...set(TOKEN_END)];
  return doWhile([...tokenEnd, ...begin, ...doWhile(eight, SOURCE, TOKEN_END)], SOURCE, SOURCE_END);
};

const functions: Readonly<Record<string, Code>> = {
  scaleChannels: tokenByToken(
    [...get(SCALES), ...set(NEXT)],
    [...scaleEight([...get(NEXT), ...load(0)], [...get(NEXT), ...load(16)]), ...advance(NEXT, 4 * CHANNEL_ALIGNMENT)],
  ),
  scaleTokens: tokenByToken(
    [...get(SCALES), ...loadSplat, ...set(SPLAT), ...advance(SCALES, 4)],
    scaleEight(get(SPLAT), get(SPLAT)),
  ),
};

const section = (number: number, items: readonly Code[]): Code => [number, ...sized(list(items))];
const [FUNCTION_TYPE, FUNCTION, MEMORY] = [0x60, 0x00, 0x02];
const scaleType = [FUNCTION_TYPE, ...list([[I32], [I32], [I32], [I32], [I32]]), ...list([])];
const onePageOrMore = [0x00, 1];

export const dequantiseWasm = Uint8Array.from([
  ...[...Buffer.from('\0asm', 'ascii'), 1, 0, 0, 0],
  ...section(1, [scaleType]),
  ...section(2, [[...text('stage'), ...text('memory'), MEMORY, ...onePageOrMore]]),
  ...section(
    3,
    Object.keys(functions).map(() => [0]),
  ), // both are of type 0
  ...section(
    7,
    Object.keys(functions).map((name, i) => [...text(name), FUNCTION, i]),
  ),
  ...section(
    10,
    Object.values(functions).map((body) => sized([...list(locals), ...body, END])),
  ),
]);
