import { expect, test } from 'vitest';
import { parseDefinition } from '../../src/ingest/definition.ts';
import { checkSource } from '../../src/ingest/policy.ts';

const isAllowed = (url: string, rule: string): boolean => {
  const definition = parseDefinition({ name: 'a', source: { url } });
  try {
    checkSource(definition, 'client', { mediaRoots: [], allowedHosts: [rule] });
    return true;
  } catch {
    return false;
  }
};

test('A client’s stream may not have standing questions in its definition: these last, and may call a webhook', () => {
  const input = { name: 'a', source: { push: true }, standing_questions: [{ question: 'is there a dog?' }] };
  const allow = (origin: 'operator' | 'client') =>
    checkSource(parseDefinition(input), origin, { mediaRoots: [], allowedHosts: ['*'] });
  expect(allow('operator').standing_questions).toEqual([
    { question: 'is there a dog?', every: 2, holds: 1, min_confidence: 0 },
  ]);
  expect(() => allow('client')).toThrow(expect.objectContaining({ code: 'forbidden', param: 'standing_questions' }));
});

test('A client’s stream may not be kept: its files would last, beyond the limit of snapshots', () => {
  const definition = parseDefinition({ name: 'a', source: { push: true }, keep: { every: 60 } });
  const allow = (origin: 'operator' | 'client') =>
    checkSource(definition, origin, { mediaRoots: [], allowedHosts: ['*'] });
  expect(allow('operator').keep).toEqual({ every: 60 });
  expect(() => allow('client')).toThrow(expect.objectContaining({ code: 'forbidden', param: 'keep' }));
});

test('A client’s stream may not tell of a frozen picture: it has no webhook to tell', () => {
  const definition = parseDefinition({ name: 'a', source: { push: true }, frozen_after: 300 });
  const allow = (origin: 'operator' | 'client') =>
    checkSource(definition, origin, { mediaRoots: [], allowedHosts: ['*'] });
  expect(allow('operator').frozen_after).toBe(300);
  expect(() => allow('client')).toThrow(expect.objectContaining({ code: 'forbidden', param: 'frozen_after' }));
});

test.each([
  [{ url: 'rtsp://cam.example/a' }, '`source_hosts`'],
  [{ file: 'a.mp4' }, '`media_roots`'],
])('A client that names %j is told the setting that would allow it', (source, setting) => {
  const definition = parseDefinition({ name: 'a', source });
  const check = () => checkSource(definition, 'client', { mediaRoots: [], allowedHosts: [] });
  expect(check).toThrow(expect.objectContaining({ code: 'source_forbidden' }));
  expect(check).toThrow(setting);
});

test.each([
  ['rtsp://cam.example/a', 'CAM.Example.', true],
  ['http://cam.example./', 'Cam.example', true],
  ['http://Front.CAM.example/', '*.Cam.Example.', true],
  ['rtsp://[fd00:0::1]/a', 'FD00:0:0::1', true],
  ['rtsp://[fd00::1]/a', '[fd00::1]', true],
  ['http://bücher.example/', 'Bücher.example', true],
  ['rtsp://cam.example:554/a', 'cam.example:554', false],
  ['rtsp://c%61m.example/a', 'cam.example', false],
  ['http://webcam/', '*cam', false],
])('A client may name %s where %j is allowed: %s', (url, rule, allowed) => {
  expect(isAllowed(url, rule)).toBe(allowed);
});
