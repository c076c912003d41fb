/** The loaded model: YOCO at run time. No network, no clock; after loading, its only reads are of word embeddings. */
import type { Bundle, BundleConfig } from './bundle.ts';
import { bundlePath, readBundle } from './bundle.ts';
import { CrossDecoder } from './cross-decoder.ts';
import { type Device, DEFAULT_DEVICE_BYTES, type DeviceName, openDevice } from './device/device.ts';
import { DeviceIntake } from './device/device-intake.ts';
import { DeviceReader } from './device/device-reader.ts';
import { Embeddings } from './embeddings.ts';
import { HostIntake, type Intake } from './intake.ts';
import { KvCache } from './kv-cache.ts';
import { CellRanking } from './kv-index.ts';
import { KvReader } from './kv-reader.ts';
import type { Reader } from './reader.ts';
import { SelfDecoder } from './self-decoder.ts';
import type { SessionOptions } from './session.ts';
import { openSession } from './session.ts';
import { StreamTags } from './stream-tags.ts';
import { Tokenizer } from './tokenizer.ts';
import { Vision } from './vision.ts';

export interface LoadOptions extends Pick<SessionOptions, 'threads'> {
  /** Default: `cpu`. */
  readonly device?: DeviceName;
  /** Limit of the caches on a device, in bytes; default DEFAULT_DEVICE_BYTES. */
  readonly deviceBytes?: number;
  /** Filename prefix of the profiles that the device's graphs write: which operators ran where. */
  readonly deviceProfile?: string;
  /** Called with the share that is loaded, 0..1. */
  readonly onProgress?: (share: number) => void;
}

export class Model {
  readonly bundle: Bundle;
  readonly tokenizer: Tokenizer;
  readonly embeddings: Embeddings;
  readonly vision: Vision;
  readonly selfDecoder: SelfDecoder;
  readonly crossDecoder: CrossDecoder;
  readonly ranking: CellRanking;
  /** Takes frames into caches, wherever those lie: host or device. */
  readonly intake: Intake;
  /** Reads caches, wherever those lie. */
  readonly reader: Reader;
  /** Reads caches in this process's memory. */
  readonly kvReader: KvReader;
  readonly device: Device | undefined;

  constructor(parts: Omit<Model, 'config' | 'newCache' | 'release'>) {
    this.bundle = parts.bundle;
    this.tokenizer = parts.tokenizer;
    this.embeddings = parts.embeddings;
    this.vision = parts.vision;
    this.selfDecoder = parts.selfDecoder;
    this.crossDecoder = parts.crossDecoder;
    this.ranking = parts.ranking;
    this.intake = parts.intake;
    this.reader = parts.reader;
    this.kvReader = parts.kvReader;
    this.device = parts.device;
  }

  get config(): BundleConfig {
    return this.bundle.config;
  }

  newCache(limitBytes: number, hotFrames?: number): KvCache {
    const c = this.config;
    const shape = { heads: c.kvHeads, headDim: c.headDim, tokensPerFrame: c.tokensPerFrame };
    return new KvCache({ ...shape, limitBytes, ...(hotFrames === undefined ? {} : { hotFrames }) });
  }

  /** Frees the sessions. A process that exits without calling it may abort. */
  async release(): Promise<void> {
    const sessions = [this.vision, this.selfDecoder, this.crossDecoder, this.ranking];
    await Promise.all(sessions.map((session) => session.release()));
    await this.device?.release();
    this.embeddings.release();
  }
}

/**
 * Loads a bundle. Throws YocoError `bundle_not_found`, `bundle_damaged`, `bundle_unsupported`, `device_unavailable`.
 */
export async function loadModel(directory: string, options: LoadOptions = {}): Promise<Model> {
  const progress = options.onProgress ?? (() => undefined);
  const bundle = await readBundle(directory);
  progress(0.2);
  const config = bundle.config;
  const tokenizer = await Tokenizer.load(bundlePath(bundle, 'tokenizer.json'));
  const embeddings = await Embeddings.load(bundlePath(bundle, 'embeddings.bin'), config.vocabulary, config.width);
  progress(0.4);
  const device = await openRequestedDevice(bundle, options);
  const provider = device === undefined ? 'cpu' : 'webgpu';
  const vision = new Vision(await openSession(bundlePath(bundle, 'vision.onnx'), { ...options, provider }), config);
  progress(0.7);
  const selfDecoder = new SelfDecoder(await openSession(bundlePath(bundle, 'self_decoder.onnx'), options), config);
  progress(0.85);
  const crossDecoder = new CrossDecoder(await openSession(bundlePath(bundle, 'cross_decoder.onnx'), options), config);
  const ranking = new CellRanking(await openSession(bundlePath(bundle, 'kv_index.onnx'), { ...options, arena: true }));
  const tags = await StreamTags.load(
    bundlePath(bundle, 'stream_tags.bin'),
    config.streamTags,
    config.kvHeads,
    config.headDim,
  );
  const kvReader = new KvReader(config, crossDecoder, ranking, tags);
  const intake = device === undefined ? new HostIntake(selfDecoder, config) : new DeviceIntake(device);
  const reader = device === undefined ? kvReader : new DeviceReader(device, ranking, tags);
  progress(1);
  const decoders = { selfDecoder, crossDecoder, ranking };
  return new Model({ bundle, tokenizer, embeddings, vision, ...decoders, intake, reader, kvReader, device });
}

async function openRequestedDevice(bundle: Bundle, options: LoadOptions): Promise<Device | undefined> {
  const { device = 'cpu', deviceBytes: limitBytes = DEFAULT_DEVICE_BYTES, deviceProfile: profile } = options;
  if (device === 'cpu') return undefined;
  return openDevice(bundle, { limitBytes, ...(profile === undefined ? {} : { profile }) });
}
