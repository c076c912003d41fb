/**
 * The part of WebAssembly's JavaScript interface (https://webassembly.github.io/spec/js-api/) that is used here:
 * @types/node declares none of it, and TypeScript only does so in its browser library.
 */
declare namespace WebAssembly {
  class Memory {
    /** In pages of 64 KiB. */
    constructor(size: { readonly initial: number; readonly maximum: number });
    readonly buffer: ArrayBuffer;
  }
  /** Compiles synchronously. Throws CompileError. */
  const Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  class Instance {
    constructor(module: object, imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
