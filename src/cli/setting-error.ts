import { type Config, namesSetting, settingError } from '../config.ts';
import { YocoError } from '../errors.ts';

/**
 * Renames the option in an error about the server's options to its setting; the names differ only in case style. Any
 * other error is returned unchanged.
 */
export function toSettingError(error: unknown, config: Pick<Config, 'variables'>): unknown {
  if (!(error instanceof YocoError) || error.code !== 'config_invalid' || error.param === null) return error;
  if (namesSetting(error, config.variables)) return error;
  const key = error.param.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return settingError(key, error.detail.replace(/\.$/, ''), config.variables, error.cause);
}
