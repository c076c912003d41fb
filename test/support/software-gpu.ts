/**
 * A Vulkan device in software, so that the path of a GPU is tested on machines without one: SwiftShader, as chromium
 * brings it.
 */
import { existsSync } from 'node:fs';

const DRIVERS = ['/usr/lib/chromium/vk_swiftshader_icd.json', '/usr/lib64/chromium-browser/vk_swiftshader_icd.json'];

/** Makes the processes of this one use it. Returns false where there is none. To be called before a model is loaded. */
export function useSoftwareGpu(): boolean {
  const driver = process.env['VK_DRIVER_FILES'] ?? DRIVERS.find((file) => existsSync(file));
  if (driver === undefined) return false;
  process.env['VK_DRIVER_FILES'] = driver;
  return true;
}
