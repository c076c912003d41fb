/** Which sources a client of the service may name. The operator (YAML, command line) may name any. */
import { realpathSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { YocoError } from '../errors.ts';
import { hostName } from '../host-name.ts';
import type { StreamDefinition } from './definition.ts';
import { looksLikeAddress } from './ffmpeg-protocols.ts';

export interface SourcePolicy {
  /** Folders whose files a client may play; a relative path is looked up in each. */
  readonly mediaRoots: readonly string[];
  /**
   * Hosts that a client may connect to: `cam.example`, `*.example` (any name below it), `10.0.0.0/8`, or `*`. A range
   * matches addresses only: names are not resolved, since the answer may change between the check and the connection.
   * Redirects from an allowed host are not checked; allow only trusted hosts.
   */
  readonly allowedHosts: readonly string[];
}

/**
 * Returns the definition to use, with a client's file replaced by its real path. Throws `source_forbidden`,
 * `source_not_found` for a missing file below a media root, or `forbidden` for other fields that only the operator may
 * set.
 */
export function checkSource(
  definition: StreamDefinition,
  origin: 'operator' | 'client',
  policy: SourcePolicy,
): StreamDefinition {
  const { source } = definition;
  // The schema checks schemes; this also covers definitions that do not come from `parseDefinition`.
  if ('url' in source && !/^(?:rtsps?|https?):\/\//i.test(source.url)) {
    throw forbidden('source.url', 'Only rtsp, rtsps, http and https addresses are accepted.');
  }
  if ('file' in source && (source.file.startsWith('-') || looksLikeAddress(source.file))) {
    throw forbidden('source.file', 'Only plain paths are accepted.');
  }
  if (origin === 'operator') return definition;
  // A client's questions end with its connection, and a webhook would have the service call any host the client likes.
  if (definition.standing_questions !== undefined) {
    const detail = 'Only streams that the operator defines may have standing questions of their own.';
    throw new YocoError('forbidden', { param: 'standing_questions', detail });
  }
  if (definition.frozen_after !== undefined) {
    const detail = 'Only the webhooks of streams that the operator defines are told of a frozen picture.';
    throw new YocoError('forbidden', { param: 'frozen_after', detail });
  }
  // Kept files are exempt from the limit on snapshots, and outlast the stream.
  if (definition.keep !== undefined) {
    throw new YocoError('forbidden', { param: 'keep', detail: 'Only streams that the operator defines may be kept.' });
  }

  if ('device' in source) throw forbidden('source.device', 'Only the operator may open devices.');
  if ('file' in source) {
    return { ...definition, source: { ...source, file: allowedFile(source.file, policy.mediaRoots) } };
  }
  if ('url' in source) {
    // Otherwise a client that names a variable and a host would have the variable's value sent to that host.
    if (source.credentials_env !== undefined) {
      throw forbidden('source.credentials_env', 'Only the operator may use environment variables of the service.');
    }
    const host = new URL(source.url).hostname;
    if (!policy.allowedHosts.some((rule) => hostMatches(host, rule))) {
      throw forbidden('source.url', 'The host is not on the list of allowed hosts (the setting `source_hosts`).');
    }
  }
  return definition;
}

function forbidden(param: string, detail: string): YocoError {
  return new YocoError('source_forbidden', { param, detail });
}

/** The real path of a client's file; symbolic links are resolved before the comparison. */
function allowedFile(file: string, mediaRoots: readonly string[]): string {
  const roots = mediaRoots.map(realPath).filter((root) => root !== null);
  for (const root of roots) {
    const real = realPath(resolve(root, file));
    if (real !== null && isInside(real, root)) return real;
  }
  // A client may learn whether a file exists only below a root.
  if (roots.some((root) => isMissingBelow(root, resolve(root, file)))) {
    throw new YocoError('source_not_found', { param: 'source.file' });
  }
  throw forbidden('source.file', 'The file is not below a media folder (the setting `media_roots`).');
}

/** Whether a missing path lies below the root, even if a symbolic link on the way leads elsewhere. */
function isMissingBelow(root: string, path: string): boolean {
  if (!isInside(path, root) || realPath(path) !== null) return false;
  let real: string | null = null;
  for (let at = dirname(path); real === null; at = dirname(at)) real = realPath(at);
  return real === root || isInside(real, root);
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

function isInside(path: string, root: string): boolean {
  const steps = relative(root, path);
  return steps !== '' && steps !== '..' && !steps.startsWith(`..${sep}`) && !isAbsolute(steps);
}

const CIDR = /^(.+)\/(\d+)$/;

const WILDCARD_PREFIX = '*.';

/**
 * Whether a rule of the allowed hosts can match anything: a host without scheme and port, a range with a prefix length
 * that its address family has, or a wildcard before a whole name.
 */
export function isHostRule(rule: string): boolean {
  if (rule === '*') return true;
  if (rule.startsWith(WILDCARD_PREFIX)) {
    const parent = hostName(rule.slice(WILDCARD_PREFIX.length));
    return parent !== null && isIP(parent) === 0;
  }
  const range = CIDR.exec(rule);
  if (range?.[1] === undefined) return hostName(rule) !== null;
  const family = isIP(range[1]);
  return family !== 0 && Number(range[2]) <= (family === 6 ? 128 : 32);
}

/** `host` is written as in an address. */
function hostMatches(host: string, rule: string): boolean {
  if (rule === '*') return true;
  const plainHost = hostName(host);
  if (plainHost === null || !isHostRule(rule)) return false;
  if (rule.startsWith(WILDCARD_PREFIX)) {
    return plainHost.endsWith(`.${hostName(rule.slice(WILDCARD_PREFIX.length)) ?? ''}`);
  }
  const range = CIDR.exec(rule);
  if (range?.[1] === undefined) return plainHost === hostName(rule);
  const family = isIP(plainHost);
  const rangeFamily = isIP(range[1]);
  if (family === 0 || rangeFamily === 0) return false;
  const list = new BlockList();
  list.addSubnet(range[1], Number(range[2]), rangeFamily === 6 ? 'ipv6' : 'ipv4');
  return list.check(plainHost, family === 6 ? 'ipv6' : 'ipv4');
}
