import { generate } from 'selfsigned';
import { expect, it } from 'vitest';
import { startServer } from '../../src/server/index.ts';
import { FakeLiveService } from './fake-live-service.ts';

const made = () => generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });

it('A new certificate is rejected by a server without TLS, and if it does not match its key', async () => {
  const [one, other] = [await made(), await made()];
  const plain = await startServer(new FakeLiveService(), { port: 0 });
  const secure = await startServer(new FakeLiveService(), { port: 0, tls: { key: one.private, cert: one.cert } });
  const refused = expect.objectContaining({ code: 'config_invalid', param: 'tls' }) as Error;
  expect(() => {
    plain.renew({ key: one.private, cert: one.cert });
  }).toThrow(refused);
  expect(() => {
    secure.renew({ key: one.private, cert: other.cert });
  }).toThrow(refused);
  secure.renew({ key: other.private, cert: other.cert });
  await plain.close();
  await secure.close();
});
