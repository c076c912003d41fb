import { describe, expect, test } from 'vitest';
import { Authenticator } from '../../src/server/auth.ts';
import { resolveOptions, type ServerOptions } from '../../src/server/server-options.ts';

describe('viewKeys', () => {
  const [apiKey, viewKey] = ['a-key-for-the-tests-0123', 'a-view-key-of-the-tests-45'];
  const refusal = (options: ServerOptions): unknown => {
    try {
      return resolveOptions(options);
    } catch (error) {
      return error;
    }
  };

  test('are accepted beside API keys', () => {
    expect(resolveOptions({ apiKeys: [apiKey], viewKeys: [viewKey] }).viewKeys).toEqual([viewKey]);
    expect(resolveOptions({ host: '0.0.0.0', apiKeys: [apiKey], viewKeys: [] }).viewKeys).toEqual([]);
  });

  test.each<[string, ServerOptions, RegExp]>([
    ['too short', { apiKeys: [apiKey], viewKeys: [viewKey, 'short'] }, /Each view key needs at least 16 /],
    ['not ASCII', { apiKeys: [apiKey], viewKeys: ['a-view-key-ohne-täuschung'] }, /Each view key needs at least 16 /],
    ['alone', { viewKeys: [viewKey] }, /need at least one API key/],
    ['alone, for other machines', { host: '0.0.0.0', viewKeys: [viewKey] }, /need at least one API key/],
    ['API keys, too', { apiKeys: [apiKey, viewKey], viewKeys: [viewKey] }, /is also an API key/],
  ])('that are %s are rejected, without repeating the key', (_how, options, message) => {
    const error = refusal(options);
    expect(error).toMatchObject({
      code: 'config_invalid',
      param: 'viewKeys',
      message: expect.stringMatching(message) as string,
    });
    expect(String(error)).not.toContain('short');
    expect(String(error)).not.toContain(viewKey);
  });
});

describe('allowedHosts', () => {
  const isServed = (allowed: string, host: string): boolean => {
    try {
      new Authenticator(resolveOptions({ allowedHosts: [allowed] })).checkHostAndOrigin({ host }, false);
      return true;
    } catch {
      return false;
    }
  };

  test.each([
    ['MyHost', 'myhost:8080'],
    ['cameras.example.', 'Cameras.example'],
    ['cameras.example', 'cameras.example.:80'],
    ['FD00:0::1', '[fd00::1]:8080'],
    ['[fd00::1]', '[fd00::1]'],
    ['10.0.0.7', '10.0.0.7:8080'],
  ])('of %j admits a request for the host %j', (allowed, host) => {
    expect(isServed(allowed, host)).toBe(true);
    expect(isServed(allowed, 'evil.example')).toBe(false);
  });

  test.each(['https://x/y', 'x/y', 'h:8080', 'foo bar', '*cam', '*', 'user@host', '', '[x]'])('rejects %j', (host) => {
    expect(() => resolveOptions({ allowedHosts: [host] })).toThrow(
      expect.objectContaining({ code: 'config_invalid', param: 'allowedHosts' }),
    );
  });
});
