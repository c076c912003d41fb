import { readFile } from 'node:fs/promises';
import { YocoError } from '../errors.ts';

export interface Certificate {
  readonly key: Buffer;
  readonly cert: Buffer;
}

/**
 * `files` are paths. Throws `config_invalid`, naming the file's setting. The server checks whether key and certificate
 * match.
 */
export async function readCertificate(files: { readonly key: string; readonly cert: string }): Promise<Certificate> {
  const read = async (name: 'key' | 'cert'): Promise<Buffer> => {
    try {
      return await readFile(files[name]);
    } catch (cause) {
      throw new YocoError('config_invalid', {
        param: `tls.${name}`,
        detail: `"${files[name]}" cannot be read.`,
        cause,
      });
    }
  };
  return { key: await read('key'), cert: await read('cert') };
}
