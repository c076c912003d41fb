import { type Config, namesSetting, wrongSetting } from '../config.ts';
import { YocoError } from '../errors.ts';

/**
 * An error of the server's options, which are named as the settings are but for their case, by the setting; any other
 * error as it is.
 */
export function ofSetting(error: unknown, config: Pick<Config, 'variables'>): unknown {
  if (!(error instanceof YocoError) || error.code !== 'config_invalid' || error.param === null) return error;
  if (namesSetting(error, config.variables)) return error;
  const key = error.param.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return wrongSetting(key, error.detail.replace(/\.$/, ''), config.variables, error.cause);
}
