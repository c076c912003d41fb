/**
 * The decoders on a device (models/training/device_graphs.py): their graphs, and the pages that they read and write.
 */
import { YocoError } from '../../errors.ts';
import { type Bundle, type BundleConfig, bundlePath, pageFramesOf } from '../bundle.ts';
import { DeviceMemory } from './device-memory.ts';
import { DeviceSession, type Transfers } from './device-session.ts';

/** Page counts that a reading may have, each with a graph of its own. */
export const READ_PAGE_COUNTS = [1, 4, 16] as const;
/** Each stream of a question takes at least one. */
export const MAX_READ_PAGES = Math.max(...READ_PAGE_COUNTS);

/** Where the caches lie and the decoders run. */
export type DeviceName = 'cpu' | 'webgpu';

export interface DeviceOptions {
  /** Limit for pages on the device, in bytes; beyond it, the least recently used pages are evicted. */
  readonly limitBytes: number;
  /** Filename prefix of each graph's profile. */
  readonly profile?: string;
}

/** Default limit for pages on a device, in bytes. */
export const DEFAULT_DEVICE_BYTES = 4 * 2 ** 30;

export interface Device {
  readonly config: BundleConfig;
  readonly selfDecoder: DeviceSession;
  /** Copies a window to the host. */
  readonly windowReadback: DeviceSession;
  readonly crossDecoders: ReadonlyMap<number, DeviceSession>;
  readonly memory: DeviceMemory;
  readonly transfers: Readonly<Transfers>;
  release(): Promise<void>;
}

/** Throws `device_unavailable`. */
export async function openDevice(bundle: Bundle, { limitBytes, profile }: DeviceOptions): Promise<Device> {
  const { config } = bundle;
  const pageFrames = pageFramesOf(config);
  if (pageFrames === undefined) {
    throw new YocoError('device_unavailable', { detail: `The bundle ${config.name} has no graphs for one.` });
  }
  if (config.streamTags > MAX_READ_PAGES) {
    const detail = `Its graphs read ${MAX_READ_PAGES} streams at most; ${config.name} promises ${config.streamTags}.`;
    throw new YocoError('device_unavailable', { detail });
  }
  const transfers: Transfers = { toDevice: 0, toHost: 0 };
  const sessions: DeviceSession[] = [];
  const open = async (
    name: Parameters<typeof bundlePath>[1],
    deviceOutputs: readonly string[],
  ): Promise<DeviceSession> => {
    const prefix = profile === undefined ? undefined : `${profile}${name}`;
    const session = await DeviceSession.open(bundlePath(bundle, name), deviceOutputs, transfers, prefix);
    sessions.push(session);
    return session;
  };
  const selfDecoder = await open('device_self_decoder.onnx', ['k', 'v', 'next_k', 'next_v']);
  const append = await open('device_append.onnx', [
    'next_keys',
    'next_values',
    'next_codes',
    'next_times',
    'next_before',
  ]);
  const window = await open('device_window.onnx', []);
  const crossDecoders = new Map<number, DeviceSession>();
  for (const pages of READ_PAGE_COUNTS) crossDecoders.set(pages, await open(`device_cross_decoder_${pages}.onnx`, []));
  const memory = new DeviceMemory(config, append, pageFrames, limitBytes);
  const release = async (): Promise<void> => {
    memory.close();
    for (const session of sessions) await session.release();
  };
  return { config, selfDecoder, windowReadback: window, crossDecoders, memory, transfers, release };
}
