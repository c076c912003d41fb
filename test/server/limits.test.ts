import { describe, expect, test } from 'vitest';
import { Gate } from '../../src/server/auth.ts';
import { resolveOptions } from '../../src/server/limits.ts';

describe('allowedHosts', () => {
  const isServed = (allowed: string, host: string): boolean => {
    try {
      new Gate(resolveOptions({ allowedHosts: [allowed] })).checkAddress({ host }, false);
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
  ])('serves under %j a request that names %j', (allowed, host) => {
    expect(isServed(allowed, host)).toBe(true);
    expect(isServed(allowed, 'evil.example')).toBe(false);
  });

  test.each(['https://x/y', 'x/y', 'h:8080', 'foo bar', '*cam', '*', 'user@host', '', '[x]'])('refuses %j', (host) => {
    expect(() => resolveOptions({ allowedHosts: [host] })).toThrow(
      expect.objectContaining({ code: 'config_invalid', param: 'allowedHosts' }),
    );
  });
});
